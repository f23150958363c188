"""Collecting to disk: rates of every kind, shares of the time, two workers against one, and a loop as one writes it.

OPENBLAS_NUM_THREADS=1 python benchmarks/collecting.py
"""

import cProfile
import pstats
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pybullet
from timing import interleaved, table

from embodied_ssl.datasets.collect import collect
from embodied_ssl.envs.manipulate import GraspEnv, PokeEnv, PushEnv
from embodied_ssl.envs.policies import POLICIES
from embodied_ssl.envs.roam import RoamEnv

WARM = {"instances": (0, 4)}  # few instances, so that what is made once is made before the clock starts


def collected(kind: str, folder: Path, episodes: int, workers: int = 1, **settings: object) -> Callable[[], int]:
    """Collects a data set anew each time; returns frames or interactions."""

    def work() -> int:
        shutil.rmtree(folder / kind, ignore_errors=True)
        return collect(kind, folder / kind, episodes, workers=workers, progress=False, **settings).rows  # type: ignore[arg-type]

    return work


def loop_as_one_writes_it(folder: Path, frames: int = 40) -> Callable[[], int]:
    """URDFs loaded per episode, getCameraImage per step, gzip HDF5: 25 of PyBullet's random objects on a plane."""
    import pybullet_data

    client = pybullet.connect(pybullet.DIRECT)
    pybullet.setAdditionalSearchPath(pybullet_data.getDataPath(), physicsClientId=client)

    def work() -> int:
        rng = np.random.default_rng(0)
        pybullet.resetSimulation(physicsClientId=client)
        pybullet.loadURDF("plane.urdf", physicsClientId=client)
        for number in range(25):
            place = [*rng.uniform(-2, 2, 2), 0.05]
            pybullet.loadURDF(f"random_urdfs/{number:03d}/{number:03d}.urdf", place, physicsClientId=client)
        pictures = []
        lens = pybullet.computeProjectionMatrixFOV(69, 1, 0.02, 30)
        for step in range(frames):
            x = -2 + 0.1 * step
            view = pybullet.computeViewMatrix([x, 0, 0.6], [x + 1, 0.1, 0.55], [0, 0, 1])
            image = pybullet.getCameraImage(
                96, 96, view, lens, renderer=pybullet.ER_TINY_RENDERER, physicsClientId=client
            )[2]
            pictures.append(np.reshape(image, (96, 96, 4))[..., :3])
        with h5py.File(folder / "naive.h5", "w") as file:
            file.create_dataset("rgb", data=np.array(pictures, np.uint8), compression="gzip")
        return frames

    return work


def roam_shares() -> None:
    """What share of an episode of 100 frames is its reset."""
    env = RoamEnv(**WARM)  # type: ignore[arg-type]
    for seed in range(64):
        env.reset(seed=seed)
    resets, steps = [], []
    for seed in range(64):
        started = time.perf_counter()
        env.reset(seed=seed)
        middle = time.perf_counter()
        for _ in range(100):
            env.step(np.float32([0.05, 0.05]))
        resets.append(middle - started)
        steps.append(time.perf_counter() - middle)
    print(f"\nroam: reset {np.median(resets) * 1e3:.1f} ms, 100 frames {np.median(steps) * 1e3:.1f} ms: ", end="")
    print(f"{np.median(resets) / (np.median(resets) + np.median(steps)):.0%} of an episode is its reset")


def table_shares() -> None:
    """What share of an interaction is physics, rendering, the rest."""
    for body in ("floating", "panda"):
        for kind, environment in (("grasp", GraspEnv), ("push", PushEnv), ("poke", PokeEnv)):
            env, policy = environment(body=body, **WARM), next(iter(POLICIES[kind].values()))()  # type: ignore[arg-type]

            def acts(first: int, count: int, env=env, policy=policy) -> None:
                for seed in range(first, first + count):
                    observation, _ = env.reset(seed=seed)
                    policy.reset(env, np.random.default_rng(seed))
                    env.step(policy(observation))

            acts(0, 60)
            started = time.perf_counter()
            acts(60, 60)
            rate = 60 / (time.perf_counter() - started)
            with cProfile.Profile() as profile:
                acts(60, 40)
            calls = pstats.Stats(profile).stats  # type: ignore[attr-defined]
            total = sum(entry[2] for entry in calls.values())
            physics = sum(entry[2] for (_, _, name), entry in calls.items() if "pybullet." in name)
            drawing = sum(entry[2] for (_, _, name), entry in calls.items() if name in ("draw_views", "scan_shadows"))
            shares = f"physics {physics / total:.0%}, rendering {drawing / total:.0%}"
            print(
                f"  {body:<9}{kind:<6}{rate:8.1f} interactions/s   {shares}, rest {1 - (physics + drawing) / total:.0%}"
            )


def main() -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        roam = {"episodes": 24, "length": 100, "instances": (0, 4), "scenes": "living_room,kitchen,office,library"}
        sides = {
            "roam 96 px, 2×2 samples": collected("roam", folder, size=96, **roam),
            "roam 96 px, 1 sample": collected("roam", folder, size=96, antialias=1, **roam),
            "roam 128 px, 2×2 samples": collected("roam", folder, size=128, **roam),
            "roam 96 px, renderer tiny": collected("roam", folder, size=96, renderer="tiny", **{**roam, "episodes": 4}),
            "a loop as one writes it, 96 px": loop_as_one_writes_it(folder),
        }
        table("to disk, one worker", interleaved(sides, 2), "frames/s", "a loop as one writes it, 96 px")
        sides = {
            f"{n} workers": collected("roam", folder, size=96, workers=n, **{**roam, "episodes": 96}) for n in (1, 2)
        }
        table("roam 96 px", interleaved(sides, 2), "frames/s", "1 workers")
        roam_shares()
        print("\ninteractions, 8 things, two pictures of 128 px, in memory")
        table_shares()
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
