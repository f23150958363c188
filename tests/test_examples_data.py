"""Worlds and data from outside of the package: a task with its own kind of data. Robots: tests/envs/test_robots.py."""

from pathlib import Path

import numpy as np
import pytest

from embodied_ssl import plugins
from embodied_ssl.cli.main import main
from embodied_ssl.datasets.read.captions import UNKNOWN
from embodied_ssl.datasets.read.readers import Dataset

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def plugged(monkeypatch):
    """Plugins of a test end with it; they are found from where the repository is."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv(plugins.VARIABLE, "")


def run(*command):
    assert main([str(part) for part in command]) == 0, command


@pytest.fixture(scope="module")
def stacks(tmp_path_factory):
    out = tmp_path_factory.mktemp("piles") / "pile"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.setenv(plugins.VARIABLE, "")
        run("collect", "pile", "--plugin", "examples.pile", "--out", out, "--episodes", 16, "--size", 64,
            "--instance", "--progress", "false")  # fmt: skip
    return out


def test_stacks_are_collected_checked_shown_and_learned_from(stacks, tmp_path, capsys):
    plugin = "--plugin", "examples.pile"
    run("check", stacks, *plugin)
    run("envs", *plugin)
    assert "examples/Pile-v0" in capsys.readouterr().out
    run("view", stacks, "--out", tmp_path / "page.html", *plugin)
    page = (tmp_path / "page.html").read_text()
    assert "An arm grasps an object" in page
    assert "Success by category" in page
    learning = "--encoder", "conv4", "--image_size", 32, "--batch_size", 8, "--steps", 2, "--device", "cpu"
    run("train", "simclr", "--frames", stacks, "--out", tmp_path / "frames", *learning, *plugin)
    run("train", "clip", "--captions", stacks, "--out", tmp_path / "captions", *learning, *plugin)
    run(
        "evaluate",
        tmp_path / "frames",
        "--on",
        stacks,
        "--protocol",
        "knn",
        "--baselines",
        "false",
        "--out",
        tmp_path / "eval",
        *plugin,
    )
    assert (tmp_path / "eval" / "report.html").is_file()


def test_what_is_stacked_stands_on_what_it_was_put_on(stacks):
    plugins.use("examples.pile")
    dataset = Dataset.open(stacks)
    values = dataset.interactions[:]
    stacked = values["success"]
    assert 0.2 < stacked.mean() < 1
    rise = values["pose_after"][:, 2] - values["pose_before"][:, 2]
    assert (rise[stacked] > 0.01).all()  # what it stands on is at least so high
    reached = dataset.project(values["pose_after"][stacked][:, :3])
    assert np.linalg.norm(reached - values["target_pixel"][stacked], axis=1).max() < 0.2 * 64


def test_captions_have_words_of_their_own(stacks):
    plugins.use("examples.pile")
    stream = Dataset.open(stacks).captions()
    words = set(" ".join(stream.captions(np.arange(len(stream)), np.random.default_rng(0))).split())
    assert {"stacked", "dropped"} <= words <= set(stream.vocabulary)
    assert UNKNOWN not in words


def test_without_its_plugin_a_set_says_which_one_it_takes(stacks, capsys):
    assert main(["check", str(stacks)]) == 2
    assert "--plugin examples.pile" in capsys.readouterr().err
