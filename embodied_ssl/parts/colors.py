"""Colours in CIE Lab: conversions, and the classes into which the plane of colours is divided."""

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from embodied_ssl.parts.precision import in_float32

# Linear sRGB to XYZ (ITU-R BT.709 primaries, D65), and the white point.
_TO_XYZ = ((0.412453, 0.357580, 0.180423), (0.212671, 0.715160, 0.072169), (0.019334, 0.119193, 0.950227))
_WHITE = (0.950456, 1.0, 1.088754)
_DELTA = 6 / 29


@in_float32
def rgb_to_lab(images: Tensor) -> Tensor:
    """sRGB float [B, 3, ...] in [0, 1] as CIE Lab: lightness L in [0, 100], a (green to red), b (blue to yellow)."""
    linear = torch.where(images > 0.04045, _power((images.clamp(min=0.04) + 0.055) / 1.055, 2.4), images / 12.92)
    xyz = _mix(images.new_tensor(_TO_XYZ) / images.new_tensor(_WHITE)[:, None], linear)
    root = torch.where(xyz > _DELTA**3, _power(xyz.clamp(min=1e-3), 1 / 3), xyz / (3 * _DELTA**2) + 4 / 29)
    lab = _mix(images.new_tensor([(0, 116, 0), (500, -500, 0), (0, 200, -200)]), root)
    lab[:, 0] -= 16
    return lab


@in_float32
def lab_to_rgb(lab: Tensor) -> Tensor:
    """CIE Lab float [B, 3, ...] as sRGB in [0, 1]; colours that sRGB does not have are clamped."""
    lightness, a, b = lab.unbind(1)
    y = (lightness + 16) / 116
    root = torch.stack([y + a / 500, y, y - b / 200], 1)
    xyz = torch.where(root > _DELTA, root**3, 3 * _DELTA**2 * (root - 4 / 29))
    linear = _mix(torch.linalg.inv(lab.new_tensor(_TO_XYZ)) * lab.new_tensor(_WHITE), xyz).clamp(0, 1)
    return torch.where(linear > 0.0031308, 1.055 * linear.clamp(min=1e-3) ** (1 / 2.4) - 0.055, 12.92 * linear)


def _mix(matrix: Tensor, images: Tensor) -> Tensor:
    """Colours [B, 3, ...] through a matrix [3, 3]."""
    return torch.bmm(matrix.expand(images.shape[0], 3, 3), images.flatten(2)).view(images.shape)


def _power(values: Tensor, exponent: float) -> Tensor:
    """Positive numbers to a power; on a CPU three times as fast as torch's own."""
    return values.log().mul_(exponent).exp_()


@cache
def color_classes(step: float = 10.0) -> NDArray[np.float32]:
    """The cells of a grid over (a, b) that hold a colour of sRGB, by their middles: float32 [Q, 2].

    Zhang, Isola & Efros 2016, section 2.1: 313 cells of side 10, with a margin about the gamut; without one, 261.
    """
    levels = torch.linspace(0, 1, 64)
    cube = torch.cartesian_prod(levels, levels, levels).T[None]
    cells = (rgb_to_lab(cube)[0, 1:].T / step).round()
    return (torch.unique(cells, dim=0) * step).numpy()


@in_float32
def soft_classes(ab: Tensor, step: float = 10.0, sigma: float = 5.0) -> tuple[Tensor, Tensor]:
    """Colours [N, 2] as weights of their five nearest classes: weights [N, 5], and which, int64 [N, 5].

    The nearest comes first; weights are Gaussian in the distance, and of sum 1. Zhang, Isola & Efros 2016, section 2.1.
    step: of `color_classes`.
    """
    classes = torch.from_numpy(color_classes(step)).to(ab.device)
    table = torch.from_numpy(_near_cells(step)).to(ab.device)
    reach = len(table) // 2
    cell = (ab / step).round().clamp(-reach, reach).long() + reach
    near = table[cell[:, 0], cell[:, 1]]  # [N, 21]
    squares = (ab[:, None] - classes[near]).square_().sum(2)  # [N, 21]
    nearest, which = squares.topk(5, largest=False)  # [N, 5]
    weights = torch.exp(nearest / (-2 * sigma**2)) + 1e-12  # [N, 5]
    return weights / weights.sum(1, keepdim=True), near.gather(1, which)


@cache
def _near_cells(step: float) -> NDArray[np.int64]:
    """For each cell of the grid, whether it holds a colour or not, the 21 classes about it: the five nearest to a point
    in it are among them. int64 [cells, cells, 21] about the middle."""
    classes = torch.from_numpy(color_classes(step))
    reach = int((classes / step).abs().max()) + 1
    axis = torch.arange(-reach, reach + 1) * step
    middle = torch.cartesian_prod(axis, axis)
    near = torch.cdist(middle, classes).topk(min(21, len(classes)), largest=False).indices
    return near.view(2 * reach + 1, 2 * reach + 1, -1).numpy()


@in_float32
def annealed_mean(logits: Tensor, classes: Tensor, temperature: float = 0.38) -> Tensor:
    """The mean colour of a sharpened distribution over classes: logits [B, Q, h, w] → (a, b), [B, 2, h, w].

    Zhang, Isola & Efros 2016, equation 5: at temperature 1 the mean, towards 0 the mode.
    """
    return torch.einsum("bqhw,qc->bchw", (logits.float() / temperature).softmax(1), classes)


@in_float32
def cell_colors(lab: Tensor, cells: int) -> Tensor:
    """The mean colours (a, b) of the cells of images in Lab [B, 3, s, s], float [B, 2, cells, cells]."""
    return functional.adaptive_avg_pool2d(lab[:, 1:], cells)


@in_float32
def soft_cross_entropy(logits: Tensor, ab: Tensor, step: float, weights: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Cross-entropy of cells with the soft classes of their colours, and how often the nearest class is predicted.

    Zhang, Isola & Efros 2016, equation 2: a cell weighs what the nearest class of its colour weighs.

    Args:
        logits: float [B, Q, n, n].
        ab: the colours, float [B, 2, n, n].
        step: of the classes.
        weights: of the classes, float [Q]; None: all alike.
    """
    flat = logits.permute(0, 2, 3, 1).flatten(0, 2).float()  # [B · n · n, Q]
    target, nearest = soft_classes(ab.permute(0, 2, 3, 1).flatten(0, 2), step)  # [B · n · n, 5]
    # log Σ exp once a row and five logits: a log-softmax over all classes would cost ten times the memory
    terms = flat.logsumexp(1) - (target * flat.gather(1, nearest)).sum(1)
    if weights is not None:
        terms = terms * weights[nearest[:, 0]]
    accuracy = (flat.argmax(1) == nearest[:, 0]).float().mean()
    return terms.mean(), accuracy
