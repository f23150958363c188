"""What is predicted of interactions: angles of grasps, ways of pushes, force profiles of pokes."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from embodied_ssl.datasets.read.batches import Pushes

ANGLES = 18
"""Closing directions of a gripper, as classes: 0°, 10° … 170°."""


def angle_bin(angle: Tensor) -> Tensor:
    """Which of the 18 angles 0°, 10° … 170° is nearest to a closing direction (rad), modulo a half turn."""
    return torch.round(angle / math.pi * ANGLES).long() % ANGLES


def push_target(pushes: Pushes, middle: Tensor, side: float, turn: Tensor) -> Tensor:
    """Start, direction (cosine, sine) and length (m) of pushes as a window shows them, [B, 5].

    middle, side, turn: of the windows, float [B, 2] px, px, and [B] rad, as `crop_at` takes them. The start is given
    from the middle of the window, as a share of its side.
    """
    cosine, sine = turn.cos(), turn.sin()

    def turned(way: Tensor) -> Tensor:
        return torch.stack([cosine * way[:, 0] + sine * way[:, 1], cosine * way[:, 1] - sine * way[:, 0]], 1)

    length = (pushes.end - pushes.start)[:, :2].norm(dim=1, keepdim=True)  # [B, 1]
    direction = functional.normalize(pushes.end_pixel - pushes.start_pixel, dim=1)  # [B, 2]
    return torch.cat([turned(pushes.start_pixel - middle) / side, turned(direction), length], 1)


def poke_profile(parameters: Tensor, depth: Tensor) -> Tensor:
    """The force (N) over depths [B, T] (m) of pokes of logarithms of slope and peak [B, 2]: a line up to the peak."""
    slope, peak = parameters.exp().unbind(1)
    return torch.minimum(slope[:, None] * depth.clamp(min=0), peak[:, None])


def poke_target(force: Tensor, depth_travelled: Tensor) -> Tensor:
    """Logarithms of the stiffness (N/m) that pokes felt and of their largest force (N), [B, 2].

    force: [B, T], N. depth_travelled: [B, T], m since first contact.

    Stiffness is the slope of a line fitted to the force over the depth while the force rises: afterwards a finger has
    stopped, or slips, or the object tips over, which says nothing of what it is made of. NaN where a finger slipped off
    at once, so that no line can be fitted. Both span decades, hence logarithms.
    """
    times = torch.arange(force.shape[1], device=force.device)
    rising = (force > 0.05) & (depth_travelled > 0) & (times <= force.argmax(1, keepdim=True))  # [B, T]
    count = rising.sum(1)  # [B]
    depth, push = (
        (each - ((each * rising).sum(1) / count.clamp(min=1))[:, None]) * rising for each in (depth_travelled, force)
    )  # about their means
    slope = (depth * push).sum(1) / depth.square().sum(1).clamp(min=1e-12)  # [B]
    stiffness = slope.clamp(10, 1e6).log().masked_fill(count < 2, math.nan)
    return torch.stack([stiffness, force.amax(1).clamp(min=0.1).log()], 1)
