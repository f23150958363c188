"""Warehouses, workshops and garages: racks, pallets, machines, tools."""

import numpy as np

from embodied_ssl.envs.world import exact
from embodied_ssl.envs.world.assets import Material
from embodied_ssl.envs.world.geometry.joinery import Joiner, Maker
from embodied_ssl.envs.world.geometry.mesh import lathe, rotation_y
from embodied_ssl.envs.world.materials import MATERIALS
from embodied_ssl.envs.world.textures.finishes import (
    chrome,
    dark,
    family,
    lacquer,
    plain,
    print_of,
    steel,
    vivid,
    wood,
)

WOOD, METAL, PLASTIC, CARDBOARD = (MATERIALS[name] for name in ("wood", "metal", "plastic", "cardboard"))


def _carton(joiner: Joiner, rng: np.random.Generator, x: float, y: float, z: float, size: tuple[float, ...]) -> None:
    """A closed box with tape along its top and front."""
    wide, deep, high = size
    skin, low, up = (
        family("cardboard", rng, 0.5, 0.0),
        (x - wide / 2, y - deep / 2, z),
        (x + wide / 2, y + deep / 2, z + high),
    )
    joiner.block(skin, low, up, "bottom")
    if rng.random() < 0.7:
        tape = plain(196, 170, 120, gloss=0.3)
        joiner.panel(tape, (x - 0.03, low[1] - 0.002, up[2] - 0.5 * high), (0.06, 0, 0), (0, 0, 0.5 * high))


