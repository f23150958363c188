"""Weighted nearest neighbours, as DINO measures features."""

import numpy as np
import torch

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
    unit = torch.nn.functional.normalize(torch.from_numpy(features - features[train].mean(0)), dim=1)
    label = torch.from_numpy(labels)
    cosine, nearest = (unit[test] @ unit[train].T).topk(min(NEIGHBOURS, len(train)), dim=1)
    votes = torch.zeros(len(test), int(labels.max()) + 1)
    votes.scatter_add_(1, label[train][nearest], (cosine / TEMPERATURE).exp())
    return float(np.mean((votes.argmax(1) == label[test]).numpy()))
