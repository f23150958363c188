"""What cannot be met is refused before any work; results are on disk before they are printed; no output dies."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from embodied_ssl.cli.main import main
from embodied_ssl.datasets.collect.collection import collect
from embodied_ssl.datasets.store.directory import claim
from embodied_ssl.evaluation.results import read_results

QUICK = ["--progress", "false"]


@pytest.fixture(scope="module")
def rooms(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "rooms"
    collect("roam", folder, episodes=12, size=24, length=3, scenes="kitchen,street", progress=False)
    return folder


@pytest.fixture(scope="module")
def run(rooms, tmp_path_factory):
    """A trained run whose name no narrow encoding has."""
    out = tmp_path_factory.mktemp("runs") / "ρ±-0"
    settings = ["--image_size", "32", "--steps", "2", "--batch_size", "8", "--device", "cpu", *QUICK]
    assert main(["train", "rotation", "--frames", str(rooms), "--out", str(out), *settings]) == 0
    return out


def commands(rooms, run):
    small = ["--image_size", "32", "--steps", "2", "--batch_size", "8"]
    return {
        "collect": ["collect", "orbit", "--episodes", "2", "--size", "16", "--length", "3"],
        "train": ["train", "rotation", "--frames", str(rooms), *small],
        "evaluate": ["evaluate", str(run), "--on", str(rooms), "--protocol", "knn"],
        "compare": ["compare", "rotation", "--data", str(rooms), "--on", str(rooms), "--protocol", "knn", *small],
    }


def a_file(folder: Path) -> Path:
    (folder / "taken").write_text("mine")
    return folder / "taken"


def below_a_file(folder: Path) -> Path:
    return a_file(folder) / "out"


def read_only(folder: Path) -> Path:
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    (folder / "closed").mkdir(mode=0o500)
    return folder / "closed"


def nowhere(folder: Path) -> Path:
    return Path("/proc/nowhere/out")  # not even root may make it


@pytest.fixture
def no_work(monkeypatch):
    """Whoever starts to work fails."""
    from embodied_ssl.datasets.collect import recorder
    from embodied_ssl.training import loop

    def works(*arguments, **settings):
        raise AssertionError("work has started")

    monkeypatch.setattr(recorder.Recorder, "episode", works)
    monkeypatch.setattr(loop, "update", works)
    monkeypatch.setattr("embodied_ssl.evaluation.features.extract", works)


def refused(command: list[str], capsys) -> str:
    """The one line that a command says which is refused."""
    assert main([*command, *QUICK]) == 2
    printed = capsys.readouterr()
    assert not printed.out
    lines = printed.err.splitlines()
    assert len(lines) == 1
    return lines[0]


@pytest.mark.parametrize("command", ["collect", "train", "evaluate", "compare"])
@pytest.mark.parametrize("fault", [a_file, below_a_file, read_only, nowhere])
def test_a_place_that_takes_no_files_is_refused_before_work(command, fault, rooms, run, tmp_path, capsys, no_work):
    out = fault(tmp_path)
    said = refused([*commands(rooms, run)[command], "--out", str(out)], capsys)
    assert str(out) in said
    assert not [path for path in tmp_path.rglob("*") if path.name not in ("taken", "closed")]


@pytest.mark.parametrize("command", ["collect", "train", "evaluate", "compare"])
def test_a_place_that_another_writes_into_is_refused_before_work(command, rooms, run, tmp_path, capsys, no_work):
    with claim(tmp_path / "out"):
        said = refused([*commands(rooms, run)[command], "--out", str(tmp_path / "out")], capsys)
        assert "out: another process (" in said
        assert "writes into it; wait for it, or stop it" in said


@pytest.mark.parametrize("option", ["--out", "--video"])
@pytest.mark.parametrize("fault", [below_a_file, read_only, nowhere, "a folder"])
def test_a_page_that_cannot_be_written_is_refused_before_it_is_made(option, fault, rooms, tmp_path, capsys):
    place = tmp_path if fault == "a folder" else fault(tmp_path) / "page"
    assert main(["view", str(rooms), option, str(place)]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert str(place.parent if fault != "a folder" else place) in said


@pytest.mark.parametrize(
    ("command", "fault", "said"),
    [
        ("train", ["--device", "gpus"], "gpus"),
        ("train", ["--device", "cuda", "--devices", "64"], "no 64 × 'cuda'"),
        ("train", ["--precision", "8"], "--precision"),
        ("train", ["--frames", "nowhere"], "nowhere"),
        ("train", ["--encoder", "conv5"], "did you mean 'conv4'"),
        ("train", ["--probe_on", "nowhere"], "nowhere"),
        ("evaluate", ["--protocol", "knm"], "did you mean 'knn'"),
        ("evaluate", ["--device", "gpus"], "gpus"),
        ("evaluate", ["--on", "nowhere"], "nowhere"),
        ("evaluate", ["--label", "materials"], "unknown label 'materials': did you mean 'material'"),
        ("compare", ["--protocol", "knm"], "did you mean 'knn'"),
        ("compare", ["--device", "gpus"], "gpus"),
        ("compare", ["--on", "nowhere"], "nowhere"),
        ("compare", ["--data", "nowhere"], "nowhere"),
        ("compare", ["--encoder", "conv5"], "did you mean 'conv4'"),
        ("compare", ["--workers", "0"], "workers: 0; give at least 1"),
    ],
)
def test_a_wrong_name_is_refused_before_work(command, fault, said, rooms, run, tmp_path, capsys, no_work):
    out = tmp_path / "out"
    assert said in refused([*commands(rooms, run)[command], "--out", str(out), *fault], capsys)
    assert not out.exists() or not list(out.iterdir())


def start(command: list[str], **environment: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "embodied_ssl", *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )  # fmt: skip


def test_results_are_complete_though_nobody_reads_the_table(rooms, run, tmp_path):
    out = tmp_path / "out"
    process = start([*commands(rooms, run)["evaluate"], "--out", str(out), "--baselines", "false", *QUICK])
    process.stdout.close()
    process.stdout = None
    said = process.communicate()[1].decode()
    assert process.returncode == 0, said
    assert "Traceback" not in said
    (result,) = read_results(out / "results.json")
    assert result.protocol == "knn"
    assert (out / "results.csv").is_file()
    assert "<html" in (out / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("environment", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C"}])
def test_output_never_dies_of_an_encoding(rooms, run, tmp_path, environment):
    out = tmp_path / "ρ"
    process = start(
        [*commands(rooms, run)["evaluate"], "--out", str(out), "--baselines", "false", *QUICK], **environment
    )
    printed, said = process.communicate()
    assert process.returncode == 0, said.decode(errors="replace")
    assert b"knn" in printed
    assert json.loads((out / "results.json").read_bytes())[0]["row"] == "ρ±"


def test_a_refusal_never_dies_of_an_encoding(tmp_path):
    done = start(["check", str(tmp_path / "ρ⚠")], PYTHONIOENCODING="ascii").communicate()
    assert b"Traceback" not in done[1]
    assert b"??" in done[1]


@pytest.mark.parametrize("command", ["train", "evaluate", "compare", "check", "view"])
def test_the_home_of_a_user_is_found(command, rooms, run, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "rooms").symlink_to(rooms)
    (tmp_path / "run-0").symlink_to(run)
    given = {
        "train": ["train", "rotation", "--frames", "~/rooms", "--out", "~/out", "--image_size", "32", "--steps", "1"],
        "evaluate": ["evaluate", "~/run-0", "--on", "~/rooms", "--protocol", "knn", "--out", "~/out"],
        "compare": ["compare", "rotation", "--data", "~/rooms", "--on", "~/rooms", "--out", "~/out", "--steps", "1"],
        "check": ["check", "~/rooms"],
        "view": ["view", "~/rooms", "--out", "~/out"],
    }[command]
    given += ["--image_size", "32", "--seeds", "1", "--protocol", "knn", "--labels", "false"] * (command == "compare")
    assert main([*given, *(QUICK if command in ("train", "evaluate", "compare") else [])]) == 0
    assert command == "check" or (tmp_path / "out").exists()
