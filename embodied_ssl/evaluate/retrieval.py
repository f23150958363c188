"""Retrieval: whether the nearest pictures show the same thing, or one of its kind."""

import numpy as np
import torch

from embodied_ssl.datasets.images import ImageSet
from embodied_ssl.evaluate.features import Features
from embodied_ssl.evaluate.results import Measure

COUNTS = (1, 5, 10, 20)
MOST = 4000


def retrieval(features: Features, images: ImageSet, seed: int) -> list[Measure]:
    """Recall@k by cosine: the share of queries of which one of the k nearest others is right (Pinto et al. 2016).

    By instance, the other pictures of the same object or room are right; by class, those of other objects or rooms
    of its class are, and those of its own do not count. Queries without anything right are left out.
    """
    rows = np.sort(np.random.default_rng([seed, 1]).permutation(len(images))[:MOST])
    unit = torch.nn.functional.normalize(torch.from_numpy(features[rows] - features[rows].mean(0)), dim=1)
    cosine = (unit @ unit.T).fill_diagonal_(-2)
    group, label = torch.from_numpy(images.group[rows]), torch.from_numpy(images.label[rows])
    itself = group[:, None] == group
    found = []
    for by, right, barred in (
        ("instance", itself.clone().fill_diagonal_(False), None),
        ("class", (label[:, None] == label) & ~itself, itself),
    ):
        ranked = cosine if barred is None else cosine.masked_fill(barred, -2)
        queries = right.any(1)
        if not queries.any():
            continue
        hits = right[queries].gather(1, ranked[queries].topk(min(max(COUNTS), len(rows) - 1), dim=1).indices)
        for k in COUNTS:
            value = float(hits[:, :k].any(1).float().mean())
            found.append(Measure(f"{by} recall@{k}", value, {"pictures": len(rows), "seed": seed}))
    return found
