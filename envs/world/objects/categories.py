"""Household objects: any number of instances of each category, and other sets of objects in their stead.

A category is a shape; an instance draws its proportions, material, textures and size. Every object is sized for a table
and a gripper, rests in the pose it is made in, and has the origin of its frame at its centre of mass.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.envs.world.assets import Asset, Material, Part, Texture
from embodied_ssl.envs.world.geometry.mesh import Mesh, merge
from embodied_ssl.envs.world.geometry.solids import Solid, volume_and_center
from embodied_ssl.envs.world.materials import MATERIALS
from embodied_ssl.envs.world.objects import housewares, tableware, toys
from embodied_ssl.envs.world.textures.families import nearest, texture

TEXTURE_SIDE = 64  # texels over about 10 cm: as fine as an image of a table shows
VARIANTS = 96  # of each texture family: colours and scales; more would only fill memory
LIGHTEST_KG, HEAVIEST_KG = 0.03, 1.5

HARD = ("plastic", "wood", "ceramic", "metal")
SOFT = ("plush", "foam", "rubber")


@dataclass(frozen=True)
class Category:
    """A kind of object. make: draws its solids; materials: what it can be made of."""

    make: Callable[[np.random.Generator], list[Solid]]
    materials: tuple[str, ...]


CATEGORIES: dict[str, Category] = {
    "cup": Category(tableware.cup, (*HARD, "cardboard", "foam")),
    "mug": Category(tableware.mug, (*HARD, "rubber")),
    "bowl": Category(tableware.bowl, (*HARD, "rubber", "cardboard")),
    "plate": Category(tableware.plate, (*HARD, "cardboard", "foam")),
    "wine_glass": Category(tableware.wine_glass, HARD),
    "bottle": Category(tableware.bottle, (*HARD, "rubber")),
    "can": Category(tableware.can, ("metal", "cardboard", "plastic")),
    "jar": Category(tableware.jar, HARD),
    "vase": Category(tableware.vase, (*HARD, "rubber")),
    "teapot": Category(tableware.teapot, (*HARD, "plush")),
    "pan": Category(tableware.pan, HARD),
    "spoon": Category(tableware.spoon, (*HARD, "rubber")),
    "box": Category(housewares.box, ("cardboard", "cardboard", "wood", "metal", "plastic", "foam")),
    "book": Category(housewares.book, ("cardboard",)),
    "lamp": Category(housewares.lamp, HARD),
    "hammer": Category(housewares.hammer, ("metal", "wood", "plastic", "rubber", "foam")),
    "brush": Category(housewares.brush, ("wood", "plastic", "metal", "rubber")),
    "candle": Category(housewares.candle, HARD),
    "torch": Category(housewares.torch, ("plastic", "metal", "rubber")),
    "plant": Category(housewares.plant, (*HARD, "cardboard")),
    "bucket": Category(housewares.bucket, ("metal", "plastic", "wood", "rubber")),
    "bell": Category(housewares.bell, HARD),
    "wrench": Category(housewares.wrench, ("metal", "plastic", "wood", "rubber", "foam")),
    "clock": Category(housewares.clock, HARD),
    "ball": Category(toys.ball, (*SOFT, "plastic", "wood")),
    "ring": Category(toys.hoop, (*SOFT, "plastic", "wood", "metal")),
    "cone": Category(toys.cone, ("plastic", "rubber", "foam", "wood", "cardboard")),
    "cube": Category(toys.cube, (*SOFT, *HARD, "cardboard")),
    "arch": Category(toys.arch, (*SOFT, "wood", "plastic", "cardboard")),
    "star": Category(toys.star, (*SOFT, "wood", "plastic", "metal")),
    "dumbbell": Category(toys.dumbbell, ("rubber", "metal", "plastic", "foam")),
    "chess_piece": Category(toys.chess_piece, (*HARD, "rubber")),
    "car": Category(toys.car, ("wood", "plastic", "metal", "foam")),
    "duck": Category(toys.duck, (*SOFT, "plastic", "ceramic", "wood")),
    "bear": Category(toys.bear, ("plush", "plush", "plush", "foam", "rubber", "ceramic")),
    "house": Category(toys.house, ("wood", "cardboard", "plastic", "foam", "ceramic")),
    "tree": Category(toys.tree, (*SOFT, "wood", "plastic")),
    "pear": Category(toys.pear, (*SOFT, "wood", "ceramic", "plastic")),
    "banana": Category(toys.banana, (*SOFT, "wood", "plastic")),
    "mushroom": Category(toys.mushroom, (*SOFT, "wood", "ceramic")),
}


@lru_cache(maxsize=4096)
def make_object(category: str, instance: int) -> Asset:
    """One object, always the same for the same arguments (and the identical one while it is cached).

    category: a key of CATEGORIES. instance: 0 and up. Raises ValueError, with the nearest name, for what is neither.
    """
    if category not in CATEGORIES:
        raise ValueError(f"there is no object category {category!r}{nearest(category, CATEGORIES)}")
    if instance < 0:
        raise ValueError(f"an object's instance is 0 or more, not {instance}")
    rng = np.random.default_rng([*category.encode(), instance])
    kind = CATEGORIES[category]
    material = MATERIALS[kind.materials[rng.integers(len(kind.materials))]]
    solids = kind.make(rng)
    mass, center = _weigh(solids, material)
    hulls = tuple((hull - center).astype(np.float32) for solid in solids for hull in solid.hulls)
    return Asset(category, instance, material, _dress(rng, solids, material, center), hulls, mass)


def _weigh(solids: list[Solid], material: Material) -> tuple[float, NDArray[np.float64]]:
    """Mass (kg, clipped to what a gripper can feel and lift) and centre of mass [3] (m)."""
    weights, centers = [], []
    for solid in solids:
        volume, center = volume_and_center(solid.mesh)
        weights.append(MATERIALS.get(solid.coat, material).density * volume * solid.fill)
        centers.append(center)
    center = (np.array(weights)[:, None] * np.array(centers)).sum(axis=0) / sum(weights)
    return float(np.clip(sum(weights), LIGHTEST_KG, HEAVIEST_KG)), center


def _dress(
    rng: np.random.Generator, solids: list[Solid], material: Material, center: NDArray[np.float64]
) -> tuple[Part, ...]:
    """One part for all that wear the same texture, about the centre of mass."""
    groups: dict[tuple[str, float], list[Mesh]] = {}
    for solid in solids:
        mesh = solid.mesh
        if solid.along and MATERIALS.get(solid.coat, material).name == "wood":  # grain runs along u; turn it
            mesh = replace(mesh, uv=mesh.uv[:, ::-1])
        groups.setdefault((solid.coat, solid.emission), []).append(mesh)
    parts = []
    for (coat, emission), meshes in groups.items():
        whole = merge(meshes)
        whole = replace(whole, vertices=(whole.vertices - center).astype(np.float32))
        parts.append(Part(whole, *_coat(rng, coat, material), emission=emission))
    return tuple(parts)


def _coat(rng: np.random.Generator, coat: str, material: Material) -> tuple[Texture, float]:
    """Texture and gloss."""
    variant = int(rng.integers(VARIANTS))
    if coat in ("body", "trim") or coat in MATERIALS:
        worn = MATERIALS.get(coat, material)
        return texture(worn.textures[rng.integers(len(worn.textures))], variant, TEXTURE_SIDE), worn.gloss
    return texture(coat, variant, TEXTURE_SIDE), 0.1
