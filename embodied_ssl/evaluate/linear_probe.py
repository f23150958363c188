"""Linear probe: a linear classifier on frozen features."""

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.images import ImageSet
from embodied_ssl.evaluate.features import Features
from embodied_ssl.evaluate.results import Measure
from embodied_ssl.evaluate.splits import split

STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0)
"""Inverse strengths of the regularisation, of which validation chooses."""


def linear_probe(features: Features, images: ImageSet, seed: int) -> list[Measure]:
    """Accuracy of multinomial logistic regression on standardised features; validation chooses the regularisation."""
    parts = split(images, seed, most=4000)
    label = images.label
    scores = [accuracy(features, label, parts.train, parts.validation, strength) for strength in STRENGTHS]
    best = STRENGTHS[int(np.argmax(scores))]
    value = accuracy(features, label, parts.train, parts.test, best)
    return [Measure("accuracy", value, {"inverse_regularisation": best, "split_seed": seed})]


def accuracy(
    features: Features, label: NDArray[np.int64], train: NDArray[np.int64], test: NDArray[np.int64], strength: float
) -> float:
    """Accuracy on `test` of a logistic regression fitted on `train`; the rows of both are standardised by `train`."""
    from sklearn.linear_model import LogisticRegression

    mean, deviation = features[train].mean(0), features[train].std(0) + 1e-6
    model = LogisticRegression(C=strength, max_iter=200, tol=1e-3)
    with np.errstate(all="ignore"):
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it has not converged to the last digit
            model.fit((features[train] - mean) / deviation, label[train])
    return float(model.score((features[test] - mean) / deviation, label[test]))
