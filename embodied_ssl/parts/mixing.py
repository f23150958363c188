"""Mixup and cutmix: images of a batch mixed with others of it, and their classes with them."""

import torch
from torch import Tensor

from embodied_ssl.parts.precision import in_float32
from embodied_ssl.parts.views import uniform


@in_float32
def mixed(images: Tensor, target: Tensor, rng: torch.Generator, mixup: float, cutmix: float) -> tuple[Tensor, Tensor]:
    """Each image mixed with the one at its place from the end of the batch, and the probabilities of their classes.

    images: float [B, 3, s, s]. target: [B, classes]. mixup, cutmix: α of the distribution Beta(α, α) of the share that
    an image keeps, faded (Zhang et al. 2018) or but for a rectangle of the other (Yun et al. 2019); 0: none. With both,
    each image has one of them, by a coin.
    """
    count, side, device = len(images), images.shape[-1], images.device
    faded = torch.rand(count, generator=rng, device=device) < (0.5 if mixup and cutmix else float(mixup > 0))  # [B]
    alpha = torch.where(faded, mixup or 1.0, cutmix or 1.0)[:, None].expand(count, 2)
    gamma = torch._standard_gamma(alpha.contiguous(), generator=rng).clamp(min=1e-8)
    kept = gamma[:, 0] / gamma.sum(1)  # [B]

    # The rectangle of the other image: of the image's own shape, its middle anywhere, cut off at the border.
    half = (1 - kept).sqrt()[:, None] * side / 2
    middle = uniform(2 * count, 0, side, rng).view(count, 2)
    at = torch.arange(side, device=device) + 0.5
    within = (at - middle[..., None]).abs() < half[:, None]  # [B, 2, s]
    cut = (within[:, 0, :, None] & within[:, 1, None]).float()[:, None]  # [B, 1, s, s]

    own = torch.where(faded[:, None, None, None], kept[:, None, None, None], 1 - cut)  # [B, 1, s, s]
    share = own.mean((1, 2, 3))[:, None]  # [B, 1]: a rectangle at the border is smaller than was drawn
    return own * images + (1 - own) * images.flip(0), share * target + (1 - share) * target.flip(0)
