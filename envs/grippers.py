"""The bodies that touch: a floating gripper, and the Franka Panda arm. Both have two fingers, or one with a round end.

A gripper is set up in a world just reset (`load`), brought somewhere at once (`place`), and then moves in straight
lines at constant speed (`move`) while the world steps. Its tip is the middle between the ends of its fingers.

What is soft is the touch of a finger (`feel`): a spring and a damper per point of contact. A flat finger touches at as
many points as the collision detection happens to find; the round one touches a surface at one, so that its force is
that of one spring.
"""

import functools
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from embodied_ssl.envs.world import exact
from embodied_ssl.envs.world.assets import Material
from embodied_ssl.envs.world.engine import Scratch, pybullet
from embodied_ssl.envs.world.physics import World
from embodied_ssl.envs.world.textures import nearest

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


class FloatingGripper:
    """Two fingers under a carriage that slides along x and z: no arm, so every place and turn can be reached."""

    finger_links = (2, 3)

    def __init__(self, round_finger: bool = False):
        self.touching = (1,) if round_finger else self.finger_links

    def load(self, world: World) -> None:
        self.world, client = world, world.client
        middle = FINGER_M[2] / 2  # of a finger, above the tip
        half = [side / 2 for side in FINGER_M]
        if self.touching == self.finger_links:
            finger = pybullet.createCollisionShape(pybullet.GEOM_BOX, halfExtents=half, physicsClientId=client)
            shapes = [-1, -1, finger, finger]
        else:
            capsule = pybullet.createCollisionShape(
                pybullet.GEOM_CAPSULE, radius=ROUND_M, height=FINGER_M[2] - 2 * ROUND_M,
                collisionFramePosition=[0, 0, middle], physicsClientId=client)  # fmt: skip
            shapes = [-1, capsule, -1, -1]
        self.body = pybullet.createMultiBody(
            0,
            basePosition=AWAY_M,
            linkMasses=[1.0, 1.0, 0.1, 0.1],
            linkCollisionShapeIndices=shapes,
            linkVisualShapeIndices=[-1] * 4,
            linkPositions=[[0, 0, 0], [0, 0, 0], [FINGER_M[0] / 2, 0, middle], [-FINGER_M[0] / 2, 0, middle]],
            linkOrientations=[[0, 0, 0, 1]] * 4,
            linkInertialFramePositions=[[0, 0, 0]] * 4,
            linkInertialFrameOrientations=[[0, 0, 0, 1]] * 4,
            linkParentIndices=[0, 1, 2, 2],
            linkJointTypes=[pybullet.JOINT_PRISMATIC] * 4,
            linkJointAxis=[[1, 0, 0], [0, 0, 1], [1, 0, 0], [-1, 0, 0]],
            physicsClientId=client,
        )
        _make_grippy(self.body, self.touching, client)
        self._base, self._turn = np.array(AWAY_M), 0.0

    def feel(self, material: Material, share: float = 1.0) -> None:
        _soften(self.body, self.touching, material, share, self.world.client)

    def place(self, tip: ArrayLike, yaw: float, opening: float) -> None:
        self._base, self._turn = np.asarray(tip, float), yaw
        client = self.world.client
        turn = (0, 0, exact.sin(yaw / 2), exact.cos(yaw / 2))
        pybullet.resetBasePositionAndOrientation(self.body, self._base.tolist(), turn, physicsClientId=client)
        for joint, value in enumerate((0.0, 0.0, opening / 2, opening / 2)):
            pybullet.resetJointState(self.body, joint, value, 0, physicsClientId=client)
            self._drive(joint, value, PUSH_N if joint < 2 else GRIP_N, 1.0)

    def _drive(self, joint: int, target: float, force: float, speed: float) -> None:
        pybullet.setJointMotorControl2(
            self.body, joint, pybullet.POSITION_CONTROL, targetPosition=target, force=force, maxVelocity=speed,
            positionGain=_gain(0.5, self.world), physicsClientId=self.world.client)  # fmt: skip

    def move(self, tip: ArrayLike, speed: float, each_step: EachStep | None = None) -> None:
        way = np.asarray(tip, float) - self._base
        along = way[0] * exact.cos(self._turn) + way[1] * exact.sin(self._turn)
        now = [state[0] for state in self._joints((0, 1))]
        for joint, target, start in ((0, along, now[0]), (1, way[2], now[1])):
            self._drive(joint, target, PUSH_N, speed if abs(target - start) > 1e-6 else 1.0)
        distance = exact.hypot(along - now[0], way[2] - now[1])
        for _ in range(int(np.ceil(distance / speed / self.world.time_step)) + _steps(4, self.world)):
            self.world.step()
            if each_step is not None:
                each_step()

    def halt(self) -> None:
        for joint, (position, *_) in zip((0, 1), self._joints((0, 1)), strict=True):
            self._drive(joint, position, PUSH_N, 1.0)

    def grip(self, opening: float, most_steps: int) -> None:
        for joint in self.finger_links:
            self._drive(joint, opening / 2, GRIP_N, 0.25)
        _step_until_rest(self.world, self.body, self.finger_links, most_steps)

    def _joints(self, joints: Sequence[int]) -> list[tuple[float, ...]]:
        return pybullet.getJointStates(self.body, joints, physicsClientId=self.world.client)

    def tip(self) -> NDArray[np.float64]:
        x, z = (state[0] for state in self._joints((0, 1)))
        return self._base + [x * exact.cos(self._turn), x * exact.sin(self._turn), z]

    def leave(self) -> None:
        self.place(AWAY_M, 0.0, OPENING_M)


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
        _make_grippy(self.body, self.touching, world.client)
        self.leave()

    def feel(self, material: Material, share: float = 1.0) -> None:
        _soften(self.body, self.touching, material, share, self.world.client)

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
            positionGains=[_gain(0.3, self.world)] * 7, physicsClientId=self.world.client)  # fmt: skip

    def _fingers(self, opening: float) -> None:
        pybullet.setJointMotorControlArray(
            self.body, self.finger_links, pybullet.POSITION_CONTROL, targetPositions=[opening / 2] * 2,
            forces=[GRIP_N] * 2, physicsClientId=self.world.client)  # fmt: skip

    def move(self, tip: ArrayLike, speed: float, each_step: EachStep | None = None) -> None:
        start, self._goal = self._goal, np.asarray(tip, float)
        steps = int(np.ceil(exact.length(self._goal - start) / speed / self.world.time_step))
        angles, self._halted, stride = np.array(self._solve(start)), False, _steps(self._STRIDE, self.world)
        for step in range(steps + _steps(8, self.world)):
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
        _step_until_rest(self.world, self.body, self.finger_links, most_steps)

    def tip(self) -> NDArray[np.float64]:
        hand = pybullet.getLinkState(
            self.body, self._HAND, computeForwardKinematics=1, physicsClientId=self.world.client
        )
        turn = np.reshape(pybullet.getMatrixFromQuaternion(hand[5]), (3, 3))
        return np.array(hand[4]) + turn[:, 2] * self.TIP_BELOW_HAND_M

    def leave(self) -> None:
        self.place((-0.25, 0.0, 0.6), 0.0, OPENING_M)


