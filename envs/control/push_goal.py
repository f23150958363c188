"""PushGoalEnv: push an object to a place on the table."""

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from embodied_ssl.envs.control.env import PROPRIOCEPTION, ControlEnv
from embodied_ssl.envs.control.expert import Expert, Observation
from embodied_ssl.envs.control.sensed import Sensed
from embodied_ssl.envs.world import exact

NEAREST_M = 0.06  # of the goal to the object at first
ABOVE_M = 0.03  # over the object on the way to its other side
LOW_M = 0.012  # of the tip while it pushes


class PushGoalEnv(ControlEnv):
    """Push an object to a place on the table with closed fingers."""

    FINGERS = False
    GOAL = ("x (m)", "y (m)")
    TOLERANCE = MARKER_M = 0.03
    STATE = 16
    CATEGORIES = "cube,box,can,jar,arch,star"

    def _arrange(self, rng: np.random.Generator) -> NDArray[np.float64]:
        asset, turn = self._draw_object(rng), rng.uniform(-np.pi, np.pi)
        goal, place = rng.uniform(-0.13, 0.13, (2, 2))
        while exact.length(goal - place) < NEAREST_M:
            goal, place = rng.uniform(-0.13, 0.13, (2, 2))
        self._put(asset, place, turn)
        return goal

    def _achieved(self, sensed: Sensed) -> NDArray[np.float64]:
        return np.array(self._place_of(1)[:2])


class PushGoalExpert(Expert):
    """Goes round behind the object, as seen from the goal, and pushes through its middle; again where it slid off."""

    def reset(self, env: gymnasium.Env[Any, Any], rng: np.random.Generator) -> None:
        super().reset(env, rng)
        self._pushing = False

    def __call__(self, observation: Observation) -> NDArray[np.float32]:
        seen = observation["observation"].astype(float)
        tip, place, size = seen[:3], seen[PROPRIOCEPTION:][:3], seen[-3:]
        way = observation["desired_goal"] - place[:2]
        left = float(exact.length(way))
        ahead = way / max(left, 1e-6)
        radius = 0.5 * float(exact.length(size[:2]))
        behind, along = tip[:2] - place[:2], float(-((tip[:2] - place[:2]) * ahead).sum())
        beside = float(exact.length(behind + along * ahead))
        start = place[:2] - (radius + 0.02) * ahead
        if self._pushing and (beside > 0.6 * radius or along < 0.2 * radius):
            self._pushing = False
        if not self._pushing and exact.length(tip[:2] - start) < 0.008 and tip[2] < LOW_M + 0.01:
            self._pushing = True
        if self._pushing:
            aside = -(behind + along * ahead)  # back onto the line through the middle
            target = tip[:2] + min(0.03, left) * ahead * 0.5 + 0.5 * aside
            action = self.toward(tip, [*target, LOW_M], most=0.5)
        elif exact.length(tip[:2] - start) < 0.01:
            action = self.toward(tip, [*start, LOW_M])
        else:
            high = 2 * place[2] + ABOVE_M
            action = self.toward(tip, [*(start if tip[2] > high - 0.015 else tip[:2]), high])
        return action.astype(np.float32)
