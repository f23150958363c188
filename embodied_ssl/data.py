"""From a name on disk to the stream that a loss asks for, checked before training starts."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any

from embodied_ssl.datasets.errors import DataError, unknown_name
from embodied_ssl.datasets.images.digests import Digests
from embodied_ssl.datasets.images.image_set import FrameStream, ImageSet, LabelledStream
from embodied_ssl.datasets.images.sources import image_set
from embodied_ssl.datasets.kinds import Kind, kinds
from embodied_ssl.datasets.read import batches
from embodied_ssl.datasets.read.joined import Joined
from embodied_ssl.datasets.read.motor import OWN, MotorSignals
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.datasets.read.streams import Stream, batch_class
from embodied_ssl.datasets.store.manifest import MANIFEST, data_sha256
from embodied_ssl.method import Method
from embodied_ssl.methods import method_name
from embodied_ssl.registry import check_settings

Source = Path | str
Sources = Source | Sequence[Source]

SPARE = 1.5
"""Side of the squares that are made of files of any size, in sides of what the encoder sees: crops need some choice."""

WITH_MOTIONS = (batches.FramePairs, batches.Clips)
"""Batches that say how the body moved."""

_STREAMS: dict[type[batches.Batch], str] = {
    batches.Frames: "images",
    batches.FramePairs: "pairs",
    batches.CaptionedFrames: "captions",
    batches.Clips: "clips",
    batches.ObjectPairs: "object_pairs",
    batches.Tracks: "tracks",
}
"""The method of a data set that cuts it so; every other class of batches is of a kind's own interactions."""


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
    motor: MotorSignals = OWN
    """Whose motor signals it gives."""

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
        others: dict[str, Any] = {} if self.motor == OWN else {"motor": str(self.motor)}
        if classes := getattr(self.stream, "classes", None):
            others["classes"] = list(classes)
        return {**entry, "sha256": sha256, "images": sum(origin.images for origin in own), **others}


def open_streams(method: Method, sources: Mapping[str, Sources], part: str = "train") -> dict[str, Stream]:
    """The streams of `method` out of the data sets named, by name of the stream: see `take_streams`."""
    return {name: taken.stream for name, taken in take_streams(method, sources, part=part).items()}


