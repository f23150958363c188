"""What is held before the eye: turned as the motors say, through several scenes, on its mask, by exact flow."""

import itertools

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from embodied_ssl.envs.hold import HoldEnv
from embodied_ssl.envs.policies.exploration import Carry


def episode(env: HoldEnv, seed: int = 0) -> list[tuple[dict, dict]]:
    observation, info = env.reset(seed=seed)
    policy = Carry()
    policy.reset(env, np.random.default_rng(seed))
    steps, over = [(observation, info)], False
    while not over:
        observation, _, _, over, info = env.step(policy(observation))
        steps.append((observation, info))
    return steps


def seen(info: dict) -> Rotation:
    """How the object is turned, seen from the eye: x along its gaze, y left, z up."""
    camera = Rotation.from_matrix(info["pose"][:3, :3].astype(float))
    ahead = Rotation.from_matrix([[0, -1, 0], [0, 0, -1], [1, 0, 0]])  # the eye's axes in the camera's
    return (camera * ahead).inv() * Rotation.from_matrix(info["object_pose"][:3, :3])


def test_what_the_joints_measure_is_how_the_object_turns():
    steps = episode(HoldEnv(size=16, length=30, visits=1, motor_noise=0, encoder_noise=0, slip=0))
    for (_, before), (observation, after) in itertools.pairwise(steps):
        turned = (seen(after) * seen(before).inv()).as_rotvec()
        np.testing.assert_allclose(turned, observation["motor"][:3], atol=2e-6)


def test_an_episode_visits_scenes_and_holds_one_object():
    env = HoldEnv(size=48, length=30, visits=3, instance=True, scenes="kitchen,street,office")
    steps = episode(env, seed=5)
    assert len(steps) == 30
    assert [info["visit"] for _, info in steps] == [0] * 10 + [1] * 10 + [2] * 10
    shares = [observation["instance"].mean() for observation, _ in steps]
    assert min(shares) > 0.05
    assert max(shares) < 0.7
    assert {int(value) for observation, _ in steps for value in np.unique(observation["instance"])} == {0, 1}
    (held,) = env.describe()["objects"]
    assert held["index"] == 1
    backgrounds = [observation["rgb"][~(observation["instance"] == 1)].mean(axis=0) for observation, _ in steps[9:12]]
    assert np.abs(backgrounds[1] - backgrounds[0]).sum() > 10  # another scene
    np.testing.assert_array_equal(steps[10][0]["motor"], 0)


@pytest.mark.parametrize("gaze", [0.0, 1.2])
def test_an_object_is_taken_up_anew_in_every_scene_and_looked_down_at_as_far_as_may_be(gaze):
    starts = [info for seed in range(6) for _, info in episode(HoldEnv(size=16, length=6, visits=6, gaze=gaze), seed)]
    down = -np.arcsin([info["pose"][2, 2] for info in starts])
    assert down.min() >= -1e-3
    assert gaze - 0.2 <= down.max() + 1e-3 <= gaze + 0.01
    upright = np.array([info["object_pose"][2, 2] for info in starts])  # the share of its top that points up
    assert 0.2 < np.arccos(np.clip(upright, -1, 1)).max() <= 0.3 + 1e-3
    ahead, left = np.array([seen(info).as_matrix()[:2, 0] for info in starts]).T
    assert np.histogram(np.arctan2(left, ahead), 4, (-np.pi, np.pi))[0].min() > 0


def test_an_object_is_held_as_far_away_and_off_the_middle_as_is_asked():
    """By its mask: how much of the picture it covers, and how far its middle is from that of the picture."""
    covered, off = {}, {}
    for distance, aside in ((1.2, 0.0), (2.0, 0.0), (2.0, 1.0)):
        env = HoldEnv(size=48, length=6, visits=6, hand=False, instance=True, distances=(distance,) * 2, aside=aside)
        masks = [observation["instance"] == 1 for seed in range(4) for observation, _ in episode(env, seed)]
        covered[distance, aside] = np.mean(masks)
        middles = np.array([np.argwhere(mask).mean(0) for mask in masks if mask.any()])
        off[distance, aside] = np.abs(middles - 23.5).mean()  # px, along each axis
    assert covered[2.0, 0.0] / covered[1.2, 0.0] == pytest.approx((1.2 / 2.0) ** 2, rel=0.15)
    assert off[2.0, 0.0] < 3
    # Uniform within a radius, which is seen as 24 px / 2 or a little more: half of that on average.
    assert off[2.0, 1.0] == pytest.approx(6, abs=1.5)


def test_nothing_large_is_held_in_the_floor():
    """An eye 0.3 m above the floor looks down less at what would be in it."""
    env = HoldEnv(size=16, length=8, visits=8, camera_height=0.3, instance=True, hand=False)
    for seed in range(4):
        for _, info in episode(env, seed):
            assert info["object_pose"][2, 3] > 0
            assert info["pose"][2, 3] == pytest.approx(0.3)


def test_flow_is_where_things_went():
    env = HoldEnv(size=64, length=24, visits=1, flow=True, instance=True, depth=True)
    steps = episode(env, seed=3)
    there, moved, still = [], [], []
    grid = np.mgrid[0:64, 0:64].astype(np.float32)[::-1].transpose(1, 2, 0)  # [H, W, 2]: columns, rows
    for (before, _), (after, info) in itertools.pairwise(steps):
        place = grid + info["flow"]
        back = cv2.remap(after["rgb"], place[..., 0], place[..., 1], cv2.INTER_LINEAR)
        where = cv2.remap(after["instance"], place[..., 0], place[..., 1], cv2.INTER_NEAREST)
        stays = (before["instance"] == 1) & (where == 1)
        there.append(stays.sum() / (before["instance"] == 1).sum())
        moved.append(np.abs(back[stays].astype(int) - before["rgb"][stays]).mean())
        still.append(np.abs(after["rgb"][stays].astype(int) - before["rgb"][stays]).mean())
    assert np.mean(there) > 0.8
    assert np.mean(moved) < 0.6 * np.mean(still)


def test_without_a_hand_more_of_the_object_is_seen():
    visible = []
    for hand in (False, True):
        env = HoldEnv(size=32, length=6, visits=1, hand=hand, instance=True)
        visible.append([sum(int(seen["instance"].sum()) for seen, _ in episode(env, seed)) for seed in range(6)])
    bare, held = np.array(visible, float)
    assert np.all(held <= 1.01 * bare)  # a pixel on its edge may count for either
    assert 0.7 < held.sum() / bare.sum() < 0.98


def test_settings_that_are_none_are_named():
    with pytest.raises(ValueError, match="visits"):
        HoldEnv(visits=0)
    with pytest.raises(ValueError, match="did you mean 'kitchen'"):
        HoldEnv(scenes="kitchn")
    with pytest.raises(ValueError, match="distances"):
        HoldEnv(distances=(2.0, 1.0))
