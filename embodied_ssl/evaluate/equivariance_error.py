"""The equivariance error: how well features after a motion follow linearly from those before it."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from embodied_ssl.datasets.batches import FramePairs
from embodied_ssl.datasets.readers import Dataset
from embodied_ssl.encoders import Encoder
from embodied_ssl.evaluate.results import Measure
from embodied_ssl.motions import cluster_motions, nearest_pattern
from embodied_ssl.views import to_float

RIDGE = 1e-3


@torch.no_grad()
def equivariance_error(
    encoder: Encoder, source: Path | str, seed: int, motions: int = 6, max_gap_s: float = 1.0, most: int = 4000
) -> list[Measure]:
    """ρ_g of each motion pattern and their mean. Jayaraman & Grauman 2015, section 4.2.

    ρ_g = Σ ‖z_j − M'_g z_i‖ / Σ ‖z_i − z_j‖ over pairs of held-out episodes, with M'_g refitted to the features of the
    others by least squares, an affine map with a slight ridge, for every encoder alike. 1 is no better than standing
    still. Features are brought to unit length first. (The paper means the ratios of single pairs; where a body is
    held up by a wall, that divides by nothing.)
    """
    rng = np.random.default_rng([seed, 2])
    stream = Dataset.open(source).pairs(max_gap_s=max_gap_s)
    index = np.sort(rng.permutation(len(stream))[:most])
    parts = [stream.batch(part, rng) for part in np.array_split(index, -(-len(index) // 256))]
    pairs = [part for part in parts if isinstance(part, FramePairs)]
    motion = torch.cat([part.motion for part in pairs])
    centres = torch.from_numpy(cluster_motions(motion.numpy().astype("f8"), motions, rng)).float()
    pattern = nearest_pattern(motion, centres, motion.std(0)).numpy()
    training = encoder.training
    encoder.eval()
    before, after = (
        np.concatenate([_encode(encoder, getattr(part, name)) for part in pairs]) for name in ("first", "second")
    )
    encoder.train(training)
    fitted = np.arange(len(index)) < 0.6 * len(index)  # the stream walks through the episodes in order
    found, values = [], []
    for g in range(motions):
        mine = pattern == g
        values.append(_error(before, after, mine & fitted, mine & ~fitted))
        about = {"motion": [round(float(v), 3) for v in centres[g]], "pairs": int(mine.sum()), "seed": seed}
        found.append(Measure(f"ρ of motion {g + 1}", values[-1], about))
    return [Measure("ρ", float(np.mean(values)), {"motions": motions, "max_gap_s": max_gap_s, "seed": seed}), *found]


def _encode(encoder: Encoder, images: torch.Tensor) -> NDArray[np.float64]:
    features = encoder(to_float(images, encoder.image_size)).float()
    return torch.nn.functional.normalize(features, dim=1).double().numpy()


def _error(
    before: NDArray[np.float64], after: NDArray[np.float64], train: NDArray[np.bool_], test: NDArray[np.bool_]
) -> float:
    """Refit the map on `train`; the error on `test`."""
    middle = before[train].mean(0), after[train].mean(0)
    x, y = before[train] - middle[0], after[train] - middle[1]
    # The ridge draws towards standing still, so that few pairs in many dimensions do no worse than that.
    strength = RIDGE * max(np.trace(x.T @ x), 1e-12)
    change = np.linalg.solve(x.T @ x + strength * np.eye(x.shape[1]), x.T @ (y - x))
    moved = before[test] + (before[test] - middle[0]) @ change + (middle[1] - middle[0])
    still = np.linalg.norm(before[test] - after[test], axis=1)
    return float(np.linalg.norm(after[test] - moved, axis=1).sum() / np.maximum(still.sum(), 1e-9))
