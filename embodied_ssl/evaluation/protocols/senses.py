"""Senses: what comes of a touch, told by how the place looks before it; and a push, by what it has changed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from embodied_ssl.datasets.images.digests import digests_of
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.evaluation.estimators.regression import fit_ridge
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
from embodied_ssl.evaluation.splits import Rows, Split
from embodied_ssl.limits import SomeShare
from embodied_ssl.parts.interactions import poke_target

Reals = NDArray[np.float64]


@dataclass(frozen=True)
class Senses(Protocol):
    """What a linear head on frozen features knows of a touch, to objects that it was not fitted to.

    It sees the patch about the place before the touch, turned as the gripper goes. Of grasps it says whether they hold
    (logistic regression: accuracy and area under the ROC curve, with the share of the more frequent outcome); of pokes
    the logarithms of stiffness and of the largest force; of pushes how far an object moves, given how long they are
    (ridge: R², 0 for the mean of what is tested). Pushes have a second question, the Curious Robot's own: which way the
    finger went, in the image, told by windows about its start before *and after* (R² of both coordinates together).

    Half of the tables train the head, a fifth chooses its regularisation, the rest tests; what was done to an object of
    an earlier part is in none of the later ones.
    """

    usual = False
    divides = False
    wants = "acts: data sets of grasp, push and poke"

    crop: SomeShare = 0.3
    """Side of the patch about the place, as a share of the image."""
    push_crop: SomeShare = 0.5
    """Side of the windows that show what a push has changed, as a share of the image."""

    def takes(self, dataset: Dataset | None) -> bool:
        return bool(_tasks_of(dataset))

    def prepare(self, on: EvaluationSet) -> "list[Touches]":
        tasks, dataset = _tasks_of(on.dataset), on.dataset
        assert dataset is not None, "`takes` has looked"
        parts = parts_of(dataset, on.seed, on.settings.most)
        before = dataset.array("interactions/rgb_before")
        tested = on.images.showing(digests_of(before[parts.test]))
        return [replace(task(dataset, parts), tested=tested) for task in tasks]

    def measure(self, encoded: EncodedSet) -> list[Measure]:
        return [each for touches in encoded.prepared for each in self._measured(encoded, touches)]

    def _measured(self, encoded: EncodedSet, touches: "Touches") -> list[Measure]:
        assert encoded.dataset is not None, "`takes` has looked"
        crop = self.crop if len(touches.seen) == 1 else self.push_crop
        images = [encoded.dataset.array(f"interactions/{name}") for name in touches.seen]
        each = [patch_features(encoded.encoder, one, touches.places, crop, encoded.device) for one in images]
        found = touches.judge(np.concatenate(each, 1), touches, encoded.device)
        about = {"crop": crop, "seed": encoded.seed, **touches.parts.counts()}
        return [Measure(name, value, {**about, **more}, touches.tested) for name, value, more in found]


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
    """K names of what is said of them, or one of all together."""
    told: Reals
    """[N, T]: what the head is told besides the images."""
    judge: "Callable[[Features, Touches, str], Found]"
    """How well features, float32 [N, D], tell the outcome."""
    seen: tuple[str, ...] = ("rgb_before",)
    """The images whose patches the head sees, one after the other."""
    tested: Rows = field(default_factory=lambda: np.empty(0, np.int64))
    """The rows of the image set that show tested tables."""


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


def _ways(dataset: Dataset, parts: Split) -> Touches:
    start, end = (dataset.array(f"interactions/{name}")[:].astype("f8") for name in ("start_pixel", "end_pixel"))
    places = _places(dataset, "start_pixel", np.zeros(len(start), np.float32))
    return Touches(
        places,
        parts,
        end - start,
        ("way of a push",),
        np.empty((len(start), 0)),
        _regressed,
        ("rgb_before", "rgb_after"),
    )


def _places(dataset: Dataset, pixel: str, turn: NDArray[np.floating]) -> Places:
    return Places(np.arange(len(dataset)), dataset.array(f"interactions/{pixel}")[:], turn)


_Task = Callable[[Dataset, Split], Touches]
_TASKS: dict[str, tuple[_Task, ...]] = {
    "interactions/angle": (_grasps,),
    "interactions/force": (_pokes,),
    "interactions/start_pixel": (_pushes, _ways),
}
"""By a field that only data sets of this sense have."""


def _tasks_of(dataset: Dataset | None) -> tuple[_Task, ...]:
    return () if dataset is None else next((tasks for path, tasks in _TASKS.items() if path in dataset.fields), ())


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
    for name, outcome in zip(touches.names, np.hsplit(touches.outcome, len(touches.names)), strict=True):
        parts = [
            rows[np.isfinite(outcome[rows]).all(1)]
            for rows in (touches.parts.train, touches.parts.validation, touches.parts.test)
        ]
        score, ridge = _r2(inputs, outcome, parts)
        about = {"ridge": ridge} | dict(zip(("train", "validation", "test"), map(len, parts), strict=True))
        alone = {"without_image": _r2(told, outcome, parts)[0]} if told.shape[1] else {}
        found.append((f"R² {name}", score, about | alone))
    return found


def _r2(given: Reals, outcome: Reals, parts: Sequence[Rows]) -> tuple[float, float]:
    """R² of outcomes [N, K] about the mean of each, all of them together, by a ridge regression; and its strength."""
    train, validation, test = parts
    head = fit_ridge((given[train], outcome[train]), (given[validation], outcome[validation]))
    truth = outcome[test]
    spread = np.square(truth - truth.mean(0)).sum()
    left = np.square(truth - head(given[test])).sum()
    return float(1 - left / spread) if spread > 0 else float("nan"), head.strength
