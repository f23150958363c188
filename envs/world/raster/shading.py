"""Shading: what an image shows of the triangles that its samples see.

A fragment is what a pixel shows of one triangle. Each is shaded once: texture, sun with shadow, ambient light,
highlight; then they are blended by their shares of the pixel.

Fragments are shaded a block at a time, by loops over the columns of the block's two flat arrays. Such loops compile to
vector instructions as long as they have no branch, no function of another array's numbers, and unsigned indices whose
rows are constants.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import extending, types
from numpy.typing import NDArray

from embodied_ssl.envs.world.compiled import inlined, jit

intrinsic: Any = extending.intrinsic  # a call leaves out the first parameter

# Rows of Stage.light.
SUN, SKY, GROUND, HORIZON, ZENITH, SUNWARD = range(6)

# What is interpolated over a triangle: nearness 1/w, texture coordinates, the normal in the world, and the place in
# the shadow map.
INTERPOLATED, LANES = 9, 16  # as many numbers as are treated at once
NEARNESS, U, V, NORMAL_X, NORMAL_Y, NORMAL_Z, MAP_U, MAP_V, MAP_HEIGHT = range(INTERPOLATED)

LENGTH = 256  # most fragments of a block
RUN = 8  # fragments of a span that go into a block at once

# Where the rows of a block begin in its numbers: first what is interpolated, over w; the place in the image in
# samples; gloss; emission, below 0 for the background; texels² per pixel, over w³.
_ROWS = 14
(
    _NEARNESS, _U, _V, _NORMAL_X, _NORMAL_Y, _NORMAL_Z, _MAP_U, _MAP_V, _MAP_HEIGHT, _ACROSS, _DOWN, _GLOSS, _GLOW,
    _DENSITY,
) = (np.uint64(row * LENGTH) for row in range(_ROWS))  # fmt: skip
# And in its integers: log2 of the texture's side and where its levels end, then where the texels above and below are;
# the place between the four in sixteenths; the place in the shadow map; the pairs that are read there.
_INTEGER_ROWS = 11
_LOG_SIDE, _END, _RIGHT, _BELOW, _MAP, _UPPER, _UPPER_1, _LOWER, _LOWER_1, _HEIGHTS, _HEIGHTS_1 = (
    np.uint64(row * LENGTH) for row in range(_INTEGER_ROWS)
)
_ABOVE_AT, _BELOW_AT = _END, _LOG_SIDE


class Fragments(NamedTuple):
    """The surfaces that the pixels show, in the order of the spans, at most one per sample; and a block of them."""

    depth: NDArray[np.float32]  # [F] m
    color: NDArray[np.float32]  # [3, F] linear red, green, blue
    bytes: NDArray[np.int32]  # [F] the same as it is stored, 0x00BBGGRR
    pixels: NDArray[np.int32]  # [F] the image, likewise, in the first H · W
    numbers: NDArray[np.float32]  # [_ROWS · LENGTH] of a block
    integers: NDArray[np.int32]  # [_INTEGER_ROWS · LENGTH]


def room_for_fragments(samples: int) -> Fragments:
    """Room for the fragments of an image of so many samples."""
    return Fragments(
        depth=np.empty(samples, np.float32),
        color=np.empty((3, samples), np.float32),
        bytes=np.empty(samples, np.int32),
        pixels=np.empty(samples, np.int32),
        numbers=np.zeros(_ROWS * LENGTH, np.float32),
        integers=np.zeros(_INTEGER_ROWS * LENGTH, np.int32),
    )


@jit
def draw_view(
    stage, samples, counts, fragments, sun, poses, camera_pose, intrinsics, spacing, rgb, depth, instance
):  # fmt: skip
    """Draw what a view shows. counts: what `scan_view` returned; the rest, but for what is filled, is as it took it.

    Filled: rgb uint8 [H, W, 3], depth float32 [H, W] (m), instance uint8 [H, W].
    """
    width, span_count, shown_count = depth.shape[1], counts[0], counts[1]
    depths, marks, rays = depth.reshape(-1), instance.reshape(-1), _rays(camera_pose, intrinsics, spacing)
    _prepare(stage, samples, sun, poses, shown_count, spacing)
    if spacing == 1:  # then pixels are fragments
        _shade(stage, samples, fragments, depths, sun, span_count, rays, spacing)
        _mark(stage, samples, span_count, marks)
        _unpack(fragments.bytes, rgb.reshape(-1))
    else:
        _shade(stage, samples, fragments, fragments.depth, sun, span_count, rays, spacing)
        _blend(stage, samples, fragments, span_count, width, spacing, depths, marks)
        _unpack(fragments.pixels, rgb.reshape(-1))


@jit
def _prepare(stage, samples, sun, poses, shown, spacing):
    """For every triangle that shows, the planes of what is interpolated: linear in the image once divided by w."""
    vertices, normals, uv, triangles = stage.vertices, stage.normals, stage.uv, stage.triangles
    slots, edges, planes, density = samples.slots, samples.edges, samples.planes, samples.density
    shown_slots, items = samples.shown, stage.item
    to_map, step, lift, log_sides = sun.to_map, sun.step, sun.lift, stage.texture_log_side
    for n in range(np.uint64(shown)):
        slot = np.uint64(shown_slots[n])
        t, m = np.uint64(slots[slot, 0]), np.uint64(items[slots[slot, 1]])
        for term in range(3):
            for k in range(INTERPOLATED):
                planes[slot, term, k] = 0.0
        for corner in range(3):
            v = np.uint64(triangles[t, corner])
            nx, ny, nz = normals[v, 0], normals[v, 1], normals[v, 2]
            x, y, z = vertices[v, 0] + step * nx, vertices[v, 1] + step * ny, vertices[v, 2] + step * nz
            normal_x = poses[m, 0, 0] * nx + poses[m, 0, 1] * ny + poses[m, 0, 2] * nz
            normal_y = poses[m, 1, 0] * nx + poses[m, 1, 1] * ny + poses[m, 1, 2] * nz
            normal_z = poses[m, 2, 0] * nx + poses[m, 2, 1] * ny + poses[m, 2, 2] * nz
            world_x = poses[m, 0, 0] * x + poses[m, 0, 1] * y + poses[m, 0, 2] * z + poses[m, 0, 3]
            world_y = poses[m, 1, 0] * x + poses[m, 1, 1] * y + poses[m, 1, 2] * z + poses[m, 1, 3]
            world_z = poses[m, 2, 0] * x + poses[m, 2, 1] * y + poses[m, 2, 2] * z + poses[m, 2, 3]
            map_u = to_map[0, 0] * world_x + to_map[0, 1] * world_y + to_map[0, 2] * world_z + to_map[0, 3]
            map_v = to_map[1, 0] * world_x + to_map[1, 1] * world_y + to_map[1, 2] * world_z + to_map[1, 3]
            map_height = to_map[2, 0] * world_x + to_map[2, 1] * world_y + to_map[2, 2] * world_z + to_map[2, 3] + lift
            for term in range(3):
                e = edges[slot, np.uint64(3 * corner + term)]
                planes[slot, term, NEARNESS] += e
                planes[slot, term, U] += e * uv[v, 0]
                planes[slot, term, V] += e * uv[v, 1]
                planes[slot, term, NORMAL_X] += e * normal_x
                planes[slot, term, NORMAL_Y] += e * normal_y
                planes[slot, term, NORMAL_Z] += e * normal_z
                planes[slot, term, MAP_U] += e * map_u
                planes[slot, term, MAP_V] += e * map_v
                planes[slot, term, MAP_HEIGHT] += e * map_height
        # The Jacobian of (u, v) by the image is the determinant of the planes of 1/w, u/w and v/w, times w³.
        qx, qy, qc = planes[slot, 0, NEARNESS], planes[slot, 1, NEARNESS], planes[slot, 2, NEARNESS]
        ux, uy, uc = planes[slot, 0, U], planes[slot, 1, U], planes[slot, 2, U]
        vx, vy, vc = planes[slot, 0, V], planes[slot, 1, V], planes[slot, 2, V]
        volume = qx * (uy * vc - uc * vy) - qy * (ux * vc - uc * vx) + qc * (ux * vy - uy * vx)
        side = np.float64(1 << log_sides[np.uint64(slots[slot, 1])])
        density[slot] = abs(volume) * (spacing * side) ** 2


@jit
def _rays(camera_pose, intrinsics, spacing):
    """Rays through the image, in the world: what a column adds, what a row adds, and that of column and row 0.

    Columns and rows are those of samples. float32 [3, 3].
    """
    rays = np.empty((3, 3), np.float32)
    across, down = 1.0 / (spacing * intrinsics[0, 0]), 1.0 / (spacing * intrinsics[1, 1])
    left = (0.5 / spacing - 0.5 - intrinsics[0, 2]) / intrinsics[0, 0]
    top = (0.5 / spacing - 0.5 - intrinsics[1, 2]) / intrinsics[1, 1]
    for k in range(3):
        rays[0, k] = camera_pose[k, 0] * across
        rays[1, k] = camera_pose[k, 1] * down
        rays[2, k] = camera_pose[k, 0] * left + camera_pose[k, 1] * top + camera_pose[k, 2]
    return rays


@jit
def _shade(stage, samples, fragments, depth, sun, span_count, rays, spacing):
    """Depth and colour of every fragment, a block at a time."""
    slots, planes, edges, density = samples.slots, samples.planes, samples.edges, samples.density
    surfaces, ends, log_sides = stage.surfaces, stage.texture_end, stage.texture_log_side
    spans, places, numbers, integers = samples.spans, samples.places, fragments.numbers, fragments.integers
    color, packed = fragments.color, fragments.bytes
    texels, heights, light = stage.texels, sun.heights, stage.light
    flat, background = planes.reshape(-1), len(planes) - 1
    zero, one, stride = np.float32(0.0), np.float32(1.0), np.float32(spacing)
    first, filled = np.int64(0), np.int64(0)  # of the fragments, in the block; and how many are in it
    for n in range(np.uint64(span_count)):
        owner, length = spans[n, 3], spans[n, 1] - spans[n, 0]
        column, row = places[n, 0], places[n, 1]
        gloss, glow, dense, end, log_side = zero, -one, zero, np.int32(2), np.int32(0)
        base, x, y = np.uint64(3 * LANES * background), zero, zero
        if owner >= 0:
            slot = np.uint64(owner)
            part = np.uint64(slots[slot, 1])
            gloss, glow = surfaces[part, 0], np.float32(1.5) * surfaces[part, 1]
            dense, end, log_side = density[slot], ends[part], log_sides[part]
            x, y = column - np.float32(edges[slot, 9]), row - np.float32(edges[slot, 10])
            base = np.uint64(3 * LANES) * slot
        for done in range(0, length, RUN):
            if filled > LENGTH - RUN:
                _shade_block(
                    numbers, integers, depth, color, packed, texels, heights, light, first, filled, rays, spacing
                )
                first, filled = first + filled, np.int64(0)
            at, begin = np.uint64(filled), np.float32(done)
            # Always a whole run; the next one overwrites what is too much.
            _put_line(numbers, at, begin, flat, base, x, y, stride)
            _put_ramp(numbers, _ACROSS + at, begin, column, stride)
            _put_copies(numbers, _DOWN + at, row)
            _put_copies(numbers, _GLOSS + at, gloss)
            _put_copies(numbers, _GLOW + at, glow)
            _put_copies(numbers, _DENSITY + at, dense)
            _put_copies(integers, _LOG_SIDE + at, log_side)
            _put_copies(integers, _END + at, end)
            filled += min(RUN, length - done)
    _shade_block(numbers, integers, depth, color, packed, texels, heights, light, first, filled, rays, spacing)


# Loops over a run are too short for LLVM to make vector instructions of them by itself.
def _copies(builder, vector, lane):
    """RUN copies of a number of an LLVM vector."""
    lanes = ir.Constant(ir.VectorType(ir.IntType(32), RUN), [lane] * RUN)
    return builder.shuffle_vector(vector, ir.Constant(vector.type, ir.Undefined), lanes)


def _copies_of(builder, value, count=RUN):
    """A number as a vector of so many copies."""
    vector, integer = ir.VectorType(value.type, count), ir.IntType(32)
    single = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(integer, 0))
    return builder.shuffle_vector(single, single, ir.Constant(ir.VectorType(integer, count), [0] * count))


def _place_of(context, builder, array_type, array, at, vector):
    """Where an array's elements from `at` on lie, as a vector."""
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [at]), vector.as_pointer())


