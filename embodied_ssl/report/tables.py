"""Results as tables: rows are methods, columns measures, cells a mean with its 95 % confidence interval over seeds."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from embodied_ssl.datasets.gallery.charts import words
from embodied_ssl.evaluation.results import Result, told_apart

_ORDER = {"raw pixels": (0, 0), "random": (0, 1), "labels": (2, 0), "imagenet": (2, 1)}
"""Where rows come that begin with these words: before all methods, or after them."""

_IN_A_CHART = "ρ of motion"  # too many for a table


@dataclass(frozen=True)
class Column:
    """One measure: on what, how, and the settings that tell it from others of the same name."""

    set: str
    protocol: str
    metric: str
    settings: tuple[tuple[str, Any], ...] = ()
    lower_is_better: bool = False
    unit: str = ""

    @property
    def label(self) -> str:
        """The measure in words, and its unit."""
        metric = words(self.metric) + (f" [{self.unit}]" if self.unit else "")
        return ", ".join([metric, *(f"{words(name)} = {value}" for name, value in self.settings)])


@dataclass(frozen=True)
class Cell:
    """A mean over seeds. `half` of the confidence interval is NaN for one seed."""

    mean: float
    half: float
    seeds: int
    best: bool = False
    """Of the rows that saw no labels, or of all where nothing has learned without, if its interval is apart from those
    of all the others; never one that learned from the test."""
    share: float = 0.0
    """Length of the bar behind the number: 0 to 1, of the largest in its column."""
    learned_from: float = 0.0
    """The largest share, of any seed, of the test images that the run has learned from."""
    samples: int = 0
    """Of each stream that the run has seen."""
    from_labels: bool = False
    """Whether the run learned from labels."""
    by_seed: Mapping[int, float] = field(default_factory=dict, compare=False, repr=False)

    @property
    def text(self) -> str:
        """The mean in three decimals; a dash where it is no number."""
        return _decimals(self.mean)

    @property
    def interval(self) -> str:
        """The interval, or nothing where there is none."""
        return f"± {_decimals(self.half)}" if math.isfinite(self.half) and math.isfinite(self.mean) else ""


@dataclass(frozen=True)
class Table:
    """Cells by row and column; None where a row was not measured."""

    title: str
    columns: list[Column]
    rows: list[tuple[str, list[Cell | None]]]

    @property
    def warnings(self) -> dict[str, str]:
        """What is to be said of rows that have learned from what they are measured on."""
        shares = {row: max((cell.learned_from for cell in own if cell), default=0.0) for row, own in self.rows}
        return {row: f"learned from {_percent(share)} of the test images" for row, share in shares.items() if share > 0}

    @property
    def samples(self) -> dict[str, int]:
        """How many samples of each stream a row has learned from; nothing where none has learned from any."""
        seen = {row: max((cell.samples for cell in own if cell), default=0) for row, own in self.rows}
        return seen if any(seen.values()) else {}

    @property
    def first_reference(self) -> str | None:
        """The first of the rows that saw labels, if others come before it."""
        return next((row for row, _ in self.rows[1:] if row_order(row)[0] == 2), None)

    @property
    def groups(self) -> list[tuple[str, int]]:
        """Neighbouring columns of one protocol: its name, and how many."""
        found: list[tuple[str, int]] = []
        for column in self.columns:
            if found and found[-1][0] == words(column.protocol):
                found[-1] = (found[-1][0], found[-1][1] + 1)
            else:
                found.append((words(column.protocol), 1))
        return found


def tables(results: Sequence[Result]) -> list[Table]:
    """A table for each set."""
    return [_table(name, own) for name, own in _by_set(told_apart(results))]


def cells(results: Iterable[Result]) -> dict[str, dict[Column, Cell]]:
    """The mean over seeds of each row and column: over results of one row and set by their sha256, not by name."""
    results = told_apart(results)
    telling = _telling_settings(results)
    alike: dict[str, dict[Column, list[Result]]] = {}
    for result in results:
        names = telling[result.set, result.protocol, result.metric]
        settings = tuple((name, result.settings[name]) for name in names if name in result.settings)
        how = result.lower_is_better, result.unit
        column = Column(result.set, result.protocol, result.metric, settings, *how)
        alike.setdefault(result.row, {}).setdefault(column, []).append(result)
    return {row: {column: _cell(found) for column, found in own.items()} for row, own in alike.items()}


def row_order(name: str) -> tuple[int, int]:
    """What rows are sorted by: raw pixels and random features first, then methods, then those that saw labels.

    By the words that a name begins with, as those of `random resnet8` and `labels, 1 %`: `random_crops` is a method.
    """
    low = name.lower()
    return next((place for word, place in _ORDER.items() if re.match(rf"{word}(?![\w/-])", low)), (1, 0))


def _table(title: str, results: Sequence[Result]) -> Table:
    found = cells(results)
    measured = {column for own in found.values() for column in own if not column.metric.startswith(_IN_A_CHART)}
    columns = sorted(measured, key=_column_order(results))
    rows = []
    for row in sorted(found, key=row_order):
        rows.append((row, [_marked(found, row, column) for column in columns]))
    return Table(title, columns, rows)


def _marked(found: dict[str, dict[Column, Cell]], row: str, column: Column) -> Cell | None:
    """A cell with its place among the others of its column."""
    cell = found[row].get(column)
    if cell is None:
        return None
    means = [own[column].mean for own in found.values() if column in own and math.isfinite(own[column].mean)]
    if not math.isfinite(cell.mean):
        return cell
    honest = [row for row, own in found.items() if column in own and not own[column].learned_from]
    unlabelled = [row for row in honest if row_order(row)[0] < 2 and not found[row][column].from_labels]
    fair = unlabelled if any(row_order(row)[0] == 1 for row in unlabelled) else honest
    rivals = [found[one][column] for one in fair if one != row and math.isfinite(found[one][column].mean)]
    best = row in fair and bool(rivals) and all(_is_better(cell, rival, column) for rival in rivals)
    share = min(max(cell.mean / (max(means) if max(means) > 0 else 1), 0), 1)
    return replace(cell, best=best, share=share)


def _is_better(cell: Cell, other: Cell, column: Column) -> bool:
    """Whether a number is better by more than both intervals; without them, of one seed, nobody can tell."""
    ahead = (other.mean - cell.mean) if column.lower_is_better else (cell.mean - other.mean)
    return ahead > cell.half + other.half  # False where one is NaN


def _cell(alike: list[Result]) -> Cell:
    """Mean and interval. One value that is no number makes none of the mean."""
    learned_from, samples = (max(getattr(one, name) for one in alike) for name in ("learned_from", "samples"))
    found, by_seed = _over_seeds([result.value for result in alike]), {result.seed: result.value for result in alike}
    from_labels = any(one.from_labels for one in alike)
    return replace(found, learned_from=learned_from, samples=samples, from_labels=from_labels, by_seed=by_seed)


def _over_seeds(values: Sequence[float]) -> Cell:
    """Mean and half of Student's 95 % interval."""
    mean, half = float(np.mean(values)), math.nan
    if len(values) > 1 and math.isfinite(mean):
        from scipy import stats  # takes longer to import than a card of a run takes in all

        error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
        half = error * float(stats.t.ppf(0.975, len(values) - 1))
    return Cell(mean, half, len(values))


