"""Objects of the house and the workshop: shapes drawn from a generator, in metres, in the pose in which they rest."""

from dataclasses import replace

import numpy as np

from embodied_ssl.envs.world import exact
from embodied_ssl.envs.world.geometry.mesh import rotation_x, rotation_y, rotation_z
from embodied_ssl.envs.world.geometry.solids import (
    Solid,
    bar,
    block,
    disc,
    ellipsoid,
    prism,
    ring,
    rounded,
    turned,
    vessel,
)


def box(rng: np.random.Generator) -> list[Solid]:
    """A closed carton, or an open tray with a cavity."""
    x, y, z = rng.uniform(0.05, 0.12), rng.uniform(0.035, 0.07), rng.uniform(0.035, 0.11)
    if rng.random() < 0.6:
        return [replace(block([x, y, z], [0, 0, z / 2], fitted=True), fill=0.3)]
    wall, z = rng.uniform(0.003, 0.006), min(z, 0.07)
    return [
        block([x, y, wall], [0, 0, wall / 2]),
        *(block([x, wall, z - wall], [0, side * (y - wall) / 2, (z + wall) / 2], fitted=True) for side in (-1, 1)),
        *(block([wall, y - 2 * wall, z - wall], [side * (x - wall) / 2, 0, (z + wall) / 2]) for side in (-1, 1)),
    ]


def book(rng: np.random.Generator) -> list[Solid]:
    """A closed book that lies on its back."""
    height, width, thick = rng.uniform(0.12, 0.18), rng.uniform(0.08, 0.12), rng.uniform(0.012, 0.04)
    cover = 0.0025
    leaves = block([width - 0.006, height - 0.008, thick - 2 * cover], [0.0, 0, thick / 2], "page").ghost()
    front = block([width, height, cover], [0, 0, thick - cover / 2], "book_cover", fitted=True).ghost()
    back = block([width, height, cover], [0, 0, cover / 2], "book_cover", fitted=True).ghost()
    spine = block([cover, height, thick - 2 * cover], [-(width - cover) / 2, 0, thick / 2], "book_cover").ghost()
    whole = block([width, height, thick], [0, 0, thick / 2]).hulls
    return [replace(leaves, hulls=whole), front, back, spine]


def lamp(rng: np.random.Generator) -> list[Solid]:
    """A table lamp: base, stem, and an open shade that glows."""
    height, base, stem = rng.uniform(0.16, 0.24), rng.uniform(0.03, 0.042), rng.uniform(0.004, 0.007)
    shade_low = rng.uniform(0.52, 0.62) * height
    belly = stem * rng.choice([1.0, 2.5, 4.0])
    pole = turned(
        [[0, 0], [base, 0], [base, 0.008], [0.4 * base, 0.014], [belly, 0.3 * shade_low], [belly, 0.5 * shade_low],
         [stem, 0.8 * shade_low], [stem, 0.9 * height], [0, 0.9 * height]], 12, [0.014], crease_rad=1.0,
    )  # fmt: skip
    wide, narrow = rng.uniform(0.04, 0.055), rng.uniform(0.45, 0.95)
    tall = height - shade_low
    outer = np.array([[wide, 0], [narrow * wide, tall]])
    shade = turned([[0, 0.96 * tall], [wide - 0.003, 0], *outer, [0, tall]], 12, (), "fabric", fill=0.1)
    return [pole, replace(shade, emission=0.35).placed([0, 0, shade_low])]


