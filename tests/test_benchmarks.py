"""Benchmarks explain themselves before they start, and leave out peers that are not there."""

import ast
import re
import runpy
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
import torch

from embodied_ssl.datasets.collect.collection import collect

FOLDER = Path(__file__).parent.parent / "benchmarks"
BENCHMARKS = sorted(path.name for path in FOLDER.glob("*.py") if "__main__" in path.read_text())


def start(monkeypatch, name, *arguments):
    monkeypatch.syspath_prepend(FOLDER)
    monkeypatch.setattr("sys.argv", [name, *arguments])
    runpy.run_path(str(FOLDER / name), run_name="__main__")


@pytest.mark.parametrize("name", BENCHMARKS)
def test_help_says_what_is_measured_and_how_long_it_takes_and_does_no_more(name, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        start(monkeypatch, name, "--help")
    assert stop.value.code == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert shown.startswith("usage:")
    assert " ".join((ast.get_docstring(ast.parse((FOLDER / name).read_text())) or "").split()) in shown
    assert re.search(r"\b[Tt]akes [^.]*(second|minute|hour)", shown)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", BENCHMARKS)
def test_an_unknown_option_is_refused_before_work(name, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        start(monkeypatch, name, "--no_such_option")
    assert stop.value.code == 2
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_where_there_is_no_gpu_its_benchmark_says_so(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        start(monkeypatch, "gpu.py", "gpu.md")
    assert stop.value.code == 3
    assert "no GPU" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_random_numbers_of_a_check_do_not_depend_on_the_generator_that_is_passed(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    gpu = import_module("gpu")
    drawn = []
    for seed in (1, 2):
        with gpu.drawn_on_cpu(0):
            drawn.append(torch.rand(3, generator=torch.Generator().manual_seed(seed)))
    assert torch.equal(*drawn)
    assert not torch.equal(drawn[0], torch.rand(3, generator=torch.Generator().manual_seed(1)))


def test_the_columns_of_a_peer_that_is_missing_are_left_out(monkeypatch, tmp_path, capsys):
    """The steps' table with lightly gone, of one update of one small encoder."""
    monkeypatch.syspath_prepend(FOLDER)
    contrastive = import_module("contrastive")
    for name, value in {
        "ENCODERS": (("conv4", 32),),
        "PRECISIONS": {"32": "float32"},
        "ROUNDS": 1,
        "UPDATES": 1,
    }.items():
        monkeypatch.setattr(contrastive, name, value)
    monkeypatch.setattr(contrastive, "README", replace(contrastive.README, batch_size=8, steps=3))
    monkeypatch.setattr(contrastive, "BATCH", 8)
    peers = contrastive.installed("torchvision", "no_such_peer")
    assert peers == ["torchvision"]
    assert "no-such-peer" in capsys.readouterr().out
    collect("roam", tmp_path / "data", 1, size=32, length=16, progress=False)
    rows = "\n".join(contrastive.steps(tmp_path / "data", tmp_path / "pictures", peers)).splitlines()
    assert {row.count("|") for row in rows} == {4}
    assert "lightly" not in rows[0]
