"""Our rasteriser: flat buffers of triangles and texels, poses and cameras in; colour, depth and instance out.

Visibility first, colour after: every triangle is scanned into a buffer of samples (antialias² of them in a pixel)
that keeps the nearest triangle's number; then each pixel is shaded once for each triangle it shows. Triangles are set
up in homogeneous coordinates (Olano & Greer 1997), so that none is ever clipped: with the columns v_i = (x, y, w) of
its projected corners, the rows e_i of the inverse are its edges, Σ e_i = 1/w, and e_i·w are the perspective-correct
barycentric coordinates. A shared edge has exactly opposite coefficients in its two triangles, and a span is half open,
so adjoining triangles leave no crack and share no sample (the top-left rule).
"""

import math
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

NEAR_M = 0.02
LARGE = 1e9

# Rows of Stage.light.
SUN, SKY, GROUND, HORIZON, ZENITH, SUNWARD = range(6)


class Stage(NamedTuple):
    """Everything that stands in a world, flat. V vertices and T triangles of all parts; P parts; K textures."""

    vertices: NDArray[np.float32]  # [V, 3] m, in the frame of the item
    normals: NDArray[np.float32]  # [V, 3]
    uv: NDArray[np.float32]  # [V, 2] texture repeats
    triangles: NDArray[np.int32]  # [S, 3]
    ranges: NDArray[np.int32]  # [P, 4] first and last vertex, first and last triangle of each part
    item: NDArray[np.int32]  # [P] whose pose moves it
    instance: NDArray[np.uint8]  # [P] what the mask shows
    spheres: NDArray[np.float64]  # [P, 4] bounding centre and radius, m
    surfaces: NDArray[np.float32]  # [P, 2] gloss, emission
    casts: NDArray[np.bool_]  # [P] whether it casts a shadow
    texture: NDArray[np.int32]  # [P]
    texture_start: NDArray[np.int64]  # [K, 16] where each level of its pyramid starts in texels
    texture_log_side: NDArray[np.int64]  # [K] log2 of its side
    texels: NDArray[np.uint32]  # 0x00BBGGRR, levels of a pyramid from fine to coarse
    light: NDArray[np.float32]  # [6, 3] SUN, SKY, GROUND, HORIZON, ZENITH, SUNWARD


class Samples(NamedTuple):
    """What a view sees, and room to work in. width × height samples; at most S slots: triangles of all parts."""

    keys: NDArray[np.int64]  # [height · width + 15] nearness as float32 over ~slot of the nearest triangle; 0 = none
    slots: NDArray[np.int32]  # [S, 3] triangle and part in each slot, and whether it is in `shown`
    edges: NDArray[np.float64]  # [S, 11] e_0, e_1, e_2 (x, y, constant each) about the sample at [9:11]
    shown: NDArray[np.int32]  # [S] the slots that pixels show
    planes: NDArray[np.float32]  # [S, 3, 8] x, y and constant term of each of the INTERPOLATED, over w
    density: NDArray[np.float32]  # [S] texture repeats² per pixel, over w³
    corners: NDArray[np.float64]  # [V, 6] projected vertices of one part: x·w, y·w, w, compared, x, y


class Fragments(NamedTuple):
    """The surfaces that pixels show, in the order of pixels, at most one per sample; and the spans that they come in.

    A span is a run of fragments of one triangle along a row, or a single one where an edge runs through a pixel.
    """

    pixel: NDArray[np.int32]  # [F]
    slot: NDArray[np.int32]  # [F] the triangle's, −1 = background
    share: NDArray[np.float32]  # [F] of the pixel that it covers, in (0, 1]
    depth: NDArray[np.float32]  # [F] m
    lit: NDArray[np.float32]  # [F] share of the sun that reaches it
    color: NDArray[np.float32]  # [3, F] linear red, green, blue
    spans: NDArray[np.int32]  # [F, 2] first fragment of each span and its end
    places: NDArray[np.float32]  # [F, 2] where a span starts: column and row in the picture, in samples


class Sun(NamedTuple):
    """The shadow map: a view from the sun."""

    to_map: NDArray[np.float64]  # [3, 4] world to column, row and height towards the sun
    heights: NDArray[np.float32]  # [S, S] m, highest caster; S = 2: no shadows
    step: float  # m, off the surface against self-shadowing


