"""How a scripted expert takes an object between its fingers and carries it."""

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from embodied_ssl.envs.control.env import TURN_RADPS
from embodied_ssl.envs.control.expert import Expert
from embodied_ssl.envs.world import exact

ABOVE_M = 0.03  # over an object before the fingers go down around it
FLOOR_M = 0.006  # the fingers go down to this far above the table
DEEP_M = 0.035  # and of a tall object so far below its top
CLOSING_STEPS = 9  # until the fingers rest on anything
SAFE_M = 0.06  # what is carried is lifted so far
OPEN, CLOSED = 1.0, -1.0


class Picker(Expert):
    """Goes over an object, turns along its narrow side, goes down, closes, and carries; begins again if it slips."""

    def reset(self, env: gymnasium.Env[Any, Any], rng: np.random.Generator) -> None:
        super().reset(env, rng)
        self._closing = 0  # steps since the fingers began to close
        self._down = False

    def pick(self, seen: NDArray[np.float64], first: int) -> NDArray[np.float32] | None:
        """What to do to take the object whose state begins at a number of an observation; None once it is held."""
        tip, place, size = seen[:3], seen[first : first + 3], seen[first + 13 : first + 16]
        top = place[2] + size[2] / 2
        grasp = np.array([place[0], place[1], max(FLOOR_M, top - DEEP_M)])
        if self._closing > CLOSING_STEPS and exact.length(tip - grasp) > 0.05:  # it slipped
            self._closing, self._down = 0, False
        if self._closing > CLOSING_STEPS:
            return None
        turn = self._turn(seen, first)
        if self._closing or (exact.length(tip - grasp) < 0.006 and abs(turn) < 0.1):
            self._closing += 1
            return self.action(np.zeros(3), turn, CLOSED)
        level = float(exact.length(tip[:2] - place[:2]))
        self._down = level < (0.02 if self._down else 0.005) and (self._down or abs(turn) < 0.08)
        over = np.array([place[0], place[1], top + ABOVE_M])
        if not self._down and level > 0.03 and tip[2] < over[2] - 0.01:
            over[:2] = tip[:2]  # upwards first
        return self.action(self.toward(tip, grasp if self._down else over, 0.7 if self._down else 1.0), turn, OPEN)

    def carry(
        self, seen: NDArray[np.float64], first: int, goal: NDArray[np.float64], over: float = 0.0
    ) -> NDArray[np.float32]:
        """What to do to bring the middle of what is held to a place [3] (m): up, across, and then down.

        over: so far (m) above the place on the way across.
        """
        tip, place = seen[:3], seen[first : first + 3]
        across = float(exact.length((goal - place)[:2]))
        height = goal[2] if across < 0.01 else max(goal[2] + over, seen[first + 15] / 2 + SAFE_M)
        level = goal[:2] if place[2] > height - 0.02 or across < 0.01 else place[:2]
        way = np.array([*level, height]) - place
        return self.action(self.toward(tip, tip + 0.7 * way, 0.6), 0.0, CLOSED)

    @staticmethod
    def _turn(seen: NDArray[np.float64], first: int) -> float:
        """How far (rad) the hand has to turn to close across the narrow side of an object."""
        x, y, z, w = seen[first + 3 : first + 7]
        wide, deep = seen[first + 13 : first + 15]
        along = float(exact.arctan2(2 * (x * y + z * w), 1 - 2 * (y * y + z * z)))
        narrow = (along + (0.0 if wide <= deep else np.pi / 2)) % np.pi
        yaw = 0.5 * float(exact.arctan2(seen[6], seen[7])) % np.pi
        return min(max(narrow, 0.03), np.pi - 0.03) - yaw

    def action(self, moves: NDArray[np.float64], turn: float, fingers: float) -> NDArray[np.float32]:
        """An action of moves [3], a turn (rad) that is wanted, and what the fingers do."""
        share = min(max(turn / (TURN_RADPS / self.rate), -1.0), 1.0)
        return np.array([*moves, share, fingers], np.float32)
