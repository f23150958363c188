"""The equivariance error: how well features after a motion follow linearly from those before it."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from embodied_ssl.datasets.readers import Dataset
from embodied_ssl.evaluate.features import Features
from embodied_ssl.evaluate.results import Measure
from embodied_ssl.motions import cluster_motions, nearest_pattern

RIDGES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Strengths of the ridge, of which validation chooses, as shares of the features' variance."""

Rows = NDArray[np.int64]
Pairs = tuple[NDArray[np.float64], NDArray[np.float64]]  # features before a motion and after it, [N, D] each


@dataclass(frozen=True)
class AffineMap:
    """What a motion does to features: z → z + (z − middle) · change + shift."""

    middle: NDArray[np.float64]  # [D]
    change: NDArray[np.float64]  # [D, D]
    shift: NDArray[np.float64]  # [D]

    def __call__(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        return features + (features - self.middle) @ self.change + self.shift


def equivariance_error(
    features: Features, dataset: Dataset, seed: int, motions: int = 6, max_gap_s: float = 1.0, most: int = 20_000
) -> list[Measure]:
    """ρ_g of each motion pattern, their mean, and ρ of motions composed of two. Jayaraman & Grauman 2015, section 4.2.

    ρ_g = Σ ‖z_j − M'_g z_i‖ / Σ ‖z_i − z_j‖ over pairs of held-out episodes, with M'_g refitted to the features of
    other episodes by least squares, an affine map with a ridge that validation chooses, for every encoder alike. 1 is
    no better than standing still. Composed motions were not fitted: z_i is led by M'_g, then M'_h, to a third frame.
    Features are centred and brought to unit length first. (The paper means the ratios of single pairs; where a body is
    held up by a wall, that divides by nothing.)

    features: of every frame of the data set, in its order, float32 [frames, D].
    """
    rng = np.random.default_rng([seed, 2])
    pairs = dataset.pairs(max_gap_s=max_gap_s)
    index = np.sort(rng.permutation(len(pairs))[:most])
    first, second = pairs.draw(index, rng)
    z = features.astype("f8") - features.mean(0)
    z /= np.linalg.norm(z, axis=1, keepdims=True) + 1e-9
    motion = pairs.motion(first, second)
    centres = cluster_motions(motion.astype("f8"), motions, rng)
    scale = motion.std(0) + 1e-9
    pattern = patterns_of(motion, centres, scale)
    start, length = dataset.episodes["start"], dataset.episodes["length"]
    episode = np.searchsorted(start, first, side="right") - 1
    part = rng.permutation(len(start))[episode] / len(start)  # 0.0 to 0.5 fits, to 0.7 validates, the rest tests
    test = part >= 0.7
    maps, errors, ridges = [], [], []
    for g in range(motions):
        mine = [rows[pattern[rows] == g] for rows in map(np.flatnonzero, (part < 0.5, (part >= 0.5) & ~test, test))]
        before, after = ([z[which[rows]] for rows in mine] for which in (first, second))
        fitted, ridge = fit_map((before[0], after[0]), (before[1], after[1]))
        maps.append(fitted)
        errors.append(_error(fitted, before[2], after[2]))
        ridges.append(ridge)
    goes_on = test & (second < (start + length - 1)[episode])  # there are frames behind the second
    third = pairs.draw((index + second - first)[goes_on], rng)[1]
    begin, via = first[goes_on], second[goes_on]
    then = patterns_of(pairs.motion(via, third), centres, scale)
    moved = _lead(maps, then, _lead(maps, pattern[goes_on], z[begin]))
    composed = _ratio(moved, z[begin], z[third])
    about = {"motions": motions, "max_gap_s": max_gap_s, "seed": seed}
    return [
        Measure("ρ", float(np.mean(errors)), about),
        Measure("ρ composed", composed, about),
        *(
            Measure(
                f"ρ of motion {g + 1}",
                errors[g],
                {"motion": [round(float(v), 3) for v in centres[g]], "pairs": int((pattern == g).sum()),
                 "ridge": ridges[g], "seed": seed},
            )
            for g in range(motions)
        ),
    ]  # fmt: skip


def fit_map(train: Pairs, validation: Pairs) -> tuple[AffineMap, float]:
    """The map from features before a motion to those after it, and its ridge, which validation chooses."""
    tried = [_fit(*train, ridge) for ridge in RIDGES]
    best = int(np.argmin([_error(each, *validation) for each in tried]))
    return tried[best], RIDGES[best]


def patterns_of(motion: NDArray[np.float32], centres: NDArray[np.float64], scale: NDArray[np.float32]) -> Rows:
    """The pattern of each motion [N, 2]: the nearest of `centres` [G, 2] in units of `scale` [2]."""
    return nearest_pattern(*(torch.from_numpy(array.astype("f8")) for array in (motion, centres, scale))).numpy()


def _fit(before: NDArray[np.float64], after: NDArray[np.float64], ridge: float) -> AffineMap:
    """Least squares; the ridge draws towards standing still, so that few pairs do no worse than that."""
    middle = before.mean(0)
    x, y = before - middle, after - before
    gram = x.T @ x
    gram[np.diag_indices_from(gram)] += ridge * max(np.trace(gram), 1e-12)
    shift = y.mean(0)
    return AffineMap(middle, np.linalg.solve(gram, x.T @ (y - shift)), shift)


def _error(by: AffineMap, before: NDArray[np.float64], after: NDArray[np.float64]) -> float:
    return _ratio(by(before), before, after)


def _ratio(moved: NDArray[np.float64], before: NDArray[np.float64], after: NDArray[np.float64]) -> float:
    still = np.linalg.norm(before - after, axis=1).sum()
    return float(np.linalg.norm(after - moved, axis=1).sum() / max(still, 1e-9))


def _lead(maps: list[AffineMap], pattern: Rows, features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each row led by the map of its pattern."""
    moved = np.empty_like(features)
    for g, by in enumerate(maps):
        moved[pattern == g] = by(features[pattern == g])
    return moved
