"""PokeEnv: one poke at what lies on a cluttered table per step (Pinto, Gandhi, Han, Park & Gupta, ECCV 2016)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.envs.bodies.gripper import PUSH_N
from embodied_ssl.envs.table import Outcome, TableEnv, pose_of
from embodied_ssl.envs.tabletop import slab
from embodied_ssl.envs.world.assets import Material
from embodied_ssl.envs.world.engine import pybullet

POKE_MPS, POKE_SAMPLES, POKE_START_M = 0.05, 64, 0.005  # the finger starts this far above the surface it sees
SAMPLE_S = 1 / 240  # between samples of the force
POKE_CLEAR_M = 0.001  # and at least this far from anything
TOUCHED_N = 0.05  # smaller forces are noise


class PokeEnv(TableEnv):
    """Poke at an image point: a round finger descends at constant speed and feels the force.

    What it touches gives way like its material: the force is stiffness · depth + damping · speed, with the
    stiffness and damping that `envs/world/materials.py` has for it.

    Interaction: image point (u, v) in px.
    Reward: 1 where the finger felt something, else 0.
    """

    ROUND_FINGER = True
    ITERATIONS = 100  # with 50, light objects sink into the table under a hard poke

    def _interact(self, interaction: NDArray[np.float64]) -> Outcome:
        pixel = interaction
        target, place, before = self.object_at(pixel), self.point_at(pixel), self.poses()
        start, felt = self._place_above(place), _Force(self)
        travel = (POKE_SAMPLES + 4) * SAMPLE_S * POKE_MPS  # it slows down after the last sample
        self.gripper.move(start - [0, 0, travel], POKE_MPS, felt)
        ends = SAMPLE_S * np.arange(1, POKE_SAMPLES + 1)  # of each sample: the step of the physics that is nearest
        steps = np.clip(np.round(ends / self.world.time_step).astype(int) - 1, 0, len(felt.forces) - 1)
        force, heights = np.array(felt.forces)[steps], np.array(felt.heights)[steps]
        touched = force > TOUCHED_N
        # Where nothing was felt, depth counts from the surface that was seen.
        first = heights[np.argmax(touched)] if touched.any() else place[2]
        self.finish()
        record = {
            "pixel": pixel.astype(np.float32),
            "object": target,
            "pose_before": pose_of(target, before),
            "pose_after": pose_of(target, self.poses()),
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


class _Force:
    """Notes the normal force on the finger (N) and the height of the tip (m) at every step, and feels what is below.

    Where the finger touches several hulls of an object at once, they share the force of the deepest touch, as the one
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
        material = self._materials.get(contacts[deepest][2], slab().material)
        share = depths[deepest] / sum(depths) if sum(depths) > 0 else 1.0
        if (material, share) != self._felt:
            self._env.gripper.feel(material, share)
            self._felt = (material, share)
