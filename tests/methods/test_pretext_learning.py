"""Each pretext task is learned, at small scale, from a roaming body: its head solves it in rooms never seen."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from embodied_ssl.data import open_streams
from embodied_ssl.datasets.collect.collection import collect
from embodied_ssl.method import Recipe, Step
from embodied_ssl.methods import make_method
from embodied_ssl.parts.colors import cell_colors, rgb_to_lab, soft_cross_entropy
from embodied_ssl.parts.views import random_square
from embodied_ssl.training.runs.checkpoint import load_method
from embodied_ssl.training.settings import Hardware, TrainingSettings
from embodied_ssl.training.train import train

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Video to learn from, and of other rooms."""
    root = tmp_path_factory.mktemp("rooms")
    for name, seed in (("seen", 0), ("new", 1)):
        collect("roam", root / name, episodes=60, length=20, size=48, seed=seed, flow=True, progress=False)
    return {name: root / name for name in ("seen", "new")}


@pytest.fixture
def learned(rooms, tmp_path):
    """Trains a method; what comes back are the method at rest and a batch of held-out rooms."""

    def learn(name: str, steps: int, **settings: Any):
        method = make_method(name, "conv4", 32, **settings)
        [stream] = method.input_streams()
        recipe = Recipe(learning_rate=2e-3, batch_size=32, steps=steps)
        data, quiet = {stream: rooms["seen"]}, TrainingSettings(progress=False)
        run = train(method, tmp_path / name, data, recipe, quiet, Hardware("cpu"))
        trained = load_method(run).eval()
        held_out = open_streams(trained, {stream: rooms["new"]})[stream]
        rows = np.random.default_rng(0).permutation(len(held_out))[:400]
        return trained, held_out.batch(rows, np.random.default_rng(0))

    with torch.random.fork_rng():
        yield learn


def rng():
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize(
    ("name", "settings", "steps", "metric", "chance", "least"),
    [
        ("rotation", {}, 60, "accuracy", 1 / 4, 0.55),
        ("relative_patch", {"colors": "project"}, 300, "accuracy", 1 / 8, 0.18),
        ("jigsaw", {"permutations": 8}, 60, "accuracy", 1 / 8, 0.45),
        ("temporal_order", {}, 120, "balanced_accuracy", 1 / 2, 0.56),
    ],
)
def test_a_question_is_answered_on_rooms_never_seen(learned, name, settings, steps, metric, chance, least):
    method, batch = learned(name, steps, **settings)
    untrained = make_method(name, "conv4", 32, **settings).eval()
    with torch.no_grad():
        found, before = (each.loss(batch, Step(1.0, rng()))[metric].item() for each in (method, untrained))
    assert before == pytest.approx(chance, abs=0.1)
    assert found > least


def test_quarters_have_the_counts_of_the_whole_and_not_of_another_image(learned):
    """The squared difference from the small image over that from another one, in rooms never seen."""
    method, batch = learned("counting", 250)
    untrained = make_method("counting", "conv4", 32).eval()
    with torch.no_grad():
        found, before = (each.loss(batch, Step(1.0, rng())) for each in (method, untrained))
    assert before["relative"] > 0.6
    assert found["relative"] < 0.5
    assert found["loss"] < 0.8 * method.margin  # of no counts at all


def test_a_hole_is_filled_better_than_with_the_colour_around_it(learned):
    method, batch = learned("context_encoder", 150)
    images = random_square(batch.images, rng(), 32)
    _, hidden = method.holes(images, rng())
    seen = images * (1 - hidden)
    around = seen.sum((2, 3), keepdim=True) / (1 - hidden).sum((2, 3), keepdim=True)
    with torch.no_grad():
        filled = method.fill(images, hidden)
    error, trivial = (((each - images).square() * hidden).sum().item() for each in (filled, around))
    assert error < 0.85 * trivial


@pytest.mark.parametrize("name", ["colorization", "split_brain"])
def test_colours_are_told_from_lightness_and_lightness_from_colours(learned, name):
    """Far oftener than by chance, and an image's own other half better than that of another image."""
    method, batch = learned(name, 250)
    lab = rgb_to_lab(random_square(batch.images, rng(), 32))
    color = cell_colors(lab, method.cells)
    with torch.no_grad():
        to_color = method.classify(lab[:, :1]) if name == "colorization" else method.predict(lab)[0]
    own, accuracy = soft_cross_entropy(to_color, color, method.step_ab)
    other, _ = soft_cross_entropy(to_color, color.roll(1, 0), method.step_ab)
    assert accuracy > 20 / len(method.classes)
    assert own < other - 0.06
    if name == "split_brain":
        with torch.no_grad():
            to_lightness = method.predict(lab)[1]
        level = method.lightness_class(lab)
        own, other = (functional.cross_entropy(to_lightness, each) for each in (level, level.roll(1, 0)))
        assert own < other - 0.06
        assert own < np.log(method.levels) - 0.2
