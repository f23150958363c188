"""Losses as pure functions, each from its paper."""

import torch
from torch import Tensor
from torch.nn import functional

from embodied_ssl.distributed import gather, rank


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


def info_nce(scores: Tensor, positive: Tensor | None = None) -> Tensor:
    """Cross-entropy of naming each row's positive among N candidates (van den Oord et al. 2018, eq. 4).

    scores: float [B, N], log-odds such as similarities over a temperature. positive: int64 [B], the column of each
    row's positive; None: the diagonal. log N − loss is a lower bound of the mutual information of what is compared, in
    nats, where the N − 1 others are drawn independently (Poole et al. 2019, eq. 10); it can't exceed log N.
    """
    if positive is None:
        positive = torch.arange(len(scores), device=scores.device)
    return functional.cross_entropy(scores.float(), positive)


def nt_xent(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """Normalised temperature-scaled cross-entropy of two views (Chen et al. 2020, eq. 1), the mean over both.

    A view's positive is the other view of its sample; all other views of the batch, on all devices, are negatives.
    first, second: float [B, D], of any length.
    """
    mine = functional.normalize(torch.cat([first, second]).float(), dim=1)
    everyone = gather(mine)  # each device's first views, then its second ones
    count, offset = len(first), rank() * len(mine)
    place = torch.arange(2 * count, device=mine.device)
    scores = mine @ everyone.T / temperature
    scores = scores.index_put((place, place + offset), scores.new_tensor(-torch.inf))  # no view is compared to itself
    return info_nce(scores, place.roll(count) + offset)


def symmetric_info_nce(first: Tensor, second: Tensor, temperature: Tensor | float) -> Tensor:
    """InfoNCE of naming the second among all seconds, and the first among all firsts, the mean of both.

    CLIP's loss (Radford et al. 2021, figure 3). first, second: float [B, D], of any length.
    """
    ours = [functional.normalize(each.float(), dim=1) for each in (first, second)]
    everyone = [gather(each) for each in ours]
    positive = torch.arange(len(first), device=first.device) + rank() * len(first)
    there = info_nce(ours[0] @ everyone[1].T / temperature, positive)
    back = info_nce(ours[1] @ everyone[0].T / temperature, positive)
    return (there + back) / 2
