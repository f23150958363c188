"""Our rasteriser: flat buffers of triangles and texels, poses and cameras in; colour, depth and instance out.

Visibility first, colour after: every triangle is scanned into a buffer of samples (antialias² of them in a pixel)
that keeps the nearest triangle's number; then each pixel is shaded once for each triangle it shows. Triangles are set
up in homogeneous coordinates (Olano & Greer 1997), so that none is ever clipped: with the columns v_i = (x, y, w) of its
projected corners, the rows e_i of the inverse are its edges, Σ e_i = 1/w, and e_i·w are the perspective-correct
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
    triangles: NDArray[np.int32]  # [T, 3]
    ranges: NDArray[np.int32]  # [P, 4] first and last vertex, first and last triangle of each part
    item: NDArray[np.int32]  # [P] whose pose moves it
    instance: NDArray[np.uint8]  # [P] what the mask shows
    spheres: NDArray[np.float64]  # [P, 4] bounding centre and radius, m
    surfaces: NDArray[np.float32]  # [P, 2] gloss, emission
    casts: NDArray[np.bool_]  # [P] whether it casts a shadow
    texture: NDArray[np.int32]  # [P]
    texture_start: NDArray[np.int64]  # [K] where its pyramid starts in texels
    texture_side: NDArray[np.int32]  # [K]
    texels: NDArray[np.uint32]  # 0x00BBGGRR, levels of a pyramid from fine to coarse
    light: NDArray[np.float32]  # [6, 3] SUN, SKY, GROUND, HORIZON, ZENITH, SUNWARD


class Samples(NamedTuple):
    """What a view sees, and room to work in. width × height samples; at most T slots."""

    nearness: NDArray[np.float32]  # [height · width]
    visible: NDArray[np.int32]  # [height · width] slot of the nearest triangle, −1 = none
    slots: NDArray[np.int32]  # [T, 2] triangle and part in each slot
    planes: NDArray[np.float32]  # [T, 11] its plane, as _scan_triangle leaves it
    corners: NDArray[np.float64]  # [V, 3] projected vertices of one part


class Sun(NamedTuple):
    """The shadow map: a view from the sun."""

    to_map: NDArray[np.float64]  # [3, 4] world to column, row and height towards the sun
    heights: NDArray[np.float32]  # [S, S] m, highest caster; S = 1: no shadows
    step: float  # m, off the surface against self-shadowing


jit = numba.njit(cache=True, nogil=True, error_model="numpy")


@jit
def _clamp_to_int(value: float, low: int, high: int) -> int:
    """ceil(value), clamped; safe for values that no integer holds."""
    if value <= low:
        return low
    if value >= high:
        return high
    return int(math.ceil(value))


@jit
def _scan_triangle(x0, y0, w0, a0, x1, y1, w1, a1, x2, y2, w2, a2, near, most, width, height, nearness, visible, slot, plane):
    """Scan one triangle into the samples; True if it may own some. Corners are homogeneous (x·w, y·w, w).

    a: what is compared, times w (1 in perspective: nearness is 1/w; depth in orthographic views). `near`: smallest w
    at which a corner is in front; `most`: nearness beyond which a sample is too close. plane: float32 [11] of this
    triangle for shading: e_0, e_1, e_2 (x, y and constant term each) relative to the sample at plane[9:11].
    """
    if w0 < near and w1 < near and w2 < near:
        return False
    # Edges: cross products of the corners. Swapping the corners negates them exactly (no fused arithmetic here).
    ax, ay, ac = y1 * w2 - w1 * y2, w1 * x2 - x1 * w2, x1 * y2 - y1 * x2
    bx, by, bc = y2 * w0 - w2 * y0, w2 * x0 - x2 * w0, x2 * y0 - y2 * x0
    cx, cy, cc = y0 * w1 - w0 * y1, w0 * x1 - x0 * w1, x0 * y1 - y0 * x1
    determinant = ax * x0 + ay * y0 + ac * w0
    if determinant >= 0.0:  # seen from behind (the picture's y runs down), or edge-on
        return False

    first_row, last_row, first_column, last_column = 0, height, 0, width
    if w0 >= near and w1 >= near and w2 >= near:
        px, py = x0 / w0, y0 / w0
        qx, qy = x1 / w1, y1 / w1
        rx, ry = x2 / w2, y2 / w2
        first_row = _clamp_to_int(min(py, qy, ry), 0, height)
        last_row = _clamp_to_int(max(py, qy, ry), 0, height - 1) + 1
        first_column = _clamp_to_int(min(px, qx, rx), 0, width)
        last_column = _clamp_to_int(max(px, qx, rx), 0, width - 1) + 1
        if first_row >= last_row or first_column >= last_column:
            return False
        if max(py, qy, ry) < first_row or max(px, qx, rx) < first_column:
            return False  # it lies between two rows or columns of samples

    # Inside is where all edges are negative: e·x + f·y + g < 0, that is x > −(f·y + g)/e for e < 0.
    lean_a, foot_a = -ay / ax if ax != 0.0 else 0.0, -ac / ax if ax != 0.0 else 0.0
    lean_b, foot_b = -by / bx if bx != 0.0 else 0.0, -bc / bx if bx != 0.0 else 0.0
    lean_c, foot_c = -cy / cx if cx != 0.0 else 0.0, -cc / cx if cx != 0.0 else 0.0
    scale = 1.0 / determinant
    slope_x = (ax * a0 + bx * a1 + cx * a2) * scale
    slope_y = (ay * a0 + by * a1 + cy * a2) * scale
    offset = (ac * a0 + bc * a1 + cc * a2) * scale

    for row in range(first_row, last_row):
        left, right = first_column - 1.0, float(last_column)
        out = False
        if ax < 0.0:
            left = max(left, lean_a * row + foot_a)
        elif ax > 0.0:
            right = min(right, lean_a * row + foot_a)
        else:
            edge = ay * row + ac
            out = out or edge > 0.0 or (edge == 0.0 and ay > 0.0)
        if bx < 0.0:
            left = max(left, lean_b * row + foot_b)
        elif bx > 0.0:
            right = min(right, lean_b * row + foot_b)
        else:
            edge = by * row + bc
            out = out or edge > 0.0 or (edge == 0.0 and by > 0.0)
        if cx < 0.0:
            left = max(left, lean_c * row + foot_c)
        elif cx > 0.0:
            right = min(right, lean_c * row + foot_c)
        else:
            edge = cy * row + cc
            out = out or edge > 0.0 or (edge == 0.0 and cy > 0.0)
        if out:
            continue
        begin = _clamp_to_int(left, first_column, last_column)
        end = _clamp_to_int(right, first_column, last_column)
        start = np.float32(slope_y * row + offset)
        step = np.float32(slope_x)
        base = row * width
        for column in range(begin, end):
            value = start + step * np.float32(column)
            if value > nearness[base + column] and value < most:
                nearness[base + column] = value
                visible[base + column] = slot

    center_x, center_y = float(first_column), float(first_row)
    plane[0], plane[1], plane[2] = ax * scale, ay * scale, (ax * center_x + ay * center_y + ac) * scale
    plane[3], plane[4], plane[5] = bx * scale, by * scale, (bx * center_x + by * center_y + bc) * scale
    plane[6], plane[7], plane[8] = cx * scale, cy * scale, (cx * center_x + cy * center_y + cc) * scale
    plane[9], plane[10] = center_x, center_y
    return True


@jit
def _scan_part(stage, samples, part, matrix, orthographic, most, width, height, used):
    """Project a part's vertices by `matrix` [3, 4] and scan its triangles; the number of slots used afterwards."""
    first, last = stage.ranges[part, 0], stage.ranges[part, 1]
    vertices, triangles, corners = stage.vertices, stage.triangles, samples.corners
    for v in range(first, last):
        x, y, z = vertices[v, 0], vertices[v, 1], vertices[v, 2]
        for k in range(3):
            corners[v - first, k] = matrix[k, 0] * x + matrix[k, 1] * y + matrix[k, 2] * z + matrix[k, 3]
    for t in range(stage.ranges[part, 2], stage.ranges[part, 3]):
        p, q, r = corners[triangles[t, 0] - first], corners[triangles[t, 1] - first], corners[triangles[t, 2] - first]
        if orthographic:
            seen = _scan_triangle(
                p[0], p[1], 1.0, p[2], q[0], q[1], 1.0, q[2], r[0], r[1], 1.0, r[2],
                0.0, most, width, height, samples.nearness, samples.visible, used, samples.planes[used])  # fmt: skip
        else:
            seen = _scan_triangle(
                p[0], p[1], p[2], 1.0, q[0], q[1], q[2], 1.0, r[0], r[1], r[2], 1.0,
                NEAR_M, most, width, height, samples.nearness, samples.visible, used, samples.planes[used])  # fmt: skip
        if seen:
            samples.slots[used, 0], samples.slots[used, 1] = t, part
            used += 1
    return used