# What is interpolated over a triangle: nearness 1/w, texture coordinates, the normal along z and along the sun, and
# the place in the shadow map.
INTERPOLATED = NEARNESS, U, V, UPWARD, FACING, MAP_U, MAP_V, MAP_HEIGHT = range(8)

jit = numba.njit(cache=True, nogil=True, error_model="numpy")
inlined = numba.njit(cache=True, nogil=True, error_model="numpy", inline="always")


@jit
def _clamped_ceiling(value: float, low: int, high: int) -> int:
    """ceil(value), clamped; safe for values that no integer holds."""
    return math.ceil(min(max(value, np.float64(low)), np.float64(high)))


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
        # Inside is where all three edges e·x + f·y + g are negative: right of −(f·y + g)/e for e < 0, left of it else.
        # A level edge (e = 0) bounds nothing in its row or everything.
        inverse_a = -1.0 / ax if ax != 0.0 else 0.0
        inverse_b = -1.0 / bx if bx != 0.0 else 0.0
        inverse_c = -1.0 / cx if cx != 0.0 else 0.0
        owner, zero = np.int64(np.uint32(~slot)), np.float32(0.0)
        for row in range(first_row, last_row):
            low, high = np.float64(first_column), np.float64(last_column)
            level_a, level_b, level_c = ay * row + ac, by * row + bc, cy * row + cc
            if ax < 0.0:
                low = max(low, level_a * inverse_a)
            elif ax > 0.0:
                high = min(high, level_a * inverse_a)
            elif level_a > 0.0 or (level_a == 0.0 and ay > 0.0):
                high = low
            if bx < 0.0:
                low = max(low, level_b * inverse_b)
            elif bx > 0.0:
                high = min(high, level_b * inverse_b)
            elif level_b > 0.0 or (level_b == 0.0 and by > 0.0):
                high = low
            if cx < 0.0:
                low = max(low, level_c * inverse_c)
            elif cx > 0.0:
                high = min(high, level_c * inverse_c)
            elif level_c > 0.0 or (level_c == 0.0 and cy > 0.0):
                high = low
            if low < high:
                start, step = np.float32(slope_y * row + offset), np.float32(slope_x)
                first, end = np.int32(math.ceil(low)), np.int32(math.ceil(high))
                # Sixteen at a time, whole, so that it compiles to vector instructions; the greater key is the nearer.
                base = np.uint64(row * width)
                for column in range(np.uint64(first & -16), np.uint64((end + 15) & -16)):
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
    for v in range(first, ranges[part, 1]):
        x, y, z = vertices[v, 0], vertices[v, 1], vertices[v, 2]
        across = matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2] * z + matrix[0, 3]
        down = matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2] * z + matrix[1, 3]
        third = matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2] * z + matrix[2, 3]
        w, compared = (1.0, third) if orthographic else (third, 1.0)
        k, inverse = v - first, 1.0 / w
        corners[k, 0], corners[k, 1], corners[k, 2], corners[k, 3] = across, down, w, compared
        corners[k, 4], corners[k, 5] = across * inverse, down * inverse
    near, most = (0.0, np.float32(LARGE)) if orthographic else (NEAR_M, np.float32(1.0 / NEAR_M))
    for t in range(ranges[part, 2], ranges[part, 3]):
        i, j, k = triangles[t, 0] - first, triangles[t, 1] - first, triangles[t, 2] - first
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
def _scan_view(stage, samples, view, poses, width, height):
    """Scan all parts in a perspective view [3, 4], nearest part first."""
    ranges, vertices, triangles, items, spheres = (
        stage.ranges,
        stage.vertices,
        stage.triangles,
        stage.item,
        stage.spheres,
    )
    keys, slots, edges, corners = samples.keys, samples.slots, samples.edges, samples.corners
    count = len(ranges)
    matrix = np.empty((3, 4))
    ahead = np.empty(count)
    for p in range(count):
        _compose(view, poses, items[p], matrix)
        x, y, z, radius = spheres[p, 0], spheres[p, 1], spheres[p, 2], spheres[p, 3]
        across = matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2] * z + matrix[0, 3]
        down = matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2] * z + matrix[1, 3]
        w = matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2] * z + matrix[2, 3]
        ahead[p] = w - radius if _sphere_in_view(across, down, w, radius, matrix, width, height) else LARGE
    keys[:] = 0
    used = 0
    for p in np.argsort(ahead):
        if ahead[p] >= LARGE:
            break
        _compose(view, poses, items[p], matrix)
        used = _scan_part(
            ranges, vertices, triangles, corners, matrix, False, width, height,
            keys, slots, edges, p, used)  # fmt: skip


