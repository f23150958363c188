"""Train several methods on the same data and budget, and measure them alike."""

import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from embodied_ssl.cli.parser import Parser, built
from embodied_ssl.data import Source, check_streams, source_for
from embodied_ssl.datasets.collect.engines import check_engine, run_jobs
from embodied_ssl.datasets.collect.slurm import USUAL as USUAL_JOBS
from embodied_ssl.datasets.collect.slurm import Slurm
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.interrupts import saying_what_is_kept
from embodied_ssl.datasets.read.batches import LabelledFrames
from embodied_ssl.datasets.store.directory import claim
from embodied_ssl.evaluation.evaluate import evaluate, plan
from embodied_ssl.evaluation.panels import present
from embodied_ssl.evaluation.protocol import Protocol
from embodied_ssl.evaluation.results import Results
from embodied_ssl.evaluation.settings import USUAL, Settings
from embodied_ssl.limits import Count, within_limits
from embodied_ssl.method import Method
from embodied_ssl.methods import make_method, method_class
from embodied_ssl.training.runs.checkpoint import is_finished, read_configuration
from embodied_ssl.training.runs.run import ENCODER
from embodied_ssl.training.settings import Hardware, TrainingSettings
from embodied_ssl.training.train import train

_T = TypeVar("_T")


@within_limits
def compare(
    methods: Sequence[str],
    out: Path,
    data: Sequence[Path],
    on: Sequence[Path],
    seeds: Count = 3,
    encoder: str = "conv4",
    image_size: Count = 64,
    steps: Count = 2000,
    device: str = "auto",
    labels: bool = True,
    batch_size: Count | None = None,
    protocols: Sequence[str | Protocol] | None = None,
    workers: Count = 1,
    progress: bool = True,
    settings: Settings = USUAL,
    engine: str = "loky",
    slurm: Slurm = USUAL_JOBS,
) -> Results:
    """Train methods on the same data for as many updates each, measure them, and write tables and a report.

    What was trained already is not trained again.

    Args:
        methods: by name, with settings of their own if need be, and an encoder where one takes no other, as after
            `train`: `simclr`, `simclr --views body`, `mae --encoder vit_tiny`, `moco --encoder timm/resnet18
            --init pretrained`.
        out: the directory for runs, results and report.
        data: the data sets to learn from; each stream that a method's loss asks for is that of the first one that has
            it. With several it is printed who learns from which.
        on: held-out sets to measure on.
        seeds: runs of each method; the tables give means and confidence intervals over them.
        encoder: by name, the same for all.
        image_size: side of the images that it sees, px.
        steps: updates of each run.
        device: `cpu`, `cuda`, `mps` or `auto`.
        batch_size: samples of each stream in an update; None: as the recipe of each method has it.
        protocols: to measure by, as of `evaluate`.
        workers: processes that train and measure side by side, each on its share of the processor's cores.
        labels: whether to add the row `labels`: the same encoder trained with all labels of the first of the data sets.
        progress: whether to show progress bars.
        settings: of what is measured on.
        engine: `loky`, or on a cluster `ray`, `dask` or `slurm` (a job for each run, at most `workers` at a time).
        slurm: what each job of the engine `slurm` asks of the cluster.

    Writes OUT/runs/ROW-SEED, OUT/results.json, OUT/results.csv and OUT/report.html; returns the results. OUT is held
    meanwhile: nobody else writes into it. Raises DataError, before any training, for what cannot be trained or
    measured.
    """
    check_engine(engine, slurm)
    if not methods:
        raise DataError("compare: name at least one method")
    for source in data:
        if not Path(source).expanduser().exists():
            raise DataError(f"{source}: nothing is there; name a data set, or a folder or an archive of images")
    out = Path(out).expanduser()
    rows = list(dict.fromkeys([*methods, "labels"] if labels else methods))  # each once

    def kept() -> str:
        return f"{len(list(out.glob(f'runs/*/{ENCODER}')))} runs are finished in {out}"

    with saying_what_is_kept(kept), claim(out):  # before any work: it may not be writable, or held by another
        streams = {row: _streams(_make(row, encoder, image_size, 0), data) for row in rows}
        sets = plan(on, protocols, settings=settings, device=device)
        for each in sets:
            each.prepare(range(seeds), told=False)  # what can't be measured on is refused before any training
        if progress and len(data) > 1:
            _tell(streams, data)
        shown = progress and workers == 1 and engine == "loky"
        how = TrainingSettings(skip_damaged=settings.skip_damaged, progress=shown)
        common = _Common(out, streams, encoder, image_size, steps, batch_size, how, Hardware(device=device))
        side_by_side = partial(_in_order, workers=workers, engine=engine, slurm=slurm)
        runs = side_by_side(common.learn, [(row, seed) for seed in range(seeds) for row in rows])
        measured = partial(
            evaluate, protocols=protocols, device=device, cache=out / "features", progress=shown, settings=settings
        )
        parts = side_by_side(measured, [(runs, [each.source]) for each in sets])
        found = Results(
            replace(one, set=each.images.name) for each, part in zip(sets, parts, strict=True) for one in part
        )
        present(out, found, runs, {run: on for run in runs if run.name.endswith("-0")})
    return found


