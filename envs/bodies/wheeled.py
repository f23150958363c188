"""The wheeled body: a cylinder that drives over a scene's floor and stops at what it would hit."""

import math

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.envs.world import exact
from embodied_ssl.envs.world.engine import pybullet
from embodied_ssl.envs.world.floor import CELL_M, STEP_M, Floor
from embodied_ssl.envs.world.physics import World

RADIUS_M, HEIGHT_M = 0.2, 0.5  # of the body, unless it carries something
TOUCH_M = 0.005  # it stops this far from what it would hit


class Wheels:
    """What a wheeled body knows of the scene that it drives in: the map of the floor, and the physics."""

    def __init__(self, world: World, floor: Floor, radius: float = RADIUS_M):
        """radius: of the cylinder that must not touch anything, m."""
        self.world, self.floor, self.radius = world, floor, radius
        self._shape = pybullet.createCollisionShape(
            pybullet.GEOM_CYLINDER, radius=radius, height=HEIGHT_M, physicsClientId=world.client
        )

    def start(self, rng: np.random.Generator) -> tuple[NDArray[np.float64], float]:
        """A place [2] (m) to start from, and a heading (rad) that looks onto open floor."""
        position = self.floor.start(rng, self.radius)
        headings = rng.uniform(-np.pi, np.pi, 4)
        clearances = self.floor.clearance(position + exact.circle(headings))
        return position, float(headings[np.argmax(clearances)])  # few episodes begin with a wall

    def drive(self, position: NDArray[np.float64], heading: float, forward: float) -> tuple[NDArray[np.float64], float]:
        """Drive from a place [2] (m) along a heading (rad) until done or stopped: the new place, and the way, m."""
        sense = 1.0 if forward >= 0 else -1.0
        cosine, sine = sense * exact.cos(heading), sense * exact.sin(heading)
        x, y = position.tolist()
        left, driven = abs(forward), 0.0
        while left > 1e-6:
            room = self.floor.clearance_at(x, y) - self.radius - 2 * CELL_M
            if room < left:  # the map is too coarse here: ask the physics
                room = self.distance_to_obstacle(x, y, left + TOUCH_M) - TOUCH_M
            stride = min(left, room)
            if stride <= 1e-3:
                break
            x, y = x + stride * cosine, y + stride * sine
            driven, left = driven + stride, left - stride
        return np.array([x, y]), sense * driven

    def distance_to_obstacle(self, x: float, y: float, reach: float) -> float:
        """Distance (m) from the body at a place to the nearest object it would touch, at most `reach`."""
        client, place, top = self.world.client, (x, y, STEP_M + HEIGHT_M / 2), STEP_M + HEIGHT_M
        span = self.radius + reach
        low, high = (x - span, y - span, STEP_M), (x + span, y + span, top)
        near = set(pybullet.getOverlappingObjects(low, high, physicsClientId=client) or ())
        distances = [reach]
        for body, link in sorted(near):
            upright = (body, link) in self.world.upright_boxes  # one of several may be what it passes under or over:
            for contact in pybullet.getClosestPoints(  # its sides tell, being vertical, by the height of the contact
                -1, body, reach, linkIndexB=link, collisionShapeA=self._shape, collisionShapePositionA=place,
                physicsClientId=client,
            ):  # fmt: skip
                height, normal, distance = contact[6][2], contact[7], contact[8]
                beside = not upright or STEP_M - 1e-3 <= height <= top + 1e-3
                if (beside and abs(normal[2]) < 0.9) or distance < 0:
                    distances.append(distance)
        return min(distances)


def eye_pose(position: NDArray[np.float64], heading: float, height: float, pitch: float = 0.0) -> NDArray[np.float64]:
    """Camera-to-world pose [4, 4] of an eye above a place [2] (m): it looks along a heading, up by a pitch (rad)."""
    c, s = exact.cos(heading), exact.sin(heading)
    level, rise = exact.cos(pitch), exact.sin(pitch)
    x, y = position
    return np.array(
        [
            [s, rise * c, level * c, x],
            [-c, rise * s, level * s, y],
            [0, -level, rise, height],
            [0, 0, 0, 1],
        ]
    )


def wrapped(angle: float) -> float:
    """An angle as one in [−π, π), rad."""
    return (angle + math.pi) % (2 * math.pi) - math.pi
