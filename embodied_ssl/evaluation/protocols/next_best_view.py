"""Next-best view: from one view of an object, the motion after which its class will be clearest."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.images.sources import image_set
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.evaluation.estimators.affine_maps import fit_map, patterns_of
from embodied_ssl.evaluation.estimators.neighbours import unit, votes
from embodied_ssl.evaluation.features import Features
from embodied_ssl.evaluation.protocol import EncodedSet, EvaluationSet, Protocol
from embodied_ssl.evaluation.results import Measure
from embodied_ssl.evaluation.splits import TEST, TRAINING, UNUSED, VALIDATION, Rows, Split, split
from embodied_ssl.limits import Several
from embodied_ssl.parts.motions import cluster_motions

Reals = NDArray[np.float64]
NEIGHBOURS, TEMPERATURE = 20, 0.07
"""Of the votes, as `knn` has them."""


@dataclass(frozen=True)
class NextBestView(Protocol):
    """Accuracy from one view, and from two after the motion that is predicted best, and after the average motion.

    After Jayaraman & Grauman 2015, section 4.4. Each motion pattern g predicts the next view of an object never seen,
    M_g z, with M_g refitted to training objects. (z, M_g z) is compared with the pairs of views that the motion relates
    in training; the motion whose neighbours agree most on a class, by the entropy of their votes, is made. The two
    views that are then really seen are classified by their own neighbours. Features are centred by those of training,
    and of unit length, so that both views of a pair count alike. Classes are categories, whatever the set's labels.
    """

    divides = False  # by itself: always by categories
    wants = "motions about one object: data sets of orbit and hold"

    motions: Several = 8
    """Patterns that the motions between any two views of an object are clustered into."""

    def takes(self, dataset: Dataset | None) -> bool:
        return dataset is not None and dataset.declaration.one_object

    def prepare(self, on: EvaluationSet) -> "ViewPairs":
        return view_pairs(on, self.motions)

    def measure(self, encoded: EncodedSet) -> list[Measure]:
        return next_best_view(encoded.features, encoded.prepared, encoded.device)


@dataclass(frozen=True)
class ViewPairs:
    """Ordered pairs of views of an object by the motion between them, and what can be chosen from each test view."""

    label: Rows  # [N], of every frame
    classes: int
    split: Split
    first: Rows  # [P] rows of frames
    second: Rows
    pattern: Rows  # [P]
    part: Rows  # [P]
    start: Rows  # [S] test views from which two motions or more can be made
    end: Rows  # [S, G] the view that each motion leads to; none: -1
    seed: int


def view_pairs(on: EvaluationSet, motions: int = 8) -> ViewPairs:
    """The pairs that the next-best view is chosen by, the same for every encoder.

    on: its seed is that of the split, which keeps objects apart, and of the patterns. motions: how many patterns.
    Raises DataError where a motion is not made about objects of every part, or no test view has two motions.
    """
    images, dataset = on.images, on.dataset
    assert dataset is not None, "`takes` has looked"
    views = image_set(dataset.path)
    rng, parts = np.random.default_rng([on.seed, 3]), split(views, on.seed, on.settings)
    part = np.full(len(views), UNUSED)
    for number, rows in ((TRAINING, parts.train), (VALIDATION, parts.validation), (TEST, parts.test)):
        part[rows] = number
    first, second = _pairs(dataset)
    kept = (part[first] != UNUSED) & (part[second] != UNUSED)
    first, second = first[kept], second[kept]
    motion = dataset.declaration.between(dataset.states(first), dataset.states(second))
    centres, scale = cluster_motions(motion.astype("f8"), motions, rng), motion.std(0) + 1e-9
    pattern = patterns_of(motion, centres, scale)
    away = np.linalg.norm((motion - centres[pattern]) / scale, axis=1)
    tested = part[first] == TEST
    start, end = _choices(first[tested], second[tested], pattern[tested], away[tested], motions)
    made = np.array([[(part[first[pattern == g]] == p).any() for p in (TRAINING, VALIDATION)] for g in range(motions)])
    if not made.all() or len(start) == 0:
        raise DataError(
            f"{images.name}: too few views to choose the next one by; collect more episodes, or leave out the "
            "protocol next_best_view"
        )
    return ViewPairs(views.label, len(views.classes), parts, first, second, pattern, part[first], start, end, on.seed)


def next_best_view(features: Features, pairs: ViewPairs, device: str = "cpu") -> list[Measure]:
    """The numbers of one encoder: see `NextBestView`.

    features: of every frame of the data set, in its order, float32 [frames, D].
    """
    label, start, end, known = pairs.label, pairs.start, pairs.end, pairs.split.train
    z = _unit(features - features[known].mean(0))

    def vote(query: Reals, among: Reals, labels: Rows) -> NDArray[np.float32]:
        return votes(query, among, labels, pairs.classes, NEIGHBOURS, TEMPERATURE, device)

    doubt, right = np.full(end.shape, np.inf), np.full(end.shape, np.nan)
    for g in range(end.shape[1]):
        mine = [np.flatnonzero((pairs.pattern == g) & (pairs.part == part)) for part in (TRAINING, VALIDATION)]
        before, after = ([z[which[rows]] for rows in mine] for which in (pairs.first, pairs.second))
        by, _ = fit_map((before[0], after[0]), (before[1], after[1]))
        seen, of_seen = _join(before[0], after[0]), label[pairs.first[mine[0]]]
        possible = end[:, g] >= 0
        if not possible.any():
            continue
        here, there = z[start[possible]], z[end[possible, g]]
        doubt[possible, g] = _entropy(vote(_join(here, by(here)), seen, of_seen))
        right[possible, g] = vote(_join(here, there), seen, of_seen).argmax(1) == label[start[possible]]
    still = vote(z[start], z[known], label[known]).argmax(1) == label[start]
    about = {
        "motions": end.shape[1],
        "k": NEIGHBOURS,
        "temperature": TEMPERATURE,
        "pairs": len(pairs.first),
        "split_seed": pairs.seed,
        **pairs.split.counts(test=len(start)),
    }
    values = {
        "one view": still.mean(),
        "random motion": np.nanmean(right, axis=1).mean(),
        "chosen motion": right[np.arange(len(start)), doubt.argmin(1)].mean(),
    }
    tested = np.unique(np.concatenate([start, end[end >= 0]]))
    return [Measure(f"accuracy, {name}", float(value), about, tested) for name, value in values.items()]


def _pairs(dataset: Dataset) -> tuple[Rows, Rows]:
    """All ordered pairs of different frames of an episode, by row."""
    found = []
    for start, length in zip(dataset.episodes["start"], dataset.episodes["length"], strict=True):
        found.append(np.argwhere(~np.eye(int(length), dtype=bool)) + start)
    first, second = np.concatenate(found).T
    return first, second


def _choices(first: Rows, second: Rows, pattern: Rows, away: Reals, motions: int) -> tuple[Rows, Rows]:
    """Frames [S] from which at least two motions can be made, and the frame that each leads to [S, G]; none: -1.

    Of several frames of one pattern it is the one nearest to its middle.
    """
    order = np.argsort(-away, kind="stable")  # the nearest is written last
    start, where = np.unique(first, return_inverse=True)
    end = np.full((len(start), motions), -1)
    end[where[order], pattern[order]] = second[order]
    several = (end >= 0).sum(1) >= 2
    return start[several], end[several]


def _unit(features: NDArray[np.floating]) -> Reals:
    return unit(features).numpy().astype("f8")


def _join(before: Reals, after: Reals) -> Reals:
    """Two views as one vector, each of the same weight."""
    return np.concatenate([_unit(before), _unit(after)], axis=1)


def _entropy(counts: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of votes [N, C], nats."""
    share = counts / counts.sum(1, keepdims=True)
    return -(share * np.log(share + 1e-12)).sum(1)
