"""Textures that rooms, streets and gardens are built of: floors, walls, roofs, the ground, plants.

Each family is a function of (rng, size) that gives an image, float32 [S, S, 3], sRGB, 0 to 1.
"""

import numpy as np

from embodied_ssl.envs.world import exact
from embodied_ssl.envs.world.textures.patterns import (
    Picture,
    blocks,
    cells,
    coordinates,
    draw_color,
    draw_contrast,
    draw_gray,
    fractal,
    mix,
    noise,
    per_block,
    relief,
    step,
)

# Floors and walls


def planks(rng: np.random.Generator, size: int) -> Picture:
    """Floor boards along u, laid with staggered ends."""
    boards = blocks(size, int(rng.integers(1, 3)), 2 * int(rng.integers(2, 5)), rng.uniform(0.3, 0.7))
    light = draw_color(rng, (0.04, 0.11), (0.15, 0.6), (0.4, 0.9))
    fibre = 0.5 * noise(rng, size, 6, 64) + 0.4 * noise(rng, size, 16, 128) + per_block(rng, boards.number, 0.9)
    joint = 1 - 0.6 * (1 - step(boards.edge, 0.006, 0.006))
    return light * (joint * (1 + 0.11 * fibre))[..., None]


def parquet(rng: np.random.Generator, size: int) -> Picture:
    """Basket weave of short strips."""
    squares, strips = 2 * int(rng.integers(1, 3)), int(rng.integers(3, 6))
    u, v = coordinates(size)
    column, row = np.floor(u * squares).astype(int), np.floor(v * squares).astype(int)
    upright = (column + row) % 2 == 0
    inside_u, inside_v = u * squares - column, v * squares - row
    across = np.where(upright, inside_u, inside_v) * strips
    number = (row * squares + column) * strips + np.floor(across).astype(int)
    gap = np.minimum(np.abs(across - np.round(across)) / strips, np.minimum(inside_u, 1 - inside_u))
    gap = np.minimum(gap, np.minimum(inside_v, 1 - inside_v)) / squares
    fibre = np.where(upright, noise(rng, size, 110, 8), noise(rng, size, 8, 110))
    light = draw_color(rng, (0.04, 0.1), (0.25, 0.6), (0.4, 0.85))
    shade = (1 + per_block(rng, number, 0.1) + 0.06 * fibre) * (1 - 0.5 * (1 - step(gap, 0.004, 0.006)))
    return light * shade[..., None].astype(np.float32)


def brick(rng: np.random.Generator, size: int) -> Picture:
    """A wall of bricks in running bond."""
    wall = blocks(size, int(rng.integers(2, 5)), 2 * int(rng.integers(3, 6)), 0.5)
    if rng.random() < 0.7:
        color = draw_color(rng, (-0.01, 0.09), (0.25, 0.7), (0.4, 0.75))
    else:
        color = draw_color(rng, saturation=(0.0, 0.25), value=(0.45, 0.9))  # painted
    mortar = draw_gray(rng, 0.55, 0.82) * np.array([1, 0.98, 0.94], np.float32)
    rough = fractal(rng, size, 16, octaves=3)
    face = color * (1 + per_block(rng, wall.number, 0.13) + 0.08 * rough)[..., None]
    solid = step(wall.edge + 0.0012 * rough, 0.011, 0.008)
    return mix(mortar * (1 + 0.06 * rough)[..., None], face, solid) * relief(solid, 0.35)


