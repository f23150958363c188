"""Toys, fruit and sports objects: shapes drawn from a generator, in metres, in the pose in which they rest."""

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from embodied_ssl.envs.world import exact
from embodied_ssl.envs.world.geometry.mesh import rotation_x, rotation_y, rotation_z
from embodied_ssl.envs.world.geometry.solids import Solid, bar, block, ellipsoid, prism, ring, rounded, turned


def ball(rng: np.random.Generator) -> list[Solid]:
    """A ball, round or as for rugby."""
    radius = rng.uniform(0.02, 0.038)
    long = rng.choice([1.0, 1.0, 1.0, rng.uniform(1.25, 1.6)])
    return [ellipsoid([radius * long, radius, radius], [0, 0, radius], 16)]


def hoop(rng: np.random.Generator) -> list[Solid]:
    """A ring that lies flat."""
    radius, thick = rng.uniform(0.03, 0.055), rng.uniform(0.007, 0.014)
    return [ring(radius, thick).placed([0, 0, thick])]


def cone(rng: np.random.Generator) -> list[Solid]:
    """A traffic cone on its plate, or a plain cone."""
    radius, height = rng.uniform(0.025, 0.037), rng.uniform(0.06, 0.13)
    if rng.random() < 0.4:
        return [turned([[0, 0], [radius, 0], [0.03 * radius, height], [0, height]], 16)]
    tip = rng.uniform(0.12, 0.22)
    plate = prism(rounded(1.15 * radius, 1.15 * radius, 0.3 * radius), 0.006)
    shell = turned([[0, 0.004], [radius, 0.004], [tip * radius, height], [0, height]], 16, fill=0.4)
    low, high = 0.45, 0.68
    at = np.array([[radius * (1 - (1 - tip) * t) + 0.0006, 0.004 + (height - 0.004) * t] for t in (low, high)])
    band = turned([[0, at[0, 1]], *at, [0, at[1, 1]]], 16, (), "trim", fill=0.0).ghost()
    return [plate, shell, band]


def cube(rng: np.random.Generator) -> list[Solid]:
    """A building block: a cube or a brick with rounded edges."""
    x, y, z = rng.uniform(0.03, 0.055) * np.array([1, 1, 1] if rng.random() < 0.6 else rng.uniform(0.7, 1.6, 3))
    return [prism(rounded(x / 2, min(y, 0.075) / 2, 0.1 * min(x, y)), z)]


def arch(rng: np.random.Generator) -> list[Solid]:
    """A building block in the shape of a bridge."""
    half, rise, deep = rng.uniform(0.035, 0.055), rng.uniform(0.03, 0.05), rng.uniform(0.025, 0.04)
    open_ = rng.uniform(0.45, 0.65) * half
    angle = np.linspace(0, np.pi, 7)
    inner = open_ * exact.circle(angle)
    top = max(rise, open_ + 0.012)
    if rng.random() < 0.5:  # outside round as well
        outer = half * np.stack([exact.cos(angle), exact.sin(angle) * top / half], axis=1)
    else:
        outer = np.stack(
            [half * np.clip(1.5 * exact.cos(angle), -1, 1), np.where(exact.sin(angle) < 0.4, 0.0, top)], axis=1
        )
        outer[[1, 5], 1] = top
        outer[1:6, 0] = np.linspace(half, -half, 5)
    stones = []
    for k in range(6):
        outline = [inner[k], outer[k], outer[k + 1], inner[k + 1]]
        stones.append(prism(outline, deep).placed([0, deep / 2, 0], rotation_x(np.pi / 2)))
    return stones


def star(rng: np.random.Generator) -> list[Solid]:
    """A star that lies flat."""
    points, radius, thick = int(rng.integers(4, 7)), rng.uniform(0.035, 0.05), rng.uniform(0.015, 0.028)
    inner = rng.uniform(0.42, 0.6)
    angle = np.pi * np.arange(2 * points) / points
    outline = exact.circle(angle) * radius * np.where(np.arange(2 * points) % 2, inner, 1)[:, None]
    tips = [
        np.array([[0, 0], outline[k - 1], outline[k], outline[(k + 1) % len(outline)]]) for k in range(0, 2 * points, 2)
    ]
    return [prism(outline, thick, pieces=tips)]


