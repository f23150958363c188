"""RandAugment and cutout: strong augmentation of views on their device, every sample with operations of its own.

Cubuk et al., NeurIPS 2020, with magnitudes drawn evenly for every operation, as FixMatch does (Sohn et al., NeurIPS
2020, appendix D). Images are float [B, 3, H, W] in [0, 1]. All randomness comes from the generator that is passed in.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from embodied_ssl.parts.augmentation import LUMA
from embodied_ssl.parts.precision import in_float32
from embodied_ssl.parts.views import uniform

GREY = 0.5
"""What comes in from beyond the border, and where something was cut out."""


@in_float32
def random_augment(images: Tensor, rng: torch.Generator, operations: int = 2, cut: float = 0.5) -> Tensor:
    """`operations` of `OPERATIONS` after each other, drawn for each sample, and then a grey square.

    cut: the largest side of the square, as a share of the image's; it is drawn evenly, its middle anywhere.
    """
    count, device = len(images), images.device
    for _ in range(operations):
        which = torch.randint(len(OPERATIONS), (count,), generator=rng, device=rng.device)  # [B]
        magnitude = uniform(count, 0, 1, rng)  # [B]
        changed = images.clone()
        for number, (operation, low, high) in enumerate(OPERATIONS.values()):
            mine = (which == number).nonzero().squeeze(1)
            if len(mine):
                changed[mine] = operation(images[mine], low + (high - low) * magnitude[mine])
        images = changed
    side = uniform(count, 0, cut, rng) * images.shape[-1]
    middle = torch.rand(count, 2, generator=rng, device=rng.device) * images.shape[-1]
    at = torch.arange(images.shape[-1], device=device) + 0.5
    within = (at - middle[..., None]).abs() < side[:, None, None] / 2  # [B, 2, s]
    return torch.where((within[:, 0, :, None] & within[:, 1, None])[:, None], GREY, images)


def autocontrast(images: Tensor, amount: Tensor) -> Tensor:
    """The darkest of each colour becomes 0, the brightest 1."""
    low, high = images.amin((2, 3), keepdim=True), images.amax((2, 3), keepdim=True)
    return torch.where(high > low, (images - low) / (high - low).clamp(min=1e-6), images)


def brightness(images: Tensor, amount: Tensor) -> Tensor:
    """amount [B]: 0 is black, 1 the image."""
    return _blended(images, torch.zeros_like(images), amount)


def color(images: Tensor, amount: Tensor) -> Tensor:
    """amount [B]: 0 has no colours, 1 is the image."""
    return _blended(images, _grey(images).expand_as(images), amount)


def contrast(images: Tensor, amount: Tensor) -> Tensor:
    """amount [B]: 0 is the mean brightness alone, 1 the image."""
    return _blended(images, _grey(images).mean((2, 3), keepdim=True), amount)


def sharpness(images: Tensor, amount: Tensor) -> Tensor:
    """amount [B]: 0 is smoothed over 3×3 pixels, 1 the image; the border stays."""
    kernel = images.new_tensor([[1, 1, 1], [1, 5, 1], [1, 1, 1]]) / 13
    smooth = images.clone()
    smooth[..., 1:-1, 1:-1] = functional.conv2d(images, kernel.expand(3, 1, 3, 3), groups=3)
    return _blended(images, smooth, amount)


def equalize(images: Tensor, amount: Tensor) -> Tensor:
    """Every level of each colour becomes equally frequent, as Pillow does it on 256 levels."""
    levels = (images * 255).round().long().flatten(2).flatten(0, 1)  # [3 B, H · W]
    histogram = torch.zeros(len(levels), 256, device=images.device, dtype=torch.long)
    histogram.scatter_add_(1, levels, torch.ones_like(levels))
    brightest = levels.amax(1, keepdim=True)
    step = (levels.shape[1] - histogram.gather(1, brightest)).div(255, rounding_mode="floor")  # [3 B, 1]
    below = functional.pad(histogram.cumsum(1)[:, :-1], (1, 0))
    table = ((below + step // 2) // step.clamp(min=1)).clamp(0, 255)  # [3 B, 256]
    found = torch.where(step > 0, table.gather(1, levels), levels)
    return (found.float() / 255).view_as(images)


def posterize(images: Tensor, bits: Tensor) -> Tensor:
    """bits [B]: of each colour that are kept, cut to a whole number."""
    step = (2 ** (8 - bits.floor()))[:, None, None, None]
    return ((images * 255).round() / step).floor() * step / 255


def solarize(images: Tensor, threshold: Tensor) -> Tensor:
    """threshold [B]: what is at least as bright is inverted."""
    return torch.where(images >= threshold[:, None, None, None], 1 - images, images)


def identity(images: Tensor, amount: Tensor) -> Tensor:
    """The images as they are."""
    return images


def _affine(matrix: Callable[[Tensor], tuple[Tensor, ...]]) -> Callable[[Tensor, Tensor], Tensor]:
    """An operation that moves pixels. matrix: of amounts [B], the six numbers of where each pixel comes from."""

    def moved(images: Tensor, amount: Tensor) -> Tensor:
        theta = torch.stack(torch.broadcast_tensors(*matrix(amount)), -1).view(-1, 2, 3)
        grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
        return functional.grid_sample(images - GREY, grid, align_corners=False) + GREY

    return moved


def _rotation(angle: Tensor) -> tuple[Tensor, ...]:
    zero = torch.zeros_like(angle)
    return angle.cos(), -angle.sin(), zero, angle.sin(), angle.cos(), zero


def _numbers(amount: Tensor) -> tuple[Tensor, Tensor]:
    return torch.zeros_like(amount), torch.ones_like(amount)


def _shear_x(amount: Tensor) -> tuple[Tensor, ...]:
    zero, one = _numbers(amount)
    return one, amount, zero, zero, one, zero


def _shear_y(amount: Tensor) -> tuple[Tensor, ...]:
    zero, one = _numbers(amount)
    return one, zero, zero, amount, one, zero


def _shift_x(amount: Tensor) -> tuple[Tensor, ...]:
    zero, one = _numbers(amount)
    return one, zero, 2 * amount, zero, one, zero


def _shift_y(amount: Tensor) -> tuple[Tensor, ...]:
    zero, one = _numbers(amount)
    return one, zero, zero, zero, one, 2 * amount


def _grey(images: Tensor) -> Tensor:
    """Brightness, [B, 1, H, W]."""
    return torch.einsum("bchw,c->bhw", images, images.new_tensor(LUMA))[:, None]


def _blended(images: Tensor, other: Tensor, amount: Tensor) -> Tensor:
    """`amount` [B] of the images, and the rest of the others."""
    return torch.lerp(other.expand_as(images), images, amount[:, None, None, None]).clamp(0, 1)


OPERATIONS: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], float, float]] = {
    "autocontrast": (autocontrast, 0, 1),
    "brightness": (brightness, 0.05, 0.95),
    "color": (color, 0.05, 0.95),
    "contrast": (contrast, 0.05, 0.95),
    "equalize": (equalize, 0, 1),
    "identity": (identity, 0, 1),
    "posterize": (posterize, 4, 9),
    "rotate": (_affine(_rotation), -math.pi / 6, math.pi / 6),
    "sharpness": (sharpness, 0.05, 0.95),
    "shear_x": (_affine(_shear_x), -0.3, 0.3),
    "shear_y": (_affine(_shear_y), -0.3, 0.3),
    "solarize": (solarize, 0, 1),
    "translate_x": (_affine(_shift_x), -0.3, 0.3),
    "translate_y": (_affine(_shift_y), -0.3, 0.3),
}
"""Each with the least and the largest amount: shares, rad, shares of the side, bits (4 to 8)."""
