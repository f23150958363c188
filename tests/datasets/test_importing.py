"""Recordings of others: imported as they are, whatever stops the import, refused where they do not fit, and learned."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest

from embodied_ssl.cli.main import main
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.images.sources import image_set
from embodied_ssl.datasets.imports import importing
from embodied_ssl.datasets.imports.formats import FORMATS, format_class
from embodied_ssl.datasets.imports.hdf5 import Hdf5
from embodied_ssl.datasets.imports.importing import import_recordings, square, squared
from embodied_ssl.datasets.imports.source import came_to, natural, shortened
from embodied_ssl.datasets.read.batches import Clips, FramePairs
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.datasets.store.check import check
from embodied_ssl.method import input_streams_of
from embodied_ssl.methods import method_class, method_names

SIGNALS = ["right (px)", "down (px)", "zoom"]


def drives(path, episodes=6, frames=14, seed=0):
    """A camera that moves over a large image: what it saw, and how far it went from frame to frame, by episode."""
    rng = np.random.default_rng(seed)
    wall = cv2.resize(rng.integers(0, 256, (24, 40, 3), np.uint8), (400, 240), interpolation=cv2.INTER_CUBIC)
    told = []
    with h5py.File(path, "w") as file:
        for number in range(episodes):
            steps = rng.integers(-4, 5, (frames, 2))
            place = 100 + np.concatenate([[[0, 0]], np.cumsum(steps[:-1], axis=0)])
            seen = np.stack([wall[y : y + 24, x : x + 32] for x, y in place])
            motor = np.column_stack([steps, rng.normal(size=frames)]).astype("f4")
            file.create_dataset(f"data/demo_{number}/obs/image", data=seen, chunks=(4, 24, 32, 3), compression="gzip")
            file[f"data/demo_{number}/actions"] = motor
            file[f"data/demo_{number}/time"] = 5 + 0.2 * np.arange(frames)
            told.append((seen, motor))
    return told


def settings(**others):
    return {"frames": "data/*/obs/image", "motor": ["data/*/actions"], "names": SIGNALS, "rate": 5.0, **others}


def hashes(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def drive(tmp_path_factory):
    path = tmp_path_factory.mktemp("drive") / "drive.h5"
    return path, drives(path)


@pytest.fixture(scope="module")
def imported(drive, tmp_path_factory):
    out = tmp_path_factory.mktemp("imported") / "set"
    import_recordings(Hdf5([drive[0]], **settings()), out, size=24, length=9, progress=False)
    return out


def test_what_is_imported_is_what_was_recorded(drive, imported):
    """Frames by a square cut here, motors and times by hand; recordings longer than an episode are cut."""
    dataset = Dataset.open(imported)
    assert check(imported) == []
    assert dataset.motor_signals == tuple(SIGNALS)
    assert dataset.episodes["length"].tolist() == [9, 5] * 6
    assert image_set(imported).group.tolist() == np.repeat(np.arange(6), 14).tolist()  # a recording is never divided
    seen = np.concatenate([frames for frames, _ in drive[1]])[:, :, 4:28]
    np.testing.assert_array_equal(dataset.frames[:]["rgb"], seen)
    motor = np.concatenate([values for _, values in drive[1]])
    last = np.isin(np.arange(len(motor)) % 14, (8, 13))
    motor[last] = np.nan
    np.testing.assert_allclose(dataset.frames[:]["motor"], motor, atol=1e-6)
    np.testing.assert_allclose(dataset.frames[:]["time"][:14], [*0.2 * np.arange(9), *0.2 * np.arange(5)])
    with h5py.File(imported / "shard-00000.h5") as file:
        assert file.attrs["signals"].decode() == "right (px), down (px), zoom"
        assert file.attrs["kind"].decode() == dataset.kind


def test_motions_between_frames_are_sums_of_the_motor_signals(drive, imported):
    dataset = Dataset.open(imported)
    pairs = dataset.pairs(max_gap=4)
    batch = pairs.batch(np.arange(len(pairs)), np.random.default_rng(0))
    first, second = pairs.draw(np.arange(len(pairs)), np.random.default_rng(0))
    motor = dataset.frames[:]["motor"]
    expected = [motor[a:b].sum(axis=0) for a, b in zip(first, second, strict=True)]
    np.testing.assert_allclose(batch.motion, expected, atol=1e-4)
    np.testing.assert_allclose(batch.gap_s, 0.2 * batch.gap, atol=1e-6)


def test_frames_are_thinned_and_their_motions_add_up(drive, tmp_path):
    import_recordings(Hdf5([drive[0]], **settings()), tmp_path / "set", size=24, every=3, progress=False)
    dataset = Dataset.open(tmp_path / "set")
    assert dataset.episodes["length"].tolist() == [5] * 6
    motor = drive[1][0][1]
    np.testing.assert_allclose(dataset.frames[:]["motor"][1], motor[3:6].sum(axis=0), atol=1e-5)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_import_that_was_stopped_ends_with_the_same_bytes(drive, imported, tmp_path, workers, monkeypatch):
    out = tmp_path / "set"
    source = Hdf5([drive[0]], **settings())
    made, write = [], importing.write_shard

    def dying(path, *arguments):
        if len(made) == 3:
            raise KeyboardInterrupt
        made.append(path)
        return write(path, *arguments)

    monkeypatch.setattr(importing, "write_shard", dying)
    with pytest.raises(KeyboardInterrupt, match=r"3 of \d+ shards are finished in .*; run the same command again"):
        import_recordings(source, out, size=24, length=9, progress=False)
    monkeypatch.undo()
    (out / "shard-00001.h5").write_bytes(b"cut")
    summary = import_recordings(source, out, size=24, length=9, progress=False, workers=workers)
    assert summary.shards_kept == 2
    assert hashes(out) == hashes(imported)


def test_a_process_that_is_killed_leaves_what_it_had_finished(drive, imported, tmp_path):
    """By SIGKILL, in the middle of a shard."""
    out = tmp_path / "set"
    code = (
        "import os, sys, signal\nfrom pathlib import Path\nfrom embodied_ssl.datasets.imports import importing\n"
        "from embodied_ssl.datasets.imports.hdf5 import Hdf5\nfill = importing._fill\ncount = []\n"
        "def filled(*each):\n    count.append(1)\n    len(count) < 5 or os.kill(os.getpid(), signal.SIGKILL)\n"
        "    fill(*each)\nimporting._fill = filled\n"
        f"source = Hdf5([Path({str(drive[0])!r})], **{settings()!r})\n"
        f"importing.import_recordings(source, {str(out)!r}, size=24, length=9, progress=False)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    assert 0 < len(list(out.glob("shard-*.h5"))) < 12
    with pytest.raises(DataError, match="unfinished; run the same command again"):
        Dataset.open(out)
    import_recordings(Hdf5([drive[0]], **settings()), out, size=24, length=9, progress=False)
    assert {name: hash for name, hash in hashes(out).items() if name[0] != "."} == hashes(imported)


def test_another_import_into_the_same_directory_is_refused(drive, imported, tmp_path):
    before = hashes(imported)
    with pytest.raises(DataError, match=r"holds another collection, which differs in size \(24 there, 32 now\)"):
        import_recordings(Hdf5([drive[0]], **settings()), imported, size=32, length=9, progress=False)
    drives(tmp_path / "drive.h5", seed=1)
    with pytest.raises(DataError, match="differs in files"):
        import_recordings(Hdf5([tmp_path / "drive.h5"], **settings()), imported, size=24, length=9, progress=False)
    assert hashes(imported) == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"frames": "data/*/obs/imag"}, r"drive\.h5 'data/demo_0/obs/imag': did you mean 'data/demo_0/obs/image'"),
        ({"frames": "dat/*/obs/image"}, r"drive\.h5: nothing in it matches dat/\*/obs/image; it has data"),
        ({"frames": "data/*/actions"}, r"data/demo_0/actions: float32 \(14, 3\) is not images; they are uint8"),
        ({"motor": ["data/*/obs/image"]}, r"data/\*/obs/image: 2304 motor signals and 3 different names"),
        ({"motor": ["data/*/action"]}, r"did you mean 'data/demo_0/actions'"),
        ({"motor": []}, r"import hdf5: say where the motor signals are, as in --motor odometry, or --pose"),
        ({"frames": ""}, r"import hdf5: say where the images are, as in --frames camera/rgb"),
        ({"rate": None}, r"import hdf5: say where the times are, as in --time time, or give --rate"),
        ({"time": "data/*/actions"}, r"data/demo_0/actions: 42 times for 14 frames"),
        ({"pose": "data/*/actions"}, r"data/demo_0/actions: \(14, 3\), and poses are \(14, 4, 4\)"),
        ({"names": ["a", "b"]}, r"data/\*/actions: 3 motor signals and 2 different names; give one for each"),
        ({"names": ["a", "b", "a"]}, "3 motor signals and 2 different names"),
        ({"rate": -1.0}, "rate: .*; give "),
    ],
    ids=lambda value: "" if isinstance(value, str) else next(iter(value)),
)
def test_what_does_not_fit_is_refused_before_anything_is_written(drive, tmp_path, change, message):
    with pytest.raises(DataError, match=message):
        import_recordings(Hdf5([drive[0]], **settings(**change)), tmp_path / "set", size=8, progress=False)
    assert not (tmp_path / "set").exists()


def broken(path, how):
    drives(path, episodes=2)
    with h5py.File(path, "r+") as file:
        demo = file["data/demo_1"]
        if how == "time":
            demo["time"][7] = demo["time"][6]
        elif how == "number":
            demo["actions"][5, 1] = np.nan
        elif how == "short":
            values = demo["actions"][:9]
            del demo["actions"]
            demo["actions"] = values
        elif how == "pose":
            demo["pose"] = file["data/demo_0"]["pose"] = np.tile(2 * np.eye(4), (14, 1, 1))


@pytest.mark.parametrize(
    ("how", "others", "message"),
    [
        ("time", {"time": "data/*/time"}, r"demo_1/obs/image: time of frame 7 \(6\.2 s\) is not later than that of fr"),
        ("number", {}, r"demo_1/obs/image: motor signals of frame 6 are no finite numbers"),
        ("short", {}, r"demo_1/actions: 9 rows for 14 frames; give as many, or one less of motions"),
        ("pose", {"pose": "data/*/pose"}, r"demo_\d/.*: pose of frame 0 is not a rotation and a place"),
    ],
)
def test_a_recording_that_is_not_sound_is_named(tmp_path, how, others, message):
    broken(tmp_path / "bad.h5", how)
    with pytest.raises(DataError, match=message):
        import_recordings(Hdf5([tmp_path / "bad.h5"], **settings(**others)), tmp_path / "set", progress=False)
    assert not (tmp_path / "set").exists()


def test_files_that_are_cut_or_none_are_named(drive, tmp_path):
    (tmp_path / "cut.h5").write_bytes(drive[0].read_bytes()[:2000])
    for name, message in (("cut.h5", "HDF5 cannot open it"), ("none.h5", "not there; is the path right")):
        with pytest.raises(DataError, match=f"{name}: {message}"):
            import_recordings(Hdf5([tmp_path / name], **settings()), tmp_path / "set", progress=False)


@pytest.mark.parametrize("layout", ["channels first", "grey", "alpha", "png", "padded png", "bytes"])
def test_images_of_every_layout(tmp_path, layout):
    rng = np.random.default_rng(0)
    rgb = rng.integers(0, 256, (5, 16, 16, 3), np.uint8)
    encoded = [cv2.imencode(".png", frame[..., ::-1])[1].ravel() for frame in rgb]
    grey = np.repeat(rgb[..., :1], 3, axis=3)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        if layout in ("png", "bytes"):
            kind = h5py.vlen_dtype(np.uint8) if layout == "png" else h5py.string_dtype()
            file.create_dataset("images", (5,), dtype=kind)
            if layout == "bytes":
                del file["images"]
                file["images"] = np.array([np.void(each.tobytes()) for each in encoded], f"V{max(map(len, encoded))}")
            else:
                for row, each in enumerate(encoded):
                    file["images"][row] = each
        elif layout == "padded png":
            width = max(map(len, encoded))
            file["images"] = np.stack([np.pad(each, (0, width - len(each))) for each in encoded])
        else:
            made = {"channels first": rgb.transpose(0, 3, 1, 2), "grey": rgb[..., 0]}
            file["images"] = made.get(layout, np.concatenate([rgb, rgb[..., :1]], axis=3))
        file["motor"] = np.arange(5.0)
    import_recordings(
        Hdf5([tmp_path / "a.h5"], frames="images", motor=["motor"], rate=1.0), tmp_path / "set", size=16, progress=False
    )
    dataset = Dataset.open(tmp_path / "set")
    np.testing.assert_array_equal(dataset.frames[:]["rgb"], grey if layout == "grey" else rgb)
    assert dataset.motor_signals == ("motor 0",)
    assert check(tmp_path / "set") == []
    assert main(["view", str(tmp_path / "set")]) == 0  # of one signal, over time


def test_poses_alone_give_six_signals(tmp_path):
    """A camera that goes 1 m ahead, and turns by 0.1 rad about its own axis that points down, each step."""
    step = np.eye(4)
    step[:3, :3] = cv2.Rodrigues(np.array([0, 0.1, 0]))[0]
    step[2, 3] = 1.0
    pose = [np.eye(4)]
    for _ in range(6):
        pose.append(pose[-1] @ step)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["images"], file["pose"] = np.zeros((7, 8, 8, 3), np.uint8), np.array(pose)
    source = Hdf5([tmp_path / "a.h5"], frames="images", pose="pose", rate=2.0)
    import_recordings(source, tmp_path / "set", size=8, progress=False)
    dataset = Dataset.open(tmp_path / "set")
    np.testing.assert_allclose(dataset.frames[:]["motor"][:6], np.tile([0, 0, 1, 0, 0.1, 0], (6, 1)), atol=1e-6)
    np.testing.assert_allclose(dataset.frames[:]["pose"], pose, atol=1e-6)
    assert check(tmp_path / "set") == []


def test_signals_are_motions_rates_or_positions():
    time = np.array([0.0, 1.0, 3.0])
    values = np.array([[1.0, 3.0], [2.0, -3.0], [5.0, 3.0]])
    names = ("x (m)", "turn (rad)")
    np.testing.assert_array_equal(came_to(values, "motion", time, names), [[0, 0], [1, 3], [3, 0]])
    np.testing.assert_array_equal(came_to(values, "rate", time, names), [[0, 0], [1, 3], [5, -3]])
    unwrapped = came_to(values, "position", time, names)  # 3 rad to -3 rad is a turn of 0.28
    np.testing.assert_allclose(unwrapped, [[1, 3], [2, 2 * np.pi - 3], [5, 3]])


@pytest.mark.parametrize("fit", ["crop", "stretch"])
@pytest.mark.parametrize("shape", [(60, 90), (90, 60), (48, 48)])
def test_the_pinhole_matrix_follows_the_square(fit, shape):
    """A bright spot is where the matrix of the square says that it is."""
    height, width = shape
    intrinsics = np.array([[50.0, 0, 26], [0, 55, 24], [0, 0, 1]])
    point = np.array([0.08, 0.05, 1.0])
    u, v, _ = intrinsics @ point
    image = np.zeros((height, width, 3), np.float32)
    down, across = np.mgrid[:height, :width]
    image[...] = 255 * np.exp(-((across - u) ** 2 + (down - v) ** 2) / 18)[..., None]
    made = square(image.astype(np.uint8), 30, fit).astype(float)[..., 0]
    down, across = np.mgrid[:30, :30]
    found = np.array([(made * across).sum(), (made * down).sum()]) / made.sum()
    expected = (squared(intrinsics, width, height, 30, fit) @ point)[:2]
    np.testing.assert_allclose(found, expected, atol=0.15)


def test_names_are_sorted_and_shortened():
    assert sorted(["demo_10", "demo_9", "a"], key=natural) == ["a", "demo_9", "demo_10"]
    long = [f"pick up the red cube and place it in box {number}" for number in range(9)]
    short = {shortened(name) for name in long}
    assert len(short) == 9
    assert all(len(name.encode()) <= 32 for name in short)
    assert shortened("kitchen") == "kitchen"


PLAIN = {"ibot": "vit_tiny"}  # what takes patches
MOVING = {
    name: stream
    for name in method_names()
    for stream, spec in input_streams_of(method_class(name)).items()
    if spec.batch in (FramePairs, Clips)
}
OPTIONS = {
    "equivariance": ["--motions", "2"],
    **{name: ["--local_size", "24"] for name in ("dino", "swav", "lejepa", "ibot")},
    "temporal_order": ["--sample_by", "ego", "--spacing", "1"],
}


@pytest.mark.parametrize("name", MOVING)
def test_every_method_that_takes_motions_learns_from_imported_data(name, imported, tmp_path):
    from embodied_ssl.methods import make_method

    both = ["--source", "both"] if hasattr(make_method(name, None, 48, 0), "views") else []
    command = ["train", name, f"--{MOVING[name]}", str(imported), "--out", str(tmp_path / "run"), "--steps", "1"]
    encoder = ["--encoder", PLAIN.get(name, "conv4")]
    small = [*encoder, "--batch_size", "8", "--image_size", "24", "--device", "cpu", "--no-progress"]
    assert main([*command, *small, *OPTIONS.get(name, []), *both]) == 0


def test_imported_data_are_viewed_measured_and_listed(imported, tmp_path, capsys):
    assert main(["view", str(imported), "--out", str(tmp_path / "page.html")]) == 0
    page = (tmp_path / "page.html").read_text()
    assert "right (px)" in page
    assert "asked for. Drag" not in page
    shown = json.loads(next(line for line in page.split("application/json") if "across" in line)[2:].partition("</")[0])
    dataset = Dataset.open(imported)
    for episode in shown["episodes"]:  # a curve of each signal's motions, and of what it has come to
        rows = dataset.episodes["start"][episode["number"]] + np.array(episode["frame"])
        logged = np.concatenate([dataset.array(f"frames/{name}")[rows] for name in ("motor", "travelled")], axis=1)
        np.testing.assert_allclose(np.array(episode["values"], float).T, logged, atol=1e-6)
        assert episode["curves"].count("<svg") == 2 * len(SIGNALS)
    assert main(["view", str(imported), "--video", str(tmp_path / "a.mp4"), "--episode", "1"]) == 0
    learn = ["train", "egomotion", "--pairs", str(imported), "--out", str(tmp_path / "run"), "--steps", "1"]
    assert main([*learn, "--encoder", "conv4", "--image_size", "24", "--device", "cpu", "--no-progress"]) == 0
    protocols = ["--protocols", "equivariance", "--equivariance.motions", "1", "--device", "cpu", "--no-progress"]
    command = ["evaluate", str(tmp_path / "run"), "--on", str(imported), "--out", str(tmp_path / "scores")]
    assert main([*command, *protocols]) == 0
    assert "ρ" in {each["metric"] for each in json.loads((tmp_path / "scores/results.json").read_text())}
    assert main(["envs"]) == 0
    assert "embodied-ssl import" in capsys.readouterr().out
    assert main(["collect", Dataset.open(imported).kind, "--out", str(tmp_path / "none")]) == 2
    assert "no environment makes it" in capsys.readouterr().err


def test_sets_of_other_signals_do_not_fit_together(imported, drive, tmp_path):
    other = tmp_path / "other"
    import_recordings(Hdf5([drive[0]], **settings(names=["a", "b", "c"])), other, size=24, progress=False)
    command = ["train", "egomotion", "--pairs", str(imported), str(other), "--out", str(tmp_path / "run")]
    assert main([*command, "--steps", "1"]) == 2


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_says_how_it_is_called(name, capsys):
    assert format_class(name).name == name
    with pytest.raises(SystemExit) as stop:
        main(["import", name, "--help"])
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    assert f"embodied-ssl import {name} {format_class(name).example}" in " ".join(shown.split())
    assert main(["import", name, "--out", "x"]) == 2


def test_import_by_command(drive, imported, tmp_path, capsys):
    command = ["import", "hdf5", str(drive[0]), "--frames", "data/*/obs/image", "--motor", "data/*/actions"]
    command += ["--names", *SIGNALS, "--rate", "5", "--size", "24", "--length", "9", "--no-progress"]
    assert main([*command, "--out", str(tmp_path / "set")]) == 0
    assert "84 in 12 episodes" in capsys.readouterr().out
    assert hashes(Path(tmp_path / "set")) == hashes(imported)