def _steps(usual: int, world: World) -> int:
    """As many steps as take as long as so many of the usual length."""
    return max(1, round(usual / 240 / world.time_step))


def _gain(usual: float, world: World) -> float:
    """A motor's gain for which what is left of the way shrinks over time as with a gain in steps of the usual length.

    PyBullet's gains are per step: the same gain in half the step would be a stiffer arm, which brakes in half the way.
    """
    return 1 - exact.power(1 - usual, 240 * world.time_step)


def _make_grippy(body: int, links: Sequence[int], client: int) -> None:
    for link in links:
        pybullet.changeDynamics(body, link, lateralFriction=1.0, spinningFriction=0.002, physicsClientId=client)


def _soften(body: int, links: Sequence[int], material: Material, share: float, client: int) -> None:
    stiffness, damping = share * material.stiffness, share * material.damping
    for link in links:
        pybullet.changeDynamics(body, link, contactStiffness=stiffness, contactDamping=damping, physicsClientId=client)


def _step_until_rest(world: World, body: int, joints: Sequence[int], most_steps: int) -> None:
    """Step until joints that slide have come to rest, or for at most some steps."""
    for _ in range(most_steps // 6):
        world.step(6)
        states = pybullet.getJointStates(body, joints, physicsClientId=world.client)
        if all(abs(state[1]) < RESTING_MPS for state in states):
            break


@functools.cache
def _reduced_panda(round_finger: bool) -> "ElementTree.ElementTree[Any]":
    """PyBullet's Panda without pictures and without collisions but for its fingers: loads in a few milliseconds."""
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


GRIPPERS: dict[str, type[FloatingGripper] | type[Panda]] = {"floating": FloatingGripper, "panda": Panda}


def make_gripper(name: str, round_finger: bool = False) -> Gripper:
    """A gripper by name: `floating` or `panda`. Raises ValueError, which names the near one."""
    if name not in GRIPPERS:
        raise ValueError(f"unknown body {name!r}{nearest(name, GRIPPERS)}")
    return GRIPPERS[name](round_finger)
