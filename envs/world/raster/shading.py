"""Shading: the colour and depth of every fragment, which is what a pixel shows of one triangle.

Fragments are shaded a block at a time, by loops over the columns of the block's two flat arrays:

    spans ─► fill ─► numbers  [14, 256]  ─┐
                     integers [11, 256]   ├─► _locate ─► _fetch ─► _light ─► colour and depth
                                          ┘   texels      from      texture, sun with shadow,
                                              and places  memory    ambient light, highlight; or sky

Such loops compile to vector instructions as long as they have no branch, no call of what is not inlined, and unsigned
indices whose rows are constants. Only `_fetch` gathers from memory, so it stands alone.
"""

import math
from typing import NamedTuple

import numpy as np

from embodied_ssl.envs.world.compiled import inlined, jit, kernel
from embodied_ssl.envs.world.raster.buffers import (
    COLUMN,
    EMISSION,
    END,
    FIRST,
    GLOSS,
    GROUND,
    HORIZON,
    LANES,
    LENGTH,
    OWNER,
    PART,
    ROW,
    SKY,
    SUN,
    SUNWARD,
    ZENITH,
)
from embodied_ssl.envs.world.raster.lanes import RUN, put_copies, put_line, put_ramp
from embodied_ssl.envs.world.raster.pixels import to_pixel

# The rows of a block's numbers: where each begins. The first nine are what is interpolated, in its order.
_NEARNESS = np.uint64(0 * LENGTH)  # then w
_U = np.uint64(1 * LENGTH)  # then red
_V = np.uint64(2 * LENGTH)  # then green
_NORMAL_X = np.uint64(3 * LENGTH)  # then blue
_NORMAL_Y = np.uint64(4 * LENGTH)
_NORMAL_Z = np.uint64(5 * LENGTH)
_MAP_U = np.uint64(6 * LENGTH)
_MAP_V = np.uint64(7 * LENGTH)
_MAP_HEIGHT = np.uint64(8 * LENGTH)
_ACROSS = np.uint64(9 * LENGTH)  # the place in the image, in samples
_DOWN = np.uint64(10 * LENGTH)
_GLOSS = np.uint64(11 * LENGTH)
_GLOW = np.uint64(12 * LENGTH)  # of what emits light; below 0 for the background
_DENSITY = np.uint64(13 * LENGTH)  # texels² per pixel, over w³

# And of its integers.
_LOG_SIDE = np.uint64(0 * LENGTH)  # log2 of the texture's side, then where the texels below are
_END = np.uint64(1 * LENGTH)  # where the texture's levels end, then where the texels above are
_RIGHT = np.uint64(2 * LENGTH)  # the place between four texels, in sixteenths
_BELOW = np.uint64(3 * LENGTH)
_MAP = np.uint64(4 * LENGTH)  # the place in the shadow map
_UPPER = np.uint64(5 * LENGTH)  # four texels
_UPPER_1 = np.uint64(6 * LENGTH)
_LOWER = np.uint64(7 * LENGTH)
_LOWER_1 = np.uint64(8 * LENGTH)
_HEIGHTS = np.uint64(9 * LENGTH)  # two columns of two heights
_HEIGHTS_1 = np.uint64(10 * LENGTH)
_BELOW_AT = _LOG_SIDE
_ABOVE_AT = _END

_ZERO = np.float32(0.0)
_HALF = np.float32(0.5)
_ONE = np.float32(1.0)
_TINY = np.float32(1e-20)  # so that nothing is divided by 0
_TEXEL = np.float32(1.0 / 65280.0)  # of a bilinear mean, 255 · 256 at most
_BYTE = np.int32(255)
_EIGHT = np.int32(8)
_HALF_WORD = np.int32(65535)
_SIXTEEN = np.int32(16)


class Vector(NamedTuple):
    """Three numbers: of a place or direction, or red, green and blue."""

    x: float
    y: float
    z: float


