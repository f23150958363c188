"""What a worker does of a study: it learns one run, tries one choice, or measures one run on one set.

Each cell leaves files that say of what it was made, so that it is done once: whoever starts it again finds them.
"""

import hashlib
import json
import math
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from embodied_ssl.cli.learning import arguments_of_train, train_parser
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.images.encoded import replaced
from embodied_ssl.datasets.store.files import file_sha256, write_atomically
from embodied_ssl.datasets.store.manifest import MANIFEST
from embodied_ssl.evaluation.candidates import Candidate, Untrained, fixed_encoders, learned_by, row_sha256
from embodied_ssl.evaluation.evaluate import plan
from embodied_ssl.evaluation.features import FeaturesOf
from embodied_ssl.evaluation.protocol import Protocol
from embodied_ssl.evaluation.protocols import protocol_name
from embodied_ssl.evaluation.results import Result, Results
from embodied_ssl.evaluation.settings import Settings
from embodied_ssl.evaluation.shown import read_shown, write_shown
from embodied_ssl.report.figures import Predictions
from embodied_ssl.studies.study import On
from embodied_ssl.training.callbacks import Callback, Metrics
from embodied_ssl.training.runs.checkpoint import is_finished, read_configuration
from embodied_ssl.training.runs.outside import digests_of
from embodied_ssl.training.runs.run import ENCODER
from embodied_ssl.training.runs.state import TrainingState
from embodied_ssl.training.train import train

ENDED = ".ended.json"
"""Of a run that has ended: what it was asked for, and the hash of its encoder. It stands for one that is elsewhere."""
PROGRESS = ".progress.json"
"""Of a run under way or ended: updates, and the seconds of a core that they took."""
_QUIETLY = ("--progress", "false", "--logger", "csv", "--checkpoint_every", "100")
_WAIT_S = 0.5


@dataclass(frozen=True)
class Try:
    """One choice of a row: learned by a seed apart, and measured on what nothing else is measured on."""

    row: str
    choice: str
    learning: "Learning"
    on: "MeasuredOn"
    file: Path

    def is_ready(self) -> bool:
        """Whether what it needs is there."""
        return True

    def is_done(self) -> bool:
        """Whether its number is there, of the same run and set."""
        with suppress(OSError, ValueError, KeyError):
            return bool(json.loads(self.file.read_text(encoding="utf-8"))["of"] == self._identity())
        return False

    def work(self) -> None:
        """Learn, measure, and write the number."""
        if self.is_done():
            return
        self.learning.work()
        first, *_ = self.on.measure(learned_by(self.learning.run, self.row))
        _write(self.file, {"of": self._identity(), "choice": self.choice, **asdict(first)})

    def _identity(self) -> str:
        return _digest({"command": self.learning.said, "on": self.on.said()})


@dataclass(frozen=True)
class Learning:
    """A run: one row and one seed."""

    row: str
    seed: int
    command: tuple[str, ...]
    """What follows `embodied-ssl train`."""
    said: tuple[str, ...]
    """The same by the names of data sets, wherever they and the run lie."""
    run: Path
    samples: int
    batch_size: int
    tries: tuple[Try, ...] = ()

    def is_ready(self) -> bool:
        """Whether what it needs is there."""
        return all(each.is_done() for each in self.tries)

    def is_done(self) -> bool:
        """Whether the run has ended, here or elsewhere."""
        return has_ended(self.run)

    def work(self) -> None:
        """Learn, or find that it was learned. Raises DataError where another run is there."""
        _wait(self.is_ready)
        chosen = shlex.split(best_of(self.tries))
        said = [*self.said, *chosen]
        if self.is_done() and not is_finished(self.run):
            if (other := _ended(self.run)["said"]) != said:
                raise DataError(
                    f"{self.run}: has learned elsewhere by `{shlex.join(other)}`, not by `{shlex.join(said)}`; name "
                    "another --out, or delete it"
                )
            return
        name, *options = [*self.command, *chosen]
        given = arguments_of_train(name, train_parser(name, [*options, *_QUIETLY]).values([*options, *_QUIETLY]))
        steps = given["recipe"].steps
        if is_finished(self.run) and (ended := read_configuration(self.run)["recipe"]["steps"]) != steps:
            raise DataError(
                f"{self.run}: holds a run whose recipe.steps is {ended}, not {steps}; name another --out, or delete it"
            )
        train(**given, callbacks=[_Told()])
        _write(self.run / ENDED, {"said": said, "encoder_sha256": file_sha256(self.run / ENCODER)})


