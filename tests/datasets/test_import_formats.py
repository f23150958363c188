"""Each format is read as it was written, frame by frame and number by number."""

import json
import pickle
import struct
from fractions import Fraction
from pathlib import Path

import av
import cv2
import h5py
import numpy as np
import pytest

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.imports import importing
from embodied_ssl.datasets.imports.decoding import decoded, frame_times
from embodied_ssl.datasets.imports.importing import import_recordings
from embodied_ssl.datasets.imports.kitti import Kitti
from embodied_ssl.datasets.imports.lerobot import LeRobot
from embodied_ssl.datasets.imports.minari import Minari
from embodied_ssl.datasets.imports.mp4 import Mp4
from embodied_ssl.datasets.imports.robomimic import Robomimic
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.datasets.store.check import check


def grey(number):
    """A frame whose grey level tells its number."""
    return np.full((32, 48, 3), 20 + 8 * number, np.uint8)


def numbers(images):
    """The numbers of frames."""
    return np.round((images[:, 8, 8, 0].astype(float) - 20) / 8).astype(int).tolist()


def cornered(number):
    """Such a frame whose left upper corner is bright."""
    frame = grey(number)
    frame[:8, :16] = 240
    return frame


class Counted:
    """A method that tells of which paths it was called."""

    def __init__(self, method):
        self.method, self.paths = method, []

    def __get__(self, path, kind=None):
        def called(*given, **named):
            self.paths.append(path)
            return self.method(path, *given, **named)

        return called


