"""One seed, one set of bytes: whatever the workers, the engine, the interruptions. Requests that cannot be met."""

import hashlib
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import psutil
import pytest
import trimesh
from conftest import SMALL

from embodied_ssl.datasets import progress
from embodied_ssl.datasets.collect.collection import collect, make_spec
from embodied_ssl.datasets.collect.slurm import Slurm
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.kinds import collected_kinds, kind_of
from embodied_ssl.datasets.store.check import check
from embodied_ssl.datasets.store.directory import claim
from embodied_ssl.datasets.store.manifest import read_manifest

SETTINGS = {"episodes": 6, "size": 24, "length": 8, "shard_episodes": 2, "progress": False, "scenes": "kitchen"}


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference") / "roam"
    collect("roam", folder, **SETTINGS)
    return folder


def test_workers_do_not_change_a_byte(reference, tmp_path):
    collect("roam", tmp_path / "roam", workers=2, **SETTINGS)
    assert hashes(tmp_path / "roam") == hashes(reference)


@pytest.mark.parametrize("engine", ["ray", "dask", "slurm"])
@pytest.mark.slow
def test_engines_do_not_change_a_byte(reference, tmp_path, engine):
    pytest.importorskip({"ray": "ray", "dask": "distributed", "slurm": "submitit"}[engine])
    jobs = Slurm(folder=tmp_path / "jobs", cluster="local")
    collect("roam", tmp_path / "roam", workers=2, engine=engine, slurm=jobs, **SETTINGS)
    assert hashes(tmp_path / "roam") == hashes(reference)


def test_episodes_do_not_depend_on_how_they_are_sharded(reference, tmp_path):
    from embodied_ssl.datasets.read.readers import Dataset

    collect("roam", tmp_path / "roam", **{**SETTINGS, "shard_episodes": 3})
    one, other = Dataset.open(reference), Dataset.open(tmp_path / "roam")
    np.testing.assert_array_equal(one.frames[:]["rgb"], other.frames[:]["rgb"])
    for name, values in one.objects.items():
        np.testing.assert_array_equal(values, other.objects[name])


def test_a_killed_collection_goes_on_and_ends_the_same(reference, tmp_path):
    """Kill it once its first shard is there; the same call then finishes, keeps that shard, and equals the whole."""
    folder = tmp_path / "roam"
    found = "from embodied_ssl.datasets.collect.collection import collect"
    code = f"{found}; collect('roam', {str(folder)!r}, **{SETTINGS!r})"
    process = subprocess.Popen([sys.executable, "-c", code], env=os.environ)
    deadline = time.monotonic() + 600
    while not list(folder.glob("shard-*.h5")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    finished = {path: path.stat().st_mtime_ns for path in folder.glob("shard-*.h5")}
    assert finished
    (folder / ".shard-00009.h5.1-abcd.writing").write_bytes(b"left by the dead")
    collect("roam", folder, **SETTINGS)
    assert hashes(folder) == hashes(reference)
    assert all(path.stat().st_mtime_ns == when for path, when in finished.items())


def a_worker_starts(process: subprocess.Popen, folder: Path) -> bool:
    """It has its work, and still imports what it needs for it."""
    workers = [child for child in psutil.Process(process.pid).children() if child.name().startswith("python")]
    return any("numpy" in mapped.path for worker in workers for mapped in worker.memory_maps())


def a_shard_is_there(process: subprocess.Popen, folder: Path) -> bool:
    return any(folder.glob("shard-*.h5"))


def _play(moment, stop: signal.Signals, whole_group: bool, folder: Path, workers: int) -> tuple[int, str]:
    """What a collection ends with, and what it says, that is stopped at a moment."""
    hears = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)"  # even if we do not
    command = [sys.executable, "-c", f"{hears}; from embodied_ssl.cli.main import main; sys.exit(main())"]
    command += ["collect", "orbit", "--out", str(folder), "--workers", str(workers)]
    command += ["--episodes", "16", "--size", "32", "--length", "200"]
    process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE, text=True)
    while not moment(process, folder):
        assert process.poll() is None
        time.sleep(0.01)
    if whole_group:
        os.killpg(process.pid, stop)
    else:
        process.send_signal(stop)
    # Every process of the group holds the other end, so this returns when the last has ended. A worker that is left
    # alone would wait for 300 s; one that still starts, on a busy machine, may take a while to find out.
    said = process.communicate(timeout=600)[1]
    return process.returncode, said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("moment", "stop", "whole_group", "code"),
    [
        (a_worker_starts, signal.SIGINT, True, 130),
        (a_worker_starts, signal.SIGTERM, False, 143),
        (a_shard_is_there, signal.SIGTERM, True, 143),
        (a_shard_is_there, signal.SIGKILL, False, -9),
    ],
)
def test_workers_end_with_their_parent(tmp_path, moment, stop, whole_group, code):
    """Ctrl-C reaches the whole group of processes, a kill only the parent, SIGTERM either. Nobody lives on."""
    ended, said = _play(moment, stop, whole_group, tmp_path / "orbit", workers=2)
    assert ended == code
    if stop != signal.SIGKILL:
        assert re.fullmatch(r"embodied-ssl: .*: \d of 16 shards are finished.*again to go on", said.splitlines()[-1])
    assert "Traceback" not in said