def _store(context, builder, array_type, array, at, vector):
    builder.store(vector, _place_of(context, builder, array_type, array, at, vector.type), align=4)


def _ramp(builder, begin, first, step):
    counts = builder.fadd(begin, ir.Constant(begin.type, [float(i) for i in range(RUN)]))
    return builder.fadd(first, builder.fmul(counts, step))


@intrinsic
def _put_line(_, numbers, at, begin, planes, base, x, y, stride):
    """numbers[k · LENGTH + at + i] = what the k-th plane from `base` is at (x, y) + (begin + i) · stride along the row.

    For all that is interpolated, and i below RUN; float32, but `at` and `base` uint64.
    """

    def generate(context, builder, signature, arguments):
        numbers, at, begin, planes, base, x, y, stride = arguments
        wide, integer = ir.VectorType(ir.FloatType(), LANES), at.type
        terms = [
            builder.load(
                _place_of(context, builder, signature.args[3], planes, builder.add(base, integer(LANES * term)), wide),
                align=4,
            )
            for term in range(3)
        ]
        x, y, stride = (_copies_of(builder, value, LANES) for value in (x, y, stride))
        value = builder.fadd(builder.fadd(builder.fmul(terms[0], x), builder.fmul(terms[1], y)), terms[2])
        step, begin = builder.fmul(terms[0], stride), _copies_of(builder, begin)
        for k in range(INTERPOLATED):
            ramp = _ramp(builder, begin, _copies(builder, value, k), _copies(builder, step, k))
            _store(context, builder, signature.args[0], numbers, builder.add(at, integer(k * LENGTH)), ramp)
        return context.get_dummy_value()

    return types.void(numbers, at, begin, planes, base, x, y, stride), generate


