"""Train several methods on the same data and budget, and measure them alike."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from embodied_ssl.data import source_for
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.evaluate.evaluation import evaluate
from embodied_ssl.evaluate.results import Result
from embodied_ssl.methods import make_method
from embodied_ssl.portrait import present
from embodied_ssl.train import train


def compare(
    methods: Sequence[str],
    out: Path,
    data: Sequence[Path],
    on: Sequence[Path],
    seeds: int = 3,
    encoder: str = "conv4",
    image_size: int = 64,
    steps: int = 2000,
    device: str = "auto",
    labels: bool = True,
    progress: bool = True,
) -> list[Result]:
    """Train methods on the same data for as many updates each, measure them, and write tables and a report.

    What was trained already is not trained again.

    Args:
        methods: by name.
        out: the directory for runs, results and report.
        data: the data sets to learn from; each method takes what its loss asks for.
        on: held-out sets to measure on.
        seeds: runs of each method; the tables give means and confidence intervals over them.
        encoder: by name, the same for all.
        image_size: side of the pictures that it sees, px.
        steps: updates of each run.
        device: `cpu`, `cuda`, `mps` or `auto`.
        labels: whether to add the row `labels`: the same encoder trained with all labels of the first of the data sets.
        progress: whether to show progress bars.

    Writes OUT/runs/METHOD-SEED, OUT/results.json, OUT/results.csv and OUT/report.html; returns the results.
    """
    if not methods or seeds < 1:
        raise DataError("compare: name at least one method, and take at least one seed")
    rows = dict.fromkeys([*methods, "labels"] if labels else methods)  # each once
    runs = []
    for name in rows:
        for seed in range(seeds):
            method = make_method(name, encoder, image_size, seed)
            found = {stream: source_for(need.batch, data) for stream, need in method.needs().items()}
            streams = {stream: source for stream, source in found.items() if source is not None}
            run = out / "runs" / f"{name}-{seed}"
            recipe = replace(method.recipe, steps=steps)
            runs.append(train(method, run, streams, recipe, seed=seed, device=device, progress=progress))
    results = evaluate(runs, on, cache=out / "features", progress=progress)
    present(out, results, runs, {run: on for run in runs if run.name.endswith("-0")})
    return results
