"""Crops and windows of images, made on their device: batched, every sample with random parameters of its own.

Images are uint8 [B, 3, H, W] until `to_float`, `crop_at` or `random_resized_crop` makes floats in [0, 1] of them.
All randomness comes from the generator that is passed in. Whatever the precision of the training, views are float32.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from embodied_ssl.parts.precision import in_float32

Range = tuple[float, float]


@in_float32
def to_float(images: Tensor, size: int | None = None) -> Tensor:
    """uint8 [B, 3, H, W] as float32 [B, 3, size, size] in [0, 1]; averaged over areas where it shrinks."""
    _check_bytes(images)
    if size is None or images.shape[-2:] == (size, size):
        return images.contiguous() / 255
    floats = images.contiguous(memory_format=torch.channels_last) / 255  # faster to resize
    shrinks = size < max(floats.shape[-2:])
    return functional.interpolate(floats, (size, size), mode="bilinear", antialias=shrinks).clamp_(0, 1)


def _check_bytes(images: Tensor) -> None:
    """Raise TypeError for images that are floats already: divided by 255 once more, they would be black."""
    if images.dtype != torch.uint8:
        raise TypeError(f"views are made of uint8 images, not of {images.dtype}: `to_float` makes floats of them once")


def uniform(count: int, low: float, high: float, rng: torch.Generator) -> Tensor:
    """Even random numbers in [low, high), float32 [count], on the generator's device."""
    return torch.rand(count, generator=rng, device=rng.device) * (high - low) + low


def chosen(count: int, probability: float, rng: torch.Generator) -> Tensor:
    """Which samples a view with this probability changes, bool [count]."""
    return torch.rand(count, generator=rng, device=rng.device) < probability


