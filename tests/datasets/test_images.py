"""Labelled images out of data sets, folders and archives."""

import gzip
import struct
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from embodied_ssl.datasets.collect.collection import collect
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.images.sources import image_set
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.evaluation.splits import split


def picture(seed, size=8):
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path):
    for part in ("train", "test"):
        for label, name in enumerate(("cup", "pan")):
            (tmp_path / "set" / part / name).mkdir(parents=True)
            for i in range(3):
                seed = label * 10 + i + 100 * (part == "test")
                cv2.imwrite(str(tmp_path / "set" / part / name / f"{i}.png"), picture(seed)[..., ::-1])
    return tmp_path / "set"


def test_a_folder_of_class_folders(folder):
    images = image_set(folder)
    assert images.classes == ("cup", "pan")
    assert len(images) == 12
    assert (images.part == "train").sum() == 6
    row = np.flatnonzero((images.part == "test") & (images.label == 1))[2]
    np.testing.assert_array_equal(images.images[row], picture(112))


def test_an_archive_is_the_same_as_its_folder(folder, tmp_path):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for path in folder.rglob("*.png"):
            archive.write(path, str(path.relative_to(folder)))
    one, two = image_set(folder), image_set(tmp_path / "set.zip")
    np.testing.assert_array_equal(one.images, two.images)
    np.testing.assert_array_equal(one.label, two.label)
    assert one.fingerprint == two.fingerprint


def test_what_is_wrong_is_named(folder, tmp_path):
    with pytest.raises(DataError, match="is the path right"):
        image_set(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no images"):
        image_set(tmp_path / "empty")
    (tmp_path / "cut.zip").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(DataError, match=r"cut\.zip"):
        image_set(tmp_path / "cut.zip")
    (folder / "train" / "cup" / "large.png").write_bytes(b"not an image")
    with pytest.raises(DataError, match=r"large\.png is damaged"):
        image_set(folder)


def test_frames_of_a_roaming_body_are_labelled_by_scene(tmp_path):
    collect("roam", tmp_path / "roam", episodes=4, size=32, length=5, progress=False)
    images, dataset = image_set(tmp_path / "roam"), Dataset.open(tmp_path / "roam")
    assert len(images) == 20
    for row in (0, 7, 19):
        scene = dataset.scenes[dataset.episodes["scene"][row // 5]]
        assert images.classes[images.label[row]] == scene
        assert images.group[row] == row // 5


def test_things_on_a_table_are_in_the_middle_of_their_patches(tmp_path):
    """The instance mask, which the patches are not made from, tells what is in the middle of each."""
    collect("poke", tmp_path / "poke", episodes=6, size=96, clutter=4, instance=True, progress=False)
    images, dataset = image_set(tmp_path / "poke"), Dataset.open(tmp_path / "poke")
    assert len(images) >= 20
    masks, before = dataset.array("interactions/instance_before")[:], dataset.array("interactions/rgb_before")[:]
    objects, half, checked = dataset.objects, images.images.shape[1] // 2, 0
    for patch in images.images:
        for thing in range(len(objects["index"])):
            mask = masks[objects["episode"][thing]] == objects["index"][thing]
            if mask.sum() < 30:
                continue
            ys, xs = np.nonzero(mask)
            # The patch of an object, found by its pixels somewhere near the middle of its mask, if it is this one's.
            for y in range(int(ys.mean()) - 3, int(ys.mean()) + 4):
                for x in range(int(xs.mean()) - 3, int(xs.mean()) + 4):
                    window = before[objects["episode"][thing], y - half : y + half, x - half : x + half]
                    checked += window.shape == patch.shape and np.array_equal(window, patch)
    assert checked >= 0.5 * len(images)  # the others touch the border, or are hidden or tall
    assert set(images.classes) == set(dataset.objects["category"].tolist())
    assert masks.max() >= 4
    with pytest.raises(DataError, match=r"did you mean 'material'\?"):
        image_set(tmp_path / "poke", label="materiel")


def test_the_files_of_mnist_are_a_set(tmp_path):
    """Written here byte by byte, as its authors describe the format."""
    rng = np.random.default_rng(0)
    pictures = {"train": rng.integers(0, 256, (12, 5, 5), np.uint8), "t10k": rng.integers(0, 256, (6, 5, 5), np.uint8)}
    for stem, images in pictures.items():
        head = struct.pack(">BBBBIII", 0, 0, 8, 3, *images.shape)
        (tmp_path / f"{stem}-images-idx3-ubyte.gz").write_bytes(gzip.compress(head + images.tobytes()))
        head = struct.pack(">BBBBI", 0, 0, 8, 1, len(images))
        labels = bytes(i % 3 for i in range(len(images)))
        (tmp_path / f"{stem}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(head + labels))
    images = image_set(tmp_path)
    assert images.classes == ("0", "1", "2")
    np.testing.assert_array_equal(images.images[12 + 4][..., 1], pictures["t10k"][4])
    assert (images.label[16], images.part[16], images.part[11]) == (1, "test", "train")
    assert set(split(images, 0).test) == set(range(12, 18))
    path = tmp_path / "t10k-labels-idx1-ubyte.gz"
    whole = path.read_bytes()
    for damaged in (whole[:20], b"", gzip.compress(b"\0\0\x08\x01\0\0\0\x09\0"), gzip.compress(b"else")):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match="fetch it again"):
            image_set(tmp_path)


FASHION = Path("/usr/share/datasets/fashion-mnist")


@pytest.mark.skipif(not FASHION.is_dir(), reason="Debian's package dataset-fashion-mnist is not installed")
def test_fashion_mnist_of_debian():
    images = image_set(FASHION)
    assert len(images) == 70_000
    assert np.bincount(images.label).tolist() == [7000] * 10
    assert [int((images.part == part).sum()) for part in ("train", "test")] == [60_000, 10_000]
    assert images.images[np.array([0, 69_999])].shape == (2, 28, 28, 3)


def test_what_is_not_installed_is_named(tmp_path):
    with pytest.raises(DataError, match="apt-get install dataset-fashion-mnist"):
        image_set(tmp_path / "fashion-mnist")
