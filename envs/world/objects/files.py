"""Objects from mesh files, and from what URDF files show, made ready to be seen and touched."""

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.spatial import ConvexHull, QhullError

from embodied_ssl.envs.world import exact
from embodied_ssl.envs.world.assets import Asset, Part, Texture
from embodied_ssl.envs.world.geometry import mesh_files
from embodied_ssl.envs.world.geometry.decomposition import convex_pieces
from embodied_ssl.envs.world.geometry.mesh import Mesh, make_mesh
from embodied_ssl.envs.world.geometry.mesh_files import Triangles, flat_texture, plain, read_triangles
from embodied_ssl.envs.world.geometry.solids import MOST_CORNERS
from embodied_ssl.envs.world.materials import MATERIALS, OBJECT_MATERIALS
from embodied_ssl.envs.world.objects.urdf_objects import Described, read_object
from embodied_ssl.envs.world.textures.families import texture

SUFFIXES = (".urdf", *mesh_files.SUFFIXES)
MOST_TRIANGLES = 1500  # more are merged: rendering cost follows their number
CREASE = 0.77  # cosine of 40°: sharper edges stay sharp
SMALLEST_M, LARGEST_M, USUAL_M = 0.02, 0.4, 0.12
SOLID_SHARE = 0.4  # of its convex hull, what is matter
TEXTURE_TILE_M = 0.1
MOST_TEXELS = 8  # log2 of the side of a texture
NAMES = {1.0: "metres", 0.001: "millimetres", 0.01: "centimetres"}
UNITS = list(NAMES)  # that a file without one may mean
MILLIMETRE = 0.001


@dataclass(frozen=True, eq=False)
class Shape:
    """An object about its centre of mass, m.

    parts: each mesh with the texture that the file gives it, None for none. hulls: [K, 3] each. volume: of its matter,
    m³. mass: kg; None where the file does not say. surface: what it says of its material.
    """

    parts: tuple[tuple[Mesh, Texture | None], ...]
    hulls: tuple[NDArray[np.float32], ...]
    volume: float
    mass: float | None
    surface: dict[str, Any]


@lru_cache(maxsize=4096)
def object_from_file(path: Path, category: str, instance: int, stamp: int = 0, shape_only: bool = False) -> Asset:
    """The object in a mesh or .urdf file, as a category of its own; the instance draws its material and texture.

    What a file says is kept: images and colours, and of a URDF mass, friction, restitution, stiffness, damping and
    collision shapes. A concave one is decomposed. Sizes are metres where a format or a file says so; else the first of
    metres, millimetres and centimetres in which the object is 2 to 40 cm long. One that is not, is scaled to 12 cm. A
    warning says what was changed. stamp: of the state of the files, which are read again when it is another.
    shape_only: draw all but the shape, which touches as its hull. Raises ValueError naming the file if there is nothing
    to see or touch in it.
    """
    if instance < 0:
        raise ValueError(f"an object's instance is 0 or more, not {instance}")
    shape = _load_shape(path, stamp, shape_only)
    rng = np.random.default_rng([*category.encode(), instance])
    material = MATERIALS[OBJECT_MATERIALS[rng.integers(len(OBJECT_MATERIALS))]]
    family = material.textures[rng.integers(len(material.textures))]
    drawn = texture(family, int(rng.integers(96)), 64)
    parts = tuple(Part(mesh, drawn if worn is None else worn, material.gloss) for mesh, worn in shape.parts)
    mass = float(np.clip(material.density * shape.volume, 0.03, 1.5))
    if shape.mass is not None:
        mass, material = shape.mass, replace(material, density=shape.mass / shape.volume)
    return Asset(category, instance, replace(material, **shape.surface), parts, shape.hulls, mass)


@lru_cache(maxsize=1024)
def _load_shape(path: Path, stamp: int, shape_only: bool) -> Shape:
    said = read_object(path) if path.suffix.lower() == ".urdf" else Described(read_triangles(path), (), None, None, {})
    if shape_only:
        said = Described(plain(said.shown.corners), (), None, None, {})
    shown = said.shown
    if not np.isfinite(shown.corners).all():
        raise ValueError(f"{path} holds NaN or infinite vertices; leave it out of the set")
    scale, changed = _scale(shown)
    corners = shown.corners if scale == 1 else shown.corners * scale
    points = np.unique(corners.reshape(-1, 3), axis=0)
    try:
        whole = ConvexHull(points)
    except (QhullError, ValueError) as error:
        raise ValueError(f"{path} is flat or empty: {len(points)} distinct vertices enclose no volume") from error
    if changed and not shape_only:
        warnings.warn(f"{path}: {changed}", stacklevel=2)
    volume, center = SOLID_SHARE * whole.volume, _centroid(points, whole)
    touched = [each * scale for each in said.touched] or [corners]
    pieces = [piece for each in touched for piece in _pieces(each, path)] if not shape_only else []
    if len(pieces) > 1:
        filled = [ConvexHull(piece, qhull_options="QJ") for piece in pieces]  # whatever its shape
        volume = min(volume, sum(hull.volume for hull in filled))
        middles = [_centroid(piece.astype(float), hull) for piece, hull in zip(pieces, filled, strict=True)]
        center = np.average(middles, axis=0, weights=[hull.volume for hull in filled])
    if said.centre is not None:
        center = said.centre * scale
    hulls = tuple((piece - center).astype(np.float32) for piece in pieces)
    if not said.touched and len(pieces) < 2:
        hulls = (few_corners(points[whole.vertices] - center),)
    parts = tuple(_parts(shown, corners, center))
    mass = said.mass  # kg, whatever the unit of lengths; what is made smaller keeps its density
    if mass is not None and scale not in UNITS:
        mass *= scale * scale * scale
    return Shape(parts, hulls, volume, mass, said.surface)


