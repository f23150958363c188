"""Relative motion: how far two features tell the motion between their images, and a motion the features after it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.evaluation.estimators.neighbours import unit
from embodied_ssl.evaluation.estimators.regression import (
    AXES,
    Products,
    Reals,
    Sample,
    fit_network,
    fit_ridge,
    pooled_r2,
    r2,
)
from embodied_ssl.evaluation.features import Features
from embodied_ssl.evaluation.protocol import EncodedSet, EvaluationSet, Protocol
from embodied_ssl.evaluation.results import Measure
from embodied_ssl.evaluation.splits import TEST, TRAINING, VALIDATION, Rows, divide_groups
from embodied_ssl.limits import Count, Positive, SomeShare
from embodied_ssl.parts.motions import standard_deviation

FEWEST = 10
"""Pairs that a part needs at least."""


@dataclass(frozen=True)
class RelativeMotion(Protocol):
    """R² of the motion between two views from their features, and the rank of the view that a motion leads to.

    After 3DIEBench (Garrido, Najman & LeCun 2023). On objects or rooms that were not fitted on:
    R² of the motion from the features of both views, by an MLP 1024-1024 and by ridge regression, of each component of
    the motion, their mean, and pooled: of all components together about one mean, in units of their deviations.
    MRR, H@1, H@5: a ridge predicts the features of the second view from those of the first and the motion; the true
    view's rank by cosine among all views of the same object, or of the same scene, that the video has, the first one
    among them. Features are centred. A linear map of two features can't compare them, nor one of features and motion
    turn them; both ridges see the products along their principal axes as well, alike for every encoder.

    Fitted on half of the objects or rooms, to motions of which the rotation is small; a fifth validates; the rest
    tests, by motions as large as those fitted on, and by larger ones (`beyond`, where there are enough).
    """

    usual = False
    divides = False
    wants = "motions: data sets of videos, as roam, orbit and hold"

    max_gap_s: Positive = 1.0
    """Longest time between the frames of a pair, s."""
    pairs: Count = 4000
    """To fit on, at most; half as many validate, and half as many test each range."""
    seen: SomeShare = 0.75
    """Of the pairs, those of the smallest rotations: the range that is fitted on."""

    def takes(self, dataset: Dataset | None) -> bool:
        return dataset is not None and dataset.declaration.is_video

    def prepare(self, on: EvaluationSet) -> "ViewPairs":
        return view_pairs(on, self.max_gap_s, self.pairs, self.seen)

    def measure(self, encoded: EncodedSet) -> list[Measure]:
        return relative_motion(encoded.features, encoded.prepared, encoded.device)


@dataclass(frozen=True)
class Pairs:
    """Pairs of frames and the motions between them."""

    first: Rows  # [P] rows of frames
    second: Rows
    motion: Reals  # [P, A]

    def __len__(self) -> int:
        return len(self.first)

    @property
    def rows(self) -> Rows:
        """Of all frames in it."""
        return np.unique(np.concatenate([self.first, self.second]))

    def features(self, z: Reals) -> tuple[Reals, Reals]:
        """Of the first and of the second frames, [P, D] each."""
        return z[self.first], z[self.second]


@dataclass(frozen=True)
class ViewPairs:
    """What is fitted on, chosen on and tested on, the same for every encoder."""

    train: Pairs
    validation: Pairs
    tests: dict[str, Pairs]
    """By what is added to the names of metrics: motions as large as those fitted on, and larger ones."""
    segments: tuple[Rows, Rows]
    """First row and length of what the views of an object are ranked among."""
    names: tuple[str, ...]
    """Of the components of the motion."""
    unit: Reals
    """[A]: their deviations over the pairs that are fitted on."""
    about: dict[str, Any]
    seed: int


def view_pairs(
    on: EvaluationSet, max_gap_s: float = 1.0, most: int = 4000, seen: float = 0.75, fewest: int = FEWEST
) -> ViewPairs:
    """The pairs that are measured on. Raises DataError where a part has fewer than `fewest`."""
    images, dataset = on.images, on.dataset
    assert dataset is not None, "`takes` has looked"
    rng, pairs = np.random.default_rng([on.seed, 4]), dataset.pairs(max_gap_s=max_gap_s)
    first, second = pairs.draw(rng.permutation(len(pairs)), rng)
    back = rng.random(len(first)) < 0.5  # as often back as forth, as between two views drawn at random
    first, second = np.where(back, second, first), np.where(back, first, second)
    motion, names = pairs.motion(first, second).astype("f8"), dataset.motor_signals
    part, angle = divide_groups(images.group[first], rng), rotation_angle(motion, names)
    largest = float(np.quantile(angle[part == TRAINING], seen)) if (part == TRAINING).any() else 0.0

    def some(chosen: NDArray[np.bool_], count: int, what: str) -> Pairs:
        rows = np.flatnonzero(chosen)[:count]
        if len(rows) < fewest:
            raise DataError(
                f"{images.name}: {len(rows)} pairs of views {what} of {len(np.unique(images.group))} objects or rooms "
                f"in all, and it takes {fewest}; collect more episodes, or leave out the protocol relative_motion"
            )
        return Pairs(first[rows], second[rows], motion[rows])

    within, half = angle <= largest, max(most // 2, 1)
    tests = {"": some((part == TEST) & within, half, "to test")}
    if ((part == TEST) & ~within).sum() >= fewest:
        tests[", beyond"] = some((part == TEST) & ~within, half, "to test")
    train = some((part == TRAINING) & within, most, "to fit on")
    validation = some((part == VALIDATION) & within, half, "to validate")
    about = {"max_gap_s": max_gap_s, "largest_rotation": round(largest, 3), "seed": on.seed}
    about |= {"train": len(train), "validation": len(validation)}
    return ViewPairs(
        train, validation, tests, dataset.segments, names, standard_deviation(train.motion), about, on.seed
    )


def rotation_angle(motion: Reals, names: tuple[str, ...]) -> Reals:
    """How far each motion [P, A] turns, rad: the length of its components in rad; of all, where none is."""
    turns = [i for i, name in enumerate(names) if name.endswith("(rad)")] or list(range(motion.shape[1]))
    return np.linalg.norm(motion[:, turns], axis=1)


def relative_motion(features: Features, pairs: ViewPairs, device: str = "cpu") -> list[Measure]:
    """The numbers of one encoder: see `RelativeMotion`.

    features: of every frame of the data set, in its order, float32 [frames, D].
    """
    z = features.astype("f8")
    known = z[pairs.train.rows]
    z = (z - known.mean(0)) / max(float(known.std()), 1e-12)
    return [*_by_ridge(z, pairs), *_by_network(z, pairs, device), *_ranks(z, pairs)]


def _by_ridge(z: Reals, pairs: ViewPairs) -> list[Measure]:
    """R² of the motion from two features and their products."""
    products = Products.of(*pairs.train.features(z), AXES)

    def sample(some: Pairs) -> Sample:
        return products(*some.features(z)), some.motion / pairs.unit

    ridge = fit_ridge(sample(pairs.train), sample(pairs.validation))
    return _determinations("ridge", ridge, sample, pairs, {"ridge": ridge.strength, "axes": AXES})


def _by_network(z: Reals, pairs: ViewPairs, device: str) -> list[Measure]:
    """R² of the motion from two features, by an MLP."""

    def sample(some: Pairs) -> Sample:
        return np.concatenate(some.features(z), 1), some.motion / pairs.unit

    network = fit_network(sample(pairs.train), sample(pairs.validation), pairs.seed, device)
    return _determinations("MLP", network, sample, pairs, {"hidden": [1024, 1024], "epochs": network.epochs})


def _determinations(
    by: str,
    fitted: Callable[[Reals], Reals],
    sample: Callable[[Pairs], Sample],
    pairs: ViewPairs,
    settings: dict[str, Any],
) -> list[Measure]:
    """R² on each test, and of each component of the motion on the first."""
    found = []
    for where, test in pairs.tests.items():
        inputs, truth = sample(test)
        predicted = fitted(inputs)
        each, about, tested = r2(predicted, truth), pairs.about | settings | {"test": len(test)}, test.rows
        found.append(Measure(f"R² {by}{where}", float(each.mean()), about, tested))
        found.append(Measure(f"R² {by}, pooled{where}", pooled_r2(predicted, truth), about, tested))
        if not where:
            named = zip(pairs.names, each.tolist(), strict=True)
            found += [Measure(f"R² {by} of {name}", value, about, tested) for name, value in named]
    return found


def _ranks(z: Reals, pairs: ViewPairs) -> list[Measure]:
    """MRR and H@k of the view that a motion leads to, as the ridge predicts it."""
    products = Products.of(z[pairs.train.first], pairs.train.motion / pairs.unit, AXES)

    def sample(some: Pairs) -> Sample:
        first, second = some.features(z)
        return products(first, some.motion / pairs.unit), second

    ridge = fit_ridge(sample(pairs.train), sample(pairs.validation))
    found = []
    for where, test in pairs.tests.items():
        rank, views = ranks(ridge(sample(test)[0]), z, test.second, pairs.segments)
        about = pairs.about | {
            "ridge": ridge.strength, "axes": AXES, "views": float(views.mean()),
            "by_chance": float(np.mean([np.mean(1 / np.arange(1, count + 1)) for count in views])), "test": len(test),
        }  # fmt: skip
        values = {"MRR": (1 / rank).mean(), "H@1": (rank <= 1).mean(), "H@5": (rank <= 5).mean()}
        found += [Measure(f"{name}{where}", float(value), about, test.rows) for name, value in values.items()]
    return found


def ranks(predicted: Reals, z: Reals, second: Rows, segments: tuple[Rows, Rows]) -> tuple[Reals, Rows]:
    """The rank of each true view among those of its segment, by cosine, and how many these are.

    predicted: [P, D]. z: [frames, D]. second: [P], the rows of the true views. Of views as near as the true one half
    count as nearer.
    """
    rank, (start, length) = np.empty(len(second)), segments
    segment = np.searchsorted(start, second, side="right") - 1
    views = unit(z).numpy()
    for each in np.unique(segment):
        mine = np.flatnonzero(segment == each)
        cosine = unit(predicted[mine]).numpy() @ views[start[each] : start[each] + length[each]].T  # [p, views]
        own = cosine[np.arange(len(mine)), second[mine] - start[each]][:, None]
        rank[mine] = 1 + (cosine > own).sum(1) + ((cosine == own).sum(1) - 1) / 2
    return rank, length[segment]
