"""Minari's data sets in HDF5: episodes with observations that are images, or have some among them, and actions."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.imports.hdf5 import Hdf5, HdfLayout, is_images, open_hdf5
from embodied_ssl.datasets.imports.source import MotorIs
from embodied_ssl.limits import Positive, hold_fields


@dataclass(frozen=True)
class Minari(HdfLayout):
    """A data set of Minari: the folder that holds `data/main_data.hdf5`, with images among the observations."""

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
    def inside(self) -> Hdf5:
        frames = self.frames or self._images()
        return Hdf5(
            [self._file],
            frames=f"episode_*/{frames}",
            motor=[f"episode_*/{self.motor}"],
            motor_is=self.motor_is,
            rate=self.rate,
        )

    @property
    def scene(self) -> str:
        try:
            told = json.loads((self._file.parent / "metadata.json").read_text())
            spec = json.loads(told["env_spec"]) if isinstance(told.get("env_spec"), str) else {}
            return str(spec.get("id") or told.get("dataset_id", "recorded"))
        except (OSError, ValueError, KeyError, AttributeError):
            return "recorded"

    @cached_property
    def _file(self) -> Path:
        folder = self.the_one()
        found = next(
            (path for path in (folder / "data/main_data.hdf5", folder / "main_data.hdf5") if path.exists()), None
        )
        if found is None:
            arrow = any(folder.glob("**/*.arrow")) or any(folder.glob("**/*.parquet"))
            remedy = "it is stored in Arrow: write it anew with data_format='hdf5'" if arrow else "is the path right?"
            raise DataError(f"{folder}: no data/main_data.hdf5 in it; {remedy}")
        return found

    def _images(self) -> str:
        """The one observation that is images. Raises DataError where there is none, or several."""
        import h5py

        found: list[str] = []

        def look(name: str, each: Any) -> None:
            if isinstance(each, h5py.Dataset) and each.ndim == 4 and is_images(each):
                found.append(name)

        with open_hdf5(self._file) as file:
            first = next((name for name in file if name.startswith("episode_")), None)
            if first is None:
                raise DataError(f"{self._file}: no episodes in it")
            file[first].visititems(look)
        if len(found) != 1:
            which = f"several: {', '.join(found)}; give --frames" if found else "none; they are uint8 [n, H, W, 3]"
            raise DataError(f"{self._file}: observations that are images: {which}")
        return found[0]
