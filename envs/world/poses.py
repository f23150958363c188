"""Poses as matrices, of positions and unit quaternions."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from embodied_ssl.envs.world import exact


def matrices_of(positions: ArrayLike, quaternions: ArrayLike) -> NDArray[np.float64]:
    """The poses [N, 4, 4] of positions [N, 3] (m) and unit quaternions [N, 4] (x, y, z, w)."""
    x, y, z, w = np.asarray(quaternions, float).reshape(-1, 4).T
    poses = np.zeros((len(x), 4, 4))
    poses[:, 0, 0], poses[:, 0, 1], poses[:, 0, 2] = 1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)
    poses[:, 1, 0], poses[:, 1, 1], poses[:, 1, 2] = 2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)
    poses[:, 2, 0], poses[:, 2, 1], poses[:, 2, 2] = 2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)
    poses[:, :3, 3] = np.asarray(positions, float).reshape(-1, 3)
    poses[:, 3, 3] = 1.0
    return poses


def quaternion_of(rotation: NDArray[np.float64]) -> NDArray[np.float64]:
    """The unit quaternion (x, y, z, w), w ≥ 0, of a rotation matrix [3, 3]."""
    (a, b, c), (d, e, f), (g, h, i) = rotation.tolist()
    squares = 1 + a - e - i, 1 - a + e - i, 1 - a - e + i, 1 + a + e + i
    row = (
        (squares[0], b + d, c + g, h - f),
        (b + d, squares[1], f + h, c - g),
        (c + g, f + h, squares[2], d - b),
        (h - f, c - g, d - b, squares[3]),
    )[squares.index(max(squares))]
    length = exact.hypot(*row) if row[3] >= 0 else -exact.hypot(*row)
    return np.array([number / length for number in row])
