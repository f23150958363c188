"""Policies of the gripper on the table: at random, or where it is worth it by the instance mask of the image.

A policy is any callable from observation to action. One that also has `reset(env, rng)` is told of each new episode.
"""

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from embodied_ssl.envs.bodies.gripper import OPENING_M
from embodied_ssl.envs.tabletop import VIEW_M
from embodied_ssl.envs.world import exact

Observation = dict[str, NDArray[Any]]


class OnObjects:
    """What the policies that look at the table share: its mask, its objects, its scale."""

    def reset(self, env: gymnasium.Env[Any, Any], rng: np.random.Generator) -> None:
        self.env: Any = env.unwrapped
        self.rng = rng

    def pick(self) -> NDArray[np.int64]:
        """The pixels (column, row) [P, 2] of an object drawn at random; of the whole table where there is none."""
        mask = self.env.frame.instance
        objects, counts = np.unique(mask[mask > 0], return_counts=True)
        objects = objects[counts >= 8]
        shown = mask == self.rng.choice(objects) if len(objects) else mask >= 0
        return np.argwhere(shown)[:, ::-1]

    @property
    def pixels_per_m(self) -> float:
        return float(self.env.camera.width / VIEW_M)


class Center(OnObjects):
    """Grasps at the middle of an object, with a little noise, at a random angle."""

    def __call__(self, observation: Observation) -> NDArray[np.float32]:
        u, v = self.pick().mean(axis=0) + self.rng.normal(size=2)
        return self.env.action_of(u, v, self.rng.uniform(0, np.pi))


class Antipodal(OnObjects):
    """Grasps across an object where its outline is narrow: between two edge points that face each other.

    Of some angles and lines through the mask it draws one whose width fits between the fingers, the narrower the
    likelier; where none fits, it closes across the narrowest.
    """

    ANGLES, NOISE_RAD = 18, 0.1

    def __call__(self, observation: Observation) -> NDArray[np.float32]:
        points = self.pick().astype(float)
        middle = points.mean(axis=0)
        anchor = middle if self.rng.uniform() < 0.7 else points[self.rng.integers(len(points))]
        angles = np.arange(self.ANGLES) * np.pi / self.ANGLES
        along = exact.circle(angles)
        local = points - anchor
        reach = exact.product(local, along.T)  # [P, A]
        across = exact.product(local, np.stack([-along[:, 1], along[:, 0]]))
        strip = np.abs(across) < max(1.0, 0.01 * self.pixels_per_m)  # what the fingers close on
        low, high = np.where(strip, reach, np.inf).min(axis=0), np.where(strip, reach, -np.inf).max(axis=0)
        width = np.where(strip.any(axis=0), high - low + 1, np.inf) / self.pixels_per_m
        weight = np.where(width < 0.9 * OPENING_M, exact.exp(-(width - width.min()) / 0.015), 0)
        best = self.rng.choice(self.ANGLES, p=weight / weight.sum()) if weight.sum() > 0 else int(np.argmin(width))
        u, v = anchor + (low[best] + high[best]) / 2 * along[best] if np.isfinite(low[best]) else anchor
        return self.env.action_of(u, v, (angles[best] + self.rng.normal() * self.NOISE_RAD) % np.pi)


class Mixed(OnObjects):
    """Half the time as Antipodal, else anywhere on an object at any angle: tries that fail and tries that succeed."""

    def reset(self, env: gymnasium.Env[Any, Any], rng: np.random.Generator) -> None:
        super().reset(env, rng)
        self.antipodal = Antipodal()
        self.antipodal.reset(env, rng)

    def __call__(self, observation: Observation) -> NDArray[np.float32]:
        if self.rng.uniform() < 0.5:
            return self.antipodal(observation)
        points = self.pick()
        return self.env.action_of(*points[self.rng.integers(len(points))], self.rng.uniform(0, np.pi))


class PushThrough(OnObjects):
    """Pushes from beside an object through its middle."""

    CLEAR_M = 0.018

    def __call__(self, observation: Observation) -> NDArray[np.float32]:
        points = self.pick().astype(float)
        middle, direction = points.mean(axis=0), self.rng.uniform(-np.pi, np.pi)
        ahead = np.array([exact.cos(direction), exact.sin(direction)])
        behind = ((points - middle) * ahead).sum(axis=1).min() - self.CLEAR_M * self.pixels_per_m
        u, v = np.clip(middle + behind * ahead, 0, self.env.camera.width - 1)
        return self.env.action_of(u, v, direction, self.rng.uniform(0.07, 0.15))


class PokeObjects(OnObjects):
    """Pokes an object, rather near its middle."""

    def __call__(self, observation: Observation) -> NDArray[np.float32]:
        points = self.pick().astype(float)
        chosen = points[self.rng.integers(len(points), size=4)]
        distance = exact.length(chosen - points.mean(axis=0))
        return self.env.action_of(*chosen[np.argmin(distance)])
