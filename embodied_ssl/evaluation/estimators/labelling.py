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
from embodied_ssl.evaluation.estimators.logistic import fit, tell_unconverged
from embodied_ssl.evaluation.pixels import Asked, Rows, linear_scores, stages_of
from embodied_ssl.evaluation.strongest import strongest

TAUS = (0.0, 0.5, 1.0)
"""How much of the frequency of classes is told to the layer, of which validation chooses (Menon et al. 2021)."""
STRENGTHS = (1e-3, 1e-2, 1e-1)
"""Inverse strengths of the regularisation, of which validation chooses."""

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
        classes = len(self.counts)
        said, true = (torch.from_numpy(np.ascontiguousarray(each)).view(-1).int() for each in (predicted, truth))
        found = torch.bincount(said.add_(true, alpha=classes), minlength=(UNASKED + 1) * classes)
        self.counts += found[: classes * classes].view(classes, classes).numpy()

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

    weight: Tensor  # [D, K], of the K classes that it was shown
    bias: Tensor  # [K]
    classes: Tensor  # uint8 [K], which they are
    about: dict[str, Any] = field(default_factory=dict)
    """What it depends on."""

    def __call__(self, stages: dict[str, Tensor], cells: int, side: int) -> Tensor:
        """Classes of pixels, uint8 [B, side, side], of the stages of an encoder."""
        own = strongest(linear_scores(stages, cells, self.weight, self.bias), side)
        return self.classes.index_select(0, own.view(-1)).view_as(own)


def fit_layer(encoder: Encoder, train: Asked, validation: Asked, shares: NDArray[np.float64], device: str) -> Layer:
    """Multinomial logistic regression from all stages at the pixels of training to their classes, to its optimum.

    Pixels of training are drawn so that classes are alike in frequency. The strength of the regularisation, and how
    much of their true `shares` [K] is told of them, are what gives the best mean IoU at pixels of validation: to the
    logit of a class τ log (share as it is / share as drawn) is added.
    """
    features, truth = train.features(encoder, device), train.flat.astype(np.int64)
    chosen_on, asked = validation.features(encoder, device), validation.flat.astype(np.int64)
    tried = fit(features, truth, np.arange(len(truth)), STRENGTHS, device)
    converged = tell_unconverged(tried, f"segmentation on {train.scenes.name}")
    best: tuple[float, Layer] | None = None
    for one in tried:
        weight, bias = one.weight.cpu().numpy(), one.bias.cpu().numpy()
        drawn = np.bincount(truth, minlength=len(shares))[one.classes] / len(truth)
        answers = chosen_on @ weight
        for tau in TAUS:
            own = bias + tau * np.log(np.maximum(shares[one.classes], 1e-9) / drawn)
            confusion = Confusion.of(len(shares))
            confusion.add(asked, one.classes[(answers + own).argmax(1)])
            score = confusion.mean_iou()
            if best is None or score > best[0]:
                about = {
                    "inverse_regularisation": one.strength, "tau": tau, "validation_mIoU": score,
                    "converged": converged,
                }  # fmt: skip
                classes = torch.from_numpy(one.classes.astype("u1")).to(device)
                best = score, Layer(one.weight, torch.from_numpy(own.astype("f4")).to(device), classes, about)
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
    for own, stages, cells in stages_of(encoder, scenes, rows, device):
        yield own, layer(stages, cells, scenes.side)
