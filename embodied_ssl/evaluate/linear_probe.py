"""Linear probe: a linear classifier on frozen features."""

import warnings
from collections.abc import Sequence

import numpy as np

from embodied_ssl.datasets.images import ImageSet
from embodied_ssl.evaluate.features import Features
from embodied_ssl.evaluate.results import Measure
from embodied_ssl.evaluate.splits import Rows, split

STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0)
"""Inverse strengths of the regularisation, of which validation chooses."""


def linear_probe(features: Features, images: ImageSet, seed: int) -> list[Measure]:
    """Accuracy of multinomial logistic regression on standardised features; validation chooses the regularisation."""
    parts = split(images, seed, most=4000)
    held_out = parts.validation, parts.test
    scores = [accuracies(features, images.label, parts.train, held_out, strength) for strength in STRENGTHS]
    best = int(np.argmax([validation for validation, _ in scores]))
    return [Measure("accuracy", scores[best][1], {"inverse_regularisation": STRENGTHS[best], "split_seed": seed})]


def accuracies(
    features: Features, label: Rows, train: Rows, held_out: Sequence[Rows], strength: float
) -> tuple[float, ...]:
    """Accuracy on each part held out of a logistic regression fitted on `train`; all rows are standardised by it."""
    from sklearn.linear_model import LogisticRegression

    mean, deviation = features[train].mean(0), features[train].std(0) + 1e-6
    model = LogisticRegression(C=strength, max_iter=200, tol=1e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it has not converged to the last digit
        model.fit((features[train] - mean) / deviation, label[train])
    return tuple(float(model.score((features[rows] - mean) / deviation, label[rows])) for rows in held_out)
