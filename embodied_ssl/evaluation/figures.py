"""The figures of a report, computed: rows of panels, nearest images, maps, motion patterns, errors by motion.

Functions take features and sets of images, so that this file knows no method.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.gallery.charts import signed, words
from embodied_ssl.method import Panel
from embodied_ssl.report.figures import Equivariance, FeatureMap, MotionClusters, RetrievalWall, TaskPanels, Tile

if TYPE_CHECKING:
    from embodied_ssl.datasets.images.sources import ImageSet

Features = NDArray[np.float32]


def task_panels(rows: Sequence[Sequence[Panel]]) -> TaskPanels:
    """Rows of panels as plain arrays."""
    return TaskPanels(
        tuple(
            tuple(
                Tile(
                    (panel.image.clamp(0, 1) * 255).round().byte().movedim(0, -1).cpu().numpy(), panel.text, panel.right
                )
                for panel in row
            )
            for row in rows
        )
    )


def retrieval_wall(
    features: Features, images: "ImageSet", queries: int = 8, neighbours: int = 8, seed: int = 0
) -> RetrievalWall:
    """The images nearest to some queries by cosine: of other objects or rooms than the query's, the best of each.

    Args:
        features: float [N, D], of all the images of `images`, in their order.
        images: the labelled set.
        queries: how many, of classes as different as there are.
        neighbours: shown for each.
        seed: which queries.
    """
    chosen = _of_many_classes(images.label, queries, seed)
    unit = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
    similarity = unit[chosen] @ unit.T
    similarity[images.group[chosen][:, None] == images.group[None]] = -np.inf
    order = np.argsort(-similarity, axis=1, kind="stable")
    count = min(neighbours, len(np.unique(images.group)) - 1)
    near = np.stack([_first_of_each(images.group, own)[:count] for own in order])
    names = [words(name) for name in images.classes]
    rows = []
    for query, others in zip(chosen, near, strict=True):
        of_query = images.label[query]
        found = zip(images.images[others], images.label[others], strict=True)
        tiles = [Tile(image, names[label], bool(label == of_query)) for image, label in found]
        rows.append((Tile(images.images[query], names[of_query]), *tiles))
    return RetrievalWall(images.name, tuple(rows))


def feature_map(
    features: Features, images: "ImageSet", most: int = 800, thumbnails: int = 70, seed: int = 0
) -> FeatureMap:
    """Features of at most `most` images in two dimensions by t-SNE, and some of the images, well spread."""
    from sklearn.manifold import TSNE

    rng = np.random.default_rng(seed)
    rows = np.sort(rng.permutation(len(features))[:most])
    perplexity = min(30.0, max(2.0, (len(rows) - 1) / 4), (len(rows) - 1) / 2)  # less than there are images
    tsne = TSNE(perplexity=perplexity, init="pca", random_state=seed, n_jobs=1)
    point = tsne.fit_transform(np.asarray(features[rows], "f4")).astype("f4")
    shown = _spread(point, thumbnails)
    return FeatureMap(
        method=f"{images.name}, t-SNE of {len(rows):,} images, perplexity {perplexity:g}",
        point=point,
        label=images.label[rows],
        classes=tuple(words(name) for name in images.classes),
        shown=shown,
        thumbnail=images.images[rows[shown]],
    )


def motion_clusters(
    signals: Sequence[str],
    motion: NDArray[np.floating],
    centres: NDArray[np.floating],
    names: Sequence[str] | None = None,
) -> MotionClusters:
    """Motions [N, A] with the nearest of the patterns' centres [G, A], both in units of the motions' deviation.

    names: of the patterns; None: the motion at their centres.
    """
    scale = np.maximum(motion.std(axis=0), 1e-12)
    distance = np.linalg.norm((motion[:, None] - centres[None]) / scale, axis=2)
    units = [signal.partition("(")[2].rstrip(")") for signal in signals]
    shown = names or [
        ", ".join(f"{signed(value)} {unit}" for value, unit in zip(centre, units, strict=True)) for centre in centres
    ]
    return MotionClusters(tuple(signals), motion.astype("f4"), distance.argmin(axis=1), tuple(shown))


def equivariance(rho: Mapping[str, Mapping[str, Sequence[float]]], names: Mapping[str, str]) -> Equivariance:
    """The mean of ρ over seeds, with its 95 % interval: `rho[row][motion]` has a value for each seed.

    names: of the motions that maps were fitted to, by what `rho` calls them.
    """
    from scipy import stats

    motions = list(dict.fromkeys(motion for own in rho.values() for motion in own))
    mean, half = np.full((2, len(rho), len(motions)), np.nan)
    for r, own in enumerate(rho.values()):
        for motion, values in own.items():
            g, count = motions.index(motion), len(values)
            mean[r, g] = np.mean(values)
            if count > 1:
                half[r, g] = np.std(values, ddof=1) / np.sqrt(count) * stats.t.ppf(0.975, count - 1)
    shown = tuple(names.get(motion, motion) for motion in motions)
    return Equivariance(tuple(rho), shown, np.isin(motions, list(names)), mean, half)


def _first_of_each(group: NDArray[np.integer], order: NDArray[np.intp]) -> NDArray[np.intp]:
    """The rows of an order that are the first of their group in it."""
    return order[np.sort(np.unique(group[order], return_index=True)[1])]


def _of_many_classes(label: NDArray[np.integer], count: int, seed: int) -> NDArray[np.int64]:
    """Rows by seed, of every class one before any has two."""
    order = np.random.default_rng(seed).permutation(len(label))
    turn = np.zeros(len(label), np.int64)
    for one in np.unique(label):
        mine = order[label[order] == one]
        turn[mine] = np.arange(len(mine))
    return order[np.argsort(turn[order], kind="stable")][:count]


def _spread(point: NDArray[np.floating], count: int) -> NDArray[np.int64]:
    """Rows of points far from each other: each next one the farthest from those before (Gonzalez 1985).

    They are fewer than `count` where more would lie closer than a 25th of the map's width.
    """
    chosen = [int(np.linalg.norm(point - point.mean(axis=0), axis=1).argmin())]
    distance = np.linalg.norm(point - point[chosen[0]], axis=1)
    least = np.ptp(point, axis=0).max() / 25
    while len(chosen) < count and distance.max() > least:
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(point - point[chosen[-1]], axis=1))
    return np.array(chosen)
