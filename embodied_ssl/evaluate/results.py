"""What an evaluation found: numbers, and all that is needed to find them again."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.files import write_atomically


@dataclass(frozen=True)
class Measure:
    """One number of a protocol, before it is known whose it is."""

    metric: str
    value: float
    settings: dict[str, Any] = field(default_factory=dict)  # k, temperature, splits: whatever the number depends on


@dataclass(frozen=True)
class Result:
    """One measured number."""

    row: str  # of the table: a method, or `random`
    seed: int
    set: str  # of pictures
    protocol: str
    metric: str
    value: float
    settings: dict[str, Any] = field(default_factory=dict)


def write_results(results: Sequence[Result], path: Path) -> None:
    """Write results as JSON to `path`, and as CSV beside it, both atomically."""
    content = json.dumps([asdict(result) for result in results], indent=1, ensure_ascii=False)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["row", "seed", "set", "protocol", "metric", "value", "settings"])
    for result in results:
        plain = [result.row, result.seed, result.set, result.protocol, result.metric, f"{result.value:.6g}"]
        writer.writerow([*plain, json.dumps(result.settings, ensure_ascii=False)])
    write_atomically(path, [content.encode()])
    write_atomically(path.with_suffix(".csv"), [text.getvalue().encode()])


def read_results(path: Path | str) -> list[Result]:
    """The results of a JSON file. Raises DataError where it is missing or damaged."""
    try:
        return [Result(**each) for each in json.loads(Path(path).read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{path}: no results of embodied-ssl evaluate ({error})") from None
