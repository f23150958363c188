"""Tables, seats, beds and cupboards."""

import numpy as np

from embodied_ssl.envs.world import exact
from embodied_ssl.envs.world.assets import Material
from embodied_ssl.envs.world.geometry.joinery import Joiner, Maker, Skin, prism
from embodied_ssl.envs.world.geometry.mesh import lathe
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
    steel,
    wood,
)

WOOD, METAL, FABRIC = MATERIALS["wood"], MATERIALS["metal"], MATERIALS["fabric"]
CORNERS = ((-1, -1), (1, -1), (1, 1), (-1, 1))


def four_legs(
    joiner: Joiner, skin: Skin, width: float, depth: float, height: float, side: float, inset: float = 0.02
) -> None:
    """Legs at the corners, and a hull for each end frame, so that seats can stand between them."""
    x, y = width / 2 - inset - side / 2, depth / 2 - inset - side / 2
    joiner.posts(skin, [(sx * x, sy * y) for sx, sy in CORNERS], side, 0, height)
    for sign in (-1, 1):
        joiner.hull((sign * x - side / 2, -y, 0), (sign * x + side / 2, y, height))


def make_table(joiner: Joiner, rng: np.random.Generator, width: float, depth: float, height: float) -> Material:
    """A top on four legs with an apron, or on a trestle."""
    top, legs = wood(rng) if rng.random() < 0.8 else lacquer(rng), wood(rng) if rng.random() < 0.6 else steel(rng)
    thick = rng.uniform(0.025, 0.05)
    joiner.solid(top, (-width / 2, -depth / 2, height - thick), (width / 2, depth / 2, height))
    side = rng.uniform(0.045, 0.08)
    four_legs(joiner, legs, width, depth, height - thick, side, rng.uniform(0.01, 0.08))
    if rng.random() < 0.7:
        x, y = width / 2 - 0.1, depth / 2 - 0.1
        joiner.block(legs, (-x, -y, height - thick - 0.08), (x, y, height - thick), "top bottom")
    joiner.surface(-width / 2 + 0.05, -depth / 2 + 0.05, width / 2 - 0.05, depth / 2 - 0.05, height)
    return WOOD


def _table(joiner: Joiner, rng: np.random.Generator) -> Material:
    return make_table(joiner, rng, rng.uniform(1.2, 1.9), rng.uniform(0.75, 0.95), rng.uniform(0.72, 0.76))


def _coffee_table(joiner: Joiner, rng: np.random.Generator) -> Material:
    width, depth, height = rng.uniform(0.8, 1.2), rng.uniform(0.5, 0.65), rng.uniform(0.36, 0.45)
    material = make_table(joiner, rng, width, depth, height)
    joiner.hull((-width / 2, -depth / 2, 0), (width / 2, depth / 2, height))
    return material


def _round_table(joiner: Joiner, rng: np.random.Generator) -> Material:
    """One foot; with a cloth that hangs over the edge, or bare."""
    radius, height = rng.uniform(0.4, 0.5), 0.74
    if rng.random() < 0.5:
        drop, sway = rng.uniform(0.2, 0.4), radius + 0.06
        profile = [[sway, height - drop], [radius + 0.01, height], [0, height]]
        skin = cloth(rng, 0.4)
    else:
        profile = [[0, height - 0.035], [radius, height - 0.035], [radius, height], [0, height]]
        skin = wood(rng)
    joiner.add(skin, lathe(profile, 14, skin.tile))
    foot = steel(rng)
    joiner.round(foot, (0, 0), 0.04, 0.03, height - 0.03, 6)
    joiner.round(foot, (0, 0), 0.24, 0, 0.03, 8)
    joiner.hull((-0.2, -0.2, 0), (0.2, 0.2, 0.1))
    joiner.hull((-0.7 * radius, -0.7 * radius, height - 0.1), (0.7 * radius, 0.7 * radius, height))
    joiner.surface(-0.6 * radius, -0.6 * radius, 0.6 * radius, 0.6 * radius, height)
    return WOOD


def _nightstand(joiner: Joiner, rng: np.random.Generator) -> Material:
    return _drawers(joiner, rng, rng.uniform(0.4, 0.5), 0.4, rng.uniform(0.45, 0.55), 2)


def _chest(joiner: Joiner, rng: np.random.Generator) -> Material:
    return _drawers(joiner, rng, rng.uniform(0.8, 1.2), 0.45, rng.uniform(0.75, 0.95), int(rng.integers(3, 5)))


