"""Planes: what is interpolated over each triangle that shows, as terms that are linear in the image.

Whatever is linear on a flat triangle is, once divided by w, linear in column and row: q/w = Σ q_i · e_i over the
corners, with the edges e_i of `visibility`. So 1/w, u/w, v/w … are nine planes of three terms each.
"""

import numpy as np

from embodied_ssl.envs.world.compiled import inlined, kernel
from embodied_ssl.envs.world.raster.kernels.buffers import (
    BY_COLUMN,
    BY_ROW,
    CONSTANT,
    INTERPOLATED,
    MAP_HEIGHT,
    MAP_U,
    MAP_V,
    NEARNESS,
    NORMAL_X,
    NORMAL_Y,
    NORMAL_Z,
    PART,
    TRIANGLE,
    U,
    V,
)


@kernel
def set_up_planes(stage, samples, sun, poses, shown, spacing):
    """The planes of every triangle that shows, and how dense its texels are."""
    triangles, items, log_sides = stage.triangles, stage.item, stage.texture_log_side
    vertices, normals, uv = stage.vertices, stage.normals, stage.uv
    slots, edges, planes, density = samples.slots, samples.edges, samples.planes, samples.density
    shown_slots, to_map, step, lift = samples.shown, sun.to_map, sun.step, sun.lift
    for n in range(np.uint64(shown)):
        slot = np.uint64(shown_slots[n])
        t = np.uint64(slots[slot, TRIANGLE])
        item = np.uint64(items[slots[slot, PART]])
        for term in range(3):
            for lane in range(INTERPOLATED):
                planes[slot, term, lane] = 0.0
        for corner in range(3):
            v = np.uint64(triangles[t, corner])
            normal = normals[v, 0], normals[v, 1], normals[v, 2]
            turned_x, turned_y, turned_z = _turned(poses, item, normal)
            # Off the surface by a step, so that it does not lie in its own shadow.
            x = vertices[v, 0] + step * normal[0]
            y = vertices[v, 1] + step * normal[1]
            z = vertices[v, 2] + step * normal[2]
            map_u, map_v, height = _in_map(to_map, _moved(poses, item, (x, y, z)))
            for term in range(3):
                e = edges[slot, corner, np.uint64(term)]
                planes[slot, term, NEARNESS] += e
                planes[slot, term, U] += e * uv[v, 0]
                planes[slot, term, V] += e * uv[v, 1]
                planes[slot, term, NORMAL_X] += e * turned_x
                planes[slot, term, NORMAL_Y] += e * turned_y
                planes[slot, term, NORMAL_Z] += e * turned_z
                planes[slot, term, MAP_U] += e * map_u
                planes[slot, term, MAP_V] += e * map_v
                planes[slot, term, MAP_HEIGHT] += e * (height + lift)
        side = np.float64(1 << log_sides[np.uint64(slots[slot, PART])])
        density[slot] = abs(_volume(planes, slot)) * (spacing * side) ** 2


@inlined
def _turned(poses, item, vector):
    """A direction in the world."""
    x, y, z = vector
    return (
        poses[item, 0, 0] * x + poses[item, 0, 1] * y + poses[item, 0, 2] * z,
        poses[item, 1, 0] * x + poses[item, 1, 1] * y + poses[item, 1, 2] * z,
        poses[item, 2, 0] * x + poses[item, 2, 1] * y + poses[item, 2, 2] * z,
    )


@inlined
def _moved(poses, item, point):
    """A point in the world, m."""
    x, y, z = point
    return (
        poses[item, 0, 0] * x + poses[item, 0, 1] * y + poses[item, 0, 2] * z + poses[item, 0, 3],
        poses[item, 1, 0] * x + poses[item, 1, 1] * y + poses[item, 1, 2] * z + poses[item, 1, 3],
        poses[item, 2, 0] * x + poses[item, 2, 1] * y + poses[item, 2, 2] * z + poses[item, 2, 3],
    )


@inlined
def _in_map(to_map, point):
    """Column, row and height in the shadow map."""
    x, y, z = point
    return (
        to_map[0, 0] * x + to_map[0, 1] * y + to_map[0, 2] * z + to_map[0, 3],
        to_map[1, 0] * x + to_map[1, 1] * y + to_map[1, 2] * z + to_map[1, 3],
        to_map[2, 0] * x + to_map[2, 1] * y + to_map[2, 2] * z + to_map[2, 3],
    )


@inlined
def _volume(planes, slot):
    """The determinant of the planes of 1/w, u/w and v/w: times w³ the Jacobian of (u, v) by the image."""
    qx, qy, qc = planes[slot, BY_COLUMN, NEARNESS], planes[slot, BY_ROW, NEARNESS], planes[slot, CONSTANT, NEARNESS]
    ux, uy, uc = planes[slot, BY_COLUMN, U], planes[slot, BY_ROW, U], planes[slot, CONSTANT, U]
    vx, vy, vc = planes[slot, BY_COLUMN, V], planes[slot, BY_ROW, V], planes[slot, CONSTANT, V]
    return qx * (uy * vc - uc * vy) - qy * (ux * vc - uc * vx) + qc * (ux * vy - uy * vx)
