"""How good the features are while they are learned, without a touch on the method or its gradients."""

from collections.abc import Callable
from dataclasses import fields

import numpy as np
import torch
from torch import Tensor

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.images.sources import ImageSet
from embodied_ssl.datasets.read.batches import Batch
from embodied_ssl.encoders import Encoder
from embodied_ssl.evaluation.estimators.collapse import feature_deviation, rank_me
from embodied_ssl.evaluation.estimators.logistic import fit
from embodied_ssl.evaluation.estimators.neighbours import voting_accuracy
from embodied_ssl.evaluation.features import extract
from embodied_ssl.evaluation.settings import Settings
from embodied_ssl.evaluation.splits import split
from embodied_ssl.parts.views import to_float

LEAST_RANK, LEAST_DEVIATION = 1.5, 1e-3


class Probe:
    """A linear probe and k-NN on a part of a labelled set, for a look at the features while they are learned."""

    MOST = 1500  # images: a second or two for a small encoder on a CPU

    def __init__(self, images: ImageSet):
        """Raises DataError where fewer than two classes have three groups or more; others are left out."""
        parts = split(images, 0, Settings(most=self.MOST // 2))
        self._images = images.at(np.concatenate([parts.train, parts.test]))
        count = len(parts.train)
        self._train, self._test = np.arange(count), np.arange(count, len(self._images))

    def __call__(self, encoder: Encoder, device: str) -> dict[str, float]:
        """`linear_probe` and `knn`, accuracies on the part held out."""
        features, label = extract(encoder, self._images, device=device), self._images.label
        (linear,) = fit(features, label, self._train, [0.01], device)
        return {
            "linear_probe": linear.accuracy(features, label, self._test),
            "knn": voting_accuracy(features, label, self._train, self._test, device=device),
        }


class Monitor:
    """Effective rank and deviation of the features of the first batch, encoded again at each call at rest.

    What collapses is warned of once: a rank below 1.5, or features that hardly deviate from their mean.
    """

    def __init__(self, batches: dict[str, Batch], probe: Probe | None, size: int, warn: Callable[[str], None]):
        self._images, self._probe, self._size = _first_images(batches), probe, size
        self._warn, self._collapsed = warn, False

    @torch.no_grad()
    def __call__(self, encoder: Encoder, device: torch.device) -> dict[str, float]:
        """`feature_rank` (RankMe), `feature_deviation`, and what the probe finds.

        Raises DataError where the encoder's weights, or the features that it gives, are not finite numbers.
        """
        if lost := [name for name, tensor in encoder.state_dict().items() if not tensor.isfinite().all()]:
            raise DataError(f"weights of the encoder are not finite numbers ({lost[0]}, of {len(lost)} such)")
        training = encoder.training
        features = encoder.eval()(to_float(self._images.to(device), self._size)).float()
        encoder.train(training)
        if not features.isfinite().all():
            raise DataError("the encoder's features are not finite numbers, though its weights are")
        found = self._probe(encoder, str(device)) if self._probe is not None else {}
        if len(features) < 2:  # of one image there is nothing to tell it apart from
            return found
        rank, deviation = rank_me(features), feature_deviation(features)
        if not self._collapsed and (rank < LEAST_RANK or deviation < LEAST_DEVIATION):
            self._collapsed = True
            self._warn(
                f"the features have collapsed (effective rank {rank:.2f}, deviation {deviation:.1e}): "
                "they no longer tell images apart"
            )
        return {"feature_rank": rank, "feature_deviation": deviation, **found}


def _first_images(batches: dict[str, Batch]) -> Tensor:
    """The first images of the first batch, uint8 [N, 3, H, W]."""
    batch = next(iter(batches.values()))
    return getattr(batch, fields(batch)[0].name).flatten(0, -4)