def film(path, frames, rate=10, apart=5, backwards=0, first=0, begin=0, picture=grey):
    """A video: a frame that stands alone every so many, and others that refer backwards and forwards."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate, options={"crf": "1", "g": str(apart), "bf": str(backwards)})
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        for number in range(first, first + frames):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
            frame.pts, frame.time_base = begin + number - first, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def imported(source, out, **settings):
    import_recordings(pickle.loads(pickle.dumps(source)), out, size=16, progress=False, **settings)
    assert check(out) == []
    return Dataset.open(out)


@pytest.mark.parametrize("backwards", [0, 2])
def test_frames_of_a_video_are_found_by_number(tmp_path, backwards):
    film(tmp_path / "a.mp4", 23, backwards=backwards)
    np.testing.assert_allclose(frame_times(tmp_path / "a.mp4"), np.arange(23) / 10, atol=1e-4)
    for rows in ([0], [22], [3, 4, 5], [1, 7, 8, 19], list(range(23))):
        assert numbers(np.stack(list(decoded(tmp_path / "a.mp4", np.array(rows))))) == rows


QUARTERS = {0: (1, 0, 0, 1, 0, 0), 1: (0, -1, 1, 0, 0, 48), 2: (-1, 0, 0, -1, 48, 32), 3: (0, 1, -1, 0, 32, 0)}
"""a, b, c, d, x, y by quarters against the clock; ISO/IEC 14496-12 shows (p, q) at (a p + c q + x, b p + d q + y)."""


@pytest.mark.parametrize("quarters", QUARTERS)
def test_a_video_that_was_held_sideways_is_upright(tmp_path, quarters):
    film(tmp_path / "a.mp4", 12, picture=cornered)
    a, b, c, d, x, y = QUARTERS[quarters]
    matrix = [struct.pack(">9i", *(each << 16 for each in own[:-1]), 1 << 30)
              for own in ((1, 0, 0, 0, 1, 0, 0, 0, 0), (a, b, 0, c, d, 0, x, y, 0))]  # fmt: skip
    content = (tmp_path / "a.mp4").read_bytes()
    header = content.index(b"tkhd")
    place = content.index(matrix[0], header)
    (tmp_path / "a.mp4").write_bytes(content[:place] + matrix[1] + content[place + len(matrix[1]) :])
    rows = np.array([1, 7, 11])
    found = np.stack(list(decoded(tmp_path / "a.mp4", rows)))
    assert found.shape == ((3, 48, 32, 3) if quarters % 2 else (3, 32, 48, 3))
    v, u = np.mgrid[:32, :48]
    for number, image in zip(rows, found, strict=True):
        mark = cornered(number)
        shown = np.zeros_like(image)
        shown[b * u + d * v + y - (b + d < 0), a * u + c * v + x - (a + c < 0)] = mark
        assert np.abs(image.astype(int) - shown).mean() < 8


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_times_count_from_the_start_of_a_video_whatever_its_stamps(tmp_path, ending):
    (tmp_path / "cut").mkdir()
    film(tmp_path / f"cut/a.{ending}", 24, begin=20)
    assert frame_times(tmp_path / f"cut/a.{ending}")[0] == pytest.approx(2, abs=1e-3)
    lines = [f"a.{ending},{number / 10},{number}" for number in range(24)]
    (tmp_path / "cut.csv").write_text("\n".join(["video,time,way (m)", *lines]))
    source = Mp4([tmp_path / "cut"], signals=tmp_path / "cut.csv", motor_is="position")
    assert source.notes == []
    frames = imported(source, tmp_path / "set").frames[:]
    assert numbers(frames["rgb"]) == [*range(24)]
    np.testing.assert_allclose(frames["travelled"][:, 0], np.arange(24), atol=0.02)


def test_each_process_reads_the_signals_once(walks, tmp_path, monkeypatch):
    work = importing._plan(walks, 16, "crop", 1, 4, "none")
    monkeypatch.setattr(Path, "open", (opened := Counted(Path.open)))
    jobs = [pickle.loads(pickle.dumps(work)) for _ in range(3)]  # as they come to a process
    for _ in range(2):
        for job in jobs:
            importing._opened(job).source.timeline(0)
    assert opened.paths.count(tmp_path / "signals.csv") == 1


@pytest.fixture
def walks(tmp_path):
    """Two videos, and the speeds of a body that begin later than the first and end sooner than the other."""
    (tmp_path / "walks/kitchen").mkdir(parents=True)
    film(tmp_path / "walks/kitchen/a.mp4", 20, backwards=2)
    film(tmp_path / "walks/b.mp4", 12)
    rows = ["video,time,forward (m),yaw (rad)"]
    for name, first, last in (("kitchen/a.mp4", 0.25, 2.5), ("b.mp4", 0.0, 0.75)):
        rows += [f"{name},{time:.3f},2.0,{time:.3f}" for time in np.arange(first, last, 0.05)]
    (tmp_path / "signals.csv").write_text("\n".join(rows))
    return Mp4([tmp_path / "walks"], signals=tmp_path / "signals.csv", motor_is="rate")


def test_videos_and_the_signals_between_their_frames(walks, tmp_path):
    dataset = imported(walks, tmp_path / "set", length=9)
    assert dataset.motor_signals == ("forward (m)", "yaw (rad)")
    assert dataset.scenes[dataset.episodes["scene"]].tolist() == ["recorded", "kitchen", "kitchen"]
    assert numbers(dataset.frames[:]["rgb"]) == [*range(8), *range(3, 20)]
    motor = dataset.frames[:]["motor"]
    np.testing.assert_allclose(motor[:7, 0], 0.2, atol=1e-4)
    time = np.arange(7) / 10  # the rate of each row holds for the 0.05 s to the next
    np.testing.assert_allclose(motor[:7, 1], 0.05 * time + 0.05 * (time + 0.05), atol=1e-4)
    assert walks.notes == [
        "4 frames of b.mp4 lie outside of the times of its signals",
        "3 frames of kitchen/a.mp4 lie outside of the times of its signals",
    ]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("video,time", "film,time", "no column video; its columns are video, time and the signals"),
        (",forward (m),yaw (rad)", "", "no motor signals; give each a column of its own"),
        ("b.mp4", "c.mp4", r"has rows of c\.mp4, which is not in .*: b\.mp4, kitchen/a\.mp4"),
        ("yaw (rad)", "forward (m)", r"two columns are called forward \(m\)"),
        ("kitchen/a.mp4,0.3", "b.mp4,0.3", r"b\.mp4: time .* s comes after .* s; sort its rows"),
        ("0.300,2.0", "0.300,two", r"line 3: forward \(m\) is 'two', not a number"),
        ("0.300,2.0", "0.300,nan", "line 3: not a finite number"),
    ],
)
def test_signals_that_do_not_fit_are_refused(walks, tmp_path, old, new, message):
    table = tmp_path / "signals.csv"
    table.write_text(table.read_text().replace(old, new))
    with pytest.raises(DataError, match=message):
        import_recordings(walks, tmp_path / "set", progress=False)
    assert not (tmp_path / "set").exists()


@pytest.fixture
def car(tmp_path):
    """A car that drives 0.8 m ahead and turns left by 0.05 rad each step; a sequence without poses."""
    root = tmp_path / "kitti"
    (root / "poses").mkdir(parents=True)
    for name, frames in (("00", 12), ("11", 2)):
        place = root / "sequences" / name
        (place / "image_2").mkdir(parents=True)
        for number in range(frames):
            cv2.imwrite(str(place / f"image_2/{number:06d}.png"), grey(number))
        (place / "times.txt").write_text("\n".join(f"{0.1 * number:e}" for number in range(frames)))
        beside = {0: 0, 1: -380, 2: 45, 3: -330}
        lines = [f"P{camera}: 700 0 24 {far} 0 700 16 0 0 0 1 0" for camera, far in beside.items()]
        (place / "calib.txt").write_text("\n".join(lines))
    step = np.eye(4)
    step[:3, :3] = cv2.Rodrigues(np.array([0, -0.05, 0]))[0]  # y points down
    step[2, 3] = 0.8
    pose, lines = np.eye(4), []
    for _ in range(12):
        lines.append(" ".join(f"{value:e}" for value in pose[:3].ravel()))
        pose = pose @ step
    (root / "poses/00.txt").write_text("\n".join(lines))
    return root


def test_a_car_drives_and_turns(car, tmp_path):
    source = Kitti([car])
    dataset = imported(source, tmp_path / "set")
    assert source.notes == ["left out: sequences 11, which have no poses or were not asked for"]
    assert numbers(dataset.frames[:]["rgb"]) == list(range(12))
    np.testing.assert_allclose(dataset.frames[:]["motor"][:11, 1], 0.05, atol=1e-6)
    np.testing.assert_allclose(dataset.frames[:]["motor"][:11, 0], 0.8, atol=5e-3)  # the camera is not above the axle
    np.testing.assert_allclose(dataset.frames[:]["time"], 0.1 * np.arange(12))
    first = dataset.frames[0]["pose"]
    np.testing.assert_allclose(first[:3, 3], [0, 45 / 700, 0], atol=1e-6)  # left of the one whose poses they are
    np.testing.assert_allclose(first[:3, 2], [1, 0, 0], atol=1e-6)  # looks ahead
    np.testing.assert_allclose(dataset.camera["intrinsics"], [[350, 0, 7.75], [0, 350, 7.75], [0, 0, 1]])


@pytest.mark.parametrize(
    ("broken", "content", "message"),
    [
        ("sequences/00/calib.txt", "P0: 1 2", r"calib\.txt: no line P2: of 12 numbers"),
        ("sequences/00/times.txt", "0.0\n0.1", r"image_2: 12 frames, 2 times and 12 rows of motor signals"),
        ("poses/00.txt", "1 2 3", r"poses/00\.txt: not lines of 12 numbers"),
        ("sequences/00/image_2/000003.png", "none", r"000003\.png: not an image, or damaged"),
    ],
)
def test_files_of_a_car_that_are_damaged_are_named(car, tmp_path, broken, content, message):
    (car / broken).write_text(content)
    with pytest.raises(DataError, match=message):
        import_recordings(Kitti([car]), tmp_path / "set", progress=False)


def demonstrations(path):
    """As robomimic lays them out; the files of its own writer are read in the same way."""
    rng, told = np.random.default_rng(0), []
    with h5py.File(path, "w") as file:
        data = file.create_group("data")
        data.attrs["env_args"] = json.dumps({"env_name": "Lift", "type": 1, "env_kwargs": {"control_freq": 20}})
        for number in range(11):
            demo = data.create_group(f"demo_{number}")
            demo["obs/agentview_image"] = np.stack([grey(number + step) for step in range(5)])
            demo["obs/robot0_eef_pos"] = place = rng.normal(size=(5, 3))
            demo["actions"] = actions = rng.normal(size=(5, 7))
            told.append((actions, place))
    return told


def test_demonstrations_of_robomimic(tmp_path):
    told = demonstrations(tmp_path / "lift.hdf5")
    dataset = imported(Robomimic([tmp_path / "lift.hdf5"]), tmp_path / "set")
    assert numbers(dataset.frames[:]["rgb"]) == [number + step for number in range(11) for step in range(5)]
    np.testing.assert_allclose(dataset.frames[:]["time"][:5], np.arange(5) / 20)
    assert dataset.scenes.tolist() == ["Lift"]
    motor = dataset.frames[:]["motor"].reshape(11, 5, 7)
    np.testing.assert_allclose(motor[:, :4], [actions[:4] for actions, _ in told], atol=1e-6)
    other = Robomimic([tmp_path / "lift.hdf5"], motor=["obs/robot0_eef_pos"], motor_is="position")
    motor = imported(other, tmp_path / "other").frames[:]["motor"].reshape(11, 5, 3)
    np.testing.assert_allclose(motor[:, :4], [np.diff(place, axis=0) for _, place in told], atol=1e-6)
    with pytest.raises(DataError, match="did you mean 'data/demo_0/obs/agentview_image'"):
        import_recordings(Robomimic([tmp_path / "lift.hdf5"], camera="agentvew"), tmp_path / "none", progress=False)


def test_data_sets_of_minari(tmp_path):
    """One more observation than actions in each episode."""
    (tmp_path / "mine/data").mkdir(parents=True)
    (tmp_path / "mine/data/metadata.json").write_text(json.dumps({"env_spec": json.dumps({"id": "Push-v0"})}))
    actions = np.random.default_rng(0).normal(size=(3, 4, 2))
    with h5py.File(tmp_path / "mine/data/main_data.hdf5", "w") as file:
        for number in range(3):
            episode = file.create_group(f"episode_{number}")
            episode["observations/pixels"] = np.stack([grey(number + step) for step in range(5)])
            episode["observations/state"] = np.zeros((5, 4))
            episode["actions"] = actions[number]
    dataset = imported(Minari([tmp_path / "mine"], rate=10.0), tmp_path / "set")
    assert numbers(dataset.frames[:]["rgb"]) == [number + step for number in range(3) for step in range(5)]
    np.testing.assert_allclose(dataset.frames[:]["motor"].reshape(3, 5, 2)[:, :4], actions, atol=1e-6)
    assert dataset.scenes.tolist() == ["Push-v0"]
    with pytest.raises(DataError, match="give --rate, the steps per second"):
        Minari([tmp_path / "mine"])


KEY = "observation.images.front"
OLD = {  # where version 2 has its files
    "data_path": "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
    "video_path": "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4",
}
NEW = {
    "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
    "video_path": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
}


def lerobot(root, version="v3.0"):
    """Two episodes: in one Parquet file and one video, as version 3 lays them out, or in one of their own each."""
    pyarrow = pytest.importorskip("pyarrow", exc_type=ImportError)  # also of another NumPy
    import pyarrow.parquet as parquet

    old = version.startswith("v2")
    video = f"videos/chunk-000/{KEY}" if old else f"videos/{KEY}/chunk-000"
    for folder in ("meta/episodes/chunk-000", "data/chunk-000", video):
        (root / folder).mkdir(parents=True)
    state = {"dtype": "float32", "shape": [2], "names": ["shoulder (rad)", "elbow (rad)"]}
    features = {"observation.state": state, KEY: {"dtype": "video", "shape": [32, 48, 3]}}
    info = {"codebase_version": version, "fps": 10, "features": features, **(OLD if old else NEW)}
    (root / "meta/info.json").write_text(json.dumps(info))
    lengths, values = [5, 7], np.random.default_rng(0).uniform(-1, 1, (12, 2)).astype("f4")
    data = pyarrow.table(
        {
            "observation.state": pyarrow.array(values.tolist(), pyarrow.list_(pyarrow.float32(), 2)),
            "timestamp": np.concatenate([np.arange(count, dtype="f4") / 10 for count in lengths]),
            "episode_index": np.repeat([0, 1], lengths),
        }
    )
    if old:
        told = [
            {"episode_index": 0, "length": 5, "tasks": ["push"]},
            {"episode_index": 1, "length": 7, "tasks": ["pull"]},
        ]
        (root / "meta/episodes.jsonl").write_text("\n".join(map(json.dumps, told)))
        for number, (first, count) in enumerate(((0, 5), (5, 7))):
            parquet.write_table(data.slice(first, count), root / f"data/chunk-000/episode_{number:06d}.parquet")
            film(root / video / f"episode_{number:06d}.mp4", count, backwards=2, first=first)
        return values
    parquet.write_table(data, root / "data/chunk-000/file-000.parquet")
    meta = {
        "episode_index": [0, 1], "length": lengths, "tasks": [["push"], ["pull"]],
        "data/chunk_index": [0, 0], "data/file_index": [0, 0], f"videos/{KEY}/chunk_index": [0, 0],
        f"videos/{KEY}/file_index": [0, 0], f"videos/{KEY}/from_timestamp": [0.0, 0.5],
    }  # fmt: skip
    parquet.write_table(pyarrow.table(meta), root / "meta/episodes/chunk-000/file-000.parquet")
    film(root / f"{video}/file-000.mp4", 12, backwards=2)
    return values


@pytest.mark.parametrize("version", ["v3.0", "v2.1"])
def test_data_sets_of_lerobot(version, tmp_path):
    values = lerobot(tmp_path / "arm", version)
    dataset = imported(LeRobot([tmp_path / "arm"], motor="observation.state"), tmp_path / "set")
    assert dataset.episodes["length"].tolist() == [5, 7]
    assert numbers(dataset.frames[:]["rgb"]) == list(range(12))
    assert dataset.motor_signals == ("shoulder (rad)", "elbow (rad)")
    assert dataset.scenes[dataset.episodes["scene"]].tolist() == ["push", "pull"]
    motor = dataset.frames[:]["motor"]
    np.testing.assert_allclose(motor[:4], np.diff(values[:5], axis=0), atol=1e-6)
    np.testing.assert_allclose(motor[5:11], np.diff(values[5:], axis=0), atol=1e-6)
    with pytest.raises(DataError, match="unknown motor 'action'"):
        import_recordings(LeRobot([tmp_path / "arm"]), tmp_path / "none", progress=False)


def test_a_version_of_lerobot_that_is_not_known_is_refused(tmp_path):
    lerobot(tmp_path / "old", "v1.6")
    with pytest.raises(DataError, match=r"info\.json: version v1\.6; known are v2 and v3"):
        import_recordings(LeRobot([tmp_path / "old"]), tmp_path / "none", progress=False)


@pytest.mark.parametrize("kind", ["video", "image"])
def test_what_lerobot_has_written(kind, tmp_path):
    """By LeRobot's own writer, where it is installed."""
    own = pytest.importorskip("lerobot.datasets.lerobot_dataset", exc_type=ImportError)
    features = {
        KEY: {"dtype": kind, "shape": (32, 48, 3), "names": ["height", "width", "channels"]},
        "observation.state": {"dtype": "float32", "shape": (2,), "names": ["shoulder (rad)", "elbow (rad)"]},
        "action": {"dtype": "float32", "shape": (2,), "names": ["a", "b"]},
    }
    made = own.LeRobotDataset.create("ours/arm", 10, features, root=tmp_path / "arm", use_videos=kind == "video")
    values = np.random.default_rng(0).normal(size=(3, 5, 2)).astype("f4")
    for number in range(3):
        for step in range(5):
            made.add_frame(
                {
                    KEY: grey(number + step), "observation.state": values[number, step],
                    "action": np.zeros(2, "f4"), "task": f"task {number % 2}",
                }
            )  # fmt: skip
        made.save_episode()
    made.finalize()
    dataset = imported(LeRobot([tmp_path / "arm"], motor="observation.state"), tmp_path / "set")
    assert numbers(dataset.frames[:]["rgb"]) == [number + step for number in range(3) for step in range(5)]
    np.testing.assert_allclose(dataset.frames[:]["motor"].reshape(3, 5, 2)[:, :4], np.diff(values, axis=1), atol=1e-6)
    assert dataset.scenes[dataset.episodes["scene"]].tolist() == ["task 0", "task 1", "task 0"]


