"""Small household objects lying about: on tables, shelves and worktops, and some on the floor."""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from embodied_ssl.envs.world.assets import Asset
from embodied_ssl.envs.world.geometry.joinery import Surface, box_hull
from embodied_ssl.envs.world.objects.categories import make_object
from embodied_ssl.envs.world.scenes.rooms import Placed, Room

LEAST_THINGS = 27  # that a furnished place should hold
LEAST_TRIANGLES = 3000
MOST_OBJECTS = 26
SOFT_HOSTS = ("sofa", "bed")
SOFT_THINGS = ("bear", "book", "ball", "duck")

# Objects are sized for a gripper; at home many are larger. Factor by category, 1.3 for the others.
SCALES = {
    "ball": 4.0, "bear": 2.4, "book": 1.5, "box": 2.8, "bucket": 2.4, "car": 1.6, "chess_piece": 1.5, "cone": 1.8,
    "clock": 1.8, "duck": 1.5, "lamp": 2.2, "pan": 1.7, "plant": 2.4, "plate": 1.8, "ring": 2.0, "vase": 1.9,
    "teapot": 1.6, "dumbbell": 1.6, "house": 2.5, "cube": 2.5, "tree": 2.5,
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Thing:
    """An object at home size: half its larger side, its z range (m), how many triangles it has."""

    asset: Asset
    radius: float
    rise: tuple[float, float]
    triangles: int


@lru_cache(maxsize=4096)
def _household(category: str, instance: int, touchable: bool) -> Thing:
    """A small object as part of the furniture.

    It never moves. Its hull is one box, or none: what stands on furniture is out of a roaming body's reach, and hulls
    are most of what a scene costs to set up.
    """
    asset, scale = make_object(category, instance), SCALES.get(category, 1.3)
    parts = tuple(replace(part, mesh=part.mesh.transformed(scale=scale)) for part in asset.parts)
    grown = replace(asset, parts=parts, hulls=(), mass=0.0)
    if touchable:
        grown = replace(grown, hulls=(box_hull(*grown.bounds),))
    (x0, y0, z0), (x1, y1, z1) = grown.bounds.tolist()
    triangles = sum(len(part.mesh.triangles) for part in parts)
    return Thing(grown, 0.5 * max(x1 - x0, y1 - y0), (z0, z1), triangles)


def scatter(room: Room, on_tops: tuple[str, ...], on_floor: tuple[str, ...]) -> None:
    """Put objects of some categories on the furniture, and of others on the floor, until the place looks lived in."""
    rng = room.rng
    tops = [(host, surface) for host in room.hosts for surface in host.piece.surfaces]
    on_the_floor, wanted = int(rng.integers(2, 5)), int(rng.integers(9, 17))
    put = 0
    for attempt in range(20 * MOST_OBJECTS):
        enough = put >= wanted and room.count >= LEAST_THINGS and room.triangles >= LEAST_TRIANGLES
        if enough or put >= MOST_OBJECTS:
            return
        if put < on_the_floor or not tops or attempt % 8 == 7:  # now and then the tops are full
            put += _drop(room, on_floor)
        else:
            host, surface = tops[rng.integers(len(tops))]
            put += _put(room, host, surface, on_tops)


def _draw(room: Room, categories: tuple[str, ...], touchable: bool) -> Thing:
    category = categories[room.rng.integers(len(categories))]
    return _household(category, int(room.rng.integers(*room.object_instances)), touchable)


def _put(room: Room, host: Placed, surface: Surface, categories: tuple[str, ...]) -> bool:
    """One object on a surface, if it fits there."""
    rng = room.rng
    if host.piece.asset.category in SOFT_HOSTS:
        categories = SOFT_THINGS
    drawn = _draw(room, categories, False)
    inset = min(drawn.radius, 0.1)  # a long object may reach over a narrow board's edge
    low_x, high_x = surface.x_min + drawn.radius, surface.x_max - drawn.radius
    low_y, high_y = surface.y_min + inset, surface.y_max - inset
    low, high = drawn.rise
    if low_x > high_x or low_y > high_y or high - low > surface.clear:
        return False
    x, y = host.point(rng.uniform(low_x, high_x), rng.uniform(low_y, high_y))
    z = host.z + surface.z
    angle = rng.uniform(-np.pi, np.pi)
    return room.top_is_free(x, y, drawn.radius, z) and room.add(drawn.asset, drawn.triangles, (x, y, z - low), angle)


def _drop(room: Room, categories: tuple[str, ...]) -> bool:
    """One object on the floor, if it fits there; nearer to the walls than to the middle."""
    rng = room.rng
    drawn = _draw(room, categories, True)
    radius = 1.42 * drawn.radius
    reach, side = np.sqrt(rng.random(2)), 2 * rng.integers(0, 2, 2) - 1
    x, y = (side * reach * (room.width / 2 - radius, room.depth / 2 - radius)).tolist()
    if not room.floor_is_free((x - radius, y - radius, x + radius, y + radius)):
        return False
    return room.add(drawn.asset, drawn.triangles, (x, y, -drawn.rise[0]), rng.uniform(-np.pi, np.pi))
