"""Motion patterns: clusters of the motions between frames."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.read.batches import Clips, FramePairs
from embodied_ssl.datasets.read.streams import Stream
from embodied_ssl.parts.precision import in_float32

MOTOR_SIZE = 2
"""Numbers of a motion until the data say how many there are: of a body on a floor, and of one on a sphere."""


def motor_size_of(stream: Stream, given: int | None) -> int:
    """How many numbers a motion of a stream of pairs or clips has.

    given: as it was set; None: as many as the data have. Raises DataError where the data have another number.
    """
    batch = stream.batch(np.zeros(1, np.int64), np.random.default_rng(0))
    found = int(batch.motion.shape[-1])  # type: ignore[attr-defined]
    if given not in (None, found):
        raise DataError(f"motor_size: {given}, but a motion of the data has {found} numbers; leave --motor_size out")
    return found


def sample_motions(stream: Stream, most: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """The motions of up to `most` random pairs or clips, [N, A]."""
    index = rng.permutation(len(stream))[:most]
    parts = np.array_split(index, max(1, len(index) // 256))
    batches = [stream.batch(part, rng) for part in parts]
    found = [batch.motion.flatten(0, -2).numpy() for batch in batches if isinstance(batch, FramePairs | Clips)]
    return np.concatenate(found).astype("f8")


def standard_deviation(motions: NDArray[np.float64]) -> NDArray[np.float64]:
    """The standard deviation of each component of motions [N, A], to bring them to one scale: [A].

    1 for a component that does not vary: what is left of it, below a tenth of a millimetre or of a milliradian, is
    rounding, which must not be blown up to the size of a motion.
    """
    deviation = motions.std(0)
    return np.where(deviation > 1e-4, deviation, 1.0)


def cluster_motions(motions: NDArray[np.float64], count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Centres [count, A] of the motion patterns, by k-means on standardised motions, in the motions' own units.

    Raises DataError where there are fewer different motions than patterns.
    """
    if not 1 <= count <= len(motions):
        raise DataError(f"motions: {count} patterns of {len(motions)} motions; give at least 1, or collect more")
    from sklearn.cluster import KMeans

    distinct = len(np.unique(motions.round(6), axis=0))
    if count > distinct:
        raise DataError(f"motions: {count} patterns of {distinct} different motions; give --motions {distinct}")
    scale = standard_deviation(motions)
    found = KMeans(count, n_init=4, random_state=int(rng.integers(1 << 31))).fit(motions / scale)
    centres = found.cluster_centers_ * scale
    return centres[np.lexsort(centres.T[::-1])]


@in_float32
def nearest_pattern(motion: Tensor, centres: Tensor, scale: Tensor) -> Tensor:
    """The pattern of each motion [B, A]: int64 [B], the nearest of `centres` [G, A] in units of `scale` [A]."""
    return torch.cdist(motion / scale, centres / scale).argmin(1)
