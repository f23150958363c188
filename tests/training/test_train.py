"""The trainer: resuming bit for bit, several devices, and what it says when something is wrong."""

import csv
import json
import os
import subprocess
import sys
from dataclasses import fields, replace
from functools import partial

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.precision import MixedPrecision
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from embodied_ssl.datasets.collect.collection import collect
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.read.batches import FramePairs, Frames
from embodied_ssl.encoders import Encoder, random_encoder
from embodied_ssl.method import Method, Recipe, Step
from embodied_ssl.methods import make_method
from embodied_ssl.training.logs import read_metrics
from embodied_ssl.training.runs import state
from embodied_ssl.training.runs.checkpoint import (
    load_encoder,
    load_method,
    load_state,
    save_state,
    save_weights,
    weights_digest,
)
from embodied_ssl.training.settings import Hardware, TrainingSettings
from embodied_ssl.training.train import train

SMALL = Recipe(steps=12, batch_size=8, learning_rate=1e-2)
QUIET = TrainingSettings(progress=False)
LOOKS = TrainingSettings(monitor_every=6, progress=False)


class Brightness(Method):
    """Learns to tell how bright a noisy frame is; the noise comes from the step, the dropout from torch."""

    recipe = SMALL

    def __init__(self, encoder, dropout: float = 0.5):
        super().__init__(encoder)
        self.dropout = dropout
        self.head = torch.nn.Linear(encoder.dim, 1)

    def loss(self, frames: Frames, step: Step) -> dict[str, Tensor]:
        images = frames.images.float() / 255
        noise = torch.rand(images.shape, generator=step.rng, device=images.device)
        features = torch.nn.functional.dropout(self.encoder(images + 0.1 * noise), self.dropout)
        loss = (self.head(features).squeeze(1) - images.mean(dim=(1, 2, 3))).square().mean()
        return {"loss": loss, "noise": noise.mean()}

    stops_at = 2.0  # which it never comes to

    def after_step(self, step: Step) -> None:
        if step.progress >= self.stops_at:
            raise KeyboardInterrupt


def stopping(encoder: Encoder) -> Brightness:
    """The same method; it stops in the middle, as a power cut would."""
    method = Brightness(encoder)
    method.stops_at = 0.75
    return method