def test_next_observations_end_a_demonstration(tmp_path):
    """Where robomimic's files have them: a frame more than there are actions."""
    with h5py.File(tmp_path / "lift.hdf5", "w") as file:
        for number in range(2):
            demo = file.create_group(f"data/demo_{number}")
            seen, place = np.stack([grey(number + step) for step in range(5)]), np.arange(5.0)[:, None] ** 2 + number
            for group, rows in (("obs", slice(0, 4)), ("next_obs", slice(1, 5))):
                demo[f"{group}/agentview_image"], demo[f"{group}/place"] = seen[rows], place[rows]
            demo["actions"] = np.full((4, 3), number + 1.0)
    source = Robomimic([tmp_path / "lift.hdf5"], rate=20.0)
    dataset = imported(source, tmp_path / "set")
    assert numbers(dataset.frames[:]["rgb"]) == [number + step for number in range(2) for step in range(5)]
    assert dataset.frames[:]["motor"].reshape(2, 5, 3)[:, :4, 0].tolist() == [[1.0] * 4, [2.0] * 4]
    placed = Robomimic([tmp_path / "lift.hdf5"], rate=20.0, motor=["obs/place"], motor_is="position")
    motor = imported(placed, tmp_path / "places").frames[:]["motor"].reshape(2, 5)
    assert motor[:, :4].tolist() == [[1, 3, 5, 7]] * 2