@kernel
def shade(stage, samples, fragments, sun, rays, spacing, span_count):
    """Depth and colour of every fragment of so many spans, a block at a time."""
    slots, anchors, density, surfaces = samples.slots, samples.anchors, samples.density, stage.surfaces
    ends, log_sides, spans, places = stage.texture_end, stage.texture_log_side, samples.spans, samples.places
    planes = samples.planes.reshape(-1)
    background = np.uint64(3 * LANES * (len(samples.planes) - 1))
    numbers, integers = fragments.numbers, fragments.integers
    stride = np.float32(spacing)
    first = np.int64(0)  # of the fragments, in the block
    filled = np.int64(0)  # how many are in it
    for n in range(np.uint64(span_count)):
        owner = spans[n, OWNER]
        length = spans[n, END] - spans[n, FIRST]
        column, row = places[n, COLUMN], places[n, ROW]
        gloss, glow, dense, end, log_side = _ZERO, -_ONE, _ZERO, np.int32(2), np.int32(0)
        base, x, y = background, _ZERO, _ZERO
        if owner >= 0:
            slot = np.uint64(owner)
            part = np.uint64(slots[slot, PART])
            gloss = surfaces[part, GLOSS]
            glow = np.float32(1.5) * surfaces[part, EMISSION]
            dense = density[slot]
            end = ends[part]
            log_side = log_sides[part]
            x = column - np.float32(anchors[slot, COLUMN])
            y = row - np.float32(anchors[slot, ROW])
            base = np.uint64(3 * LANES) * slot
        for done in range(0, length, RUN):
            if filled > LENGTH - RUN:
                _shade_block(stage, fragments, sun, rays, first, filled)
                first += filled
                filled = np.int64(0)
            at = np.uint64(filled)
            begin = np.float32(done)
            # Always a whole run; the next one overwrites what is too much.
            put_line(numbers, at, begin, planes, base, x, y, stride)
            put_ramp(numbers, _ACROSS + at, begin, column, stride)
            put_copies(numbers, _DOWN + at, row)
            put_copies(numbers, _GLOSS + at, gloss)
            put_copies(numbers, _GLOW + at, glow)
            put_copies(numbers, _DENSITY + at, dense)
            put_copies(integers, _LOG_SIDE + at, log_side)
            put_copies(integers, _END + at, end)
            filled += min(RUN, length - done)
    _shade_block(stage, fragments, sun, rays, first, filled)


@jit
def rays_of(view):
    """Rays through the image, in the world: what a column adds, what a row adds, and that of column and row 0.

    Columns and rows are those of samples. float32 [3, 3].
    """
    pose, intrinsics, spacing = view.pose, view.intrinsics, view.spacing
    across = 1.0 / (spacing * intrinsics[0, 0])
    down = 1.0 / (spacing * intrinsics[1, 1])
    left = (0.5 / spacing - 0.5 - intrinsics[0, 2]) / intrinsics[0, 0]
    top = (0.5 / spacing - 0.5 - intrinsics[1, 2]) / intrinsics[1, 1]
    rays = np.empty((3, 3), np.float32)
    for k in range(3):
        rays[0, k] = pose[k, 0] * across
        rays[1, k] = pose[k, 1] * down
        rays[2, k] = pose[k, 0] * left + pose[k, 1] * top + pose[k, 2]
    return rays


@kernel
def _shade_block(stage, fragments, sun, rays, first, count):
    """Shade the fragments in the block, and put them where they belong."""
    numbers, integers, color, packed = fragments.numbers, fragments.integers, fragments.color, fragments.bytes
    _locate(numbers, integers, count, np.int32(len(sun.heights)))
    _fetch(integers, count, stage.texels, sun.heights.reshape(-1))
    _light(numbers, integers, count, stage.light, rays)
    _put(numbers, _NEARNESS, fragments.depth, first, count)
    if color.shape[1] > 0:  # else there is nothing to blend
        _put(numbers, _U, color[0], first, count)
        _put(numbers, _V, color[1], first, count)
        _put(numbers, _NORMAL_X, color[2], first, count)
    for j in range(np.uint64(count)):
        packed[np.uint64(first) + j] = to_pixel(numbers[_U + j], numbers[_V + j], numbers[_NORMAL_X + j])


@inlined
def _put(numbers, row, out, first, count):
    for j in range(np.uint64(count)):
        out[np.uint64(first) + j] = numbers[row + j]


@kernel
def _locate(numbers, integers, count, map_side):
    """From nearness to depth; which texels and which points of the shadow map surround each fragment, and where."""
    last = np.float32(map_side - 2)
    for j in range(np.uint64(count)):
        w = _ONE / max(numbers[_NEARNESS + j], np.float32(1e-6))
        numbers[_NEARNESS + j] = w
        _locate_texels(numbers, integers, j, w)
        column = min(max(_ZERO, numbers[_MAP_U + j] * w), last)  # also of no number
        row = min(max(_ZERO, numbers[_MAP_V + j] * w), last)
        integers[_MAP + j] = np.int32(np.int32(np.int32(row) * map_side) + np.int32(column))
        numbers[_MAP_U + j] = column - np.float32(np.int32(column))
        numbers[_MAP_V + j] = row - np.float32(np.int32(row))
        numbers[_MAP_HEIGHT + j] *= w


