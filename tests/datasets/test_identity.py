"""What bytes depend on is known by content: a collection goes on only with the same policy, objects and textures."""

import importlib
import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest
import trimesh

import embodied_ssl.datasets.collect.collection as collecting
from embodied_ssl.cli.main import main
from embodied_ssl.datasets import spec
from embodied_ssl.datasets.collect.code_identity import Unidentified, code_digests
from embodied_ssl.datasets.collect.collection import collect
from embodied_ssl.datasets.collect.folder_identity import folder_digest
from embodied_ssl.datasets.collect.places import PLACES
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.store.check import check
from embodied_ssl.datasets.store.manifest import Manifest, read_manifest, write_manifest
from tests.datasets.test_collect import hashes

ORBIT = {"episodes": 4, "shard_episodes": 1, "size": 16, "length": 4, "progress": False}
HELPER = """
GAIN = 0.1
TABLE = {"left": [0.1, 0.2]}
def scale(values):
    return GAIN * values
class Base:
    OFFSET = 0.0
    def turn(self):
        return 0.2 + self.OFFSET
"""
POLICY = """
import functools
import numpy as np
import helper
from helper import scale

def plain(observation):
    return scale(np.ones(2, np.float32))

def through_the_module(observation):
    return np.full(2, helper.TABLE["left"][0], np.float32) + helper.scale(0.0)

def imports_late(observation):
    from helper import scale as late
    return late(np.ones(2, np.float32))

def with_default(observation, by=0.25):
    return np.full(2, by, np.float32)

def make(step):
    def closes_over(observation):
        return np.full(2, step, np.float32)
    return closes_over

closing = make(0.3)

@functools.lru_cache
def slow(step):
    return scale(step)

def cached(observation):
    return np.full(2, slow(0.5), np.float32)

class Turner(helper.Base):
    def __init__(self, speed=0.1):
        self.speed = speed
    def reset(self, env, rng):
        self.rng = rng
    def __call__(self, observation):
        return np.array([self.turn(), self.speed], np.float32)

turner = Turner()
partial = functools.partial(with_default, by=0.5)
some_lambda = lambda observation: np.zeros(2, np.float32)
"""
CHANGES = {  # of which policies the digests change, by what is changed in which file
    ("helper", "GAIN = 0.1", "GAIN = 0.2", "helper:GAIN"): {"plain", "through_the_module", "imports_late", "cached"},
    ("helper", "[0.1, 0.2]", "[0.1, 0.3]", "helper:TABLE"): {"through_the_module"},
    ("helper", "GAIN * values", "GAIN + values", "helper:scale"): {
        *("plain", "through_the_module", "imports_late", "cached"),
    },
    ("helper", "0.2 + self", "0.3 + self", "helper:Base.turn"): {"Turner", "turner"},
    ("helper", "OFFSET = 0.0", "OFFSET = 1.0", "helper:Base"): {"Turner", "turner"},
    ("policy", "by=0.25", "by=0.35", "policy:with_default"): {"with_default", "partial"},
    ("policy", "make(0.3)", "make(0.4)", "policy:make.<locals>.closes_over"): {"closing"},
    ("policy", "slow(0.5)", "slow(0.6)", "policy:cached"): {"cached"},
    ("policy", "speed=0.1", "speed=0.2", "state of policy:Turner"): {"Turner", "turner"},
    ("policy", "np.full(2, step, np", "np.full(2, -step, np", "policy:make.<locals>.closes_over"): {"closing"},
}
POLICIES = (
    *("plain", "through_the_module", "imports_late", "with_default", "closing", "cached", "Turner", "turner"),
    "partial",
)


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """Writes policy.py and helper.py, and imports them anew."""
    folder = tmp_path / "code"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def write(**changed: str) -> None:
        for name, text in {"helper": HELPER, "policy": POLICY, **changed}.items():
            (folder / f"{name}.py").write_text(text)
        importlib.invalidate_caches()
        for name in ("policy", "helper"):
            sys.modules.pop(name, None)

    write()
    yield write
    for name in ("policy", "helper"):
        sys.modules.pop(name, None)


