"""Interactions against slower physics: nothing sleeps, twice the iterations, two seconds to settle; half the step too.

OPENBLAS_NUM_THREADS=1 python benchmarks/physics.py > benchmarks/physics.md

The same interactions on the same tables. The slow way once more, aimed a fiftieth of a pixel aside, is its own spread,
which shows what agreement there can be: an interaction near the edge of an object goes one way or the other. Takes some
minutes.
"""

from typing import Any

import numpy as np
import pybullet
from numpy.typing import NDArray
from timing import options

from embodied_ssl.datasets.collect.policies import policies_of
from embodied_ssl.envs.grasp import GraspEnv
from embodied_ssl.envs.poke import PokeEnv
from embodied_ssl.envs.push import PushEnv
from embodied_ssl.envs.table import TableEnv
from embodied_ssl.envs.tabletop import slab

ENVIRONMENTS: dict[str, type[TableEnv]] = {"grasp": GraspEnv, "push": PushEnv, "poke": PokeEnv}
MEASURED = {"grasp": "success", "push": "displacement, mm", "poke": "force 1 mm deep, N, at most 60"}
DEEP_M, MOST_N = 0.001, 60.0
ASIDE = 2 * 0.02 / 127  # of an image of 128 px, as an action
HALVED = 1 / 480  # s


def parts(env: TableEnv) -> int:
    """How many steps of an environment make one of the usual length."""
    return round(1 / 240 / env.world.time_step)


def slowly(env: TableEnv) -> TableEnv:
    """The environment, made to step a slow way."""
    add_clutter, close = env._put_clutter, env.gripper.grip

    def put_clutter(rng: np.random.Generator) -> None:
        pybullet.setPhysicsEngineParameter(
            numSolverIterations=2 * env.ITERATIONS, solverResidualThreshold=0, physicsClientId=env.world.client
        )
        add_clutter(rng)

    def settle(most_steps: int = 480) -> None:
        for instance in env.world.assets:
            pybullet.changeDynamics(
                env.world.body(instance),
                -1,
                activationState=pybullet.ACTIVATION_STATE_DISABLE_SLEEPING,
                physicsClientId=env.world.client,
            )
        env.world.step(most_steps * parts(env))

    def grip(opening: float, most_steps: int) -> None:
        close(opening, 0)
        env.world.step(most_steps * parts(env))

    env._put_clutter, env.settle, env.gripper.grip = put_clutter, settle, grip  # type: ignore[method-assign]
    return env


def outcome(kind: str, env: TableEnv, record: dict[str, Any]) -> float:
    """What an interaction came to, as MEASURED says."""
    if kind == "grasp":
        return float(record["success"])
    if kind == "push":
        return 1e3 * float(np.linalg.norm(record["pose_after"][:3] - record["pose_before"][:3]))
    depth, force = record["depth_travelled"], record["force"]
    felt = depth >= 0
    if not felt.any() or not force.any():
        return 0.0
    # The finger touched within the step whose force was noted first: how deep it went in it follows from that force.
    spring = env.world.assets[record["object"]].material if record["object"] > 0 else slab().material
    late = force[felt][0] / (spring.stiffness + spring.damping / env.world.time_step)
    stopped = np.maximum.accumulate(np.minimum(force[felt], MOST_N))
    return float(np.interp(DEEP_M, depth[felt] + late, np.where(stopped >= MOST_N, MOST_N, force[felt])))


def interactions(
    kind: str, env: TableEnv, seeds: range, chosen: dict[int, NDArray[np.float32]], aside: float = 0.0
) -> NDArray[np.float64]:
    """Outcomes [seeds] of one interaction per table. chosen: actions by seed; the policy fills what is missing."""
    policy: Any = next(iter(policies_of(kind).values()))()
    outcomes = []
    for seed in seeds:
        observation, _ = env.reset(seed=seed)
        if seed not in chosen:
            policy.reset(env, np.random.default_rng(seed))
            chosen[seed] = policy(observation)
        action = chosen[seed].copy()
        action[:2] = np.clip(action[:2] + aside, -1, 1)
        outcomes.append(outcome(kind, env, env.step(action)[4]["record"]))
    env.close()
    return np.array(outcomes)


def compared(kind: str, body: str, seeds: range) -> dict[str, NDArray[np.float64]]:
    """Outcomes [seeds] of the fast way and of each slow one."""
    environment, settings = ENVIRONMENTS[kind], {"body": body, "instances": (0, 8)}
    chosen: dict[int, NDArray[np.float32]] = {}
    return {
        "fast": interactions(kind, environment(**settings), seeds, chosen),
        "slow": interactions(kind, slowly(environment(**settings)), seeds, chosen),
        "aside": interactions(kind, slowly(environment(**settings)), seeds, chosen, ASIDE),
        "half step": interactions(kind, slowly(environment(**settings, time_step=HALVED)), seeds, chosen),
    }


def differences(way: NDArray[np.float64], slow: NDArray[np.float64]) -> str:
    """The mean difference with its 95 % interval, and how far apart interactions are: mean, and median."""
    difference = way - slow
    apart = np.abs(difference)
    interval = 1.96 * difference.std(ddof=1) / np.sqrt(len(difference))
    return f"{difference.mean():+.2f} ± {interval:.2f} ({apart.mean():.2f}, {np.median(apart):.2f})"


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--interactions", type=int, default=60, help="of each kind and body")
    parser.add_argument("--bodies", nargs="+", default=["floating", "panda"])
    given = parser.parse_args()
    print("# The fast physics of the table against slow ways\n")
    print(f"`python benchmarks/physics.py --interactions {given.interactions}`\n")
    print(f"{given.interactions} each: mean difference ± 95 % interval (distance of two: mean, median)\n")
    print("| body | act | measured | slow | fast − slow | slow, aimed aside − slow | slow, half step − slow |")
    print("|---|---|---|---|---|---|---|")
    for body in given.bodies:
        for kind in ENVIRONMENTS:
            runs = compared(kind, body, range(given.interactions))
            slow = runs.pop("slow")
            cells = [
                body,
                kind,
                MEASURED[kind],
                f"{slow.mean():.2f}",
                *(differences(way, slow) for way in runs.values()),
            ]
            print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