def _tiles(rng: np.random.Generator, size: int, columns: int, rows: int, shift: float, joint: float) -> Picture:
    layout = blocks(size, columns, rows, shift)
    color = draw_color(rng, saturation=(0.0, 0.55), value=(0.5, 0.97))
    other = draw_color(rng, saturation=(0.0, 0.7), value=(0.15, 0.95)) if rng.random() < 0.4 else color
    chess = (layout.number // columns + layout.number % columns) % 2
    gloss = 1 + per_block(rng, layout.number, 0.03) + 0.02 * fractal(rng, size, 4, octaves=2)
    face = np.where(chess[..., None], color, other) * gloss[..., None]
    solid = step(layout.edge, joint, 0.006)
    return mix(draw_gray(rng, 0.4, 0.85), face, solid) * relief(solid, 0.25)


def tile(rng: np.random.Generator, size: int) -> Picture:
    """Square glazed tiles, plain or as a chess board."""
    count = 2 * int(rng.integers(1, 3))
    return _tiles(rng, size, count, count, 0.0, 0.008)


def subway_tile(rng: np.random.Generator, size: int) -> Picture:
    """Oblong tiles in running bond."""
    return _tiles(rng, size, int(rng.integers(2, 4)), 2 * int(rng.integers(2, 4)), 0.5, 0.007)


def mosaic(rng: np.random.Generator, size: int) -> Picture:
    """Small tiles in a few colours."""
    count = int(rng.integers(8, 13))
    layout = blocks(size, count, count, 0)
    base = draw_color(rng, saturation=(0.2, 0.7), value=(0.4, 0.9))
    shades = np.clip(base * rng.uniform(0.55, 1.3, (4, 1)) + rng.uniform(-0.08, 0.08, (4, 3)), 0, 1)
    pick = rng.integers(4, size=count * count)[layout.number]
    return mix(draw_gray(rng, 0.6, 0.85), shades[pick], step(layout.edge, 0.007, 0.006))


def marble(rng: np.random.Generator, size: int) -> Picture:
    """Veins folded through polished stone."""
    ground = draw_color(rng, saturation=(0.0, 0.3), value=(0.25, 0.97))
    vein = draw_contrast(rng, ground) * 0.5 + ground * 0.5
    warp = 0.9 * fractal(rng, size, 2, octaves=5)
    folds = np.abs(exact.sin(np.pi * (coordinates(size)[0] + coordinates(size)[1] + warp)))
    fine = np.abs(fractal(rng, size, 3, octaves=5))
    veins = 0.75 * exact.exp(-6 * folds) + 0.35 * exact.exp(-9 * fine)
    return mix(ground * (1 + 0.04 * fractal(rng, size, 3))[..., None], vein, veins)


def terrazzo(rng: np.random.Generator, size: int) -> Picture:
    """Chips of stone in cement."""
    near, second, number = cells(rng, size, int(rng.integers(10, 16)), jitter=1.0)
    shades = np.array([draw_color(rng, saturation=(0.0, 0.55), value=(0.2, 0.95)) for _ in range(4)])
    pick = rng.integers(4, size=int(number.max()) + 1)[number]
    chips = step(second - near, 0.2, 0.08) * (per_block(rng, number) > -0.2)
    return mix(draw_gray(rng, 0.55, 0.92), shades[pick], chips)


def plaster(rng: np.random.Generator, size: int) -> Picture:
    """A painted wall: nearly even, slightly rough."""
    paint = draw_color(rng, saturation=(0.02, 0.42), value=(0.68, 0.97))
    rough = fractal(rng, size, 12, octaves=4)
    return paint * (1 + 0.015 * fractal(rng, size, 2, octaves=2))[..., None] * relief(rough, 0.025)


def wallpaper(rng: np.random.Generator, size: int) -> Picture:
    """Stripes, dots, lozenges or leaves repeated on a pale ground."""
    u, _ = coordinates(size)
    ground = draw_color(rng, saturation=(0.05, 0.45), value=(0.65, 0.95))
    ink = np.clip(ground * rng.uniform(0.6, 0.85) + rng.uniform(-0.06, 0.06, 3), 0, 1)
    count, kind = 2 * int(rng.integers(2, 5)), int(rng.integers(4))
    spots = blocks(size, count, count, 0.5)
    x, y = spots.u - 0.5, spots.v - 0.5
    if kind == 0:
        shape = np.broadcast_to(step(np.abs((u * count) % 1.0 - 0.5), rng.uniform(0.15, 0.35), 0.05), (size, size))
    elif kind == 1:
        shape = step(-exact.hypot(x, y), -0.2, 0.06)
    elif kind == 2:
        shape = step(-np.abs(np.abs(x) + np.abs(y) - 0.36), -0.06, 0.05)
    else:
        leaf = np.abs(x) / (0.02 + 0.3 * np.clip(0.45 - y, 0, 1) * np.clip(0.45 + y, 0, 1) * 4)
        shape = step(-leaf, -0.9, 0.25)
    return mix(ground * (1 + 0.015 * noise(rng, size, 64))[..., None], ink, shape)


def corrugated_sheet(rng: np.random.Generator, size: int) -> Picture:
    """Trapezoid sheet metal, as of a shed, with streaks of dirt."""
    u, _ = coordinates(size)
    wave = exact.sin(2 * np.pi * int(rng.integers(6, 10)) * u)
    color = draw_color(rng, saturation=(0.0, 0.5), value=(0.45, 0.85))
    streaks = 0.06 * noise(rng, size, 60, 3)
    return color * (0.88 + 0.2 * np.clip(1.6 * wave, -1, 1) + streaks)[..., None]


def roof_tiles(rng: np.random.Generator, size: int) -> Picture:
    """Rows of overlapping round-ended tiles."""
    count = 2 * int(rng.integers(2, 4))
    layout = blocks(size, count, count, 0.5)
    rounding = np.sqrt(np.clip(1 - (2 * layout.u - 1) ** 2, 0, 1)) * 0.45
    under = layout.v < 0.45 - rounding
    color = draw_color(rng, (-0.02, 0.08), (0.2, 0.65), (0.35, 0.75))
    shade = np.where(under, 0.55, 0.75 + 0.35 * (1 - layout.v)) + per_block(rng, layout.number, 0.08)
    return color * (shade + 0.04 * noise(rng, size, 60))[..., None].astype(np.float32)


# Ground


def concrete(rng: np.random.Generator, size: int) -> Picture:
    """Cast concrete: stains and small holes."""
    stains = 0.06 * fractal(rng, size, 3, octaves=5) + 0.03 * noise(rng, size, 100)
    near, _, number = cells(rng, size, 14, jitter=1.0)
    holes = step(0.09 * np.abs(per_block(rng, number)) - near, 0.0, 0.06)
    return draw_gray(rng, 0.45, 0.75) * (1 + stains - 0.25 * holes)[..., None]


def asphalt(rng: np.random.Generator, size: int) -> Picture:
    """Dark binder with pale grit."""
    near, _, number = cells(rng, size, 30, jitter=1.0)
    grit = step(-near, -0.3, 0.2) * np.abs(per_block(rng, number, 0.5))
    return draw_gray(rng, 0.2, 0.36, 0.015) * (1 + 0.5 * grit + 0.08 * fractal(rng, size, 4))[..., None]


def paving(rng: np.random.Generator, size: int) -> Picture:
    """Cobbles."""
    near, second, number = cells(rng, size, int(rng.integers(5, 8)), jitter=0.55)
    height = np.clip((second - near) * 1.6, 0, 0.6)
    stone = draw_color(rng, (0.02, 0.65), (0.02, 0.2), (0.4, 0.75))
    face = stone * (1 + per_block(rng, number, 0.11) + 0.05 * noise(rng, size, 60))[..., None]
    return mix(stone * 0.42, face, step(height, 0.16, 0.15)) * relief(height, 0.9)


def gravel(rng: np.random.Generator, size: int) -> Picture:
    """Pebbles of all shades."""
    near, second, number = cells(rng, size, int(rng.integers(12, 18)), jitter=0.9)
    stone = draw_color(rng, (0.05, 0.62), (0.02, 0.25), (0.5, 0.8))
    round_shade = np.clip((second - near) * 2.2, 0.25, 1)
    return stone * (round_shade * (1 + per_block(rng, number, 0.18)))[..., None] * relief(-near, 0.7)


def soil(rng: np.random.Generator, size: int) -> Picture:
    """Crumbled earth."""
    crumbs = fractal(rng, size, 12, octaves=4)
    color = draw_color(rng, (0.04, 0.09), (0.3, 0.6), (0.2, 0.45))
    return color * (1 + 0.14 * crumbs)[..., None] * relief(crumbs, 0.14)


def sand(rng: np.random.Generator, size: int) -> Picture:
    """Grains with wind ripples."""
    _, v = coordinates(size)
    ripples = exact.sin(2 * np.pi * (int(rng.integers(5, 9)) * v + 0.35 * noise(rng, size, 3)))
    color = draw_color(rng, (0.08, 0.12), (0.2, 0.45), (0.7, 0.92))
    return color * (1 + 0.05 * ripples + 0.05 * noise(rng, size, 110))[..., None]


def grass(rng: np.random.Generator, size: int) -> Picture:
    """A lawn: blades light over dark."""
    blades = 0.7 * noise(rng, size, 100, 30) + 0.5 * noise(rng, size, 60, 110) + 0.4 * fractal(rng, size, 3)
    low = draw_color(rng, (0.22, 0.33), (0.45, 0.7), (0.18, 0.35))
    high = draw_color(rng, (0.17, 0.28), (0.4, 0.65), (0.5, 0.72))
    return mix(low, high, 0.5 + 0.28 * blades)


def leaf(rng: np.random.Generator, size: int) -> Picture:
    """Foliage: leaves over leaves."""
    near, _, number = cells(rng, size, int(rng.integers(8, 13)), int(rng.integers(6, 10)), jitter=1.0)
    shade = np.clip(1.25 - near, 0.2, 1.2) * (1 + per_block(rng, number, 0.22))
    return draw_color(rng, (0.2, 0.4), (0.4, 0.75), (0.35, 0.65)) * shade[..., None] * relief(-near, 0.6)


def bark(rng: np.random.Generator, size: int) -> Picture:
    """Furrows along v."""
    ridges = np.abs(noise(rng, size, 9, 3) + 0.4 * noise(rng, size, 22, 8)) + 0.15 * noise(rng, size, 60, 30)
    color = draw_color(rng, (0.03, 0.1), (0.1, 0.45), (0.35, 0.65))
    return color * np.clip(0.5 + 0.55 * ridges, 0.3, 1.25)[..., None] * relief(ridges, 0.25)


def stone(rng: np.random.Generator, size: int) -> Picture:
    """Granite: crystals of three shades."""
    first, second = noise(rng, size, 50), noise(rng, size, 80)
    color = draw_color(rng, (0.0, 0.65), (0.02, 0.25), (0.45, 0.8))
    shade = 1 - 0.3 * (first > 0.9) + 0.2 * (second > 1.1) + 0.06 * fractal(rng, size, 5)
    return color * shade[..., None].astype(np.float32)
