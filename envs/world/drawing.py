"""What a renderer draws: items, each of which never moves or goes where a link of a body does."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from embodied_ssl.envs.world.assets import Light
from embodied_ssl.envs.world.camera import Camera
from embodied_ssl.envs.world.engine import pybullet
from embodied_ssl.envs.world.poses import matrices_of
from embodied_ssl.envs.world.raster.frames import Frame, Item, Renderer

STILL = (-1, -1)
"""The body and link of what never moves."""


class Drawn(NamedTuple):
    """An item, the body and link that move it, and, where it never moves, its position and quaternion."""

    item: Item
    link: tuple[int, int] = STILL
    position: Sequence[float] = (0, 0, 0)
    quaternion: Sequence[float] = (0, 0, 0, 1)


class Drawing:
    """Items in a renderer."""

    def __init__(self, renderer: Renderer, client: int):
        self.renderer, self._client = renderer, client
        self.clear()

    def clear(self) -> None:
        """From now on there is nothing."""
        self.drawn: list[Drawn] = []
        self._loaded = False

    def add(self, one: Drawn) -> None:
        """Draw one more."""
        self.drawn.append(one)
        self._loaded = False

    def pose(self, row: int) -> tuple[Sequence[float], Sequence[float]]:
        """Position (m) and quaternion (x, y, z, w) of an item, now."""
        one = self.drawn[row]
        body, link = one.link
        if body < 0:
            return one.position, one.quaternion
        if link < 0:
            return pybullet.getBasePositionAndOrientation(body, physicsClientId=self._client)
        return pybullet.getLinkState(body, link, computeForwardKinematics=1, physicsClientId=self._client)[4:6]

    def draw(self, views: Sequence[tuple[Camera, ArrayLike]], light: Light) -> list[Frame]:
        """The images from cameras at camera-to-world poses [4, 4], of one moment."""
        if not self._loaded:
            self.renderer.load([one.item for one in self.drawn], light)
            self._poses = matrices_of([one.position for one in self.drawn], [one.quaternion for one in self.drawn])
            self._moving = [row for row, one in enumerate(self.drawn) if one.link[0] >= 0 and one.link[1] < 0]
            self._linked: dict[int, list[int]] = {}  # rows by body, of what its links move
            for row, one in enumerate(self.drawn):
                if one.link[0] >= 0 and one.link[1] >= 0:
                    self._linked.setdefault(one.link[0], []).append(row)
            self._loaded = True
        now = self._now()
        return [self.renderer.draw(camera, np.asarray(pose, float), now) for camera, pose in views]

    def _now(self) -> NDArray[np.float64]:
        """[N, 4, 4] of all items."""
        if self._moving:
            positions, quaternions = zip(*map(self.pose, self._moving), strict=True)
            self._poses[self._moving] = matrices_of(positions, quaternions)
        for body, rows in self._linked.items():  # all links at once: one by one, each would solve the whole chain
            links = [self.drawn[row].link[1] for row in rows]
            states = pybullet.getLinkStates(body, links, computeForwardKinematics=1, physicsClientId=self._client)
            self._poses[rows] = matrices_of([state[4] for state in states], [state[5] for state in states])
        return self._poses
