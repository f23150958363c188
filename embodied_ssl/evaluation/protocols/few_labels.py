"""Few labels: a linear classifier on k labelled images of each class, over many draws."""

import numpy as np

from embodied_ssl.datasets.images.sources import ImageSet
from embodied_ssl.evaluation.features import Features
from embodied_ssl.evaluation.protocols.linear_probe import STRENGTHS, tell_unconverged
from embodied_ssl.evaluation.protocols.logistic import fit
from embodied_ssl.evaluation.results import Measure
from embodied_ssl.evaluation.settings import USUAL, Settings
from embodied_ssl.evaluation.splits import Rows, split

LABELS = (1, 6, 20)
"""Labelled images of each class; 6 as in Jayaraman & Grauman 2015, table 2."""
DRAWS = 10


def few_labels(
    features: Features, images: ImageSet, seed: int, settings: Settings = USUAL, device: str = "cpu"
) -> list[Measure]:
    """Mean accuracy over draws of k images of each class; one split, so that all draws share their test images.

    Each draw takes k images of each class out of the training part, and as many out of the validation part: who has few
    labels has few to choose with. The mean of the draws' validation accuracies chooses the regularisation of each k,
    for all draws together. No test image is ever drawn from.
    """
    parts = split(images, seed, settings)
    found = []
    for k in LABELS:
        rngs = [np.random.default_rng([seed, k, draw]) for draw in range(DRAWS)]
        drawn = [[draw_rows(images.label, part, k, rng) for part in (parts.train, parts.validation)] for rng in rngs]
        tried = [fit(features, images.label, train, STRENGTHS, device) for train, _ in drawn]
        scores = np.array(  # [draw, strength]
            [[one.accuracy(features, images.label, validation) for one in own]
             for own, (_, validation) in zip(tried, drawn, strict=True)]
        )  # fmt: skip
        best = int(scores.mean(0).argmax())
        values = [own[best].accuracy(features, images.label, parts.test) for own in tried]
        about = {
            "draws": DRAWS,
            "deviation_over_draws": float(np.std(values)),
            "inverse_regularisation": tried[0][best].strength,
            "converged": tell_unconverged([one for own in tried for one in own], f"few_labels on {images.name}"),
            "split_seed": seed,
            **parts.counts(train=len(drawn[0][0]), validation=len(drawn[0][1])),
        }
        found.append(Measure(f"accuracy@{k}", float(np.mean(values)), about, parts.test))
    return found


def draw_rows(label: Rows, rows: Rows, k: int, rng: np.random.Generator) -> Rows:
    """k of the rows of each class, or all where there are fewer."""
    return np.concatenate([rng.permutation(rows[label[rows] == each])[:k] for each in np.unique(label[rows])])
