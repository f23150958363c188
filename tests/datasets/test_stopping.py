"""Runs that are asked to stop, and runs that two want to make: what is kept, what is said, who goes on."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch
from torch import Tensor

from embodied_ssl.cli.main import main
from embodied_ssl.datasets.interrupts import Terminated, terminable
from embodied_ssl.datasets.read.batches import Frames
from embodied_ssl.encoders import random_encoder
from embodied_ssl.method import Method, Recipe, Step
from embodied_ssl.training.logs import read_metrics
from embodied_ssl.training.runs.checkpoint import load_state
from embodied_ssl.training.settings import Hardware, TrainingSettings
from embodied_ssl.training.train import train

START = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # even if the test does not
from embodied_ssl.cli.main import main
sys.exit(main())
"""


class Brightness(Method):
    """Learns to tell how bright a noisy frame is."""

    signals: tuple[signal.Signals, ...] = ()  # that this process gets in the update after the middle
    recipe = Recipe(steps=12, batch_size=8, learning_rate=1e-2)

    def loss(self, frames: Frames, step: Step) -> dict[str, Tensor]:
        if step.progress == 0.5:
            numbers, self.signals = self.signals, ()
            for number in numbers:
                signal.raise_signal(number)
        images = frames.images.float() / 255
        noise = torch.rand(images.shape, generator=step.rng)
        features = torch.nn.functional.dropout(self.encoder(images + 0.1 * noise), 0.5)
        return {"loss": (features.mean(1) - images.mean(dim=(1, 2, 3))).square().mean()}


def learn(folder, out, *signals, workers=0, **settings):
    method = Brightness(random_encoder("conv4", 32, seed=1))
    method.signals = signals
    how, where = TrainingSettings(progress=False, **settings), Hardware("cpu", workers=workers)
    return train(method, out, {"frames": folder}, settings=how, hardware=where)


def weights(run):
    return (run / "method.safetensors").read_bytes(), (run / "encoder.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("number", "error", "said", "settings"),
    [
        (signal.SIGINT, KeyboardInterrupt, "interrupted", {}),
        (signal.SIGTERM, Terminated, "terminated", {}),
        (signal.SIGTERM, Terminated, "terminated", {"workers": 2, "accumulate": 2, "checkpoint_every": 3}),
    ],
)
def test_who_stops_a_run_hears_what_is_kept_and_goes_on_bit_for_bit(data, tmp_path, number, error, said, settings):
    whole = learn(data["roam"], tmp_path / "whole", **settings)
    cut, before = tmp_path / "cut", {*multiprocessing.active_children()}
    with pytest.raises(error) as stop, terminable():
        learn(data["roam"], cut, number, **settings)
    assert before.issuperset(multiprocessing.active_children())  # readers end, though the traceback is kept
    assert str(stop.value) == f"{said}: 7 of 12 updates are kept in {cut}; run the same command again to go on"
    assert load_state(cut / "state.pt")["step"] == 7  # the update that was under way, and no more
    assert not list(cut.glob(".*"))
    assert signal.getsignal(number) == (signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    torch.manual_seed(99)
    learn(data["roam"], cut, **settings)
    assert weights(cut) == weights(whole)
    assert read_metrics(cut) == read_metrics(whole)


def test_a_second_ctrl_c_stops_at_once(data, tmp_path):
    with pytest.raises(KeyboardInterrupt, match=r"interrupted: 5 of 12 updates are kept"):
        learn(data["roam"], tmp_path / "run", signal.SIGINT, signal.SIGINT, checkpoint_every=5)
    assert load_state(tmp_path / "run" / "state.pt")["step"] == 5


def test_whoever_has_set_a_handler_of_his_own_gets_the_signal_afterwards(data, tmp_path):
    heard = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: heard.append(load_state(tmp_path / "run/state.pt")))
    try:
        learn(data["roam"], tmp_path / "run", signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert [state["step"] for state in heard] == [7]


def learning(folder: Path, out: Path, steps: int) -> list[str]:
    command = ["train", "rotation", "--frames", str(folder), "--out", str(out), "--encoder", "conv4"]
    command += ["--image_size", "32", "--steps", str(steps), "--batch_size", "8", "--device", "cpu"]
    return [*command, "--checkpoint_every", "100000", "--progress", "false"]


def start(folder: Path, out: Path, steps: int, *more: str) -> "subprocess.Popen[str]":
    script = out.parent / "start.py"
    script.write_text(START)
    command = [sys.executable, str(script), *learning(folder, out, steps), *more]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MASTER_ADDR": "127.0.0.1"}
    return subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE, text=True, env=environment)


def wait_for(path: Path, process: "subprocess.Popen[str]") -> None:
    while not path.exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)


@pytest.mark.slow
def test_a_second_run_in_a_directory_is_refused_and_the_first_goes_on(data, tmp_path, capsys):
    run = tmp_path / "run"
    first = start(data["roam"], run, 60)
    wait_for(run / "state.pt", first)
    first.send_signal(signal.SIGSTOP)  # so that it can't end before it is disturbed
    assert first.poll() is None
    there = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    assert main(["train", "rotation", "--frames", str(data["roam"]), "--out", str(run), "--image_size", "32"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert f"{run}: another process ({first.pid} on " in said[0]
    assert {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()} == there
    first.send_signal(signal.SIGCONT)
    assert first.communicate(timeout=600) == (None, "")
    assert first.returncode == 0
    assert read_metrics(run)[-1]["step"] == 59
    assert (run / "encoder.safetensors").is_file()


@pytest.mark.slow
def test_a_job_that_is_requeued_after_sigterm_ends_with_the_weights_of_an_undisturbed_one(data, tmp_path, capsys):
    """As a cluster does it, by the command line: terminate, start the same command again."""
    run, whole, often = tmp_path / "run", tmp_path / "whole", ["--checkpoint_every", "5"]
    process = start(data["roam"], run, 120, *often)
    wait_for(run / "metrics.csv", process)  # the first checkpoint
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=600)[1]
    assert process.returncode == 143, said
    kept = load_state(run / "state.pt")["step"]
    assert 5 <= kept < 120
    assert f"{kept} of 120 updates are kept" in said
    for out in (run, whole):
        assert main([*learning(data["roam"], out, 120), *often]) == 0
        assert not capsys.readouterr().err
    assert weights(run) == weights(whole)
    assert [row for row in read_metrics(whole) if row not in read_metrics(run)] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code", "more"),
    [
        (signal.SIGTERM, 143, ["--workers", "2"]),
        (signal.SIGINT, 130, ["--devices", "2"]),  # Ctrl-C reaches readers and devices as well
    ],
)
def test_a_whole_group_of_processes_stops_with_one_word(data, tmp_path, number, code, more):
    out = tmp_path / "run"
    process = start(data["roam"], out, 100_000, *more)
    wait_for(out / "state.pt", process)
    time.sleep(2)
    members = psutil.Process(process.pid).children(recursive=True)
    assert members
    os.killpg(process.pid, number)
    said = process.communicate(timeout=600)[1].split("\n")
    assert process.returncode == code, said
    assert not psutil.wait_procs(members, timeout=60)[1]
    step = load_state(out / "state.pt")["step"]
    assert step > 0
    words = [line for line in said if line.startswith("embodied-ssl:")]
    assert words[0] == "embodied-ssl: stopping after this update; once more, and at once"
    assert words[1].endswith(f": {step:,} of 100,000 updates are kept in {out}; run the same command again to go on")
    assert len(words) == 2
    assert not any("Traceback" in line for line in said)
