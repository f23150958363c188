"""The equivariance error: how well features after a motion follow linearly from those before it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.datasets.read.streams import Pairs
from embodied_ssl.evaluation.estimators.affine_maps import AffineMap, error, fit_map, moving, patterns_of, ratio
from embodied_ssl.evaluation.features import Features
from embodied_ssl.evaluation.protocol import EncodedSet, EvaluationSet, Protocol
from embodied_ssl.evaluation.results import Measure
from embodied_ssl.evaluation.splits import TEST, TRAINING, VALIDATION, Rows, divide_groups
from embodied_ssl.limits import Count, Positive
from embodied_ssl.parts.motions import cluster_motions

Reals = NDArray[np.float64]


@dataclass(frozen=True)
class EquivarianceError(Protocol):
    """ρ_g of each motion pattern, their mean, and ρ of motions composed of two. Jayaraman & Grauman 2015, section 4.2.

    ρ_g is the mean over pairs of held-out rooms or objects of ‖z_j − M'_g z_i‖ / ‖z_j − z_i‖, with M'_g refitted to
    the features of others by least squares: an affine map, so that neither where features lie nor their unit matters,
    with a ridge that validation chooses, for every encoder alike. 1 is no better than standing still. Features are
    as the encoder gives them. Composed motions were not fitted: z_i is moved by M'_g, then M'_h, to a third frame.

    Where features stand still (a body that a wall holds up: ‖z_j − z_i‖ under a ten-thousandth of its median), the
    ratio says nothing, and the pair is left out; results count them.
    """

    divides = False
    lower_is_better = True
    wants = "motions: data sets of videos, as roam, orbit and hold"

    motions: Count = 6
    """Patterns that motions are clustered into."""
    max_gap_s: Positive = 1.0
    """Longest time between the frames of a pair, s."""

    def takes(self, dataset: Dataset | None) -> bool:
        return dataset is not None and dataset.declaration.is_video

    def prepare(self, on: EvaluationSet) -> "MotionPairs":
        return motion_pairs(on, self.motions, self.max_gap_s)

    def measure(self, encoded: EncodedSet) -> list[Measure]:
        return equivariance_error(encoded.features, encoded.prepared)


@dataclass(frozen=True)
class MotionPairs:
    """Pairs of frames of a data set with the pattern of the motion between them, and the part that they belong to."""

    first: Rows  # [P] rows of frames
    second: Rows
    pattern: Rows  # [P]
    part: Rows  # [P]
    centres: Reals  # [G, A]: of the patterns
    measured: list[int]
    """Patterns with pairs in every part."""
    chains: tuple[Rows, Rows, Rows, Rows]
    """Of the test: pairs that go on, by their place among the pairs, their third frames, and the patterns of the
    motions to the second frame and from there to the third."""
    about: dict[str, Any]


def motion_pairs(on: EvaluationSet, motions: int = 6, max_gap_s: float = 1.0) -> MotionPairs:
    """The pairs that ρ is measured on, the same for every encoder: at most `max_gap_s` apart, in `motions` patterns.

    Half of the rooms or objects are fitted to, a fifth validates, the rest tests. At most `on.settings.most` pairs are
    taken. Raises DataError where no pattern has pairs in all three.
    """
    images, dataset = on.images, on.dataset
    assert dataset is not None, "`takes` has looked"
    rng = np.random.default_rng([on.seed, 2])
    pairs = dataset.pairs(max_gap_s=max_gap_s)
    centres, scale = _patterns(pairs, motions, on.settings.most)
    index = np.sort(rng.permutation(len(pairs))[: on.settings.most])
    first, second = pairs.draw(index, rng)
    motion = pairs.motion(first, second)
    pattern = patterns_of(motion, centres, scale)
    part = divide_groups(images.group[first], rng)
    measured = [
        g for g in range(motions) if all((part[pattern == g] == which).any() for which in (TRAINING, VALIDATION, TEST))
    ]
    if not measured:
        raise DataError(
            f"{images.name}: no motion was made in rooms or about objects enough to fit, to validate and to test "
            f"({len(np.unique(images.group))} rooms or objects); collect more episodes, or leave out the protocol "
            "equivariance"
        )
    start, length = dataset.segments
    episode = np.searchsorted(start, first, side="right") - 1
    goes_on = np.flatnonzero((part == TEST) & (second < (start + length - 1)[episode]))  # frames behind the second
    third = pairs.draw((index + second - first)[goes_on], rng)[1]
    then = patterns_of(pairs.motion(second[goes_on], third), centres, scale)
    fitted = np.isin(pattern[goes_on], measured) & np.isin(then, measured)
    chains = goes_on[fitted], third[fitted], pattern[goes_on][fitted], then[fitted]
    about = {"motions": len(measured), "max_gap_s": max_gap_s, "seed": on.seed}
    return MotionPairs(first, second, pattern, part, centres, measured, chains, about)


def _patterns(pairs: Pairs, motions: int, most: int | None) -> tuple[Reals, NDArray[np.float32]]:
    """Centres [G, A] of the patterns, and the deviation [A] of the motions: of one draw, so the same for every seed."""
    rng = np.random.default_rng(0)
    motion = pairs.motion(*pairs.draw(np.sort(rng.permutation(len(pairs))[:most]), rng))
    return cluster_motions(motion.astype("f8"), motions, rng), motion.std(0) + 1e-9


def equivariance_error(features: Features, pairs: MotionPairs) -> list[Measure]:
    """The numbers of one encoder: see `EquivarianceError`.

    features: of every frame of the data set, in its order, float32 [frames, D].
    """
    z = features.astype("f8")
    z -= z[pairs.first[pairs.part == TRAINING]].mean(0)
    moves, least = moving(z[pairs.first], z[pairs.second])
    maps, errors, ridges, counts = {}, {}, {}, []
    for g in pairs.measured:
        mine = [np.flatnonzero((pairs.pattern == g) & (pairs.part == part)) for part in (TRAINING, VALIDATION, TEST)]
        moving_pairs = [mine[0], *(rows[moves[rows]] for rows in mine[1:])]
        fitting, validating, testing = ((z[pairs.first[rows]], z[pairs.second[rows]]) for rows in moving_pairs)
        maps[g], ridges[g] = fit_map(fitting, validating)
        errors[g] = error(maps[g], *testing)
        counts.append([len(rows) for rows in moving_pairs])
    at, third, then, after = pairs.chains
    before, end = z[pairs.first[at]], z[third]
    going = np.linalg.norm(end - before, axis=1) > least
    moved = _move(maps, after[going], _move(maps, then[going], before[going]))
    composed = ratio(moved, before[going], end[going])
    train, validation, test = np.sum(counts, axis=0).tolist()
    about = {**pairs.about, "train": train, "validation": validation, "test": test, "still": int((~moves).sum())}
    tested = np.unique(np.concatenate([rows[pairs.part == TEST] for rows in (pairs.first, pairs.second)]))
    return [
        Measure("ρ", float(np.mean(list(errors.values()))), about, tested),
        Measure("ρ composed", composed, {**about, "test": int(going.sum())}, tested),
        *(
            Measure(
                f"ρ of motion {g + 1}",
                errors[g],
                {"motion": [float(f"{v:.4g}") for v in pairs.centres[g]], "ridge": ridges[g],
                 "train": own[0], "validation": own[1], "test": own[2], "seed": pairs.about["seed"]},
                tested,
            )
            for g, own in zip(pairs.measured, counts, strict=True)
        ),
    ]  # fmt: skip


def _move(maps: dict[int, AffineMap], pattern: Rows, features: Reals) -> Reals:
    """Each row moved by the map of its pattern."""
    moved = np.empty_like(features)
    for g, by in maps.items():
        moved[pattern == g] = by(features[pattern == g])
    return moved
