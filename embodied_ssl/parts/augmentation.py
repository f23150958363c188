"""Augmentation of views on their device: colours, grey, blur, solarisation, every sample with parameters of its own.

Images are float [B, 3, H, W] in [0, 1]; `augment` and `frame_pair` take uint8. All randomness comes from the generator
that is passed in. Whatever the precision of the training, views are float32.
"""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from embodied_ssl.parts.precision import in_float32
from embodied_ssl.parts.views import Range, chosen, random_resized_crop, to_float, uniform

LUMA = (0.299, 0.587, 0.114)
"""Weights of the brightness of red, green and blue (ITU-R BT.601)."""


@in_float32
def color_jitter(
    images: Tensor,
    rng: torch.Generator,
    brightness: float,
    contrast: float,
    saturation: float,
    hue: float,
    probability: float = 1.0,
) -> Tensor:
    """Random brightness, contrast, saturation and hue: all four in one matrix per sample, then clamped to [0, 1].

    The first three are factors, even in 1 ± the value given; `hue` is in turns, even in ± the value, as a rotation
    about the grey axis. They are applied in this order (torchvision shuffles it). images: float [B, 3, H, W].
    """
    count = len(images)
    bright, contrasted, saturated = (
        uniform(count, max(0.0, 1 - most), 1 + most, rng)[:, None, None] for most in (brightness, contrast, saturation)
    )
    turn = uniform(count, -hue, hue, rng) * 2 * math.pi
    luma = torch.tensor(LUMA, device=images.device)
    unit = torch.eye(3, device=images.device)
    grey = luma.expand(3, 3)
    matrix = _hue_rotation(turn) @ (saturated * unit + (1 - saturated) * grey) * (contrasted * bright)  # [B, 3, 3]
    planes = images.flatten(2).contiguous()  # [B, 3, H · W]
    # Contrast is about the mean brightness.
    mean = torch.einsum("bcp,c->b", planes, luma) / planes.shape[2]  # [B]
    offset = ((1 - contrasted) * bright).squeeze(-1) * mean[:, None]  # [B, 1]
    changed = chosen(count, probability, rng)
    matrix = torch.where(changed[:, None, None], matrix, unit)
    offset = torch.where(changed[:, None], offset.expand(count, 3), torch.zeros(3, device=images.device))
    flat = torch.baddbmm(offset[..., None], matrix, planes)
    return flat.view_as(images).clamp_(0, 1)


@in_float32
def frame_pair(first: Tensor, second: Tensor, size: int, rng: torch.Generator, jitter: float) -> Tensor:
    """Both frames of pairs, one after the other, each with its own colour jitter: light does not give a motion away.

    first, second: uint8 [B, 3, H, W]. jitter: of brightness, contrast and saturation; a quarter of it of hue. Returns
    float32 [2 B, 3, size, size] in [0, 1].
    """
    images = to_float(torch.cat([first, second]), size)
    return color_jitter(images, rng, jitter, jitter, jitter, jitter / 4) if jitter else images


def _hue_rotation(turn: Tensor) -> Tensor:
    """Rotations of RGB by angles [B] in the plane of colour at constant brightness (of YIQ), [B, 3, 3]."""
    to_yiq = turn.new_tensor([LUMA, (0.595716, -0.274453, -0.321263), (0.211456, -0.522591, 0.311135)])
    cosine = torch.cos(turn)
    sine = torch.sin(turn)
    zero = torch.zeros_like(turn)
    one = torch.ones_like(turn)
    rotation = torch.stack([one, zero, zero, zero, cosine, -sine, zero, sine, cosine], -1).view(-1, 3, 3)
    return torch.linalg.inv(to_yiq) @ rotation @ to_yiq


@in_float32
def grayscale_(images: Tensor, rng: torch.Generator, probability: float) -> Tensor:
    """Drop the colours of some samples, in place. images: float [B, 3, H, W]."""
    luma = torch.tensor(LUMA, device=images.device, dtype=images.dtype)
    grey = chosen(len(images), probability, rng).nonzero().squeeze(1)
    brightness = torch.einsum("bchw,c->bhw", images[grey], luma)[:, None]
    return images.index_copy_(0, grey, brightness.expand(-1, 3, -1, -1).to(images.dtype))


