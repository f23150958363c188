"""Minari: `data/main_data.hdf5`, whose images lie in the shards of the data set, and `data/metadata.json`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

import embodied_ssl
from embodied_ssl.datasets.exports.episodes import Series
from embodied_ssl.datasets.exports.robomimic import referring, short
from embodied_ssl.datasets.exports.target import Part, Target
from embodied_ssl.datasets.exports.virtual import put_maps, put_values, told

_READERS = "0.5.4"  # of Minari, the first that reads images which are not JPEG


@dataclass(frozen=True)
class Minari(Target):
    """A data set as Minari stores it in HDF5; `minari.load_dataset` finds it by its path below MINARI_DATASETS_PATH.

    An episode of T steps has T observations and T - 1 actions, rewards and ends.
    """

    copy: bool = False
    """copy the images, so that the files can be moved alone"""

    name: ClassVar[str] = "minari"
    libraries: ClassVar[tuple[str, ...]] = ("numpy", "h5py")

    def parts(self) -> Sequence[Part]:
        steps = int(self.episodes.length.sum())
        return [Part("data/main_data.hdf5", self._write, steps), Part("data/metadata.json", self._tell, last=True)]

    @property
    def notes(self) -> Sequence[str]:
        return [*referring(self), *short(self)]

    @property
    def _numbers(self) -> list[int]:
        """The episodes that have a transition."""
        return np.flatnonzero(self.episodes.length > 1).tolist()

    def _write(self, path: Path) -> None:
        import h5py

        with h5py.File(path, "w") as file:
            for place, episode in enumerate(self._numbers):
                self._put_episode(file.create_group(f"episode_{place}"), place, episode)

    def _put_episode(self, group: Any, place: int, episode: int) -> None:
        episodes = self.episodes
        count = int(episodes.length[episode]) - 1
        about = episodes.about(episode)
        group.attrs.update({"id": place, "seed": about["seed"], "total_steps": count, "about": json.dumps(about)})
        put_values(group, "actions", episodes.read(episodes.action.name, episode)[:-1], told(episodes.action, place))
        last = np.arange(1, count + 1) == count
        # An act is over, a video might go on; a task of control is over when it is done, and else was broken off.
        over = not episodes.is_video and (not self.episodes.dataset.declaration.closed_loop or about["success"])
        ends = {"terminations": last & over, "truncations": last & (not over)}
        for name, values in {"rewards": episodes.reward(episode)[1:], **ends}.items():
            group.create_dataset(name, data=values, track_times=False)
        for table, rows, series in (
            ("observations", slice(0, count + 1), episodes.observations),
            ("infos", slice(0, count), episodes.transitions),
        ):
            inside = group.create_group(table)
            for name, each in series.items():
                self._put(inside, name, each, place, episode, rows)

    def _put(self, group: Any, name: str, series: Series, place: int, episode: int, rows: slice) -> None:
        if series.is_map:
            beside = None if self.copy else self.folder / "data"
            put_maps(group, name, self.episodes, series, episode, rows, beside=beside)
        else:
            put_values(group, name, self.episodes.read(name, episode)[rows], told(series, place))

    def _tell(self, path: Path) -> None:
        """Write `metadata.json`."""
        steps = sum(int(self.episodes.length[number]) - 1 for number in self._numbers)
        content = {
            "total_episodes": len(self._numbers),
            "total_steps": steps,
            "data_format": "hdf5",
            "jpeg_encoding": False,
            "observation_space": json.dumps(_dict_space(self.episodes.observations)),
            "action_space": json.dumps(_box(self.episodes.action)),
            "dataset_id": f"embodied_ssl/{self.episodes.dataset.kind}-v0",
            "minari_version": _READERS,
            "dataset_size": round((self.folder / "data/main_data.hdf5").stat().st_size / 1e6, 1),
            "description": f"Exported by embodied_ssl {embodied_ssl.__version__}.",
            **({"env_spec": spec} if (spec := self._environment()) else {}),
        }
        path.write_text(json.dumps(content), encoding="utf-8")

    def _environment(self) -> str:
        """The environment that the data are of, as Gymnasium has it in JSON; nothing for what others recorded."""
        from gymnasium.envs.registration import EnvSpec

        kind = self.episodes.dataset.declaration
        if not kind.is_collected:
            return ""
        return EnvSpec(kind.env_id, kind.env, kwargs=self.episodes.dataset.spec.get("env", {})).to_json()


def _dict_space(series: Mapping[str, Series]) -> dict[str, Any]:
    return {"type": "Dict", "subspaces": {name: _box(each) for name, each in series.items()}}


def _box(series: Series) -> dict[str, Any]:
    """A space of Gymnasium, as Minari writes it: bounds for every number."""
    least, most = series.field.low, series.field.high
    if series.dtype.kind in "iu":
        least, most = max(least, np.iinfo(series.dtype).min), min(most, np.iinfo(series.dtype).max)
    return {
        "type": "Box",
        "dtype": str(series.dtype),
        "shape": list(series.shape),
        "low": np.full(series.shape, least, series.dtype).tolist(),
        "high": np.full(series.shape, most, series.dtype).tolist(),
    }
