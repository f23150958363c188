"""GraspEnv: one grasp on a cluttered table per step (Pinto, Gandhi, Han, Park & Gupta, ECCV 2016)."""

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.envs.bodies.gripper import OPENING_M
from embodied_ssl.envs.table import ABOVE_M, TRAVEL_MPS, Outcome, TableEnv, pose_of
from embodied_ssl.envs.world.engine import pybullet

FLOOR_M = 0.004  # the fingers go down to this far above the table
LIFT_M, HELD_M = 0.08, 0.05  # an object that rose by the latter while the former was lifted is held
CLOSE_STEPS = 60


class GraspEnv(TableEnv):
    """Grasp at an image point: descend, close, lift, and see whether an object is held.

    Interaction: image point (u, v) in px and the closing direction in the image, rad in [0, π].
    Reward: 1 where the lifted object is between the fingers, else 0.
    """

    GRIPS = True
    LOW, HIGH = (0.0,), (np.pi,)
    NUMBERS = ("closing direction in the image (rad)",)

    def _interact(self, interaction: NDArray[np.float64]) -> Outcome:
        u, v, angle = interaction
        angle = float(angle % np.pi)
        pixel = np.array([u, v])
        target, place, before = self.object_at(pixel), self.point_at(pixel), self.poses()
        self.close_on(place, -angle)  # the image's v runs against the world's y
        held = self.lift(before)
        if held:  # put it back where it was
            tip = self.gripper.tip()
            self.gripper.move([tip[0], tip[1], tip[2] - LIFT_M + 0.003], TRAVEL_MPS)
            self.gripper.grip(OPENING_M, 12)
        named = held or target
        self.finish()
        record = {
            "pixel": pixel.astype(np.float32),
            "object": named,
            "pose_before": pose_of(named, before),
            "pose_after": pose_of(named, self.poses()),
            "angle": np.float32(angle),
            "success": held > 0,
        }
        return float(held > 0), record

    def close_on(self, place: NDArray[np.float64], yaw: float) -> None:
        top = self.height_around(place, OPENING_M / 2 + 0.01)
        x, y = place[:2]
        self.gripper.place([x, y, top + ABOVE_M], yaw, OPENING_M)
        bottom = max(FLOOR_M, place[2] - 0.035)  # of tall objects the upper part
        self.gripper.move([x, y, bottom], TRAVEL_MPS)
        self.gripper.grip(0.0, CLOSE_STEPS)

    def lift(self, before: dict[int, NDArray[np.float32]]) -> int:
        """Lift what is between the fingers. The object that rose and still touches both; 0 = none."""
        if not self._between_fingers():
            return 0
        x, y, z = self.gripper.tip()
        self.gripper.move([x, y, z + LIFT_M], TRAVEL_MPS)
        risen = [i for i in self._between_fingers() if self.world.pose(i)[0][2] - before[i][2] > HELD_M]
        return risen[0] if risen else 0

    def _between_fingers(self) -> list[int]:
        """The objects that touch both fingers."""
        one, other = (
            {contact[2] for contact in pybullet.getContactPoints(
                self.gripper.body, linkIndexA=link, physicsClientId=self.world.client)}
            for link in self.gripper.finger_links
        )  # fmt: skip
        return [instance for instance in self.world.assets if self.world.body(instance) in one & other]
