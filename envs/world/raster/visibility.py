"""Visibility: which triangle each sample of an image sees, found by our rasteriser in flat buffers.

Every triangle is scanned into a buffer of samples (antialias² of them in a pixel) that keeps the nearest triangle's
number; `shading` colours what is seen. Triangles are set up in homogeneous coordinates (Olano & Greer 1997), so that
none is ever clipped: with the columns v_i = (x, y, w) of its projected corners, the rows e_i of the inverse are its
edges, Σ e_i = 1/w, and e_i·w are the perspective-correct barycentric coordinates. A shared edge has exactly opposite
coefficients in its two triangles, and a span is half open, so adjoining triangles leave no crack and share no sample
(the top-left rule).

Compiled code is cached by file: nothing compiled here or in `shading` may call what is compiled in another file, since
a change there would go unnoticed.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.envs.world.compiled import inlined, jit

NEAR_M = 0.02
LARGE = 1e9
HIGHEST = 65535  # height in the shadow map
MIXED = -2  # the owner of a pixel that shows several triangles


class Stage(NamedTuple):
    """Everything that stands in a world, flat: V vertices and T triangles of meshes, P parts that wear textures."""

    vertices: NDArray[np.float32]  # [V, 3] m, in the frame of the item
    normals: NDArray[np.float32]  # [V, 3]
    uv: NDArray[np.float32]  # [V, 2] texture repeats
    triangles: NDArray[np.int32]  # [T, 3]
    ranges: NDArray[np.int32]  # [P, 4] first vertex and end, first triangle and end of each part
    item: NDArray[np.int32]  # [P] whose pose moves it
    instance: NDArray[np.uint8]  # [P] what the mask shows
    spheres: NDArray[np.float64]  # [P, 4] bounding centre and radius, m
    surfaces: NDArray[np.float32]  # [P, 2] gloss, emission
    casts: NDArray[np.bool_]  # [P] whether it casts a shadow
    texture_end: NDArray[np.int32]  # [P] where the levels of its texture end in texels
    texture_log_side: NDArray[np.int32]  # [P] log2 of its texture's side
    texels: NDArray[np.uint32]  # 0x00BBGGRR, levels from fine to coarse; the first of a row follows its last
    light: NDArray[np.float32]  # [6, 3] the rows that `shading` names


class Samples(NamedTuple):
    """What a view sees, and room to work in. width × height samples; at most S slots: triangles of all parts.

    A span is a run of whole pixels of one triangle along a row, or the part of a pixel that one triangle covers. They
    are in the order of pixels; F, their most, is the number of samples.
    """

    keys: NDArray[np.int64]  # [height · width + 15] nearness as float32 over ~slot of the nearest triangle; 0 = none
    slots: NDArray[np.int32]  # [S, 3] triangle and part in each slot, and whether it is in `shown`
    edges: NDArray[np.float64]  # [S, 11] e_0, e_1, e_2 (x, y, constant each) about the sample at [9:11]
    shown: NDArray[np.int32]  # [S] the slots that pixels show
    spans: NDArray[np.int32]  # [F, 4] first of its pixels and their end, counted over all spans; pixel; slot or −1
    places: NDArray[np.float32]  # [F, 3] where each starts: column and row in samples; share of the pixel, in (0, 1]
    planes: NDArray[
        np.float32
    ]  # [S, 3, 16] x, y, constant of what `shading` interpolates, over w; the last: background
    density: NDArray[np.float32]  # [S] texels² per pixel at the finest level, over w³
    corners: NDArray[np.float64]  # [V, 6] projected vertices of one part: x·w, y·w, w, compared, x, y


class Sun(NamedTuple):
    """The shadow map: a view from the sun.

    Heights towards the sun are whole numbers from 1 to 65,535, 0 where nothing casts a shadow. A point of the map holds
    its own height in the low half, and in the high half that of the point in the next row, so that one read tells a
    column of two.
    """

    to_map: NDArray[np.float64]  # [3, 4] world to column, row and height
    heights: NDArray[np.int32]  # [S, S] of the highest caster; S = 2: no shadows
    step: float  # m, off the surface against self-shadowing
    lift: float  # the same as a height


@jit
def _clamped_ceiling(value: float, low: int, high: int) -> int:
    """ceil(value), clamped; safe for values that no integer holds."""
    return math.ceil(min(max(value, np.float64(low)), np.float64(high)))


@inlined
def _narrow(low, high, slope, drop, level, inverse):
    """What is left of a row's span where an edge is negative: slope · x + level, with drop its change per row.

    inverse: −1 / slope. Inside is right of −level / slope for a negative slope, left of it else; an edge of slope 0
    bounds nothing in its row or everything.
    """
    if slope < 0.0:
        low = max(low, level * inverse)
    elif slope > 0.0:
        high = min(high, level * inverse)
    elif level > 0.0 or (level == 0.0 and drop > 0.0):
        high = low
    return low, high


@inlined
def _scan_triangle(corners, i, j, k, near, most, width, height, keys, slot, edges):
    """Scan one triangle into the samples; True if it may own some.

    near: smallest w at which a corner is in front. most: nearness beyond which a sample is too close.
    """
    x0, y0, w0, x1, y1, w1 = corners[i, 0], corners[i, 1], corners[i, 2], corners[j, 0], corners[j, 1], corners[j, 2]
    x2, y2, w2 = corners[k, 0], corners[k, 1], corners[k, 2]
    first_row, last_row, first_column, last_column = 0, height, 0, width
    possible = w0 >= near or w1 >= near or w2 >= near
    if w0 >= near and w1 >= near and w2 >= near:
        top, bottom = min(corners[i, 5], corners[j, 5], corners[k, 5]), max(corners[i, 5], corners[j, 5], corners[k, 5])
        left, right = min(corners[i, 4], corners[j, 4], corners[k, 4]), max(corners[i, 4], corners[j, 4], corners[k, 4])
        first_row, last_row = _clamped_ceiling(top, 0, height), _clamped_ceiling(bottom + 1e-9, 0, height)
        first_column, last_column = _clamped_ceiling(left, 0, width), _clamped_ceiling(right + 1e-9, 0, width)
        possible = first_row < last_row and first_column < last_column  # not out of view, nor between the samples
    # Edges are cross products of the corners. Swapping the corners negates them exactly (no fused arithmetic here).
    ax, ay, ac = y1 * w2 - w1 * y2, w1 * x2 - x1 * w2, x1 * y2 - y1 * x2
    determinant = ax * x0 + ay * y0 + ac * w0
    possible = possible and determinant < 0.0  # else seen from behind (the picture's y runs down), or edge-on
    if possible:
        bx, by, bc = y2 * w0 - w2 * y0, w2 * x0 - x2 * w0, x2 * y0 - y2 * x0
        cx, cy, cc = y0 * w1 - w0 * y1, w0 * x1 - x0 * w1, x0 * y1 - y0 * x1
        a0, a1, a2 = corners[i, 3], corners[j, 3], corners[k, 3]
        scale = 1.0 / determinant
        slope_x = (ax * a0 + bx * a1 + cx * a2) * scale
        slope_y = (ay * a0 + by * a1 + cy * a2) * scale
        offset = (ac * a0 + bc * a1 + cc * a2) * scale
        inverse_a = -1.0 / ax if ax != 0.0 else 0.0
        inverse_b = -1.0 / bx if bx != 0.0 else 0.0
        inverse_c = -1.0 / cx if cx != 0.0 else 0.0
        owner, zero = np.int64(np.uint32(~slot)), np.float32(0.0)
        for row in range(first_row, last_row):
            low, high = np.float64(first_column), np.float64(last_column)
            level_a, level_b, level_c = ay * row + ac, by * row + bc, cy * row + cc
            low, high = _narrow(low, high, ax, ay, level_a, inverse_a)
            low, high = _narrow(low, high, bx, by, level_b, inverse_b)
            low, high = _narrow(low, high, cx, cy, level_c, inverse_c)
            if low < high:
                start, step = np.float32(slope_y * row + offset), np.float32(slope_x)
                first, end = np.int32(math.ceil(low)), np.int32(math.ceil(high))
                # Eight at a time, whole, so that it compiles to vector instructions; the greater key is the nearer.
                base = np.uint64(row * width)
                for column in range(np.uint64(first & -8), np.uint64((end + 7) & -8)):
                    at = np.int32(column)
                    value = start + step * np.float32(at)
                    key = (np.int64(np.float32(value).view(np.int32)) << 32) | owner
                    mine = (at >= first) & (at < end) & (value > zero) & (value < most)
                    keys[base + column] = max(keys[base + column], key if mine else np.int64(0))
        at_x, at_y = np.float64(first_column), np.float64(first_row)
        edges[slot, 0], edges[slot, 1], edges[slot, 2] = ax * scale, ay * scale, (ax * at_x + ay * at_y + ac) * scale
        edges[slot, 3], edges[slot, 4], edges[slot, 5] = bx * scale, by * scale, (bx * at_x + by * at_y + bc) * scale
        edges[slot, 6], edges[slot, 7], edges[slot, 8] = cx * scale, cy * scale, (cx * at_x + cy * at_y + cc) * scale
        edges[slot, 9], edges[slot, 10] = at_x, at_y
    return possible


@jit
def _scan_part(
    ranges,
    vertices,
    triangles,
    corners,
    matrix,
    orthographic,
    width,
    height,
    keys,
    slots,
    edges,
    part,
    used,
):
    """Project a part's vertices by `matrix` [3, 4] and scan its triangles; the number of slots used afterwards.

    In perspective the nearness 1/w is compared; in an orthographic view the third coordinate is, and w is 1.
    """
    first = ranges[part, 0]
    for v in range(np.uint64(first), np.uint64(ranges[part, 1])):
        x, y, z = vertices[v, 0], vertices[v, 1], vertices[v, 2]
        across = matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2] * z + matrix[0, 3]
        down = matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2] * z + matrix[1, 3]
        third = matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2] * z + matrix[2, 3]
        w, compared = (1.0, third) if orthographic else (third, 1.0)
        at, inverse = v - np.uint64(first), 1.0 / w
        corners[at, 0], corners[at, 1], corners[at, 2], corners[at, 3] = across, down, w, compared
        corners[at, 4], corners[at, 5] = across * inverse, down * inverse
    near, most = (0.0, np.float32(HIGHEST + 1)) if orthographic else (NEAR_M, np.float32(1.0 / NEAR_M))
    for t in range(np.uint64(ranges[part, 2]), np.uint64(ranges[part, 3])):
        i, j = np.uint64(triangles[t, 0] - first), np.uint64(triangles[t, 1] - first)
        k = np.uint64(triangles[t, 2] - first)
        if _scan_triangle(corners, i, j, k, near, most, width, height, keys, used, edges):
            slots[used, 0], slots[used, 1], slots[used, 2] = t, part, 0
            used += 1
    return used


@jit
def _sphere_in_view(x, y, w, radius, matrix, width, height):
    """Whether a sphere whose centre projects to (x·w, y·w, w) may show in a perspective view of width × height."""
    return (
        w + radius * _row_norm(matrix, 2, 2, 0.0) >= NEAR_M
        and x + radius * _row_norm(matrix, 0, 2, 0.0) >= 0.0
        and y + radius * _row_norm(matrix, 1, 2, 0.0) >= 0.0
        and x - (width - 1) * w <= radius * _row_norm(matrix, 0, 2, 1.0 - width)
        and y - (height - 1) * w <= radius * _row_norm(matrix, 1, 2, 1.0 - height)
    )


@jit
def _row_norm(matrix, row, other, factor):
    """Length of the linear part of matrix[row] + factor · matrix[other]."""
    total = 0.0
    for k in range(3):
        value = matrix[row, k] + factor * matrix[other, k]
        total += value * value
    return math.sqrt(total)


@jit
def _compose(view, poses, item, out):
    """out [3, 4] = view [3, 4] · poses[item] [4, 4]."""
    for i in range(3):
        for j in range(4):
            total = view[i, 3] if j == 3 else 0.0
            for k in range(3):
                total += view[i, k] * poses[item, k, j]
            out[i, j] = total


@jit
def _view(intrinsics, camera_pose, spacing):
    """World to (x·w, y·w, w) in samples, [3, 4]: the pose's inverse is its transpose, shifted."""
    to_samples = np.array([[spacing, 0, 0.5 * (spacing - 1)], [0, spacing, 0.5 * (spacing - 1)], [0, 0, 1.0]])
    scale, view = np.zeros((3, 3)), np.zeros((3, 4))
    for i in range(3):
        for j in range(3):
            for k in range(3):
                scale[i, j] += to_samples[i, k] * intrinsics[k, j]
    for i in range(3):
        for j in range(3):
            for k in range(3):
                view[i, j] += scale[i, k] * camera_pose[j, k]
        for j in range(3):
            view[i, 3] -= view[i, j] * camera_pose[j, 3]
    return view


