"""An arm of seven joints with two fingers, through inverse kinematics: what arms of any make share.

Any URDF will do: in the physics an arm needs neither looks nor collisions but those of its fingers, and loads in
milliseconds without them; images that show it read the meshes when they are first asked for. The hand's z axis points
along the fingers, its y axis in their closing direction.
"""

import copy
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from embodied_ssl.envs.bodies.gripper import (
    FINGER_M,
    GRIP_N,
    OPENING_M,
    ROUND_M,
    Command,
    EachStep,
    Joints,
    gain_of,
    joints_of,
    make_grippy,
    soften,
    step_until_rest,
    steps_of,
)
from embodied_ssl.envs.bodies.looks import DARK, WHITE, looks_of
from embodied_ssl.envs.world import exact
from embodied_ssl.envs.world.assets import Asset, Material
from embodied_ssl.envs.world.engine import Scratch, pybullet
from embodied_ssl.envs.world.physics import World


@dataclass(frozen=True, eq=False)
class Model:
    """A URDF as the physics has it: without looks, and without collisions but those of what touches.

    file: of the whole of it. tree: without what is left out.
    """

    file: Path
    tree: "ElementTree.ElementTree[ElementTree.Element]"

    def write(self, path: str, visible: bool = False) -> None:
        """Write it for PyBullet. visible: with its looks, for a window."""
        tree = copy.deepcopy(self.tree)
        links = {link.get("name"): link for link in tree.getroot().iter("link")}
        for link in ElementTree.parse(self.file).getroot().iter("link") if visible else ():
            for visual in link.findall("visual"):
                for mesh in visual.iter("mesh"):
                    name = (mesh.get("filename") or "").removeprefix("package://")
                    mesh.set("filename", str(self.file.parent / name))
                links[link.get("name")].append(visual)
        tree.write(path)


class Arm:
    """A gripper at an arm. A subclass says what the arm is: its model, and the constants below."""

    BASE_M: tuple[float, float, float]
    """Where it stands: from there it reaches every place of the table, pointing down, within its limits."""
    REST: ClassVar[tuple[float, ...]]
    """Angles of its joints, rad, from which solutions are sought: pointing down over the table."""
    HAND: ClassVar[int]
    """The link that carries the fingers."""
    finger_links: tuple[int, int]
    """The links of the fingers; their joints slide."""
    TIP_BELOW_HAND_M: ClassVar[float]
    """From the hand's frame to the ends of its fingers."""
    TORQUE_NM: ClassVar[float] = 87.0
    """Of each joint, at most."""
    _DAMPING = (0.01,) * 9  # of the solver; with PyBullet's own, it ends millimetres to centimetres away from its goal
    _STRIDE = 4  # usual steps from one solution of the inverse kinematics to the next

    def __init__(self, round_finger: bool = False):
        self.touching: tuple[int, ...] = (self.HAND,) if round_finger else self.finger_links
        self._scratch = Scratch()
        self._model = self.model(round_finger)
        self._file = str(self._scratch.path / "arm.urdf")
        self._model.write(self._file)

    def model(self, round_finger: bool) -> Model:
        """The URDF, in which two flat fingers or the hand's round one touch: see `bare`, `add_flat`, `add_round`."""
        raise NotImplementedError

    def load(self, world: World) -> None:
        self.world = world
        if world.gui:
            self._model.write(self._file, visible=True)
        self.body = pybullet.loadURDF(self._file, self.BASE_M, useFixedBase=True, physicsClientId=world.client)
        make_grippy(self.body, self.touching, world.client)
        self.leave()

    def show(self) -> None:
        client = self.world.client
        joints = range(pybullet.getNumJoints(self.body, physicsClientId=client))
        names = [pybullet.getJointInfo(self.body, joint, physicsClientId=client)[12].decode() for joint in joints]
        for name, asset in self._looks:
            if name in names:
                self.world.add_to_robot(asset, self.body, names.index(name))
            else:  # the base, which has no joint
                self.world.add_to_robot(asset, position=self.BASE_M)

    @cached_property
    def _looks(self) -> list[tuple[str, Asset]]:
        folder, whole = self._model.file.parent, ElementTree.parse(self._model.file)
        return [*looks_of(whole, folder, WHITE).items(), *looks_of(self._model.tree, folder, DARK).items()]

    def feel(self, material: Material, share: float = 1.0) -> None:
        soften(self.body, self.touching, material, share, self.world.client)

    def place(self, tip: ArrayLike, yaw: float, opening: float) -> None:
        # Turned by a half, the fingers are the same, and this half turn is within the limits of the wrist.
        self._turn, self._goal = yaw % np.pi - np.pi, np.asarray(tip, float)
        for joint, value in enumerate(self.REST):
            pybullet.resetJointState(self.body, joint, value, 0, physicsClientId=self.world.client)
        for _ in range(4):  # each round starts where the last one came to
            self._pose(self._solve(self._goal))
        for joint in self.finger_links:
            pybullet.resetJointState(self.body, joint, opening / 2, 0, physicsClientId=self.world.client)
        self._fingers(opening)
        self._tell(self._goal, self._goal, 0.0, opening)

    def _tell(self, start: NDArray[np.float64], goal: NDArray[np.float64], speed: float, opening: float) -> None:
        self.command = Command(start, goal, speed, self.world.steps, self._turn, opening)

    def _solve(self, tip: NDArray[np.float64]) -> Sequence[float]:
        """Joint angles that bring the tip to a place [3], pointing down, with the closing direction at the yaw."""
        down = pybullet.getQuaternionFromEuler((np.pi, 0, self._turn + np.pi / 2))
        hand = tip + [0, 0, self.TIP_BELOW_HAND_M]
        return pybullet.calculateInverseKinematics(
            self.body, self.HAND, hand.tolist(), down, jointDamping=self._DAMPING, maxNumIterations=20,
            residualThreshold=1e-7, physicsClientId=self.world.client)[:len(self.REST)]  # fmt: skip

    def _pose(self, angles: Sequence[float]) -> None:
        for joint, angle in enumerate(angles):
            pybullet.resetJointState(self.body, joint, angle, 0, physicsClientId=self.world.client)
        self._follow(angles)

    def _follow(self, angles: Sequence[float]) -> None:
        count = len(self.REST)
        pybullet.setJointMotorControlArray(
            self.body, range(count), pybullet.POSITION_CONTROL, targetPositions=angles,
            forces=[self.TORQUE_NM] * count, positionGains=[gain_of(0.3, self.world)] * count,
            physicsClientId=self.world.client)  # fmt: skip

    def _fingers(self, opening: float) -> None:
        pybullet.setJointMotorControlArray(
            self.body, self.finger_links, pybullet.POSITION_CONTROL, targetPositions=[opening / 2] * 2,
            forces=[GRIP_N] * 2, physicsClientId=self.world.client)  # fmt: skip

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
        self._fingers(opening)
        step_until_rest(self.world, self.body, self.finger_links, most_steps)

    def tip(self) -> NDArray[np.float64]:
        return self.tip_pose()[:3, 3]

    def tip_pose(self) -> NDArray[np.float64]:
        hand, pose = self._hand(), np.eye(4)
        pose[:3, :3] = np.reshape(pybullet.getMatrixFromQuaternion(hand[5]), (3, 3))
        pose[:3, 3] = np.array(hand[4]) + pose[:3, 2] * self.TIP_BELOW_HAND_M
        return pose

    def tip_velocity(self) -> NDArray[np.float64]:
        hand = self._hand(computeLinkVelocity=1)
        middle, moving, turning = (np.array(hand[place]) for place in (0, 6, 7))  # of the hand's mass
        return np.array([*(moving + np.cross(turning, self.tip() - middle)), *turning])

    def joints(self) -> Joints:
        return joints_of(self.body, [*range(len(self.REST)), *self.finger_links], self.world.client)

    def _hand(self, **asked: int) -> tuple[Any, ...]:
        return pybullet.getLinkState(
            self.body, self.HAND, computeForwardKinematics=1, physicsClientId=self.world.client, **asked
        )

    def leave(self) -> None:
        self.place((-0.25, 0.0, 0.6), 0.0, OPENING_M)


