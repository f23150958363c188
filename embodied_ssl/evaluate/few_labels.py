"""Few labels: a linear classifier on k labelled pictures of each class, over many draws."""

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.images import ImageSet
from embodied_ssl.evaluate.features import Features
from embodied_ssl.evaluate.linear_probe import STRENGTHS, accuracy
from embodied_ssl.evaluate.results import Measure
from embodied_ssl.evaluate.splits import Split, split

LABELS = (1, 6, 20)
"""Labelled pictures of each class; 6 as in Jayaraman & Grauman 2015, table 2."""
DRAWS = 10


def few_labels(features: Features, images: ImageSet, seed: int) -> list[Measure]:
    """Mean accuracy over draws of k pictures of each class; validation chooses the regularisation for each k."""
    parts = split(images, seed, most=2000)
    found = []
    for k in LABELS:
        rng = np.random.default_rng([seed, k])
        draws = [_draw(images.label, parts, k, rng) for _ in range(DRAWS)]
        scores = [accuracy(features, images.label, draws[0], parts.validation, strength) for strength in STRENGTHS]
        best = STRENGTHS[int(np.argmax(scores))]
        values = [accuracy(features, images.label, draw, parts.test, best) for draw in draws]
        settings = {
            "draws": DRAWS, "deviation_over_draws": float(np.std(values)),
            "inverse_regularisation": best, "split_seed": seed,
        }  # fmt: skip
        found.append(Measure(f"accuracy@{k}", float(np.mean(values)), settings))
    return found


def _draw(label: NDArray[np.int64], parts: Split, k: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """k rows of each class of the training part, or all where there are fewer."""
    of_class = [parts.train[label[parts.train] == each] for each in np.unique(label[parts.train])]
    return np.concatenate([rng.permutation(rows)[:k] for rows in of_class])
