"""What methods show of their tasks: panels of every method on real data, that leave the method as it was."""

import copy
import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from embodied_ssl.data import open_streams, source_for
from embodied_ssl.evaluation.panels import figures_of, task_figures
from embodied_ssl.method import Method
from embodied_ssl.methods import make_method, method_class, method_names
from embodied_ssl.parts.motions import nearest_pattern
from embodied_ssl.parts.panels import NEAREST, ROWS, TRUE, bars_chart, curves_chart, overlaid, panels_of, with_lines
from embodied_ssl.parts.positives import Views
from embodied_ssl.parts.views import to_float
from embodied_ssl.report.figures import TaskPanels
from embodied_ssl.training.settings import TrainingSettings
from embodied_ssl.training.train import train

SIZE, COUNT = 32, 9


def prepared(name: str, data, **settings):
    """A method made ready for small data sets that were really collected, and a batch of each of its streams."""
    method = make_method(name, None, SIZE, seed=0, **settings)
    sources = {stream: source_for(spec.batch, list(data.values())) for stream, spec in method.input_streams().items()}
    streams = open_streams(method, {stream: source for stream, source in sources.items() if source is not None})
    method.infer_shapes(streams, np.random.default_rng(0))
    method.prepare(streams, np.random.default_rng(0))
    rng = np.random.default_rng(1)
    return method, {key: each.batch(rng.permutation(len(each))[:COUNT], rng) for key, each in streams.items()}


SETTINGS = {
    "temporal_order": {"spacing": 1, "windows_per_clip": 2},  # small clips have 9 frames
    "joint": {"methods": ("rotation", "drlim")},
    "equivariance": {"motions": 3},
}


@pytest.fixture(scope="module")
def shown(data):
    """Every method with its batches and rows of panels, each made once."""
    made = {}

    def of(name: str):
        if name not in made:
            method, batches = prepared(name, data, **SETTINGS.get(name, {}))
            made[name] = method, batches, panels_of(method, batches)
        return made[name]

    return of


@pytest.mark.parametrize("name", method_names())
def test_every_method_shows_its_task(name, shown):
    _, batches, rows = shown(name)
    assert method_class(name).show is not Method.show
    assert rows
    assert any(panel.text for row in rows for panel in row)
    for row in rows:
        for panel in row:
            color, height, width = panel.image.shape
            assert (color, panel.image.dtype) == (3, torch.float32)
            assert min(height, width) >= 8
            assert 0 <= panel.image.min() <= panel.image.max() <= 1
            assert panel.image.max() > panel.image.min()
    parts = len(batches)  # tasks at most: a stream each
    assert len(rows) <= ROWS * parts


@pytest.mark.parametrize("name", method_names())
def test_the_report_of_every_method_shows_its_task(name, data, shown):
    method, _, rows = shown(name)
    figures = task_figures(method.eval(), list(data.values()))
    widths = {len(row) for row in rows}
    assert {len(row) for figure in figures for row in figure.rows} == widths
    assert all(tile.image.dtype == np.uint8 for figure in figures for row in figure.rows for tile in row)


@pytest.mark.parametrize(("name", "settings"), [("labels", {}), ("joint", {"methods": ("labels",)})])
def test_labels_of_another_set_are_not_held_against_those_learned(name, settings, data):
    """Class 2 of one set is not class 2 of another."""
    found = [task_figures(prepared(name, data, **settings)[0].eval(), list(data.values()))]
    more = {"classes": 99} if name == "labels" else {"method_settings": {"labels": {"classes": 99}}, **settings}
    found.append(task_figures(prepared(name, data, **more)[0].eval(), list(data.values())))
    assert [bool(each) for each in found] == [True, False]


