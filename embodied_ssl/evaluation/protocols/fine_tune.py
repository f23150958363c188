"""Fine-tuning: an encoder is trained on as a whole, on few labels of each class."""

from dataclasses import dataclass

from embodied_ssl.evaluation.estimators.fine_tuning import LABELS, RATES, UPDATES, accuracy_curve
from embodied_ssl.evaluation.protocol import EncodedSet, Protocol
from embodied_ssl.evaluation.results import Measure
from embodied_ssl.limits import Count, Positive


@dataclass(frozen=True)
class FineTune(Protocol):
    """Accuracy with n labels per class where every stage is trained on; an untrained encoder learns from scratch."""

    usual = False
    needs_weights = True

    per_class: tuple[Count, ...] = LABELS
    """n: labelled images of each class, where there are as many."""
    updates: Count = UPDATES
    """For each learning rate."""
    rates: tuple[Positive, ...] = RATES
    """Learning rates, alike for every row, of which validation chooses."""

    def measure(self, encoded: EncodedSet) -> list[Measure]:
        return accuracy_curve(encoded, 0, self.per_class, self.updates, self.rates)
