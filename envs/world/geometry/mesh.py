"""Triangle meshes and the few ways of modelling them: lathe, extrusion, sweep, box.

Every mesh is right-handed with z up, in metres; triangles are counter-clockwise seen from outside;
texture coordinates count repeats of a tileable texture, whose side is `tile` metres on the surface.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from embodied_ssl.envs.world import exact

Floats = NDArray[np.float32]
Rows = Sequence[Sequence[float] | NDArray[np.floating]] | NDArray[np.floating]  # of points, in lists or an array


@dataclass(frozen=True, eq=False)
class Mesh:
    """A triangle mesh.

    vertices: float32 [V, 3], m. normals: float32 [V, 3], unit. uv: float32 [V, 2], texture repeats.
    triangles: int32 [T, 3], counter-clockwise seen from outside.
    """

    vertices: Floats
    normals: Floats
    uv: Floats
    triangles: NDArray[np.int32]

    @property
    def area(self) -> float:
        """Of its surface, m²."""
        a, b, c = self.vertices.astype(float)[self.triangles.T]  # [T, 3] each
        (ux, uy, uz), (vx, vy, vz) = (b - a).T, (c - a).T
        return exact.total(exact.hypot(uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx)) / 2

    def transformed(
        self, translation: ArrayLike = (0, 0, 0), rotation: ArrayLike | None = None, scale: ArrayLike = 1.0
    ) -> "Mesh":
        """Scale [1 or 3], then rotate [3, 3], then translate [3] (m). A mirroring scale keeps the outside outside."""
        factors = np.broadcast_to(np.asarray(scale, float), 3)
        turn = np.eye(3) if rotation is None else np.asarray(rotation, float)
        vertices = exact.product(self.vertices * factors, turn.T) + np.asarray(translation, float)
        normals = exact.product(self.normals / factors, turn.T)
        normals /= np.maximum(exact.length(normals)[:, None], 1e-12)
        triangles = self.triangles[:, ::-1] if np.prod(factors) < 0 else self.triangles
        return make_mesh(vertices, normals, self.uv, triangles)

    def with_uv_scale(self, factor: float) -> "Mesh":
        """The same mesh with `factor` times as many texture repeats."""
        return make_mesh(self.vertices, self.normals, self.uv * factor, self.triangles)


def make_mesh(vertices: ArrayLike, normals: ArrayLike, uv: ArrayLike, triangles: ArrayLike) -> Mesh:
    """A Mesh from anything array-like, in its storage types."""
    return Mesh(
        np.ascontiguousarray(vertices, np.float32).reshape(-1, 3),
        np.ascontiguousarray(normals, np.float32).reshape(-1, 3),
        np.ascontiguousarray(uv, np.float32).reshape(-1, 2),
        np.ascontiguousarray(triangles, np.int32).reshape(-1, 3),
    )


def merge(meshes: Sequence[Mesh]) -> Mesh:
    """One mesh of several."""
    offsets = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes])
    return make_mesh(
        np.concatenate([mesh.vertices for mesh in meshes]),
        np.concatenate([mesh.normals for mesh in meshes]),
        np.concatenate([mesh.uv for mesh in meshes]),
        np.concatenate([mesh.triangles + offset for mesh, offset in zip(meshes, offsets, strict=False)]),
    )


def rotation_z(angle_rad: float) -> NDArray[np.float64]:
    """[3, 3], a turn about the z axis."""
    c, s = exact.cos(angle_rad), exact.sin(angle_rad)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def rotation_x(angle_rad: float) -> NDArray[np.float64]:
    """[3, 3], a turn about the x axis."""
    c, s = exact.cos(angle_rad), exact.sin(angle_rad)
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def rotation_y(angle_rad: float) -> NDArray[np.float64]:
    """[3, 3], a turn about the y axis."""
    c, s = exact.cos(angle_rad), exact.sin(angle_rad)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def quad(origin: ArrayLike, side_u: ArrayLike, side_v: ArrayLike, tile: float = 1.0) -> Mesh:
    """A one-sided parallelogram from `origin` along two sides [3] (m), facing side_u × side_v."""
    corner, u, v = (np.asarray(x, float) for x in (origin, side_u, side_v))
    normal = np.cross(u, v)
    normal /= exact.length(normal)
    du, dv = exact.length(u) / tile, exact.length(v) / tile
    return make_mesh(
        [corner, corner + u, corner + u + v, corner + v],
        np.tile(normal, (4, 1)),
        np.array([[0, 0], [du, 0], [du, dv], [0, dv]]),
        [[0, 1, 2], [0, 2, 3]],
    )


# Front (−y), right (+x), back (+y), left (−x), top, bottom: where the texture starts, and the sides of each face.
_BOX_CORNERS = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1], [0, 1, 0]], float)
_BOX_SIDES_U = np.array([[1, 0, 0], [0, 1, 0], [-1, 0, 0], [0, -1, 0], [1, 0, 0], [1, 0, 0]], float)
_BOX_SIDES_V = np.array([[0, 0, 1], [0, 0, 1], [0, 0, 1], [0, 0, 1], [0, 1, 0], [0, -1, 0]], float)
_BOX_NORMALS = np.repeat(np.cross(_BOX_SIDES_U, _BOX_SIDES_V), 4, axis=0)
_BOX_TRIANGLES = 4 * np.arange(6)[:, None, None] + np.array([[0, 1, 2], [0, 2, 3]])


def box(size: ArrayLike, center: ArrayLike = (0, 0, 0), tile: float = 1.0) -> Mesh:
    """A box with sharp edges. size: [3], m, full sides; texture upright on the four sides."""
    full = np.asarray(size, float)
    low = np.asarray(center, float) - full / 2
    corner, u, v = (low + _BOX_CORNERS * full, _BOX_SIDES_U * full, _BOX_SIDES_V * full)  # [6, 3] each
    vertices = np.array([corner, corner + u, corner + u + v, corner + v]).swapaxes(0, 1)
    uv = np.zeros((6, 4, 2))
    uv[:, 1:3, 0] = (np.abs(u).sum(axis=1) / tile)[:, None]
    uv[:, 2:, 1] = (np.abs(v).sum(axis=1) / tile)[:, None]
    return make_mesh(vertices, _BOX_NORMALS, uv, _BOX_TRIANGLES)


def lathe(profile: Rows, segments: int = 16, tile: float = 0.1, crease_rad: float = 0.7) -> Mesh:
    """A surface of revolution about z.

    profile: [P, 2] of (radius, z) in m, run so that the outside is on its right hand: from the bottom up along
    the outer wall (and down the inner wall of a hollow object). Corners sharper than `crease_rad` stay sharp.
    """
    points = np.asarray(profile, float)
    step = np.diff(points, axis=0)
    length = exact.length(step)
    keep = length > 1e-9
    starts, ends, step, length = points[:-1][keep], points[1:][keep], step[keep], length[keep]
    face = np.stack([step[:, 1], -step[:, 0]], axis=1) / length[:, None]  # outward normals of the strips, in (r, z)
    smooth = np.sum(face[1:] * face[:-1], axis=1) > exact.cos(crease_rad)
    start_normal, end_normal = face.copy(), face.copy()
    mean = face[1:] + face[:-1]
    mean /= np.maximum(exact.length(mean)[:, None], 1e-9)
    start_normal[1:][smooth] = mean[smooth]
    end_normal[:-1][smooth] = mean[smooth]
    along = np.concatenate([[0], np.cumsum(length)]) / tile
    around = max(1.0, np.round(2 * np.pi * points[:, 0].max() / tile))  # whole repeats, so that the seam closes

    angle = np.linspace(0, 2 * np.pi, segments + 1)
    circle = exact.circle(angle)
    circle[-1] = circle[0]
    # Per strip, a ring of vertices at its start and one at its end: [strips, 2, segments + 1, ...].
    ends_of_strip, strips = np.stack([starts, ends], axis=1), len(starts)
    rings = np.stack([start_normal, end_normal], axis=1)
    shape = (strips, 2, segments + 1, 1)
    vertices = np.concatenate(
        [circle * ends_of_strip[:, :, None, :1], np.broadcast_to(ends_of_strip[:, :, None, 1:], shape)], axis=3
    )
    normals = np.concatenate([circle * rings[:, :, None, :1], np.broadcast_to(rings[:, :, None, 1:], shape)], axis=3)
    uv = np.empty((strips, 2, segments + 1, 2))
    uv[..., 0] = np.linspace(0, around, segments + 1)
    uv[..., 1] = np.stack([along[:-1], along[1:]], axis=1)[:, :, None]
    a = np.arange(segments) + 2 * (segments + 1) * np.arange(strips)[:, None]
    b, c, d = a + 1, a + segments + 2, a + segments + 1
    triangles = np.stack([a, b, c, a, c, d], axis=2).reshape(strips, segments, 2, 3)
    keep_both = np.stack([starts[:, 0] > 1e-9, ends[:, 0] > 1e-9], axis=1)  # at the axis a strip is a fan
    keep_both = np.broadcast_to(keep_both[:, None], (strips, segments, 2))
    return make_mesh(vertices, normals, uv, triangles[keep_both])


def cylinder(radius: float, height: float, segments: int = 16, tile: float = 0.1) -> Mesh:
    """A closed cylinder standing on z = 0."""
    return lathe([[0, 0], [radius, 0], [radius, height], [0, height]], segments, tile)


def sphere(radius: float, segments: int = 16, tile: float = 0.1) -> Mesh:
    """A sphere about the origin."""
    polar = np.linspace(-np.pi / 2, np.pi / 2, max(4, segments // 2) + 1)
    profile = radius * exact.circle(polar)
    profile[[0, -1], 0] = 0
    return lathe(profile, segments, tile)


def capsule(radius: float, length: float, segments: int = 16, tile: float = 0.1) -> Mesh:
    """A cylinder about the origin, along z, with half a sphere beyond either end. length: without these."""
    polar = np.linspace(0, np.pi / 2, max(4, segments // 2) // 2 + 1)
    upper = radius * exact.circle(polar) + [0, length / 2]
    upper[-1, 0] = 0
    return lathe(np.concatenate([upper[::-1] * [1, -1], upper]), segments, tile)


def extrude(outline: Rows, height: float, tile: float = 0.1, crease_rad: float = 0.7) -> Mesh:
    """A prism over a star-shaped outline ([P, 2], m, counter-clockwise) from z = 0 to `height`, with flat caps."""
    points = np.asarray(outline, float)
    count = len(points)
    step = np.roll(points, -1, axis=0) - points
    length = exact.length(step)
    face = np.stack([step[:, 1], -step[:, 0]], axis=1) / length[:, None]
    before = np.roll(face, 1, axis=0)
    mean = face + before
    mean /= np.maximum(exact.length(mean)[:, None], 1e-9)
    smooth = (np.sum(face * before, axis=1) > exact.cos(crease_rad))[:, None]
    start_normal = np.where(smooth, mean, face)
    end_normal = np.where(np.roll(smooth, -1, axis=0), np.roll(mean, -1, axis=0), face)
    along = np.concatenate([[0], np.cumsum(length)]) / tile

    following = np.roll(points, -1, axis=0)
    zeros, top = np.zeros((count, 1)), np.full((count, 1), height)
    wall = np.stack(
        [
            np.hstack([points, zeros]),
            np.hstack([following, zeros]),
            np.hstack([following, top]),
            np.hstack([points, top]),
        ],
        axis=1,
    )
    wall_normals = np.stack([start_normal, end_normal, end_normal, start_normal], axis=1)
    wall_normals = np.concatenate([wall_normals, np.zeros((count, 4, 1))], axis=2)
    rise = height / tile
    wall_uv = np.stack(
        [
            np.stack([along[:-1], np.zeros(count)], axis=1),
            np.stack([along[1:], np.zeros(count)], axis=1),
            np.stack([along[1:], np.full(count, rise)], axis=1),
            np.stack([along[:-1], np.full(count, rise)], axis=1),
        ],
        axis=1,
    )
    k = 4 * np.arange(count)[:, None]
    sides = make_mesh(wall, wall_normals, wall_uv, np.concatenate([k + [0, 1, 2], k + [0, 2, 3]]))

    center = points.mean(axis=0)
    rim = np.vstack([points, center])
    fan = np.stack([np.arange(count), (np.arange(count) + 1) % count, np.full(count, count)], axis=1)
    up = np.tile([0, 0, 1], (count + 1, 1))
    lid = make_mesh(np.column_stack([rim, np.full(count + 1, height)]), up, rim / tile, fan)
    bottom = make_mesh(np.column_stack([rim, np.zeros(count + 1)]), -up, rim / tile, fan[:, ::-1])
    return merge([sides, lid, bottom])


def sweep(path: Rows, radius: ArrayLike, segments: int = 8, tile: float = 0.1, closed: bool = False) -> Mesh:
    """A round tube along a path ([P, 3], m) of one radius or one per point ([P], m), with capped ends unless closed."""
    points = np.asarray(path, float)
    radii = np.broadcast_to(np.asarray(radius, float), len(points))
    if closed:
        points, radii = np.vstack([points, points[:1]]), np.append(radii, radii[0])
        tangent = np.vstack([points[1:2] - points[-2:-1], points[2:] - points[:-2], points[1:2] - points[-2:-1]])
    else:
        tangent = np.gradient(points, axis=0)
    tangent = exact.unit(tangent)
    across = np.cross(tangent[0], np.eye(3)[np.argmin(np.abs(tangent[0]))])
    side = np.empty_like(points)
    for i, t in enumerate(tangent):  # parallel transport: the frame turns as little as it can
        across = across - t * (across * t).sum()
        across /= exact.length(across)
        side[i] = across
    if closed:
        side[-1] = side[0]
    other = np.cross(tangent, side)

    angle = np.linspace(0, 2 * np.pi, segments + 1)
    normals = exact.cos(angle)[None, :, None] * side[:, None] + exact.sin(angle)[None, :, None] * other[:, None]
    normals[:, -1] = normals[:, 0]
    vertices = points[:, None] + radii[:, None, None] * normals
    along = np.concatenate([[0], np.cumsum(exact.length(np.diff(points, axis=0)))]) / tile
    around = max(1.0, np.round(2 * np.pi * radii.max() / tile))
    u, v = np.meshgrid(np.linspace(0, around, segments + 1), along)
    a = (np.arange(len(points) - 1)[:, None] * (segments + 1) + np.arange(segments)).ravel()
    b, d = a + 1, a + segments + 1
    c = d + 1
    tube = make_mesh(vertices, normals, np.stack([u, v], axis=-1), np.concatenate([np.c_[a, b, c], np.c_[a, c, d]]))
    if closed:
        return tube
    ends = [_disc(vertices[0, ::-1], -tangent[0], tile), _disc(vertices[-1], tangent[-1], tile)]
    return merge([tube, *ends])


def _disc(rim: NDArray[np.float64], normal: NDArray[np.float64], tile: float) -> Mesh:
    """A flat fan over a closed rim [S + 1, 3] that runs counter-clockwise about its normal."""
    count = len(rim) - 1
    fan = np.stack([np.arange(count), np.arange(1, count + 1), np.full(count, count + 1)], axis=1)
    points = np.vstack([rim, rim[:-1].mean(axis=0)])
    return make_mesh(points, np.tile(normal, (count + 2, 1)), points[:, :2] / tile, fan)