def dumbbell(rng: np.random.Generator) -> list[Solid]:
    """A dumbbell: discs, balls or hexagons at both ends of a bar."""
    length, grip, weight = rng.uniform(0.09, 0.15), rng.uniform(0.008, 0.012), rng.uniform(0.02, 0.032)
    wide, kind = rng.uniform(0.02, 0.035), rng.integers(3)
    side = rotation_y(np.pi / 2)
    rod = bar([[-length / 2, 0, 0], [length / 2, 0, 0]], grip, 8, 1, str(rng.choice(["trim", "metal"])))
    ends = []
    for place in (-length / 2, length / 2):
        if kind == 0:
            ends.append(ellipsoid([weight] * 3, [place, 0, 0], 10))
        else:
            rim, sides = 0.85 * weight, 12 if kind == 1 else 6
            disc = turned([[0, -wide / 2], [rim, -wide / 2], [weight, -0.3 * wide], [weight, 0.3 * wide],
                           [rim, wide / 2], [0, wide / 2]], sides)  # fmt: skip
            ends.append(disc.placed([place, 0, 0], exact.product(side, rotation_z(np.pi / sides))))  # a flat side down
    return [rod, *ends]


def chess_piece(rng: np.random.Generator) -> list[Solid]:
    """A chess piece: a pawn, a rook or a bishop."""
    radius, height = rng.uniform(0.018, 0.028), rng.uniform(0.055, 0.1)
    stem, collar = rng.uniform(0.38, 0.5) * radius, 0.7 * radius
    foot: list[list[float]] = [
        [0, 0],
        [radius, 0],
        [radius, 0.08 * height],
        [0.8 * radius, 0.14 * height],
        [stem, 0.3 * height],
    ]
    kind, neck = rng.integers(3), 0.62 * height
    if kind == 0:
        body = turned([*foot, [stem, neck], [collar, neck + 0.004], [collar, neck + 0.008], [0, neck + 0.01]], 14,
                      [0.2 * height, 0.95 * neck])  # fmt: skip
        head = rng.uniform(0.6, 0.75) * radius
        return [body, ellipsoid([head] * 3, [0, 0, neck + 0.008 + 0.85 * head], 12)]
    if kind == 1:
        body = turned([*foot, [1.1 * stem, neck], [0.75 * radius, 0.75 * height], [0.75 * radius, height],
                       [0.5 * radius, height], [0.5 * radius, 0.88 * height], [0, 0.88 * height]], 14,
                      [0.2 * height, 0.95 * neck])  # fmt: skip
        return [body]
    body = turned([*foot, [stem, neck], [collar, neck + 0.003], [0.5 * collar, neck + 0.008],
                   [0.75 * collar, 0.78 * height], [0.3 * collar, 0.95 * height], [0.3 * collar, height],
                   [0, height]], 14,
                  [0.2 * height, 0.95 * neck, neck + 0.008], crease_rad=1.0)  # fmt: skip
    return [body]


def car(rng: np.random.Generator) -> list[Solid]:
    """A toy car: body, cabin with windows, four wheels."""
    length, wide, low = rng.uniform(0.08, 0.13), rng.uniform(0.038, 0.052), rng.uniform(0.016, 0.024)
    wheel = rng.uniform(0.009, 0.014)
    floor = 0.7 * wheel
    body = prism(rounded(length / 2, wide / 2, 0.25 * wide), low).placed([0, 0, floor])
    nose, tail = rng.uniform(0.12, 0.3), rng.uniform(0.02, 0.25)
    high, rake = rng.uniform(0.8, 1.2) * low, rng.uniform(0.05, 0.12) * length
    front, back = (0.5 - nose) * length, (-0.5 + tail) * length
    side = [[back, 0], [front, 0], [front - rake, high], [back + 0.5 * rake, high]]
    inside = 0.86 * wide
    cabin = prism(side, inside, "glass").placed([0, inside / 2, floor + low], rotation_x(np.pi / 2))
    roof = [(back + front) / 2 - 0.25 * rake, 0, floor + low + high]
    top = block([front - back - 1.3 * rake, inside, 0.005], roof)
    parts = [body, cabin, top]
    for x in (-0.3 * length, 0.3 * length):
        for y in (-1, 1):
            tyre = turned([[0, -0.005], [wheel, -0.005], [wheel, 0.005], [0, 0.005]], 10, (), "tread")
            parts.append(tyre.placed([x, y * (wide / 2 - 0.001), wheel], rotation_x(np.pi / 2)))
    return parts


