"""What a renderer keeps from scene to scene: the texels of all textures in one array, all meshes in a few others.

A new scene copies only what it adds. When there is no room for it, the arrays begin anew.
"""

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.envs.world.assets import Texture
from embodied_ssl.envs.world.compiled import jit
from embodied_ssl.envs.world.geometry.mesh import Mesh

# Room for what many scenes have in common, of which only what is used is ever touched: 0.25 GB, 32 and 12 MB.
USUAL_TEXELS = 1 << 26
USUAL_VERTICES = USUAL_TRIANGLES = 1 << 20


class Atlas:
    """Textures, each at all its levels."""

    def __init__(self) -> None:
        self._begin(USUAL_TEXELS)

    def _begin(self, texels: int) -> None:
        self.texels = np.zeros(texels, np.uint32)  # 0x00BBGGRR
        self._first: dict[Texture, int] = {}
        self._used = 0

    def place(self, textures: Sequence[Texture]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Where the levels of each texture, the finest first, end in `texels`, [P]; log2 of its side, [P]."""
        distinct = dict.fromkeys(textures)
        added = [texture for texture in distinct if texture not in self._first]
        if self._used + sum(map(_texels_of, added)) > len(self.texels):
            self._begin(max(USUAL_TEXELS, sum(map(_texels_of, distinct))))
            added = list(distinct)
        for texture in added:
            first, self._used = self._used, self._used + _texels_of(texture)
            self.texels[first : self._used] = _pyramid(texture)
            self._first[texture] = first
        ends = [self._first[texture] + _texels_of(texture) for texture in textures]
        log_sides = [len(texture.image).bit_length() - 1 for texture in textures]
        return np.array(ends, np.int32), np.array(log_sides, np.int32)


def _texels_of(texture: Texture) -> int:
    """Of levels of sides 2^s, 2^(s−1), … 1. Every row ends with its first texel once more, which follows its last."""
    side = len(texture.image)
    return (4 * side**2 - 1) // 3 + 2 * side - 1


@lru_cache(maxsize=4096)
def _pyramid(texture: Texture) -> NDArray[np.uint32]:
    """All levels of a texture, each half as wide as the one before, as 0x00BBGGRR."""
    level: NDArray[Any] = texture.image.astype(np.float32)
    levels = []
    while True:
        red, green, blue = np.moveaxis(np.round(level).astype(np.uint32), -1, 0)
        packed = red | green << 8 | blue << 16
        levels.append(np.concatenate([packed, packed[:, :1]], axis=1).ravel())
        if len(level) == 1:
            return np.concatenate(levels)
        level = (level[0::2, 0::2] + level[1::2, 0::2] + level[0::2, 1::2] + level[1::2, 1::2]) / 4


class MeshStore:
    """Meshes, each once; their triangles count the vertices of all."""

    def __init__(self) -> None:
        self._begin(USUAL_VERTICES, USUAL_TRIANGLES)

    def _begin(self, vertices: int, triangles: int) -> None:
        self.vertices = np.zeros((vertices, 3), np.float32)
        self.normals, self.uv = np.zeros((vertices, 3), np.float32), np.zeros((vertices, 2), np.float32)
        self.triangles = np.zeros((triangles, 3), np.int32)
        self._ranges: dict[Mesh, tuple[int, int, int, int]] = {}
        self._spheres: dict[Mesh, tuple[float, float, float, float]] = {}
        self._used = 0, 0  # vertices, triangles

    def place(self, meshes: Sequence[Mesh]) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """Of each mesh the first vertex and the end of them, the same of its triangles, [P, 4]; bounding sphere [P, 4].

        A sphere is its centre and radius, m.
        """
        distinct = dict.fromkeys(meshes)
        added = [mesh for mesh in distinct if mesh not in self._ranges]
        if not self._fits(added):
            vertices, triangles = _size(distinct)
            self._begin(max(USUAL_VERTICES, vertices), max(USUAL_TRIANGLES, triangles))
            added = list(distinct)
        for mesh in added:
            self._add(mesh)
        ranges = np.array([self._ranges[mesh] for mesh in meshes], np.int32).reshape(-1, 4)
        return ranges, np.array([self._spheres[mesh] for mesh in meshes], float).reshape(-1, 4)

    def _fits(self, added: Sequence[Mesh]) -> bool:
        vertices, triangles = _size(added)
        return self._used[0] + vertices <= len(self.vertices) and self._used[1] + triangles <= len(self.triangles)

    def _add(self, mesh: Mesh) -> None:
        (vertex, triangle), (vertices, triangles) = self._used, _size([mesh])
        self._used = vertex_end, triangle_end = vertex + vertices, triangle + triangles
        self.vertices[vertex:vertex_end], self.normals[vertex:vertex_end] = mesh.vertices, mesh.normals
        self.uv[vertex:vertex_end] = mesh.uv
        self.triangles[triangle:triangle_end] = mesh.triangles + np.int32(vertex)
        self._ranges[mesh] = vertex, vertex_end, triangle, triangle_end
        self._spheres[mesh] = _bounding_sphere(mesh.vertices)


def _size(meshes: Iterable[Mesh]) -> tuple[int, int]:
    """How many vertices and triangles meshes have."""
    return sum(len(mesh.vertices) for mesh in meshes), sum(len(mesh.triangles) for mesh in meshes)


@jit
def _bounding_sphere(vertices):
    """Centre and radius, m, about the middle of the box of vertices [V, 3]."""
    center, square = np.empty(3), 0.0
    for k in range(3):
        center[k] = (np.float64(vertices[:, k].min()) + np.float64(vertices[:, k].max())) / 2
    for v in range(len(vertices)):
        square = max(
            square,
            (vertices[v, 0] - center[0]) ** 2 + (vertices[v, 1] - center[1]) ** 2 + (vertices[v, 2] - center[2]) ** 2,
        )
    return center[0], center[1], center[2], math.sqrt(square)
