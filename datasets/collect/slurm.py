"""The engine `slurm`: each piece of work a job of a Slurm cluster, submitted by submitit, so many at a time."""

import shutil
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.limits import Count, Positive, Whole, hold_fields

_LOOK_EVERY_S = 0.2


@dataclass(frozen=True)
class Slurm:
    """What each job of the engine `slurm` asks of the cluster."""

    partition: str | None = None
    """where jobs run; None: the cluster's default"""
    account: str | None = None
    """who pays; None: the cluster's default"""
    minutes: Count = 240
    """the longest that a job may take"""
    memory_gb: Positive = 8.0
    """of a job"""
    cpus: Count = 1
    """cores of a job"""
    gpus: Whole = 0
    """of a job"""
    folder: Path = Path("slurm")
    """for scripts, results and what jobs print; every node must see it at the same place"""
    cluster: Literal["slurm", "local"] = "slurm"
    """`local`: the same jobs as processes of this machine, to try it without a cluster"""

    def __post_init__(self) -> None:
        hold_fields(self)


USUAL = Slurm()


def run_on_slurm(
    function: Callable[..., Any], arguments: Iterable[tuple[Any, ...]], workers: int, slurm: Slurm
) -> Iterator[Any]:
    """Call `function(*each)` in a job each, at most `workers` at a time; yield results in the order they are ready.

    What a job raises is raised here. Jobs that are not finished when this ends are cancelled. Raises DataError for a
    job that ends without a result.
    """
    executor = _executor(slurm)
    waiting = iter(arguments)
    running: list[Any] = []
    try:
        while True:
            if next_ones := list(islice(waiting, workers - len(running))):
                with executor.batch():  # one array of jobs
                    submitted = [executor.submit(_call, sys.path, _pickled(function, each)) for each in next_ones]
                running += submitted
            if not running:
                return
            for job in [each for each in running if each.done()]:
                running.remove(job)
                yield _result(job, slurm)
            time.sleep(_LOOK_EVERY_S)
    finally:
        for job in running:
            job.cancel(check=False)
        for job in running if slurm.cluster == "local" else ():  # these are processes of ours
            job.wait()


def check_slurm(slurm: Slurm) -> None:
    """Raise DataError, before any work, where submitit or sbatch is missing."""
    try:
        import submitit  # noqa: F401
    except ImportError as error:
        raise DataError("the engine slurm is not installed; pip install 'embodied-ssl[slurm]'") from error
    if slurm.cluster == "slurm" and shutil.which("sbatch") is None:
        raise DataError(
            "the engine slurm needs sbatch, which is not here: start it where jobs are submitted; "
            "--slurm.cluster local runs the same jobs on this machine"
        )


def _executor(slurm: Slurm) -> Any:
    import submitit

    executor = submitit.AutoExecutor(folder=slurm.folder, cluster=slurm.cluster)
    asked = {"slurm_partition": slurm.partition, "slurm_account": slurm.account}
    executor.update_parameters(
        name="embodied-ssl",
        timeout_min=slurm.minutes,
        mem_gb=slurm.memory_gb,
        cpus_per_task=slurm.cpus,
        gpus_per_node=slurm.gpus,
        **{name: value for name, value in asked.items() if value is not None},
    )
    return executor


def _pickled(function: Callable[..., Any], arguments: tuple[Any, ...]) -> bytes:
    """Apart from the job, which is then told where modules lie before it needs them."""
    import cloudpickle

    return bytes(cloudpickle.dumps((function, arguments)))


def _call(path: list[str], pickled: bytes) -> tuple[Any, Exception | None]:
    """In the job: the result, or what was raised."""
    import cloudpickle

    sys.path += [place for place in path if place not in sys.path]
    try:
        function, arguments = cloudpickle.loads(pickled)
        return function(*arguments), None
    except Exception as error:
        traceback.print_exc()  # where it came from does not travel
        return None, error


def _result(job: Any, slurm: Slurm) -> Any:
    import submitit

    try:
        result, error = job.result()
    except (submitit.core.utils.UncompletedJobError, submitit.core.utils.FailedJobError) as problem:
        raise DataError(
            f"job {job.job_id} of slurm ended without a result; {job.paths.stderr} has what it said. Where "
            f"{slurm.minutes} minutes or {slurm.memory_gb:g} GB were too little, give more by --slurm.minutes or "
            "--slurm.memory_gb; run the same command again: what is finished is kept"
        ) from problem
    if error is not None:
        raise error
    return result