def digests(name: str) -> dict[str, str]:
    found = getattr(importlib.import_module("policy"), name)
    return code_digests(found() if isinstance(found, type) else found)


def changed_text(change: tuple[str, ...]) -> dict[str, str]:
    module, old, new, _ = change
    text = {"helper": HELPER, "policy": POLICY}[module]
    assert old in text
    return {module: text.replace(old, new)}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change[2])
def test_a_change_anywhere_in_what_a_policy_uses_is_seen_and_one_elsewhere_is_not(modules, change):
    before = {name: digests(name) for name in POLICIES}
    modules()
    assert {name: digests(name) for name in POLICIES} == before
    modules(**changed_text(change))
    after = {name: digests(name) for name in POLICIES}
    assert {name for name in POLICIES if after[name] != before[name]} == CHANGES[change]
    for name in CHANGES[change]:
        assert after[name].get(change[3]) != before[name].get(change[3])


def test_digests_do_not_depend_on_the_process(modules, tmp_path):
    code = (
        "import importlib, sys; sys.path[:0] = [sys.argv[1], sys.argv[3]]; from tests.datasets.test_identity import *; "
    )
    code += "print({n: digests(n) for n in POLICIES} == json.loads(sys.argv[2]))"
    here = json.dumps({name: digests(name) for name in POLICIES})
    command = [sys.executable, "-c", code, str(tmp_path / "code"), here, str(Path(__file__).parent.parent)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | {"PYTHONHASHSEED": "5"})
    assert said.stdout.strip() == "True"


def test_functions_made_as_a_program_runs_are_known_by_what_they_do():
    """As in a console, or the methods of a data class."""
    made: list[dict[str, str]] = []
    for text in ("return 1", "return 2", "return 1"):
        space = {"__name__": "__main__"}
        exec(f"def step(observation):\n    {text}", space)
        made.append(code_digests(space["step"]))
    assert made[0] == made[2] != made[1]
    assert list(made[0]) == ["__main__:step"]


def test_what_does_not_let_itself_be_looked_at_still_collects(tmp_path):
    class Closed:
        def __call__(self, observation):
            return np.zeros(2, np.float32)

        def __reduce_ex__(self, protocol):
            return Closed, (self,)  # of itself, for ever

    collect("orbit", tmp_path / "orbit", policy=Closed(), **ORBIT)
    assert check(tmp_path / "orbit") == []


def test_what_cannot_be_told_apart_is_said(modules):
    lock = importlib.import_module("policy").Turner()
    lock.handle = open(os.devnull)  # noqa: SIM115
    some_lambda = importlib.import_module("policy").some_lambda
    for policy, word in (
        (some_lambda, "lambda"),
        (abs, "compiled"),
        (np.zeros, "compiled"),
        (lock, "cannot be pickled"),
    ):
        with pytest.raises(Unidentified, match=word):
            code_digests(policy)
    lock.handle.close()


def interrupt(folder: Path) -> None:
    """As if the collection had ended after its first shard."""
    content = json.loads((folder / "dataset.json").read_text())
    unfinished = {**content["spec"], "package version": content["package_version"]}
    (folder / "collecting.json").write_text(json.dumps(unfinished))
    (folder / "dataset.json").unlink()
    for shard in sorted(folder.glob("shard-*.h5"))[1:]:
        shard.unlink()


@pytest.mark.parametrize("name", POLICIES)
def test_an_interrupted_collection_goes_on_with_the_same_policy_and_no_other(modules, tmp_path, name):
    folder = tmp_path / "orbit"
    collect("orbit", folder, policy=f"policy:{name}", **ORBIT)
    whole = hashes(folder)
    interrupt(folder)
    modules()
    collect("orbit", folder, policy=f"policy:{name}", **ORBIT)
    assert hashes(folder) == whole
    assert check(folder) == []
    interrupt(folder)
    change = next(change for change, concerned in CHANGES.items() if name in concerned)
    modules(**changed_text(change))
    kept = hashes(folder)
    with pytest.raises(DataError, match=rf"another collection, which differs in .*{change[3]}"):
        collect("orbit", folder, policy=f"policy:{name}", **ORBIT)
    assert hashes(folder) == kept


