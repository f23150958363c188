"""Textures that objects wear: one family per way of making a material; the pattern tells the material, not the colour.

Each family is a function of (rng, size) that gives an image, float32 [S, S, 3], sRGB, 0 to 1.
"""

import numpy as np

from embodied_ssl.envs.world import exact
from embodied_ssl.envs.world.textures.patterns import (
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

WORDS = ("TEA", "COCO", "OATS", "SOAP", "MILK", "NUTS", "RICE", "PLUM", "MINT", "SALT", "CORN", "FILM", "COLA", "BEER")


# Wood


def _grain(rng: np.random.Generator, size: int) -> Picture:
    """[S, S], 0 to 1: rings cut along u, with pores."""
    _, v = coordinates(size)
    rings = rng.integers(4, 9)
    bend = noise(rng, size, 2, 3) * rng.uniform(0.1, 0.3) + noise(rng, size, 4, 16) * 0.03
    wave = (v * rings + bend * 2) % 1.0
    ring = exact.power(np.where(wave < 0.8, wave / 0.8, (1 - wave) / 0.2), 1.5)
    pores = noise(rng, size, 10, 100)
    return (0.7 * ring + 0.16 * pores + 0.2).astype(np.float32)


def grain(rng: np.random.Generator, size: int) -> Picture:
    """Solid wood: pine, oak, walnut, weathered grey."""
    light = draw_color(rng, (0.05, 0.11), (0.15, 0.62), (0.45, 0.95))
    dark = light * draw_color(rng, (0.02, 0.09), (0.15, 0.4), (0.45, 0.7))
    return mix(light, dark, _grain(rng, size))


def stained_wood(rng: np.random.Generator, size: int) -> Picture:
    """Wood stained in any colour; the grain shows through."""
    stain = draw_color(rng, saturation=(0.3, 0.8), value=(0.4, 0.95))
    return mix(stain, stain * rng.uniform(0.45, 0.62), _grain(rng, size))


def laminate(rng: np.random.Generator, size: int) -> Picture:
    """Strips of wood or bamboo glued side by side."""
    strips = blocks(size, 1, int(rng.integers(6, 11)), 0)
    base = draw_color(rng, (0.03, 0.14), (0.2, 0.7), (0.5, 0.95))
    fibre = noise(rng, size, 6, 120)
    tone = 1 + per_block(rng, strips.number, 0.14) + 0.06 * fibre
    joints = 1 - 0.35 * (1 - step(strips.edge, 0.006, 0.008))
    return base * (tone * joints)[..., None]


# Metal


def _brushed(rng: np.random.Generator, size: int, base: Picture) -> Picture:
    """Fine scratches along u over the bands of light that a rounded metal surface mirrors."""
    _, v = coordinates(size)
    phase, order = rng.random(), rng.integers(1, 3)
    mirror = exact.sin(2 * np.pi * (order * v + phase)) + 0.5 * exact.sin(2 * np.pi * (3 * v + 2.3 * phase))
    scratches = 0.07 * noise(rng, size, 6, 128) + 0.03 * noise(rng, size, 24, 128)
    return base * (1 + 0.2 * mirror + scratches)[..., None]


def brushed(rng: np.random.Generator, size: int) -> Picture:
    """Brushed steel, brass or copper."""
    warm = rng.random() < 0.35
    tint = draw_color(rng, (0.04, 0.14), (0.35, 0.6), (0.65, 0.85)) if warm else draw_gray(rng, 0.45, 0.78)
    return _brushed(rng, size, tint)


def anodized(rng: np.random.Generator, size: int) -> Picture:
    """Brushed metal dyed in any colour."""
    return _brushed(rng, size, draw_color(rng, saturation=(0.35, 0.8), value=(0.45, 0.8)))


def hammered(rng: np.random.Generator, size: int) -> Picture:
    """Beaten sheet: shallow dents that each mirror a light and a dark side."""
    near, _, number = cells(rng, size, int(rng.integers(7, 12)), jitter=0.7)
    base = draw_color(rng, (0.02, 0.6), (0.02, 0.5), (0.5, 0.8))
    dent = np.minimum(near, 0.6) ** 2
    return base * (1 + per_block(rng, number, 0.1))[..., None] * relief(dent, 2.2)


# Glazed ceramic


def _glaze(rng: np.random.Generator, size: int, color: Picture) -> Picture:
    """Smooth glaze that pooled a little."""
    return color * (1 + 0.035 * fractal(rng, size, 3, octaves=2))[..., None]


def glaze_bands(rng: np.random.Generator, size: int) -> Picture:
    """Painted rings about the pot, some of them garlands."""
    u, v = coordinates(size)
    ground = draw_color(rng, saturation=(0.0, 0.55), value=(0.65, 0.97))
    picture = _glaze(rng, size, ground)
    for _ in range(int(rng.integers(2, 4))):
        paint = draw_contrast(rng, ground)
        center, width, waves = rng.random(), rng.uniform(0.03, 0.1), rng.integers(3, 9)
        swing = rng.choice([0.0, 0.025, 0.05]) * exact.sin(2 * np.pi * waves * u)
        away = np.abs((v - center + swing + 0.5) % 1.0 - 0.5)
        brush = 0.85 + 0.1 * noise(rng, size, 12, 48)
        picture = mix(picture, paint, step(-away, -width / 2, 0.015) * brush)
    return picture


def glaze_motifs(rng: np.random.Generator, size: int) -> Picture:
    """Flowers, rosettes or dots painted over the glaze."""
    count, petals = int(rng.integers(2, 5)), int(rng.integers(4, 9))
    ground = draw_color(rng, saturation=(0.0, 0.6), value=(0.6, 0.98))
    paint, middle = draw_contrast(rng, ground), draw_color(rng, saturation=(0.4, 0.9), value=(0.5, 0.95))
    tiles = blocks(size, 2 * count, 2 * count, 0)
    x, y = tiles.u - 0.5, tiles.v - 0.5
    radius, angle = exact.hypot(x, y), exact.arctan2(y, x)
    rim = rng.uniform(0.28, 0.36) * (1 + rng.uniform(0.0, 0.45) * exact.cos(petals * angle))
    chess = (tiles.number // (2 * count) + tiles.number % (2 * count)) % 2 == 0
    picture = mix(_glaze(rng, size, ground), paint, step(rim - radius, 0.0, 0.06) * chess)
    return mix(picture, middle, step(-radius, -0.1, 0.06) * chess)


def glaze_speckle(rng: np.random.Generator, size: int) -> Picture:
    """Stoneware: dark specks in a pale or deep glaze."""
    ground = draw_color(rng, saturation=(0.05, 0.65), value=(0.35, 0.9))
    near, _, number = cells(rng, size, int(rng.integers(12, 20)), jitter=1.0)
    radius = 0.1 + 0.1 * np.abs(per_block(rng, number))
    specks = step(radius - near, 0.0, 0.12) * (per_block(rng, number) > 0)
    return mix(_glaze(rng, size, ground), draw_contrast(rng, ground), 0.8 * specks)


def crackle(rng: np.random.Generator, size: int) -> Picture:
    """A glaze with a net of fine cracks."""
    ground = draw_color(rng, saturation=(0.1, 0.7), value=(0.5, 0.92))
    near, second, _ = cells(rng, size, int(rng.integers(5, 9)))
    cracks = 1 - step(second - near, 0.05, 0.05)
    return mix(_glaze(rng, size, ground), ground * 0.45, 0.8 * cracks)


# Plastic


def plastic(rng: np.random.Generator, size: int) -> Picture:
    """One even colour with a mould's seam and a faint orange peel."""
    u, _ = coordinates(size)
    color = draw_color(rng, saturation=(0.1, 0.95), value=(0.2, 0.98))
    seam = 1 - 0.25 * step(-np.abs(u - 0.5), -0.008, 0.008)
    return color * (seam * (1 + 0.02 * noise(rng, size, 48)))[..., None]


def plastic_stripes(rng: np.random.Generator, size: int) -> Picture:
    """Two to three colours moulded in crisp rings or ribs."""
    u, v = coordinates(size)
    colors = np.array([draw_color(rng, saturation=(0.1, 0.95), value=(0.25, 0.98)) for _ in range(3)])
    count = int(rng.integers(2, 5))
    along = np.broadcast_to(v if rng.random() < 0.7 else u, (size, size))
    which = np.digitize((along * count) % 1.0, np.sort(rng.uniform(0.15, 0.85, 2)))
    return colors[which].astype(np.float32)


def plastic_print(rng: np.random.Generator, size: int) -> Picture:
    """Plain plastic printed with a shape and a brand."""
    color = draw_color(rng, saturation=(0.1, 0.95), value=(0.2, 0.98))
    ink, second = draw_contrast(rng, color), draw_color(rng, saturation=(0.5, 1.0), value=(0.5, 1.0))
    sheet = Print(flat(color, size))
    turn, corners, x, y = rng.uniform(0, 6.3), int(rng.integers(3, 7)), rng.uniform(0.3, 0.7), rng.uniform(0.55, 0.7)
    around = turn + 2 * np.pi * np.arange(corners) / corners
    sheet.polygon(np.stack([x + 0.24 * exact.cos(around), y + 0.24 * exact.sin(around)], axis=1), second)
    sheet.word(str(rng.choice(WORDS)), 0.12, 0.14, 0.22, ink)
    return sheet.picture()


# Cardboard and paper


def _kraft(rng: np.random.Generator, size: int) -> Picture:
    """Board: brown, grey, white or printed all over; fibres, and the flutes that show through."""
    brown = rng.random() < 0.55
    base = (
        draw_color(rng, (0.07, 0.1), (0.3, 0.5), (0.55, 0.78))
        if brown
        else draw_color(rng, saturation=(0.05, 0.6), value=(0.55, 0.9))
    )
    _, v = coordinates(size)
    fibres = 0.035 * noise(rng, size, 40, 100) + 0.035 * noise(rng, size, 100, 30) + 0.02 * fractal(rng, size, 4)
    flutes = 0.025 * exact.sin(2 * np.pi * 32 * v)
    return base * (1 + fibres + flutes)[..., None]


def cardboard(rng: np.random.Generator, size: int) -> Picture:
    """Board with a printed label, a barcode, tape."""
    board = _kraft(rng, size)
    label, ink = draw_color(rng, saturation=(0.0, 0.8), value=(0.6, 0.98)), draw_color(rng, value=(0.05, 0.4))
    sheet = Print(board)
    kind, x, y = rng.integers(3), rng.uniform(0.08, 0.3), rng.uniform(0.08, 0.2)
    if kind < 2:  # a label with a headline
        sheet.rectangle(x, y, 0.6, 0.5, label)
        sheet.rectangle(x, y, 0.6, 0.05, ink)
        sheet.word(str(rng.choice(WORDS)), x + 0.06, y + 0.1, 0.15, ink)
        sheet.text(rng, (x + 0.05, y + 0.3, 0.5, 0.17), 4, ink)
    else:  # stamped straight on the board: this side up
        for left in (0.2, 0.5):
            arrow = np.array([[0.1, 0], [0.2, 0.13], [0.13, 0.13], [0.13, 0.32], [0.07, 0.32], [0.07, 0.13], [0, 0.13]])
            sheet.polygon(arrow + np.array([left, 0.12]), ink)
        sheet.rectangle(0.18, 0.5, 0.54, 0.03, ink)
    sheet.barcode(rng, rng.uniform(0.1, 0.5), 0.75, 0.32, 0.15)
    return sheet.picture()


def corrugated(rng: np.random.Generator, size: int) -> Picture:
    """Board with its flutes laid bare."""
    board = _kraft(rng, size)
    u, _ = coordinates(size)
    flutes = exact.sin(2 * np.pi * int(rng.integers(10, 18)) * u)
    return board * (0.92 + 0.22 * flutes)[..., None]


# Rubber


def _rubber_color(rng: np.random.Generator) -> Picture:
    return draw_color(rng, saturation=(0.1, 0.8), value=(0.14, 0.75))


def rubber(rng: np.random.Generator, size: int) -> Picture:
    """Matt rubber with rows of studs."""
    count = 2 * int(rng.integers(4, 8))
    tiles = blocks(size, count, count, 0.5)
    bump = np.clip(1 - (exact.hypot(tiles.u - 0.5, tiles.v - 0.5) / 0.36) ** 2, 0, 1)
    dust = 1 + 0.05 * noise(rng, size, 100)
    return _rubber_color(rng) * dust[..., None] * relief(bump, 1.1)


def tread(rng: np.random.Generator, size: int) -> Picture:
    """Grooves in chevrons or diamonds, as on a sole or a tyre."""
    u, v = coordinates(size)
    count, slant = int(rng.integers(2, 5)), int(rng.integers(1, 4))
    fold = np.abs((u * count) % 1.0 - 0.5) * 2
    wave = (v * 2 * count + fold * slant * 0.5) % 1.0
    block = step(np.abs(wave - 0.5), 0.16, 0.06) * step(np.abs(fold - 0.5) * -1, -0.44, 0.06)
    return _rubber_color(rng) * (0.5 + 0.5 * block + 0.03 * noise(rng, size, 90))[..., None] * relief(block, 0.5)


# Foam


def pores(rng: np.random.Generator, size: int) -> Picture:
    """Sponge: open pores of many sizes."""
    color = draw_color(rng, saturation=(0.1, 0.75), value=(0.55, 0.95))
    picture = flat(color, size) * (1 + 0.05 * noise(rng, size, 60))[..., None]
    for count, share in ((int(rng.integers(7, 10)), 0.6), (int(rng.integers(18, 26)), 0.7)):
        near, _, number = cells(rng, size, count, jitter=1.0)
        radius = 0.16 + 0.17 * np.abs(per_block(rng, number))
        hole = step(np.minimum(radius, 0.42) - near, 0.0, 0.16) * (per_block(rng, number) < share)
        picture = mix(picture * relief(-hole, 0.35), color * 0.38, hole)
    return picture


def beads(rng: np.random.Generator, size: int) -> Picture:
    """Expanded foam: beads pressed together."""
    near, second, number = cells(rng, size, int(rng.integers(9, 15)), jitter=0.75)
    color = draw_color(rng, saturation=(0.0, 0.55), value=(0.7, 1.0))
    joint = 1 - 0.22 * (1 - step(second - near, 0.12, 0.16))
    return color * (joint * (1 + per_block(rng, number, 0.03)))[..., None] * relief(-near, 0.5)


# Plush


def _pile(rng: np.random.Generator, size: int, color: Picture) -> Picture:
    """Hair combed downwards in tufts, light at the tips, dark at the roots. color: [3] or an image."""
    strands = 0.8 * noise(rng, size, 90, 24) + 0.6 * noise(rng, size, 45, 12) + 0.5 * noise(rng, size, 12, 6)
    shade = 1 + 0.24 * exact.tanh(strands)
    return np.asarray(color, np.float32) * (shade * 0.95)[..., None]


def fur(rng: np.random.Generator, size: int) -> Picture:
    """Plush of one colour."""
    return _pile(rng, size, draw_color(rng, saturation=(0.1, 0.75), value=(0.35, 0.95)))


def fur_spots(rng: np.random.Generator, size: int) -> Picture:
    """Plush with spots or patches."""
    ground = draw_color(rng, saturation=(0.05, 0.7), value=(0.5, 0.95))
    ragged = noise(rng, size, int(rng.integers(3, 6))) + 0.18 * noise(rng, size, 60, 24)
    return _pile(rng, size, mix(ground, draw_color(rng, value=(0.12, 0.8)), step(ragged, rng.uniform(0.2, 0.7), 0.25)))


def terry(rng: np.random.Generator, size: int) -> Picture:
    """Rows of loops, as of a towel."""
    count = 2 * int(rng.integers(9, 14))
    loops = blocks(size, count, count, 0.5)
    bump = np.clip(1 - ((loops.u - 0.5) ** 2 + (loops.v - 0.45) ** 2) / 0.22, 0, 1)
    color = draw_color(rng, saturation=(0.1, 0.75), value=(0.45, 0.95))
    stripes = 1 - 0.25 * (np.abs(coordinates(size)[1] - 0.5) < 0.08) * (rng.random() < 0.5)
    shade = (0.62 + 0.4 * bump) * (1 + per_block(rng, loops.number, 0.07)) * stripes
    return color * shade[..., None] * relief(bump, 0.35)


# Details of objects


def bristles(rng: np.random.Generator, size: int) -> Picture:
    """The tufts of a brush, upright along v."""
    color = draw_color(rng, saturation=(0.0, 0.6), value=(0.3, 0.95))
    hairs = 0.8 * noise(rng, size, 80, 2) + 0.5 * noise(rng, size, 20, 3)
    return color * np.clip(0.85 + 0.28 * hairs, 0.25, 1.2, dtype=np.float32)[..., None]


def dial(rng: np.random.Generator, size: int) -> Picture:
    """The face of a clock; one repeat is one face."""
    dark = rng.random() < 0.25
    ground, ink = draw_gray(rng, 0.1, 0.2) if dark else draw_gray(rng, 0.88, 0.98), draw_color(rng, value=(0.05, 0.35))
    ink = draw_gray(rng, 0.85, 0.95) if dark else ink
    sheet = Print(flat(ground, size))
    for hour in range(12):
        way = np.array([exact.sin(hour * np.pi / 6), exact.cos(hour * np.pi / 6)])
        sheet.line(0.5 + np.outer([0.36, 0.43], way), ink, 0.04 if hour % 3 == 0 else 0.02)
    for reach, width in ((0.22, 0.05), (0.33, 0.03)):
        turn = rng.uniform(0, 2 * np.pi)
        sheet.line([[0.5, 0.5], [0.5 + reach * exact.sin(turn), 0.5 + reach * exact.cos(turn)]], ink, width)
    return sheet.picture()


def beak(rng: np.random.Generator, size: int) -> Picture:
    """Smooth orange to red, as beaks and buttons are."""
    return (
        flat(draw_color(rng, (0.0, 0.13), (0.7, 0.95), (0.75, 0.98)), size)
        * (1 + 0.02 * noise(rng, size, 12))[..., None]
    )
