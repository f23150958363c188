"""The protocol of a gripper, and what all of them share: fingers that are soft, and motors that brake alike.

A gripper is set up in a world just reset (`load`), brought somewhere at once (`place`), and then moves in straight
lines at constant speed (`move`) while the world steps. Its tip is the middle between the ends of its fingers.

What is soft is the touch of a finger (`feel`): a spring and a damper per point of contact. A flat finger touches at as
many points as the collision detection happens to find; the round one touches a surface at one, so that its force is
that of one spring.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
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


@dataclass(frozen=True, eq=False)
class Joints:
    """The joints of a body, [J] each: positions (m or rad), velocities (per s), torques of their motors (N or N·m)."""

    position: NDArray[np.float64]
    velocity: NDArray[np.float64]
    torque: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Command:
    """What a gripper is told: to go straight to a place at a speed, to close along a yaw, to open so far.

    start, goal: of the tip, [3] m. speed: m/s. since: the step of the world in which it was told. yaw: rad. opening: m.
    """

    start: NDArray[np.float64]
    goal: NDArray[np.float64]
    speed: float
    since: int
    yaw: float
    opening: float

    def after(self, seconds: float) -> NDArray[np.float64]:
        """Where the tip is to be so long after it was told: (x, y, z, yaw, opening)."""
        length = exact.length(self.goal - self.start)
        done = min(1.0, self.speed * seconds / length) if length > 0 else 1.0
        return np.array([*(self.start + done * (self.goal - self.start)), self.yaw, self.opening])


class Gripper(Protocol):
    """A body with two fingers, or one that is round."""

    body: int
    finger_links: tuple[int, ...]  # of two fingers; none for a body that has none
    touching: tuple[int, ...]  # the links that touch: two fingers, or the round one
    command: Command  # what it was told last

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

    def tip_pose(self) -> NDArray[np.float64]:
        """Tip to world, [4, 4]: y along the closing direction, z along the fingers."""

    def tip_velocity(self) -> NDArray[np.float64]:
        """Of the tip, [6]: m/s, and rad/s about the world's axes."""

    def joints(self) -> Joints:
        """All joints that move, those of the fingers last."""

    def width(self) -> float:
        """How far the fingers are apart, m."""

    def show(self) -> None:
        """Be drawn in the images that show the robot; called once after `load`, where there are such."""

    def leave(self) -> None:
        """Go where nothing is touched and no camera looks."""


def steps_of(usual: int, world: World) -> int:
    """As many steps as take as long as so many of the usual length."""
    return max(1, round(usual / 240 / world.time_step))


def gain_of(usual: float, world: World) -> float:
    """A motor's gain for which what is left of the way shrinks over time as with a gain in steps of the usual length.

    PyBullet's gains are per step: the same gain in half the step would be a stiffer arm, which brakes in half the way.
    """
    return _gain(usual, world.time_step)


@cache
def _gain(usual: float, time_step: float) -> float:
    return float(1 - exact.power(1 - usual, 240 * time_step))


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
    """Step until joints that slide have come to rest, or for at most some steps of the usual length."""
    for _ in range(most_steps // 6):
        world.step(steps_of(6, world))
        states = pybullet.getJointStates(body, joints, physicsClientId=world.client)
        if all(abs(state[1]) < RESTING_MPS for state in states):
            break


def joints_of(body: int, joints: Sequence[int], client: int) -> Joints:
    """What PyBullet says of some joints."""
    states = pybullet.getJointStates(body, joints, physicsClientId=client)
    position, velocity, _, torque = zip(*states, strict=True)
    return Joints(np.array(position), np.array(velocity), np.array(torque))


def contact_wrenches(gripper: Gripper, world: World) -> NDArray[np.float64]:
    """What each link that touches feels, [F, 6]: force (N) and torque about the tip (N·m), along the world's axes."""
    wrenches = np.zeros((len(gripper.touching), 6))
    if not pybullet.getContactPoints(gripper.body, physicsClientId=world.client):
        return wrenches
    tip = gripper.tip()
    # All of them, in PyBullet's own order of the two bodies: asked for one, it turns the normal and not the friction.
    for contact in pybullet.getContactPoints(physicsClientId=world.client):
        for body, link, place, sign in (
            (contact[1], contact[3], contact[5], 1),
            (contact[2], contact[4], contact[6], -1),
        ):
            if body == gripper.body and link in gripper.touching:
                normal, rubbing, across = (np.array(contact[column]) for column in (7, 11, 13))
                force = contact[9] * normal + contact[10] * rubbing + contact[12] * across  # on the first of the two
                turning = exact.cross(np.array(place) - tip, force)
                wrenches[gripper.touching.index(link)] += sign * np.array([*force, *turning])
    return wrenches