@jit
def _sphere_in_view(at_x, at_y, at_z, radius, matrix, width, height):
    """Whether a sphere may show in a perspective view `matrix` [3, 4] of width × height samples."""
    x = matrix[0, 0] * at_x + matrix[0, 1] * at_y + matrix[0, 2] * at_z + matrix[0, 3]
    y = matrix[1, 0] * at_x + matrix[1, 1] * at_y + matrix[1, 2] * at_z + matrix[1, 3]
    w = matrix[2, 0] * at_x + matrix[2, 1] * at_y + matrix[2, 2] * at_z + matrix[2, 3]
    if w + radius * _row_norm(matrix, 2, 2, 0.0) < NEAR_M:
        return False
    if x + radius * _row_norm(matrix, 0, 2, 0.0) < 0.0 or y + radius * _row_norm(matrix, 1, 2, 0.0) < 0.0:
        return False
    return not (
        x - (width - 1) * w > radius * _row_norm(matrix, 0, 2, -(width - 1.0))
        or y - (height - 1) * w > radius * _row_norm(matrix, 1, 2, -(height - 1.0))
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
def _compose(view, pose, out):
    """out [3, 4] = view [3, 4] · pose [4, 4]."""
    for i in range(3):
        for j in range(4):
            total = view[i, 3] if j == 3 else 0.0
            for k in range(3):
                total += view[i, k] * pose[k, j]
            out[i, j] = total


@jit
def _scan_view(stage, samples, view, poses, width, height):
    """Scan all parts in a perspective view [3, 4], nearest part first."""
    count = len(stage.ranges)
    matrix = np.empty((3, 4))
    ahead = np.empty(count)
    for p in range(count):
        _compose(view, poses[stage.item[p]], matrix)
        x, y, z, radius = stage.spheres[p]
        ahead[p] = LARGE
        if _sphere_in_view(x, y, z, radius, matrix, width, height):
            ahead[p] = matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2] * z + matrix[2, 3] - radius
    samples.nearness[:] = 0.0
    samples.visible[:] = -1
    used = 0
    for p in np.argsort(ahead):
        if ahead[p] >= LARGE:
            break
        _compose(view, poses[stage.item[p]], matrix)
        used = _scan_part(stage, samples, p, matrix, False, 1.0 / NEAR_M, width, height, used)


