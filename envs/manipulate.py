"""GraspEnv, PushEnv and PokeEnv: one act of a gripper on a cluttered table per step.

The tasks and records are those of the Curious Robot (Pinto, Gandhi, Han, Park & Gupta, ECCV 2016).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.envs.grippers import OPENING_M, PUSH_N
from embodied_ssl.envs.table import SLAB, TableEnv
from embodied_ssl.envs.world import exact
from embodied_ssl.envs.world.assets import Material
from embodied_ssl.envs.world.engine import pybullet

Outcome = tuple[float, dict[str, Any]]  # the reward of an act, and the record of it

ABOVE_M = 0.015  # the gripper starts this far above what is highest below it
FLOOR_M = 0.004  # and goes down to this far above the table
LIFT_M, HELD_M = 0.08, 0.05  # a thing that rose by the latter while the former was lifted is held
TRAVEL_MPS, CLOSE_STEPS = 0.6, 60
PUSH_HEIGHT_M, PUSH_MPS = 0.015, 0.25
POKE_MPS, POKE_SAMPLES, POKE_START_M = 0.05, 64, 0.005  # the finger starts this far above the surface it sees
POKE_CLEAR_M = 0.001  # and at least this far from anything
NOTICED_M, TOUCHED_N = 0.002, 0.05  # displacements and forces below these are noise


def _pose_of(thing: int, poses: dict[int, NDArray[np.float32]]) -> NDArray[np.float32]:
    """Position and quaternion of a thing, float32 [7]; zeros where there is none."""
    return poses[thing].copy() if thing in poses else np.zeros(7, np.float32)


class GraspEnv(TableEnv):
    """Grasp at an image point: descend, close, lift, and see whether a thing is held.

    Act: image point (u, v) in px and the closing direction in the picture, rad in [0, π].
    Reward: 1 where the lifted thing is between the fingers, else 0.
    """

    LOW, HIGH = (0.0,), (np.pi,)

    def _act(self, act: NDArray[np.float64]) -> Outcome:
        u, v, angle = act
        angle = float(angle % np.pi)
        pixel = np.array([u, v])
        target, place, before = self.thing_at(pixel), self.point_at(pixel), self.poses()
        self._close_on(place, -angle)  # the picture's v runs against the world's y
        held = self._lift(before)
        if held:  # put it back where it was
            tip = self.gripper.tip()
            self.gripper.move([tip[0], tip[1], tip[2] - LIFT_M + 0.003], TRAVEL_MPS)
            self.gripper.grip(OPENING_M, 12)
        named = held or target
        self.finish_act()
        record = {
            "pixel": pixel.astype(np.float32),
            "object": named,
            "pose_before": _pose_of(named, before),
            "pose_after": _pose_of(named, self.poses()),
            "angle": np.float32(angle),
            "success": held > 0,
        }
        return float(held > 0), record

    def _close_on(self, place: NDArray[np.float64], yaw: float) -> None:
        top = self.height_around(place, OPENING_M / 2 + 0.01)
        x, y = place[:2]
        self.gripper.place([x, y, top + ABOVE_M], yaw, OPENING_M)
        bottom = max(FLOOR_M, place[2] - 0.035)  # of tall things the upper part
        self.gripper.move([x, y, bottom], TRAVEL_MPS)
        self.gripper.grip(0.0, CLOSE_STEPS)

    def _lift(self, before: dict[int, NDArray[np.float32]]) -> int:
        """Lift what is between the fingers. The thing that rose and still touches both; 0 = none."""
        if not self._between_fingers():
            return 0
        x, y, z = self.gripper.tip()
        self.gripper.move([x, y, z + LIFT_M], TRAVEL_MPS)
        risen = [i for i in self._between_fingers() if self.world.pose(i)[0][2] - before[i][2] > HELD_M]
        return risen[0] if risen else 0

    def _between_fingers(self) -> list[int]:
        """The things that touch both fingers."""
        one, other = (
            {contact[2] for contact in pybullet.getContactPoints(
                self.gripper.body, linkIndexA=link, physicsClientId=self.world.client)}
            for link in self.gripper.finger_links
        )  # fmt: skip
        return [instance for instance in self.world.assets if self.world.body(instance) in one & other]


class PushEnv(TableEnv):
    """Push from an image point: the closed fingers go down there and move in a straight line just above the table.

    Act: image point (u, v) in px, direction in the picture, rad in [−π, π], and length, m in [0.02, 0.15].
    Reward: how far the thing that moved most was displaced, m.
    """

    LOW, HIGH = (-np.pi, 0.02), (np.pi, 0.15)

    def _act(self, act: NDArray[np.float64]) -> Outcome:
        u, v, direction, length = act
        pixel = np.array([u, v])
        target, before = self.thing_at(pixel), self.poses()
        start = self._on_table(pixel)
        top, yaw = self.height_around(start, 0.02), -direction
        ahead = np.array([exact.cos(yaw), exact.sin(yaw), 0.0])
        self.gripper.place([start[0], start[1], top + ABOVE_M], yaw, 0.0)
        self.gripper.move(start, TRAVEL_MPS)
        started, touch = self.gripper.tip(), _FirstTouch(self)
        self.gripper.move(start + float(length) * ahead, PUSH_MPS, touch)
        ended = self.gripper.tip()
        self.gripper.move([ended[0], ended[1], ended[2] + 0.02], TRAVEL_MPS)
        self.finish_act()
        after = self.poses()
        moved = {thing: exact.length(after[thing][:3] - pose[:3]) for thing, pose in before.items()}
        most = max(moved, key=moved.__getitem__)
        named = most if moved[most] > NOTICED_M else target
        contact = started if touch.place is None else touch.place
        record = {
            "pixel": self._pixel(contact),
            "object": named,
            "pose_before": _pose_of(named, before),
            "pose_after": _pose_of(named, after),
            "start": started.astype(np.float32),
            "end": ended.astype(np.float32),
            "start_pixel": self._pixel(started),
            "end_pixel": self._pixel(ended),
        }
        return moved[most], record

    def _on_table(self, pixel: NDArray[np.float64]) -> NDArray[np.float64]:
        """The place at the height of a push that lies behind a pixel."""
        return self.camera.unproject(pixel, self.camera_height - PUSH_HEIGHT_M, self.camera_pose)

    def _pixel(self, place: NDArray[np.float64]) -> NDArray[np.float32]:
        return self.camera.project(place, self.camera_pose)[0].astype(np.float32)


class PokeEnv(TableEnv):
    """Poke at an image point: a round finger descends at constant speed and feels the force.

    What it touches gives way like its material: the force is stiffness · depth + damping · speed (materials.py).

    Act: image point (u, v) in px. Reward: 1 where the finger felt something, else 0.
    """

    ROUND_FINGER = True
    ITERATIONS = 100  # with 50, light things sink into the table under a hard poke

    def _act(self, act: NDArray[np.float64]) -> Outcome:
        pixel = act
        target, place, before = self.thing_at(pixel), self.point_at(pixel), self.poses()
        start, felt = self._place_above(place), _Force(self)
        travel = (POKE_SAMPLES + 4) * self.world.time_step * POKE_MPS  # it slows down after the last sample
        self.gripper.move(start - [0, 0, travel], POKE_MPS, felt)
        force, heights = np.array(felt.forces[:POKE_SAMPLES]), np.array(felt.heights[:POKE_SAMPLES])
        touched = force > TOUCHED_N
        # Where nothing was felt, depth counts from the surface that was seen.
        first = heights[np.argmax(touched)] if touched.any() else place[2]
        self.finish_act()
        record = {
            "pixel": pixel.astype(np.float32),
            "object": target,
            "pose_before": _pose_of(target, before),
            "pose_after": _pose_of(target, self.poses()),
            "force": force.astype(np.float32),
            "depth_travelled": (first - heights).astype(np.float32),
        }
        return float(touched.any()), record

    def _place_above(self, place: NDArray[np.float64]) -> NDArray[np.float64]:
        """Place the finger above what is seen at a place, higher where its round end would touch something."""
        bodies = [self.world.body(instance) for instance in self.world.assets]
        start = place + [0, 0, POKE_START_M]
        self.gripper.place(start, 0.0, 0.0)
        while any(
            pybullet.getClosestPoints(self.gripper.body, body, POKE_CLEAR_M, physicsClientId=self.world.client)
            for body in bodies
        ):
            start = start + [0, 0, 2 * POKE_CLEAR_M]
            self.gripper.place(start, 0.0, 0.0)
        return start


class _FirstTouch:
    """Notes where the tip is when the fingers first touch a thing."""

    def __init__(self, env: TableEnv):
        self._env, self.place = env, None
        self._things = {env.world.body(instance) for instance in env.world.assets}

    place: NDArray[np.float64] | None

    def __call__(self) -> None:
        if self.place is None:
            env = self._env
            contacts = pybullet.getContactPoints(env.gripper.body, physicsClientId=env.world.client)
            if any(contact[2] in self._things for contact in contacts):
                self.place = env.gripper.tip()


class _Force:
    """Notes the normal force on the finger (N) and the height of the tip (m) at every step, and feels what is below.

    Where the finger touches several hulls of a thing at once, they share the force of the deepest touch, as the one
    surface that they are.
    """

    def __init__(self, env: TableEnv):
        self._env = env
        self._materials = {env.world.body(instance): asset.material for instance, asset in env.world.assets.items()}
        self._felt: tuple[Material, float] | None = None
        self._halted = False
        self.forces: list[float] = []
        self.heights: list[float] = []

    def __call__(self) -> None:
        gripper, client = self._env.gripper, self._env.world.client
        contacts = pybullet.getContactPoints(gripper.body, physicsClientId=client)
        self.forces.append(sum(contact[9] * abs(contact[7][2]) for contact in contacts))
        self.heights.append(float(gripper.tip()[2]))
        if contacts:
            self._feel(contacts)
        if self.forces[-1] > PUSH_N and not self._halted:
            gripper.halt()
            self._halted = True

    def _feel(self, contacts: Sequence[Any]) -> None:
        """Set the finger to what it will touch in the next step: contacts are known before they touch."""
        ahead = POKE_MPS * self._env.world.time_step
        depths = [max(ahead - contact[8], 0.0) for contact in contacts]
        deepest = max(range(len(contacts)), key=lambda number: (depths[number], -contacts[number][8]))
        material = self._materials.get(contacts[deepest][2], SLAB.material)
        share = depths[deepest] / sum(depths) if sum(depths) > 0 else 1.0
        if (material, share) != self._felt:
            self._env.gripper.feel(material, share)
            self._felt = (material, share)
