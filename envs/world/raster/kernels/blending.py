"""Blending: from fragments to pixels, by their shares; depth and instance are of what a pixel's centre shows."""

import numpy as np

from embodied_ssl.envs.world.compiled import inlined, kernel
from embodied_ssl.envs.world.raster.kernels.buffers import (
    BY_COLUMN,
    BY_ROW,
    COLUMN,
    CONSTANT,
    END,
    FIRST,
    OWNER,
    PART,
    PIXEL,
    ROW,
    SHARE,
)
from embodied_ssl.envs.world.raster.kernels.pixels import to_pixel


@kernel
def blend(stage, samples, fragments, view, image, span_count):
    """Mix each pixel's fragments of so many spans into its colour, in fragments.pixels; fill the image's others."""
    spans, places, slots, instances = samples.spans, samples.places, samples.slots, stage.instance
    pixels, packed, fragment_depth = fragments.pixels, fragments.bytes, fragments.depth
    depth, instance = image.depth.reshape(-1), image.instance.reshape(-1)
    n = np.int64(0)
    while n < span_count:
        pixel = spans[n, PIXEL]
        if places[n, SHARE] == np.float32(1.0):  # a run of whole pixels
            first = spans[n, FIRST]
            mark = _mark_of(instances, slots, spans[n, OWNER])
            for i in range(np.uint64(spans[n, END] - first)):
                at = np.uint64(pixel) + i
                fragment = np.uint64(first) + i
                pixels[at] = packed[fragment]
                depth[at] = fragment_depth[fragment]
                instance[at] = mark
            n += 1
        else:
            n, color, w, owner = _mix(samples, fragments, view, n, span_count)
            pixels[pixel] = color
            depth[pixel] = w
            instance[pixel] = _mark_of(instances, slots, owner)


@kernel
def _mix(samples, fragments, view, first, span_count):
    """The pixel whose spans begin at `first`: where they end, its colour, its depth (m), and which slot it shows."""
    spans, places, color, fragment_depth = samples.spans, samples.places, fragments.color, fragments.depth
    zero, middle = np.float32(0.0), 0.5 * (view.spacing - 1)
    pixel = spans[first, PIXEL]
    row = pixel // view.width * view.spacing + middle
    column = pixel % view.width * view.spacing + middle
    red, green, blue = zero, zero, zero
    owner, w = spans[first, OWNER], fragment_depth[spans[first, FIRST]]
    nearest, largest, covered = 0.0, zero, False
    n = first
    while n < span_count and spans[n, PIXEL] == pixel:
        fragment, slot, share = spans[n, FIRST], spans[n, OWNER], places[n, SHARE]
        red += color[0, fragment] * share
        green += color[1, fragment] * share
        blue += color[2, fragment] * share
        inside, nearness = True, 0.0  # of the background, which covers every centre
        if slot >= 0:
            inside, nearness = _at(samples, slot, column, row)
        if inside and nearness >= nearest:
            nearest, owner, covered = nearness, slot, True
            w = np.float32(1.0 / nearness) if slot >= 0 else zero
        if not covered and share > largest:  # else the centre lies on an edge, to rounding
            largest, owner, w = share, slot, fragment_depth[fragment]
        n += 1
    return n, to_pixel(red, green, blue), w if owner >= 0 else zero, owner


@inlined
def _at(samples, slot, column, row):
    """Whether a triangle covers a place in the image, and its nearness there, the sum of its edges."""
    edges = samples.edges
    x = column - samples.anchors[slot, COLUMN]
    y = row - samples.anchors[slot, ROW]
    inside, nearness = True, 0.0
    for corner in range(3):
        edge = edges[slot, corner, BY_COLUMN] * x + edges[slot, corner, BY_ROW] * y + edges[slot, corner, CONSTANT]
        nearness += edge
        inside = inside and edge >= 0.0
    return inside, nearness


@kernel
def mark(stage, samples, instance, span_count):
    """Fill `instance` [H · W] where pixels are fragments, and nothing is mixed."""
    slots, spans, instances = samples.slots, samples.spans, stage.instance
    for n in range(np.uint64(span_count)):
        shown = _mark_of(instances, slots, spans[n, OWNER])
        for at in range(np.uint64(spans[n, FIRST]), np.uint64(spans[n, END])):
            instance[at] = shown


@inlined
def _mark_of(instances, slots, owner):
    return instances[np.uint64(slots[np.uint64(owner), PART])] if owner >= 0 else np.uint8(0)
