"""Every way in which people lay out images, as a folder, a zip, a zip made on Windows, and a tar."""

import tarfile
import zipfile
import zlib

import cv2
import numpy as np
import pytest

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.images.sources import image_set

PNG = {}


def content(name):
    """An image of its own for each name."""
    if name not in PNG:
        pixels = np.random.default_rng(zlib.crc32(name.encode())).integers(0, 256, (8, 8, 3), np.uint8)
        PNG[name] = cv2.imencode(".png", pixels)[1].tobytes()
    return PNG[name]


JUNK = (".DS_Store", "__MACOSX/train/a/._1.png", "._1.png", "a/.ipynb_checkpoints/1-checkpoint.png", "Thumbs.db")

# Names, then (part, class) of each in their order (None: left out), and what is said.
CONVENTIONS = {
    "classes": ("a/1.png b/2.png", [("", "a"), ("", "b")], "2 classes (a, b); 2 images"),
    "imagenet": (
        "train/a/1.JPEG train/b/2.JPEG val/a/3.JPEG",
        [("train", "a"), ("train", "b"), ("test", "a")],
        "train 2, test 1 images; val is measured on, as test; in train alone: b",
    ),
    "three parts": (
        "test/a/1.png train/a/2.png val/a/3.png",
        [("test", "a"), ("train", "a"), ("validation", "a")],
        "1 class (a); train 1, validation 1, test 1 images",
    ),
    "capitals": ("Test/a/1.png Train/a/2.PNG", [("test", "a"), ("train", "a")], "train 1, test 1"),
    "long names": (
        "Training/a/1.png Validation/a/2.png testing/a/3.png",
        [("train", "a"), ("validation", "a"), ("test", "a")],
        "train 1, validation 1, test 1",
    ),
    "eval": ("eval/a/1.png train/a/2.png", [("test", "a"), ("train", "a")], "eval is measured on"),
    "parts below classes": (
        "a/test/1.png a/train/2.png b/test/3.png b/train/4.png",
        [("test", "a"), ("train", "a"), ("test", "b"), ("train", "b")],
        "2 classes (a, b); train 2, test 2",
    ),
    "one folder on top": ("set/a/1.png set/b/2.png", [("", "a"), ("", "b")], "2 classes (a, b)"),
    "folders on top": (
        "x/y/z/train/a/1.png x/y/z/valid/a/2.png",
        [("train", "a"), ("test", "a")],
        "valid is measured on",
    ),
    "a logo on top": (
        "set/logo.png set/train/a/1.png set/train/a/3.png set/train/a/4.png set/val/a/2.png",
        [None, ("train", "a"), ("train", "a"), ("train", "a"), ("test", "a")],
        "left out, since they lie beside the folders of parts or classes: logo.png",
    ),
    "more beside the parts": (
        "extra/1.png test/a/2.png train/a/3.png",
        [None, ("test", "a"), ("train", "a")],
        "left out, since they lie beside the folders of parts or classes: extra/",
    ),
    "side by side": ("1.png 2.png", [("", ""), ("", "")], "no classes; 2 images"),
    "one class": ("photos/1.png photos/2.png", [("", "photos")] * 2, "1 class (photos)"),
    "parts without classes": ("test/1.png train/2.png", [("test", ""), ("train", "")], "no classes; train 1, test 1"),
    "nested classes": (
        "animals/cat/1.png animals/dog/2.png tools/saw/3.png",
        [("", "animals/cat"), ("", "animals/dog"), ("", "tools/saw")],
        "3 classes (animals/cat, animals/dog, tools/saw)",
    ),
    "a few further below": (
        "cat/1.png cat/2.png cat/more/3.png dog/4.png",
        [("", "cat")] * 3 + [("", "dog")],
        "2 classes (cat, dog)",
    ),
    "a class called train": (
        "bus/1.png train/2.png tram/3.png",
        [("", "bus"), ("", "train"), ("", "tram")],
        "3 classes (bus, train, tram)",
    ),
    "no train": ("test/a/1.png val/a/2.png", [("test", "a"), ("validation", "a")], "validation 1, test 1"),
    "other files": ("a/1.png b/2.png labels.csv", [("", "a"), ("", "b"), None], "1 other files: labels.csv"),
    "letters of other alphabets": ("Ärger/1.png 猫/2.png", [("", "Ärger"), ("", "猫")], "2 classes"),
}


def as_folder(root, names):
    for name in names:
        (root / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "set" / name).write_bytes(content(name))
    return root / "set"


