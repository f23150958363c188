"""A folder of videos, and a CSV file of what the motors did at which time of which video."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.imports.decoding import decoded, frame_times, start_of
from embodied_ssl.datasets.imports.source import Images, MotorIs, Reals, Recording, Source, Timeline, came_to, natural

ENDINGS = (".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v")
KEYS = ("video", "time")
_SLACK_S = 1e-6  # time stamps are rounded


@dataclass(frozen=True)
class Mp4(Source):
    """A folder of videos, and a CSV file of motor signals: its columns are `video`, `time` (s) and the signals.

    Signals are brought to the times of the frames: what each had come to is interpolated linearly between its rows.
    Frames before the first row of their video or after its last are left out.
    """

    signals: Path = Path("signals.csv")
    """the CSV file; `video` is a path within the folder, `time` counts from the start of the video, s"""
    motor_is: MotorIs = "motion"
    """what a number is: a motion from its row to the next, a rate per second, or a position"""

    name: ClassVar[str] = "mp4"
    example: ClassVar[str] = "videos --signals videos/signals.csv --motor_is rate --out data/walks"

    @cached_property
    def files(self) -> Sequence[Path]:
        return [*self._videos.values(), self.signals.expanduser()]

    @property
    def signal_names(self) -> tuple[str, ...]:
        return self._table[0]

    @cached_property
    def recordings(self) -> Sequence[Recording]:
        rows = self._table[1]
        if stranger := next((name for name in rows if name not in self._videos), None):
            there = ", ".join(list(self._videos)[:9])
            raise DataError(f"{self.signals}: has rows of {stranger}, which is not in {self.the_one()}: {there}")
        if silent := next((name for name in self._videos if name not in rows), None):
            raise DataError(f"{self.signals}: has no rows of {silent}; add them, or move the video out of the folder")
        return [self._recording(number, name) for number, name in enumerate(self._videos)]

    @property
    def notes(self) -> Sequence[str]:
        left_out = [
            (name, len(frame_times(path)) - recording.frames)
            for (name, path), recording in zip(self._videos.items(), self.recordings, strict=True)
        ]
        return [
            f"{count} frames of {name} lie outside of the times of its signals" for name, count in left_out if count
        ]

    def timeline(self, number: int) -> Timeline:
        path, (time, values) = self._of(number)
        shown = _shown(path)[self._within(number)]
        travelled = came_to(values, self.motor_is, time, self.signal_names)
        columns = [np.interp(shown, time, column) for column in travelled.T]
        return Timeline(shown, np.stack(columns, axis=1))

    def images(self, number: int, rows: NDArray[np.int64]) -> Images:
        return decoded(self._of(number)[0], rows + self._within(number).start)

    def _recording(self, number: int, name: str) -> Recording:
        within, folder = self._within(number), Path(name).parent.name
        if within.stop - within.start < 1:
            time = self._of(number)[1][0]
            raise DataError(
                f"{name}: no frame lies within the times of its signals, {time[0]:g} to {time[-1]:g} s; `time` counts "
                "in seconds from the start of each video"
            )
        return Recording(name, within.stop - within.start, folder or "recorded")

    def _within(self, number: int) -> slice:
        """Which frames lie within the times of their signals."""
        path, (time, _) = self._of(number)
        shown = _shown(path)
        first, end = np.searchsorted(shown, (time[0] - _SLACK_S, time[-1] + _SLACK_S)).tolist()
        return slice(first, end)

    def _of(self, number: int) -> tuple[Path, tuple[Reals, Reals]]:
        """A video, and the times and the values of its signals."""
        name = list(self._videos)[number]
        return self._videos[name], self._table[1][name]

    @cached_property
    def _videos(self) -> dict[str, Path]:
        """Every video by its path within the folder."""
        folder = self.the_one()
        found = [path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS]
        if not found:
            raise DataError(f"{folder}: no videos ({', '.join(ENDINGS)}) in it")
        names = {path.relative_to(folder).as_posix(): path for path in found}
        return {name: names[name] for name in sorted(names, key=natural)}

    @cached_property
    def _table(self) -> tuple[tuple[str, ...], dict[str, tuple[Reals, Reals]]]:
        """The names of the signals, and of each video the times [n] and the signals [n, A]."""
        place = self.signals.expanduser()
        rows: dict[str, list[list[float]]] = {}
        try:
            with place.open(newline="", encoding="utf-8-sig") as file:
                reader = csv.DictReader(file)
                names = tuple(name for name in reader.fieldnames or () if name not in KEYS)
                if missing := [key for key in KEYS if key not in (reader.fieldnames or ())]:
                    raise DataError(f"{place}: no column {missing[0]}; its columns are video, time and the signals")
                if twice := [name for name in names if names.count(name) > 1]:
                    raise DataError(f"{place}: two columns are called {twice[0]}; give each a name of its own")
                if not names:
                    raise DataError(f"{place}: no motor signals; give each a column of its own beside video and time")
                for row in reader:
                    rows.setdefault(row["video"], []).append(_numbers(row, names, f"{place}, line {reader.line_num}"))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise DataError(f"{place}: cannot be read ({error})") from error
        return names, {name: _checked(np.array(own), f"{place}: {name}") for name, own in rows.items()}


def _shown(path: Path) -> Reals:
    """When each frame is shown, s from the start of the video."""
    return frame_times(path) - start_of(path)


def _numbers(row: dict[str, Any], names: Sequence[str], where: str) -> list[float]:
    """The time and the signals of a row."""
    found = []
    for name in ("time", *names):
        try:
            found.append(float(row[name]))
        except (TypeError, ValueError) as error:
            raise DataError(f"{where}: {name} is {row[name]!r}, not a number") from error
    if not np.isfinite(found).all():
        raise DataError(f"{where}: not a finite number; leave out the row")
    return found


def _checked(rows: Reals, where: str) -> tuple[Reals, Reals]:
    stuck = np.flatnonzero(np.diff(rows[:, 0]) <= 0)
    if len(stuck):
        raise DataError(f"{where}: time {rows[stuck[0] + 1, 0]:g} s comes after {rows[stuck[0], 0]:g} s; sort its rows")
    if len(rows) < 2:
        raise DataError(f"{where}: one row of signals; a motion takes two")
    return rows[:, 0], rows[:, 1:]
