"""Files of images of any size: read when asked for, within bounds of memory, and what is damaged among them."""

import json
import pickle
import time

import cv2
import numpy as np
import pytest
import torch

from embodied_ssl.cli.main import main
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.images import encoded, scanning
from embodied_ssl.datasets.images.archives import Folder
from embodied_ssl.datasets.images.sources import image_set
from embodied_ssl.datasets.read.streams import Batches
from embodied_ssl.evaluation.features import Pixels, extract
from embodied_ssl.evaluation.splits import split
from embodied_ssl.method import Recipe
from embodied_ssl.methods import make_method
from embodied_ssl.training.settings import Hardware, TrainingSettings
from embodied_ssl.training.train import train

SIZES = [(40, 60), (60, 40), (50, 50), (33, 71)]


def write(root, each=6, sizes=SIZES, parts=("train", "test")):
    """Images of one colour each, which is told by their names."""
    for p, part in enumerate(parts):
        for c, name in enumerate(("a", "b")):
            (root / part / name).mkdir(parents=True)
            for i in range(each):
                height, width = sizes[i % len(sizes)]
                colour = np.array([100 * p + 20, 100 * c + 20, 20 * i], np.uint8)
                path = root / part / name / f"{i}.{('png', 'jpg', 'webp')[i % 3]}"
                cv2.imwrite(str(path), np.tile(colour[::-1], (height, width, 1)))
    return root


def colour_of(images, row):
    part, label = images.part[row], images.label[row]
    within = np.flatnonzero((images.part == part) & (images.label == label)).tolist().index(row)
    return np.array([100 * (part == "test") + 20, 100 * label + 20, 20 * within])


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path / "set")


def test_pictures_of_any_size_become_squares_of_one(folder):
    images = image_set(folder)
    assert images.images.shape == (24, 50, 50, 3)  # the largest shorter side: none is made larger than that
    assert images.side == 50
    assert "of each the square in its middle, at 50 px" in images.told
    found = images.images[np.arange(24)]
    for row in range(24):
        assert np.abs(found[row].astype(int) - colour_of(images, row)).max() <= 3
    assert image_set(folder, side=16).images[3].shape == (16, 16, 3)
    assert image_set(folder, side=16).fingerprint != images.fingerprint  # features that are kept are of one side
    assert image_set(folder, usual_side=24).images[:].shape == (24, 24, 24, 3)


def test_squares_of_one_size_stay_as_they_are(tmp_path):
    for size, side, kept in ((256, None, True), (257, 256, False), (32, None, True)):
        images = image_set(write(tmp_path / str(size), each=2, sizes=[(size, size)]))
        assert images.images.shape[1] == (side or size)
        assert (images.side is None) == kept
    oblong = image_set(write(tmp_path / "oblong", each=2, sizes=[(20, 30)]))
    assert oblong.images.shape == (8, 20, 20, 3)


def test_rows_are_asked_for_in_every_way(folder):
    images = image_set(folder).images
    every = images[:]
    for key in (3, -1, slice(2, 9, 3), np.array([5, 1, 5]), np.array([[1, 2], [3, 4]]), np.arange(24) % 5 == 0, []):
        rows = np.array(key, int) if isinstance(key, list) else key
        np.testing.assert_array_equal(images[rows], every[rows])
    with pytest.raises(IndexError):
        images[24]


def test_nothing_is_decoded_before_it_is_asked_for(folder, monkeypatch):
    counted = []
    real = encoded.decode
    monkeypatch.setattr(encoded, "decode", lambda content, side: counted.append(side) or real(content, side))
    images = image_set(folder)
    part = images.at(np.flatnonzero(images.part == "test")).at(np.array([4, 2]))
    split(images, 0)
    assert images.digests.shape == (24,)
    assert part.digests.tolist() == images.digests[images.part == "test"][[4, 2]].tolist()
    assert not counted
    part.images[np.array([1])]
    assert len(counted) == 1
    extract(Pixels(), part)
    extract(Pixels(), part)
    assert len(counted) == 2  # the first is kept from before


def test_what_is_kept_in_memory_is_bounded(folder, monkeypatch):
    monkeypatch.setattr(encoded, "KEPT_BYTES", 5 * 50 * 50 * 3)
    images = image_set(folder).images
    for _ in range(2):
        images[:]
    assert len(images._kept) <= 5 + scanning.threads()
    before = dict(images._kept)
    images[:]
    assert list(images._kept) == list(before)  # and what is kept stays
    assert len(pickle.dumps(images)) < 20_000


def test_files_are_read_again_only_where_they_changed(folder, monkeypatch):
    counted = []
    real = Folder.read
    monkeypatch.setattr(Folder, "read", lambda self, row: counted.append(row) or real(self, row))
    first = image_set(folder)
    assert len(counted) == 24
    assert image_set(folder).fingerprint == first.fingerprint
    assert len(counted) == 24
    time.sleep(0.01)
    cv2.imwrite(str(folder / "test" / "a" / "0.png"), np.zeros((40, 60, 3), np.uint8))
    assert image_set(folder).fingerprint != first.fingerprint
    assert len(counted) == 48


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_decode_what_one_process_does(folder, method):
    cv2.resize(np.zeros((500, 500, 3), np.float32), (2000, 2000))  # starts OpenCV's threads, which a fork leaves behind
    batches = Batches(image_set(folder).labelled(), batch_size=5, seed=0)
    loader = torch.utils.data.DataLoader(
        batches,  # type: ignore[arg-type]
        batch_size=None,
        sampler=range(4),
        num_workers=2,
        multiprocessing_context=method,
        worker_init_fn=encoded.begin_worker,
        timeout=600,
    )
    for step, got in enumerate(loader):
        assert torch.equal(got.images, batches[step].images)
        assert torch.equal(got.label, batches[step].label)


