"""What a report shows of a run: what its encoder and its heads make of held-out data."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np

from embodied_ssl.data import Source, source_for, take_streams
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.images.sources import ImageSet
from embodied_ssl.datasets.read.batches import FramePairs
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.datasets.read.streams import Stream
from embodied_ssl.datasets.store.manifest import MANIFEST
from embodied_ssl.encoders import Encoder
from embodied_ssl.evaluation import figures
from embodied_ssl.evaluation.candidates import row_sha256
from embodied_ssl.evaluation.features import extract
from embodied_ssl.evaluation.names import named_sets, shortest
from embodied_ssl.evaluation.results import Result, Results, told_apart, write_results
from embodied_ssl.method import Method
from embodied_ssl.methods.equivariance import Equivariance
from embodied_ssl.parts.motions import sample_motions
from embodied_ssl.parts.panels import panels_of, signed
from embodied_ssl.report.figures import Figure
from embodied_ssl.report.page import write_report
from embodied_ssl.training.runs.checkpoint import METHOD, load_encoder, load_method, read_configuration

MOST_IMAGES = 1500
BATCH = 24  # samples that a method compares to show its task


def figures_of(run: Path | str, on: Sequence[Path | str], most: int | None = None) -> list[Figure]:
    """The figures of a run on held-out sets: nearest images, a map of the features, and what its heads say.

    most: of how many sets the features are drawn; None: of all.
    """
    shown: list[Figure] = []
    for images in named_sets(on[:most], skip_damaged=True):  # had it not been to be skipped, none would be measured
        shown += feature_figures(load_encoder(run), images)
    if not (Path(run) / METHOD).is_file():  # as in the zoo, which keeps no heads
        return shown
    method = load_method(run)
    on = _of_known_motions(method, on)
    shown += task_figures(method, on, set(read_configuration(run)["data"]))
    if isinstance(method, Equivariance) and (source_ := source_for(FramePairs, on)) is not None:
        shown.append(_clusters(method, Dataset.open(source_)))
    return shown


def task_figures(method: Method, on: Sequence[Path | str], learned: Collection[str] | None = None) -> list[Figure]:
    """The method's own task on held-out data, where some of the sets have what it takes.

    learned: the streams that it has learned from; what it could have learned from others is not asked. None: all.
    """
    specs = {
        name: spec
        for name, spec in method.input_streams().items()
        if spec.required or learned is None or name in learned
    }
    found = {name: source_for(spec.batch, on) for name, spec in specs.items()}
    if type(method).show is Method.show or any(found[name] is None for name, spec in specs.items() if spec.required):
        return []
    rng = np.random.default_rng(0)
    sources = {name: source for name, source in found.items() if source is not None}
    if not sources:
        return []
    try:
        taken = take_streams(method, sources, skip_damaged=True, part="test")
    except DataError:  # such as episodes that are shorter than its clips
        return []
    opened = {name: each.stream for name, each in taken.items() if _asks_what_was_learned(method, each.stream)}
    if any(name not in opened for name, spec in specs.items() if spec.required):
        return []
    batches = {name: stream.batch(rng.permutation(len(stream))[:BATCH], rng) for name, stream in opened.items()}
    rows = panels_of(method, batches)
    return [figures.task_panels(list(alike)) for _, alike in groupby(rows, len)]  # of several tasks


def feature_figures(encoder: Encoder, images: ImageSet) -> list[Figure]:
    """Nearest images and a map of the features of a set, of up to 1,500 of its images, which its name then says."""
    rows = np.sort(np.random.default_rng(0).permutation(len(images))[:MOST_IMAGES])
    part = images.at(rows)
    if len(part) < len(images):
        part = replace(part, name=f"{images.name}, {len(part):,} of {len(images):,} images")
    features = extract(encoder, part)
    centred = features - features.mean(0)
    return [figures.retrieval_wall(centred, part), figures.feature_map(centred, part)]


def equivariance_figures(results: Sequence[Result]) -> dict[str, list[Figure]]:
    """The equivariance error of every row by motion, and of motions composed of two, by set where it was measured."""
    results = told_apart(results)
    found: dict[str, list[Figure]] = {}
    for name in dict.fromkeys(result.set for result in results if result.protocol == "equivariance"):
        mine = [result for result in results if (result.set, result.protocol) == (name, "equivariance")]
        centres: dict[str, list[list[float]]] = {}
        for result in mine:
            if "motion" in result.settings:
                centres.setdefault(result.metric, []).append(result.settings["motion"])
        motions = {metric: signed(np.mean(own, axis=0).tolist()) for metric, own in centres.items()}
        rho: dict[str, dict[str, list[float]]] = {}
        for result in mine:
            if result.metric in motions:
                rho.setdefault(result.row, {}).setdefault(result.metric, []).append(result.value)
        for result in mine:
            if result.metric == "ρ composed":  # the last of the bars
                rho.setdefault(result.row, {}).setdefault("composed", []).append(result.value)
        found[name] = [figures.equivariance(rho, motions)]
    return found


def present(out: Path, results: Sequence[Result], runs: Sequence[Path], shown: Mapping[Path, Sequence[Source]]) -> Path:
    """Write OUT/results.json, OUT/results.csv and OUT/report.html, whose path is returned.

    What an earlier evaluation wrote there is replaced as a whole; the directories of runs stay as they are.

    shown: the runs that get figures on the page, each with the held-out sets to draw them from.
    """
    out.mkdir(parents=True, exist_ok=True)
    write_results(results, out / "results.json")
    names = shortest([Path(run).expanduser().resolve().parts for run in shown])  # of one name there can be several
    shown_of = {name: figures_of(run, on) for name, (run, on) in zip(names, shown.items(), strict=True)}
    measured = results.shown if isinstance(results, Results) else {}
    of_rows = {row: [*measured.get(row, ()), *shown_of.get(row, ())] for row in (*measured, *shown_of)}
    row_of = {result.row_sha256: result.row for result in told_apart(results)}
    rows = {run: row for run in runs if (row := row_of.get(row_sha256(read_configuration(run))))}
    return write_report(out / "report.html", results, runs, {**equivariance_figures(results), **of_rows}, rows=rows)


def _of_known_motions(method: Method, on: Sequence[Path | str]) -> list[Path | str]:
    """Those of the sets whose motions, if they have any, are of as many numbers as those that a method has learned."""
    sizes = {0, *(getattr(each, "motor_size", None) for each in method.modules())} - {None}
    ours = {source: (Path(source) / MANIFEST).is_file() for source in on}
    return [
        source for source in on if sizes == {0} or not ours[source] or len(Dataset.open(source).motor_signals) in sizes
    ]


def _asks_what_was_learned(method: Method, stream: Stream) -> bool:
    """Whether labels may be those that a method has learned: of a set with another number of classes they are not."""
    learned = {getattr(each, "classes", None) for each in method.modules() if isinstance(each, Method)} - {None}
    names = getattr(stream, "classes", None)
    return names is None or not learned or len(names) in learned


def _clusters(method: Equivariance, dataset: Dataset) -> Figure:
    """The motion patterns that were discovered, on held-out motions."""
    motions = sample_motions(dataset.pairs(max_gap_s=method.max_gap_s), 1500, np.random.default_rng(0))
    return figures.motion_clusters(dataset.motor_signals, motions, method.centres.numpy())
