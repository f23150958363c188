"""How pieces of furniture are put together: blocks, posts and tubes by the skin they wear, hulls, places for objects.

A piece's frame: metres, z up, the origin on the floor under its middle, its back towards +y, its front towards −y.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from embodied_ssl.envs.world import exact
from embodied_ssl.envs.world.assets import Asset, Material, Part, Texture
from embodied_ssl.envs.world.geometry.mesh import Mesh, cylinder, make_mesh, merge, rotation_z, sweep

Floats = NDArray[np.float32]

# Faces of a block: outward normal, corner at which its texture starts, and its two sides, as multiples of the size.
_FACES = {
    "front": ((0, -1, 0), (0, 0, 0), (1, 0, 0), (0, 0, 1)),
    "right": ((1, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "back": ((0, 1, 0), (1, 1, 0), (-1, 0, 0), (0, 0, 1)),
    "left": ((-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1)),
    "top": ((0, 0, 1), (0, 0, 1), (1, 0, 0), (0, 1, 0)),
    "bottom": ((0, 0, -1), (0, 1, 0), (1, 0, 0), (0, -1, 0)),
}


@dataclass(frozen=True, eq=False)
class Skin:
    """What a part wears. gloss, emission: in [0, 1]; tile: m that one repeat of the texture covers."""

    texture: Texture
    gloss: float = 0.0
    emission: float = 0.0
    tile: float = 1.0
    casts_shadow: bool = True


@dataclass(frozen=True)
class Surface:
    """A level place to put objects on: a rectangle in the piece's frame at height z, with `clear` m of room above."""

    x_min: float
    y_min: float
    x_max: float
    y_max: float
    z: float
    clear: float = 1.0


@dataclass(frozen=True, eq=False)
class Piece:
    """A piece of furniture: the asset, its footprint (x_min, y_min, x_max, y_max), its z range and its surfaces, m."""

    asset: Asset
    footprint: tuple[float, float, float, float]
    rise: tuple[float, float]
    surfaces: tuple[Surface, ...]
    triangles: int

    @property
    def width(self) -> float:
        """m, along x."""
        return self.footprint[2] - self.footprint[0]

    @property
    def depth(self) -> float:
        """m, along y."""
        return self.footprint[3] - self.footprint[1]


class Joiner:
    """Collects the meshes, hulls and surfaces of one piece."""

    def __init__(self) -> None:
        self._meshes: dict[Skin, list[Mesh]] = {}
        self._hulls: list[Floats] = []
        self._surfaces: list[Surface] = []

    def add(self, skin: Skin, *meshes: Mesh) -> None:
        """Add meshes as they are; their uv stay."""
        self._meshes.setdefault(skin, []).extend(meshes)

    def block(self, skin: Skin, low: ArrayLike, high: ArrayLike, skip: str = "") -> None:
        """A box between two corners [3]. skip: names of faces that nobody sees, such as "bottom back"."""
        self.add(skin, block(low, high, skin.tile, skip))

    def hull(self, low: ArrayLike, high: ArrayLike) -> None:
        """A box that bodies bump into."""
        self._hulls.append(box_hull(low, high))

    def solid(self, skin: Skin, low: ArrayLike, high: ArrayLike, skip: str = "") -> None:
        """A block with a hull."""
        self.block(skin, low, high, skip)
        self.hull(low, high)

    def posts(
        self, skin: Skin, places: Sequence[tuple[float, float]], side: float, z_low: float, z_high: float
    ) -> None:
        """Square posts, such as legs, open at both ends."""
        for x, y in places:
            low, high = (x - side / 2, y - side / 2, z_low), (x + side / 2, y + side / 2, z_high)
            self.block(skin, low, high, "top bottom")

    def tube(self, skin: Skin, path: Any, radius: Any, segments: int = 5) -> None:
        """A round tube along a path [P, 3]."""
        self.add(skin, sweep(path, radius, segments, skin.tile))

    def round(
        self, skin: Skin, place: tuple[float, float], radius: float, z_low: float, z_high: float, segments: int = 10
    ) -> None:
        """A standing cylinder."""
        mesh = cylinder(radius, z_high - z_low, segments, skin.tile)
        self.add(skin, mesh.transformed((place[0], place[1], z_low)))

    def panel(
        self, skin: Skin, origin: ArrayLike, side_u: ArrayLike, side_v: ArrayLike, cut: Sequence[float] = (0, 0, 1, 1)
    ) -> None:
        """A one-sided picture facing side_u × side_v that shows the window `cut` (u_min, v_min, u_max, v_max)."""
        self.add(skin, panel(origin, side_u, side_v, cut))

    def surface(self, x_min: float, y_min: float, x_max: float, y_max: float, z: float, clear: float = 1.0) -> None:
        """A level place to put objects on."""
        self._surfaces.append(Surface(x_min, y_min, x_max, y_max, z, clear))

    def piece(self, category: str, instance: int, material: Material) -> Piece:
        """What has been collected, as a piece that never moves."""
        parts = tuple(
            Part(merge(meshes), skin.texture, skin.gloss, skin.emission, skin.casts_shadow)
            for skin, meshes in self._meshes.items()
        )
        asset = Asset(category, instance, material, parts, tuple(self._hulls))
        (x_min, y_min, z_min), (x_max, y_max, z_max) = asset.bounds.tolist()
        triangles = sum(len(part.mesh.triangles) for part in parts)
        return Piece(asset, (x_min, y_min, x_max, y_max), (z_min, z_max), tuple(self._surfaces), triangles)


