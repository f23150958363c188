"""Any HDF5 file: images and motor signals at paths in it."""

import re
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.errors import DataError, unknown_name
from embodied_ssl.datasets.imports.poses import CAMERA_SIGNALS, camera_travel
from embodied_ssl.datasets.imports.source import (
    Images,
    MotorIs,
    Recording,
    Source,
    Timeline,
    came_to,
    named,
    natural,
)
from embodied_ssl.limits import Positive, hold_fields

_BLOCK_BYTES = 32e6  # that are read at once: chunks are unpacked whole


@dataclass(frozen=True)
class Hdf5(Source):
    """Any HDF5 file: images and motor signals at paths in it; `*` in a path stands for the name of each episode."""

    frames: str = ""
    """path of the images: uint8 [n, H, W, 3], [n, 3, H, W] or [n, H, W], or n encoded ones (JPEG, PNG); with `*`, as
    in `data/*/obs/image`, each match is a recording"""
    motor: list[str] = field(default_factory=list)
    """paths of motor signals, [n, A], [n - 1, A] or [n] each, put side by side; none: they are made of the poses"""
    names: list[str] = field(default_factory=list)
    """a name for each of the A signals, with its unit, as in 'forward (m)'"""
    motor_is: MotorIs = "motion"
    """what a number is: a motion from its frame to the next (of n the last one is not used), a rate per second, or a
    position"""
    time: str = ""
    """path of the times of the frames, s, [n]"""
    rate: Positive | None = None
    """frames per second, where there are no times"""
    later: list[str] = field(default_factory=list)
    """two parts of paths, as in `/obs/ /next_obs/`: arrays with the first in their path end with the last row of that
    with the second, which holds the same one step later"""
    pose: str = ""
    """path of poses, [n, 4, 4], camera-to-world, OpenCV axes; a world with z up is drawn from above"""

    name: ClassVar[str] = "hdf5"
    example: ClassVar[str] = "drive.h5 --frames camera/rgb --motor odometry --rate 10 --out data/drive"

    def __post_init__(self) -> None:
        hold_fields(self)
        if not self.frames:
            raise DataError(f"import {self.name}: say where the images are, as in --frames camera/rgb")
        if not (self.motor or self.pose):
            raise DataError(f"import {self.name}: say where the motor signals are, as in --motor odometry, or --pose")
        if not self.time and self.rate is None:
            raise DataError(f"import {self.name}: say where the times are, as in --time time, or give --rate")
        if len(self.later) not in (0, 2):
            raise DataError(f"import {self.name}: --later takes two parts of paths, as in /obs/ /next_obs/")

    @cached_property
    def files(self) -> Sequence[Path]:
        found: list[Path] = []
        for source in map(Path.expanduser, self.sources):
            inside = source.is_dir()
            own = sorted(source.rglob("*.h*5"), key=lambda path: natural(str(path))) if inside else [source]
            if not own or not own[0].exists():
                raise DataError(f"{source}: {'no HDF5 files in it' if inside else 'not there'}; is the path right?")
            found += own
        return found

    @cached_property
    def recordings(self) -> Sequence[Recording]:
        return [self._recording(*place) for place in self._places]

    @cached_property
    def signal_names(self) -> tuple[str, ...]:
        if not self.motor:
            return CAMERA_SIGNALS
        path, episode = self._places[0]
        names = self.names or [name for place in self.motor for name in self._told_names(path, place, episode)]
        return named(names, self._motor(path, episode).shape[1], f"{path}: {', '.join(self.motor)}")

    def timeline(self, number: int) -> Timeline:
        path, episode = self._places[number]
        count = self._shape(path, episode)[0]
        time = np.arange(count) / (self.rate or 1.0)
        if self.time:
            time = np.asarray(self._dataset(path, self.time, episode)[()], "f8").reshape(-1)
        pose = np.asarray(self._dataset(path, self.pose, episode)[()], "f8") if self.pose else None
        if pose is not None and pose.shape != (count, 4, 4):
            raise DataError(f"{self._where(path, self.pose, episode)}: {pose.shape}, and poses are ({count}, 4, 4)")
        if not self.motor:
            assert pose is not None, "looked at when it was made"
            return Timeline(time, camera_travel(pose), pose)
        values = self._motor(path, episode)
        if len(values) not in ((count,) if self.motor_is == "position" else (count, count - 1)):
            where = self._where(path, self.motor[0], episode)
            raise DataError(f"{where}: {len(values)} rows for {count} frames; give as many, or one less of motions")
        if len(time) != count:
            raise DataError(f"{self._where(path, self.time, episode)}: {len(time)} times for {count} frames")
        return Timeline(time, came_to(values, self.motor_is, time, self.signal_names), pose)

    def images(self, number: int, rows: NDArray[np.int64]) -> Images:
        path, episode = self._places[number]
        dataset, where = self._dataset(path, self.frames, episode), self._where(path, self.frames, episode)
        for first, block in _blocks(dataset, rows):
            try:
                values = dataset[first : int(block[-1]) + 1]
            except OSError as error:
                raise DataError(f"{where}: rows from {first} cannot be read ({error}); is the file whole?") from error
            for row in block - first:
                yield image_of(values[row], where)

    @cached_property
    def _places(self) -> list[tuple[Path, str]]:
        """Every file, with what `*` stands for in it."""
        found = [(path, episode) for path in self.files for episode in self._matches(path)]
        for path, episode in found:
            self._shape(path, episode)
        return found

    def _matches(self, path: Path) -> list[str]:
        """What `*` stands for in a file, in order; one nothing where there is none."""
        if "*" not in self.frames:
            return [""]
        group = self.frames.partition("*")[0].rpartition("/")[0]
        component = self.frames[len(group) :].lstrip("/").partition("/")[0]
        pattern = re.compile(re.escape(component).replace(r"\*", "(.+)"))
        file = self._file(path)
        names = file.get(group, {}) if group else file
        found = [match[1] for name in names if (match := pattern.fullmatch(name))]
        if not found:
            raise DataError(f"{path}: nothing in it matches {self.frames}; it has {', '.join(file)}")
        return sorted(found, key=natural)

    def _recording(self, path: Path, episode: str) -> Recording:
        name = self._where(path, self.frames, episode)
        return Recording(name, self._shape(path, episode)[0], self._scene(path, episode))

    def _scene(self, path: Path, episode: str) -> str:
        return path.stem

    def _shape(self, path: Path, episode: str) -> tuple[int, ...]:
        """Of the images. Raises DataError where they are none."""
        dataset = self._dataset(path, self.frames, episode)
        if not is_images(dataset):
            raise DataError(
                f"{self._where(path, self.frames, episode)}: {dataset.dtype} {dataset.shape} is not images; they are "
                "uint8 [n, H, W, 3], [n, 3, H, W] or [n, H, W], or encoded ones"
            )
        if dataset.shape[0] == 0:
            raise DataError(f"{self._where(path, self.frames, episode)}: no frames; leave out the recording")
        return tuple(dataset.shape)

    def _motor(self, path: Path, episode: str) -> NDArray[np.float64]:
        columns = []
        for place in self.motor:
            dataset = self._dataset(path, place, episode)
            if dataset.dtype.kind not in "biuf" or dataset.ndim == 0:
                where = self._where(path, place, episode)
                raise DataError(f"{where}: {dataset.dtype} {dataset.shape} is not numbers [n, A]")
            columns.append(np.asarray(dataset[()], "f8").reshape(len(dataset), -1))
        if len({len(each) for each in columns}) > 1:
            lengths = ", ".join(str(len(each)) for each in columns)
            raise DataError(f"{self._where(path, self.motor[0], episode)}: {lengths} rows; give as many of each")
        return np.concatenate(columns, axis=1)

    def _told_names(self, path: Path, place: str, episode: str) -> list[str]:
        """The names of signals that stand in the file, as exports of ours have them."""
        names = getattr(self._dataset(path, place, episode), "attrs", {}).get("names", "")
        return names.split(", ") if isinstance(names, str) and names else []

    def _dataset(self, path: Path, place: str, episode: str) -> Any:
        """What lies at a path in a file. Raises DataError, with what is there, where it is no array."""
        import h5py

        file, inside = self._file(path), place.replace("*", episode)
        found = file.get(inside)
        if isinstance(found, h5py.Dataset):
            return self._with_last(file, inside, found)
        names: list[str] = []
        file.visititems(lambda name, each: names.append(name) if isinstance(each, h5py.Dataset) else None)
        raise unknown_name(f"array of {path}", inside, names)

    def _with_last(self, file: Any, inside: str, found: Any) -> Any:
        """An array, with its last row from where the same lies one step later."""
        if not self.later or self.later[0] not in inside:
            return found
        here, there = self.later
        place = inside.replace(here, there)
        other = file.get(place)
        if other is None or other.shape != found.shape:
            raise DataError(f"{file.filename}: {place}: not there, or not as large as {inside}")
        return Followed(found, other)

    def _file(self, path: Path) -> Any:
        opened: dict[Path, Any] = self.__dict__.setdefault("_opened", {})
        if path not in opened:
            while opened:  # one at a time: there may be thousands
                opened.popitem()[1].close()
            opened[path] = open_hdf5(path)
        return opened[path]

    def _where(self, path: Path, place: str, episode: str) -> str:
        return f"{path}: {place.replace('*', episode)}"


