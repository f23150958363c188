"""Triangles, colours and images from mesh files: OBJ, glTF and GLB, PLY, OFF, STL."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.envs.world import exact
from embodied_ssl.envs.world.assets import Texture

SUFFIXES = (".obj", ".glb", ".gltf", ".ply", ".off", ".stl")  # of files of one name, the first is taken
MOST_COLOURS = 16  # of an object; one of more wears their mean
_UPWARDS_Y = (".glb", ".gltf")  # their format says so; ours is z
_GREY = (102, 102, 102)  # trimesh's, where a material gives no colour


@dataclass(frozen=True, eq=False)
class Triangles:
    """Corners [T, 3, 3] as a file gives them, and what they wear.

    colours: uint8 [T, 3], sRGB. coloured: bool [T], whether the file gives one. uv: [T, 3, 2], texture repeats. image:
    int [T], which of `images` (uint8 [H, W, 3], sRGB) they wear, −1 for none. metres_per_unit: None where the file does
    not say in what it measures.
    """

    corners: NDArray[np.float64]
    colours: NDArray[np.uint8]
    coloured: NDArray[np.bool_]
    uv: NDArray[np.float64]
    image: NDArray[np.int64]
    images: tuple[NDArray[np.uint8], ...] = ()
    metres_per_unit: float | None = None


def plain(corners: NDArray[np.float64]) -> Triangles:
    """Triangles that wear nothing, in metres."""
    count = len(corners)
    return Triangles(
        corners, np.zeros((count, 3), np.uint8), np.zeros(count, bool), np.zeros((count, 3, 2)),
        np.full(count, -1), metres_per_unit=1.0,
    )  # fmt: skip


def mirrored(triangles: Triangles) -> Triangles:
    """The same with the outside inside: of what a mirroring has turned inside out."""
    return replace(triangles, corners=triangles.corners[:, ::-1], uv=triangles.uv[:, ::-1])


def joined(several: Sequence[Triangles]) -> Triangles:
    """All of them as one, in the unit of the first."""
    images, first = [each.images for each in several], np.cumsum([0, *(len(each.images) for each in several)])
    image = [np.where(each.image < 0, -1, each.image + start) for each, start in zip(several, first, strict=False)]
    corners, colours, coloured, uv = (
        np.concatenate([getattr(each, name) for each in several]) for name in ("corners", "colours", "coloured", "uv")
    )
    unit = several[0].metres_per_unit
    return Triangles(corners, colours, coloured, uv, np.concatenate(image), tuple(chain(*images)), unit)


def read_triangles(path: Path) -> Triangles:
    """All that a mesh file shows, its scene put together. Raises ValueError naming the file where that is nothing."""
    import trimesh  # slow to import, and seldom needed

    if not path.is_file():
        raise ValueError(f"{path} does not exist")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what trimesh guesses at; what is broken is found below
            scene = trimesh.load(path, force="scene", process=False)
            pieces = list(_pieces(scene, path.suffix.lower()))
            unit = 1.0 if path.suffix.lower() in _UPWARDS_Y else _metres(scene.units)
    except Exception as error:  # trimesh raises whatever its parsers run into
        raise ValueError(f"{path} cannot be read as a mesh: {error}") from error
    if not pieces:
        raise ValueError(f"{path} holds no triangles")
    whole = replace(joined(pieces), metres_per_unit=unit)
    if len(np.unique(whole.colours[whole.coloured], axis=0)) > MOST_COLOURS:
        whole.colours[whole.coloured] = _mean(whole.colours[whole.coloured])
    return whole


def _metres(unit: str | None) -> float | None:
    import trimesh

    return None if not unit else float(trimesh.units.unit_conversion(unit, "meters"))


@lru_cache(maxsize=256)
def flat_texture(colour: tuple[int, int, int]) -> Texture:
    """One colour all over, uint8 sRGB; the same colour gives the identical object."""
    return Texture(np.full((4, 4, 3), colour, np.uint8))


def _pieces(scene: Any, suffix: str) -> Iterator[Triangles]:
    """Each object in a scene where it stands there."""
    for node in scene.graph.nodes_geometry:
        matrix, name = scene.graph[node]
        mesh = scene.geometry[name]
        if not len(getattr(mesh, "faces", ())):  # such as points and lines
            continue
        vertices = np.array(mesh.vertices, np.float64)
        if not np.array_equal(matrix, np.eye(4)):
            placed = exact.product(vertices, np.asarray(matrix)[:3, :3].T) + np.asarray(matrix)[:3, 3]
            vertices = placed.astype(np.float32).astype(np.float64)  # how a processor rounded the matrix is no matter
        if suffix in _UPWARDS_Y:
            vertices = np.stack([vertices[:, 0], -vertices[:, 2], vertices[:, 1]], axis=1)
        found = _dressed(plain(vertices[np.array(mesh.faces, np.int64)]), mesh)
        yield mirrored(found) if _turns_inside_out(np.asarray(matrix, np.float64)[:3, :3]) else found


def _turns_inside_out(matrix: NDArray[np.float64]) -> bool:
    """Whether a mirror is among what a matrix [3, 3] does: whether its determinant is negative."""
    return float((exact.cross(matrix[0], matrix[1]) * matrix[2]).sum()) < 0


def _dressed(bare: Triangles, mesh: Any) -> Triangles:
    """Triangles with the image that a file gives them, or else with its base colours."""
    visual, count = mesh.visual, len(bare.corners)
    if not visual.defined:
        return bare
    if visual.kind != "texture":
        return replace(bare, colours=np.array(visual.face_colors, np.uint8)[:, :3], coloured=np.ones(count, bool))
    material = visual.material
    factor, picture = getattr(material, "baseColorFactor", None), getattr(material, "baseColorTexture", None)
    if hasattr(material, "baseColorFactor"):
        colour = (
            None if factor is None else np.array([_encoded(value / 255) for value in factor[:3].tolist()], np.uint8)
        )
    else:
        picture = material.image
        colour = np.array(material.diffuse, np.uint8)[:3]
        colour = None if tuple(colour.tolist()) == _GREY else colour
    if picture is not None and visual.uv is not None and len(visual.uv):
        image = np.asarray(picture.convert("RGB"))
        if colour is not None:
            image = ((image.astype(np.int64) * colour + 127) // 255).astype(np.uint8)
        uv = np.array(visual.uv, np.float64)[np.array(mesh.faces, np.int64)]
        return replace(bare, uv=uv, image=np.zeros(count, np.int64), images=(image,))
    if picture is not None:  # that nobody says where to put
        shown = _mean(np.asarray(picture.convert("RGB")).reshape(-1, 3)).astype(int)
        colour = (shown if colour is None else (shown * colour + 127) // 255).astype(np.uint8)
    if colour is None:
        return bare
    return replace(bare, colours=np.tile(colour, (count, 1)), coloured=np.ones(count, bool))


def _encoded(linear: float) -> int:
    """A linear part of light, 0 to 1, as sRGB, 0 to 255."""
    curved = 12.92 * linear if linear <= 0.0031308 else 1.055 * float(exact.power(linear, 1 / 2.4)) - 0.055
    return round(255 * curved)


def _mean(colours: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Of colours [N, 3], in whole numbers."""
    return ((colours.sum(axis=0, dtype=np.int64) + len(colours) // 2) // len(colours)).astype(np.uint8)
