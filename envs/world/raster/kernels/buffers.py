"""What the stages of the rasteriser hand on to each other: arrays in named tuples, and the names of their columns.

The tuples go into compiled code as they are. Columns are constants, so that an index compiles to a number.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LANES = 16  # numbers that are treated at once: one vector register, or two
LENGTH = 256  # most fragments of a block: all its rows stay in the first-level cache

HIGHEST = 65535  # height in the shadow map

# Columns of Stage.ranges, .spheres (the first three are the centre) and .surfaces, and the rows of .light.
FIRST_VERTEX, VERTEX_END, FIRST_TRIANGLE, TRIANGLE_END = range(4)
RADIUS = 3
GLOSS, EMISSION = range(2)
SUN, SKY, GROUND, HORIZON, ZENITH, SUNWARD = range(6)

# Columns of Samples.corners: homogeneous column and row, w, what is compared, then column and row.
ACROSS, DOWN, W, COMPARED, CORNER_COLUMN, CORNER_ROW = range(6)

# Columns of Samples.slots, .spans and .places (the first two also of .anchors), and the terms of .edges and .planes.
TRIANGLE, PART, SHOWN = range(3)
FIRST, END, PIXEL, OWNER = range(4)
COLUMN, ROW, SHARE = range(3)
BY_COLUMN, BY_ROW, CONSTANT = range(3)

# Lanes of Samples.planes, what is interpolated over a triangle: nearness 1/w, texture coordinates, the normal in the
# world, and the place in the shadow map; all but the nearness over w.
INTERPOLATED = 9
NEARNESS, U, V, NORMAL_X, NORMAL_Y, NORMAL_Z, MAP_U, MAP_V, MAP_HEIGHT = range(INTERPOLATED)

# Rows of a block, see `Fragments`.
NUMBER_ROWS = 14
INTEGER_ROWS = 11


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
    light: NDArray[np.float32]  # [6, 3] colours, and the direction towards the sun


class View(NamedTuple):
    """From where an image is taken, and of what size."""

    pose: NDArray[np.float64]  # [4, 4] camera to world
    intrinsics: NDArray[np.float64]  # [3, 3] pixels
    spacing: int  # samples per pixel and axis
    width: int  # pixels
    height: int  # pixels


class Samples(NamedTuple):
    """What a view sees, and room to work in: height · width samples, at most S slots (triangles of all parts).

    A span is a run of whole pixels of one triangle along a row, or the part of a pixel that one triangle covers. They
    are in the order of pixels; F, their most, is the number of samples. Columns and rows count samples.
    """

    keys: NDArray[np.int64]  # [height · width + 15] nearness as float32 over ~slot of the nearest triangle; 0 = none
    slots: NDArray[np.int32]  # [S, 3] triangle and part in each slot, and whether it is in `shown`
    edges: NDArray[np.float64]  # [S, 3, 3] by corner: barycentric coordinate over w, as terms about the anchor
    anchors: NDArray[np.float64]  # [S, 2] column and row that edges and planes count from: small numbers round less
    owners: NDArray[np.int32]  # [F + 1] the slot that each pixel of a row shows, in the first width
    shown: NDArray[np.int32]  # [S] the slots that pixels show
    spans: NDArray[np.int32]  # [F, 4] first of its pixels and their end, counted over all spans; pixel; slot or −1
    places: NDArray[np.float32]  # [F, 3] where each starts, column and row; share of the pixel, in (0, 1]
    planes: NDArray[np.float32]  # [S, 3, LANES] terms of what is interpolated; the last slot is the background's
    density: NDArray[np.float32]  # [S] texels² per pixel at the finest level, over w³
    corners: NDArray[np.float64]  # [V, 6] the projected vertices of one part


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


class Fragments(NamedTuple):
    """The surfaces that the pixels show, in the order of the spans, at most one per sample; and a block of them."""

    depth: NDArray[np.float32]  # [F] m
    color: NDArray[np.float32]  # [3, F] linear red, green, blue; [3, 0] where nothing is blended
    bytes: NDArray[np.int32]  # [F] the same as it is stored, 0x00BBGGRR
    pixels: NDArray[np.int32]  # [F] the image, likewise, in the first H · W
    numbers: NDArray[np.float32]  # [NUMBER_ROWS · LENGTH] of a block, row after row: `shading` names them
    integers: NDArray[np.int32]  # [INTEGER_ROWS · LENGTH]


class Image(NamedTuple):
    """What is filled."""

    rgb: NDArray[np.uint8]  # [H, W, 3] sRGB
    depth: NDArray[np.float32]  # [H, W] m
    instance: NDArray[np.uint8]  # [H, W]


def room_for_samples(stage: Stage, samples: int) -> Samples:
    """Room to work in for an image of so many samples."""
    slots = triangles_of(stage) * 5 // 4 + 1  # some more, for the next scene; the last one is the background's
    planes = np.zeros((slots, 3, LANES), np.float32)
    planes[-1, CONSTANT, NEARNESS] = np.inf  # of depth 0
    return Samples(
        keys=np.empty(samples + 15, np.int64),  # rows are scanned eight samples at a time, whole
        slots=np.zeros((slots, 3), np.int32),
        edges=np.zeros((slots, 3, 3)),
        anchors=np.zeros((slots, 2)),
        owners=np.empty(samples + 1, np.int32),
        shown=np.empty(slots, np.int32),
        spans=np.empty((samples, 4), np.int32),
        places=np.empty((samples, 3), np.float32),
        planes=planes,
        density=np.empty(slots, np.float32),
        corners=np.empty((most_vertices(stage), 6)),
    )


def has_room(samples: Samples, stage: Stage) -> bool:
    """Whether a stage fits into what was made for another one."""
    return len(samples.slots) > triangles_of(stage) and len(samples.corners) >= most_vertices(stage)


def room_for_fragments(samples: int, spacing: int) -> Fragments:
    """Room for the fragments of an image of so many samples, `spacing` of them per pixel and axis."""
    return Fragments(
        depth=np.empty(samples, np.float32),
        color=np.empty((3, samples if spacing > 1 else 0), np.float32),
        bytes=np.empty(samples, np.int32),
        pixels=np.empty(samples, np.int32),
        numbers=np.zeros(NUMBER_ROWS * LENGTH, np.float32),
        integers=np.zeros(INTEGER_ROWS * LENGTH, np.int32),
    )


def triangles_of(stage: Stage) -> int:
    """Of all parts; a mesh that several share counts each time."""
    return int(np.sum(stage.ranges[:, TRIANGLE_END] - stage.ranges[:, FIRST_TRIANGLE]))


def most_vertices(stage: Stage) -> int:
    """Of a part."""
    return int(np.max(stage.ranges[:, VERTEX_END] - stage.ranges[:, FIRST_VERTEX], initial=1))
