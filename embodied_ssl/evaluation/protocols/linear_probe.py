"""Linear probe: a linear classifier on frozen features."""

import sys
from collections.abc import Sequence

import numpy as np

from embodied_ssl.datasets.images.sources import ImageSet
from embodied_ssl.evaluation.features import Features
from embodied_ssl.evaluation.protocols.logistic import MOST_STEPS, Classifier, fit
from embodied_ssl.evaluation.results import Measure
from embodied_ssl.evaluation.settings import USUAL, Settings
from embodied_ssl.evaluation.splits import split

STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0)
"""Inverse strengths of the regularisation, of which validation chooses."""


def linear_probe(
    features: Features, images: ImageSet, seed: int, settings: Settings = USUAL, device: str = "cpu"
) -> list[Measure]:
    """Accuracy of multinomial logistic regression on standardised features; validation chooses the regularisation."""
    parts = split(images, seed, settings)
    tried = fit(features, images.label, parts.train, STRENGTHS, device)
    scores = [each.accuracy(features, images.label, parts.validation) for each in tried]
    best = int(np.argmax(scores))
    about = {
        "inverse_regularisation": tried[best].strength,
        "validation_accuracy": scores[best],
        "converged": tell_unconverged(tried, f"linear_probe on {images.name}"),
        "split_seed": seed,
        **parts.counts(),
    }
    return [Measure("accuracy", tried[best].accuracy(features, images.label, parts.test), about, parts.test)]


def tell_unconverged(tried: Sequence[Classifier], what: str) -> bool:
    """Whether all of these were fitted to their optimum; of those that were not, a word is printed."""
    for one in tried:
        if not one.converged:
            print(
                f"embodied-ssl: {what}: C = {one.strength:g} has not converged in {MOST_STEPS} steps "
                f"(gradient {one.gradient:.1e}, loss {one.loss:.4f})",
                file=sys.stderr,
            )
    return all(one.converged for one in tried)
