"""Motion patterns: clusters of the motions between frames."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from embodied_ssl.datasets.batches import FramePairs
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.streams import Stream


def sample_motions(pairs: Stream, most: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """The motions of up to `most` random pairs, [N, A]."""
    index = rng.permutation(len(pairs))[:most]
    parts = np.array_split(index, max(1, len(index) // 256))
    batches = [pairs.batch(part, rng) for part in parts]
    return np.concatenate([batch.motion.numpy() for batch in batches if isinstance(batch, FramePairs)]).astype("f8")


def cluster_motions(motions: NDArray[np.float64], count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Centres [count, A] of the motion patterns, by k-means on standardised motions, in the motions' own units.

    Raises DataError where there are fewer motions than patterns.
    """
    if not 1 <= count <= len(motions):
        raise DataError(f"motions: {count} patterns of {len(motions)} motions; give at least 1, or collect more")
    from sklearn.cluster import KMeans

    scale = motions.std(0) + 1e-9
    found = KMeans(count, n_init=4, random_state=int(rng.integers(1 << 31))).fit(motions / scale)
    centres = found.cluster_centers_ * scale
    return centres[np.lexsort(centres.T[::-1])]


def nearest_pattern(motion: Tensor, centres: Tensor, scale: Tensor) -> Tensor:
    """The pattern of each motion [B, A]: int64 [B], the nearest of `centres` [G, A] in units of `scale` [A]."""
    return torch.cdist(motion / scale, centres / scale).argmin(1)