@intrinsic
def _put_ramp(_, array, at, begin, first, step):
    """array[at + i] = first + (begin + i) · step for i below RUN; float32, but `at` uint64."""

    def generate(context, builder, signature, arguments):
        ramp = _ramp(builder, *(_copies_of(builder, value) for value in arguments[2:]))
        _store(context, builder, signature.args[0], arguments[0], arguments[1], ramp)
        return context.get_dummy_value()

    return types.void(array, at, begin, first, step), generate


@intrinsic
def _put_copies(_, array, at, value):
    """array[at + i] = value for i below RUN; of one type."""

    def generate(context, builder, signature, arguments):
        copies = _copies_of(builder, arguments[2])
        _store(context, builder, signature.args[0], arguments[0], arguments[1], copies)
        return context.get_dummy_value()

    return types.void(array, at, value), generate


@jit
def _shade_block(numbers, integers, depth, color, packed, texels, heights, light, first, count, rays, spacing):
    """Shade the fragments in the block, and put them where they belong."""
    _locate(numbers, integers, count, np.int32(len(heights)))
    _fetch(integers, count, texels, heights.reshape(-1))
    _light(numbers, integers, count, light, rays)
    _put(numbers, _NEARNESS, depth, first, count)
    if spacing > 1:  # else there is nothing to blend
        _put(numbers, _U, color[0], first, count)
        _put(numbers, _V, color[1], first, count)
        _put(numbers, _NORMAL_X, color[2], first, count)
    for j in range(np.uint64(count)):
        packed[np.uint64(first) + j] = _to_pixel(numbers[_U + j], numbers[_V + j], numbers[_NORMAL_X + j])


