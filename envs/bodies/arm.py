"""An arm with two fingers, or with none, through inverse kinematics: what arms of any make share.

Any URDF will do: in the physics an arm needs neither looks nor collisions but those of its fingers, and loads in
milliseconds without them; images that show it read the meshes when they are first asked for. The hand's z axis points
along the fingers, its y axis in their closing direction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from embodied_ssl.envs.bodies.fingers import Fingers
from embodied_ssl.envs.bodies.gripper import (
    OPENING_M,
    Command,
    EachStep,
    Joints,
    gain_of,
    joints_of,
    make_grippy,
    soften,
    steps_of,
)
from embodied_ssl.envs.bodies.looks import DARK, WHITE, looks_of
from embodied_ssl.envs.bodies.model import Model
from embodied_ssl.envs.world import exact
from embodied_ssl.envs.world.assets import Asset, Material
from embodied_ssl.envs.world.engine import Scratch, pybullet
from embodied_ssl.envs.world.geometry.urdf import read_urdf
from embodied_ssl.envs.world.physics import World

Place = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Build:
    """What an arm is made of.

    model: its URDF, in which fingers or the hand's round one touch. joints: those of the arm, from the base on. rest:
    angles from which solutions are sought, rad: pointing down over the table. base: where it stands, m; from there it
    reaches every place of the table, pointing down, within its limits. hand: the link that carries the fingers, z along
    them, y in their closing direction. tip_below_hand: from its frame to the ends of the fingers, m. torques: of each
    joint at most, N·m. fingers: how they are moved. finger_links: what touches of them, none for an arm without.
    first_turn: the smallest yaw; from it to half a turn more, the wrist is within its limits, rad. away: where its tip
    is out of the way, m. painted: whether it is drawn as its URDF says; else white.
    """

    model: Model
    joints: tuple[int, ...]
    rest: tuple[float, ...]
    base: Place
    hand: int
    tip_below_hand: float
    torques: tuple[float, ...]
    fingers: Fingers
    finger_links: tuple[int, ...]
    first_turn: float = -np.pi
    away: Place = (-0.25, 0.0, 0.6)
    painted: bool = False


class Arm:
    """A gripper at an arm."""

    _STRIDE = 4  # usual steps from one solution of the inverse kinematics to the next

    def __init__(self, build: Build, round_finger: bool):
        self.build, self.base, self.fingers = build, build.base, build.fingers
        self.finger_links = build.finger_links
        self.touching: tuple[int, ...] = (build.hand,) if round_finger else build.finger_links
        self._scratch = Scratch()
        self._file = build.model.write(self._scratch.path)

    def load(self, world: World) -> None:
        self.world, client = world, world.client
        if world.gui:
            self.build.model.write(self._scratch.path, visible=True)
        self.body = pybullet.loadURDF(self._file, self.base, useFixedBase=True, physicsClientId=client)
        self.moving = moving_joints(self.body, client)
        # Of the solver; with PyBullet's own, it ends millimetres to centimetres away from its goal.
        self._damping = [0.01] * len(self.moving)
        self.fingers.enter(self.body, world)
        make_grippy(self.body, self.touching, client)
        self.leave()

    def show(self) -> None:
        client = self.world.client
        joints = range(pybullet.getNumJoints(self.body, physicsClientId=client))
        names = [pybullet.getJointInfo(self.body, joint, physicsClientId=client)[12].decode() for joint in joints]
        for name, asset in self._looks:
            if name in names:
                self.world.add_to_robot(asset, self.body, names.index(name))
            else:  # the base, which has no joint
                self.world.add_to_robot(asset, position=self.base)

    @cached_property
    def _looks(self) -> list[tuple[str, Asset]]:
        model = self.build.model
        own = looks_of(read_urdf(model.file), model.file, None if self.build.painted else WHITE)
        return [*own.items(), *looks_of(model.attached(), model.file, DARK).items()]

    def feel(self, material: Material, share: float = 1.0) -> None:
        soften(self.body, self.touching, material, share, self.world.client)

    def place(self, tip: ArrayLike, yaw: float, opening: float) -> None:
        # Turned by a half, the fingers are the same, and this half turn is within the limits of the wrist.
        self._turn, self._goal = yaw % np.pi - np.pi, np.asarray(tip, float)
        while self._turn < self.build.first_turn:
            self._turn += np.pi
        for joint, value in zip(self.build.joints, self.build.rest, strict=True):
            pybullet.resetJointState(self.body, joint, value, 0, physicsClientId=self.world.client)
        for _ in range(4):  # each round starts where the last one came to
            self._pose(self._solve(self._goal))
        self.fingers.set(opening)
        self.fingers.drive(opening)
        self._tell(self._goal, self._goal, 0.0, opening)

    def _tell(self, start: NDArray[np.float64], goal: NDArray[np.float64], speed: float, opening: float) -> None:
        self.command = Command(start, goal, speed, self.world.steps, self._turn, opening)

    def _solve(self, tip: NDArray[np.float64]) -> Sequence[float]:
        """Joint angles that bring the tip to a place [3], pointing down, with the closing direction at the yaw."""
        down = pybullet.getQuaternionFromEuler((np.pi, 0, self._turn + np.pi / 2))
        hand = tip + [0, 0, self.build.tip_below_hand]
        return pybullet.calculateInverseKinematics(  # its joints come before those of its fingers
            self.body, self.build.hand, hand.tolist(), down, jointDamping=self._damping, maxNumIterations=20,
            residualThreshold=1e-7, physicsClientId=self.world.client)[:len(self.build.joints)]  # fmt: skip

    def _pose(self, angles: Sequence[float]) -> None:
        for joint, angle in zip(self.build.joints, angles, strict=True):
            pybullet.resetJointState(self.body, joint, angle, 0, physicsClientId=self.world.client)
        self._follow(angles)

    def _follow(self, angles: Sequence[float]) -> None:
        pybullet.setJointMotorControlArray(
            self.body, self.build.joints, pybullet.POSITION_CONTROL, targetPositions=angles,
            forces=self.build.torques, positionGains=[gain_of(0.3, self.world)] * len(angles),
            physicsClientId=self.world.client)  # fmt: skip

    def move(self, tip: ArrayLike, speed: float, each_step: EachStep | None = None) -> None:
        start, self._goal = self._goal, np.asarray(tip, float)
        self._tell(start, self._goal, speed, self.command.opening)
        steps = int(np.ceil(exact.length(self._goal - start) / speed / self.world.time_step))
        angles, self._halted, stride = np.array(self._solve(start)), False, steps_of(self._STRIDE, self.world)
        for step in range(steps + steps_of(8, self.world)):
            if step % stride == 0:
                done = min(1.0, (step + stride) / max(steps, 1))
                change = (self._solve(start + (self._goal - start) * done) - angles) / stride
            if not self._halted:
                angles = angles + change
                self._follow(angles.tolist())
            self.world.step()
            if each_step is not None:
                each_step()

    def halt(self) -> None:
        self._goal, self._halted = self.tip(), True
        self._tell(self._goal, self._goal, 0.0, self.command.opening)
        self._follow(self._solve(self._goal))

    def grip(self, opening: float, most_steps: int) -> None:
        self._tell(self._goal, self._goal, 0.0, opening)
        self.fingers.drive(opening)
        self.fingers.rest(most_steps)

    def tip(self) -> NDArray[np.float64]:
        return self.tip_pose()[:3, 3]

    def tip_pose(self) -> NDArray[np.float64]:
        hand, pose = self._hand(), np.eye(4)
        pose[:3, :3] = np.reshape(pybullet.getMatrixFromQuaternion(hand[5]), (3, 3))
        pose[:3, 3] = np.array(hand[4]) + pose[:3, 2] * self.build.tip_below_hand
        return pose

    def tip_velocity(self) -> NDArray[np.float64]:
        hand = self._hand(computeLinkVelocity=1)
        middle, moving, turning = (np.array(hand[place]) for place in (0, 6, 7))  # of the hand's mass
        return np.array([*(moving + exact.cross(turning, self.tip() - middle)), *turning])

    def joints(self) -> Joints:
        return joints_of(self.body, [*self.build.joints, *self.fingers.joints], self.world.client)

    def width(self) -> float:
        return self.fingers.width()

    def _hand(self, **asked: int) -> tuple[Any, ...]:
        return pybullet.getLinkState(
            self.body, self.build.hand, computeForwardKinematics=1, physicsClientId=self.world.client, **asked
        )

    def leave(self) -> None:
        self.place(self.build.away, 0.0, OPENING_M)


def moving_joints(body: int, client: int) -> list[int]:
    """The joints of a body that move, in the order in which the solver has them."""
    joints = range(pybullet.getNumJoints(body, physicsClientId=client))
    kinds = [pybullet.getJointInfo(body, joint, physicsClientId=client)[2] for joint in joints]
    return [joint for joint, kind in zip(joints, kinds, strict=True) if kind != pybullet.JOINT_FIXED]