def test_an_interrupted_collection_goes_on_with_the_same_libraries_and_no_others(tmp_path, monkeypatch):
    folder = tmp_path / "orbit"
    bound = {}

    def stop(*arguments):
        bound.update(json.loads((folder / "collecting.json").read_text()))
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(collecting, "write_manifest", stop)
        with pytest.raises(KeyboardInterrupt):
            collect("orbit", folder, **ORBIT)
    assert {"numpy", "pybullet", "C library"} <= set(bound["libraries"])
    kept = hashes(folder)
    with monkeypatch.context() as patched:
        patched.setattr(spec, "version", lambda name: "99" if name == "numpy" else version(name))
        with pytest.raises(
            DataError, match=r"another collection, which differs in version of numpy \(.* there, 99 now"
        ):
            collect("orbit", folder, **ORBIT)
    assert hashes(folder) == kept
    assert collect("orbit", folder, **ORBIT).shards_kept == 4
    with monkeypatch.context() as patched:
        patched.setattr(spec, "version", lambda name: "99")
        assert collect("orbit", folder, **ORBIT).rows_made == 0  # it is finished: nothing is mixed


@pytest.mark.slow
def test_workers_run_the_code_of_now(modules, tmp_path):
    """Those of an earlier collection still have the module as it was."""
    from embodied_ssl.datasets.read.readers import Dataset

    for gain in ("0.1", "0.2"):
        modules(helper=HELPER.replace("GAIN = 0.1", f"GAIN = {gain}"))
        collect("orbit", tmp_path / gain, policy="policy:plain", workers=2, **ORBIT)
        command = Dataset.open(tmp_path / gain).frames[:3]["command"]
        np.testing.assert_allclose(command, float(gain), rtol=1e-6)


def test_a_lambda_collects_and_is_not_gone_on_with(tmp_path, capsys):
    folder = tmp_path / "orbit"
    settings = {"policy": lambda observation: np.zeros(2, np.float32), **ORBIT}
    collect("orbit", folder, **settings)
    assert main(["check", str(folder)]) == 0
    assert "its policy is not identified: a lambda" in capsys.readouterr().out
    interrupt(folder)
    with pytest.raises(DataError, match=r"a lambda.*use a named function"):
        collect("orbit", folder, **settings)


def test_playing_leaves_a_policy_of_ones_own_as_it_was(modules, tmp_path):
    turner = importlib.import_module("policy").turner
    collect("orbit", tmp_path / "orbit", policy=turner, **ORBIT)
    assert vars(turner) == {"speed": 0.1}


def _objects(folder: Path) -> None:
    (folder / "toys").mkdir(parents=True)
    for name, size in (("ball", 0.05), ("toys/brick", 0.04)):
        mesh = trimesh.creation.box((size, size, 0.05))
        (folder / f"{name}.obj").write_text(
            f"mtllib {Path(name).name}.mtl\nusemtl red\n" + mesh.export(file_type="obj")
        )
        (folder / f"{name}.mtl").write_text("newmtl red\nKd 1 0 0\n")


def _textures(folder: Path) -> None:
    folder.mkdir(parents=True)
    for number in range(3):
        picture = np.random.default_rng(number).integers(0, 255, (32, 32, 3), np.uint8)
        cv2.imwrite(str(folder / f"{number}.png"), picture)


def _repaint(folder: Path) -> None:
    for path in folder.iterdir():
        cv2.imwrite(str(path), np.zeros((32, 32, 3), np.uint8))


FILES = {
    "objects": (_objects, lambda folder: (folder / "toys/brick.mtl").write_text("newmtl red\nKd 0 1 0\n")),
    "textures": (_textures, _repaint),
}


