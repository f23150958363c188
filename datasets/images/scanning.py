"""One pass over all files of a set before the first is decoded: hash, size, and what is damaged by its header."""

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.images.archives import Store, reason
from embodied_ssl.datasets.images.decoding import read_header
from embodied_ssl.datasets.progress import progress_bar

_CHUNK = 64  # files at a time
_MOST_KEPT = 8  # scans
_kept: dict[Path, tuple[object, "Scan"]] = {}


@dataclass(frozen=True)
class Scan:
    """What the files of a store are. N files, by row of its names."""

    sha256: NDArray[np.uint8]  # [N, 32]
    size: NDArray[np.int32]  # [N, 2]: width and height, px
    damaged: dict[int, str]  # why it cannot be decoded, by row


def scan(store: Store) -> Scan:
    """Read every file once, in threads. What was scanned before in this process, and is unchanged, is not read again.

    Raises OSError where the store itself is gone.
    """
    key = store.path.resolve()
    kept = _kept.pop(key, None)
    found = kept[1] if kept is not None and kept[0] == store.signature else _scan(store)
    _kept[key] = store.signature, found
    if len(_kept) > _MOST_KEPT:
        _kept.pop(next(iter(_kept)))
    return found


def _scan(store: Store) -> Scan:
    count = len(store.names)
    found = Scan(np.zeros((count, 32), np.uint8), np.zeros((count, 2), np.int32), {})

    def look(first: int) -> int:
        rows = range(first, min(first + _CHUNK, count))
        for row in rows:
            try:
                content = store.read(row)
                found.sha256[row] = np.frombuffer(hashlib.sha256(content).digest(), np.uint8)
                found.size[row] = read_header(content)[:2]
            except (OSError, ValueError) as error:
                found.damaged[row] = reason(error)
        return len(rows)

    bar = progress_bar(count, "images", f"{store.name}: reading", delay=2)
    with ThreadPoolExecutor(threads()) as pool, bar:
        for done in _mapped(pool, look, range(0, count, _CHUNK)):
            bar.update(done)
    return found


def _mapped(pool: ThreadPoolExecutor, look, firsts: range) -> Iterator[int]:  # type: ignore[no-untyped-def]
    try:
        yield from pool.map(look, firsts)
    finally:
        pool.shutdown(cancel_futures=True)  # an interruption must not wait for all that was still to do


def threads() -> int:
    """As many as there are processors for this process, and no more than 16."""
    return min(16, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
