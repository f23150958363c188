"""Triangles and base colours from mesh files: OBJ, glTF and GLB, PLY, OFF, STL."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
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
    """Corners [T, 3, 3] as a file gives them; colours uint8 [T, 3], sRGB; coloured bool [T]: whether it gives one."""

    corners: NDArray[np.float64]
    colours: NDArray[np.uint8]
    coloured: NDArray[np.bool_]


def read_triangles(path: Path) -> Triangles:
    """All that a mesh file shows, its scene put together. Raises ValueError naming the file where that is nothing."""
    import trimesh  # slow to import, and seldom needed

    if not path.is_file():
        raise ValueError(f"{path} does not exist")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what trimesh guesses at; what is broken is found below
            pieces = list(_pieces(trimesh.load(path, force="scene", process=False), path.suffix.lower()))
    except Exception as error:  # trimesh raises whatever its parsers run into
        raise ValueError(f"{path} cannot be read as a mesh: {error}") from error
    if not pieces:
        raise ValueError(f"{path} holds no triangles")
    corners, colours, coloured = (np.concatenate(parts) for parts in zip(*pieces, strict=True))
    if len(np.unique(colours[coloured], axis=0)) > MOST_COLOURS:
        colours[coloured] = _mean(colours[coloured])
    return Triangles(corners, colours, coloured)


@lru_cache(maxsize=256)
def flat_texture(colour: tuple[int, int, int]) -> Texture:
    """One colour all over, uint8 sRGB; the same colour gives the identical object."""
    return Texture(np.full((4, 4, 3), colour, np.uint8))


def _pieces(scene: Any, suffix: str) -> Iterator[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]:
    """Corners, colours and whether they are any, of each object in a scene where it stands there."""
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
        faces = np.array(mesh.faces, np.int64)
        colours = _colours(mesh.visual, len(faces))
        yield (
            vertices[faces],
            np.zeros((len(faces), 3), np.uint8) if colours is None else colours,
            np.full(len(faces), colours is not None),
        )


def _colours(visual: Any, count: int) -> NDArray[np.uint8] | None:
    """The base colour uint8 [count, 3] of each triangle, sRGB; None where the file gives none."""
    if not visual.defined:
        return None
    if visual.kind != "texture":
        return np.array(visual.face_colors, np.uint8)[:, :3]
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
    if picture is not None:
        shown = _mean(np.asarray(picture.convert("RGB")).reshape(-1, 3)).astype(int)
        colour = (shown if colour is None else (shown * colour + 127) // 255).astype(np.uint8)
    return None if colour is None else np.tile(colour, (count, 1))


def _encoded(linear: float) -> int:
    """A linear part of light, 0 to 1, as sRGB, 0 to 255."""
    curved = 12.92 * linear if linear <= 0.0031308 else 1.055 * float(exact.power(linear, 1 / 2.4)) - 0.055
    return round(255 * curved)


def _mean(colours: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Of colours [N, 3], in whole numbers."""
    return ((colours.sum(axis=0, dtype=np.int64) + len(colours) // 2) // len(colours)).astype(np.uint8)
