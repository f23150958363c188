"""What is fixed to a building: windows, doors, lamps, pictures, boards, curtains, radiators. Their back is at y = 0."""

import numpy as np

from embodied_ssl.envs.world.assets import Material
from embodied_ssl.envs.world.geometry.joinery import Joiner, Maker, Skin
from embodied_ssl.envs.world.geometry.mesh import lathe, rotation_x
from embodied_ssl.envs.world.materials import MATERIALS
from embodied_ssl.envs.world.textures.finishes import (
    chrome,
    cloth,
    dark,
    family,
    lacquer,
    lamp_shade,
    outlook,
    pale,
    plain,
    print_of,
    steel,
    vivid,
    white,
    wood,
)

GLASS, METAL, PLASTIC = MATERIALS["glass"], MATERIALS["metal"], MATERIALS["plastic"]
FACING = rotation_x(np.pi / 2)  # what looked up looks to the front


def frame_of(joiner: Joiner, skin: Skin, x: float, low: float, high: float, side: float, thick: float) -> None:
    """Four bars around a rectangle on the wall, their inner edges at ±x, low and high."""
    for sign in (-1, 1):
        left, right = sorted((sign * x, sign * (x + side)))
        joiner.block(skin, (left, -thick, low - side), (right, 0, high + side), "back")
    joiner.block(skin, (-x, -thick, high), (x, 0, high + side), "back left right")
    joiner.block(skin, (-x, -thick, low - side), (x, 0, low), "back left right")


def picture_on(joiner: Joiner, skin: Skin, x: float, low: float, high: float, y: float) -> None:
    """An image on the wall, facing the front."""
    joiner.panel(skin, (-x, y, low), (2 * x, 0, 0), (0, 0, high - low))