@in_float32
def crop_at(images: Tensor, pixel: Tensor, side: float, size: int, angle: Tensor | None = None) -> Tensor:
    """Square crops about given pixels; beyond the image its border is repeated.

    Args:
        images: uint8 [B, 3, H, W].
        pixel: float [B, 2], (u, v) of the middle of each crop, px.
        side: of the crops, in pixels of the images.
        size: of the crops that are returned, px.
        angle: float [B], rad: the crop is turned by it, so that what lies in the image in direction φ (from u
            towards v) lies in the crop in direction φ − angle.

    Returns float32 [B, 3, size, size] in [0, 1].
    """
    _check_bytes(images)
    middle = pixel + 0.5  # [B, 2]
    sides = torch.full_like(pixel, side)
    if angle is None:
        return _upright(images, middle[:, None], sides, size)[:, 0]
    cosine = torch.cos(angle) * side
    sine = torch.sin(angle) * side
    rows = torch.stack([torch.stack([cosine, -sine], -1), torch.stack([sine, cosine], -1)], 1)  # [B, 2, 2]
    extent = middle.new_tensor(images.shape[:-3:-1])  # (width, height)
    fine = 2 if side > 1.5 * size else 1  # samples along a side of a pixel, against aliasing
    transform = torch.cat([rows, (middle * 2 - extent)[..., None]], -1) / extent[:, None]  # [B, 2, 3]
    grid = functional.affine_grid(transform, [len(images), 3, fine * size, fine * size], align_corners=False)
    floats = images.contiguous(memory_format=torch.channels_last) / 255
    crops = functional.grid_sample(floats, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return functional.avg_pool2d(crops, fine) if fine > 1 else crops


@in_float32
def random_resized_crop(
    images: Tensor,
    rng: torch.Generator,
    size: int,
    scale: Range = (0.08, 1.0),
    ratio: Range = (3 / 4, 4 / 3),
    flip: float = 0.5,
) -> Tensor:
    """Crops of random area, shape and place, resized to `size`, and mirrored with probability `flip`.

    Szegedy et al. 2015, as SimCLR uses it (Chen et al. 2020, appendix A). scale: range of the share of the area. ratio:
    range of width over height, even in its logarithm. images: uint8 [B, 3, H, W]; returns float32 [B, 3, size, size].
    """
    count, (height, width) = len(images), images.shape[-2:]
    area = uniform(count, *scale, rng) * height * width
    shape = torch.exp(uniform(count, math.log(ratio[0]), math.log(ratio[1]), rng))
    wide = (area * shape).sqrt().clamp(max=width)  # [B]
    tall = (area / shape).sqrt().clamp(max=height)  # [B]
    left = uniform(count, 0, 1, rng) * (width - wide)
    top = uniform(count, 0, 1, rng) * (height - tall)
    mirrored = 1.0 - 2.0 * chosen(count, flip, rng).float()
    middle = torch.stack([left + wide / 2, top + tall / 2], -1)  # [B, 2]
    return _upright(images, middle[:, None], torch.stack([mirrored * wide, tall], -1), size)[:, 0]


@in_float32
def random_square(
    images: Tensor, rng: torch.Generator, size: int, scale: Range = (0.5, 1.0), flip: float = 0.5
) -> Tensor:
    """Square crops of a random share of the largest square in an image, at a random place, mirrored by `flip`.

    Both axes are resized alike, whatever the shape of the images, so that a view does not give away which was which.
    images: uint8 [B, 3, H, W]; returns float32 [B, 3, size, size].
    """
    count, (height, width) = len(images), images.shape[-2:]
    side = uniform(count, *scale, rng).sqrt() * min(height, width)
    left, top = (uniform(count, 0, 1, rng) * (extent - side) for extent in (width, height))
    mirrored = 1.0 - 2.0 * chosen(count, flip, rng).float()
    middle = torch.stack([left, top], -1) + side[:, None] / 2  # [B, 2]
    return _upright(images, middle[:, None], torch.stack([mirrored * side, side], -1), size)[:, 0]


def rotations(views: Tensor) -> tuple[Tensor, Tensor]:
    """All four rotations of square views [B, 3, s, s], [4 B, 3, s, s], and the quarters of a turn of each, [4 B]."""
    turned = views.new_empty(4, *views.shape)
    for quarter in range(4):
        turned[quarter] = torch.rot90(views, quarter, (2, 3))
    return turned.flatten(0, 1), torch.arange(4, device=views.device).repeat_interleave(len(views))


@in_float32
def flip_and_shift(images: Tensor, rng: torch.Generator, size: int, shift: float = 0.125, flip: float = 0.5) -> Tensor:
    """Whole images, moved along each axis by up to `shift` of their side, and mirrored with probability `flip`.

    The weak augmentation of FixMatch (Sohn et al. 2020, section 2.3); beyond the image its border is repeated. images:
    uint8 [B, 3, H, W]; returns float32 [B, 3, size, size] in [0, 1].
    """
    count = len(images)
    extent = torch.tensor(images.shape[:-3:-1], device=images.device, dtype=torch.float32)  # (width, height)
    moved = (torch.rand(count, 2, generator=rng, device=rng.device) * 2 - 1) * shift
    mirrored = 1.0 - 2.0 * chosen(count, flip, rng).float()
    sides = extent.expand(count, 2) * torch.stack([mirrored, torch.ones_like(mirrored)], -1)
    return _upright(images, ((0.5 + moved) * extent)[:, None], sides, size)[:, 0]


@in_float32
def windows_at(images: Tensor, middle: Tensor, side: Tensor, size: int, shift: Tensor | None = None) -> Tensor:
    """Several upright square windows of each image; beyond the image its border is repeated.

    Args:
        images: uint8 [B, 3, H, W].
        middle: float [B, K, 2], (u, v) of the middle of each window, px from the corner of the image.
        side: float [B], of the windows, in pixels of the images.
        size: of the windows that are returned, px.
        shift: float [B, 3, K, 2], px: what each colour of a window is displaced by.

    Returns float32 [B, K, 3, size, size] in [0, 1].
    """
    sides = side[:, None].expand(-1, 2)
    if shift is None:
        return _upright(images, middle, sides, size)
    # Each colour is an image of its own.
    channels = images.flatten(0, 1)[:, None]  # [3 B, 1, H, W]
    shifted = (middle[:, None] + shift).flatten(0, 1)  # [3 B, K, 2]
    windows = _upright(channels, shifted, sides.repeat_interleave(3, 0), size)  # [3 B, K, 1, size, size]
    return windows.unflatten(0, (-1, 3)).squeeze(3).transpose(1, 2)


@in_float32
def random_resolution(images: Tensor, rng: torch.Generator, sides: tuple[int, ...], probability: float) -> Tensor:
    """Bring some samples down to one of the resolutions `sides`, px, and up again. images: float [B, 3, H, H]."""
    count, size = len(images), images.shape[-1]
    which = uniform(count, 0, len(sides), rng).long()  # [B]
    which = which.masked_fill(~chosen(count, probability, rng), len(sides))  # none of them
    found = images.clone()
    for number, side in enumerate(sides):
        mine = which == number
        small = functional.interpolate(images[mine], (side, side), mode="area")
        found[mine] = functional.interpolate(small, (size, size), mode="bilinear")
    return found


def _upright(images: Tensor, middle: Tensor, sides: Tensor, size: int) -> Tensor:
    """Upright windows [B, K, C, size, size] in [0, 1] of images uint8 [B, C, H, W], resized one axis after the other.

    middle: [B, K, 2], px from the corner of the image. sides: [B, 2], px along u and v; mirrored where negative.
    A sample is a weighted sum of whole rows, which runs at the speed of memory: twice as fast as `grid_sample`.
    """
    _check_bytes(images)
    count, colors, height, width = images.shape
    windows = len(images) * middle.shape[1]
    rows, weights = _taps(middle[..., 1], sides[:, 1], size, height)
    rows += torch.arange(count, device=rows.device)[:, None, None, None] * height
    strips = _weighted_rows(images.permute(0, 2, 3, 1).reshape(count * height, -1).float(), rows, weights / 255)
    # Columns are rows now: [B · K · C · W, size].
    strips = strips.view(windows, size, width, colors).permute(0, 3, 2, 1).reshape(-1, size)
    columns, weights = (each.flatten(0, 1)[:, None] for each in _taps(middle[..., 0], sides[:, 0], size, width))
    columns = columns + torch.arange(windows * colors, device=columns.device).view(windows, colors, 1, 1) * width
    crops = _weighted_rows(strips, columns, weights.expand(columns.shape))
    return crops.view(count, -1, colors, size, size).transpose(3, 4)


def _taps(middle: Tensor, sides: Tensor, size: int, extent: int) -> tuple[Tensor, Tensor]:
    """What is summed for each sample along an axis, index and weight [B, K, size, T]: linear interpolation.

    Where a window shrinks, as far as the step between samples, against aliasing (as Pillow does).
    """
    reach = (sides.abs() / size).clamp(min=1)[:, None, None]
    steps = (torch.arange(size, device=middle.device) + 0.5) / size - 0.5
    at = middle[..., None] + sides[:, None, None] * steps - 0.5
    count = math.ceil(2 * float(reach.max()) - 1e-4)  # rounding alone adds none
    index = (at - reach).floor().add_(1)[..., None] + torch.arange(count, device=middle.device)
    weights = (1 - (index - at[..., None]).abs() / reach[..., None]).clamp_(min=0)
    return index.clamp_(0, extent - 1).long(), weights / weights.sum(-1, keepdim=True)


def _weighted_rows(table: Tensor, rows: Tensor, weights: Tensor) -> Tensor:
    """Sums over the last axis of rows [..., T] of the table [R, D], with weights [..., T]: [N, D]."""
    taps = rows.shape[-1]
    return functional.embedding_bag(
        rows.reshape(-1, taps), table, mode="sum", per_sample_weights=weights.reshape(-1, taps)
    )
