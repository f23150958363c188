"""What an evaluation found: numbers, and all that is needed to find them again."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.store.files import write_atomically
from embodied_ssl.report.figures import Predictions, Tile

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Measure:
    """One number of a protocol, before it is known whose it is."""

    metric: str
    value: float
    settings: dict[str, Any] = field(default_factory=dict)
    """Whatever the number depends on: k, temperature, seeds, how many images were trained, validated and tested on."""
    tested: Rows = field(default_factory=lambda: np.empty(0, np.int64), repr=False, compare=False)
    """The rows of the image set that it was measured on."""
    lower_is_better: bool | None = None
    """None: as the protocol says of all its numbers."""
    unit: str | None = None
    """None: as the protocol says."""
    shown: tuple[tuple[Tile, ...], ...] = field(default=(), repr=False, compare=False)
    """Rows of images for a report: what is true, and what is predicted."""

    def __post_init__(self) -> None:
        """As files hold it. Raises DataError for what is no number, and for settings that JSON does not hold."""
        try:
            value = float(self.value)
        except (TypeError, ValueError):
            raise DataError(f"{self.metric}: a {type(self.value).__name__} is no number of a protocol") from None
        object.__setattr__(self, "value", value)
        object.__setattr__(self, "tested", np.asarray(self.tested, np.int64))
        try:
            json.dumps(self.settings)
        except TypeError:
            object.__setattr__(self, "settings", json.loads(json.dumps(self.settings, default=self._plain)))

    def _plain(self, value: Any) -> Any:
        if isinstance(value, PurePath):
            return str(value)
        if hasattr(value, "tolist"):  # of NumPy and torch
            return value.tolist()
        raise DataError(f"{self.metric}: its settings have a {type(value).__name__}; numbers, texts and lists of them")


@dataclass(frozen=True)
class Result:
    """One measured number. Results of one row, set, protocol and metric, by their sha256, differ in the seed alone."""

    row: str
    """Of the table: a method, or `random`; the shortest name that tells it from the other rows measured with it."""
    seed: int
    set: str
    """Of images; named as the row is."""
    protocol: str
    metric: str
    value: float
    settings: dict[str, Any] = field(default_factory=dict)
    set_sha256: str = ""
    """Of what the set holds."""
    row_sha256: str = ""
    """Of the run's configuration without its seed: method, settings, recipe and data."""
    learned_from: float = 0.0
    """The share of the test images that the run has learned from."""
    lower_is_better: bool = False
    unit: str = ""
    weights_sha256: str = ""
    """Of the encoder's tensors; nothing for raw pixels."""
    samples: int = 0
    """Of each stream that the run has seen."""
    from_labels: bool = False
    """Whether the run learned from labels, of few images or of all."""


class Results(list[Result]):
    """Results as a list that shows itself as tables.

    `shown` holds figures of what was measured, by row, for a report; no file keeps them.
    """

    def __init__(self, results: Iterable[Result] = ()):
        super().__init__(results)
        self.shown: dict[str, list[Predictions]] = {}

    def add(self, others: "Results") -> None:
        """Add others, and what they show."""
        self.extend(others)
        for row, figures in others.shown.items():
            self.shown.setdefault(row, []).extend(figures)

    def __repr__(self) -> str:
        from embodied_ssl.report.text import plain_tables

        return plain_tables(self) if self else "no results"

    def _repr_html_(self) -> str:
        """What a notebook shows: the tables of a report."""
        from embodied_ssl.report.cards import results_card

        return results_card(self)


def write_results(results: Sequence[Result], path: Path) -> None:
    """Write results as JSON to `path`, and as CSV beside it, both atomically."""
    content = json.dumps([asdict(result) for result in results], indent=1, ensure_ascii=False)
    text = io.StringIO()
    writer = csv.writer(text)
    names = [each.name for each in fields(Result) if each.name != "settings"]
    writer.writerow([*names, "settings"])
    for result in results:
        plain = [getattr(result, name) for name in names]
        shown = [f"{value:.6g}" if isinstance(value, float) else value for value in plain]
        writer.writerow([*shown, json.dumps(result.settings, ensure_ascii=False)])
    write_atomically(path, [content.encode()])
    write_atomically(path.with_suffix(".csv"), [text.getvalue().encode()])


def told_apart(results: Iterable[Result]) -> list[Result]:
    """The results with a name of its own for each set and for each row on it: of those that share one, a part of their
    sha256 is added.

    `evaluate` names what it measures together; this tells apart what comes from several evaluations.
    """
    found = list(results)
    for name, sha256, within in (("set", "set_sha256", ""), ("row", "row_sha256", "set")):
        known: dict[tuple[str, str], set[str]] = {}
        for result in found:
            known.setdefault((getattr(result, within, ""), getattr(result, name)), set()).add(getattr(result, sha256))
        for i, result in enumerate(found):
            if len(known[getattr(result, within, ""), getattr(result, name)]) > 1:
                shown = f"{getattr(result, name)} ({getattr(result, sha256)[:7] or 'unknown'})"
                found[i] = replace(result, set=shown) if name == "set" else replace(result, row=shown)
    return found


def read_results(path: Path | str) -> Results:
    """The results of a JSON file. Raises DataError where it is missing or damaged."""
    try:
        return Results(Result(**each) for each in json.loads(Path(path).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{path}: no results of embodied-ssl evaluate ({error})") from None