@pytest.mark.parametrize(("stop", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_collection_says_what_is_kept(tmp_path, stop, code):
    ended, said = _play(a_shard_is_there, stop, False, tmp_path / "orbit", workers=1)
    assert ended == code
    kept = len(list((tmp_path / "orbit").glob("shard-*.h5")))
    assert f"{kept} of 16 shards are finished in {tmp_path / 'orbit'}; run the same command again" in said
    left = {path.name for path in (tmp_path / "orbit").iterdir() if not path.name.startswith("shard-")}
    assert left == {"collecting.json"}


@pytest.mark.parametrize("workers", [1, 2])
def test_the_bar_moves_inside_a_shard(tmp_path, workers, monkeypatch, capsys):
    monkeypatch.setattr(progress, "on_screen", lambda: True)
    settings = {"episodes": 2, "size": 16, "length": 1000, "antialias": 1, "shadows": False}
    collect("orbit", tmp_path / "orbit", shard_episodes=2, workers=workers, policy=think, **settings)
    bar = capsys.readouterr().err
    seen = [int(rows) for rows in re.findall(r"(\d+)/2000 ", bar)]
    assert any(0 < rows < 2000 for rows in seen)
    assert seen == sorted(seen)
    assert seen[-1] == 2000
    assert not list((tmp_path / "orbit").glob(".*"))


def test_a_directory_takes_one_collection_at_a_time(tmp_path):
    with claim(tmp_path), pytest.raises(DataError, match="another process"):
        collect("roam", tmp_path, **SETTINGS)


def test_a_shard_of_another_collection_is_not_overwritten(reference, tmp_path):
    folder = tmp_path / "roam"
    collect("roam", folder, **SETTINGS, seed=5)
    stranger = (reference / "shard-00001.h5").read_bytes()
    (folder / "shard-00001.h5").write_bytes(stranger)
    with pytest.raises(DataError, match=r"shard-00001\.h5: a shard of another collection"):
        collect("roam", folder, **SETTINGS, seed=5)
    assert (folder / "shard-00001.h5").read_bytes() == stranger


def test_a_damaged_shard_is_made_again(reference, tmp_path):
    folder = tmp_path / "roam"
    collect("roam", folder, **SETTINGS)
    shard = folder / "shard-00001.h5"
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    collect("roam", folder, **SETTINGS)
    assert hashes(folder) == hashes(reference)


def test_another_specification_is_refused_and_named(reference):
    before = hashes(reference)
    with pytest.raises(DataError, match=r"seed.*0.*1"):
        collect("roam", reference, **SETTINGS, seed=1)
    with pytest.raises(DataError, match="slip"):
        collect("roam", reference, **SETTINGS, slip=0.2)
    with pytest.raises(DataError, match=r"differs in kind \(roam there, poke now\);"):
        collect("poke", reference, episodes=1, progress=False)
    assert hashes(reference) == before


@pytest.mark.parametrize("kind", SMALL)
def test_more_episodes_are_added_as_if_they_had_been_asked_for_at_once(data, tmp_path, kind):
    """The first shard is kept, one that had too few episodes is made anew, the rest is added."""
    folder, episodes = tmp_path / kind, SMALL[kind]["episodes"]
    few = {**SMALL[kind], "progress": False, "episodes": 4 if episodes > 4 else 2}
    collect(kind, folder, shard_episodes=3, **few)
    first = (folder / "shard-00000.h5").stat().st_ino
    summary = collect(kind, folder, **{**few, "episodes": episodes})  # as many in a shard as there are
    assert hashes(folder) == hashes(data[kind])
    assert check(folder) == []
    assert (summary.episodes, summary.shards_kept) == (episodes, int(few["episodes"] >= 3))
    assert (first == (folder / "shard-00000.h5").stat().st_ino) == (few["episodes"] >= 3)
    with pytest.raises(DataError, match=rf"holds a collection of {episodes} episodes, more than 1; give --episodes"):
        collect(kind, folder, **{**few, "episodes": 1})
    assert hashes(folder) == hashes(data[kind])


@pytest.mark.parametrize("missing", [[], ["shard-00002.h5"], [".shard-00001.h5.longer"]])
def test_readers_see_the_old_state_until_all_is_there_and_an_interruption_changes_nothing(reference, tmp_path, missing):
    from embodied_ssl.datasets.read.readers import Dataset

    folder = tmp_path / "roam"
    collect("roam", folder, **{**SETTINGS, "episodes": 3})
    old = Dataset.open(folder).frames[:]["rgb"]
    content = json.loads((reference / "dataset.json").read_text())
    bound = {**content["spec"], "package version": content["package_version"]}
    (folder / "collecting.json").write_text(json.dumps(bound))  # as if killed just before the end
    (folder / ".shard-00001.h5.longer").write_bytes((reference / "shard-00001.h5").read_bytes())
    (folder / "shard-00002.h5").write_bytes((reference / "shard-00002.h5").read_bytes())
    for name in missing:
        (folder / name).unlink()
    assert check(folder) == []
    np.testing.assert_array_equal(Dataset.open(folder).frames[:]["rgb"], old)
    with pytest.raises(DataError, match="holds a collection of 6 episodes, more than 3"):
        collect("roam", folder, **{**SETTINGS, "episodes": 3})
    assert collect("roam", folder, **SETTINGS).shards_kept == 3 - len(missing)
    assert hashes(folder) == hashes(reference)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_file_that_is_no_object_is_named(tmp_path, workers):
    (tmp_path / "objects").mkdir()
    (tmp_path / "objects/thing.obj").write_text("nothing")
    settings = {"episodes": 2, "shard_episodes": 1, "size": 16, "objects": str(tmp_path / "objects")}
    with pytest.raises(DataError, match=r"grasp: .*thing\.obj"):
        collect("grasp", tmp_path / "grasp", workers=workers, progress=False, **settings)


@pytest.mark.parametrize("kind", SMALL)
def test_shards_describe_themselves_to_any_hdf5_tool(data, kind):
    manifest, fields = json.loads((data[kind] / "dataset.json").read_text()), read_manifest(data[kind]).fields
    for entry in manifest["shards"]:
        with h5py.File(data[kind] / entry["file"]) as file:
            assert file.attrs["kind"].decode() == kind
            assert {**json.loads(file.attrs["spec"]), "episodes": manifest["spec"]["episodes"]} == manifest["spec"]
            for path in entry["arrays"]:
                field = fields[path]
                assert file[path].dtype == np.dtype(field.dtype)
                assert file[path].attrs["unit"].decode() == field.unit
                assert file[path].attrs["description"]
    assert check(data[kind]) == []


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
def test_compression_is_lossless_and_smaller(reference, tmp_path, compression):
    from embodied_ssl.datasets.read.readers import Dataset

    collect("roam", tmp_path / "roam", **SETTINGS, compression=compression)
    packed, plain = Dataset.open(tmp_path / "roam"), Dataset.open(reference)
    np.testing.assert_array_equal(packed.frames[:]["rgb"], plain.frames[:]["rgb"])
    assert packed.manifest.count("size") < plain.manifest.count("size")
    assert check(tmp_path / "roam") == []


EDGES = [{"rows": 1, "episodes": 1}, {"rows": 1, "episodes": 3, "shard_episodes": 2}, {"rows": 2, "shard_episodes": 9}]


@pytest.mark.parametrize("kind", collected_kinds())
@pytest.mark.parametrize("edge", EDGES, ids=str)
def test_the_shortest_episodes_are_collected_read_and_sound(tmp_path, kind, edge):
    from embodied_ssl.datasets.read.readers import Dataset

    rows, shorts = edge["rows"], {name: value for name, value in edge.items() if name != "rows"}
    video, whole = kind_of(kind).is_video, kind_of(kind).closed_loop
    settings = {"length": rows, "flow": True} if video else {"length" if whole else "interactions": rows}
    rows = 1 if whole else rows  # however many steps it takes
    settings |= {"size": 16, "instance": True, "episodes": 2, "progress": False} | shorts
    summary = collect(kind, tmp_path / kind, **settings)
    dataset = Dataset.open(tmp_path / kind)
    assert summary.rows == len(dataset) == rows * settings["episodes"]
    assert (dataset.episodes["length"] == rows).all()
    if video:
        start, length = dataset.segments  # no motion leads from the last frame of an episode, or of a visit
        last = np.isin(np.arange(len(dataset)), start + length - 1)
        assert last[rows - 1 :: rows].all()
        np.testing.assert_array_equal(np.isnan(dataset.frames[:]["motor"]).all(axis=1), last)
    assert check(tmp_path / kind) == []


@pytest.mark.parametrize("whole", [np.int64, np.uint8, np.array])
def test_numpy_numbers_and_paths_give_the_same_bytes(tmp_path, whole, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    counts = {"episodes": 3, "seed": 5, "workers": 1, "shard_episodes": 2, "size": 16, "length": 3, "antialias": 1}
    more = {"instances": (0, 8), "field_of_view": 0.5, "depth": True, "categories": "cup"}
    numbers = {name: whole(value) for name, value in counts.items()}
    several = {"instances": np.array((0, 8)), "field_of_view": np.float64(0.5), "depth": np.True_, "categories": "cup"}
    collect("orbit", tmp_path / "plain", **counts, **more, progress=False)
    collect("orbit", "~/numpy", **numbers, **several, progress=False)
    assert hashes(tmp_path / "plain") == hashes(tmp_path / "numpy")
    from embodied_ssl.datasets.read.readers import Dataset

    assert len(Dataset.open("~/numpy")) == 9
    assert check("~/numpy") == []


def halt(observation):
    """A policy of a user."""
    return np.zeros(2, np.float32)


def think(observation):
    """A policy that takes its time, so that a shard takes longer than from one look at it to the next anywhere."""
    time.sleep(0.001)
    return halt(observation)


def test_any_callable_is_a_policy(tmp_path):
    from embodied_ssl.datasets.read.readers import Dataset

    collect("orbit", tmp_path / "orbit", episodes=1, size=16, length=5, policy=halt, progress=False)
    dataset = Dataset.open(tmp_path / "orbit")
    assert (dataset.frames[:4]["command"] == 0).all()
    assert dataset.spec["policy"].endswith("test_collect:halt")


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("raom", {}, "did you mean 'roam'"),
        ("roam", {"episodes": 0}, "episodes"),
        ("roam", {"episodes": -3}, "episodes"),
        ("roam", {"seed": -1}, "seed"),
        ("roam", {"workers": 0}, "workers"),
        ("roam", {"size": 0}, "size"),
        ("roam", {"size": 16.5}, "size"),
        ("roam", {"episodes": True}, "episodes"),
        ("roam", {"episodes": 1.5}, "episodes"),
        ("roam", {"workers": 1.5}, "workers"),
        ("roam", {"shard_episodes": 0}, "shard_episodes"),
        ("roam", {"shard_episodes": "2"}, "shard_episodes"),
        ("roam", {"seed": 2**63}, "seed: 9223372036854775808; give .* at most"),
        ("roam", {"length": 10**12}, "held in memory until it is written; give at most"),
        ("push", {"interactions": 0}, "interactions"),
        ("poke", {"interactions": 10**9}, "held in memory"),
        ("grasp", {"clutter": 0}, "clutter"),
        ("grasp", {"instances": np.array(3)}, "instances"),
        ("grasp", {"objects": object()}, "objects: a setting is numbers"),
        ("roam", {"camera_height": -1.0}, "camera_height: -1.0; give more than 0"),
        ("roam", {"camera_pitch": 9.0}, "camera_pitch: 9.0; give at least -1.5708 and at most 1.5708"),
        ("roam", {"size": 100_000}, "size: 100000; give .* at most 4096"),
        ("roam", {"length": 0}, "length"),
        ("roam", {"scenes": "kitchn"}, "kitchen"),
        ("roam", {"lenght": 5}, "did you mean 'length'"),
        ("roam", {"policy": "explor"}, "did you mean 'explore'"),
        ("roam", {"policy": "no_such_module:f"}, "no_such_module"),
        ("roam", {"compression": "gzip"}, "lz4"),
        ("roam", {"engine": "spark"}, "loky"),
        ("orbit", {"categories": "cpu"}, "did you mean 'cup'"),
        ("roam", {"depth": "false"}, "depth: 'false'; give True or False"),
        ("push", {"trajectory": True, "cameras": ("frontal",)}, "frontal"),
        ("press", {"control": "joints", "size": 16}, "give control='tip', or another policy, as 'random'"),
    ],
)
def test_what_cannot_be_collected_is_refused_before_anything_is_written(tmp_path, kind, settings, message):
    with pytest.raises(DataError, match=message):
        collect(kind, tmp_path / "out", **{"episodes": 1, "progress": False, **settings})
    assert not list((tmp_path / "out").glob("[!.]*"))  # and nothing is bound to it


@pytest.mark.parametrize("kind", ["push", "grasp", "poke"])
def test_objects_that_fit_no_table_are_refused_and_one_that_does_is_waited_for(tmp_path, kind):
    (tmp_path / "objects").mkdir()
    trimesh.creation.box((0.36, 0.06, 0.04)).export(tmp_path / "objects/plank.stl")
    settings = {"size": 16, "clutter": 1, "interactions": 1, "progress": False}
    with pytest.raises(DataError, match="none of 100 fits the table, where an object is at most 29 cm across"):
        collect(kind, tmp_path / "planks", 1, objects=str(tmp_path / "objects"), **settings)
    collect(kind, tmp_path / "pans", 6, categories="pan", **settings)  # of which some fit
    objects = read_manifest(tmp_path / "pans").count("objects")
    assert objects == 6


def test_whole_numbers_and_floats_are_the_same_settings(tmp_path):
    settings = {"episodes": 2, "length": 2, "size": 16, "scenes": "corridor", "progress": False}
    collect("roam", tmp_path, **settings, slip=0, depth=1)
    before = hashes(tmp_path)
    assert collect("roam", tmp_path, **settings, slip=0.0, depth=True).shards_kept == 2
    assert hashes(tmp_path) == before


def test_whoever_reads_what_is_enlarged_is_told_to_open_it_again(tmp_path):
    from embodied_ssl.datasets.read.readers import Dataset

    settings = {"length": 2, "size": 16, "scenes": "corridor", "shard_episodes": 2, "progress": False}
    collect("roam", tmp_path, 3, **settings)
    dataset = Dataset.open(tmp_path)
    first = dataset.frames[0]["rgb"]
    collect("roam", tmp_path, 4, **settings)
    np.testing.assert_array_equal(dataset.frames[0]["rgb"], first)  # of a shard that is as it was
    with pytest.raises(DataError, match="was enlarged or made anew meanwhile; open it again"):
        dataset.frames[-1]
    assert len(Dataset.open(tmp_path).frames[-1]["rgb"])


def test_a_foreign_directory_is_not_touched(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(DataError):
        collect("roam", tmp_path, **SETTINGS)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_full_disk_leaves_no_broken_shard(tmp_path):
    """A limit on file sizes fails the write as a full disk does."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limit[1]))
    try:
        with pytest.raises(DataError, match="no space"):
            collect("roam", tmp_path / "roam", **SETTINGS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, previous)
    assert not (tmp_path / "roam").exists()  # nothing was finished
    collect("roam", tmp_path / "roam", **SETTINGS)  # and goes on where there is room again


def test_long_episodes_of_control_make_small_shards_as_short_ones_do():
    """Their samples are as many as their steps, however long a usual act takes."""
    short, long = (make_spec("press", 10_000, length=length, size=48)[0].shard_episodes for length in (50, 1000))
    assert 10 * long < short
    assert long * 1000 * 2 * 3 * 48**2 < 32e6  # two cameras see every sample
