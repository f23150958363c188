"""Texels: where in its texture and in the shadow map each fragment of a block lies, and what stands there."""

import numpy as np

from embodied_ssl.envs.world.compiled import inlined, kernel
from embodied_ssl.envs.world.raster.kernels import block

_ZERO = np.float32(0.0)
_ONE = np.float32(1.0)
_EIGHT = np.int32(8)


@kernel
def locate(numbers, integers, count, map_side):
    """From nearness to depth; which texels and which points of the shadow map surround each fragment, and where."""
    last = np.float32(map_side - 2)
    for j in range(np.uint64(count)):
        w = _ONE / max(numbers[block.NEARNESS + j], np.float32(1e-6))
        numbers[block.NEARNESS + j] = w
        _locate_texels(numbers, integers, j, w)
        column = min(max(_ZERO, numbers[block.MAP_U + j] * w), last)  # also of no number
        row = min(max(_ZERO, numbers[block.MAP_V + j] * w), last)
        integers[block.MAP + j] = np.int32(np.int32(np.int32(row) * map_side) + np.int32(column))
        numbers[block.MAP_U + j] = column - np.float32(np.int32(column))
        numbers[block.MAP_V + j] = row - np.float32(np.int32(row))
        numbers[block.MAP_HEIGHT + j] *= w


@inlined
def _locate_texels(numbers, integers, j, w):
    """The level of the texture whose texels are about a pixel wide, and the four texels about (u, v) in it."""
    one, four, mantissa, bias = np.int32(1), np.int32(4), np.int32(23), np.int32(127)
    log_side = integers[block.LOG_SIDE + j]
    # Half of floor(log2) of texels² per pixel, which the exponent of the float tells.
    area = np.float32(1.5) * numbers[block.DENSITY + j] * w * w * w
    exponent = np.int32(np.int32(np.float32(area).view(np.int32) >> mantissa) - bias)
    level = min(max(np.int32(exponent >> one), np.int32(0)), log_side)
    whole = np.int32(np.int32(np.int32(log_side - level) + bias) << mantissa).view(np.float32)  # 2^(log_side − level)
    side = np.int32(whole)
    mask = np.int32(side - one)
    # This level and the coarser ones take side · (side + 1) + … = (4 · side² − 1) / 3 + 2 · side − 1 texels; of a power
    # of 4 minus 1 every second bit is a third.
    third = np.int32(np.int32(np.int32(side * np.int32(side << np.int32(2))) - one) & np.int32(0x55555555))
    begin = np.int32(np.int32(integers[block.END + j] - third) - np.int32(np.int32(side << one) - one))
    # In sixteenths of a texel; texels are points at the middle of their squares.
    sixteenths = whole * np.float32(16.0)
    across = np.int32(np.int32(numbers[block.U + j] * w * sixteenths) - _EIGHT)
    down = np.int32(np.int32(numbers[block.V + j] * w * sixteenths) - _EIGHT)
    x = np.int32(np.int32(across >> four) & mask)
    y = np.int32(np.int32(down >> four) & mask)
    next_y = np.int32(np.int32(y + one) & mask)
    stride = np.int32(side + one)  # a row ends with its first texel once more
    begin = np.int32(begin + x)
    integers[block.ABOVE_AT + j] = np.int32(begin + np.int32(y * stride))
    integers[block.BELOW_AT + j] = np.int32(begin + np.int32(next_y * stride))
    integers[block.RIGHT + j] = np.int32(across & np.int32(15))
    integers[block.BELOW + j] = np.int32(down & np.int32(15))


@kernel
def fetch(integers, count, texels, heights):
    """The texels above and below and the heights, from where they are."""
    one = np.uint64(1)
    for j in range(np.uint64(count)):
        above = np.uint64(integers[block.ABOVE_AT + j])
        below = np.uint64(integers[block.BELOW_AT + j])
        place = np.uint64(integers[block.MAP + j])
        integers[block.UPPER + j] = texels[above]
        integers[block.UPPER_1 + j] = texels[above + one]
        integers[block.LOWER + j] = texels[below]
        integers[block.LOWER_1 + j] = texels[below + one]
        integers[block.HEIGHTS + j] = heights[place]
        integers[block.HEIGHTS_1 + j] = heights[place + one]