class Followed:
    """An array of HDF5, and after it the last row of another."""

    def __init__(self, first: Any, other: Any):
        self._first, self._other = first, other
        self.shape = (len(first) + 1, *first.shape[1:])
        self.dtype, self.ndim, self.chunks = first.dtype, first.ndim, first.chunks

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, rows: Any) -> NDArray[Any]:
        """Rows of a slice, or all of them with `()`."""
        first, end, _ = slice(None).indices(len(self)) if rows == () else rows.indices(len(self))
        before = self._first[first : min(end, len(self) - 1)]
        return before if end < len(self) else np.concatenate([before, self._other[-1:]])


class Layout(Source):
    """A format that is files of another one, of a known layout."""

    @property
    @abstractmethod
    def inside(self) -> Source:
        """The same files by their paths inside."""

    @property
    def scene(self) -> str:
        """What all recordings are labelled by."""
        return "recorded"

    @property
    def files(self) -> Sequence[Path]:
        return self.inside.files

    @property
    def recordings(self) -> Sequence[Recording]:
        return [replace(each, scene=self.scene) for each in self.inside.recordings]

    @property
    def signal_names(self) -> tuple[str, ...]:
        return self.inside.signal_names

    def timeline(self, number: int) -> Timeline:
        return self.inside.timeline(number)

    def images(self, number: int, rows: NDArray[np.int64]) -> Images:
        return self.inside.images(number, rows)


