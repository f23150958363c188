"""Weighted nearest neighbours, as DINO measures features."""

import numpy as np
import torch
from numpy.typing import NDArray

from embodied_ssl.datasets.images.sources import ImageSet
from embodied_ssl.evaluation.features import Features
from embodied_ssl.evaluation.protocols.neighbours import nearest
from embodied_ssl.evaluation.results import Measure
from embodied_ssl.evaluation.settings import USUAL, Settings
from embodied_ssl.evaluation.splits import Rows, split


def knn(
    features: Features, images: ImageSet, seed: int, settings: Settings = USUAL, device: str = "cpu"
) -> list[Measure]:
    """Accuracy of a vote of the k nearest by cosine, weighted by exp(cosine / τ). Caron et al. 2021, appendix F."""
    parts = split(images, seed, settings)
    value = knn_accuracy(features, images.label, parts.train, parts.test, settings, device)
    about = {**votes_settings(settings), "split_seed": seed, **parts.counts(validation=0)}
    return [Measure("accuracy", value, about, parts.test)]


def votes_settings(settings: Settings) -> dict[str, float | bool]:
    """What results say of how neighbours vote."""
    return {"k": settings.neighbours, "temperature": settings.temperature, "centred": settings.centred}


def knn_accuracy(
    features: Features, labels: Rows, train: Rows, test: Rows, settings: Settings = USUAL, device: str = "cpu"
) -> float:
    """Accuracy on `test` of the vote of neighbours in `train`."""
    known, query = features[train], features[test]
    if settings.centred:
        middle = known.mean(0)
        known, query = known - middle, query - middle
    found = votes(query, known, labels[train], int(labels.max()) + 1, settings, device)
    return float(np.mean(found.argmax(1) == labels[test]))


def votes(
    query: NDArray[np.floating],
    known: NDArray[np.floating],
    label: Rows,
    classes: int,
    settings: Settings = USUAL,
    device: str = "cpu",
) -> NDArray[np.float32]:
    """What the neighbours of each query [Q, D] among those known [N, D] vote for, by their labels [N]: [Q, classes]."""
    cosine, index = nearest(query, known, settings.neighbours, device)
    weight = ((cosine - cosine[:, :1]) / settings.temperature).exp()  # in units of the nearest's: none is infinite
    return torch.zeros(len(query), classes).scatter_add_(1, torch.from_numpy(label)[index], weight).numpy()