@dataclass(frozen=True)
class _Common:
    """What the runs of all rows have in common."""

    out: Path
    streams: Mapping[str, Mapping[str, Source]]
    """Of each row, what it learns from."""
    encoder: str
    image_size: int
    steps: int
    batch_size: int | None
    settings: TrainingSettings
    hardware: Hardware

    def learn(self, row: str, seed: int) -> Path:
        """Train a run of a row. Raises DataError where there is one of fewer updates, which would not be a fair row."""
        method = _make(row, self.encoder, self.image_size, seed)
        recipe = replace(method.recipe, steps=self.steps, batch_size=self.batch_size or method.recipe.batch_size)
        run = self.out / "runs" / f"{_file_name(row)}-{seed}"
        if is_finished(run) and (ended := read_configuration(run)["recipe"]["steps"]) != self.steps:
            raise DataError(f"{run}: holds a run whose recipe.steps is {ended}, not {self.steps}; name another --out")
        return train(method, run, self.streams[row], recipe, replace(self.settings, seed=seed), self.hardware)


def _in_order(function: Callable[..., _T], arguments: Sequence[tuple[Any, ...]], **how: Any) -> list[_T]:
    """What `function(*each)` returns, on several processes, in the order of the arguments."""

    def numbered(number: int, *each: Any) -> tuple[int, _T]:
        return number, function(*each)

    found = dict(run_jobs(numbered, ((number, *each) for number, each in enumerate(arguments)), **how))
    return [found[number] for number in range(len(arguments))]


def _make(named: str, encoder: str, image_size: int, seed: int) -> Method:
    """A method as it was named, `moco --version 3`; it may name an encoder and first weights of its own."""
    name, *options = shlex.split(named)
    parser, kind = Parser(f"train {name}"), method_class(name)
    parser.settings(f"Settings of {name}", kind, "method", {"encoder"})
    parser.add_argument("--encoder.name", type=str, default=encoder)
    parser.add_argument("--encoder.init", type=str | None, default=None)
    given = parser.values(options)
    own = given["encoder"]
    return make_method(name, own["name"], image_size, seed, own["init"], **built(kind, given.get("method", {})))


def _streams(method: Method, data: Sequence[Path]) -> dict[str, Source]:
    """Of each stream of a method the first data set that has it. Raises DataError, before any training, for none.

    Labels go to a method that cannot do without them only: the other rows are what is learned without.
    """
    specs = {
        name: spec for name, spec in method.input_streams().items() if spec.required or spec.batch is not LabelledFrames
    }
    found = {stream: source_for(spec.batch, data) for stream, spec in specs.items()}
    streams = {stream: source for stream, source in found.items() if source is not None}
    check_streams(method, streams)
    return streams


def _tell(streams: Mapping[str, Mapping[str, Source]], data: Sequence[Path]) -> None:
    """Print what each row learns from, and what none does."""
    for name, own in streams.items():
        told = ", ".join(f"{stream} of {source}" for stream, source in own.items())
        print(f"embodied-ssl: {name} learns from {told}", file=sys.stderr)
    for source in data:
        if not any(source in own.values() for own in streams.values()):
            why = "no row takes its kind, or those that do take a set before it"
            print(f"embodied-ssl: nothing learns from {source}: {why}", file=sys.stderr)


def _file_name(named: str) -> str:
    """Its row in the tables and its part of a file's name, `moco version 3`."""
    return named.replace("--", "").replace("/", "_")