@pytest.fixture(scope="module")
def roam(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "roam"
    collect("roam", folder, episodes=2, size=32, length=20, progress=False)
    return folder


def method(kind=Brightness, **settings):
    return kind(random_encoder("conv4", 32, seed=1), **settings)


def run(folder, out, kind=Brightness, recipe=None, hardware=None, **settings):
    torch.manual_seed(0)
    how = TrainingSettings(progress=False, checkpoint_every=5, **settings)
    return train(method(kind), out, {"frames": folder}, recipe, how, hardware or Hardware())


def weights(run):
    return (run / "method.safetensors").read_bytes(), (run / "encoder.safetensors").read_bytes()


class Bright(Method):
    """Of two streams, of which one gives a quarter of a batch; it tells how many samples it was given of each."""

    recipe = Recipe(steps=1, batch_size=16)

    def loss(self, few: Frames, frames: Frames, step: Step) -> dict[str, Tensor]:
        loss = self.encoder(frames.images.float() / 255).square().mean()
        given = torch.tensor([float(len(few.images)), float(len(frames.images))])
        return {"loss": loss, "few": given[0], "frames": given[1]}

    def batch_shares(self) -> dict[str, float]:
        return {"few": 0.25}


@pytest.mark.parametrize(("accumulate", "few", "frames"), [(1, 4, 16), (4, 1, 4), (8, 1, 2)])
def test_a_stream_gives_its_share_of_a_batch_and_never_nothing(roam, tmp_path, accumulate, few, frames):
    how = TrainingSettings(progress=False, accumulate=accumulate)
    out = train(method(Bright), tmp_path / "run", {"few": roam, "frames": roam}, settings=how)
    (row,) = read_metrics(out)
    assert (row["few"], row["frames"]) == (few, frames)


def test_a_share_of_no_stream_is_refused(roam, tmp_path, monkeypatch):
    monkeypatch.setattr(Bright, "batch_shares", lambda self: {"fews": 0.25})
    with pytest.raises(DataError, match=r"^unknown stream in batch_shares of Bright 'fews': did you mean 'few'\?"):
        train(method(Bright), tmp_path / "run", {"few": roam, "frames": roam})


@pytest.mark.parametrize("settings", [{}, {"accumulate": 2}, {"recipe": Recipe(steps=12, batch_size=8, ema=0.9)}])
def test_an_interrupted_run_goes_on_bit_for_bit(roam, tmp_path, settings):
    whole = run(roam, tmp_path / "whole", **settings)
    with pytest.raises(KeyboardInterrupt):
        run(roam, tmp_path / "cut", stopping, **settings)
    assert load_state(tmp_path / "cut" / "state.pt")["step"] == 5
    torch.manual_seed(99)  # nothing may depend on where the generator stands
    cut = run(roam, tmp_path / "cut", **settings)
    assert weights(cut) == weights(whole)
    assert [row["step"] for row in read_metrics(cut)] == [row["step"] for row in read_metrics(whole)]
    assert load_state(cut / "state.pt")["step"] == 12


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("simclr", {}),
        ("moco", {"queue_length": 24}),
        ("moco", {"version": 3}),
        ("dino", {"prototypes": 32, "width": 32, "balance": "centre"}),
        ("mae", {}),
        ("instdisc", {"negatives": 16}),
        ("local_agg", {"cluster_size": 5.0}),
        ("nat", {"assign_every": 1}),
        ("clip", {"start": "word2vec", "start_steps": 2}),
    ],
)
def test_queue_teacher_centre_and_bank_survive_an_interruption(roam, tmp_path, monkeypatch, name, settings):
    recipe = Recipe(steps=8, batch_size=8)

    def learn(out):
        torch.manual_seed(0)
        method = make_method(name, None, 32, **settings)
        streams = {"captions" if name == "clip" else "frames": roam}
        return train(method, out, streams, recipe, TrainingSettings(checkpoint_every=3, progress=False))

    kind = type(make_method(name, None, 32, **settings))
    after_step = kind.after_step

    def stops(self, step):
        after_step(self, step)
        if step.progress >= 0.6:
            raise KeyboardInterrupt

    whole = learn(tmp_path / "whole")
    with monkeypatch.context() as patched:
        patched.setattr(kind, "after_step", stops)
        with pytest.raises(KeyboardInterrupt):
            learn(tmp_path / "cut")
    assert load_state(tmp_path / "cut" / "state.pt")["step"] == 3
    assert weights(learn(tmp_path / "cut")) == weights(whole)


class Same(Method):
    """Is content with an encoder that says nearly the same of all images."""

    def loss(self, frames: Frames, step: Step) -> dict[str, Tensor]:
        return {"loss": (self.encoder(frames.images.float() / 255) - 1).square().mean()}


def test_collapse_is_logged_and_warned_of(roam, tmp_path, capsys):
    recipe = Recipe(steps=6, batch_size=8, learning_rate=1e-7)
    encoder = random_encoder("vit_tiny", 32, seed=1)
    with torch.no_grad():
        encoder.network.norm.weight.fill_(1e-5)
        encoder.network.norm.bias.fill_(1.0)
    out = train(Same(encoder), tmp_path / "run", {"frames": roam}, recipe, LOOKS)
    assert read_metrics(out)[-1]["feature_deviation"] < 1e-3
    assert "the features have collapsed" in "".join(capsys.readouterr())
    kept = train(method(), tmp_path / "kept", {"frames": roam}, SMALL, LOOKS)
    assert read_metrics(kept)[-1]["feature_rank"] > 1.5
    assert "collapsed" not in "".join(capsys.readouterr())


