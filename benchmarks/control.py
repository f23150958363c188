"""Closed-loop control against panda-gym: steps in a second, without images and with one of 84 pixels.

OPENBLAS_NUM_THREADS=1 python benchmarks/control.py [--rounds N]

Episodes of random actions of at most 50 steps, resets included, of the same two tasks with the same wrappers of
Gymnasium on one core, interleaved; rates are by processor time. panda-gym is compared where it is installed
(`pip install panda-gym`); it draws with PyBullet's software renderer, we with ours. Takes some minutes.
"""

import time
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from timing import installed, interleaved, options, table

import embodied_ssl  # noqa: F401  (registers the environments)

STEPS, LENGTH, SIZE = 100, 50, 84
TASKS = {"reach": ("embodied_ssl/Reach-v0", "PandaReach-v3"), "pick and place": (
    "embodied_ssl/PickPlace-v0", "PandaPickAndPlace-v3")}  # fmt: skip


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


def ours(name: str, body: str, image: bool) -> Callable[[], int]:
    """Our side, drawn by the camera beside the table."""
    settings: dict[str, Any] = {"cameras": ("scene",), "scene": {"image_size": SIZE}} if image else {}
    env = gymnasium.make(name, body=body, length=LENGTH, **settings)
    return stepping(env, lambda observation: None, STEPS)


def theirs(name: str, image: bool) -> Callable[[], int]:
    """panda-gym's side."""
    import panda_gym  # noqa: F401

    env = gymnasium.make(name, render_mode="rgb_array", renderer="Tiny", render_width=SIZE, render_height=SIZE)
    return stepping(env, (lambda observation: env.render()) if image else lambda observation: None, STEPS)


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="of each side")
    given = parser.parse_args()
    peers = installed("panda_gym")
    for task, (own, peer) in TASKS.items():
        for image in (False, True):
            sides = {f"ours, {body}": ours(own, body, image) for body in ("floating", "panda")}
            if peers:
                sides["panda-gym"] = theirs(peer, image)
            rates = interleaved(sides, given.rounds, time.process_time)
            what = f"one image of {SIZE} px" if image else "no images"
            table(f"{task}, {what}", rates, "steps/s", "panda-gym" if peers else None)


if __name__ == "__main__":
    main()
