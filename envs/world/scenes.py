"""Furnished places by type, drawn from a generator: the worlds that a roaming body sees."""

import difflib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from embodied_ssl.envs.world import scenes_home as home
from embodied_ssl.envs.world.assets import Light, Scene
from embodied_ssl.envs.world.interiors import indoor_light
from embodied_ssl.envs.world.rooms import Room

Range = tuple[float, float]


@dataclass(frozen=True)
class SceneType:
    """How a type of place is made. width, depth: ranges of the floor's sides, m; they are swapped by chance."""

    furnish: Callable[[Room], None]
    width: Range
    depth: Range
    light: Callable[[np.random.Generator], Light] = indoor_light


SCENE_TYPES: dict[str, SceneType] = {
    "living_room": SceneType(home.living_room, (4.8, 6.5), (4.2, 5.5)),
    "bedroom": SceneType(home.bedroom, (3.8, 5.2), (3.6, 4.6)),
    "kitchen": SceneType(home.kitchen, (3.8, 5.2), (3.4, 4.4)),
    "bathroom": SceneType(home.bathroom, (2.9, 4.0), (2.6, 3.4)),
}


def make_scene(type: str, rng: np.random.Generator, object_instances: tuple[int, int] = (0, 64)) -> Scene:
    """A furnished place of a type; the same state of `rng` gives the same place.

    type: a key of SCENE_TYPES. object_instances: range (first, end) of the instances of small household objects, so
    that disjoint ranges make places with unseen things. Raises ValueError, with the nearest type's name, for an
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
    return room.finish(kind.light(rng))