def test_a_kill_right_after_a_state_loses_no_row_of_the_log(roam, tmp_path, monkeypatch):
    from embodied_ssl.training.runs import state

    def save_and_stop(state, path):
        save_state(state, path)
        if state["step"] == 5:
            raise KeyboardInterrupt

    whole = run(roam, tmp_path / "whole")
    with monkeypatch.context() as patched:
        patched.setattr(state, "save_state", save_and_stop)
        with pytest.raises(KeyboardInterrupt):
            run(roam, tmp_path / "cut")
    cut = run(roam, tmp_path / "cut")
    assert (cut / "metrics.csv").read_bytes() == (whole / "metrics.csv").read_bytes()


def test_a_finished_run_is_left_alone(roam, tmp_path):
    finished = run(roam, tmp_path / "run")
    before = {path: path.stat().st_mtime_ns for path in finished.glob("*.safetensors")}
    run(roam, tmp_path / "run")
    assert before == {path: path.stat().st_mtime_ns for path in finished.glob("*.safetensors")}


def test_a_run_of_before_a_setting_existed_had_its_default(roam, tmp_path):
    views = {"source": "body", "max_gap_s": 0.5}
    settings = {"simclr": {"views": views}, "equivariance": {}}

    def learn(**more):
        joint = make_method("joint", "conv4", 32, methods=("simclr", "equivariance"), method_settings=settings | more)
        streams = {"simclr.pairs": roam, "equivariance.pairs": roam}
        return train(joint, tmp_path / "run", streams, Recipe(steps=1, batch_size=4), QUIET, Hardware("cpu"))

    run = learn()
    content = json.loads((run / "run.json").read_text())
    own = content["settings"]["method_settings"]
    assert own["simclr"].pop("grey") == 0.2
    assert own["simclr"]["views"].pop("background") == "kept"
    (run / "run.json").write_text(json.dumps(content))
    assert learn() == run  # there is nothing left to do
    with pytest.raises(DataError, match=r"settings\.method_settings is .* not "):
        learn(simclr={"views": views, "grey": 0.4})


def test_another_configuration_is_refused_and_named(roam, tmp_path):
    run(roam, tmp_path / "run")
    with pytest.raises(DataError, match=r"recipe\.steps is 12, not 11"):
        run(roam, tmp_path / "run", recipe=Recipe(steps=11, batch_size=8, learning_rate=1e-2))
    with pytest.raises(DataError, match=r"recipe\.batch_size is 8, not 4"):
        run(roam, tmp_path / "run", recipe=Recipe(steps=13, batch_size=4, learning_rate=1e-2))
    with pytest.raises(DataError, match="seed is 0, not 3"):
        run(roam, tmp_path / "run", seed=3)


@pytest.mark.parametrize("part", ["encoder", "head"])
def test_a_run_of_other_first_weights_is_refused(roam, tmp_path, part):
    """Finished or not, and whichever of the weights is another: the same settings do not make it the same run."""
    finished = run(roam, tmp_path / "run")
    with pytest.raises(KeyboardInterrupt):
        run(roam, tmp_path / "cut", stopping)
    other = method()
    with torch.no_grad():
        next(getattr(other, part).parameters())[0] += 1e-6
    torch.manual_seed(0)
    assert weights_digest(method()) != weights_digest(other)
    before = weights(finished)
    for out in (finished, tmp_path / "cut"):
        with pytest.raises(
            DataError, match=r"whose first_weights is \w{64}, not \w{64}; make the method as it was made"
        ):
            train(other, out, {"frames": roam}, settings=QUIET)
    assert weights(finished) == before
    assert weights(run(roam, tmp_path / "cut")) == before  # which was not harmed


def test_a_run_that_starts_from_another_says_from_which(roam, tmp_path):
    first = run(roam, tmp_path / "first")
    content = (first / "encoder.safetensors").read_bytes()

    def go_on(init, out):
        learner = make_method("drlim", "conv4", 32, init=init)
        return train(learner, out, {"pairs": roam}, Recipe(steps=2, batch_size=4), QUIET)

    (tmp_path / "elsewhere.safetensors").write_bytes(content)
    second = go_on(first, tmp_path / "second")
    told = json.loads((second / "run.json").read_text())["first_weights"]
    assert told["source"] == str(first)
    assert go_on(tmp_path / "elsewhere.safetensors", second) == second  # by content: the same run
    with pytest.raises(DataError, match="first_weights"):
        go_on(None, second)


