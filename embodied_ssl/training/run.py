"""What a page knows of a run, from the files in its directory alone."""

import csv
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embodied_ssl.datasets.errors import DataError


@dataclass(frozen=True)
class Run:
    """One training run: its row in the tables, settings, and logged metrics."""

    name: str
    row: str
    settings: list[tuple[str, str]]
    metrics: dict[str, tuple[list[float], list[float]]]
    """Steps and values of each metric, where it was logged."""


def read_run(directory: Path) -> Run:
    """Read a run directory; `metrics.csv` may be missing. Raises DataError where one is damaged."""
    path = directory / "run.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        row = str(content["method"])
    except FileNotFoundError:
        raise DataError(f"{directory}: no run of embodied-ssl train (run.json is missing)") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: damaged ({error}); train again into another directory") from None
    return Run(
        name=directory.resolve().name,
        row=row,
        settings=_flat(content),
        metrics=_read_metrics(directory / "metrics.csv"),
    )


def _read_metrics(path: Path) -> dict[str, tuple[list[float], list[float]]]:
    found: dict[str, tuple[list[float], list[float]]] = {}
    if not path.is_file():
        return found
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                step = float(row.pop("step"))
                for name, text in row.items():
                    if text:
                        value = float(text)
                        steps, values = found.setdefault(name, ([], []))
                        steps.append(step)
                        values.append(value if math.isfinite(value) else math.nan)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, csv.Error) as error:
        raise DataError(f"{path}: damaged ({error}); delete it, the report does without") from None
    return found


def _flat(content: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Settings as name and value; of nested ones `recipe, steps`."""
    rows: list[tuple[str, str]] = []
    for name, value in content.items():
        label = f"{prefix}{str(name).replace('_', ' ')}"
        if isinstance(value, dict):
            rows += _flat(value, f"{label}, ")
        elif value is not None and value != "":
            rows.append((label, ", ".join(map(str, value)) if isinstance(value, list) else str(value)))
    return rows
