"""The protocol of a body that is driven step by step, and such bodies by name.

Where the grippers of interactions move in straight lines until they are there, a driven body is told anew each step
where to be at its end. It keeps pointing down: its tip is at (x, y, z) m and its closing direction at a yaw in [0, π]
rad about z. Its joints turn at constant speeds within a step, with limited forces.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.envs.bodies.arm import Arm
from embodied_ssl.envs.bodies.catalogue import make_gripper
from embodied_ssl.envs.bodies.floating import FloatingGripper
from embodied_ssl.envs.bodies.gripper import Command, Joints
from embodied_ssl.envs.control.driven_arm import DrivenArm
from embodied_ssl.envs.control.free_gripper import FreeGripper
from embodied_ssl.envs.control.sensed import Place, Sensed
from embodied_ssl.envs.world.physics import World


class Driven(Protocol):
    """A body with two fingers that is driven; what is not told here is as in `Gripper`."""

    body: int
    speeds: NDArray[np.float64]
    """Of its joints without the fingers at most, [J] rad/s or m/s."""
    step_s: float
    """Of the physics at most, s, for its joints to go as they are told."""

    @property
    def finger_links(self) -> tuple[int, ...]: ...

    @property
    def touching(self) -> tuple[int, ...]: ...

    @property
    def command(self) -> Command: ...

    def load(self, world: World) -> None: ...

    def show(self) -> None: ...

    def joints(self) -> Joints: ...

    def width(self) -> float: ...

    def tip(self) -> NDArray[np.float64]: ...

    def tip_pose(self) -> NDArray[np.float64]: ...

    def tip_velocity(self) -> NDArray[np.float64]: ...

    def start(self, tip: Place, yaw: float, width: float) -> None:
        """Be somewhere at once, at rest."""

    def sense(self) -> Sensed:
        """What it feels of itself now."""

    def angles(self) -> NDArray[np.float64]:
        """Of its joints without the fingers, [J] rad or m; after `sense`."""

    def go(self, tip: NDArray[np.float64], yaw: float, width: float, seconds: float) -> None:
        """Be told where the tip [3] is to be in so many seconds, and how far open the fingers; after `sense`."""

    def turn(self, angles: NDArray[np.float64], width: float, seconds: float) -> None:
        """Be told where the joints [J] are to be in so many seconds, and how far open the fingers; after `sense`."""


def make_driven(name: str, base: Place | None = None) -> Driven:
    """A body by the name of its gripper. base: where its arm stands, m; None: where it usually does.

    Raises ValueError for an unknown name, and for a gripper that cannot be driven.
    """
    gripper = make_gripper(name, False, base)
    if isinstance(gripper, Arm):
        return DrivenArm(gripper)
    if isinstance(gripper, FloatingGripper):
        return FreeGripper()
    raise ValueError(f"body {name}: control drives an Arm or the floating gripper, not a {type(gripper).__name__}")
