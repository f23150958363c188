"""Offices, schools and libraries: desks, cabinets, shelves on both sides."""

import numpy as np

from embodied_ssl.envs.world.assets import Material
from embodied_ssl.envs.world.furniture.home import four_legs, make_bookshelf, make_table
from embodied_ssl.envs.world.geometry.joinery import Joiner, Maker, panel, prism
from embodied_ssl.envs.world.geometry.mesh import lathe, rotation_x
from embodied_ssl.envs.world.materials import MATERIALS
from embodied_ssl.envs.world.textures.finishes import (
    board,
    chrome,
    cloth,
    dark,
    family,
    lacquer,
    pale,
    plain,
    print_of,
    steel,
    wood,
)

WOOD, METAL, PLASTIC, CARDBOARD = (MATERIALS[name] for name in ("wood", "metal", "plastic", "cardboard"))


def _desk(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A top, end panels or legs, a drawer unit at one side, a modesty panel at the back (+y)."""
    x, y, height = rng.uniform(0.65, 0.85), rng.uniform(0.34, 0.4), 0.74
    top, frame = wood(rng) if rng.random() < 0.6 else pale(rng), steel(rng)
    joiner.solid(top, (-x, -y, height - 0.03), (x, y, height))
    four_legs(joiner, frame, 2 * x, 2 * y, height - 0.03, 0.05)
    joiner.block(frame, (-x + 0.06, y - 0.06, 0.35), (x - 0.06, y - 0.04, height - 0.03), "left right top")
    side = rng.choice([-1, 1])
    left, right = sorted((side * (x - 0.06), side * (x - 0.45)))
    unit = board(rng)
    joiner.solid(unit, (left, -y + 0.08, 0.05), (right, y - 0.08, height - 0.03), "top bottom")
    for k in range(3):
        z = 0.08 + 0.21 * k
        joiner.block(unit, (left + 0.01, -y + 0.06, z), (right - 0.01, -y + 0.08, z + 0.195), "back")
        joiner.block(dark(), (left + 0.12, -y + 0.045, z + 0.13), (right - 0.12, -y + 0.06, z + 0.145), "back")
    joiner.surface(-x + 0.05, -y + 0.05, x - 0.05, y - 0.05, height)
    return WOOD


def _school_desk(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A pupil's desk with a shelf under the top."""
    x, y, height = rng.choice([0.33, 0.6]), 0.25, 0.72
    top, frame = (wood(rng) if rng.random() < 0.7 else pale(rng)), steel(rng)
    joiner.solid(top, (-x, -y, height - 0.025), (x, y, height))
    four_legs(joiner, frame, 2 * x, 2 * y, height - 0.025, 0.035)
    joiner.block(frame, (-x + 0.04, -y + 0.08, height - 0.14), (x - 0.04, y - 0.03, height - 0.125))
    joiner.surface(-x + 0.05, -y + 0.05, x - 0.05, y - 0.05, height)
    return WOOD


def _reading_table(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A long table with a low screen along its middle."""
    width, depth = rng.uniform(1.8, 2.4), rng.uniform(1.0, 1.2)
    make_table(joiner, rng, width, depth, 0.74)
    if rng.random() < 0.6:
        joiner.block(wood(rng), (-width / 2 + 0.1, -0.02, 0.74), (width / 2 - 0.1, 0.02, 1.0), "bottom")
    return WOOD


def _filing_cabinet(joiner: Joiner, rng: np.random.Generator) -> Material:
    skin, count = lacquer(rng), int(rng.integers(2, 5))
    height = 0.33 * count + 0.04
    joiner.solid(skin, (-0.23, -0.28, 0), (0.23, 0.3, height), "bottom back")
    for k in range(count):
        z = 0.04 + 0.33 * k
        joiner.block(skin, (-0.22, -0.3, z), (0.22, -0.28, z + 0.31), "back")
        joiner.block(chrome(), (-0.07, -0.315, z + 0.2), (0.07, -0.3, z + 0.22), "back")
    joiner.surface(-0.2, -0.25, 0.2, 0.25, height)
    return METAL


def _partition(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A screen between desks."""
    x, height = 0.75, rng.uniform(1.15, 1.45)
    joiner.solid(cloth(rng), (-x, -0.025, 0.08), (x, 0.025, height))
    for sign in (-1, 1):
        joiner.block(steel(rng), (sign * (x - 0.1) - 0.02, -0.16, 0), (sign * (x - 0.1) + 0.02, 0.16, 0.08), "bottom")
    return MATERIALS["fabric"]


def _printer(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A copier that stands on the floor."""
    body, trim = pale(rng), dark()
    joiner.solid(body, (-0.3, -0.3, 0.05), (0.3, 0.3, 0.85), "bottom")
    for k in range(3):
        joiner.block(trim, (-0.27, -0.31, 0.1 + 0.18 * k), (0.27, -0.3, 0.115 + 0.18 * k), "back")
    joiner.block(trim, (-0.3, -0.3, 0.85), (0.3, 0.3, 0.88), "bottom")
    joiner.block(body, (-0.28, -0.26, 0.98), (0.28, 0.28, 1.1))
    joiner.block(body, (-0.28, 0.0, 0.88), (0.28, 0.28, 0.98), "top bottom")
    joiner.panel(family("screen", rng, emission=0.4), (0.06, -0.29, 0.885), (0.2, 0, 0), (0, 0.07, 0.07))
    return PLASTIC


def _water_cooler(joiner: Joiner, rng: np.random.Generator) -> Material:
    joiner.solid(pale(rng), (-0.16, -0.16, 0), (0.16, 0.16, 0.95), "bottom")
    joiner.block(dark(), (-0.11, -0.165, 0.6), (0.11, -0.16, 0.8), "back")
    bottle = [[0.04, 0.95], [0.13, 1.03], [0.13, 1.3], [0, 1.34]]
    joiner.add(plain(120, 170, 215, gloss=0.6), lathe(bottle, 9))
    return PLASTIC


def _paper_bin(joiner: Joiner, rng: np.random.Generator) -> Material:
    joiner.add(lacquer(rng), lathe([[0.1, 0], [0.15, 0.32], [0.14, 0.32], [0.1, 0.05], [0, 0.05]], 9))
    joiner.hull((-0.12, -0.12, 0), (0.12, 0.12, 0.32))
    return PLASTIC


def _stacks(joiner: Joiner, rng: np.random.Generator) -> Material:
    """Library shelves with books on both faces."""
    return make_bookshelf(joiner, rng, 1.0, 0.56, 2.0, 0.04, sides=2)


def _book_cart(joiner: Joiner, rng: np.random.Generator) -> Material:
    frame = lacquer(rng)
    for sign in (-1, 1):
        joiner.block(frame, (sign * 0.42 - 0.012, -0.2, 0.12), (sign * 0.42 + 0.012, 0.2, 1.0))
    for z in (0.2, 0.6):
        joiner.block(frame, (-0.41, -0.2, z), (0.41, 0.2, z + 0.02), "left right")
        cut = (0.1, 0, 0.86, 1)
        joiner.panel(family("books", rng, gloss=0.0), (-0.38, -0.15, z + 0.02), (0.76, 0, 0), (0, 0, 0.26), cut)
        joiner.panel(family("books", rng, gloss=0.0), (0.38, 0.15, z + 0.02), (-0.76, 0, 0), (0, 0, 0.26), cut)
        joiner.panel(plain(205, 195, 175), (-0.38, -0.15, z + 0.24), (0.76, 0, 0), (0, 0.3, 0))
    joiner.posts(dark(), [(sx * 0.38, sy * 0.15) for sx in (-1, 1) for sy in (-1, 1)], 0.05, 0, 0.12)
    joiner.hull((-0.44, -0.2, 0), (0.44, 0.2, 1.0))
    return METAL


def _lectern(joiner: Joiner, rng: np.random.Generator) -> Material:
    skin = wood(rng)
    joiner.solid(skin, (-0.26, -0.2, 0), (0.26, 0.2, 1.05), "bottom")
    top = prism([(-0.28, 1.12), (0.26, 1.02), (0.26, 1.06), (-0.28, 1.16)], 0.64, skin.tile)
    joiner.add(skin, top)
    return WOOD


def _globe(joiner: Joiner, rng: np.random.Generator) -> Material:
    """For a desk."""
    joiner.round(wood(rng), (0, 0), 0.1, 0, 0.03, 7)
    joiner.tube(dark(), [(0, 0, 0.03), (0, 0, 0.08)], 0.015, 4)
    ball = lathe([[0, 0.07], [0.11, 0.11], [0.15, 0.22], [0.11, 0.33], [0, 0.37]], 10, 0.8, 2.0)
    joiner.add(print_of("map", rng), ball)
    return PLASTIC


def _laptop(joiner: Joiner, rng: np.random.Generator) -> Material:
    case = steel(rng)
    joiner.block(case, (-0.17, -0.13, 0), (0.17, 0.11, 0.016), "bottom")
    joiner.panel(print_of("keyboard", rng), (-0.15, -0.06, 0.017), (0.3, 0, 0), (0, 0.15, 0))
    lid = rotation_x(-0.3)
    screen, back = (-0.17, 0, 0), (0.17, 0.008, 0)
    for skin, start, run in ((family("screen", rng, emission=0.4), screen, 0.34), (case, back, -0.34)):
        joiner.add(skin, panel(start, (run, 0, 0), (0, 0, 0.23)).transformed((0, 0.11, 0.016), lid))
    return PLASTIC


def _file_box(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A row of binders, for a desk or a shelf."""
    joiner.panel(family("books", rng, gloss=0.0), (-0.2, -0.12, 0), (0.4, 0, 0), (0, 0, 0.3), (0, 0, 0.4, 1))
    joiner.panel(family("books", rng, gloss=0.0), (0.2, 0.12, 0), (-0.4, 0, 0), (0, 0, 0.3), (0, 0, 0.4, 1))
    side = lacquer(rng)
    joiner.block(side, (-0.2, -0.12, 0), (0.2, 0.12, 0.27), "front back bottom")
    return MATERIALS["paper"]


def _locker(joiner: Joiner, rng: np.random.Generator) -> Material:
    """Three tall lockers with slots and locks."""
    paint = lacquer(rng)
    joiner.solid(paint, (-0.45, -0.22, 0.06), (0.45, 0.25, 1.85), "bottom back")
    for k in range(3):
        left = -0.45 + 0.3 * k
        joiner.block(paint, (left + 0.01, -0.235, 0.08), (left + 0.29, -0.22, 1.83), "back")
        for row in range(2):
            z = 1.6 - 0.06 * row
            joiner.panel(dark(), (left + 0.08, -0.237, z), (0.14, 0, 0), (0, 0, 0.02))
        joiner.block(chrome(), (left + 0.23, -0.255, 0.95), (left + 0.26, -0.235, 1.05), "back")
    joiner.block(dark(), (-0.43, -0.2, 0), (0.43, 0.25, 0.06), "top bottom back")
    return METAL


OFFICE: dict[str, Maker] = {
    "desk": _desk,
    "school_desk": _school_desk,
    "reading_table": _reading_table,
    "filing_cabinet": _filing_cabinet,
    "partition": _partition,
    "printer": _printer,
    "water_cooler": _water_cooler,
    "paper_bin": _paper_bin,
    "stacks": _stacks,
    "book_cart": _book_cart,
    "lectern": _lectern,
    "globe": _globe,
    "laptop": _laptop,
    "file_box": _file_box,
    "locker": _locker,
}
