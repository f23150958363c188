"""Callbacks of the trainer: when they are called, that they change nothing, and where metrics go."""

import io
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.read.batches import Frames
from embodied_ssl.encoders import random_encoder
from embodied_ssl.method import Method, Panel, Recipe, Step
from embodied_ssl.methods import make_method
from embodied_ssl.parts.panels import columns
from embodied_ssl.training.callbacks import Callback, ShowPanels
from embodied_ssl.training.drawing import png_of
from embodied_ssl.training.runs.checkpoint import load_state
from embodied_ssl.training.settings import Hardware, TrainingSettings
from embodied_ssl.training.train import train

RECIPE = Recipe(steps=12, batch_size=8)
SETTINGS = TrainingSettings(monitor_every=4, checkpoint_every=5, progress=False)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    for number in range(16):
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8)).save(folder / f"{number}.png")
    return folder


def learn(images, out, *callbacks, settings=SETTINGS, name="rotation", method=None):
    torch.manual_seed(0)
    method = method or make_method(name, None, 32, seed=0)
    return train(method, out, {"frames": images}, RECIPE, settings, Hardware("cpu"), callbacks)


def weights(run):
    return (run / "method.safetensors").read_bytes(), (run / "encoder.safetensors").read_bytes()


class Busy(Callback):
    """Notes when it is called, and disturbs all that a callback is allowed to."""

    def __init__(self):
        self.heard = []

    def on_update(self, state, metrics):
        self._note("update", state, metrics)

    def on_monitor(self, state, metrics):
        self._note("monitor", state, metrics)

    def on_save(self, state):
        self._note("save", state)

    def on_end(self, state):
        self._note("end", state)

    def _note(self, when, state, metrics=()):
        self.heard.append((when, state.updates, set(metrics)))
        torch.rand(7)
        state.method.eval()
        with torch.no_grad():
            state.output_encoder.eval()(state.example["frames"].images.float() / 255)


@pytest.mark.parametrize("name", ["rotation", "simclr", "dino"])
def test_callbacks_change_no_weights(images, tmp_path, name):
    watched = learn(images, tmp_path / "watched", Busy(), ShowPanels(), name=name)
    alone = learn(images, tmp_path / "alone", name=name)
    assert weights(watched) == weights(alone)
    assert (watched / "metrics.csv").read_bytes() == (alone / "metrics.csv").read_bytes()


def test_callbacks_are_called_when_they_say(images, tmp_path):
    one, other = Busy(), Busy()
    learn(images, tmp_path / "run", one, other)
    assert one.heard == other.heard
    calls = [(when, updates) for when, updates, _ in one.heard]
    assert [updates for when, updates in calls if when == "update"] == list(range(1, 13))
    assert [updates for when, updates in calls if when == "monitor"] == [4, 8, 12]
    assert [updates for when, updates in calls if when == "save"] == [5, 10, 12]
    assert calls[-4:] == [("update", 12), ("monitor", 12), ("save", 12), ("end", 12)]
    logged = [updates for when, updates, metrics in one.heard if when == "update" and "loss" in metrics]
    assert logged == [1, 5, 10, 11, 12]
    assert all("feature_rank" in metrics for when, _, metrics in one.heard if when == "monitor")


class Stops(Callback):
    """Fails after some updates, as a full disk would."""

    def on_update(self, state, metrics):
        if state.updates == 7:
            raise KeyboardInterrupt


def test_callbacks_hear_of_the_end_of_a_run_that_fails_and_goes_on(images, tmp_path):
    first, second = Busy(), Busy()
    with pytest.raises(KeyboardInterrupt):
        learn(images, tmp_path / "cut", first, Stops())
    assert first.heard[-1][:2] == ("end", 7)
    assert load_state(tmp_path / "cut" / "state.pt")["step"] == 5
    cut = learn(images, tmp_path / "cut", second)
    assert second.heard[0][:2] == ("update", 6)
    assert weights(cut) == weights(learn(images, tmp_path / "whole"))


