"""What protocols show of pixels and boxes: what is true beside what is predicted, as rows of tiles."""

from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from embodied_ssl.datasets.images.scenes import UNASKED, Boxes
from embodied_ssl.evaluation.estimators.average_precision import Found
from embodied_ssl.evaluation.splits import Rows
from embodied_ssl.parts.panels import PREDICTED, TRUE, with_lines
from embodied_ssl.report.figures import Tile

Images = NDArray[np.uint8]
Tiles = tuple[Tile, ...]

SHOWN = 4
"""Images of the test that are shown."""
LEAST_SCORE = 0.5
"""Of boxes that are drawn."""


def shown_of(rows: Rows) -> Rows:
    """Some of what is tested on, from all over it: neighbours are often of one object or room."""
    return rows[np.unique(np.linspace(0, len(rows) - 1, SHOWN).round().astype(int))]


def class_map(labels: NDArray[np.integer], things: Sequence[bool]) -> Images:
    """A colour for each class, uint8 [H, H, 3]: grey for what is no thing, black for what nobody is asked about."""
    count = len(things)
    hue = (np.arange(count) * 111) % 180  # neighbours in the list are far apart in colour
    grey = np.zeros(count)
    grey[~np.asarray(things)] = np.linspace(90, 190, count - sum(things))
    hsv = np.stack([hue, np.where(things, 200, 0), np.where(things, 235, grey)], -1)
    colours = np.zeros((256, 3), np.uint8)
    colours[:count] = cv2.cvtColor(hsv.astype(np.uint8)[None], cv2.COLOR_HSV2RGB)[0]
    colours[UNASKED] = 0
    return colours[np.asarray(labels).astype(np.uint8)]


def depth_map(depth: NDArray[np.floating], nearest: float, farthest: float) -> Images:
    """Depth from dark, near, to bright, far, uint8 [H, H, 3]; nothing is black."""
    share = (np.log(np.maximum(depth, 1e-6)) - np.log(nearest)) / max(np.log(farthest / nearest), 1e-6)
    shown = np.rint(55 + 200 * share.clip(0, 1)).astype(np.uint8)
    colours = np.asarray(cv2.applyColorMap(shown, cv2.COLORMAP_INFERNO)[..., ::-1], np.uint8)
    return np.where((depth > 0)[..., None], colours, 0).astype(np.uint8)


def normal_map(normals: NDArray[np.floating]) -> Images:
    """The usual colours of normals [H, H, 3]: red to the right, green down, blue towards the camera."""
    length = np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-12)
    unit = normals / length * (1, 1, -1)
    return np.rint(127.5 * (unit + 1)).clip(0, 255).astype(np.uint8)


def boxes_on(image: Images, boxes: Boxes, found: Found | None = None) -> Images:
    """An image with boxes: those that are there in blue, or those that were found in orange."""
    side = len(image)
    corners = boxes.corners[~boxes.unasked] if found is None else found.corners[found.score >= LEAST_SCORE]
    colour = TRUE if found is None else PREDICTED
    lines = [
        ([(u0 / side, v0 / side), (u1 / side, v0 / side), (u1 / side, v1 / side), (u0 / side, v1 / side),
          (u0 / side, v0 / side)], colour, 2.0)
        for u0, v0, u1, v1 in corners.tolist()
    ]  # fmt: skip
    drawn = with_lines(torch.from_numpy(image).movedim(-1, 0).float() / 255, lines)
    return (drawn * 255).round().byte().movedim(0, -1).numpy()


def beside(
    images: Images, said: Tensor, draw: Callable[[NDArray[Any]], Images], truth: NDArray[Any], what: str
) -> tuple[Tiles, ...]:
    """A row for each image [n, H, H, 3]: it, what is true of its pixels, and what is said, [n, ...] both."""
    rows = zip(images, truth, said.cpu().numpy(), strict=True)
    return tuple(
        (Tile(image, "image"), Tile(draw(true), what), Tile(draw(own), "predicted")) for image, true, own in rows
    )