@jit
def scan_shadows(stage, samples, poses, sun):
    """Fill the sun's map with the height of the highest caster at each of its points."""
    side = sun.heights.shape[0]
    matrix = np.empty((3, 4))
    samples.nearness[:] = -LARGE
    for p in range(len(stage.ranges)):
        if stage.casts[p]:
            _compose(sun.to_map, poses[stage.item[p]], matrix)
            _scan_part(stage, samples, p, matrix, True, LARGE, side, side, 0)
    for row in range(side):
        sun.heights[row] = samples.nearness[row * side : (row + 1) * side]


@jit
def _sunlight(sun, x, y, z, normal_x, normal_y, normal_z):
    """Share of the sun that reaches a world point, in [0, 1]: four neighbours of the shadow map, blended."""
    side, view = sun.heights.shape[0], sun.to_map
    x, y, z = x + normal_x * sun.step, y + normal_y * sun.step, z + normal_z * sun.step
    u = view[0, 0] * x + view[0, 1] * y + view[0, 2] * z + view[0, 3]
    v = view[1, 0] * x + view[1, 1] * y + view[1, 2] * z + view[1, 3]
    height = view[2, 0] * x + view[2, 1] * y + view[2, 2] * z + view[2, 3] + sun.step
    if not (0.0 <= u < side - 1 and 0.0 <= v < side - 1):
        return 1.0
    column, row = int(u), int(v)
    s, t = u - column, v - row
    lit = 0.0
    if sun.heights[row, column] <= height:
        lit += (1.0 - s) * (1.0 - t)
    if sun.heights[row, column + 1] <= height:
        lit += s * (1.0 - t)
    if sun.heights[row + 1, column] <= height:
        lit += (1.0 - s) * t
    if sun.heights[row + 1, column + 1] <= height:
        lit += s * t
    return lit


