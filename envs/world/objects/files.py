"""Objects from mesh files, and from what URDF files show, made ready to be seen and touched."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.spatial import ConvexHull, QhullError

from embodied_ssl.envs.world import exact
from embodied_ssl.envs.world.assets import Asset, Part
from embodied_ssl.envs.world.geometry import mesh_files
from embodied_ssl.envs.world.geometry.mesh import Mesh, make_mesh
from embodied_ssl.envs.world.geometry.mesh_files import Triangles, flat_texture, read_triangles
from embodied_ssl.envs.world.geometry.solids import MOST_CORNERS
from embodied_ssl.envs.world.geometry.urdf import origin_of, read_urdf, triangles_of
from embodied_ssl.envs.world.materials import MATERIALS, OBJECT_MATERIALS
from embodied_ssl.envs.world.textures.families import texture

SUFFIXES = (".urdf", *mesh_files.SUFFIXES)
MOST_TRIANGLES = 1500  # more are merged: rendering cost follows their number
CREASE = 0.77  # cosine of 40°: sharper edges stay sharp
SMALLEST_M, LARGEST_M, USUAL_M = 0.02, 0.4, 0.12
SOLID_SHARE = 0.4  # of its convex hull, what is matter
TEXTURE_TILE_M = 0.1


@dataclass(frozen=True, eq=False)
class Shape:
    """An object's meshes and hull about its centre of mass, and the volume of its matter (m³).

    meshes: by colour, uint8 sRGB; None is the one of what the file gives no colour.
    """

    meshes: dict[tuple[int, int, int] | None, Mesh]
    hull: NDArray[np.float32]
    volume: float


@lru_cache(maxsize=4096)
def object_from_file(path: Path, category: str, instance: int, stamp: int = 0) -> Asset:
    """The object in a mesh or .urdf file, as a category of its own; the instance draws its material and texture.

    Files say nothing of what an object is made of. The base colours that a mesh file gives are worn in the place of a
    texture, one per triangle; an image in it counts by its mean. An object whose longest side is not between 2 and 40
    cm is scaled to 12 cm. stamp: of the state of the files, which are read again when it is another. Raises ValueError
    naming the file if there is nothing to see or touch in it.
    """
    if instance < 0:
        raise ValueError(f"an object's instance is 0 or more, not {instance}")
    shape = _load_shape(path, stamp)
    rng = np.random.default_rng([*category.encode(), instance])
    material = MATERIALS[OBJECT_MATERIALS[rng.integers(len(OBJECT_MATERIALS))]]
    family = material.textures[rng.integers(len(material.textures))]
    drawn = texture(family, int(rng.integers(96)), 64)
    parts = (
        Part(mesh, drawn if colour is None else flat_texture(colour), material.gloss)
        for colour, mesh in shape.meshes.items()
    )
    mass = float(np.clip(material.density * shape.volume, 0.03, 1.5))
    return Asset(category, instance, material, tuple(parts), (shape.hull,), mass)


@lru_cache(maxsize=1024)
def _load_shape(path: Path, stamp: int) -> Shape:
    shown = _load_urdf(path) if path.suffix.lower() == ".urdf" else read_triangles(path)
    corners = shown.corners
    if not np.isfinite(corners).all():
        raise ValueError(f"{path} holds NaN or infinite vertices; leave it out of the set")
    longest = float(np.ptp(corners.reshape(-1, 3), axis=0).max(initial=0.0))
    if longest > 0 and not SMALLEST_M <= longest <= LARGEST_M:
        corners = corners * (USUAL_M / longest)
    points = np.unique(corners.reshape(-1, 3), axis=0)
    try:
        whole = ConvexHull(points)
    except (QhullError, ValueError) as error:
        raise ValueError(f"{path} is flat or empty: {len(points)} distinct vertices enclose no volume") from error
    center = _centroid(points, whole)
    corners, kept = coarsened(corners)
    meshes = {colour: mesh_of(corners[worn] - center) for colour, worn in _by_colour(shown, kept)}
    return Shape(meshes, few_corners(points[whole.vertices] - center), SOLID_SHARE * whole.volume)


def _by_colour(shown: Triangles, kept: NDArray[np.int64]) -> Iterator[tuple[Any, NDArray[np.bool_]]]:
    """Each colour, None for none, and which of the kept triangles wear it."""
    colours, coloured = shown.colours[kept], shown.coloured[kept]
    if not coloured.all():
        yield None, ~coloured
    for colour in np.unique(colours[coloured], axis=0):
        yield tuple(colour.tolist()), coloured & (colours == colour).all(axis=1)


def _load_urdf(path: Path) -> Triangles:
    """What a URDF shows, its joints at zero; the colours of its meshes are not taken."""
    robot = read_urdf(path).getroot()
    joints = {}
    for joint in robot.findall("joint"):
        parent, child = joint.find("parent"), joint.find("child")
        if parent is None or child is None:
            raise ValueError(f"{path}: joint {joint.get('name')!r} lacks a parent or a child")
        joints[child.get("link")] = (parent.get("link"), origin_of(path, joint))
    pieces = []
    for link in robot.findall("link"):
        pose: NDArray[np.float64] = np.eye(4)
        name = link.get("name")
        for _ in range(len(joints) + 1):
            if name not in joints:
                break
            name, step = joints[name]
            pose = exact.product(step, pose)
        else:
            raise ValueError(f"{path}: the joints above link {link.get('name')!r} run in a circle")
        for visual in link.findall("visual"):
            matrix = exact.product(pose, origin_of(path, visual))
            pieces.append(exact.product(triangles_of(path, visual).corners, matrix[:3, :3].T) + matrix[:3, 3])
    if not pieces:
        raise ValueError(f"{path} shows nothing: no link has a visual")
    corners = np.concatenate(pieces)
    return Triangles(corners, np.zeros((len(corners), 3), np.uint8), np.zeros(len(corners), bool))


def _centroid(points: NDArray[np.float64], hull: ConvexHull) -> NDArray[np.float64]:
    inside = points[hull.vertices].mean(axis=0)
    corners = points[hull.simplices] - inside
    volumes = np.abs((corners[:, 0] * np.cross(corners[:, 1], corners[:, 2])).sum(axis=1))
    return inside + (volumes[:, None] * corners.sum(axis=1)).sum(axis=0) / 4 / volumes.sum()


def few_corners(points: NDArray[np.float64]) -> NDArray[np.float32]:
    """At most 48 corners of a convex set: those farthest out in 48 directions spread over the sphere."""
    if len(points) > MOST_CORNERS:
        k = np.arange(MOST_CORNERS) + 0.5
        z, turn = 1 - 2 * k / MOST_CORNERS, np.pi * (1 + math.sqrt(5)) * k
        flat = np.sqrt(1 - z * z)
        ways = np.stack([flat * exact.cos(turn), flat * exact.sin(turn), z], axis=1)
        points = points[np.unique(np.argmax(exact.product(points, ways.T), axis=0))]
    return points.astype(np.float32)


def coarsened(
    corners: NDArray[np.float64], most: int = MOST_TRIANGLES
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """At most so many triangles, and which they were: vertices that share a cell of ever coarser grids become one."""
    cells, kept = 128, np.arange(len(corners))
    while len(corners) > most and cells > 8:
        flat = corners.reshape(-1, 3)
        low = flat.min(axis=0)
        cell = np.floor((flat - low) / (np.ptp(flat, axis=0).max() / cells)).astype(int)
        _, owner, count = np.unique(cell, axis=0, return_inverse=True, return_counts=True)
        owner = owner.ravel()
        middle = np.stack([np.bincount(owner, flat[:, axis]) for axis in range(3)], axis=1) / count[:, None]
        number = owner.reshape(-1, 3)
        merged = middle[number]
        lost = (number == np.roll(number, 1, axis=1)).any(axis=1)
        lost |= (_facing(merged) * _facing(corners)).sum(axis=1) <= 0  # folded over
        corners, kept = merged[~lost], kept[~lost]
        cells = cells * 3 // 4
    return corners, kept


def _facing(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """[T, 3]: normals of triangles, twice as long as their areas are large."""
    return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])


def mesh_of(corners: NDArray[np.float64]) -> Mesh:
    """A mesh of triangle corners [T, 3, 3]: normals smooth except at creases, the texture projected along the axes."""
    normal = _facing(corners)
    area = exact.length(normal)
    corners, normal = corners[area > 1e-14], normal[area > 1e-14]
    unit = normal / exact.length(normal)[:, None]
    flat = corners.reshape(-1, 3)
    face = np.repeat(np.arange(len(corners)), 3)
    _, owner = np.unique(np.round(flat / 1e-6).astype(np.int64), axis=0, return_inverse=True)
    touches = csr_matrix((np.ones(len(flat)), (owner.ravel(), face)))
    pairs = (touches[owner.ravel()]).tocoo()  # corner → the faces around its vertex
    near = (unit[face[pairs.row]] * unit[pairs.col]).sum(axis=1) > CREASE
    normals = np.zeros_like(flat)
    np.add.at(normals, pairs.row[near], normal[pairs.col[near]])
    normals /= np.maximum(exact.length(normals)[:, None], 1e-30)

    axis = np.argmax(np.abs(unit), axis=1)[face]
    across = np.where(axis == 0, 1, 0)
    up = np.where(axis == 2, 1, 2)
    rows = np.arange(len(flat))
    uv = np.stack([flat[rows, across], flat[rows, up]], axis=1) / TEXTURE_TILE_M
    table = np.round(np.column_stack([flat / 1e-6, normals / 1e-3, axis])).astype(np.int64)
    _, first, number = np.unique(table, axis=0, return_index=True, return_inverse=True)
    return make_mesh(flat[first], normals[first], uv[first], number.reshape(-1, 3))
