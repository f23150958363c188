"""The classifier that a run has learned of few labels: which images it was given, and how often it is right."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from embodied_ssl.data import take_streams
from embodied_ssl.datasets.collect.collection import collect
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.images.sources import image_set
from embodied_ssl.evaluation.evaluate import evaluate
from embodied_ssl.evaluation.protocols.classifier import Classifier
from embodied_ssl.evaluation.protocols.zero_shot import ZeroShot
from embodied_ssl.evaluation.splits import split
from embodied_ssl.method import Recipe
from embodied_ssl.methods import make_method
from embodied_ssl.parts.views import to_float
from embodied_ssl.training.runs.checkpoint import load_method
from embodied_ssl.training.settings import Hardware, TrainingSettings
from embodied_ssl.training.train import train

NAMES = ("dark", "grey", "light")


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Classes that differ in brightness, but overlap."""
    folder, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    for part, count in (("train", 20), ("test", 12)):
        for label, name in enumerate(NAMES):
            (folder / part / name).mkdir(parents=True)
            for i in range(count):
                picture = rng.normal(60 + 60 * label + rng.normal(0, 25), 20, (16, 16, 3)).clip(0, 255)
                Image.fromarray(picture.astype(np.uint8)).save(folder / part / name / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def run(images, tmp_path_factory):
    method = make_method("fixmatch", "conv4", 16, seed=3, per_class=4)
    data = {"labelled": images, "frames": images}
    quiet = TrainingSettings(seed=3, progress=False)
    return train(method, tmp_path_factory.mktemp("runs") / "few-3", data, Recipe(steps=15), quiet, Hardware("cpu"))


def test_a_run_is_given_so_many_labels_of_each_class_by_its_seed(images, run):
    def given(seed):
        taken = take_streams(make_method("labels", "conv4", 16, per_class=4), {"labelled": images}, seed=seed)
        (stream,) = (each.stream for each in taken.values())
        assert np.bincount(stream.images.label).tolist() == [4, 4, 4]
        return stream.images.images[np.arange(12)]

    assert np.array_equal(given(3), given(3))
    assert not np.array_equal(given(3), given(4))
    told = json.loads((run / "run.json").read_text())["data"]
    assert [told["labelled"]["images"], told["frames"]["images"]] == [12, 60]


def test_its_accuracy_is_that_of_its_own_classifier_on_test_images_alone(images, run):
    found = evaluate([run], [images], [Classifier()], progress=False)
    (one,) = [each for each in found if each.protocol == "classifier"]
    method, right = load_method(run), 0
    for label, name in enumerate(NAMES):
        for path in (images / "test" / name).iterdir():
            picture = torch.from_numpy(np.asarray(Image.open(path)).copy()).movedim(-1, 0)[None]
            with torch.no_grad():
                right += int(method.classifier(method.encoder(to_float(picture))).argmax()) == label
    assert one.value == pytest.approx(right / 36)
    assert one.settings["labelled_images"] == 12
    assert one.value > 0.5  # of three classes


def test_classes_are_told_by_their_names(images, run, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(images, other)
    for number, name in enumerate(NAMES):
        for part in ("train", "test"):
            (other / part / name).rename(other / part / f"zebra{number}")
        if number == 0:  # no answer is right of what was not learned
            (one,) = [each for each in evaluate([run], [other], [Classifier()], progress=False) if each.row == "few"]
            assert one.settings["not_learned"] == ["zebra0"]
            assert one.value <= 2 / 3
    with pytest.raises(DataError, match="few-3 has learned dark, grey, light and others, but no zebra0, zebra1"):
        evaluate([run], [other], [Classifier()], progress=False)
    fewer = tmp_path / "fewer"
    shutil.copytree(images, fewer)
    for part in ("train", "test"):
        shutil.rmtree(fewer / part / "dark")  # its first class is the run's second
    (one,) = [each for each in evaluate([run], [fewer], [Classifier()], progress=False) if each.row == "few"]
    assert one.value > 0.4


@pytest.mark.simulator
def test_a_class_is_recognised_by_its_name_alone(tmp_path):
    """By a run that saw captions and no label: the name nearest to an image, of those of the classes in all prompts."""
    for name, seed in (("seen", 0), ("new", 1)):
        collect("hold", tmp_path / name, 12, seed=seed, length=6, size=24, categories=("banana", "mug"), progress=False)
    method = make_method("clip", "conv4", 24, seed=0)
    quiet = TrainingSettings(progress=False)
    run = train(method, tmp_path / "clip-0", {"captions": tmp_path / "seen"}, Recipe(steps=8), quiet, Hardware("cpu"))
    (one,) = [each for each in evaluate([run], [tmp_path / "new"], [ZeroShot()], progress=False) if each.row == "clip"]
    assert one.settings["unknown_names"] == 0

    images = image_set(tmp_path / "new")
    test = split(images, 0).test
    trained = load_method(run)
    with torch.no_grad():
        features = trained.image_projection(
            trained.encoder(to_float(torch.from_numpy(images.images[test]).movedim(-1, 1)))
        )
        texts = []
        for name in images.classes:
            captions = [f"a {name}{place}" for place in ("", " on the left", " on the right", " in the middle")]
            codes = torch.stack([trained.embed_captions([caption])[0] for caption in captions])
            texts.append(codes.mean(0) / codes.mean(0).norm())
    right = (features @ torch.stack(texts).T).argmax(1).numpy() == images.label[test]
    assert one.value == pytest.approx(right.mean())
