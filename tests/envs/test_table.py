"""On the table: forces follow materials, pushes move what they meet, grasps hold, policies are balanced."""

from itertools import pairwise

import numpy as np
import pybullet
import pytest

from embodied_ssl.datasets.collect.policies import policies_of
from embodied_ssl.envs.grasp import GraspEnv
from embodied_ssl.envs.poke import POKE_MPS, TOUCHED_N, PokeEnv
from embodied_ssl.envs.push import PushEnv
from embodied_ssl.envs.world.assets import Asset, Part
from embodied_ssl.envs.world.geometry.mesh import box
from embodied_ssl.envs.world.materials import MATERIALS
from embodied_ssl.envs.world.textures.families import texture

BODIES = ("floating", "panda")


def alone(env, material: str, size=(0.05, 0.05, 0.05), mass=0.2):
    """A table with one block in its middle: the env, ready to act."""
    env.reset(seed=0)
    solid = box(size)
    env.world.reset()
    ground = Asset("table", 0, MATERIALS["wood"], (), (box((1, 1, 0.5), (0, 0, -0.25)).vertices,))
    env.world.add(ground, structure=True)
    block = Asset("block", 0, MATERIALS[material], (Part(solid, texture("rubber", 0)),), (solid.vertices,), mass)
    env.world.add(block, (0, 0, size[2] / 2 + 0.001))
    env.gripper.load(env.world)
    env.world.step(120)  # what was pressed into the ground comes out of it
    env.settle()
    env.frame = env.look()
    return env


def wake(env, instance: int) -> None:
    awake = pybullet.ACTIVATION_STATE_WAKE_UP
    pybullet.changeDynamics(env.world.body(instance), -1, activationState=awake, physicsClientId=env.world.client)


def middle(env) -> float:
    return (env.camera.width - 1) / 2


@pytest.mark.parametrize("body", BODIES)
def test_a_block_between_the_fingers_is_held_and_an_empty_grasp_is_not(body):
    env = alone(GraspEnv(body=body), "wood", (0.04, 0.04, 0.06))
    c = middle(env)
    _, reward, _, _, info = env.step(env.action_of(c, c, 0.0))
    assert reward == 1
    assert info["record"]["success"]
    assert info["record"]["object"] == 1
    env = alone(GraspEnv(body=body), "wood")
    _, reward, _, _, info = env.step(env.action_of(c + 45, c, 0.0))
    assert reward == 0
    assert info["record"]["object"] == -1


def test_a_block_too_wide_for_the_fingers_is_not_held():
    env = alone(GraspEnv(), "wood", (0.15, 0.15, 0.03), 0.5)
    c = middle(env)
    assert env.step(env.action_of(c, c, 0.0))[1] == 0


@pytest.mark.parametrize("time_step", [1 / 1000, 1 / 120])
def test_an_act_takes_as_long_in_steps_of_another_length(time_step):
    """Fingers have the time that they take to close, and a finger pokes as deep, and feels as often."""
    env = alone(GraspEnv(time_step=time_step), "wood", (0.04, 0.04, 0.06))
    c = middle(env)
    assert env.step(env.action_of(c, c, 0.0))[1] == 1
    felt = []
    for each in (time_step, 1 / 240):
        env = alone(PokeEnv(time_step=each), "wood", mass=2.0)
        record = env.step(env.action_of(c, c))[4]["record"]
        felt.append(np.ptp(record["depth_travelled"]))
        assert record["force"].shape == (64,)
        assert record["force"].max() > 20
    assert felt[0] == pytest.approx(felt[1], rel=0.1)


@pytest.mark.parametrize(("kind", "environment"), [("grasp", GraspEnv), ("push", PushEnv)])
def test_what_an_act_moved_has_come_to_rest_in_its_record(kind, environment):
    """A hundred steps more, awake, change nothing, but for what rolls for longer than anyone waits."""
    env, policy, moved = environment(size=64), next(iter(policies_of(kind).values()))(), 0
    for seed in range(12):
        observation, _ = env.reset(seed=seed)
        policy.reset(env, np.random.default_rng(seed))
        env.step(policy(observation))
        after = env.poses()
        for instance in after:
            wake(env, instance)
        env.world.step(100)
        moved += any(np.abs(pose[:3] - after[instance][:3]).max() > 4e-3 for instance, pose in env.poses().items())
    assert moved <= 1


