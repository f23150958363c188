"""Kitchens and bathrooms: counters, appliances, sanitary ware."""

import numpy as np

from embodied_ssl.envs.world import exact
from embodied_ssl.envs.world.assets import Material
from embodied_ssl.envs.world.geometry.joinery import Joiner, Maker, Skin, face
from embodied_ssl.envs.world.geometry.mesh import extrude, lathe, rotation_x
from embodied_ssl.envs.world.materials import MATERIALS
from embodied_ssl.envs.world.textures.finishes import board, chrome, cloth, dark, family, plain, steel, white, wood

CERAMIC, METAL, WOOD = MATERIALS["ceramic"], MATERIALS["metal"], MATERIALS["wood"]
FACING = rotation_x(np.pi / 2)
HEIGHT, DEPTH = 0.9, 0.6  # of worktops


def _worktop(rng: np.random.Generator) -> Skin:
    return wood(rng) if rng.random() < 0.4 else family("marble", rng, 0.8, 0.3) if rng.random() < 0.6 else dark()


def _base(joiner: Joiner, front: Skin, width: float, doors: int, drawers: bool, depth: float = DEPTH) -> None:
    """A floor cupboard below a worktop. Its hull reaches to the worktop."""
    x, y = width / 2, depth / 2
    joiner.block(front, (-x, -y + 0.04, 0.1), (x, y, HEIGHT - 0.04), "bottom top back")
    joiner.block(dark(), (-x, -y + 0.1, 0), (x, y, 0.1), "top bottom back")
    joiner.hull((-x, -y, 0), (x, y, HEIGHT))
    step = width / doors
    for k in range(doors):
        left = -x + k * step
        top = HEIGHT - 0.05
        if drawers:
            joiner.block(front, (left + 0.006, -y + 0.02, 0.7), (left + step - 0.006, -y + 0.04, top), "back")
            joiner.block(
                chrome(), (left + step / 2 - 0.07, -y, 0.77), (left + step / 2 + 0.07, -y + 0.02, 0.785), "back"
            )
            top = 0.69
        joiner.block(front, (left + 0.006, -y + 0.02, 0.11), (left + step - 0.006, -y + 0.04, top), "back")
        handle = left + (step - 0.06 if k % 2 == 0 else 0.04)
        joiner.block(chrome(), (handle, -y, 0.5), (handle + 0.015, -y + 0.02, 0.66), "back")


def _counter(joiner: Joiner, rng: np.random.Generator) -> Material:
    doors = int(rng.integers(2, 4))
    width = 0.5 * doors
    _base(joiner, board(rng), width, doors, True)
    joiner.block(_worktop(rng), (-width / 2, -0.3, HEIGHT - 0.04), (width / 2, 0.3, HEIGHT))
    joiner.surface(-width / 2 + 0.05, -0.24, width / 2 - 0.05, 0.26, HEIGHT)
    return WOOD


