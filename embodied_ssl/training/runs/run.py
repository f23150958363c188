"""A training run as an object, from the files in its directory; nothing heavy is loaded before it is asked for."""

import csv
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.zoo import run_folder

if TYPE_CHECKING:
    from embodied_ssl.encoders import Encoder
    from embodied_ssl.method import Method

CONFIGURATION = "run.json"
ENCODER = "encoder.safetensors"
METRICS = "metrics.csv"


@dataclass(frozen=True)
class Run:
    """One training run: what it was asked for and what it logged; its weights when they are asked for."""

    path: Path
    configuration: dict[str, Any]
    """The contents of `run.json`."""
    metrics: dict[str, tuple[list[float], list[float]]]
    """Steps and values of each metric, where it was logged."""
    row: str = ""
    """Its row in tables, where that is not the name of its method."""

    @property
    def name(self) -> str:
        """Of its directory."""
        return self.path.resolve().name

    @property
    def method(self) -> str:
        """The name of the method."""
        return str(self.configuration["method"])

    @property
    def label(self) -> str:
        """What it is called beside other runs: its row in tables, or its method."""
        return self.row or self.method

    @property
    def settings(self) -> list[tuple[str, str]]:
        """All that it was asked for, as name and value."""
        return _flat(self.configuration)

    @property
    def is_finished(self) -> bool:
        """Whether it has come to its end."""
        return (self.path / ENCODER).is_file()

    def load_encoder(self) -> "Encoder":
        """The encoder that it has learned, in evaluation mode. Raises DataError where there is none."""
        from embodied_ssl.training.runs.checkpoint import load_encoder

        return load_encoder(self.path)

    def load_method(self) -> "Method":
        """The whole method, heads included, in evaluation mode. Raises DataError where there is none."""
        from embodied_ssl.training.runs.checkpoint import load_method

        return load_method(self.path)

    def __repr__(self) -> str:
        state = "finished" if self.is_finished else "not finished"
        return f"Run({str(self.path)!r}: {self.method}, {state})"

    def _repr_html_(self) -> str:
        """What a notebook shows: how far it is, curves of what was logged, and its settings."""
        from embodied_ssl.report.cards import run_card

        return run_card(self)


def load_run(path: Path | str) -> Run:
    """The run in a directory; `metrics.csv` may be missing. Raises DataError where there is none or it is damaged."""
    directory = run_folder(path)
    file = directory / CONFIGURATION
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        content["method"]
    except FileNotFoundError:
        raise DataError(f"{directory}: no run of embodied-ssl train (run.json is missing)") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{file}: damaged ({error}); train again into another directory") from None
    return Run(directory, content, _read_metrics(directory / METRICS))


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
