"""Weighted nearest neighbours, as DINO measures features."""

import numpy as np
import torch
from numpy.typing import NDArray

from embodied_ssl.datasets.images import ImageSet
from embodied_ssl.evaluate.features import Features
from embodied_ssl.evaluate.results import Measure
from embodied_ssl.evaluate.splits import Rows, split

NEIGHBOURS, TEMPERATURE = 20, 0.07


def knn(features: Features, images: ImageSet, seed: int) -> list[Measure]:
    """Accuracy of a vote of the 20 nearest by cosine, weighted by exp(cosine / 0.07). Caron et al. 2021, appendix F."""
    parts = split(images, seed, most=8000)
    value = knn_accuracy(features, images.label, parts.train, parts.test)
    return [Measure("accuracy", value, {"k": NEIGHBOURS, "temperature": TEMPERATURE, "split_seed": seed})]


def knn_accuracy(features: Features, labels: Rows, train: Rows, test: Rows) -> float:
    """Accuracy on `test` of the vote of neighbours in `train`; all rows are centred by it."""
    centred = features - features[train].mean(0)
    found = votes(centred[test], centred[train], labels[train], int(labels.max()) + 1)
    return float(np.mean(found.argmax(1) == labels[test]))


def votes(query: NDArray[np.floating], known: NDArray[np.floating], label: Rows, classes: int) -> NDArray[np.float32]:
    """What the neighbours of each query [Q, D] among those known [N, D] vote for, by their labels [N]: [Q, classes]."""
    one, other = (torch.nn.functional.normalize(torch.from_numpy(rows).float(), dim=1) for rows in (query, known))
    cosine, nearest = (one @ other.T).topk(min(NEIGHBOURS, len(known)), dim=1)
    found = torch.zeros(len(query), classes)
    return found.scatter_add_(1, torch.from_numpy(label)[nearest], (cosine / TEMPERATURE).exp()).numpy()
