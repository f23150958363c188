"""The Franka Panda arm, through inverse kinematics."""

import functools
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from embodied_ssl.envs.bodies.gripper import (
    FINGER_M,
    GRIP_N,
    OPENING_M,
    ROUND_M,
    EachStep,
    gain_of,
    make_grippy,
    soften,
    step_until_rest,
    steps_of,
)
from embodied_ssl.envs.world import exact
from embodied_ssl.envs.world.assets import Material
from embodied_ssl.envs.world.engine import Scratch, pybullet
from embodied_ssl.envs.world.physics import World


class Panda:
    """Franka's Panda arm, through inverse kinematics; its hand carries the same two fingers as the floating gripper."""

    finger_links = (9, 10)
    BASE_M = (-0.52, 0.0, 0.0)  # from where it reaches every place of the table, pointing down, within its limits
    REST = (0.0, 0.2, 0.0, -2.2, 0.0, 2.4, np.pi / 4)
    TIP_BELOW_HAND_M = 0.1034  # from the hand's frame to the ends of its fingers
    _HAND, _ARM = 8, tuple(range(7))
    _DAMPING = (0.01,) * 9  # of the solver; with PyBullet's own, it ends millimetres to centimetres away from its goal
    _STRIDE = 4  # usual steps from one solution of the inverse kinematics to the next

    def __init__(self, round_finger: bool = False):
        self.touching = (self._HAND,) if round_finger else self.finger_links
        self._scratch = Scratch()
        self._file = str(self._scratch.path / "panda.urdf")
        _reduced_panda(round_finger).write(self._file)

    def load(self, world: World) -> None:
        self.world = world
        self.body = pybullet.loadURDF(self._file, self.BASE_M, useFixedBase=True, physicsClientId=world.client)
        make_grippy(self.body, self.touching, world.client)
        self.leave()

    def feel(self, material: Material, share: float = 1.0) -> None:
        soften(self.body, self.touching, material, share, self.world.client)

    def place(self, tip: ArrayLike, yaw: float, opening: float) -> None:
        # Turned by a half, the fingers are the same, and this half turn is within the limits of the wrist.
        self._turn, self._goal = yaw % np.pi - np.pi, np.asarray(tip, float)
        for joint, value in zip(self._ARM, self.REST, strict=True):
            pybullet.resetJointState(self.body, joint, value, 0, physicsClientId=self.world.client)
        for _ in range(4):  # each round starts where the last one came to
            self._pose(self._solve(self._goal))
        for joint in self.finger_links:
            pybullet.resetJointState(self.body, joint, opening / 2, 0, physicsClientId=self.world.client)
        self._fingers(opening)

    def _solve(self, tip: NDArray[np.float64]) -> Sequence[float]:
        """Joint angles that bring the tip to a place [3], pointing down, with the closing direction at the yaw."""
        down = pybullet.getQuaternionFromEuler((np.pi, 0, self._turn + np.pi / 2))
        hand = tip + [0, 0, self.TIP_BELOW_HAND_M]
        return pybullet.calculateInverseKinematics(
            self.body, self._HAND, hand.tolist(), down, jointDamping=self._DAMPING, maxNumIterations=20,
            residualThreshold=1e-7, physicsClientId=self.world.client)[:7]  # fmt: skip

    def _pose(self, angles: Sequence[float]) -> None:
        for joint, angle in zip(self._ARM, angles, strict=True):
            pybullet.resetJointState(self.body, joint, angle, 0, physicsClientId=self.world.client)
        self._follow(angles)

    def _follow(self, angles: Sequence[float]) -> None:
        pybullet.setJointMotorControlArray(
            self.body, self._ARM, pybullet.POSITION_CONTROL, targetPositions=angles, forces=[87.0] * 7,
            positionGains=[gain_of(0.3, self.world)] * 7, physicsClientId=self.world.client)  # fmt: skip

    def _fingers(self, opening: float) -> None:
        pybullet.setJointMotorControlArray(
            self.body, self.finger_links, pybullet.POSITION_CONTROL, targetPositions=[opening / 2] * 2,
            forces=[GRIP_N] * 2, physicsClientId=self.world.client)  # fmt: skip

    def move(self, tip: ArrayLike, speed: float, each_step: EachStep | None = None) -> None:
        start, self._goal = self._goal, np.asarray(tip, float)
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
        self._follow(self._solve(self._goal))

    def grip(self, opening: float, most_steps: int) -> None:
        self._fingers(opening)
        step_until_rest(self.world, self.body, self.finger_links, most_steps)

    def tip(self) -> NDArray[np.float64]:
        hand = pybullet.getLinkState(
            self.body, self._HAND, computeForwardKinematics=1, physicsClientId=self.world.client
        )
        turn = np.reshape(pybullet.getMatrixFromQuaternion(hand[5]), (3, 3))
        return np.array(hand[4]) + turn[:, 2] * self.TIP_BELOW_HAND_M

    def leave(self) -> None:
        self.place((-0.25, 0.0, 0.6), 0.0, OPENING_M)


@functools.cache
def _reduced_panda(round_finger: bool) -> "ElementTree.ElementTree[Any]":
    """PyBullet's Panda without images and without collisions but for its fingers: loads in a few milliseconds."""
    import pybullet_data

    source = Path(pybullet_data.getDataPath()) / "franka_panda" / "panda.urdf"
    tree = ElementTree.parse(source)
    for link in tree.getroot().iter("link"):
        for element in [child for child in link if child.tag in ("visual", "collision")]:
            link.remove(element)
        name = link.get("name")
        if not round_finger and name in ("panda_leftfinger", "panda_rightfinger"):
            outward = 1 if name == "panda_leftfinger" else -1
            geometry = _collision(link, outward * FINGER_M[0] / 2, 0.045 - FINGER_M[2] / 2)
            ElementTree.SubElement(geometry, "box", size=f"{FINGER_M[1]} {FINGER_M[0]} {FINGER_M[2]}")
        if round_finger and name == "panda_hand":
            geometry = _collision(link, 0.0, Panda.TIP_BELOW_HAND_M - FINGER_M[2] / 2)
            ElementTree.SubElement(geometry, "capsule", radius=f"{ROUND_M}", length=f"{FINGER_M[2] - 2 * ROUND_M}")
    return tree


def _collision(link: ElementTree.Element, y: float, z: float) -> ElementTree.Element:
    """The still empty geometry of a new collision shape of a link, its middle at (0, y, z) m."""
    collision = ElementTree.SubElement(link, "collision")
    ElementTree.SubElement(collision, "origin", xyz=f"0 {y} {z}", rpy="0 0 0")
    return ElementTree.SubElement(collision, "geometry")