@inlined
def _put(numbers, row, out, first, count):
    for j in range(np.uint64(count)):
        out[np.uint64(first) + j] = numbers[row + j]


@jit
def _locate(numbers, integers, count, map_side):
    """From nearness to depth; which texels and which points of the shadow map surround each fragment, and where."""
    zero, one, last = np.float32(0.0), np.float32(1.0), np.float32(map_side - 2)
    unit, alternate = np.int32(1), np.int32(0x55555555)
    for j in range(np.uint64(count)):
        w = one / max(numbers[_NEARNESS + j], np.float32(1e-6))
        # The level of the texture whose texels are about a pixel wide: half of floor(log2) of texels² per pixel.
        area, log_side = np.float32(1.5) * numbers[_DENSITY + j] * w * w * w, integers[_LOG_SIDE + j]
        exponent = np.int32(np.int32(np.float32(area).view(np.int32) >> np.int32(23)) - np.int32(127))
        level = min(max(np.int32(exponent >> unit), np.int32(0)), log_side)
        whole = np.int32(np.int32(np.int32(log_side - level) + np.int32(127)) << np.int32(23)).view(np.float32)
        side, sixteenths = np.int32(whole), whole * np.float32(16.0)
        mask = np.int32(side - unit)
        # This level and the coarser ones take side · (side + 1) + … = (4 · side² − 1) / 3 + 2 · side − 1 texels.
        third = np.int32(np.int32(np.int32(side * np.int32(side << np.int32(2))) - unit) & alternate)
        begin = np.int32(np.int32(integers[_END + j] - third) - np.int32(np.int32(side << unit) - unit))
        across = np.int32(np.int32(numbers[_U + j] * w * sixteenths) - np.int32(8))
        down = np.int32(np.int32(numbers[_V + j] * w * sixteenths) - np.int32(8))
        x, y = np.int32(np.int32(across >> np.int32(4)) & mask), np.int32(np.int32(down >> np.int32(4)) & mask)
        begin, stride, next_y = np.int32(begin + x), np.int32(side + unit), np.int32(np.int32(y + unit) & mask)
        integers[_ABOVE_AT + j] = np.int32(begin + np.int32(y * stride))
        integers[_BELOW_AT + j] = np.int32(begin + np.int32(next_y * stride))
        integers[_RIGHT + j], integers[_BELOW + j] = np.int32(across & np.int32(15)), np.int32(down & np.int32(15))
        column, row = numbers[_MAP_U + j] * w, numbers[_MAP_V + j] * w
        column, row = min(max(zero, column), last), min(max(zero, row), last)  # also of no number
        integers[_MAP + j] = np.int32(np.int32(np.int32(row) * map_side) + np.int32(column))
        numbers[_MAP_U + j], numbers[_MAP_V + j] = (
            column - np.float32(np.int32(column)),
            row - np.float32(np.int32(row)),
        )
        numbers[_MAP_HEIGHT + j] *= w
        numbers[_NEARNESS + j] = w


