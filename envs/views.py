"""The named cameras of a table: where each stands, what it looks at, how wide it looks and how large its images are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.envs.world import exact
from embodied_ssl.envs.world.camera import Camera, look_at
from embodied_ssl.envs.world.textures.families import nearest
from embodied_ssl.limits import Angle, Count, hold_fields

Vector = tuple[float, float, float]


@dataclass(frozen=True)
class View:
    """A camera that stands beside the table."""

    position: Vector = (1.0, -0.8, 0.75)
    """where it is, x y z, m; the origin is the middle of the table's top"""
    target: Vector = (-0.12, 0.0, 0.2)
    """what it looks at, x y z, m"""
    up: Vector = (0.0, 0.0, 1.0)
    """what is upwards in its images"""
    field_of_view: Angle = 0.8
    """vertical, rad"""
    image_size: Count = 64
    """of its square images, px"""

    ON_HAND: ClassVar[bool] = False
    """Whether it moves with the tip, in whose frame it stands: y along the closing direction, z along the fingers."""

    def __post_init__(self) -> None:
        """Raise ValueError for what is no view."""
        for name in ("position", "target", "up"):
            object.__setattr__(self, name, vector(name, getattr(self, name)))
        hold_fields(self)
        look_at(self.position, self.target, self.up)

    @property
    def camera(self) -> Camera:
        """Its intrinsics."""
        return Camera.from_fov(self.image_size, self.image_size, self.field_of_view)

    def pose(self, tip: NDArray[np.float64]) -> NDArray[np.float64]:
        """Camera to world, [4, 4], OpenCV axes, when the tip is somewhere, [4, 4]."""
        mounted = _mounted(self.position, self.target, self.up)
        return exact.product(tip, mounted) if self.ON_HAND else mounted.copy()


@dataclass(frozen=True)
class Overhead(View):
    """A camera that looks straight down, as that of the images before and after does."""

    position: Vector = (0.0, 0.0, 0.9051618)
    target: Vector = (0.0, 0.0, 0.0)
    up: Vector = (0.0, 1.0, 0.0)
    field_of_view: Angle = 0.6


@dataclass(frozen=True)
class Wrist(View):
    """A camera on the hand; its place and what it looks at are in the frame of the tip, z along the fingers."""

    position: Vector = (0.085, 0.0, -0.075)
    """where it is in the frame of the tip, x y z, m; y along the closing direction, z along the fingers"""
    target: Vector = (0.0, 0.0, 0.025)
    """what it looks at in the frame of the tip, x y z, m"""
    up: Vector = (1.0, 0.0, 0.0)
    """what is upwards in its images, in the frame of the tip"""
    field_of_view: Angle = 1.0

    ON_HAND: ClassVar[bool] = True


@lru_cache(maxsize=64)
def _mounted(position: Vector, target: Vector, up: Vector) -> NDArray[np.float64]:
    """The pose [4, 4] of a camera, once for all its images."""
    return look_at(position, target, up)


def vector(name: str, value: object) -> Vector:
    """Three finite numbers, or ValueError."""
    try:
        x, y, z = (float(number) for number in value)  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        raise ValueError(f"{name}: {value!r}; give three numbers, x y z") from None
    if not np.isfinite([x, y, z]).all():
        raise ValueError(f"{name}: {value!r}; give finite numbers")
    return x, y, z


OVERHEAD, SCENE, WRIST = Overhead(), View(), Wrist()


def known_cameras(names: Sequence[str], views: Mapping[str, View]) -> list[str]:
    """Names of cameras, each once. Raises ValueError for unknown ones."""
    for name in names:
        if name not in views:
            raise ValueError(f"cameras: unknown camera {name!r}{nearest(name, views)}")
    return list(dict.fromkeys(names))
