"""Compile all that simulating needs, once, before several processes want it at the same time."""

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np

from embodied_ssl.envs.bodies.wheeled import RADIUS_M
from embodied_ssl.envs.control.resolved_rates import joint_changes
from embodied_ssl.envs.policies.exploration import Explore
from embodied_ssl.envs.world import compiled, exact
from embodied_ssl.envs.world.assets import Asset, Light, Part, Scene, Texture
from embodied_ssl.envs.world.camera import Camera, look_at
from embodied_ssl.envs.world.floor import Floor
from embodied_ssl.envs.world.geometry.mesh import box
from embodied_ssl.envs.world.materials import MATERIALS
from embodied_ssl.envs.world.poses import matrices_of
from embodied_ssl.envs.world.raster.frames import Item
from embodied_ssl.envs.world.raster.renderers import RasterRenderer


def compile_all(tell: Callable[[str], object], processes: int = 1) -> None:
    """Leave everything compiled in numba's cache, for this process and for others.

    Takes a fraction of a second where it is there already. Else `tell` is given a line to show before it begins.
    Where nothing can be kept, there is nothing to do for other `processes`, and a warning says so.
    """
    if processes > 1 and not compiled.caches():
        compiled.warn()
        return
    often = "once per machine" if compiled.caches() else "for this process"
    with compiled.telling_of_compiling(lambda: tell(f"compiling the simulator, {often}: about 20 s")):
        _draw()
        _look_for_a_way()
        _calculate()


def _draw() -> None:
    part = Part(box((1, 1, 1)), Texture(np.zeros((2, 2, 3), np.uint8)))
    renderer = RasterRenderer()
    renderer.load([Item(Asset("box", 0, MATERIALS["wood"], (part,), ()), 1)], Light())
    renderer.draw(Camera.from_fov(8, 8, 1.0), look_at((3, 2, 1), (0, 0, 0)), np.eye(4)[None])


def _look_for_a_way() -> None:
    floor = Floor(Scene("", (), (0.0, 0.0, 4.0, 4.0)), 0.5)
    floor.clearance([[2.0, 2.0]])
    wheels = SimpleNamespace(radius=RADIUS_M)
    policy, body = Explore(), SimpleNamespace(floor=floor, wheels=wheels, position=np.array([2.0, 2.0]), heading=0.0)
    policy.reset(SimpleNamespace(unwrapped=body), np.random.default_rng(0))  # type: ignore[arg-type]
    policy({})


def _calculate() -> None:
    for angles in (0.5, np.array([0.5])):
        exact.arctan2(exact.sin(angles), 1.0)
    exact.circle(0.5)
    matrices_of([(0, 0, 0)], [(0, 0, 0, 1)])
    joint_changes(np.eye(6), np.zeros(3), np.eye(3), 1.0, 0.0, np.zeros(6))
    for dtype in (np.float32, np.float64):
        exact.product(np.eye(3, dtype=dtype), np.eye(3, dtype=dtype))
