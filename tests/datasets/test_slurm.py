"""Jobs of submitit as processes of this machine, by the code that a Slurm cluster runs."""

import os
import sys
import time
from pathlib import Path

import pytest

from embodied_ssl.comparison import compare
from embodied_ssl.datasets.collect.collection import collect
from embodied_ssl.datasets.collect.engines import run_jobs
from embodied_ssl.datasets.collect.slurm import Slurm
from embodied_ssl.datasets.errors import DataError

submitit = pytest.importorskip("submitit", reason="of the slurm extra")


@pytest.fixture
def jobs(tmp_path):
    return Slurm(folder=tmp_path / "jobs", cluster="local", minutes=5)


def test_jobs_run_elsewhere_so_many_at_a_time_and_know_what_is_imported_here(jobs, tmp_path, monkeypatch):
    (tmp_path / "code").mkdir()
    (tmp_path / "code/of_ones_own.py").write_text("FACTOR = 3\n\ndef times(x):\n    return FACTOR * x\n")
    monkeypatch.syspath_prepend(tmp_path / "code")
    import of_ones_own

    def work(number: int) -> tuple[int, int, float, float]:
        began = time.time()
        return of_ones_own.times(number), os.getpid(), began, time.time()

    results = list(run_jobs(work, ((number,) for number in range(5)), 2, "slurm", slurm=jobs))
    assert sorted(result for result, *_ in results) == [0, 3, 6, 9, 12]
    assert len({process for _, process, *_ in results} - {os.getpid()}) == 5
    for _, _, began, _ in results:
        assert sum(other <= began < end for _, _, other, end in results) <= 2


def test_what_a_job_raises_is_raised_here(jobs):
    def refuse(name: str) -> None:
        raise DataError(f"{name}: not so")

    with pytest.raises(DataError, match="data/roam: not so"):
        list(run_jobs(refuse, [("data/roam",)], 1, "slurm", slurm=jobs))


def test_a_job_that_dies_is_named(jobs, monkeypatch):
    monkeypatch.setattr(submitit.Job, "_results_timeout_s", 1)  # how long it waits for a file system that may be late
    with pytest.raises(DataError, match=r"ended without a result.*--slurm\.minutes") as raised:
        list(run_jobs(os._exit, [(3,)], 1, "slurm", slurm=jobs))
    assert str(jobs.folder) in str(raised.value)


def test_jobs_that_nobody_waits_for_any_more_are_cancelled(jobs, tmp_path):
    def work(number: int) -> int:
        if number:
            (tmp_path / "began").touch()
            time.sleep(60)
            (tmp_path / "ended").touch()
        return number

    results = run_jobs(work, [(0,), (1,)], 2, "slurm", slurm=jobs)
    assert next(results) == 0
    while not (tmp_path / "began").exists():
        time.sleep(0.05)
    results.close()
    processes = Path("/proc")
    deadline = time.monotonic() + 20

    def alive() -> bool:
        lines = (path.read_bytes() for path in processes.glob("[0-9]*/cmdline") if path.exists())
        return any(str(jobs.folder).encode() in line for line in lines)

    while alive() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not alive()
    assert not (tmp_path / "ended").exists()


def test_where_no_jobs_can_be_submitted_it_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    with pytest.raises(DataError, match="needs sbatch"):
        list(run_jobs(print, [()], 1, "slurm", slurm=Slurm(folder=tmp_path / "jobs")))
    with pytest.raises(DataError, match="needs sbatch"):
        collect("roam", tmp_path / "roam", engine="slurm")
    with pytest.raises(DataError, match="needs sbatch"):
        compare(["rotation"], tmp_path / "out", [tmp_path / "roam"], [tmp_path / "roam"], engine="slurm")
    assert not list(tmp_path.iterdir())