def _drawers(
    joiner: Joiner, rng: np.random.Generator, width: float, depth: float, height: float, count: int
) -> Material:
    """A carcass on a plinth with drawer fronts and handles."""
    carcass, front, handle = board(rng), board(rng), chrome() if rng.random() < 0.5 else dark()
    x, y = width / 2, depth / 2
    joiner.solid(carcass, (-x, -y, 0.04), (x, y, height), "bottom back")
    rise = (height - 0.08) / count
    for k in range(count):
        z = 0.06 + k * rise
        joiner.block(front, (-x + 0.02, -y - 0.02, z), (x - 0.02, -y, z + rise - 0.02), "back")
        joiner.block(handle, (-0.06, -y - 0.045, z + 0.6 * rise), (0.06, -y - 0.02, z + 0.6 * rise + 0.015), "back")
    joiner.surface(-x + 0.04, -y + 0.04, x - 0.04, y - 0.04, height)
    return WOOD


def _sideboard(joiner: Joiner, rng: np.random.Generator) -> Material:
    return _cupboard(joiner, rng, rng.uniform(1.2, 1.7), 0.42, rng.uniform(0.7, 0.85), int(rng.integers(3, 5)), 0.08)


def _wardrobe(joiner: Joiner, rng: np.random.Generator) -> Material:
    doors = int(rng.integers(2, 4))
    return _cupboard(joiner, rng, 0.5 * doors, 0.58, rng.uniform(1.9, 2.15), doors, 0.06)


def _cupboard(
    joiner: Joiner, rng: np.random.Generator, width: float, depth: float, height: float, doors: int, plinth: float
) -> Material:
    """A carcass with doors."""
    carcass, front, handle = board(rng), board(rng), chrome() if rng.random() < 0.5 else dark()
    x, y = width / 2, depth / 2
    joiner.solid(carcass, (-x, -y, plinth), (x, y, height), "bottom back")
    joiner.block(dark(), (-x + 0.03, -y + 0.03, 0), (x - 0.03, y, plinth), "top bottom back")
    step = width / doors
    for k in range(doors):
        low = -x + k * step
        joiner.block(front, (low + 0.01, -y - 0.02, plinth + 0.01), (low + step - 0.01, -y, height - 0.02), "back")
        edge = low + step - 0.07 if k % 2 == 0 else low + 0.05
        z = 0.5 * height
        joiner.block(handle, (edge, -y - 0.05, z - 0.08), (edge + 0.02, -y - 0.02, z + 0.08), "back")
    if height < 1.2:
        joiner.surface(-x + 0.05, -y + 0.05, x - 0.05, y - 0.05, height)
    return WOOD


def _bookshelf(joiner: Joiner, rng: np.random.Generator) -> Material:
    return make_bookshelf(joiner, rng, rng.uniform(0.8, 1.2), 0.3, rng.uniform(1.7, 2.1), 0.06)


def make_bookshelf(
    joiner: Joiner, rng: np.random.Generator, width: float, depth: float, height: float, empty: float, sides: int = 1
) -> Material:
    """Sides, boards, a back, and rows of books. empty: share of bare rows. sides: 2 = books on both faces."""
    frame, x, y = board(rng), width / 2, depth / 2
    for sign in (-1, 1):
        low, high = min(sign * x, sign * (x - 0.025)), max(sign * x, sign * (x - 0.025))
        joiner.block(frame, (low, -y, 0), (high, y, height), "bottom" if sides == 2 else "bottom back")
    joiner.hull((-x, -y, 0), (x, y, height))
    backs = 0.0 if sides == 2 else y - 0.01
    joiner.panel(frame, (-x, backs, 0), (width, 0, 0), (0, 0, height), (0, 0, width, height))
    if sides == 2:
        joiner.panel(frame, (x, backs, 0), (-width, 0, 0), (0, 0, height), (0, 0, width, height))
    rows = round((height - 0.1) / 0.36)
    rise = (height - 0.1) / rows
    for k in range(rows + 1):
        z = 0.06 + k * rise
        joiner.block(
            frame, (-x + 0.025, -y, z), (x - 0.025, y, z + 0.025), "left right" + (" back" if sides == 1 else "")
        )
        if k < rows and rng.random() >= empty:
            for side in range(sides):
                _books(joiner, rng, x - 0.03, y, z + 0.025, 0.82 * rise, side)
    return WOOD


def _books(joiner: Joiner, rng: np.random.Generator, x: float, y: float, z: float, rise: float, side: int) -> None:
    """One row of books, as their spines and the top edges of their pages."""
    skin, paper = family("books", rng, gloss=0.0), plain(205, 195, 175, gloss=0.0)
    start, sign = rng.uniform(0, 1), 1 if side == 0 else -1
    reach = 2 * x * (1.0 if rng.random() < 0.6 else rng.uniform(0.55, 0.95))
    front = sign * (-y + rng.uniform(0.02, 0.06))
    joiner.panel(skin, (-sign * x, front, z), (sign * reach, 0, 0), (0, 0, rise), (start, 0, start + reach, 1))
    depth = 0.6 * y if side == 1 or y > 0.25 else 0.9 * y
    joiner.panel(paper, (-sign * x, front, z + 0.8 * rise), (sign * reach, 0, 0), (0, sign * depth, 0))


