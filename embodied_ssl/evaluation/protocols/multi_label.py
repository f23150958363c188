"""Classification of what is in images of several things: the mean average precision of PASCAL VOC's tables."""

import copy
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from embodied_ssl.datasets.images.image_set import ImageSet
from embodied_ssl.datasets.images.scenes import Scenes
from embodied_ssl.encoders import Encoder
from embodied_ssl.evaluation.estimators.fine_tuning import BATCH, RATES, descend
from embodied_ssl.evaluation.estimators.regression import ridges
from embodied_ssl.evaluation.features import encode
from embodied_ssl.evaluation.pixels import Rows, pictures_of
from embodied_ssl.evaluation.protocol import EncodedSet, EvaluationSet, Protocol
from embodied_ssl.evaluation.results import Measure
from embodied_ssl.limits import Count, Positive
from embodied_ssl.parts.views import random_square

Reals = NDArray[np.floating]


@dataclass(frozen=True)
class MultiLabel(Protocol):
    """Mean average precision (mAP) over classes of whether an image has a thing of each: VOC's classification.

    `linear` (the tables' "fc only"): ridge regression in closed form on pooled features of the frozen encoder;
    validation chooses its strength. `whole` ("all layers"): a linear layer and the encoder are trained together by
    binary cross-entropy; validation chooses the learning rate. Images in which a class is seen as difficult alone are
    not asked about it; classes that no test image has are left out.

    Half of the images train, a fifth validates, the others test, where the source does not say. Takes data sets with
    boxes: VOC, COCO, folders of images and masks of instances, and ours that were collected with `--instance`.
    """

    usual = False
    divides = False
    wants = "boxes: VOC, COCO, folders of images and masks of instances, data sets collected with --instance true"

    by: tuple[Literal["linear", "whole"], ...] = ("linear",)
    """What is trained."""
    pictures: Count = 10_000
    """Images at most, of all parts."""
    updates: Count = 1000
    """Of `whole`, for each learning rate."""
    rates: tuple[Positive, ...] = RATES
    """Learning rates of `whole`, alike for every row, of which validation chooses."""

    def takes_images(self, images: ImageSet) -> bool:
        return images.scenes is not None and images.scenes().boxes is not None

    def prepare(self, on: EvaluationSet) -> Any:
        pictures = pictures_of(on, self.pictures)
        parts, scenes, held_out = pictures.parts, pictures.scenes, pictures.held_out
        truth = [_truth(scenes, parts.train), _truth(held_out, parts.validation), _truth(held_out, parts.test)]
        return pictures, truth

    def measure(self, encoded: EncodedSet) -> list[Measure]:
        pictures, truth = encoded.prepared
        found = []
        tested = pictures.tested(encoded.images)
        for by in self.by:
            if by == "linear":
                score, about = self._linear(encoded, pictures, truth)
            elif any(parameter.requires_grad for parameter in encoded.encoder.parameters()):
                score, about = self._whole(encoded, pictures, truth)
            else:
                continue
            about |= {"seed": encoded.seed, **pictures.parts.counts()}
            found.append(Measure(f"{by} mAP", score, about, tested))
        return found

    def _linear(self, encoded: EncodedSet, pictures: Any, truth: list[Reals]) -> tuple[float, dict[str, Any]]:
        parts = pictures.parts
        train, validation, test = (
            encode(encoded.encoder, pictures.scenes.images, rows, encoded.device).astype("f8")
            for rows in (parts.train, parts.validation, parts.test)
        )
        tried = ridges((train, np.nan_to_num(truth[0])))
        scores = [mean_average_precision(one(validation), truth[1]) for one in tried]
        best = tried[int(np.argmax(np.nan_to_num(scores)))]
        return mean_average_precision(best(test), truth[2]), {"ridge": best.strength, "validation_mAP": max(scores)}

    def _whole(self, encoded: EncodedSet, pictures: Any, truth: list[Reals]) -> tuple[float, dict[str, Any]]:
        scenes, parts, device = pictures.scenes, pictures.parts, encoded.device
        tried = []
        for rate in self.rates:
            learner, head = _trained(
                encoded.encoder, scenes, parts.train, truth[0], rate, self.updates, pictures.seed, device
            )
            features = encode(learner, scenes.images, parts.validation, device)
            tried.append((mean_average_precision(_said(head, features, device), truth[1]), rate, learner, head))
        score, rate, learner, head = max(tried, key=lambda one: np.nan_to_num(one[0]))
        said = _said(head, encode(learner, scenes.images, parts.test, device), device)
        about = {"learning_rate": rate, "rates": list(self.rates), "updates": self.updates, "validation_mAP": score}
        return mean_average_precision(said, truth[2]), about


def mean_average_precision(scores: Reals, truth: Reals) -> float:
    """The mean over classes of the area under precision over recall; truth [N, K]: 1, 0, or NaN, which is not asked."""
    from sklearn.metrics import average_precision_score

    found = []
    for score, true in zip(scores.T, truth.T, strict=True):
        asked = np.isfinite(true)
        if (true[asked] == 1).any():
            found.append(average_precision_score(true[asked].astype(int), score[asked]))
    return float(np.mean(found)) if found else float("nan")


def _truth(scenes: Scenes, rows: Rows) -> Reals:
    """Whether each class is in each image: 1, 0, or NaN where it is in a way that nobody is asked about, [N, K]."""
    assert scenes.boxes is not None, "`takes_images` has looked"
    found = np.zeros((len(rows), len(scenes.things)))
    for i, row in enumerate(rows.tolist()):
        boxes = scenes.boxes(row)
        found[i, boxes.label[boxes.unasked]] = np.nan
        found[i, boxes.label[~boxes.unasked]] = 1.0
    return found


def _trained(
    encoder: Encoder, scenes: Scenes, rows: Rows, truth: Reals, rate: float, updates: int, seed: int, device: str
) -> tuple[Encoder, nn.Module]:
    """A copy of an encoder and a linear layer, trained together by binary cross-entropy; both at rest."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = nn.Sequential(nn.BatchNorm1d(encoder.dim, affine=False), nn.Linear(encoder.dim, truth.shape[1]))
    learner, head = copy.deepcopy(encoder).to(device).train(), head.to(device)
    rng, generator = np.random.default_rng([seed, 20]), torch.Generator(device).manual_seed(seed)

    def loss() -> Tensor:
        chosen = rng.choice(len(rows), BATCH)
        images = torch.from_numpy(scenes.images[rows[chosen]]).movedim(-1, -3).to(device)
        wanted = torch.from_numpy(truth[chosen].astype("f4")).to(device)
        logits = head(learner(random_square(images, generator, learner.image_size)))  # [B, K]
        asked = wanted.isfinite()
        return nn.functional.binary_cross_entropy_with_logits(logits[asked], wanted[asked])

    descend([*learner.parameters(), *head.parameters()], rate, updates, loss)
    return learner.eval(), head.eval()


@torch.no_grad()
def _said(head: nn.Module, features: NDArray[np.float32], device: str) -> Reals:
    return head(torch.from_numpy(features).to(device)).cpu().numpy()
