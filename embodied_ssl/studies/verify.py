"""Verify: collect, train and measure again in a fresh folder, and say of each artefact whether it is equal."""

import json
import math
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from embodied_ssl.comparison import comparison
from embodied_ssl.datasets.collect.collection import collect
from embodied_ssl.datasets.collect.places import settings_again
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.read.motor import MotorSignals
from embodied_ssl.datasets.store.manifest import MANIFEST, read_json
from embodied_ssl.evaluation.results import Result, read_results
from embodied_ssl.limits import Count, within_limits
from embodied_ssl.method import Recipe
from embodied_ssl.methods import make_method
from embodied_ssl.studies import study_named
from embodied_ssl.studies.experiment import Experiment
from embodied_ssl.studies.run import STUDY, rows_named, run_experiment
from embodied_ssl.training.runs.checkpoint import ENCODER, is_finished, read_configuration
from embodied_ssl.training.runs.outside import check_outside
from embodied_ssl.training.settings import Hardware, TrainingSettings
from embodied_ssl.training.train import train
from embodied_ssl.zoo import is_of_zoo, run_folder, zoo_card


@dataclass(frozen=True)
class Finding:
    """What has come of one artefact."""

    artefact: str
    """`data hold`, `run simclr-0`, `numbers of simclr on yardstick`."""
    departs: str = ""
    """Where it departs first; nothing where it is equal."""
    count: str = ""
    """What was compared: `63 shards`."""

    def __str__(self) -> str:
        return f"{self.artefact}: " + (f"DEPARTS at {self.departs}" if self.departs else f"equal ({self.count})")


@within_limits
def verify(
    path: Path | str,
    rows: Sequence[str] = (),
    seeds: Count | None = None,
    workers: Count = 1,
    device: str | None = None,
    scratch: Path | str | None = None,
    progress: bool = True,
) -> list[Finding]:
    """Make again what a study, a comparison or a run has left behind, and compare it.

    Data sets are collected again, runs trained again from their first weights and numbers measured again, all in a
    fresh folder; sets of images that were given are taken as they are.

    Args:
        path: the folder of a study or of a comparison, or that of a run; or `zoo/NAME`.
        rows: of a study, by the names in its tables or of their files, only these; none: all that have a run.
        seeds: of a study, only the first so many; None: all that there are.
        workers: processes, as of `study`.
        device: where it is made again; None: where it was made.
        scratch: the fresh folder, kept afterwards; what is in it already is not made again. None: a temporary one.
        progress: whether to show how far it is.

    Returns what was found of each data set, each run and the numbers of each row on each set. Equal are shards by their
    hashes, and weights and numbers to the last bit: on another kind of processor they may differ. Raises DataError for
    a folder that is none of these.
    """
    folder = run_folder(path)
    with _scratch(scratch) as fresh:
        if (folder / STUDY).is_file():
            return _verify_study(folder, fresh, rows, seeds, workers, device, progress)
        if is_finished(folder):
            told = read_configuration(folder)
            check_outside(folder, told)
            if is_of_zoo(path):
                name, data = str(path), zoo_card(path)["data"]
            else:
                name = f"run {folder.resolve().name}"
                data = {stream: _told_data(entry) for stream, entry in told["data"].items()}
            return _verify_run(name, told, data, folder / ENCODER, fresh, workers, device, progress)
    raise DataError(f"{folder}: no study, and no run that has ended; name the --out of one")


def _verify_study(
    folder: Path, fresh: Path, rows: Sequence[str], seeds: int | None, workers: int, device: str | None, progress: bool
) -> list[Finding]:
    before = _of_rows(experiment_in(folder), rows, seeds)
    again = replace(before, out=fresh, data=fresh / "data", device=device or before.device)
    run_experiment(again, workers, progress=progress, page=False)
    found = [_data(name, before.place(name), again.place(name)) for name in again.needed if name not in again.sets]
    for one, other in zip(before.learning(), again.learning(), strict=True):
        found.append(_run(one.run, other.run))
    return found + _numbers(read_results(folder / "results.json"), read_results(fresh / "results.json"))


def experiment_in(folder: Path) -> Experiment:
    """The experiment whose `study.json` a folder holds."""
    told = json.loads((folder / STUDY).read_text(encoding="utf-8"))
    if told["asked"]:
        return comparison(folder, **told["asked"])
    study = study_named(told["study"])
    sets = {name: Path(place) for name, place in told["sets"].items()}
    size = told["size"]
    return Experiment(study, size, study.sizes[size], folder, Path(told["data"]), sets, device=told["device"])


def _of_rows(experiment: Experiment, names: Sequence[str], seeds: int | None) -> Experiment:
    """With the rows that are asked for and have runs, and as many seeds as all of these have."""
    known = {row.name: row for row in rows_named(experiment.study, names)}
    count = {row: sum(is_finished(experiment.place_of_run(known[row], seed)) for seed in range(1000)) for row in known}
    there = [row for row in known if count[row]]
    if not there:
        raise DataError(f"{experiment.out}: no run has ended")
    size = replace(experiment.size, seeds=min([count[row] for row in there] + ([seeds] if seeds else [])))
    study = replace(experiment.study, rows=tuple(known[row] for row in there))
    return replace(experiment, study=study, size=size)


