"""Closed-loop control: goals and rewards as in Gymnasium-Robotics, bodies that go as told, experts that succeed."""

import copy
import warnings
from itertools import count
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from embodied_ssl.datasets.collect.collection import collect
from embodied_ssl.datasets.collect.policies import resolve_policy
from embodied_ssl.datasets.kinds import collected_kinds, kind_of, register
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.envs.control.env import SPEED_MPS, START
from embodied_ssl.envs.control.resolved_rates import DAMPING, joint_changes

TASKS = [name for name, kind in collected_kinds().items() if kind.closed_loop]
BODIES = ("floating", "panda")
each_task = pytest.mark.parametrize("task", TASKS)
each_body = pytest.mark.parametrize("body", BODIES)


def make(task: str, **settings: Any) -> Any:
    return gymnasium.make(register(kind_of(task)), disable_env_checker=True, **settings).unwrapped


def episode(env: Any, policy: Any, seed: int) -> list[tuple[Any, ...]]:
    """What each step of an episode gives, that of `reset` first."""
    observation, info = env.reset(seed=seed)
    policy.reset(env, np.random.default_rng(seed))
    steps = [(observation, 0.0, False, False, info)]
    while not (steps[-1][2] or steps[-1][3]):
        steps.append(env.step(policy(steps[-1][0])))
    return steps


def flat(steps: list[tuple[Any, ...]]) -> list[bytes]:
    return [each.tobytes() for step in steps for each in step[0].values()]


@each_task
@pytest.mark.parametrize("cameras", [(), ("overhead", "scene", "wrist")])
def test_gymnasiums_own_checker_finds_nothing(task, cameras):
    env = make(task, cameras=cameras)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env, skip_render_check=bool(cameras))
    observation, _ = env.reset(seed=1)
    assert {"observation", "achieved_goal", "desired_goal"} | {*cameras} <= observation.keys()
    if cameras:
        felt = observation["proprioception"]
        np.testing.assert_array_equal(observation["observation"][: len(felt)], felt)
    env.close()


@each_task
@pytest.mark.parametrize("reward", ["sparse", "dense"])
def test_rewards_are_those_of_goals_one_by_one_and_all_at_once(task, reward):
    env = make(task, reward=reward, length=12)
    steps = episode(env, resolve_policy(task, "random"), 3)[1:]
    achieved, desired = (np.array([step[0][name] for step in steps]) for name in ("achieved_goal", "desired_goal"))
    together = env.compute_reward(achieved, desired, [step[4] for step in steps])
    np.testing.assert_array_equal(together, np.float32([step[1] for step in steps]))
    assert [step[1] for step in steps] == [
        env.compute_reward(*goals, {}) for goals in zip(achieved, desired, strict=True)
    ]
    np.testing.assert_array_equal(env.compute_reward(achieved, achieved), 0)
    far = np.linalg.norm(achieved.astype("f8") - desired, axis=1)
    expected = -(far > env.TOLERANCE).astype(float) if reward == "sparse" else -far
    np.testing.assert_allclose(together, expected, atol=1e-6)
    assert [step[4]["is_success"] for step in steps] == (far <= env.TOLERANCE).tolist()
    assert [step[2:4] for step in steps] == [(False, False)] * 11 + [(False, True)]
    env.close()


@each_task
@each_body
def test_an_expert_succeeds_and_a_seed_gives_the_same_bytes_after_others(task, body):
    env, policy = make(task, body=body), resolve_policy(task, "expert")
    first = [episode(env, policy, seed) for seed in range(3)]
    assert [steps[-1][2] for steps in first] == [True] * 3
    assert flat(episode(env, policy, 1)) == flat(first[1]) != flat(first[2])
    env.close()


