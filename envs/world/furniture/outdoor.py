"""Streets and yards: cars, trees, lamps, benches, and what is fixed to facades."""

import numpy as np

from embodied_ssl.envs.world import exact
from embodied_ssl.envs.world.assets import Material
from embodied_ssl.envs.world.furniture.fittings import frame_of
from embodied_ssl.envs.world.furniture.vehicles import wheel
from embodied_ssl.envs.world.geometry.joinery import Joiner, Maker, prism, turned
from embodied_ssl.envs.world.geometry.mesh import Mesh, lathe, make_mesh, rotation_x
from embodied_ssl.envs.world.materials import MATERIALS
from embodied_ssl.envs.world.textures.finishes import (
    chrome,
    cloth,
    dark,
    family,
    lacquer,
    lamp_shade,
    plain,
    print_of,
    steel,
    vivid,
    white,
    wood,
)

METAL, STONE, WOOD, LEAF = (MATERIALS[name] for name in ("metal", "stone", "wood", "leaf"))
BOTH = (-1, 1)


def _tree(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A trunk and a crown of leafy lumps, or a cone."""
    bark, leaves = family("bark", rng, 0.6, 0.0), print_of("leaves", rng, 1.2)
    trunk, radius = rng.uniform(1.6, 2.3), rng.uniform(0.09, 0.16)
    joiner.tube(
        bark,
        [(0, 0, -0.05), (0.04, 0.02, 0.5 * trunk), (0, 0.05, trunk + 0.5)],
        (1.4 * radius, radius, 0.6 * radius),
        6,
    )
    if rng.random() < 0.25:
        wide, high = rng.uniform(0.9, 1.3), rng.uniform(2.5, 3.5)
        profile = [
            [0, trunk - 0.6],
            [wide, trunk - 0.5],
            [0.45 * wide, trunk - 0.6 + 0.55 * high],
            [0, trunk - 0.6 + high],
        ]
        joiner.add(leaves, lathe(profile, 9, 1.2))
    else:
        for k in range(int(rng.integers(3, 5))):
            angle, size = 2.1 * k + rng.uniform(0, 1), rng.uniform(0.65, 1.0)
            x, y, z = 0.6 * exact.cos(angle), 0.6 * exact.sin(angle), trunk + rng.uniform(0.3, 1.2)
            joiner.add(leaves, _lump(rng, size).transformed((x, y, z)))
    joiner.hull((-radius, -radius, 0), (radius, radius, trunk + 1))
    return WOOD


def _lump(rng: np.random.Generator, size: float) -> Mesh:
    """A rough ball of leaves."""
    polar = np.array([-np.pi / 2, -0.7, 0.1, 0.8, np.pi / 2])
    swell = size * rng.uniform(0.85, 1.1, 5)
    profile = np.stack([swell * exact.cos(polar), 0.85 * swell * exact.sin(polar)], axis=1)
    profile[[0, -1], 0] = 0
    return turned(lathe(profile, 8, 1.2, 3.0), rng.uniform(0, 6))


def _bush(joiner: Joiner, rng: np.random.Generator) -> Material:
    leaves, size = print_of("leaves", rng, 0.8), rng.uniform(0.35, 0.55)
    joiner.add(leaves, _lump(rng, size).transformed((0, 0, 0.85 * size)))
    joiner.add(leaves, _lump(rng, 0.75 * size).transformed((0.8 * size, 0.1, 0.65 * size)))
    joiner.hull((-0.8 * size, -0.8 * size, 0), (1.3 * size, 0.8 * size, 1.2 * size))
    return LEAF


def _hedge(joiner: Joiner, rng: np.random.Generator) -> Material:
    leaves, height = print_of("leaves", rng, 0.8), rng.uniform(0.6, 1.1)
    joiner.solid(leaves, (-0.8, -0.25, 0), (0.8, 0.25, height), "bottom")
    return LEAF


def _planter(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A trough of stone with plants or flowers."""
    skin = family("concrete" if rng.random() < 0.5 else "terrazzo", rng, 1.0, 0.0)
    joiner.solid(skin, (-0.6, -0.25, 0), (0.6, 0.25, 0.45), "bottom")
    for k in range(3):
        leaves = print_of("leaves", rng, 0.5) if rng.random() < 0.6 else vivid(rng)
        joiner.add(leaves, _lump(rng, rng.uniform(0.2, 0.27)).transformed((-0.4 + 0.4 * k, 0, 0.5)))
    return STONE


def _bench(joiner: Joiner, rng: np.random.Generator) -> Material:
    """Slats on two iron frames."""
    slats, iron, x = (wood(rng) if rng.random() < 0.7 else vivid(rng)), dark(), rng.uniform(0.7, 0.9)
    for k in range(3):
        y = -0.22 + 0.15 * k
        joiner.block(slats, (-x, y, 0.42), (x, y + 0.12, 0.45))
    for k in range(2):
        joiner.block(slats, (-x, 0.23, 0.58 + 0.16 * k), (x, 0.26, 0.7 + 0.16 * k))
    for sx in BOTH:
        left, right = sorted((sx * (x - 0.1), sx * (x - 0.16)))
        joiner.block(iron, (left, -0.2, 0), (right, -0.14, 0.42), "top bottom")
        joiner.block(iron, (left, 0.2, 0), (right, 0.26, 0.86), "bottom")
    joiner.hull((-x, -0.22, 0), (x, 0.26, 0.45))
    joiner.hull((-x, 0.2, 0.45), (x, 0.26, 0.86))
    return WOOD


def _fountain(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A round basin with water, and a bowl on a column."""
    skin, radius = family(("stone", "marble", "concrete")[rng.integers(3)], rng, 1.0, 0.1), rng.uniform(0.9, 1.3)
    rim = [[radius, 0], [radius, 0.42], [radius + 0.05, 0.46], [radius - 0.12, 0.5], [radius - 0.12, 0.34]]
    joiner.add(skin, lathe(rim, 14, 1.0))
    joiner.add(print_of("water", rng, 1.0, gloss=0.7), lathe([[radius - 0.1, 0.38], [0, 0.38]], 14, 1.0))
    joiner.add(skin, lathe([[0.16, 0.3], [0.1, 0.7], [0.12, 0.95], [0.45, 1.12], [0.42, 1.14], [0.08, 1.06]], 10, 1.0))
    joiner.add(print_of("water", rng, 1.0, gloss=0.7), lathe([[0.42, 1.12], [0.05, 1.13], [0, 1.55]], 8, 1.0))
    r = 0.72 * radius
    joiner.hull((-radius, -r / 1.8, 0), (radius, r / 1.8, 0.5))
    joiner.hull((-r / 1.8, -radius, 0), (r / 1.8, radius, 0.5))
    joiner.hull((-r, -r, 0), (r, r, 0.5))
    return STONE


def _street_lamp(joiner: Joiner, rng: np.random.Generator) -> Material:
    pole, height = (dark() if rng.random() < 0.6 else steel(rng)), rng.uniform(3.0, 4.2)
    joiner.add(pole, lathe([[0.11, 0], [0.1, 0.4], [0.05, 0.45], [0.04, height], [0, height]], 7))
    if rng.random() < 0.5:
        joiner.tube(pole, [(0, 0, height - 0.05), (0, -0.5, height + 0.25), (0, -1.0, height + 0.25)], 0.035, 4)
        joiner.block(lamp_shade(rng), (-0.1, -1.25, height + 0.2), (0.1, -0.85, height + 0.24), "top")
        joiner.block(pole, (-0.12, -1.28, height + 0.24), (0.12, -0.82, height + 0.31))
    else:
        joiner.add(lamp_shade(rng), lathe([[0.08, height], [0.17, height + 0.35]], 6))
        joiner.add(pole, lathe([[0.2, height + 0.35], [0, height + 0.5]], 6))
    joiner.hull((-0.1, -0.1, 0), (0.1, 0.1, height))
    return METAL


def _traffic_sign(joiner: Joiner, rng: np.random.Generator) -> Material:
    joiner.round(steel(rng), (0, 0), 0.03, 0, 2.3, 5)
    disc = lathe([[0.3, 0.0], [0.3, 0.02]], 14, 0.3).transformed((0, -0.03, 2.15), rotation_x(np.pi / 2))
    joiner.add(steel(rng), disc)
    angle = np.linspace(0, 2 * np.pi, 15)[:-1]
    ring = np.stack([0.3 * exact.cos(angle), np.full(14, -0.051), 2.15 + 0.3 * exact.sin(angle)], axis=1)
    uv = 0.5 + 0.5 * exact.circle(angle)
    fan = np.array([(0, k, k + 1) for k in range(1, 13)])
    joiner.add(print_of("sign", rng), make_mesh(ring, np.tile([0, -1, 0], (14, 1)), uv, fan))
    back = ring + np.array([0, 0.032, 0])
    joiner.add(plain(140, 142, 146), make_mesh(back, np.tile([0, 1, 0], (14, 1)), uv, fan[:, ::-1]))
    joiner.hull((-0.04, -0.04, 0), (0.04, 0.04, 2.3))
    return METAL


def _traffic_light(joiner: Joiner, rng: np.random.Generator) -> Material:
    joiner.round(dark(), (0, 0), 0.05, 0, 2.4, 6)
    joiner.block(dark(), (-0.15, -0.2, 2.3), (0.15, 0.05, 3.1))
    lit = rng.integers(3)
    for k, color in enumerate(((60, 200, 90), (240, 180, 40), (230, 40, 35))):
        shade = color if k == lit else tuple(c // 4 for c in color)
        bulb = lathe([[0.1, 0], [0.07, 0.03], [0, 0.04]], 8).transformed(
            (0, -0.2, 2.44 + 0.26 * k), rotation_x(np.pi / 2)
        )
        joiner.add(plain(shade[0], shade[1], shade[2], emission=0.6 if k == lit else 0.0), bulb)
    joiner.hull((-0.06, -0.06, 0), (0.06, 0.06, 2.4))
    return METAL


def _bin(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A litter bin, or a dustbin with a lid and wheels."""
    if rng.random() < 0.5:
        joiner.add(lacquer(rng), lathe([[0.18, 0.05], [0.22, 0.8], [0.18, 0.8], [0.16, 0.5], [0, 0.5]], 9))
        joiner.hull((-0.19, -0.19, 0), (0.19, 0.19, 0.8))
    else:
        paint = plain(*((60, 90, 60), (70, 72, 76), (50, 70, 120), (150, 120, 50))[rng.integers(4)])
        joiner.add(paint, prism([(-0.22, 0.05), (0.2, 0.05), (0.28, 0.95), (-0.28, 0.95)], 0.5, 1.0))
        joiner.block(paint, (-0.29, -0.32, 0.95), (0.29, 0.34, 1.02))
        for sx in BOTH:
            wheel(joiner, sx * 0.22, 0.2, 0.1, 0.06, dark())
        joiner.hull((-0.24, -0.26, 0), (0.24, 0.28, 0.95))
    return MATERIALS["plastic"]


def _bollard(joiner: Joiner, rng: np.random.Generator) -> Material:
    skin = dark() if rng.random() < 0.5 else family("concrete", rng, 0.6, 0.0)
    joiner.add(skin, lathe([[0.09, 0], [0.08, 0.75], [0.1, 0.8], [0.06, 0.92], [0, 0.94]], 8))
    joiner.hull((-0.09, -0.09, 0), (0.09, 0.09, 0.92))
    return METAL


def _hydrant(joiner: Joiner, rng: np.random.Generator) -> Material:
    paint = plain(*((190, 45, 35), (220, 170, 40))[rng.integers(2)], gloss=0.3)
    joiner.add(
        paint, lathe([[0.15, 0], [0.15, 0.05], [0.1, 0.07], [0.1, 0.5], [0.13, 0.54], [0.07, 0.66], [0, 0.7]], 8)
    )
    joiner.tube(paint, [(-0.17, 0, 0.4), (0.17, 0, 0.4)], 0.05, 6)
    joiner.hull((-0.15, -0.12, 0), (0.15, 0.12, 0.68))
    return METAL


def _fence(joiner: Joiner, rng: np.random.Generator) -> Material:
    """Two metres of pickets or rails."""
    skin, height = (
        (wood(rng) if rng.random() < 0.5 else white() if rng.random() < 0.5 else dark()),
        rng.uniform(0.8, 1.1),
    )
    joiner.posts(skin, [(-0.97, 0), (0.97, 0)], 0.06, 0, height + 0.05)
    for z in (0.25, height - 0.15):
        joiner.block(skin, (-0.95, -0.02, z), (0.95, 0.02, z + 0.06), "left right")
    for x in np.linspace(-0.8, 0.8, 7):
        joiner.block(skin, (x - 0.04, -0.035, 0.06), (x + 0.04, -0.02, height), "bottom")
    joiner.hull((-1, -0.04, 0), (1, 0.04, height))
    return WOOD


def _parasol(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A sunshade, open, on a foot."""
    canvas = cloth(rng, 0.6)
    joiner.round(dark(), (0, 0), 0.22, 0, 0.08, 8)
    joiner.round(white(), (0, 0), 0.025, 0.08, 2.35, 5)
    joiner.add(canvas, lathe([[1.2, 1.95], [0, 2.4]], 8, 0.6), lathe([[0, 2.39], [1.2, 1.94]], 8, 0.6))
    joiner.hull((-0.2, -0.2, 0), (0.2, 0.2, 0.1))
    joiner.hull((-0.04, -0.04, 0), (0.04, 0.04, 2.0))
    return MATERIALS["fabric"]


def _facade_window(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A dark pane with a frame, a sill, now and then shutters; its lower edge is at z = 0."""
    x, height = rng.uniform(0.4, 0.55), rng.uniform(1.2, 1.5)
    frame = white() if rng.random() < 0.7 else wood(rng)
    joiner.panel(family("glass", rng, gloss=0.7), (-x, -0.01, 0), (2 * x, 0, 0), (0, 0, height), (0, 0, 1, 1))
    frame_of(joiner, frame, x, 0, height, 0.07, 0.05)
    joiner.block(frame, (-0.025, -0.035, 0), (0.025, 0, height), "back top bottom")
    if rng.random() < 0.5:
        joiner.block(frame, (-x, -0.035, 0.6 * height), (x, 0, 0.6 * height + 0.05), "back left right")
    joiner.block(family("concrete", rng, 1.0, 0.0), (-x - 0.12, -0.16, -0.12), (x + 0.12, 0, -0.06), "back")
    if rng.random() < 0.4:
        shutter = vivid(rng)
        for sx in BOTH:
            left, right = sorted((sx * (x + 0.09), sx * (1.9 * x)))
            joiner.block(shutter, (left, -0.05, -0.03), (right, 0, height + 0.03), "back")
    return MATERIALS["glass"]


def _shop_front(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A display window with goods, a signboard, an awning."""
    x, frame = rng.uniform(1.1, 1.5), lacquer(rng)
    goods = print_of("goods", rng, gloss=0.5, emission=0.15)
    joiner.panel(goods, (-x, -0.01, 0.5), (2 * x, 0, 0), (0, 0, 1.7), (0, 0, x, 1))
    frame_of(joiner, frame, x, 0.5, 2.2, 0.1, 0.07)
    joiner.block(frame, (-x - 0.1, -0.09, 0), (x + 0.1, 0, 0.42), "back bottom")
    joiner.block(frame, (-x - 0.1, -0.1, 2.35), (x + 0.1, 0, 2.85), "back")
    joiner.panel(
        print_of("poster", rng), (-0.7 * x, -0.102, 2.42), (1.4 * x, 0, 0), (0, 0, 0.36), (0.04, 0.82, 0.96, 0.98)
    )
    if rng.random() < 0.6:
        canvas = family("stripes", rng, 0.8, 0.0)
        joiner.add(canvas, prism([(-1.0, 2.0), (0, 2.3), (0, 2.34), (-1.0, 2.05)], 2 * x + 0.2, 0.8))
    return MATERIALS["glass"]


def _house_door(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A front door with a lintel and a step."""
    leaf, stone = vivid(rng) if rng.random() < 0.6 else wood(rng), family("concrete", rng, 1.0, 0.0)
    joiner.block(leaf, (-0.5, -0.03, 0.12), (0.5, 0, 2.2), "back bottom")
    for z0, z1 in ((0.3, 1.0), (1.15, 1.95)):
        joiner.block(leaf, (-0.36, -0.05, z0), (0.36, -0.03, z1), "back")
    frame_of(joiner, stone, 0.5, 0.12, 2.2, 0.14, 0.09)
    joiner.solid(stone, (-0.75, -0.4, 0), (0.75, 0, 0.12), "back bottom")
    joiner.block(chrome(), (0.36, -0.09, 1.05), (0.42, -0.05, 1.11))
    return WOOD


OUTDOOR: dict[str, Maker] = {
    "garden_tree": _tree,
    "bush": _bush,
    "hedge": _hedge,
    "planter": _planter,
    "bench": _bench,
    "fountain": _fountain,
    "street_lamp": _street_lamp,
    "traffic_sign": _traffic_sign,
    "traffic_light": _traffic_light,
    "bin": _bin,
    "bollard": _bollard,
    "hydrant": _hydrant,
    "fence": _fence,
    "parasol": _parasol,
    "facade_window": _facade_window,
    "shop_front": _shop_front,
    "house_door": _house_door,
}
