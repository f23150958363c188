"""What every environment must do: listing one here tests it."""

import hashlib
import inspect
import os
import subprocess
import sys
import warnings
from contextlib import suppress
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import embodied_ssl  # noqa: F401  (registers the environments)
from embodied_ssl.envs.table import TableEnv

ENVS: dict[str, dict[str, Any]] = {
    "embodied_ssl/Roam-v0": {"size": 32, "length": 12, "depth": True, "instance": True},
    "embodied_ssl/Orbit-v0": {"size": 32, "length": 12, "depth": True, "instance": True},
    "embodied_ssl/Grasp-v0": {"size": 32, "interactions": 3, "depth": True, "instance": True},
    "embodied_ssl/Push-v0": {"size": 32, "interactions": 3, "instance": True},
    "embodied_ssl/Poke-v0": {"size": 32, "interactions": 3},
}
every_env = pytest.mark.parametrize("name", ENVS)


def trace(name: str, seed: int, before: tuple[int, ...] = ()) -> str:
    """A hash of everything that an episode shows, after episodes of other seeds in the same environment."""
    env = gymnasium.make(name, **ENVS[name])
    for other in before:
        env.reset(seed=other)
        env.action_space.seed(other)
        env.step(env.action_space.sample())
    digest = hashlib.sha256()

    def take(value: Any) -> None:
        if isinstance(value, dict):
            for key in sorted(value):
                digest.update(key.encode())
                take(value[key])
        else:
            digest.update(np.asarray(value).tobytes())

    observation, info = env.reset(seed=seed)
    env.action_space.seed(seed)
    take(observation)
    take(info)
    ended = False
    while not ended:
        observation, reward, terminated, truncated, info = env.step(env.action_space.sample())
        ended = terminated or truncated
        for value in (observation, reward, info):
            take(value)
    env.close()
    return digest.hexdigest()


@every_env
def test_gymnasiums_own_checker_finds_nothing(name):
    """With the settings that one gets who gives none; it makes one of each render mode itself."""
    env = gymnasium.make(name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env.unwrapped, skip_render_check=False)
        env.reset(seed=1)  # with the wrappers that check each call
        env.action_space.seed(1)
        env.step(env.action_space.sample())
    whole_acts = ["rgb_array_list"] if isinstance(env.unwrapped, TableEnv) else []
    assert env.metadata["render_modes"] == ["rgb_array", *whole_acts]
    env.close()


@every_env
@pytest.mark.parametrize("limit", [1, 2])
def test_what_ends_an_episode(name, limit):
    """On a table the last interaction of the task, before a camera the number of frames."""
    table = name.removeprefix("embodied_ssl/")[:4] not in ("Roam", "Orbi")
    env = gymnasium.make(name, size=16, **{"interactions" if table else "length": limit + (not table)})
    env.reset(seed=3)
    env.action_space.seed(3)
    ends = [env.step(env.action_space.sample())[2:4] for _ in range(limit)]
    assert ends == [(False, False)] * (limit - 1) + [(table, not table)]
    env.close()


@every_env
def test_a_seed_gives_the_same_bytes_after_others_and_in_another_process(name):
    alone = trace(name, 7)
    assert trace(name, 7, before=(3, 1)) == alone
    assert trace(name, 8) != alone
    code = f"from tests.envs.test_envs import trace; print(trace({name!r}, 7))"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert process.stdout.split()[-1] == alone


@every_env
def test_it_runs_in_vector_environments(name):
    """With default settings, and over the end of an episode."""
    alone = gymnasium.make(name)
    expected, _ = alone.reset(seed=5)
    alone.close()
    for mode, settings in (("sync", None), ("async", {"context": "spawn"})):
        vector = gymnasium.make_vec(f"embodied_ssl.envs:{name}", 2, vectorization_mode=mode, vector_kwargs=settings)
        observation, _ = vector.reset(seed=[4, 5])
        np.testing.assert_array_equal(observation["rgb"][1], expected["rgb"])
        vector.action_space.seed(1)
        for _ in range(2):
            *_, truncated, _ = vector.step(vector.action_space.sample())
            assert not truncated.any()
        vector.close()


@every_env
def test_descriptions_name_what_the_mask_shows(name):
    env = gymnasium.make(name, **ENVS[name] | {"instance": True})
    observation, _ = env.reset(seed=2)
    description = env.unwrapped.describe()
    indices = {row["index"] for row in description["objects"]}
    assert set(np.unique(observation["instance"])) - {0} <= indices
    assert description["intrinsics"].shape == (3, 3)
    for row in description["objects"]:
        assert np.linalg.norm(row["quaternion"]) == pytest.approx(1, abs=1e-5)
        assert (np.asarray(row["size"]) >= 0).all()
    env.close()


@every_env
@pytest.mark.parametrize("bad", ["nan", "shape", "text"])
def test_bad_actions_are_refused_clearly(name, bad):
    env = gymnasium.make(name, **ENVS[name]).unwrapped
    env.reset(seed=0)
    shape = env.action_space.shape
    action = {"nan": np.full(shape, np.nan), "shape": np.zeros((*shape, 2)), "text": np.full(shape, "x")}[bad]
    with pytest.raises(ValueError, match="action"):
        env.step(action)
    env.close()


@every_env
def test_every_number_among_the_settings_is_held_to_what_it_can_be(name):
    """Whichever setting a constructor has: noise, shares, lengths, times, angles, counts."""
    parameters = inspect.signature(type(gymnasium.make(name, **ENVS[name]).unwrapped).__init__).parameters
    usual = {key: each.default for key, each in parameters.items() if type(each.default) in (int, float)}
    assert len(usual) >= 4
    taken = []
    for setting in usual:
        for wrong in (float("nan"), float("inf"), "3", 2 if setting == "camera_pitch" else -1):
            with suppress(ValueError, TypeError):
                gymnasium.make(name, **ENVS[name] | {setting: wrong})
                taken.append((setting, wrong))
    assert not taken


@every_env
@pytest.mark.parametrize(
    "settings", [{"renderer": "rasta"}, {"size": 0}, {"antialias": 0}, {"instances": (5, 5)}, {"instances": (-1, 4)}]
)
def test_bad_settings_are_refused_clearly(name, settings):
    with pytest.raises(ValueError, match=next(iter(settings)) + "|picture"):
        gymnasium.make(name, **ENVS[name] | settings)