def _pieces(corners: NDArray[np.float64], path: Path) -> list[NDArray[np.float32]]:
    """The convex hulls of a shape, one where it is convex, and where nothing decomposes it."""
    try:
        pieces = convex_pieces(corners)
    except ModuleNotFoundError:
        pieces, how = [], "pip install 'embodied-ssl[objects]' decomposes it"
        warnings.warn(f"{path}: it is concave, and touches as its convex hull; {how}", stacklevel=2)
    return pieces or [few_corners(np.unique(corners.reshape(-1, 3), axis=0))]


def _scale(shown: Triangles) -> tuple[float, str]:
    """By which its numbers become metres, and a word where it is not what the file says."""
    longest = float(np.ptp(shown.corners.reshape(-1, 3), axis=0).max(initial=0.0))
    if longest == 0:
        return 1.0, ""
    given = shown.metres_per_unit
    for unit in [given] if given else UNITS:
        if SMALLEST_M <= longest * unit <= LARGEST_M:
            named = "" if unit == (given or 1.0) else f"it is {longest:g} long, in no unit; it is read as {NAMES[unit]}"
            return unit, named
    size = f"{longest * given:.3g} m long" if given else f"{longest:.3g} long, in no unit"
    if given == 1.0 and SMALLEST_M <= longest * MILLIMETRE <= LARGEST_M:
        return MILLIMETRE, f"it is {size}; it is read as {NAMES[MILLIMETRE]}"
    return USUAL_M / longest, f"it is {size}; it is scaled to {USUAL_M:g} m, for a table"


def _parts(
    shown: Triangles, corners: NDArray[np.float64], center: NDArray[np.float64]
) -> Iterator[tuple[Mesh, Texture | None]]:
    """Its triangles, few enough, about its centre: those of each image, and of each colour."""
    corners, kept = coarsened(corners)
    colours, coloured, image = shown.colours[kept], shown.coloured[kept], shown.image[kept]
    for number, picture in enumerate(shown.images):
        if (image == number).any():
            yield mesh_of(corners[image == number] - center, shown.uv[kept][image == number]), _fitted(picture)
    if (neither := ~coloured & (image < 0)).any():
        yield mesh_of(corners[neither] - center), None
    for colour in np.unique(colours[coloured], axis=0):
        worn = coloured & (colours == colour).all(axis=1)
        yield mesh_of(corners[worn] - center), flat_texture(tuple(colour.tolist()))


def _fitted(image: NDArray[np.uint8]) -> Texture:
    """An image as a texture: square, its side a power of two. It tiles as well as it does."""
    side = 1 << min(MOST_TEXELS, max(2, max(image.shape[:2]).bit_length() - 1))
    scaled = cv2.resize(np.ascontiguousarray(image), (side, side), interpolation=cv2.INTER_AREA)
    return Texture(np.ascontiguousarray(scaled[::-1]))


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


def mesh_of(corners: NDArray[np.float64], uv: NDArray[np.float64] | None = None) -> Mesh:
    """A mesh of triangle corners [T, 3, 3]: normals smooth except at creases.

    uv: [T, 3, 2], texture repeats; None: the texture is projected along the axes.
    """
    normal = _facing(corners)
    area = exact.length(normal)
    corners, normal, given = corners[area > 1e-14], normal[area > 1e-14], None if uv is None else uv[area > 1e-14]
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
    projected = np.stack([flat[rows, across], flat[rows, up]], axis=1) / TEXTURE_TILE_M
    uv = projected if given is None else given.reshape(-1, 2)
    seams = axis if given is None else uv / 1e-5
    table = np.round(np.column_stack([flat / 1e-6, normals / 1e-3, seams])).astype(np.int64)
    _, first, number = np.unique(table, axis=0, return_index=True, return_inverse=True)
    return make_mesh(flat[first], normals[first], uv[first], number.reshape(-1, 3))
