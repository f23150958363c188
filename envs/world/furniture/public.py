"""Shops, restaurants and gyms: shelves of goods, tills, bars, machines to train on."""

import numpy as np

from embodied_ssl.envs.world.assets import Material
from embodied_ssl.envs.world.geometry.joinery import Joiner, Maker, prism
from embodied_ssl.envs.world.geometry.mesh import lathe, rotation_x, rotation_y, sphere
from embodied_ssl.envs.world.materials import MATERIALS
from embodied_ssl.envs.world.textures.finishes import (
    chrome,
    dark,
    family,
    lacquer,
    pale,
    plain,
    print_of,
    steel,
    vivid,
    white,
    wood,
)

WOOD, METAL, PLASTIC, RUBBER = (MATERIALS[name] for name in ("wood", "metal", "plastic", "rubber"))
BOTH = (-1, 1)


def _shop_shelf(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A gondola, 2 m long: goods on four levels on both faces, prices along the edges."""
    x, y, height, frame = 1.0, 0.45, rng.uniform(1.5, 1.9), pale(rng)
    joiner.block(frame, (-x, -y, 0), (x, y, 0.14), "bottom")
    joiner.block(frame, (-x, -0.02, 0.14), (x, 0.02, height), "bottom")
    joiner.hull((-x, -y, 0), (x, y, height))
    levels = 4
    rise = (height - 0.1) / levels
    strip = vivid(rng)
    for k in range(levels):
        z, reach = 0.14 + k * rise, y - 0.03 * k
        if k:
            joiner.block(frame, (-x, -reach, z - 0.03), (x, reach, z), "left right front back")
        for side in BOTH:
            joiner.panel(strip, (-side * x, -side * reach, z - 0.035), (2 * side * x, 0, 0), (0, 0, 0.04))
            start, depth, front = rng.uniform(0, 1), 0.24, -side * (reach - 0.04)
            goods = print_of("goods", rng)
            tall = rise * rng.uniform(0.7, 0.86)
            joiner.panel(goods, (-side * x, front, z), (2 * side * x, 0, 0), (0, 0, tall), (start, 0, start + 2, 1))
            joiner.panel(
                goods,
                (-side * x, front, z + 0.55 * tall),
                (2 * side * x, 0, 0),
                (0, side * depth, 0),
                (start, 0.45, start + 2, 0.6),
            )
    return METAL


def _wall_goods(joiner: Joiner, rng: np.random.Generator) -> Material:
    """Shelves of goods for a wall, or a lit cooler of bottles."""
    x, y, height = 0.75, 0.3, 2.0
    cooler = rng.random() < 0.4
    frame = white() if cooler else pale(rng)
    for side in BOTH:
        left, right = sorted((side * x, side * (x - 0.04)))
        joiner.block(frame, (left, -y, 0), (right, y, height), "bottom back")
    joiner.block(frame, (-x + 0.04, -y, height - 0.12), (x - 0.04, y, height), "left right back")
    joiner.block(frame, (-x + 0.04, -y, 0), (x - 0.04, y, 0.15), "left right back bottom")
    joiner.panel(frame, (-x + 0.04, y - 0.02, 0.15), (2 * x - 0.08, 0, 0), (0, 0, height - 0.27))
    joiner.hull((-x, -y, 0), (x, y, height))
    for k in range(4):
        z, start = 0.15 + 0.43 * k, rng.uniform(0, 1)
        if k:
            joiner.block(frame, (-x + 0.04, -y + 0.03, z - 0.03), (x - 0.04, y - 0.02, z), "left right back")
        goods = print_of("goods", rng, emission=0.2 if cooler else 0.0)
        cut = (start, 0, start + 1.4, 1)
        joiner.panel(goods, (-x + 0.04, -y + 0.08, z), (2 * x - 0.08, 0, 0), (0, 0, 0.34), cut)
    return METAL


def _fruit_stand(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A sloping table of boxes with fruit."""
    frame, x = wood(rng), 0.8
    joiner.add(frame, prism([(-0.45, 0), (0.45, 0), (0.45, 0.95), (-0.45, 0.6)], 2 * x, frame.tile))
    joiner.hull((-x, -0.45, 0), (x, 0.45, 0.85))
    slope = np.array([0, 0.45, 0.175])
    for row in range(2):
        for k in range(3):
            corner = np.array([-x + 0.03 + 0.52 * k, -0.44, 0.63]) + row * slope
            joiner.panel(print_of("fruit", rng), corner, (0.49, 0, 0), 0.92 * slope, (0, 0, 0.6, 0.55))
            joiner.block(frame, corner + np.array([-0.025, 0, -0.04]), corner + np.array([0, 0.02, 0.05]))
    return WOOD


def _checkout(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A till with a belt and a screen."""
    body = lacquer(rng)
    joiner.solid(body, (-1.0, -0.3, 0), (1.0, 0.3, 0.8), "bottom")
    joiner.block(dark(), (-0.95, -0.24, 0.8), (0.35, 0.14, 0.83), "bottom")
    joiner.block(chrome(), (0.4, -0.28, 0.8), (1.0, 0.28, 0.84), "bottom")
    joiner.block(dark(), (0.45, 0.16, 0.84), (0.5, 0.2, 1.15), "bottom")
    joiner.block(dark(), (0.3, 0.14, 1.1), (0.66, 0.2, 1.36))
    joiner.panel(family("screen", rng, emission=0.4), (0.32, 0.138, 1.12), (0.32, 0, 0), (0, 0, 0.22))
    joiner.surface(-0.9, -0.2, 0.3, 0.1, 0.83)
    return METAL


def _freezer(joiner: Joiner, rng: np.random.Generator) -> Material:
    """An open chest of frozen goods."""
    x, y = 0.9, 0.42
    joiner.block(white(), (-x, -y, 0.05), (x, y, 0.85), "bottom top")
    for side in BOTH:
        low, high = sorted((side * y, side * (y - 0.07)))
        joiner.block(white(), (-x, low, 0.8), (x, high, 0.87))
        left, right = sorted((side * x, side * (x - 0.07)))
        joiner.block(white(), (left, -y + 0.07, 0.8), (right, y - 0.07, 0.87))
    for k in range(3):
        left = -x + 0.07 + 0.587 * k
        joiner.panel(
            print_of("goods", rng, emission=0.15), (left, -y + 0.07, 0.74), (0.57, 0, 0), (0, 0.7, 0), (0, 0, 0.6, 1)
        )
    joiner.block(vivid(rng), (-x - 0.005, -y - 0.005, 0.62), (x + 0.005, y + 0.005, 0.7), "top bottom")
    joiner.hull((-x, -y, 0), (x, y, 0.87))
    return METAL


def _shopping_cart(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A wire basket on wheels: bars, not a net."""
    wire, grip = chrome(), vivid(rng)
    for z, grow in ((0.5, 0.0), (0.72, 0.03), (0.95, 0.06)):
        w, d = 0.22 + grow, 0.36 + grow
        corners = [(-w, -d), (w, -d), (w, d), (-w, d)]
        for k in range(4):
            joiner.tube(wire, [(*corners[k], z), (*corners[(k + 1) % 4], z)], 0.008, 3)
    joiner.block(plain(150, 155, 160, gloss=0.4), (-0.2, -0.34, 0.5), (0.2, 0.34, 0.8), "top")
    joiner.tube(grip, [(-0.26, 0.48, 1.0), (0.26, 0.48, 1.0)], 0.02, 4)
    for sx in BOTH:
        joiner.tube(wire, [(sx * 0.2, -0.3, 0.1), (sx * 0.22, 0.36, 0.3), (sx * 0.26, 0.48, 1.0)], 0.012, 3)
        for sy in BOTH:
            joiner.block(dark(), (sx * 0.2 - 0.02, sy * 0.3 - 0.05, 0), (sx * 0.2 + 0.02, sy * 0.3 + 0.05, 0.1))
    joiner.hull((-0.28, -0.42, 0), (0.28, 0.48, 1.0))
    return METAL


def _bar(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A counter with a thick top, a panelled front and a foot rail. Guests sit at −y."""
    x, body, top = (
        rng.uniform(1.2, 1.6),
        wood(rng),
        wood(rng) if rng.random() < 0.5 else family("marble", rng, 0.8, 0.3),
    )
    joiner.solid(body, (-x, -0.2, 0), (x, 0.3, 1.04), "bottom top")
    joiner.solid(top, (-x - 0.05, -0.34, 1.04), (x + 0.05, 0.34, 1.1))
    for k in range(4):
        left = -x + 0.05 + k * (2 * x - 0.02) / 4
        joiner.block(body, (left, -0.22, 0.2), (left + (2 * x) / 4 - 0.1, -0.2, 0.95), "back")
    joiner.tube(plain(190, 155, 85, gloss=0.5), [(-x, -0.3, 0.2), (x, -0.3, 0.2)], 0.02, 5)
    tap = -0.4 * x
    joiner.round(chrome(), (tap, 0.1), 0.03, 1.1, 1.45, 6)
    joiner.tube(chrome(), [(tap - 0.18, 0.08, 1.42), (tap + 0.18, 0.08, 1.42)], 0.03, 5)
    joiner.surface(-x + 0.1, -0.25, x - 0.1, 0.25, 1.1)
    return WOOD


def _bottle_shelf(joiner: Joiner, rng: np.random.Generator) -> Material:
    """Shelves of bottles behind a bar; their lower edge is at z = 0."""
    frame = wood(rng)
    joiner.panel(plain(150, 160, 165, gloss=0.6), (-0.7, -0.01, 0), (1.4, 0, 0), (0, 0, 0.9))
    for k in range(3):
        joiner.block(frame, (-0.75, -0.2, 0.4 * k), (0.75, 0, 0.4 * k + 0.03), "back")
        if k < 2:
            cut = (rng.uniform(0, 1), 0, 1.4, 1)
            joiner.panel(
                print_of("goods", rng, gloss=0.3), (-0.7, -0.1, 0.4 * k + 0.03), (1.4, 0, 0), (0, 0, 0.34), cut
            )
    return MATERIALS["glass"]


def _booth(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A padded bench with a high back."""
    cover, base = family("leather", rng, 0.4, 0.2) if rng.random() < 0.6 else lacquer(rng), wood(rng)
    x = rng.uniform(0.55, 0.7)
    joiner.solid(base, (-x, -0.22, 0), (x, 0.3, 0.36), "bottom top back")
    joiner.block(cover, (-x, -0.26, 0.36), (x, 0.2, 0.46), "back")
    joiner.add(cover, prism([(0.14, 0.46), (0.3, 0.46), (0.3, 1.1), (0.22, 1.1)], 2 * x, cover.tile))
    joiner.hull((-x, 0.16, 0.36), (x, 0.3, 1.1))
    return WOOD


def _menu_board(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A chalkboard that stands on the floor as an A."""
    for sign in BOTH:
        board = [(-0.3, -sign * 0.22, 0.02), (0.6, 0, 0), (0, sign * 0.2, 0.98)]
        if sign < 0:
            board = [(0.3, 0.22, 0.02), (-0.6, 0, 0), (0, -0.2, 0.98)]
        joiner.panel(print_of("chalkboard", rng), *board)
    for sx in BOTH:
        for sy in BOTH:
            joiner.tube(wood(rng), [(sx * 0.31, sy * 0.225, 0), (sx * 0.31, sy * 0.015, 1.03)], 0.022, 4)
    joiner.hull((-0.32, -0.23, 0), (0.32, 0.23, 1.0))
    return WOOD


def _treadmill(joiner: Joiner, rng: np.random.Generator) -> Material:
    """The runner faces +y."""
    frame, trim = dark(), steel(rng)
    joiner.solid(frame, (-0.38, -0.85, 0.02), (0.38, 0.75, 0.18), "bottom")
    joiner.panel(plain(22, 22, 24), (-0.26, -0.8, 0.182), (0.52, 0, 0), (0, 1.4, 0))
    joiner.block(trim, (-0.37, -0.8, 0.18), (-0.28, 0.6, 0.2), "bottom")
    joiner.block(trim, (0.28, -0.8, 0.18), (0.37, 0.6, 0.2), "bottom")
    for sx in BOTH:
        joiner.tube(trim, [(sx * 0.35, 0.6, 0.15), (sx * 0.35, 0.72, 1.2)], 0.035, 4)
        joiner.tube(dark(), [(sx * 0.35, 0.7, 1.05), (sx * 0.35, 0.2, 0.98)], 0.025, 4)
    joiner.add(frame, prism([(0.6, 1.1), (0.8, 1.2), (0.78, 1.4), (0.68, 1.38)], 0.8, 1.0))
    joiner.panel(family("screen", rng, emission=0.4), (-0.22, 0.605, 1.13), (0.44, 0, 0), (0, 0.07, 0.22))
    joiner.hull((-0.38, 0.55, 0.18), (0.38, 0.8, 1.35))
    return METAL


def _exercise_bike(joiner: Joiner, rng: np.random.Generator) -> Material:
    frame, trim = lacquer(rng), dark()
    for y in (-0.4, 0.45):
        joiner.block(trim, (-0.25, y - 0.04, 0), (0.25, y + 0.04, 0.07))
    disc = [[0, -0.03], [0.24, -0.03], [0.24, 0.03], [0, 0.03]]
    joiner.add(steel(rng), lathe(disc, 12).transformed((0, 0.3, 0.32), rotation_y(np.pi / 2)))
    joiner.tube(frame, [(0, -0.4, 0.05), (0, 0.05, 0.32), (0, 0.45, 0.05)], 0.035, 5)
    joiner.tube(frame, [(0, -0.02, 0.25), (0, -0.18, 0.92)], 0.03, 5)
    joiner.tube(frame, [(0, 0.2, 0.25), (0, 0.34, 1.1)], 0.03, 5)
    joiner.block(trim, (-0.12, -0.32, 0.9), (0.12, -0.06, 0.97))
    joiner.tube(trim, [(-0.25, 0.22, 1.12), (0, 0.36, 1.1), (0.25, 0.22, 1.12)], 0.02, 4)
    joiner.hull((-0.25, -0.44, 0), (0.25, 0.5, 1.1))
    return METAL


def _weight_bench(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A padded bench under a barbell on uprights."""
    pad, frame = (dark() if rng.random() < 0.5 else vivid(rng)), steel(rng)
    joiner.block(pad, (-0.14, -0.7, 0.4), (0.14, 0.6, 0.48))
    joiner.posts(frame, [(0, -0.6), (0, 0.45)], 0.08, 0, 0.4)
    joiner.posts(frame, [(-0.5, 0.5), (0.5, 0.5)], 0.07, 0, 1.1)
    joiner.block(frame, (-0.5, 0.46, 0.1), (0.5, 0.54, 0.16), "left right")
    joiner.tube(chrome(), [(-1.0, 0.44, 1.05), (1.0, 0.44, 1.05)], 0.016, 5)
    disc: list[list[float]] = [[0, 0], [0.21, 0], [0.21, 0.05], [0, 0.05]]
    plates = plain(28, 28, 30) if rng.random() < 0.6 else vivid(rng)
    for x in (-0.87, 0.82):
        joiner.add(plates, lathe(disc, 12).transformed((x, 0.44, 1.05), rotation_y(np.pi / 2)))
    joiner.hull((-0.5, -0.7, 0), (0.5, 0.54, 0.5))
    joiner.hull((-0.95, 0.25, 0.8), (0.95, 0.6, 1.26))
    return METAL


def _dumbbell_rack(joiner: Joiner, rng: np.random.Generator) -> Material:
    frame = dark()
    for sx in BOTH:
        joiner.add(frame, prism([(-0.25, 0), (0.22, 0), (0.22, 1.0), (0.14, 1.0)], 0.06).transformed((sx * 0.85, 0, 0)))
    iron = plain(40, 41, 44, gloss=0.3) if rng.random() < 0.6 else vivid(rng)
    for z, y in ((0.35, -0.1), (0.75, 0.06)):
        joiner.block(frame, (-0.82, y - 0.13, z - 0.06), (0.82, y + 0.13, z))
        for k in range(5):
            x, r = -0.64 + 0.32 * k, 0.06 + 0.006 * k
            for d in BOTH:
                disc = lathe([[0, 0], [r, 0], [r, 0.09], [0, 0.09]], 6).transformed(
                    (x, y + d * 0.12, z + r), rotation_x(d * np.pi / 2)
                )
                joiner.add(iron, disc)
    joiner.hull((-0.88, -0.28, 0), (0.88, 0.22, 1.0))
    return METAL


def _gym_ball(joiner: Joiner, rng: np.random.Generator) -> Material:
    radius = rng.uniform(0.27, 0.36)
    joiner.add(vivid(rng), sphere(radius, 12).transformed((0, 0, radius)))
    joiner.hull((-0.7 * radius, -0.7 * radius, 0), (0.7 * radius, 0.7 * radius, 1.8 * radius))
    return RUBBER


def _gym_mat(joiner: Joiner, rng: np.random.Generator) -> Material:
    joiner.block(vivid(rng), (-0.3, -0.9, 0), (0.3, 0.9, 0.015), "bottom")
    return MATERIALS["foam"]


def _punching_bag(joiner: Joiner, rng: np.random.Generator) -> Material:
    """Hangs from a stand."""
    frame, bag = dark(), family("leather", rng, 0.5, 0.2) if rng.random() < 0.5 else vivid(rng)
    joiner.block(frame, (-0.5, -0.45, 0), (0.5, 0.45, 0.06), "bottom")
    joiner.tube(frame, [(0, 0.4, 0.03), (0, 0.42, 2.1), (0, 0, 2.15)], 0.04, 5)
    joiner.add(bag, lathe([[0, 0.75], [0.17, 0.78], [0.17, 1.75], [0.03, 1.85]], 10))
    joiner.tube(chrome(), [(0, 0, 1.85), (0, 0, 2.15)], 0.012, 3)
    joiner.hull((-0.5, -0.45, 0), (0.5, 0.45, 0.06))
    joiner.hull((-0.17, -0.17, 0.5), (0.17, 0.17, 1.8))
    joiner.hull((-0.05, 0.35, 0), (0.05, 0.46, 2.1))
    return METAL


def _wall_bars(joiner: Joiner, rng: np.random.Generator) -> Material:
    """Rungs to climb."""
    skin = wood(rng)
    joiner.posts(skin, [(-0.45, 0), (0, 0), (0.45, 0)], 0.07, 0, 2.3)
    for z in np.arange(0.2, 2.3, 0.22):
        joiner.block(skin, (-0.45, -0.06, z), (0.45, -0.03, z + 0.035), "left right")
    joiner.hull((-0.48, -0.06, 0), (0.48, 0.035, 2.3))
    return WOOD


def _multi_gym(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A cable tower: a stack of weights in a frame, a seat, a bar overhead."""
    frame, pad = (white() if rng.random() < 0.4 else lacquer(rng)), dark()
    joiner.posts(frame, [(-0.3, 0.4), (0.3, 0.4), (0, -0.5)], 0.08, 0, 2.0)
    joiner.block(frame, (-0.34, 0.36, 1.95), (0.34, 0.44, 2.05))
    joiner.block(frame, (-0.04, -0.55, 1.95), (0.04, 0.4, 2.05), "back")
    for k in range(6):
        joiner.block(pad, (-0.22, 0.34, 0.15 + 0.11 * k), (0.22, 0.46, 0.24 + 0.11 * k))
    joiner.block(pad, (-0.2, -0.45, 0.45), (0.2, 0.0, 0.53))
    joiner.block(pad, (-0.16, -0.52, 0.6), (0.16, -0.45, 1.2))
    joiner.tube(chrome(), [(-0.5, -0.1, 1.72), (-0.25, -0.1, 1.8), (0.25, -0.1, 1.8), (0.5, -0.1, 1.72)], 0.015, 4)
    joiner.tube(dark(), [(0, -0.1, 1.8), (0, -0.1, 1.98)], 0.006, 3)
    joiner.hull((-0.34, -0.55, 0), (0.34, 0.5, 2.0))
    return METAL


PUBLIC: dict[str, Maker] = {
    "shop_shelf": _shop_shelf,
    "wall_goods": _wall_goods,
    "fruit_stand": _fruit_stand,
    "checkout": _checkout,
    "freezer": _freezer,
    "shopping_cart": _shopping_cart,
    "bar": _bar,
    "bottle_shelf": _bottle_shelf,
    "booth": _booth,
    "menu_board": _menu_board,
    "treadmill": _treadmill,
    "exercise_bike": _exercise_bike,
    "weight_bench": _weight_bench,
    "dumbbell_rack": _dumbbell_rack,
    "gym_ball": _gym_ball,
    "gym_mat": _gym_mat,
    "punching_bag": _punching_bag,
    "wall_bars": _wall_bars,
    "multi_gym": _multi_gym,
}