@in_float32
def blur_(images: Tensor, rng: torch.Generator, sigma: Range, kernel: int, probability: float) -> Tensor:
    """Gaussian blur with a random width per sample, px, by a kernel of an odd number of taps, mirrored at the border.

    In place. All channels of all samples are those of one image, each with a kernel of its own. images: float
    [B, 3, H, W].
    """
    count, colors, height, width = images.shape
    offsets = torch.arange(kernel, device=images.device) - kernel // 2
    deviation = uniform(count, *sigma, rng)[:, None]  # [B, 1]
    weights = torch.exp(-0.5 * (offsets / deviation) ** 2)  # [B, kernel]
    weights = weights / weights.sum(1, keepdim=True)
    blurred = chosen(count, probability, rng).nonzero().squeeze(1)  # numbers of samples
    if len(blurred) == 0:
        return images
    mirrored = functional.pad(images[blurred], (kernel // 2,) * 4, mode="reflect").flatten(0, 1)[None]  # [1, 3 n, ...]
    squares = weights[blurred, :, None] * weights[blurred, None]  # [n, kernel, kernel]
    found = functional.conv2d(mirrored, squares.repeat_interleave(colors, 0)[:, None], groups=mirrored.shape[1])
    return images.index_copy_(0, blurred, found.view(-1, colors, height, width).to(images.dtype))


@in_float32
def solarize_(images: Tensor, rng: torch.Generator, probability: float) -> Tensor:
    """Turn what is brighter than a half into its negative, in some samples, in place.

    images: float [B, 3, H, W] in [0, 1].
    """
    solarized = chosen(len(images), probability, rng).nonzero().squeeze(1)  # numbers of samples
    found = images[solarized]
    return images.index_copy_(0, solarized, torch.where(found >= 0.5, 1 - found, found))


@dataclass(frozen=True)
class Augmentation:
    """SimCLR's augmentation (Chen et al. 2020, appendix A); that of others by its settings."""

    scale: Range = (0.08, 1.0)
    """Range of the share of the image that a crop keeps; from 1 on the image is left as it is, and not mirrored."""
    strength: float = 1.0
    """Of the change of colours: brightness and contrast change by 0.8 of it; 0: none."""
    saturation: float = 0.8
    """Change of the saturation, as a share of the strength."""
    hue: float = 0.2
    """Change of the hue in turns, as a share of the strength."""
    jittered: float = 0.8
    """Probability that colours change."""
    grey: float = 0.2
    """Probability that a view loses its colours."""
    blurred: float = 0.5
    """Probability of a blur of 0.1 to 2 px, by a kernel of a tenth of the side. (The paper's σ for 224 px; at 64 px its
    largest one leaves shapes and takes textures.)"""
    solarized: float = 0.0
    """Probability that what is bright becomes its negative (MoCo v3, DINO); SimCLR has none."""


def asymmetric(strength: float = 0.5, grey: float = 0.2) -> tuple[Augmentation, Augmentation]:
    """Of first views and of second ones: those are always blurred, these seldom, and sometimes solarised.

    Grill et al. 2020, appendix B (BYOL), which MoCo v3, DINO, Barlow Twins and VICReg took over.
    """
    first = Augmentation(strength=strength, saturation=0.4, grey=grey, blurred=1.0)
    return first, replace(first, blurred=0.1, solarized=0.2)


@in_float32
def augment(images: Tensor, rng: torch.Generator, size: int, settings: Augmentation = Augmentation()) -> Tensor:
    """Random crop and flip, colours, grey, blur and solarisation, in this order.

    images: uint8 [B, 3, H, W]; rng: on their device. Returns float32 [B, 3, size, size] in [0, 1].
    """
    whole = settings.scale[0] == 1
    views = to_float(images, size) if whole else random_resized_crop(images, rng, size, settings.scale)
    if strength := settings.strength:
        light = 0.8 * strength
        saturation, hue = settings.saturation * strength, settings.hue * strength
        views = color_jitter(views, rng, light, light, saturation, hue, settings.jittered)
    if settings.grey:
        views = grayscale_(views, rng, settings.grey)
    if settings.blurred:
        views = blur_(views, rng, (0.1, 2.0), size // 20 * 2 + 1, settings.blurred)
    return solarize_(views, rng, settings.solarized) if settings.solarized else views
