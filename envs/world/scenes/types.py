"""Furnished places by type, drawn from a generator: the worlds that a roaming body sees."""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from embodied_ssl.envs.world.assets import Light, Scene
from embodied_ssl.envs.world.scenes import home, outdoor, public, work
from embodied_ssl.envs.world.scenes.clutter import scatter
from embodied_ssl.envs.world.scenes.interiors import indoor_light
from embodied_ssl.envs.world.scenes.rooms import Room
from embodied_ssl.envs.world.textures.families import nearest

Range = tuple[float, float]


@dataclass(frozen=True)
class SceneType:
    """How a type of place is made.

    width, depth: ranges of the floor's sides, m; they are swapped by chance. on_tops, on_floor: categories of the small
    objects that lie on furniture and on the floor.
    """

    furnish: Callable[[Room], None]
    width: Range
    depth: Range
    on_tops: tuple[str, ...]
    on_floor: tuple[str, ...]
    light: Callable[[np.random.Generator], Light] = indoor_light


CROCKERY = ("cup", "mug", "bowl", "plate", "wine_glass", "bottle", "teapot", "pan", "spoon", "jar", "pear", "banana")
TOYS = ("ball", "bear", "duck", "car", "cube", "house", "arch", "star", "ring")
ORNAMENTS = ("vase", "plant", "candle", "book", "book", "clock", "lamp", "chess_piece", "bell")
PAPERWORK = ("book", "book", "mug", "cup", "plant", "box", "lamp", "clock", "bottle")
TOOLS = ("hammer", "wrench", "brush", "torch", "can", "jar", "box", "bucket", "ring")

SCENE_TYPES: dict[str, SceneType] = {
    "living_room": SceneType(
        home.living_room, (4.8, 6.5), (4.2, 5.5), (*ORNAMENTS, *TOYS[:4], "mug", "bowl", "wine_glass"), (*TOYS, "book")
    ),
    "bedroom": SceneType(home.bedroom, (3.9, 5.2), (3.7, 4.6), (*ORNAMENTS, "bear", "mug"), (*TOYS, "book", "bear")),
    "kitchen": SceneType(
        home.kitchen, (3.8, 5.2), (3.4, 4.4), (*CROCKERY, "can", "mushroom"), ("bucket", "box", "ball")
    ),
    "bathroom": SceneType(
        home.bathroom,
        (2.9, 4.0),
        (2.6, 3.4),
        ("bottle", "jar", "cup", "brush", "candle", "duck", "plant"),
        ("bucket", "duck", "ball", "bottle", "brush"),
    ),
    "corridor": SceneType(
        work.corridor, (10.0, 14.0), (1.9, 2.6), ("plant", "box", "vase"), ("bucket", "box", "ball", "brush")
    ),
    "office": SceneType(public.office, (5.5, 8.0), (5.0, 6.5), PAPERWORK, ("box", "box", "ball", "book")),
    "classroom": SceneType(
        public.classroom,
        (7.0, 8.5),
        (5.5, 6.5),
        ("book", "book", "book", "cup", "box", "star", "pear"),
        ("book", "ball", "box", "cube"),
    ),
    "library": SceneType(
        public.library,
        (7.0, 9.0),
        (6.0, 7.5),
        ("book", "book", "book", "book", "plant", "lamp"),
        ("book", "box", "book"),
    ),
    "supermarket": SceneType(
        public.supermarket,
        (8.0, 10.0),
        (7.0, 9.0),
        ("can", "bottle", "box", "jar", "banana", "pear"),
        ("box", "can", "bucket", "box"),
    ),
    "restaurant": SceneType(
        public.restaurant,
        (6.5, 8.5),
        (5.5, 7.5),
        ("plate", "wine_glass", "bottle", "candle", "bowl", "vase", "cup", "spoon"),
        ("box", "bottle", "vase"),
    ),
    "gym": SceneType(
        public.gym,
        (6.5, 8.5),
        (5.5, 7.5),
        ("bottle", "box", "dumbbell"),
        ("dumbbell", "dumbbell", "bottle", "ball", "ring"),
    ),
    "warehouse": SceneType(
        work.warehouse, (9.0, 12.0), (7.5, 9.5), ("can", "box", "hammer", "torch"), ("box", "box", "cone", "bucket")
    ),
    "workshop": SceneType(work.workshop, (5.5, 7.5), (5.0, 6.5), TOOLS, ("box", "bucket", "can", "wrench")),
    "garage": SceneType(work.garage, (5.2, 6.2), (6.0, 7.2), TOOLS, ("ball", "bucket", "can", "wrench", "box")),
    "street": SceneType(
        outdoor.street, (15.0, 18.0), (9.5, 11.0), ("box", "bottle"), ("can", "bottle", "ball", "box"), outdoor.daylight
    ),
    "courtyard": SceneType(
        outdoor.courtyard,
        (9.5, 12.0),
        (8.5, 11.0),
        ("cup", "bottle", "wine_glass", "plate", "plant"),
        ("ball", "bucket", "plant"),
        outdoor.daylight,
    ),
}


def make_scene(type: str, rng: np.random.Generator, object_instances: tuple[int, int] = (0, 64)) -> Scene:
    """A furnished place of a type; the same state of `rng` gives the same place.

    type: a key of SCENE_TYPES. object_instances: range (first, end) of the instances of small household objects, so
    that disjoint ranges make places with unseen objects. Raises ValueError, with the nearest type's name, for an
    unknown one, and for an empty or negative range.
    """
    if type not in SCENE_TYPES:
        close = difflib.get_close_matches(type, SCENE_TYPES, 1, 0.4)
        hint = f"did you mean {close[0]!r}? There are" if close else "there are"
        raise ValueError(f"there is no scene type {type!r}; {hint} {', '.join(SCENE_TYPES)}")
    first, end = object_instances
    if first < 0 or end <= first:
        raise ValueError(f"object_instances is a range (first, end) with 0 ≤ first < end, not {object_instances}")
    kind = SCENE_TYPES[type]
    size = (rng.uniform(*kind.width), rng.uniform(*kind.depth))
    room = Room(type, rng, (first, end), size if rng.random() < 0.5 else size[::-1])
    kind.furnish(room)
    scatter(room, kind.on_tops, kind.on_floor)
    return room.finish(kind.light(rng))


def checked_types(names: Sequence[str] | str) -> tuple[str, ...]:
    """Scene types from a name, a comma-separated list or a sequence; ValueError names the near one."""
    types = tuple(names.split(",")) if isinstance(names, str) else tuple(names)
    if not types:
        raise ValueError("name at least one scene type")
    for name in types:
        if name not in SCENE_TYPES:
            raise ValueError(f"unknown scene type {name!r}{nearest(name, SCENE_TYPES)}")
    return types
