"""Frames per second of our rasteriser against TinyRenderer, on the same frames of furnished rooms.

OPENBLAS_NUM_THREADS=1 python benchmarks/rendering.py

Takes about a minute.
"""

from collections.abc import Callable

import numpy as np
from timing import interleaved, options, table

from embodied_ssl.envs.policies.exploration import Explore
from embodied_ssl.envs.roam import RoamEnv
from embodied_ssl.envs.world.assets import Scene
from embodied_ssl.envs.world.camera import Camera
from embodied_ssl.envs.world.physics import World
from embodied_ssl.envs.world.scenes.types import SCENE_TYPES

FRAMES = 12
Room = tuple[Scene, list[np.ndarray]]


def views(scene_type: str) -> Room:
    """A scene and camera poses on an exploring body's way through it."""
    env, policy = RoamEnv(scenes=scene_type, size=16), Explore()
    observation, _ = env.reset(seed=1)
    policy.reset(env, np.random.default_rng(1))
    poses = []
    for _ in range(FRAMES * 4):
        observation, *_ = env.step(policy(observation))
        poses.append(env.pose)
    scene = env.scene
    env.close()
    return scene, poses[::4]


def main() -> None:
    options(__doc__).parse_args()
    rooms = [views(name) for name in SCENE_TYPES]
    parts = [[part for place in scene.placements for part in place.asset.parts] for scene, _ in rooms]
    triangles = np.mean([sum(len(part.mesh.triangles) for part in room) for room in parts])
    things = np.mean([sum(not place.structure for place in scene.placements) for scene, _ in rooms])
    print(f"{len(rooms)} scene types, on average {things:.0f} objects and {triangles:,.0f} triangles")
    for size in (96, 128):
        camera = Camera.from_fov(size, size, 1.2)
        renderers = {
            "raster, 2×2 samples, shadows": ("raster", True, 2),
            "raster, 1 sample, shadows": ("raster", True, 1),
            "raster, 1 sample, no shadows": ("raster", False, 1),
            "tiny, no shadows": ("tiny", False, 1),
            "tiny, shadows": ("tiny", True, 1),
        }
        sides = {name: draw_all(settings, rooms, camera) for name, settings in renderers.items()}
        table(f"{size} px", interleaved(sides, rounds=3), "frames/s", "tiny, no shadows")


def draw_all(settings: tuple[str, bool, int], rooms: list[Room], camera: Camera) -> Callable[[], int]:
    """Draws every pose of every room; each room has a world of its own, so that setting up is not counted."""
    worlds = []
    for scene, _ in rooms:
        worlds.append(World(*settings))
        worlds[-1].add_scene(scene)

    def work() -> int:
        for world, (_, poses) in zip(worlds, rooms, strict=True):
            for pose in poses:
                world.render(camera, pose)
        return sum(len(poses) for _, poses in rooms)

    return work


if __name__ == "__main__":
    main()