def has_ended(run: Path) -> bool:
    """Whether a run has ended, here or where nothing but its numbers was kept."""
    return is_finished(run) or (run / ENDED).is_file()


def _ended(run: Path) -> dict[str, Any]:
    return dict(json.loads((run / ENDED).read_text(encoding="utf-8")))


def best_of(tries: Sequence[Try]) -> str:
    """The choice whose number is best; nothing where there is none to make."""
    told = [json.loads(each.file.read_text(encoding="utf-8")) for each in tries]
    if not told:
        return ""
    known = [one for one in told if math.isfinite(one["value"])] or told
    best = (min if told[0]["lower_is_better"] else max)(known, key=lambda one: one["value"])
    return str(best["choice"])


@dataclass(frozen=True)
class MeasuredOn:
    """One set of images, and all by which it is measured there."""

    name: str
    source: Path
    sha256: str
    """Of what it holds."""
    on: tuple[On, ...]
    settings: Settings
    device: str

    def measure(self, candidate: Candidate) -> Results:
        """All numbers of a row, each the mean over splits, and what is shown of the first of these."""
        features: dict[str, FeaturesOf] = {}
        found = Results()
        for on in self.on:
            (whole,) = plan([self.source], on.protocols, replace(self.settings, label=on.label), self.device)
            if (self.source / MANIFEST).is_file():  # which can have several labels
                whole.images = replace(whole.images, name=f"{self.name} by {whole.images.name.rpartition(' by ')[2]}")
            else:
                whole.images = replace(whole.images, name=self.name)
            seen = whole.images.fingerprint
            if seen not in features:
                features[seen] = FeaturesOf(candidate.encoder, whole.images, whole.device)
            for divides in (True, False):
                part = replace(whole, protocols=[one for one in whole.protocols if one.divides is divides], prepared={})
                seeds = split_seeds(candidate.seed, on.splits if divides else 1)
                part.prepare(seeds, told=False)
                each = [part.measure(replace(candidate, seed=seed), features[seen]) for seed in seeds]
                found.add(Results(mean_over_splits(each, candidate.seed)))
                for shown in each[0].shown.values():
                    found.shown.setdefault(candidate.row, []).extend(shown)
            if damaged := whole.images.damaged():
                _say_once(f"{whole.images.name}: {replaced(damaged)}")
        return found

    def said(self) -> dict[str, Any]:
        """All that the numbers depend on, but for what is measured."""
        by = [{"label": on.label, "splits": on.splits} | _said_of(on.protocols) for on in self.on]
        return {"set": self.name, "sha256": self.sha256, "by": by, "settings": asdict(self.settings)}


def _said_of(protocols: Sequence[Protocol]) -> dict[str, Any]:
    """Settings of protocols by name, and what code those from outside are made of."""
    said: dict[str, Any] = {}
    for each in protocols:
        name = protocol_name(each)
        alike = sum(type(other) is type(each) for other in protocols[: protocols.index(each)])
        said[f"{name} {alike + 1}" if alike else name] = asdict(each)
        if code := digests_of(type(each)):
            said[f"code of {name}"] = code
    return said