def test_a_directory_with_something_else_is_refused(roam, tmp_path):
    (tmp_path / "thesis.tex").write_text("important")
    with pytest.raises(DataError, match="holds something else"):
        run(roam, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_run_that_is_killed_before_its_weights_are_written_has_them_in_the_end(roam, tmp_path, monkeypatch):
    whole = weights(run(roam, tmp_path / "whole"))

    def killed(*given):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(state, "save_weights", killed)
        with pytest.raises(KeyboardInterrupt):
            run(roam, tmp_path / "killed")
    assert weights(run(roam, tmp_path / "killed")) == whole
    (tmp_path / "killed/encoder.safetensors").unlink()
    assert weights(run(roam, tmp_path / "killed")) == whole


@pytest.mark.parametrize("clips", [{}, {"clip_each": 1e9}, {"clip": 1e9}, {"clip_each": 1e9, "clip": 1e9}])
def test_gradients_of_16_bits_are_unscaled_once(roam, tmp_path, monkeypatch, clips):
    """With the scaler of a GPU without bf16, on the CPU; a clip that cuts nothing changes nothing."""

    def launch(*given):
        scaler = torch.amp.GradScaler("cpu", init_scale=256.0)  # of 65,536 the first steps are skipped
        fabric = Fabric(accelerator="cpu", devices=1, plugins=[MixedPrecision("16-mixed", "cpu", scaler)])
        fabric.launch()
        return fabric

    monkeypatch.setattr("embodied_ssl.training.train.launch", launch)
    recipe = Recipe(optimizer="sgd", learning_rate=0.1, momentum=0.0, warmup=0.0, batch_size=8, steps=1)
    found = []
    for name, more in (("plain", {}), ("clipped", clips)):
        learner = make_method("simclr", "conv4", 32, seed=0)
        train(learner, tmp_path / name, {"frames": roam}, replace(recipe, **more), QUIET, Hardware("cpu"))
        found.append(learner.encoder.blocks["block4"][0].weight.detach())
    first = make_method("simclr", "conv4", 32, seed=0).encoder.blocks["block4"][0].weight
    assert (found[0] - first).abs().max() > 1e-3
    torch.testing.assert_close(found[0], found[1])


def test_what_is_kept_is_the_average_of_the_encoder_and_of_its_heads(roam, tmp_path):
    """An average without memory is the last; of one with some, each update by hand."""
    recipe = Recipe(steps=3, batch_size=8, learning_rate=1e-2, ema=0.0)
    kept = []
    for steps in (1, 2, 3):
        once = replace(recipe, steps=steps, schedule="constant", warmup=0.0)
        out = run(roam, tmp_path / f"{steps}", recipe=once)
        kept.append(load_file(out / "method.safetensors"))
        last = load_file(run(roam, tmp_path / f"last {steps}", recipe=replace(once, ema=None)) / "method.safetensors")
        for name in last:
            torch.testing.assert_close(kept[-1][name], last[name])
    averaged = run(roam, tmp_path / "average", recipe=replace(once, ema=0.7))
    found, encoder = load_file(averaged / "method.safetensors"), load_encoder(averaged).state_dict()
    torch.manual_seed(0)
    first = method().state_dict()
    for name, tensor in found.items():
        if tensor.is_floating_point() and "running" not in name:
            expected = 0.343 * first[name] + 0.3 * (0.49 * kept[0][name] + 0.7 * kept[1][name] + kept[2][name])
            torch.testing.assert_close(tensor, expected, rtol=1e-4, atol=1e-6)
            assert not torch.equal(tensor, kept[2][name])
    for name, tensor in encoder.items():
        assert torch.equal(found[f"encoder.{name}"], tensor)


class Prepared(Bright):
    """Learns something before the first update."""

    def prepare(self, streams, rng):
        self.encoder(torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))).sum().backward()


