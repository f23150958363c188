"""Optimiser and schedules of a recipe, and the moving average of weights."""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from embodied_ssl.datasets.errors import DataError, unknown_name
from embodied_ssl.recipe import Recipe


def make_optimizer(module: nn.Module, recipe: Recipe, fused: bool = True) -> torch.optim.Optimizer:
    """The optimiser of a recipe over the parameters that learn; biases and scales of normalisations do not decay.

    fused: one pass over each parameter; not where gradients are clipped after they were scaled for 16 bits.
    LARS: You, Gitman & Ginsburg 2017, as timm has it: each weight's step in proportion to its length, also where it
    does not decay, but plain SGD for biases and scales.
    """
    groups = _groups(module, recipe)
    if not groups:
        raise DataError("no parameter learns: each has `requires_grad` False; leave it True for those that are to")
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(
            groups, lr=recipe.learning_rate, momentum=recipe.momentum, nesterov=recipe.nesterov, fused=fused
        )
    if recipe.optimizer == "adamw":
        betas = (recipe.momentum, recipe.second_beta)
        return torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=betas, fused=fused)
    if recipe.optimizer == "lars":
        from timm.optim import Lars

        for group in groups:
            group["always_adapt"] = group["decays"]
        return Lars(groups, lr=recipe.learning_rate, momentum=recipe.momentum, nesterov=recipe.nesterov)
    raise unknown_name("optimizer", recipe.optimizer, ("sgd", "adamw", "lars"))


def set_schedules(optimizer: torch.optim.Optimizer, recipe: Recipe, step: int) -> None:
    """Give all parameters the learning rate and the weight decay that an update has."""
    rate, decay = learning_rate(recipe, step), weight_decay(recipe, step)
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("rate_share", 1.0)
        if recipe.final_weight_decay is not None and group["decays"]:
            group["weight_decay"] = decay


def learning_rate(recipe: Recipe, step: int) -> float:
    """The learning rate of an update: linear warm-up, then half a cosine, steps down, or constant."""
    peak = recipe.learning_rate
    if recipe.reference_batch is not None:
        peak *= recipe.batch_size / recipe.reference_batch
    warmup = round(recipe.warmup * recipe.steps)
    if step < warmup:
        first = recipe.initial_share * peak
        return first + (peak - first) * (step + 1) / warmup
    if recipe.schedule == "constant":
        return peak
    if recipe.schedule == "step":
        return peak * recipe.gamma ** sum(step >= round(each * recipe.steps) for each in recipe.milestones)
    progress = (step - warmup) / max(1, recipe.steps - warmup)
    return peak * (recipe.final_share + (1 - recipe.final_share) * _falling(progress))


def weight_decay(recipe: Recipe, step: int) -> float:
    """The weight decay of an update: half a cosine from its first to its last value, or constant."""
    last = recipe.final_weight_decay
    if last is None:
        return recipe.weight_decay
    return last + (recipe.weight_decay - last) * _falling(step / recipe.steps)


def clip_each(parameters: Iterable[nn.Parameter], most: float) -> None:
    """Shorten the gradient of each parameter to a norm of at most `most`, apart from the others."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    norms = torch._foreach_norm(gradients)
    torch._foreach_mul_(gradients, [(most / (norm + 1e-6)).clamp(max=1.0) for norm in norms])


def rising(momentum: float, progress: float) -> float:
    """The momentum of a teacher that begins with `momentum` and rises to 1 by half a cosine (Grill et al. 2020)."""
    return 1 - (1 - momentum) * (1 + math.cos(math.pi * progress)) / 2


def _falling(progress: float) -> float:
    """Half a cosine, from 1 at progress 0 to 0 at progress 1."""
    return 0.5 * (1 + math.cos(math.pi * progress))


def _groups(module: nn.Module, recipe: Recipe) -> list[dict[str, Any]]:
    """The parameters that learn: what decays, what does not, and of each layer of its own where rates differ by layer.

    Each group says whether it `decays`, and its `rate_share` of the learning rate where it is not all.
    """
    shares = _rate_shares(module, recipe.layer_decay)
    found: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for decays in (True, False):
        for parameter in module.parameters():
            if parameter.requires_grad and (parameter.ndim > 1) is decays:
                found.setdefault((shares.get(parameter, 1.0), decays), []).append(parameter)
    return [
        {"params": each, "weight_decay": recipe.weight_decay * decays, "decays": decays}
        | ({} if share == 1 else {"rate_share": share})
        for (share, decays), each in found.items()
    ]


def _rate_shares(module: nn.Module, decay: float) -> dict[nn.Parameter, float]:
    """What share of the learning rate the parameters of an encoder have; what follows it has all."""
    if decay == 1:
        return {}
    from timm.models import group_parameters

    network: Any = getattr(getattr(module, "encoder", None), "network", None)
    if not hasattr(network, "group_matcher"):
        raise DataError(f"layer_decay: {decay}; the encoder has no layers in an order, take timm/NAME, or leave it out")
    layers = group_parameters(network, network.group_matcher(coarse=False), reverse=True)  # numbers by name
    heads = max(layers.values()) + 1
    return {parameter: decay ** (heads - layers[name]) for name, parameter in network.named_parameters()}


@torch.no_grad()
def follow(average: nn.Module, module: nn.Module, decay: float, buffers: bool = True) -> None:
    """Move the weights of `average` towards those of `module` by 1 − decay.

    buffers: whether its buffers are copied; not where it sees images itself, and has statistics of its own.
    """
    mine: list[torch.Tensor] = list(average.parameters())
    theirs: list[torch.Tensor] = list(module.parameters())
    torch._foreach_lerp_(mine, theirs, 1 - decay)
    if buffers:
        for copied, original in zip(average.buffers(), module.buffers(), strict=True):
            copied.copy_(original)
