"""What others add to a collection: by `module:Name`, by the name that a plugin gives it, and what it is made of."""

import importlib
import os
import subprocess
import sys

import numpy as np
import pytest

from embodied_ssl import plugins
from embodied_ssl.datasets.collect.collection import collect, make_spec
from embodied_ssl.datasets.collect.policies import policies_of
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.gallery.page import view
from embodied_ssl.datasets.kinds import kind_of, kinds
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.datasets.store.check import check

OWN = """
from dataclasses import replace

import numpy as np

from embodied_ssl.datasets.kinds.base import InteractionPage
from embodied_ssl.datasets.kinds.grasp import KIND as GRASP
from embodied_ssl.envs.bodies.floating import FloatingGripper
from embodied_ssl.envs.grasp import GraspEnv
from embodied_ssl.envs.world.objects.categories import make_object

SPEED = 1.0


class Slow(FloatingGripper):
    def move(self, tip, speed, each_step=None):
        super().move(tip, SPEED * speed, each_step)


class Bricks:
    categories = ("brick",)

    def make(self, category, instance):
        return replace(make_object("box", instance), category=category)


class Middle:
    def reset(self, env, rng):
        self.env = env.unwrapped

    def __call__(self, observation):
        return self.env.action_of(12.0, 12.0, 0.0)


class OwnEnv(GraspEnv):
    TRIES = 1


_KIND = replace(GRASP, name="own", env_id="own/Own-v0", env="own_world:OwnEnv")
"""
ZOOM = '''
from dataclasses import replace

import numpy as np

from embodied_ssl.datasets.kinds import orbit
from embodied_ssl.envs.orbit import OrbitEnv


class ZoomEnv(OrbitEnv):
    """An orbit whose camera also says how much nearer it came: not at all."""

    def reset(self, **options):
        observation, info = super().reset(**options)
        return self._with_zoom(observation, info)

    def step(self, action):
        observation, *middle, info = super().step(action)
        return observation, *middle, self._with_zoom(observation, info)[1]

    def _with_zoom(self, observation, info):
        observation["motor"] = np.append(observation["motor"], np.float32(0))
        info["command"] = np.append(info["command"], np.float32(0))
        return observation, info


def motion(first, second):
    around = orbit.motion(first, second)
    return np.concatenate([around, np.zeros_like(around[..., :1])], axis=-1)


ZOOM = replace(
    orbit.KIND, name="zoom", env_id="own/Zoom-v0", env="own_zoom:ZoomEnv", motion=motion,
    motor_signals=(*orbit.KIND.motor_signals, "nearer (m)"),
)
'''
SMALL = {"episodes": 1, "progress": False, "size": 24, "clutter": 3}


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Writes the module `own_world`, with a change, and imports it anew."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv(plugins.VARIABLE, "")

    def write(*change):
        (tmp_path / "own_world.py").write_text(OWN.replace(*change) if change else OWN)
        sys.modules.pop("own_world", None)
        importlib.invalidate_caches()

    write()
    yield write
    sys.modules.pop("own_world", None)
    sys.modules.pop("own_zoom", None)