def test_what_was_learned_before_leaves_no_gradient(roam, tmp_path):
    """A run that is killed before its first update has none either."""
    data, found = {"few": roam, "frames": roam}, []
    for kind in (Bright, Prepared):
        found.append(load_encoder(train(method(kind), tmp_path / kind.__name__, data, settings=QUIET)).state_dict())
    for name in found[0]:
        if "running" not in name and "tracked" not in name:
            assert torch.equal(found[0][name], found[1][name])


class Inferred(Method):
    """Draws a head of what the data say, and a buffer before training, both from torch's own generator."""

    def __init__(self, encoder, width: int | None = None):
        super().__init__(encoder)
        self.register_buffer("noise", torch.zeros(3))
        if width is not None:
            self.head = torch.nn.Linear(encoder.dim, width)

    def infer_shapes(self, streams, rng):
        self.width = len(streams["frames"])
        self.head = torch.nn.Linear(self.encoder.dim, self.width)

    def prepare(self, streams, rng):
        self.noise.copy_(torch.rand(3))

    def loss(self, frames: Frames, step: Step) -> dict[str, Tensor]:
        return {"loss": self.head(self.encoder(frames.images.float() / 255)).square().mean()}


def test_what_is_drawn_before_training_is_of_the_seed_wherever_torch_stands(roam, tmp_path):
    found = []
    for out, stands in (("one", 1), ("other", 2), ("one", 3)):  # the last finds the run of the first
        torch.manual_seed(stands)
        found.append(weights(train(method(Inferred), tmp_path / out, {"frames": roam}, Recipe(steps=1), QUIET)))
    assert found[0] == found[1] == found[2]
    assert load_file(tmp_path / "one/method.safetensors")["noise"].unique().numel() == 3


def test_parts_of_a_batch_hold_the_same_samples(roam, tmp_path):
    """Without noise, dropout and batch norm's statistics, the gradient of two halves is that of the whole."""

    class Mean(Method):
        def loss(self, frames: Frames, step: Step) -> dict[str, Tensor]:
            self.encoder.eval()
            return {"loss": self.encoder(frames.images.float() / 255).square().mean()}

    recipe = Recipe(optimizer="sgd", steps=4, batch_size=8, learning_rate=1e-2)
    for parts in (1, 2):
        how = TrainingSettings(accumulate=parts, progress=False)
        train(method(Mean), tmp_path / str(parts), {"frames": roam}, recipe, how)
    one, two = (load_encoder(tmp_path / name).state_dict() for name in ("1", "2"))
    for name in one:
        torch.testing.assert_close(one[name], two[name], rtol=1e-4, atol=1e-6)


ON_TWO = """
import sys

from torch import Tensor

from embodied_ssl.datasets.read.batches import Frames
from embodied_ssl.encoders import Encoder, random_encoder
from embodied_ssl.method import Method, Recipe, Step
from embodied_ssl.methods import make_method
from embodied_ssl.training.settings import Hardware, TrainingSettings
from embodied_ssl.training.train import train


class Mean(Method):
    def loss(self, frames: Frames, step: Step) -> dict[str, Tensor]:
        return {"loss": self.encoder(frames.images.float() / 255).square().mean()}


if __name__ == "__main__":
    folder, out, devices = sys.argv[1:]
    recipe = Recipe(optimizer="sgd", steps=4, batch_size=8, learning_rate=1e-2, clip=1.0)
    encoder = random_encoder("vit_tiny", 32, seed=1)
    how, where = TrainingSettings(progress=False), Hardware("cpu", devices=int(devices))
    train(Mean(encoder), out, {"frames": folder}, recipe, how, where)
"""


@pytest.mark.slow
def test_two_processes_learn_what_one_does_from_the_whole_batch(roam, tmp_path):
    """A transformer has no batch norm, whose statistics each process would take of its own share."""
    script = tmp_path / "on_two.py"
    script.write_text(ON_TWO)
    for devices in ("1", "2"):
        command = [sys.executable, script, roam, tmp_path / devices, devices]
        environment = {**os.environ, "MASTER_ADDR": "127.0.0.1", "OMP_NUM_THREADS": "1"}
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
        assert ended.returncode == 0, ended.stderr[-2000:]
    one, two = (load_encoder(tmp_path / devices).state_dict() for devices in ("1", "2"))
    for name in one:
        torch.testing.assert_close(one[name], two[name], rtol=1e-4, atol=1e-6)
    losses = [[row["loss"] for row in read_metrics(tmp_path / devices)] for devices in ("1", "2")]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    assert losses[0][-1] != pytest.approx(losses[0][0], rel=1e-3)  # something was learned


