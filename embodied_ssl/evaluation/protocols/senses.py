"""Senses: what comes of a touch, predicted from how the place looks before it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.evaluation.estimators.regression import fit_ridge, r2
from embodied_ssl.evaluation.features import Features
from embodied_ssl.evaluation.interactions import (
    Places,
    area_under_curve,
    grasp_head,
    hold_both,
    parts_of,
    patch_features,
)
from embodied_ssl.evaluation.protocol import EncodedSet, EvaluationSet, Protocol
from embodied_ssl.evaluation.results import Measure
from embodied_ssl.evaluation.splits import Split
from embodied_ssl.limits import SomeShare
from embodied_ssl.parts.interactions import poke_target

Reals = NDArray[np.float64]


@dataclass(frozen=True)
class Senses(Protocol):
    """What a linear head on frozen features knows of a touch before it happens, to objects that it was not fitted to.

    It sees the patch about the place, turned as the gripper goes. Of grasps it says whether they hold (logistic
    regression: accuracy and area under the ROC curve, with the share of the more frequent outcome); of pokes the
    logarithms of stiffness and of the largest force; of pushes how far an object moves, given how long they are
    (ridge: R², 0 for the mean of what is tested).

    Half of the tables train the head, a fifth chooses its regularisation, the rest tests; what was done to an object of
    an earlier part is in none of the later ones.
    """

    usual = False
    divides = False

    crop: SomeShare = 0.3
    """Side of the patch about the place, as a share of the image."""

    def takes(self, dataset: Dataset | None) -> bool:
        return dataset is not None and _task_of(dataset) is not None

    def prepare(self, on: EvaluationSet) -> "Touches":
        task, dataset = _task_of(on.dataset), on.dataset
        assert dataset is not None, "`takes` has looked"
        assert task is not None, "`takes` has looked"
        return task(dataset, parts_of(dataset, on.seed, on.settings.most))

    def measure(self, encoded: EncodedSet) -> list[Measure]:
        touches: Touches = encoded.prepared
        assert encoded.dataset is not None, "`takes` has looked"
        images = encoded.dataset.array("interactions/rgb_before")
        features = patch_features(encoded.encoder, images, touches.places, self.crop, encoded.device)
        about = {"crop": self.crop, "seed": encoded.seed, **touches.parts.counts()}
        found = touches.judge(features, touches, encoded.device)
        return [Measure(name, value, {**about, **more}) for name, value, more in found]


Found = list[tuple[str, float, dict[str, Any]]]
"""Metrics, their values, and what else these depend on."""


@dataclass(frozen=True)
class Touches:
    """The interactions of a data set, and what is to be known of each."""

    places: Places
    parts: Split
    outcome: Reals
    """[N, K]; NaN where there is none: such a row is in no part of it."""
    names: tuple[str, ...]
    """K names of what is said of them."""
    told: Reals
    """[N, T]: what the head is told besides the image."""
    judge: "Callable[[Features, Touches, str], Found]"
    """How well features, float32 [N, D], tell the outcome."""


def _grasps(dataset: Dataset, parts: Split) -> Touches:
    held = dataset.array("interactions/success")[:].astype("f8")[:, None]
    hold_both(held[:, 0] > 0, parts, str(dataset.path))
    places = _places(dataset, "pixel", dataset.array("interactions/angle")[:])
    return Touches(places, parts, held, ("held",), np.empty((len(held), 0)), _classified)


def _pokes(dataset: Dataset, parts: Split) -> Touches:
    force, depth = (torch.from_numpy(dataset.array(f"interactions/{name}")[:]) for name in ("force", "depth_travelled"))
    outcome = poke_target(force, depth).numpy().astype("f8")
    places = _places(dataset, "pixel", np.zeros(len(outcome), np.float32))
    return Touches(places, parts, outcome, ("log stiffness", "log force"), np.empty((len(outcome), 0)), _regressed)


def _pushes(dataset: Dataset, parts: Split) -> Touches:
    before, after, start, end, *pixels = (
        dataset.array(f"interactions/{name}")[:]
        for name in ("pose_before", "pose_after", "start", "end", "start_pixel", "end_pixel")
    )
    way = pixels[1] - pixels[0]  # px
    moved = np.nan_to_num(np.linalg.norm(after[:, :3] - before[:, :3], axis=1), nan=0.0)  # m; no object: none
    length = np.linalg.norm((end - start)[:, :2], axis=1)  # m
    places = _places(dataset, "start_pixel", np.arctan2(way[:, 1], way[:, 0]))
    return Touches(places, parts, moved.astype("f8")[:, None], ("displacement",), length[:, None], _regressed)


def _places(dataset: Dataset, pixel: str, turn: NDArray[np.floating]) -> Places:
    return Places(np.arange(len(dataset)), dataset.array(f"interactions/{pixel}")[:], turn)


_TASKS = {"interactions/angle": _grasps, "interactions/force": _pokes, "interactions/start_pixel": _pushes}
"""By a field that only data sets of this sense have."""


def _task_of(dataset: Dataset | None) -> Callable[[Dataset, Split], Touches] | None:
    return None if dataset is None else next((task for path, task in _TASKS.items() if path in dataset.fields), None)


def _classified(features: Features, touches: Touches, device: str) -> Found:
    held, test = touches.outcome[:, 0] > 0, touches.parts.test
    head, about = grasp_head(features, held, touches.parts.train, touches.parts.validation, device)
    odds = head.log_odds(features[test])
    share = float(held[test].mean())
    about = {**about, "more_frequent": max(share, 1 - share)}
    return [
        ("accuracy", float(((odds > 0) == held[test]).mean()), about),
        ("area under curve", area_under_curve(odds, held[test]), about),
    ]


def _regressed(features: Features, touches: Touches, device: str) -> Found:
    told = touches.told.astype("f8")
    inputs = np.concatenate([features.astype("f8"), told], 1)  # [N, D + T]
    found: Found = []
    for name, outcome in zip(touches.names, touches.outcome.T[:, :, None], strict=True):  # [N, 1]
        train, validation, test = (
            rows[np.isfinite(outcome[rows, 0])]
            for rows in (touches.parts.train, touches.parts.validation, touches.parts.test)
        )

        def value(given: Reals, outcome: Reals = outcome) -> tuple[float, float]:
            head = fit_ridge((given[train], outcome[train]), (given[validation], outcome[validation]))  # noqa: B023
            return float(r2(head(given[test]), outcome[test])[0]), head.strength  # noqa: B023

        score, ridge = value(inputs)
        about = {"ridge": ridge, "train": len(train), "validation": len(validation), "test": len(test)}
        found.append((f"R² {name}", score, about | ({"without_image": value(told)[0]} if told.shape[1] else {})))
    return found
