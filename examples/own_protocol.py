"""A protocol of one's own: how near features of the same object (or class) lie, and how evenly all of them are spread.

    embodied-ssl evaluate runs/simclr-0 --on data/held_out --plugin examples.own_protocol --protocol geometry knn
    embodied-ssl evaluate runs/simclr-0 --on data/held_out --protocol examples.own_protocol:Geometry --power 1

Its numbers stand in the tables, in results.csv and on the page as those of all others.
"""

from dataclasses import dataclass

import numpy as np

from embodied_ssl.evaluation.estimators.neighbours import unit
from embodied_ssl.evaluation.protocol import EncodedSet, Protocol
from embodied_ssl.evaluation.results import Measure
from embodied_ssl.limits import Positive


@dataclass(frozen=True)
class Geometry(Protocol):
    """Alignment and uniformity on the sphere of features of length 1. Wang & Isola, ICML 2020, section 4.1."""

    divides = False  # it needs no training part
    lower_is_better = True

    power: Positive = 2.0
    """α, of the distance in alignment."""
    sharpness: Positive = 2.0
    """t, of the Gaussian in uniformity."""

    def measure(self, encoded: EncodedSet) -> list[Measure]:
        rng, images = np.random.default_rng(encoded.seed), encoded.images
        rows = np.sort(rng.permutation(len(images))[: encoded.settings.most or 2000])
        features = unit(encoded.features[rows]).numpy()  # [N, D]
        square = np.maximum(2 - 2 * features @ features.T, 0)  # [N, N], of the distances
        other = ~np.eye(len(rows), dtype=bool)
        objects = len(np.unique(images.group[rows])) < len(rows)  # or else each image stands for itself
        alike = (images.group if objects else images.label)[rows]
        same = (alike[:, None] == alike) & other
        about = {"images": len(rows), "power": self.power, "sharpness": self.sharpness, "seed": encoded.seed}
        about["alike"] = "object" if objects else "class"
        return [
            Measure("alignment", float((square[same] ** (self.power / 2)).mean()), about, rows),
            Measure("uniformity", float(np.log(np.exp(-self.sharpness * square[other]).mean())), about, rows),
        ]
