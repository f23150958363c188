"""Minari's data sets, in HDF5, Arrow or Parquet: episodes with images among the observations, and actions."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from embodied_ssl.datasets.errors import DataError, unknown_name
from embodied_ssl.datasets.imports.arrow import ArrowEpisodes
from embodied_ssl.datasets.imports.hdf5 import Hdf5, Layout, is_images, open_hdf5
from embodied_ssl.datasets.imports.source import MotorIs
from embodied_ssl.limits import Positive, hold_fields

_COLUMNS = ("arrow", "parquet")


@dataclass(frozen=True)
class Minari(Layout):
    """A data set of Minari: the folder that holds `data`, with images among the observations."""

    rate: Positive | None = None
    """steps per second of the environment, which Minari does not store"""
    frames: str = ""
    """which observation holds the images, such as `observations/pixels`; none: the one that does"""
    motor: str = "actions"
    """what is taken for the motor signals, such as `observations/position` (which are positions)"""
    motor_is: MotorIs = "motion"
    """what a number is: a motion (or command) from its step to the next, a rate per second, or a position"""

    name: ClassVar[str] = "minari"
    example: ClassVar[str] = "~/.minari/datasets/mine/push-v0 --rate 20 --out data/push"

    def __post_init__(self) -> None:
        hold_fields(self)
        if self.rate is None:
            raise DataError(f"import {self.name}: give --rate, the steps per second; Minari does not store it")

    @cached_property
    def inside(self) -> Hdf5 | ArrowEpisodes:
        frames = self._frames
        if self._format in _COLUMNS:
            shape = self._spaces.get(frames) or []
            return ArrowEpisodes([self._folder], self._format, frames, self.motor, self.motor_is, self.rate, shape)
        return Hdf5(
            [self._folder / "main_data.hdf5"],
            frames=f"episode_*/{frames}",
            motor=[f"episode_*/{self.motor}"],
            motor_is=self.motor_is,
            rate=self.rate,
        )

    @property
    def scene(self) -> str:
        try:
            spec = json.loads(self._told.get("env_spec") or "{}")
            return str(spec.get("id") or self._told.get("dataset_id", "recorded"))
        except (ValueError, AttributeError, TypeError):
            return "recorded"

    @cached_property
    def _folder(self) -> Path:
        """The one with the data. Raises DataError where there is none."""
        folder = self.the_one()
        for place in (folder / "data", folder):
            if (place / "main_data.hdf5").exists() or any(place.glob("*/*.arrow")) or any(place.glob("*/*.parquet")):
                return place
        raise DataError(f"{folder}: neither data/main_data.hdf5 nor episodes in Arrow in it; is the path right?")

    @cached_property
    def _format(self) -> str:
        if (self._folder / "main_data.hdf5").exists():
            return "hdf5"
        return next(name for name in _COLUMNS if any(self._folder.glob(f"*/*.{name}")))

    @cached_property
    def _told(self) -> dict[str, Any]:
        """What the data set says of itself; nothing where it says nothing."""
        try:
            found = json.loads((self._folder / "metadata.json").read_text())
        except OSError:
            return {}
        except ValueError as error:
            raise DataError(
                f"{self._folder / 'metadata.json'}: not JSON ({error}); fetch the data set again"
            ) from error
        return found if isinstance(found, dict) else {}

    @cached_property
    def _spaces(self) -> dict[str, list[int]]:
        """The shape of each observation that is images, by its path, as the data set tells it."""
        try:
            space = json.loads(self._told.get("observation_space") or "{}")
            return dict(_image_spaces(space, "observations", "" if self._format in _COLUMNS else "_index_"))
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            place = self._folder / "metadata.json"
            raise DataError(f"{place}: observation_space cannot be read ({error}); fetch the data set again") from error

    @property
    def _frames(self) -> str:
        """The one observation that is images. Raises DataError where there is none, or several."""
        in_colour = [path for path, shape in self._spaces.items() if len(shape) == 3]
        found = in_colour or list(self._spaces) or self._seen()
        if self.frames:
            if self._spaces and self.frames not in self._spaces:
                raise unknown_name("observation", self.frames, self._spaces)
            return self.frames
        if len(found) != 1:
            which = f"several: {', '.join(found)}; give --frames" if found else "none; they are uint8 [n, H, W, 3]"
            raise DataError(f"{self._folder}: observations that are images: {which}")
        return found[0]

    def _seen(self) -> list[str]:
        """The observations that look like images, of a data set in HDF5 that does not tell its spaces."""
        import h5py

        if self._format in _COLUMNS:
            return []
        found: list[str] = []

        def look(name: str, each: Any) -> None:
            if isinstance(each, h5py.Dataset) and each.ndim == 4 and is_images(each):
                found.append(name)

        path = self._folder / "main_data.hdf5"
        with open_hdf5(path) as file:
            first = next((name for name in file if name.startswith("episode_")), None)
            if first is None:
                raise DataError(f"{path}: no episodes in it")
            file[first].visititems(look)
        return found


def _image_spaces(space: dict[str, Any], path: str, index: str) -> Iterator[tuple[str, list[int]]]:
    """The paths and shapes of images in a space of observations; index: what comes before numbers of tuples."""
    inner = space.get("subspaces", {})
    if isinstance(inner, list):
        inner = {f"{index}{number}": each for number, each in enumerate(inner)}
    for name, each in inner.items():
        yield from _image_spaces(each, f"{path}/{name}", index)
    shape = space.get("shape", [])
    if space.get("type") == "Box" and np.dtype(space["dtype"]) == np.uint8 and len(shape) in (2, 3):
        yield path, shape