@inlined
def _locate_texels(numbers, integers, j, w):
    """The level of the texture whose texels are about a pixel wide, and the four texels about (u, v) in it."""
    one, four, mantissa, bias = np.int32(1), np.int32(4), np.int32(23), np.int32(127)
    log_side = integers[_LOG_SIDE + j]
    # Half of floor(log2) of texels² per pixel, which the exponent of the float tells.
    area = np.float32(1.5) * numbers[_DENSITY + j] * w * w * w
    exponent = np.int32(np.int32(np.float32(area).view(np.int32) >> mantissa) - bias)
    level = min(max(np.int32(exponent >> one), np.int32(0)), log_side)
    whole = np.int32(np.int32(np.int32(log_side - level) + bias) << mantissa).view(np.float32)  # 2^(log_side − level)
    side = np.int32(whole)
    mask = np.int32(side - one)
    # This level and the coarser ones take side · (side + 1) + … = (4 · side² − 1) / 3 + 2 · side − 1 texels; of a power
    # of 4 minus 1 every second bit is a third.
    third = np.int32(np.int32(np.int32(side * np.int32(side << np.int32(2))) - one) & np.int32(0x55555555))
    begin = np.int32(np.int32(integers[_END + j] - third) - np.int32(np.int32(side << one) - one))
    # In sixteenths of a texel; texels are points at the middle of their squares.
    sixteenths = whole * np.float32(16.0)
    across = np.int32(np.int32(numbers[_U + j] * w * sixteenths) - _EIGHT)
    down = np.int32(np.int32(numbers[_V + j] * w * sixteenths) - _EIGHT)
    x = np.int32(np.int32(across >> four) & mask)
    y = np.int32(np.int32(down >> four) & mask)
    next_y = np.int32(np.int32(y + one) & mask)
    stride = np.int32(side + one)  # a row ends with its first texel once more
    begin = np.int32(begin + x)
    integers[_ABOVE_AT + j] = np.int32(begin + np.int32(y * stride))
    integers[_BELOW_AT + j] = np.int32(begin + np.int32(next_y * stride))
    integers[_RIGHT + j] = np.int32(across & np.int32(15))
    integers[_BELOW + j] = np.int32(down & np.int32(15))


@kernel
def _fetch(integers, count, texels, heights):
    """The texels above and below and the heights, from where they are."""
    one = np.uint64(1)
    for j in range(np.uint64(count)):
        above = np.uint64(integers[_ABOVE_AT + j])
        below = np.uint64(integers[_BELOW_AT + j])
        place = np.uint64(integers[_MAP + j])
        integers[_UPPER + j] = texels[above]
        integers[_UPPER_1 + j] = texels[above + one]
        integers[_LOWER + j] = texels[below]
        integers[_LOWER_1 + j] = texels[below + one]
        integers[_HEIGHTS + j] = heights[place]
        integers[_HEIGHTS_1 + j] = heights[place + one]


@kernel
def _light(numbers, integers, count, light, rays):
    """Red, green and blue in the rows of u, v and the normal: texture, sun, ambient light, highlight; or the sky."""
    ground, sky, sun = _row(light, GROUND), _row(light, SKY), _row(light, SUN)
    sunward, horizon, zenith = _row(light, SUNWARD), _row(light, HORIZON), _row(light, ZENITH)
    rise_r, rise_g, rise_b = zenith.x - horizon.x, zenith.y - horizon.y, zenith.z - horizon.z
    by_column, by_row, origin = _row(rays, 0), _row(rays, 1), _row(rays, 2)
    for j in range(np.uint64(count)):
        w = numbers[_NEARNESS + j]
        normal = Vector(numbers[_NORMAL_X + j] * w, numbers[_NORMAL_Y + j] * w, numbers[_NORMAL_Z + j] * w)
        facing = max(_dot(normal, sunward), _ZERO)
        reach = _reach(numbers, integers, j)
        reach = reach if facing > _ZERO else _ZERO
        sunny = facing * reach
        over = _HALF + _HALF * normal.z  # how much of what is around is sky
        under = _ONE - over
        across, down = numbers[_ACROSS + j], numbers[_DOWN + j]
        ray = Vector(
            across * by_column.x + down * by_row.x + origin.x,
            across * by_column.y + down * by_row.y + origin.y,
            across * by_column.z + down * by_row.z + origin.z,
        )
        shorter = _ONE / math.sqrt(_dot(ray, ray))
        cosine_16 = _halfway_cosine_16(normal, sunward, ray, shorter)
        shine = cosine_16 * (cosine_16 * reach * numbers[_GLOSS + j])
        rise = math.sqrt(max(ray.z * shorter, _ZERO))
        glow = numbers[_GLOW + j]
        red, green, blue = _texture(integers, j)
        numbers[_U + j] = (
            red * red * (ground.x * under + sky.x * over + sun.x * sunny + glow) + sun.x * shine
            if glow >= _ZERO
            else horizon.x + rise_r * rise
        )
        numbers[_V + j] = (
            green * green * (ground.y * under + sky.y * over + sun.y * sunny + glow) + sun.y * shine
            if glow >= _ZERO
            else horizon.y + rise_g * rise
        )
        numbers[_NORMAL_X + j] = (
            blue * blue * (ground.z * under + sky.z * over + sun.z * sunny + glow) + sun.z * shine
            if glow >= _ZERO
            else horizon.z + rise_b * rise
        )