@jit
def scan_view(stage, samples, poses, camera_pose, intrinsics, spacing, width, height):
    """Scan all parts in a perspective view, nearest part first.

    poses: float64 [N, 4, 4], item to world. camera_pose: float64 [4, 4], camera to world. intrinsics: float64 [3, 3],
    pixels. spacing: samples per pixel and axis. width, height: of the image, in pixels. Returns how many spans there
    are, and how many triangles show.
    """
    wide, tall = width * spacing, height * spacing
    view = _view(intrinsics, camera_pose, spacing)
    ranges, vertices, triangles, items = stage.ranges, stage.vertices, stage.triangles, stage.item
    spheres, keys, slots, edges, corners = stage.spheres, samples.keys, samples.slots, samples.edges, samples.corners
    count = len(ranges)
    matrix = np.empty((3, 4))
    ahead = np.empty(count)
    for p in range(count):
        _compose(view, poses, items[p], matrix)
        x, y, z, radius = spheres[p, 0], spheres[p, 1], spheres[p, 2], spheres[p, 3]
        across = matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2] * z + matrix[0, 3]
        down = matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2] * z + matrix[1, 3]
        w = matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2] * z + matrix[2, 3]
        ahead[p] = w - radius if _sphere_in_view(across, down, w, radius, matrix, wide, tall) else LARGE
    keys[:] = 0
    used = np.int64(0)
    for p in np.argsort(ahead):
        if ahead[p] >= LARGE:
            break
        _compose(view, poses, items[p], matrix)
        used = _scan_part(
            ranges, vertices, triangles, corners, matrix, False, wide, tall,
            keys, slots, edges, p, used)  # fmt: skip
    return _gather(samples, width, height, spacing)


