"""Textures that rooms, streets and furniture wear: floors, walls, ground, cloth, books, pictures.

Each family is a function of (rng, size) that gives a picture, float32 [S, S, 3], sRGB, 0 to 1.
"""

import numpy as np

from embodied_ssl.envs.world.patterns import (
    Picture,
    Print,
    blocks,
    cells,
    coordinates,
    draw_color,
    draw_contrast,
    draw_gray,
    flat,
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
    folds = np.abs(np.sin(np.pi * (coordinates(size)[0] + coordinates(size)[1] + warp)))
    fine = np.abs(fractal(rng, size, 3, octaves=5))
    veins = 0.75 * np.exp(-6 * folds) + 0.35 * np.exp(-9 * fine)
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
        shape = step(-np.hypot(x, y), -0.2, 0.06)
    elif kind == 2:
        shape = step(-np.abs(np.abs(x) + np.abs(y) - 0.36), -0.06, 0.05)
    else:
        leaf = np.abs(x) / (0.02 + 0.3 * np.clip(0.45 - y, 0, 1) * np.clip(0.45 + y, 0, 1) * 4)
        shape = step(-leaf, -0.9, 0.25)
    return mix(ground * (1 + 0.015 * noise(rng, size, 64))[..., None], ink, shape)


def corrugated_sheet(rng: np.random.Generator, size: int) -> Picture:
    """Trapezoid sheet metal, as of a shed, with streaks of dirt."""
    u, _ = coordinates(size)
    wave = np.sin(2 * np.pi * int(rng.integers(6, 10)) * u)
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
    ripples = np.sin(2 * np.pi * (int(rng.integers(5, 9)) * v + 0.35 * noise(rng, size, 3)))
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


# Cloth


def cloth(rng: np.random.Generator, size: int) -> Picture:
    """Plain weave of two yarns."""
    u, v = coordinates(size)
    count = 2 * int(rng.integers(10, 18))
    over = (np.floor(u * count) + np.floor(v * count)) % 2 == 0
    warp, weft = np.abs(np.sin(np.pi * u * count)), np.abs(np.sin(np.pi * v * count))
    first = draw_color(rng, saturation=(0.1, 0.7), value=(0.3, 0.9))
    second = np.clip(first * rng.uniform(0.6, 1.2) + rng.uniform(-0.1, 0.1, 3), 0, 1)
    shade = 0.68 + 0.35 * np.where(over, warp, weft) + 0.05 * noise(rng, size, 30)
    return np.where(over[..., None], first, second).astype(np.float32) * shade[..., None]


def plaid(rng: np.random.Generator, size: int) -> Picture:
    """Tartan: bands that cross, in twill."""
    u, v = coordinates(size)
    edges = np.sort(rng.random(6))
    colors = np.array([draw_color(rng, saturation=(0.1, 0.8), value=(0.2, 0.9)) for _ in range(3)])[[0, 1, 0, 2, 0, 1]]
    band_u, band_v = np.searchsorted(edges, u[0]) % 6, np.searchsorted(edges, v[:, 0]) % 6
    twill = ((u + v) * 32) % 1.0 < 0.5
    picture = np.where(twill[..., None], colors[band_u][None], colors[band_v][:, None])
    return (picture * (1 + 0.04 * noise(rng, size, 80))[..., None]).astype(np.float32)


def stripes(rng: np.random.Generator, size: int) -> Picture:
    """Woven stripes across u."""
    u, _ = coordinates(size)
    count = int(rng.integers(3, 7))
    colors = np.array([draw_color(rng, saturation=(0.05, 0.8), value=(0.3, 0.97)) for _ in range(count)])
    widths = rng.uniform(0.5, 1.5, count)
    which = np.searchsorted(np.cumsum(widths / widths.sum())[:-1], u[0])
    weave = 1 + 0.06 * np.sin(2 * np.pi * 32 * coordinates(size)[1]) + 0.03 * noise(rng, size, 90)
    return (colors[which][None] * weave[..., None]).astype(np.float32)


def carpet(rng: np.random.Generator, size: int) -> Picture:
    """Short pile with flecks."""
    color = draw_color(rng, saturation=(0.1, 0.65), value=(0.25, 0.8))
    tufts = 0.09 * noise(rng, size, 110) + 0.05 * noise(rng, size, 60) + 0.04 * fractal(rng, size, 3)
    flecks = (noise(rng, size, 70) > 1.6) * rng.uniform(0.1, 0.5)
    return color * (1 + tufts + flecks)[..., None]


def rug(rng: np.random.Generator, size: int) -> Picture:
    """A knotted rug: borders about a field of medallions; one repeat is one rug."""
    u, v = coordinates(size)
    x, y = np.abs(2 * u - 1), np.abs(2 * v - 1)
    colors = [draw_color(rng, saturation=(0.25, 0.8), value=(0.2, 0.85)) for _ in range(4)]
    frame, count = np.maximum(x, y), int(rng.integers(3, 7))
    lozenges = np.abs((x * count) % 1.0 - 0.5) + np.abs((y * count) % 1.0 - 0.5)
    field = mix(colors[0], colors[1], step(-np.abs(lozenges - 0.5), -0.12, 0.05))
    field = mix(field, colors[2], step(0.45 - (x + 0.8 * y) * rng.uniform(0.6, 1.1), 0.0, 0.03))
    teeth = 0.5 + 0.5 * np.sin(2 * np.pi * 6 * np.where(x > y, y, x))
    border = mix(colors[3], colors[1], step(teeth, 0.6, 0.2))
    picture = np.where((frame > 0.72)[..., None], border, field)
    picture = np.where(((np.abs(frame - 0.72) < 0.025) | (frame > 0.94))[..., None], colors[2], picture)
    return (picture * (1 + 0.07 * noise(rng, size, 100))[..., None]).astype(np.float32)


def leather(rng: np.random.Generator, size: int) -> Picture:
    """Creased hide."""
    near, second, number = cells(rng, size, int(rng.integers(14, 22)))
    color = draw_color(rng, (-0.03, 0.12) if rng.random() < 0.7 else (0, 1), (0.2, 0.75), (0.15, 0.65))
    crease = step(second - near, 0.1, 0.2)
    shade = (0.78 + 0.22 * crease) * (1 + per_block(rng, number, 0.03) + 0.06 * fractal(rng, size, 3))
    return color * shade[..., None] * relief(second - near, 0.12)


# Paper and print


def books(rng: np.random.Generator, size: int) -> Picture:
    """Two shelves' worth of spines, upright along v; one repeat is a row of books."""
    sheet = Print(flat((0.12, 0.09, 0.07), size))
    place = 0.0
    while place < 0.995:
        width = min(rng.uniform(0.05, 0.12), 1 - place)
        color, top = draw_color(rng, saturation=(0.1, 0.85), value=(0.2, 0.9)), rng.uniform(0.0, 0.16)
        ink = draw_contrast(rng, color)
        for strip in range(3):  # rounded back
            sheet.rectangle(place + 0.004 + strip * width / 3, top, width / 3, 1 - top, color * (0.8, 1.0, 0.7)[strip])
        for band in rng.choice([top + 0.06, top + 0.1, 0.75, 0.9], 2, replace=False):
            sheet.rectangle(place + 0.004, band, width - 0.008, rng.uniform(0.012, 0.03), ink)
        title = rng.uniform(0.2, 0.4)
        sheet.rectangle(place + 0.35 * width, top + 0.2, 0.3 * width, title, ink * 0.8 + color * 0.2)
        place += width
    return sheet.picture()


def book_cover(rng: np.random.Generator, size: int) -> Picture:
    """The front of a book: a headline, a picture, an author."""
    color = draw_color(rng, saturation=(0.1, 0.9), value=(0.2, 0.95))
    ink, second = draw_contrast(rng, color), draw_color(rng, saturation=(0.3, 0.95), value=(0.4, 0.98))
    sheet = Print(flat(color, size))
    sheet.text(rng, (0.12, 0.1, 0.76, 0.16), 2, ink)
    if rng.random() < 0.5:
        sheet.disc(rng.uniform(0.35, 0.65), 0.55, rng.uniform(0.12, 0.2), second)
    else:
        sheet.polygon(np.array([0.5, 0.55]) + rng.uniform(-0.28, 0.28, (5, 2)), second)
    sheet.text(rng, (0.3, 0.86, 0.4, 0.06), 1, ink)
    return sheet.picture()


def page(rng: np.random.Generator, size: int) -> Picture:
    """Paper with a headline and paragraphs."""
    sheet = Print(flat(draw_gray(rng, 0.9, 0.98), size))
    ink = draw_gray(rng, 0.1, 0.35)
    sheet.rectangle(0.1, 0.08, rng.uniform(0.3, 0.6), 0.05, ink)
    for top in (0.2, 0.46, 0.72):
        sheet.text(rng, (0.1, top, 0.8, 0.2), 5, ink)
    return sheet.picture()


def painting(rng: np.random.Generator, size: int) -> Picture:
    """A landscape or an abstract picture; one repeat is one picture."""
    _, v = coordinates(size)
    if rng.random() < 0.5:
        sky = draw_color(rng, (0.5, 0.68), (0.15, 0.6), (0.7, 0.98))
        picture = mix(np.ones(3), sky, np.broadcast_to(v, (size, size)))
        for depth in range(3):
            hill = 0.55 - 0.15 * depth + 0.05 * noise(rng, size, 4, 1)
            green = draw_color(rng, (0.15, 0.6), (0.25, 0.7), (0.3, 0.75)) * (0.95 - 0.15 * depth)
            picture = mix(picture, green, step(hill - v, 0.0, 0.015))
        return picture * (1 + 0.03 * noise(rng, size, 60))[..., None]
    sheet = Print(flat(draw_color(rng, saturation=(0.05, 0.6), value=(0.7, 0.97)), size))
    for _ in range(int(rng.integers(4, 9))):
        color, x, y = draw_color(rng, value=(0.15, 0.98)), *rng.uniform(0.15, 0.85, 2)
        if rng.random() < 0.5:
            sheet.disc(x, y, rng.uniform(0.05, 0.2), color)
        else:
            sheet.polygon(np.array([x, y]) + rng.uniform(-0.3, 0.3, (4, 2)), color)
    return sheet.picture()


def screen(rng: np.random.Generator, size: int) -> Picture:
    """What a monitor shows: windows, text, a task bar."""
    sheet = Print(flat(draw_color(rng, (0.5, 0.75), (0.3, 0.8), (0.2, 0.6)), size))
    for _ in range(2):
        (x, y), (width, height) = rng.uniform(0.04, [0.4, 0.3]), rng.uniform(0.4, 0.55, 2)
        dark = rng.random() < 0.4
        ground, ink = draw_gray(rng, 0.1, 0.2) if dark else draw_gray(rng, 0.9, 0.98), draw_color(rng)
        sheet.rectangle(x, y, width, height, ground)
        sheet.rectangle(x, y, width, 0.05, draw_color(rng, saturation=(0.1, 0.5), value=(0.3, 0.8)))
        sheet.text(rng, (x + 0.04, y + 0.09, width - 0.1, height - 0.14), 6, ink)
    sheet.rectangle(0, 0.94, 1, 0.06, draw_gray(rng, 0.08, 0.2))
    return sheet.picture()


def chalkboard(rng: np.random.Generator, size: int) -> Picture:
    """A board with traces of wiped and fresh chalk."""
    color = draw_color(rng, (0.35, 0.48), (0.2, 0.5), (0.2, 0.35)) if rng.random() < 0.7 else draw_gray(rng, 0.15, 0.22)
    wiped = 0.1 * fractal(rng, size, 3, 2) + 0.05
    sheet = Print(mix(color, np.full(3, 0.9), wiped))
    chalk = np.full(3, 0.88, np.float32)
    steps = np.linspace(0, 1, 20)
    for row in range(3):
        x, y = rng.uniform(0.08, 0.3), 0.22 + 0.2 * row
        wave = 0.02 * np.sin(40 * steps + rng.uniform(0, 6)) * rng.uniform(0.3, 1.2, 20)
        sheet.line(np.stack([x + steps * rng.uniform(0.3, 0.6), y + wave], axis=1), chalk, 0.008)
    corner = rng.uniform(0.55, 0.7)
    sheet.line([[corner, 0.85], [corner + 0.2, 0.85], [corner + 0.1, 0.68], [corner, 0.85]], chalk, 0.008)
    return sheet.picture()


def glass(rng: np.random.Generator, size: int) -> Picture:
    """A pane that mirrors a bright sky in slanting bands."""
    u, v = coordinates(size)
    tint = draw_color(rng, (0.42, 0.62), (0.08, 0.4), (0.55, 0.85))
    bands = np.sin(2 * np.pi * (u + v + rng.random())) + 0.5 * np.sin(2 * np.pi * (2 * (u + v) + rng.random()))
    return tint * (1 + 0.12 * bands)[..., None] + 0.02 * fractal(rng, size, 3, octaves=2)[..., None]


def hazard(rng: np.random.Generator, size: int) -> Picture:
    """Slanting warning stripes."""
    u, v = coordinates(size)
    yellow = rng.random() < 0.6
    bright = draw_color(rng, (0.12, 0.15), (0.8, 1), (0.85, 1)) if yellow else draw_color(rng, (-0.02, 0.03))
    dark = draw_gray(rng, 0.05, 0.15) if rng.random() < 0.6 else draw_gray(rng, 0.9, 0.98)
    band = np.abs(((u + v) * int(rng.integers(2, 5))) % 1.0 - 0.5)
    return mix(bright, dark, step(band, 0.25, 0.03)) * (1 + 0.03 * fractal(rng, size, 6))[..., None]


def paint(rng: np.random.Generator, size: int) -> Picture:
    """An even coat on wood or metal furniture, brushed on."""
    color = draw_color(rng, saturation=(0.02, 0.75), value=(0.25, 0.97))
    return color * (1 + 0.018 * noise(rng, size, 4, 90) + 0.012 * fractal(rng, size, 3, octaves=2))[..., None]
