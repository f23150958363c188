"""StackEnv: put one block onto another, and let go."""

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from embodied_ssl.envs.control.env import PROPRIOCEPTION, ControlEnv
from embodied_ssl.envs.control.expert import Observation
from embodied_ssl.envs.control.picking import CLOSED, OPEN, Picker
from embodied_ssl.envs.control.sensed import Sensed
from embodied_ssl.envs.world import exact

NEAREST_M = 0.12  # of the blocks to each other at first
AWAY_M = 0.08  # the tip from the block in the end
UPPER, LOWER = PROPRIOCEPTION, PROPRIOCEPTION + 16  # where their states begin


class StackEnv(ControlEnv):
    """Stack the first block onto the second, let go of it and withdraw.

    A goal is where the middle of the upper block is from that of the lower one, and how far from it the tip is, at
    most 0.08 m.
    """

    GOAL = ("x of the upper block from the lower one (m)", "y (m)", "z (m)", "of the tip from the upper block (m)")
    TOLERANCE = 0.02
    MARKER_M = 0.0
    STATE = 32
    CATEGORIES = "cube"

    def _arrange(self, rng: np.random.Generator) -> NDArray[np.float64]:
        upper, lower = self._draw_object(rng, held=True), self._draw_object(rng)
        one, other = rng.uniform(-0.13, 0.13, (2, 2))
        while exact.length(one - other) < NEAREST_M:
            one, other = rng.uniform(-0.13, 0.13, (2, 2))
        self._put(upper, one, rng.uniform(-np.pi, np.pi))
        self._put(lower, other, rng.uniform(-np.pi, np.pi))
        return np.array([0.0, 0.0, lower.bounds[1, 2] - upper.bounds[0, 2], AWAY_M])

    def _achieved(self, sensed: Sensed) -> NDArray[np.float64]:
        upper, lower = (np.array(self._place_of(instance)) for instance in (1, 2))
        return np.array([*(upper - lower), min(AWAY_M, float(exact.length(upper - sensed.tip)))])


class StackExpert(Picker):
    """Picks the upper block, sets it down on the lower one, opens, and rises."""

    def reset(self, env: gymnasium.Env[Any, Any], rng: np.random.Generator) -> None:
        super().reset(env, rng)
        self._opening = 0

    def __call__(self, observation: Observation) -> NDArray[np.float32]:
        seen = observation["observation"].astype(float)
        upper, goal = seen[UPPER : UPPER + 3], seen[LOWER : LOWER + 3] + observation["desired_goal"][:3]
        if self._opening:
            self._opening += 1
            tip = seen[:3]
            rise = np.zeros(3) if self._opening < 5 else self.toward(tip, tip + [0, 0, 0.1], 0.5)
            return self.action(rise, 0.0, OPEN)
        picking = self.pick(seen, UPPER)
        if picking is not None:
            return picking
        way = goal - upper
        if exact.length(way[:2]) < 0.006 and abs(way[2]) < 0.004:
            self._opening = 1
            return self.action(np.zeros(3), 0.0, CLOSED)
        return self.carry(seen, UPPER, goal, over=0.04)