@pytest.mark.parametrize("name", method_names())
def test_showing_is_repeatable_and_changes_nothing(name, shown):
    method, batches, rows = shown(name)
    method.train()
    method.encoder.eval()  # as a part of a method may be while it learns
    before, lists = copy.deepcopy(method.state_dict()), lengths(method)
    modes, generator = [module.training for module in method.modules()], torch.get_rng_state()
    again = panels_of(method, batches)
    assert torch.equal(generator, torch.get_rng_state())
    assert modes == [module.training for module in method.modules()]
    assert lists == lengths(method)
    for key, value in method.state_dict().items():
        assert torch.equal(before[key], value), key
    for row, other in zip(rows, again, strict=True):
        for one, two in zip(row, other, strict=True):
            assert (one.text, one.right) == (two.text, two.right)
            assert torch.equal(one.image, two.image)


def lengths(method):
    """Of the lists that a method keeps from its loss until `after_step`."""
    return {key: len(own) for key, own in vars(method).items() if type(own) is list}


def features(method, images):
    method.eval()
    with torch.no_grad():
        return method.encoder(to_float(images, SIZE)).double().numpy()


def ranked(rows, images, distance):
    """Check that the last panels of each row are the images of the smallest distance, [B, K], in its order."""
    for i, row in enumerate(rows):
        near = np.argsort(distance[i], kind="stable")[:NEAREST]
        for panel, k in zip(row[-NEAREST:], near, strict=True):
            assert torch.equal(panel.image, images[k])
            assert panel.right == torch.equal(images[k], images[i])


def test_frames_are_ranked_by_the_distance_of_their_features(shown):
    for name in ("drlim", "temporal_coherence", "equivariance"):
        method, batches, rows = shown(name)
        pairs = batches["pairs"]
        before, after = features(method, pairs.first), features(method, pairs.second)
        if name == "equivariance":
            pattern = nearest_pattern(pairs.motion, method.centres, method.motion_std)
            before = np.einsum("bde,be->bd", method.maps[pattern].detach().double().numpy(), before)
        else:
            before, after = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (before, after))
        order = 1 if name == "temporal_coherence" else 2
        distance = np.linalg.norm(before[:, None] - after[None], ord=order, axis=2)
        ranked(rows, to_float(pairs.second, SIZE), distance)


def test_captions_are_ranked_by_their_cosine_with_the_image(shown):
    method, batches, rows = shown("clip")
    captions, words = batches["captions"], method.vocabulary()
    said = [" ".join(words[word] for word in row if word) for row in captions.words.tolist()]
    method.eval()
    cosine = (method.embed_images(to_float(captions.images, SIZE)) @ method.embed_captions(said).T).numpy()
    for i, row in enumerate(rows):
        assert row[0].text == said[i]
        near = np.argsort(-cosine[i], kind="stable")[:NEAREST]
        assert [panel.text for panel in row[1:]] == [said[k] for k in near]
        assert [panel.right for panel in row[1:]] == [said[k] == said[i] for k in near]


def test_captions_of_another_data_set_are_read_in_the_words_that_were_learned(data, shown):
    method, _, _ = shown("clip")
    stream = open_streams(method, {"captions": data["poke"]})["captions"]
    index = np.arange(len(stream))
    words = method.vocabulary()
    told = stream.batch(index, np.random.default_rng(0)).words
    captions = stream.captions(index, np.random.default_rng(0))
    for row, caption in zip(told.tolist(), captions, strict=True):
        known = [word if word in words else "?" for word in caption.split()]
        assert [words[word] for word in row if word] == known


def test_a_class_is_right_where_it_is_the_label(shown):
    method, batches, rows = shown("labels")
    labelled = batches["labelled"]
    with torch.no_grad():
        answer = method.eval().classifier(torch.from_numpy(features(method, labelled.images)).float()).argmax(1)
    assert [row[0].right for row in rows] == (answer == labelled.label)[:ROWS].tolist()


