"""How good the features are while they are learned, without a touch on the method or its gradients."""

from collections.abc import Callable
from dataclasses import fields

import torch
from torch import Tensor, nn

from embodied_ssl.datasets.batches import Batch
from embodied_ssl.evaluate.collapse import feature_deviation, rank_me
from embodied_ssl.views import to_float

LEAST_RANK, LEAST_DEVIATION = 1.5, 1e-3


class Monitor:
    """Effective rank and deviation of the features of the first batch, encoded again at each call at rest.

    What collapses is warned of once: a rank below 1.5, or features that hardly deviate from their mean.
    """

    def __init__(self, batches: dict[str, Batch], size: int, warn: Callable[[str], None]):
        self._images, self._size = _pictures(batches), size
        self._warn, self._collapsed = warn, False

    @torch.no_grad()
    def __call__(self, encoder: nn.Module, device: torch.device) -> dict[str, float]:
        """`feature_rank` (RankMe) and `feature_deviation`."""
        training = encoder.training
        features = encoder.eval()(to_float(self._images.to(device), self._size)).float()
        encoder.train(training)
        rank, deviation = rank_me(features), feature_deviation(features)
        if not self._collapsed and (rank < LEAST_RANK or deviation < LEAST_DEVIATION):
            self._collapsed = True
            self._warn(
                f"the features have collapsed (effective rank {rank:.2f}, deviation {deviation:.1e}): "
                "they no longer tell pictures apart"
            )
        return {"feature_rank": rank, "feature_deviation": deviation}


def _pictures(batches: dict[str, Batch]) -> Tensor:
    """The first pictures of the first batch, uint8 [N, 3, H, W]."""
    batch = next(iter(batches.values()))
    return getattr(batch, fields(batch)[0].name).flatten(0, -4)