def test_what_falls_off_the_table_lies_on_the_floor_and_what_still_moves_is_not_put_to_sleep():
    env = PushEnv(table_height=0.5)
    env.reset(seed=0)
    env.world.set_pose(1, (0.7, 0, -0.2), (0, 0, 0, 1))
    wake(env, 1)
    env.settle()
    assert -0.5 < env.poses()[1][2] < -0.5 + np.linalg.norm(env.world.assets[1].bounds, axis=1).max()
    assert env.world.speed(1) == 0
    env.world.set_pose(1, (0, 0, 30.0), (0, 0, 0, 1))  # falls for longer than 2 s
    wake(env, 1)
    env.settle()
    speed = env.world.speed(1)
    env.world.step()
    assert env.world.speed(1) > speed > 15


@pytest.mark.parametrize("direction", [0.0, 1.0, -2.5])
def test_a_push_moves_the_block_its_way_and_nothing_else(direction):
    env = alone(PushEnv(), "wood")
    far = env.world.add(env.world.assets[1], (0.2, 0.2, 0.026))
    c, scale = middle(env), env.camera.width / 0.56
    start = np.array([c, c]) - 0.06 * scale * np.array([np.cos(direction), np.sin(direction)])
    before = env.poses()
    _, reward, _, _, info = env.step(env.action_of(*start, direction, 0.12))
    record = info["record"]
    moved = record["pose_after"][:3] - record["pose_before"][:3]
    assert record["object"] == 1
    assert reward == pytest.approx(np.linalg.norm(moved), abs=1e-6)
    assert 0.02 < reward < 0.13
    assert np.arctan2(-moved[1], moved[0]) == pytest.approx(direction, abs=0.5)  # it meets the block aslant
    np.testing.assert_allclose(env.poses()[far], before[far], atol=2e-3)
    tip = record["end"] - record["start"]
    assert np.linalg.norm(tip) == pytest.approx(0.12, abs=0.01)
    pixels, _ = env.camera.project(record["start"], env.camera_pose)
    np.testing.assert_allclose(record["start_pixel"], pixels, atol=1e-3)


def stiffness(env) -> float:
    """Slope of the force over the first five millimetres, N/m."""
    c = middle(env)
    record = env.step(env.action_of(c, c))[4]["record"]
    depth, force = record["depth_travelled"], record["force"]
    assert (np.diff(depth) > -1e-4).all()
    inside = (depth >= 0) & (depth < 0.005)
    return float(np.polyfit(depth[inside], force[inside], 1)[0])


def test_pokes_tell_materials_apart():
    slopes = {name: stiffness(alone(PokeEnv(), name)) for name in ("plush", "foam", "rubber", "cardboard")}
    ordered = list(slopes.values())
    assert ordered == sorted(ordered), slopes
    assert all(later > 1.5 * earlier for earlier, later in pairwise(ordered)), slopes


@pytest.mark.parametrize("slow", [False, True])
@pytest.mark.parametrize("material", ["plush", "foam", "rubber", "cardboard", "plastic", "wood"])
def test_a_poke_feels_the_spring_and_damper_of_the_material(material, slow):
    """Force = stiffness · depth + damping · speed, within 1 %, whether the block sleeps or not."""
    env = alone(PokeEnv(), material)
    if slow:
        client = env.world.client
        pybullet.setPhysicsEngineParameter(numSolverIterations=200, solverResidualThreshold=0, physicsClientId=client)
        awake = pybullet.ACTIVATION_STATE_DISABLE_SLEEPING
        pybullet.changeDynamics(env.world.body(1), -1, activationState=awake, physicsClientId=client)
        env.world.step(60)
    record = env.step(env.action_of(middle(env), middle(env)))[4]["record"]
    depth, force = record["depth_travelled"], record["force"]
    moving = (depth > 0) & (force < 55)  # the finger touches within the step of depth 0, and halts at 60 N
    slope, at_first_touch = np.polyfit(depth[moving], force[moving], 1)
    spring, step = MATERIALS[material], env.world.time_step
    assert slope == pytest.approx(spring.stiffness, rel=0.01)
    # Depth counts from the first force that was noted: one step after the touch, and later if that force was slight.
    late = POKE_MPS * step + TOUCHED_N / (spring.stiffness + spring.damping / step)
    damped, slack = spring.damping * POKE_MPS, 0.01 * force[moving].max()
    assert damped - slack < at_first_touch < damped + spring.stiffness * late + slack