def as_zip(root, names):
    with zipfile.ZipFile(root / "set.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, content(name))
    return root / "set.zip"


def as_windows_zip(root, names):
    with zipfile.ZipFile(root / "set.zip", "w") as archive:
        for name in names:
            entry = zipfile.ZipInfo("place")
            entry.filename = name.replace("/", "\\")  # as .NET before 4.6.1 and others write it
            archive.writestr(entry, content(name))
    return root / "set.zip"


def as_tar(root, names):
    folder = as_folder(root, names)
    with tarfile.open(root / "set.tar", "w") as archive:
        archive.add(folder, ".")
    return root / "set.tar"


FORMS = {"folder": as_folder, "zip": as_zip, "windows": as_windows_zip, "tar": as_tar}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("convention", CONVENTIONS)
def test_conventions(tmp_path, convention, form):
    names, expected, said = CONVENTIONS[convention]
    names = names.split()
    images = image_set(FORMS[form](tmp_path, [*names, *JUNK]))
    taken = [(name, own) for name, own in zip(names, expected, strict=True) if own is not None]
    found = [(part, images.classes[label]) for part, label in zip(images.part.tolist(), images.label, strict=True)]
    assert found == [own for _, own in taken]
    for row, (name, _) in enumerate(taken):
        pixels = cv2.imdecode(np.frombuffer(content(name), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        np.testing.assert_array_equal(images.images[row], pixels)
    assert images.told.startswith("set: ")
    assert said in images.told
    assert images.name == "set"


def test_a_folder_and_its_archives_have_one_fingerprint(tmp_path):
    names = ["train/a/1.png", "train/b/2.png", "val/a/3.png"]
    found = {}
    for form, write in FORMS.items():
        (tmp_path / form).mkdir()
        found[form] = image_set(write(tmp_path / form, names))
    with zipfile.ZipFile(tmp_path / "wrapped.zip", "w", zipfile.ZIP_STORED) as archive:
        for name in names:
            archive.writestr(f"top/{name}", content(name))
    found["wrapped"] = image_set(tmp_path / "wrapped.zip")
    assert len({images.fingerprint for images in found.values()}) == 1
    for form in found:
        np.testing.assert_array_equal(found[form].digests, found["folder"].digests)
    (tmp_path / "folder" / "set" / "train" / "a" / "1.png").write_bytes(content("other"))
    assert image_set(tmp_path / "folder" / "set").fingerprint != found["zip"].fingerprint


def test_a_label_that_nothing_has_is_refused_of_folders_as_well(tmp_path):
    folder = as_folder(tmp_path, ["a/1.png", "b/2.png"])
    assert image_set(folder, "material").classes == ("a", "b")  # beside a set of ours that has two
    with pytest.raises(DataError, match="unknown label 'colour'"):
        image_set(folder, "colour")


def test_names_with_dots_are_whole_names(tmp_path):
    for name in ("set.v1", "set.v2"):
        assert image_set(as_folder(tmp_path / name, ["a/1.png"]).rename(tmp_path / name / name)).name == name


def test_links_are_followed_and_what_they_lead_to_nowhere_is_told(tmp_path):
    folder = as_folder(tmp_path, ["a/1.png", "b/2.png"])
    elsewhere = as_folder(tmp_path / "elsewhere", ["3.png"])
    (folder / "c").symlink_to(elsewhere)
    (folder / "a" / "round").symlink_to(folder)  # a folder within itself
    (folder / "a" / "back.png").symlink_to(folder / "b" / "2.png")
    images = image_set(folder)
    assert images.classes == ("a", "b", "c")
    assert len(images) == 4
    (folder / "a" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (folder / "a" / "self.png").symlink_to(folder / "a" / "self.png")
    with pytest.raises(DataError, match=r"a/gone\.png is a link to nothing; a/self\.png is a link to nothing"):
        image_set(folder)
    images = image_set(folder, skip_damaged=True)
    assert len(images) == 4
    assert "2 damaged skipped: a/gone.png, a/self.png" in images.told


def test_what_the_system_refuses_is_an_error_of_ours(tmp_path, monkeypatch):
    import embodied_ssl.datasets.images.archives as archives

    folder = as_folder(tmp_path, ["a/1.png", "b/2.png"])

    def refuse(path, *rest, **more):
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patched:
        patched.setattr(archives.os, "scandir", refuse)
        with pytest.raises(DataError, match=f"{folder}: cannot be read \\(Permission denied\\)"):
            image_set(folder)
    with pytest.raises(DataError, match="File name too long"):
        image_set(tmp_path / ("x" * 300))
    images = image_set(folder)
    (folder / "b" / "2.png").unlink()
    with pytest.raises(DataError, match=r"b/2\.png cannot be read \(No such file"):
        images.images[1]


@pytest.mark.parametrize("form", ["zip", "tar"])
def test_damage_to_an_archive_is_named(tmp_path, form):
    path = FORMS[form](tmp_path, ["a/1.png", "b/2.png"])
    whole = path.read_bytes()
    place = whole.index(content("a/1.png")[40:80] if form == "tar" else b"a/1.png") + 60
    path.write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
    with pytest.raises(DataError, match=r"set\.(zip|tar): a/1\.png (is damaged|cannot)"):
        image_set(path).images[:]
    path.write_bytes(whole[: len(whole) // 3])
    with pytest.raises(DataError, match=r"set\.(zip|tar)"):
        image_set(path).images[:]


def test_what_cannot_be_read_at_random_is_said(tmp_path):
    with tarfile.open(tmp_path / "set.tgz", "w:gz") as archive:
        archive.add(as_folder(tmp_path, ["a/1.png"]), ".")
    with pytest.raises(DataError, match=r"unpack it \(tar -xf set\.tgz\)"):
        image_set(tmp_path / "set.tgz")
    with zipfile.ZipFile(tmp_path / "odd.zip", "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("a/1.png", content("a/1.png"))
    with pytest.raises(DataError, match=r"a/1\.png is packed by a method other than deflate"):
        image_set(tmp_path / "odd.zip")
