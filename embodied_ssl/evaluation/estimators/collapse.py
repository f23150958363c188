"""Whether features still tell images apart."""

import torch
from torch import Tensor


def rank_me(features: Tensor) -> float:
    """Effective rank of features [N, D]: exp of the entropy of their singular values (RankMe, Garrido et al. 2023)."""
    values = torch.linalg.svdvals(features.double())
    share = values / values.sum().clamp(min=1e-300) + 1e-7
    return float(torch.exp(-(share * share.log()).sum()))


def feature_deviation(features: Tensor) -> float:
    """Mean standard deviation of the dimensions of features [N, D], relative to their root mean square."""
    return float(features.std(0).mean() / features.square().mean().sqrt().clamp(min=1e-30))
