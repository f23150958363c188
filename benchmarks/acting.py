"""What bodies achieve and feel: grasps that hold by policy, stiffness by material, memory over many resets.

OPENBLAS_NUM_THREADS=1 python benchmarks/acting.py > benchmarks/acting.md

Takes some minutes.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray
from timing import options

from embodied_ssl.datasets.collect.policies import policies_of
from embodied_ssl.datasets.gallery.results import stiffness
from embodied_ssl.envs.grasp import GraspEnv
from embodied_ssl.envs.poke import PokeEnv
from embodied_ssl.envs.policies.table import PokeObjects
from embodied_ssl.envs.table import TableEnv
from embodied_ssl.envs.tabletop import slab
from embodied_ssl.envs.world.camera import Camera, look_at
from embodied_ssl.envs.world.materials import MATERIALS, OBJECT_MATERIALS
from embodied_ssl.envs.world.objects.categories import make_object
from embodied_ssl.envs.world.physics import World

INSTANCES = (0, 8)  # of each category
LEVEL_M = 0.002


@dataclass(frozen=True)
class Act:
    """One interaction on a table of its own."""

    material: str  # of the object in the record; empty where there is none
    level: bool  # what is seen about its image point differs in height by less than LEVEL_M
    record: dict[str, Any]


def interactions(env: TableEnv, policy: Any, count: int) -> list[Act]:
    """One interaction on each of `count` tables."""
    found = []
    for seed in range(count):
        observation, _ = env.reset(seed=seed)
        policy.reset(env, np.random.default_rng(seed))
        action, depth = policy(observation), env.frame.depth
        u, v = (round(value) for value in env.interaction_of(action)[:2].tolist())
        about = depth[max(v - 1, 0) : v + 2, max(u - 1, 0) : u + 2]
        record = env.step(action)[4]["record"]
        thing = record["object"]
        material = env.world.assets[thing].material.name if thing > 0 else ""
        found.append(Act(material, float(np.ptp(about)) < LEVEL_M, record))
    env.close()
    return found


def interval(won: int, tried: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    z = 1.96
    middle, spread = won + z * z / 2, z * np.sqrt(won * (tried - won) / tried + z * z / 4)
    return float((middle - spread) / (tried + z * z)), float((middle + spread) / (tried + z * z))


def grasp_table(count: int) -> None:
    print(f"\n## Grasps that hold\n\n{count} tables each; in brackets 95 % intervals.\n")
    print("| policy | floating | panda |\n|---|---|---|")
    for name, policy in policies_of("grasp").items():
        cells = []
        for body in ("floating", "panda"):
            won = sum(
                bool(act.record["success"])
                for act in interactions(GraspEnv(body=body, instances=INSTANCES), policy(), count)
            )
            low, high = interval(won, count)
            cells.append(f"{won / count:.2f} ({low:.2f} to {high:.2f})")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def poke_table(count: int) -> None:
    print("\n## Stiffness felt by poking, N/m\n")
    print(f"Slopes of lines through force over depth, of {count} tables with each body: mean ± spread; median (pokes).")
    print(
        "Level: what is seen within 4 mm differs in height by less than 2 mm. Elsewhere the finger slips off slopes and"
    )
    print("rims, and objects tilt.\n")
    print("| material | its spring | floating, level | floating, all | panda, level | panda, all |")
    print("|---|---|---|---|---|---|")
    felt: dict[str, dict[str, NDArray[np.float64]]] = {}
    for body in ("floating", "panda"):
        pokes = interactions(PokeEnv(body=body, instances=INSTANCES), PokeObjects(), count)
        felt[f"{body}, level"] = slopes([poke for poke in pokes if poke.level])
        felt[f"{body}, all"] = slopes(pokes)
    for material in OBJECT_MATERIALS:
        cells = [summary(values[material]) for values in felt.values()]
        print(f"| {material} | {MATERIALS[material].stiffness:,.0f} | {' | '.join(cells)} |")
    print("\nShare of pairs of pokes in which the stiffer of two neighbouring materials feels stiffer:\n")
    print("| pokes | " + " | ".join(f"{a}, {b}" for a, b in pairwise(OBJECT_MATERIALS)) + " |")
    print("|---" * len(OBJECT_MATERIALS) + "|")
    for name, values in felt.items():
        shares = [(values[b][:, None] > values[a]).mean() for a, b in pairwise(OBJECT_MATERIALS)]
        print(f"| {name} | " + " | ".join(f"{share:.2f}" for share in shares) + " |", flush=True)


def summary(values: NDArray[np.float64]) -> str:
    return f"{values.mean():,.0f} ± {values.std(ddof=1):,.0f}; {np.median(values):,.0f} ({len(values)})"


def slopes(pokes: list[Act]) -> dict[str, NDArray[np.float64]]:
    """Stiffness felt (N/m) in the pokes of each material, where there is one."""
    felt = {
        material: np.array([stiffness(poke.record["force"], poke.record["depth_travelled"])
                            for poke in pokes if poke.material == material])
        for material in OBJECT_MATERIALS
    }  # fmt: skip
    return {material: values[np.isfinite(values)] for material, values in felt.items()}


def memory_table(counts: tuple[int, ...] = (100, 1_000, 5_000, 10_000)) -> None:
    print("\n## Memory of a world over resets\n\nFour objects, two steps, one image of 16 px after each reset.\n")
    print("| resets | resident, MB |\n|---|---|")
    world, process, done = World(), psutil.Process(), 0
    camera, pose = Camera.from_fov(16, 16, 0.8), look_at([1, 0, 1], [0, 0, 0])
    assets = [make_object(name, 0) for name in ("cup", "box", "hammer", "ball")]
    for count in counts:
        for _ in range(count - done):
            world.reset()
            world.add(slab(), structure=True)
            for number, asset in enumerate(assets):
                world.add(asset, (0.2 * number, 0, 0.3))
            world.step(2)
            world.render(camera, pose)
        done = count
        print(f"| {count:,} | {process.memory_info().rss / 1e6:.1f} |", flush=True)
    world.close()


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--grasps", type=int, default=300, help="of each policy and body")
    parser.add_argument("--pokes", type=int, default=800, help="of each body")
    given = parser.parse_args()
    print("# What bodies achieve and feel\n\n`python benchmarks/acting.py`")
    grasp_table(given.grasps)
    poke_table(given.pokes)
    memory_table()


if __name__ == "__main__":
    main()
