"""Train several methods on the same data and budget, and measure them alike: a study made of what was named."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from embodied_ssl.cli.learning import arguments_of_train, train_parser
from embodied_ssl.data import Source, check_streams, source_for
from embodied_ssl.datasets.collect.engines import check_engine
from embodied_ssl.datasets.collect.slurm import USUAL as USUAL_JOBS
from embodied_ssl.datasets.collect.slurm import Slurm
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.images.annotated import split_layout
from embodied_ssl.datasets.read.batches import LabelledFrames
from embodied_ssl.datasets.store.manifest import MANIFEST
from embodied_ssl.evaluation.names import named_sets
from embodied_ssl.evaluation.protocol import Protocol
from embodied_ssl.evaluation.protocols import make_protocol, name_to_make, usual_protocols
from embodied_ssl.evaluation.results import Results
from embodied_ssl.evaluation.settings import USUAL, Settings
from embodied_ssl.limits import Count, within_limits
from embodied_ssl.method import Method
from embodied_ssl.studies.experiment import Experiment, words_of
from embodied_ssl.studies.run import run_experiment
from embodied_ssl.studies.study import On, Row, Size, Study


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
    batch_size: Count = 128,
    protocols: Sequence[str | Protocol] | None = None,
    workers: Count = 1,
    progress: bool = True,
    settings: Settings = USUAL,
    engine: str = "loky",
    slurm: Slurm = USUAL_JOBS,
    rescaled: bool = False,
) -> Results:
    """Train methods on the same data for as many samples each, measure them, and write tables and a report.

    It is a study (`embodied-ssl study`) of the rows and data that are named here. What was trained or measured already
    is not done again.

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
        steps: updates of each run; one with a batch of its own makes as many as show it as many samples.
        device: `cpu`, `cuda`, `mps` or `auto`.
        batch_size: samples of each stream in an update.
        protocols: to measure by, as of `evaluate`.
        workers: processes that train and measure side by side, each on one core.
        labels: whether to add the row `labels`: the same encoder trained with all labels of the first of the data sets.
        progress: whether to show how far it is.
        settings: of what is measured on.
        engine: `loky`, or on a cluster `ray`, `dask` or `slurm` (a job for each run, at most `workers` at a time).
        slurm: what each job of the engine `slurm` asks of the cluster.
        rescaled: whether to add the row `random ... rescaled`, as of `evaluate`.

    Writes OUT/runs/ROW-SEED, OUT/results.json, OUT/results.csv, OUT/tables.md and OUT/report.html; returns the results.
    OUT is held meanwhile: nobody else writes into it. Raises DataError, before any training, for what cannot be trained
    or measured.
    """
    check_engine(engine, slurm)
    rows = list(dict.fromkeys([*methods, "labels"] if labels and methods else methods))  # each once
    chosen = usual_protocols() if protocols is None else protocols
    by = [each if isinstance(each, Protocol) else make_protocol(each) for each in chosen]
    experiment = comparison(
        Path(out).expanduser(), rows, [_place(each) for each in data], [_place(each) for each in on], seeds, encoder,
        image_size, steps, batch_size, [(name_to_make(each), asdict(each)) for each in by], asdict(settings), device,
        progress, rescaled,
    )  # fmt: skip
    return run_experiment(experiment, workers, engine, progress, slurm)


def comparison(
    out: Path,
    methods: Sequence[str],
    data: Sequence[str],
    on: Sequence[str],
    seeds: int,
    encoder: str,
    image_size: int,
    steps: int,
    batch_size: int,
    protocols: Sequence[tuple[str, Mapping[str, Any]]],
    settings: Mapping[str, Any],
    device: str,
    told: bool = False,
    rescaled: bool = False,
) -> Experiment:
    """The study that `compare` runs; what it is made of can be kept as JSON, so that it can be made again."""
    asked = {
        "methods": [*methods], "data": [*data], "on": [*on], "seeds": seeds, "encoder": encoder,
        "image_size": image_size, "steps": steps, "batch_size": batch_size, "protocols": [*protocols],
        "settings": dict(settings), "device": device, "rescaled": rescaled,
    }  # fmt: skip
    if not methods:
        raise DataError("compare: name at least one method")
    for source in data:
        if not Path(source).exists():
            raise DataError(f"{source}: nothing is there; name a data set, or a folder or an archive of images")
    if not on or not protocols:
        raise DataError("compare: name with --on at least one set of images, and at least one protocol")
    streams = {row: _streams(_method(row, encoder, image_size), data) for row in methods}
    if told and len(data) > 1:
        _tell(streams, data)
    what = Settings(**settings)
    named = _named(on, what)
    by = tuple(make_protocol(name, **_tuples(own)) for name, own in protocols)
    study = Study(
        "What was learned",
        tuple(Row(_name(row), row, {stream: str(own) for stream, own in streams[row].items()}) for row in methods),
        tuple(On(name, by, what.label) for name in named),
        {},
        encoder=encoder,
        image_size=image_size,
        batch_size=batch_size,
        rescaled=rescaled,
        name="compare",
    )
    sets = named | {str(source): Path(source) for own in streams.values() for source in own.values()}
    size = Size(samples=steps * batch_size, seeds=seeds)
    return Experiment(study, "compare", size, out, out / "data", sets, what, device, asked)


def _named(on: Sequence[str], settings: Settings) -> dict[str, Path]:
    """The sets to measure on by the shortest names that tell them apart."""
    images = named_sets(on, settings.label, settings.skip_damaged)
    named = zip(on, images, strict=True)
    return {
        one.name.rpartition(" by ")[0] if (Path(source) / MANIFEST).is_file() else one.name: Path(source).expanduser()
        for source, one in named
    }


def _method(row: str, encoder: str, image_size: int) -> Method:
    """A method as it was named, `moco --version 3`; it may name an encoder and first weights of its own."""
    name, *options = words_of(row)
    given = ["--encoder.name", encoder, "--encoder.image_size", str(image_size), *options, "--out", "out"]
    return arguments_of_train(name, train_parser(name, given).values(given))["method"]


def _streams(method: Method, data: Sequence[str]) -> dict[str, Source]:
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


def _tell(streams: Mapping[str, Mapping[str, Source]], data: Sequence[str]) -> None:
    """Print what each row learns from, and what none does."""
    for name, own in streams.items():
        told = ", ".join(f"{stream} of {source}" for stream, source in own.items())
        print(f"embodied-ssl: {name} learns from {told}", file=sys.stderr)
    for source in data:
        if not any(source in own.values() for own in streams.values()):
            why = "no row takes its kind, or those that do take a set before it"
            print(f"embodied-ssl: nothing learns from {source}: {why}", file=sys.stderr)


def _place(source: Source) -> str:
    """The whole path, which names a set that is learned from."""
    layout, path = split_layout(source)
    place = str(path.expanduser().resolve())
    return place if layout is None else f"{layout}:{place}"


def _tuples(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as they were before JSON."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()}


def _name(row: str) -> str:
    """Its row in the tables, `moco version 3`."""
    return row.replace("--", "")
