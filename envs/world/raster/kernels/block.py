"""A block of fragments: what is known of up to LENGTH of them, in rows of two flat arrays.

Loops over its columns compile to vector instructions as long as they have no branch, no call of what is not inlined,
and unsigned indices whose rows are constants. A row is used again once what stood in it is no longer needed.
"""

import numpy as np

from embodied_ssl.envs.world.raster.kernels.buffers import LENGTH

# The rows of a block's numbers: where each begins. The first nine are what is interpolated, in its order.
NEARNESS = np.uint64(0 * LENGTH)  # then w
U = np.uint64(1 * LENGTH)  # then red
V = np.uint64(2 * LENGTH)  # then green
NORMAL_X = np.uint64(3 * LENGTH)  # then blue
NORMAL_Y = np.uint64(4 * LENGTH)
NORMAL_Z = np.uint64(5 * LENGTH)
MAP_U = np.uint64(6 * LENGTH)
MAP_V = np.uint64(7 * LENGTH)
MAP_HEIGHT = np.uint64(8 * LENGTH)
ACROSS = np.uint64(9 * LENGTH)  # the place in the image, in samples
DOWN = np.uint64(10 * LENGTH)
GLOSS = np.uint64(11 * LENGTH)
GLOW = np.uint64(12 * LENGTH)  # of what emits light; below 0 for the background
DENSITY = np.uint64(13 * LENGTH)  # texels² per pixel, over w³

# And of its integers.
LOG_SIDE = np.uint64(0 * LENGTH)  # log2 of the texture's side, then where the texels below are
END = np.uint64(1 * LENGTH)  # where the texture's levels end, then where the texels above are
RIGHT = np.uint64(2 * LENGTH)  # the place between four texels, in sixteenths
BELOW = np.uint64(3 * LENGTH)
MAP = np.uint64(4 * LENGTH)  # the place in the shadow map
UPPER = np.uint64(5 * LENGTH)  # four texels
UPPER_1 = np.uint64(6 * LENGTH)
LOWER = np.uint64(7 * LENGTH)
LOWER_1 = np.uint64(8 * LENGTH)
HEIGHTS = np.uint64(9 * LENGTH)  # two columns of two heights
HEIGHTS_1 = np.uint64(10 * LENGTH)
BELOW_AT = LOG_SIDE
ABOVE_AT = END
