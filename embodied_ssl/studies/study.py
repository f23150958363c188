"""What the declaration of a study says: what is asked, what learns from which data, how it is measured and shown.

A study has one file, which ends in `STUDY = Study(...)`: in this folder, or anywhere outside of the package
(`--plugin`). The name of its file here is its name; one from outside has a field `name`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from embodied_ssl.datasets.errors import DataError, unknown_name
from embodied_ssl.evaluation.protocol import Protocol
from embodied_ssl.limits import Count, Positive, SomeShare, hold_fields
from embodied_ssl.parts.precision import Precision
from embodied_ssl.studies.data import DATA, StandardData


@dataclass(frozen=True)
class Row:
    """A row of the table: a method as on the command line, and what it learns from."""

    name: str
    """In tables and figures: `hold, across scenes`. A row that learns from labels begins with `labels`."""
    method: str
    """What follows `embodied-ssl train`: `simclr --source both --across scenes --temperature 0.1`; also `--encoder`,
    options of the recipe, of streams and of the hardware. What the study says for all rows counts where it is silent.
    """
    data: Mapping[str, str]
    """Of each stream of its loss, the name of a data set."""
    choices: tuple[str, ...] = ()
    """Further options, of which one is taken: the best on `Study.chosen_on`, after training by a seed apart."""
    samples: Positive = 1.0
    """How many it sees, in multiples of those of the study: for methods that make many views of each."""
    on: tuple[str, ...] = ()
    """The sets that it is measured on, by name; none: all."""

    def __post_init__(self) -> None:
        hold_fields(self)


@dataclass(frozen=True)
class On:
    """A set to measure on, and how."""

    data: str
    """The name of a data set, or of a set of images that the user gives (`--sets cifar10=PATH`)."""
    protocols: tuple[Protocol, ...]
    label: str | None = None
    """Of our own data sets: a column of their objects, or `scene`; None: the first of the kind."""
    splits: Count = 1
    """How often the set is divided for each seed; a number is the mean over them."""

    def __post_init__(self) -> None:
        hold_fields(self)


@dataclass(frozen=True)
class Size:
    """How much of it: what differs between the minute of a test and the day of a result."""

    samples: Count
    """Of each stream that a row sees."""
    seeds: Count
    choosing: SomeShare = 1.0
    """The share of its samples that a row sees for each of its choices."""
    precision: Precision = "32"
    rows: tuple[str, ...] = ()
    """The rows that it has, by name, where it has not the time for all; none: all."""

    def __post_init__(self) -> None:
        hold_fields(self)


@dataclass(frozen=True)
class Figure:
    """A figure that shows what was found: bars over rows, or a curve for each row."""

    title: str
    protocol: str
    """By name, as `linear_probe`."""
    metric: str
    """As the protocol calls it, `accuracy`; of a curve the part before `@`."""
    on: str = ""
    """The data set; nothing: each that the protocol has measured on."""
    label: str | None = None
    """The label, where a set is measured by several."""
    over: str = ""
    """Nothing: bars. Else curves over this axis, `labels of each class`: the number after `@` in the metric, or the
    setting of the measure that has this name."""
    rows: tuple[str, ...] = ()
    """Which of the rows, by name; none: all."""
    caption: str = ""


@dataclass(frozen=True, eq=False)
class Study:
    """One experiment: a question, what learns, on what it is measured, and what shows the answer."""

    question: str
    rows: tuple[Row, ...]
    on: tuple[On, ...]
    sizes: Mapping[str, Size]
    """By name: `minute`, `hour`, `day`, `gpu`."""
    figures: tuple[Figure, ...] = ()
    encoder: str = "conv4"
    image_size: Count = 48
    """Side of the images that encoders see, px."""
    batch_size: Count = 256
    chosen_on: On | None = None
    """What the choices of rows are tried on: its first protocol's first number counts. Never a set to measure on."""
    data: Mapping[str, StandardData] = field(default_factory=dict)
    """Data sets of its own, by name, beside the standard ones."""
    rescaled: bool = False
    """Whether there is a row `random ... rescaled`: weights before training, rescaled to what rows learn from."""
    learned: tuple[str, ...] = ()
    """Encoders that have learned already, `zoo/NAME` or the folder of a run: rows beside those that learn, for each
    seed the same."""
    name: str = ""

    def __post_init__(self) -> None:
        hold_fields(self)
        for what, names in (("row", self.rows), ("set", self.on)):
            if not names:
                raise DataError(f"a study needs at least one {what}")
        files = [file_name(row.name) for row in self.rows]
        if both := {file for file in files if files.count(file) > 1}:
            raise DataError(f"two rows are called {both.pop()}; a row needs a name of its own")
        if choosing := [row.name for row in self.rows if row.choices and self.chosen_on is None]:
            raise DataError(f"the row {choosing[0]} has choices; say with chosen_on what they are tried on")
        sets = [on.data for on in self.on]
        if unknown := [name for row in self.rows for name in row.on if name not in sets]:
            raise unknown_name("set to measure on", unknown[0], sets)
        if self.chosen_on is not None and self.chosen_on.data in {on.data for on in self.on}:
            raise DataError(f"{self.chosen_on.data}: is measured on, so that nothing may be chosen on it")

    def data_of(self, rows: "tuple[Row, ...] | None" = None) -> list[str]:
        """The names of the data sets that rows learn from, and are chosen and measured on, each once."""
        return list(dict.fromkeys(self._data_of(self.rows if rows is None else rows)))

    def command(self, name: str, size: str, workers: int = 1) -> str:
        """The command line that does the study of this name, with the sets that whoever runs it gives."""
        given = [each for each in self.data_of() if each not in DATA and each not in self.data]
        sets = f" --sets {' '.join(f'{each}={each}.zip' for each in given)}" if given else ""
        side_by_side = f" --workers {workers}" if workers > 1 else ""
        return f"embodied-ssl study {name} --size {size}{side_by_side} --out {name}{sets}"

    def _data_of(self, rows: tuple[Row, ...]) -> Iterator[str]:
        for row in rows:
            yield from row.data.values()
        if self.chosen_on is not None and any(row.choices for row in rows):
            yield self.chosen_on.data
        yield from (on.data for on in self.on)


def file_name(name: str) -> str:
    """What the files of a row are called."""
    return re.sub(r"[^\w.+]+", "_", name).strip("_")
