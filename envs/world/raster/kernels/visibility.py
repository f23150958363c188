"""Visibility: which triangle each sample of an image sees.

Every triangle is scanned into a buffer of samples (antialias² of them in a pixel) that keeps the nearest triangle's
number; so do the casters of shadows, seen from the sun.
"""

import math

import numpy as np

from embodied_ssl.envs.world.compiled import inlined, jit, kernel
from embodied_ssl.envs.world.raster.kernels.buffers import (
    ACROSS,
    COMPARED,
    CORNER_COLUMN,
    CORNER_ROW,
    DOWN,
    FIRST_TRIANGLE,
    FIRST_VERTEX,
    HIGHEST,
    PART,
    RADIUS,
    SHOWN,
    TRIANGLE,
    TRIANGLE_END,
    VERTEX_END,
    W,
)
from embodied_ssl.envs.world.raster.kernels.triangles import Grid, scan_triangle

NEAR_M = 0.02
LARGE = 1e9


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
def casting_box(casts, item, spheres, axes, poses):
    """The lowest and highest corner, [3] each, m, of all that casts a shadow, along the axes [3, 3] of the sun.

    casts, item, spheres: of a stage, each by itself: so few are handed over in half the time. poses: float64
    [N, 4, 4], item to world.
    """
    low, high = np.full(3, np.inf), np.full(3, -np.inf)
    center = np.empty(3)
    for part in range(len(casts)):
        if casts[part]:
            pose, sphere = poses[item[part]], spheres[part]
            for k in range(3):
                center[k] = pose[k, 0] * sphere[0] + pose[k, 1] * sphere[1] + pose[k, 2] * sphere[2] + pose[k, 3]
            for k in range(3):
                along = center[0] * axes[k, 0] + center[1] * axes[k, 1] + center[2] * axes[k, 2]
                low[k] = min(low[k], along - sphere[RADIUS])
                high[k] = max(high[k], along + sphere[RADIUS])
    return low, high


@jit
def scan_shadows(stage, samples, sun, poses):
    """Fill the sun's map with the height of the highest caster at each of its points.

    poses: float64 [N, 4, 4], item to world. samples: as many as the map has points; their keys are 0 before and after.
    """
    side = len(sun.heights)
    grid = Grid(side, side, True, 0.0, np.float32(HIGHEST + 1))
    matrix = np.empty((3, 4))
    for part in range(len(stage.ranges)):
        if stage.casts[part]:
            _compose(sun.to_map, poses, stage.item[part], matrix)
            _scan_part(stage, samples, grid, matrix, part, np.int64(0))
    _pair_heights(samples.keys, sun.heights.reshape(-1), side)


@kernel
def _pair_heights(keys, heights, side):
    """From keys to heights as whole numbers, each with that of the next row in its high half; keys to 0."""
    below = np.uint64(side)
    for row in range(side - 1):
        first = np.uint64(row * side)
        for at in range(first, first + below):
            high = np.int32(keys[at + below] >> 32)
            low = np.int32(keys[at] >> 32)
            heights[at] = np.int32(np.int32(high.view(np.float32)) << np.int32(16)) | np.int32(low.view(np.float32))
        keys[row * side : (row + 1) * side] = 0  # while they are at hand
    keys[(side - 1) * side :] = 0
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
        if scan_triangle(corners, (i, j, k), grid, keys, edges, anchors, used):
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