class Bright(Method):
    """Shows the image and, as its answer, how bright it is."""

    def __init__(self, encoder):
        super().__init__(encoder)
        self.shown = []

    def loss(self, frames: Frames, step: Step) -> dict[str, Tensor]:
        return {"loss": self.encoder(frames.images.float() / 255).square().mean()}

    def show(self, frames: Frames, step: Step):
        assert not self.training
        self.shown.append(frames.images)
        return columns((frames.images.float() / 255, "bright"))


def test_panels_of_the_same_images_are_written_at_every_look(images, tmp_path):
    method = Bright(random_encoder("conv4", 32, seed=1))
    run = learn(images, tmp_path / "run", ShowPanels(), method=method)
    assert [path.name for path in sorted((run / "panels").iterdir())] == ["000004.png", "000008.png", "000012.png"]
    assert all(torch.equal(shown, method.shown[0]) for shown in method.shown)
    drawn = np.asarray(Image.open(run / "panels" / "000012.png"))
    (first, *_), *_ = columns((method.shown[0].float() / 255, "bright"))
    expected = (first.image * 255).byte().repeat_interleave(4, 1).repeat_interleave(4, 2).movedim(0, -1).numpy()
    assert any(np.array_equal(drawn[y : y + 128, 8:136], expected) for y in range(0, 64)), (
        "the first image stands in the upper left, at four times its size"
    )


def test_in_a_notebook_panels_are_drawn_anew_in_their_place(images, tmp_path, monkeypatch):
    ipython = pytest.importorskip("IPython", reason="comes with the extra `docs` or `notebook`")
    pytest.importorskip("IPython.display")

    shown = []

    class Handle:
        def update(self, image):
            shown.append(("again", image.data))

    def display(image, display_id):
        shown.append(("first", image.data))
        return Handle()

    monkeypatch.setattr(ipython, "get_ipython", lambda: type("Shell", (), {"kernel": True})())
    monkeypatch.setattr(ipython.display, "display", display)
    run = learn(images, tmp_path / "run", ShowPanels())
    assert [when for when, _ in shown] == ["first", "again", "again"]
    assert all(Image.open(io.BytesIO(png)).width > 128 for _, png in shown)
    assert not (run / "panels").exists()


def test_long_texts_and_rows_of_any_length_fit():
    rows = columns((torch.rand(2, 3, 8, 8), "a text that is a good deal longer than the image is wide"))
    image = Image.open(io.BytesIO(png_of([rows[0] * 3, rows[1]])))
    assert image.width == 3 * 136 + 8
    short = [[Panel(panel.image, "a text") for panel in row] for row in (rows[0] * 3, rows[1])]
    assert image.height == Image.open(io.BytesIO(png_of(short))).height + 2 * 2 * 18  # three lines, in both rows
    last = np.asarray(image.convert("L"))[-8 - 18 :, 8:136]
    assert last.min() < 128  # its end is there


@pytest.mark.parametrize(
    ("logger", "there"), [(("csv",), ["metrics.csv"]), (("tensorboard",), ["tensorboard"]), ((), [])]
)
def test_metrics_go_where_they_are_asked_to(images, tmp_path, logger, there):
    settings = TrainingSettings(logger=logger, monitor_every=4, progress=False)
    run = learn(images, tmp_path / "run", settings=settings)
    assert [name for name in ("metrics.csv", "tensorboard") if (run / name).exists()] == there
    assert weights(run) == weights(learn(images, tmp_path / "usual"))


@pytest.mark.parametrize("logger", ["wandb", "mlflow"])
def test_a_logger_that_is_not_installed_is_named_before_work(images, tmp_path, monkeypatch, logger):
    monkeypatch.setitem(sys.modules, logger, None)
    monkeypatch.setattr("embodied_ssl.training.logs.find_spec", lambda package: None if package == logger else True)
    with pytest.raises(DataError, match=f"logger: {logger} takes the package {logger}; pip install {logger}"):
        learn(images, tmp_path / "run", settings=TrainingSettings(logger=("csv", logger)))
    assert not (tmp_path / "run").exists()


def test_an_unknown_logger_is_refused():
    with pytest.raises(DataError, match="unknown logger 'wandbb': did you mean 'wandb'"):
        TrainingSettings(logger=("wandbb",))