def test_a_loss_that_is_not_finite_stops_the_run(roam, tmp_path):
    class Diverges(Brightness):
        def loss(self, frames: Frames, step: Step) -> dict[str, Tensor]:
            return {"loss": super().loss(frames, step)["loss"] / (1 if step.progress < 0.7 else 0)}

    with pytest.raises(DataError, match="the loss is inf at step 9"):
        run(roam, tmp_path / "run", Diverges)
    assert not (tmp_path / "run" / "encoder.safetensors").exists()


@pytest.mark.parametrize(
    ("spoils", "message"),
    [
        (lambda encoder: encoder.blocks["block4"][0].weight[0, 0, 0, 0].fill_(torch.nan), "block4.0.weight, of 1 such"),
        (lambda encoder: encoder.blocks["block2"][1].running_var.fill_(torch.inf), "block2.1.running_var"),
        (lambda encoder: encoder.blocks["block4"][1].weight.fill_(1e38).mul_(3), "features are not finite"),
    ],
)
def test_weights_and_features_that_are_not_finite_stop_the_run(roam, tmp_path, spoils, message):
    """After the last update as well, where no loss is taken any more; the loss itself may be finite all the way."""

    class Spoils(Brightness):
        def after_step(self, step: Step) -> None:
            if step.progress > 0.9:
                with torch.no_grad():
                    self.spoils(self.encoder)

    def spoiling(encoder):
        method = Spoils(encoder)
        method.spoils = spoils
        return method

    with pytest.raises(DataError, match=rf"after 12 updates .*{message}.*; take a lower --learning_rate"):
        run(roam, tmp_path / "run", spoiling)
    assert not (tmp_path / "run" / "encoder.safetensors").exists()


def test_data_are_checked_before_training(roam, tmp_path):
    class Pairs(Method):
        def loss(self, pairs: FramePairs, step: Step) -> dict[str, Tensor]:
            raise AssertionError("never reached")

    with pytest.raises(DataError, match=r"learns from pairs \(roam, video, hold or orbit data\).*--pairs DIR"):
        train(method(Pairs), tmp_path / "run", {})
    with pytest.raises(DataError, match=r"did you mean 'pairs'\?"):
        train(method(Pairs), tmp_path / "run", {"pair": roam})
    collect("grasp", tmp_path / "grasp", episodes=1, size=32, clutter=2, progress=False)
    with pytest.raises(DataError, match=r"a grasp data set has no pairs; it takes roam, video, hold or orbit"):
        train(method(Pairs), tmp_path / "run", {"pairs": tmp_path / "grasp"})
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"device": "cuda", "devices": 64}, "no 64 × 'cuda' to train on"),
        ({"precision": "8"}, "unknown precision '8'"),
        ({"precision": "16", "device": "cpu"}, "16 takes a GPU; on a CPU give --precision bf16"),
        ({"monitor_every": 0}, "monitor_every: 0; give at least 1"),
        ({"workers": -1}, "workers: -1; give at least 0"),
        ({"accumulate": 3}, "a batch of 8 can't be split evenly over 1 devices and 3 parts"),
    ],
)
def test_what_cannot_be_met_is_said(roam, tmp_path, settings, message):
    of_hardware = {field.name for field in fields(Hardware)}
    where = {name: value for name, value in settings.items() if name in of_hardware}
    how = {name: value for name, value in settings.items() if name not in of_hardware}
    with pytest.raises(DataError, match=message):
        run(roam, tmp_path / "run", hardware=Hardware(**where), **how)


