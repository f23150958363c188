"""Semi-supervised: an encoder is trained on behind its first stages, on few labels of each class."""

from dataclasses import dataclass

from embodied_ssl.evaluation.estimators.fine_tuning import LABELS, RATES, UPDATES, accuracy_curve
from embodied_ssl.evaluation.protocol import EncodedSet, Protocol
from embodied_ssl.evaluation.results import Measure
from embodied_ssl.limits import Count, Positive


@dataclass(frozen=True)
class SemiSupervised(Protocol):
    """Accuracy with n labels per class where the first half of the stages stays as it was learned.

    Gidaris, Singh & Komodakis 2018, section 4.1: their first two blocks of four are frozen, the others and a linear
    layer trained on the labels. An untrained encoder is trained whole: the supervised curve beside it.
    """

    usual = False
    needs_weights = True

    per_class: tuple[Count, ...] = LABELS
    """n: labelled images of each class, where there are as many."""
    updates: Count = UPDATES
    """For each learning rate."""
    rates: tuple[Positive, ...] = RATES
    """Learning rates, alike for every row, of which validation chooses."""

    def measure(self, encoded: EncodedSet) -> list[Measure]:
        frozen = 0 if encoded.untrained else len(encoded.encoder.channels) // 2
        return accuracy_curve(encoded, frozen, self.per_class, self.updates, self.rates)
