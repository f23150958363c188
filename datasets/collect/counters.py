"""How far shards under way have come, told through files: whoever makes them, on this machine or another."""

import re
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from embodied_ssl.datasets.store.files import TEMPORARY_SUFFIX

TELL_EVERY_S, LOOK_EVERY_S = 0.3, 0.5
_NAME = re.compile(rf"\.rows-(\d+){re.escape(TEMPORARY_SUFFIX)}")  # is cleared away like all that is unfinished


class Counter:
    """Tells of one shard how many rows it has. What cannot be told is not: nothing depends on it."""

    def __init__(self, folder: Path, shard: int):
        self._path = folder / f".rows-{shard}{TEMPORARY_SUFFIX}"
        self._told = time.monotonic()

    def __call__(self, rows: int) -> None:
        """The shard has so many rows now."""
        now = time.monotonic()
        if now - self._told >= TELL_EVERY_S:
            self._told = now
            with suppress(OSError):
                self._path.write_text(str(rows))

    def __enter__(self) -> "Counter":
        return self

    def __exit__(self, *error: Any) -> None:
        with suppress(OSError):
            self._path.unlink(missing_ok=True)


def rows_under_way(folder: Path) -> dict[int, int]:
    """The rows that each shard under way has so far, by its number."""
    found = {}
    for path in folder.glob(f".rows-*{TEMPORARY_SUFFIX}"):
        if name := _NAME.fullmatch(path.name):
            with suppress(OSError, ValueError):  # just gone, or just being written
                found[int(name[1])] = int(path.read_text())
    return found


class Watch:
    """Moves a bar by the shards that are finished and by those under way."""

    def __init__(self, folder: Path, bar: Any):
        self._folder, self._bar = folder, bar
        self._rows: dict[int, int] = {}
        self._lock = threading.Lock()

    def finished(self, shard: int, rows: int, made: bool) -> None:
        """A shard is there; one that was not made now does not count in the rate."""
        with self._lock:
            self._rows[shard] = rows if made else 0
            if not made:
                self._bar.total -= rows
        self.look()

    def look(self) -> None:
        """Bring the bar up to date."""
        with self._lock:
            under_way = rows_under_way(self._folder)
            rows = sum(self._rows.values()) + _sum_of_others(under_way, self._rows)
            self._bar.update(max(rows - self._bar.n, 0))


@contextmanager
def watch(folder: Path, bar: Any) -> Iterator[Watch]:
    """Look every half second, in a thread of its own, until the end."""
    watching, over = Watch(folder, bar), threading.Event()

    def keep_looking() -> None:
        while not over.wait(LOOK_EVERY_S):
            watching.look()

    thread = threading.Thread(target=keep_looking, daemon=True)
    if not bar.disable:
        thread.start()
    try:
        yield watching
    finally:
        over.set()
        if thread.is_alive():
            thread.join()


def _sum_of_others(rows: dict[int, int], known: Collection[int]) -> int:
    return sum(count for shard, count in rows.items() if shard not in known)
