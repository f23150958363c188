"""From a name on disk to the stream that a loss asks for, checked before training starts; what a run learned from."""

import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.errors import DataError, unknown_name
from embodied_ssl.datasets.images.digests import Digests, united
from embodied_ssl.datasets.images.image_set import ImageSet
from embodied_ssl.datasets.images.sources import image_set
from embodied_ssl.datasets.kinds import Kind, kinds
from embodied_ssl.datasets.read import batches
from embodied_ssl.datasets.read.joined import Joined
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.datasets.read.streams import Stream, batch_class
from embodied_ssl.datasets.store.files import write_atomically
from embodied_ssl.datasets.store.manifest import MANIFEST
from embodied_ssl.method import Method
from embodied_ssl.methods import method_name
from embodied_ssl.training.run import CONFIGURATION

Source = Path | str
Sources = Source | Sequence[Source]

SPARE = 1.5
"""Side of the squares that are made of files of any size, in sides of what the encoder sees: crops need some choice."""

_STREAMS: dict[type[batches.Batch], str] = {
    batches.Frames: "images",
    batches.FramePairs: "pairs",
    batches.CaptionedFrames: "captions",
    batches.Clips: "clips",
    batches.ObjectPairs: "object_pairs",
}
"""The method of a data set that cuts it so; every other class of batches is of a kind's own interactions."""

SAMPLES = "samples.npy"
"""Beside `run.json`: the digests of all images that a run may learn from, uint64, sorted, each once; also of those
that the run had learned from whose weights it began with."""


@dataclass(frozen=True)
class Origin:
    """What is taken of one data set."""

    source: Source
    sha256: str
    """Of what the source holds."""
    images: int
    """How many images may be learned from."""
    find_digests: Callable[[], Digests]
    """Their digests."""
    part: str = ""
    """Of the source: `train`, or empty where it has no parts."""
    side: int | None = None
    """Of the squares that were made of images of any size, px; None: they are as they were."""
    told: str = ""
    """What of a folder was taken for what."""
    damaged: Callable[[], list[str]] = list
    """The files that were found damaged since, and replaced."""

    def describe(self) -> str:
        """In words: `50,000 images of cifar10.zip, part train`."""
        part = f", part {self.part}" if self.part else ""
        return f"{self.images:,} images of {self.source}{part}" + (f" ({self.told})" if self.told else "")


@dataclass(frozen=True)
class Taken:
    """A stream, and what it was taken from."""

    stream: Stream
    origins: tuple[Origin, ...]

    def entry(self) -> dict[str, Any]:
        """What `run.json` says of it; of several sources lists, and the hash of all."""
        own = self.origins
        each: dict[str, list[Any]] = {
            "source": [str(origin.source) for origin in own],
            "part": [origin.part for origin in own],
            "side": [origin.side for origin in own],
        }
        sha256 = own[0].sha256 if len(own) == 1 else hashlib.sha256("".join(o.sha256 for o in own).encode()).hexdigest()
        entry = {name: values[0] if len(values) == 1 else values for name, values in each.items()}
        return {**entry, "sha256": sha256, "images": sum(origin.images for origin in own)}


def open_streams(method: Method, sources: Mapping[str, Sources], part: str = "train") -> dict[str, Stream]:
    """The streams of `method` out of the data sets named, by name of the stream: see `take_streams`."""
    return {name: taken.stream for name, taken in take_streams(method, sources, part=part).items()}


def take_streams(
    method: Method,
    sources: Mapping[str, Sources],
    side: int | None = None,
    skip_damaged: bool = False,
    part: str = "train",
) -> dict[str, Taken]:
    """The streams of `method` out of the data sets named, and what each holds, by name of the stream.

    Of a set with parts (folders `train` and `test`) it is one part alone. Several data sets for a stream are taken one
    after the other.

    Args:
        method: what is to learn from them.
        sources: a data set for each stream, or several.
        side: of squares to make of files of images, px; None: as `image_set` has it, 1.5 times what the encoder sees
            where images have to be resized.
        skip_damaged: whether to leave out files that are damaged.
        part: of sets that have parts.

    Raises DataError where a stream is unknown or missing, where a data set is not of a kind that has it, and where
    several do not fit together.
    """
    specs, options = method.input_streams(), method.stream_options()
    check_streams(method, sources)
    usual_side = round(SPARE * method.encoder.image_size)

    def files(source: Source) -> ImageSet:
        return image_set(source, side=side, skip_damaged=skip_damaged, usual_side=usual_side)

    return {
        name: _take(specs[name].batch, _several(source), options.get(name, {}), name, files, part)
        for name, source in sources.items()
    }


def write_samples(run: Path, streams: Mapping[str, Taken], begun_from: str | None = None) -> None:
    """Write RUN/samples.npy, unless it is there.

    begun_from: where the first weights are from. What a run learned from whose weights they are counts as well; what
    a file of others has seen is not known. Raises DataError where such a run does not say it.
    """
    if (run / SAMPLES).is_file():
        return
    digests = [origin.find_digests() for taken in streams.values() for origin in taken.origins]
    if (earlier := _run_of(begun_from)) is not None:
        digests.append(_samples_of(earlier))
    buffer = io.BytesIO()
    np.save(buffer, united(digests), allow_pickle=False)
    write_atomically(run / SAMPLES, [buffer.getbuffer()])


def learned_from(run: Path | str, images: ImageSet, rows: NDArray[np.integer]) -> int:
    """How many of these rows of a set show an image that the run may have learned from.

    Images are compared by content, whatever their names (`digest_of` says what counts as the same). Raises DataError
    where the run does not say what it learned from.
    """
    return int(np.isin(images.digests[rows], _samples_of(Path(run))).sum())