def open_hdf5(path: Path) -> Any:
    """An HDF5 file, to read. Raises DataError where it is none."""
    import h5py
    import hdf5plugin  # noqa: F401  (registers the codecs)

    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise DataError(f"{path}: HDF5 cannot open it ({error}); is it an HDF5 file, and whole?") from error


def is_images(dataset: Any) -> bool:
    """Whether an array of HDF5 holds images, as they are or encoded."""
    if dataset.ndim == 4:
        return dataset.dtype == np.uint8 and (dataset.shape[3] in (1, 3, 4) or dataset.shape[1] in (1, 3))
    if dataset.ndim in (2, 3):
        return bool(dataset.dtype == np.uint8)
    return dataset.ndim == 1 and dataset.dtype.kind in "OSV"


def image_of(value: Any, where: str) -> NDArray[np.uint8]:
    """A row of images as uint8 [H, W, 3]. Raises DataError where it is encoded and cannot be decoded."""
    if isinstance(value, bytes | np.void) or value.ndim == 1:
        data = np.frombuffer(bytes(value), np.uint8) if not isinstance(value, np.ndarray) else value
        image = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
        if image is None:
            raise DataError(f"{where}: an image cannot be decoded; are they JPEG or PNG?")
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)  # type: ignore[return-value]
    if value.ndim == 2:
        value = value[..., None]
    if value.shape[2] not in (1, 3, 4):
        value = np.moveaxis(value, 0, 2)
    if value.shape[2] == 1:
        value = np.repeat(value, 3, axis=2)
    return np.ascontiguousarray(value[..., :3])


def _blocks(dataset: Any, rows: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Rows in blocks of whole chunks, about as large as is read at once: the first row of each, and those wanted."""
    chunk = dataset.chunks[0] if dataset.chunks else 1
    row_bytes = max(1, int(np.prod(dataset.shape[1:])) * dataset.dtype.itemsize)
    count = max(chunk, int(_BLOCK_BYTES // row_bytes) // chunk * chunk)
    for block in np.split(rows, np.flatnonzero(np.diff(rows // count)) + 1):
        yield int(block[0]), block