@jit
def _texel(texels, start, side, u, v, color):
    """Bilinear lookup in one level of a pyramid: color[0:3] in [0, 1], as stored. u, v: in repeats."""
    x, y = u * side - 0.5, v * side - 0.5
    fx, fy = math.floor(x), math.floor(y)
    sx, sy = int((x - fx) * 16.0), int((y - fy) * 16.0)
    mask = side - 1
    x0, y0 = int(fx) & mask, int(fy) & mask
    x1, y1 = (x0 + 1) & mask, (y0 + 1) & mask
    a, b = texels[start + y0 * side + x0], texels[start + y0 * side + x1]
    c, d = texels[start + y1 * side + x0], texels[start + y1 * side + x1]
    wa, wb = (16 - sx) * (16 - sy), sx * (16 - sy)
    wc, wd = (16 - sx) * sy, sx * sy
    # Two channels at once: weights add up to 256, so sums stay within 16 bits.
    red_blue = (a & 0xFF00FF) * wa + (b & 0xFF00FF) * wb + (c & 0xFF00FF) * wc + (d & 0xFF00FF) * wd
    green = ((a >> 8) & 0xFF) * wa + ((b >> 8) & 0xFF) * wb + ((c >> 8) & 0xFF) * wc + ((d >> 8) & 0xFF) * wd
    color[0] = (red_blue & 0xFFFF) * (1.0 / 65280.0)
    color[1] = green * (1.0 / 65280.0)
    color[2] = ((red_blue >> 16) & 0xFFFF) * (1.0 / 65280.0)