def take_streams(
    method: Method,
    sources: Mapping[str, Sources],
    side: int | None = None,
    skip_damaged: bool = False,
    part: str = "train",
    motor: Mapping[str, MotorSignals] | None = None,
    seed: int = 0,
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
        motor: whose motor signals streams of pairs and clips give, by name of the stream; of others the body's own.
        seed: of who is yoked to whom, and of which images are labelled.

    Raises DataError where a stream is unknown or missing, where a data set is not of a kind that has it, and where
    several do not fit together.
    """
    specs, options = method.input_streams(), method.stream_options()
    check_streams(method, sources)
    if unknown := options.keys() - specs.keys():
        raise unknown_name(f"stream in stream_options of {type(method).__name__}", min(unknown), specs)
    signals = {name: each for name, each in (motor or {}).items() if each != OWN}
    for name in signals:
        if name not in specs or specs[name].batch not in WITH_MOTIONS or name not in sources:
            raise DataError(f"motor: {method_name(method)} was given no motor signals by a stream {name}")

    def files(source: Source) -> ImageSet:
        usual_side = round(SPARE * method.encoder.image_size)
        return image_set(source, side=side, skip_damaged=skip_damaged, usual_side=usual_side)

    def cut(name: str) -> dict[str, Any]:
        return {**options.get(name, {}), **({"motor": signals[name], "seed": seed} if name in signals else {})}

    wanted = {
        name: _Wanted(name, specs[name].batch, cut(name), part, files, signals.get(name, OWN), seed) for name in sources
    }
    return {name: wanted[name].of(_several(source)) for name, source in sources.items()}


def frames_of(source: Source) -> Taken:
    """The images of a data set that may be learned from, whatever it is. Raises DataError where it has none."""
    return _Wanted("frames", batches.Frames, {}, "train", image_set).of([source])


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
        return "any labelled images"
    if batch is batches.Frames:
        return "any images"
    *others, last = kinds_with(batch) or ("no known kind of",)
    return f"{', '.join(others)} or {last} data" if others else f"{last} data"


def _stream_of(batch: type[batches.Batch]) -> str:
    return _STREAMS.get(batch, "trials")


def _has(kind: Kind, batch: type[batches.Batch]) -> bool:
    """Whether data sets of a kind can be cut into such batches."""
    if batch in _STREAMS:
        return _STREAMS[batch] in kind.streams
    return kind.batch is not None and batch_class(kind.batch) is batch


def kinds_with(batch: type[batches.Batch]) -> tuple[str, ...]:
    """The kinds of our data sets that can be cut into such batches."""
    return tuple(name for name, kind in kinds().items() if _has(kind, batch))


def _several(source: Sources) -> Sequence[Source]:
    return [source] if isinstance(source, (str, Path)) else list(source)


@dataclass(frozen=True)
class _Wanted:
    """A stream that a method asks for."""

    name: str
    batch: type[batches.Batch]
    options: Mapping[str, Any]
    """How to cut it out of a data set."""
    part: str
    """Of sets that have parts."""
    files: Callable[[Source], ImageSet]
    """Opens a set of images that is not ours."""
    motor: MotorSignals = OWN
    seed: int = 0
    """Of what is drawn of it."""

    def of(self, sources: Sequence[Source]) -> Taken:
        """It out of data sets, one after the other. Raises DataError where they do not have it or fit together."""
        if not sources:
            raise DataError(f"{self.name}: no data set named; name one, as in --{self.name} DIR")
        found = [self._of_one(source) for source in sources]
        streams, origins = [stream for stream, _ in found], tuple(origin for _, origin in found)
        if len(found) == 1:
            return Taken(streams[0], origins, self.motor)
        if self.batch in WITH_MOTIONS:
            _check_bodies(sources)
        return Taken(Joined(streams, [str(source) for source in sources]), origins, self.motor)

    def _of_one(self, source: Source) -> tuple[Stream, Origin]:
        ours = (Path(source) / MANIFEST).is_file()
        labelled = self.batch is batches.LabelledFrames
        if labelled or (self.batch is batches.Frames and not ours):
            check_settings(f"the stream {self.name}", self.options, ["per_class"])
            few = self.options.get("per_class"), self.seed
            return _of_images(self.files(source), source, self.part, labelled=labelled, few=few)
        dataset = Dataset.open(source)
        if not _has(dataset.declaration, self.batch):
            raise DataError(f"{source}: a {dataset.kind} data set has no {self.name}; it takes {origin(self.batch)}")
        told = "" if self.motor == OWN else f"motor signals: {self.motor}"
        taken_from = Origin(source, data_sha256(source), len(dataset.images()), dataset.digests, told=told)
        cut = getattr(dataset, _stream_of(self.batch))
        check_settings(f"the stream {self.name}", self.options, signature(cut).parameters)
        return cut(**self.options), taken_from


def _check_bodies(sources: Sequence[Source]) -> None:
    """Motions of different bodies have different units."""
    opened = {source: Dataset.open(source) for source in sources}
    found = {(dataset.kind, dataset.motor_signals): source for source, dataset in opened.items()}
    if len(found) > 1:
        each = ", ".join(f"{kind} ({', '.join(signals)}) in {source}" for (kind, signals), source in found.items())
        raise DataError(
            f"data sets of bodies that move differently do not fit together: {each}; name those of one kind and signals"
        )


def _of_images(
    images: ImageSet, source: Source, part: str, *, labelled: bool, few: tuple[int | None, int]
) -> tuple[Stream, Origin]:
    """few: how many images of each class to take, or None for all, and the seed that they are drawn by."""
    own = images.only(part)
    per_class, seed = few
    if per_class is not None:
        own = own.few(per_class, seed)
    origin = Origin(
        source=source,
        sha256=data_sha256(source) if (Path(source) / MANIFEST).is_file() else images.fingerprint,
        images=len(own),
        find_digests=lambda: own.digests,
        part=part if (own.part == part).any() else "",
        side=images.side,
        told=images.told,
        damaged=images.damaged,
    )
    return (LabelledStream(own) if labelled else FrameStream(own)), origin
