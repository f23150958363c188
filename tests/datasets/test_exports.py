"""What is exported is read by each format's own library, value by value, and comes back as it was."""

import hashlib
import json
import shutil
import tarfile

import cv2
import h5py
import numpy as np
import pytest

from embodied_ssl.cli.main import main
from embodied_ssl.datasets.collect.collection import collect
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.exports import exporting
from embodied_ssl.datasets.exports.exporting import export_data
from embodied_ssl.datasets.exports.formats import FORMATS
from embodied_ssl.datasets.imports.importing import import_recordings
from embodied_ssl.datasets.imports.lerobot import LeRobot
from embodied_ssl.datasets.imports.minari import Minari
from embodied_ssl.datasets.imports.robomimic import Robomimic
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.datasets.store.check import check

SOURCES = ("roam", "hold", "grasp", "reach", "compressed")
WRITERS = {"lerobot": "pyarrow", "rerun": "rerun"}  # what a format is written with, where that is optional
OF_VIDEO = {"rgb": "image", "depth": "depth", "instance": "instance", "flow": "flow", "pose": "pose"}
OF_CAMERAS = {"images": "image", "depth": "depth", "instance": "instance", "extrinsics": "pose"}
LEADS_ON = ("motor", "command", "camera_flow")  # from a frame to the next


@pytest.fixture(scope="module")
def sources(data, tmp_path_factory):
    """A video, one whose episodes go on elsewhere, interactions with trajectories, and demonstrations of control."""
    root = tmp_path_factory.mktemp("acts")
    usual = {"size": 32, "trajectory": True, "shard_episodes": 2, "progress": False, "instance": True, "depth": True}
    collect("grasp", root / "grasp", episodes=3, **usual)
    collect("poke", root / "compressed", episodes=2, cameras=("wrist",), compression="zstd", **usual)
    collect("reach", root / "reach", episodes=2, size=32, shard_episodes=1, progress=False)
    return {"roam": data["roam"], "hold": data["hold"], **{name: root / name for name in SOURCES[2:]}}


def exported(source, out, to, **settings):
    if to in WRITERS:
        pytest.importorskip(WRITERS[to], exc_type=ImportError)
    export_data(source, out, to, progress=False, **settings)
    return out


