"""Images that objects carry: goods on shelves, posters, boards, signs, views from a window, foliage, water.

All are drawn from (name, variant) alone and made once. Row 0 of a texture is its lower edge.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from embodied_ssl.envs.world import exact
from embodied_ssl.envs.world.assets import Texture

Image = NDArray[np.float32]  # [S, S, 3] sRGB, 0 to 255, row 0 at the TOP while it is drawn
SIDE = 128
VARIANTS = 16


@lru_cache(maxsize=2048)
def printed(name: str, variant: int) -> Texture:
    """The texture of a print. variant: any int ≥ 0; the same arguments give the identical object."""
    if name not in PRINTS:
        raise ValueError(f"unknown print {name!r}: choose from {', '.join(PRINTS)}")
    rng = np.random.default_rng([*name.encode(), variant])
    canvas = np.zeros((SIDE, SIDE, 3), np.float32)
    PRINTS[name](canvas, rng)
    return Texture(np.ascontiguousarray(np.clip(canvas[::-1], 0, 255).astype(np.uint8)))


def _color(
    rng: np.random.Generator, dark: float = 40, bright: float = 220, vivid: float = 1.0, hues: float = 1.0
) -> tuple[float, ...]:
    """A random colour, sRGB. vivid: 0 = grey, 2 = loud. hues: share of the circle, from red on."""
    hue, saturation, value = rng.uniform(0, hues), vivid * rng.uniform(0.15, 0.5), rng.uniform(dark, bright)
    wheel = np.clip(np.abs((hue * 6 + np.array([0, 4, 2])) % 6 - 3) - 1, 0, 1)
    return tuple((value * (1 - min(saturation, 1.0) * (1 - wheel))).tolist())


def _noise(rng: np.random.Generator, cells: int, amount: float) -> Image:
    """Smooth tileable noise [S, S, 1] of `cells` bumps across, ± amount."""
    grid = np.pad(rng.uniform(-amount, amount, (cells, cells)).astype(np.float32), 2, mode="wrap")
    step = SIDE // cells if cells <= SIDE else 1
    large = cv2.resize(grid, None, fx=step, fy=step, interpolation=cv2.INTER_CUBIC)
    start = 2 * step
    window = large[start : start + cells * step, start : start + cells * step]
    return _floats(cv2.resize(window, (SIDE, SIDE)))[..., None]


def _rectangle(canvas: Image, x0: float, y0: float, x1: float, y1: float, color: tuple[float, ...]) -> None:
    cv2.rectangle(canvas, (round(x0), round(y0)), (round(x1), round(y1)), color, -1)


def _goods(canvas: Image, rng: np.random.Generator) -> None:
    """A row of packets, tins and bottles, several of each beside each other, 1 m wide."""
    canvas[:] = rng.uniform(150, 205)
    x = 0.0
    while x < SIDE:
        width, height, kind = rng.uniform(10, 20), rng.uniform(0.45, 0.85) * SIDE, rng.integers(3)
        body, label = _color(rng, 130, 255, 1.9), _color(rng, 220, 255, 0.5)
        for _ in range(int(rng.integers(3, 6))):
            top = SIDE - height
            if kind == 0:  # bottle
                _rectangle(canvas, x + 0.35 * width, top, x + 0.6 * width, top + 0.3 * height, body)
                _rectangle(canvas, x + 1, top + 0.28 * height, x + width - 2, SIDE, body)
            else:
                _rectangle(canvas, x, top, x + width - 2, SIDE, body)
            _rectangle(canvas, x + 1, top + 0.45 * height, x + width - 3, top + 0.75 * height, label)
            if kind == 2:
                cv2.circle(canvas, (round(x + width / 2), round(top + 0.3 * height)), 3, label, -1)
            x += width


def _fruit(canvas: Image, rng: np.random.Generator) -> None:
    """A heap of one or two kinds of fruit from above."""
    colors = [_color(rng, 170, 245, 1.9, 0.3) for _ in range(2)]
    canvas[:] = _floats(colors[0]) * 0.35
    for _ in range(170):
        x, y = rng.integers(0, SIDE, 2)
        color = _floats(colors[int(rng.random() < 0.25)]) * rng.uniform(0.75, 1.1)
        for dx in (-SIDE, 0, SIDE):
            for dy in (-SIDE, 0, SIDE):
                cv2.circle(canvas, (int(x + dx), int(y + dy)), 7, (color * 0.6).tolist(), -1)
                cv2.circle(canvas, (int(x + dx), int(y + dy)), 6, color.tolist(), -1)
                cv2.circle(canvas, (int(x + dx - 2), int(y + dy - 2)), 2, (color * 1.3).tolist(), -1)


def _landscape(canvas: Image, rng: np.random.Generator) -> None:
    """Sky, hills and land, as on a television or a painting."""
    rows = np.linspace(0, 1, SIDE, dtype=np.float32)[:, None, None]
    canvas[:] = _floats(_color(rng, 90, 230)) * (1 - rows) + _floats(_color(rng, 180, 255)) * rows
    if rng.random() < 0.5:
        cv2.circle(
            canvas, tuple(int(v) for v in rng.integers(15, 110, 2)), int(rng.integers(6, 16)), (255, 240, 200), -1
        )
    x = np.arange(SIDE)
    for layer in range(3):
        base, swing = 50 + 25 * layer, rng.uniform(5, 22)
        ridge = (
            base + swing * exact.sin(x * rng.uniform(0.02, 0.09) + rng.uniform(0, 6)) + 4 * exact.sin(x * 0.3 + layer)
        )
        color = _floats(_color(rng, 30, 190, 1.2)) * (1 - 0.15 * layer)
        canvas[np.arange(SIDE)[:, None] > ridge[None, :]] = color


def _abstract(canvas: Image, rng: np.random.Generator) -> None:
    """Discs, bars and fields of colour."""
    canvas[:] = _color(rng, 120, 245, 0.7)
    for _ in range(int(rng.integers(4, 10))):
        x, y, w, h = rng.uniform((0, 0, 8, 8), (110, 110, 70, 70))
        if rng.random() < 0.5:
            _rectangle(canvas, x, y, x + w, y + h, _color(rng, 10, 255, 1.5))
        else:
            cv2.circle(canvas, (int(x), int(y)), int(w / 2), _color(rng, 10, 255, 1.5), -1, cv2.LINE_AA)


def _poster(canvas: Image, rng: np.random.Generator) -> None:
    """A heading, a picture and lines of text: notices, maps, charts."""
    canvas[:] = _color(rng, 200, 250, 0.5)
    _rectangle(canvas, 8, 8, rng.uniform(70, 118), 20, _color(rng, 10, 120, 1.5))
    color = _color(rng, 40, 220, 1.5)
    if rng.random() < 0.5:
        _rectangle(canvas, 8, 28, 119, 78, color)
        cv2.circle(canvas, (int(rng.integers(30, 90)), 54), 18, _color(rng, 40, 250, 1.5), -1)
    else:
        for k in range(6):
            _rectangle(canvas, 12 + 18 * k, 78 - rng.uniform(8, 48), 24 + 18 * k, 78, color)
    for row in range(86, 120, 6):
        _rectangle(canvas, 8, row, rng.uniform(60, 118), row + 2, (70.0,) * 3)


def _map(canvas: Image, rng: np.random.Generator) -> None:
    """Continents in a sea."""
    relief = _noise(rng, 4, 1.0) + 0.5 * _noise(rng, 8, 1.0) + 0.25 * _noise(rng, 16, 1.0)
    canvas[:] = np.where(relief > 0.05, _floats(_color(rng, 120, 220)), _floats((150, 190, 225)))
    canvas[(relief > 0.35)[..., 0]] = _color(rng, 110, 200)
    canvas[:5] = canvas[-5:] = canvas[:, :5] = canvas[:, -5:] = 245


def _window_view(canvas: Image, rng: np.random.Generator) -> None:
    """Bright sky over roofs or trees, seen from indoors."""
    rows = np.linspace(0, 1, SIDE, dtype=np.float32)[:, None, None]
    blue = _floats((165, 200, 240)) if rng.random() < 0.7 else _floats((205, 212, 220))
    canvas[:] = blue * (1 - rows) + _floats((240, 245, 250)) * rows
    canvas += np.clip(_noise(rng, 4, 40) + _noise(rng, 8, 20), 0, 60)
    horizon = rng.uniform(0.45, 0.75) * SIDE
    if rng.random() < 0.5:  # roofs
        x = 0.0
        while x < SIDE:
            width, top = rng.uniform(14, 40), horizon - rng.uniform(0, 40)
            color = _floats(_color(rng, 120, 210, 0.5))
            _rectangle(canvas, x, top, x + width, SIDE, tuple(color.tolist()))
            for wy in np.arange(top + 5, SIDE, 10):
                for wx in np.arange(x + 4, x + width - 4, 8):
                    _rectangle(canvas, wx, wy, wx + 3, wy + 5, tuple((color * 0.6).tolist()))
            x += width
    else:
        for _ in range(40):
            x, y = rng.uniform(0, SIDE), rng.normal(horizon + 22, 10)
            color = _floats((110, 150, 90)) * rng.uniform(0.7, 1.2)
            cv2.circle(canvas, (int(x), int(y)), int(rng.uniform(6, 16)), color.tolist(), -1)
        _rectangle(canvas, 0, horizon + 26, SIDE, SIDE, (135.0, 165.0, 110.0))


def _chalkboard(canvas: Image, rng: np.random.Generator) -> None:
    """Writing in chalk on green or black."""
    base = _floats((38, 74, 58)) if rng.random() < 0.7 else _floats((42, 44, 48))
    canvas[:] = base + _noise(rng, 8, 7)
    _write(canvas, rng, [(225.0, 228.0, 220.0), (230.0, 215.0, 140.0)], 2)


def _whiteboard(canvas: Image, rng: np.random.Generator) -> None:
    """Writing in colour on white."""
    canvas[:] = 238 + _noise(rng, 4, 4)
    _write(canvas, rng, [(30.0, 60.0, 170.0), (180.0, 40.0, 40.0), (30.0, 30.0, 40.0), (30.0, 130.0, 70.0)], 2)


def _write(canvas: Image, rng: np.random.Generator, colors: list[tuple[float, ...]], width: int) -> None:
    """Lines of scrawl, a curve and a figure."""
    for row in range(14, 70, 13):
        x, end = 8, int(rng.uniform(40, 118))
        color = colors[rng.integers(len(colors))]
        while x < end:
            letters = rng.integers(-4, 5, (int(rng.integers(3, 7)), 1))
            points = np.hstack([x + 3 * np.arange(len(letters))[:, None], row + letters]).astype(np.int32)
            cv2.polylines(canvas, [points], False, color, width - 1, cv2.LINE_AA)
            x += 3 * len(letters) + 4
    color = colors[rng.integers(len(colors))]
    cv2.polylines(canvas, [_whole([[14, 78], [14, 118], [60, 118]])], False, color, width)
    curve = np.stack([np.arange(16, 58), 112 - 30 * np.abs(exact.sin(np.arange(42) * rng.uniform(0.05, 0.2)))], axis=1)
    cv2.polylines(canvas, [curve.astype(np.int32)], False, colors[-1], width)
    cv2.circle(canvas, (90, 98), int(rng.integers(8, 20)), colors[0], width)


def _keyboard(canvas: Image, rng: np.random.Generator) -> None:
    """Rows of keys."""
    dark = rng.random() < 0.6
    canvas[:] = 30 if dark else 190
    for row in range(5):
        for column in range(15):
            x, y = 4 + 8 * column, 10 + 22 * row
            _rectangle(canvas, x, y, x + 5, y + 16, (70.0,) * 3 if dark else (235.0,) * 3)


def _toolboard(canvas: Image, rng: np.random.Generator) -> None:
    """A pegboard with hammers, spanners, saws and screwdrivers on it, 1.2 m wide."""
    canvas[:] = _color(rng, 90, 200, 0.6)
    canvas[4::8, 4::8] *= 0.4
    for row in (8, 68):
        x = 8.0
        while x < 112:
            kind, steel = rng.integers(4), (rng.uniform(150, 200),) * 3
            handle = _color(rng, 20, 220, 1.6)
            if kind == 0:  # hammer
                _rectangle(canvas, x + 4, row, x + 8, row + 46, handle)
                _rectangle(canvas, x - 2, row, x + 14, row + 9, (70.0,) * 3)
            elif kind == 1:  # screwdriver
                _rectangle(canvas, x + 2, row, x + 8, row + 20, handle)
                _rectangle(canvas, x + 4, row + 20, x + 6, row + 44, steel)
            elif kind == 2:  # spanner
                _rectangle(canvas, x + 4, row + 6, x + 8, row + 42, steel)
                cv2.circle(canvas, (int(x + 6), row + 5), 6, steel, 3)
                cv2.circle(canvas, (int(x + 6), row + 44), 5, steel, 3)
            else:  # saw
                blade = _whole([[x, row + 14], [x + 10, row + 14], [x + 6, row + 52], [x + 3, row + 52]])
                cv2.fillConvexPoly(canvas, blade, steel)
                _rectangle(canvas, x - 1, row, x + 12, row + 14, handle)
            x += rng.uniform(17, 24)


def _clock(canvas: Image, rng: np.random.Generator) -> None:
    """A clock's face."""
    canvas[:] = rng.uniform(225, 250)
    for hour in range(12):
        c, s = exact.cos(hour * np.pi / 6), exact.sin(hour * np.pi / 6)
        cv2.line(canvas, (int(64 + 46 * c), int(64 + 46 * s)), (int(64 + 56 * c), int(64 + 56 * s)), (20, 20, 20), 4)
    for reach, width in ((28, 5), (44, 3)):
        angle = rng.uniform(0, 2 * np.pi)
        cv2.line(
            canvas,
            (64, 64),
            (int(64 + reach * exact.cos(angle)), int(64 + reach * exact.sin(angle))),
            (20, 20, 20),
            width,
        )


