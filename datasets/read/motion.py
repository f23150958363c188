"""How a body moved between two frames, from the poses of its camera."""

import numpy as np
from numpy.typing import NDArray

Poses = NDArray[np.floating]


def relative_motion(kind: str, first: Poses, second: Poses) -> NDArray[np.float32]:
    """The motion from `first` to `second`, in the terms of the kind's motor signals.

    Args:
        kind: `roam`: how far the second place lies ahead of the first (m, in the first frame's body) and the yaw
            between them (rad, left positive). `orbit`: Δazimuth and Δelevation (rad).
        first, second: camera-to-world poses, [..., 4, 4].

    Returns float32 [..., 2]; angles are in [-π, π).
    """
    first, second = np.asarray(first, "f8"), np.asarray(second, "f8")
    if kind == "roam":
        return _stack(_ahead(second - first, heading(first)), heading(second) - heading(first))
    return _stack(_wrap(azimuth(second) - azimuth(first)), elevation(second) - elevation(first))


def motor_motion(kind: str, first: Poses, second: Poses) -> NDArray[np.float32]:
    """What perfect motor sensors would have measured of one step from `first` to `second`, float32 [..., 2].

    As `relative_motion`, but a roaming body turns before it drives, so that its wheels measure along the new heading.
    """
    if kind != "roam":
        return relative_motion(kind, first, second)
    first, second = np.asarray(first, "f8"), np.asarray(second, "f8")
    return _stack(_ahead(second - first, heading(second)), heading(second) - heading(first))


def heading(pose: Poses) -> Poses:
    """Where a level camera looks, rad from the world's x axis, [...]."""
    return np.arctan2(pose[..., 1, 2], pose[..., 0, 2])


def azimuth(pose: Poses) -> Poses:
    """Where a camera on a viewing sphere stands, seen from its middle, rad from the world's x axis, [...]."""
    return np.arctan2(-pose[..., 1, 2], -pose[..., 0, 2])


def elevation(pose: Poses) -> Poses:
    """How high a camera on a viewing sphere stands, seen from its middle, rad above the horizon, [...]."""
    return np.arcsin(np.clip(-pose[..., 2, 2], -1, 1))


def _ahead(step: Poses, direction: Poses) -> Poses:
    """Length of the step along a direction on the floor, m."""
    return step[..., 0, 3] * np.cos(direction) + step[..., 1, 3] * np.sin(direction)


def _wrap(angle: Poses) -> Poses:
    return (angle + np.pi) % (2 * np.pi) - np.pi


def _stack(first: Poses, second: Poses) -> NDArray[np.float32]:
    return np.stack([first, _wrap(second)], axis=-1).astype(np.float32)
