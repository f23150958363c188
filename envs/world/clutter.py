"""Small household objects lying about: on tables, shelves and worktops, and some on the floor."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
from embodied_ssl.envs.world.assets import Asset
from embodied_ssl.envs.world.joinery import Surface, box_hull
from embodied_ssl.envs.world.objects import make_object
from embodied_ssl.envs.world.rooms import Placed, Room

LEAST_THINGS = 27  # that a furnished place should hold
MOST_OBJECTS = 22
SOFT_HOSTS = ("sofa", "bed")
SOFT_THINGS = ("bear", "book", "ball", "duck")

# Objects are sized for a gripper; at home many are larger. Factor by category, 1.3 for the others.
SCALES = {
    "ball": 4.0, "bear": 2.4, "book": 1.5, "box": 2.8, "bucket": 2.4, "car": 1.6, "chess_piece": 1.5, "cone": 1.8,
    "clock": 1.8, "duck": 1.5, "lamp": 2.2, "pan": 1.7, "plant": 2.4, "plate": 1.8, "ring": 2.0, "vase": 1.9,
    "teapot": 1.6, "dumbbell": 1.6, "house": 2.5, "cube": 2.5, "tree": 2.5,
}  # fmt: skip


@lru_cache(maxsize=4096)
def _household(category: str, instance: int, touchable: bool) -> tuple[Asset, int]:
    """A small object as part of the furniture, at home size, and how many triangles it has.

    It never moves. Its hull is one box, or none: what stands on furniture is out of a roaming body's reach, and hulls
    are most of what a scene costs to set up.
    """
    asset, scale = make_object(category, instance), SCALES.get(category, 1.3)
    parts = tuple(replace(part, mesh=part.mesh.transformed(scale=scale)) for part in asset.parts)
    grown = replace(asset, parts=parts, hulls=(), mass=0.0)
    if touchable:
        grown = replace(grown, hulls=(box_hull(*grown.bounds),))
    return grown, sum(len(part.mesh.triangles) for part in parts)


def scatter(room: Room, on_tops: tuple[str, ...], on_floor: tuple[str, ...]) -> None:
    """Put objects of some categories on the furniture, and of others on the floor, until the place looks lived in."""
    rng = room.rng
    tops = [(host, surface) for host in room.hosts for surface in host.piece.surfaces]
    floor = int(rng.integers(2, 5))
    wanted = min(MOST_OBJECTS, max(int(rng.integers(9, 17)), LEAST_THINGS - room.count))
    put = 0
    for _ in range(12 * wanted):
        if put >= wanted:
            return
        if put < floor or not tops:
            put += _drop(room, str(rng.choice(on_floor)))
        else:
            host, surface = tops[rng.integers(len(tops))]
            put += _put(room, host, surface, on_tops)


def _draw(room: Room, category: str, touchable: bool) -> tuple[Asset, int]:
    return _household(category, int(room.rng.integers(*room.object_instances)), touchable)


def _put(room: Room, host: Placed, surface: Surface, categories: tuple[str, ...]) -> bool:
    """One object on a surface, if it fits there."""
    rng = room.rng
    if host.piece.asset.category in SOFT_HOSTS:
        categories = SOFT_THINGS
    asset, triangles = _draw(room, str(rng.choice(categories)), False)
    (x0, y0, z0), (x1, y1, z1) = asset.bounds.tolist()
    radius = 0.5 * max(x1 - x0, y1 - y0)
    low_x, high_x = surface.x_min + radius, surface.x_max - radius
    low_y, high_y = surface.y_min + min(radius, 0.1), surface.y_max - min(radius, 0.1)
    if low_x > high_x or low_y > high_y or z1 - z0 > surface.clear:
        return False
    x, y = host.point(rng.uniform(low_x, high_x), rng.uniform(low_y, high_y))
    z = host.z + surface.z
    return room.top_is_free(x, y, radius, z) and room.add(asset, triangles, (x, y, z - z0), rng.uniform(-np.pi, np.pi))


def _drop(room: Room, category: str) -> bool:
    """One object on the floor, if it fits there; nearer to the walls than to the middle."""
    rng = room.rng
    asset, triangles = _draw(room, category, True)
    (x0, y0, z0), (x1, y1, _) = asset.bounds.tolist()
    radius = 0.5 * float(np.hypot(x1 - x0, y1 - y0))
    x, y = np.sign(rng.uniform(-1, 1, 2)) * np.sqrt(rng.random(2)) * (room.width / 2 - radius, room.depth / 2 - radius)
    rectangle = (x - radius, y - radius, x + radius, y + radius)
    return room.floor_is_free(rectangle) and room.add(asset, triangles, (x, y, -z0), rng.uniform(-np.pi, np.pi))
