"""The main job at small scale: bodies act, encoders learn from it, and what they learned is measured and shown."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from embodied_ssl.datasets.collect.collection import collect
from embodied_ssl.datasets.gallery.page import view
from embodied_ssl.datasets.store.check import check
from embodied_ssl.evaluation.evaluate import evaluate
from embodied_ssl.evaluation.panels import present
from embodied_ssl.evaluation.settings import Settings
from embodied_ssl.limits import Count, Limits, Seed, within_limits
from embodied_ssl.methods import make_method
from embodied_ssl.report.text import print_tables
from embodied_ssl.training.settings import TrainingSettings
from embodied_ssl.training.train import train

EPISODES = {"roam": 64, "orbit": 60, "grasp": 240, "push": 160, "poke": 160}
HELD_OUT: dict[str, tuple[int, dict[str, Any]]] = {  # episodes, and what differs: instances never trained on
    "roam": (200, {"length": 8}),
    "grasp": (40, {"instances": (64, 96)}),
    "poke": (160, {"instances": (64, 96)}),
}
SETTINGS: dict[str, dict[str, Any]] = {
    "roam": {"size": 64, "length": 50},
    "orbit": {"size": 64, "length": 30},
    "grasp": {"instance": True},
    "push": {"instance": True},
    "poke": {"instance": True},
}
ROBOT = {"grasps": "grasp", "pushes": "push", "pokes": "poke", "pairs": "grasp"}
# What each method learns from, its encoder, the side of the images that it sees, updates, and samples of each stream.
LEARNING: dict[str, tuple[dict[str, str], str, int, int, int]] = {
    "equivariance": ({"pairs": "roam"}, "kitti_net", 64, 200, 64),
    "curious_robot": (ROBOT, "conv4", 48, 300, 32),
}


@within_limits
def demo(out: Path = Path("demo"), scale: Annotated[float, Limits(1)] = 1.0, seed: Seed = 0, workers: Count = 2) -> int:
    """Collect every kind of data, train two encoders on it, measure them against an untrained one, and show it all.

    Args:
        out: the directory for data sets, runs and pages.
        scale: how many times the usual number of episodes and of updates, at least 1.
        seed: of all data and weights.
        workers: processes that collect.

    Returns 0, or 1 where a data set turned out bad. Raises DataError for a smaller scale: too few rooms to measure on.
    """
    data = {
        kind: _collect(out / "data" / kind, kind, round(count * scale), seed, workers, SETTINGS[kind])
        for kind, count in EPISODES.items()
    }
    held_out = [  # rooms of other seeds, and other instances of the objects
        _collect(out / "held_out" / kind, kind, round(count * scale), seed + 1000, workers, SETTINGS[kind] | others)
        for kind, (count, others) in HELD_OUT.items()
    ]
    problems = [problem for folder in (*data.values(), *held_out) for problem in check(folder)]
    for problem in problems:
        print(problem)
    page = view(list(data.values()), out / "data.html")

    runs = []
    for name, (sources, encoder, size, steps, batch) in LEARNING.items():
        method = make_method(name, encoder, size, seed)
        recipe = replace(method.recipe, steps=round(steps * scale), batch_size=batch)
        streams = {stream: data[kind] for stream, kind in sources.items()}
        run, often = out / "runs" / f"{name}-{seed}", max(1, recipe.steps // 5)
        runs.append(train(method, run, streams, recipe, TrainingSettings(seed=seed, monitor_every=often)))
    rooms, grasps, things = held_out
    results = evaluate(runs, [rooms], ("few_labels", "knn", "equivariance"))
    results += evaluate(runs, [things], ("few_labels", "knn", "retrieval"), settings=Settings(label="material"))
    report = present(out, results, runs, dict(zip(runs, ([rooms], [grasps, things]), strict=True)))
    print_tables(results)
    print(f"\n{'all data sets are sound' if not problems else f'{len(problems)} problems'}; look at")
    print(f"  {page.resolve()}    what was collected\n  {report.resolve()}    what was learned")
    return int(bool(problems))


def _collect(folder: Path, kind: str, episodes: int, seed: int, workers: int, settings: dict[str, Any]) -> Path:
    print(collect(kind, folder, episodes, seed, workers, **settings), end="\n\n")
    return folder