@jit
def _gather(samples, width, height, spacing):
    """List the spans of an image of width × height pixels, and the triangles that show. How many of both."""
    slots, shown, spans, places = samples.slots, samples.shown, samples.spans, samples.places
    owners = np.empty(width + 1, np.int32)  # of each pixel of a row
    owners[width] = MIXED
    middle = np.float32(0.5 * (spacing - 1))
    count, n, triangles = np.int64(0), np.int64(0), np.int64(0)
    one, wide = np.uint64(1), np.uint64(width)
    for row in range(height):
        _list_owners(samples.keys, row * spacing * spacing * width, width, spacing, owners)
        column = np.uint64(0)
        while column < wide:
            slot, begin, before = owners[column], column, n
            column += one
            if slot != MIXED:
                while owners[column] == slot:
                    column += one
                end, at = count + np.int64(column - begin), np.uint64(n)
                spans[at, 0], spans[at, 1], spans[at, 2] = count, end, row * width + np.int64(begin)
                spans[at, 3] = slot
                places[at, 0] = np.int64(begin) * spacing + middle
                places[at, 1], places[at, 2] = row * spacing + middle, 1.0
                n, count = n + 1, end
            else:
                n = _split_pixel(samples.keys, spans, places, row, np.int64(begin), width, spacing, n, count)
                count += n - before
            for span in range(np.uint64(before), np.uint64(n)):
                slot = spans[span, 3]
                if slot >= 0 and slots[np.uint64(slot), 2] == 0:
                    slots[np.uint64(slot), 2] = 1
                    shown[triangles] = slot
                    triangles += 1
    return n, triangles


