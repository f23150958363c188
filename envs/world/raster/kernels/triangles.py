r"""Triangles: one of them scanned into the samples.

Triangles are set up in homogeneous coordinates (Olano & Greer 1997), so that none is ever clipped: with the
columns v_i = (x, y, w) of its projected corners, the rows e_i of the inverse are its edges, Σ e_i = 1/w, and e_i·w are
the perspective-correct barycentric coordinates. A shared edge has exactly opposite coefficients in its two triangles,
and a span is half open, so adjoining triangles leave no crack and share no sample (the top-left rule):

              v_0               e_i is 0 on the side opposite to v_i, and positive within:
             /   \
        e_2 / · ·  \ e_1          e_i(column, row) = by_column · column + by_row · row + constant
           / · · · · \
        v_1 --------- v_2        a row of samples is inside from the first at or right of its left edge
                e_0              up to, and without, the first at or right of its right edge
"""

import math
from typing import NamedTuple

import numpy as np

from embodied_ssl.envs.world.compiled import inlined, kernel
from embodied_ssl.envs.world.raster.kernels.buffers import (
    ACROSS,
    BY_COLUMN,
    BY_ROW,
    COLUMN,
    COMPARED,
    CONSTANT,
    CORNER_COLUMN,
    CORNER_ROW,
    DOWN,
    ROW,
    W,
)

_BEYOND = 1e-9  # so that a corner's own row and column are within the half-open bounds


class Grid(NamedTuple):
    """The samples that triangles are scanned into, and what is too near for them."""

    width: int
    height: int
    orthographic: bool
    near: float  # smallest w at which a corner is in front
    most: np.float32  # what is compared must be below it, else a sample is too close


class Edge(NamedTuple):
    """A line in the image: by_column · column + by_row · row + constant is 0 on it."""

    by_column: float
    by_row: float
    constant: float
    inverse: float  # −1 / by_column; 0 where that is 0


@inlined
def scan_triangle(corners, triangle, grid, keys, edges, anchors, slot):
    """Scan one triangle, of three corners, into the samples; True if it may own some."""
    i, j, k = triangle
    first_row, last_row, first_column, last_column = _bounds(corners, i, j, k, grid)
    a = _edge(corners, j, k)
    determinant = a.by_column * corners[i, ACROSS] + a.by_row * corners[i, DOWN] + a.constant * corners[i, W]
    # Else it is out of view or between the samples; or seen from behind (an image's rows run down), or edge-on.
    possible = first_row < last_row and first_column < last_column and determinant < 0.0
    if possible:
        b = _edge(corners, k, i)
        c = _edge(corners, i, j)
        scale = 1.0 / determinant
        a_value, b_value, c_value = corners[i, COMPARED], corners[j, COMPARED], corners[k, COMPARED]
        by_column = (a.by_column * a_value + b.by_column * b_value + c.by_column * c_value) * scale
        by_row = (a.by_row * a_value + b.by_row * b_value + c.by_row * c_value) * scale
        constant = (a.constant * a_value + b.constant * b_value + c.constant * c_value) * scale
        owner = np.int64(np.uint32(~slot))
        for row in range(first_row, last_row):
            low = np.float64(first_column)
            high = np.float64(last_column)
            low, high = _narrow(low, high, a, row)
            low, high = _narrow(low, high, b, row)
            low, high = _narrow(low, high, c, row)
            if low < high:
                start = np.float32(by_row * row + constant)
                span = np.int32(math.ceil(low)), np.int32(math.ceil(high))
                _scan_row(keys, np.uint64(row * grid.width), span, start, np.float32(by_column), grid.most, owner)
        at_column = np.float64(first_column)
        at_row = np.float64(first_row)
        anchors[slot, COLUMN] = at_column
        anchors[slot, ROW] = at_row
        _keep_edge(edges, slot, 0, a, scale, at_column, at_row)
        _keep_edge(edges, slot, 1, b, scale, at_column, at_row)
        _keep_edge(edges, slot, 2, c, scale, at_column, at_row)
    return possible