def _tv_stand(joiner: Joiner, rng: np.random.Generator) -> Material:
    return _cupboard(joiner, rng, rng.uniform(1.2, 1.7), 0.42, rng.uniform(0.42, 0.52), int(rng.integers(2, 4)), 0.05)


def _chair(joiner: Joiner, rng: np.random.Generator) -> Material:
    frame = wood(rng) if rng.random() < 0.7 else steel(rng)
    seat = frame if rng.random() < 0.5 else cloth(rng) if rng.random() < 0.6 else lacquer(rng)
    return make_chair(joiner, rng, frame, seat, 0.44, 0.45, rng.uniform(0.84, 0.98))


def _school_chair(joiner: Joiner, rng: np.random.Generator) -> Material:
    seat = plain(*((175, 135, 90), (60, 90, 140), (190, 90, 50), (90, 120, 80))[rng.integers(4)])
    return make_chair(joiner, rng, steel(rng), seat, 0.4, 0.42, 0.76)


def make_chair(
    joiner: Joiner, rng: np.random.Generator, frame: Skin, seat: Skin, width: float, height: float, top: float
) -> Material:
    """A seat on four legs with a back of slats, bars or one panel."""
    x, y, leg = width / 2, 0.21, 0.035
    joiner.block(seat, (-x, -y, height - 0.04), (x, y, height))
    joiner.posts(frame, [(sx * (x - leg), -y + leg) for sx in (-1, 1)], leg, 0, height - 0.04)
    joiner.posts(frame, [(sx * (x - leg / 2), y - leg / 2) for sx in (-1, 1)], leg, 0, top)
    style = rng.integers(3)
    if style == 0:
        joiner.block(seat, (-x + 0.03, y - 0.03, height + 0.14), (x - 0.03, y, top - 0.02))
    else:
        for k in range(3):
            z = height + 0.14 + k * (top - height - 0.2) / 2.4
            joiner.block(frame, (-x + 0.03, y - 0.028, z), (x - 0.03, y - 0.008, z + 0.06), "left right")
    joiner.hull((-x, -y, 0), (x, y, height))
    joiner.hull((-x, y - 0.04, height), (x, y, top))
    return FABRIC if seat is not frame else WOOD


