"""Bodies that look around: motion agrees with poses, walls stop them, policies visit the space, flow is exact."""

import cv2
import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from embodied_ssl.envs import roam
from embodied_ssl.envs.bodies.wheeled import HEIGHT_M, RADIUS_M
from embodied_ssl.envs.orbit import ELEVATION_RAD, OrbitEnv
from embodied_ssl.envs.policies.exploration import Explore, RandomActions, Walk
from embodied_ssl.envs.roam import RoamEnv
from embodied_ssl.envs.world.assets import Asset, Part, Placement, Scene
from embodied_ssl.envs.world.floor import CELL_M, Floor
from embodied_ssl.envs.world.geometry.mesh import box
from embodied_ssl.envs.world.materials import MATERIALS
from embodied_ssl.envs.world.scenes.types import SCENE_TYPES, make_scene
from embodied_ssl.envs.world.textures.families import texture


def drive(env, policy, seed, frames=100):
    observation, info = env.reset(seed=seed)
    policy.reset(env, np.random.default_rng(seed))
    poses, motors, commands = [info["pose"]], [], []
    for _ in range(frames - 1):
        observation, _, _, _, info = env.step(policy(observation))
        poses.append(info["pose"])
        motors.append(observation["motor"])
        commands.append(info["command"])
    return np.array(poses), np.array(motors), np.array(commands)


def heading(poses):
    return np.arctan2(poses[:, 1, 2], poses[:, 0, 2])


def test_odometry_agrees_with_the_poses():
    env = RoamEnv(size=16, odometry_noise=0.0)
    poses, motors, _ = drive(env, Explore(), 3)
    step = np.diff(poses[:, :2, 3], axis=0)
    yaw = (np.diff(heading(poses)) + np.pi) % (2 * np.pi) - np.pi
    along = step[:, 0] * np.cos(heading(poses)[1:]) + step[:, 1] * np.sin(heading(poses)[1:])
    np.testing.assert_allclose(motors[:, 0], along, atol=1e-5)
    np.testing.assert_allclose(motors[:, 1], yaw, atol=1e-5)
    assert np.allclose(poses[:, 2, 3], env.camera_height)


@pytest.mark.parametrize("scene", sorted(SCENE_TYPES))
def test_the_free_floor_is_exact_to_the_last_bit(scene):
    """OpenCV's distances vary in it with where the array lies in memory, and so would all that a body does."""
    for seed in range(3):
        grid = Floor(make_scene(scene, np.random.default_rng(seed)), HEIGHT_M).grid
        exact = distance_transform_edt(grid > 0).astype(np.float32) * np.float32(CELL_M)
        assert np.array_equal(grid, exact)


def test_commands_come_out_with_slip_and_noise():
    env = RoamEnv(scenes="courtyard", size=16)
    _, motors, commands = drive(env, Explore(), 0)
    moving = commands[:, 0] > 0.05
    ratio = motors[moving, 0] / commands[moving, 0]
    assert 0.85 < np.median(ratio) < 1.0
    assert 0.01 < ratio.std() < 0.2


@pytest.mark.parametrize("scene", ["kitchen", "office", "warehouse"])
def test_walls_and_furniture_stop_the_body(scene):
    env = RoamEnv(scenes=scene, size=16, length=10**6)
    rng = np.random.default_rng(0)
    for seed in range(3):
        env.reset(seed=seed)
        stopped = 0
        for _ in range(150):
            _, driven, *_ = env.step(np.float32([0.25, rng.normal() * 0.02]))
            stopped += driven < 0.01
            assert env.wheels.distance_to_obstacle(*env.position.tolist(), 1.0) > -1e-3  # never inside anything
        assert stopped > 50


def test_exploring_visits_the_space_and_keeps_away_from_walls():
    env = RoamEnv(size=16)
    shares, clearances = {}, {}
    for name, policy in (("explore", Explore()), ("random", RandomActions())):
        visited, clear = [], []
        for seed in range(12):
            poses, _, _ = drive(env, policy, seed, frames=200)
            places = poses[:, :2, 3]
            visited.append(len(np.unique(np.floor(places / 0.5), axis=0)))
            clear.append(np.mean(env.floor.clearance(places)))
        shares[name], clearances[name] = np.mean(visited), np.mean(clear)
    assert shares["explore"] > 2 * shares["random"]
    assert clearances["explore"] > RADIUS_M + 0.2


