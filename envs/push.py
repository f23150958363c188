"""PushEnv: one push over a cluttered table per step (Pinto, Gandhi, Han, Park & Gupta, ECCV 2016)."""

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.envs.table import ABOVE_M, TRAVEL_MPS, Outcome, TableEnv, pose_of
from embodied_ssl.envs.world import exact
from embodied_ssl.envs.world.engine import pybullet

PUSH_HEIGHT_M, PUSH_MPS = 0.015, 0.25
NOTICED_M = 0.002  # smaller displacements are noise


class PushEnv(TableEnv):
    """Push from an image point: the closed fingers go down there and move in a straight line just above the table.

    Interaction: image point (u, v) in px, direction in the image, rad in [−π, π], and length, m in [0.02, 0.15].
    Reward: how far the object that moved most was displaced, m.
    """

    LOW, HIGH = (-np.pi, 0.02), (np.pi, 0.15)
    NUMBERS = ("direction in the image (rad)", "length (m)")

    def _interact(self, interaction: NDArray[np.float64]) -> Outcome:
        u, v, direction, length = interaction
        pixel = np.array([u, v])
        target, before = self.object_at(pixel), self.poses()
        start = self._on_table(pixel)
        top, yaw = self.height_around(start, 0.02), -direction
        ahead = np.array([exact.cos(yaw), exact.sin(yaw), 0.0])
        self.gripper.place([start[0], start[1], top + ABOVE_M], yaw, 0.0)
        self.gripper.move(start, TRAVEL_MPS)
        started, touch = self.gripper.tip(), _FirstTouch(self)
        self.gripper.move(start + float(length) * ahead, PUSH_MPS, touch)
        ended = self.gripper.tip()
        self.gripper.move([ended[0], ended[1], ended[2] + 0.02], TRAVEL_MPS)
        self.finish()
        after = self.poses()
        moved = {instance: exact.length(after[instance][:3] - pose[:3]) for instance, pose in before.items()}
        most = max(moved, key=moved.__getitem__, default=target)
        named = most if moved.get(most, 0.0) > NOTICED_M else target
        contact = started if touch.place is None else touch.place
        record = {
            "pixel": self._pixel(contact),
            "object": named,
            "pose_before": pose_of(named, before),
            "pose_after": pose_of(named, after),
            "start": started.astype(np.float32),
            "end": ended.astype(np.float32),
            "start_pixel": self._pixel(started),
            "end_pixel": self._pixel(ended),
        }
        return moved.get(most, 0.0), record

    def _on_table(self, pixel: NDArray[np.float64]) -> NDArray[np.float64]:
        """The place at the height of a push that lies behind a pixel."""
        return self.camera.unproject(pixel, self.camera_height - PUSH_HEIGHT_M, self.camera_pose)

    def _pixel(self, place: NDArray[np.float64]) -> NDArray[np.float32]:
        return self.camera.project(place, self.camera_pose)[0].astype(np.float32)


class _FirstTouch:
    """Notes where the tip is when the fingers first touch an object."""

    def __init__(self, env: TableEnv):
        self._env, self.place = env, None
        self._objects = {env.world.body(instance) for instance in env.world.assets}

    place: NDArray[np.float64] | None

    def __call__(self) -> None:
        if self.place is None:
            env = self._env
            contacts = pybullet.getContactPoints(env.gripper.body, physicsClientId=env.world.client)
            if any(contact[2] in self._objects for contact in contacts):
                self.place = env.gripper.tip()