def _eyes(center: ArrayLike, out: float, up: float, apart: float, size: float) -> list[Solid]:
    """Two dark eyes before (−y) a head."""
    places = [np.add(center, [side * apart, -out, up]) for side in (-1, 1)]
    return [ellipsoid([size] * 3, place, 4, "asphalt").ghost() for place in places]


def duck(rng: np.random.Generator) -> list[Solid]:
    """A bath duck."""
    size = rng.uniform(0.028, 0.037)
    long, head = rng.uniform(1.15, 1.4), rng.uniform(0.6, 0.75) * size
    polar = np.linspace(-0.3, 0.5, 7) * np.pi  # an egg that sits on a flat bottom
    egg = np.column_stack([exact.cos(polar), 0.78 * (exact.sin(polar) + exact.sin(0.3 * np.pi))])
    egg[-1, 0] = 0
    body = turned(size * np.array([[0, 0], *egg]), 12).placed(scale=[1, long, 1])
    up, ahead = rng.uniform(1.75, 2.1) * size, -0.62 * long * size
    skull = ellipsoid([head] * 3, [0, ahead, up], 10)
    tail = bar(np.array([[0, 0.6, 0.9], [0, 1.0, 1.2], [0, 1.22, 1.55]]) * size * [1, long, 1],
               np.array([0.4, 0.28, 0.05]) * size, 6)  # fmt: skip
    beak = ellipsoid([0.5 * head, 0.55 * head, 0.2 * head], [0, ahead - 1.15 * head, up - 0.1 * head], 8, "beak")
    return [body, skull, tail, beak, *_eyes([0, ahead, up], 0.78 * head, 0.35 * head, 0.45 * head, 0.14 * head)]


def bear(rng: np.random.Generator) -> list[Solid]:
    """A sitting teddy bear."""
    size = rng.uniform(0.03, 0.038)
    belly, head = ellipsoid([size, 0.85 * size, 1.1 * size], [0, 0, 1.05 * size], 10), rng.uniform(0.78, 0.92) * size
    up = 2.0 * size + 0.7 * head
    skull = ellipsoid([1.05 * head, 0.95 * head, 0.95 * head], [0, 0, up], 10)
    snout = ellipsoid([0.45 * head, 0.45 * head, 0.38 * head], [0, -0.85 * head, up - 0.22 * head], 6, "trim")
    nose = ellipsoid([0.15 * head, 0.12 * head, 0.1 * head], [0, -1.28 * head, up - 0.12 * head], 4, "asphalt").ghost()
    parts = [belly, skull, snout, nose, *_eyes([0, 0, up], 0.82 * head, 0.25 * head, 0.38 * head, 0.11 * head)]
    ear, limb = rng.uniform(0.36, 0.5) * head, rng.uniform(0.36, 0.45) * size
    for side in (-1, 1):
        parts.append(ellipsoid([ear, 0.5 * ear, ear], [side * 0.8 * head, 0.1 * head, up + 0.75 * head], 6))
        arm = ellipsoid([limb, limb, 0.95 * size], [0, 0, 0], 8)
        parts.append(
            arm.placed(
                [side * 1.05 * size, -0.4 * size, 1.25 * size], exact.product(rotation_y(-side * 0.5), rotation_x(-0.7))
            )
        )
        parts.append(ellipsoid([1.15 * limb, size, 1.05 * limb], [side * 0.62 * size, -0.85 * size, 1.05 * limb], 8))
    return parts


