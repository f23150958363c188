"""Motor signals made of the poses of a camera, where nothing else was measured."""

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.read.motion import heading, planar_step, wrap

Reals = NDArray[np.float64]

CAMERA_SIGNALS = ("right (m)", "down (m)", "forward (m)", "pitch (rad)", "yaw (rad)", "roll (rad)")
"""Of a camera that moves freely: its step along its own axes, and the rotation vector about them."""
PLANAR_SIGNALS = ("forward (m)", "yaw (rad)")
"""Of a body on wheels, as the kind `roam` has them; to the left is positive."""


def camera_travel(pose: Reals) -> Reals:
    """What the six signals have come to at each of the poses [n, 4, 4], step by step, [n, 6]."""
    from scipy.spatial.transform import Rotation

    if len(pose) < 2:
        return np.zeros((len(pose), 6))
    step = np.linalg.inv(pose[:-1]) @ pose[1:]
    turned = Rotation.from_matrix(step[:, :3, :3]).as_rotvec()
    return _summed(np.concatenate([step[:, :3, 3], turned], axis=1))


def planar_travel(pose: Reals) -> Reals:
    """What forward and yaw have come to at each of the poses [n, 4, 4] in a world with z up, [n, 2]."""
    towards = heading(pose)
    yaw = wrap(np.diff(towards))
    forward = planar_step(pose[:-1], pose[1:], towards[:-1] + yaw / 2)
    return _summed(np.stack([forward, yaw], axis=1))


def _summed(steps: Reals) -> Reals:
    return np.concatenate([np.zeros((1, steps.shape[1])), np.cumsum(steps, axis=0)])
