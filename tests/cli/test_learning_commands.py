"""The commands that learn and measure, end to end on a little data."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from embodied_ssl.cli.main import main
from embodied_ssl.data import origin
from embodied_ssl.datasets.collect.collection import collect
from embodied_ssl.datasets.read.batches import FramePairs
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.evaluation.results import read_results
from embodied_ssl.parts.positives import Views
from embodied_ssl.training.runs.checkpoint import load_encoder, load_method


@pytest.fixture(scope="module")
def rooms(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "rooms"
    collect("roam", folder, episodes=20, size=32, length=12, scenes="kitchen,street", progress=False)
    return folder


SMALL = ["--image_size", "32", "--steps", "6", "--progress", "false"]


def test_train_evaluate_and_report(rooms, tmp_path, capsys):
    run = tmp_path / "drlim-0"
    assert main(["train", "drlim", "--pairs", str(rooms), "--out", str(run), "--batch_size", "8", *SMALL]) == 0
    told = json.loads((run / "run.json").read_text())
    assert told["recipe"]["batch_size"] == 8
    out = tmp_path / "measured"
    assert main(["evaluate", str(run), "--on", str(rooms), "--out", str(out), "--progress", "false"]) == 0
    printed = capsys.readouterr().out
    for row in ("raw pixels", "random conv4", "drlim"):
        assert row in printed
    assert (out / "results.csv").is_file()
    assert "<html" in (out / "report.html").read_text()
    left = {path.name for path in run.iterdir()}
    assert left == {
        "run.json", "samples.npy", "metrics.csv", "tensorboard", "method.safetensors", "encoder.safetensors",
        "state.pt",  # to go on from, with more steps
    }  # fmt: skip
    assert main(["evaluate", str(run), str(run) + "/", "--on", str(rooms), "--progress", "false"]) == 2
    assert "a second run of the row drlim with seed 0" in capsys.readouterr().err


def test_held_out_categories_are_measured_on(tmp_path, capsys):
    """As the README has it: objects of kinds that were never trained on."""
    seen, kept = ["mug", "bowl", "book"], ["hammer", "teapot"]
    for folder, names in ("train", seen), ("held_out", kept):
        settings = ["--episodes", str(5 * len(names)), "--size", "32", "--length", "3", "--progress", "false"]
        assert (
            main(["collect", "orbit", "--out", str(tmp_path / folder), "--categories", ",".join(names), *settings]) == 0
        )
    found = [set(Dataset.open(tmp_path / folder).objects["category"].tolist()) for folder in ("train", "held_out")]
    assert found == [set(seen), set(kept)]
    run = str(tmp_path / "rotation-0")
    assert (
        main(["train", "rotation", "--frames", str(tmp_path / "train"), "--out", run, "--batch_size", "8", *SMALL]) == 0
    )
    command = ["evaluate", run, "--on", str(tmp_path / "held_out"), "--protocol", "knn", "--out", str(tmp_path / "out")]
    assert main([*command, "--progress", "false"]) == 0
    rows = {result.row: result.value for result in read_results(tmp_path / "out/results.json")}
    assert rows.keys() == {"raw pixels", "random conv4", "rotation"}
    assert all(0 <= value <= 1 for value in rows.values())


def test_an_encoder_is_taken_apart_and_trained_on(rooms, tmp_path, capsys):
    run = tmp_path / "rotation-0"
    assert main(["train", "rotation", "--frames", str(rooms), "--out", str(run), "--batch_size", "8", *SMALL]) == 0
    out = tmp_path / "measured"
    command = ["evaluate", str(run), "--on", str(rooms), "--out", str(out), "--progress", "false"]
    tuned = ("semi_supervised", "fine_tune")  # which have settings of the same names: only the full ones tell them
    tuning = [each for name in tuned for each in (f"--{name}.updates=2", f"--{name}.rates=0.001,0.01")]
    assert main([*command, "--protocol", "stage_probe,semi_supervised,fine_tune", *tuning]) == 0
    found = {(r.row, r.protocol, r.metric) for r in read_results(out / "results.json")}
    assert ("rotation", "stage_probe", "accuracy of block1") in found
    assert ("rotation", "semi_supervised", "accuracy@20") in found
    assert ("random conv4", "fine_tune", "accuracy@20") in found
    assert not [one for one in found if one[0] == "raw pixels"]
    assert "What each method was asked" in (out / "report.html").read_text()


@pytest.mark.slow
def test_compare_trains_every_method_once(rooms, tmp_path, capsys):
    command = ["compare", "drlim", "equivariance", "--data", str(rooms), "--on", str(rooms), "--seeds", "1"]
    command += ["--out", str(tmp_path / "out"), "--workers", "2", "--protocol", "few_labels,knn", *SMALL]
    assert main(command) == 0
    first = capsys.readouterr().out
    for row in ("drlim", "equivariance", "labels", "random conv4"):
        assert f"\n{row} " in first or f" {row} " in first, row
    logged = (tmp_path / "out/runs/equivariance-0/metrics.csv").read_text()
    assert "recognition" not in logged  # the labels that it may take beside its pairs are not given to it
    weights = (tmp_path / "out/runs/equivariance-0/encoder.safetensors").stat().st_mtime_ns
    assert main(command) == 0
    assert capsys.readouterr().out == first
    assert (tmp_path / "out/runs/equivariance-0/encoder.safetensors").stat().st_mtime_ns == weights


@pytest.mark.slow
def test_compare_by_jobs_of_slurm_learns_the_same(rooms, tmp_path):
    pytest.importorskip("submitit", reason="of the slurm extra")
    command = ["compare", "rotation", "--data", str(rooms), "--on", str(rooms), "--seeds", "1"]
    command += ["--labels", "false", "--protocol", "knn", *SMALL]
    jobs = ["--engine", "slurm", "--workers", "2", "--slurm.cluster", "local", "--slurm.folder", str(tmp_path / "jobs")]
    assert main([*command, "--out", str(tmp_path / "here")]) == 0
    assert main([*command, "--out", str(tmp_path / "there"), *jobs]) == 0
    for name in ("runs/rotation-0/encoder.safetensors", "results.csv"):
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "there" / name).read_bytes(), name
    assert len(list((tmp_path / "jobs").glob("*_result.pkl"))) == 4  # one is trained, three rows are measured


def test_compare_tells_which_set_each_row_learns_from(rooms, data, tmp_path, capsys):
    command = ["compare", "drlim", "--data", str(data["orbit"]), str(rooms), str(data["grasp"]), "--on", str(rooms)]
    command += ["--seeds", "1", "--labels", "false", "--out", str(tmp_path / "out"), "--protocol", "knn"]
    assert main([*command, "--batch_size", "8", *SMALL[:-2]]) == 0
    told = capsys.readouterr().err
    assert f"drlim learns from pairs of {data['orbit']}" in told
    for unused in (rooms, data["grasp"]):
        assert f"nothing learns from {unused}" in told
    for fewer in (["drlim", "curious_robot"], ["drlim", "simclr --view both"]):  # refused before the first is trained
        late = tmp_path / "late"
        assert main(["compare", *fewer, "--data", str(rooms), "--on", str(rooms), "--out", str(late), *SMALL]) == 2
        assert not late.exists()


@pytest.mark.slow
def test_rows_of_compare_have_settings_of_their_own(rooms, tmp_path, capsys):
    command = ["compare", "simclr", "simclr --views both", "mae --encoder vit_tiny", "--labels", "false"]
    command += ["--data", str(rooms), "--on", str(rooms), "--out", str(tmp_path / "out"), "--seeds", "1"]
    command += ["--protocol", "knn", "--batch_size", "8", *SMALL]
    assert main(command) == 0
    printed = capsys.readouterr().out
    for row in ("simclr ", "simclr views both", "mae encoder vit_tiny", "random conv4", "random vit_tiny"):
        assert row in printed
    assert load_method(tmp_path / "out/runs/simclr_views_both-0").views == Views("both")
    assert main([*command[:1], "simclr --view both", *command[4:]]) != 0
    assert "did you mean '--views'?" in capsys.readouterr().err


@pytest.mark.slow
def test_a_killed_run_ends_with_the_same_bytes(rooms, tmp_path):
    """kill -9 in the middle, the same command again: the weights of a run that nothing disturbed."""

    def command(out):
        return [
            "train", "equivariance", "--pairs", str(rooms), "--out", str(out), "--image_size", "32", "--steps", "60",
            "--batch_size", "16", "--checkpoint_every", "5", "--device", "cpu", "--progress", "false",
        ]  # fmt: skip

    killed, whole = tmp_path / "killed", tmp_path / "whole"
    process = subprocess.Popen([sys.executable, "-m", "embodied_ssl", *command(killed)], stderr=subprocess.DEVNULL)
    state = killed / "state.pt"
    began = 0
    while process.poll() is None:
        if state.is_file():
            began = began or state.stat().st_mtime_ns
            if state.stat().st_mtime_ns != began:  # a later state than the first
                os.kill(process.pid, signal.SIGKILL)
                break
        time.sleep(0.01)
    process.wait()
    assert not (killed / "encoder.safetensors").exists(), "it ended before it could be killed"
    for out in (killed, whole):
        assert main(command(out)) == 0
    for name in ("encoder.safetensors", "method.safetensors", "metrics.csv"):
        assert (killed / name).read_bytes() == (whole / name).read_bytes(), name


def test_methods_are_learned_jointly(rooms, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["train", "joint", "--methods", "drlim,egomotion", "--help"])
    shown = capsys.readouterr().out
    for text in ("--drlim.pairs", "--egomotion.pairs", origin(FramePairs), "rises linearly"):
        assert text in " ".join(shown.split()), text
    run = tmp_path / "joint-0"
    streams = ["--drlim.pairs", str(rooms), "--egomotion.pairs", str(rooms)]
    command = ["train", "joint", "--methods", "drlim,egomotion", "--loss_weights", "1,0.5", *streams, "--out", str(run)]
    assert main([*command, "--batch_size", "8", *SMALL]) == 0
    encoder, method = load_encoder(run).state_dict(), load_method(run)
    assert method.settings()["loss_weights"] == (1.0, 0.5)
    for part in method.members.values():
        assert part.encoder is method.encoder
    for name, tensor in method.encoder.state_dict().items():
        assert torch.equal(tensor, encoder[name])


def test_a_stream_that_is_missing_is_named(rooms, tmp_path, capsys):
    assert main(["train", "equivariance", "--out", str(tmp_path / "run"), *SMALL]) != 0
    assert "--pairs" in capsys.readouterr().err
    assert main(["train", "drlim", "--pairs", str(rooms), "--out", str(tmp_path / "run"), "--encoder", "conv5"]) != 0
    assert "did you mean 'conv4'" in capsys.readouterr().err
