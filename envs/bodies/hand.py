"""A hand that holds an object from below: a forearm, a palm, four fingers behind the object and a thumb before it."""

from functools import lru_cache

import numpy as np

from embodied_ssl.envs.world import exact
from embodied_ssl.envs.world.assets import Asset, Part
from embodied_ssl.envs.world.geometry.mesh import Mesh, merge, sweep
from embodied_ssl.envs.world.materials import MATERIALS
from embodied_ssl.envs.world.textures.finishes import flat

TONES = (  # sRGB: skin, and gloves
    (244, 208, 177), (231, 180, 143), (198, 134, 96), (161, 102, 64), (112, 70, 44), (74, 48, 34),
    (214, 214, 210), (62, 84, 138), (46, 46, 50), (172, 60, 52), (92, 122, 74), (222, 182, 66),
)  # fmt: skip
FINGER_M = 0.008  # radius
GRIP = 0.75  # how far out in its sphere an object is held: few fill their sphere
STEP_M = 0.005  # radii of objects that share a hand


def make_hand(radius: float, tone: int) -> Asset:
    """A hand for an object within a sphere of a radius (m), whose middle is its origin; it comes from −x, from below.

    tone: which of `TONES`.
    """
    return _hand(int(np.ceil(radius / STEP_M)), tone % len(TONES))


@lru_cache(maxsize=512)
def _hand(steps: int, tone: int) -> Asset:
    reach = GRIP * steps * STEP_M + FINGER_M  # from the middle of the object to that of a finger
    palm = sweep([[-0.03, 0, -reach - 0.006], [0.03, 0, -reach - 0.006]], [0.022, 0.026], segments=10)
    forearm = sweep([[-0.28, -0.05, -reach - 0.22], [-0.14, -0.025, -reach - 0.09], [-0.02, 0, -reach - 0.01]], 0.026)
    fingers = [_finger(reach, azimuth, 1.25) for azimuth in (-0.45, -0.15, 0.15, 0.45)]
    mesh = merge([palm, forearm, *fingers, _finger(reach, np.pi - 0.4, 1.3)])
    return Asset("hand", tone, MATERIALS["plush"], (Part(mesh, flat(*TONES[tone]), 0.02),), ())


def _finger(reach: float, azimuth: float, bend: float) -> Mesh:
    """A finger around the sphere: from below its middle up to an angle (rad), towards an azimuth (rad, from +x)."""
    angles = np.linspace(0.15, bend, 5)
    level, height = reach * exact.sin(angles), -reach * exact.cos(angles)
    path = np.stack([level * exact.cos(azimuth), level * exact.sin(azimuth), height], axis=1)
    return sweep(path, FINGER_M, segments=6)