def test_nothing_is_felt_before_the_finger_is_there():
    env = alone(PokeEnv(), "rubber")
    c = middle(env)
    record = env.step(env.action_of(c, c))[4]["record"]
    assert record["force"].shape == record["depth_travelled"].shape == (64,)
    assert (record["force"][record["depth_travelled"] < -1e-6] <= 0.05).all()
    assert record["force"].max() > 1


@pytest.mark.parametrize("body", BODIES)
def test_the_tip_goes_where_it_is_told_within_the_limits_of_the_joints(body):
    """Placed anywhere above the table: to 0.1 mm; after a move: to 1 mm."""
    env = PokeEnv(body=body)
    env.reset(seed=0)
    rng, gripper, client = np.random.default_rng(0), env.gripper, env.world.client
    joints = range(7 if body == "panda" else 0)
    limits = [pybullet.getJointInfo(gripper.body, joint, physicsClientId=client)[8:10] for joint in joints]
    for _ in range(30):
        place, yaw = rng.uniform([-0.25, -0.25, 0.2], [0.25, 0.25, 0.3]), rng.uniform(-np.pi, np.pi)
        gripper.place(place, yaw, 0.0)
        np.testing.assert_allclose(gripper.tip(), place, atol=1e-4)
        angles = [pybullet.getJointState(gripper.body, joint, physicsClientId=client)[0] for joint in joints]
        assert all(low <= angle <= high for angle, (low, high) in zip(angles, limits, strict=True))
        goal = place - [0, 0, 0.15]
        gripper.move(goal, 0.25)
        np.testing.assert_allclose(gripper.tip(), goal, atol=1e-3)


@pytest.mark.parametrize("body", BODIES)
def test_the_body_is_the_same_whatever_the_step_of_the_physics(body):
    """At equal times it is at equal places, also where it brakes: PyBullet's motors would brake in half the way."""

    def way(parts: int):
        env, tips = PushEnv(body=body, time_step=1 / 240 / parts), []
        env.reset(seed=0)
        env.world.reset()
        env.gripper.load(env.world)
        env.gripper.place([-0.06, 0.02, 0.1], 0.0, 0.0)
        env.gripper.move([0.06, 0.02, 0.1], 0.25, lambda: tips.append(env.gripper.tip()))
        env.close()
        return np.array(tips)[parts - 1 :: parts]

    usual, halved = way(1), way(2)
    count = min(len(usual), len(halved))
    assert abs(len(usual) - len(halved)) <= 2
    apart = np.linalg.norm(usual[:count] - halved[:count], axis=1)
    assert apart.max() < 3.5e-4  # 1 mm in a step; with gains per step the Panda is off by 1.7 mm, the gripper by 0.5


def test_points_and_pixels_agree():
    env = GraspEnv()
    for seed in range(3):
        env.reset(seed=seed)
        for pixel in ((20.0, 30.0), (100.0, 64.0), (64.0, 110.0)):
            place = env.point_at(np.array(pixel))
            np.testing.assert_allclose(env.camera.project(place, env.camera_pose)[0], pixel, atol=1)
            assert -0.002 < place[2] < 0.3


@pytest.mark.slow
def test_grasp_policies_are_balanced():
    env, rates = GraspEnv(instances=(0, 3)), {}
    for name, policy_class in policies_of("grasp").items():
        policy, won = policy_class(), []
        for seed in range(60):
            observation, _ = env.reset(seed=seed)
            policy.reset(env, np.random.default_rng(seed))
            won.append(env.step(policy(observation))[1])
        rates[name] = float(np.mean(won))
    assert 0.3 < rates["mixed"] < 0.8, rates
    assert rates["random"] < 0.2 < rates["antipodal"], rates


def test_both_bodies_give_the_same_record():
    for environment in (GraspEnv, PushEnv, PokeEnv):
        records = []
        for body in BODIES:
            env = environment(body=body, size=32)
            env.reset(seed=1)
            env.action_space.seed(1)
            records.append(env.step(env.action_space.sample())[4]["record"])
        assert {k: np.shape(v) for k, v in records[0].items()} == {k: np.shape(v) for k, v in records[1].items()}


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"body": "pandas"}, "panda"), ({"interactions": 0}, "at least 1"), ({"clutter": 0}, "at least 1"),
     ({"categories": "cpu"}, "cup"), ({"objects": "/nowhere"}, "nowhere")],
)  # fmt: skip
def test_bad_settings_name_the_remedy(settings, message):
    with pytest.raises(ValueError, match=message):
        GraspEnv(**settings)