@jit
def _fetch(integers, count, texels, heights):
    """The texels above and below and the heights, from where they are."""
    one = np.uint64(1)
    for j in range(np.uint64(count)):
        above, below = np.uint64(integers[_ABOVE_AT + j]), np.uint64(integers[_BELOW_AT + j])
        place = np.uint64(integers[_MAP + j])
        integers[_UPPER + j], integers[_UPPER_1 + j] = texels[above], texels[above + one]
        integers[_LOWER + j], integers[_LOWER_1 + j] = texels[below], texels[below + one]
        integers[_HEIGHTS + j], integers[_HEIGHTS_1 + j] = heights[place], heights[place + one]


@inlined
def _bilinear(a, b, c, d, right, below):
    """Of four numbers below 256 the mean at a place between them in sixteenths, times 256; int32."""
    left, above = np.int32(np.int32(16) - right), np.int32(np.int32(16) - below)
    upper = np.int32(np.int32(a * left) + np.int32(b * right))
    lower = np.int32(np.int32(c * left) + np.int32(d * right))
    return np.int32(np.int32(upper * above) + np.int32(lower * below))


@jit
def _light(numbers, integers, count, light, rays):
    """Red, green and blue in the rows of u, v and the normal: texture, sun, ambient light, highlight; or the sky."""
    ground_r, ground_g, ground_b = light[GROUND, 0], light[GROUND, 1], light[GROUND, 2]
    sky_r, sky_g, sky_b = light[SKY, 0], light[SKY, 1], light[SKY, 2]
    sun_r, sun_g, sun_b = light[SUN, 0], light[SUN, 1], light[SUN, 2]
    sun_x, sun_y, sun_z = light[SUNWARD, 0], light[SUNWARD, 1], light[SUNWARD, 2]
    horizon_r, horizon_g, horizon_b = light[HORIZON, 0], light[HORIZON, 1], light[HORIZON, 2]
    rise_r, rise_g, rise_b = light[ZENITH, 0] - horizon_r, light[ZENITH, 1] - horizon_g, light[ZENITH, 2] - horizon_b
    zero, half, one = np.float32(0.0), np.float32(0.5), np.float32(1.0)
    unit, tiny, byte, eight = np.float32(1.0 / 65280.0), np.float32(1e-20), np.int32(255), np.int32(8)
    half_word, sixteen = np.int32(65535), np.int32(16)
    for j in range(np.uint64(count)):
        w = numbers[_NEARNESS + j]
        a, b, c, d = integers[_UPPER + j], integers[_UPPER_1 + j], integers[_LOWER + j], integers[_LOWER_1 + j]
        right, below = integers[_RIGHT + j], integers[_BELOW + j]
        red = unit * np.float32(
            _bilinear(np.int32(a & byte), np.int32(b & byte), np.int32(c & byte), np.int32(d & byte), right, below)
        )
        a, b, c, d = np.int32(a >> eight), np.int32(b >> eight), np.int32(c >> eight), np.int32(d >> eight)
        green = unit * np.float32(
            _bilinear(np.int32(a & byte), np.int32(b & byte), np.int32(c & byte), np.int32(d & byte), right, below)
        )
        blue = unit * np.float32(
            _bilinear(
                np.int32(a >> eight), np.int32(b >> eight), np.int32(c >> eight), np.int32(d >> eight), right, below
            )
        )
        # The share of the sun that reaches the place, blended over four neighbours in the shadow map.
        height, e, g = max(numbers[_MAP_HEIGHT + j], zero), numbers[_MAP_U + j], numbers[_MAP_V + j]
        lefts, rights = integers[_HEIGHTS + j], integers[_HEIGHTS_1 + j]
        upper = (one - e if np.float32(np.int32(lefts & half_word)) <= height else zero) + (
            e if np.float32(np.int32(rights & half_word)) <= height else zero
        )
        lower = (one - e if np.float32(np.int32(np.int32(lefts >> sixteen) & half_word)) <= height else zero) + (
            e if np.float32(np.int32(np.int32(rights >> sixteen) & half_word)) <= height else zero
        )
        nx, ny, nz = numbers[_NORMAL_X + j] * w, numbers[_NORMAL_Y + j] * w, numbers[_NORMAL_Z + j] * w
        facing = max(nx * sun_x + ny * sun_y + nz * sun_z, zero)
        reach = upper * (one - g) + lower * g if facing > zero else zero
        sunny, over = facing * reach, half + half * nz
        # Blinn and Phong's highlight, with exponent 32.
        across, down = numbers[_ACROSS + j], numbers[_DOWN + j]
        ray_x = across * rays[0, 0] + down * rays[1, 0] + rays[2, 0]
        ray_y = across * rays[0, 1] + down * rays[1, 1] + rays[2, 1]
        ray_z = across * rays[0, 2] + down * rays[1, 2] + rays[2, 2]
        shorter = one / math.sqrt(ray_x * ray_x + ray_y * ray_y + ray_z * ray_z)
        hx, hy, hz = sun_x - ray_x * shorter, sun_y - ray_y * shorter, sun_z - ray_z * shorter
        along = max(nx * hx + ny * hy + nz * hz, zero)
        shine = along * along / ((nx * nx + ny * ny + nz * nz) * (hx * hx + hy * hy + hz * hz) + tiny)
        shine *= shine
        shine *= shine
        shine *= shine
        shine *= shine * reach * numbers[_GLOSS + j]
        under, glow, rise = one - over, numbers[_GLOW + j], math.sqrt(max(ray_z * shorter, zero))
        numbers[_U + j] = (
            red * red * (ground_r * under + sky_r * over + sun_r * sunny + glow) + sun_r * shine
            if glow >= zero
            else horizon_r + rise_r * rise
        )
        numbers[_V + j] = (
            green * green * (ground_g * under + sky_g * over + sun_g * sunny + glow) + sun_g * shine
            if glow >= zero
            else horizon_g + rise_g * rise
        )
        numbers[_NORMAL_X + j] = (
            blue * blue * (ground_b * under + sky_b * over + sun_b * sunny + glow) + sun_b * shine
            if glow >= zero
            else horizon_b + rise_b * rise
        )


