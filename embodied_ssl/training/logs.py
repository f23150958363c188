"""Where a run logs: a CSV file that a resumed run goes on with, TensorBoard's files, Weights & Biases, MLflow."""

import csv
import hashlib
import io
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.store.files import write_atomically
from embodied_ssl.training.callbacks import Callback, Metrics
from embodied_ssl.training.runs.run import METRICS
from embodied_ssl.training.runs.state import TrainingState
from embodied_ssl.training.settings import Logger

PROJECT = "embodied-ssl"
"""The project of Weights & Biases and the experiment of MLflow that runs are logged in."""


class MetricsLog(Callback):
    """Logs metrics by the number of their step, the first being 0: those of updates, and those of the monitor."""

    def on_update(self, state: TrainingState, metrics: Metrics) -> None:
        if metrics:
            self.log(state.updates - 1, metrics)

    def on_monitor(self, state: TrainingState, metrics: Metrics) -> None:
        self.log(state.updates - 1, metrics)

    def log(self, step: int, metrics: Metrics) -> None:
        """Note metrics of a step; several times for one step is fine."""
        raise NotImplementedError


class MetricsTable(MetricsLog):
    """`metrics.csv`: a row per logged step, a column per metric, empty where it was not logged."""

    def __init__(self, run: Path, first_step: int, configuration: Mapping[str, Any] | None = None):
        """Go on with the rows before `first_step`; those after it belong to steps that will be done again."""
        self._path = run / METRICS
        self._rows: dict[int, dict[str, float]] = {}
        if self._path.is_file():
            for row in read_metrics(run):
                if row["step"] <= first_step:
                    self.log(int(row.pop("step")), row)

    def log(self, step: int, metrics: Metrics) -> None:
        self._rows.setdefault(step, {}).update(metrics)

    def on_save(self, state: TrainingState) -> None:
        """Bring the file up to date, atomically."""
        columns = list(dict.fromkeys(name for row in self._rows.values() for name in row))
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(["step", *columns])
        for step in sorted(self._rows):
            row = self._rows[step]
            writer.writerow([step, *(f"{row[name]:.6g}" if name in row else "" for name in columns)])
        write_atomically(self._path, [text.getvalue().encode()])


class TensorBoard(MetricsLog):
    """RUN/tensorboard: TensorBoard's files, made without TensorBoard."""

    def __init__(self, run: Path, first_step: int, configuration: Mapping[str, Any]):
        from tensorboardX import SummaryWriter

        self._writer = SummaryWriter(str(run / "tensorboard"), purge_step=first_step)

    def log(self, step: int, metrics: Metrics) -> None:
        for name, value in metrics.items():
            self._writer.add_scalar(name, value, step)

    def on_end(self, state: TrainingState) -> None:
        self._writer.close()


class WeightsAndBiases(MetricsLog):
    """A run of Weights & Biases by the name of the directory, the same one where it goes on; `WANDB_MODE` is its own.

    Steps that are done again after a kill are logged once: it takes none that is before one that it has.
    """

    def __init__(self, run: Path, first_step: int, configuration: Mapping[str, Any]):
        import wandb

        identity = hashlib.sha256(str(run.resolve()).encode()).hexdigest()[:16]
        self._run = wandb.init(
            project=PROJECT, name=run.name, dir=run, id=identity, resume="allow", config=dict(configuration)
        )

    def log(self, step: int, metrics: Metrics) -> None:
        self._run.log(dict(metrics), step=step)

    def on_end(self, state: TrainingState) -> None:
        self._run.finish(exit_code=int(state.updates < state.recipe.steps))


class MLflow(MetricsLog):
    """A run of MLflow by the name of the directory: where `MLFLOW_TRACKING_URI` says, else in RUN/mlflow.db."""

    def __init__(self, run: Path, first_step: int, configuration: Mapping[str, Any]):
        from mlflow import MlflowClient
        from mlflow.tracking import is_tracking_uri_set

        self._client = MlflowClient(None if is_tracking_uri_set() else f"sqlite:///{(run / 'mlflow.db').resolve()}")
        found = self._client.get_experiment_by_name(PROJECT)
        experiment = found.experiment_id if found else self._client.create_experiment(PROJECT)
        tags = {"mlflow.runName": run.name, "directory": str(run.resolve())}
        query = f"tags.directory = '{tags['directory']}'"
        there = self._client.search_runs([experiment], query)
        self._run = there[0].info.run_id if there else self._client.create_run(experiment, tags=tags).info.run_id
        for name, value in configuration.items():  # parameters stay what they were, though a run gets longer
            (self._client.set_tag if there else self._client.log_param)(self._run, name, value)

    def log(self, step: int, metrics: Metrics) -> None:
        for name, value in metrics.items():
            self._client.log_metric(self._run, name, value, step=step)

    def on_end(self, state: TrainingState) -> None:
        self._client.set_terminated(self._run, "FINISHED" if state.updates == state.recipe.steps else "KILLED")


LOGGERS: dict[Logger, tuple[Callable[[Path, int, Mapping[str, Any]], Callback], str]] = {
    "csv": (MetricsTable, ""),
    "tensorboard": (TensorBoard, "tensorboardX"),
    "wandb": (WeightsAndBiases, "wandb"),
    "mlflow": (MLflow, "mlflow"),
}
"""By name: what makes one of (run directory, first step, configuration), and the package that it takes."""


def check_loggers(names: tuple[Logger, ...]) -> None:
    """Raise DataError where the package of a logger is not installed."""
    for name in names:
        package = LOGGERS[name][1]
        if package and find_spec(package) is None:
            raise DataError(f"logger: {name} takes the package {package}; pip install {package}, or name another")


def read_metrics(run: Path | str) -> list[dict[str, float]]:
    """The rows of a run's `metrics.csv`, each with its `step` and the metrics logged there."""
    with (Path(run) / METRICS).open(newline="", encoding="utf-8") as file:
        return [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(file)]
