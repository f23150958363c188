"""Few labels: a linear classifier on k labelled pictures of each class, over many draws."""

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.images import ImageSet
from embodied_ssl.evaluate.features import Features
from embodied_ssl.evaluate.linear_probe import STRENGTHS, accuracies
from embodied_ssl.evaluate.results import Measure
from embodied_ssl.evaluate.splits import Split, split

LABELS = (1, 6, 20)
"""Labelled pictures of each class; 6 as in Jayaraman & Grauman 2015, table 2."""
DRAWS = 10


def few_labels(features: Features, images: ImageSet, seed: int) -> list[Measure]:
    """Mean accuracy over draws of k pictures of each class, every draw with a split of its own.

    Validation chooses the regularisation of each k, for all draws together.
    """
    splits = [split(images, DRAWS * seed + draw, most=2000) for draw in range(DRAWS)]
    found = []
    for k in LABELS:
        chosen = [_draw(images.label, parts, k, np.random.default_rng([seed, k, i])) for i, parts in enumerate(splits)]
        scores = np.array(  # [strength, draw, on validation or test]
            [
                [accuracies(features, images.label, rows, (parts.validation, parts.test), strength)
                 for rows, parts in zip(chosen, splits, strict=True)]
                for strength in STRENGTHS
            ]
        )  # fmt: skip
        best = int(scores[..., 0].mean(1).argmax())
        values = scores[best, :, 1]
        settings = {
            "draws": DRAWS, "deviation_over_draws": float(values.std()),
            "inverse_regularisation": STRENGTHS[best], "split_seed": seed,
        }  # fmt: skip
        found.append(Measure(f"accuracy@{k}", float(values.mean()), settings))
    return found


def _draw(label: NDArray[np.int64], parts: Split, k: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """k rows of each class of the training part, or all where there are fewer."""
    of_class = [parts.train[label[parts.train] == each] for each in np.unique(label[parts.train])]
    return np.concatenate([rng.permutation(rows)[:k] for rows in of_class])
