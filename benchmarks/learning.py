"""What embodied methods learn: on held-out rooms and things, against pixels, an untrained encoder, and labels.

OPENBLAS_NUM_THREADS=1 python benchmarks/learning.py --out learning

Collects its data, trains every row with three seeds (two at a time, a thread each), measures all rows alike, and
writes OUT/learning.md. A run that was interrupted goes on. About an hour on two cores, most of it training.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from joblib import Parallel, delayed

from embodied_ssl.datasets.collect import collect
from embodied_ssl.evaluate.evaluation import evaluate
from embodied_ssl.evaluate.results import Result, write_results
from embodied_ssl.methods import make_method
from embodied_ssl.report.page import write_report
from embodied_ssl.report.text import markdown_table
from embodied_ssl.train import train

KNOWN, UNKNOWN = (0, 64), (64, 96)  # instances of each category: those acted on, and those measured on
DATA: dict[str, tuple[str, dict[str, Any]]] = {
    "roam": ("roam", {"episodes": 300, "length": 60, "size": 64}),
    "grasp": ("grasp", {"episodes": 2500, "instance": True, "instances": KNOWN}),
    "push": ("push", {"episodes": 1500, "instance": True, "instances": KNOWN}),
    "poke": ("poke", {"episodes": 1500, "instance": True, "instances": KNOWN}),
    "new_rooms": ("roam", {"episodes": 400, "length": 12, "size": 64, "seed": 1000}),
    "new_things": ("poke", {"episodes": 400, "instance": True, "instances": UNKNOWN, "seed": 1000}),
}
ROBOT = {"grasps": "grasp", "pushes": "push", "pokes": "poke", "pairs": "grasp"}

Plan = dict[str, tuple[str, dict[str, str], dict[str, Any]]]

# Rows: a method, its streams, its settings. Rooms are seen at 64 px, patches of a table at 48.
ROOMS: Plan = {
    "temporal_coherence": ("temporal_coherence", {"pairs": "roam"}, {}),
    "drlim": ("drlim", {"pairs": "roam"}, {}),
    "egomotion": ("egomotion", {"pairs": "roam"}, {}),
    "equivariance_eq5": ("equivariance", {"pairs": "roam"}, {"places": 0.0}),
    "equivariance": ("equivariance", {"pairs": "roam"}, {}),
    "labels": ("labels", {"labelled": "roam"}, {}),
}
THINGS: Plan = {
    "curious_robot": ("curious_robot", ROBOT, {}),
    **{
        f"without_{left_out}": ("curious_robot", {k: v for k, v in ROBOT.items() if k != left_out}, {})
        for left_out in ROBOT
    },
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("learning"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    for name, (kind, settings) in DATA.items():
        collect(kind, given.out / "data" / name, workers=given.workers, **settings)
    jobs = [
        delayed(learn)(given.out, row, *plan[row], seed, size, given.steps)
        for seed in range(given.seeds)
        for plan, size in ((ROOMS, 64), (THINGS, 48))
        for row in plan
    ]
    Parallel(given.workers)(jobs)
    write(given.out, given.seeds, given.steps, given.workers)


def learn(
    out: Path,
    row: str,
    method: str,
    streams: dict[str, str],
    settings: dict[str, Any],
    seed: int,
    size: int,
    steps: int,
) -> None:
    torch.set_num_threads(1)
    made = make_method(method, "conv4", size, seed, **settings)
    sources = {stream: out / "data" / name for stream, name in streams.items()}
    recipe = replace(made.recipe, steps=steps, batch_size=64)
    train(made, out / "runs" / f"{row}-{seed}", sources, recipe, seed=seed, device="cpu", progress=False)


def write(out: Path, seeds: int, steps: int, workers: int) -> None:
    """Measure all rows, and write the tables and a report."""

    def runs(plan: Plan) -> list[Path]:
        return [out / "runs" / f"{row}-{seed}" for row in plan for seed in range(seeds)]

    rooms, things = [out / "data" / "new_rooms"], [out / "data" / "new_things"]
    measured = (  # what is independent, side by side
        delayed(evaluate)(runs(ROOMS), rooms, ("few_labels", "knn", "equivariance")),
        delayed(evaluate)(runs(THINGS), things, ("few_labels", "knn", "retrieval"), label="material"),
        delayed(evaluate)(runs(THINGS), things, ("few_labels", "knn"), label="category"),
    )
    results = [result for part in Parallel(workers)(measured) for result in part]
    write_results(results, out / "results.json")
    write_report(out / "report.html", results, [*runs(ROOMS), *runs(THINGS)])
    command = f"`python benchmarks/learning.py --steps {steps}`"
    head = f"{command}: {seeds} seeds, {steps} updates of 64 samples of each stream, encoder conv4."
    tables = [markdown_table(part) for part in _by_set(results).values()]
    (out / "learning.md").write_text("\n\n".join(["# What is learned", head, *tables]) + "\n", encoding="utf-8")
    print((out / "learning.md").read_text())


def _by_set(results: Sequence[Result]) -> dict[str, list[Result]]:
    names = dict.fromkeys(result.set for result in results)
    shown = ("accuracy", "accuracy@1", "accuracy@6", "accuracy@20", "instance recall@1", "class recall@1", "ρ",
             "ρ composed")  # fmt: skip
    return {name: [r for r in results if r.set == name and r.metric in shown] for name in names}


if __name__ == "__main__":
    main()
