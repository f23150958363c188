"""Images of files, decoded when they are asked for: any number, in memory that is bounded."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.images.archives import Store, listed, reason
from embodied_ssl.datasets.images.decoding import Picture, decode
from embodied_ssl.datasets.images.scanning import threads

Index = NDArray[np.int64]

KEPT_BYTES = 256 << 20
"""Of decoded images that are kept in memory, over all processes that read one set."""


class EncodedImages:
    """`images[rows]` gives uint8 [B, side, side, 3] for rows of any shape, a slice or a mask.

    The first that were decoded are kept, as many as there is room for: to make room by dropping the oldest would keep
    nothing from one epoch to the next. In the worker processes of a DataLoader each image is decoded by its worker,
    elsewhere by threads.
    """

    def __init__(self, store: Store, rows: Index, side: int, kinds: Index, skip_damaged: bool):
        """rows: of the store, [N]. kinds: [N]; what is damaged is replaced by the next of the same kind, if skipped."""
        import torch

        self.shape = (len(rows), side, side, 3)
        self._store, self._rows, self._kinds, self._skip = store, rows, kinds, skip_damaged
        self._damaged = torch.zeros(len(rows), dtype=torch.uint8).share_memory_()  # worker processes tell of theirs
        self._kept: dict[int, Picture] = {}

    def __len__(self) -> int:
        return self.shape[0]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": {}}

    def __getitem__(self, key: Any) -> Picture:
        wanted = np.arange(len(self))[key]
        flat = np.ravel(wanted)
        found = np.empty((len(flat), *self.shape[1:]), np.uint8)

        def put(place: int) -> None:
            found[place] = self._picture(int(flat[place]))

        if len(flat) < 2 or _workers() > 0:
            for place in range(len(flat)):
                put(place)
        else:
            list(_pool().map(put, range(len(flat))))
        return found.reshape((*np.shape(wanted), *self.shape[1:]))

    def damaged(self) -> list[str]:
        """The names of those that were found damaged while they were decoded, by any process, and replaced."""
        return [self._store.names[row] for row in self._rows[np.flatnonzero(self._damaged.numpy())]]

    def _picture(self, row: int) -> Picture:
        if row in self._kept:
            return self._kept[row]
        image = self._decoded(row)
        if (len(self._kept) + 1) * image.nbytes * max(1, _workers()) <= KEPT_BYTES:
            self._kept[row] = image
        return image

    def _decoded(self, row: int) -> Picture:
        """Image `row`; where it is damaged and that is to be skipped, the next of its kind that is not."""
        why: dict[str, str] = {}
        for each in self._in_turn(row):
            try:
                return decode(self._store.read(int(self._rows[each])), self.shape[1])
            except (OSError, ValueError) as error:
                self._damaged[each] = 1
                why[self._store.names[self._rows[each]]] = reason(error)
        raise damage(self._store.path, why)

    def _in_turn(self, row: int) -> Iterator[int]:
        """What may stand for an image: it, and if damage is skipped those of its kind after it, around to it."""
        yield row
        if self._skip:
            alike = np.flatnonzero(self._kinds == self._kinds[row])
            yield from np.roll(alike, -int(np.searchsorted(alike, row)))[1:].tolist()


def damage(path: Path, damaged: dict[str, str]) -> DataError:
    """The error about images that cannot be used, by name, and why."""
    count = len(damaged)
    named = "; ".join(f"{name} {why}" for name, why in sorted(damaged.items())[:3])
    more = f"; and {count - 3:,} others" if count > 3 else ""
    mend = "mend or remove it, or skip it" if count == 1 else "mend or remove them, or skip them"
    return DataError(f"{path}: {named}{more}; {mend} with --skip_damaged")


def replaced(damaged: list[str]) -> str:
    """What is to be said of those that `damaged` names."""
    one = len(damaged) == 1
    return (
        f"{len(damaged):,} file{'' if one else 's'} could not be decoded, and {'another' if one else 'others'} of the "
        f"same class stood for {'it' if one else 'them'}: {listed(damaged)}"
    )


def begin_worker(number: int) -> None:
    """To be called first in a worker process of a DataLoader: OpenCV's threads do not survive a fork.

    Any number but 0 would wait forever for those that it had before.
    """
    cv2.setNumThreads(0)


def _workers() -> int:
    """How many worker processes the DataLoader has that this one is of; 0: it is of none."""
    from torch.utils.data import get_worker_info

    info = get_worker_info()
    return 0 if info is None else info.num_workers


@lru_cache(maxsize=1)
def _pool_of(process: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads())


def _pool() -> ThreadPoolExecutor:
    import os

    return _pool_of(os.getpid())  # threads do not survive a fork
