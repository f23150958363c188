"""Retrieval: whether the nearest images show the same object, or one of its kind."""

from dataclasses import dataclass

import numpy as np

from embodied_ssl.evaluation.estimators.neighbours import nearest
from embodied_ssl.evaluation.protocol import EncodedSet, Protocol
from embodied_ssl.evaluation.results import Measure

COUNTS = (1, 5, 10, 20)


@dataclass(frozen=True)
class Retrieval(Protocol):
    """Recall@k by cosine: the share of queries of which one of the k nearest others is right (Pinto et al. 2016).

    By instance, the other images of the same object or room are right; by class, those of other objects or rooms
    of its class are, and those of its own do not count. Queries without anything right are left out. All images are
    queries and searched; where the source says which are for testing, those alone are queries. Features are centred.
    """

    divides = False

    def measure(self, encoded: EncodedSet) -> list[Measure]:
        images, features = encoded.images, encoded.features
        rng = np.random.default_rng([encoded.seed, 1])
        rows = np.sort(rng.permutation(len(images))[: encoded.settings.most])
        tested = images.part[rows] == "test"
        queries = np.flatnonzero(tested) if tested.any() else np.arange(len(rows))
        known = features[rows] - features[rows].mean(0)
        group, label = images.group[rows], images.label[rows]
        of_group, of_class = (np.bincount(numbers)[numbers] for numbers in (group, label))  # how many are like each
        found = []
        for by, truth, right, apart in (
            ("instance", group, of_group - 1, np.arange(len(rows))),
            ("class", label, of_class - of_group, group),
        ):
            asked = queries[right[queries] > 0]
            if len(asked) == 0:
                continue
            cosine, index = nearest(known[asked], known, max(COUNTS), encoded.device, (apart[asked], apart))
            hits = (truth[index.numpy()] == truth[asked][:, None]) & np.isfinite(cosine.numpy())  # [Q, k]
            about = {"queries": len(asked), "searched": len(rows), "seed": encoded.seed}
            for k in COUNTS:
                found.append(Measure(f"{by} recall@{k}", float(hits[:, :k].any(1).mean()), about, rows[asked]))
        return found