@each_body
def test_the_tip_goes_as_it_is_told(body):
    env = make("reach", body=body)
    for action in ([0.5, 0, 0], [0, -0.5, 0], [0, 0, -1.0], [0.3, 0.4, 0.5], [0, 0, 0]):
        env.reset(seed=0)
        velocity = np.array(action) * SPEED_MPS
        for step in range(1, 6):
            env._interact(np.array(action))
            if step == 1:  # it takes some of the first step to come up to speed
                np.testing.assert_allclose(env.driven.tip(), START + velocity / 20, atol=7e-3)
                start = env.driven.tip()
            np.testing.assert_allclose(env.driven.tip(), start + velocity * (step - 1) / 20, atol=3e-3)
        np.testing.assert_allclose(env.driven.sense().velocity, velocity, atol=0.04)
        np.testing.assert_allclose(env.driven.sense().tip, env.driven.tip(), atol=1e-6)
        np.testing.assert_allclose(env.driven.tip_pose()[:3, 2], [0, 0, -1], atol=5e-3)
    env.close()


@each_body
def test_joints_turn_as_they_are_told(body):
    env = make("reach", body=body, control="joints")
    for joint in range(len(env.driven.speeds)):
        env.reset(seed=0)
        action = np.zeros(env.action_space.shape)
        action[joint] = 0.5
        env._interact(action)
        env.driven.sense()
        before = env.driven.angles()
        for _ in range(4):
            env._interact(action)
        env.driven.sense()
        expected = before + action * env.driven.speeds * 4 / 20
        np.testing.assert_allclose(env.driven.angles(), expected, atol=6e-3)
        np.testing.assert_allclose(env.driven.command.after(1)[:3], env.driven.tip(), atol=3e-3)
    env.close()


def test_changes_of_joints_are_those_of_damped_least_squares():
    rng = np.random.default_rng(0)
    jacobian, way, pull, yaw = rng.normal(size=(6, 7)), rng.normal(size=3), rng.normal(size=7), 0.7
    down = np.array([[-np.sin(yaw), np.cos(yaw), 0], [np.cos(yaw), np.sin(yaw), 0], [0, 0, -1]])  # as columns
    turn = np.array([0.02, -0.01, 0.03])  # a small one away from there
    axes = (np.eye(3) + np.cross(np.eye(3), -turn)) @ down
    found = joint_changes(jacobian, way, axes, np.cos(yaw), np.sin(yaw), pull)
    inverse = jacobian.T @ np.linalg.inv(jacobian @ jacobian.T + DAMPING**2 * np.eye(6))
    both = [inverse @ ([*way, *(sign * turn)] - jacobian @ pull) + pull for sign in (1, -1)]
    assert min(np.abs(found - each).max() for each in both) < 2e-3
    still = joint_changes(jacobian, np.zeros(3), down, np.cos(yaw), np.sin(yaw), np.zeros(7))
    np.testing.assert_allclose(still, 0, atol=1e-12)


@each_body
@pytest.mark.parametrize("task", ["reach", "pick_place"])
@pytest.mark.parametrize("rate", [7.0, 20.0])
def test_a_step_lasts_as_long_as_its_rate_says_in_steps_that_the_body_can_take(task, body, rate):
    env = make(task, body=body, rate=rate, instances=(0, 2))
    env.reset(seed=0)
    before = env.world.steps
    env.step(np.zeros(env.action_space.shape))
    taken = env.world.steps - before
    assert taken * env.world.time_step == pytest.approx(1 / rate)
    most = 1 / 20 if (task, body) == ("reach", "floating") else 1 / 240
    assert most * taken / (taken + 1) < env.world.time_step <= most + 1e-9
    env.close()


def test_objects_stay_exactly_where_they_are_until_something_comes_near():
    env, policy = make("stack"), resolve_policy("stack", "expert")
    seen = np.array([step[0]["observation"] for step in episode(env, policy, 1)])  # [T, 9 + 2 · 16]
    for block in seen[:, 9:25], seen[:, 25:]:
        first = np.flatnonzero((block != block[0]).any(axis=1))[0]
        far = np.linalg.norm(seen[: first + 1, :3] - block[0, :3], axis=1)  # of the tip
        assert far[-1] < 0.15 < far[0]
        assert not block[0, 7:13].any()  # no speed
    env.close()


