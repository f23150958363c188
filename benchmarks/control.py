"""Closed-loop control: steps in a second against panda-gym, what a step is spent on, and how often experts succeed.

OPENBLAS_NUM_THREADS=1 python benchmarks/control.py [--rounds N] [--episodes N] > benchmarks/control.md

Rates: episodes of random actions of at most 50 steps, resets included, of the same two tasks with the same wrappers of
Gymnasium on one core, interleaved; by processor time. panda-gym is compared where it is installed
(`pip install panda-gym`); it draws with PyBullet's software renderer, we with ours. Experts: every task and body on
seeds from 1000 on, of which no expert was made. Takes some minutes, with `--episodes 200` a quarter of an hour.
"""

import ctypes
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any
from unittest import mock

import gymnasium
import numpy as np
from timing import installed, interleaved, options

from embodied_ssl.datasets.collect.policies import resolve_policy
from embodied_ssl.datasets.kinds import collected_kinds, kind_of, register
from embodied_ssl.envs.world.engine import pybullet

STEPS, LENGTH, SIZE, FIRST_SEED = 100, 50, 84, 1000
TASKS = {"reach": "PandaReach-v3", "pick_place": "PandaPickAndPlace-v3"}  # ours, and theirs
BODIES = ("floating", "panda")
PEER = "panda-gym"


def stepping(env: gymnasium.Env[Any, Any], look: Callable[[Any], Any], steps: int) -> Callable[[], int]:
    """Work of so many steps of random actions. look: at the observation of each."""
    rng, (low, high) = np.random.default_rng(0), (env.action_space.low, env.action_space.high)  # type: ignore[attr-defined]
    actions = rng.uniform(low, high, (steps, len(low))).astype(np.float32)
    seeds = iter(range(10**9))

    def work() -> int:
        env.reset(seed=next(seeds))
        count = 0
        for action in actions:
            observation, _, terminated, truncated, _ = env.step(action)
            look(observation)
            count += 1
            if terminated or truncated or count == LENGTH:
                env.reset(seed=next(seeds))
        return count

    return work


def ours(task: str, body: str, **settings: Any) -> gymnasium.Env[Any, Any]:
    """An environment of ours."""
    return gymnasium.make(register(kind_of(task)), body=body, **settings)


def our_side(task: str, body: str, image: bool) -> Callable[[], int]:
    """Steps of ours, drawn by the camera beside the table."""
    settings: dict[str, Any] = {"cameras": ("scene",), "scene": {"image_size": SIZE}} if image else {}
    # Few instances, so that objects are made in the first round, which is not counted.
    env = ours(task, body, length=LENGTH, instances=(0, 2), **settings)
    return stepping(env, lambda observation: None, STEPS)


@contextmanager
def quiet() -> Iterator[None]:
    """Without what compiled code prints: PyBullet repeats the options that panda-gym gives it."""
    sys.stdout.flush()
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
        ctypes.CDLL(None).fflush(None)
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


def their_side(task: str, image: bool) -> Callable[[], int]:
    """Steps of panda-gym."""
    import panda_gym  # noqa: F401

    with quiet():
        env = gymnasium.make(
            TASKS[task], render_mode="rgb_array", renderer="Tiny", render_width=SIZE, render_height=SIZE
        )
    return stepping(env, (lambda observation: env.render()) if image else lambda observation: None, STEPS)


def rate_table(rounds: int, peers: list[str]) -> None:
    print(f"\n## Steps in a second\n\nRandom actions; in brackets how many times as fast as {PEER}.\n")
    print(f"| task | images | floating | panda | {PEER} |\n|---|---|---|---|---|")
    for task in TASKS:
        for image in (False, True):
            sides = {body: our_side(task, body, image) for body in BODIES}
            if peers:
                sides[PEER] = their_side(task, image)
            rates = interleaved(sides, rounds, time.process_time)
            theirs = rates.pop(PEER, None)
            cells = [f"{rate:,.0f}" + (f" ({rate / theirs:.1f} ×)" if theirs else "") for rate in rates.values()]
            images = f"one of {SIZE} px" if image else "none"
            print(f"| {task} | {images} | {' | '.join(cells)} | {f'{theirs:,.0f}' if theirs else ''} |", flush=True)


def spent(task: str, body: str, acts: str) -> str:
    """A row of what a step is spent on, in µs: the physics, and the rest. acts: random or expert."""
    env, policy = ours(task, body, instances=(0, 2), length=LENGTH).unwrapped, resolve_policy(task, acts)
    physics: list[float] = []
    step, resets, steps = pybullet.stepSimulation, [], []

    def timed(**given: int) -> None:
        started = time.thread_time()
        step(**given)
        physics.append(time.thread_time() - started)

    for seed in range(8):
        started = time.thread_time()
        observation, _ = env.reset(seed=seed)
        if seed > 3:
            resets.append(time.thread_time() - started)
        policy.reset(env, np.random.default_rng(seed))  # type: ignore[attr-defined]
        over = False
        with mock.patch.object(pybullet, "stepSimulation", timed if seed > 3 else step):
            while not over:
                action, started = policy(observation), time.thread_time()
                observation, _, terminated, truncated, _ = env.step(action)
                if seed > 3:
                    steps.append(time.thread_time() - started)
                over = terminated or truncated
    env.close()
    count = len(physics) / len(steps)
    each, whole = 1e6 * float(np.mean(physics)), 1e6 * float(np.mean(steps))
    rest = whole - count * each
    return f"{task} | {body} | {acts} | {1e3 * median(resets):.1f} | {count:.0f} × {each:.0f} | {rest:.0f}"


def spent_table() -> None:
    print("\n## What a step is spent on\n\nPhysics in steps × µs; while something is held, it takes several times as")
    print("long as with random actions.\n")
    print("| task | body | actions | a reset, ms | physics | the rest, µs |\n|---|---|---|---|---|---|")
    for task in TASKS:
        for body in BODIES:
            for acts in ("random", "expert"):
                print(f"| {spent(task, body, acts)} |", flush=True)


def succeeds(env: Any, policy: Any, seed: int) -> bool:
    """Whether an episode ends in success."""
    observation, _ = env.reset(seed=seed)
    policy.reset(env, np.random.default_rng(seed))
    while True:
        observation, _, terminated, truncated, info = env.step(policy(observation))
        if terminated or truncated:
            return bool(info["is_success"])


def expert_table(episodes: int) -> None:
    print(f"\n## Experts\n\nSuccesses in {episodes} episodes.\n")
    print("| task | floating | panda |\n|---|---|---|")
    for task in [name for name, kind in collected_kinds().items() if kind.closed_loop]:
        cells = []
        for body in BODIES:
            env, expert = ours(task, body).unwrapped, resolve_policy(task, "expert")
            won = sum(succeeds(env, expert, seed) for seed in range(FIRST_SEED, FIRST_SEED + episodes))
            env.close()
            cells.append(f"{won / episodes:.1%}")
        print(f"| {task} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="of each side")
    parser.add_argument("--episodes", type=int, default=50, help="of each expert")
    given = parser.parse_args()
    print("# Closed-loop control\n")
    print(f"`python benchmarks/control.py --rounds {given.rounds} --episodes {given.episodes}`\n")
    rate_table(given.rounds, installed("panda_gym"))
    spent_table()
    expert_table(given.episodes)


if __name__ == "__main__":
    main()
