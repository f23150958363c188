"""What textures are made of: noise, cells, rows of blocks, relief and colours, all periodic, so that they tile.

Images here are float32 [S, S] or [S, S, 3] (sRGB, 0 to 1); row 0 lies at v = 0, the bottom.
Lattices are drawn at fixed sizes, so that a texture looks the same at another resolution.
"""

import colorsys
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from embodied_ssl.envs.world import exact

Picture = NDArray[np.float32]
Floats = NDArray[np.floating]

PAINTERS_WHEEL = (0.0, 0.075, 0.145, 0.32, 0.6, 0.78, 1.0)  # hue of red, orange, yellow, green, blue, violet, red


@lru_cache(maxsize=16)
def coordinates(size: int) -> tuple[Picture, Picture]:
    """u [1, S] and v [S, 1] of the texel centres, in repeats."""
    line = ((np.arange(size) + 0.5) / size).astype(np.float32)
    return line[None, :], line[:, None]


@lru_cache(maxsize=256)
def _spline(size: int, knots: int) -> Picture:
    """[size, knots]: periodic cubic B-spline weights, scaled so that white noise on the knots keeps unit variance."""
    place = (np.arange(size) + 0.5) / size * knots
    first = np.floor(place).astype(int)
    t = place - first
    weights = np.zeros((size, knots))
    cube = t * t * t
    basis = [(1 - t) ** 2 * (1 - t), 3 * cube - 6 * t**2 + 4, -3 * cube + 3 * t**2 + 3 * t + 1, cube]
    for shift, weight in enumerate(basis):
        np.add.at(weights, (np.arange(size), (first + shift - 1) % knots), weight)
    return np.asarray(weights / np.sqrt(np.mean(np.sum(weights**2, axis=1))), np.float32)


def noise(rng: np.random.Generator, size: int, columns: int, rows: int | None = None) -> Picture:
    """Smooth noise [S, S] of unit variance with `columns` × `rows` bumps in a repeat."""
    rows = columns if rows is None else rows
    knots = rng.standard_normal((rows, columns), np.float32)
    return exact.product(exact.product(_spline(size, rows), knots), _spline(size, columns).T)


def fractal(rng: np.random.Generator, size: int, columns: int, rows: int | None = None, octaves: int = 4) -> Picture:
    """Noise of several octaves, each twice as fine and half as strong; about unit variance."""
    rows = columns if rows is None else rows
    total = np.zeros((size, size), np.float32)
    for octave in range(octaves):
        total += noise(rng, size, min(columns << octave, 128), min(rows << octave, 128)) / 2**octave
    return total * 0.87