@jit
def _shade(stage, samples, sun, poses, slot, sample_x, sample_y, spacing, eye, ray, color):
    """Linear colour [3] of the surface in `slot` at a place in the picture, in samples; `spacing` samples a pixel."""
    plane = samples.planes[slot]
    x, y = sample_x - plane[9], sample_y - plane[10]
    e0 = plane[0] * x + plane[1] * y + plane[2]
    e1 = plane[3] * x + plane[4] * y + plane[5]
    e2 = plane[6] * x + plane[7] * y + plane[8]
    w = 1.0 / (e0 + e1 + e2)
    b0, b1, b2 = e0 * w, e1 * w, e2 * w
    triangle, part = samples.slots[slot, 0], samples.slots[slot, 1]
    i, j, k = stage.triangles[triangle, 0], stage.triangles[triangle, 1], stage.triangles[triangle, 2]
    uv, normals, light = stage.uv, stage.normals, stage.light

    u = b0 * uv[i, 0] + b1 * uv[j, 0] + b2 * uv[k, 0]
    v = b0 * uv[i, 1] + b1 * uv[j, 1] + b2 * uv[k, 1]
    # How far the texture moves per sample; b_i·w is linear, so the quotient rule gives it exactly.
    qx, qy = plane[0] + plane[3] + plane[6], plane[1] + plane[4] + plane[7]
    ux = (plane[0] * uv[i, 0] + plane[3] * uv[j, 0] + plane[6] * uv[k, 0] - u * qx) * w
    uy = (plane[1] * uv[i, 0] + plane[4] * uv[j, 0] + plane[7] * uv[k, 0] - u * qy) * w
    vx = (plane[0] * uv[i, 1] + plane[3] * uv[j, 1] + plane[6] * uv[k, 1] - v * qx) * w
    vy = (plane[1] * uv[i, 1] + plane[4] * uv[j, 1] + plane[7] * uv[k, 1] - v * qy) * w
    texture = stage.texture[part]
    side, start = stage.texture_side[texture], stage.texture_start[texture]
    footprint = 0.5 * (math.sqrt(ux * ux + vx * vx) + math.sqrt(uy * uy + vy * vy)) * spacing * side  # texels per pixel
    while footprint > 1.5 and side > 1:
        start += side * side
        side >>= 1
        footprint *= 0.5
    _texel(stage.texels, start, side, u, v, color)

    pose = poses[stage.item[part]]
    nx = b0 * normals[i, 0] + b1 * normals[j, 0] + b2 * normals[k, 0]
    ny = b0 * normals[i, 1] + b1 * normals[j, 1] + b2 * normals[k, 1]
    nz = b0 * normals[i, 2] + b1 * normals[j, 2] + b2 * normals[k, 2]
    world_x = pose[0, 0] * nx + pose[0, 1] * ny + pose[0, 2] * nz
    world_y = pose[1, 0] * nx + pose[1, 1] * ny + pose[1, 2] * nz
    world_z = pose[2, 0] * nx + pose[2, 1] * ny + pose[2, 2] * nz
    length = 1.0 / math.sqrt(world_x * world_x + world_y * world_y + world_z * world_z + 1e-20)
    world_x, world_y, world_z = world_x * length, world_y * length, world_z * length

    facing = world_x * light[SUNWARD, 0] + world_y * light[SUNWARD, 1] + world_z * light[SUNWARD, 2]
    lit = 0.0
    if facing > 0.0:
        x, y, z = eye[0] + ray[0] * w, eye[1] + ray[1] * w, eye[2] + ray[2] * w
        lit = _sunlight(sun, x, y, z, world_x, world_y, world_z)
    gloss, emission = stage.surfaces[part, 0], stage.surfaces[part, 1]
    shine = 0.0
    if gloss > 0.0 and lit > 0.0:  # Blinn-Phong with exponent 32
        hx, hy, hz = light[SUNWARD, 0], light[SUNWARD, 1], light[SUNWARD, 2]
        towards = 1.0 / math.sqrt(ray[0] * ray[0] + ray[1] * ray[1] + ray[2] * ray[2])
        hx, hy, hz = hx - ray[0] * towards, hy - ray[1] * towards, hz - ray[2] * towards
        half = (world_x * hx + world_y * hy + world_z * hz) / math.sqrt(hx * hx + hy * hy + hz * hz + 1e-20)
        if half > 0.0:
            half *= half
            half *= half
            half *= half
            half *= half
            shine = gloss * half * half * lit
    up = 0.5 + 0.5 * world_z
    for c in range(3):
        ambient = light[GROUND, c] + (light[SKY, c] - light[GROUND, c]) * up
        albedo = color[c] * color[c]  # stored in gamma 2
        color[c] = albedo * (ambient + light[SUN, c] * facing * lit + 1.5 * emission) + light[SUN, c] * shine


