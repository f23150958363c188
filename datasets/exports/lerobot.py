"""LeRobot, version 3: steps in Parquet files, the images of each camera in videos, and what is in them in `meta`."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.exports.episodes import Series
from embodied_ssl.datasets.exports.films import film, pixel_format
from embodied_ssl.datasets.exports.statistics import of_all, of_images, of_numbers
from embodied_ssl.datasets.exports.target import Part, Target, grouped
from embodied_ssl.datasets.exports.virtual import flat

VERSION = "v3.0"
STATE = ("joint_position", "tip_pose", "width")
"""What `observation.state` is made of, where it is known."""
_DATA_BYTES = 1e8  # of numbers, in a Parquet file
_VIDEO_BYTES = 4e9  # of pixels, in a video: compressed they are a hundredth
_FILES_OF_CHUNK = 1000
_PLACE = "chunk-{chunk_index:03d}/file-{file_index:03d}"
_DATA, _VIDEO = f"data/{_PLACE}.parquet", f"videos/{{video_key}}/{_PLACE}.mp4"
_INDICES = ("frame_index", "episode_index", "index", "task_index")

Columns = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class LeRobot(Target):
    """A data set of LeRobot, version 3. Depth, masks and flow are left out, for which it has no place.

    Times are multiples of 1 / rate; the measured ones are `observation.time`. Where a video ends, its action is 0.
    """

    lossless: bool = False
    """videos that keep every value of every pixel, several times larger"""
    task: str | None = None
    """what is done, in words; None: the kind, and the object or the scene"""

    name: ClassVar[str] = "lerobot"
    needs: ClassVar[tuple[str, str] | None] = ("pyarrow", "lerobot")
    libraries: ClassVar[tuple[str, ...]] = ("numpy", "pyarrow", "av")

    def parts(self) -> Sequence[Part]:
        lengths = self.episodes.length
        steps = [int(lengths[group.start : group.stop].sum()) for group in self._data_groups]
        data = [
            Part(_DATA.format(**_indices(number)), partial(self._write_data, group), count)
            for number, (group, count) in enumerate(zip(self._data_groups, steps, strict=True))
        ]
        videos = [
            Part(
                _VIDEO.format(video_key=_key(camera), **_indices(number)), partial(self._write_video, camera, group),
                int(lengths[group.start : group.stop].sum()),
            )
            for camera in self.episodes.cameras for number, group in enumerate(self._video_groups(camera))
        ]  # fmt: skip
        return [
            *data,
            *videos,
            Part(f"meta/episodes/{_PLACE.format(**_indices(0))}.parquet", self._write_episodes),
            Part("meta/tasks.parquet", self._write_tasks),
            Part("meta/stats.json", self._write_statistics),
            Part("meta/info.json", self._write_info),
        ]

    @property
    def notes(self) -> Sequence[str]:
        left_out = sorted({each.what for each in self.episodes.all_series.values() if each.is_map} - {"image"})
        return [f"left out: {', '.join(left_out)}, for which LeRobot has no place"] if left_out else []

    def columns(self, episode: int) -> Columns:
        """The numbers of each step of an episode but for those that say which it is, [T] or [T, D], by feature."""
        episodes = self.episodes
        found: Columns = {}
        for name, series in episodes.observations.items():
            if not series.is_map:
                found[_observed(name)] = flat(episodes.read(name, episode))
        if state := [name for name in STATE if name in episodes.observations]:
            found["observation.state"] = np.concatenate([found[f"observation.{name}"] for name in state], axis=1)
        for key, series in {"action": episodes.action, **episodes.transitions}.items():
            if not series.is_map:
                values = flat(episodes.read(series.name, episode))
                found[key] = np.where(np.isnan(values), values.dtype.type(0), values) if series.leads_on else values
        over = np.arange(episodes.length[episode]) >= episodes.length[episode] - 2  # nothing comes after the next step
        rewards = np.append(episodes.reward(episode)[1:], np.float32(0))
        found |= {"next.reward": rewards[:, None], "next.done": over[:, None]}
        if (success := episodes.about(episode).get("success")) is not None:
            found["next.success"] = (over & success)[:, None]
        return found

    @cached_property
    def features(self) -> dict[str, dict[str, Any]]:
        """Dtype, shape and names of every feature, as `info.json` has them."""
        found: dict[str, dict[str, Any]] = {}
        for camera, series in self.episodes.cameras.items():
            height, width = series.shape[:2]
            found[_key(camera)] = {
                "dtype": "video", "shape": list(series.shape), "names": ["height", "width", "channels"],
                "info": {
                    "video.height": height, "video.width": width, "video.channels": 3, "video.codec": "h264",
                    "video.pix_fmt": pixel_format(height, width, self.lossless), "video.fps": self._rate,
                    "video.is_depth_map": False, "has_audio": False,
                },
            }  # fmt: skip
        for key, values in self.columns(0).items():
            found[key] = {"dtype": str(values.dtype), "shape": [values.shape[1]], "names": self._names(key)}
        found["timestamp"] = {"dtype": "float32", "shape": [1], "names": None}
        return found | {key: {"dtype": "int64", "shape": [1], "names": None} for key in _INDICES}

    @cached_property
    def tasks(self) -> list[str]:
        """What is done in each episode, in words."""
        return [self.task or self.episodes.task(number) for number in range(len(self.episodes))]

    @cached_property
    def task_names(self) -> list[str]:
        """Every task, once, in the order of the episodes."""
        return list(dict.fromkeys(self.tasks))

    @property
    def _rate(self) -> float | int:
        rate = self.episodes.rate
        return int(rate) if rate.is_integer() else rate

    @cached_property
    def _data_groups(self) -> list[range]:
        step = sum(values[:1].nbytes for values in self.columns(0).values())
        return grouped((self.episodes.length * step).tolist(), _DATA_BYTES)

    def _video_groups(self, camera: str) -> list[range]:
        frame = int(np.prod(self.episodes.cameras[camera].shape))
        return grouped((self.episodes.length * frame).tolist(), _VIDEO_BYTES)

    def _names(self, key: str) -> list[str] | None:
        series: dict[str, Series] = self.episodes.all_series
        if key == "observation.state":
            return [name for part in STATE if part in series for name in series[part].names or [part]]
        own = {_observed(name): each for name, each in series.items()}
        found = self.episodes.action if key == "action" else own.get(key, series.get(key))
        return list(found.names) or None if found else None

    def _write_data(self, group: range, path: Path) -> None:
        """The steps of some episodes, as a Parquet file."""
        import pyarrow
        import pyarrow.parquet as parquet

        parts = [{**self.columns(number), **self._which(number)} for number in group]
        table = pyarrow.table({key: _column(np.concatenate([each[key] for each in parts])) for key in parts[0]})
        parquet.write_table(table, path)

    def _which(self, episode: int) -> Columns:
        """Which step each of an episode is."""
        count, first = int(self.episodes.length[episode]), int(self._first[episode])
        number = np.arange(count)
        task = self.task_names.index(self.tasks[episode])
        return {
            "timestamp": (number / self._rate).astype("f4"), "frame_index": number,
            "episode_index": np.full(count, episode), "index": first + number, "task_index": np.full(count, task),
        }  # fmt: skip

    @cached_property
    def _first(self) -> NDArray[np.int64]:
        """The number of the first step of each episode."""
        return np.cumsum(self.episodes.length) - self.episodes.length

    def _write_video(self, camera: str, group: range, path: Path) -> None:
        series = self.episodes.cameras[camera]
        images = (image for number in group for image in self.episodes.read(series.name, number))
        film(path, images, self._rate, series.shape[0], series.shape[1], self.lossless)

    def _write_episodes(self, path: Path) -> None:
        """A row for each episode: where its steps and frames lie, and the statistics of both."""
        import pyarrow
        import pyarrow.parquet as parquet

        lengths, number = self.episodes.length, np.arange(len(self.episodes))
        rows: dict[str, Any] = {
            "episode_index": number,
            "tasks": [[task] for task in self.tasks],
            "length": lengths,
            "dataset_from_index": self._first,
            "dataset_to_index": self._first + lengths,
            **_places("data", self._data_groups),
        }
        for camera in self.episodes.cameras:
            key, groups = f"videos/{_key(camera)}", self._video_groups(camera)
            begin = np.concatenate(
                [self._first[group.start : group.stop] - self._first[group.start] for group in groups]
            )
            rows |= _places(key, groups)
            rows[f"{key}/from_timestamp"], rows[f"{key}/to_timestamp"] = (
                begin / self._rate,
                (begin + lengths) / self._rate,
            )
        rows |= _places("meta/episodes", [range(len(self.episodes))])
        for key in self._statistics[0]:
            for what in self._statistics[0][key]:
                rows[f"stats/{key}/{what}"] = [each[key][what].tolist() for each in self._statistics]
        parquet.write_table(pyarrow.table(rows), path)

    @cached_property
    def _statistics(self) -> list[dict[str, dict[str, NDArray[Any]]]]:
        """Of each feature of each episode."""
        return [self._statistics_of(number) for number in range(len(self.episodes))]

    def _statistics_of(self, episode: int) -> dict[str, dict[str, NDArray[Any]]]:
        values = {**self.columns(episode), **self._which(episode)}
        images = {
            _key(camera): of_images(self.episodes.dataset.array(series.field.path), self.episodes.rows(episode))
            for camera, series in self.episodes.cameras.items()
        }
        return images | {key: of_numbers(flat(each)) for key, each in values.items()}

    def _write_statistics(self, path: Path) -> None:
        found = {key: of_all([each[key] for each in self._statistics]) for key in self._statistics[0]}
        told = {key: {what: values.tolist() for what, values in each.items()} for key, each in found.items()}
        path.write_text(json.dumps(told, indent=4), encoding="utf-8")

    def _write_tasks(self, path: Path) -> None:
        """The tasks; their names are the index of a data frame, as pandas tells it in the file."""
        import pyarrow
        import pyarrow.parquet as parquet

        index = {"name": "task", "field_name": "__index_level_0__", "pandas_type": "unicode", "numpy_type": "object"}
        column = {"name": "task_index", "field_name": "task_index", "pandas_type": "int64", "numpy_type": "int64"}
        told = {
            "index_columns": ["__index_level_0__"], "column_indexes": [],
            "columns": [{**each, "metadata": None} for each in (column, index)],
        }  # fmt: skip
        table = pyarrow.table({"task_index": np.arange(len(self.task_names)), "__index_level_0__": self.task_names})
        parquet.write_table(table.replace_schema_metadata({"pandas": json.dumps(told)}), path)

    def _write_info(self, path: Path) -> None:
        dataset = self.episodes.dataset
        content = {
            "codebase_version": VERSION,
            "robot_type": dataset.spec.get("env", {}).get("body") or dataset.kind,
            "total_episodes": len(self.episodes),
            "total_frames": int(self.episodes.length.sum()),
            "total_tasks": len(self.task_names),
            "chunks_size": _FILES_OF_CHUNK,
            "data_files_size_in_mb": int(_DATA_BYTES / 1e6),
            "video_files_size_in_mb": int(_VIDEO_BYTES / 2e7),
            "fps": self._rate,
            "splits": {"train": f"0:{len(self.episodes)}"},
            "data_path": _DATA,
            "video_path": _VIDEO,
            "features": self.features,
        }
        path.write_text(json.dumps(content, indent=4), encoding="utf-8")


def _observed(name: str) -> str:
    """What LeRobot calls an observation; the state of an environment, which no robot sees, has a name of its own."""
    return "observation.environment_state" if name == "observation" else f"observation.{name}"


def _key(camera: str) -> str:
    return f"observation.images.{camera}"


def _indices(number: int) -> dict[str, int]:
    return {"chunk_index": number // _FILES_OF_CHUNK, "file_index": number % _FILES_OF_CHUNK}


def _places(what: str, groups: Sequence[range]) -> dict[str, NDArray[np.int64]]:
    """In which file each episode is."""
    number = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    return {f"{what}/chunk_index": number // _FILES_OF_CHUNK, f"{what}/file_index": number % _FILES_OF_CHUNK}


def _column(values: NDArray[Any]) -> Any:
    """As Parquet has it: numbers, or lists of a fixed length."""
    import pyarrow

    if values.ndim == 1 or values.shape[1] == 1:
        return pyarrow.array(values.reshape(-1))
    return pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(values.reshape(-1)), values.shape[1])
