"""What embodied methods learn: on held-out rooms and objects, against pixels, an untrained encoder, and labels.

OPENBLAS_NUM_THREADS=1 python benchmarks/learning.py --out learning

Three parts: a body that roams (scenes of rooms never seen), a camera that circles objects (the equivariance error, as
its paper measures it, on objects never seen), and the Curious Robot (material and category of objects never touched).
Each collects its data, trains every row with the same encoder, data and updates from several seeds, a thread each,
measures all rows alike, and writes its part of OUT/learning.md. A run that was interrupted goes on. Takes
about 35 minutes on two cores.

The weights of equivariance are chosen of a small grid, by one more seed, on rooms and objects that are neither trained
nor tested on; every row is then tested on rooms and objects that had no say in any setting.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from joblib import Parallel, delayed
from timing import options

from embodied_ssl.datasets.collect.collection import collect
from embodied_ssl.evaluation.evaluate import evaluate
from embodied_ssl.evaluation.results import Result, read_results, write_results
from embodied_ssl.evaluation.settings import Settings
from embodied_ssl.methods import make_method
from embodied_ssl.report.page import write_report
from embodied_ssl.report.text import markdown_table
from embodied_ssl.training.settings import Hardware, TrainingSettings
from embodied_ssl.training.train import train

KNOWN, UNKNOWN, CHOOSING = (0, 64), (64, 96), (96, 128)  # of each category: acted on, measured on, chosen by
DATA: dict[str, tuple[str, dict[str, Any]]] = {
    "roam": ("roam", {"episodes": 400, "length": 60, "size": 64}),
    "choosing_rooms": ("roam", {"episodes": 480, "length": 16, "size": 64, "seed": 2000}),
    "new_rooms": ("roam", {"episodes": 480, "length": 16, "size": 64, "seed": 1000}),
    "orbit": ("orbit", {"episodes": 600, "length": 40, "size": 64, "instances": KNOWN}),
    "new_orbits": ("orbit", {"episodes": 400, "length": 16, "size": 64, "instances": UNKNOWN, "seed": 1000}),
    "choosing_orbits": ("orbit", {"episodes": 400, "length": 16, "size": 64, "instances": CHOOSING, "seed": 2000}),
    "grasp": ("grasp", {"episodes": 1600, "instances": KNOWN}),
    "push": ("push", {"episodes": 400, "instances": KNOWN}),
    "poke": ("poke", {"episodes": 2000, "instances": KNOWN}),
    "new_things": ("poke", {"episodes": 800, "instances": UNKNOWN, "seed": 1000}),
}

Row = tuple[str, dict[str, str], dict[str, Any]]  # a method, its streams, its settings


def by_pairs(data: str) -> dict[str, Row]:
    """Equivariance and its rivals, all on the same pairs of frames."""
    streams = {"pairs": data}
    return {
        "temporal_coherence": ("temporal_coherence", streams, {}),
        "drlim": ("drlim", streams, {}),
        "egomotion": ("egomotion", streams, {"max_gap": 3}),
        "equivariance_eq5": ("equivariance", streams, {"relative_weight": 0.0, "contrast_weight": 0.0}),
        "equivariance": ("equivariance", streams, {}),
        "labels": ("labels", {"labelled": data}, {}),
    }


ROBOT = {"grasps": "grasp", "pushes": "push", "pokes": "poke", "pairs": "grasp"}


@dataclass(frozen=True)
class Part:
    """What is compared: rows of one encoder on one kind of data."""

    rows: dict[str, Row]
    on: str
    encoder: str
    size: int  # of the images that it sees, px
    batch: int
    steps: int
    measures: tuple[tuple[tuple[str, ...], str | None], ...]  # protocols, and the label that they take
    chosen: tuple[dict[str, Any], ...] = ()  # settings of equivariance to choose of
    chosen_on: str = ""  # what is neither trained nor tested on
    chosen_by: tuple[str, str] = ("few_labels", "accuracy@6")  # the most; of ρ the least

    @property
    def data(self) -> list[str]:
        streams = (name for row in self.rows.values() for name in row[1].values())
        return list(dict.fromkeys([*streams, *([self.chosen_on] if self.chosen else []), self.on]))


OF_PAIRS = ((("few_labels", "knn", "equivariance"), None),)
WEIGHTS = tuple(
    {"relative_weight": relative, "contrast_weight": contrast}
    for relative in (0.0, 20.0)
    for contrast in (0.0, 1.0, 3.0)
)
CHOOSING_SEED = 1000  # of the runs that choose: none that is measured
PARTS = {
    "rooms": Part(by_pairs("roam"), "new_rooms", "conv4", 32, 64, 900, OF_PAIRS, WEIGHTS, "choosing_rooms"),
    # The network that equivariance was shown with; its last layer keeps where objects are.
    "orbits": Part(by_pairs("orbit"), "new_orbits", "kitti_net", 64, 64, 300, OF_PAIRS,
                   WEIGHTS, "choosing_orbits", ("equivariance", "ρ")),
    "things": Part(
        {
            "curious_robot": ("curious_robot", ROBOT, {}),
            **{
                f"curious_robot without {left_out}": (
                    "curious_robot",
                    {stream: data for stream, data in ROBOT.items() if stream != left_out},
                    {},
                )
                for left_out in ROBOT
            },
            "labels": ("labels", {"labelled": "poke"}, {}),
        },
        "new_things", "conv4", 48, 32, 400,
        ((("few_labels", "knn", "retrieval"), "material"), (("few_labels", "knn"), "category")),
    ),
}  # fmt: skip
SHOWN = (
    "accuracy",
    "accuracy@1",
    "accuracy@6",
    "accuracy@20",
    "instance recall@1",
    "class recall@1",
    "ρ",
    "ρ composed",
)


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--out", type=Path, default=Path("learning"))
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="how many times the usual updates")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    parts = {name: PARTS[name] for name in given.parts}
    for name in dict.fromkeys(data for part in parts.values() for data in part.data):
        kind, settings = DATA[name]
        collect(kind, given.out / "data" / name, workers=given.workers, **settings)
    for part in parts.values():
        if part.chosen:
            choose(given.out, part, given.scale, given.workers)
    jobs = [
        delayed(learn)(given.out, part, row, seed, given.scale)
        for seed in range(given.seeds)
        for part in parts.values()
        for row in part.rows
    ]
    Parallel(given.workers)(jobs)
    measures = [
        (name, place) for name, part in parts.items() for place in range(len(part.measures))
    ]  # what is independent, side by side
    Parallel(given.workers)(delayed(measure)(given.out, *each, given.seeds) for each in measures)
    write(given.out, given.seeds, given.scale)


def choose(out: Path, part: Part, scale: float, workers: int) -> None:
    """Give equivariance the settings that are best on what nothing else is measured on."""
    method, streams, _ = part.rows["equivariance"]
    tried = {f"equivariance {place}": (method, streams, settings) for place, settings in enumerate(part.chosen)}
    trial = replace(part, rows=tried, on=part.chosen_on)
    Parallel(workers)(delayed(learn)(out, trial, row, CHOOSING_SEED, scale) for row in tried)
    runs = [folder(out, row, CHOOSING_SEED, trial) for row in tried]
    (protocol, metric), on = part.chosen_by, [out / "data" / part.chosen_on]
    found = evaluate(runs, on, (protocol,), baselines=False, device="cpu", cache=out / "features", progress=False)
    write_results(found, out / f"chosen on {part.chosen_on}.json")
    best = (min if metric == "ρ" else max)((r for r in found if r.metric == metric), key=lambda result: result.value)
    part.rows["equivariance"] = tried[best.row]


def folder(out: Path, row: str, seed: int, part: Part) -> Path:
    return out / "runs" / part.on / f"{row}-{seed}"


def learn(out: Path, part: Part, row: str, seed: int, scale: float) -> None:
    torch.set_num_threads(1)
    method, streams, settings = part.rows[row]
    made = make_method(method, part.encoder, part.size, seed, **settings)
    sources = {stream: out / "data" / name for stream, name in streams.items()}
    recipe = replace(made.recipe, steps=round(part.steps * scale), batch_size=part.batch)
    how = TrainingSettings(seed=seed, progress=False)
    train(made, folder(out, row, seed, part), sources, recipe, how, Hardware("cpu"))


def measure(out: Path, name: str, place: int, seeds: int) -> None:
    """Measure all rows of a part by some protocols, and keep what is found."""
    torch.set_num_threads(1)
    part = PARTS[name]
    protocols, label = part.measures[place]
    runs = [folder(out, row, seed, part) for row in part.rows for seed in range(seeds)]
    found = evaluate(
        runs,
        [out / "data" / part.on],
        protocols,
        Settings(label=label),
        device="cpu",
        cache=out / "features",
        progress=False,
    )
    write_results(found, out / f"results-{name}-{place}.json")


def write(out: Path, seeds: int, scale: float) -> None:
    """The tables of all that has been measured, and a report."""
    results: list[Result] = []
    lines = ["# What is learned", f"`python benchmarks/learning.py --seeds {seeds} --scale {scale:g}`"]
    for name, part in PARTS.items():
        steps = f"{round(part.steps * scale)} updates of {part.batch} samples of each stream"
        lines.append(f"{name}: encoder {part.encoder} at {part.size} px, {steps}.")
        if part.chosen:
            weights = ", ".join(f"{weight} {value:g}" for weight, value in part.rows["equivariance"][2].items())
            lines.append(f"{name}: of {len(part.chosen)} settings of equivariance, {weights or 'none yet'} was chosen "
                         f"on {part.chosen_on}, which nothing is measured on.")  # fmt: skip
    for path in _measured(out):
        found = read_results(path)
        results += found
        shown = [result for result in found if result.metric in SHOWN]
        lines.append(markdown_table(shown))
    write_results(results, out / "results.json")
    runs = [folder(out, row, 0, part) for part in PARTS.values() for row in part.rows]
    write_report(out / "report.html", results, [run for run in runs if run.is_dir()])
    (out / "learning.md").write_text("\n\n".join(lines) + "\n", encoding="utf-8")
    print((out / "learning.md").read_text(encoding="utf-8"))


def _measured(out: Path) -> Iterator[Path]:
    for name, part in PARTS.items():
        for place in range(len(part.measures)):
            path = out / f"results-{name}-{place}.json"
            if path.is_file():
                yield path


if __name__ == "__main__":
    main()
