"""Shading: the colour and depth of every fragment, which is what a pixel shows of one triangle, a block at a time.

    spans ─► shade ─► numbers  [14, 256] ─┐
                      integers [11, 256] ─┴► locate ─► fetch ─► light_up ─► colour and depth
                                             texels    from     texture, sun with shadow,
                                             and map   memory   ambient light, highlight; or sky

Only `fetch` gathers from memory, so it stands alone: the other loops compile to vector instructions (see `block`).
"""

import numpy as np

from embodied_ssl.envs.world.compiled import inlined, jit, kernel
from embodied_ssl.envs.world.raster.kernels import block
from embodied_ssl.envs.world.raster.kernels.buffers import (
    COLUMN,
    EMISSION,
    END,
    FIRST,
    GLOSS,
    LANES,
    LENGTH,
    OWNER,
    PART,
    ROW,
)
from embodied_ssl.envs.world.raster.kernels.lanes import RUN, put_copies, put_line, put_ramp
from embodied_ssl.envs.world.raster.kernels.lighting import light_up
from embodied_ssl.envs.world.raster.kernels.pixels import to_pixel
from embodied_ssl.envs.world.raster.kernels.texels import fetch, locate

_ZERO = np.float32(0.0)
_ONE = np.float32(1.0)


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
            put_ramp(numbers, block.ACROSS + at, begin, column, stride)
            put_copies(numbers, block.DOWN + at, row)
            put_copies(numbers, block.GLOSS + at, gloss)
            put_copies(numbers, block.GLOW + at, glow)
            put_copies(numbers, block.DENSITY + at, dense)
            put_copies(integers, block.LOG_SIDE + at, log_side)
            put_copies(integers, block.END + at, end)
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
    locate(numbers, integers, count, np.int32(len(sun.heights)))
    fetch(integers, count, stage.texels, sun.heights.reshape(-1))
    light_up(numbers, integers, count, stage.light, rays)
    _put(numbers, block.NEARNESS, fragments.depth, first, count)
    if color.shape[1] > 0:  # else there is nothing to blend
        _put(numbers, block.U, color[0], first, count)
        _put(numbers, block.V, color[1], first, count)
        _put(numbers, block.NORMAL_X, color[2], first, count)
    for j in range(np.uint64(count)):
        packed[np.uint64(first) + j] = to_pixel(numbers[block.U + j], numbers[block.V + j], numbers[block.NORMAL_X + j])


@inlined
def _put(numbers, row, out, first, count):
    for j in range(np.uint64(count)):
        out[np.uint64(first) + j] = numbers[row + j]
