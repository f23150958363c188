"""Several streams of one kind as one, whose elements come one stream after the other."""

from collections.abc import Sequence
from dataclasses import fields, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.images.image_set import LabelledStream
from embodied_ssl.datasets.read.captions import Captions
from embodied_ssl.datasets.read.object_pairs import ObjectPairs
from embodied_ssl.datasets.read.streams import Interactions, Stream
from embodied_ssl.datasets.read.tracks import Tracks

if TYPE_CHECKING:
    from embodied_ssl.datasets.read.batches import Batch

Index = NDArray[np.int64]


class Joined:
    """What is numbered within a stream (images, objects, classes, words) is numbered over all of them.

    The same object in two data sets has one number, and so has a class or a word of one name.
    """

    def __init__(self, streams: Sequence[Stream], names: Sequence[str]):
        """names: of the sources, for errors. Raises DataError where the elements have not the same shapes."""
        self._streams = tuple(streams)
        self._first = np.concatenate([[0], np.cumsum([len(stream) for stream in streams])]).astype(np.int64)
        self._check_shapes(names)
        kind = type(streams[0])
        self._tables: dict[str, list[NDArray[np.int64]]] = {}
        if kind is LabelledStream:
            self.classes, self._tables["label"] = _union([s.classes for s in streams])  # type: ignore[attr-defined]
        elif kind is Captions:
            self.vocabulary, self._tables["words"] = _union([s.vocabulary for s in streams])  # type: ignore[attr-defined]
        elif kind is ObjectPairs:
            _, self._tables["object"] = _union([s.object_names for s in streams])  # type: ignore[attr-defined]
        elif kind is Tracks:
            ends = np.cumsum([0, *(s.episodes for s in streams)])  # type: ignore[attr-defined]
            self._tables["episode"] = [np.arange(start, end, dtype=np.int64) for start, end in pairwise(ends)]
        counts = [s.objects for s in streams if isinstance(s, Interactions)]
        self._objects = [sum(counts[:number]) for number in range(len(counts))]  # of the streams before each

    def __len__(self) -> int:
        return int(self._first[-1])

    def batch(self, index: Index, rng: np.random.Generator) -> "Batch":
        import torch

        owner = np.searchsorted(self._first, index, side="right") - 1
        places = [np.flatnonzero(owner == number) for number in range(len(self._streams))]
        parts = [self._part(number, index[mine], rng) for number, mine in enumerate(places) if len(mine)]
        if len(parts) == 1:
            return parts[0]
        order = torch.from_numpy(np.argsort(np.concatenate(places)))
        values = {field.name: [getattr(part, field.name) for part in parts] for field in fields(parts[0])}
        return replace(parts[0], **{name: torch.cat(own)[order] for name, own in values.items()})

    def _part(self, number: int, index: Index, rng: np.random.Generator) -> "Batch":
        """Elements of one stream, numbered over all."""
        import torch

        batch = self._streams[number].batch(index - self._first[number], rng)
        changed: dict[str, Any] = {}
        for name, tables in self._tables.items():
            changed[name] = torch.from_numpy(tables[number])[getattr(batch, name)]
        if self._objects:
            rows = batch.object  # type: ignore[attr-defined]
            changed["object"] = torch.where(rows >= 0, rows + self._objects[number], rows)
        if hasattr(batch, "index"):
            changed["index"] = torch.from_numpy(index)
        return replace(batch, **changed)

    def _check_shapes(self, names: Sequence[str]) -> None:
        """One element of each must have what the others have, in the same shape."""
        found: dict[str, dict[tuple[int, ...], str]] = {}
        for stream, name in zip(self._streams, names, strict=True):
            batch = stream.batch(np.zeros(1, np.int64), np.random.default_rng(0))
            for field in fields(batch):
                found.setdefault(field.name, {}).setdefault(tuple(getattr(batch, field.name).shape[1:]), name)
        for what, shapes in found.items():
            if len(shapes) > 1:
                each = ", ".join(f"{' × '.join(map(str, shape))} in {name}" for shape, name in shapes.items())
                raise DataError(
                    f"{' and '.join(names)} do not fit together: {what} are {each}; collect them alike, or name one of "
                    "them; images of files are brought to one size by --decode_size"
                )


def _union(known: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], list[NDArray[np.int64]]]:
    """All names, each once in order of appearance, and for each sequence the places of its names among them."""
    place = {name: number for number, name in enumerate(dict.fromkeys(name for names in known for name in names))}
    return tuple(place), [np.array([place[name] for name in names], np.int64) for names in known]
