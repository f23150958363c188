"""Panels: what a method shows of its own task, and what it answers, put in rows and drawn.

Images are float [3, h, w] in [0, 1]. A comparison is made with the whole batch, however few rows of it are shown.
"""

import math
from collections.abc import Mapping, Sequence

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from embodied_ssl.datasets.gallery import charts
from embodied_ssl.datasets.read.batches import Batch, FramePairs
from embodied_ssl.encoders import Encoder
from embodied_ssl.encoders.of_timm import TransformerEncoder
from embodied_ssl.method import Method, Panel, Step
from embodied_ssl.parts.positives import digest
from embodied_ssl.parts.precision import in_float32
from embodied_ssl.parts.views import to_float

ROWS = 6
"""Most rows that a task shows."""
NEAREST = 3
"""Images that are shown as the nearest of a batch."""
SIDE = 192
"""Of panels that are drawn, px."""
TRUE, PREDICTED = (0.15, 0.39, 0.79), (0.89, 0.34, 0.05)
"""Colours of what was and of what was predicted."""

Row = list[Panel]
Colour = tuple[float, float, float]

# Anchors of a perceptually even ramp from dark to bright (Smith & van der Walt's inferno).
_RAMP = ((0.0, 0.0, 0.02), (0.34, 0.06, 0.43), (0.73, 0.21, 0.33), (0.98, 0.55, 0.04), (0.99, 1.0, 0.64))


def panels_of(method: Method, batches: Mapping[str, Batch], seed: int = 0) -> list[Row]:
    """What a method shows of its task: in evaluation mode, without gradients, with randomness of its own.

    The method is left as it was found, also in the middle of its training.

    Args:
        method: on the device of the batches.
        batches: by name of the stream, as `loss` takes them.
        seed: of the views.
    """
    modes = [(module, module.training) for module in method.modules()]
    rng = torch.Generator(next(method.parameters()).device).manual_seed(seed)
    method.eval()
    try:
        with torch.no_grad():
            return method.show(**batches, step=Step(1.0, rng))
    finally:
        for module, training in modes:
            module.training = training


def columns(*given: tuple[Tensor, str | Sequence[str]]) -> list[Row]:
    """Rows of panels from columns of images, float [B, 3, h, w] each, with a text for all or one for each."""
    texts = [[text] * len(images) if isinstance(text, str) else list(text) for images, text in given]
    count = min(ROWS, *(len(images) for images, _ in given))
    return [[Panel(images[i], text[i]) for (images, _), text in zip(given, texts, strict=True)] for i in range(count)]


def with_nearest(
    rows: Sequence[Row], images: Tensor, similarity: Tensor, right: Tensor, texts: Sequence[str] | None = None
) -> list[Row]:
    """Rows, each followed by the images that are most similar to what it asks for.

    Args:
        rows: the first of B queries.
        images: float [K, 3, h, w], what was to be found among.
        similarity: float [B, K].
        right: bool [B, K], whether an image is an answer.
        texts: of the images; None: their places, `nearest`, `2nd`, `3rd`.
    """
    order = similarity.float().argsort(dim=1, descending=True, stable=True)[:, :NEAREST].tolist()
    places = ("nearest", "2nd", "3rd")
    return [
        [*row]
        + [
            Panel(images[k], places[place] if texts is None else texts[k], bool(right[i, k]))
            for place, k in enumerate(order[i])
        ]
        for i, row in enumerate(rows[:ROWS])
    ]


def frame_pairs(pairs: FramePairs, size: int) -> list[Row]:
    """Both frames of each pair, and the motion between them."""
    first, second = (to_float(each, size) for each in (pairs.first, pairs.second))
    return columns((first, "before"), (second, [f"after {signed(motion)}" for motion in pairs.motion.tolist()]))


@in_float32
def nearest_frames(pairs: FramePairs, size: int, predicted: Tensor, after: Tensor, p: float = 2.0) -> list[Row]:
    """Pairs of frames, and the second frames of the batch whose features are nearest to those that were predicted.

    predicted, after: features [B, D], of the second frames the latter. p: of the distance.
    """
    identity = digest(pairs.second)
    similarity = -torch.cdist(predicted.float(), after.float(), p=p)
    right = identity[:, None] == identity
    return with_nearest(frame_pairs(pairs, size), to_float(pairs.second, size), similarity, right)


def signed(values: Sequence[float]) -> str:
    """Numbers with their signs: `+0.12, −0.05`."""
    return ", ".join(map(charts.signed, values))


