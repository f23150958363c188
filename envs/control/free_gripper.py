"""The floating gripper, free: it slides along x, y and z and turns about z."""

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.envs.bodies.fingers import close, couple
from embodied_ssl.envs.bodies.floating import looks
from embodied_ssl.envs.bodies.gripper import (
    FINGER_M,
    PUSH_N,
    Command,
    Joints,
    joints_of,
    make_grippy,
)
from embodied_ssl.envs.control.sensed import Place, Sensed
from embodied_ssl.envs.world import exact
from embodied_ssl.envs.world.engine import pybullet
from embodied_ssl.envs.world.physics import World

TURN_NM = 3.0  # torque about z
MASSES_KG = [1.0, 2.0, 1.8, 1.0, 0.1, 0.1]  # of its links: with 60 N, it accelerates at 10 m/s² or so in each direction
INERTIA_KGM2 = 2e-3  # of the carriage about each axis


class FreeGripper:
    """Two fingers under a carriage without an arm: joints x, y, z (m) and yaw (rad), then the fingers' slides."""

    finger_links: tuple[int, ...] = (4, 5)
    touching: tuple[int, ...] = finger_links
    speeds = np.array([0.6, 0.6, 0.6, 2.0])
    step_s = 1 / 20  # motors that hold a velocity are exact in steps of any length
    _FORCES = (PUSH_N, PUSH_N, PUSH_N, TURN_NM)

    def load(self, world: World) -> None:
        self.world, client = world, world.client
        middle = FINGER_M[2] / 2  # of a finger, above the tip
        finger = pybullet.createCollisionShape(
            pybullet.GEOM_BOX, halfExtents=[side / 2 for side in FINGER_M], physicsClientId=client
        )
        slides, outwards = [pybullet.JOINT_PRISMATIC] * 3, FINGER_M[0] / 2
        self.body = pybullet.createMultiBody(
            0,
            linkMasses=MASSES_KG,
            linkCollisionShapeIndices=[-1, -1, -1, -1, finger, finger],
            linkVisualShapeIndices=[-1] * 6,
            linkPositions=[[0, 0, 0]] * 4 + [[outwards, 0, middle], [-outwards, 0, middle]],
            linkOrientations=[[0, 0, 0, 1]] * 6,
            linkInertialFramePositions=[[0, 0, 0]] * 6,
            linkInertialFrameOrientations=[[0, 0, 0, 1]] * 6,
            linkParentIndices=[0, 1, 2, 3, 4, 4],
            linkJointTypes=[*slides, pybullet.JOINT_REVOLUTE, *slides[:2]],
            linkJointAxis=[[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1], [1, 0, 0], [-1, 0, 0]],
            physicsClientId=client,
        )
        pybullet.changeDynamics(self.body, 3, localInertiaDiagonal=[INERTIA_KGM2] * 3, physicsClientId=client)
        for link in range(-1, 4):  # they have no shape, but would wake what rests where they are, in the table's top
            pybullet.setCollisionFilterGroupMask(self.body, link, 0, 0, physicsClientId=client)
        make_grippy(self.body, self.touching, client)
        couple(self.body, self.finger_links, world)

    def show(self) -> None:
        carriage, flat, _ = looks()
        self.world.add_to_robot(carriage, self.body, 3)
        for link in self.touching:
            self.world.add_to_robot(flat, self.body, link)

    def start(self, tip: Place, yaw: float, width: float) -> None:
        for joint, value in enumerate((*tip, yaw, width / 2, width / 2)):
            pybullet.resetJointState(self.body, joint, value, 0, physicsClientId=self.world.client)
        self._width = -1.0  # that the fingers were told
        self._sensed_at = -1
        self.sense()
        self.go(np.array(tip), yaw, width, 1.0)

    def sense(self) -> Sensed:
        if self._sensed_at != self.world.steps:
            self._sensed, self._sensed_at = self._sense(), self.world.steps
        return self._sensed

    def _sense(self) -> Sensed:
        states = pybullet.getJointStates(self.body, range(6), physicsClientId=self.world.client)
        (x, u, *_), (y, v, *_), (z, w, *_), (yaw, *_), (left, *_), (right, *_) = states
        self._angles = (x, y, z, yaw)
        return Sensed((x, y, z), (u, v, w), yaw, left + right)

    def angles(self) -> NDArray[np.float64]:
        return np.array(self._angles)

    def go(self, tip: NDArray[np.float64], yaw: float, width: float, seconds: float) -> None:
        self._tell((*tip.tolist(), yaw), width, seconds)

    def turn(self, angles: NDArray[np.float64], width: float, seconds: float) -> None:
        self._tell(tuple(angles.tolist()), width, seconds)

    def _tell(self, goal: tuple[float, ...], width: float, seconds: float) -> None:
        self._told = self._angles, goal, width, seconds, self.world.steps
        pybullet.setJointMotorControlArray(
            self.body, range(4), pybullet.VELOCITY_CONTROL,
            targetVelocities=[(there - here) / seconds for there, here in zip(goal, self._angles, strict=True)],
            forces=self._FORCES, physicsClientId=self.world.client)  # fmt: skip
        if width != self._width:
            close(self.body, self.finger_links, width, self.world)
            self._width = width

    @property
    def command(self) -> Command:
        """What it was told last; made only where somebody asks, for it takes as long as the rest of `go`."""
        here, there, width, seconds, since = self._told
        start, end = np.array(here[:3]), np.array(there[:3])
        return Command(start, end, float(exact.length(end - start)) / seconds, since, there[3], width)

    def joints(self) -> Joints:
        return joints_of(self.body, range(6), self.world.client)

    def width(self) -> float:
        return float(self.joints().position[-2:].sum())

    def tip(self) -> NDArray[np.float64]:
        return np.array(self.sense().tip)

    def tip_pose(self) -> NDArray[np.float64]:
        (x, y, z), _, yaw, _ = self.sense()
        c, s = exact.cos(yaw), exact.sin(yaw)
        return np.array([[-s, c, 0, x], [c, s, 0, y], [0, 0, -1, z], [0, 0, 0, 1]])

    def tip_velocity(self) -> NDArray[np.float64]:
        states = pybullet.getJointStates(self.body, range(4), physicsClientId=self.world.client)
        x, y, z, turning = (state[1] for state in states)
        return np.array([x, y, z, 0, 0, turning])
