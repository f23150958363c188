"""A data set as other formats see it: episodes of steps, each with observations and an action."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.datasets.read.tables import Table, text
from embodied_ssl.datasets.schema import Field

What = Literal["image", "depth", "instance", "flow", "pose", ""]

OWN_CAMERA = "camera"
"""What the one camera of a video is called, which has no name."""
_OF_CAMERA: dict[str, What] = {
    "frames/rgb": "image", "frames/depth": "depth", "frames/instance": "instance", "frames/flow": "flow",
    "frames/pose": "pose",
}  # fmt: skip
_OF_CAMERAS: dict[str, What] = {
    "steps/images": "image", "steps/depth": "depth", "steps/instance": "instance", "steps/extrinsics": "pose",
}  # fmt: skip
_ACTIONS = ("steps/control", "steps/action", "frames/command", "frames/motor")
_TARGET = "steps/action"  # of closed-loop control: what the gripper is told, since the action is another
_GOAL = "interactions/goal"  # of a whole episode


@dataclass(frozen=True)
class Series:
    """A value for each step of an episode."""

    field: Field
    shape: tuple[int, ...]
    """Of one value."""
    names: tuple[str, ...]
    """Of its numbers, with units where they are known."""
    camera: str = ""
    """Whose it is, if a camera's."""
    what: What = ""
    """Of a camera: what it is."""
    own_name: str = ""
    """If it is called otherwise than its field."""

    @property
    def name(self) -> str:
        """`wrist_image`, `tip_pose`."""
        return f"{self.camera}_{self.what}" if self.camera else self.own_name or self.field.name

    @property
    def is_image(self) -> bool:
        """Whether it is an image in colour."""
        return self.what == "image"

    @property
    def is_map(self) -> bool:
        """Whether it has a value for each pixel."""
        return self.field.image

    @property
    def leads_on(self) -> bool:
        """Whether it tells of the way from a step to the next, so that the last one of an episode has none."""
        return self.field.nan.startswith("last row")

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of its numbers."""
        return np.dtype(self.field.dtype)


@dataclass(frozen=True)
class Episodes:
    """The episodes of a data set: frames of a video that go on without a break, or the steps of an interaction."""

    dataset: Dataset

    @classmethod
    def of(cls, directory: Path | str) -> "Episodes":
        """Those of the data set in a directory. Raises DataError for interactions without trajectories."""
        found = cls(Dataset.open(directory))
        if not found.is_video and "steps/time" not in found.dataset.fields:
            raise DataError(
                f"{found.dataset.path}: its {found.dataset.kind} interactions have no steps; collect them with "
                "--trajectory"
            )
        return found

    def __getstate__(self) -> dict[str, Any]:
        return {"dataset": self.dataset}

    def __len__(self) -> int:
        return len(self.length)

    @property
    def is_video(self) -> bool:
        """Whether steps are frames; else they are those of interactions."""
        return self.dataset.declaration.is_video

    @cached_property
    def start(self) -> NDArray[np.int64]:
        """The first row of each, among all steps, int64 [E]."""
        if self.is_video:
            return self.dataset.segments[0]
        return self.dataset.array("interactions/steps_start")[:]

    @cached_property
    def length(self) -> NDArray[np.int64]:
        """The steps of each, int64 [E]."""
        if self.is_video:
            return self.dataset.segments[1]
        return self.dataset.array("interactions/steps_length")[:]

    @cached_property
    def all_series(self) -> dict[str, Series]:
        """Everything that is known of each step, by name."""
        table = "frames" if self.is_video else "steps"
        found = [
            self._series(field) for field in self.dataset.fields.values()
            if (field.table == table and not field.refers_to) or field.path == _GOAL
        ]  # fmt: skip
        return {each.name: each for each in found}

    @cached_property
    def action(self) -> Series:
        """What the body is told: the command that was given or, of what others recorded, the motion measured."""
        path = next(path for path in _ACTIONS if path in self.dataset.fields)
        return next(each for each in self.all_series.values() if each.field.path == path)

    @property
    def observations(self) -> dict[str, Series]:
        """What is known at each step, but for rewards."""
        known = {name: each for name, each in self.all_series.items() if not self._is_of_the_way(each)}
        return {name: each for name, each in known.items() if name != "reward"}

    @property
    def transitions(self) -> dict[str, Series]:
        """What is known of the way from each step to the next, besides the action."""
        known = {name: each for name, each in self.all_series.items() if self._is_of_the_way(each)}
        return {name: each for name, each in known.items() if each is not self.action}

    @property
    def cameras(self) -> dict[str, Series]:
        """The images of each camera, by its name."""
        return {each.camera: each for each in self.all_series.values() if each.is_image}

    @cached_property
    def rate(self) -> float:
        """Steps per second: of times that are not evenly apart the usual one. Raises DataError where there are none."""
        longest = int(self.length.argmax())
        gaps = np.diff(self.read("time", longest))
        if not len(gaps):
            raise DataError(f"{self.dataset.path}: no episode has a second step; collect longer ones")
        rate = 1 / float(np.median(gaps))
        return float(round(rate)) if abs(rate - round(rate)) < 1e-3 else rate

    def read(self, name: str, episode: int) -> NDArray[Any]:
        """A series over an episode, [T, ...]; times are since its first step."""
        series = self.all_series[name]
        if series.field.path == _GOAL:
            return np.repeat(self._interactions["goal"][episode][None], self.length[episode], axis=0)
        values = self.dataset.array(series.field.path)[self.rows(episode)]
        return values - values[0] if name == "time" else values

    def rows(self, episode: int) -> slice:
        """Of an episode, among all steps."""
        return slice(int(self.start[episode]), int(self.start[episode] + self.length[episode]))

    def in_shards(self, name: str, episode: int, skip: int = 0) -> "Iterator[tuple[Path, int, int, int | None]]":
        """Where a series over an episode lies: shard, first row there and end, and the byte where its array begins.

        skip: so many of its first steps. The byte is None where the array is compressed.
        """
        field, rows = self.all_series[name].field, self.rows(episode)
        bounds = self.dataset.bounds(field.table)
        first = rows.start + skip
        while first < rows.stop:
            number = int(np.searchsorted(bounds, first, side="right")) - 1
            end = min(rows.stop, int(bounds[number + 1]))
            entry = self.dataset.manifest.shards[number]
            begins = int(bounds[number])
            yield (
                self.dataset.path / entry.file, first - begins, end - begins, entry.arrays[field.path].offset,
            )  # fmt: skip
            first = end

    def about(self, episode: int) -> dict[str, Any]:
        """What is known of an episode as a whole, as plain values: scene, seed and, of an interaction, all else."""
        episodes = self.dataset.episodes
        row = self._interactions.get("episode", self._episode_of)[episode]
        found: dict[str, Any] = {"seed": int(episodes["seed"][row]), "scene": self._scene(episode, int(row))}
        for name, values in self._interactions.items():
            value = values[episode]
            if name == "object":
                found[name] = str(self.dataset.objects["category"][value]) if value >= 0 else None
            elif name not in ("episode", "steps_start", "steps_length"):
                found[name] = value.tolist()
        return found

    def task(self, episode: int) -> str:
        """What is done in an episode, in words: `grasp mug`."""
        about = self.about(episode)
        what = about["scene"] if self.is_video else about.get("object")
        return f"{self.dataset.kind} {what}" if what else self.dataset.kind

    def reward(self, episode: int) -> NDArray[np.float32]:
        """The reward for coming to each step, float32 [T]; of interactions that have but one, for the last step."""
        if "reward" in self.all_series:
            return self.read("reward", episode).astype("f4")
        rewards = np.zeros(self.length[episode], "f4")
        if "reward" in self._interactions:
            rewards[-1] = self._interactions["reward"][episode]
        return rewards

    def intrinsics(self, camera: str) -> NDArray[np.float64] | None:
        """The pinhole matrix of a camera, [3, 3], where it is known."""
        known = self.dataset.camera
        return known.get("intrinsics" if self.is_video else f"intrinsics_{camera}")

    def described(self) -> dict[str, dict[str, Any]]:
        """What each series is, by name: dtype, shape, unit, description, and names of its numbers."""
        return {
            name: {
                "dtype": str(each.dtype), "shape": list(each.shape), "unit": each.field.unit,
                "description": each.field.description, **({"names": list(each.names)} if each.names else {}),
            }
            for name, each in self.all_series.items()
        }  # fmt: skip

    def _is_of_the_way(self, series: Series) -> bool:
        """Whether it leads on from a step to the next one."""
        return series.leads_on or series.field.path in _ACTIONS

    def _series(self, field: Field) -> Series:
        shape = self.dataset.array(field.path).shape[1:]
        folder, _, last = field.path.rpartition("/")
        if field.path in _OF_CAMERA:
            return Series(field, shape, (), OWN_CAMERA, _OF_CAMERA[field.path])
        if folder in _OF_CAMERAS:
            return Series(field, shape, (), last, _OF_CAMERAS[folder])
        name = {_GOAL: "desired_goal"}.get(field.path, field.name)
        if field.path == _TARGET and _ACTIONS[0] in self.dataset.fields:
            name = "target"
        signals = self.dataset.motor_signals if field.shape[1:] == ("A",) else ()
        return Series(field, shape, signals or _names(name, shape), own_name=name)

    @cached_property
    def _interactions(self) -> Mapping[str, NDArray[Any]]:
        """The columns of the table of interactions that are no images."""
        if self.is_video:
            return {}
        return {
            field.name: text(self.dataset.array(path)[:]) for path, field in self.dataset.fields.items()
            if field.table == "interactions" and not field.image
        }  # fmt: skip

    @cached_property
    def _episode_of(self) -> NDArray[np.int64]:
        """Of a video: the episode of the data set that each is, or is a visit of."""
        return np.searchsorted(self.dataset.episodes["start"], self.start, side="right") - 1

    def _scene(self, episode: int, row: int) -> str:
        if "frames/scene" in self.dataset.fields:
            return str(self.dataset.scene_names[self.dataset.array("frames/scene")[int(self.start[episode])]])
        return str(self.dataset.scenes[self.dataset.episodes["scene"][row]])


def _names(name: str, shape: tuple[int, ...]) -> tuple[str, ...]:
    """Of the numbers of a value: `tip_pose_x`."""
    return tuple(Table({name: np.empty((0, *shape))})) if len(shape) == 1 else ()