def saliency(encoder: Encoder, images: Tensor) -> tuple[Tensor, str]:
    """Where an encoder looks, float [B, heads, h, w], and what that is: the attention of a transformer's [CLS] token;
    of any other encoder, as one head, the norm of the deepest features that still have places."""
    if isinstance(encoder, TransformerEncoder) and encoder.network.global_pool == "token":
        return encoder.attention(images), "attention"
    maps = list(encoder.stages(images).values())
    deepest = next((each for each in reversed(maps) if each.shape[-1] > 1), maps[0])
    return deepest.float().norm(dim=1, keepdim=True), "energy of the features"


def overlaid(images: Tensor, maps: Tensor) -> Tensor:
    """Images [B, 3, s, s] in grey under the colours of maps [B, h, w], each from its lowest to its highest value."""
    flat = maps.float().flatten(1)
    low, high = flat.amin(1)[:, None, None], flat.amax(1)[:, None, None]
    share = functional.interpolate(((maps - low) / (high - low + 1e-12))[:, None], images.shape[-2:], mode="bilinear")
    anchors = images.new_tensor(_RAMP)
    place = share[:, 0].clamp(0, 1) * (len(anchors) - 1)
    below = place.floor().long().clamp(max=len(anchors) - 2)
    colours = torch.lerp(anchors[below], anchors[below + 1], (place - below)[..., None]).movedim(-1, 1)
    return torch.lerp(images.mean(1, keepdim=True).expand_as(images), colours, 0.65)


def with_lines(image: Tensor, lines: Sequence[tuple[Sequence[Sequence[float]], Colour, float]]) -> Tensor:
    """An image [3, h, w] at `SIDE` px with lines upon it: points (u, v) as shares of the side, colour, width in px."""
    large = functional.interpolate(image[None].float(), (SIDE, SIDE))[0]
    return _with_lines(large, [(np.asarray(points) * SIDE, colour, width) for points, colour, width in lines])


def arrow(start: Sequence[float], end: Sequence[float]) -> list[tuple[float, float]]:
    """The points of an arrow from `start` to `end` (u, v), as `with_lines` takes them."""
    (u0, v0), (u1, v1) = start, end
    length = max(math.hypot(u1 - u0, v1 - v0), 1e-6)
    u, v = 0.06 * (u1 - u0) / length, 0.06 * (v1 - v0) / length
    return [(u0, v0), (u1, v1), (u1 - u - 0.6 * v, v1 - v + 0.6 * u), (u1, v1), (u1 - u + 0.6 * v, v1 - v - 0.6 * u)]


def curves_chart(curves: Sequence[tuple[Sequence[float], Sequence[float], Colour]], x: float, y: float) -> Tensor:
    """Curves, each of x, y and a colour, from 0 to the largest `x` and `y`: float [3, SIDE, SIDE]."""
    inner, margin = 0.88 * SIDE, 0.06 * SIDE
    lines = [
        (np.stack([margin + inner * np.asarray(xs) / x, SIDE - margin - inner * np.asarray(ys) / y], 1), colour, 3.0)
        for xs, ys, colour in curves
    ]
    axes = np.array([[margin, margin], [margin, SIDE - margin], [SIDE - margin, SIDE - margin]])
    return _with_lines(torch.ones(3, SIDE, SIDE), [(axes, (0.6, 0.6, 0.6), 1.0), *lines])


def bars_chart(heights: Tensor, true: int) -> Tensor:
    """Bars of heights [K] in [0, 1] of the highest, that of what is true in its colour: float [3, SIDE, SIDE]."""
    chart = torch.ones(3, SIDE, SIDE)
    shares = (heights / heights.max().clamp(min=1e-12)).tolist()
    edges = np.linspace(0, SIDE, len(shares) + 1).round().astype(int)
    for k, (left, right, share) in enumerate(zip(edges[:-1], edges[1:], shares, strict=True)):
        colour = chart.new_tensor(TRUE if k == true else PREDICTED)[:, None, None]
        if k == true:
            chart[:, :, left:right] = 0.85 + 0.15 * colour  # so that its place is seen where its bar is low
        gap = int(right - left > 4)
        chart[:, SIDE - max(2, round(0.94 * SIDE * share)) :, left + gap : right - gap] = colour
    return chart


def _with_lines(image: Tensor, lines: Sequence[tuple[np.ndarray, Colour, float]]) -> Tensor:
    """An image [3, h, w] with smooth lines, each of points in px, a colour and a width."""
    canvas = np.ascontiguousarray(image.movedim(0, -1).cpu().numpy() * 255).round().astype(np.uint8)
    for points, colour, width in lines:
        fixed = np.round(np.nan_to_num(points) * 16).astype(np.int32)  # sixteenths of a pixel
        own = tuple(255 * part for part in colour)
        cv2.polylines(canvas, [fixed], False, own, max(1, round(width)), cv2.LINE_AA, 4)
    return torch.from_numpy(canvas).movedim(-1, 0).float() / 255
