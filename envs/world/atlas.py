"""The texture atlas of a renderer: all texels in one array, each texture at all its levels."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.envs.world.assets import Texture

USUAL_TEXELS = 1 << 24  # 64 MB, of which only what is used is ever touched


class Atlas:
    """Keeps textures from scene to scene, so that a new one copies only what it adds; when full, it begins anew."""

    def __init__(self) -> None:
        self.texels = np.zeros(USUAL_TEXELS, np.uint32)  # 0x00BBGGRR
        self._first: dict[Texture, int] = {}
        self._used = 0

    def place(self, textures: Sequence[Texture]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where the levels of each texture start in `texels`, [K, 16], the finest first; log2 of its side, [K]."""
        needed = [_texels_of(texture) for texture in textures]
        if self._used + sum(needed) > len(self.texels):
            self._first, self._used = {}, 0
            self.texels = np.zeros(max(USUAL_TEXELS, sum(needed)), np.uint32)
        for texture, size in zip(textures, needed, strict=True):
            if texture not in self._first:
                self.texels[self._used : self._used + size] = _pyramid(texture)
                self._first[texture] = self._used
                self._used += size
        log_sides = np.array([len(texture.image).bit_length() - 1 for texture in textures], np.int64)
        before = (4 ** (log_sides[:, None] + 1) - 4 ** np.maximum(log_sides[:, None] - np.arange(16) + 1, 0)) // 3
        return np.array([self._first[texture] for texture in textures], np.int64)[:, None] + before, log_sides


def _texels_of(texture: Texture) -> int:
    """Of a pyramid of sides 2^s, 2^(s−1), … 1."""
    return (4 * len(texture.image) ** 2 - 1) // 3


@lru_cache(maxsize=4096)
def _pyramid(texture: Texture) -> NDArray[np.uint32]:
    """All levels of a texture, each half as wide as the one before, as 0x00BBGGRR."""
    level: NDArray[Any] = texture.image.astype(np.float32)
    levels = []
    while True:
        red, green, blue = np.moveaxis(np.round(level).astype(np.uint32), -1, 0)
        levels.append((red | green << 8 | blue << 16).ravel())
        if len(level) == 1:
            return np.concatenate(levels)
        level = (level[0::2, 0::2] + level[1::2, 0::2] + level[0::2, 1::2] + level[1::2, 1::2]) / 4