def house(rng: np.random.Generator) -> list[Solid]:
    """A toy house: walls, a gabled roof, a chimney."""
    x, y, z = rng.uniform(0.05, 0.07), rng.uniform(0.045, 0.065), rng.uniform(0.035, 0.06)
    rise, eaves = rng.uniform(0.4, 0.8) * y, rng.uniform(0.003, 0.008)
    walls = block([x, y, z], [0, 0, z / 2])
    gable = [[-y / 2 - eaves, 0], [y / 2 + eaves, 0], [0, rise]]
    turn = np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]])  # the prism's axis along x, its outline in yz
    roof = replace(prism(gable, x + 2 * eaves, "trim").placed([-x / 2 - eaves, 0, z], turn))
    door = block([0.26 * x, 0.002, 0.5 * z], [0.1 * x, -y / 2, 0.25 * z], "trim").ghost()
    parts = [walls, roof, door]
    if rng.random() < 0.6:
        side, top = 0.18 * y, z + rise
        parts.append(block([side, side, 0.7 * rise], [0.25 * x, 0.2 * y, top - 0.25 * rise]))
    return parts


def tree(rng: np.random.Generator) -> list[Solid]:
    """A toy fir: cones on a trunk."""
    radius, tiers, tall = rng.uniform(0.026, 0.036), int(rng.integers(2, 4)), rng.uniform(0.03, 0.04)
    base = 0.022
    parts = [turned([[0, 0], [0.45 * radius, 0], [0.25 * radius, 0.008], [0.25 * radius, base + 0.004],
                     [0, base + 0.004]], 10, (), "trim")]  # fmt: skip
    for tier in range(tiers):
        wide = radius * (1 - 0.24 * tier)
        low = base + 0.62 * tall * tier
        parts.append(turned([[0, low], [wide, low], [0.12 * wide, low + tall], [0, low + tall]], 12))
    return parts


def pear(rng: np.random.Generator) -> list[Solid]:
    """A pear or an apple with its stalk."""
    radius = rng.uniform(0.028, 0.037)
    if rng.random() < 0.5:
        shape = [[0, 0.1], [0.4, 0.0], [0.85, 0.35], [1.0, 0.85], [0.85, 1.35], [0.5, 1.62], [0.2, 1.6], [0, 1.45]]
        stretch, top = rng.uniform(0.9, 1.1), 1.45
    else:
        shape = [
            [0, 0.05],
            [0.5, 0.0],
            [0.92, 0.4],
            [1.0, 0.85],
            [0.78, 1.4],
            [0.48, 1.9],
            [0.36, 2.25],
            [0.15, 2.42],
            [0, 2.4],
        ]
        stretch, top = rng.uniform(0.9, 1.15), 2.38
    profile = np.array(shape) * [radius, radius * stretch]
    fruit = turned(profile, 14, [1.3 * radius * stretch] if top > 2 else (), crease_rad=1.6)
    stalk = np.array([[0, 0, top - 0.05], [0.05, 0, top + 0.25], [0.2, 0, top + 0.5]]) * [radius, 1, radius * stretch]
    return [fruit, bar(stalk, 0.002, 5, 1, "bark").ghost()]


def banana(rng: np.random.Generator) -> list[Solid]:
    """A banana on its side."""
    bend, radius, thick = rng.uniform(0.9, 1.4), rng.uniform(0.055, 0.08), rng.uniform(0.013, 0.018)
    angle = np.linspace(-bend, bend, 9)
    path = radius * np.stack([exact.sin(angle), 1 - exact.cos(angle), np.zeros(9)], axis=1)
    girth = thick * np.array([0.3, 0.62, 0.9, 1.0, 1.03, 1.0, 0.88, 0.4, 0.28])
    return [bar(path, girth, 6, 2)]


def mushroom(rng: np.random.Generator) -> list[Solid]:
    """A mushroom: a cap on a stem."""
    radius, height = rng.uniform(0.026, 0.042), rng.uniform(0.035, 0.065)
    stem, dome = rng.uniform(0.3, 0.5) * radius, rng.uniform(0.6, 1.1) * radius
    stalk = turned([[0, 0], [1.15 * stem, 0], [stem, 0.3 * height], [0.9 * stem, height], [0, height]], 12, (), "trim")
    polar = np.linspace(0, np.pi / 2, 5)
    over = np.column_stack([radius * exact.cos(polar), height + dome * exact.sin(polar)])
    over[-1, 0] = 0
    cap = turned([[0, height - 0.003], [0.9 * radius, height - 0.006], *over], 14, crease_rad=0.9)
    return [stalk, cap]