def hammer(rng: np.random.Generator) -> list[Solid]:
    """A hammer or a mallet that lies on its side: handle along x, head across."""
    length, grip = rng.uniform(0.14, 0.21), rng.uniform(0.009, 0.013)
    head, thick = rng.uniform(0.065, 0.095), rng.uniform(0.013, 0.021)
    along = np.linspace(0, 1, 5)
    path = np.column_stack([length * along, np.zeros(5), np.zeros(5)])
    shaft = bar(path, grip * np.array([1.0, 1.05, 0.85, 0.75, 0.8]), 8, 1, str(rng.choice(["trim", "wood", "wood"])))
    lean = rotation_y(-exact.arcsin((thick - grip) / (0.97 * length)))  # it rests on its head and the end of its handle
    across = rotation_x(np.pi / 2)
    kind = rng.integers(3)
    if kind == 0:  # mallet
        faces = [turned([[0, -head / 2], [0.95 * thick, -head / 2], [thick, -0.4 * head], [thick, 0.4 * head],
                         [0.95 * thick, head / 2], [0, head / 2]], 12)]  # fmt: skip
    else:  # a face to strike with, and a wedge or a ball behind
        neck = 0.65 * thick
        face = turned([[0, -head / 2], [thick, -head / 2], [thick, -0.28 * head], [neck, -0.15 * head],
                       [neck, 0.15 * head], [0, 0.15 * head]], 10, [-0.2 * head])  # fmt: skip
        if kind == 1:
            back = ellipsoid([0.9 * thick] * 3, [0, 0, 0.15 * head + 0.5 * thick], 10)
        else:
            wedge = turned([[0, 0], [1.41 * neck, 0], [0.5 * neck, 0.38 * head], [0, 0.38 * head]], 4)
            back = wedge.placed([0, 0, 0.12 * head], rotation_z(np.pi / 4), [1, 0.8, 1])
        faces = [face, back]
    coat = str(rng.choice(["body", "body", "metal"])) if kind else "body"
    head_parts = [replace(part, coat=coat).placed([0.97 * length, 0, 0], across) for part in faces]
    return [part.placed(rotation=lean) for part in (shaft, *head_parts)]


def brush(rng: np.random.Generator) -> list[Solid]:
    """A brush on its bristles: a paddle with a handle, or a scrubber."""
    length, width, bristle = rng.uniform(0.06, 0.09), rng.uniform(0.022, 0.034), rng.uniform(0.012, 0.022)
    back = rng.uniform(0.009, 0.014)
    paddle = prism(rounded(length / 2, width / 2, 0.45 * width), back).placed([0, 0, bristle])
    tuft = prism(rounded(0.45 * length, 0.42 * width, 0.3 * width), bristle + 0.001, "bristles")
    if rng.random() < 0.3:
        return [paddle, tuft]
    reach, grip = rng.uniform(0.06, 0.1), rng.uniform(0.006, 0.009)
    t = np.linspace(0, 1, 5)
    path = np.column_stack([length / 2 - 0.012 + (reach + 0.012) * t, np.zeros(5), bristle + 0.5 * back + 0.012 * t**2])
    return [paddle, tuft, bar(path, grip * np.array([0.8, 0.65, 0.9, 1.1, 0.7]), 6)]


def candle(rng: np.random.Generator) -> list[Solid]:
    """A candle in its stick."""
    foot, stick = rng.uniform(0.028, 0.04), rng.uniform(0.03, 0.08)
    stem, wax = rng.uniform(0.006, 0.011), rng.uniform(0.009, 0.014)
    holder = turned(
        [[0, 0], [foot, 0], [foot, 0.005], [0.6 * foot, 0.011], [stem, 0.02], [1.5 * stem, 0.5 * stick],
         [stem, 0.8 * stick], [1.5 * wax, stick], [1.5 * wax, stick + 0.009], [0, stick + 0.009]],
        12, [0.014, 0.75 * stick], crease_rad=0.9,
    )  # fmt: skip
    top = stick + rng.uniform(0.04, 0.09)
    stub = turned([[0, stick], [wax, stick], [wax, top], [0.7 * wax, top + 0.003], [0, top + 0.001]], 12, (), "paint")
    wick = bar([[0, 0, top], [0.001, 0, top + 0.008]], 0.0012, 4, 1, "asphalt").ghost()
    return [holder, stub, wick]


def torch(rng: np.random.Generator) -> list[Solid]:
    """A flashlight that lies on its side."""
    length, grip, head = rng.uniform(0.1, 0.16), rng.uniform(0.011, 0.016), rng.uniform(0.019, 0.028)
    cone = rng.uniform(0.68, 0.8) * length
    tube = turned(
        [[0, 0], [0.85 * grip, 0], [grip, 0.004], [grip, cone], [head, cone + 0.018], [head, length],
         [0.85 * head, length], [0, length]], 14, [cone], fill=0.6,
    )  # fmt: skip
    lens = disc(0.8 * head, length - 0.002, length + 0.0015, 12, "glass").ghost()
    knob = block([0.008, 0.008, 0.02], [-grip, 0, 0.55 * length], "trim")
    down = rotation_y(np.pi / 2 - exact.arctan2(head - grip, cone + 0.018))  # it rests on its head and its tail
    return [part.placed(rotation=down) for part in (tube, replace(lens, emission=0.7), knob)]