def _verify_run(
    name: str,
    told: dict[str, Any],
    data: Mapping[str, Sequence[dict[str, Any]]],
    weights: Path,
    fresh: Path,
    workers: int,
    device: str | None,
    progress: bool,
) -> list[Finding]:
    """A run by itself, by what its `run.json` says, and its data by what their `dataset.json` says."""
    found: list[Finding] = []
    places: dict[str, list[Path]] = {}
    for stream, sets in data.items():
        for number, one in enumerate(sets):
            place = Path(one["path"]) if "path" in one else fresh / "data" / f"{stream}-{number}"
            if "spec" in one:
                _collect_again(one["spec"], place, workers, progress)
                found.append(_shards(f"data of {stream}", one["shards"], read_json(place)["shards"]))
            places.setdefault(stream, []).append(place)
    run = train_again(told, places, fresh / "run", device, progress)
    return [*found, compare_tensors(name, weights, run / ENCODER)]


def _told_data(entry: dict[str, Any]) -> list[dict[str, Any]]:
    """Of the data sets of a stream what is said of them where they lie; of what no world made, where it lies."""
    sources = entry["source"] if isinstance(entry["source"], list) else [entry["source"]]
    told = [read_json(Path(one)) if (Path(one) / MANIFEST).is_file() else {} for one in sources]
    return [
        {**one, "spec": {**one["spec"], "env": settings_again(Path(path), one["spec"]["env"])}}
        if "env" in one.get("spec", {})
        else {"path": path}
        for one, path in zip(told, sources, strict=True)
    ]


def train_again(
    told: dict[str, Any], data: dict[str, list[Path]], out: Path, device: str | None, progress: bool
) -> Path:
    """A run of what a `run.json` says. Raises DataError where it says too little."""
    if told["world_size"] != 1:
        raise DataError(f"{out.name} was trained by {told['world_size']} processes; train it again by its command")
    encoder = told["encoder"]
    method = make_method(
        told["method"], encoder["name"], encoder["image_size"], told["seed"], told["first_weights"]["source"],
        **told["settings"],
    )  # fmt: skip
    settings = TrainingSettings(told["seed"], told["accumulate"], progress=progress)
    hardware = Hardware(device or "auto", precision=told["precision"])
    motor = {stream: _motor(entry["motor"]) for stream, entry in told["data"].items() if "motor" in entry}
    return train(method, out, data, Recipe(**told["recipe"]), settings, hardware, motor=motor)


def _motor(said: str) -> MotorSignals:
    """Whose motor signals, as `run.json` has it: `yoked`, `none`, `delayed by 0.3 s`."""
    name, by, delay = said.partition(" by ")
    whose: Any = name
    return MotorSignals(whose, float(delay.removesuffix(" s"))) if by else MotorSignals(whose)


def _collect_again(spec: dict[str, Any], out: Path, workers: int, progress: bool) -> None:
    env: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in spec["env"].items()
    }
    collect(
        spec["kind"], out, spec["episodes"], spec["seed"], workers, spec["policy"], spec["compression"],
        spec["shard_episodes"], progress=progress, **env,
    )  # fmt: skip


def _data(name: str, before: Path, again: Path) -> Finding:
    """Two data sets, by the hashes of their shards."""
    if not (before / MANIFEST).is_file():
        return Finding(f"data {name}", f"its place: {before} is gone")
    return _shards(f"data {name}", *(read_json(place)["shards"] for place in (before, again)))


def _shards(name: str, before: Sequence[dict[str, Any]], again: Sequence[dict[str, Any]]) -> Finding:
    for one, other in zip(before, again, strict=False):
        if one["sha256"] != other["sha256"]:
            return Finding(name, f"{one['file']} ({one['sha256'][:12]} was, {other['sha256'][:12]} is)")
    if len(before) != len(again):
        return Finding(name, f"its size: {len(before)} shards were, {len(again)} are")
    return Finding(name, count=f"{len(before)} shards")


def _run(before: Path, again: Path) -> Finding:
    """Two runs, by the tensors of their encoders."""
    return compare_tensors(f"run {before.name}", before / ENCODER, again / ENCODER)


def compare_tensors(name: str, before: Path, again: Path) -> Finding:
    """Two files of tensors: the first that differs, and by how much."""
    one, other = load_file(before), load_file(again)
    for tensor in one:
        if tensor not in other or one[tensor].shape != other[tensor].shape:
            return Finding(name, f"{tensor}, which is of another shape or missing")
        if not one[tensor].equal(other[tensor]):
            most = (one[tensor].double() - other[tensor].double()).abs().max()
            return Finding(name, f"{tensor}, by at most {most:.3g}")
    return Finding(name, count=f"{len(one)} tensors")


def _numbers(before: Sequence[Result], again: Sequence[Result]) -> list[Finding]:
    """Numbers of each row on each set."""
    known, counts = _by_place(before), Counter((one.row, one.set) for one in again)
    differing: dict[tuple[str, str], str] = {}
    for place, one in _by_place(again).items():
        was = known.get(place)
        if was is None or not _same(was.value, one.value):
            told = "is new" if was is None else f"{was.value} was, {one.value} is"
            differing.setdefault((one.row, one.set), f"{one.protocol} {one.metric} of seed {one.seed}: {told}")
    return [
        Finding(f"numbers of {row} on {name}", differing.get((row, name), ""), f"{count} numbers")
        for (row, name), count in counts.items()
    ]


def _by_place(results: Sequence[Result]) -> dict[tuple[Any, ...], Result]:
    """Results by whose they are and of what; those that only a setting tells apart by their order."""
    found: dict[tuple[Any, ...], Result] = {}
    seen: Counter[tuple[Any, ...]] = Counter()
    for one in results:
        place = one.row, one.seed, one.set, one.protocol, one.metric
        found[*place, seen[place]] = one
        seen[place] += 1
    return found


def _same(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))


@contextmanager
def _scratch(given: Path | str | None) -> Iterator[Path]:
    if given is not None:
        yield Path(given).expanduser()
        return
    with tempfile.TemporaryDirectory(prefix="embodied-ssl-verify-") as name:
        yield Path(name)
