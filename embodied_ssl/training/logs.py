"""What a run logs: a CSV file that a resumed run goes on with, TensorBoard, and a progress bar."""

import csv
import io
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from embodied_ssl.datasets.progress import progress_bar
from embodied_ssl.datasets.store.files import write_atomically
from embodied_ssl.training.run import METRICS


class Log:
    """Everywhere that a run tells of itself: the table, TensorBoard, the progress bar; only its main process does."""

    def __init__(self, run: Path, first_step: int, name: str, steps: int, images: int, *, main: bool, progress: bool):
        """images: of an update, those of all its streams and devices."""
        self._table = MetricsTable(run, first_step)
        self._bar = ProgressBar(name, first_step, steps, images, shown=progress and main)
        self._board = _tensorboard(run, first_step) if main else None

    def __enter__(self) -> "Log":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()
        if self._board:
            self._board.close()

    def advance(self, step: int, metrics: Mapping[str, float]) -> None:
        """Count an update, and note its metrics if there are any."""
        self._bar.advance()
        if metrics:
            self.note(step, metrics)
            self._bar.show(metrics)

    def note(self, step: int, metrics: Mapping[str, float]) -> None:
        """Note metrics of a step; several times for one step is fine."""
        self._table.add(step, metrics)
        for name, value in metrics.items():
            self._board.add_scalar(name, value, step) if self._board else None

    def warn(self, message: str) -> None:
        """Print a line above the bar."""
        self._bar.warn(message)

    def write(self) -> None:
        """Bring the table up to date, atomically."""
        self._table.write()


class MetricsTable:
    """`metrics.csv`: a row per logged step, a column per metric, empty where it was not logged."""

    def __init__(self, run: Path, first_step: int):
        """Go on with the rows before `first_step`; those after it belong to steps that will be done again."""
        self._path = run / METRICS
        self._rows: dict[int, dict[str, float]] = {}
        if self._path.is_file():
            for row in read_metrics(run):
                if row["step"] <= first_step:
                    self.add(int(row.pop("step")), row)

    def add(self, step: int, metrics: Mapping[str, float]) -> None:
        """Note metrics of a step; several times for one step is fine."""
        self._rows.setdefault(step, {}).update(metrics)

    def write(self) -> None:
        """Bring the file up to date, atomically."""
        columns = list(dict.fromkeys(name for row in self._rows.values() for name in row))
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(["step", *columns])
        for step in sorted(self._rows):
            row = self._rows[step]
            writer.writerow([step, *(f"{row[name]:.6g}" if name in row else "" for name in columns)])
        write_atomically(self._path, [text.getvalue().encode()])


def read_metrics(run: Path | str) -> list[dict[str, float]]:
    """The rows of a run's `metrics.csv`, each with its `step` and the metrics logged there."""
    with (Path(run) / METRICS).open(newline="", encoding="utf-8") as file:
        return [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(file)]


class ProgressBar:
    """Images trained on, images/s, time left, and the latest metrics, on standard error."""

    def __init__(self, name: str, first_step: int, steps: int, images: int, shown: bool):
        """images: of an update, those of all its streams."""
        self._images = images
        self._bar = progress_bar(steps * images, "images", name, shown, initial=first_step * images, scale=True)

    def advance(self) -> None:
        """Count an update."""
        self._bar.update(self._images)

    def show(self, metrics: Mapping[str, float]) -> None:
        """Show metrics beside the bar."""
        self._bar.set_postfix({name: f"{value:.3g}" for name, value in list(metrics.items())[:4]}, refresh=False)

    def warn(self, message: str) -> None:
        """Print a line above the bar."""
        self._bar.write(f"embodied-ssl: {message}", file=sys.stderr)

    def close(self) -> None:
        """End the bar."""
        self._bar.close()


def _tensorboard(run: Path, first_step: int) -> Any:
    from tensorboardX import SummaryWriter  # TensorBoard's files without TensorBoard

    return SummaryWriter(str(run / "tensorboard"), purge_step=first_step)
