"""Affine maps between features: what a motion does to them, by ridge regression."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from embodied_ssl.evaluation.splits import Rows
from embodied_ssl.parts.motions import nearest_pattern

RIDGES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Strengths of the ridge, of which validation chooses, as shares of the features' variance."""
STILL = 1e-4
"""Features that change by less than this share of the median change between pairs of frames stand still."""

Reals = NDArray[np.float64]
Pairs = tuple[Reals, Reals]  # features before a motion and after it, [N, D] each


@dataclass(frozen=True)
class AffineMap:
    """What a motion does to features: z → z + (z − middle) · change + shift."""

    middle: Reals  # [D]
    change: Reals  # [D, D]
    shift: Reals  # [D]

    def __call__(self, features: Reals) -> Reals:
        return features + (features - self.middle) @ self.change + self.shift


def fit_map(train: Pairs, validation: Pairs) -> tuple[AffineMap, float]:
    """The map from features before a motion to those after it, and its ridge, which validation chooses."""
    tried, (moves, _) = fits(*train, RIDGES), moving(*validation)
    before, after = (features[moves] for features in validation)
    best = int(np.argmin([error(each, before, after) for each in tried]))
    return tried[best], RIDGES[best]


def patterns_of(motion: NDArray[np.float32], centres: Reals, scale: NDArray[np.float32]) -> Rows:
    """The pattern of each motion [N, 2]: the nearest of `centres` [G, 2] in units of `scale` [2]."""
    return nearest_pattern(*(torch.from_numpy(array.astype("f8")) for array in (motion, centres, scale))).numpy()


def fits(before: Reals, after: Reals, ridges: tuple[float, ...]) -> list[AffineMap]:
    """Least squares; the ridge draws towards standing still, so that few pairs do no worse than that."""
    middle = before.mean(0)
    x, y = before - middle, after - before
    shift = y.mean(0)
    values, axes = np.linalg.eigh(x.T @ x)
    values, along = np.maximum(values, 0), axes.T @ (x.T @ (y - shift))
    total = max(float(values.sum()), 1e-12)
    return [AffineMap(middle, axes @ (along / (values + ridge * total)[:, None]), shift) for ridge in ridges]


def moving(before: Reals, after: Reals) -> tuple[NDArray[np.bool_], float]:
    """Which pairs do not stand still, and by how much others change at most."""
    change = np.linalg.norm(after - before, axis=1)
    least = STILL * float(np.median(change)) if len(change) else 0.0
    return change > least, least


def error(by: AffineMap, before: Reals, after: Reals) -> float:
    """The mean ratio of what a map misses to what has changed."""
    return ratio(by(before), before, after)


def ratio(moved: Reals, before: Reals, after: Reals) -> float:
    """The mean ratio of what is missed to what has changed; NaN where there is nothing to measure."""
    if len(before) == 0:
        return float("nan")
    return float((np.linalg.norm(after - moved, axis=1) / np.linalg.norm(after - before, axis=1)).mean())
