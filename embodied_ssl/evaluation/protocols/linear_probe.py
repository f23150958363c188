"""Linear probe: a linear classifier on frozen features."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from embodied_ssl.evaluation.estimators.logistic import best_probe
from embodied_ssl.evaluation.protocol import EncodedSet, EvaluationSet, Protocol
from embodied_ssl.evaluation.results import Measure
from embodied_ssl.evaluation.splits import Split
from embodied_ssl.limits import Count


@dataclass(frozen=True)
class LinearProbe(Protocol):
    """Accuracy of multinomial logistic regression on standardised features; validation chooses the regularisation."""

    splits: Count = 1
    """Divisions of the set, of which the mean is taken: on a small set, one alone says more of itself than of features.
    Each has a classifier of its own, and no test image of a division is among the others of that division."""

    def prepare(self, on: EvaluationSet) -> tuple[Split, ...]:
        return on.several_splits(self.splits)

    def measure(self, encoded: EncodedSet) -> list[Measure]:
        values, found = [], []
        for parts in encoded.prepared:
            probe, about = best_probe(encoded.features, encoded.images, parts, encoded.device, "linear_probe")
            values.append(probe.accuracy(encoded.features, encoded.images.label, parts.test))
            found.append(about)
        about = {**_joined(found), "split_seed": encoded.seed}
        if self.splits > 1:
            about |= {"splits": self.splits, "deviation_over_splits": float(np.std(values, ddof=1))}
        tested = np.unique(np.concatenate([parts.test for parts in encoded.prepared]))
        return [Measure("accuracy", float(np.mean(values)), about, tested)]


def _joined(found: list[dict[str, Any]]) -> dict[str, Any]:
    """What is said of all divisions: what they have in common as it is, else the values of all."""
    return {
        name: value if all(each.get(name) == value for each in found) else [each.get(name) for each in found]
        for name, value in found[0].items()
    }