def _window(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A bright pane with bars and a sill; its lower edge is at z = 0."""
    width, height = rng.uniform(0.9, 1.6), rng.uniform(1.1, 1.4)
    frame, x = white() if rng.random() < 0.7 else wood(rng), width / 2
    picture_on(joiner, outlook(rng), x, 0, height, -0.01)
    frame_of(joiner, frame, x, 0, height, 0.06, 0.05)
    for k in range(1, int(rng.integers(2, 4))):
        joiner.block(
            frame, (-x + k * width / 2 - 0.02, -0.035, 0), (-x + k * width / 2 + 0.02, 0, height), "back top bottom"
        )
        if k == 2:
            break
    if rng.random() < 0.5:
        joiner.block(frame, (-x, -0.03, 0.62 * height), (x, 0, 0.66 * height), "back left right")
    joiner.block(frame, (-x - 0.08, -0.14, -0.08), (x + 0.08, 0, -0.05), "back")
    return GLASS


def _wide_window(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A band of panes, as in offices and halls; its lower edge is at z = 0."""
    panes, height = int(rng.integers(3, 5)), rng.uniform(1.2, 1.5)
    x, frame = 0.5 * panes, white() if rng.random() < 0.5 else steel(rng)
    picture_on(joiner, outlook(rng), x, 0, height, -0.01)
    frame_of(joiner, frame, x, 0, height, 0.05, 0.05)
    for k in range(1, panes):
        joiner.block(frame, (-x + k - 0.025, -0.04, 0), (-x + k + 0.025, 0, height), "back top bottom")
    return GLASS


def _door(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A panelled door in its frame."""
    leaf, frame = wood(rng) if rng.random() < 0.5 else lacquer(rng), white() if rng.random() < 0.6 else wood(rng)
    x, top = rng.uniform(0.4, 0.48), rng.uniform(2.0, 2.1)
    joiner.block(leaf, (-x, -0.03, 0), (x, 0, top), "back bottom")
    frame_of(joiner, frame, x, 0.05, top, 0.08, 0.06)
    style = rng.integers(3)
    for z0, z1 in ((0.15, 0.9), (1.05, top - 0.15)) if style == 0 else ((1.2, top - 0.2),) if style == 1 else ():
        pane = outlook(rng) if style == 1 and rng.random() < 0.5 else leaf
        joiner.block(pane, (-x + 0.14, -0.045, z0), (x - 0.14, -0.03, z1), "back")
    knob = chrome() if rng.random() < 0.6 else dark()
    joiner.block(knob, (x - 0.12, -0.09, 1.0), (x - 0.04, -0.06, 1.03))
    joiner.block(knob, (x - 0.075, -0.08, 0.93), (x - 0.045, -0.03, 1.06), "back")
    return MATERIALS["wood"]


def _double_door(joiner: Joiner, rng: np.random.Generator) -> Material:
    """Two leaves with glazed upper halves."""
    leaf, frame = lacquer(rng), steel(rng)
    joiner.block(leaf, (-0.9, -0.03, 0), (0.9, 0, 2.1), "back bottom")
    frame_of(joiner, frame, 0.9, 0.05, 2.1, 0.08, 0.06)
    joiner.block(dark(), (-0.01, -0.034, 0), (0.01, 0, 2.1), "back top bottom left right")
    pane = outlook(rng)
    for sign in (-1, 1):
        joiner.panel(pane, (sign * 0.45 - 0.22, -0.036, 1.1), (0.44, 0, 0), (0, 0, 0.75))
        low, high = sorted((sign * 0.06, sign * 0.1))
        joiner.block(chrome(), (low, -0.08, 0.9), (high, -0.03, 1.2), "back")
    return METAL


def _curtains(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A pair of folded curtains on a rod, 2.2 m high."""
    skin, reach, wide = cloth(rng, 0.5), rng.uniform(0.85, 1.05), rng.uniform(0.3, 0.42)
    folds = 5
    for sign in (-1, 1):
        edge = sign * reach
        xs = np.linspace(edge, edge - sign * wide, folds + 1) if sign < 0 else np.linspace(edge - wide, edge, folds + 1)
        for k in range(folds):
            near, far = (-0.11, -0.05) if k % 2 else (-0.05, -0.11)
            start, step = (xs[k], near, 0.03), (xs[k + 1] - xs[k], far - near, 0)
            joiner.panel(skin, start, step, (0, 0, 2.2), (0.2 * k, 0, 0.2 * k + 0.2, 4.4))
    joiner.block(steel(rng), (-reach - 0.1, -0.09, 2.22), (reach + 0.1, -0.06, 2.25))
    return MATERIALS["fabric"]


def _radiator(joiner: Joiner, rng: np.random.Generator) -> Material:
    skin, count = white(), int(rng.integers(8, 14))
    x = 0.035 * count
    joiner.hull((-x, -0.12, 0.1), (x, 0, 0.62))
    joiner.block(skin, (-x, -0.05, 0.12), (x, 0, 0.6), "back")
    for k in range(count):
        left = -x + 0.07 * k
        joiner.block(skin, (left + 0.012, -0.11, 0.1), (left + 0.058, -0.05, 0.62), "back bottom")
    return METAL


def _ceiling_lamp(joiner: Joiner, rng: np.random.Generator) -> Material:
    """Hangs: its top is at z = 0."""
    drop, radius, shade = rng.uniform(0.3, 0.6), rng.uniform(0.15, 0.25), lamp_shade(rng)
    joiner.block(dark(), (-0.01, -0.01, -drop), (0.01, 0.01, 0), "top bottom")
    if rng.random() < 0.5:
        joiner.add(
            shade,
            lathe([[0, -drop - radius], [0.9 * radius, -drop - 0.5 * radius], [0.9 * radius, -drop], [0, -drop]], 9),
        )
    else:
        joiner.add(shade, lathe([[0, -drop - 0.5 * radius], [radius, -drop - 0.5 * radius]], 9))
        joiner.add(lacquer(rng), lathe([[radius, -drop - 0.5 * radius], [0.05, -drop]], 9))
    return METAL


def _tube_light(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A long lit box under the ceiling: its top is at z = 0."""
    shade = lamp_shade(rng)
    joiner.block(white(), (-0.62, -0.11, -0.05), (0.62, 0.11, 0), "top bottom")
    joiner.panel(shade, (-0.6, 0.09, -0.052), (1.2, 0, 0), (0, -0.18, 0))
    return METAL


def _pendant(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A factory lamp: its top is at z = 0."""
    drop = rng.uniform(0.5, 1.0)
    joiner.block(dark(), (-0.015, -0.015, -drop), (0.015, 0.015, 0), "top bottom")
    joiner.add(steel(rng), lathe([[0.28, -drop - 0.2], [0.06, -drop]], 8))
    joiner.add(lamp_shade(rng), lathe([[0, -drop - 0.19], [0.27, -drop - 0.19]], 8))
    return METAL


def _picture(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A framed painting; its lower edge is at z = 0."""
    x, height = rng.uniform(0.2, 0.5), rng.uniform(0.35, 0.75)
    frame = wood(rng) if rng.random() < 0.5 else dark() if rng.random() < 0.5 else plain(190, 155, 85, gloss=0.4)
    picture_on(joiner, print_of(("landscape", "abstract")[rng.integers(2)], rng), x, 0, height, -0.02)
    frame_of(joiner, frame, x, 0, height, 0.035, 0.03)
    return MATERIALS["paper"]


def _poster(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A notice, chart or map without a frame; its lower edge is at z = 0."""
    x, height = rng.uniform(0.25, 0.4), rng.uniform(0.6, 0.9)
    picture_on(joiner, print_of(("poster", "poster", "map")[rng.integers(3)], rng), x, 0, height, -0.008)
    return MATERIALS["paper"]


def _map(joiner: Joiner, rng: np.random.Generator) -> Material:
    picture_on(joiner, print_of("map", rng), rng.uniform(0.6, 0.85), 0, 1.0, -0.012)
    joiner.block(wood(rng), (-0.85, -0.02, 1.0), (0.85, 0, 1.03), "back")
    return MATERIALS["paper"]


def _clock(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A round clock; its middle is at z = 0."""
    radius = rng.uniform(0.14, 0.2)
    rim = lathe([[radius, 0], [radius, 0.03], [0.92 * radius, 0.035]], 12).transformed(rotation=FACING)
    joiner.add(dark() if rng.random() < 0.5 else vivid(rng), rim)
    half = 0.68 * radius
    picture_on(joiner, print_of("clock", rng), half, -half, half, -0.032)
    disc = lathe([[radius, 0.028], [0, 0.028]], 12).transformed(rotation=FACING)
    joiner.add(plain(238, 238, 236), disc)
    return PLASTIC


def _mirror(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A pane that shows a bright grey; its lower edge is at z = 0."""
    x, height = rng.uniform(0.25, 0.45), rng.uniform(0.6, 0.9)
    picture_on(joiner, plain(185, 198, 205, gloss=0.9, emission=0.1), x, 0, height, -0.012)
    frame_of(joiner, chrome() if rng.random() < 0.6 else wood(rng), x, 0, height, 0.02, 0.02)
    return GLASS


def _tv(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A flat screen on a foot."""
    x, height = rng.uniform(0.45, 0.65), rng.uniform(0.5, 0.7)
    joiner.block(dark(), (-x, -0.03, 0.06), (x, 0.03, 0.1 + height))
    joiner.block(dark(), (-0.2, -0.11, 0), (0.2, 0.11, 0.015), "bottom")
    joiner.block(dark(), (-0.04, -0.02, 0.01), (0.04, 0.02, 0.07), "top bottom")
    lit = rng.random() < 0.6
    skin = print_of("landscape", rng, emission=0.5) if lit else plain(20, 22, 26, gloss=0.7)
    picture_on(joiner, skin, x - 0.02, 0.08, 0.08 + height, -0.032)
    return PLASTIC


def _monitor(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A computer's screen on a foot, with a keyboard before it."""
    x, height, case = rng.uniform(0.24, 0.32), rng.uniform(0.3, 0.36), dark() if rng.random() < 0.7 else pale(rng)
    joiner.block(case, (-x, 0.0, 0.12), (x, 0.04, 0.12 + height))
    picture_on(joiner, family("screen", rng, emission=0.4), x - 0.015, 0.135, 0.105 + height, -0.002)
    joiner.block(case, (-0.03, 0.03, 0.01), (0.03, 0.06, 0.2), "top bottom")
    joiner.block(case, (-0.12, -0.06, 0), (0.12, 0.1, 0.012), "bottom")
    joiner.block(case, (-0.22, -0.32, 0), (0.22, -0.18, 0.012), "bottom")
    joiner.panel(print_of("keyboard", rng), (-0.21, -0.31, 0.0125), (0.42, 0, 0), (0, 0.12, 0))
    return PLASTIC


def _chalkboard(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A board with a ledge, green or black or white; its lower edge is at z = 0."""
    x, height = rng.uniform(1.3, 1.9), 1.15
    skin = print_of("chalkboard" if rng.random() < 0.75 else "whiteboard", rng)
    joiner.panel(skin, (-x, -0.02, 0), (2 * x, 0, 0), (0, 0, height), (0, 0, 2, 1))
    frame_of(joiner, wood(rng) if rng.random() < 0.6 else chrome(), x, 0, height, 0.05, 0.035)
    joiner.block(wood(rng), (-x, -0.12, -0.06), (x, 0, -0.03), "back")
    return MATERIALS["wood"]


def _whiteboard(joiner: Joiner, rng: np.random.Generator) -> Material:
    """Its lower edge is at z = 0."""
    x, height = rng.uniform(0.7, 1.0), 1.0
    picture_on(joiner, print_of("whiteboard", rng, gloss=0.3), x, 0, height, -0.02)
    frame_of(joiner, chrome(), x, 0, height, 0.025, 0.03)
    return METAL


def _roller_door(joiner: Joiner, rng: np.random.Generator) -> Material:
    return _shutter(joiner, rng, rng.uniform(1.4, 1.8), 3.0)


def _garage_door(joiner: Joiner, rng: np.random.Generator) -> Material:
    return _shutter(joiner, rng, rng.uniform(1.2, 1.4), 2.1)


def _shutter(joiner: Joiner, rng: np.random.Generator, x: float, height: float) -> Material:
    """A wide rolling door with rails, a case and a warning strip."""
    joiner.panel(print_of("shutter", rng), (-x, -0.03, 0), (2 * x, 0, 0), (0, 0, height), (0, 0, 1, height))
    rail = steel(rng)
    for sign in (-1, 1):
        left, right = sorted((sign * x, sign * (x + 0.1)))
        joiner.block(rail, (left, -0.09, 0), (right, 0, height + 0.1), "back bottom")
    joiner.block(rail, (-x - 0.15, -0.3, height), (x + 0.15, 0, height + 0.3), "back")
    joiner.panel(family("hazard", rng), (-x, -0.034, 0), (2 * x, 0, 0), (0, 0, 0.14), (0, 0, x / 0.15, 0.5))
    return METAL


def _notice_board(joiner: Joiner, rng: np.random.Generator) -> Material:
    """Cork with papers pinned to it; its lower edge is at z = 0."""
    x, height = rng.uniform(0.6, 0.9), 0.9
    picture_on(joiner, plain(176, 134, 88, gloss=0.0), x, 0, height, -0.015)
    frame_of(joiner, wood(rng), x, 0, height, 0.03, 0.025)
    for left in np.arange(-x + 0.08, x - 0.3, 0.33):
        low = rng.uniform(0.05, 0.45)
        joiner.panel(print_of("poster", rng), (left, -0.02, low), (0.24, 0, 0), (0, 0, 0.34))
    return MATERIALS["paper"]


def _wall_shelf(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A board on two brackets, now and then with books; its lower edge is at z = 0."""
    x, skin = rng.uniform(0.35, 0.6), wood(rng)
    joiner.block(skin, (-x, -0.22, 0), (x, 0, 0.03))
    for sx in (-1, 1):
        joiner.block(dark(), (sx * (x - 0.1) - 0.012, -0.18, -0.12), (sx * (x - 0.1) + 0.012, 0, 0), "top back")
    if rng.random() < 0.5:
        joiner.panel(
            family("books", rng, gloss=0.0), (-x + 0.02, -0.17, 0.03), (0.4, 0, 0), (0, 0, 0.24), (0, 0, 0.4, 1)
        )
        joiner.block(lacquer(rng), (-x + 0.02, -0.168, 0.03), (-x + 0.42, -0.02, 0.22), "front back bottom")
        joiner.surface(-x + 0.46, -0.2, x - 0.03, -0.03, 0.03, 0.5)
    else:
        joiner.surface(-x + 0.03, -0.2, x - 0.03, -0.03, 0.03, 0.5)
    return MATERIALS["wood"]


def _vent(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A duct along the ceiling, 3 m long: its top is at z = 0."""
    skin = family("brushed", rng, 0.6, 0.3)
    mesh = lathe([[0, 0], [0.2, 0], [0.2, 3], [0, 3]], 9, 0.6).transformed((0, 1.5, -0.25), rotation_x(np.pi / 2))
    joiner.add(skin, mesh)
    return METAL


FITTINGS: dict[str, Maker] = {
    "window": _window,
    "wide_window": _wide_window,
    "door": _door,
    "double_door": _double_door,
    "curtains": _curtains,
    "radiator": _radiator,
    "ceiling_lamp": _ceiling_lamp,
    "tube_light": _tube_light,
    "pendant": _pendant,
    "picture": _picture,
    "poster": _poster,
    "map": _map,
    "wall_clock": _clock,
    "mirror": _mirror,
    "tv": _tv,
    "monitor": _monitor,
    "chalkboard": _chalkboard,
    "whiteboard": _whiteboard,
    "roller_door": _roller_door,
    "garage_door": _garage_door,
    "notice_board": _notice_board,
    "wall_shelf": _wall_shelf,
    "vent": _vent,
}
