"""Bodies that objects are put together from: a mesh to see, and the convex hulls to touch, made together.

Hulls have at most 48 corners. What a finger could reach into is hollow to it as well: its wall is cut into sectors.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from embodied_ssl.envs.world import exact
from embodied_ssl.envs.world.geometry.mesh import Mesh, Rows, box, extrude, lathe, make_mesh, sphere, sweep

Floats = NDArray[np.float32]

MOST_CORNERS = 48
MOST_LEVELS = 6  # rings of corners in the hull of a turned object


@dataclass(frozen=True, eq=False)
class Solid:
    """A closed body. mesh, hulls: in the frame of its object, m; no hulls = decoration that nothing touches.

    coat: what it wears: "body", the object's own material; "trim", another texture of that; or a material's name or a
    texture family's. fill: share of its volume that is matter. along: a grain runs along v, not along u.
    """

    mesh: Mesh
    hulls: tuple[Floats, ...]
    coat: str = "body"
    fill: float = 1.0
    along: bool = False
    emission: float = 0.0

    def placed(
        self, translation: ArrayLike = (0, 0, 0), rotation: ArrayLike | None = None, scale: ArrayLike = 1.0
    ) -> "Solid":
        """Scale [1 or 3], then rotate [3, 3], then translate [3] (m)."""
        turn = np.eye(3) if rotation is None else np.asarray(rotation, float)
        matrix, shift = (turn * np.asarray(scale, float)).T, np.asarray(translation, float)
        hulls = tuple((exact.product(hull, matrix) + shift).astype(np.float32) for hull in self.hulls)
        return replace(self, mesh=self.mesh.transformed(translation, rotation, scale), hulls=hulls)

    def ghost(self) -> "Solid":
        """The same without hulls."""
        return replace(self, hulls=())


def volume_and_center(mesh: Mesh) -> tuple[float, NDArray[np.float64]]:
    """Volume (m³) and centroid [3] (m) of a closed mesh."""
    origin = mesh.vertices[0].astype(float)
    ax, ay, az, bx, by, bz, cx, cy, cz = (mesh.vertices - origin)[mesh.triangles].reshape(-1, 9).T
    volumes = (ax * (by * cz - bz * cy) + ay * (bz * cx - bx * cz) + az * (bx * cy - by * cx)) / 6
    total = float(volumes.sum())
    moment = np.array([(volumes * (a + b + c)).sum() for a, b, c in ((ax, bx, cx), (ay, by, cy), (az, bz, cz))])
    return total, origin + moment / 4 / total


# Round objects


def turned(
    profile: Rows,
    segments: int = 16,
    breaks: Sequence[float] = (),
    coat: str = "body",
    fill: float = 1.0,
    crease_rad: float = 0.7,
) -> Solid:
    """A solid of revolution about z over a profile [P, 2] of (radius, z), from the bottom up, both ends on the axis.

    breaks: heights (m) at which it is cut into hulls: where the profile is hollow to the side.
    """
    chain = np.asarray(profile, float)
    return Solid(_lathed(chain, segments, crease_rad), tuple(_stack(chain, segments, breaks)), coat, fill, along=True)


def disc(radius: float, low: float, high: float, segments: int = 12, coat: str = "body") -> Solid:
    """An upright cylinder between two heights."""
    return turned([[0, low], [radius, low], [radius, high], [0, high]], segments, (), coat)


def vessel(
    outer: Rows,
    wall: float,
    floor: float,
    segments: int = 16,
    breaks: Sequence[float] = (),
    coat: str = "body",
    fill: float = 1.0,
    crease_rad: float = 0.7,
) -> Solid:
    """A hollow object, open at the top.

    outer: [P, 2] of (radius, z), m: from (0, 0) over the foot up to the rim, z rising from the third point on. wall: m.
    floor: height of the cavity's bottom. breaks: heights at which hulls are cut. The wall above the floor has
    segments / 2 hulls per band.
    """
    chain = np.asarray(outer, float)
    rim_z = chain[-1, 1]
    heights = np.concatenate([[floor], chain[chain[:, 1] > floor + 1e-6, 1]])
    inner = np.stack([_radius_at(chain, heights) - wall, heights], axis=1)
    profile = np.concatenate([chain, inner[::-1], [[0, floor]]])
    hulls = _stack(_cut(chain, 0.0, floor), segments, [z for z in breaks if z < floor])
    levels = [floor, *(z for z in breaks if floor < z < rim_z), rim_z]
    for low, high in pairwise(levels):
        hulls += _sectors(_cut(chain, low, high), _cut(inner, low, high), segments)
    return Solid(_lathed(profile, segments, crease_rad), tuple(hulls), coat, fill, along=True)


def _lathed(profile: NDArray[np.float64], segments: int, crease_rad: float, tile: float = 0.1) -> Mesh:
    """A surface of revolution whose level faces show the texture straight from above, not wound about the axis."""
    mesh = lathe(profile, segments, tile, crease_rad)
    step = np.diff(profile, axis=0)
    step = step[exact.length(step) > 1e-9]
    level = np.repeat(np.abs(step[:, 1]) < 0.3 * np.abs(step[:, 0]), 2 * (segments + 1))
    return replace(mesh, uv=np.where(level[:, None], mesh.vertices[:, :2] / tile, mesh.uv).astype(np.float32))


def ellipsoid(radii: ArrayLike, center: ArrayLike = (0, 0, 0), segments: int = 12, coat: str = "body") -> Solid:
    """An ellipsoid with radii [3] (m) about `center`, its poles up and down."""
    return Solid(_unit_sphere(segments), (_geodesic(),), coat, along=True).placed(center, None, radii)


def bar(
    path: Rows,
    radius: ArrayLike,
    segments: int = 6,
    pieces: int = 1,
    coat: str = "body",
    closed: bool = False,
    fill: float = 1.0,
) -> Solid:
    """A round bar along a path [P, 3] (m) of one radius or one per point; a bent one touches by several pieces."""
    points = np.asarray(path, float)
    mesh = sweep(points, radius, segments, closed=closed)
    count = len(points) + closed
    rings = mesh.vertices[: count * (segments + 1)].reshape(count, segments + 1, 3)[:, :-1]
    cuts = np.unique(np.round(np.linspace(0, count - 1, pieces + 1)).astype(int))
    if closed and pieces == 1:
        cuts[-1] -= 1  # the last ring is the first
    hulls = tuple(rings[a : b + 1].reshape(-1, 3) for a, b in pairwise(cuts.tolist()))
    return Solid(mesh, tuple(_thinned(hull, segments) for hull in hulls), coat, fill, along=True)


def ring(
    radius: float, thickness: float, segments: int = 18, around: int = 8, coat: str = "body", pieces: int = 6
) -> Solid:
    """A torus about z in the plane z = 0. radius: of its middle line; thickness: radius of the tube, m.

    pieces: hulls; one, if its hole is too small for a finger.
    """
    angle = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    path = radius * np.stack([exact.cos(angle), exact.sin(angle), np.zeros(segments)], axis=1)
    return bar(path, thickness, around, pieces, coat, closed=True)


# Objects with edges


def block(size: ArrayLike, center: ArrayLike = (0, 0, 0), coat: str = "body", fitted: bool = False) -> Solid:
    """A box with sharp edges. fitted: every face shows one whole repeat of the texture."""
    mesh = box(size, center, tile=0.1)
    if fitted:
        mesh = make_mesh(mesh.vertices, mesh.normals, np.tile([[0, 0], [1, 0], [1, 1], [0, 1]], (6, 1)), mesh.triangles)
    return Solid(mesh, (np.unique(mesh.vertices, axis=0),), coat)


def prism(outline: Rows, height: float, coat: str = "body", pieces: Sequence[Rows] | None = None) -> Solid:
    """A prism from z = 0 over a star-shaped outline [P, 2] (m), counter-clockwise.

    pieces: outlines of convex pieces that make it up, if it is not convex.
    """
    outlines = [outline] if pieces is None else pieces
    return Solid(extrude(outline, height), tuple(_slab(piece, height) for piece in outlines), coat)


def rounded(half_x: float, half_y: float, corner: float, steps: int = 3) -> NDArray[np.float64]:
    """[4·steps, 2]: the outline of a rectangle with rounded corners, counter-clockwise."""
    angle = np.linspace(0, np.pi / 2, steps)
    quarter = corner * exact.circle(angle)
    x, y = half_x - corner, half_y - corner
    turns = [(1, 1), (-1, 1), (-1, -1), (1, -1)]
    arcs = [quarter, quarter[:, ::-1] * [-1, 1], -quarter, quarter[:, ::-1] * [1, -1]]
    return np.concatenate([arc + np.array([x * sx, y * sy]) for arc, (sx, sy) in zip(arcs, turns, strict=True)])


# Hulls


def _slab(outline: Rows, height: float) -> Floats:
    points = np.asarray(outline, float)
    return np.concatenate([np.column_stack([points, np.full(len(points), z)]) for z in (0.0, height)]).astype(
        np.float32
    )


def _thinned(points: Floats, ring_size: int) -> Floats:
    """At most 48 corners: whole rings [ring_size, 3] are left out, the first and the last stay."""
    rings = points.reshape(-1, ring_size, 3)
    most = MOST_CORNERS // ring_size
    if len(rings) <= most:
        return points
    return rings[np.round(np.linspace(0, len(rings) - 1, most)).astype(int)].reshape(-1, 3)


def _radius_at(chain: NDArray[np.float64], heights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Radii of the wall of a chain (radius, z) at some heights; its foot, before the second point, does not count."""
    return np.interp(heights, chain[1:, 1], chain[1:, 0])


