"""Interactions as protocols see them: patches about their places, parts that share no object, a head for grasps."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.encoders import Encoder
from embodied_ssl.evaluation.estimators.logistic import STRENGTHS, Classifier, fit
from embodied_ssl.evaluation.features import Features
from embodied_ssl.evaluation.splits import TEST, TRAINING, UNUSED, VALIDATION, Rows, Split
from embodied_ssl.parts.views import crop_at

Reals = NDArray[np.floating]


@dataclass(frozen=True)
class Places:
    """Points of images, and how the patch about each is turned."""

    image: Rows
    """[P]: which image each lies in."""
    pixel: Reals
    """[P, 2]: (u, v), px."""
    turn: Reals
    """[P], rad: what lies in the image in this direction (from u towards v) lies in the patch to the right."""


@torch.no_grad()
def patch_features(
    encoder: Encoder, images: Any, places: Places, crop: float, device: str = "cpu", batch_size: int = 256
) -> Features:
    """The pooled features of the patch about each place, float32 [P, dim], by an encoder at rest.

    images: uint8 [N, H, W, 3], by rows. crop: side of a patch, as a share of the image.
    """
    training = encoder.training
    encoder.eval().to(device)
    found = np.empty((len(places.image), encoder.dim), np.float32)
    for first in range(0, len(found), batch_size):
        own = slice(first, first + batch_size)
        shown = torch.from_numpy(np.ascontiguousarray(images[places.image[own]])).movedim(-1, -3).to(device)
        pixel, turn = (torch.from_numpy(each[own].astype("f4")).to(device) for each in (places.pixel, places.turn))
        patches = crop_at(shown, pixel, crop * shown.shape[-1], encoder.image_size, turn)  # [B, 3, s, s]
        found[own] = encoder(patches).float().cpu().numpy()
    encoder.train(training)
    return found


def parts_of(dataset: Dataset, seed: int, most: int | None = None) -> Split:
    """The interactions that train, validate and test: of half of the tables, of a fifth, and of the rest.

    What was done to an object of an earlier part is in none of the later ones. Of each part at most `most` are taken.
    Raises DataError where one has none.
    """
    rng = np.random.default_rng([seed, 5])
    tables = len(dataset.episodes["start"])
    share = (rng.permutation(tables) + 0.5) / tables
    of_table = np.select([share < 0.5, share < 0.7], [TRAINING, VALIDATION], TEST)
    part = of_table[dataset.array("interactions/episode")[:]]
    thing = dataset.array("interactions/object")[:]
    touched = np.where(thing >= 0, dataset.object_numbers[thing], -1)
    for earlier, later in ((TRAINING, VALIDATION), (TRAINING, TEST), (VALIDATION, TEST)):
        known = (touched >= 0) & np.isin(touched, touched[part == earlier])
        part[known & (part == later)] = UNUSED
    rows = [np.sort(rng.permutation(np.flatnonzero(part == which))[:most]) for which in (TRAINING, VALIDATION, TEST)]
    for name, own in zip(("training", "validation", "test"), rows, strict=True):
        if len(own) == 0:
            raise DataError(
                f"{dataset.path}: no interaction of its {name} part is with an object of its own; collect more "
                "--episodes, or more --instances"
            )
    train, validation, test = rows
    return Split(train, validation, test, {})


def grasp_head(
    features: Features, held: NDArray[np.bool_], train: Rows, validation: Rows, device: str
) -> tuple[Classifier, dict[str, Any]]:
    """Logistic regression of whether grasps hold, and what results say of it.

    The mean loss of validation, −log of the probability of what happened, chooses the regularisation.
    """
    tried = fit(features, held.astype("i8"), train, STRENGTHS, device)
    sign = np.where(held[validation], 1.0, -1.0)
    losses = [float(np.logaddexp(0, -sign * each.log_odds(features[validation])).mean()) for each in tried]
    best = int(np.argmin(losses))
    return tried[best], {"inverse_regularisation": tried[best].strength, "validation_loss": losses[best]}


def hold_both(held: NDArray[np.bool_], parts: Split, name: str) -> None:
    """Raise DataError where grasps of a part all held, or all failed."""
    for part, rows in (("training", parts.train), ("validation", parts.validation), ("test", parts.test)):
        if len(np.unique(held[rows])) < 2:
            raise DataError(f"{name}: all {len(rows)} grasps of its {part} part ended alike; collect more --episodes")


def area_under_curve(scores: Reals, positive: NDArray[np.bool_]) -> float:
    """How often one that is positive scores above one that is not (the area under the ROC curve); ties count half."""
    count = int(positive.sum())
    above = rankdata(scores)[positive].sum() - count * (count + 1) / 2
    return float(above / (count * (len(positive) - count)))
