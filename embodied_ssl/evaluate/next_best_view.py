"""Next-best view: from one view of an object, the motion after which its class will be clearest."""

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.images import image_set
from embodied_ssl.datasets.motion import relative_motion
from embodied_ssl.datasets.readers import Dataset
from embodied_ssl.evaluate.equivariance_error import fit_map, patterns_of
from embodied_ssl.evaluate.features import Features
from embodied_ssl.evaluate.knn import NEIGHBOURS, TEMPERATURE, votes
from embodied_ssl.evaluate.results import Measure
from embodied_ssl.evaluate.splits import Rows, split
from embodied_ssl.motions import cluster_motions

Reals = NDArray[np.float64]

MOST_PAIRS = 2000
"""Of one motion, that its map is fitted to and that neighbours are looked for in."""


def next_best_view(features: Features, dataset: Dataset, seed: int, motions: int = 8, most: int = 400) -> list[Measure]:
    """Accuracy from one view, and from two after the motion that is predicted best, and after the average motion.

    After Jayaraman & Grauman 2015, section 4.4. Each motion pattern g predicts the next view of an object never seen,
    M_g z, with M_g refitted to training objects. (z, M_g z) is compared with the pairs of views that the motion relates
    in training; the motion whose neighbours agree most on a class, by the entropy of their votes, is made. The two
    views that are then really seen are classified by their own neighbours.

    Args:
        features: of every frame of the data set, in its order, float32 [frames, D].
        dataset: of orbits; classes are categories.
        seed: of the split, which keeps objects apart, and of the patterns.
        motions: how many patterns the motions between any two views of an object are clustered into.
        most: orbits that are taken.
    """
    images, rng = image_set(dataset.path), np.random.default_rng([seed, 3])
    label, classes, parts = images.label, len(images.classes), split(images, seed)
    part = np.full(len(images), -1)
    for number, rows in enumerate((parts.train, parts.validation, parts.test)):
        part[rows] = number
    z = _unit(features - features[parts.train].mean(0))
    first, second = _pairs(dataset, rng.permutation(len(dataset.episodes["start"]))[:most])
    first, second = (rows[(part[first] >= 0) & (part[second] >= 0)] for rows in (first, second))
    pose = dataset.array("frames/pose")[:]
    motion = relative_motion(dataset.kind, pose[first], pose[second])
    sample = motion[rng.permutation(len(motion))[:20_000]].astype("f8")
    centres, scale = cluster_motions(sample, motions, rng), motion.std(0) + 1e-9
    pattern = patterns_of(motion, centres, scale)
    away = np.linalg.norm((motion - centres[pattern]) / scale, axis=1)
    tested = part[first] == 2
    start, end = _choices(first[tested], second[tested], pattern[tested], away[tested], motions)

    doubt, right = np.full(end.shape, np.inf), np.full(end.shape, np.nan)
    for g in range(motions):
        mine = [rng.permutation(np.flatnonzero((pattern == g) & (part[first] == p)))[:MOST_PAIRS] for p in (0, 1)]
        before, after = ([z[which[rows]] for rows in mine] for which in (first, second))
        lead, _ = fit_map((before[0], after[0]), (before[1], after[1]))
        seen, known = _join(before[0], after[0]), label[first[mine[0]]]
        possible = end[:, g] >= 0
        here, there = z[start[possible]], z[end[possible, g]]
        doubt[possible, g] = _entropy(votes(_join(here, lead(here)), seen, known, classes))
        right[possible, g] = votes(_join(here, there), seen, known, classes).argmax(1) == label[start[possible]]
    still = votes(z[start], z[parts.train], label[parts.train], classes).argmax(1) == label[start]
    about = {"motions": motions, "k": NEIGHBOURS, "temperature": TEMPERATURE, "starts": len(start), "split_seed": seed}
    return [
        Measure("accuracy, one view", float(still.mean()), about),
        Measure("accuracy, random motion", float(np.nanmean(right, axis=1).mean()), about),
        Measure("accuracy, chosen motion", float(right[np.arange(len(start)), doubt.argmin(1)].mean()), about),
    ]


def _pairs(dataset: Dataset, episodes: Rows) -> tuple[Rows, Rows]:
    """All ordered pairs of different frames of these episodes, by row."""
    found = []
    for start, length in zip(dataset.episodes["start"][episodes], dataset.episodes["length"][episodes], strict=True):
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
    return features.astype("f8") / (np.linalg.norm(features, axis=1, keepdims=True) + 1e-9)


def _join(before: Reals, after: Reals) -> Reals:
    """Two views as one vector, each of the same weight."""
    return np.concatenate([_unit(before), _unit(after)], axis=1)


def _entropy(counts: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of votes [N, C], nats."""
    share = counts / counts.sum(1, keepdims=True)
    return -(share * np.log(share + 1e-12)).sum(1)