def damage_header(folder):
    """Damage that is seen at once."""
    (folder / "train" / "a" / "0.png").write_bytes(b"")
    whole = (folder / "train" / "a" / "1.jpg").read_bytes()
    (folder / "train" / "a" / "1.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "test" / "b" / "x.png").mkdir()


def damage_body(path):
    """Damage that is seen only when an image is decoded."""
    content = bytearray(path.read_bytes())
    place = content.index(b"IDAT") + 8
    content[place : place + 8] = b"\xff" * 8
    path.write_bytes(bytes(content))


def test_damaged_files_are_named_all_at_once_before_anything_starts(folder):
    damage_header(folder)
    said = (
        r"set: test/b/x\.png is a folder; train/a/0\.png is empty; train/a/1\.jpg is cut; mend or remove them, or skip "
        "them with --skip_damaged"
    )
    with pytest.raises(DataError, match=said):
        image_set(folder)
    images = image_set(folder, skip_damaged=True)
    assert len(images) == 22
    assert "3 damaged skipped: test/b/x.png, train/a/0.png, train/a/1.jpg" in images.told
    assert "train 10, test 12 images" in images.told


def test_damage_that_is_seen_late_is_replaced_by_the_next_of_the_class(folder):
    damage_body(folder / "train" / "a" / "3.png")
    with pytest.raises(DataError, match=r"train/a/3\.png cannot be decoded; mend or remove it, or skip it"):
        image_set(folder).images[:]
    images = image_set(folder, skip_damaged=True)
    (row,) = [
        i for i, name in enumerate(sorted(folder.rglob("*.*"))) if name.name == "3.png" and "train/a" in str(name)
    ]
    assert images.damaged() == []
    np.testing.assert_array_equal(images.images[row], images.images[row + 1])
    assert images.damaged() == ["train/a/3.png"]
    damage_body(folder / "train" / "b" / "3.png")
    for i in (0, 1, 2, 4, 5):  # nothing of the class is left
        next((folder / "train" / "b").glob(f"{i}.*")).unlink()
    images = image_set(folder, skip_damaged=True)
    with pytest.raises(DataError, match=r"train/b/3\.png cannot be decoded"):
        images.images[:]


@pytest.mark.parametrize("workers", [0, 2])
def test_training_goes_past_damage_and_tells_of_it(folder, tmp_path, capsys, workers):
    damage_header(folder)
    damage_body(folder / "train" / "b" / "3.png")
    out = tmp_path / "run"
    command = ["train", "rotation", "--frames", str(folder), "--image_size", "32", "--steps", "3", "--batch_size", "8"]
    command += ["--workers", str(workers)]
    assert main([*command, "--out", str(out)]) == 2
    assert "3 damaged" not in capsys.readouterr().err
    assert main([*command, "--out", str(out), "--skip_damaged"]) == 0
    told = capsys.readouterr().err
    assert "frames: 10 images of" in told.splitlines()[0]
    assert "3 damaged skipped" in told.splitlines()[0]
    last = "frames: 1 file could not be decoded, and another of the same class stood for it: train/b/3.png"
    assert last in told
    assert json.loads((out / "run.json").read_text())["data"]["frames"]["side"] == 48  # 1.5 times what it sees


@pytest.mark.parametrize("command", ["evaluate", "compare"])
def test_measuring_goes_past_damage_and_tells_of_it(folder, tmp_path, capsys, command):
    """Up to the page, which shows images of the set."""
    damage_header(folder)
    run, small = str(tmp_path / "run-0"), ["--image_size", "32", "--steps", "1", "--batch_size", "8"]
    train = ["train", "rotation", "--frames", str(folder), "--out", run, "--skip_damaged", *small]
    compare = ["compare", "rotation", "--data", str(folder), "--seeds", "1", "--labels", "false", *small]
    given = ["evaluate", run] if command == "evaluate" else compare
    given += ["--on", str(folder), "--protocol", "knn", "--out", str(tmp_path / "out"), "--device", "cpu"]
    assert command == "compare" or main(train) == 0
    assert main(given) == 2
    damage_body(folder / "test" / "b" / "3.png")
    assert main([*given, "--skip_damaged"]) == 0
    told = capsys.readouterr().err
    assert "3 damaged skipped" in told
    assert f"{folder.name}: 1 file could not be decoded, and another of the same class stood for it: test/b/3" in told
    assert (tmp_path / "out" / "report.html").is_file()


def test_damage_met_by_a_worker_is_one_line(folder, tmp_path):
    damage_body(folder / "train" / "b" / "3.png")
    method = make_method("rotation", None, 32)
    recipe = Recipe(steps=6, batch_size=6)
    how, where = TrainingSettings(seed=3, progress=False), Hardware(workers=1)
    with pytest.raises(DataError) as caught:
        train(method, tmp_path / "run", {"frames": folder}, recipe, how, where)
    assert str(caught.value).startswith(f"{folder}: train/b/3.png cannot be decoded")
    assert "\n" not in str(caught.value)
