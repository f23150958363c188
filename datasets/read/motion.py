"""Directions and steps of a camera, from its poses: what the motions of kinds are made of."""

import numpy as np
from numpy.typing import NDArray

Poses = NDArray[np.floating]


def heading(pose: Poses) -> Poses:
    """Where a camera looks that does not roll, rad from the world's x axis, [...]."""
    return np.arctan2(pose[..., 1, 2], pose[..., 0, 2])


def azimuth(pose: Poses) -> Poses:
    """Where a camera on a viewing sphere stands, seen from its middle, rad from the world's x axis, [...]."""
    return np.arctan2(-pose[..., 1, 2], -pose[..., 0, 2])


def elevation(pose: Poses) -> Poses:
    """How high a camera on a viewing sphere stands, seen from its middle, rad above the horizon, [...]."""
    return np.arcsin(np.clip(-pose[..., 2, 2], -1, 1))


def planar_step(first: Poses, second: Poses, direction: Poses) -> Poses:
    """How far the second place lies from the first along a direction on the floor (rad), m, [...]."""
    step = second - first
    return step[..., 0, 3] * np.cos(direction) + step[..., 1, 3] * np.sin(direction)


def wrap(angle: Poses) -> Poses:
    """The same angle in [-π, π)."""
    return (angle + np.pi) % (2 * np.pi) - np.pi
