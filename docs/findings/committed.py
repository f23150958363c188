"""What studies found, as it is committed: the results of the longest size of each, and cells of their tables."""

import csv
import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path

from embodied_ssl.evaluation.protocols import protocol_name
from embodied_ssl.evaluation.results import Result
from embodied_ssl.report.answers import place_of
from embodied_ssl.report.tables import Cell, cells
from embodied_ssl.studies import study_named
from embodied_ssl.studies.data import SIZES
from embodied_ssl.studies.study import Row, Study

RESULTS = Path(__file__).parent.parent / "results"
UNTRAINED = "random weights"
"""What rows such as `random resnet8` are called in figures: the encoder as it is before any training."""
RESCALED = f"{UNTRAINED}, rescaled"
PIXELS = "raw pixels"


class NotThere(Exception):
    """Results of a study that a section needs and nobody has committed yet: it is left out."""


class Cells(dict[str, Cell]):
    """Cells by row. Raises NotThere for a row that is not there."""

    def __init__(self, study: str, of: Mapping[str, Cell]):
        super().__init__(of)
        self.study = study

    def __missing__(self, row: str) -> Cell:
        raise NotThere(self.study)


@dataclass(frozen=True)
class Measured:
    """Numbers of one measure on one set; of a curve, at each of its places."""

    results: tuple[Result, ...]
    study: str = ""
    """Which has measured them; nothing: a paper."""

    def __post_init__(self) -> None:
        if not self.results:
            raise NotThere(self.study)

    @cached_property
    def cells(self) -> "Cells":
        """Mean and interval of each row."""
        return Cells(self.study, {row: next(iter(own.values())) for row, own in cells(self.results).items()})

    def of(self, *rows: str) -> "Measured":
        """The numbers of some rows, those of encoders without training as `random weights`.

        Raises NotThere where one of them is missing.
        """
        if {*rows} - {one.row for one in self.results}:
            raise NotThere(self.study)
        own = (replace(one, row=plain(one.row)) for row in rows for one in self.results if one.row == row)
        return Measured(tuple(own), self.study)

    def at(self, place: float) -> "Measured":
        """The numbers at one place of a curve."""
        return Measured(tuple(one for one in self.results if place_of(one, "") == place), self.study)


@dataclass(frozen=True)
class Committed:
    """The results of a study at its longest size."""

    name: str
    size: str
    results: tuple[Result, ...]

    @property
    def study(self) -> Study:
        """Its declaration."""
        return study_named(self.name)

    def measure(self, protocol: str, metric: str, on: str, label: str = "") -> Measured:
        """One measure, `metric` by its whole name. Raises NotThere where nothing was measured so."""
        return Measured(tuple(one for one in self._on(protocol, on, label) if one.metric == metric), self.name)

    def curve(self, protocol: str, metric: str, on: str, label: str = "") -> Measured:
        """A measure at several places, `metric` up to its `@`. Raises NotThere as `measure`."""
        parts = ((one, one.metric.partition("@")) for one in self._on(protocol, on, label))
        return Measured(tuple(one for one, (name, at, _) in parts if name == metric and at), self.name)

    def untrained(self, row: str) -> str:
        """The row of the encoder with which a row began, before any training."""
        return f"random {self._encoder(next(each for each in self.study.rows if each.name == row))}"

    def has(self, *rows: str) -> list[str]:
        """Those of the rows that there are."""
        there = {one.row for one in self.results}
        return [row for row in rows if row in there]

    def samples(self) -> int:
        """The most that a row has seen of a stream."""
        return max(one.samples for one in self.results)

    def seeds(self) -> int:
        """Of how many seeds the results are."""
        return len({one.seed for one in self.results})

    def covers(self, other: "Committed") -> bool:
        """Whether it has, by two seeds at least, all that another size has: a study may be committed cell by cell."""
        return self._measured(2) >= other._measured(1)

    def _measured(self, seeds: int) -> set[tuple[str, str, str]]:
        """Which rows were measured by which protocols on which sets by so many seeds, of all that is declared."""
        own = {(one.row, one.set.partition(" by ")[0], one.protocol, one.seed) for one in self.results}
        count = Counter(each[:3] for each in own)
        rows = {row.name for row in self.study.rows}
        asked = {(on.data, protocol_name(each)) for on in self.study.on for each in on.protocols}
        return {each for each, of in count.items() if of >= seeds and each[0] in rows and each[1:] in asked}

    def _on(self, protocol: str, on: str, label: str) -> list[Result]:
        def is_meant(one: Result) -> bool:
            name, _, by = one.set.partition(" by ")
            return one.protocol == protocol and name == on and label in ("", by)

        return [one for one in self.results if is_meant(one)]

    def _encoder(self, row: Row) -> str:
        named = re.search(r"--encoder (\S+)", row.method)
        name = named[1] if named else self.study.encoder
        return f"split/{name}" if row.method.startswith("split_brain") else name


def committed(name: str) -> Committed:
    """What is committed of a study at its longest size, as soon as that has all that a shorter one has.

    Raises NotThere where nothing is.
    """
    paths = {size: RESULTS / f"{name}-{size}" / "results.csv" for size in SIZES}
    found = [Committed(name, size, read(path)) for size, path in paths.items() if path.is_file()]
    if not found:
        raise NotThere(name)
    best, *longer = found
    for each in longer:
        best = each if each.covers(best) else best
    return best


@cache
def read(path: Path) -> tuple[Result, ...]:
    """The results of a `results.csv`."""
    with path.open(encoding="utf-8", newline="") as file:
        return tuple(map(_result, csv.DictReader(file)))


def plain(row: str) -> str:
    """The name of a row in figures."""
    if row.startswith("random "):
        return RESCALED if row.endswith(" rescaled") else UNTRAINED
    return row.replace("_", " ")


def _result(line: Mapping[str, str]) -> Result:
    told = {name: line[name] for name in ("row", "set", "protocol", "metric", "unit")}
    told |= {name: line[name] for name in ("set_sha256", "row_sha256", "weights_sha256")}
    return Result(
        **told,
        seed=int(line["seed"]),
        value=float(line["value"]),
        settings=json.loads(line["settings"]),
        learned_from=float(line["learned_from"]),
        lower_is_better=line["lower_is_better"] == "True",
        samples=int(line["samples"]),
        from_labels=line.get("from_labels") == "True",
    )
