r"""Visibility: which triangle each sample of an image sees.

Every triangle is scanned into a buffer of samples (antialias² of them in a pixel) that keeps the nearest triangle's
number. Triangles are set up in homogeneous coordinates (Olano & Greer 1997), so that none is ever clipped: with the
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

from embodied_ssl.envs.world.compiled import inlined, jit, kernel
from embodied_ssl.envs.world.raster.buffers import (
    ACROSS,
    BY_COLUMN,
    BY_ROW,
    COLUMN,
    COMPARED,
    CONSTANT,
    CORNER_COLUMN,
    CORNER_ROW,
    DOWN,
    FIRST_TRIANGLE,
    FIRST_VERTEX,
    HIGHEST,
    PART,
    RADIUS,
    ROW,
    SHOWN,
    TRIANGLE,
    TRIANGLE_END,
    VERTEX_END,
    W,
)

NEAR_M = 0.02
LARGE = 1e9
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


@jit
def scan_view(stage, samples, poses, view):
    """Scan all parts in a perspective view, nearest part first.

    poses: float64 [N, 4, 4], item to world.
    """
    spacing = view.spacing
    grid = Grid(view.width * spacing, view.height * spacing, False, NEAR_M, np.float32(1.0 / NEAR_M))
    to_samples = _world_to_samples(view)
    samples.keys[:] = 0
    matrix = np.empty((3, 4))
    ahead = np.empty(len(stage.ranges))
    for part in range(len(stage.ranges)):
        _compose(to_samples, poses, stage.item[part], matrix)
        ahead[part] = _distance(stage.spheres, part, matrix, grid)
    used = np.int64(0)
    for part in np.argsort(ahead):  # what is near hides what is far, which is then not written
        if ahead[part] >= LARGE:
            break
        _compose(to_samples, poses, stage.item[part], matrix)
        used = _scan_part(stage, samples, grid, matrix, part, used)


@jit
def scan_shadows(stage, samples, sun, poses):
    """Fill the sun's map with the height of the highest caster at each of its points.

    poses: float64 [N, 4, 4], item to world. samples: as many as the map has points.
    """
    side = len(sun.heights)
    grid = Grid(side, side, True, 0.0, np.float32(HIGHEST + 1))
    samples.keys[:] = 0
    matrix = np.empty((3, 4))
    for part in range(len(stage.ranges)):
        if stage.casts[part]:
            _compose(sun.to_map, poses, stage.item[part], matrix)
            _scan_part(stage, samples, grid, matrix, part, np.int64(0))
    _pair_heights(samples.keys, sun.heights.reshape(-1), side)


@kernel
def _pair_heights(keys, heights, side):
    """From keys to heights as whole numbers, each with that of the next row in its high half."""
    below = np.uint64(side)
    for at in range(np.uint64((side - 1) * side)):
        high = np.int32(keys[at + below] >> 32)
        low = np.int32(keys[at] >> 32)
        heights[at] = np.int32(np.int32(high.view(np.float32)) << np.int32(16)) | np.int32(low.view(np.float32))
    heights[(side - 1) * side :] = 0


@kernel
def _scan_part(stage, samples, grid, matrix, part, used):
    """Project a part's vertices by `matrix` [3, 4] and scan its triangles; the number of slots used afterwards."""
    triangles, corners, keys = stage.triangles, samples.corners, samples.keys
    edges, anchors, slots = samples.edges, samples.anchors, samples.slots
    _project(stage, corners, grid, matrix, part)
    first = stage.ranges[part, FIRST_VERTEX]
    begin = np.uint64(stage.ranges[part, FIRST_TRIANGLE])
    end = np.uint64(stage.ranges[part, TRIANGLE_END])
    for t in range(begin, end):
        i = np.uint64(triangles[t, 0] - first)
        j = np.uint64(triangles[t, 1] - first)
        k = np.uint64(triangles[t, 2] - first)
        if _scan_triangle(corners, (i, j, k), grid, keys, edges, anchors, used):
            slots[used, TRIANGLE] = t
            slots[used, PART] = part
            slots[used, SHOWN] = 0
            used += 1
    return used


@inlined
def _project(stage, corners, grid, matrix, part):
    """In perspective the nearness 1/w is compared; in an orthographic view the third coordinate is, and w is 1."""
    vertices, orthographic = stage.vertices, grid.orthographic
    first = np.uint64(stage.ranges[part, FIRST_VERTEX])
    for v in range(first, np.uint64(stage.ranges[part, VERTEX_END])):
        x, y, z = vertices[v, 0], vertices[v, 1], vertices[v, 2]
        across = matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2] * z + matrix[0, 3]
        down = matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2] * z + matrix[1, 3]
        third = matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2] * z + matrix[2, 3]
        w, compared = (1.0, third) if orthographic else (third, 1.0)
        inverse = 1.0 / w
        at = v - first
        corners[at, ACROSS] = across
        corners[at, DOWN] = down
        corners[at, W] = w
        corners[at, COMPARED] = compared
        corners[at, CORNER_COLUMN] = across * inverse
        corners[at, CORNER_ROW] = down * inverse


@inlined
def _scan_triangle(corners, triangle, grid, keys, edges, anchors, slot):
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


@kernel
def _distance(spheres, part, matrix, grid):
    """How far ahead a part's bounding sphere begins, in w; LARGE where none of it can show."""
    x, y, z, radius = spheres[part, 0], spheres[part, 1], spheres[part, 2], spheres[part, RADIUS]
    across = matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2] * z + matrix[0, 3]
    down = matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2] * z + matrix[1, 3]
    w = matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2] * z + matrix[2, 3]
    right = grid.width - 1
    bottom = grid.height - 1
    shows = (
        w + radius * _row_norm(matrix, 2, 2, 0.0) >= NEAR_M
        and across + radius * _row_norm(matrix, 0, 2, 0.0) >= 0.0
        and down + radius * _row_norm(matrix, 1, 2, 0.0) >= 0.0
        and across - right * w <= radius * _row_norm(matrix, 0, 2, np.float64(-right))
        and down - bottom * w <= radius * _row_norm(matrix, 1, 2, np.float64(-bottom))
    )
    return w - radius if shows else LARGE


@kernel
def _row_norm(matrix, row, other, factor):
    """Length of the linear part of matrix[row] + factor · matrix[other]."""
    total = 0.0
    for k in range(3):
        value = matrix[row, k] + factor * matrix[other, k]
        total += value * value
    return math.sqrt(total)


@kernel
def _compose(view, poses, item, out):
    """out [3, 4] = view [3, 4] · poses[item] [4, 4]."""
    for i in range(3):
        for j in range(4):
            total = view[i, 3] if j == 3 else 0.0
            for k in range(3):
                total += view[i, k] * poses[item, k, j]
            out[i, j] = total


@jit
def _world_to_samples(view):
    """World to (column · w, row · w, w) in samples, [3, 4]: the pose's inverse is its transpose, shifted."""
    spacing = view.spacing
    shift = 0.5 * (spacing - 1)
    to_samples = np.array([[spacing, 0, shift], [0, spacing, shift], [0, 0, 1.0]])
    scale = np.zeros((3, 3))
    for i in range(3):
        for j in range(3):
            for k in range(3):
                scale[i, j] += to_samples[i, k] * view.intrinsics[k, j]
    matrix = np.zeros((3, 4))
    for i in range(3):
        for j in range(3):
            for k in range(3):
                matrix[i, j] += scale[i, k] * view.pose[j, k]
        for j in range(3):
            matrix[i, 3] -= matrix[i, j] * view.pose[j, 3]
    return matrix
