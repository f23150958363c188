"""robomimic's HDF5 files: demonstrations, with the images of one camera and the actions, or parts of the state."""

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.imports.hdf5 import Hdf5, Layout, open_hdf5
from embodied_ssl.datasets.imports.source import MotorIs
from embodied_ssl.limits import Positive, hold_fields

_LATER = ("/obs/", "/next_obs/")


@dataclass(frozen=True)
class Robomimic(Layout):
    """robomimic's HDF5 files, with images: `data/demo_N/obs/CAMERA_image` and `data/demo_N/actions`.

    Where there are next observations, the last one of a demonstration is its last frame.
    """

    camera: str = "agentview"
    """which camera's images"""
    motor: list[str] = field(default_factory=lambda: ["actions"])
    """what of a demonstration is taken for its motor signals, such as `obs/robot0_eef_pos` (which are positions)"""
    motor_is: MotorIs = "motion"
    """what a number is: a motion (or command) from its step to the next, a rate per second, or a position"""
    rate: Positive | None = None
    """steps per second; None: `control_freq` of the environment that the file names"""

    name: ClassVar[str] = "robomimic"
    example: ClassVar[str] = "image_v141.hdf5 --camera agentview --out data/lift"

    def __post_init__(self) -> None:
        hold_fields(self)

    @cached_property
    def inside(self) -> Hdf5:
        rate = self.rate or self._environment.get("env_kwargs", {}).get("control_freq")
        if rate is None:
            raise DataError(f"{self.sources[0]}: its env_args name no control_freq; give --rate")
        frames, motor = f"data/*/obs/{self.camera}_image", [f"data/*/{path}" for path in self.motor]
        later = list(_LATER) if self._has_next([frames, *motor]) else []
        return Hdf5(self.sources, frames, motor, motor_is=self.motor_is, rate=float(rate), later=later)

    @property
    def scene(self) -> str:
        return str(self._environment.get("env_name", "recorded"))

    def _has_next(self, places: list[str]) -> bool:
        """Whether the observations of each step are there as those that follow on the one before, too."""
        with open_hdf5(self.sources[0].expanduser()) as file:
            demo = next(iter(file.get("data", {})), "")
            wanted = [place.replace("*", demo).replace(*_LATER) for place in places if _LATER[0] in place]
            return all(place in file for place in wanted)

    @cached_property
    def _environment(self) -> dict[str, Any]:
        """What the first file says of the environment."""
        with open_hdf5(self.sources[0].expanduser()) as file:
            if "data" not in file:
                raise DataError(f"{self.sources[0]}: no group data in it, as files of robomimic have")
            try:
                found = json.loads(file["data"].attrs.get("env_args", "{}"))
            except ValueError as error:
                raise DataError(f"{self.sources[0]}: its env_args are not JSON ({error})") from error
        return found if isinstance(found, dict) else {}