@pytest.mark.filterwarnings("ignore::UserWarning")  # of what a data set should say, and does not
@pytest.mark.parametrize("jpeg", [True, False])
@pytest.mark.parametrize("form", ["hdf5", "arrow", "parquet"])
def test_what_minari_has_written(form, jpeg, tmp_path, monkeypatch):
    """By Minari's own writer, where it is installed."""
    minari = pytest.importorskip("minari", minversion="0.5.4", exc_type=ImportError)
    if form != "hdf5":
        pytest.importorskip("pyarrow", exc_type=ImportError)
    from gymnasium.spaces import Box, Dict
    from minari.data_collector import EpisodeBuffer

    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    spaces = {"pixels": Box(0, 255, (32, 48, 3), np.uint8), "mask": Box(0, 9, (32, 48), np.uint8)}
    actions = np.random.default_rng(0).normal(size=(11, 4, 2)).astype("f4")
    buffers = [
        EpisodeBuffer(
            observations={"pixels": [grey(number + step) for step in range(5)], "mask": [grey(0)[..., 0]] * 5},
            actions=list(actions[number]), rewards=[0.0] * 4, terminations=[False] * 4, truncations=[False] * 4,
            infos={},
        )
        for number in range(11)
    ]  # fmt: skip
    minari.create_dataset_from_buffers(
        "ours/push-v0", buffers, observation_space=Dict(spaces), action_space=Box(-9, 9, (2,)), data_format=form,
        jpeg_encoding=jpeg, author="ours", author_email="a@b.c", code_permalink="none", algorithm_name="none",
    )  # fmt: skip
    dataset = imported(Minari([tmp_path / "ours/push-v0"], rate=10.0), tmp_path / "set")
    assert numbers(dataset.frames[:]["rgb"]) == [number + step for number in range(11) for step in range(5)]
    np.testing.assert_allclose(dataset.frames[:]["motor"].reshape(11, 5, 2)[:, :4], actions, atol=1e-6)
    assert dataset.scenes.tolist() == ["ours/push-v0"]
