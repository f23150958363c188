"""The protocol of a gripper, and what all of them share: fingers that are soft, and motors that brake alike.

A gripper is set up in a world just reset (`load`), brought somewhere at once (`place`), and then moves in straight
lines at constant speed (`move`) while the world steps. Its tip is the middle between the ends of its fingers.

What is soft is the touch of a finger (`feel`): a spring and a damper per point of contact. A flat finger touches at as
many points as the collision detection happens to find; the round one touches a surface at one, so that its force is
that of one spring.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from embodied_ssl.envs.world import exact
from embodied_ssl.envs.world.assets import Material
from embodied_ssl.envs.world.engine import pybullet
from embodied_ssl.envs.world.physics import World

OPENING_M = 0.08  # between the fingers, at most
FINGER_M = (0.012, 0.02, 0.05)  # thickness (closing direction), width, length
ROUND_M = 0.01  # radius of the one round finger
GRIP_N, PUSH_N = 25.0, 60.0  # of a finger; of the arm
RESTING_MPS = 0.002  # slower fingers have closed
AWAY_M = (0.0, 0.0, 5.0)  # where nothing is touched, and no camera looks

EachStep = Callable[[], None]


class Gripper(Protocol):
    """A body with two fingers, or one that is round."""

    body: int
    finger_links: tuple[int, int]  # of two fingers

    def load(self, world: World) -> None:
        """Enter a world just reset, out of the way."""

    def place(self, tip: ArrayLike, yaw: float, opening: float) -> None:
        """Be somewhere at once, at rest: tip [3] (m), closing direction (rad about z), opening (m)."""

    def feel(self, material: Material, share: float = 1.0) -> None:
        """Give way like a material at every point that a finger touches, or with a share of its force."""

    def move(self, tip: ArrayLike, speed: float, each_step: EachStep | None = None) -> None:
        """Move the tip straight to a place [3] (m) at a speed (m/s) while the world steps, or until it is stopped."""

    def halt(self) -> None:
        """Stay here for the rest of the move under way."""

    def grip(self, opening: float, most_steps: int) -> None:
        """Drive the fingers towards an opening (m), with a limited force, until they rest or for so many steps."""

    def tip(self) -> NDArray[np.float64]:
        """Where the tip is, [3] m."""

    def leave(self) -> None:
        """Go where nothing is touched and no camera looks."""


def steps_of(usual: int, world: World) -> int:
    """As many steps as take as long as so many of the usual length."""
    return max(1, round(usual / 240 / world.time_step))


def gain_of(usual: float, world: World) -> float:
    """A motor's gain for which what is left of the way shrinks over time as with a gain in steps of the usual length.

    PyBullet's gains are per step: the same gain in half the step would be a stiffer arm, which brakes in half the way.
    """
    return 1 - exact.power(1 - usual, 240 * world.time_step)


def make_grippy(body: int, links: Sequence[int], client: int) -> None:
    """Give fingers the friction of rubber."""
    for link in links:
        pybullet.changeDynamics(body, link, lateralFriction=1.0, spinningFriction=0.002, physicsClientId=client)


def soften(body: int, links: Sequence[int], material: Material, share: float, client: int) -> None:
    """Make fingers give way like a material, or with a share of its force."""
    stiffness, damping = share * material.stiffness, share * material.damping
    for link in links:
        pybullet.changeDynamics(body, link, contactStiffness=stiffness, contactDamping=damping, physicsClientId=client)


def step_until_rest(world: World, body: int, joints: Sequence[int], most_steps: int) -> None:
    """Step until joints that slide have come to rest, or for at most some steps."""
    for _ in range(most_steps // 6):
        world.step(6)
        states = pybullet.getJointStates(body, joints, physicsClientId=world.client)
        if all(abs(state[1]) < RESTING_MPS for state in states):
            break