CHANGES = {
    "a gripper": ("grasp", {"body": "own_world:Slow"}, ("SPEED = 1.0", "SPEED = 0.500")),
    "objects": ("grasp", {"objects": "own_world:Bricks"}, ('"box", instance', '"can", instance')),
    "an environment": ("own_world:_KIND", {}, ("TRIES = 1", "TRIES = 2")),
    "a policy": ("grasp", {"policy": "own_world:Middle"}, ("12.0, 12.0", "11.0, 12.0")),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_is_made_of_other_code_is_another_collection(own, tmp_path, what):
    kind, settings, change = CHANGES[what]
    collect(kind, tmp_path / "data", **SMALL, **settings)
    assert collect(kind, tmp_path / "data", **SMALL, **settings).shards_kept == 1
    own(*change)
    with pytest.raises(DataError, match="holds another collection, which differs in the code of own_world:"):
        collect(kind, tmp_path / "data", **SMALL, **settings)


def test_a_plugin_gives_names(own, tmp_path):
    own("_KIND", "KIND")
    plugins.use("own_world")
    assert list(policies_of("grasp"))[-1] == "middle"
    assert kinds()["own"] is kind_of("own")
    one = make_spec("own", body="slow", objects="bricks", policy="middle")[0]
    other = make_spec("own", body="own_world:Slow", objects="own_world:Bricks", policy="own_world:Middle")[0]
    assert one.added_code == other.added_code
    assert one.policy_code == other.policy_code
    collect("own", tmp_path / "data", **SMALL, body="slow", objects="bricks", policy="middle")
    dataset = Dataset.open(tmp_path / "data")
    assert set(dataset.objects["category"]) == {"brick"}
    np.testing.assert_allclose(dataset.array("interactions/pixel")[0], 12, atol=1e-4)


def test_a_video_of_others_may_have_any_number_of_motor_signals(own, tmp_path):
    (tmp_path / "own_zoom.py").write_text(ZOOM)
    plugins.use("own_zoom")
    collect("zoom", tmp_path / "data", episodes=3, size=24, length=5, instance=True, progress=False)
    dataset = Dataset.open(tmp_path / "data")
    assert check(tmp_path / "data") == []
    rng, index = np.random.default_rng(0), np.arange(4)
    batch = dataset.pairs(max_gap=2).batch(index, rng)
    assert batch.motion.shape == (4, 3)
    assert (batch.motion[:, 2] == 0).all()
    assert len(dataset.object_pairs().batch(index, rng)) == len(dataset.captions().batch(index, rng)) == 4
    assert "nearer" in view(tmp_path / "data").read_text()


def test_an_installed_package_gives_names_by_entry_points(own, tmp_path):
    own("_KIND", "KIND")
    folder = tmp_path / "own-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: own\nVersion: 1.0\n")
    points = {"kinds": "own = own_world:KIND", "grippers": "slow_one = own_world:Slow"}
    points |= {"policies": "center_one = own_world:Middle", "object_sets": "clay = own_world:Bricks"}
    text = "".join(f"[embodied_ssl.{group}]\n{point}\n" for group, point in points.items())
    (folder / "entry_points.txt").write_text(text)
    code = """
from embodied_ssl.datasets.collect.collection import make_spec
spec = make_spec("own", body="slow_one", objects="clay", policy="center_one")[0]
print(*sorted({*spec.added_code, *spec.policy_code}), sep=chr(10))
"""
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    expected = {f"own_world:{name}" for name in ("OwnEnv", "Slow", "Bricks", "Middle")}
    assert expected <= set(done.stdout.split("\n"))


def test_what_is_ours_is_told_by_the_version_alone():
    spec = make_spec("grasp", policy="center", body="panda")[0]
    assert spec.added_code is None
    assert spec.policy_code is None
    assert "code" not in spec.text


@pytest.mark.parametrize(
    ("kind", "settings", "said"),
    [
        ("grasp", {"body": "own_world:Bricks"}, "no gripper, for it has no load"),
        ("grasp", {"body": "own_world:Fast"}, "own_world has no Fast"),
        ("grasp", {"body": "own_word:Slow"}, "No module named 'own_word'"),
        ("grasp", {"objects": "own_world:Slow"}, "no set of objects"),
        ("grasp", {"objects": "own_world:Brick"}, "own_world has no Brick"),
        ("own_world:Slow", {}, "no Kind, but a type"),
        ("own_world:KIMD", {}, "own_world has no KIMD"),
    ],
)
def test_what_is_none_is_refused_before_anything_is_written(own, tmp_path, kind, settings, said):
    with pytest.raises(DataError, match=said):
        collect(kind, tmp_path / "data", **SMALL, **settings)
    assert not (tmp_path / "data").exists()


def test_a_kind_of_the_same_name_as_one_of_ours_is_refused(own, monkeypatch):
    own('name="own"', 'name="grasp"')
    monkeypatch.setenv(plugins.VARIABLE, "own_world:_KIND")
    with pytest.raises(DataError, match="declares the kind grasp, which is there already"):
        kinds()