def difference(mine: Cell, theirs: Cell) -> Cell | None:
    """How much more one row has than another one, seed by seed, with the interval of that (the paired t interval).

    Rows with the same seed were measured on the same division of a set, by the same labels: what these do to both is
    no doubt about which is ahead. None where the two share no seed.
    """
    shared = sorted({*mine.by_seed} & {*theirs.by_seed})
    return _over_seeds([mine.by_seed[seed] - theirs.by_seed[seed] for seed in shared]) if shared else None


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.01 else "under 1 %"


def _telling_settings(results: Sequence[Result]) -> dict[tuple[str, str, str], list[str]]:
    """The settings that differ among results of one row, seed and measure: each value gets a column of its own."""
    alike: dict[tuple[str, str, str], dict[tuple[str, int], list[dict[str, Any]]]] = {}
    for result in results:
        measure = alike.setdefault((result.set, result.protocol, result.metric), {})
        measure.setdefault((result.row, result.seed), []).append(result.settings)
    return {key: sorted({name for own in runs.values() for name in _differing(own)}) for key, runs in alike.items()}


def _differing(settings: list[dict[str, Any]]) -> set[str]:
    first = settings[0]
    names = {name for one in settings for name, value in one.items() if isinstance(value, int | float | str)}
    return {name for name in names if any(one.get(name) != first.get(name) for one in settings)}


def _column_order(results: Sequence[Result]) -> Any:
    """Protocols and metrics as they come; numbers in names and settings by size."""
    protocols = list(dict.fromkeys(result.protocol for result in results))
    metrics = list(dict.fromkeys(result.metric for result in results))

    def key(column: Column) -> tuple[Any, ...]:
        numbers = [
            (name, value if isinstance(value, int | float) else math.inf, str(value)) for name, value in column.settings
        ]
        return protocols.index(column.protocol), metrics.index(column.metric), numbers

    return key


def _by_set(results: Sequence[Result]) -> list[tuple[str, list[Result]]]:
    names = dict.fromkeys(result.set for result in results)
    return [(name, [result for result in results if result.set == name]) for name in names]


def _decimals(value: float) -> str:
    return f"{value:.3f}".replace("-", "−") if math.isfinite(value) else "–"
