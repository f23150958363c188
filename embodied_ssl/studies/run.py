"""Run a study: collect, learn, measure, write. It goes on where it was stopped, and ends with the same numbers."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from embodied_ssl import __version__
from embodied_ssl.datasets.collect.engines import check_engine, run_jobs
from embodied_ssl.datasets.collect.slurm import USUAL, Slurm
from embodied_ssl.datasets.errors import DataError, unknown_name
from embodied_ssl.datasets.interrupts import saying_what_is_kept
from embodied_ssl.datasets.store.directory import claim
from embodied_ssl.datasets.store.files import write_atomically
from embodied_ssl.evaluation.results import Results
from embodied_ssl.limits import Count, within_limits
from embodied_ssl.plugins import VARIABLE
from embodied_ssl.studies import study_named
from embodied_ssl.studies.cells import Cell, Learning, Measuring, work
from embodied_ssl.studies.experiment import Experiment
from embodied_ssl.studies.progress import Progress
from embodied_ssl.studies.record import check_data, go_on_from
from embodied_ssl.studies.study import Row, Study, file_name
from embodied_ssl.studies.write import write_study

STUDY = "study.json"
"""In the folder of a study: which one it is."""


@within_limits
def study(
    name: str | Study,
    out: Path | str,
    size: str = "hour",
    rows: Sequence[str] = (),
    seeds: Count | None = None,
    sets: Mapping[str, Path | str] | None = None,
    data: Path | str | None = None,
    workers: Count = 1,
    engine: str = "loky",
    device: str = "auto",
    begun: Path | None = None,
    so_far: bool = False,
    progress: bool = True,
    slurm: Slurm = USUAL,
) -> Results:
    """Run a study, or go on with one that was stopped: collect its data, train its rows, measure them, and show it.

    Args:
        name: as `embodied-ssl studies` lists them, or `module:Name` of one of your own.
        out: the folder for everything; one of another study or size is refused.
        size: `minute`, `hour`, `day` or `gpu`, as far as the study has it.
        rows: by the names in tables or of their files (`simclr_orbit`), only these; none: all that the size has.
            Baselines are measured in any case.
        seeds: how many runs of each row; None: as many as the size says.
        sets: sets of images that the study measures on and nobody can collect, by name: a folder or an archive.
        data: where collected data sets lie, for several studies to share; None: OUT/data.
        workers: processes that collect, train and measure side by side, each on one core. Numbers do not depend on it.
        engine: `loky`, or on a cluster `ray`, `dask` or `slurm` (a job for each run, at most `workers` at a time).
        device: to train and to measure on: `cpu`, `cuda`, `mps`, or `auto`, the best there is.
        begun: the `cells.zip` that the same study left elsewhere: what it holds is not done again.
        so_far: do nothing but write what has been measured, as of a study that was stopped or still runs elsewhere.
        progress: whether to show how far it is.
        slurm: what each job of the engine `slurm` asks of the cluster.

    Writes OUT/runs/ROW-SEED, OUT/measured, OUT/results.csv (every number with its settings and hashes), OUT/tables.md,
    OUT/figures, OUT/report.html, and OUT/cells.zip, from which the study can be gone on with elsewhere; returns the
    results. Raises DataError, before any work, for a study, a size, a row or a set that is not there, and for rows that
    cannot learn from their data.
    """
    asked = study_named(name) if isinstance(name, str) else name
    if size not in asked.sizes:
        raise unknown_name(f"size of {asked.name}", size, asked.sizes)
    how = asked.sizes[size] if seeds is None else replace(asked.sizes[size], seeds=seeds)
    folder = Path(out).expanduser()
    places = {each: Path(path).expanduser() for each, path in (sets or {}).items()}
    place = folder / "data" if data is None else Path(data).expanduser()
    experiment = Experiment(
        replace(asked, rows=rows_named(asked, rows or how.rows)), size, how, folder, place, places, device=device
    )
    return run_experiment(experiment, workers, engine, progress, slurm, begun=begun, so_far=so_far)


def run_experiment(
    experiment: Experiment,
    workers: int = 1,
    engine: str = "loky",
    progress: bool = True,
    slurm: Slurm = USUAL,
    page: bool = True,
    begun: Path | None = None,
    so_far: bool = False,
) -> Results:
    """Do all cells of a study that are not done yet, and write what was found. Raises DataError as `study` does.

    page: whether to write tables, figures and the page beside the numbers.
    """
    check_engine(engine, slurm)
    for name, path in experiment.sets.items():
        if not path.exists():
            raise DataError(f"{path}: nothing is there; give the folder or archive of {name}")
    experiment.check()

    def kept() -> str:
        ended = len(list(experiment.out.glob("runs/*/encoder.safetensors")))
        measured = len(list(experiment.out.glob("measured/*/*.json")))
        return f"{ended} runs have ended and {measured} are measured in {experiment.out}"

    looks_on = so_far and (experiment.out / STUDY).is_file()  # while it may run
    with saying_what_is_kept(kept), nullcontext() if looks_on else claim(experiment.out):
        _bind(experiment, write=not looks_on)
        if begun is not None:
            go_on_from(begun.expanduser(), experiment)
        if so_far:
            return write_study(experiment, page)
        experiment.collect(workers, engine, progress, slurm=slurm)
        check_data(experiment)
        cells = experiment.cells()
        left = [each for each in cells if isinstance(each, Learning) or not each.is_done()]
        plugged = bool(os.environ.get(VARIABLE))
        with Progress(experiment.study.name, cells, workers, shown=progress) as shown:
            jobs = ((cell,) for cell in in_order(left, workers, shown))
            for done in run_jobs(work, jobs, workers=workers, engine=engine, fresh=plugged, slurm=slurm):
                shown.finished(done)
        return write_study(experiment, page)


def in_order(cells: Sequence[Cell], workers: int, known: Progress) -> Iterator[Cell]:
    """Cells as workers ask for them: of those whose needs are there the longest, and measuring as soon as it can be.

    Runs that have ended come first, since one of another configuration is refused. The last few runs come before what
    is still to be measured: short work fills the cores while they end. Where nothing has what it needs, the first is
    given all the same, and its worker waits: what it needs stood before it, so that others are at it.
    """
    left = list(cells)
    while left:
        ready = [each for each in left if each.is_ready()]
        if not ready:
            yield left.pop(0)
            continue
        learning = [each for each in ready if not isinstance(each, Measuring)]
        measuring = [each for each in ready if isinstance(each, Measuring)]
        learned = [each for each in measuring if each.run is not None]
        ended = [each for each in learning if each.is_done()]
        if ended:
            chosen: Cell = ended[0]
        elif learned and (len(learning) > 2 * workers or not learning):
            chosen = learned[0]
        elif learning:
            tries = [each for each in learning if not isinstance(each, Learning)]
            chosen = max(tries or learning, key=known.seconds_left)
        else:
            chosen = measuring[0]
        left.remove(chosen)
        yield chosen


def rows_named(study: Study, names: Sequence[str]) -> tuple[Row, ...]:
    """The rows of a study with these names, or these names of their files; all for none. DataError for unknown ones.

    A name with commas may come in pieces, as lists of the command line do.
    """
    known = {file_name(row.name): row for row in study.rows}
    left, found = list(names), list[Row]()
    while left:
        ends = [end for end in range(len(left), 0, -1) if file_name(" ".join(left[:end])) in known]
        if not ends:
            raise unknown_name(f"row of {study.name}", left[0], [*known, *(row.name for row in study.rows)])
        found.append(known[file_name(" ".join(left[: ends[0]]))])
        left = left[ends[0] :]
    return tuple(found) if names else study.rows


def _bind(experiment: Experiment, write: bool) -> None:
    """Make a folder that of a study of one size, or find that it is. Raises DataError for another's.

    write: whether to say anew with what it is run; whoever but looks on leaves that as it is.
    """
    path = experiment.out / STUDY
    told: dict[str, Any] = {"study": experiment.study.name, "size": experiment.size_name}
    sets = {name: str(place.resolve()) for name, place in experiment.sets.items()}
    more = {
        "sets": sets,
        "data": str(experiment.data.resolve()),
        "device": experiment.device,
        "asked": experiment.asked,
    }
    if path.is_file():
        there = json.loads(path.read_text(encoding="utf-8"))
        if {name: there.get(name) for name in told} != told:
            raise DataError(f"{experiment.out}: holds the study {there.get('study')} of the size {there.get('size')}, "
                            f"not {told['study']} of {told['size']}; name another --out")  # fmt: skip
    if not write:
        return
    write_atomically(path, [json.dumps({**told, **more, "package_version": __version__}, indent=1).encode()])
