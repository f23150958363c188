"""How far a study is, in one line: samples seen, runs ended, sets measured, and how much longer at the rates so far."""

import sys
import threading
import time
from collections.abc import Sequence
from statistics import mean
from typing import Any

from embodied_ssl.datasets.progress import LINE_EVERY_S, on_screen
from embodied_ssl.studies.cells import Cell, Learning, Measuring, Try, read_progress

_LOOK_EVERY_S = 1.0
_USUAL_RATE = 1000.0  # samples a second, before any is known: it only says which row is longer


class Progress:
    """Counts cells that are finished, and looks at the files of runs under way."""

    def __init__(self, name: str, cells: Sequence[Cell], workers: int, shown: bool = True):
        self._name, self._workers, self._shown = name, workers, shown
        self._learning = {each.run: each for each in map(_learning_of, cells) if each is not None}
        self._measuring = [each for each in cells if isinstance(each, Measuring)]
        self._measured = {each.file for each in self._measuring if each.is_done()}
        self._took: list[float] = []  # seconds of what was measured now
        self._began = time.monotonic()
        self._lock, self._over = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._keep_telling, daemon=True)

    def __enter__(self) -> "Progress":
        if self._shown:
            self._thread.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._shown:
            self._tell(end="\n")

    def finished(self, cell: Cell) -> None:
        """A cell is done."""
        if isinstance(cell, Measuring):
            with self._lock:
                self._measured.add(cell.file)
                self._took.append(cell.seconds())

    def seconds_left(self, cell: Cell) -> float:
        """Of a run: at the rate of its row so far, or else of all rows."""
        learning = _learning_of(cell)
        return 0.0 if learning is None else self._left(learning) / self._rate(learning.row)

    def line(self) -> str:
        """How far all of it is."""
        total = sum(each.samples for each in self._learning.values())
        left = sum(map(self._left, self._learning.values()))
        ended = sum(self._left(each) == 0 for each in self._learning.values())
        share = 1 - left / total if total else 1.0
        rates = ", ".join(f"{row} {rate:,.0f}/s" for row, rate in self._rates().items())
        return (
            f"{self._name}: {share:.0%}, {total - left:,} of {total:,} samples, {ended} of {len(self._learning)} runs, "
            f"{len(self._measured)} of {len(self._measuring)} measured "
            f"[{_clock(time.monotonic() - self._began)}<{self._remaining()}{', ' if rates else ''}{rates}]"
        )

    def _remaining(self) -> str:
        """At the measured rates; a question mark as long as there is none."""
        if not self._rates() and any(self._left(each) for each in self._learning.values()):
            return "?"
        each = [self._left(one) / self._rate(one.row) for one in self._learning.values()]
        unmeasured = len(self._measuring) - len(self._measured)
        to_measure = unmeasured * (mean(self._took) if self._took else 0.0)
        at_least = "+" if unmeasured and not self._took else ""  # nobody knows yet how long measuring takes
        return _clock(max((sum(each) + to_measure) / self._workers, max(each, default=0.0))) + at_least

    def _left(self, learning: Learning) -> int:
        if learning.is_done():
            return 0
        return max(learning.samples - read_progress(learning.run)[0] * learning.batch_size, 0)

    def _rate(self, row: str) -> float:
        rates = self._rates()
        return rates.get(row) or (mean(rates.values()) if rates else _USUAL_RATE)

    def _rates(self) -> dict[str, float]:
        """Samples a second and core of each row, as far as they are known."""
        found: dict[str, list[float]] = {}
        for run, learning in self._learning.items():
            updates, seconds = read_progress(run)
            if updates and seconds:
                found.setdefault(learning.row, []).append(updates * learning.batch_size / seconds)
        return {row: mean(own) for row, own in found.items()}

    def _keep_telling(self) -> None:
        every = _LOOK_EVERY_S if on_screen() else LINE_EVERY_S
        while not self._over.wait(every):
            self._tell(end="" if on_screen() else "\n")

    def _tell(self, end: str) -> None:
        start = "\r\x1b[K" if on_screen() else ""
        print(f"{start}{self.line()}", end=end, file=sys.stderr, flush=True)


def _learning_of(cell: Cell) -> Learning | None:
    return cell.learning if isinstance(cell, Try) else cell if isinstance(cell, Learning) else None


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