def _pallet_rack(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A bay with two or three levels of beams and loads of boxes on them."""
    x, y = 1.35, 0.5
    height, levels = rng.uniform(3.4, 4.2), 3
    post = plain(*((35, 70, 140), (60, 90, 70), (110, 112, 118))[rng.integers(3)])
    beam = plain(*((225, 110, 30), (220, 170, 40), (190, 60, 40))[rng.integers(3)])
    joiner.posts(post, [(sx * (x - 0.04), sy * (y - 0.04)) for sx in (-1, 1) for sy in (-1, 1)], 0.08, 0, height)
    for sign in (-1, 1):  # bracing
        left = sign * (x - 0.04)
        for k in range(2):
            z = 0.3 + 1.5 * k
            joiner.tube(post, [(left, -y + 0.05, z), (left, y - 0.05, z + 1.2)], 0.02, 3)
    joiner.hull((-x, -y, 0), (x, y, height))
    for level in range(levels):
        z = 0.12 + level * rng.uniform(1.25, 1.35)
        for sign in (-1, 1):
            joiner.block(
                beam,
                (-x + 0.08, sign * (y - 0.03) - 0.03, z),
                (x - 0.08, sign * (y - 0.03) + 0.03, z + 0.12),
                "left right",
            )
        for side in (-1, 1):
            if rng.random() < 0.85:
                _pallet_load(joiner, rng, side * 0.64, 0.0, z + 0.12, 1.1)
    return METAL


def _pallet_load(joiner: Joiner, rng: np.random.Generator, x: float, y: float, z: float, room: float) -> float:
    """A pallet with boxes or a wrapped load on it; returns how high it reaches."""
    slats = wood(rng)
    joiner.block(slats, (x - 0.58, y - 0.46, z + 0.09), (x + 0.58, y + 0.46, z + 0.13))
    for k in (-1, 0, 1):
        joiner.block(slats, (x + 0.5 * k - 0.06, y - 0.46, z), (x + 0.5 * k + 0.06, y + 0.46, z + 0.09), "bottom top")
    kind, z = rng.random(), z + 0.13
    if kind < 0.25:
        wrap, top = lacquer(rng), z + rng.uniform(0.5, room - 0.25)
        joiner.block(wrap, (x - 0.5, y - 0.42, z), (x + 0.5, y + 0.42, top), "bottom")
        return top
    count = int(rng.integers(1, 3))
    high = rng.uniform(0.3, min(0.45, (room - 0.2) / count))
    for row in range(count):
        for k in (-1, 1):
            if rng.random() < 0.9 or row == 0:
                shift = rng.uniform(-0.02, 0.02)
                _carton(joiner, rng, x + 0.27 * k, y + shift, z + row * high, (0.5, 0.8, high))
    return z + count * high


def _pallet(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A loaded pallet on the floor."""
    joiner.hull((-0.58, -0.46, 0), (0.58, 0.46, _pallet_load(joiner, rng, 0, 0, 0, rng.uniform(0.9, 1.4))))
    return CARDBOARD


def _cartons(joiner: Joiner, rng: np.random.Generator) -> Material:
    """Two or three boxes stacked by the wall."""
    z, size = 0.0, rng.uniform(0.45, 0.6)
    for _ in range(int(rng.integers(1, 4))):
        high = rng.uniform(0.28, 0.42)
        _carton(joiner, rng, rng.uniform(-0.03, 0.03), rng.uniform(-0.03, 0.03), z, (size, 0.8 * size, high))
        z, size = z + high, size * rng.uniform(0.75, 0.95)
    joiner.hull((-0.27, -0.22, 0), (0.27, 0.22, z))
    return CARDBOARD


def _crate(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A wooden crate with battens."""
    skin, batten = wood(rng), wood(rng)
    x, y, height = rng.uniform(0.3, 0.5), rng.uniform(0.3, 0.4), rng.uniform(0.4, 0.75)
    joiner.solid(skin, (-x, -y, 0), (x, y, height), "bottom")
    for z in (0.02, height - 0.1):
        joiner.block(batten, (-x - 0.02, -y - 0.02, z), (x + 0.02, y + 0.02, z + 0.08), "top bottom")
    joiner.surface(-x + 0.05, -y + 0.05, x - 0.05, y - 0.05, height)
    return WOOD


def _barrel(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A steel drum."""
    skin, r = vivid(rng) if rng.random() < 0.7 else steel(rng), 0.29
    profile: list[list[float]] = [
        [0, 0],
        [r, 0],
        [r, 0.28],
        [r + 0.012, 0.3],
        [r, 0.32],
        [r, 0.58],
        [r + 0.012, 0.6],
        [r, 0.62],
        [r, 0.88],
    ]
    joiner.add(skin, lathe([*profile, [r - 0.03, 0.88], [r - 0.03, 0.86], [0, 0.86]], 11, 0.5))
    joiner.hull((-r, -r, 0), (r, r, 0.88))
    joiner.surface(-0.18, -0.18, 0.18, 0.18, 0.86)
    return METAL


def _hand_truck(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A pallet truck: forks forward (−y), a pump and a long handle."""
    skin = plain(*((215, 150, 30), (190, 50, 40), (40, 80, 150))[rng.integers(3)])
    for sign in (-1, 1):
        joiner.block(skin, (sign * 0.19 - 0.08, -0.75, 0.06), (sign * 0.19 + 0.08, 0.35, 0.12))
    joiner.block(skin, (-0.27, 0.35, 0.06), (0.27, 0.5, 0.45))
    joiner.tube(dark(), [(0, 0.48, 0.4), (0, 0.62, 1.1)], 0.022, 4)
    joiner.tube(dark(), [(-0.15, 0.62, 1.1), (0.15, 0.62, 1.1)], 0.02, 4)
    joiner.hull((-0.27, -0.75, 0), (0.27, 0.35, 0.12))
    joiner.hull((-0.27, 0.3, 0), (0.27, 0.62, 1.1))
    return METAL


def _workbench(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A thick top with a vise, a shelf under it, a drawer."""
    x, y, height = rng.uniform(0.8, 1.0), 0.34, 0.88
    top, frame = wood(rng), (wood(rng) if rng.random() < 0.5 else lacquer(rng))
    joiner.block(top, (-x, -y, height - 0.07), (x, y, height))
    joiner.posts(
        frame, [(sx * (x - 0.08), sy * (y - 0.06)) for sx in (-1, 1) for sy in (-1, 1)], 0.09, 0, height - 0.07
    )
    joiner.block(top, (-x + 0.05, -y + 0.05, 0.2), (x - 0.05, y - 0.03, 0.23))
    joiner.block(frame, (-0.2, -y + 0.01, height - 0.22), (0.3, y - 0.02, height - 0.07), "top")
    iron = plain(55, 75, 105, gloss=0.3)
    vise = -x + 0.25
    joiner.block(iron, (vise - 0.07, -y - 0.06, height - 0.02), (vise + 0.07, -y + 0.02, height + 0.12))
    joiner.block(iron, (vise - 0.07, -y + 0.07, height), (vise + 0.07, -y + 0.18, height + 0.12), "bottom")
    joiner.tube(chrome(), [(vise - 0.1, -y - 0.12, height + 0.03), (vise + 0.1, -y - 0.12, height + 0.03)], 0.01, 3)
    joiner.tube(chrome(), [(vise, -y - 0.13, height + 0.04), (vise, -y + 0.1, height + 0.04)], 0.015, 4)
    for k in range(2):
        _carton(joiner, rng, -0.4 + 0.7 * k, 0, 0.23, (0.4, 0.36, 0.26))
    joiner.hull((-x, -y, 0), (x, y, height))
    joiner.surface(-x + 0.45, -y + 0.1, x - 0.08, y - 0.05, height)
    return WOOD


def _tool_board(joiner: Joiner, rng: np.random.Generator) -> Material:
    """Tools on a pegboard; its lower edge is at z = 0."""
    joiner.block(wood(rng), (-0.8, -0.02, 0), (0.8, 0, 0.9), "back front")
    joiner.panel(print_of("toolboard", rng), (-0.8, -0.021, 0), (1.6, 0, 0), (0, 0, 0.9), (0, 0, 1.4, 1))
    return METAL


def _drill_press(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A pillar drill that stands on the floor."""
    paint = plain(*((60, 110, 80), (50, 80, 130), (150, 55, 45))[rng.integers(3)], gloss=0.3)
    joiner.block(paint, (-0.2, -0.28, 0), (0.2, 0.24, 0.06), "bottom")
    joiner.round(chrome(), (0, 0.14), 0.045, 0.06, 1.5, 7)
    joiner.block(dark(), (-0.19, -0.25, 0.85), (0.19, 0.1, 0.9))
    joiner.block(paint, (-0.13, -0.28, 1.32), (0.13, 0.26, 1.62))
    joiner.round(paint, (0, -0.12), 0.07, 1.2, 1.32, 7)
    joiner.round(chrome(), (0, -0.12), 0.016, 1.0, 1.2, 5)
    for k in range(3):
        angle = 2.1 * k
        end = (0.3, -0.12 + 0.18 * exact.cos(angle), 1.42 + 0.18 * exact.sin(angle))
        joiner.tube(dark(), [(0.13, -0.12, 1.42), end], 0.012, 3)
    joiner.hull((-0.2, -0.28, 0), (0.2, 0.24, 1.6))
    return METAL


def _table_saw(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A steel table with a blade and a fence."""
    paint, top = lacquer(rng), family("brushed", rng, 0.6, 0.4)
    joiner.solid(paint, (-0.28, -0.28, 0), (0.28, 0.28, 0.8), "top bottom")
    joiner.solid(top, (-0.5, -0.4, 0.8), (0.5, 0.4, 0.85))
    blade = lathe([[0.13, 0], [0.13, 0.006], [0, 0.006]], 12).transformed((-0.05, 0, 0.85), rotation_y(np.pi / 2))
    other = lathe([[0.13, 0], [0.13, 0.006], [0, 0.006]], 12).transformed((-0.045, 0, 0.85), rotation_y(-np.pi / 2))
    joiner.add(chrome(), blade, other)
    joiner.block(vivid(rng), (0.14, -0.4, 0.85), (0.18, 0.4, 0.92), "bottom")
    joiner.round(dark(), (0, -0.3), 0.05, 0.55, 0.6, 6)
    return METAL


def _tool_cabinet(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A chest of shallow drawers on castors."""
    paint = plain(*((180, 35, 30), (35, 70, 140), (50, 52, 56), (225, 120, 30))[rng.integers(4)], gloss=0.4)
    joiner.solid(paint, (-0.34, -0.22, 0.1), (0.34, 0.24, 0.95), "back")
    for k in range(5):
        z = 0.13 + 0.16 * k
        joiner.block(paint, (-0.32, -0.235, z), (0.32, -0.22, z + 0.145), "back bottom")
        joiner.block(chrome(), (-0.28, -0.25, z + 0.12), (0.28, -0.235, z + 0.135), "back")
    joiner.posts(dark(), [(sx * 0.28, sy * 0.17) for sx in (-1, 1) for sy in (-1, 1)], 0.06, 0, 0.1)
    joiner.surface(-0.3, -0.18, 0.3, 0.2, 0.95)
    return METAL


def _parts_shelf(joiner: Joiner, rng: np.random.Generator) -> Material:
    """Steel shelves with bins and boxes."""
    x, y, height, frame = 0.5, 0.22, 1.9, steel(rng)
    joiner.posts(frame, [(sx * (x - 0.02), sy * (y - 0.02)) for sx in (-1, 1) for sy in (-1, 1)], 0.04, 0, height)
    for z in (0.1, 0.65, 1.2, 1.75):
        joiner.block(frame, (-x, -y, z), (x, y, z + 0.03))
        left = -x + 0.03
        while left < x - 0.25 and z < 1.7:
            wide = rng.uniform(0.2, 0.36)
            if left + wide < x and rng.random() < 0.85:
                low, high = (
                    (left, -y + 0.02, z + 0.03),
                    (left + wide - 0.02, y - 0.04, z + 0.03 + rng.uniform(0.18, 0.36)),
                )
                skin = vivid(rng) if rng.random() < 0.5 else family("cardboard", rng, 0.4, 0.0)
                joiner.block(skin, low, high, "bottom back")
            left += wide
    joiner.hull((-x, -y, 0), (x, y, height))
    return METAL


def _gas_cylinder(joiner: Joiner, rng: np.random.Generator) -> Material:
    profile: list[list[float]] = [[0, 0], [0.115, 0], [0.115, 1.2], [0.08, 1.32], [0.03, 1.36], [0.03, 1.45], [0, 1.45]]
    joiner.add(vivid(rng), lathe(profile, 9, 0.5))
    joiner.hull((-0.115, -0.115, 0), (0.115, 0.115, 1.45))
    return METAL


def _tyres(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A stack of tyres."""
    skin, count = plain(34, 34, 36, gloss=0.05), int(rng.integers(2, 5))
    for k in range(count):
        z = 0.2 * k
        ring = [[0.19, z], [0.31, z], [0.33, z + 0.1], [0.31, z + 0.2], [0.19, z + 0.2], [0.19, z]]
        joiner.add(skin, lathe(ring, 10, 0.3).transformed((rng.uniform(-0.02, 0.02), rng.uniform(-0.02, 0.02), 0)))
    joiner.hull((-0.3, -0.3, 0), (0.3, 0.3, 0.2 * count))
    return MATERIALS["rubber"]


def _ladder(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A stepladder."""
    frame = vivid(rng) if rng.random() < 0.5 else family("brushed", rng, 0.5, 0.4)
    for sign in (-1, 1):
        joiner.tube(frame, [(sign * 0.25, -0.4, 0), (sign * 0.18, 0, 1.6)], 0.025, 4)
        joiner.tube(frame, [(sign * 0.25, 0.4, 0), (sign * 0.18, 0, 1.6)], 0.02, 4)
    for k in range(1, 6):
        y = -0.4 + 0.066 * k
        joiner.block(frame, (-0.22, y - 0.05, 0.27 * k), (0.22, y + 0.05, 0.27 * k + 0.03))
    joiner.hull((-0.26, -0.42, 0), (0.26, 0.42, 0.8))
    joiner.hull((-0.22, -0.2, 0.8), (0.22, 0.2, 1.6))
    return METAL


def _cone(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A traffic cone."""
    joiner.block(plain(30, 30, 32), (-0.17, -0.17, 0), (0.17, 0.17, 0.03), "bottom")
    orange, stripe = plain(235, 95, 30), plain(240, 240, 240)
    joiner.add(orange, lathe([[0.13, 0.03], [0.095, 0.22]], 8))
    joiner.add(stripe, lathe([[0.095, 0.22], [0.065, 0.36]], 8))
    joiner.add(orange, lathe([[0.065, 0.36], [0.025, 0.55], [0, 0.55]], 8))
    joiner.hull((-0.17, -0.17, 0), (0.17, 0.17, 0.55))
    return PLASTIC


TRADE: dict[str, Maker] = {
    "pallet_rack": _pallet_rack,
    "pallet": _pallet,
    "cartons": _cartons,
    "crate": _crate,
    "barrel": _barrel,
    "hand_truck": _hand_truck,
    "workbench": _workbench,
    "tool_board": _tool_board,
    "drill_press": _drill_press,
    "table_saw": _table_saw,
    "tool_cabinet": _tool_cabinet,
    "parts_shelf": _parts_shelf,
    "gas_cylinder": _gas_cylinder,
    "tyres": _tyres,
    "ladder": _ladder,
    "traffic_cone": _cone,
}
