"""The data that describe a world: materials, textures, parts, assets, lights, scenes. No behaviour."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from embodied_ssl.envs.world.geometry.mesh import Mesh

_SHADES = 8  # of each channel, when colours are counted
_MOST_TEXELS = 64  # on a side of a texture, when they are

# The outline of a hull from above, convex, float32 [K, 2], and its lowest and highest point, m.
Footprint = tuple[NDArray[Any], float, float]


@dataclass(frozen=True)
class Material:
    """What an object is made of: ties how it looks to how it feels.

    textures: the texture families it can wear. density: kg/m³. friction: lateral, Coulomb. restitution: in [0, 1].
    stiffness: N/m and damping: N·s/m of a contact. gloss: mirror-like share of the light, in [0, 1].
    """

    name: str
    textures: tuple[str, ...]
    density: float
    friction: float
    restitution: float
    stiffness: float
    damping: float
    gloss: float


@dataclass(frozen=True, eq=False)
class Texture:
    """A tileable image. image: uint8 [S, S, 3], sRGB, S a power of two. Row 0 is at v = 0 (the bottom)."""

    image: NDArray[np.uint8]

    def __post_init__(self) -> None:
        side = self.image.shape[0]
        if self.image.shape != (side, side, 3) or side & (side - 1) or self.image.dtype != np.uint8:
            raise ValueError(
                f"a texture is uint8 [S, S, 3] with S a power of two, not {self.image.dtype} {self.image.shape}"
            )

    @cached_property
    def shades(self) -> NDArray[np.float64]:
        """How much of it each of 512 ranges of colours covers, and that times its mean colour: float64 [4, 512].

        A range is 64 wide in each channel, and begins at a multiple of 32: any colours that lie near each other are
        within one of them.
        """
        step = max(1, len(self.image) // _MOST_TEXELS)
        texels = self.image[::step, ::step].reshape(-1, 3).astype(np.int64)  # [K, 3]
        red, green, blue = (texels * _SHADES // 256).T  # [K] each
        cell, cells_in_all = (red * _SHADES + green) * _SHADES + blue, _SHADES * _SHADES * _SHADES
        found = [np.bincount(cell, weight, cells_in_all) for weight in (None, *texels.T)]  # whole numbers, so exact
        cells = np.reshape(found, (4, _SHADES, _SHADES, _SHADES)) / len(texels)
        for axis in (1, 2, 3):
            cells = np.moveaxis(cells, axis, 0)
            cells = np.moveaxis(cells + np.append(cells[1:], np.zeros_like(cells[:1]), axis=0), 0, axis)
        return cells.reshape(4, -1)


@dataclass(frozen=True, eq=False)
class Part:
    """A piece of an asset that wears one texture. gloss, emission: in [0, 1]; a lamp or a screen emits."""

    mesh: Mesh
    texture: Texture
    gloss: float = 0.0
    emission: float = 0.0
    casts_shadow: bool = True


@dataclass(frozen=True, eq=False)
class Asset:
    """An object: how it looks (parts), what it collides with (convex hulls), how heavy and of what it is.

    Its frame: metres, z up, origin at its centre of mass. mass: kg, 0 = never moves.
    hulls: convex point sets float32 [K, 3] in the same frame; empty = a ghost that nothing touches.
    """

    category: str
    instance: int
    material: Material
    parts: tuple[Part, ...]
    hulls: tuple[NDArray[np.float32], ...]
    mass: float = 0.0

    @cached_property
    def bounds(self) -> NDArray[np.float32]:
        """float32 [2, 3], m: lowest and highest corner of its parts, in its own frame."""
        corners = [(part.mesh.vertices.min(axis=0), part.mesh.vertices.max(axis=0)) for part in self.parts]
        return np.array([np.min([c[0] for c in corners], axis=0), np.max([c[1] for c in corners], axis=0)])

    @cached_property
    def colour(self) -> NDArray[np.uint8]:
        """The colour that covers most of its surface, sRGB, uint8 [3]: the mean of those that lie near each other."""
        covered, *sums = np.sum([part.mesh.area * part.texture.shades for part in self.parts], axis=0)
        most = int(covered.argmax())
        return np.array([round(float(each[most] / covered[most])) for each in sums], np.uint8)

    @cached_property
    def footprints(self) -> tuple[Footprint, ...]:
        """Of its hulls, in its own frame."""
        return footprints_of(self.hulls)

    @cached_property
    def boxes(self) -> tuple[tuple[NDArray[np.float32], NDArray[np.float32]] | None, ...]:
        """For each hull that is an upright box in its own frame, its middle and half of its extent, [3] each, m."""
        found: list[tuple[NDArray[np.float32], NDArray[np.float32]] | None] = []
        for hull in self.hulls:
            low, high = hull.min(axis=0), hull.max(axis=0)
            half = (high - low) / 2
            found.append((low + half, half) if len(hull) == 8 and np.all((hull == low) | (hull == high)) else None)
        return tuple(found)


def footprints_of(hulls: Sequence[NDArray[Any]]) -> tuple[Footprint, ...]:
    """The footprint of each hull [K, 3], m."""
    return tuple(
        (cv2.convexHull(hull[:, :2].astype(np.float32))[:, 0], float(hull[:, 2].min()), float(hull[:, 2].max()))
        for hull in hulls
    )


@dataclass(frozen=True)
class Light:
    """A sun (or the lamps of a room, from afar) and a sky. Colours: linear RGB; 1 = a white surface shows full white.

    direction: towards the sun, world frame. ambient light blends from `ground` (from below) to `sky` (from above).
    background: linear RGB at the horizon and at the zenith, where no surface is hit.
    """

    direction: tuple[float, float, float] = (0.3, -0.4, 0.85)
    sun: tuple[float, float, float] = (0.65, 0.62, 0.55)
    sky: tuple[float, float, float] = (0.45, 0.48, 0.52)
    ground: tuple[float, float, float] = (0.22, 0.20, 0.18)
    horizon: tuple[float, float, float] = (0.75, 0.82, 0.90)
    zenith: tuple[float, float, float] = (0.25, 0.45, 0.80)


@dataclass(frozen=True, eq=False)
class Placement:
    """An asset somewhere. position: m; quaternion: (x, y, z, w). Structure (floor, wall) has no instance id."""

    asset: Asset
    position: tuple[float, float, float] = (0.0, 0.0, 0.0)
    quaternion: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 1.0)
    structure: bool = False


@dataclass(frozen=True, eq=False)
class Scene:
    """A furnished place. bounds: (x_min, y_min, x_max, y_max) of the floor in m; the floor is z = 0."""

    type: str
    placements: tuple[Placement, ...]
    bounds: tuple[float, float, float, float]
    light: Light = field(default_factory=Light)
