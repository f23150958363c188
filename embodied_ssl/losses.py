"""Losses as pure functions, each from its paper."""

import torch
from torch import Tensor
from torch.nn import functional


def contrastive_margin(distance: Tensor, same: Tensor, margin: float) -> Tensor:
    """Distance where two are the same, a hinge max(margin − distance, 0) where not, elementwise.

    Hadsell, Chopra & LeCun 2006 (DrLIM), with plain instead of squared distances, as Jayaraman & Grauman 2015, eq. 4.
    distance: float [...], at least 0. same: bool, of a shape that broadcasts with it.
    """
    return torch.where(same, distance, (margin - distance).clamp(min=0))


def euclidean(first: Tensor, second: Tensor) -> Tensor:
    """Euclidean distances along the last axis, with a finite gradient at 0."""
    return ((first - second).square().sum(-1) + 1e-12).sqrt()


def cosine_embedding(first: Tensor, second: Tensor, same: Tensor, margin: float = 0.0) -> Tensor:
    """1 − cosine where two are the same, max(cosine − margin, 0) where not; first, second [..., D], same bool [...]."""
    cosine = functional.cosine_similarity(first, second, dim=-1)
    return torch.where(same, 1 - cosine, (cosine - margin).clamp(min=0))