def _blades(rng: np.random.Generator, radius: float, base: float, height: float) -> list[Solid]:
    """Long leaves that arch outwards from a rosette."""
    leaves = []
    count = int(rng.integers(6, 9))
    for k in range(count):
        turn, reach, rise = 2 * np.pi * (k + 0.3 * rng.random()) / count, rng.uniform(0.6, 1.2), rng.uniform(0.6, 1.0)
        path = np.array([[0.1, 0, -0.15], [0.45, 0, 0.5 * rise], [reach, 0, rise]]) * [1.4 * radius, 1, height]
        blade = bar(path, np.array([0.5, 0.75, 0.08]) * 0.3 * radius, 4, 1, "leaf")
        leaves.append(blade.placed([0, 0, base], rotation_z(turn)).ghost())
    return leaves


def plant(rng: np.random.Generator) -> list[Solid]:
    """A plant in a pot: a rosette of blades, a cactus, or a bush."""
    radius, tall = rng.uniform(0.028, 0.037), rng.uniform(0.045, 0.065)
    flare = rng.uniform(0.65, 0.95)
    pot = turned([[0, 0], [flare * radius, 0], [radius, 0.8 * tall], [1.08 * radius, 0.8 * tall], [1.08 * radius, tall],
                  [0, tall]], 14, fill=0.6)  # fmt: skip
    earth = disc(0.92 * radius, 0.9 * tall, tall + 0.003, 12, "soil").ghost()
    kind, height = rng.integers(3), rng.uniform(0.05, 0.1)
    if kind == 0:
        leaves = _blades(rng, radius, tall, height)
        corners = np.concatenate([leaf.mesh.vertices[[0, 5, 6, 7, 8, 10]] for leaf in leaves])  # root, middle, tip
        return [pot, earth, replace(leaves[0], hulls=(corners,)), *leaves[1:]]
    if kind == 1:
        wide = rng.uniform(0.4, 0.6) * radius
        trunk = ellipsoid([wide, wide, 0.6 * height], [0, 0, tall + 0.5 * height], 10, "leaf")
        side = bar(
            np.array([[0.5, 0, 0.5], [1.9, 0, 0.55], [2.0, 0, 0.9]]) * [wide, 1, height] + [0, 0, tall],
            0.45 * wide, 6, 1, "leaf",
        )  # fmt: skip
        return [pot, earth, trunk, side.placed(rotation=rotation_z(rng.uniform(0, 6.28)))]
    puffs = [ellipsoid([0.8 * radius] * 3, [0, 0, tall + 0.85 * radius], 10, "leaf")]
    for turn in 2 * np.pi * (np.arange(3) + rng.random()) / 3:
        puff, r = rng.uniform(0.5, 0.65) * radius, 0.7 * radius
        place = [r * exact.cos(turn), r * exact.sin(turn), tall + rng.uniform(0.4, 1.2) * radius]
        puffs.append(ellipsoid([puff] * 3, place, 8, "leaf"))
    return [pot, earth, *puffs]


def bucket(rng: np.random.Generator) -> list[Solid]:
    """A pail with its handle up."""
    radius, height, taper = rng.uniform(0.034, 0.045), rng.uniform(0.06, 0.085), rng.uniform(0.68, 0.85)
    rim = 1.06 * radius
    body = vessel(
        [[0, 0], [taper * radius, 0], [radius, 0.9 * height], [rim, 0.92 * height], [rim, height]], 0.003, 0.004
    )
    angle, lean = np.linspace(0, np.pi, 8), rng.uniform(-0.9, 0.9)
    arch = np.column_stack([rim * exact.cos(angle), np.zeros(8), rng.uniform(0.9, 1.3) * rim * exact.sin(angle)])
    wire = bar(arch, 0.002, 5, 3, "metal").placed([0, 0, 0.93 * height], rotation_x(lean))
    return [body, wire]