@inlined
def _bounds(corners, i, j, k, grid):
    """The first row and the end of them, and the same of columns; empty where no corner is in front."""
    near = grid.near
    first_row, last_row, first_column, last_column = 0, grid.height, 0, grid.width
    if corners[i, W] >= near and corners[j, W] >= near and corners[k, W] >= near:
        top = min(corners[i, CORNER_ROW], corners[j, CORNER_ROW], corners[k, CORNER_ROW])
        bottom = max(corners[i, CORNER_ROW], corners[j, CORNER_ROW], corners[k, CORNER_ROW])
        left = min(corners[i, CORNER_COLUMN], corners[j, CORNER_COLUMN], corners[k, CORNER_COLUMN])
        right = max(corners[i, CORNER_COLUMN], corners[j, CORNER_COLUMN], corners[k, CORNER_COLUMN])
        first_row = _clamped_ceiling(top, 0, grid.height)
        last_row = _clamped_ceiling(bottom + _BEYOND, 0, grid.height)
        first_column = _clamped_ceiling(left, 0, grid.width)
        last_column = _clamped_ceiling(right + _BEYOND, 0, grid.width)
    elif corners[i, W] < near and corners[j, W] < near and corners[k, W] < near:
        last_row = 0
    return first_row, last_row, first_column, last_column


@kernel
def _clamped_ceiling(value: float, low: int, high: int) -> int:
    """ceil(value), clamped; safe for values that no integer holds."""
    return math.ceil(min(max(value, np.float64(low)), np.float64(high)))


@inlined
def _edge(corners, j, k):
    """The edge through two corners, their cross product: swapping them negates it exactly (no fused arithmetic)."""
    by_column = corners[j, DOWN] * corners[k, W] - corners[j, W] * corners[k, DOWN]
    by_row = corners[j, W] * corners[k, ACROSS] - corners[j, ACROSS] * corners[k, W]
    constant = corners[j, ACROSS] * corners[k, DOWN] - corners[j, DOWN] * corners[k, ACROSS]
    inverse = -1.0 / by_column if by_column != 0.0 else 0.0
    return Edge(by_column, by_row, constant, inverse)


@inlined
def _keep_edge(edges, slot, corner, edge, scale, at_column, at_row):
    """An edge, scaled so that the three sum to 1/w, as terms about the triangle's anchor."""
    edges[slot, corner, BY_COLUMN] = edge.by_column * scale
    edges[slot, corner, BY_ROW] = edge.by_row * scale
    edges[slot, corner, CONSTANT] = (edge.by_column * at_column + edge.by_row * at_row + edge.constant) * scale


@inlined
def _narrow(low, high, edge, row):
    """What is left of a row's span where an edge is negative.

    That is right of −level / slope for a negative slope, left of it else; an edge of slope 0 bounds nothing in its row
    or everything.
    """
    level = edge.by_row * row + edge.constant
    if edge.by_column < 0.0:
        low = max(low, level * edge.inverse)
    elif edge.by_column > 0.0:
        high = min(high, level * edge.inverse)
    elif level > 0.0 or (level == 0.0 and edge.by_row > 0.0):
        high = low
    return low, high


@inlined
def _scan_row(keys, base, span, start, step, most, owner):
    """Enter a triangle's span of a row into the samples, from `base` on, where it is the nearest.

    A key is the nearness's bits over the owner's number, so that the greater one is the nearer. Eight samples at a
    time, whole: the loop has no branch, and compiles to vector instructions.
    """
    first, end = span
    zero = np.float32(0.0)
    for column in range(np.uint64(first & -8), np.uint64((end + 7) & -8)):
        at = np.int32(column)
        value = start + step * np.float32(at)
        key = (np.int64(np.float32(value).view(np.int32)) << 32) | owner
        mine = (at >= first) & (at < end) & (value > zero) & (value < most)
        keys[base + column] = max(keys[base + column], key if mine else np.int64(0))