def cells(
    rng: np.random.Generator, size: int, columns: int, rows: int | None = None, jitter: float = 0.9
) -> tuple[Picture, Picture, NDArray[np.int64]]:
    """Cells about scattered points: distance to the nearest point, to the second nearest (in cells), and its number."""
    rows = columns if rows is None else rows
    offset = 0.5 + jitter * (rng.random((2, rows, columns), np.float32) - 0.5)
    u, v = coordinates(size)
    x, y = u * columns, v * rows
    column, row = np.floor(x).astype(int), np.floor(y).astype(int)
    first = np.full((size, size), 9.0, np.float32)
    second, winner = first.copy(), np.zeros((size, size), np.int8)
    for neighbour in range(9):
        near_row, near_column = row + neighbour // 3 - 1, column + neighbour % 3 - 1
        jump = offset[:, near_row[:, 0] % rows][:, :, near_column[0] % columns]
        dx = jump[0] + (near_column - x).astype(np.float32)
        dy = jump[1] + (near_row - y).astype(np.float32)
        distance = dx * dx + dy * dy
        np.putmask(winner, distance < first, neighbour)
        np.minimum(second, np.maximum(first, distance), out=second)
        np.minimum(first, distance, out=first)
    owner = ((row + winner // 3 - 1) % rows) * columns + (column + winner % 3 - 1) % columns
    return np.sqrt(first), np.sqrt(second), owner


@dataclass(frozen=True, eq=False)
class Blocks:
    """Rows of blocks. number: int [S, S]; u, v: place in the block, 0 to 1; edge: distance to its border, repeats."""

    number: NDArray[np.int64]
    u: Picture
    v: Picture
    edge: Picture


def blocks(size: int, columns: int, rows: int, shift: float = 0.5) -> Blocks:
    """`columns` × `rows` blocks in a repeat; odd rows shifted by a share of a block."""
    u, v = coordinates(size)
    row = np.floor(v * rows).astype(int)
    x = u * columns + shift * (row % 2)
    column = np.floor(x).astype(int)
    inside_u, inside_v = x - column, np.broadcast_to(v * rows - row, (size, size))
    edge = np.minimum(np.minimum(inside_u, 1 - inside_u) / columns, np.minimum(inside_v, 1 - inside_v) / rows).astype(
        np.float32
    )
    return Blocks((row % rows) * columns + column % columns, inside_u, inside_v, edge)


def per_block(rng: np.random.Generator, numbers: NDArray[np.int64], spread: float = 1.0) -> Picture:
    """One normal draw for each number, laid out where the number stands."""
    return (spread * rng.standard_normal(int(numbers.max()) + 1)).astype(np.float32)[numbers]


def relief(height: Floats, strength: float) -> Picture:
    """[S, S, 1] factor about 1 that shades a height (in texture sides per unit) as if lit from the upper left."""
    size = len(height)
    slope = (height - np.roll(height, 1, axis=1)) - (np.roll(height, -1, axis=0) - height)
    return np.asarray(np.clip(1 + strength * size / 128 * slope, 0.3, 1.7), np.float32)[..., None]


def step(value: Floats, edge: float, width: float = 0.02) -> Picture:
    """0 below `edge`, 1 above it, with a ramp of `width`."""
    return np.asarray(np.clip((value - edge) / width + 0.5, 0, 1), np.float32)


def mix(low: ArrayLike, high: ArrayLike, share: Floats) -> Picture:
    """[S, S, 3] between two colours ([3] or images) by share [S, S]."""
    first, second = np.asarray(low, np.float32), np.asarray(high, np.float32)
    return first + (second - first) * np.clip(share, 0, 1, dtype=np.float32)[..., None]


def flat(color: ArrayLike, size: int) -> Picture:
    """[S, S, 3] of one colour."""
    return np.tile(np.asarray(color, np.float32), (size, size, 1))


def draw_color(
    rng: np.random.Generator,
    hue: tuple[float, float] = (0, 1),
    saturation: tuple[float, float] = (0.25, 0.85),
    value: tuple[float, float] = (0.3, 0.95),
) -> Picture:
    """A colour [3] with hue, saturation and value from these ranges; of all hues, as painters' wheels space them."""
    turn, depth, light = rng.uniform(*hue) % 1.0, rng.uniform(*saturation), rng.uniform(*value)
    if hue == (0, 1):
        turn = float(np.interp(6 * turn, range(7), PAINTERS_WHEEL))
        glare = max(0.0, 1 - abs(turn - 0.36) / 0.16) + max(0.0, 1 - abs(turn - 0.84) / 0.1)
        depth, light = depth * (1 - 0.4 * glare), light * (1 - 0.12 * glare)  # few objects are neon green or magenta
    return np.array(colorsys.hsv_to_rgb(turn, depth, light), np.float32)


def draw_contrast(rng: np.random.Generator, color: Picture) -> Picture:
    """A colour [3] that stands out from another: light on dark, dark on light."""
    bright = float((color * np.array([0.3, 0.6, 0.1], np.float32)).sum()) > 0.5
    return draw_color(rng, saturation=(0.0, 0.9), value=(0.08, 0.4) if bright else (0.75, 1.0))


def draw_gray(rng: np.random.Generator, low: float, high: float, tint: float = 0.03) -> Picture:
    """A grey [3] with a slight tint."""
    return np.clip(rng.uniform(low, high) + rng.uniform(-tint, tint, 3), 0, 1).astype(np.float32)


# Capitals as strokes on a grid 2 wide and 4 high, y down: pairs of x and y, strokes parted by spaces.
LETTERS = {
    "A": "041024 0323", "B": "0400102112022304 021223", "C": "211001031423", "E": "20000424 0212", "F": "200004 0212",
    "I": "1014", "K": "0004 2002 0224", "L": "000424", "M": "0400122024", "N": "04002420", "O": "10010314232110",
    "P": "040010211202", "R": "040010211202 1224", "S": "211001122314 1403", "T": "0020 1014", "U": "0003142320",
}  # fmt: skip


class Print:
    """Draws on an image seen the right way up: x to the right, y down, both 0 to 1."""

    def __init__(self, picture: Picture):
        self.size = len(picture)
        self._sheet = np.ascontiguousarray(np.clip(picture[::-1] * 255 + 0.5, 0, 255).astype(np.uint8))

    def picture(self) -> Picture:
        """The image with all that was printed on it."""
        return np.divide(self._sheet[::-1], 255, dtype=np.float32)

    def _at(self, *values: float) -> list[int]:
        return [round(value * self.size) for value in values]

    def _corners(self, points: ArrayLike) -> list[NDArray[np.int32]]:
        return [np.round(np.asarray(points, float) * self.size).astype(np.int32)]

    def rectangle(self, x: float, y: float, width: float, height: float, color: Picture) -> None:
        """Filled."""
        left, top, right, bottom = self._at(x, y, x + width, y + height)
        self._sheet[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = _ink(color)

    def disc(self, x: float, y: float, radius: float, color: Picture) -> None:
        """Filled."""
        cv2.circle(self._sheet, self._at(x, y), self._at(radius)[0], _ink(color), -1, cv2.LINE_AA)

    def polygon(self, points: ArrayLike, color: Picture) -> None:
        """Filled, of points [P, 2]."""
        cv2.fillPoly(self._sheet, self._corners(points), _ink(color), cv2.LINE_AA)

    def line(self, points: ArrayLike, color: Picture, width: float = 0.01) -> None:
        """Through points [P, 2]."""
        thickness = max(1, round(width * self.size))
        cv2.polylines(self._sheet, self._corners(points), False, _ink(color), thickness, cv2.LINE_AA)

    def word(self, text: str, x: float, y: float, height: float, color: Picture) -> None:
        """Capital letters (those of LETTERS) whose upper left corner lies at (x, y)."""
        unit = height / 4
        for place, letter in enumerate(text):
            for stroke in LETTERS[letter].split():
                digits = np.array([int(digit) for digit in stroke[: len(stroke) // 2 * 2]]).reshape(-1, 2)
                self.line(digits * unit + [x + 0.75 * height * place, y], color, 0.7 * unit)

    def text(
        self, rng: np.random.Generator, area: tuple[float, float, float, float], rows: int, color: Picture
    ) -> None:
        """Rows of words too small to read, in an area (x, y, width, height)."""
        x, y, width, height = area
        pitch = height / rows
        for row in range(rows):
            place = x
            end = x + width * (rng.uniform(0.5, 1.0) if row == rows - 1 else 1.0)
            while place < end:
                length = rng.uniform(0.03, 0.11)
                self.rectangle(place, y + row * pitch, min(length, end - place), 0.55 * pitch, color)
                place += length + 0.02

    def barcode(self, rng: np.random.Generator, x: float, y: float, width: float, height: float) -> None:
        """Black bars on white."""
        black, white = np.full(3, 0.05, np.float32), np.full(3, 0.95, np.float32)
        self.rectangle(x, y, width, height, white)
        place = x + 0.02
        while place < x + width - 0.03:
            bar = rng.uniform(0.008, 0.022)
            self.rectangle(place, y + 0.015, bar, height - 0.03, black)
            place += bar + rng.uniform(0.01, 0.02)


def _ink(color: ArrayLike) -> list[float]:
    return np.clip(np.asarray(color, float) * 255, 0, 255).round().tolist()
