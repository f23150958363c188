"""Spans: runs of whole pixels that show one triangle, and the parts of pixels that show several.

What is shaded once is a pixel of a span, a fragment. With 2 × 2 samples a pixel, numbers naming triangles:

    samples  1 1 1 1 1 2       pixels  1 · 1 · ┊ mixed      spans  (triangle 1, two pixels)
             1 1 1 1 2 2               1 · 1 · ┊                   (triangle 1, 1/4 of a pixel) (triangle 2, 3/4 of it)
"""

import numpy as np

from embodied_ssl.envs.world.compiled import inlined, kernel
from embodied_ssl.envs.world.raster.kernels.buffers import COLUMN, END, FIRST, OWNER, PIXEL, ROW, SHARE, SHOWN

_MIXED = -2  # the owner of a pixel that shows several triangles


@kernel
def list_spans(samples, view):
    """List the spans of an image, and the triangles that show; how many of both."""
    keys, owners, slots, shown = samples.keys, samples.owners, samples.slots, samples.shown
    spans, places = samples.spans, samples.places
    width, spacing = view.width, view.spacing
    middle = np.float32(0.5 * (spacing - 1))
    owners[width] = _MIXED  # where the last run of a row ends
    fragments, n, triangles = np.int64(0), np.int64(0), np.int64(0)
    one, wide = np.uint64(1), np.uint64(width)
    for row in range(view.height):
        _list_owners(keys, row * spacing * spacing * width, width, spacing, owners)
        column = np.uint64(0)
        while column < wide:
            slot = owners[column]
            begin = column
            before = n
            column += one
            if slot != _MIXED:
                while owners[column] == slot:
                    column += one
                at = np.uint64(n)
                end = fragments + np.int64(column - begin)
                spans[at, FIRST] = fragments
                spans[at, END] = end
                spans[at, PIXEL] = row * width + np.int64(begin)
                spans[at, OWNER] = slot
                places[at, COLUMN] = np.int64(begin) * spacing + middle
                places[at, ROW] = row * spacing + middle
                places[at, SHARE] = 1.0
                n += 1
                fragments = end
            else:
                n = _split_pixel(samples, view, row, np.int64(begin), n, fragments)
                fragments += n - before
            for span in range(np.uint64(before), np.uint64(n)):
                slot = spans[span, OWNER]
                if slot >= 0 and slots[np.uint64(slot), SHOWN] == 0:
                    slots[np.uint64(slot), SHOWN] = 1
                    shown[triangles] = slot
                    triangles += 1
    return n, triangles


@kernel
def _list_owners(keys, base, width, spacing, owners):
    """The slot that all samples of a pixel show, −1 = the background, else _MIXED; of a row of pixels."""
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
            owners[column] = np.int32(~slot) if alike else np.int32(_MIXED)
    else:
        for column in range(width):
            slot = np.int32(keys[base + spacing * column])
            alike = True
            for i in range(spacing):
                for j in range(spacing):
                    alike = alike and slot == np.int32(keys[base + i * across + spacing * column + j])
            owners[column] = np.int32(~slot) if alike else np.int32(_MIXED)


@inlined
def _split_pixel(samples, view, row, column, first, fragment):
    """A span for each triangle that a pixel shows, from `first` on, about the middle of its samples. Where they end."""
    keys, spans, places = samples.keys, samples.spans, samples.places
    width, spacing = view.width, view.spacing
    n = first
    for i in range(spacing):
        base = (row * spacing + i) * spacing * width + column * spacing
        for j in range(spacing):
            slot = ~np.int32(keys[base + j])
            at = first
            while at < n and spans[at, OWNER] != slot:
                at += 1
            if at == n:
                here = fragment + n - first
                spans[n, FIRST] = here
                spans[n, END] = here + 1
                spans[n, PIXEL] = row * width + column
                spans[n, OWNER] = slot
                places[n, COLUMN] = 0.0
                places[n, ROW] = 0.0
                places[n, SHARE] = 0.0
                n += 1
            places[at, COLUMN] += j
            places[at, ROW] += i
            places[at, SHARE] += 1.0
    for at in range(first, n):  # from sums to means, from a count to a share
        places[at, COLUMN] = column * spacing + places[at, COLUMN] / places[at, SHARE]
        places[at, ROW] = row * spacing + places[at, ROW] / places[at, SHARE]
        places[at, SHARE] /= spacing * spacing
    return n
