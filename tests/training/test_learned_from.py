"""Training takes the part `train` alone, a run says what it took, and what was learned from is found again."""

import json
import zipfile

import cv2
import numpy as np
import pytest

from embodied_ssl.cli.main import main
from embodied_ssl.data import open_streams
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.images.sources import image_set
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.evaluation.evaluate import evaluate
from embodied_ssl.evaluation.splits import split
from embodied_ssl.method import Recipe
from embodied_ssl.methods import make_method
from embodied_ssl.training.runs.checkpoint import load_encoder
from embodied_ssl.training.runs.samples import SAMPLES, learned_from
from embodied_ssl.training.settings import TrainingSettings
from embodied_ssl.training.train import train

SHORT = Recipe(steps=2, batch_size=8)
QUIET = TrainingSettings(progress=False)


def write_noise(root, each, size=8, parts=("train", "test")):
    """Images of noise, in classes that nothing tells apart."""
    rng = np.random.default_rng(0)
    for part in parts:
        for name in ("a", "b"):
            (root / part / name).mkdir(parents=True)
            for i in range(each):
                cv2.imwrite(str(root / part / name / f"{i}.png"), rng.integers(0, 256, (size, size, 3), np.uint8))
    return root


@pytest.fixture(scope="module")
def noise(tmp_path_factory):
    return write_noise(tmp_path_factory.mktemp("data") / "noise", each=40)


def learn(name, out, source, recipe=SHORT):
    method = make_method(name, None, 32)
    return train(method, out, {next(iter(method.input_streams())): source}, recipe, QUIET)


def test_labels_of_noise_tell_nothing_of_other_noise(noise, tmp_path):
    """The network learns all of what it sees by heart, and is at chance on what it has not seen."""
    recipe = Recipe(steps=80, batch_size=30, learning_rate=5e-3, weight_decay=0.0)
    everything = write_noise(tmp_path / "everything", each=40)
    for path in sorted((everything / "test").rglob("*.png")):  # as if it had learned from the test part too
        path.rename(everything / "train" / path.parent.name / f"test-{path.name}")
    found = {}
    for source in (noise, everything):
        method = make_method("labels", None, 16, least_crop=1.0)
        run = train(method, tmp_path / f"run-{source.name}", {"labelled": source}, recipe, QUIET)
        (result,) = evaluate([run], [noise], ["knn"], baselines=False, progress=False)
        found[source.name] = result.value
    assert 0.25 < found["noise"] < 0.75  # of 80 images: more than four deviations
    assert found["everything"] > 0.8


@pytest.mark.parametrize("name", ["labels", "rotation"])  # of labelled frames, and of frames
def test_streams_take_the_part_train_alone(noise, name):
    images = image_set(noise)
    method = make_method(name, None, 32)
    (stream,) = open_streams(method, {next(iter(method.input_streams())): noise}).values()
    shown = stream.batch(np.arange(len(stream)), np.random.default_rng(0))
    np.testing.assert_array_equal(shown.images.permute(0, 2, 3, 1), images.images[images.part == "train"])


def test_a_run_says_what_it_learned_from(noise, tmp_path, capsys):
    out = tmp_path / "run"
    command = ["train", "rotation", "--frames", str(noise), "--out", str(out), "--image_size", "32"]
    assert main([*command, "--steps", "1", "--batch_size", "4"]) == 0
    assert capsys.readouterr().err.startswith(
        f"embodied-ssl: frames: 80 images of {noise}, part train (noise: 2 classes (a, b); train 80, test 80 images)\n"
    )
    entry = json.loads((out / "run.json").read_text())["data"]["frames"]
    assert (entry["source"], entry["part"], entry["images"]) == (str(noise), "train", 80)
    samples = np.load(out / SAMPLES)
    assert samples.dtype == np.uint64
    assert len(samples) == 80
    assert (np.diff(samples) > 0).all()