@jit
def _resolve(stage, samples, sun, poses, camera_pose, intrinsics, spacing, rgb, depth, instance):
    """Shade every pixel once per triangle it shows, by that triangle's share of the spacing² samples."""
    height, width = depth.shape
    across = width * spacing
    everything = spacing * spacing
    middle = 0.5 * (spacing - 1)
    visible = samples.visible
    eye, ray, color, total = camera_pose[:3, 3], np.empty(3), np.empty(3), np.empty(3)
    for row in range(height):
        for column in range(width):
            right = (column - intrinsics[0, 2]) / intrinsics[0, 0]
            down = (row - intrinsics[1, 2]) / intrinsics[1, 1]
            for c in range(3):
                ray[c] = camera_pose[c, 0] * right + camera_pose[c, 1] * down + camera_pose[c, 2]
                total[c] = 0.0
            base = row * spacing * across + column * spacing
            winner, most = -1, 0
            for s in range(everything):
                slot = visible[base + (s // spacing) * across + s % spacing]
                number, sum_x, sum_y = _count(visible, base, across, spacing, slot, s)
                if number == 0:
                    continue
                if slot >= 0:
                    x, y = column * spacing + sum_x / number, row * spacing + sum_y / number
                    _shade(stage, samples, sun, poses, slot, x, y, spacing, eye, ray, color)
                else:
                    _sky(stage.light, ray, color)
                for c in range(3):
                    total[c] += color[c] * number
                if number > most:
                    winner, most = slot, number
                if number == everything:
                    break
            for c in range(3):
                value = 255.0 * math.sqrt(max(0.0, total[c] / everything)) + 0.5
                rgb[row, column, c] = np.uint8(min(value, 255.0))
            depth[row, column], instance[row, column] = 0.0, 0
            if winner >= 0:
                x, y = column * spacing + middle, row * spacing + middle
                depth[row, column] = _depth_at(samples.planes[winner], x, y)
                instance[row, column] = stage.instance[samples.slots[winner, 1]]


@jit
def _count(visible, base, across, spacing, slot, s):
    """How many samples of a pixel show `slot`, and the sums of their columns and rows; 0 if one before s does."""
    number, sum_x, sum_y = 0, 0, 0
    for other in range(spacing * spacing):
        i, j = other // spacing, other % spacing
        if visible[base + i * across + j] == slot:
            if other < s:
                return 0, 0, 0
            number += 1
            sum_x += j
            sum_y += i
    return number, sum_x, sum_y


@jit
def _sky(light, ray, color):
    """Linear colour [3] of the background along a ray: from the horizon up to the zenith."""
    rise = ray[2] / math.sqrt(ray[0] * ray[0] + ray[1] * ray[1] + ray[2] * ray[2])
    blend = math.sqrt(max(0.0, rise))
    for c in range(3):
        color[c] = light[HORIZON, c] + (light[ZENITH, c] - light[HORIZON, c]) * blend


@jit
def _depth_at(plane, sample_x, sample_y):
    """Depth of a triangle's plane at a place in the picture."""
    x, y = sample_x - plane[9], sample_y - plane[10]
    nearness = (plane[0] + plane[3] + plane[6]) * x + (plane[1] + plane[4] + plane[7]) * y + plane[2] + plane[5] + plane[8]
    return 1.0 / max(nearness, 1e-4)


@jit
def draw_views(stage, samples, sun, poses, views, camera_poses, intrinsics, spacing, rgb, depth, instance):
    """Draw B views of one world at rest.

    poses: float64 [N, 4, 4], item to world. views: float64 [B, 3, 4], world to (x·w, y·w, w) in samples.
    camera_poses: float64 [B, 4, 4]; intrinsics: float64 [3, 3], pixels; spacing: samples per pixel and axis.
    Filled: rgb uint8 [B, H, W, 3], depth float32 [B, H, W] (m), instance uint8 [B, H, W].
    """
    height, width = depth.shape[1] * spacing, depth.shape[2] * spacing
    for b in range(len(views)):
        _scan_view(stage, samples, views[b], poses, width, height)
        _resolve(stage, samples, sun, poses, camera_poses[b], intrinsics, spacing, rgb[b], depth[b], instance[b])
