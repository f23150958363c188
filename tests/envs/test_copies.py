"""Copies are exact: play, copy, act differently in the copy, go on; nobody could tell that there was a copy."""

import copy
import os
import pickle
import subprocess
import sys
from typing import Any

import gymnasium
import numpy as np
import pytest

import embodied_ssl  # noqa: F401  (registers the environments)
from embodied_ssl.envs.roam import RoamEnv

SETTINGS: dict[str, dict[str, Any]] = {
    "Roam": {"size": 24, "length": 12, "depth": True, "instance": True, "flow": True, "scenes": "kitchen,bedroom"},
    "Orbit": {"size": 24, "length": 12, "depth": True, "instance": True, "flow": True},
    "Grasp": {"size": 32, "interactions": 4, "depth": True, "instance": True},
    "Push": {"size": 32, "interactions": 4, "instance": True},
    "Poke": {"size": 32, "interactions": 4},
    "Grasp by an arm": {"size": 32, "interactions": 3, "body": "panda"},
    "Push by an arm": {"size": 32, "interactions": 3, "body": "panda"},
}
BEFORE = 2  # steps before the copy
every_env = pytest.mark.parametrize("name", SETTINGS)


def make(name: str) -> gymnasium.Env:
    return gymnasium.make(f"embodied_ssl/{name.split()[0]}-v0", **SETTINGS[name])


def start(name: str, seed: int = 11) -> gymnasium.Env:
    """An environment in the middle of its second episode."""
    env = make(name)
    env.reset(seed=seed)
    env.action_space.seed(seed)
    env.step(env.action_space.sample())
    env.reset()
    for _ in range(BEFORE):
        env.step(env.action_space.sample())
    return env


def flat(value: Any) -> list[bytes]:
    if isinstance(value, dict):
        return [piece for key in sorted(value) for piece in (key.encode(), *flat(value[key]))]
    if isinstance(value, tuple):
        return [piece for part in value for piece in flat(part)]
    return [np.asarray(value).tobytes()]


def rest(env: gymnasium.Env, steps: int = 30) -> list[list[bytes]]:
    """All that the rest of this episode and the next reset give, with actions sampled from the environment's space."""
    seen = []
    for _ in range(steps):
        step = env.step(env.action_space.sample())
        seen.append(flat(step))
        if step[2] or step[3]:
            break
    seen.append(flat(env.reset()))
    seen.append(flat(env.step(env.action_space.sample())))
    return seen


@pytest.fixture(scope="module")
def alone():
    """What each gives that was never copied."""
    known: dict[str, list[list[bytes]]] = {}

    def find(name: str) -> list[list[bytes]]:
        if name not in known:
            env = start(name)
            known[name] = rest(env)
            env.close()
        return known[name]

    return find


@every_env
def test_a_copy_and_its_original_go_on_as_if_there_had_been_no_copy(name, alone):
    env = start(name)
    copied = copy.deepcopy(env)
    again, shallow = copy.deepcopy(copied), copy.copy(env.unwrapped)
    assert copied.unwrapped.world.client != env.unwrapped.world.client
    for _ in range(2):  # look ahead, elsewhere
        copied.step(-copied.action_space.high)
    assert rest(env) == alone(name)
    assert rest(again) == alone(name)
    assert rest(shallow) == alone(name)
    copied.reset(seed=3)
    for each in (env, copied, again, shallow):
        each.close()


@every_env
def test_a_moment_is_restored_as_often_as_one_likes_and_elsewhere(name, alone):
    env = start(name)
    moment = env.unwrapped.save()
    sampled = copy.deepcopy(env.action_space)
    for _ in range(2):
        env.step(env.action_space.high)
        env.unwrapped.restore(moment)
    env.reset(seed=1)
    other = make(name)
    for each in (env, other):
        each.unwrapped.restore(pickle.loads(pickle.dumps(moment)))
        each.unwrapped.action_space = copy.deepcopy(sampled)
        assert rest(each.unwrapped) == alone(name)
        each.close()


def test_those_that_are_pickled_go_on_in_another_process(alone, tmp_path):
    envs = {name: start(name) for name in SETTINGS}
    (tmp_path / "envs").write_bytes(pickle.dumps(envs))
    code = "import pickle, sys; from tests.envs.test_copies import rest; sys.stdout.buffer.write(pickle.dumps("
    code += f"{{n: rest(env) for n, env in pickle.load(open({str(tmp_path / 'envs')!r}, 'rb')).items()}}))"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=os.environ)
    there = pickle.loads(process.stdout)
    for name, env in envs.items():
        assert there[name] == alone(name) == rest(env)
        env.close()


def test_copies_show_what_the_original_shows_held_things_and_films():
    held = gymnasium.make("embodied_ssl/Hold-v0", size=24, length=12, render_mode="rgb_array").unwrapped
    pushed = gymnasium.make("embodied_ssl/Push-v0", size=24, interactions=9, render_mode="rgb_array_list").unwrapped
    for env in (held, pushed):
        env.reset(seed=3)
        env.action_space.seed(3)
        for _ in range(3):
            env.step(env.action_space.sample())
    place, shown = held.describe()["objects"][0]["position"], held.render()
    saved, copied, film = held.save(), copy.deepcopy(held), list(pushed.act.film)
    np.testing.assert_array_equal(copied.render(), shown)
    np.testing.assert_array_equal(copied.describe()["objects"][0]["position"], place)
    held.step(held.action_space.sample())
    held.restore(saved)
    np.testing.assert_array_equal(held.render(), shown)
    saved, copied = pushed.save(), copy.deepcopy(pushed)
    pushed.step(pushed.action_space.sample())
    pushed.restore(saved)
    assert len(film) > 3
    for env in (copied, pushed):
        np.testing.assert_array_equal(env.render(), film)