@inlined
def _to_pixel(red, green, blue):
    """A linear colour as it is stored: gamma 2, 0x00BBGGRR."""
    return np.int32(_to_byte(red) | np.int32(_to_byte(green) << np.int32(8)) | np.int32(_to_byte(blue) << np.int32(16)))


@inlined
def _to_byte(linear):
    """0 to 255; int32."""
    full = np.float32(255.0)
    return np.int32(min(full * math.sqrt(linear) + np.float32(0.5), full))


@inlined
def _mark_of(instances, slots, owner):
    return instances[np.uint64(slots[np.uint64(owner), 1])] if owner >= 0 else np.uint8(0)


@jit
def _mark(stage, samples, span_count, instance):
    """The instance that each span shows."""
    slots, spans, instances = samples.slots, samples.spans, stage.instance
    for n in range(np.uint64(span_count)):
        owner = spans[n, 3]
        mark = _mark_of(instances, slots, owner)
        for at in range(np.uint64(spans[n, 0]), np.uint64(spans[n, 1])):
            instance[at] = mark


@jit
def _unpack(pixels, rgb):
    """From 0x00BBGGRR [N] to uint8 [3 · N]."""
    low, three = np.int32(255), np.uint64(3)
    for at in range(np.uint64(len(rgb) // 3)):
        pixel = pixels[at]
        rgb[three * at] = np.uint8(pixel & low)
        rgb[three * at + np.uint64(1)] = np.uint8((pixel >> np.int32(8)) & low)
        rgb[three * at + np.uint64(2)] = np.uint8(pixel >> np.int32(16))


@jit
def _blend(stage, samples, fragments, span_count, width, spacing, depth, instance):
    """Mix each pixel's fragments into its colour; depth and instance are of what its centre shows.

    Filled: fragments.pixels, depth float32 [H · W], instance uint8 [H · W].
    """
    slots, edges, instances, pixels = samples.slots, samples.edges, stage.instance, fragments.pixels
    spans, places, fragment_depth, packed = samples.spans, samples.places, fragments.depth, fragments.bytes
    reds, greens, blues = fragments.color[0], fragments.color[1], fragments.color[2]
    zero, middle = np.float32(0.0), 0.5 * (spacing - 1)
    n = 0
    while n < span_count:
        first, end, pixel, owner = spans[n, 0], spans[n, 1], spans[n, 2], spans[n, 3]
        if places[n, 2] == np.float32(1.0):  # a run of whole pixels
            mark = _mark_of(instances, slots, owner)
            for i in range(np.uint64(end - first)):
                at, fragment = np.uint64(pixel) + i, np.uint64(first) + i
                pixels[at], depth[at], instance[at] = packed[fragment], fragment_depth[fragment], mark
            n += 1
            continue
        row, column, w = pixel // width, pixel % width, fragment_depth[first]
        red, green, blue, nearest, largest, covered = zero, zero, zero, 0.0, zero, False
        while n < span_count and spans[n, 2] == pixel:
            f, s, share = spans[n, 0], spans[n, 3], places[n, 2]
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
        pixels[pixel] = _to_pixel(red, green, blue)
        depth[pixel] = w if owner >= 0 else zero
        instance[pixel] = _mark_of(instances, slots, owner)
