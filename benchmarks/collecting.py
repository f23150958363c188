"""Collecting to disk: rates of roam, the share of its resets, two workers against one.

Peers: benchmarks/peers.py; grasps, pushes and pokes: benchmarks/interactions.py.

OPENBLAS_NUM_THREADS=1 python benchmarks/collecting.py

Takes some minutes.
"""

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from timing import interleaved, options, table

from embodied_ssl.datasets.collect.collection import collect
from embodied_ssl.envs.roam import RoamEnv

WARM = {"instances": (0, 4)}  # few instances, so that what is made once is made before the clock starts


def collected(kind: str, folder: Path, episodes: int, workers: int = 1, **settings: object) -> Callable[[], int]:
    """Collects a data set anew each time; returns frames or interactions."""

    def work() -> int:
        shutil.rmtree(folder / kind, ignore_errors=True)
        return collect(kind, folder / kind, episodes, workers=workers, progress=False, **settings).rows  # type: ignore[arg-type]

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


def main() -> None:
    options(__doc__).parse_args()
    folder = Path(tempfile.mkdtemp())
    try:
        roam = {"episodes": 176, "length": 100, "instances": (0, 4), "scenes": "living_room,kitchen,office,library"}
        sides = {
            "roam 96 px, 2×2 samples": collected("roam", folder, size=96, **roam),
            "roam 96 px, 1 sample": collected("roam", folder, size=96, antialias=1, **roam),
            "roam 128 px, 2×2 samples": collected("roam", folder, size=128, **roam),
            "roam 96 px, renderer tiny": collected("roam", folder, size=96, renderer="tiny", **{**roam, "episodes": 4}),
        }
        table("to disk, one worker", interleaved(sides, 2), "frames/s", "roam 96 px, renderer tiny")
        sides = {
            f"{n} workers": collected("roam", folder, size=96, workers=n, **{**roam, "episodes": 400}) for n in (1, 2)
        }
        table("roam 96 px", interleaved(sides, 2), "frames/s", "1 workers")
        roam_shares()
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
