"""A study of one size in a folder: where its data sets, runs and numbers lie, and the cells that make them."""

import math
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from embodied_ssl.cli.arguments import read_arguments
from embodied_ssl.cli.learning import arguments_of_train, train_parser
from embodied_ssl.data import check_streams
from embodied_ssl.datasets.collect.collection import collect
from embodied_ssl.datasets.collect.settings import env_settings
from embodied_ssl.datasets.errors import DataError, unknown_name
from embodied_ssl.datasets.images.sources import image_set
from embodied_ssl.datasets.store.manifest import MANIFEST, data_sha256
from embodied_ssl.evaluation.candidates import Untrained, fixed_encoders, untrained_rows
from embodied_ssl.evaluation.evaluate import plan
from embodied_ssl.evaluation.settings import USUAL, Settings
from embodied_ssl.studies.cells import Cell, Learning, MeasuredOn, Measuring, Try, split_seeds
from embodied_ssl.studies.data import DATA, collect_standard, standard
from embodied_ssl.studies.study import On, Row, Size, Study, file_name
from embodied_ssl.training.runs.checkpoint import read_configuration
from embodied_ssl.zoo import run_folder

CHOOSING_SEED = 1000
"""Of the runs that choose settings; none of them is measured."""


@dataclass(frozen=True)
class Experiment:
    """A study of one size in a folder."""

    study: Study
    size_name: str
    size: Size
    out: Path
    data: Path
    """The folder of data sets that are collected."""
    sets: Mapping[str, Path] = field(default_factory=dict)
    """Those that the user gives, by name."""
    settings: Settings = USUAL
    device: str = "auto"
    asked: Mapping[str, Any] = field(default_factory=dict)
    """What it was made of, where no declaration says it."""

    @property
    def seeds(self) -> range:
        """Of the runs that are measured."""
        return range(self.size.seeds)

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """The rows whose data are there or can be collected."""
        return tuple(row for row in self.study.rows if all(self._is_known(name) for name in row.data.values()))

    @cached_property
    def on(self) -> tuple[On, ...]:
        """The sets to measure on that are there or can be collected."""
        return tuple(on for on in self.study.on if self._is_known(on.data))

    def check(self) -> None:
        """Raise DataError, before any work, for rows that cannot learn and data that nobody knows."""
        for name in self.sets:
            if name not in (needed := self.study.data_of()):
                raise unknown_name("set", name, needed)
        left_out = [name for name in self.study.data_of() if not self._is_known(name)]
        for name in left_out:
            _tell(f"{name} was not given (--sets {name}=PATH): what needs it is left out")
        if not self.rows or not self.on:
            raise DataError(f"{self.study.name}: needs {', '.join(left_out)}; give them by --sets NAME=PATH")
        for name in self.study.learned:
            read_configuration(run_folder(name))
        for row in self.rows:
            for choice in row.choices or ("",):
                self._checked(row, choice)
        for name in self.needed:
            if name not in self.sets and not (self.place(name) / MANIFEST).is_file():
                wanted = self.study.data.get(name) or standard(name)
                env_settings(wanted.kind, dict(wanted.settings))
        for name in dict.fromkeys(on.data for on in self.on if on.data in self.sets):
            self._on_set(name)

    def collect(self, workers: int, engine: str, progress: bool, **how: Any) -> None:
        """Collect what is missing of its data sets."""
        size: Any = self.size_name
        for name in self.needed:
            if name in self.study.data:
                own = self.study.data[name]
                shared = {"workers": workers, "engine": engine, "progress": progress, "wait": True, **how}
                collect(own.kind, self.place(name), own.episodes_for(size), own.seed, **shared, **own.settings)
            elif name not in self.sets:
                collect_standard(name, size, self.place(name), workers, engine, progress, **how)

    @cached_property
    def needed(self) -> list[str]:
        """The names of all data sets that its cells read."""
        return [name for name in replace(self.study, rows=self.rows, on=self.on).data_of() if self._is_known(name)]

    def place(self, name: str) -> Path:
        """Where a data set lies."""
        return self.sets[name] if name in self.sets else self.data / f"{name}-{self.size_name}"

    def learning(self) -> list[Learning]:
        """A cell for each run, those of a seed together."""
        return [self._run(row, seed) for seed in self.seeds for row in self.rows]

    def measuring(self) -> list[Measuring]:
        """A cell for each run and each set; before them those of encoders that learned nothing."""
        names = dict.fromkeys(on.data for on in self.on)
        return [each for name in names for each in self._measuring(self._on_set(name))]

    def cells(self) -> list[Cell]:
        """All there is to do: what is needed stands before what needs it."""
        return [*self.tries(), *self.learning(), *self.measuring()]

    def tries(self) -> list[Try]:
        """A cell for each choice of each row."""
        return [each for row in self.rows for each in self._tries(row)]

    def _measuring(self, on: MeasuredOn) -> list[Measuring]:
        def place(row: str, seed: int) -> Path:
            return self.out / "measured" / f"{file_name(row)}-{seed}" / f"{file_name(on.name)}.json"

        found = [
            Measuring(row, seed, on, place(row, seed), untrained=self._untrained.get(row))
            for row in (*fixed_encoders(), *self._untrained)
            for seed in self.seeds
        ]
        learned = [(name, seed, run_folder(name)) for name in self.study.learned for seed in self.seeds]
        learned += [
            (row.name, seed, self.place_of_run(row, seed))
            for row in self.rows
            if on.name in (row.on or (on.name,))
            for seed in self.seeds
        ]
        return [*found, *(Measuring(row, seed, on, place(row, seed), run=run) for row, seed, run in learned)]

    def _on_set(self, name: str) -> MeasuredOn:
        if name not in self._on_sets:
            self._on_sets[name] = self._one_measured_on(name, tuple(on for on in self.on if on.data == name))
        return self._on_sets[name]

    @cached_property
    def _on_sets(self) -> dict[str, MeasuredOn]:
        return {}

    def _one_measured_on(self, name: str, on: tuple[On, ...]) -> MeasuredOn:
        """A set, after it was divided once for each seed. Raises DataError where it cannot be."""
        source = self.place(name)
        for one in on:
            own = replace(self.settings, label=one.label)
            (whole,) = plan([source], one.protocols, own, self.device)
            whole.prepare([seed for each in self.seeds for seed in split_seeds(each, one.splits)][:2])
        ours = (source / MANIFEST).is_file()
        sha256 = data_sha256(source) if ours else image_set(source, skip_damaged=self.settings.skip_damaged).fingerprint
        return MeasuredOn(name, source, sha256, on, self.settings, self.device)

    def _run(self, row: Row, seed: int) -> Learning:
        return self._learning(row, seed, self.place_of_run(row, seed), 1.0, "", self._tries(row))

    def place_of_run(self, row: Row, seed: int) -> Path:
        """Where a run lies."""
        return self.out / "runs" / f"{file_name(row.name)}-{seed}"

    def _tries(self, row: Row) -> tuple[Try, ...]:
        if self.study.chosen_on is None or not row.choices:
            return ()
        on = self._chosen_on
        folder = self.out / "choosing" / file_name(row.name)
        learning = [
            self._learning(row, CHOOSING_SEED, folder / str(number), self.size.choosing, choice)
            for number, choice in enumerate(row.choices)
        ]
        tried = zip(row.choices, learning, strict=True)
        return tuple(
            Try(row.name, choice, one, on, folder / f"{number}.json") for number, (choice, one) in enumerate(tried)
        )

    @cached_property
    def _chosen_on(self) -> MeasuredOn:
        assert self.study.chosen_on is not None  # held by Study
        return self._one_measured_on(self.study.chosen_on.data, (self.study.chosen_on,))

    def _learning(
        self, row: Row, seed: int, run: Path, share: float, choice: str, tries: tuple[Try, ...] = ()
    ) -> Learning:
        """A run as a command, whose updates follow from the samples and the batch."""
        batch = self._checked(row, choice)["recipe"].batch_size
        steps = max(1, math.ceil(self.size.samples * row.samples * share / batch))
        own, long = self._command(row, choice), ["--steps", str(steps), "--seed", str(seed)]
        said = (*own, *_options(row.data), *long)
        command = (*own, *self._streams(row), *long, "--out", str(run))
        return Learning(row.name, seed, command, said, run, steps * batch, batch, tries)

    def _streams(self, row: Row) -> list[str]:
        return _options({stream: str(self.place(name)) for stream, name in row.data.items()})

    def _command(self, row: Row, choice: str) -> list[str]:
        """What follows `embodied-ssl train`, without data, seed, updates and place: the study's own options first."""
        name, *own = words_of(row.method)
        usual = {"--encoder.name": self.study.encoder, "--encoder.image_size": self.study.image_size,
                 "--optimizer.batch_size": self.study.batch_size, "--hardware.precision": self.size.precision,
                 "--hardware.device": self.device,
                 "--training.skip_damaged": str(self.settings.skip_damaged).lower()}  # fmt: skip
        said = [word for option, value in usual.items() for word in (option, str(value))]
        return [name, *said, *own, *words_of(choice)]

    def _checked(self, row: Row, choice: str) -> dict[str, Any]:
        """The arguments of `train` of a row. Raises DataError where its text or its streams do not fit the method."""
        key = (row.name, choice)
        if key not in self._known:
            name, *own = self._command(row, choice)
            options: list[str] = [*own, *self._streams(row), "--out", "out"]
            _refuse(row, name, [*words_of(row.method)[1:], *words_of(choice)])
            given = arguments_of_train(name, train_parser(name, options).values(options))
            check_streams(given["method"], given["data"])
            self._known[key] = given
        return self._known[key]

    @cached_property
    def _known(self) -> dict[tuple[str, str], dict[str, Any]]:
        return {}

    @cached_property
    def _untrained(self) -> dict[str, Untrained]:
        runs = [
            (self._checked(row, "")["method"].encoder.settings, [self.place(name) for name in row.data.values()])
            for row in self.rows
        ]
        return untrained_rows(runs, self.study.rescaled)

    def _is_known(self, name: str) -> bool:
        return name in DATA or name in self.study.data or name in self.sets


def _refuse(row: Row, method: str, words: Sequence[str]) -> None:
    """Raise DataError where a row says itself what the study says of all rows."""
    if any(word.partition("=")[0] == "--config" for word in words):
        raise DataError(f"{row.name}: --config: a row is told by its options; give them instead")
    for name in (given.name for given in read_arguments(train_parser(method, words), words)):
        if name in ("optimizer.steps", "optimizer.epochs"):
            raise DataError(f"{row.name}: how many updates it makes follows from the samples of the study")
        if name in ("training.seed", "out") or name.startswith("data."):
            raise DataError(f"{row.name}: --{name}: the study says that of all rows; leave it out")


def _options(streams: Mapping[str, str]) -> list[str]:
    return [word for stream, source in streams.items() for word in (f"--data.{stream}", source)]


def words_of(text: str) -> list[str]:
    """The words of a method as it was named. Raises DataError where a quotation does not end."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise DataError(f"{text}: {error}") from None


def _tell(text: str) -> None:
    print(f"embodied-ssl: {text}", file=sys.stderr)