@pytest.mark.parametrize("setting", FILES)
@pytest.mark.parametrize("workers", [1, 2])
def test_an_interrupted_collection_goes_on_with_the_same_files_and_no_others(tmp_path, setting, workers):
    make, change = FILES[setting]
    source, folder = tmp_path / "files", tmp_path / "orbit"
    make(source)
    settings = {**ORBIT, "workers": workers}
    collect("orbit", folder, **settings, **{setting: str(source)})
    whole = hashes(folder)
    interrupt(folder)
    moved = tmp_path / "elsewhere" / "moved"
    shutil.copytree(source, moved)
    collect("orbit", folder, **settings, **{setting: moved})
    assert json.loads((folder / PLACES).read_text()) == {setting: str(moved)}  # beside what the data are
    assert hashes(folder) == {**whole, PLACES: hashes(folder)[PLACES]}
    interrupt(folder)
    change(source)
    with pytest.raises(DataError, match=rf"differs in {setting} \(sha256"):
        collect("orbit", folder, **settings, **{setting: source})
    other = tmp_path / "other"
    collect("orbit", other, **settings, **{setting: source})  # what is in memory of the old files is not used
    if setting == "textures":
        assert hashes(other).keys() == whole.keys()
        pictures = []
        for path in (folder, other):
            with h5py.File(path / "shard-00000.h5") as file:
                pictures.append(file["frames/rgb"][:])
        assert (pictures[0] != pictures[1]).any()
    assert check(other) == []


def test_a_folder_is_what_is_in_it_and_what_that_refers_to(tmp_path):
    _objects(tmp_path / "a" / "set")
    digest = folder_digest(tmp_path / "a" / "set")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    assert folder_digest(tmp_path / "b" / "set") == digest
    (tmp_path / "b/set/.hidden").write_text("no matter")
    assert folder_digest(tmp_path / "b" / "set") == digest
    (tmp_path / "b/set/ball.obj").rename(tmp_path / "b/set/sphere.obj")
    assert folder_digest(tmp_path / "b" / "set") != digest
    (tmp_path / "shared.obj").write_text("mtllib paint.mtl\n")
    (tmp_path / "paint.mtl").write_text("newmtl a\nmap_Kd -s 1 1 skin.png\n")
    (tmp_path / "a/set/robot.urdf").write_text('<robot><mesh filename="../../shared.obj"/></robot>')
    seen = {folder_digest(tmp_path / "a/set")}
    for name in ("skin.png", "paint.mtl", "shared.obj"):
        (tmp_path / name).write_text((tmp_path / name).read_text() + "\n" if (tmp_path / name).exists() else "x")
        seen.add(folder_digest(tmp_path / "a/set"))
    assert len(seen) == 4


def test_files_that_change_meanwhile_are_noticed(tmp_path, modules):
    """By a policy, in this case, that paints over a texture."""
    _textures(tmp_path / "textures")
    painting = "import cv2, numpy as np\ndef plain(observation):\n"
    painting += f"    cv2.imwrite({str(tmp_path / 'textures/1.png')!r}, np.zeros((8, 8, 3), np.uint8))\n"
    modules(policy=painting + "    return np.zeros(2, np.float32)\n")
    with pytest.raises(DataError, match=r"textures: .* has changed while data were collected"):
        collect("orbit", tmp_path / "orbit", policy="policy:plain", textures=tmp_path / "textures", **ORBIT)
    assert not list((tmp_path / "orbit").glob("*.h5"))


@pytest.mark.parametrize("differs", ["seed", "policy", "textures"])
def test_check_finds_a_shard_of_another_collection(tmp_path, modules, differs):
    _textures(tmp_path / "textures")
    others = {
        "seed": {"seed": 1},
        "policy": {"policy": "policy:plain"},
        "textures": {"textures": tmp_path / "textures"},
    }
    collect("orbit", tmp_path / "one", **ORBIT)
    collect("orbit", tmp_path / "other", **ORBIT, **others[differs])
    ours, theirs = read_manifest(tmp_path / "one"), read_manifest(tmp_path / "other")
    stranger = theirs.shards[2]
    shutil.copy(tmp_path / "other" / stranger.file, tmp_path / "one" / stranger.file)
    shards = (*ours.shards[:2], stranger, *ours.shards[3:])
    write_manifest(tmp_path / "one", Manifest(ours.kind, ours.spec, ours.package_version, shards))
    problems = check(tmp_path / "one")
    assert len(problems) == 1
    assert "shard-00002.h5: of another collection" in problems[0]