@pytest.mark.parametrize(
    ("group", "name"), [("encoder", "widths"), ("settings", "marign"), ("recipe", None), ("method", None)]
)
def test_an_altered_configuration_is_named(roam, tmp_path, group, name):
    out = tmp_path / "run"
    train(make_method("view_prediction", "conv4", 32), out, {"pairs": roam}, SMALL, QUIET)
    told = json.loads((out / "run.json").read_text())
    if name:
        told[group][name] = 3
    else:
        del told[group]
    (out / "run.json").write_text(json.dumps(told))
    with pytest.raises(DataError, match=r"run\.json: damaged"):
        load_method(out)


def test_a_run_tells_what_it_was(roam, tmp_path):
    out = run(roam, tmp_path / "run", seed=4)
    told = json.loads((out / "run.json").read_text())
    assert told["settings"] == {"dropout": 0.5}
    assert told["encoder"] == {"name": "conv4", "image_size": 32}
    assert told["seed"] == 4
    assert len(told["data"]["frames"]["sha256"]) == 64
    with (out / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [0, 4, 9, 10, 11]
    assert float(rows[-1]["feature_rank"]) > 1
    (events,) = (out / "tensorboard").glob("events*")
    assert b"feature_rank" in events.read_bytes()


def test_a_probe_is_logged_and_leaves_no_trace_in_the_weights(roam, tmp_path):
    collect("roam", tmp_path / "rooms", episodes=16, seed=1, size=32, length=3, scenes="kitchen,street", progress=False)
    probed, plain = run(roam, tmp_path / "probed", probe_on=tmp_path / "rooms"), run(roam, tmp_path / "plain")
    assert weights(probed) == weights(plain)
    last = read_metrics(probed)[-1]
    assert 0 <= last["linear_probe"] <= 1
    assert 0 <= last["knn"] <= 1
    assert "knn" not in read_metrics(plain)[-1]


@pytest.mark.parametrize(("name", "stream"), [("labels", "labelled"), ("joint", "labels.labelled")])
def test_classes_come_from_the_data(tmp_path, name, stream):
    """However many they are; the run tells their number, goes on, and can be loaded."""
    rng = np.random.default_rng(0)
    for number in range(70):
        (tmp_path / "set" / f"{number:02}").mkdir(parents=True)
        picture = Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8))
        picture.save(tmp_path / "set" / f"{number:02}" / "one.png")
    settings = {} if name == "labels" else {"methods": ("labels",)}
    recipe = Recipe(steps=2, batch_size=70)

    def learn(**more):
        made = make_method(name, "conv4", 32, **settings, **more)
        return train(made, tmp_path / "run", {stream: tmp_path / "set"}, recipe, QUIET)

    run = learn()
    told = json.loads((run / "run.json").read_text())["settings"]
    assert (told if name == "labels" else told["method_settings"]["labels"])["classes"] == 70
    learned = load_method(run)
    classifier = learned.classifier if name == "labels" else learned.members["labels"].classifier
    assert classifier.out_features == 70
    assert learn() == run
    if name == "labels":
        with pytest.raises(DataError, match="classes: 64, but the labelled images are of 70"):
            learn(classes=64)


