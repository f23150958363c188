"""An arm that is driven: its hand points down, and each step its joints turn as the Jacobian says."""

import math

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.envs.bodies.arm import Arm
from embodied_ssl.envs.bodies.fingers import Slides, couple
from embodied_ssl.envs.bodies.gripper import Command, Joints
from embodied_ssl.envs.control.resolved_rates import joint_changes
from embodied_ssl.envs.control.sensed import Place, Sensed
from embodied_ssl.envs.world import exact
from embodied_ssl.envs.world.engine import pybullet
from embodied_ssl.envs.world.physics import World

SPEED_RADPS = 1.0  # of a joint that is told itself
FASTEST_RADPS = 3.0  # of a joint on the way of the tip
STEP_S = 1 / 240  # of the physics at most: joints that stay are dragged along by others, the farther the longer it is
PULL = 0.05  # share of the way to its rest that the arm goes in a step, as far as the tip does not mind


class DrivenArm:
    """An arm by resolved rates: one step of damped least squares a step of control, from where the joints really are.

    Whitney, Resolved motion rate control of manipulators and human prostheses, 1969; damping: Wampler 1986.
    """

    def __init__(self, arm: Arm):
        self.arm, self.step_s = arm, STEP_S
        self.finger_links, self.touching = arm.finger_links, arm.touching
        self._rest = np.array(arm.build.rest)
        self.speeds = np.full(len(arm.build.joints), SPEED_RADPS)
        self._starts: dict[tuple[Place, float], list[float]] = {}  # joint angles, by tip and yaw

    def load(self, world: World) -> None:
        self.world, arm = world, self.arm
        arm.load(world)
        self.body, self._joints, self._count = arm.body, arm.build.joints, len(arm.build.joints)
        self._all = arm.moving  # those of the arm, then those of its fingers
        if isinstance(arm.fingers, Slides):
            couple(arm.body, arm.fingers.joints, world)
        self._still = [0.0] * len(self._all)
        place, turn = pybullet.getDynamicsInfo(arm.body, arm.build.hand, physicsClientId=world.client)[3:5]
        _, back = pybullet.invertTransform((0, 0, 0), turn)
        tip = [0.0 - place[0], 0.0 - place[1], arm.build.tip_below_hand - place[2]]
        self._tip = pybullet.multiplyTransforms((0, 0, 0), back, tip, (0, 0, 0, 1))[0]  # in the frame of its mass

    def show(self) -> None:
        self.arm.show()

    def start(self, tip: Place, yaw: float, width: float) -> None:
        client = self.world.client
        if (tip, yaw) not in self._starts:
            self.arm.place(tip, yaw, width)
            states = pybullet.getJointStates(self.body, self._joints, physicsClientId=client)
            self._starts[tip, yaw] = [state[0] for state in states]
        for joint, value in zip(self._joints, self._starts[tip, yaw], strict=True):
            pybullet.resetJointState(self.body, joint, value, 0, physicsClientId=client)
        self.arm.fingers.set(width)
        self._width = -1.0  # that the fingers were told
        self._sensed_at = -1
        self.sense()
        self.go(np.array(tip), yaw, width, 1.0)

    def sense(self) -> Sensed:
        if self._sensed_at != self.world.steps:
            self._sensed, self._sensed_at = self._sense(), self.world.steps
        return self._sensed

    def _sense(self) -> Sensed:
        client = self.world.client
        states = pybullet.getJointStates(self.body, self._all, physicsClientId=client)
        self._positions = [state[0] for state in states]
        hand = pybullet.getLinkState(self.body, self.arm.build.hand, 1, 1, physicsClientId=client)
        a, b, c, d, e, f, g, h, i = pybullet.getMatrixFromQuaternion(hand[5])
        self._axes = np.array([[a, b, c], [d, e, f], [g, h, i]])
        (x, y, z), (mx, my, mz), below = hand[4], hand[0], self.arm.build.tip_below_hand
        self._at = x, y, z = x + c * below, y + f * below, z + i * below
        (u, v, w), (p, q, r) = hand[6], hand[7]
        dx, dy, dz = x - mx, y - my, z - mz  # from the middle of the hand's mass
        velocity = (u + q * dz - r * dy, v + r * dx - p * dz, w + p * dy - q * dx)
        yaw = (float(exact.arctan2(e, b)) + 1.5 * math.pi) % (2 * math.pi) - 0.5 * math.pi
        return Sensed(self._at, velocity, yaw, self.arm.width())

    def angles(self) -> NDArray[np.float64]:
        return np.array(self._positions[: self._count])

    def go(self, tip: NDArray[np.float64], yaw: float, width: float, seconds: float) -> None:
        at, now = np.array(self._at), self.angles()
        changes = joint_changes(
            self._jacobian(), tip - at, self._axes, -exact.cos(yaw), -exact.sin(yaw), PULL * (self._rest - now)
        )
        fastest = float(np.abs(changes).max()) / seconds
        self._tell(changes * min(1.0, FASTEST_RADPS / max(fastest, 1e-9)), tip, yaw, width, seconds)

    def turn(self, angles: NDArray[np.float64], width: float, seconds: float) -> None:
        changes = angles - self.angles()
        moved = exact.product(self._jacobian(), changes[:, None])[:, 0]
        yaw = float(exact.arctan2(-self._axes[1, 1], -self._axes[0, 1])) + float(moved[5])
        self._tell(changes, np.array(self._at) + moved[:3], yaw, width, seconds)

    def _jacobian(self) -> NDArray[np.float64]:
        """Of the tip [6, J]: m, then rad about the world's axes."""
        linear, turning = pybullet.calculateJacobian(
            self.body, self.arm.build.hand, self._tip, self._positions, self._still, self._still,
            physicsClientId=self.world.client)  # fmt: skip
        return np.array([*linear, *turning])[:, : self._count]

    def _tell(
        self, changes: NDArray[np.float64], tip: NDArray[np.float64], yaw: float, width: float, seconds: float
    ) -> None:
        self._told = self._at, tip, yaw, width, seconds, self.world.steps
        pybullet.setJointMotorControlArray(
            self.body, self._joints, pybullet.VELOCITY_CONTROL, targetVelocities=(changes / seconds).tolist(),
            forces=self.arm.build.torques, physicsClientId=self.world.client)  # fmt: skip
        if width != self._width:
            self.arm.fingers.steer(width)
            self._width = width

    @property
    def command(self) -> Command:
        """What it was told last. Its yaw is that of the closing direction, which is the hand's y axis the other way."""
        at, tip, yaw, width, seconds, since = self._told
        start = np.array(at)
        return Command(start, tip, float(exact.length(tip - start)) / seconds, since, yaw - math.pi, width)

    def joints(self) -> Joints:
        return self.arm.joints()

    def width(self) -> float:
        return self.arm.width()

    def tip(self) -> NDArray[np.float64]:
        return self.arm.tip()

    def tip_pose(self) -> NDArray[np.float64]:
        return self.arm.tip_pose()

    def tip_velocity(self) -> NDArray[np.float64]:
        return self.arm.tip_velocity()
