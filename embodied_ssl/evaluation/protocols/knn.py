"""Weighted nearest neighbours, as DINO measures features."""

from dataclasses import dataclass

from embodied_ssl.evaluation.estimators.neighbours import voting_accuracy
from embodied_ssl.evaluation.protocol import EncodedSet, Protocol
from embodied_ssl.evaluation.results import Measure
from embodied_ssl.limits import Count, Positive


@dataclass(frozen=True)
class KNN(Protocol):
    """Accuracy of a vote of the k nearest by cosine, weighted by exp(cosine / τ). Caron et al. 2021, appendix F."""

    neighbours: Count = 20
    """k, as DINO has it."""
    temperature: Positive = 0.07
    """τ: a neighbour's vote has the weight exp(cosine / τ)."""
    centred: bool = False
    """Whether the mean of the training features is taken from all features first; DINO does not."""

    def measure(self, encoded: EncodedSet) -> list[Measure]:
        features, parts = encoded.features, encoded.split
        if self.centred:
            features = features - features[parts.train].mean(0)
        value = voting_accuracy(
            features, encoded.images.label, parts.train, parts.test, self.neighbours, self.temperature, encoded.device
        )
        about = {"k": self.neighbours, "temperature": self.temperature, "centred": self.centred}
        return [
            Measure("accuracy", value, {**about, "split_seed": encoded.seed, **parts.counts(validation=0)}, parts.test)
        ]
