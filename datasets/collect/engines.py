"""The engines that run jobs side by side: joblib's loky on this machine, Ray, Dask or Slurm on a cluster."""

import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext, suppress
from itertools import islice
from multiprocessing import resource_tracker
from typing import Any

from embodied_ssl.datasets.collect.slurm import USUAL, Slurm, check_slurm, run_on_slurm
from embodied_ssl.datasets.errors import DataError, unknown_name

ENGINES: tuple[str, ...] = ("loky", "ray", "dask", "slurm")


def check_engine(engine: str, slurm: Slurm = USUAL) -> None:
    """Raise DataError, before any work, for an engine that is unknown, or Slurm where it cannot be had."""
    if engine not in ENGINES:
        raise unknown_name("engine", engine, ENGINES)
    if engine == "slurm":
        check_slurm(slurm)


def run_jobs(
    function: Callable[..., Any],
    arguments: Iterable[tuple[Any, ...]],
    workers: int = 1,
    engine: str = "loky",
    fresh: bool = False,
    slurm: Slurm = USUAL,
) -> Iterator[Any]:
    """Call `function(*each)` on `workers` processes and yield the results in the order in which they are ready.

    With loky and one worker everything runs in this process. `ray` joins the cluster of RAY_ADDRESS, `dask` the one
    of DASK_SCHEDULER_ADDRESS, or starts a local one of `workers` processes. `fresh` workers of loky have run nothing
    before, and so know no older state of modules that have changed since. `slurm` submits a job for each, at most
    `workers` at a time, that asks the cluster for what `slurm` says. Raises DataError for an engine that is
    unknown or not installed, or when a worker dies.
    """
    check_engine(engine, slurm)
    if engine == "slurm":
        yield from run_on_slurm(function, arguments, workers, slurm)
        return
    import joblib
    import joblib.externals.loky

    if fresh and engine == "loky" and workers > 1:
        joblib.externals.loky.get_reusable_executor(max_workers=workers).shutdown(wait=True)
    with _ENTER[engine](workers):
        jobs = (joblib.delayed(_quietly)(function, os.getpid(), os.getcwd(), each) for each in arguments)
        if engine == "ray":  # joblib gets its results as whole lists only: in rounds, then
            while round_of_jobs := list(islice(jobs, 2 * workers)):
                yield from joblib.Parallel(n_jobs=workers, batch_size=1)(round_of_jobs)
            return
        parallel = joblib.Parallel(
            n_jobs=workers, return_as="generator_unordered", batch_size=1, pre_dispatch="2*n_jobs"
        )
        with ExitStack() as at_the_end:
            with _interrupts_held_back():
                results = at_the_end.enter_context(closing(parallel(jobs)))
            try:
                yield from results
            except _worker_died() as error:
                raise DataError(
                    "a worker process died, perhaps for want of memory; run the same command again "
                    "with fewer workers: what is finished is kept"
                ) from error


def _quietly(function: Callable[..., Any], parent: int, folder: str, arguments: tuple[Any, ...]) -> Any:
    """Run a job, with paths as from `folder`. Elsewhere Ctrl-C is left to the parent, which stops workers itself."""
    if os.getpid() != parent:
        with suppress(OSError):  # of another machine's
            os.chdir(folder)  # a worker may have begun while its parent was elsewhere
        _ignore(signal.SIGINT)
        warnings.filterwarnings("ignore", "objects of .* left out")  # the parent has said it
    return function(*arguments)


def _end_with(parent: int) -> None:
    """End this worker soon after its parent; otherwise it would wait for minutes for another job.

    Every worker calls this before its first job. One whose parent died while it was still starting ends at once.
    (PR_SET_PDEATHSIG would not do: it speaks of the thread that started the worker, not of its process.)
    A SIGTERM, which a cluster sends to all processes of a job, is left to the parent as well.
    """
    _ignore(signal.SIGTERM)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Ctrl-C and SIGTERM reach this thread only afterwards, and the processes that it starts in here never.

    A process inherits what is held back, so that a worker which is still starting does not die with a traceback.
    """
    if not hasattr(signal, "pthread_sigmask"):  # not a Unix
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGTERM])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _ignore(number: signal.Signals) -> None:
    try:
        signal.signal(number, signal.SIG_IGN)
    except ValueError:  # not the main thread of a cluster's worker, which has its own handling
        return


@contextmanager
def _own_sigterm() -> Iterator[None]:
    """What SIGTERM does here stays as it is."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, before)


def _worker_died() -> tuple[type[Exception], ...]:
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    return (TerminatedWorkerError,)


def _enter_loky(workers: int) -> AbstractContextManager[Any]:
    if workers == 1:
        return nullcontext()
    # A worker whose memory has grown is replaced: long jobs of several kinds do that. Where warnings are errors, loky
    # would end the thread that replaces it, and wait for ever.
    warnings.filterwarnings("ignore", "A worker stopped while some jobs were given to the executor")
    import joblib
    from joblib.externals.loky.backend import resource_tracker as tracker_of_loky

    for tracker in (resource_tracker, tracker_of_loky):  # the start of one lets SIGINT through, whatever was before
        tracker.ensure_running()
    return joblib.parallel_config("loky", initializer=_end_with, initargs=(os.getpid(),))


def _enter_ray(workers: int) -> AbstractContextManager[Any]:
    import joblib

    try:
        import ray
        from ray.util.joblib import register_ray
    except ImportError as error:
        raise DataError("the engine ray is not installed; pip install 'embodied-ssl[ray]'") from error
    if not ray.is_initialized():
        local: dict[str, Any] = {} if os.environ.get("RAY_ADDRESS") else {"num_cpus": workers}
        with _own_sigterm():  # it would take it for itself
            ray.init(log_to_driver=False, include_dashboard=False, **local)
    register_ray()
    return joblib.parallel_config("ray")


def _enter_dask(workers: int) -> AbstractContextManager[Any]:
    import joblib

    try:
        from distributed import Client
    except ImportError as error:
        raise DataError("the engine dask is not installed; pip install 'embodied-ssl[dask]'") from error
    if os.environ.get("DASK_SCHEDULER_ADDRESS"):
        client = Client()
    else:
        client = Client(n_workers=workers, threads_per_worker=1, dashboard_address=None)
    return _Both(client, joblib.parallel_config("dask"))


class _Both(AbstractContextManager[Any]):
    """A client that closes after the configuration that uses it."""

    def __init__(self, client: Any, configuration: Any):
        self._client, self._configuration = client, configuration

    def __enter__(self) -> None:
        self._configuration.__enter__()

    def __exit__(self, *error: Any) -> None:
        self._configuration.__exit__(*error)
        self._client.close()


_ENTER: dict[str, Callable[[int], AbstractContextManager[Any]]] = {
    "loky": _enter_loky,
    "ray": _enter_ray,
    "dask": _enter_dask,
}