def test_a_motion_is_right_where_it_lies_in_the_bin_that_is_said(shown):
    _, batches, rows = shown("egomotion")
    for row, motion in zip(rows, batches["pairs"].motion.tolist(), strict=False):
        for panel, value in zip(row[2:], motion, strict=True):
            said = panel.text.replace("−", "-").partition(": ")[2]
            numbers = [float(number) for number in re.findall(r"-?[\d.]+", said)]
            low = -np.inf if said.startswith("below") else numbers[0]
            high = np.inf if said.endswith("above") else numbers[-1]
            assert (low - 0.005 <= value <= high + 0.005) or not panel.right
            assert panel.right or not (low + 0.005 < value < high - 0.005)


def test_a_grasp_is_right_where_it_held_as_predicted(shown):
    method, batches, rows = shown("curious_robot")
    grasps = batches["grasps"]
    likely = method.eval().predict_grasp(grasps.images, grasps.pixel)
    tried = (grasps.angle / torch.pi * 18).round().long() % 18
    right = [(likely[i, tried[i]] > 0.5).item() == grasps.success[i].item() for i in range(min(len(grasps), ROWS))]
    assert [row[1].right for row in rows[: len(right)]] == right


def test_lines_and_curves_lie_where_they_are_said_to():
    drawn = with_lines(torch.zeros(3, 32, 32), [(((0.25, 0.5), (0.75, 0.5)), (1.0, 1.0, 1.0), 3.0)])
    down, across = torch.nonzero(drawn.mean(0) > 0.5).T
    assert down.float().mean() / drawn.shape[1] == pytest.approx(0.5, abs=0.01)
    assert across.amin() / drawn.shape[2] == pytest.approx(0.25, abs=0.02)
    assert across.amax() / drawn.shape[2] == pytest.approx(0.75, abs=0.02)
    chart = curves_chart(
        [([0.0, 1.0], [1.0, 1.0], TRUE)], x=2.0, y=2.0
    )  # at half of the height, up to half of the width
    blue = torch.nonzero((chart - torch.tensor(TRUE)[:, None, None]).abs().amax(0) < 0.02)
    assert blue[:, 0].float().mean() / chart.shape[1] == pytest.approx(0.5, abs=0.02)
    assert blue[:, 1].amax() / chart.shape[2] == pytest.approx(0.5, abs=0.02)


def test_the_highest_bar_and_the_brightest_place_are_the_largest():
    chart = bars_chart(torch.tensor([0.1, 0.6, 0.3]), true=1)
    inked = (chart < 0.5).any(0).float()
    assert inked[:, 64:128].sum() > 2 * inked[:, 128:].sum() * 0.9 > inked[:, :64].sum()
    maps = torch.zeros(1, 4, 4)
    maps[0, 1, 2] = 1
    bright = overlaid(torch.full((1, 3, 32, 32), 0.5), maps)[0].mean(0)
    down, across = divmod(int(bright.argmax()), 32)
    assert (down // 8, across // 8) == (1, 2)


@pytest.mark.parametrize("name", ["simclr", "equivariance", "joint"])
def test_a_page_asks_of_a_run_only_what_it_has_learned(name, tmp_path, data):
    """Of sets whose motions have other numbers, and of streams that it could have learned from but did not, nothing."""
    settings = {"simclr": {"views": Views("both", crop=1.0)}, "joint": {"methods": ("equivariance",)}}.get(name, {})
    stream = {"simclr": "objects", "joint": "equivariance.pairs"}.get(name, "pairs")
    learned, other = ("hold", "orbit") if name == "simclr" else ("roam", "hold")
    method = make_method(name, "conv4", 32, 0, **settings)
    recipe = replace(method.recipe, steps=1, batch_size=4)
    run = train(method, tmp_path / name, {stream: data[learned]}, recipe, TrainingSettings(progress=False))
    asked = [any(isinstance(each, TaskPanels) for each in figures_of(run, [data[on]])) for on in (learned, other)]
    assert asked == [True, name == "simclr"]
