"""Textures of what a room is fitted out with: cloth, carpets, leather, books, pictures, screens, panes, paint.

Each family is a function of (rng, size) that gives a picture, float32 [S, S, 3], sRGB, 0 to 1.
"""

import numpy as np

from embodied_ssl.envs.world import exact
from embodied_ssl.envs.world.textures.patterns import (
    Picture,
    Print,
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

# Cloth


def cloth(rng: np.random.Generator, size: int) -> Picture:
    """Plain weave of two yarns."""
    u, v = coordinates(size)
    count = 2 * int(rng.integers(10, 18))
    over = (np.floor(u * count) + np.floor(v * count)) % 2 == 0
    warp, weft = np.abs(exact.sin(np.pi * u * count)), np.abs(exact.sin(np.pi * v * count))
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
    weave = 1 + 0.06 * exact.sin(2 * np.pi * 32 * coordinates(size)[1]) + 0.03 * noise(rng, size, 90)
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
    teeth = 0.5 + 0.5 * exact.sin(2 * np.pi * 6 * np.where(x > y, y, x))
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
        wave = 0.02 * exact.sin(40 * steps + rng.uniform(0, 6)) * rng.uniform(0.3, 1.2, 20)
        sheet.line(np.stack([x + steps * rng.uniform(0.3, 0.6), y + wave], axis=1), chalk, 0.008)
    corner = rng.uniform(0.55, 0.7)
    sheet.line([[corner, 0.85], [corner + 0.2, 0.85], [corner + 0.1, 0.68], [corner, 0.85]], chalk, 0.008)
    return sheet.picture()


def glass(rng: np.random.Generator, size: int) -> Picture:
    """A pane that mirrors a bright sky in slanting bands."""
    u, v = coordinates(size)
    tint = draw_color(rng, (0.42, 0.62), (0.08, 0.4), (0.55, 0.85))
    bands = exact.sin(2 * np.pi * (u + v + rng.random())) + 0.5 * exact.sin(2 * np.pi * (2 * (u + v) + rng.random()))
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
