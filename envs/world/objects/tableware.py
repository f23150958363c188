"""Objects of the kitchen and the table: shapes drawn from a generator, in metres, standing on z = 0 or above."""

from dataclasses import replace

import numpy as np

from embodied_ssl.envs.world import exact
from embodied_ssl.envs.world.geometry.mesh import Rows, rotation_z
from embodied_ssl.envs.world.geometry.solids import Solid, bar, ellipsoid, turned, vessel


def handle(reach: float, low: float, high: float, start: float, thickness: float, square: float, coat: str) -> Solid:
    """A loop in the xz plane from (start, low) to (start, high). square: 1 = round, 3 = nearly square."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, 7)
    bow = np.sign(exact.sin(angle)) * exact.power(np.abs(exact.sin(angle)), 1 / square)
    out = start + reach * exact.power(np.abs(exact.cos(angle)), 1 / square)
    z = (low + high) / 2 + (high - low) / 2 * bow
    return bar(np.stack([out, np.zeros(7), z], axis=1), thickness, 6, 3, coat)


def cup(rng: np.random.Generator) -> list[Solid]:
    """A tumbler without a handle, straight, tapered or waisted."""
    height, bottom, flare = rng.uniform(0.06, 0.11), rng.uniform(0.022, 0.03), rng.uniform(1.05, 1.35)
    waist = rng.uniform(-0.12, 0.12)
    t = np.array([0.0, 0.12, 0.5, 1.0])
    radius = bottom * (1 + (flare - 1) * t + waist * exact.sin(np.pi * t))
    radius[0] *= 0.93
    wall = np.column_stack([radius, height * t])
    return [vessel([[0, 0], *wall], rng.uniform(0.002, 0.0035), 0.006)]


def mug(rng: np.random.Generator) -> list[Solid]:
    """A mug with a handle."""
    height, radius = rng.uniform(0.07, 0.1), rng.uniform(0.032, 0.038)
    foot, top = rng.uniform(0.8, 0.97), rng.uniform(0.95, 1.06)
    outer: Rows = [
        [0, 0],
        [foot * radius * 0.94, 0],
        [foot * radius, 0.006],
        [radius, 0.35 * height],
        [top * radius, height],
    ]
    loop = handle(
        rng.uniform(0.022, 0.032), rng.uniform(0.16, 0.28) * height, rng.uniform(0.75, 0.88) * height,
        0.96 * radius, rng.uniform(0.004, 0.006), rng.uniform(1, 2.5), str(rng.choice(["body", "trim"])),
    )  # fmt: skip
    return [vessel(outer, rng.uniform(0.003, 0.0045), 0.006), loop]


def bowl(rng: np.random.Generator) -> list[Solid]:
    """A bowl on a foot: round, or flaring."""
    radius, height, roundness = rng.uniform(0.045, 0.07), rng.uniform(0.032, 0.055), rng.uniform(0.45, 0.8)
    foot = rng.uniform(0.4, 0.55)
    t = np.array([0.0, 0.2, 0.5, 1.0])
    wall = np.column_stack([radius * (foot + (1 - foot) * exact.power(t, roundness)), 0.006 + (height - 0.006) * t])
    outer = [[0, 0], [foot * radius, 0], *wall]
    return [vessel(outer, rng.uniform(0.003, 0.005), 0.009, breaks=[0.006 + 0.5 * (height - 0.006)])]


def plate(rng: np.random.Generator) -> list[Solid]:
    """A plate: a flat middle and a rim that rises."""
    radius, height = rng.uniform(0.055, 0.085), rng.uniform(0.012, 0.022)
    middle = rng.uniform(0.55, 0.72)
    outer: Rows = [[0, 0], [middle * radius, 0], [(middle + 0.1) * radius, 0.5 * height], [radius, height]]
    return [vessel(outer, 0.05 * radius, 0.004, crease_rad=1.0)]


def wine_glass(rng: np.random.Generator) -> list[Solid]:
    """A goblet: foot, stem, and a hollow bowl."""
    height, radius = rng.uniform(0.11, 0.17), rng.uniform(0.026, 0.036)
    stem_top = rng.uniform(0.38, 0.55) * height
    foot, stem = radius * rng.uniform(0.8, 1.0), rng.uniform(0.0035, 0.006)
    knot = stem * rng.uniform(1.0, 2.2)
    pole = turned(
        [[0, 0], [foot, 0], [foot, 0.003], [0.25 * foot, 0.008], [stem, 0.018], [knot, 0.5 * stem_top],
         [stem, 0.7 * stem_top], [1.5 * stem, stem_top + 0.003], [0, stem_top + 0.003]],
        10, [0.012], crease_rad=0.9,
    )  # fmt: skip
    deep, mouth = height - stem_top, rng.uniform(0.75, 1.1)
    outer = np.array([[0, 0], [0.3, 0], [0.8, 0.22], [1.0, 0.55], [mouth, 1.0]]) * [radius, deep]
    cup_of_glass = vessel(outer, 0.0025, 0.1 * deep, 12).placed([0, 0, stem_top])
    return [pole, cup_of_glass]


def bottle(rng: np.random.Generator) -> list[Solid]:
    """A bottle with a shoulder, a neck and a cap."""
    height, radius = rng.uniform(0.13, 0.22), rng.uniform(0.022, 0.034)
    shoulder, neck = rng.uniform(0.5, 0.68) * height, rng.uniform(0.35, 0.5) * radius
    slope = rng.uniform(0.08, 0.18) * height
    waist = rng.uniform(0.85, 1.0)
    body = turned(
        [[0, 0], [0.9 * radius, 0], [radius, 0.006], [waist * radius, 0.5 * shoulder], [radius, shoulder],
         [0.75 * radius + 0.25 * neck, shoulder + 0.55 * slope], [neck, shoulder + slope], [neck, 0.93 * height],
         [0, 0.93 * height]],
        14, [shoulder + 0.8 * slope], fill=0.3,
    )  # fmt: skip
    cap_coat = str(rng.choice(["trim", "metal", "plastic"]))
    cap_base, cap = (0.88 - 0.06 * rng.random()) * height, 1.25 * neck
    lid = turned(
        [[0, cap_base], [cap, cap_base], [cap, height - 0.002], [0.9 * cap, height], [0, height]], 10, (), cap_coat
    )
    return [body, lid]


def can(rng: np.random.Generator) -> list[Solid]:
    """A tin or a drinks can, with a rim at both ends."""
    radius, height = rng.uniform(0.024, 0.037), rng.uniform(0.045, 0.13)
    neck = rng.uniform(0.82, 0.97)
    body = turned(
        [[0, 0], [neck * radius, 0], [radius, 0.007], [radius, height - 0.009], [neck * radius, height - 0.001],
         [0, height - 0.001]], fill=0.8,
    )  # fmt: skip
    rim = neck * radius
    lid = turned(
        [[0, height - 0.004], [rim, height - 0.004], [rim, height], [rim - 0.003, height],
         [rim - 0.004, height - 0.0025], [0, height - 0.0025]], 16, (), "brushed",
    )  # fmt: skip
    return [body, lid]


def jar(rng: np.random.Generator) -> list[Solid]:
    """A wide jar with a lid and a knob, or a screw lid."""
    radius, height = rng.uniform(0.028, 0.037), rng.uniform(0.055, 0.095)
    neck, belly = rng.uniform(0.72, 0.9) * radius, rng.uniform(0.85, 1.0) * radius
    body = turned(
        [[0, 0], [0.85 * belly, 0], [belly, 0.008], [radius, 0.5 * height], [0.97 * radius, 0.75 * height],
         [neck, 0.9 * height], [0, 0.9 * height]], fill=0.5,
    )  # fmt: skip
    coat, lid_radius, top = str(rng.choice(["trim", "wood", "metal"])), 1.1 * neck, height + rng.uniform(0.006, 0.016)
    lid = turned(
        [[0, 0.88 * height], [lid_radius, 0.88 * height], [lid_radius, height], [0.9 * lid_radius, height + 0.003],
         [0, top if rng.random() < 0.5 else height + 0.003]], 16, (), coat,
    )  # fmt: skip
    if rng.random() < 0.5:
        return [body, lid]
    knob = rng.uniform(0.007, 0.011)
    return [body, lid, ellipsoid([knob, knob, knob], [0, 0, height + 0.9 * knob], 8, coat)]


def vase(rng: np.random.Generator) -> list[Solid]:
    """A belly, a neck and a lip; a finger fits in as far as the neck."""
    height, belly = rng.uniform(0.11, 0.2), rng.uniform(0.028, 0.042)
    neck, lip, foot = rng.uniform(0.4, 0.7) * belly, rng.uniform(0.6, 0.95) * belly, rng.uniform(0.5, 0.75) * belly
    at, throat = rng.uniform(0.3, 0.5) * height, rng.uniform(0.68, 0.8) * height
    t = np.linspace(0, 1, 4)[1:]
    ease = (1 - exact.cos(np.pi * t)) / 2
    up = np.column_stack([foot + (belly - foot) * exact.sin(np.pi / 2 * t), at * t])
    over = np.column_stack([belly + (neck - belly) * ease, at + (throat - at) * t])
    outer = [
        [0, 0],
        [foot, 0],
        *up,
        *over,
        [0.5 * (neck + lip) - 0.1 * (lip - neck), 0.5 * (throat + height)],
        [lip, height],
    ]
    return [vessel(outer, 0.0035, throat - 0.01, 14, [at], fill=0.35)]


def teapot(rng: np.random.Generator) -> list[Solid]:
    """A round pot with a lid, a spout and a handle."""
    radius, squat = rng.uniform(0.036, 0.046), rng.uniform(0.75, 1.05)
    height = 2 * radius * squat
    polar = np.linspace(-0.42, 0.42, 7) * np.pi
    wall = np.column_stack([radius * exact.cos(polar), 0.5 * height * (1 + exact.sin(polar) / exact.sin(0.42 * np.pi))])
    body = turned([[0, 0], *wall, [0, height]], 16, [0.5 * height], fill=0.35)
    lid_radius, knob = 0.45 * radius, rng.uniform(0.006, 0.009)
    lid = turned(
        [[0, height - 0.004], [lid_radius, height - 0.004], [lid_radius, height + 0.002], [0, height + 0.012]],
        12,
        (),
        "trim",
    )
    top = ellipsoid([knob, knob, knob], [0, 0, height + 0.01 + 0.7 * knob], 8, "trim")
    reach, rise = rng.uniform(0.03, 0.04), rng.uniform(0.35, 0.6)
    spout = bar(
        np.array([[0.8 * radius, 0, 0.35 * height], [radius + 0.45 * reach, 0, 0.5 * height],
                  [radius + 0.7 * reach, 0, (0.5 + 0.6 * rise) * height], [radius + reach, 0, (0.5 + rise) * height]]),
        [0.011, 0.009, 0.007, 0.006], 8, 2,
    )  # fmt: skip
    loop = handle(
        rng.uniform(0.022, 0.03), 0.25 * height, 0.8 * height, 0.85 * radius, 0.0045, rng.uniform(1, 2), "body"
    ).placed(rotation=rotation_z(np.pi))
    return [body, lid, top, spout, loop]


def pan(rng: np.random.Generator) -> list[Solid]:
    """A small frying pan or a saucepan, with a long handle."""
    radius, height = rng.uniform(0.042, 0.06), rng.uniform(0.02, 0.05)
    bottom = rng.uniform(0.78, 0.96) * radius
    body = vessel([[0, 0], [bottom - 0.003, 0], [bottom, 0.004], [radius, height]], 0.003, 0.004)
    length, thickness, rise = rng.uniform(0.08, 0.12), rng.uniform(0.005, 0.008), rng.uniform(0.0, 0.015)
    root = [0.97 * radius, 0, height - 0.007]
    path = np.array(root) + np.array([[0, 0, 0], [0.3, 0, 0.6], [0.7, 0, 1.0], [1.0, 0, 0.9]]) * [length, 0, rise]
    stick = bar(path, thickness * np.array([0.7, 0.8, 1.1, 0.9]), 6, 1, str(rng.choice(["trim", "wood", "plastic"])))
    return [body, stick]


def spoon(rng: np.random.Generator) -> list[Solid]:
    """A spoon or a ladle on its back: a shallow oval bowl and a curved handle."""
    length, width = rng.uniform(0.12, 0.19), rng.uniform(0.016, 0.026)
    oval, deep = rng.uniform(1.1, 1.6), rng.uniform(0.007, 0.012)
    outer = np.array([[0, 0], [0.45, 0], [0.8, 0.35], [1.0, 1.0]]) * [width, deep]
    shallow = turned([*outer, [0, deep]], 12).hulls  # too shallow for a finger to feel its hollow
    scoop = replace(vessel(outer, 0.0022, 0.002, 12), hulls=shallow).placed(scale=[oval, 1, 1])
    start, arch = oval * width - 0.004, rng.uniform(0.006, 0.02)
    t = np.linspace(0, 1, 6)
    path = np.column_stack(
        [start + (length - start) * t, np.zeros(6), deep * (1 - 0.5 * t) + arch * exact.sin(np.pi * t)]
    )
    flat = 0.55
    shaft = bar(path / [1, 1, flat], rng.uniform(0.0035, 0.005) * (0.8 + 0.6 * t**2), 6, 2).placed(scale=[1, 1, flat])
    return [scoop, shaft]
