"""Lighting: the colour of each fragment of a block: texture, sun with shadow, ambient light, highlight; or the sky."""

import math
from typing import NamedTuple

import numpy as np

from embodied_ssl.envs.world.compiled import inlined, kernel
from embodied_ssl.envs.world.raster.kernels import block
from embodied_ssl.envs.world.raster.kernels.buffers import GROUND, HORIZON, SKY, SUN, SUNWARD, ZENITH

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
def light_up(numbers, integers, count, light, rays):
    """Red, green and blue in the rows of u, v and the normal: texture, sun, ambient light, highlight; or the sky."""
    ground, sky, sun = _row(light, GROUND), _row(light, SKY), _row(light, SUN)
    sunward, horizon, zenith = _row(light, SUNWARD), _row(light, HORIZON), _row(light, ZENITH)
    rise_r, rise_g, rise_b = zenith.x - horizon.x, zenith.y - horizon.y, zenith.z - horizon.z
    by_column, by_row, origin = _row(rays, 0), _row(rays, 1), _row(rays, 2)
    for j in range(np.uint64(count)):
        w = numbers[block.NEARNESS + j]
        normal = Vector(
            numbers[block.NORMAL_X + j] * w, numbers[block.NORMAL_Y + j] * w, numbers[block.NORMAL_Z + j] * w
        )
        facing = max(_dot(normal, sunward), _ZERO)
        reach = _reach(numbers, integers, j)
        reach = reach if facing > _ZERO else _ZERO
        sunny = facing * reach
        over = _HALF + _HALF * normal.z  # how much of what is around is sky
        under = _ONE - over
        across, down = numbers[block.ACROSS + j], numbers[block.DOWN + j]
        ray = Vector(
            across * by_column.x + down * by_row.x + origin.x,
            across * by_column.y + down * by_row.y + origin.y,
            across * by_column.z + down * by_row.z + origin.z,
        )
        shorter = _ONE / math.sqrt(_dot(ray, ray))
        cosine_16 = _halfway_cosine_16(normal, sunward, ray, shorter)
        shine = cosine_16 * (cosine_16 * reach * numbers[block.GLOSS + j])
        rise = math.sqrt(max(ray.z * shorter, _ZERO))
        glow = numbers[block.GLOW + j]
        red, green, blue = _texture(integers, j)
        numbers[block.U + j] = (
            red * red * (ground.x * under + sky.x * over + sun.x * sunny + glow) + sun.x * shine
            if glow >= _ZERO
            else horizon.x + rise_r * rise
        )
        numbers[block.V + j] = (
            green * green * (ground.y * under + sky.y * over + sun.y * sunny + glow) + sun.y * shine
            if glow >= _ZERO
            else horizon.y + rise_g * rise
        )
        numbers[block.NORMAL_X + j] = (
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
    a, b = integers[block.UPPER + j], integers[block.UPPER_1 + j]
    c, d = integers[block.LOWER + j], integers[block.LOWER_1 + j]
    right, below = integers[block.RIGHT + j], integers[block.BELOW + j]
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
    height = max(numbers[block.MAP_HEIGHT + j], _ZERO)
    right, below = numbers[block.MAP_U + j], numbers[block.MAP_V + j]
    left = _ONE - right
    lefts, rights = integers[block.HEIGHTS + j], integers[block.HEIGHTS_1 + j]
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