@dataclass(frozen=True)
class Measuring:
    """One run, or one encoder that has learned nothing, on one set."""

    row: str
    seed: int
    on: MeasuredOn
    file: Path
    run: Path | None = None
    untrained: Untrained | None = None
    """An encoder as it is before training."""

    def is_ready(self) -> bool:
        """Whether what it needs is there."""
        return self.run is None or has_ended(self.run)

    def is_done(self) -> bool:
        """Whether its numbers are there, of the same weights, set and protocols."""
        with suppress(OSError, ValueError, KeyError):
            return self.is_ready() and json.loads(self.file.read_text(encoding="utf-8"))["of"] == self._identity()
        return False

    def work(self) -> None:
        """Measure, and write the numbers."""
        _wait(self.is_ready)
        if self.is_done():
            return
        if self.run is not None and not is_finished(self.run):
            raise DataError(
                f"{self.run}: has learned elsewhere, and was not measured on this {self.on.name} by these protocols; "
                "delete it, so that it learns again"
            )
        started = time.process_time()
        found = self.on.measure(self.candidate())
        told = {"of": self._identity(), "results": [asdict(each) for each in found]}
        if self.seed == 0 and found.shown:  # the page shows the first runs alone
            self._pictures.parent.mkdir(parents=True, exist_ok=True)
            write_shown(found.shown[self.row], self._pictures)
        _write(self.file, told | {"seconds": time.process_time() - started})

    def candidate(self) -> Candidate:
        """The encoder with the name of its row."""
        if self.run is not None:
            return replace(learned_by(self.run, self.row), seed=self.seed)
        if self.untrained:
            return self.untrained.candidate(self.row, self.seed)
        return Candidate(self.row, self.seed, fixed_encoders()[self.row]())

    def results(self) -> list[Result]:
        """The numbers that are there; what their run is called by its content, the present code says where it can."""
        told = json.loads(self.file.read_text(encoding="utf-8"))["results"]
        there = self.run is not None and is_finished(self.run)
        own = {"row_sha256": row_sha256(read_configuration(self.run))} if self.run and there else {}
        return [Result(**{**each, **own}) for each in told]

    def shown(self) -> list[Predictions]:
        """What a page shows of it."""
        return read_shown(self._pictures)

    @property
    def _pictures(self) -> Path:
        return self.file.with_suffix(".npz")

    def seconds(self) -> float:
        """Of a core, that measuring took."""
        return float(json.loads(self.file.read_text(encoding="utf-8"))["seconds"])

    def _identity(self) -> str:
        untrained = self.untrained.said() if self.untrained else {}
        if self.run is None:
            weights = json.dumps(untrained, sort_keys=True)
        elif is_finished(self.run):
            weights = file_sha256(self.run / ENCODER)
        else:
            weights = _ended(self.run)["encoder_sha256"]
        return _digest({"row": self.row, "seed": self.seed, "weights": weights, "on": self.on.said()})


Cell = Try | Learning | Measuring


def work(cell: Cell) -> Cell:
    """Do a cell on one thread: what it gives does not depend on how many work beside it."""
    import torch
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):  # of what sums for scikit-learn and NumPy
            cell.work()
    finally:
        torch.set_num_threads(before)
    return cell


def split_seeds(seed: int, splits: int) -> list[int]:
    """The seeds of the divisions of a set for the runs of a seed: no two seeds share one."""
    return [seed * splits + split for split in range(splits)]


def mean_over_splits(each: Sequence[Sequence[Result]], seed: int) -> list[Result]:
    """The same measures on several divisions of a set as one: their mean, with the numbers of all in its settings."""
    if len(each) == 1:
        return [replace(one, seed=seed) for one in each[0]]
    found = []
    for alike in zip(*each, strict=True):
        values = [one.value for one in alike]
        settings = {**alike[0].settings, "values_by_split": values}
        share = max(one.learned_from for one in alike)
        found.append(replace(alike[0], seed=seed, value=float(np.mean(values)), settings=settings, learned_from=share))
    return found


class _Told(Callback):
    """Writes how far a run is, and how many seconds of a core it took, in all sessions together."""

    def __init__(self) -> None:
        self._began, self._last = time.process_time(), 0.0
        self._before: float | None = None

    def on_update(self, state: TrainingState, metrics: Metrics) -> None:
        """At most once a second."""
        if time.monotonic() - self._last >= 1:
            self._tell(state)

    def on_end(self, state: TrainingState) -> None:
        """Whatever has come of it."""
        self._tell(state)

    def _tell(self, state: TrainingState) -> None:
        if self._before is None:
            self._before = read_progress(state.out)[1]
        self._last = time.monotonic()
        seconds = self._before + time.process_time() - self._began
        _write(state.out / PROGRESS, {"updates": state.updates, "seconds": seconds})


def read_progress(run: Path) -> tuple[int, float]:
    """Updates that a run has made, and the seconds of a core that they took."""
    try:
        told = json.loads((run / PROGRESS).read_text(encoding="utf-8"))
        return int(told["updates"]), float(told["seconds"])
    except (OSError, ValueError, KeyError):
        return 0, 0.0


@cache
def _say_once(what: str) -> None:
    print(f"embodied-ssl: {what}", file=sys.stderr)


def _digest(of: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(of, sort_keys=True, default=str).encode()).hexdigest()


def _wait(is_ready: Callable[[], bool]) -> None:
    """Until another worker has made what is needed; it has begun before this one."""
    while not is_ready():
        time.sleep(_WAIT_S)


def _write(path: Path, told: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, [json.dumps(told, ensure_ascii=False).encode()])
