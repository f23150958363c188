"""Policies of the bodies that look around: exploring a scene, walking on a viewing sphere, or moving at random.

A policy is any callable from observation to action. One that also has `reset(env, rng)` is told of each new episode.
"""

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from embodied_ssl.envs.roam import RADIUS_M

HEADINGS_RAD = np.linspace(-0.5, 0.5, 11)  # yaws to choose among
LOOK_AHEAD_M = np.array([0.25, 0.5, 0.8, 1.2])
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
        self.visits: dict[tuple[int, int], int] = {}
        self.yaw, self.whim = 0.0, 0.0
        self.pace = rng.uniform(0.08, 0.16)  # m per frame in the open

    def __call__(self, observation: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        body: Any = self.env
        place = body.position
        cell = self._cell(place)
        self.visits[cell] = self.visits.get(cell, 0) + 1
        self.whim = 0.95 * self.whim + 0.12 * self.rng.normal()
        headings = body.heading + HEADINGS_RAD
        ahead = np.stack([np.cos(headings), np.sin(headings)], axis=-1)  # [H, 2]
        points = place + LOOK_AHEAD_M[:, None, None] * ahead  # [D, H, 2]
        room = body.floor.clearance(points) - RADIUS_M  # [D, H]
        open_way = np.minimum.accumulate(np.clip(room, -0.2, 0.5), axis=0)
        seen = np.array([self.visits.get(self._cell(point), 0) for point in points[-1]])
        score = open_way.sum(axis=0) - 0.02 * np.minimum(seen, 30) - 0.5 * (HEADINGS_RAD - self.whim) ** 2
        score -= 0.8 * (HEADINGS_RAD - self.yaw) ** 2
        best = int(np.argmax(score))
        if open_way[0].max() <= 0:  # nose to a wall: turn on the spot, on towards the opener side
            self.yaw = 0.5 if self.yaw >= 0 else -0.5
            return np.float32([0.0, self.yaw])
        self.yaw = float(0.5 * self.yaw + 0.5 * HEADINGS_RAD[best])
        speed = self.pace * float(np.clip(open_way[1, best] / 0.25, 0.1, 1.0)) * (1 - 0.8 * abs(self.yaw))
        return np.float32([speed, self.yaw])

    @staticmethod
    def _cell(point: NDArray[np.float64]) -> tuple[int, int]:
        return int(point[0] // VISITED_CELL_M), int(point[1] // VISITED_CELL_M)


class Walk:
    """A smooth walk on the viewing sphere: velocities that wander, and turn back from the poles."""

    def reset(self, env: gymnasium.Env[Any, Any], rng: np.random.Generator) -> None:
        self.env, self.rng = env.unwrapped, rng
        self.velocity = rng.normal(size=2) * [0.15, 0.08]

    def __call__(self, observation: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        body: Any = self.env
        self.velocity = 0.9 * self.velocity + self.rng.normal(size=2) * [0.08, 0.05]
        self.velocity[1] -= 0.05 * (body.elevation - 0.75)
        return np.clip(self.velocity, -0.5, 0.5).astype(np.float32)


POLICIES = {
    "roam": {"explore": Explore, "random": RandomActions},
    "orbit": {"walk": Walk, "random": RandomActions},
}