def bare(file: Path | str) -> Model:
    """A URDF without looks and without collisions."""
    tree = ElementTree.parse(file)
    for link in tree.getroot().iter("link"):
        for element in [child for child in link if child.tag in ("visual", "collision")]:
            link.remove(element)
    return Model(Path(file), tree)


def add_flat(model: Model, link: str, outward: int, end_m: float) -> None:
    """Let a finger's link touch as a flat finger does.

    outward: 1 where its joint opens along y, −1 where it opens the other way. end_m: of the finger, along z.
    """
    geometry = _collision(_link(model, link), outward * FINGER_M[0] / 2, end_m - FINGER_M[2] / 2)
    ElementTree.SubElement(geometry, "box", size=f"{FINGER_M[1]} {FINGER_M[0]} {FINGER_M[2]}")


def add_round(model: Model, link: str, end_m: float) -> None:
    """Let the hand's link touch with the end of one round finger, whose end is at `end_m` along z."""
    geometry = _collision(_link(model, link), 0.0, end_m - FINGER_M[2] / 2)
    ElementTree.SubElement(geometry, "capsule", radius=f"{ROUND_M}", length=f"{FINGER_M[2] - 2 * ROUND_M}")


def add_slides(model: Model, hand: str) -> tuple[str, str]:
    """Give a hand two links that slide along its y axis, for an arm whose model has none; their names."""
    names = f"{hand}_left", f"{hand}_right"
    for name, outward in zip(names, (1, -1), strict=True):
        link = ElementTree.SubElement(model.tree.getroot(), "link", name=name)
        inertial = ElementTree.SubElement(link, "inertial")
        ElementTree.SubElement(inertial, "mass", value="0.1")
        still: dict[str, Any] = dict.fromkeys(("ixx", "iyy", "izz"), "0.1") | dict.fromkeys(("ixy", "ixz", "iyz"), "0")
        ElementTree.SubElement(inertial, "inertia", **still)
        joint = ElementTree.SubElement(model.tree.getroot(), "joint", name=f"{name}_slide", type="prismatic")
        ElementTree.SubElement(joint, "parent", link=hand)
        ElementTree.SubElement(joint, "child", link=name)
        ElementTree.SubElement(joint, "axis", xyz=f"0 {outward} 0")
        ElementTree.SubElement(joint, "limit", lower="0", upper=f"{OPENING_M / 2}", effort="20", velocity="0.2")
    return names


def _link(model: Model, name: str) -> ElementTree.Element:
    return next(link for link in model.tree.getroot().iter("link") if link.get("name") == name)


def _collision(link: ElementTree.Element, y: float, z: float) -> ElementTree.Element:
    """The still empty geometry of a new collision shape of a link, its middle at (0, y, z) m."""
    collision = ElementTree.SubElement(link, "collision")
    ElementTree.SubElement(collision, "origin", xyz=f"0 {y} {z}", rpy="0 0 0")
    return ElementTree.SubElement(collision, "geometry")
