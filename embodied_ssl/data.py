"""From a name on disk to the stream that a loss asks for, checked before training starts; what a run learned from."""

import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets import batches
from embodied_ssl.datasets.digests import Digests, united
from embodied_ssl.datasets.errors import DataError, unknown_name
from embodied_ssl.datasets.files import write_atomically
from embodied_ssl.datasets.images import ImageSet, image_set
from embodied_ssl.datasets.manifest import MANIFEST
from embodied_ssl.datasets.readers import Dataset
from embodied_ssl.datasets.schema import INTERACTION_KINDS, VIDEO_KINDS
from embodied_ssl.datasets.streams import Stream
from embodied_ssl.method import Method

Source = Path | str

# What a loss asks for: the kinds of data set that have it, and how it is cut out of one.
_CUTS: dict[type[batches.Batch], tuple[tuple[str, ...], Callable[..., Stream]]] = {
    batches.Frames: (VIDEO_KINDS + INTERACTION_KINDS, Dataset.images),
    batches.FramePairs: (VIDEO_KINDS, Dataset.pairs),
    batches.CaptionedFrames: (VIDEO_KINDS + INTERACTION_KINDS, Dataset.captions),
    batches.Clips: (VIDEO_KINDS, Dataset.clips),
    batches.Grasps: (("grasp",), Dataset.acts),
    batches.Pushes: (("push",), Dataset.acts),
    batches.Pokes: (("poke",), Dataset.acts),
    batches.ObjectPairs: (("orbit", *INTERACTION_KINDS), Dataset.object_pairs),
}


SAMPLES = "samples.npy"
"""Beside `run.json`: the digests of all pictures that a run may learn from, uint64, sorted, each once."""


@dataclass(frozen=True)
class Taken:
    """A stream, and what it was taken from."""

    stream: Stream
    source: Source
    sha256: str
    """Of what the source holds."""
    part: str
    """Of the source: `train`, or empty where it has no parts."""
    images: int
    """How many pictures may be learned from."""
    find_digests: Callable[[], Digests]
    """Their digests."""

    def entry(self) -> dict[str, Any]:
        """What `run.json` says of it."""
        return {"source": str(self.source), "sha256": self.sha256, "part": self.part, "images": self.images}

    def told(self) -> str:
        """In words: `50,000 images of cifar10.zip, part train`."""
        return f"{self.images:,} images of {self.source}" + (f", part {self.part}" if self.part else "")


def open_streams(method: Method, sources: Mapping[str, Source]) -> dict[str, Stream]:
    """The streams of `method` out of the data sets named, by name of the stream: see `take_streams`."""
    return {name: taken.stream for name, taken in take_streams(method, sources).items()}


def take_streams(method: Method, sources: Mapping[str, Source]) -> dict[str, Taken]:
    """The streams of `method` out of the data sets named, and what each holds, by name of the stream.

    Of a set with parts (folders `train` and `test`) it is the part `train` alone.

    Raises DataError where a stream is unknown or missing, and where a data set is not of a kind that has it.
    """
    needs, cuts = method.needs(), method.cuts()
    check_streams(method, sources)
    return {name: _take(needs[name].batch, source, cuts.get(name, {}), name) for name, source in sources.items()}


def write_samples(run: Path, streams: Mapping[str, Taken]) -> None:
    """Write RUN/samples.npy, unless it is there."""
    if (run / SAMPLES).is_file():
        return
    buffer = io.BytesIO()
    np.save(buffer, united([taken.find_digests() for taken in streams.values()]), allow_pickle=False)
    write_atomically(run / SAMPLES, [buffer.getbuffer()])


def learned_from(run: Path | str, images: ImageSet, rows: NDArray[np.integer]) -> int:
    """How many of these rows of a set show a picture that the run may have learned from.

    Pictures are compared by content, whatever their names (`digest_of` says what counts as the same). Raises DataError
    where the run does not say what it learned from.
    """
    path = Path(run) / SAMPLES
    try:
        known = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise DataError(
            f"{path}: missing, so what this run learned from is unknown; run the same embodied-ssl train again"
        ) from None
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path}: damaged ({error}); delete it and run the same embodied-ssl train again") from None
    return int(np.isin(images.digests[rows], known).sum())


def check_streams(method: Method, sources: Mapping[str, Source]) -> None:
    """Raise DataError where a stream of `method` is unknown or missing; opens no data."""
    needs = method.needs()
    for name in sources:
        if name not in needs:
            raise unknown_name(f"stream of {method_name(method)}", name, needs)
    missing = [name for name, need in needs.items() if need.required and name not in sources]
    if missing:
        wanted = ", ".join(f"{name} ({origin(needs[name].batch)})" for name in missing)
        raise DataError(f"{method_name(method)} learns from {wanted}; name a data set for it, as in --{missing[0]} DIR")
    if not sources:
        raise DataError(f"{method_name(method)} was given no data; name a data set for one of {', '.join(needs)}")


def source_for(batch: type[batches.Batch], sources: Sequence[Source]) -> Source | None:
    """The first of several data sets that has such batches, if there is one."""
    for source in sources:
        ours = (Path(source) / MANIFEST).is_file()
        if batch is batches.LabelledFrames or (batch is batches.Frames and not ours):
            return source
        if ours and Dataset.open(source).kind in _CUTS[batch][0]:
            return source
    return None


def origin(batch: type[batches.Batch]) -> str:
    """What a data set must be to have such batches, in words."""
    if batch is batches.LabelledFrames:
        return "any labelled pictures"
    if batch is batches.Frames:
        return "any pictures"
    *others, last = _CUTS[batch][0]
    return f"{', '.join(others)} or {last} data" if others else f"{last} data"


def method_name(method: Method) -> str:
    """The name of a method: that of its file."""
    return type(method).__module__.rpartition(".")[2]


def _take(batch: type[batches.Batch], source: Source, cut: dict[str, Any], name: str) -> Taken:
    ours = (Path(source) / MANIFEST).is_file()
    if batch is batches.LabelledFrames or (batch is batches.Frames and not ours):
        return _of_images(source, labelled=batch is batches.LabelledFrames)
    dataset = Dataset.open(source)
    kinds, open_stream = _CUTS[batch]
    if dataset.kind not in kinds:
        raise DataError(f"{source}: a {dataset.kind} data set has no {name}; it takes {' or '.join(kinds)}")
    return Taken(open_stream(dataset, **cut), source, _of_shards(source), "", len(dataset.images()), dataset.digests)


def _of_images(source: Source, *, labelled: bool) -> Taken:
    images = image_set(source)
    part = images.training()
    stream: Stream = part.labelled() if labelled else part.frames()
    sha256 = _of_shards(source) if (Path(source) / MANIFEST).is_file() else images.fingerprint
    return Taken(stream, source, sha256, "train" if len(part) < len(images) else "", len(part), lambda: part.digests)


def _of_shards(source: Source) -> str:
    """SHA-256 of what a data set of ours holds: its manifest has the hash of each shard."""
    return hashlib.sha256((Path(source) / MANIFEST).read_bytes()).hexdigest()
