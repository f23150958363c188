"""What a format gives: recordings, each with its frames, their times, and what the motor signals came to."""

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.errors import DataError

Reals = NDArray[np.float64]
Images = Iterator[NDArray[np.uint8]]

MotorIs = Literal["motion", "rate", "position"]
"""What the number of a motor signal is: a motion from its frame to the next, one per second, or a position."""

_TURNS = {"(rad)": 2 * np.pi, "(deg)": 360.0}
_WHOLE = (".csv", ".json", ".jsonl", ".txt")  # small files that say much: all of their content counts
_ENDS_BYTES = 4096  # of other files, at either end


@dataclass(frozen=True)
class Recording:
    """Frames that follow each other without a break."""

    name: str
    """For messages."""
    frames: int
    scene: str = "recorded"
    """Where it was, or what was done; what images can be labelled by."""


@dataclass(frozen=True)
class Timeline:
    """What goes with each of the frames of a recording."""

    time: Reals  # [n] s
    travelled: Reals  # [n, A]: what each motor signal has come to since some start
    pose: Reals | None = None  # [n, 4, 4]: camera-to-world, OpenCV axes

    def check(self, name: str) -> None:
        """Raise DataError where times do not run on, or numbers are none."""
        stuck = np.flatnonzero(~(np.diff(self.time) > 0))
        if len(stuck):
            at = stuck[0]
            raise DataError(
                f"{name}: time of frame {at + 1} ({self.time[at + 1]:g} s) is not later than that of frame {at} "
                f"({self.time[at]:g} s); sort the frames, or leave out those that come twice"
            )
        for what, values in (("motor signals", self.travelled), ("poses", self.pose)):
            if values is not None and not np.isfinite(values).all():
                at = int(np.argmin(np.isfinite(values).reshape(len(values), -1).all(1)))
                raise DataError(f"{name}: {what} of frame {at} are no finite numbers; mend or leave out the recording")
        if self.pose is not None:
            turn = self.pose[:, :3, :3]
            off = np.abs(turn @ turn.transpose(0, 2, 1) - np.eye(3)).max(axis=(1, 2)) > 1e-3
            if (off | (np.linalg.det(turn) < 0)).any():
                raise DataError(
                    f"{name}: pose of frame {int(np.argmax(off))} is not a rotation and a place; "
                    "poses are 4 × 4 matrices from the camera to the world"
                )


@dataclass(frozen=True)
class Source(ABC):
    """Files of a format, opened: what can be imported from them.

    A format is a dataclass, whose fields are its settings on the command line. It is pickled to each process that
    reads, and must then open its files anew.
    """

    sources: list[Path]
    """files or folders to import"""

    name: ClassVar[str]
    """Of the format, on the command line."""
    example: ClassVar[str]
    """The rest of a command that imports."""

    def __getstate__(self) -> dict[str, Any]:
        """The settings alone: what is open or was looked up stays with its process."""
        settings = {each.name for each in fields(self)}  # type: ignore[arg-type]
        return {name: value for name, value in self.__dict__.items() if name in settings}

    @property
    @abstractmethod
    def recordings(self) -> Sequence[Recording]:
        """What there is, in an order that depends on the files alone. Raises DataError for files that do not fit."""

    @property
    @abstractmethod
    def signal_names(self) -> tuple[str, ...]:
        """The names of the A motor signals, with their units, such as `forward (m)`."""

    @abstractmethod
    def timeline(self, number: int) -> Timeline:
        """Times, signals and poses of all frames of recording `number`. Raises DataError."""

    @abstractmethod
    def images(self, number: int, rows: NDArray[np.int64]) -> Images:
        """The frames of recording `number` at these rows, which ascend: uint8 [H, W, 3] each. Raises DataError."""

    @property
    @abstractmethod
    def files(self) -> Sequence[Path]:
        """Every file that the data are made of."""

    @property
    def notes(self) -> Sequence[str]:
        """What was left out or changed on the way, in words."""
        return ()

    @property
    def intrinsics(self) -> Reals | None:
        """The pinhole matrix of the frames as they are, [3, 3], where it is known and the same for all."""
        return None

    def settings(self) -> dict[str, Any]:
        """Its settings by name, as plain values, but for where the files lie."""
        values = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "sources"}
        return {name: _plain(value) for name, value in values.items()}

    def digest(self) -> str:
        """Of names, sizes and parts of the content of its files: whether they are the same as before."""
        digest = hashlib.sha256()
        for path in self.files:
            digest.update(f"{path.name}\0{path.stat().st_size}\0".encode(errors="surrogateescape"))
            with path.open("rb") as file:
                if path.suffix in _WHOLE:
                    digest.update(file.read())
                    continue
                digest.update(file.read(_ENDS_BYTES))
                file.seek(-min(_ENDS_BYTES, path.stat().st_size), 2)
                digest.update(file.read())
        return digest.hexdigest()

    def the_one(self) -> Path:
        """The file or folder given, of a format that takes one. Raises DataError for several, and for none there."""
        if len(self.sources) != 1:
            raise DataError(f"import {self.name}: takes one file or folder, not {len(self.sources)}")
        path = self.sources[0].expanduser()
        if not path.exists():
            raise DataError(f"{path}: not there; is the path right?")
        return path


def came_to(values: Reals, motor_is: MotorIs, time: Reals, signals: Sequence[str]) -> Reals:
    """What signals [n, A] had come to at each of their times [n], [n, A].

    A motion is from its row to the next, a rate holds until the next row, positions are as they are. Positions in rad
    or deg, by the units in their names, are unwrapped: a turn of more than half a circle between rows is none.
    """
    if motor_is == "position":
        whole = values.astype("f8")
        for column, name in enumerate(signals):
            if turn := next((turn for unit, turn in _TURNS.items() if name.endswith(unit)), 0.0):
                whole[:, column] = np.unwrap(whole[:, column], period=turn)
        return whole
    steps = values[: len(time) - 1].astype("f8")
    if motor_is == "rate":
        steps = steps * np.diff(time)[:, None]
    return np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(steps, axis=0)])


def named(signals: Sequence[str], count: int, where: str) -> tuple[str, ...]:
    """Names of `count` motor signals: those given, or numbers. Raises DataError where they are not as many."""
    if not signals:
        return tuple(f"motor {number}" for number in range(count))
    if len(signals) != count or len(set(signals)) != count:
        raise DataError(f"{where}: {count} motor signals and {len(set(signals))} different names; give one for each")
    return tuple(signals)


def shortened(name: str, width: int = 32) -> str:
    """A name in at most `width` bytes; of a longer one the end is a digest, so that different ones stay different."""
    raw = name.encode()
    if len(raw) <= width:
        return name
    return f"{raw[: width - 6].decode(errors='ignore')}…{hashlib.sha256(raw).hexdigest()[:3]}"


def natural(name: str) -> list[tuple[int, int, str]]:
    """To sort by: demo_10 comes after demo_9."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", name)]


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return value.name
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value