def bell(rng: np.random.Generator) -> list[Solid]:
    """A hand bell that stands on its mouth."""
    radius, height, grip = rng.uniform(0.028, 0.042), rng.uniform(0.04, 0.065), rng.uniform(0.03, 0.06)
    waist = rng.uniform(0.5, 0.65)
    outer = np.array([[1.0, 0], [0.93, 0.06], [waist + 0.08, 0.35], [waist, 0.75], [0.3, 0.97], [0, 1.0]]) * [
        radius,
        height,
    ]
    inner = np.array([[0, 0.85], [waist - 0.12, 0.7], [0.88, 0.0]]) * [radius, height]
    shell = turned([*inner, *outer], 16, crease_rad=0.9)
    shell = replace(shell, hulls=turned([[0, 0], *outer], 16, [0.3 * height]).hulls)
    knob = grip * rng.uniform(0.1, 0.16)
    stick = turned(
        [[0, height - 0.004], [0.005, height - 0.004], [0.006, height + 0.4 * grip], [knob, height + 0.75 * grip],
         [0.7 * knob, height + grip], [0, height + grip]], 10, (), str(rng.choice(["trim", "wood"])),
    )  # fmt: skip
    return [shell, stick]


def wrench(rng: np.random.Generator) -> list[Solid]:
    """A spanner that lies flat: a ring at one end, a jaw at the other."""
    length, wide, thick = rng.uniform(0.11, 0.18), rng.uniform(0.011, 0.016), rng.uniform(0.008, 0.012)
    shaft = block([length, wide, 0.7 * thick], [0, 0, thick / 2])
    eye, tube = rng.uniform(0.011, 0.016), 0.005
    loop = ring(eye, tube, 8, 6, pieces=1).placed(
        [-length / 2 - 0.6 * eye, 0, thick / 2], scale=[1, 1, thick / (2 * tube)]
    )
    jaw, gap = rng.uniform(0.017, 0.024), rng.uniform(0.35, 0.5)
    angle = np.linspace(gap, 2 * np.pi - gap, 9)
    bow = np.stack([exact.cos(angle), exact.sin(angle), np.zeros(9)], axis=1)
    flat = [1, 1, thick / (0.6 * jaw)]
    fork = bar(0.72 * jaw * bow, 0.3 * jaw, 6, 2).placed([length / 2 + 0.6 * jaw, 0, thick / 2], scale=flat)
    return [shaft, loop, fork]


def clock(rng: np.random.Generator) -> list[Solid]:
    """An alarm clock on two feet, with two bells."""
    radius, thick = rng.uniform(0.032, 0.045), rng.uniform(0.022, 0.034)
    up = radius + 0.012
    case = turned([[0, 0], [0.93 * radius, 0], [radius, 0.004], [radius, thick - 0.002], [0.93 * radius, thick],
                   [0.9 * radius, thick - 0.004], [0, thick - 0.004]], 16, fill=0.4)  # fmt: skip
    dial = disc(0.89 * radius, thick - 0.006, thick - 0.003, 16, "dial").ghost()
    flat = dial.mesh.vertices[:, :2] / (2 * 0.89 * radius) + 0.5
    dial = replace(dial, mesh=replace(dial.mesh, uv=flat.astype(np.float32)), along=False)
    forward = rotation_x(np.pi / 2)
    parts = [part.placed([0, thick / 2, up], forward) for part in (case, dial)]
    bells = rng.random() < 0.8
    for side in (-1, 1):
        out = side * 0.62 * radius
        leg = [[0.7 * out, 0, up - 0.7 * radius], [out, 0, 0.004]]
        skid = [[out, -0.6 * thick, 0.004], [out, 0.6 * thick, 0.004]]
        parts += [bar(leg, 0.004, 5, 1, "trim").ghost(), bar(skid, 0.0042, 6, 1, "trim")]
        if bells:
            place = [side * 0.55 * radius, 0, up + 0.92 * radius]
            parts.append(ellipsoid(np.array([0.42, 0.42, 0.28]) * radius, place, 8, "trim"))
    return parts
