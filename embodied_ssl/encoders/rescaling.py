"""First weights rescaled to data, after Krähenbühl, Doersch, Donahue & Darrell, ICLR 2016 (arXiv 1511.06856).

Random weights as they were drawn, in other units: within each layer every channel of what it gives varies alike, and
between layers a loss drawn at random would change all weights at the same relative rate.
"""

import copy
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from embodied_ssl.encoders.base import Encoder

PASSES = 20
"""Over all layers at most, until their rates are alike: where layers are homogeneous one is enough."""
ALIKE = 0.02
"""By what share the largest rate may be larger than the smallest one."""

Affine = nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d


def rescale(encoder: Encoder, images: Tensor, seed: int = 0) -> None:
    """Rescale the weights of an encoder's layers in place, by images float [B, 3, H, W] in [0, 1].

    Within layers (algorithm 1): all channels of a layer's output have the same deviation, 1 at first, and where it has
    a bias mean 0 (β = 0; the reference implementation adds 0.1). Between them (algorithm 2): this one number of each
    layer becomes such that the rate ‖∂ℓ/∂W‖ / ‖W‖ of a loss ℓ = ηᵀz, η drawn at random, z the features, is the same in
    all. Batch norms take the statistics of these images, so that what they give has mean 0 and deviation 1 after that.

    Where attention grows sharper with its weights their rate grows with them, and the passes over a transformer, for
    which the algorithm was not made, part again: the most alike ones are kept.

    What is drawn, the directions of the weights, stays as the library of the network has it.
    """
    training = encoder.training
    encoder.eval()
    _settle(encoder, images, to_one=True)
    generator = torch.Generator(images.device).manual_seed(seed)
    loss = torch.randn(len(images), encoder.dim, generator=generator, device=images.device)  # η
    best, kept = math.inf, encoder.state_dict()
    for _ in range(PASSES):
        logs = {layer: math.log(rate) for layer, rate in change_rates(encoder, images, loss).items()}
        spread = max(logs.values()) - min(logs.values())
        if spread < best:
            best, kept = spread, copy.deepcopy(encoder.state_dict())
        elif spread > 2 * best + ALIKE:
            break
        if spread < ALIKE:
            break
        target = sum(logs.values()) / len(logs)
        with torch.no_grad():
            for layer, log in logs.items():  # with s·W the gradient is 1/s as large
                layer.weight.mul_(math.exp((log - target) / 2))
        _settle(encoder, images, to_one=False)
    encoder.load_state_dict(kept)
    encoder.train(training)


def change_rates(encoder: Encoder, images: Tensor, loss: Tensor) -> dict[Affine, float]:
    """How fast each layer's weights change of a loss Σ η · z, relative to what they are: ‖∂ℓ/∂W‖ / ‖W‖.

    loss: η, [B, D]. Layers that no gradient reaches, as those before a norm that begins with 0, are left out.
    """
    with torch.enable_grad():
        layers = [each for each in encoder.modules() if isinstance(each, Affine) and each.weight.requires_grad]
        value = (encoder(images) * loss).sum()
        gradients = torch.autograd.grad(value, [each.weight for each in layers], allow_unused=True)
    return {
        layer: float(gradient.norm() / layer.weight.detach().norm())
        for layer, gradient in zip(layers, gradients, strict=True)
        if gradient is not None and gradient.norm() > 0
    }


@torch.no_grad()
def _settle(encoder: Encoder, images: Tensor, to_one: bool) -> None:
    """One pass forward, in which each layer is set by what comes in, before the next one sees what comes out.

    to_one: whether all channels of what a layer gives get the deviation 1, or that which they have in the mean.
    """
    hooks: list[Any] = []
    for module in encoder.modules():
        if isinstance(module, Affine):
            hooks.append(module.register_forward_hook(_scaled(to_one)))
        elif isinstance(module, _BatchNorm) and module.running_mean is not None:
            hooks.append(module.register_forward_pre_hook(_measured))
    try:
        encoder(images)
    finally:
        for hook in hooks:
            hook.remove()


def _scaled(to_one: bool) -> Callable[[Any, Any, Tensor], Tensor]:
    """A hook that brings the channels of what a layer gives to one deviation, and to mean 0 where it has a bias."""

    def hook(layer: Any, inputs: Any, output: Tensor) -> Tensor:
        axis = output.ndim - 1 if isinstance(layer, nn.Linear) else 1
        shape = [-1 if each == axis else 1 for each in range(output.ndim)]
        channels = output.movedim(axis, -1).flatten(0, -2).float()  # [places, C]
        mean, deviation = channels.mean(0), channels.std(0, correction=0)
        varies = deviation > 1e-12
        wanted = 1.0 if to_one else deviation[varies].log().mean().exp()
        scale = torch.where(varies, wanted / deviation, 1.0)
        layer.weight.mul_(scale.reshape(-1, *[1] * (layer.weight.ndim - 1)))
        if layer.bias is None:
            return output * scale.reshape(shape)
        layer.bias.copy_((layer.bias - mean) * scale)
        return (output - mean.reshape(shape)) * scale.reshape(shape)

    return hook


def _measured(norm: Any, inputs: tuple[Tensor, ...]) -> None:
    """A hook that gives a batch norm the statistics of what it is about to see."""
    channels = inputs[0].movedim(1, -1).flatten(0, -2).float()
    norm.running_mean.copy_(channels.mean(0))
    norm.running_var.copy_(channels.var(0, correction=0))
