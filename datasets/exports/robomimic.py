"""robomimic: one HDF5 file of demonstrations, whose images lie in the shards of the data set."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from embodied_ssl.datasets.exports.episodes import Series
from embodied_ssl.datasets.exports.target import Part, Target
from embodied_ssl.datasets.exports.virtual import flat, put_maps, put_values, told

_GYM = 2  # what robomimic calls an environment of Gymnasium


@dataclass(frozen=True)
class Robomimic(Target):
    """`demonstrations.hdf5`: `data/demo_N` with actions, rewards, dones, observations and the next ones.

    A demonstration of T steps has T - 1 transitions: its last step is a next observation only.
    """

    copy: bool = False
    """copy the images, so that the file can be moved alone"""

    name: ClassVar[str] = "robomimic"
    libraries: ClassVar[tuple[str, ...]] = ("numpy", "h5py")

    def parts(self) -> Sequence[Part]:
        return [Part("demonstrations.hdf5", self._write, int(self.episodes.length.sum()))]

    @property
    def notes(self) -> Sequence[str]:
        return [*referring(self), *short(self)]

    def _write(self, path: Path) -> None:
        import h5py

        with h5py.File(path, "w") as file:
            data = file.create_group("data")
            numbers = np.flatnonzero(self.episodes.length > 1).tolist()
            for place, episode in enumerate(numbers):
                self._demonstrate(data.create_group(f"demo_{place}"), place, episode)
            data.attrs["total"] = int(sum(self.episodes.length[number] - 1 for number in numbers))
            data.attrs["env_args"] = json.dumps(self._environment())

    def _demonstrate(self, demo: Any, place: int, episode: int) -> None:
        """Put a demonstration into its group."""
        episodes = self.episodes
        count = int(episodes.length[episode]) - 1
        demo.attrs["num_samples"] = count
        demo.attrs["about"] = json.dumps(episodes.about(episode))
        put_values(demo, "actions", episodes.read(episodes.action.name, episode)[:-1], told(episodes.action, place))
        demo.create_dataset("rewards", data=episodes.reward(episode)[1:], track_times=False)
        demo.create_dataset("dones", data=np.arange(1, count + 1) == count, track_times=False, dtype="i8")
        for name, series in episodes.transitions.items():
            self._put(demo, name, series, place, episode, slice(0, count))
        for group, rows in (("obs", slice(0, count)), ("next_obs", slice(1, count + 1))):
            inside = demo.create_group(group)
            for name, series in episodes.observations.items():
                self._put(inside, name, series, place, episode, rows)

    def _put(self, group: Any, name: str, series: Series, place: int, episode: int, rows: slice) -> None:
        if series.is_map:
            shape = series.shape if len(series.shape) == 3 else (*series.shape, 1)
            beside = None if self.copy else self.folder
            put_maps(group, name, self.episodes, series, episode, rows, beside=beside, shape=shape)
        else:
            put_values(group, name, flat(self.episodes.read(name, episode)[rows]), told(series, place))

    def _environment(self) -> dict[str, Any]:
        """The environment, as robomimic's files name it."""
        dataset = self.episodes.dataset
        settings = {"control_freq": self.episodes.rate, **dataset.spec.get("env", {})}
        return {
            "env_name": dataset.declaration.env_id or dataset.kind, "type": _GYM, "env_kwargs": settings,
        }  # fmt: skip


def referring(target: Any) -> list[str]:
    """What is to be known of files that refer to a data set."""
    place = target.episodes.dataset.path
    if target.copy or target.episodes.dataset.spec.get("compression", "none") != "none":
        return []
    return [f"images stay in {place}; without it they read as black: move both together, or give --copy"]


def short(target: Target) -> list[str]:
    """How many episodes have no transition."""
    count = int((target.episodes.length < 2).sum())
    return [f"left out: {count} episodes of a single step, from which no action leads on"] if count else []