@jit
def _list_owners(keys, base, width, spacing, owners):
    """The slot that all samples of a pixel show, −1 = the background, else MIXED; of a row of pixels."""
    across = spacing * width
    if spacing == 1:
        for column in range(np.uint64(width)):
            owners[column] = ~np.int32(keys[np.uint64(base) + column])
    elif spacing == 2:  # the default, unrolled: these loops see every sample, and compile to vector instructions
        for column in range(np.uint64(width)):
            at = np.uint64(base) + np.uint64(2) * column
            below = at + np.uint64(across)
            slot = np.int32(keys[at])
            alike = (
                (slot == np.int32(keys[at + np.uint64(1)]))
                & (slot == np.int32(keys[below]))
                & (slot == np.int32(keys[below + np.uint64(1)]))
            )
            owners[column] = np.int32(~slot) if alike else np.int32(MIXED)
    else:
        for column in range(width):
            slot, alike = np.int32(keys[base + spacing * column]), True
            for i in range(spacing):
                for j in range(spacing):
                    alike = alike and slot == np.int32(keys[base + i * across + spacing * column + j])
            owners[column] = np.int32(~slot) if alike else np.int32(MIXED)


@jit
def _split_pixel(keys, spans, places, row, column, width, spacing, first, fragment):
    """A span for each triangle that a pixel shows, from `first` on, about the middle of its samples. Where they end."""
    n = first
    for i in range(spacing):
        base = (row * spacing + i) * spacing * width + column * spacing
        for j in range(spacing):
            slot = ~np.int32(keys[base + j])
            at = first
            while at < n and spans[at, 3] != slot:
                at += 1
            if at == n:
                here = fragment + n - first
                spans[n, 0], spans[n, 1], spans[n, 2], spans[n, 3] = here, here + 1, row * width + column, slot
                places[n, 0], places[n, 1], places[n, 2] = 0.0, 0.0, 0.0
                n += 1
            places[at, 0] += j
            places[at, 1] += i
            places[at, 2] += 1.0
    for at in range(first, n):
        places[at, 0] = column * spacing + places[at, 0] / places[at, 2]
        places[at, 1] = row * spacing + places[at, 1] / places[at, 2]
        places[at, 2] /= spacing * spacing
    return n


@jit
def scan_shadows(stage, samples, sun, poses):
    """Fill the sun's map with the height of the highest caster at each of its points.

    poses: float64 [N, 4, 4], item to world. samples: as many as the map has points.
    """
    ranges, vertices, triangles, items, casts = stage.ranges, stage.vertices, stage.triangles, stage.item, stage.casts
    keys, slots = samples.keys, samples.slots
    edges, corners, heights, to_map = samples.edges, samples.corners, sun.heights.reshape(-1), sun.to_map
    side = sun.heights.shape[0]
    matrix = np.empty((3, 4))
    keys[:] = 0
    for p in range(len(ranges)):
        if casts[p]:
            _compose(to_map, poses, items[p], matrix)
            _scan_part(
                ranges, vertices, triangles, corners, matrix, True, side, side,
                keys, slots, edges, p, np.int64(0))  # fmt: skip
    below = np.uint64(side)
    for at in range(np.uint64((side - 1) * side)):
        high, low = np.int32(keys[at + below] >> 32), np.int32(keys[at] >> 32)
        heights[at] = np.int32(np.int32(high.view(np.float32)) << np.int32(16)) | np.int32(low.view(np.float32))
    heights[(side - 1) * side :] = 0