@each_task
def test_a_log_is_what_happened_and_its_actions_make_it_happen_again(task, tmp_path):
    views = {"cameras": ("wrist",), "wrist": {"image_size": 16}}
    collect(task, tmp_path / task, episodes=2, size=24, progress=False, **views)
    dataset = Dataset.open(tmp_path / task)
    env = make(task)
    for row, seed in zip(count(), dataset.episodes["seed"], strict=False):
        log = dataset.trajectory(row)
        observation, _ = env.reset(seed=int(seed))
        for step in range(len(log["control"]) - 1):
            np.testing.assert_array_equal(log["observation"][step], observation["observation"])
            np.testing.assert_array_equal(log["achieved_goal"][step], observation["achieved_goal"])
            np.testing.assert_allclose(log["tip_pose"][step, :3], observation["observation"][:3], atol=1e-6)
            assert log["time"][step] == pytest.approx(step / 20)
            observation, reward, done, *_ = env.step(log["control"][step])
            assert log["reward"][step + 1] == np.float32(reward)
        np.testing.assert_array_equal(log["observation"][-1], observation["observation"])
        np.testing.assert_array_equal(dataset.interactions[row]["goal"], observation["desired_goal"])
        assert done == dataset.interactions[row]["success"]
        assert log["images/wrist"].shape == (len(log["control"]), 16, 16, 3)
    env.close()


@each_body
def test_a_logged_target_is_where_the_hand_goes_next(body):
    """Its yaw too is that of the closing direction, the y axis of the tip."""
    env, policy = make("pick_place", body=body, trajectory=True, size=16), resolve_policy("pick_place", "expert")
    observation, _ = env.reset(seed=2)
    policy.reset(env, np.random.default_rng(0))
    done = truncated = False
    while not (done or truncated):
        observation, _, done, truncated, info = env.step(policy(observation))
    x, y, z, w = np.array([sample["tip_pose"][3:] for sample in info["steps"]]).T
    yaw = np.arctan2(1 - 2 * (x * x + z * z), 2 * (x * y - z * w))  # of the second column of the rotation
    told = np.array([sample["action"][3] for sample in info["steps"]])
    apart = np.angle(np.exp(1j * (yaw[1:] - told[:-1])))
    assert np.abs(apart).max() < 0.1
    env.close()


@pytest.mark.parametrize("rate", [5.0, 10.0, 40.0])
@each_task
def test_an_expert_knows_how_long_a_step_is(task, rate):
    env, policy = make(task, rate=rate, length=200), resolve_policy(task, "expert")
    successes = [episode(env, policy, seed)[-1][4]["is_success"] for seed in range(4)]
    assert sum(successes) >= 3
    env.close()


@each_task
def test_a_copy_in_the_middle_of_an_episode_goes_on_as_the_original(task):
    env, policy = make(task, trajectory=True, size=16), resolve_policy(task, "expert")
    observation, _ = env.reset(seed=2)
    policy.reset(env, np.random.default_rng(0))
    for _ in range(3):
        observation, *_ = env.step(policy(observation))
    copied, other = copy.deepcopy(env), copy.deepcopy(policy)
    ends = []
    for each, acts in ((env, policy), (copied, other)):
        last: tuple[Any, ...] = (observation, 0, False, False)
        while not (last[2] or last[3]):
            last = each.step(acts(last[0]))
        ends.append(last)
    assert flat([ends[0]]) == flat([ends[1]])
    for one, two in zip(*(end[4]["steps"] for end in ends), strict=True):
        assert one.keys() == two.keys()
        assert all(np.array_equal(one[name], two[name]) for name in one)
    env.close()
    copied.close()


@each_body
@each_task
@pytest.mark.slow
def test_experts_succeed_on_new_seeds(task, body):
    env, policy = make(task, body=body), resolve_policy(task, "expert")
    assert np.mean([episode(env, policy, seed)[-1][2] for seed in range(1000, 1040)]) >= 0.95
    env.close()
