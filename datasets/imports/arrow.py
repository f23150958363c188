"""Episodes in Arrow or Parquet, a folder for each, as Minari has them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.errors import DataError, unknown_name
from embodied_ssl.datasets.imports.hdf5 import image_of
from embodied_ssl.datasets.imports.source import (
    Images,
    MotorIs,
    Reals,
    Recording,
    Source,
    Timeline,
    came_to,
    named,
    natural,
)

_BLOCK_ROWS = 64  # of images, that are decoded from columns at once


@dataclass(frozen=True)
class ArrowEpisodes(Source):
    """A folder of numbered folders, each with the table of an episode; actions have one row more than there are."""

    format: str = "arrow"
    """`arrow` or `parquet`"""
    frames: str = ""
    """which column holds the images, with its parents: `observations/pixels`"""
    motor: str = "actions"
    """which column is taken for the motor signals"""
    motor_is: MotorIs = "motion"
    """what a number is"""
    rate: float | None = None
    """steps per second"""
    shape: list[int] = field(default_factory=list)
    """of an image that is not encoded"""

    name: ClassVar[str] = "arrow"
    example: ClassVar[str] = ""

    @cached_property
    def files(self) -> Sequence[Path]:
        folder = self.the_one()
        return sorted(folder.glob(f"*/*.{self.format}"), key=lambda path: natural(str(path.relative_to(folder))))

    @cached_property
    def recordings(self) -> Sequence[Recording]:
        return [Recording(str(path), _rows(path, self.format)) for path in self.files]

    @cached_property
    def signal_names(self) -> tuple[str, ...]:
        return named([], self._motor(0).shape[1], f"{self.files[0]}: {self.motor}")

    def timeline(self, number: int) -> Timeline:
        time = np.arange(self.recordings[number].frames) / (self.rate or 1.0)
        return Timeline(time, came_to(self._motor(number), self.motor_is, time, self.signal_names))

    def images(self, number: int, rows: NDArray[np.int64]) -> Images:
        path = self.files[number]
        column, where = self._column(path, self.frames), f"{path}: {self.frames}"
        return self._decoded(column, rows, where)

    def _decoded(self, column: Any, rows: NDArray[np.int64], where: str) -> Iterator[NDArray[np.uint8]]:
        encoded = "binary" in str(column.type)
        for first in range(0, len(rows), _BLOCK_ROWS):
            for value in column.take(rows[first : first + _BLOCK_ROWS]).to_pylist():
                yield image_of(value if encoded else np.array(value, np.uint8).reshape(self.shape), where)

    def _motor(self, number: int) -> Reals:
        path = self.files[number]
        column = self._column(path, self.motor)
        try:
            return np.array(column.to_pylist(), "f8").reshape(len(column), -1)
        except (TypeError, ValueError) as error:
            raise DataError(f"{path}: {self.motor} is not numbers [n, A] ({error})") from error

    def _column(self, path: Path, place: str) -> Any:
        """A column, or one within it. Raises DataError where there is none."""
        table = _table(path, self.format)
        first, *inner = place.split("/")
        known = table.column_names
        if first in known:
            found = table.column(first).combine_chunks()
            for name in inner:
                known = [each.name for each in found.type] if str(found.type).startswith("struct") else []
                if name not in known:
                    break
                found = found.field(name)
            else:
                return found
        raise unknown_name(f"column of {path}", place, known)


@lru_cache(maxsize=2)
def _table(path: Path, format: str) -> Any:
    return _dataset(path, format).to_table()


def _rows(path: Path, format: str) -> int:
    return int(_dataset(path, format).count_rows())


def _dataset(path: Path, format: str) -> Any:
    """A file of pyarrow. Raises DataError where it is none, or pyarrow is not there."""
    try:
        import pyarrow
        import pyarrow.dataset as arrow
    except ImportError as error:
        raise DataError(f"{path}: takes pyarrow: pip install 'embodied-ssl[lerobot]'") from error
    try:
        return arrow.dataset(path, format=format)
    except (OSError, pyarrow.ArrowException) as error:
        raise DataError(f"{path}: cannot be read as {format} ({error}); is it whole?") from error
