"""Shading: what a picture shows of the triangles that its samples see.

The samples of each pixel are gathered into fragments, one for each triangle that it shows, and each is shaded once:
texture, sun with shadow, ambient light, highlight; then they are blended by their shares of the pixel.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.envs.world.visibility import inlined, jit

# Rows of Stage.light.
SUN, SKY, GROUND, HORIZON, ZENITH, SUNWARD = range(6)

# What is interpolated over a triangle: nearness 1/w, texture coordinates, the normal along z and along the sun, and
# the place in the shadow map.
INTERPOLATED = NEARNESS, U, V, UPWARD, FACING, MAP_U, MAP_V, MAP_HEIGHT = range(8)


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


@jit
def draw_view(stage, samples, fragments, sun, poses, camera_pose, intrinsics, spacing, rgb, depth, instance):
    """Draw what a view's samples see. All but what is filled is as `scan_view` took it.

    Filled: rgb uint8 [H, W, 3], depth float32 [H, W] (m), instance uint8 [H, W].
    """
    height, width = depth.shape
    span_count, shown_count = _gather(samples, fragments, width, height, spacing)
    _prepare(stage, samples, sun, poses, shown_count, spacing)
    _shade(stage, samples, sun, fragments, span_count, spacing)
    _gleam(stage, samples, fragments, span_count, poses, camera_pose, intrinsics, spacing)
    _blend(
        stage, samples, fragments, span_count, width, spacing,
        rgb.reshape(-1), depth.reshape(-1), instance.reshape(-1))  # fmt: skip


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


@inlined
def _texel(texels, start, side, i, j):
    """The colour of a level of a texture at a place in sixteenths of a texel, bilinear: red, green, blue in [0, 1]."""
    unit = np.float32(1.0 / 65280.0)
    s, t, x0, y0 = i & 15, j & 15, (i >> 4) & (side - 1), (j >> 4) & (side - 1)
    x1, y1 = (x0 + 1) & (side - 1), start + ((y0 + 1) & (side - 1)) * side
    y0 = start + y0 * side
    # Red and blue at once: the weights add up to 256, so that each sum stays within its 16 bits.
    a, b = np.int64(texels[np.uint64(y0 + x0)]), np.int64(texels[np.uint64(y0 + x1)])
    c, d = np.int64(texels[np.uint64(y1 + x0)]), np.int64(texels[np.uint64(y1 + x1)])
    wa, wb, wc, wd = (16 - s) * (16 - t), s * (16 - t), (16 - s) * t, s * t
    red_blue = (a & 0xFF00FF) * wa + (b & 0xFF00FF) * wb + (c & 0xFF00FF) * wc + (d & 0xFF00FF) * wd
    green = ((a >> 8) & 0xFF) * wa + ((b >> 8) & 0xFF) * wb + ((c >> 8) & 0xFF) * wc + ((d >> 8) & 0xFF) * wd
    return np.float32(red_blue & 0xFFFF) * unit, np.float32(green) * unit, np.float32(red_blue >> 16) * unit


@inlined
def _reach(heights, column_at, row_at, height):
    """The share of the sun that reaches a place in its map, at a height towards it: blended over four neighbours."""
    zero, one, last = np.float32(0.0), np.float32(1.0), np.float32(heights.shape[0] - 2)
    column_at, row_at = min(max(column_at, zero), last), min(max(row_at, zero), last)
    column, row = np.uint64(np.int64(column_at)), np.uint64(np.int64(row_at))
    e, g = column_at - np.float32(np.int64(column)), row_at - np.float32(np.int64(row))
    beside, below = column + np.uint64(1), row + np.uint64(1)
    upper = (one - e if heights[row, column] <= height else zero) + (e if heights[row, beside] <= height else zero)
    lower = (one - e if heights[below, column] <= height else zero) + (e if heights[below, beside] <= height else zero)
    return upper * (one - g) + lower * g


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
    zero, half, one, stride = np.float32(0.0), np.float32(0.5), np.float32(1.0), np.float32(spacing)
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
            across, down = (u + k * u_step) * w * np.float32(16 * side), (v + k * v_step) * w * np.float32(16 * side)
            red, green, blue = _texel(texels, start, side, np.int64(across) - 8, np.int64(down) - 8)
            sunny, reach = max((facing + k * facing_step) * w, zero), zero
            if sunny > zero:
                column, row = (map_u + k * map_u_step) * w, (map_v + k * map_v_step) * w
                reach = _reach(heights, column, row, (rise + k * rise_step) * w)
                sunny *= reach
            over = half + half * (up + k * up_step) * w
            under = one - over
            depth[f], lit[f] = w, reach
            reds[f] = red * red * (ground_r * under + sky_r * over + sun_r * sunny + glow)
            greens[f] = green * green * (ground_g * under + sky_g * over + sun_g * sunny + glow)
            blues[f] = blue * blue * (ground_b * under + sky_b * over + sun_b * sunny + glow)


@inlined
def _normal(edges, corners, normals, pose, x, y, spacing):
    """A triangle's normal at a place, over w, in the world, and its step along the row; its length cancels."""
    start_x, start_y, start_z, step_x, step_y, step_z = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for corner in range(3):
        slope = edges[3 * corner]
        e, v = slope * x + edges[3 * corner + 1] * y + edges[3 * corner + 2], corners[corner]
        start_x, step_x = start_x + e * normals[v, 0], step_x + slope * spacing * normals[v, 0]
        start_y, step_y = start_y + e * normals[v, 1], step_y + slope * spacing * normals[v, 1]
        start_z, step_z = start_z + e * normals[v, 2], step_z + slope * spacing * normals[v, 2]
    return (
        np.float32(pose[0, 0] * start_x + pose[0, 1] * start_y + pose[0, 2] * start_z),
        np.float32(pose[1, 0] * start_x + pose[1, 1] * start_y + pose[1, 2] * start_z),
        np.float32(pose[2, 0] * start_x + pose[2, 1] * start_y + pose[2, 2] * start_z),
        np.float32(pose[0, 0] * step_x + pose[0, 1] * step_y + pose[0, 2] * step_z),
        np.float32(pose[1, 0] * step_x + pose[1, 1] * step_y + pose[1, 2] * step_z),
        np.float32(pose[2, 0] * step_x + pose[2, 1] * step_y + pose[2, 2] * step_z),
    )


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
        across_step, focal = np.float32(1.0 / intrinsics[0, 0]), intrinsics[0, 0]
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
        ray_x_step, ray_y_step = np.float32(camera_pose[0, 0] / focal), np.float32(camera_pose[1, 0] / focal)
        sun_r, sun_g, sun_b = light[SUN, 0] * gloss, light[SUN, 1] * gloss, light[SUN, 2] * gloss
        sun_x, sun_y, sun_z = light[SUNWARD, 0], light[SUNWARD, 1], light[SUNWARD, 2]
        x, y, pose = places[n, 0] - edges[slot, 9], places[n, 1] - edges[slot, 10], poses[items[part]]
        nx, ny, nz, nx_step, ny_step, nz_step = _normal(
            edges[slot], triangles[slots[slot, 0]], normals, pose, x, y, spacing
        )
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