def hashes(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def logged(source):
    """What each series of each episode is, [T, ...], by the name that it is exported by."""
    dataset = Dataset.open(source)
    if dataset.declaration.is_video:
        start, length = dataset.segments
        table = {
            f"camera_{OF_VIDEO[name]}" if name in OF_VIDEO else name: each for name, each in dataset.frames[:].items()
        }
        table.pop("scene", None)  # it is told of the whole episode
        episodes = [{name: each[s : s + n] for name, each in table.items()} for s, n in zip(start, length, strict=True)]
        return [{**each, "time": each["time"] - each["time"][0]} for each in episodes]
    found = []
    for act in range(len(dataset)):
        parts = {name: (*name.partition("/"), each) for name, each in dataset.trajectory(act).items()}
        own = {
            f"{camera}_{OF_CAMERAS[what]}" if camera else what: each for what, _, camera, each in parts.values()
        }  # fmt: skip
        if "control" in own:  # of which the action is that of the environment
            own["target"] = own.pop("action")
            goal = dataset.interactions[act]["goal"]
            own["desired_goal"] = np.repeat(goal[None], len(own["target"]), axis=0)
        found.append(own)
    return found


def action_of(source):
    fields = Dataset.open(source).fields
    return next(path for path in ("steps/control", "steps/action", "frames/command") if path in fields).split("/")[1]


def of_numpy(folder):
    return [dict(np.load(path)) for path in sorted(folder.glob("*.npz"))]


def of_webdataset(folder):
    webdataset = pytest.importorskip("webdataset")
    samples = webdataset.WebDataset(sorted(map(str, folder.glob("*.tar"))), shardshuffle=False).decode("rgb8")
    episodes = {}
    for sample in samples:
        told = sample.pop("json")
        assert sample["__key__"] == f"{told['episode']:06d}-{told['step']:06d}"
        values = {name.partition(".")[0]: each for name, each in sample.items() if name.endswith((".png", ".npy"))}
        values = {name: each[..., 0] if name.endswith("instance") else each for name, each in values.items()}
        told = {name: each for name, each in told.items() if each is not None and name not in values}
        episodes.setdefault(told["episode"], []).append({**told, **values})
    return [gathered(steps) for _, steps in sorted(episodes.items())]


def gathered(steps):
    """What steps have, one after the other, [T, ...] or, of what the last one has not, [T - 1, ...]."""
    return {name: np.stack([step[name] for step in steps if name in step]) for name in steps[0]}


def of_minari(folder):
    minari = pytest.importorskip("minari", minversion="0.5.4")
    dataset = minari.MinariDataset(folder / "data")
    assert dataset.total_steps == sum(len(episode) for episode in dataset.iterate_episodes())
    found = []
    for episode in dataset.iterate_episodes():
        assert all(action in dataset.action_space for action in episode.actions)
        first = {name: values[0] for name, values in episode.observations.items()}
        assert all(value in dataset.observation_space[name] for name, value in first.items() if np.ndim(value))
        found.append({**episode.observations, **episode.infos, "actions": episode.actions, "rewards": episode.rewards})
    return found


def of_robomimic(folder):
    dataset_of_robomimic = pytest.importorskip("robomimic.utils.dataset").SequenceDataset
    observations = pytest.importorskip("robomimic.utils.obs_utils")
    path = folder / "demonstrations.hdf5"
    with h5py.File(path) as file:
        names = {name: each.shape for name, each in file["data/demo_0/obs"].items()}
        others = [name for name in file["data/demo_0"] if name not in ("obs", "next_obs")]
        lengths = [int(file[f"data/demo_{number}"].attrs["num_samples"]) for number in range(len(file["data"]))]
    kinds = {"rgb": "_image", "depth": "_depth"}
    spec = {kind: [name for name in names if name.endswith(end)] for kind, end in kinds.items()}
    spec["low_dim"] = [name for name in names if not name.endswith(tuple(kinds.values()))]
    observations.initialize_obs_utils_with_obs_specs([{"obs": spec}])
    demos = dataset_of_robomimic(
        str(path), obs_keys=list(names), dataset_keys=others, load_next_obs=True, hdf5_cache_mode=None
    )
    assert len(demos) == sum(lengths)
    found = []
    for number, length in enumerate(lengths):
        first = demos._demo_id_to_start_indices[f"demo_{number}"]
        steps = [demos[first + step] for step in range(length)]
        obs = {name: [*(step["obs"][name][0] for step in steps), steps[-1]["next_obs"][name][0]] for name in names}
        found.append(
            {
                **{name: np.stack(each) for name, each in obs.items()},
                **{name: np.stack([step[name][0] for step in steps]) for name in others},
            }
        )
    return found


def of_lerobot(folder):
    lerobot = pytest.importorskip("lerobot.datasets.lerobot_dataset", exc_type=ImportError)
    dataset = lerobot.LeRobotDataset("ours/exported", root=folder)
    episodes = {}
    for number in range(len(dataset)):
        step = dataset[number]
        assert step["index"] == number
        images = {
            f"{key.rpartition('.')[2]}_image": np.rint(255 * step[key].numpy()).astype("u1").transpose(1, 2, 0)
            for key in dataset.meta.camera_keys
        }
        values = {
            key.removeprefix("observation."): np.asarray(step[key])
            for key in step
            if not key.startswith("observation.images") and key != "task"
        }
        episodes.setdefault(int(step["episode_index"]), []).append({**values, **images})
    return [gathered(steps) for _, steps in sorted(episodes.items())]


def of_rerun(folder):
    reader = pytest.importorskip("rerun.chunk").RrdReader
    return [recording(reader(path)) for path in sorted(folder.glob("*.rrd"))]


def recording(opened):
    """The series of a recording of Rerun, by their names here."""
    found = {}
    for chunk in opened.stream():
        batch, place = chunk.to_record_batch(), chunk.entity_path.split("/")[1:]
        if "step" not in batch.schema.names:
            continue
        columns = {name.partition(":")[2]: batch.column(name).to_pylist() for name in batch.schema.names if ":" in name}
        assert batch.column("step").to_pylist() == list(range(batch.num_rows))
        if "scalars" in columns:
            found[place[1]] = np.array(columns["scalars"])
        elif "blob" in columns:
            found[f"{place[1]}_image"] = np.stack(
                [cv2.imdecode(np.array(each[0], "u1"), cv2.IMREAD_COLOR)[..., ::-1] for each in columns["blob"]]
            )
        elif "buffer" in columns:
            shape = [columns["format"][0][0][side] for side in ("height", "width")]
            dtype = "f2" if place[2] == "depth" else "u1"
            found["_".join(place[1:])] = np.stack(
                [np.array(each[0], "u1").view(dtype).reshape(shape) for each in columns["buffer"]]
            )
        else:
            found[f"{place[1]}_pose"] = {name: np.array(each)[:, 0] for name, each in columns.items()}
    return found


LIBRARIES = {
    "numpy": of_numpy, "webdataset": of_webdataset, "minari": of_minari, "robomimic": of_robomimic,
    "lerobot": of_lerobot, "rerun": of_rerun,
}  # fmt: skip


LEFT_OUT = {"lerobot": ("depth", "instance", "flow"), "rerun": ("flow",)}  # which have no place there


def compared(to, source, folder):
    """How many rows of series were found in an export as they are logged; raises where one is another."""
    wanted, found = logged(source), LIBRARIES[to](folder)
    assert len(wanted) == len(found)
    rows = 0
    for want, got in zip(wanted, found, strict=True):
        for name, values in want.items():
            own = called(to, name, action_of(source))
            if own is not None:
                rows += same(got[own], values, name)
    return rows


def called(to, name, action):
    """What a series is called by a library; None for one that has no place in its format."""
    if name.rpartition("_")[2] in LEFT_OUT.get(to, ()):
        return None
    if to in ("numpy", "webdataset", "rerun"):
        return name
    if name == "reward":  # is told of the next step, and compared by itself
        return None
    if name == action:
        return "action" if to == "lerobot" else "actions"
    return "environment_state" if (to, name) == ("lerobot", "observation") else name


def same(got, want, name):
    """Compare the rows of a series, and say how many there are."""
    if isinstance(got, dict):  # a pose, as Rerun has it
        place, turn = (want[..., :3], want[..., 3:]) if want.ndim == 2 else (want[:, :3, 3], want[:, :3, :3])
        np.testing.assert_array_equal(got["translation"], place, name)
        given = got["quaternion"] if "quaternion" in got else got["mat3x3"].reshape(-1, 3, 3).transpose(0, 2, 1)
        np.testing.assert_array_equal(given, turn, name)
        return len(want)
    got = np.asarray(got)
    assert len(got) in (len(want), len(want) - 1)
    if name in LEADS_ON and np.isfinite(got[-1]).all():
        got = got[: len(want) - 1]  # of the last frame there is none: 0, or left out
    want = want[: len(got)]
    np.testing.assert_array_equal(got.reshape(want.shape), want.astype(got.dtype), name)
    return len(got)


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # of WebDataset
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("to", FORMATS)
def test_the_library_of_a_format_reads_what_was_logged(to, source, sources, tmp_path):
    settings = {"lossless": True} if to == "lerobot" else {}
    folder = exported(sources[source], tmp_path / "out", to, **settings)
    assert compared(to, sources[source], folder) > 0


@pytest.mark.parametrize("to", ["robomimic", "minari", "lerobot"])
def test_rewards_are_those_of_what_the_action_led_to(to, sources, tmp_path):
    for source in ("grasp", "reach"):
        folder = exported(sources[source], tmp_path / source, to, lossless=to == "lerobot")
        dataset = Dataset.open(sources[source])
        for act, got in enumerate(LIBRARIES[to](folder)):
            steps = dataset.trajectory(act)
            want = np.zeros(len(steps["time"]), "f4")
            want[-1] = dataset.interactions[act]["reward"]
            rewards = got["next.reward" if to == "lerobot" else "rewards"]
            np.testing.assert_array_equal(rewards[: len(want) - 1], steps.get("reward", want)[1:])


def test_a_task_that_was_broken_off_is_truncated_and_one_that_was_done_is_over(tmp_path):
    collect("reach", tmp_path / "reach", episodes=6, size=16, length=4, seed=1, progress=False)
    achieved = Dataset.open(tmp_path / "reach").interactions[:]["success"].tolist()
    assert {*achieved} == {True, False}
    folder = exported(tmp_path / "reach", tmp_path / "out", "minari")
    with h5py.File(folder / "data/main_data.hdf5") as file:
        ends = [{key: file[f"episode_{act}/{key}"][:] for key in ("terminations", "truncations")} for act in range(6)]
    assert [each["terminations"].tolist()[-1] for each in ends] == achieved
    assert [each["truncations"].tolist()[-1] for each in ends] == [not done for done in achieved]
    assert not any(values[:-1].any() for each in ends for values in each.values())


def test_videos_are_close_to_what_was_seen(sources, tmp_path):
    """Those that do not keep everything: half of the colours each way, and the rest nearly."""
    folder = exported(sources["grasp"], tmp_path / "out", "lerobot")
    import_recordings(LeRobot([folder], camera="observation.images.scene"), tmp_path / "set", 64, progress=False)
    seen = np.concatenate([each["scene_image"] for each in logged(sources["grasp"])]).astype(float)
    shown = Dataset.open(tmp_path / "set").frames[:]["rgb"].astype(float)
    assert np.abs(seen.mean(-1) - shown.mean(-1)).mean() < 4


BACK = {
    "robomimic": lambda folder: Robomimic([folder / "demonstrations.hdf5"], camera="camera", motor=["motor"]),
    "minari": lambda folder: Minari([folder], rate=10.0, motor="infos/motor"),
    "lerobot": lambda folder: LeRobot([folder], motor="motor", motor_is="motion"),
}


@pytest.mark.parametrize("to", BACK)
def test_what_is_exported_comes_back_as_it_was(to, data, tmp_path):
    folder = exported(data["roam"], tmp_path / "out", to, **({"lossless": True} if to == "lerobot" else {}))
    import_recordings(BACK[to](folder), tmp_path / "set", size=24, progress=False)
    assert check(tmp_path / "set") == []
    first, again = Dataset.open(data["roam"]), Dataset.open(tmp_path / "set")
    np.testing.assert_array_equal(again.frames[:]["rgb"], first.frames[:]["rgb"])
    np.testing.assert_allclose(again.frames[:]["motor"], first.frames[:]["motor"], atol=1e-6)
    np.testing.assert_allclose(again.frames[:]["time"], first.frames[:]["time"], atol=1e-6)
    assert again.episodes["length"].tolist() == first.episodes["length"].tolist()
    assert again.motor_signals == first.motor_signals


@pytest.mark.parametrize(("to", "workers"), [("numpy", 2), ("lerobot", 1), ("robomimic", 1)])
def test_an_export_that_was_stopped_goes_on_and_another_is_refused(to, workers, sources, tmp_path, monkeypatch):
    whole = exported(sources["hold"], tmp_path / "whole", to, workers=workers)
    told = json.loads((whole / exporting.RECORD).read_text())
    assert told["finished"]

    to_write = [*hashes(whole)][2:]  # but the record and one more

    def stopped(folder, part, write=exporting._write_part):
        if not to_write:
            raise KeyboardInterrupt
        to_write.pop()
        return write(folder, part)

    with monkeypatch.context() as patch:
        patch.setattr(exporting, "_write_part", stopped)
        with pytest.raises(KeyboardInterrupt, match=r"of \d+ files are finished in .*go on"):
            exported(sources["hold"], tmp_path / "part", to)
    (tmp_path / "part/.left.writing").write_text("half of a file")
    exported(sources["hold"], tmp_path / "part", to)
    assert hashes(tmp_path / "part") == hashes(whole)
    with pytest.raises(DataError, match="holds another export, which differs in data"):
        exported(sources["roam"], whole, to)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/diary.txt").write_text("mine")
    with pytest.raises(DataError, match=r"not empty \(diary\.txt\) and no export; choose another --out"):
        exported(sources["hold"], tmp_path / "mine", to)


IN_HDF5 = (
    ("robomimic", "demonstrations.hdf5", "data/demo_0/obs/wrist_image"),
    ("minari", "data/main_data.hdf5", "episode_0/observations/wrist_image"),
)


@pytest.mark.parametrize("to", ["webdataset", "robomimic", "minari"])
def test_two_processes_write_the_same_bytes(to, sources, tmp_path):
    one, two = (exported(sources["hold"], tmp_path / f"{workers}", to, workers=workers) for workers in (1, 2))
    assert hashes(one) == hashes(two)
    if to == "minari":
        told = json.loads((two / "data/metadata.json").read_text())["dataset_size"]
        assert told == round((two / "data/main_data.hdf5").stat().st_size / 1e6, 1) > 0


def test_hdf5_refers_to_images_or_copies_them(sources, tmp_path):
    """Each by itself: references follow the data set when both move; a copy does without it."""
    shutil.copytree(sources["grasp"], tmp_path / "here/data")
    for to, path, name in IN_HDF5:
        for copy in (False, True):
            exported(tmp_path / "here/data", tmp_path / f"here/{to}-{copy}", to, copy=copy)
            with h5py.File(tmp_path / f"here/{to}-{copy}" / path) as file:
                assert file[name].is_virtual is not copy
    (tmp_path / "here").rename(tmp_path / "there")
    want = logged(tmp_path / "there/data")[0]["wrist_image"]
    shutil.move(tmp_path / "there/data", tmp_path / "gone")
    for to, path, name in IN_HDF5:
        with h5py.File(tmp_path / f"there/{to}-True" / path) as file:
            np.testing.assert_array_equal(file[name][:], want[: len(file[name])])
    shutil.move(tmp_path / "gone", tmp_path / "there/data")
    for to, path, name in IN_HDF5:
        with h5py.File(tmp_path / f"there/{to}-False" / path) as file:
            np.testing.assert_array_equal(file[name][:], want[: len(file[name])])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["{roam}", "--to", "onnx"], "a data set, which goes --to lerobot, robomimic"),
        (["{roam}", "--to", "numpy", "--copy"], "export --to numpy: has no setting copy; leave it out"),
        (["{roam}", "--to", "numpy", "--license", "mit"], "has no setting license; leave it out"),
        (["{grasp}", "--to", "numpy"], "its grasp interactions have no steps; collect them with --trajectory"),
        (["{roam}", "{grasp}", "--to", "numpy"], "name one at a time"),
        (["{roam}", "--to", "numpi"], "'numpi' is not"),
    ],
)
def test_what_cannot_be_exported_is_told(given, message, data, tmp_path, capsys):
    given = [each.format(**data) for each in given]
    assert main(["export", *given, "--out", str(tmp_path / "out")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_command_exports(data, tmp_path, capsys):
    arguments = ["export", str(data["orbit"]), "--to", "webdataset", "--out", str(tmp_path / "out")]
    assert main(arguments) == 0
    assert "32 in 4 episodes" in capsys.readouterr().out
    with tarfile.open(tmp_path / "out/shard-000000.tar") as tar:
        assert tar.getnames()[:3] == [
            "000000-000000.camera_image.png",
            "000000-000000.camera_instance.png",
            "000000-000000.json",
        ]