def _stool(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A bar stool."""
    height, seat, leg = rng.uniform(0.68, 0.78), lacquer(rng) if rng.random() < 0.5 else wood(rng), steel(rng)
    joiner.round(seat, (0, 0), 0.18, height - 0.06, height, 10)
    for sx, sy in CORNERS:
        joiner.tube(leg, [(0.19 * sx, 0.19 * sy, 0), (0.1 * sx, 0.1 * sy, height - 0.05)], 0.014, 3)
    joiner.hull((-0.19, -0.19, 0), (0.19, 0.19, height))
    return MATERIALS["plastic"]


def _office_chair(joiner: Joiner, rng: np.random.Generator) -> Material:
    cover, frame = (lacquer(rng, 0.05) if rng.random() < 0.6 else cloth(rng)), dark()
    joiner.block(cover, (-0.24, -0.24, 0.42), (0.24, 0.22, 0.5))
    joiner.block(cover, (-0.22, 0.19, 0.58), (0.22, 0.26, rng.uniform(0.95, 1.15)))
    joiner.block(frame, (-0.04, 0.2, 0.46), (0.04, 0.25, 0.6), "top bottom")
    joiner.round(frame, (0, 0), 0.03, 0.1, 0.42, 5)
    for k in range(5):
        angle = 2 * np.pi * k / 5
        joiner.tube(frame, [(0, 0, 0.11), (0.29 * exact.sin(angle), 0.29 * exact.cos(angle), 0.05)], (0.03, 0.022), 3)
    if rng.random() < 0.6:
        for sx in (-1, 1):
            joiner.block(frame, (sx * 0.27 - 0.03, -0.14, 0.66), (sx * 0.27 + 0.03, 0.12, 0.69))
            joiner.block(frame, (sx * 0.27 - 0.015, -0.03, 0.46), (sx * 0.27 + 0.015, 0.03, 0.66), "top bottom")
    joiner.hull((-0.26, -0.26, 0), (0.26, 0.26, 0.5))
    joiner.hull((-0.22, 0.19, 0.5), (0.22, 0.26, 1.0))
    return FABRIC


def _sofa(joiner: Joiner, rng: np.random.Generator) -> Material:
    return _couch(joiner, rng, int(rng.integers(2, 4)))


def _armchair(joiner: Joiner, rng: np.random.Generator) -> Material:
    return _couch(joiner, rng, 1)


def _couch(joiner: Joiner, rng: np.random.Generator, seats: int) -> Material:
    """A base on feet, arms, a back, a cushion per seat, now and then throw pillows."""
    cover, accent, feet = cloth(rng), cloth(rng), wood(rng)
    arm, seat_width, depth = rng.uniform(0.12, 0.2), rng.uniform(0.58, 0.68), rng.uniform(0.82, 0.92)
    x, y, inner = seats * seat_width / 2 + arm, depth / 2, seats * seat_width / 2
    joiner.posts(feet, [(sx * (x - 0.06), sy * (y - 0.06)) for sx, sy in CORNERS], 0.05, 0, 0.1)
    joiner.solid(cover, (-x, -y, 0.1), (x, y, 0.3))
    back = rng.uniform(0.74, 0.86)
    joiner.add(cover, prism([(y - 0.26, 0.3), (y, 0.3), (y, back), (y - 0.16, back)], 2 * inner, cover.tile))
    joiner.hull((-inner, y - 0.24, 0.3), (inner, y, back))
    rest = rng.uniform(0.56, 0.64)
    for sign in (-1, 1):
        low, high = min(sign * x, sign * inner), max(sign * x, sign * inner)
        joiner.block(cover, (low, -y, 0.3), (high, y, rest), "bottom")
        joiner.hull((low, -y, 0.3), (high, y, rest))
    for k in range(seats):
        left = -inner + k * seat_width
        joiner.block(
            cover, (left + 0.008, -y - 0.02, 0.305), (left + seat_width - 0.008, y - 0.24, 0.44), "bottom back"
        )
        if rng.random() < 0.5:
            pillow = prism([(0.06, 0.44), (0.16, 0.44), (0.26, 0.8), (0.17, 0.82)], 0.4, accent.tile)
            joiner.add(accent, pillow.transformed((left + rng.uniform(0.22, seat_width - 0.22), y - 0.44, 0)))
    joiner.surface(-inner + 0.1, -y + 0.1, inner - 0.1, y - 0.4, 0.44)
    return FABRIC


def _bed(joiner: Joiner, rng: np.random.Generator) -> Material:
    """Head at +y."""
    width, length = float(rng.choice([0.9, 1.2, 1.4, 1.6, 1.8])), 2.05
    frame, sheet = wood(rng) if rng.random() < 0.7 else cloth(rng), pale(rng)
    cover = lacquer(rng, 0.0) if rng.random() < 0.5 else family(("plaid", "stripes")[rng.integers(2)], rng, 0.6, 0.0)
    x, y = width / 2, length / 2
    joiner.solid(frame, (-x, -y, 0.12), (x, y, 0.32), "bottom top")
    joiner.posts(frame, [(sx * (x - 0.05), sy * (y - 0.05)) for sx, sy in CORNERS], 0.08, 0, 0.12)
    joiner.block(frame, (-x, y, 0.1), (x, y + 0.06, rng.uniform(0.85, 1.15)))
    joiner.hull((-x, y, 0), (x, y + 0.06, 0.9))
    joiner.block(sheet, (-x + 0.02, -y + 0.02, 0.32), (x - 0.02, y, 0.5), "bottom back")
    joiner.hull((-x, -y, 0.3), (x, y, 0.52))
    fold = y - rng.uniform(0.55, 0.8)
    joiner.block(cover, (-x - 0.03, -y - 0.03, 0.26), (x + 0.03, fold, 0.54), "bottom")
    joiner.block(sheet, (-x - 0.02, fold - 0.005, 0.45), (x + 0.02, fold + 0.14, 0.55), "bottom")
    heads = 2 if width > 1.3 else 1
    for k in range(heads):
        center = (k - (heads - 1) / 2) * width / 2
        pillow = prism([(0, 0.5), (0.36, 0.5), (0.36, 0.66), (0.2, 0.64)], min(0.65, width / heads - 0.1), 0.3)
        joiner.add(sheet if rng.random() < 0.6 else cover, pillow.transformed((center, y - 0.38, 0)))
    joiner.surface(-x + 0.2, -y + 0.2, x - 0.2, fold - 0.2, 0.54)
    return FABRIC


HOME: dict[str, Maker] = {
    "table": _table,
    "coffee_table": _coffee_table,
    "round_table": _round_table,
    "nightstand": _nightstand,
    "chest": _chest,
    "sideboard": _sideboard,
    "wardrobe": _wardrobe,
    "bookshelf": _bookshelf,
    "tv_stand": _tv_stand,
    "chair": _chair,
    "school_chair": _school_chair,
    "stool": _stool,
    "office_chair": _office_chair,
    "sofa": _sofa,
    "armchair": _armchair,
    "bed": _bed,
}