Maker = Callable[[Joiner, np.random.Generator], Material]


def block(low: ArrayLike, high: ArrayLike, tile: float = 1.0, skip: str = "") -> Mesh:
    """A box between two corners [3] (m) with sharp edges, without the faces named in `skip`."""
    corner = np.asarray(low, float)
    size = np.asarray(high, float) - corner
    left_out = skip.split()
    vertices: list[Any] = []
    normals: list[Any] = []
    uv: list[Any] = []
    triangles: list[Any] = []
    for name, (normal, start, side_u, side_v) in _FACES.items():
        if name in left_out:
            continue
        origin, u, v = corner + size * start, size * side_u, size * side_v
        du, dv = np.abs(u).sum() / tile, np.abs(v).sum() / tile
        first = 4 * len(normals)
        vertices += [origin, origin + u, origin + u + v, origin + v]
        normals.append(normal)
        uv += [(0, 0), (du, 0), (du, dv), (0, dv)]
        triangles += [(first, first + 1, first + 2), (first, first + 2, first + 3)]
    return make_mesh(vertices, np.repeat(normals, 4, axis=0), uv, triangles)


def panel(origin: ArrayLike, side_u: ArrayLike, side_v: ArrayLike, cut: Sequence[float] = (0, 0, 1, 1)) -> Mesh:
    """A one-sided parallelogram facing side_u × side_v that shows the window `cut` of its texture."""
    # Written out in floats: rooms are built anew for each scene, and NumPy's cross alone takes 60 µs.
    (x, y, z), (ux, uy, uz), (vx, vy, vz) = np.asarray([origin, side_u, side_v], float).tolist()
    nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
    size = math.sqrt(nx * nx + ny * ny + nz * nz)
    u0, v0, u1, v1 = cut
    return make_mesh(
        [(x, y, z), (x + ux, y + uy, z + uz), (x + ux + vx, y + uy + vy, z + uz + vz), (x + vx, y + vy, z + vz)],
        [(nx / size, ny / size, nz / size)] * 4,
        [(u0, v0), (u1, v0), (u1, v1), (u0, v1)],
        [(0, 1, 2), (0, 2, 3)],
    )


def tiled(origin: ArrayLike, side_u: Sequence[float], side_v: Sequence[float], tile: float) -> Mesh:
    """A panel whose texture repeats every `tile` m."""
    return panel(origin, side_u, side_v, (0, 0, exact.hypot(*side_u) / tile, exact.hypot(*side_v) / tile))


def face(*corners: tuple[float, ...]) -> Mesh:
    """A four-cornered face, counter-clockwise seen from outside."""
    points = np.array(corners)
    normal = np.cross(points[1] - points[0], points[3] - points[0])
    normal /= exact.length(normal)
    return make_mesh(points, np.tile(normal, (4, 1)), points[:, :2], [(0, 1, 2), (0, 2, 3)])


def prism(outline: ArrayLike, width: float, tile: float = 1.0) -> Mesh:
    """A side view ([P, 2] of (y, z), m, convex, counter-clockwise seen from +x) extruded along x, centred on x = 0."""
    points = np.asarray(outline, float)
    count = len(points)
    following = np.roll(points, -1, axis=0)
    meshes = []
    for (y0, z0), (y1, z1) in zip(points, following, strict=True):
        length = float(exact.hypot(y1 - y0, z1 - z0))
        cut = (0, 0, width / tile, length / tile)
        meshes.append(panel((width / 2, y0, z0), (-width, 0, 0), (0, y1 - y0, z1 - z0), cut))
    fan = np.array([(0, k, k + 1) for k in range(1, count - 1)])
    for side, order in ((1, fan), (-1, fan[:, ::-1])):
        corners = np.column_stack([np.full(count, side * width / 2), points])
        meshes.append(make_mesh(corners, np.tile([side, 0, 0], (count, 1)), points / tile, order))
    return merge(meshes)


def turned(mesh: Mesh, angle_rad: float) -> Mesh:
    """The mesh turned about z."""
    return mesh.transformed(rotation=rotation_z(angle_rad))


def box_hull(low: ArrayLike, high: ArrayLike) -> Floats:
    """The eight corners [8, 3] of a box."""
    (x0, y0, z0), (x1, y1, z1) = np.asarray(low, float), np.asarray(high, float)
    return np.array([(x, y, z) for x in (x0, x1) for y in (y0, y1) for z in (z0, z1)], np.float32)
