"""Classes of pixels: the intersection over union of each, and a linear layer on frozen maps that is fitted for it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from embodied_ssl.datasets.images.scenes import UNASKED, Scenes
from embodied_ssl.encoders import Encoder
from embodied_ssl.evaluation.estimators.regression import ridges
from embodied_ssl.evaluation.pixels import Asked, Rows, maps_of, read_out

TAUS = (0.0, 0.5, 1.0)
"""How much of the frequency of classes is told to the layer, of which validation chooses (Menon et al. 2021)."""

LEAST = 1e-6
"""Answers of least squares can be negative; as probabilities they are at least this."""

Counts = NDArray[np.int64]


@dataclass
class Confusion:
    """How often pixels of each class were taken for each."""

    counts: Counts  # [K, K]: true, then predicted

    @classmethod
    def of(cls, classes: int) -> "Confusion":
        """One that counts nothing yet."""
        return cls(np.zeros((classes, classes), np.int64))

    def add(self, truth: NDArray[np.integer], predicted: NDArray[np.integer]) -> None:
        """Count pixels, of which those that are true nothing, `UNASKED`, are left out."""
        asked = truth != UNASKED
        pairs = truth[asked].astype(np.int64) * len(self.counts) + predicted[asked]
        self.counts += np.bincount(pairs, minlength=self.counts.size).reshape(self.counts.shape)

    @property
    def iou(self) -> NDArray[np.float64]:
        """Of each class intersection over union, [K]; NaN where no pixel is truly of it."""
        right, true, predicted = np.diag(self.counts), self.counts.sum(1), self.counts.sum(0)
        return np.where(true > 0, right / np.maximum(true + predicted - right, 1), np.nan)

    def mean_iou(self, first: int = 0) -> float:
        """The mean over classes, from one on, that are truly there; NaN where there is none."""
        there = self.iou[first:]
        return float(np.nanmean(there)) if np.isfinite(there).any() else float("nan")

    @property
    def accuracy(self) -> float:
        """The share of pixels that are right."""
        return float(np.diag(self.counts).sum() / max(int(self.counts.sum()), 1))


@dataclass(frozen=True)
class Layer:
    """A linear layer that names the class of each pixel."""

    weight: Tensor  # [D, K]
    bias: Tensor  # [K]
    odds: Tensor  # [K], what answers are multiplied by
    about: dict[str, Any] = field(default_factory=dict)
    """What it depends on."""

    def __call__(self, maps: Tensor, side: int) -> Tensor:
        """Classes of pixels, [B, side, side], of maps [B, D, g, g]."""
        answers = read_out(maps, self.weight, self.bias, side)  # [B, K, side, side]
        return (answers.clamp(min=LEAST) * self.odds[:, None, None]).argmax(1)


def fit_layer(encoder: Encoder, train: Asked, validation: Asked, shares: NDArray[np.float64], device: str) -> Layer:
    """The ridge from all stages at the pixels of training to their classes, in closed form.

    Pixels of training are drawn so that classes are alike in frequency, so that what is squared is the error of each.
    The strength of the ridge, and how much of their true `shares` [K] is told of them, are what gives the best mean IoU
    at pixels of validation: an answer y is taken for the probability of a class as drawn, and weighed by (share as it
    is / share as drawn)^τ.
    """
    features, truth = train.features(encoder, device).astype("f8"), train.flat.astype(np.int64)
    of_class = np.eye(len(shares))[truth]  # [N, K]
    drawn = of_class.mean(0)
    known = drawn > 0
    chosen_on, asked = validation.features(encoder, device).astype("f8"), validation.flat.astype(np.int64)
    best: tuple[float, Layer] | None = None
    for ridge in ridges((features, of_class)):
        weight, bias = ridge.layer
        answers = chosen_on @ weight + bias
        for tau in TAUS:
            odds = np.where(known, (np.maximum(shares, 1e-9) / np.where(known, drawn, 1.0)) ** tau, 0.0)
            confusion = Confusion.of(len(shares))
            confusion.add(asked, (np.maximum(answers, LEAST) * odds).argmax(1))
            score = confusion.mean_iou()
            if best is None or score > best[0]:
                about = {"ridge": ridge.strength, "tau": tau, "validation_mIoU": score}
                own = [torch.from_numpy(each.astype("f4")).to(device) for each in (weight, bias, odds)]
                best = score, Layer(own[0], own[1], own[2], about)
    assert best is not None, "there is more than one strength"
    return best[1]


def confusion_of(
    predicted: Iterable[tuple[Rows, Tensor]], scenes: Scenes, labels: Callable[[Rows], NDArray[np.uint8]]
) -> Confusion:
    """How classes of pixels, [B, H, H] for rows, agree with the truth."""
    found = Confusion.of(len(scenes.classes))
    for rows, classes in predicted:
        found.add(labels(rows), classes.cpu().numpy())
    return found


def predicted_by(
    encoder: Encoder, layer: Layer, scenes: Scenes, rows: Rows, device: str
) -> Iterable[tuple[Rows, Tensor]]:
    """What a layer on frozen stages says of images."""
    for own, maps in maps_of(encoder, scenes, rows, device):
        yield own, layer(maps, scenes.side)
