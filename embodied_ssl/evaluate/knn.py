"""Weighted nearest neighbours, as DINO measures features."""

import numpy as np
import torch

from embodied_ssl.datasets.images import ImageSet
from embodied_ssl.evaluate.features import Features
from embodied_ssl.evaluate.results import Measure
from embodied_ssl.evaluate.splits import split

NEIGHBOURS, TEMPERATURE = 20, 0.07


def knn(features: Features, images: ImageSet, seed: int) -> list[Measure]:
    """Accuracy of a vote of the 20 nearest by cosine, weighted by exp(cosine / 0.07). Caron et al. 2021, appendix F."""
    parts = split(images, seed, most=8000)
    unit = torch.nn.functional.normalize(torch.from_numpy(features - features[parts.train].mean(0)), dim=1)
    label = torch.from_numpy(images.label)
    cosine, nearest = (unit[parts.test] @ unit[parts.train].T).topk(min(NEIGHBOURS, len(parts.train)), dim=1)
    votes = torch.zeros(len(parts.test), len(images.classes))
    votes.scatter_add_(1, label[parts.train][nearest], (cosine / TEMPERATURE).exp())
    value = float(np.mean((votes.argmax(1) == label[parts.test]).numpy()))
    return [Measure("accuracy", value, {"k": NEIGHBOURS, "temperature": TEMPERATURE, "split_seed": seed})]