def _leaves(canvas: Image, rng: np.random.Generator) -> None:
    """Foliage: dabs of light and dark green."""
    base = _floats((rng.uniform(50, 120), rng.uniform(105, 150), rng.uniform(35, 65)))
    canvas[:] = base * 0.5
    for _ in range(420):
        x, y = rng.integers(0, SIDE, 2)
        color = (base * rng.uniform(0.55, 1.35)).tolist()
        axes, angle = (int(rng.integers(3, 6)), 2), rng.uniform(0, 180)
        for dx in (-SIDE, 0, SIDE):
            for dy in (-SIDE, 0, SIDE):
                cv2.ellipse(canvas, (int(x + dx), int(y + dy)), axes, angle, 0, 360, color, -1)


def _water(canvas: Image, rng: np.random.Generator) -> None:
    canvas[:] = _floats((85, 140, 165)) + _noise(rng, 8, 22) + _noise(rng, 16, 14)


def _sign(canvas: Image, rng: np.random.Generator) -> None:
    """A traffic sign's face: a ring and a bar or an arrow."""
    canvas[:] = (200, 30, 30) if rng.random() < 0.6 else (25, 80, 180)
    inner = (250.0, 250.0, 250.0)
    if canvas[0, 0, 0] > 100:
        cv2.circle(canvas, (64, 64), 44, inner, -1)
        _rectangle(canvas, 36, 56, 92, 72, (30.0, 30.0, 30.0))
    else:
        cv2.arrowedLine(canvas, (64, 108), (64, 22), inner, 14, tipLength=0.4)


def _shutter(canvas: Image, rng: np.random.Generator) -> None:
    """A roller door's slats, 10 to a repeat."""
    slats = (np.arange(SIDE)[:, None, None] * 10 / SIDE) % 1
    canvas[:] = _floats(_color(rng, 120, 215, 0.7)) * (0.75 + 0.25 * np.sqrt(slats))


PRINTS: dict[str, Callable[[Image, np.random.Generator], None]] = {
    "goods": _goods,
    "fruit": _fruit,
    "landscape": _landscape,
    "abstract": _abstract,
    "poster": _poster,
    "map": _map,
    "window_view": _window_view,
    "chalkboard": _chalkboard,
    "whiteboard": _whiteboard,
    "keyboard": _keyboard,
    "toolboard": _toolboard,
    "clock": _clock,
    "leaves": _leaves,
    "water": _water,
    "sign": _sign,
    "shutter": _shutter,
}


def _floats(values: Any) -> NDArray[np.float32]:
    return np.asarray(values, np.float32)


def _whole(values: Any) -> NDArray[np.int32]:
    return np.asarray(values, np.int32)