@pytest.mark.parametrize("scene", sorted(SCENE_TYPES))
def test_the_floor_map_agrees_with_the_physics(scene):
    env = RoamEnv(scenes=scene, size=8)
    env.reset(seed=1)
    floor, rng = Floor(env.scene, HEIGHT_M), np.random.default_rng(0)
    for _ in range(40):
        env.position = floor.start(rng, RADIUS_M)
        exact = env.wheels.distance_to_obstacle(*env.position.tolist(), 0.6)
        mapped = min(float(floor.clearance_at(*env.position)) - RADIUS_M, 0.6)
        assert exact > mapped - 3 * CELL_M  # the map promises no room that is not there


def test_flow_is_exact_and_warps_one_frame_onto_the_next():
    env = RoamEnv(size=96, flow=True, depth=True, antialias=3)
    observation, _ = env.reset(seed=5)
    following, _, _, _, info = env.step(np.float32([0.1, 0.05]))
    flow = info["flow"]
    columns, rows = np.meshgrid(np.arange(96, dtype=np.float32), np.arange(96, dtype=np.float32))
    warped = cv2.remap(following["rgb"], columns + flow[..., 0], rows + flow[..., 1], cv2.INTER_LINEAR)
    inside = cv2.remap(np.ones((96, 96), np.uint8), columns + flow[..., 0], rows + flow[..., 1], cv2.INTER_NEAREST)
    error = np.abs(warped.astype(float) - observation["rgb"]).mean(axis=-1)[inside > 0]
    still = np.abs(following["rgb"].astype(float) - observation["rgb"]).mean()
    assert np.median(error) < 3
    assert error.mean() < 0.5 * still


def test_the_orbit_keeps_its_distance_and_sees_its_object():
    env = OrbitEnv(size=32, instance=True)
    policy = Walk()
    for seed in range(8):
        observation, info = env.reset(seed=seed)
        policy.reset(env, np.random.default_rng(seed))
        for _ in range(40):
            before = env.azimuth, env.elevation
            observation, _, _, _, info = env.step(policy(observation))
            assert ELEVATION_RAD[0] <= env.elevation <= ELEVATION_RAD[1]
            turned = (env.azimuth - before[0] + np.pi) % (2 * np.pi) - np.pi, env.elevation - before[1]
            np.testing.assert_allclose(observation["motor"], turned, rtol=0.06, atol=1e-6)
            assert np.linalg.norm(info["pose"][:3, 3] - env.target) == pytest.approx(env.distance, rel=1e-5)
            assert 0.02 < (observation["instance"] == 1).mean() < 0.9
            assert (observation["instance"][[0, -1]] == 0).mean() > 0.9  # it fits the image


def test_unknown_scenes_name_the_near_one():
    with pytest.raises(ValueError, match="kitchen"):
        RoamEnv(scenes="kitchn")
    with pytest.raises(ValueError, match="at least one"):
        RoamEnv(scenes=())


def test_held_out_instances_are_other_objects():
    env = OrbitEnv(size=32)
    seen = {env.reset(seed=seed) and env.describe()["objects"][0]["instance"] for seed in range(20)}
    env = OrbitEnv(size=32, instances=(1000, 1010))
    held_out = {env.reset(seed=seed) and env.describe()["objects"][0]["instance"] for seed in range(20)}
    assert seen <= set(range(64))
    assert held_out <= set(range(1000, 1010))


@pytest.mark.parametrize("radii", [(0.6, 0.02), (0.02, 0.6), (0.2, 0.16)])
def test_things_with_sloping_sides_stop_the_body_too(radii, monkeypatch):
    """Cones on their base and on their tip, and a pot, by their radius within the body's height."""
    angles = np.arange(32) * np.pi / 16
    ring = np.stack([np.cos(angles), np.sin(angles), np.zeros(32)], axis=1)
    hull = np.concatenate([ring * radii[0], ring * radii[1] + [0, 0, 0.7]]).astype(np.float32)
    matter = MATERIALS["wood"]
    cone = Asset("cone", 0, matter, (Part(box((0.1, 0.1, 0.1)), texture("planks", 0)),), (hull,))
    ground = Asset("floor", 0, matter, (), (box((8, 8, 0.2), (0, 0, -0.1)).vertices,))
    scene = Scene("living_room", (Placement(ground, structure=True), Placement(cone)), (-4, -4, 4, 4))
    monkeypatch.setattr(roam, "make_scene", lambda *_: scene)
    env = RoamEnv(size=16)
    env.reset(seed=0)
    env.position, env.heading = np.array([-2.0, 0.05]), 0.0
    for _ in range(20):
        env.position, _ = env.wheels.drive(env.position, env.heading, 0.25)
    low, high = (radii[0] + (radii[1] - radii[0]) * height / 0.7 for height in (0.03, 0.53))
    left = np.hypot(*env.position) - RADIUS_M - max(low, high)
    assert env.position[0] < 0
    assert -0.01 < left < 0.08  # slopes reach it a little sooner than their outline within its height
