"""LeRobot's data sets, versions 2 and 3: steps in Parquet files, the frames of each camera in videos or beside them."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.errors import DataError, unknown_name
from embodied_ssl.datasets.imports.decoding import decoded, frame_times
from embodied_ssl.datasets.imports.hdf5 import image_of
from embodied_ssl.datasets.imports.source import Images, MotorIs, Reals, Recording, Source, Timeline, came_to, named

_EPISODES = "meta/episodes.jsonl"  # of version 2


@dataclass(frozen=True)
class LeRobot(Source):
    """A data set of LeRobot, version 2 or 3: the folder that holds `meta/info.json`."""

    camera: str = ""
    """which images, such as `observation.images.front`; none: the first"""
    motor: str = "action"
    """what is taken for the motor signals, such as `observation.state`"""
    motor_is: MotorIs = "position"
    """what a number is: a position, as most robots of LeRobot are told one, a motion from its frame to the next, or a
    rate per second"""

    name: ClassVar[str] = "lerobot"
    example: ClassVar[str] = "pusht --camera observation.image --motor observation.state --out data/pusht"

    @cached_property
    def files(self) -> Sequence[Path]:
        root = self.the_one()
        episodes = [root / _EPISODES] if self._is_old else _sorted(root, "meta/episodes")
        return [root / "meta/info.json", *episodes, *_sorted(root, "data"), *self._videos]

    @cached_property
    def signal_names(self) -> tuple[str, ...]:
        feature = self._feature(self.motor, "motor")
        names = feature.get("names") or []
        if isinstance(names, dict):  # by part of the robot
            names = [name for part in names.values() for name in part]
        count = int(np.prod(feature["shape"]))
        return named(names if len(names) == count else [], count, f"{self._info_path}: {self.motor}")

    @cached_property
    def recordings(self) -> Sequence[Recording]:
        _ = self.signal_names  # which may not be there
        return [
            Recording(f"{self.the_one()}: episode {each['episode_index']}", each["length"], _task(each))
            for each in self._episodes
        ]

    def timeline(self, number: int) -> Timeline:
        episode = self._episodes[number]
        columns = _columns(self._data_of(episode), ("timestamp", self.motor))
        time, values = (columns[name][self._rows(episode)] for name in ("timestamp", self.motor))
        time = time[:, 0] - time[0, 0]
        return Timeline(time, came_to(values, self.motor_is, time, self.signal_names))

    def images(self, number: int, rows: NDArray[np.int64]) -> Images:
        episode = self._episodes[number]
        if self._feature(self._camera, "camera")["dtype"] == "image":
            return self._stored(episode, rows)
        path = self._video_of(episode)
        shown = frame_times(path)
        start = float(episode.get(f"videos/{self._camera}/from_timestamp", 0))
        wanted = start + self.timeline(number).time[rows]
        nearest = np.clip(np.searchsorted(shown, wanted - 0.5 / self._info["fps"]), 0, len(shown) - 1)
        off = np.abs(shown[nearest] - wanted)
        if off.max() > 0.5 / self._info["fps"]:
            raise DataError(f"{path}: no frame at {wanted[off.argmax()]:.3f} s; is the video whole?")
        return decoded(path, nearest)

    def _stored(self, episode: dict[str, Any], rows: NDArray[np.int64]) -> Iterator[NDArray[np.uint8]]:
        """Images that lie encoded in the Parquet file."""
        import pyarrow.parquet as parquet

        path = self._data_of(episode)
        whole = np.flatnonzero(self._rows(episode))
        column = parquet.read_table(path, columns=[self._camera]).column(0)
        for row in whole[rows].tolist():
            yield image_of(column[row].as_py()["bytes"], f"{path}: {self._camera}")

    def _rows(self, episode: dict[str, Any]) -> NDArray[np.bool_]:
        """Which rows of its file are those of an episode."""
        number = _columns(self._data_of(episode), ("episode_index",))["episode_index"][:, 0]
        return number == episode["episode_index"]

    @property
    def _info_path(self) -> Path:
        return self.the_one() / "meta/info.json"

    @cached_property
    def _info(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(self._info_path.read_text())
            version = str(found["codebase_version"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{self._info_path}: not of a data set of LeRobot ({error}); is the path right?") from error
        if not version.startswith(("v2", "v3")):
            raise DataError(f"{self._info_path}: version {version}; known are v2 and v3: convert it with LeRobot")
        return found

    @property
    def _is_old(self) -> bool:
        """Whether it is of version 2, which has a file for each episode."""
        return str(self._info["codebase_version"]).startswith("v2")

    @cached_property
    def _camera(self) -> str:
        pictures = [name for name, each in self._info["features"].items() if each["dtype"] in ("video", "image")]
        if not pictures:
            raise DataError(f"{self._info_path}: no images among its features; only what a camera saw can be imported")
        if self.camera and self.camera not in pictures:
            raise unknown_name("camera", self.camera, pictures)
        return self.camera or pictures[0]

    def _feature(self, name: str, what: str) -> dict[str, Any]:
        features: dict[str, dict[str, Any]] = self._info["features"]
        if name not in features:
            raise unknown_name(what, name, features)
        return features[name]

    @cached_property
    def _episodes(self) -> list[dict[str, Any]]:
        """A row for each episode: its length, and where its data and its frames lie."""
        if self._is_old:
            return sorted(_lines(self.the_one() / _EPISODES), key=lambda row: int(row["episode_index"]))
        own = (f"videos/{self._camera}/{name}" for name in ("chunk_index", "file_index", "from_timestamp"))
        video = [*own] if self._feature(self._camera, "camera")["dtype"] != "image" else []
        wanted = ["episode_index", "length", "tasks", "data/chunk_index", "data/file_index", *video]
        found = [row for path in _sorted(self.the_one(), "meta/episodes") for row in _table(path, wanted).to_pylist()]
        return sorted(found, key=lambda row: int(row["episode_index"]))

    @property
    def _videos(self) -> list[Path]:
        if self._feature(self._camera, "camera")["dtype"] == "image":
            return []
        return sorted({self._video_of(episode) for episode in self._episodes})

    def _data_of(self, episode: dict[str, Any]) -> Path:
        return self._place("data_path", "data", episode)

    def _video_of(self, episode: dict[str, Any]) -> Path:
        return self._place("video_path", f"videos/{self._camera}", episode)

    def _place(self, template: str, what: str, episode: dict[str, Any]) -> Path:
        """The file with an episode: that of its number or, since version 3, one that it shares."""
        number = int(episode["episode_index"])
        shared = {name: episode.get(f"{what}/{name}", 0) for name in ("chunk_index", "file_index")}
        chunk = number // int(self._info.get("chunks_size", 1000))
        own = {"episode_index": number, "episode_chunk": chunk, "video_key": self._camera}
        path = self.the_one() / self._info[template].format(**shared, **own)
        if not path.exists():
            raise DataError(f"{path}: not there; fetch the data set again")
        return path


def _lines(path: Path) -> list[dict[str, Any]]:
    """The episodes of a data set of version 2. Raises DataError where they cannot be read."""
    try:
        found = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
        return [
            {"tasks": [], **each, "length": int(each["length"]), "episode_index": each["episode_index"]}
            for each in found
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: not the episodes of a data set ({error}); fetch the data set again") from error


def _sorted(root: Path, folder: str) -> list[Path]:
    found = sorted((root / folder).rglob("*.parquet"))
    if not found:
        raise DataError(f"{root / folder}: no Parquet files in it; fetch the data set again")
    return found


def _task(episode: dict[str, Any]) -> str:
    return next(iter(episode["tasks"] or []), "recorded")


def _table(path: Path, columns: Sequence[str]) -> Any:
    """Some columns of a Parquet file. Raises DataError where they are not there."""
    try:
        import pyarrow
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise DataError("import lerobot needs pyarrow: pip install 'embodied-ssl[lerobot]'") from error
    try:
        return parquet.read_table(path, columns=list(columns)).select(list(columns))
    except (OSError, KeyError, pyarrow.ArrowException) as error:
        raise DataError(f"{path}: no columns {', '.join(columns)} ({error}); fetch the data set again") from error


@lru_cache(maxsize=8)
def _columns(path: Path, names: tuple[str, ...]) -> dict[str, Reals]:
    """Columns of numbers, [rows, values in each]."""
    table = _table(path, names)
    return {name: np.array(table.column(name).to_pylist(), "f8").reshape(len(table), -1) for name in names}