@inlined
def _row(matrix, row):
    return Vector(matrix[row, 0], matrix[row, 1], matrix[row, 2])


@inlined
def _dot(a, b):
    return a.x * b.x + a.y * b.y + a.z * b.z


@inlined
def _texture(integers, j):
    """The stored red, green and blue between four texels, in 0 to 1."""
    a, b = integers[_UPPER + j], integers[_UPPER_1 + j]
    c, d = integers[_LOWER + j], integers[_LOWER_1 + j]
    right, below = integers[_RIGHT + j], integers[_BELOW + j]
    red = _bilinear(np.int32(a & _BYTE), np.int32(b & _BYTE), np.int32(c & _BYTE), np.int32(d & _BYTE), right, below)
    a, b, c, d = np.int32(a >> _EIGHT), np.int32(b >> _EIGHT), np.int32(c >> _EIGHT), np.int32(d >> _EIGHT)
    green = _bilinear(np.int32(a & _BYTE), np.int32(b & _BYTE), np.int32(c & _BYTE), np.int32(d & _BYTE), right, below)
    a, b, c, d = np.int32(a >> _EIGHT), np.int32(b >> _EIGHT), np.int32(c >> _EIGHT), np.int32(d >> _EIGHT)
    blue = _bilinear(a, b, c, d, right, below)
    return _TEXEL * np.float32(red), _TEXEL * np.float32(green), _TEXEL * np.float32(blue)


@inlined
def _bilinear(a, b, c, d, right, below):
    """Of four numbers below 256 the mean at a place between them in sixteenths, times 256; int32."""
    left = np.int32(_SIXTEEN - right)
    above = np.int32(_SIXTEEN - below)
    upper = np.int32(np.int32(a * left) + np.int32(b * right))
    lower = np.int32(np.int32(c * left) + np.int32(d * right))
    return np.int32(np.int32(upper * above) + np.int32(lower * below))


@inlined
def _reach(numbers, integers, j):
    """The share of the sun that reaches a place, blended over four neighbours in the shadow map."""
    height = max(numbers[_MAP_HEIGHT + j], _ZERO)
    right, below = numbers[_MAP_U + j], numbers[_MAP_V + j]
    left = _ONE - right
    lefts, rights = integers[_HEIGHTS + j], integers[_HEIGHTS_1 + j]
    upper_left = left if np.float32(np.int32(lefts & _HALF_WORD)) <= height else _ZERO
    upper_right = right if np.float32(np.int32(rights & _HALF_WORD)) <= height else _ZERO
    lower_left = left if np.float32(np.int32(np.int32(lefts >> _SIXTEEN) & _HALF_WORD)) <= height else _ZERO
    lower_right = right if np.float32(np.int32(np.int32(rights >> _SIXTEEN) & _HALF_WORD)) <= height else _ZERO
    return (upper_left + upper_right) * (_ONE - below) + (lower_left + lower_right) * below


@inlined
def _halfway_cosine_16(normal, sunward, ray, shorter):
    """cos¹⁶ of the angle between the normal and the halfway vector; its square is Blinn and Phong's highlight."""
    half = Vector(sunward.x - ray.x * shorter, sunward.y - ray.y * shorter, sunward.z - ray.z * shorter)
    along = max(_dot(normal, half), _ZERO)
    cosine_2 = along * along / (_dot(normal, normal) * _dot(half, half) + _TINY)
    cosine_4 = cosine_2 * cosine_2
    cosine_8 = cosine_4 * cosine_4
    return cosine_8 * cosine_8