def _cut(chain: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    """The part of a chain (radius, z) between two heights, with new points where it crosses them."""
    start, end = chain[:-1], chain[1:]
    parts = [chain[(chain[:, 1] >= low - 1e-9) & (chain[:, 1] <= high + 1e-9)]]
    for z in (low, high):
        across = (start[:, 1] - z) * (end[:, 1] - z) < 0
        share = ((z - start[across, 1]) / (end[across, 1] - start[across, 1]))[:, None]
        parts.append(start[across] + share * (end[across] - start[across]))
    return np.concatenate(parts)


def _stack(chain: NDArray[np.float64], segments: int, breaks: Sequence[float]) -> list[Floats]:
    """Hulls of a solid of revolution, cut at some heights."""
    low, high = chain[:, 1].min(), chain[:, 1].max()
    levels = [low, *(z for z in breaks if low < z < high), high]
    return [_spun(_cut(chain, a, b), segments) for a, b in pairwise(levels)]


def _spun(points: NDArray[np.float64], segments: int) -> Floats:
    """The hull about z of points (radius, z): rings at the few heights that matter most, of as many corners as fit."""
    rim = _silhouette(points)
    while len(rim) > MOST_LEVELS:
        a, b, c = rim[:-2], rim[1:-1], rim[2:]
        bulge = np.abs((b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0]))
        rim = np.delete(rim, np.argmin(bulge / exact.length(c - a)) + 1, axis=0)
    tips = rim[:, 0] < 1e-6
    sides = min(segments, (MOST_CORNERS - int(tips.sum())) // max(1, int((~tips).sum())))
    # Fewer corners than the mesh has: halfway between a polygon within its circle and one about it.
    swell = 1.0 if sides == segments else (1 + 1 / exact.cos(np.pi / sides)) / 2
    angle = 2 * np.pi * np.arange(sides) / sides
    circle = swell * exact.circle(angle)
    rings = [
        np.array([[0.0, 0.0, z]]) if tip else np.column_stack([circle * r, np.full(sides, z)])
        for (r, z), tip in zip(rim, tips, strict=True)
    ]
    return np.concatenate(rings).astype(np.float32)


def _silhouette(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The outer chain, from the bottom up, of the convex hull of points (radius, z) and their mirror images."""
    chain: list[NDArray[np.float64]] = []
    for point in points[np.lexsort((points[:, 0], points[:, 1]))]:
        while len(chain) >= 2 and _turns_left(chain[-2], chain[-1], point) <= 1e-12:
            chain.pop()
        chain.append(point)
    # Sorted by height, then radius: of the points on the lowest level only the outermost is a corner.
    while len(chain) >= 2 and chain[1][1] - chain[0][1] < 1e-9:
        chain.pop(0)
    return np.array(chain)


def _turns_left(a: NDArray[np.float64], b: NDArray[np.float64], c: NDArray[np.float64]) -> float:
    return float((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))


def _sectors(outer: NDArray[np.float64], inner: NDArray[np.float64], segments: int) -> list[Floats]:
    """Hulls of a wall about z between two chains (radius, z), each two segments of the mesh wide."""
    outer, inner = (chain[np.unique(np.round(np.linspace(0, len(chain) - 1, 5)).astype(int))] for chain in (
        outer[np.argsort(outer[:, 1], kind="stable")], inner[np.argsort(inner[:, 1], kind="stable")]))  # fmt: skip
    hulls = []
    for first in range(0, segments, 2):
        angle = 2 * np.pi * (first + np.arange(3)) / segments
        circle = exact.circle(angle)
        parts = []
        for chain, spokes in ((outer, circle), (inner, circle[::2])):  # of the inner arc its chord touches first
            for r, z in chain:
                parts.append(np.column_stack([spokes * r, np.full(len(spokes), z)]))
        hulls.append(np.concatenate(parts).astype(np.float32))
    return hulls


@lru_cache(maxsize=16)
def _unit_sphere(segments: int) -> Mesh:
    """A sphere of radius 1 m whose texture repeats as on an object of 5 cm."""
    return sphere(1.0, segments, tile=2.0)


@lru_cache(maxsize=1)
def _geodesic() -> Floats:
    """[42, 3]: corners spread evenly over the unit sphere, a little outside, so that the volume agrees."""
    golden = (1 + math.sqrt(5)) / 2
    corners = np.array([[0, s, t * golden] for s in (-1, 1) for t in (-1, 1)])
    corners = np.concatenate([np.roll(corners, shift, axis=1) for shift in range(3)])
    gap = exact.length(corners[:, None] - corners[None])
    first, second = np.nonzero(np.triu(np.abs(gap - 2) < 1e-6))
    points = np.concatenate([corners, (corners[first] + corners[second]) / 2])
    return (1.03 * points / exact.length(points)[:, None]).astype(np.float32)
