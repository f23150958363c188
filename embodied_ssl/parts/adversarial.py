"""Virtual adversarial training: the change of an image that changes the answer most, and how much it does."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from embodied_ssl.parts.gradient_cache import norms_of, without_statistics

_SCALE = 2.0**10  # of what is differentiated: only its direction counts, and 16 bits have nothing as small
EPSILON, XI = 0.03, 0.01
"""Usual sizes of a change and of the one that its search begins with: root mean squares over images in [0, 1]."""


def virtual_adversarial(
    logits: Callable[[Tensor], Tensor],
    images: Tensor,
    epsilon: float,
    xi: float,
    rng: torch.Generator,
    layers: Sequence[nn.Module],
) -> tuple[Tensor, Tensor]:
    """Local distributional smoothness (Miyato et al., TPAMI 2018, eqs. 5 to 8), with one step of power iteration.

    Args:
        logits: of images float [B, 3, s, s], [B, C].
        images: float [B, 3, s, s] in [0, 1].
        epsilon: size of the change, the root of its mean square over an image.
        xi: the same, of the random change that the power iteration begins with.
        rng: of that change.
        layers: whose batch norms do not count what is tried here.

    Returns the mean divergence KL(p(x) ‖ p(x + r)) over the batch, and the logits of the images themselves [B, C].
    """
    norms = [norm for layer in layers for norm in norms_of(layer)]
    with without_statistics(norms):
        clean = logits(images)  # [B, C]
        target = clean.detach().log_softmax(1)
        change = (xi * _unit(torch.randn(images.shape, generator=rng, device=rng.device))).requires_grad_()
        with torch.enable_grad():  # also where nothing is learned, as in evaluation
            divergence = _SCALE * _divergence(target, logits(images + change))
            gradient = torch.autograd.grad(divergence, change)[0]
        change = epsilon * _unit(gradient.detach())
        return _divergence(target, logits(images + change)), clean


def entropy(logits: Tensor) -> Tensor:
    """Of the answers, nats; the mean over a batch [B, C]."""
    return -(logits.softmax(1) * logits.log_softmax(1)).sum(1).mean()


def _divergence(target: Tensor, logits: Tensor) -> Tensor:
    """Mean over the batch of KL(target ‖ softmax(logits)). target: log-probabilities [B, C]."""
    return functional.kl_div(logits.log_softmax(1), target, reduction="batchmean", log_target=True)


def _unit(change: Tensor) -> Tensor:
    """With a root mean square of 1 for each image, [B, 3, s, s]."""
    return change / change.square().mean((1, 2, 3), keepdim=True).sqrt().clamp(min=1e-20)