def test_pictures_are_known_again_by_content(noise, tmp_path):
    """In another place, under another name, in an archive; and those that were not learned from are not."""
    run = learn("rotation", tmp_path / "run", noise)
    images = image_set(noise)
    parts = split(images, 0)
    assert learned_from(run, images, parts.test) == 0
    assert learned_from(run, images, parts.train) == len(parts.train)
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        for number, path in enumerate(sorted(noise.rglob("*.png"))):
            archive.write(path, f"{number % 3}/{number}.png")
    other = image_set(tmp_path / "other.zip")
    assert learned_from(run, other, np.arange(len(other))) == 80
    assert learned_from(run, other.at(np.arange(20)), np.arange(20)) == learned_from(run, other, np.arange(20))


@pytest.mark.parametrize("how", ["its directory", "its file", "its encoder"])
def test_what_first_weights_have_learned_from_counts_as_well(noise, tmp_path, how):
    earlier = learn("rotation", tmp_path / "earlier", noise / "test")
    given = {"its directory": earlier, "its file": earlier / "encoder.safetensors"}.get(how)
    method = make_method("rotation", None, 32, init=given)
    if how == "its encoder":
        method = type(method)(load_encoder(earlier))
    run = train(method, tmp_path / "run", {"frames": noise}, SHORT, QUIET)
    images = image_set(noise)
    assert learned_from(run, images, split(images, 0).test) == 80
    assert learned_from(earlier, images, split(images, 0).train) == 0
    again = learn("rotation", tmp_path / "again", noise)
    assert learned_from(again, images, split(images, 0).test) == 0


@pytest.mark.parametrize(
    ("kind", "name", "each"),
    [("roam", "rotation", 45), ("orbit", "labels", 32), ("push", "rotation", None), ("poke", "labels", None)],
)
def test_pictures_of_our_sets_are_known_again(data, tmp_path, kind, name, each):
    """Patches about objects count as the images that they are cut from."""
    run = learn(name, tmp_path / "run", data[kind])
    images = image_set(data[kind])
    assert each is None or each == len(images)
    assert learned_from(run, images, np.arange(len(images))) == len(images)
    array = Dataset.open(data["roam"]).array("frames/rgb")
    assert len(np.unique(image_set(data["roam"]).digests)) == len(np.unique(array[:].reshape(len(array), -1), axis=0))
    if kind != "roam":
        assert learned_from(run, image_set(data["roam"]), np.arange(45)) == 0


def test_a_run_that_goes_on_has_the_same_samples(noise, tmp_path, monkeypatch):
    kind = type(make_method("rotation", None, 32))
    with monkeypatch.context() as patched:
        patched.setattr(kind, "after_step", lambda self, step: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            learn("rotation", tmp_path / "run", noise)
    before = (tmp_path / "run" / SAMPLES).read_bytes()
    run = learn("rotation", tmp_path / "run", noise)
    assert (run / SAMPLES).read_bytes() == before
    images = image_set(noise)
    for wrong, said in ((None, "missing, so what this run learned from is unknown"), (b"\0", "damaged")):
        (run / SAMPLES).unlink(missing_ok=True)
        if wrong is not None:
            (run / SAMPLES).write_bytes(wrong)
        with pytest.raises(DataError, match=said):
            learned_from(run, images, np.arange(3))


def test_a_run_that_learned_from_all_parts_is_not_handed_back(noise, tmp_path):
    """It is of the same data set, but of another part of it."""
    run = learn("rotation", tmp_path / "run", noise)
    told = json.loads((run / "run.json").read_text())
    del told["data"]["frames"]["part"]  # as runs were that knew of no parts
    (run / "run.json").write_text(json.dumps(told))
    with pytest.raises(DataError, match="part of frames is , not train"):
        learn("rotation", tmp_path / "run", noise)


def test_a_set_without_a_part_to_learn_from_is_refused(tmp_path):
    images = image_set(write_noise(tmp_path / "noise", each=2))
    held_out = images.at(np.flatnonzero(images.part == "test"))
    with pytest.raises(DataError, match="no part train to learn from"):
        held_out.frames()
