"""How good the features are while they are learned, without a touch on the method or its gradients."""

from collections.abc import Callable

import torch
from torch import Tensor

from embodied_ssl.data import Source
from embodied_ssl.datasets.batches import Batch
from embodied_ssl.datasets.images import image_set
from embodied_ssl.encoders import Encoder
from embodied_ssl.evaluate.collapse import feature_deviation, rank_me
from embodied_ssl.evaluate.features import encode
from embodied_ssl.evaluate.splits import split

MOST_IMAGES = 2000
LEAST_RANK, LEAST_DEVIATION = 1.5, 1e-4


class Monitor:
    """Effective rank and deviation of the features, and their worth on a labelled set if one is named.

    Each call encodes the same pictures again, in evaluation mode: up to 2,000 of the labelled set, or those of the
    first batch. What collapses is warned of once: a rank below 1.5, or features that hardly deviate from their mean.
    """

    def __init__(self, labelled: Source | None, batches: dict[str, Batch], seed: int, warn: Callable[[str], None]):
        self._warn, self._collapsed = warn, False
        self._split = split(image_set(labelled), seed=seed, most=MOST_IMAGES) if labelled is not None else None
        self._images = _pictures(batches)

    def __call__(self, encoder: Encoder, device: torch.device) -> dict[str, float]:
        """`feature_rank` (RankMe), `feature_deviation`; with labels `probe_accuracy` and `knn_accuracy`, held out."""
        features = encode(encoder, self._images, device)
        values = {"feature_rank": rank_me(features), "feature_deviation": feature_deviation(features)}
        if not self._collapsed and (
            values["feature_rank"] < LEAST_RANK or values["feature_deviation"] < LEAST_DEVIATION
        ):
            self._collapsed = True
            self._warn(
                f"the features have collapsed: effective rank {values['feature_rank']:.2f}, "
                f"deviation {values['feature_deviation']:.1e}; they tell pictures no longer apart"
            )
        return values


def _pictures(batches: dict[str, Batch]) -> Tensor:
    """The pictures of the first batch, uint8 [N, 3, H, W]."""
