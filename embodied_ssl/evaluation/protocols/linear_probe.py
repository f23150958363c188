"""Linear probe: a linear classifier on frozen features."""

from dataclasses import dataclass

from embodied_ssl.evaluation.estimators.logistic import best_probe
from embodied_ssl.evaluation.protocol import EncodedSet, Protocol
from embodied_ssl.evaluation.results import Measure


@dataclass(frozen=True)
class LinearProbe(Protocol):
    """Accuracy of multinomial logistic regression on standardised features; validation chooses the regularisation."""

    def measure(self, encoded: EncodedSet) -> list[Measure]:
        probe, about = best_probe(encoded.features, encoded.images, encoded.split, encoded.device, "linear_probe")
        value = probe.accuracy(encoded.features, encoded.images.label, encoded.split.test)
        return [Measure("accuracy", value, {**about, "split_seed": encoded.seed}, encoded.split.test)]
