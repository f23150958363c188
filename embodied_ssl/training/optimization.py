"""Optimiser and learning rate of a recipe, and the moving average of weights."""

import math
from typing import Any

import torch
from torch import nn

from embodied_ssl.datasets.errors import unknown_name
from embodied_ssl.method import Recipe


def make_optimizer(module: nn.Module, recipe: Recipe, fused: bool = True) -> torch.optim.Optimizer:
    """The optimiser of a recipe over the parameters that learn; biases and scales of normalisations do not decay.

    fused: one pass over each parameter; not where gradients are clipped after they were scaled for 16 bits.
    LARS: You, Gitman & Ginsburg 2017, as timm has it: each weight's step in proportion to its length, also where it
    does not decay, but plain SGD for biases and scales.
    """
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    weights, others = [p for p in parameters if p.ndim > 1], [p for p in parameters if p.ndim <= 1]
    groups: list[dict[str, Any]] = [
        {"params": weights, "weight_decay": recipe.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=recipe.learning_rate, momentum=recipe.momentum, fused=fused)
    if recipe.optimizer == "adamw":
        betas = (recipe.momentum, recipe.second_beta)
        return torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=betas, fused=fused)
    if recipe.optimizer == "lars":
        from timm.optim import Lars

        for group in groups:
            group["always_adapt"] = group["params"] is weights
        return Lars(groups, lr=recipe.learning_rate, momentum=recipe.momentum)
    raise unknown_name("optimizer", recipe.optimizer, ("sgd", "adamw", "lars"))


def learning_rate(recipe: Recipe, step: int) -> float:
    """The learning rate of an update: linear warm-up, then half a cosine down to 0, or constant."""
    warmup = round(recipe.warmup * recipe.steps)
    if step < warmup:
        return recipe.learning_rate * (step + 1) / warmup
    if recipe.schedule == "constant":
        return recipe.learning_rate
    progress = (step - warmup) / max(1, recipe.steps - warmup)
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))


def set_learning_rate(optimizer: torch.optim.Optimizer, value: float) -> None:
    """Set it for all parameters."""
    for group in optimizer.param_groups:
        group["lr"] = value


def rising(momentum: float, progress: float) -> float:
    """The momentum of a teacher that begins with `momentum` and rises to 1 by half a cosine (Grill et al. 2020)."""
    return 1 - (1 - momentum) * (1 + math.cos(math.pi * progress)) / 2


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
