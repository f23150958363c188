"""What stands around all that happens on a table: the table itself, its light, the floor, what an arm stands on."""

from collections.abc import Collection
from functools import cache
from typing import NamedTuple

import numpy as np

from embodied_ssl.envs.bodies.arm import Arm
from embodied_ssl.envs.bodies.gripper import steps_of
from embodied_ssl.envs.bodies.looks import part_of_robot
from embodied_ssl.envs.world import exact
from embodied_ssl.envs.world.assets import Asset, Light, Part
from embodied_ssl.envs.world.geometry.mesh import box, merge
from embodied_ssl.envs.world.materials import MATERIALS
from embodied_ssl.envs.world.physics import World
from embodied_ssl.envs.world.textures.families import texture

TOPS = ("planks", "laminate", "marble", "terrazzo", "cloth", "plaster", "concrete", "tile", "plaid", "leather")
VIEW_M = 0.56  # side of the square of table that the overhead image shows
FIELD_OF_VIEW_RAD = 0.6  # of it
FLOOR_SIDE_M = 4.0  # of what is drawn around the table
RESTING_MPS = 0.02  # slower objects have come to rest


class Top(NamedTuple):
    """How a table's top looks: a family of textures, which one of it, and the side (m) of a tile of it."""

    family: str
    variant: int
    tile: float


def draw_light(rng: np.random.Generator) -> Light:
    """The light on a table, drawn at random."""
    azimuth, level = rng.uniform(-np.pi, np.pi), rng.uniform(0.2, 0.6)
    strength, warmth, sky = rng.uniform(0.4, 0.6), rng.uniform(-0.08, 0.08), rng.uniform(0.35, 0.5)
    return Light(
        direction=(level * exact.cos(azimuth), level * exact.sin(azimuth), 1.0),
        sun=(strength * (1 + warmth), strength, strength * (1 - warmth)),
        sky=(sky, sky, sky),
        ground=(0.5 * sky, 0.5 * sky, 0.5 * sky),
    )


def draw_top(rng: np.random.Generator) -> Top:
    """A table's top, drawn at random."""
    return Top(TOPS[rng.integers(len(TOPS))], int(rng.integers(16)), float(rng.uniform(0.25, 0.6)))


@cache
def slab(side: float = 1.0) -> Asset:
    """What is felt of a table: one asset for each size, so that its hull is written once."""
    return Asset("table", 0, MATERIALS["wood"], (), (box((side, side, 0.5), (0, 0, -0.25)).vertices,))


@cache
def floor(height: float) -> Asset:
    """What is felt of the floor that a table of some height (m) stands on: what falls off the table lies on it."""
    return Asset("floor", 0, MATERIALS["stone"], (), (box((40, 40, 0.5), (0, 0, -height - 0.25)).vertices,))


def table_top(look: Top, side: float) -> Asset:
    """What is seen of a slab whose top is z = 0, larger than the view. It lies below all that a shadow falls on."""
    worn = texture(look.family, look.variant)
    top = Part(box((side, side, 0.04), (0, 0, -0.02), look.tile), worn, casts_shadow=False)
    return Asset("table", look.variant, MATERIALS["wood"], (top,), ())


def put_around(world: World, gripper: object, side: float, height: float) -> None:
    """What images that show the robot show besides: the table, the floor, and what an arm stands on."""
    world.add_to_robot(_furniture(side, height), robot=False)
    if isinstance(gripper, Arm):
        x, y, z = gripper.base
        world.add_to_robot(_pedestal(height + z), position=(x, y, z), robot=False)


def settle(world: World, instances: Collection[int], every: int, most: int) -> None:
    """Step until objects have come to rest, for at most `most` steps of the usual length; look `every` so many.

    What has come to rest loses what speed is left, which would wake with it, and costs nothing until it is touched.
    What still moves goes on moving.
    """
    for _ in range(most // every):
        world.step(steps_of(every, world))
        if all(world.speed(instance) < RESTING_MPS for instance in instances):
            break
    for instance in instances:
        if world.speed(instance) < RESTING_MPS:
            world.set_pose(instance, *world.pose(instance))
            world.rest(instance)


@cache
def _furniture(side: float, height: float) -> Asset:
    """What is seen of a table besides its top, and the floor around it."""
    corner, long = side / 2 - 0.06, height - 0.04
    legs = [box((0.06, 0.06, long), (x, y, -0.04 - long / 2)) for x in (-corner, corner) for y in (-corner, corner)]
    floor = box((FLOOR_SIDE_M, FLOOR_SIDE_M, 0.02), (0, 0, -height - 0.01), 0.5)
    wood, tiles = texture("planks", 1), texture("concrete", 0)
    return Asset(
        "furniture", 0, MATERIALS["wood"],
        (Part(merge(legs), wood, casts_shadow=False), Part(floor, tiles, casts_shadow=False)), (),
    )  # fmt: skip


@cache
def _pedestal(height: float) -> Asset:
    """What an arm stands on, the middle of its top the origin."""
    return part_of_robot(box((0.2, 0.2, height), (0, 0, -height / 2)), (96, 99, 104))
