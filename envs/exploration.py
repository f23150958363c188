"""Policies of the bodies that look around: exploring a scene, walking on a viewing sphere, or moving at random.

A policy is any callable from observation to action. One that also has `reset(env, rng)` is told of each new episode.
"""

from typing import Any

import gymnasium
import numba
import numpy as np
from numpy.typing import NDArray

from embodied_ssl.envs.roam import RADIUS_M
from embodied_ssl.envs.world.floor import CELL_M

FAN, MOST_YAW_RAD = 11, 0.5  # headings to choose among
LOOK_AHEAD_M = (0.25, 0.5, 0.8, 1.2)
VISITED_CELL_M = 0.5


class RandomActions:
    """Actions uniform over the action space."""

    def reset(self, env: gymnasium.Env[Any, Any], rng: np.random.Generator) -> None:
        self.space, self.rng = env.action_space, rng

    def __call__(self, observation: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        low, high = self.space.low, self.space.high  # type: ignore[attr-defined]
        return self.rng.uniform(low, high).astype(np.float32)


class Explore:
    """Smooth driving that keeps away from walls and prefers the floor it has seen least.

    It looks along a fan of headings and weighs their clearance, how often it has been there, and a slowly changing
    whim against the wish to go on as before.
    """

    def reset(self, env: gymnasium.Env[Any, Any], rng: np.random.Generator) -> None:
        self.env, self.rng = env.unwrapped, rng
        self.visits = np.zeros((256, 256), np.int32)  # of cells about the start
        self.start: NDArray[np.float64] | None = None
        self.yaw, self.whim = 0.0, 0.0
        self.pace = float(rng.uniform(0.08, 0.16))  # m per frame in the open

    def __call__(self, observation: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        body: Any = self.env
        if self.start is None:
            self.start = body.position - 128 * VISITED_CELL_M
        self.whim = 0.95 * self.whim + 0.12 * self.rng.standard_normal()
        floor = body.floor
        forward, self.yaw = _choose(
            floor.grid, floor.origin, self.visits, self.start, body.position, body.heading, self.yaw, self.whim,
            self.pace)  # fmt: skip
        return np.array([forward, self.yaw], np.float32)


@numba.njit(cache=True)
def _choose(grid, origin, visits, start, place, heading, yaw, whim, pace):
    """Forward distance (m) and yaw (rad) of the best of a fan of headings."""
    last = visits.shape[0] - 1
    row, column = int((place[1] - start[1]) / VISITED_CELL_M), int((place[0] - start[0]) / VISITED_CELL_M)
    visits[min(max(row, 0), last), min(max(column, 0), last)] += 1
    best_score, best_yaw, best_room, any_way = -1e9, 0.0, 0.0, False
    for n in range(FAN):
        turn = MOST_YAW_RAD * (2.0 * n / (FAN - 1) - 1.0)
        c, s = np.cos(heading + turn), np.sin(heading + turn)
        open_way, score, room = 0.5, 0.0, 0.0
        for k in range(4):
            x, y = place[0] + LOOK_AHEAD_M[k] * c, place[1] + LOOK_AHEAD_M[k] * s
            i, j = int(np.floor((y - origin[1]) / CELL_M)), int(np.floor((x - origin[0]) / CELL_M))
            clear = 0.0
            if 0 <= i < grid.shape[0] and 0 <= j < grid.shape[1]:
                clear = grid[i, j]
            open_way = min(open_way, max(clear - RADIUS_M, -0.2))
            score += open_way
            any_way = any_way or (k == 0 and open_way > 0.0)
            if k == 1:
                room = open_way
        i, j = int((y - start[1]) / VISITED_CELL_M), int((x - start[0]) / VISITED_CELL_M)
        score -= 0.02 * min(visits[min(max(i, 0), last), min(max(j, 0), last)], 30)
        score -= 0.5 * (turn - whim) ** 2 + 0.8 * (turn - yaw) ** 2
        if score > best_score:
            best_score, best_yaw, best_room = score, turn, room
    if not any_way:  # nose to a wall: turn on the spot, on in the same sense
        return 0.0, MOST_YAW_RAD if yaw >= 0.0 else -MOST_YAW_RAD
    new_yaw = 0.5 * (yaw + best_yaw)
    return pace * min(max(best_room / 0.25, 0.1), 1.0) * (1.0 - 0.8 * abs(new_yaw)), new_yaw


class Walk:
    """A smooth walk on the viewing sphere: velocities that wander, and turn back from the poles."""

    def reset(self, env: gymnasium.Env[Any, Any], rng: np.random.Generator) -> None:
        self.env, self.rng = env.unwrapped, rng
        self.velocity = rng.normal(size=2) * np.array([0.15, 0.08])

    def __call__(self, observation: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        body: Any = self.env
        self.velocity = 0.9 * self.velocity + self.rng.normal(size=2) * np.array([0.08, 0.05])
        self.velocity[1] -= 0.05 * (body.elevation - 0.75)
        return np.clip(self.velocity, -0.5, 0.5).astype(np.float32)


POLICIES = {
    "roam": {"explore": Explore, "random": RandomActions},
    "orbit": {"walk": Walk, "random": RandomActions},
}
