"""How the fingers of an arm are moved: joints that slide, a linkage, or none."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.envs.bodies.gripper import GRIP_N, OPENING_M, gain_of, step_until_rest
from embodied_ssl.envs.world.engine import pybullet
from embodied_ssl.envs.world.physics import World

GEAR_NM = 50.0  # with which a joint of a linkage is held to what the driven one says
GEAR_SHARE = 0.2  # of what it is off, mended in a step
GEAR_N = 100.0  # between fingers that slide, at most
CLOSING_MPS = 0.12  # of a finger that is steered: faster, it would throw what is light


class Fingers(Protocol):
    """Two fingers, or none."""

    joints: tuple[int, ...]  # that move them

    def enter(self, body: int, world: World) -> None:
        """Their arm has been loaded."""

    def set(self, opening: float) -> None:
        """Be so far open at once, m."""

    def drive(self, opening: float) -> None:
        """Be driven towards an opening (m), with a limited force."""

    def steer(self, width: float) -> None:
        """Be driven towards a width (m) at a limited speed."""

    def rest(self, most_steps: int) -> None:
        """Step until they rest, or for so many steps."""

    def width(self) -> float:
        """How far apart they are, m."""


class NoFingers:
    """Of an arm that only pushes and pokes."""

    joints: tuple[int, ...] = ()

    def enter(self, body: int, world: World) -> None:
        pass

    def set(self, opening: float) -> None:
        pass

    def drive(self, opening: float) -> None:
        pass

    def steer(self, width: float) -> None:
        pass

    def rest(self, most_steps: int) -> None:
        pass

    def width(self) -> float:
        return 0.0


class Slides:
    """Two joints that slide apart, each by half of the opening."""

    def __init__(self, joints: tuple[int, ...]):
        self.joints = joints

    def enter(self, body: int, world: World) -> None:
        self._body, self._world = body, world

    def set(self, opening: float) -> None:
        for joint in self.joints:
            pybullet.resetJointState(self._body, joint, opening / 2, 0, physicsClientId=self._world.client)

    def drive(self, opening: float) -> None:
        pybullet.setJointMotorControlArray(
            self._body, self.joints, pybullet.POSITION_CONTROL, targetPositions=[opening / 2] * 2,
            forces=[GRIP_N] * 2, physicsClientId=self._world.client)  # fmt: skip

    def steer(self, width: float) -> None:
        close(self._body, self.joints, width, self._world)

    def rest(self, most_steps: int) -> None:
        step_until_rest(self._world, self._body, self.joints, most_steps)

    def width(self) -> float:
        states = pybullet.getJointStates(self._body, self.joints, physicsClientId=self._world.client)
        return float(np.array([state[0] for state in states]).sum())


@dataclass(frozen=True, eq=False)
class Course:
    """Where the joints of a linkage are on the way from closed to open.

    openings: m, increasing, [K]. values: of each joint, rad or m, [K, J]. levers: by how much the opening changes with
    a joint that is driven and those that follow it, m per rad or m, [J]; 0 for those that follow.
    """

    openings: NDArray[np.float64]
    values: NDArray[np.float64]
    levers: NDArray[np.float64]


class Linkage:
    """Joints that move two fingers; some may follow others, as `mimic` of a URDF says."""

    def __init__(self, joints: tuple[int, ...], leaders: Sequence[int], course: Course, grip_n: float):
        """joints: all of them. leaders: for each its own place in `joints`, or that of the one that it follows.

        grip_n: the force of each finger.
        """
        self.joints, self._leaders, self._course, self._grip = joints, leaders, course, grip_n
        self._driven = [place for place, leader in enumerate(leaders) if leader == place]

    def enter(self, body: int, world: World) -> None:
        self._body, self._world, client = body, world, world.client
        closed = self._course.values[0]
        ends = self._course.values[-1] - closed
        for place, leader in enumerate(self._leaders):
            if leader == place:
                continue
            # Without a motor of its own, it goes as far as the other does, times the ratio.
            pybullet.setJointMotorControl2(
                body, self.joints[place], pybullet.VELOCITY_CONTROL, force=0, physicsClientId=client
            )
            gear = pybullet.createConstraint(
                body, self.joints[leader], body, self.joints[place], pybullet.JOINT_GEAR,
                [1, 0, 0], [0, 0, 0], [0, 0, 0], physicsClientId=client)  # fmt: skip
            ratio = -float(ends[leader] / ends[place])
            pybullet.changeConstraint(
                gear, gearRatio=ratio, relativePositionTarget=float(closed[leader] + ratio * closed[place]),
                maxForce=GEAR_NM, erp=GEAR_SHARE, physicsClientId=client)  # fmt: skip

    def _values(self, opening: float) -> list[float]:
        return [float(np.interp(opening, self._course.openings, column)) for column in self._course.values.T]

    def set(self, opening: float) -> None:
        for joint, value in zip(self.joints, self._values(opening), strict=True):
            pybullet.resetJointState(self._body, joint, value, 0, physicsClientId=self._world.client)

    def drive(self, opening: float) -> None:
        values = self._values(opening)
        pybullet.setJointMotorControlArray(
            self._body, [self.joints[place] for place in self._driven], pybullet.POSITION_CONTROL,
            targetPositions=[values[place] for place in self._driven],
            forces=[self._grip * float(self._course.levers[place]) for place in self._driven],
            physicsClientId=self._world.client)  # fmt: skip

    def steer(self, width: float) -> None:
        values = self._values(width)
        for place in self._driven:
            pybullet.setJointMotorControl2(
                self._body, self.joints[place], pybullet.POSITION_CONTROL, targetPosition=values[place],
                force=self._grip * float(self._course.levers[place]), positionGain=gain_of(0.5, self._world),
                maxVelocity=2 * CLOSING_MPS / float(self._course.levers[place]),
                physicsClientId=self._world.client)  # fmt: skip

    def rest(self, most_steps: int) -> None:
        step_until_rest(self._world, self._body, [self.joints[place] for place in self._driven], most_steps)

    def width(self) -> float:
        found = []
        for place in self._driven:
            state = pybullet.getJointState(self._body, self.joints[place], physicsClientId=self._world.client)
            values, openings = self._course.values[:, place], self._course.openings
            order = np.argsort(values)
            found.append(float(np.interp(state[0], values[order], openings[order])))
        return sum(found) / len(found)


def close(body: int, joints: Sequence[int], width: float, world: World) -> None:
    """Drive two fingers that slide to a width (m)."""
    for joint in joints:
        pybullet.setJointMotorControl2(
            body, joint, pybullet.POSITION_CONTROL, targetPosition=min(width, OPENING_M) / 2, force=GRIP_N,
            maxVelocity=CLOSING_MPS, positionGain=gain_of(0.5, world), physicsClientId=world.client)  # fmt: skip


def couple(body: int, joints: Sequence[int], world: World) -> None:
    """Let two fingers that slide open alike: pressed from one side, they would else give way both."""
    gear = pybullet.createConstraint(
        body, joints[0], body, joints[1], pybullet.JOINT_GEAR, [1, 0, 0], [0, 0, 0], [0, 0, 0],
        physicsClientId=world.client)  # fmt: skip
    pybullet.changeConstraint(gear, gearRatio=-1, erp=GEAR_SHARE, maxForce=GEAR_N, physicsClientId=world.client)