def test_precision_is_what_the_processor_has_and_a_slow_one_is_said_before(roam, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("embodied_ssl.parts.precision.has_bf16", lambda device: False)
    plain = run(roam, tmp_path / "auto", hardware=Hardware(precision="auto"))
    assert json.loads((plain / "run.json").read_text())["precision"] == "32"
    assert "no units" not in capsys.readouterr().err
    run(roam, tmp_path / "slow", hardware=Hardware(precision="bf16"), recipe=Recipe(steps=1, batch_size=8))
    assert "this processor has no units for bf16" in capsys.readouterr().err


def test_precision_is_a_setting(roam, tmp_path):
    full, half = run(roam, tmp_path / "32"), run(roam, tmp_path / "bf16", hardware=Hardware(precision="bf16"))
    assert weights(full) != weights(half)
    first, second = read_metrics(full)[0]["loss"], read_metrics(half)[0]["loss"]
    assert first != second
    assert first == pytest.approx(second, rel=0.05)


class NoLoss(Method):
    """Gives what is no loss."""

    def __init__(self, encoder: Encoder, gives: str = "nothing"):
        super().__init__(encoder)

    def loss(self, frames: Frames, step: Step):
        loss = self.encoder(frames.images.float() / 255).mean()
        return {
            "nothing": None,
            "other": {"other": loss},
            "vector": {"loss": loss.expand(3)},
            "each": {"loss": loss, "accuracy": torch.zeros(3)},
            "text": {"loss": loss, "note": "x"},
            "still": {"loss": loss.detach()},
            "step": {"loss": loss, "step": loss},
            "number": {"loss": loss, "accuracy": 0.5},
        }[self.gives]


@pytest.mark.parametrize(
    ("gives", "said"),
    [
        ("nothing", "NoneType; return"),
        ("other", "a dict of other; return"),
        ("vector", r"'loss' of shape \[3\]; return"),
        ("each", r"'accuracy' of shape \[3\]; return"),
        ("text", "a str by the name 'note'; return"),
        ("still", "a loss without a gradient; make it"),
        ("step", "'step', a column of metrics.csv; take another name"),
    ],
)
def test_what_is_no_loss_is_told_with_the_method_that_gave_it(roam, tmp_path, gives, said):
    with pytest.raises(DataError, match=rf"NoLoss\.loss gave {said}"):
        run(roam, tmp_path / "run", partial(NoLoss, gives=gives), Recipe(steps=1, batch_size=4))


def test_a_number_is_logged_as_one(roam, tmp_path):
    out = run(roam, tmp_path / "run", partial(NoLoss, gives="number"), Recipe(steps=1, batch_size=4))
    assert read_metrics(out)[0]["accuracy"] == 0.5


def test_a_method_in_which_nothing_learns_is_refused(roam, tmp_path):
    with pytest.raises(DataError, match="no parameter learns"):
        train(method().requires_grad_(False), tmp_path / "run", {"frames": roam}, SMALL, QUIET)


def add_a_buffer(self, *given):
    self.register_buffer("centres", torch.zeros(3))


@pytest.mark.parametrize("ema", [None, 0.9])
@pytest.mark.parametrize("where", ["prepare", "after_step"])
def test_a_buffer_that_no_one_could_load_is_refused_while_it_is_made(roam, tmp_path, monkeypatch, where, ema):
    monkeypatch.setattr(Brightness, where, add_a_buffer)
    recipe = Recipe(steps=1, batch_size=4, ema=ema)
    with pytest.raises(DataError, match=r"brightness: centres was made, .* make it of its size in `__init__`"):
        run(roam, tmp_path / "run", recipe=recipe)


def test_buffers_that_share_memory_are_kept_each(tmp_path):
    layer = torch.nn.Module()
    layer.register_buffer("whole", torch.arange(6.0))
    layer.register_buffer("part", layer.whole[:3])
    layer.register_buffer("other", layer.whole.view(2, 3))
    save_weights(layer, tmp_path / "layer.safetensors")
    found = load_file(tmp_path / "layer.safetensors")
    assert {name: tensor.tolist() for name, tensor in found.items()} == {
        "whole": [0, 1, 2, 3, 4, 5],
        "part": [0, 1, 2],
        "other": [[0, 1, 2], [3, 4, 5]],
    }


def test_a_state_that_no_file_of_weights_holds_is_named():
    class Seen(torch.nn.Module):
        def get_extra_state(self):
            return {"seen": 3}

    with pytest.raises(DataError, match="LazyLinear: weight has no shape yet; make lazy layers in `infer_shapes`"):
        weights_digest(torch.nn.LazyLinear(3))
    with pytest.raises(DataError, match="Seen: _extra_state is a dict, no tensor; keep it in buffers"):
        weights_digest(Seen())


def test_what_is_no_callback_is_refused_before_any_work(roam, tmp_path):
    with pytest.raises(DataError, match="callbacks: a builtin_function_or_method is no Callback"):
        train(method(), tmp_path / "run", {"frames": roam}, callbacks=[print])
    assert not (tmp_path / "run").exists()
