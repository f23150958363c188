"""A finished run goes on with more steps: what it equals, what it tells of itself, and what is refused."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.read.batches import Frames
from embodied_ssl.encoders import random_encoder
from embodied_ssl.method import Method, Recipe, Step
from embodied_ssl.training.callbacks import Callback
from embodied_ssl.training.optimization import learning_rate
from embodied_ssl.training.settings import Hardware, TrainingSettings
from embodied_ssl.training.train import train

CONSTANT = {"schedule": "constant", "warmup": 0.0, "batch_size": 8, "ema": 0.9}


class Noisy(Method):
    """Learns under noise and dropout, whose randomness must not depend on when a run was started."""

    def __init__(self, encoder):
        super().__init__(encoder)
        self.head = torch.nn.Linear(encoder.dim, 1)

    def loss(self, frames: Frames, step: Step) -> dict[str, Tensor]:
        images = frames.images.float() / 255
        noise = torch.rand(images.shape, generator=step.rng)
        features = torch.nn.functional.dropout(self.encoder(images + 0.1 * noise), 0.5)
        return {"loss": (self.head(features).squeeze(1) - images.mean(dim=(1, 2, 3))).square().mean()}


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    for number in range(24):
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8)).save(folder / f"{number:02}.png")
    return folder


def learn(images, out, steps, *callbacks, **recipe):
    torch.manual_seed(0)
    method = Noisy(random_encoder("conv4", 32, seed=1))
    settings = TrainingSettings(checkpoint_every=4, progress=False)
    recipe = Recipe(steps=steps, **(recipe or CONSTANT))
    return train(method, out, {"frames": images}, recipe, settings, Hardware("cpu"), callbacks)


def weights(run):
    return (run / "method.safetensors").read_bytes(), (run / "encoder.safetensors").read_bytes()


def told(run):
    return json.loads((run / "run.json").read_text())


@pytest.fixture(scope="module")
def at_once(images, tmp_path_factory):
    return learn(images, tmp_path_factory.mktemp("runs") / "at_once", 12)


def test_with_a_constant_rate_two_halves_are_the_whole_bit_for_bit(images, at_once, tmp_path):
    run = learn(images, tmp_path / "run", 6)
    half = weights(run)
    assert "lengthened_after" not in told(run)
    run = learn(images, tmp_path / "run", 12)
    assert weights(run) == weights(at_once) != half
    assert (run / "encoder-6.safetensors").read_bytes() == half[1]
    assert told(run) == told(at_once) | {"lengthened_after": [6]}
    assert learn(images, tmp_path / "run", 12) == run  # there is nothing left to do
    assert told(run)["lengthened_after"] == [6]


class Stops(Callback):
    """As a power cut would."""

    def on_update(self, state, metrics):
        if state.updates == 9:
            raise KeyboardInterrupt


def test_a_kill_while_it_goes_on_changes_nothing(images, at_once, tmp_path):
    run = learn(images, tmp_path / "run", 6)
    (run / "encoder.safetensors").rename(run / "encoder-6.safetensors")  # killed before `run.json` was written anew
    with pytest.raises(KeyboardInterrupt):
        learn(images, run, 12, Stops())
    assert not (run / "encoder.safetensors").exists()
    assert weights(learn(images, run, 12)) == weights(at_once)
    assert told(run)["lengthened_after"] == [6]


class Rates(Callback):
    """Notes the learning rate of each update."""

    def __init__(self):
        self.seen = []

    def on_update(self, state, metrics):
        self.seen.append(state.optimizer.param_groups[0]["lr"])


def test_a_cosine_goes_on_along_the_longer_one(images, tmp_path):
    first, second = Rates(), Rates()
    recipe = {"batch_size": 8}
    learn(images, tmp_path / "run", 6, first, **recipe)
    learn(images, tmp_path / "run", 12, second, **recipe)
    assert first.seen == [learning_rate(Recipe(steps=6, **recipe), step) for step in range(6)]
    assert second.seen == [learning_rate(Recipe(steps=12, **recipe), step) for step in range(6, 12)]
    assert second.seen[0] > 2 * first.seen[-1]


def test_what_cannot_go_on_is_refused_and_left_as_it_was(images, tmp_path):
    run = learn(images, tmp_path / "run", 6)
    before = weights(run)
    with pytest.raises(DataError, match=r"recipe\.steps is 6, not 5; name another directory"):
        learn(images, run, 5)
    with pytest.raises(DataError, match=r"recipe\.ema is 0\.9, not 0\.8"):
        learn(images, run, 12, **CONSTANT | {"ema": 0.8})
    (run / "state.pt").unlink()
    with pytest.raises(DataError, match=r"recipe\.steps is 6, not 12, and state\.pt to go on from is gone"):
        learn(images, run, 12)
    assert weights(run) == before
    with pytest.raises(KeyboardInterrupt):
        learn(images, tmp_path / "cut", 12, Stops())
    with pytest.raises(DataError, match=r"recipe\.steps is 12, not 24; let it end with those"):
        learn(images, tmp_path / "cut", 24)
