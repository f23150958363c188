"""From a name on disk to the stream that a loss asks for, checked before training starts."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from embodied_ssl.datasets import batches
from embodied_ssl.datasets.errors import DataError, unknown_name
from embodied_ssl.datasets.images import image_set
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


def open_streams(method: Method, sources: Mapping[str, Source]) -> dict[str, Stream]:
    """The streams of `method` out of the data sets named, by name of the stream.

    Raises DataError where a stream is unknown or missing, and where a data set is not of a kind that has it.
    """
    needs, cuts = method.needs(), method.cuts()
    check_streams(method, sources)
    return {name: _open(needs[name].batch, source, cuts.get(name, {}), name) for name, source in sources.items()}


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


def fingerprint(source: Source) -> str:
    """SHA-256 of what a data set holds, in hexadecimal: it changes when a byte of the data does."""
    if (Path(source) / MANIFEST).is_file():
        return hashlib.sha256((Path(source) / MANIFEST).read_bytes()).hexdigest()  # it holds the hash of each shard
    return image_set(source).fingerprint


def method_name(method: Method) -> str:
    """The name of a method: that of its file."""
    return type(method).__module__.rpartition(".")[2]


def _open(batch: type[batches.Batch], source: Source, cut: dict[str, Any], name: str) -> Stream:
    if batch is batches.LabelledFrames:
        return image_set(source).labelled()
    if batch is batches.Frames and not (Path(source) / MANIFEST).is_file():
        return image_set(source).frames()
    dataset = Dataset.open(source)
    kinds, open_stream = _CUTS[batch]
    if dataset.kind not in kinds:
        raise DataError(f"{source}: a {dataset.kind} data set has no {name}; it takes {' or '.join(kinds)}")
    return open_stream(dataset, **cut)