@jit
def _gather(samples, fragments, width, height, spacing):
    """List the surfaces that each pixel shows, by their shares of its samples. Counts spans, triangles."""
    keys, slots, shown = samples.keys, samples.slots, samples.shown
    pixels, fragment_slots, shares = fragments.pixel, fragments.slot, fragments.share
    spans, places = fragments.spans, fragments.places
    across, everything = width * spacing, spacing * spacing
    middle = np.float32(0.5 * (spacing - 1))
    count, span_count, triangles, running = 0, 0, 0, -2  # running: the slot of the span that is open
    for row in range(height):
        running = -2
        for column in range(width):
            base = row * spacing * across + column * spacing
            slot, first = int(~np.int32(keys[base])), count
            if spacing == 2:  # the default, unrolled: this loop sees every sample
                below = base + across
                others = np.int32(keys[base + 1]), np.int32(keys[below]), np.int32(keys[below + 1])
                alike = slot == ~others[0] and slot == ~others[1] and slot == ~others[2]
            else:
                alike = True
                for s in range(everything):
                    alike = alike and ~np.int32(keys[base + (s // spacing) * across + s % spacing]) == slot
            if alike:
                pixels[count], fragment_slots[count], shares[count] = row * width + column, slot, 1.0
                count += 1
                if slot == running:
                    spans[span_count - 1, 1] = count
                    continue
                running = slot
                spans[span_count, 0], spans[span_count, 1] = first, count
                places[span_count, 0], places[span_count, 1] = column * spacing + middle, row * spacing + middle
                span_count += 1
            else:
                running = -2
                for s in range(everything):
                    i, j = s // spacing, s % spacing
                    slot = int(~np.int32(keys[base + i * across + j]))
                    f = first
                    while f < count and fragment_slots[f] != slot:
                        f += 1
                    at = span_count + f - first
                    if f == count:
                        pixels[f], fragment_slots[f], shares[f] = row * width + column, slot, 0.0
                        spans[at, 0], spans[at, 1] = f, f + 1
                        places[at, 0], places[at, 1] = 0.0, 0.0
                        count += 1
                    shares[f] += 1.0
                    places[at, 0] += j
                    places[at, 1] += i
                for f in range(first, count):
                    places[span_count, 0] = column * spacing + places[span_count, 0] / shares[f]
                    places[span_count, 1] = row * spacing + places[span_count, 1] / shares[f]
                    shares[f] /= everything
                    span_count += 1
            for f in range(first, count):
                slot = fragment_slots[f]
                if slot >= 0 and slots[slot, 2] == 0:
                    slots[slot, 2] = 1
                    shown[triangles] = slot
                    triangles += 1
    return span_count, triangles


@jit
def _prepare(stage, samples, sun, poses, shown, spacing):
    """For every triangle that shows, the planes of what is interpolated: linear in the picture once divided by w."""
    vertices, normals, uv, triangles, light = stage.vertices, stage.normals, stage.uv, stage.triangles, stage.light
    slots, edges, planes, density = samples.slots, samples.edges, samples.planes, samples.density
    shown_slots, items = samples.shown, stage.item
    to_map, step = sun.to_map, sun.step
    for n in range(shown):
        slot = shown_slots[n]
        t, m = slots[slot, 0], items[slots[slot, 1]]
        # The sun, and up, in the frame of the item.
        lx, ly, lz = light[SUNWARD, 0], light[SUNWARD, 1], light[SUNWARD, 2]
        sun_x = poses[m, 0, 0] * lx + poses[m, 1, 0] * ly + poses[m, 2, 0] * lz
        sun_y = poses[m, 0, 1] * lx + poses[m, 1, 1] * ly + poses[m, 2, 1] * lz
        sun_z = poses[m, 0, 2] * lx + poses[m, 1, 2] * ly + poses[m, 2, 2] * lz
        up_x, up_y, up_z = poses[m, 2, 0], poses[m, 2, 1], poses[m, 2, 2]
        for term in range(3):
            for k in range(8):
                planes[slot, term, k] = 0.0
        for corner in range(3):
            v = triangles[t, corner]
            nx, ny, nz = normals[v, 0], normals[v, 1], normals[v, 2]
            x, y, z = vertices[v, 0] + step * nx, vertices[v, 1] + step * ny, vertices[v, 2] + step * nz
            upward, facing = nx * up_x + ny * up_y + nz * up_z, nx * sun_x + ny * sun_y + nz * sun_z
            world_x = poses[m, 0, 0] * x + poses[m, 0, 1] * y + poses[m, 0, 2] * z + poses[m, 0, 3]
            world_y = poses[m, 1, 0] * x + poses[m, 1, 1] * y + poses[m, 1, 2] * z + poses[m, 1, 3]
            world_z = poses[m, 2, 0] * x + poses[m, 2, 1] * y + poses[m, 2, 2] * z + poses[m, 2, 3]
            map_u = to_map[0, 0] * world_x + to_map[0, 1] * world_y + to_map[0, 2] * world_z + to_map[0, 3]
            map_v = to_map[1, 0] * world_x + to_map[1, 1] * world_y + to_map[1, 2] * world_z + to_map[1, 3]
            map_height = to_map[2, 0] * world_x + to_map[2, 1] * world_y + to_map[2, 2] * world_z + to_map[2, 3] + step
            for term in range(3):
                e = edges[slot, 3 * corner + term]
                planes[slot, term, NEARNESS] += e
                planes[slot, term, U] += e * uv[v, 0]
                planes[slot, term, V] += e * uv[v, 1]
                planes[slot, term, UPWARD] += e * upward
                planes[slot, term, FACING] += e * facing
                planes[slot, term, MAP_U] += e * map_u
                planes[slot, term, MAP_V] += e * map_v
                planes[slot, term, MAP_HEIGHT] += e * map_height
        # The Jacobian of (u, v) by the picture is the determinant of the planes of 1/w, u/w and v/w, times w³.
        qx, qy, qc = planes[slot, 0, NEARNESS], planes[slot, 1, NEARNESS], planes[slot, 2, NEARNESS]
        ux, uy, uc = planes[slot, 0, U], planes[slot, 1, U], planes[slot, 2, U]
        vx, vy, vc = planes[slot, 0, V], planes[slot, 1, V], planes[slot, 2, V]
        volume = qx * (uy * vc - uc * vy) - qy * (ux * vc - uc * vx) + qc * (ux * vy - uy * vx)
        density[slot] = abs(volume) * spacing * spacing


@jit
def _shade(stage, samples, sun, fragments, span_count, spacing):
    """Depth and colour of every fragment: texture, sun with shadow, ambient light."""
    slots, planes, edges, density = samples.slots, samples.planes, samples.edges, samples.density
    part_texture, surfaces, light = stage.texture, stage.surfaces, stage.light
    starts, log_sides, texels, heights = stage.texture_start, stage.texture_log_side, stage.texels, sun.heights
    spans, places, fragment_slots = fragments.spans, fragments.places, fragments.slot
    depth, lit = fragments.depth, fragments.lit
    reds, greens, blues = fragments.color[0], fragments.color[1], fragments.color[2]
    ground_r, ground_g, ground_b = light[GROUND, 0], light[GROUND, 1], light[GROUND, 2]
    sky_r, sky_g, sky_b = light[SKY, 0], light[SKY, 1], light[SKY, 2]
    sun_r, sun_g, sun_b = light[SUN, 0], light[SUN, 1], light[SUN, 2]
    zero, half, one, last = np.float32(0.0), np.float32(0.5), np.float32(1.0), np.float32(heights.shape[0] - 2)
    unit, stride = np.float32(1.0 / 65280.0), np.float32(spacing)
    for n in range(span_count):
        slot = fragment_slots[spans[n, 0]]
        if slot < 0:
            continue
        part = slots[slot, 1]
        texture, glow = part_texture[part], np.float32(1.5) * surfaces[part, 1]
        fineness, dense = log_sides[texture], density[slot]
        # Start and slope along the row of everything interpolated, still over w.
        x, y = places[n, 0] - np.float32(edges[slot, 9]), places[n, 1] - np.float32(edges[slot, 10])
        q = planes[slot, 0, 0] * x + planes[slot, 1, 0] * y + planes[slot, 2, 0]
        q_step = planes[slot, 0, 0] * stride
        u = planes[slot, 0, 1] * x + planes[slot, 1, 1] * y + planes[slot, 2, 1]
        u_step = planes[slot, 0, 1] * stride
        v = planes[slot, 0, 2] * x + planes[slot, 1, 2] * y + planes[slot, 2, 2]
        v_step = planes[slot, 0, 2] * stride
        up = planes[slot, 0, 3] * x + planes[slot, 1, 3] * y + planes[slot, 2, 3]
        up_step = planes[slot, 0, 3] * stride
        facing = planes[slot, 0, 4] * x + planes[slot, 1, 4] * y + planes[slot, 2, 4]
        facing_step = planes[slot, 0, 4] * stride
        map_u = planes[slot, 0, 5] * x + planes[slot, 1, 5] * y + planes[slot, 2, 5]
        map_u_step = planes[slot, 0, 5] * stride
        map_v = planes[slot, 0, 6] * x + planes[slot, 1, 6] * y + planes[slot, 2, 6]
        map_v_step = planes[slot, 0, 6] * stride
        rise = planes[slot, 0, 7] * x + planes[slot, 1, 7] * y + planes[slot, 2, 7]
        rise_step = planes[slot, 0, 7] * stride
        level, start, side = np.int64(0), np.int64(0), np.int64(1)
        for f in range(spans[n, 0], spans[n, 1]):
            ordinal = f - spans[n, 0]
            k = np.float32(ordinal)
            w = one / max(q + k * q_step, np.float32(1e-6))
            if ordinal & 7 == 0:  # the level of the texture whose texels are about a pixel wide
                area = dense * w * w * w * np.float32(1 << (2 * fineness))  # texels² per pixel
                exponent = np.int64(np.float32(area * np.float32(1.5)).view(np.int32) >> 23) - 127  # floor(log2)
                level = min(max(exponent >> 1, np.int64(0)), fineness)
                start, side = starts[texture, level], np.int64(1) << (fineness - level)
            # Bilinear, in sixteenths of a texel.
            i = np.int64((u + k * u_step) * w * np.float32(16 * side)) - 8
            j = np.int64((v + k * v_step) * w * np.float32(16 * side)) - 8
            s, t, x0, y0 = i & 15, j & 15, (i >> 4) & (side - 1), (j >> 4) & (side - 1)
            x1, y1 = (x0 + 1) & (side - 1), start + ((y0 + 1) & (side - 1)) * side
            y0 = start + y0 * side
            # Red and blue at once: the weights add up to 256, so that each sum stays within its 16 bits.
            a, b = np.int64(texels[np.uint64(y0 + x0)]), np.int64(texels[np.uint64(y0 + x1)])
            c, d = np.int64(texels[np.uint64(y1 + x0)]), np.int64(texels[np.uint64(y1 + x1)])
            wa, wb, wc, wd = (16 - s) * (16 - t), s * (16 - t), (16 - s) * t, s * t
            red_blue = (a & 0xFF00FF) * wa + (b & 0xFF00FF) * wb + (c & 0xFF00FF) * wc + (d & 0xFF00FF) * wd
            green_only = (
                ((a >> 8) & 0xFF) * wa + ((b >> 8) & 0xFF) * wb + ((c >> 8) & 0xFF) * wc + ((d >> 8) & 0xFF) * wd
            )
            red, green, blue = (
                np.float32(red_blue & 0xFFFF) * unit,
                np.float32(green_only) * unit,
                np.float32(red_blue >> 16) * unit,
            )
            # The sun, by its map: blended over four neighbours.
            sunny, reach = max((facing + k * facing_step) * w, zero), zero
            if sunny > zero:
                column_at = min(max((map_u + k * map_u_step) * w, zero), last)
                row_at = min(max((map_v + k * map_v_step) * w, zero), last)
                height = (rise + k * rise_step) * w
                column, row = np.uint64(np.int64(column_at)), np.uint64(np.int64(row_at))
                e, g = column_at - np.float32(np.int64(column)), row_at - np.float32(np.int64(row))
                beside, below = column + np.uint64(1), row + np.uint64(1)
                upper = (one - e if heights[row, column] <= height else zero) + (
                    e if heights[row, beside] <= height else zero
                )
                lower = (one - e if heights[below, column] <= height else zero) + (
                    e if heights[below, beside] <= height else zero
                )
                reach = upper * (one - g) + lower * g
                sunny *= reach
            over = half + half * (up + k * up_step) * w
            under = one - over
            depth[f], lit[f] = w, reach
            reds[f] = red * red * (ground_r * under + sky_r * over + sun_r * sunny + glow)
            greens[f] = green * green * (ground_g * under + sky_g * over + sun_g * sunny + glow)
            blues[f] = blue * blue * (ground_b * under + sky_b * over + sun_b * sunny + glow)


@jit
def _gleam(stage, samples, fragments, span_count, poses, camera_pose, intrinsics, spacing):
    """The background, and the sun's highlight on glossy surfaces (Blinn-Phong with exponent 32)."""
    slots, edges, surfaces, light, items = samples.slots, samples.edges, stage.surfaces, stage.light, stage.item
    triangles, normals, spans, places = stage.triangles, stage.normals, fragments.spans, fragments.places
    fragment_slots, lit = fragments.slot, fragments.lit
    reds, greens, blues = fragments.color[0], fragments.color[1], fragments.color[2]
    zero, one, tiny = np.float32(0.0), np.float32(1.0), np.float32(1e-20)
    horizon_r, horizon_g, horizon_b = light[HORIZON, 0], light[HORIZON, 1], light[HORIZON, 2]
    rise_r, rise_g, rise_b = light[ZENITH, 0] - horizon_r, light[ZENITH, 1] - horizon_g, light[ZENITH, 2] - horizon_b
    for n in range(span_count):
        slot = fragment_slots[spans[n, 0]]
        part = slots[max(slot, 0), 1]
        gloss = surfaces[part, 0]
        if slot >= 0 and gloss == zero:
            continue
        # The ray through the camera's image plane, in the world, and its step from one pixel to the next.
        right = ((places[n, 0] + 0.5) / spacing - 0.5 - intrinsics[0, 2]) / intrinsics[0, 0]
        down = ((places[n, 1] + 0.5) / spacing - 0.5 - intrinsics[1, 2]) / intrinsics[1, 1]
        across, level = np.float32(right), np.float32(down * down + 1.0)
        across_step = np.float32(1.0 / intrinsics[0, 0])
        ray_z = np.float32(camera_pose[2, 0] * right + camera_pose[2, 1] * down + camera_pose[2, 2])
        ray_z_step = np.float32(camera_pose[2, 0] / intrinsics[0, 0])
        if slot < 0:
            for f in range(np.uint64(spans[n, 0]), np.uint64(spans[n, 1])):
                k = np.float32(np.int32(f) - spans[n, 0])
                at = across + k * across_step
                rise = math.sqrt(max(zero, (ray_z + k * ray_z_step) / math.sqrt(at * at + level)))
                reds[f] = horizon_r + rise_r * rise
                greens[f] = horizon_g + rise_g * rise
                blues[f] = horizon_b + rise_b * rise
            continue
        ray_x = np.float32(camera_pose[0, 0] * right + camera_pose[0, 1] * down + camera_pose[0, 2])
        ray_y = np.float32(camera_pose[1, 0] * right + camera_pose[1, 1] * down + camera_pose[1, 2])
        ray_x_step = np.float32(camera_pose[0, 0] / intrinsics[0, 0])
        ray_y_step = np.float32(camera_pose[1, 0] / intrinsics[0, 0])
        sun_r, sun_g, sun_b = light[SUN, 0] * gloss, light[SUN, 1] * gloss, light[SUN, 2] * gloss
        sun_x, sun_y, sun_z = light[SUNWARD, 0], light[SUNWARD, 1], light[SUNWARD, 2]
        # The normal, over w, in the world; its length cancels.
        x, y, t, m = places[n, 0] - edges[slot, 9], places[n, 1] - edges[slot, 10], slots[slot, 0], items[part]
        start_x, start_y, start_z, step_x, step_y, step_z = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for corner in range(3):
            slope = edges[slot, 3 * corner]
            e, v = slope * x + edges[slot, 3 * corner + 1] * y + edges[slot, 3 * corner + 2], triangles[t, corner]
            start_x, step_x = start_x + e * normals[v, 0], step_x + slope * spacing * normals[v, 0]
            start_y, step_y = start_y + e * normals[v, 1], step_y + slope * spacing * normals[v, 1]
            start_z, step_z = start_z + e * normals[v, 2], step_z + slope * spacing * normals[v, 2]
        nx = np.float32(poses[m, 0, 0] * start_x + poses[m, 0, 1] * start_y + poses[m, 0, 2] * start_z)
        ny = np.float32(poses[m, 1, 0] * start_x + poses[m, 1, 1] * start_y + poses[m, 1, 2] * start_z)
        nz = np.float32(poses[m, 2, 0] * start_x + poses[m, 2, 1] * start_y + poses[m, 2, 2] * start_z)
        nx_step = np.float32(poses[m, 0, 0] * step_x + poses[m, 0, 1] * step_y + poses[m, 0, 2] * step_z)
        ny_step = np.float32(poses[m, 1, 0] * step_x + poses[m, 1, 1] * step_y + poses[m, 1, 2] * step_z)
        nz_step = np.float32(poses[m, 2, 0] * step_x + poses[m, 2, 1] * step_y + poses[m, 2, 2] * step_z)
        for f in range(spans[n, 0], spans[n, 1]):
            if lit[f] == zero:
                continue
            k = np.float32(f - spans[n, 0])
            at = across + k * across_step
            unit = one / math.sqrt(at * at + level)
            hx = sun_x - (ray_x + k * ray_x_step) * unit
            hy = sun_y - (ray_y + k * ray_y_step) * unit
            hz = sun_z - (ray_z + k * ray_z_step) * unit
            at_x, at_y, at_z = nx + k * nx_step, ny + k * ny_step, nz + k * nz_step
            along = max(zero, at_x * hx + at_y * hy + at_z * hz)
            length = (at_x * at_x + at_y * at_y + at_z * at_z) * (hx * hx + hy * hy + hz * hz)
            shine = along * along / (length + tiny)  # cos², to the sixteenth
            shine *= shine
            shine *= shine
            shine *= shine
            shine *= shine * lit[f]
            reds[f] += sun_r * shine
            greens[f] += sun_g * shine
            blues[f] += sun_b * shine


@inlined
def _to_byte(linear):
    """A linear colour as it is stored: gamma 2, 0 to 255."""
    full = np.float32(255.0)
    return np.uint8(np.int32(min(full * math.sqrt(linear) + np.float32(0.5), full)))


@jit
def _blend(stage, samples, fragments, span_count, width, spacing, rgb, depth, instance):
    """Mix each pixel's fragments into its colour; depth and instance are of what its centre shows.

    The picture comes flat: rgb uint8 [H · W · 3], depth float32 [H · W], instance uint8 [H · W].
    """
    slots, edges, instances = samples.slots, samples.edges, stage.instance
    pixels, fragment_slots, shares, spans = fragments.pixel, fragments.slot, fragments.share, fragments.spans
    fragment_depth, color = fragments.depth, fragments.color
    reds, greens, blues = color[0], color[1], color[2]
    zero, middle = np.float32(0.0), 0.5 * (spacing - 1)
    n = 0
    while n < span_count:
        first, end = spans[n, 0], spans[n, 1]
        pixel, owner = pixels[first], fragment_slots[first]
        if shares[first] == np.float32(1.0):  # a run of whole pixels
            shift = np.uint64(pixel - first)
            mark = instances[slots[owner, 1]] if owner >= 0 else np.uint8(0)
            for f in range(np.uint64(first), np.uint64(end)):
                at = shift + f
                rgb[np.uint64(3) * at] = _to_byte(reds[f])
                rgb[np.uint64(3) * at + np.uint64(1)] = _to_byte(greens[f])
                rgb[np.uint64(3) * at + np.uint64(2)] = _to_byte(blues[f])
                depth[at], instance[at] = fragment_depth[f], mark
            if owner < 0:
                depth[pixel : pixel + end - first] = zero
            n += 1
            continue
        row, column, w = pixel // width, pixel % width, fragment_depth[first]
        red, green, blue, nearest, largest, covered = zero, zero, zero, 0.0, zero, False
        while n < span_count and pixels[spans[n, 0]] == pixel:
            f = spans[n, 0]
            share, s = shares[f], fragment_slots[f]
            red, green, blue = red + reds[f] * share, green + greens[f] * share, blue + blues[f] * share
            nearness, inside = 0.0, True  # of the background, which covers every centre
            if s >= 0:
                x, y = column * spacing + middle - edges[s, 9], row * spacing + middle - edges[s, 10]
                for k in range(3):
                    edge = edges[s, 3 * k] * x + edges[s, 3 * k + 1] * y + edges[s, 3 * k + 2]
                    nearness += edge
                    inside = inside and edge >= 0.0
            if inside and nearness >= nearest:
                nearest, owner, covered = nearness, s, True
                w = np.float32(1.0 / nearness) if s >= 0 else zero
            if not covered and share > largest:  # else the centre lies on an edge, to rounding
                largest, owner, w = share, s, fragment_depth[f]
            n += 1
        rgb[3 * pixel], rgb[3 * pixel + 1], rgb[3 * pixel + 2] = _to_byte(red), _to_byte(green), _to_byte(blue)
        depth[pixel] = w if owner >= 0 else zero
        instance[pixel] = instances[slots[owner, 1]] if owner >= 0 else np.uint8(0)


@jit
def _view(to_samples, intrinsics, camera_pose):
    """World to (x·w, y·w, w) in samples, [3, 4]: the pose's inverse is its transpose, shifted."""
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
def scan_shadows(stage, samples, sun, poses):
    """Fill the sun's map with the height of the highest caster at each of its points.

    poses: float64 [N, 4, 4], item to world. samples: as many as the map has points.
    """
    ranges, vertices, triangles, items, casts = stage.ranges, stage.vertices, stage.triangles, stage.item, stage.casts
    keys, slots = samples.keys, samples.slots
    edges, corners, heights, to_map = samples.edges, samples.corners, sun.heights, sun.to_map
    side = heights.shape[0]
    matrix = np.empty((3, 4))
    keys[:] = 0
    for p in range(len(ranges)):
        if casts[p]:
            _compose(to_map, poses, items[p], matrix)
            _scan_part(
                ranges, vertices, triangles, corners, matrix, True, side, side,
                keys, slots, edges, p, 0)  # fmt: skip
    for row in range(side):
        for column in range(side):
            heights[row, column] = np.int32(keys[row * side + column] >> 32).view(np.float32)


@jit
def draw_views(stage, samples, fragments, sun, poses, camera_poses, intrinsics, spacing, rgb, depth, instance):
    """Draw B views of one world at rest.

    poses: float64 [N, 4, 4], item to world. camera_poses: float64 [B, 4, 4], camera to world. intrinsics: float64
    [3, 3], pixels. spacing: samples per pixel and axis.
    Filled: rgb uint8 [B, H, W, 3], depth float32 [B, H, W] (m), instance uint8 [B, H, W].
    """
    height, width = depth.shape[1:]
    to_samples = np.array([[spacing, 0, 0.5 * (spacing - 1)], [0, spacing, 0.5 * (spacing - 1)], [0, 0, 1.0]])
    for b in range(len(camera_poses)):
        view = _view(to_samples, intrinsics, camera_poses[b])
        _scan_view(stage, samples, view, poses, width * spacing, height * spacing)
        span_count, shown_count = _gather(samples, fragments, width, height, spacing)
        _prepare(stage, samples, sun, poses, shown_count, spacing)
        _shade(stage, samples, sun, fragments, span_count, spacing)
        _gleam(stage, samples, fragments, span_count, poses, camera_poses[b], intrinsics, spacing)
        _blend(
            stage, samples, fragments, span_count, width, spacing,
            rgb[b].reshape(-1), depth[b].reshape(-1), instance[b].reshape(-1))  # fmt: skip
