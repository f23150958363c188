"""Rates of grasps, pushes and pokes to disk, without and with trajectories, and what the time goes into.

OPENBLAS_NUM_THREADS=1 python benchmarks/interactions.py > benchmarks/interactions.md

All by processor time of one core, interleaved; beside them, as a measure of the core, PyBullet's TinyRenderer on
furnished rooms of 96 px with shadows, as in benchmarks/rendering.py. Objects are made before the clock starts. Takes
some minutes.
"""

import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np
from collecting import WARM, collected
from rendering import draw_all, views
from timing import interleaved, options

from embodied_ssl.datasets.collect.policies import policies_of
from embodied_ssl.envs.grasp import GraspEnv
from embodied_ssl.envs.poke import PokeEnv
from embodied_ssl.envs.push import PushEnv
from embodied_ssl.envs.table import TableEnv
from embodied_ssl.envs.world.camera import Camera
from embodied_ssl.envs.world.engine import pybullet
from embodied_ssl.envs.world.raster import renderers
from embodied_ssl.envs.world.scenes.types import SCENE_TYPES

ENVIRONMENTS: dict[str, type[TableEnv]] = {"grasp": GraspEnv, "push": PushEnv, "poke": PokeEnv}
BODIES = ("floating", "panda")
TINY, USUAL = "TinyRenderer", 100.0  # frames/s of the core that rates are given for
A_MILLION = 1e6
SET_UP = ("resetSimulation", "createMultiBody", "createCollisionShape", "loadURDF")


def rates(episodes: int, rounds: int) -> dict[str, float]:
    """Interactions/s of each body and kind, without and with trajectories, and frames/s of TinyRenderer."""
    rooms = [(scene, poses[::6]) for scene, poses in map(views, SCENE_TYPES)]
    sides: dict[str, Callable[[], int]] = {TINY: draw_all(("tiny", True, 1), rooms, Camera.from_fov(96, 96, 1.2))}
    folder = Path(tempfile.mkdtemp())
    for body in BODIES:
        for kind in ENVIRONMENTS:
            for logged in (False, True):
                sides[f"{body} {kind} {logged}"] = collected(
                    kind, folder, episodes, shard_episodes=episodes, body=body, trajectory=logged, **WARM
                )
    try:
        return interleaved(sides, rounds, time.process_time)
    finally:
        shutil.rmtree(folder)


def rate_table(found: dict[str, float]) -> None:
    core = USUAL / found[TINY]
    print(f"\n## Interactions in a second\n\nTinyRenderer drew {found[TINY]:.0f} frames/s meanwhile; in brackets what")
    print(f"a core has that draws {USUAL:.0f}. Eight objects, two images of 128 px, to disk; a trajectory has 20")
    print("samples in a second of simulated time, each with images of 64 px of the cameras `scene` and `wrist`.\n")
    print("| body | kind | without | with trajectory | ratio | a million on two cores, h: without, with |")
    print("|---|---|---|---|---|---|")
    for body in BODIES:
        for kind in ENVIRONMENTS:
            without, with_log = (found[f"{body} {kind} {logged}"] for logged in (False, True))
            hours = [A_MILLION / (rate * core) / 2 / 3600 for rate in (without, with_log)]
            print(
                f"| {body} | {kind} | {without:.1f} ({without * core:.1f}) | {with_log:.1f} ({with_log * core:.1f}) "
                f"| {with_log / without:.2f} | {hours[0]:.1f}, {hours[1]:.1f} |"
            )


def spent(kind: str, body: str, logged: bool, count: int) -> dict[str, float]:
    """Milliseconds of an interaction by what they are spent on, and how many steps the physics takes."""
    env, policy = ENVIRONMENTS[kind](body=body, trajectory=logged, **WARM), next(iter(policies_of(kind).values()))()  # type: ignore[arg-type]
    taken: dict[str, list[float]] = defaultdict(list)

    def interactions() -> None:
        for seed in range(count):
            observation, _ = env.reset(seed=seed)
            policy.reset(env, np.random.default_rng(seed))
            env.step(policy(observation))

    def timed(function: Callable[..., object], name: str) -> Callable[..., object]:
        def call(*given: object, **named: object) -> object:
            started = time.thread_time()
            try:
                return function(*given, **named)
            finally:
                taken[name].append(time.thread_time() - started)

        return call

    interactions()  # makes the objects
    asked = [name for name in dir(pybullet) if name[0].islower() and callable(getattr(pybullet, name))]
    patches = [mock.patch.object(pybullet, name, timed(getattr(pybullet, name), name)) for name in asked]
    patches += [
        mock.patch.object(renderers, name, timed(getattr(renderers, name), name))
        for name in ("draw_view", "scan_shadows")
    ]
    for patch in patches:
        patch.start()
    started = time.process_time()
    interactions()
    total = time.process_time() - started
    for patch in patches:
        patch.stop()
    env.close()
    each = {name: sum(times) for name, times in taken.items()}
    drawing = each.pop("draw_view") + each.pop("scan_shadows")
    steps, setting_up = each.pop("stepSimulation"), sum(each.pop(name, 0.0) for name in SET_UP)
    other = sum(each.values())
    parts = {
        "physics": steps,
        "setting up": setting_up,
        "drawing": drawing,
        "other calls": other,
        "Python": total - steps - setting_up - drawing - other,
    }
    return {name: 1e3 * value / count for name, value in parts.items()} | {
        "steps": len(taken["stepSimulation"]) / count
    }


def floor_table(count: int) -> None:
    print("\n## What the time goes into\n\nMilliseconds of one interaction in memory. Physics: so many steps at so")
    print("many microseconds. Setting up: emptying PyBullet's world, shapes and bodies. Other calls: into PyBullet.\n")
    print("| body | kind | trajectory | steps × µs | physics | setting up | drawing | other calls | Python |")
    print("|---|---|---|---|---|---|---|---|---|")
    for body in BODIES:
        for kind in ENVIRONMENTS:
            for logged in (False, True):
                parts = spent(kind, body, logged, count)
                steps = parts.pop("steps")
                cells = " | ".join(f"{value:.1f}" for value in parts.values())
                each = 1e3 * parts["physics"] / steps
                print(f"| {body} | {kind} | {'with' if logged else 'no'} | {steps:.0f} × {each:.0f} | {cells} |")


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--episodes", type=int, default=40, help="of each side in a round")
    parser.add_argument("--rounds", type=int, default=5, help="of all sides")
    given = parser.parse_args()
    print("# Rates of interactions\n")
    print(f"`python benchmarks/interactions.py --episodes {given.episodes} --rounds {given.rounds}`")
    rate_table(rates(given.episodes, given.rounds))
    floor_table(given.episodes)


if __name__ == "__main__":
    main()
