"""Few labels: a linear classifier on k labelled images or objects of each class, over many draws."""

import sys
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

from embodied_ssl.evaluation.estimators.logistic import STRENGTHS, fit, tell_unconverged
from embodied_ssl.evaluation.protocol import EncodedSet, Protocol
from embodied_ssl.evaluation.results import Measure
from embodied_ssl.evaluation.splits import draw_rows
from embodied_ssl.limits import Count


@dataclass(frozen=True)
class FewLabels(Protocol):
    """Mean accuracy over draws of k images of each class; one split, so that all draws share their test images.

    Each draw takes k images of each class out of the training part, and as many, or all where there are fewer, out of
    the validation part: who has few labels has few to choose with. The mean of the draws' validation accuracies chooses
    the regularisation of each k, for all draws together. No test image is ever drawn from.

    A k that some class does not have in the training part is left out, and a line says so; where that leaves none, k is
    what the smallest class has.
    """

    per_class: tuple[Count, ...] = (1, 6, 20)
    """k: labelled images of each class; 6 as in Jayaraman & Grauman 2015, table 2."""
    draws: Count = 10
    """Of each k."""
    of: Literal["images", "objects"] = "images"
    """What is labelled: single images, or objects (or rooms) with all of their images. The first may well be views of
    one object; how many objects were named to a learner is what the curve over labels is about."""

    def measure(self, encoded: EncodedSet) -> list[Measure]:
        images, train = encoded.images, encoded.split.train
        label, number = images.label[train], images.group[train] if self.of == "objects" else train
        fewest = min(len(np.unique(number[label == each])) for each in np.unique(label))
        if missing := [k for k in self.per_class if k > fewest]:
            many = " and ".join(map(str, missing))
            _say_once(f"{images.name}: few_labels has no {many} {self.of} of each class; its smallest has {fewest}")
        return [self._with_labels(k, encoded) for k in self.per_class if k <= fewest] or [
            self._with_labels(fewest, encoded)
        ]

    def _with_labels(self, k: int, encoded: EncodedSet) -> Measure:
        label, parts = encoded.images.label, encoded.split
        rngs = [np.random.default_rng([encoded.seed, k, draw]) for draw in range(self.draws)]
        group = encoded.images.group if self.of == "objects" else None
        drawn = [[draw_rows(label, part, k, rng, group) for part in (parts.train, parts.validation)] for rng in rngs]
        features = encoded.features_of(np.concatenate([parts.test, *(rows for both in drawn for rows in both)]))
        tried = [fit(features, label, train, STRENGTHS, encoded.device) for train, _ in drawn]
        scores = np.array(  # [draw, strength]
            [[one.accuracy(features, label, validation) for one in own]
             for own, (_, validation) in zip(tried, drawn, strict=True)]
        )  # fmt: skip
        best = int(scores.mean(0).argmax())
        values = [own[best].accuracy(features, label, parts.test) for own in tried]
        about = {
            "draws": self.draws,
            "deviation_over_draws": float(np.std(values)),
            "inverse_regularisation": tried[0][best].strength,
            "converged": tell_unconverged(
                [one for own in tried for one in own], f"few_labels on {encoded.images.name}"
            ),
            "split_seed": encoded.seed,
            **parts.counts(train=len(drawn[0][0]), validation=len(drawn[0][1])),
        }
        return Measure(
            f"accuracy@{k}{' objects' if self.of == 'objects' else ''}", float(np.mean(values)), about, parts.test
        )


@cache
def _say_once(what: str) -> None:
    print(f"embodied-ssl: {what}", file=sys.stderr)
