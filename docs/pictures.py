"""Draws the images of the README.

python docs/pictures.py
"""

from pathlib import Path

import cv2
import numpy as np

from embodied_ssl.envs.grasp import GraspEnv
from embodied_ssl.envs.policies.exploration import Explore
from embodied_ssl.envs.roam import RoamEnv
from embodied_ssl.envs.world.camera import Camera, look_at
from embodied_ssl.envs.world.objects.categories import CATEGORIES, make_object
from embodied_ssl.envs.world.physics import World
from embodied_ssl.envs.world.scenes.types import SCENE_TYPES

SIDE = 160


def frames() -> list[np.ndarray]:
    """What a roaming body sees in a scene of each type: the frame with most objects in it."""
    env, pictures = RoamEnv(size=SIDE, instance=True, antialias=3), []
    for number, name in enumerate(SCENE_TYPES):
        policy = Explore()
        observation, _ = env.reset(seed=number + 40, options={"scene": name})
        policy.reset(env, np.random.default_rng(number))
        seen = []
        for _ in range(60):
            observation, *_ = env.step(policy(observation))
            shares = np.bincount(observation["instance"].ravel(), minlength=256)[1:]
            seen.append((int((shares > 40).sum()), observation["rgb"]))
        best = max(seen, key=lambda pair: pair[0])[1].copy()
        label = name.replace("_", " ")
        cv2.putText(best, label, (6, SIDE - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 3, cv2.LINE_AA)
        cv2.putText(best, label, (6, SIDE - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255), 1, cv2.LINE_AA)
        pictures.append(best)
    return pictures


def objects() -> list[np.ndarray]:
    """An instance of sixteen categories, on a turntable without a table."""
    world, pictures = World(antialias=3), []
    for number, name in enumerate(list(CATEGORIES)[:16]):
        asset = make_object(name, number + 3)
        low, high = asset.bounds
        world.reset()
        world.add(asset, -(low + high) / 2)
        distance = 1.1 * float(np.linalg.norm(high - low)) / 2 / np.sin(0.3)
        pose = look_at(np.array([0.75, -0.45, 0.5]) * distance, (0, 0, 0))
        pictures.append(world.render(Camera.from_fov(SIDE, SIDE, 0.6), pose).rgb)
    return pictures


def tables() -> list[np.ndarray]:
    """Cluttered tables from above."""
    env = GraspEnv(size=SIDE, antialias=3)
    return [env.reset(seed=seed)[0]["rgb"] for seed in range(8)]


def main() -> None:
    """Eight images a row, written to worlds.jpg beside this file."""
    pictures = frames() + objects() + tables()
    rows = [np.hstack(pictures[start : start + 8]) for start in range(0, len(pictures), 8)]
    out = Path(__file__).parent / "worlds.jpg"
    cv2.imwrite(str(out), np.vstack(rows)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])
    print(out)


if __name__ == "__main__":
    main()
