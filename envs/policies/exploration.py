"""Policies of the bodies that look around: exploring a scene, walking on a viewing sphere, or moving at random.

A policy is any callable from observation to action. One that also has `reset(env, rng)` is told of each new episode.
"""

from typing import Any, cast

import gymnasium
import numpy as np
from numpy.typing import NDArray

from embodied_ssl.envs.world import exact
from embodied_ssl.envs.world.compiled import jit
from embodied_ssl.envs.world.floor import CELL_M

FARTHEST_M = 3.0  # it looks so far
TURNS_RAD = 2 * np.pi * ((np.arange(24) + 12) % 24 - 12) / 24  # to choose among; the first is none
VISITED_CELL_M = 0.5


class RandomActions:
    """Actions uniform over the action space."""

    def reset(self, env: gymnasium.Env[Any, Any], rng: np.random.Generator) -> None:
        self.space, self.rng = cast(gymnasium.spaces.Box, env.action_space), rng

    def __call__(self, observation: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        low, high = self.space.low, self.space.high
        return self.rng.uniform(low, high).astype(np.float32)


class Explore:
    """Smooth driving that keeps away from walls and visits the floor: towards open space that it has seen least.

    It looks all round, weighs how far each way is open, how often it has been there, how far it would have to turn
    and where it was heading, and then turns towards the best way while it drives, slower the tighter it gets.
    """

    def reset(self, env: gymnasium.Env[Any, Any], rng: np.random.Generator) -> None:
        self.env, self.rng = env.unwrapped, rng
        self.visits = np.zeros((256, 256), np.int32)  # of cells about the start
        self.start: NDArray[np.float64] | None = None
        self.yaw, self.whim = 0.0, 0.0
        self.ways = exact.circle(TURNS_RAD)
        self.goal = 0.0  # heading, rad
        self.pace = float(rng.uniform(0.08, 0.16))  # m per frame in the open

    def __call__(self, observation: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        body: Any = self.env
        if self.start is None:
            self.start = body.position - 128 * VISITED_CELL_M
            self.goal = body.heading
        self.whim = 0.9 * self.whim + 0.05 * self.rng.standard_normal()
        grid, origin = body.floor.grid, body.floor.origin
        ahead = exact.cos(body.heading), exact.sin(body.heading)
        turn, room = best_way(
            grid, origin, self.visits, self.start, body.position, body.heading, ahead, self.goal, self.ways,
            body.wheels.radius,
        )  # fmt: skip
        self.goal = body.heading + turn
        self.yaw = 0.5 * self.yaw + 0.5 * min(max(0.35 * turn, -0.3), 0.3)
        forward = self.pace * min(max((room - 0.1) / 0.4, 0.0), 1.0) * max(0.0, exact.cos(turn))
        return np.array([forward, self.yaw + (self.whim if forward > 0.05 else 0.0)], np.float32)


@jit
def best_way(grid, origin, visits, start, place, heading, ahead, goal, ways, radius):
    """The best turn (rad), and how far (m) the body could drive straight on.

    ahead, ways: the cosine and sine of the heading and of the turns. radius: of the body, m.
    """
    last = visits.shape[0] - 1
    row, column = int((place[1] - start[1]) / VISITED_CELL_M), int((place[0] - start[0]) / VISITED_CELL_M)
    visits[min(max(row, 0), last), min(max(column, 0), last)] += 1
    best_score, best_turn, straight = -1e9, 0.0, 0.0
    for n in range(len(TURNS_RAD)):
        turn = TURNS_RAD[n]
        c = ahead[0] * ways[n, 0] - ahead[1] * ways[n, 1]
        s = ahead[1] * ways[n, 0] + ahead[0] * ways[n, 1]
        reach = 0.0
        while reach < FARTHEST_M:
            x, y = place[0] + reach * c, place[1] + reach * s
            i, j = int(np.floor((y - origin[1]) / CELL_M)), int(np.floor((x - origin[0]) / CELL_M))
            clear = grid[i, j] - radius if 0 <= i < grid.shape[0] and 0 <= j < grid.shape[1] else 0.0
            if clear < 0.5 * CELL_M and reach > 0.0:
                break
            reach += max(clear, CELL_M)
        if n == 0:
            straight = reach
        far = max(reach - 0.3, 0.0)
        x, y = place[0] + 0.7 * far * c, place[1] + 0.7 * far * s
        i, j = int((y - start[1]) / VISITED_CELL_M), int((x - start[0]) / VISITED_CELL_M)
        seen = min(visits[min(max(i, 0), last), min(max(j, 0), last)], 40)
        off_goal = abs((heading + turn - goal + np.pi) % (2.0 * np.pi) - np.pi)
        score = far - 0.03 * seen - 0.1 * abs(turn) - 0.5 * off_goal
        if score > best_score:
            best_score, best_turn = score, turn
    return best_turn, straight


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


class Carry:
    """Explores while it turns what it holds: about axes and at speeds that wander, so that every side is shown."""

    SPIN_RAD = 0.28  # standard deviation of each increment
    STAYS, FRESH = 0.8, 0.6  # of the spin, in the next frame; their squares add up to 1, so that its size stays

    def reset(self, env: gymnasium.Env[Any, Any], rng: np.random.Generator) -> None:
        self.env, self.rng = env.unwrapped, rng
        self.spin = self.SPIN_RAD * rng.normal(size=3)
        self.visit = -1

    def __call__(self, observation: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        body: Any = self.env
        if body.visit != self.visit:  # another scene, to be explored anew
            self.visit, self.explore = body.visit, Explore()
            self.explore.reset(body, self.rng)
        self.spin = self.STAYS * self.spin + self.FRESH * self.SPIN_RAD * self.rng.normal(size=3)
        return np.concatenate([self.spin, self.explore(observation)]).astype(np.float32)
