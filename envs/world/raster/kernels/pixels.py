"""Pixels: a colour as it is stored, and images of them."""

import math

import numpy as np

from embodied_ssl.envs.world.compiled import inlined, kernel


@inlined
def to_pixel(red, green, blue):
    """A linear colour as it is stored: gamma 2, 0x00BBGGRR; int32."""
    return np.int32(_to_byte(red) | np.int32(_to_byte(green) << np.int32(8)) | np.int32(_to_byte(blue) << np.int32(16)))


@inlined
def _to_byte(linear):
    """0 to 255; int32."""
    full = np.float32(255.0)
    return np.int32(min(full * math.sqrt(linear) + np.float32(0.5), full))


@kernel
def unpack(pixels, rgb):
    """From 0x00BBGGRR [N] to uint8 [3 · N]."""
    low, three = np.int32(255), np.uint64(3)
    for at in range(np.uint64(len(rgb) // 3)):
        pixel = pixels[at]
        rgb[three * at] = np.uint8(pixel & low)
        rgb[three * at + np.uint64(1)] = np.uint8((pixel >> np.int32(8)) & low)
        rgb[three * at + np.uint64(2)] = np.uint8(pixel >> np.int32(16))