def _sink(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A counter with a sunk basin, a drainer and a tap."""
    width, top, bowl = 1.2, _worktop(rng), steel(rng)
    _base(joiner, board(rng), width, 2, False)
    z, low = HEIGHT, HEIGHT - 0.04
    joiner.block(top, (-0.6, -0.3, low), (-0.35, 0.3, z))
    joiner.block(top, (0.15, -0.3, low), (0.6, 0.3, z))
    joiner.block(top, (-0.35, -0.3, low), (0.15, -0.2, z), "left right")
    joiner.block(top, (-0.35, 0.16, low), (0.15, 0.3, z), "left right")
    deep = z - 0.16
    joiner.panel(bowl, (-0.35, -0.2, deep), (0.5, 0, 0), (0, 0.36, 0))
    joiner.panel(bowl, (-0.35, 0.16, deep), (0.5, 0, 0), (0, 0, 0.16))
    joiner.panel(bowl, (0.15, -0.2, deep), (-0.5, 0, 0), (0, 0, 0.16))
    joiner.panel(bowl, (-0.35, -0.2, deep), (0, 0.36, 0), (0, 0, 0.16))
    joiner.panel(bowl, (0.15, 0.16, deep), (0, -0.36, 0), (0, 0, 0.16))
    joiner.block(chrome(), (0.2, -0.18, z), (0.55, 0.12, z + 0.006), "bottom")
    joiner.tube(
        chrome(), [(-0.1, 0.22, z), (-0.1, 0.22, z + 0.26), (-0.1, 0.12, z + 0.3), (-0.1, 0.04, z + 0.22)], 0.014
    )
    joiner.surface(0.2, -0.2, 0.56, 0.22, HEIGHT + 0.006)
    return METAL


def _stove(joiner: Joiner, rng: np.random.Generator) -> Material:
    """An oven with a glass door, knobs and a hob of four plates."""
    body = white() if rng.random() < 0.5 else steel(rng)
    joiner.solid(body, (-0.3, -0.28, 0.05), (0.3, 0.3, HEIGHT - 0.01), "bottom back")
    joiner.block(dark(), (-0.3, -0.3, HEIGHT - 0.01), (0.3, 0.3, HEIGHT + 0.005), "bottom")
    for x, y, radius in ((-0.14, -0.13, 0.09), (0.14, -0.13, 0.07), (-0.14, 0.14, 0.07), (0.14, 0.14, 0.09)):
        joiner.round(steel(rng), (x, y), radius, HEIGHT + 0.005, HEIGHT + 0.015, 7)
    joiner.block(body, (-0.28, -0.31, 0.2), (0.28, -0.28, 0.72), "back")
    joiner.panel(plain(25, 24, 26, gloss=0.6), (-0.21, -0.312, 0.28), (0.42, 0, 0), (0, 0, 0.34))
    joiner.block(chrome(), (-0.24, -0.35, 0.67), (0.24, -0.33, 0.69))
    for k in range(5):
        left = -0.24 + 0.11 * k
        joiner.block(dark(), (left, -0.31, 0.78), (left + 0.04, -0.28, 0.82), "back")
    joiner.surface(-0.24, -0.24, 0.24, 0.24, HEIGHT + 0.015)
    return METAL


def _fridge(joiner: Joiner, rng: np.random.Generator) -> Material:
    skin = white() if rng.random() < 0.6 else steel(rng) if rng.random() < 0.6 else plain(150, 40, 40, gloss=0.3)
    x, height, split = rng.uniform(0.3, 0.38), rng.uniform(1.6, 1.95), rng.uniform(0.55, 0.68)
    joiner.solid(skin, (-x, -0.28, 0.04), (x, 0.32, height), "bottom back")
    joiner.block(dark(), (-x + 0.02, -0.26, 0), (x - 0.02, 0.3, 0.05), "bottom top")
    for low, high in ((0.07, split * height), (split * height + 0.015, height - 0.01)):
        joiner.block(skin, (-x + 0.003, -0.33, low), (x - 0.003, -0.28, high), "back")
        joiner.block(
            chrome(), (x - 0.09, -0.37, low + 0.08), (x - 0.06, -0.33, low + 0.08 + 0.4 * (high - low)), "back"
        )
    return METAL


def _wall_cupboard(joiner: Joiner, rng: np.random.Generator) -> Material:
    """Hangs above a counter: its lower edge is at z = 0."""
    doors = int(rng.integers(2, 4))
    front, x = board(rng), 0.225 * doors
    joiner.block(front, (-x, -0.33, 0), (x, 0, 0.65), "back")
    for k in range(doors):
        left = -x + 0.45 * k
        joiner.block(front, (left + 0.006, -0.35, 0.006), (left + 0.444, -0.33, 0.644), "back")
        joiner.block(chrome(), (left + 0.21, -0.37, 0.04), (left + 0.33, -0.35, 0.055), "back")
    return WOOD


def _hood(joiner: Joiner, rng: np.random.Generator) -> Material:
    """An extractor over a stove: its lower edge is at z = 0."""
    skin = steel(rng)
    joiner.block(skin, (-0.3, -0.45, 0), (0.3, 0, 0.07), "back")
    joiner.block(skin, (-0.14, -0.27, 0.07), (0.14, 0, 0.9), "back bottom")
    return METAL


def _bathtub(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A tub in a panelled box, hollow, with a tap at one end."""
    x, y, height = rng.uniform(0.78, 0.88), rng.uniform(0.36, 0.42), 0.56
    enamel, side = white(), white() if rng.random() < 0.5 else family("tile", rng, 0.6, 0.2)
    joiner.block(side, (-x, -y, 0), (x, y, height - 0.03), "bottom top back")
    joiner.hull((-x, -y, 0), (x, y, height))
    rim, edge = height, 0.07
    outer, floor = np.array([[-x, -y], [x, -y], [x, y], [-x, y]]), 0.16
    inner = outer * [(x - edge) / x, (y - edge) / y]
    deep = inner * [0.85, 0.8]
    for k in range(4):
        a, b = k, (k + 1) % 4
        start, run = outer[a], outer[b] - outer[a]
        joiner.panel(enamel, (*start, rim - 0.04), (*run, 0), (0, 0, 0.04))
        joiner.add(enamel, face((*outer[a], rim), (*outer[b], rim), (*inner[b], rim), (*inner[a], rim)))
        joiner.add(enamel, face((*inner[a], rim), (*inner[b], rim), (*deep[b], floor), (*deep[a], floor)))
    joiner.add(enamel, face(*[(*corner, floor) for corner in deep]))
    joiner.tube(chrome(), [(x - 0.04, 0, rim), (x - 0.04, 0, rim + 0.12), (x - 0.17, 0, rim + 0.1)], 0.018, 5)
    return CERAMIC


def _toilet(joiner: Joiner, rng: np.random.Generator) -> Material:
    ceramic, lid = white(), white() if rng.random() < 0.6 else wood(rng)
    joiner.block(ceramic, (-0.19, 0.18, 0.36), (0.19, 0.36, rng.uniform(0.74, 0.82)), "bottom")
    joiner.block(chrome(), (-0.03, 0.22, 0.8), (0.03, 0.28, 0.83), "bottom")
    bowl = lathe([[0.12, 0], [0.1, 0.15], [0.2, 0.36], [0.2, 0.4], [0, 0.4]], 10, 0.5)
    joiner.add(ceramic, bowl.transformed((0, -0.06, 0), scale=(0.9, 1.25, 1)))
    seat = extrude(
        np.stack([0.19 * exact.cos(np.arange(10) * 0.628), 0.24 * exact.sin(np.arange(10) * 0.628)], axis=1), 0.03
    )
    joiner.add(lid, seat.transformed((0, -0.06, 0.4)))
    if rng.random() < 0.4:
        joiner.block(lid, (-0.18, 0.14, 0.42), (0.18, 0.18, 0.8), "bottom")
    joiner.block(ceramic, (-0.11, 0.05, 0), (0.11, 0.36, 0.37), "bottom top")
    joiner.hull((-0.19, -0.3, 0), (0.19, 0.36, 0.44))
    joiner.hull((-0.19, 0.16, 0.44), (0.19, 0.36, 0.8))
    return CERAMIC


def _washbasin(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A basin on a pedestal or a cupboard, with a tap."""
    x, height = rng.uniform(0.26, 0.36), 0.84
    if rng.random() < 0.5:
        joiner.round(white(), (0, 0.08), 0.09, 0, height - 0.1, 8)
        joiner.hull((-0.1, -0.02, 0), (0.1, 0.22, height - 0.15))
    else:
        front = board(rng)
        joiner.solid(front, (-x + 0.02, -0.18, 0.1), (x - 0.02, 0.23, height - 0.15), "back top")
        for sign in (-1, 1):
            joiner.block(chrome(), (sign * 0.05 - 0.008, -0.2, 0.45), (sign * 0.05 + 0.008, -0.18, 0.6), "back")
    wide = x / 0.23
    bowl = lathe([[0.1, -0.15], [0.22, -0.03], [0.23, 0], [0.2, 0], [0.15, -0.09], [0, -0.1]], 12, 0.5)
    joiner.add(white(), bowl.transformed((0, 0, height), scale=(wide, 1, 1)))
    joiner.block(white(), (-0.8 * x, 0.15, height - 0.1), (0.8 * x, 0.24, height + 0.01), "bottom back")
    joiner.tube(chrome(), [(0, 0.19, height), (0, 0.17, height + 0.14), (0, 0.06, height + 0.12)], 0.014)
    joiner.hull((-x, -0.22, height - 0.15), (x, 0.24, height))
    joiner.surface(-0.7 * x, 0.16, 0.7 * x, 0.23, height + 0.01)
    return CERAMIC


def _shower(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A tray in a corner with framed glass at its open sides, a rail and a head. Walls behind (+y) and left (−x)."""
    x = rng.uniform(0.4, 0.48)
    joiner.solid(white(), (-x, -x, 0), (x, x, 0.12), "bottom")
    frame, pane = chrome(), plain(196, 214, 220, gloss=0.7)
    joiner.posts(frame, [(-x + 0.015, -x + 0.015), (x - 0.015, -x + 0.015), (x - 0.015, x - 0.015)], 0.03, 0.12, 1.95)
    joiner.block(frame, (-x, -x, 1.92), (x, -x + 0.03, 1.95))
    joiner.block(frame, (x - 0.03, -x, 1.92), (x, x, 1.95))
    # Frosted to half height, for there is no glass to look through; the upper half is open to the eye.
    joiner.block(pane, (x - 0.02, -x + 0.03, 0.12), (x - 0.01, x - 0.03, 1.15), "bottom")
    joiner.block(pane, (-x + 0.03, -x + 0.01, 0.12), (0.1 * x, -x + 0.02, 1.15), "bottom")
    joiner.tube(frame, [(0, x - 0.03, 0.9), (0, x - 0.03, 2.0), (0, x - 0.25, 2.05)], 0.012, 4)
    joiner.add(frame, lathe([[0.1, 1.98], [0.02, 2.05]], 8).transformed((0, x - 0.27, 0)))
    joiner.hull((-x, -x, 0.1), (x, -x + 0.03, 1.9))
    joiner.hull((x - 0.03, -x, 0.1), (x, x, 1.9))
    return MATERIALS["glass"]


def _towel_rail(joiner: Joiner, rng: np.random.Generator) -> Material:
    """Bars with a towel; its lower edge is at z = 0."""
    for z in (0.1, 0.4, 0.7):
        joiner.block(chrome(), (-0.3, -0.08, z), (0.3, -0.06, z + 0.02))
    joiner.block(cloth(rng), (-0.24, -0.1, rng.uniform(0.1, 0.3)), (0.1, -0.05, 0.74))
    return MATERIALS["fabric"]


def _washing_machine(joiner: Joiner, rng: np.random.Generator) -> Material:
    joiner.solid(white(), (-0.3, -0.28, 0.02), (0.3, 0.3, 0.85), "bottom back")
    door = lathe([[0.22, 0], [0.2, 0.03], [0.16, 0.035]], 12, 0.5).transformed((0, -0.28, 0.42), FACING)
    glass = lathe([[0.17, 0.02], [0.1, 0.045], [0, 0.05]], 10, 0.5).transformed((0, -0.28, 0.42), FACING)
    joiner.add(chrome(), door)
    joiner.add(plain(40, 46, 54, gloss=0.7), glass)
    joiner.block(dark(), (0.0, -0.285, 0.73), (0.26, -0.28, 0.81), "back")
    joiner.block(plain(190, 190, 190), (-0.27, -0.285, 0.72), (-0.06, -0.28, 0.82), "back")
    joiner.surface(-0.26, -0.24, 0.26, 0.26, 0.85)
    return METAL


def _bath_mat(joiner: Joiner, rng: np.random.Generator) -> Material:
    joiner.block(cloth(rng), (-0.4, -0.27, 0), (0.4, 0.27, 0.015), "bottom")
    return MATERIALS["fabric"]


KITCHEN_BATH: dict[str, Maker] = {
    "counter": _counter,
    "sink": _sink,
    "stove": _stove,
    "fridge": _fridge,
    "wall_cupboard": _wall_cupboard,
    "hood": _hood,
    "bathtub": _bathtub,
    "toilet": _toilet,
    "washbasin": _washbasin,
    "shower": _shower,
    "towel_rail": _towel_rail,
    "washing_machine": _washing_machine,
    "bath_mat": _bath_mat,
}
