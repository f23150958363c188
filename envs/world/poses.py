"""Poses as matrices, of positions and unit quaternions."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from embodied_ssl.envs.world import exact
from embodied_ssl.envs.world.compiled import jit


def matrices_of(positions: ArrayLike, quaternions: ArrayLike) -> NDArray[np.float64]:
    """The poses [N, 4, 4] of positions [N, 3] (m) and unit quaternions [N, 4] (x, y, z, w)."""
    turns = np.ascontiguousarray(quaternions, float).reshape(-1, 4)
    places = np.ascontiguousarray(positions, float).reshape(-1, 3)
    poses = np.zeros((len(turns), 4, 4))
    _fill(places, turns, poses)
    return poses


@jit
def _fill(places, turns, poses):
    for n in range(len(turns)):
        x, y, z, w = turns[n, 0], turns[n, 1], turns[n, 2], turns[n, 3]
        poses[n, 0, 0] = 1 - 2 * (y * y + z * z)
        poses[n, 0, 1] = 2 * (x * y - z * w)
        poses[n, 0, 2] = 2 * (x * z + y * w)
        poses[n, 1, 0] = 2 * (x * y + z * w)
        poses[n, 1, 1] = 1 - 2 * (x * x + z * z)
        poses[n, 1, 2] = 2 * (y * z - x * w)
        poses[n, 2, 0] = 2 * (x * z - y * w)
        poses[n, 2, 1] = 2 * (y * z + x * w)
        poses[n, 2, 2] = 1 - 2 * (x * x + y * y)
        for k in range(3):
            poses[n, k, 3] = places[n, k]
        poses[n, 3, 3] = 1.0


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