def _run_of(weights: str | None) -> Path | None:
    """The run that first weights are from: its directory was given, or its file; None: they are of no run."""
    path = Path(weights or "").expanduser()
    folder = path if path.is_dir() else path.parent
    return folder if weights is not None and (folder / CONFIGURATION).is_file() else None


def _samples_of(run: Path) -> Digests:
    path = run / SAMPLES
    try:
        return np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise DataError(
            f"{path}: missing, so what this run learned from is unknown; run the same embodied-ssl train again"
        ) from None
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path}: damaged ({error}); delete it and run the same embodied-ssl train again") from None


def check_streams(method: Method, sources: Mapping[str, Sources]) -> None:
    """Raise DataError where a stream of `method` is unknown or missing; opens no data."""
    specs = method.input_streams()
    for name in sources:
        if name not in specs:
            raise unknown_name(f"stream of {method_name(method)}", name, specs)
    missing = [name for name, spec in specs.items() if spec.required and name not in sources]
    if missing:
        wanted = ", ".join(f"{name} ({origin(specs[name].batch)})" for name in missing)
        raise DataError(f"{method_name(method)} learns from {wanted}; name a data set for it, as in --{missing[0]} DIR")
    if not sources:
        raise DataError(f"{method_name(method)} was given no data; name a data set for one of {', '.join(specs)}")


def source_for(batch: type[batches.Batch], sources: Sequence[Source]) -> Source | None:
    """The first of several data sets that has such batches, if there is one."""
    for source in sources:
        ours = (Path(source) / MANIFEST).is_file()
        if batch is batches.LabelledFrames or (batch is batches.Frames and not ours):
            return source
        if ours and _has(Dataset.open(source).declaration, batch):
            return source
    return None


def origin(batch: type[batches.Batch]) -> str:
    """What a data set must be to have such batches, in words."""
    if batch is batches.LabelledFrames:
        return "any labelled pictures"
    if batch is batches.Frames:
        return "any pictures"
    *others, last = _kinds_with(batch) or ("no known kind of",)
    return f"{', '.join(others)} or {last} data" if others else f"{last} data"


def _stream_of(batch: type[batches.Batch]) -> str:
    return _STREAMS.get(batch, "trials")


def _has(kind: Kind, batch: type[batches.Batch]) -> bool:
    """Whether data sets of a kind can be cut into such batches."""
    if batch in _STREAMS:
        return _STREAMS[batch] in kind.streams
    return kind.batch is not None and batch_class(kind.batch) is batch


def _kinds_with(batch: type[batches.Batch]) -> tuple[str, ...]:
    return tuple(name for name, kind in kinds().items() if _has(kind, batch))


def _several(source: Sources) -> Sequence[Source]:
    return [source] if isinstance(source, (str, Path)) else list(source)


def _take(
    batch: type[batches.Batch],
    sources: Sequence[Source],
    cut: dict[str, Any],
    name: str,
    files: Callable[[Source], ImageSet],
    part: str,
) -> Taken:
    if not sources:
        raise DataError(f"{name}: no data set named; name one, as in --{name} DIR")
    found = [_take_one(batch, source, cut, name, files, part) for source in sources]
    streams, origins = [stream for stream, _ in found], tuple(origin for _, origin in found)
    if len(found) == 1:
        return Taken(streams[0], origins)
    if batch in (batches.FramePairs, batches.Clips):
        _check_bodies(sources)
    return Taken(Joined(streams, [str(source) for source in sources]), origins)


def _check_bodies(sources: Sequence[Source]) -> None:
    """Motions of different bodies have different units."""
    found = {Dataset.open(source).kind: source for source in sources}
    if len(found) > 1:
        each = ", ".join(f"{kind} in {source}" for kind, source in found.items())
        raise DataError(
            f"data sets of bodies that move differently do not fit together: {each}; name those of one kind"
        )


def _take_one(
    batch: type[batches.Batch],
    source: Source,
    cut: dict[str, Any],
    name: str,
    files: Callable[[Source], ImageSet],
    part: str,
) -> tuple[Stream, Origin]:
    ours = (Path(source) / MANIFEST).is_file()
    if batch is batches.LabelledFrames or (batch is batches.Frames and not ours):
        return _of_images(files(source), source, part, labelled=batch is batches.LabelledFrames)
    dataset = Dataset.open(source)
    if not _has(dataset.declaration, batch):
        raise DataError(f"{source}: a {dataset.kind} data set has no {name}; it takes {origin(batch)}")
    taken_from = Origin(source, _of_shards(source), len(dataset.images()), dataset.digests)
    return getattr(dataset, _stream_of(batch))(**cut), taken_from


def _of_images(images: ImageSet, source: Source, part: str, *, labelled: bool) -> tuple[Stream, Origin]:
    own = images.only(part)
    origin = Origin(
        source=source,
        sha256=_of_shards(source) if (Path(source) / MANIFEST).is_file() else images.fingerprint,
        images=len(own),
        find_digests=lambda: own.digests,
        part=part if (own.part == part).any() else "",
        side=images.side,
        told=images.told,
        damaged=images.damaged,
    )
    return (images.labelled(part) if labelled else images.frames(part)), origin


def _of_shards(source: Source) -> str:
    """SHA-256 of what a data set of ours holds: its manifest has the hash of each shard."""
    return hashlib.sha256((Path(source) / MANIFEST).read_bytes()).hexdigest()
