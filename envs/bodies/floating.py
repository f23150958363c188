"""The floating gripper: fingers under a carriage, without an arm."""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from embodied_ssl.envs.bodies.gripper import (
    AWAY_M,
    FINGER_M,
    GRIP_N,
    OPENING_M,
    PUSH_N,
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
from embodied_ssl.envs.bodies.looks import DARK, part_of_robot
from embodied_ssl.envs.world import exact
from embodied_ssl.envs.world.assets import Asset, Material
from embodied_ssl.envs.world.engine import pybullet
from embodied_ssl.envs.world.geometry.mesh import box, cylinder, merge
from embodied_ssl.envs.world.physics import World


class FloatingGripper:
    """Two fingers under a carriage that slides along x and z: no arm, so every place and turn can be reached."""

    finger_links: tuple[int, ...] = (2, 3)

    def __init__(self, round_finger: bool = False):
        self.touching: tuple[int, ...] = (1,) if round_finger else self.finger_links

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
        make_grippy(self.body, self.touching, client)
        self._base, self._turn = np.array(AWAY_M), 0.0
        self._tell(self._base, self._base, 0.0, OPENING_M)

    def show(self) -> None:
        carriage, flat, round_one = looks()
        self.world.add_to_robot(carriage, self.body, 1)
        for link in self.touching:
            self.world.add_to_robot(flat if self.touching == self.finger_links else round_one, self.body, link)

    def feel(self, material: Material, share: float = 1.0) -> None:
        soften(self.body, self.touching, material, share, self.world.client)

    def place(self, tip: ArrayLike, yaw: float, opening: float) -> None:
        self._base, self._turn = np.asarray(tip, float), yaw
        client = self.world.client
        turn = (0, 0, exact.sin(yaw / 2), exact.cos(yaw / 2))
        pybullet.resetBasePositionAndOrientation(self.body, self._base.tolist(), turn, physicsClientId=client)
        for joint, value in enumerate((0.0, 0.0, opening / 2, opening / 2)):
            pybullet.resetJointState(self.body, joint, value, 0, physicsClientId=client)
            self._drive(joint, value, PUSH_N if joint < 2 else GRIP_N, 1.0)
        self._tell(self._base, self._base, 0.0, opening)

    def _tell(self, start: NDArray[np.float64], goal: NDArray[np.float64], speed: float, opening: float) -> None:
        self.command = Command(start, goal, speed, self.world.steps, self._turn, opening)

    def _drive(self, joint: int, target: float, force: float, speed: float) -> None:
        pybullet.setJointMotorControl2(
            self.body, joint, pybullet.POSITION_CONTROL, targetPosition=target, force=force, maxVelocity=speed,
            positionGain=gain_of(0.5, self.world), physicsClientId=self.world.client)  # fmt: skip

    def move(self, tip: ArrayLike, speed: float, each_step: EachStep | None = None) -> None:
        goal = np.asarray(tip, float)
        self._tell(self.tip(), goal, speed, self.command.opening)
        way = goal - self._base
        along = way[0] * exact.cos(self._turn) + way[1] * exact.sin(self._turn)
        now = [state[0] for state in self._joints((0, 1))]
        for joint, target, start in ((0, along, now[0]), (1, way[2], now[1])):
            self._drive(joint, target, PUSH_N, speed if abs(target - start) > 1e-6 else 1.0)
        distance = exact.hypot(along - now[0], way[2] - now[1])
        for _ in range(int(np.ceil(distance / speed / self.world.time_step)) + steps_of(4, self.world)):
            self.world.step()
            if each_step is not None:
                each_step()

    def halt(self) -> None:
        self._tell(self.tip(), self.tip(), 0.0, self.command.opening)
        for joint, (position, *_) in zip((0, 1), self._joints((0, 1)), strict=True):
            self._drive(joint, position, PUSH_N, 1.0)

    def grip(self, opening: float, most_steps: int) -> None:
        self._tell(self.command.goal, self.command.goal, 0.0, opening)
        for joint in self.finger_links:
            self._drive(joint, opening / 2, GRIP_N, 0.25)
        step_until_rest(self.world, self.body, self.finger_links, most_steps)

    def _joints(self, joints: Sequence[int]) -> list[tuple[float, ...]]:
        return pybullet.getJointStates(self.body, joints, physicsClientId=self.world.client)

    def tip(self) -> NDArray[np.float64]:
        x, z = (state[0] for state in self._joints((0, 1)))
        return self._base + [x * exact.cos(self._turn), x * exact.sin(self._turn), z]

    def tip_pose(self) -> NDArray[np.float64]:
        c, s = exact.cos(self._turn), exact.sin(self._turn)
        x, y, z = self.tip()
        return np.array([[-s, c, 0, x], [c, s, 0, y], [0, 0, -1, z], [0, 0, 0, 1]])

    def tip_velocity(self) -> NDArray[np.float64]:
        along, up = (state[1] for state in self._joints((0, 1)))
        return np.array([along * exact.cos(self._turn), along * exact.sin(self._turn), up, 0, 0, 0])

    def joints(self) -> Joints:
        return joints_of(self.body, range(4), self.world.client)

    def width(self) -> float:
        return float(self.joints().position[-2:].sum())

    def leave(self) -> None:
        self.place(AWAY_M, 0.0, OPENING_M)


@cache
def looks() -> tuple[Asset, Asset, Asset]:
    """The carriage, with what it hangs from, a flat finger and the round one, each in the frame of its link."""
    palm, rod = box((0.13, 0.05, 0.045), (0, 0, FINGER_M[2] + 0.0225)), box((0.04, 0.04, 0.3), (0, 0, 0.24))
    return (
        part_of_robot(merge([palm, rod])),
        part_of_robot(box(FINGER_M), DARK),
        part_of_robot(cylinder(ROUND_M, FINGER_M[2]), DARK),
    )
