"""All images of an episode in one: contact sheets of a layer, in colours that mean the same all over a page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.gallery import thumbnails

COLUMNS = 12
MOST_FRAMES = 120
"""Of an episode to scrub through; longer ones are thinned evenly."""


@dataclass(frozen=True)
class Looks:
    """The ranges of the colours, the same for all episodes of a page."""

    near: float
    """m; of depth."""
    far: float
    longest: float = 1.0
    """px; of flow."""
    side: int = 160
    """of an image at most, px"""

    @classmethod
    def of(cls, depth: Sequence[NDArray[Any]], flow: Sequence[NDArray[Any]] = (), side: int = 160) -> "Looks":
        """For images of depth and of flow like these, where there are such."""
        near, far = thumbnails.depth_range(np.concatenate([each.ravel() for each in depth])) if depth else (0.1, 1.0)
        return cls(near, far, thumbnails.flow_range(np.concatenate(flow)) if flow else 1.0, side)

    def sheet(self, layer: str, values: NDArray[Any]) -> str:
        """A contact sheet of one layer of an episode, [T, H, W, ...], as a data URL."""
        images, exact = self._drawn(layer, values)
        sheet = thumbnails.sheet(images, COLUMNS)
        return thumbnails.embed_exactly(sheet) if exact else thumbnails.embed(sheet)

    def still(self, layer: str, values: NDArray[Any]) -> str:
        """One image of a layer, [H, W, ...], as a data URL."""
        images, exact = self._drawn(layer, values[None])
        return thumbnails.embed_exactly(images[0]) if exact else thumbnails.embed(images[0])

    def _drawn(self, layer: str, values: NDArray[Any]) -> tuple[thumbnails.Image, bool]:
        """Images of a layer, and whether they are of flat colours."""
        if layer == "instance":
            step = -(-max(values.shape[1:3]) // self.side)  # whole steps: colours of objects never mix
            return thumbnails.instance_colours(values[:, ::step, ::step]), True
        if layer == "depth":
            values = thumbnails.depth_colours(values, self.near, self.far)
        elif layer == "flow":
            values = thumbnails.flow_colours(values, self.longest)
        return thumbnails.shrink(values, self.side), False

    def legends(self) -> dict[str, Any]:
        """What the colours of each layer mean."""
        return {
            "rgb": {"title": "what the camera saw"},
            "depth": {
                "title": "depth",
                "image": thumbnails.embed_exactly(thumbnails.depth_bar()),
                "low": f"{self.near:.2g} m",
                "high": f"{self.far:.2g} m",
            },
            "instance": {"title": "instance mask, a colour for each object"},
            "flow": {
                "title": f"flow to the next frame; full colour: {self.longest:.2g} px",
                "wheel": thumbnails.embed_exactly(thumbnails.flow_wheel()),
            },
        }


def frames_shown(length: int) -> NDArray[np.int64]:
    """The frames of an episode that a sheet holds."""
    return np.arange(0, length, -(-length // MOST_FRAMES))