@every_env
def test_copies_before_the_first_reset_and_after_closing(name):
    env = make(name)
    copied = copy.deepcopy(env)
    assert flat(copied.reset(seed=4)) == flat(env.reset(seed=4))
    env.close()
    closed = copy.deepcopy(env)
    closed.close()
    assert closed.unwrapped.world.client < 0
    assert flat(copied.reset(seed=5)) == flat(pickle.loads(pickle.dumps(copied)).reset(seed=5))
    copied.close()


@pytest.mark.parametrize("name", ["Roam", "Poke"])
def test_vector_environments_are_copied_and_saved(name):
    settings = SETTINGS[name]
    vector = gymnasium.make_vec(f"embodied_ssl/{name}-v0", 2, vectorization_mode="sync", **settings)
    vector.reset(seed=1)
    vector.action_space.seed(1)
    actions = [vector.action_space.sample() for _ in range(3)]
    vector.step(actions[0])
    copied = copy.deepcopy(vector)
    copied.step(actions[1])
    saved = vector.call("save")
    wanted = flat(vector.step(actions[2]))
    for env, moment in zip(vector.envs, saved, strict=True):
        env.unwrapped.restore(moment)
    assert flat(vector.step(actions[2])) == wanted
    vector.close()
    copied.close()


class Counting(RoamEnv):
    """Of a user: with settings and a state of its own, and actions turned round."""

    def __init__(self, bonus: float):
        super().__init__(size=16, scenes="kitchen")
        self.bonus, self.history = bonus, []

    def step(self, action):
        observation, reward, *ends = super().step(-action)
        self.history.append(reward)
        return observation, reward + self.bonus * len(self.history), *ends


def test_a_subclass_with_a_state_of_its_own_is_copied_whole():
    env = Counting(bonus=2.0)
    env.reset(seed=2)
    action = env.action_space.high
    env.step(action)
    env.slip = 0.5  # whoever changes it means it
    copied = copy.deepcopy(env)
    copied.step(-action)
    assert (len(env.history), len(copied.history)) == (1, 2)
    again = pickle.loads(pickle.dumps(env))
    assert flat(again.step(action)) == flat(env.step(action))


def test_a_copy_that_nobody_closes_gives_its_simulator_back():
    env = make("Roam")
    clients = set()
    for _ in range(4):
        clients.add(copy.deepcopy(env).unwrapped.world.client)
    assert len(clients) == 1
    env.close()


def test_a_moment_of_another_kind_or_other_settings_is_refused():
    roam, orbit = make("Roam"), make("Orbit")
    larger = gymnasium.make("embodied_ssl/Roam-v0", **SETTINGS["Roam"] | {"size": 32})
    roam.reset(seed=0)
    others = [
        gymnasium.make("embodied_ssl/Roam-v0", **SETTINGS["Roam"] | more) for more in ({"slip": 0.5}, {"length": 3})
    ]
    for other in (orbit, larger, *others):
        with pytest.raises(ValueError, match="settings"):
            other.unwrapped.restore(roam.unwrapped.save())
    shown = gymnasium.make("embodied_ssl/Roam-v0", **SETTINGS["Roam"], render_mode="rgb_array")
    shown.unwrapped.restore(roam.unwrapped.save())  # how it is shown is no setting of the world


@pytest.mark.parametrize("name", ["Roam", "Orbit", "Grasp"])
def test_what_an_observation_shows_is_the_callers(name):
    """Whoever draws into an image changes nothing of the world."""
    env, other = start(name), start(name)
    env.action_space.seed(0)
    action = env.action_space.sample()
    observation, *_ = env.step(action)
    other.step(action)
    for picture in observation.values():
        picture[...] = 1
    assert flat(env.step(action)) == flat(other.step(action))
    env.close()
    other.close()


@pytest.mark.parametrize("whole", [np.int64, np.uint8, np.array])
def test_numpy_integers_are_seeds_and_counts(whole):
    env = gymnasium.make("embodied_ssl/Push-v0", size=whole(24), interactions=whole(2), clutter=whole(3))
    plain = gymnasium.make("embodied_ssl/Push-v0", size=24, interactions=2, clutter=3)
    assert flat(env.reset(seed=whole(7))) == flat(plain.reset(seed=7))
    env.close()
    for name, settings in {"Roam": {"length": whole(5)}, "Orbit": {"length": whole(5), "antialias": whole(1)}}.items():
        env = gymnasium.make(f"embodied_ssl/{name}-v0", size=whole(16), **settings)
        env.reset(seed=whole(3))
        env.close()


@pytest.mark.parametrize("bad", [-1, 1.5, True, "3", np.array([1, 2])])
def test_seeds_that_are_none_are_refused(bad):
    env = gymnasium.make("embodied_ssl/Orbit-v0", size=16)
    with pytest.raises(ValueError, match="seed"):
        env.reset(seed=bad)
