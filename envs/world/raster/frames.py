"""What a renderer is asked and gives: items to draw, a frame of them, and the protocol between."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.envs.world.assets import Asset, Light
from embodied_ssl.envs.world.camera import Camera


@dataclass(frozen=True, eq=False)
class Frame:
    """An image. rgb: uint8 [H, W, 3], sRGB. depth: float32 [H, W], m along the optical axis, 0 = nothing there.

    instance: uint8 [H, W], the object's id in its world, 0 = background. Depth and instance are those at pixel centres.
    """

    rgb: NDArray[np.uint8]
    depth: NDArray[np.float32]
    instance: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Item:
    """Something to draw: an asset under an instance id (0 = background)."""

    asset: Asset
    instance: int


class Renderer(Protocol):
    """Draws items at poses. `load` is called once per world, `draw` once per image."""

    def load(self, items: Sequence[Item], light: Light) -> None:
        """Take over what is to be drawn from now on."""

    def draw(self, camera: Camera, pose: NDArray[np.float64], poses: NDArray[np.float64]) -> Frame:
        """Draw from a camera at `pose` [4, 4] with the items at `poses` [N, 4, 4], item to world."""

    def close(self) -> None:
        """Give back what the renderer holds."""
