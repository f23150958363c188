"""Trajectories say what happened: by forward kinematics, projection, weight, on an exact grid; they change nothing."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import gymnasium
import numpy as np
import pybullet
import pybullet_data
import pytest

from embodied_ssl.datasets.collect.collection import collect, make_spec
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.gallery.interactions import Interactions
from embodied_ssl.datasets.gallery.trajectories import acts, panels, ways
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.datasets.schema import TRAJECTORY
from embodied_ssl.datasets.store.check import check
from embodied_ssl.envs.bodies.floating import FloatingGripper
from embodied_ssl.envs.bodies.gripper import FINGER_M, GRIP_N
from embodied_ssl.envs.bodies.panda import Panda
from embodied_ssl.envs.grasp import GraspEnv
from embodied_ssl.envs.poke import PokeEnv
from embodied_ssl.envs.views import View, Wrist
from embodied_ssl.envs.world.camera import Camera
from embodied_ssl.envs.world.poses import matrices_of
from tests.datasets.test_collect import hashes
from tests.envs.test_table import alone, middle

BODIES = ("floating", "panda")
LAYERS = ("rgb", "depth", "instance")
PLAIN = {"episodes": 3, "size": 32, "interactions": 2, "clutter": 3, "depth": True, "instance": True, "seed": 5}
LOGGED = {**PLAIN, "trajectory": True, "scene": {"image_size": 48}, "shard_episodes": 2}


@pytest.fixture(scope="module")
def logged(tmp_path_factory) -> dict[str, Path]:
    """Trajectories of each body: grasps of an arm, pokes of a floating finger."""
    root = tmp_path_factory.mktemp("trajectories")
    for body, kind in zip(BODIES, ("poke", "grasp"), strict=True):
        collect(kind, root / body, body=body, progress=False, **LOGGED)
    return {body: root / body for body in BODIES}


def trajectories(folder: Path) -> list[dict[str, np.ndarray]]:
    dataset = Dataset.open(folder)
    return [dataset.trajectory(i) for i in range(len(dataset))]


@pytest.mark.parametrize("body", BODIES)
def test_what_is_logged_is_sound_and_on_an_exact_grid(logged, body):
    assert check(logged[body]) == []
    dataset = Dataset.open(logged[body])
    assert dataset.cameras == ("scene", "wrist")
    for act in trajectories(logged[body]):
        np.testing.assert_array_equal(act["time"], np.arange(len(act["time"])) / 20)
        assert len(act["time"]) > 5
        assert act["images/scene"].shape[1:] == (48, 48, 3)
        assert act["images/wrist"].shape[1:] == (64, 64, 3)
        np.testing.assert_allclose(act["width"], act["joint_position"][:, -2:].sum(axis=1), atol=1e-6)
    assert sum(len(act["time"]) for act in trajectories(logged[body])) == len(dataset.array("steps/time"))


@pytest.mark.parametrize("body", BODIES)
def test_logging_changes_nothing_of_what_is_logged_without(logged, body, tmp_path):
    kind = Dataset.open(logged[body]).kind
    collect(kind, tmp_path / "plain", body=body, progress=False, shard_episodes=2, **PLAIN)
    plain, whole = Dataset.open(tmp_path / "plain"), Dataset.open(logged[body])
    assert {
        each.path for each in TRAJECTORY if each.table == "interactions"
    } <= whole.fields.keys() - plain.fields.keys()
    for path, field in plain.fields.items():
        if field.table != "camera":
            np.testing.assert_array_equal(plain.array(path)[:], whole.array(path)[:], path)
    first = np.asarray(whole.episodes["objects_start"])[whole.array("interactions/episode")[:]]
    aimed = np.flatnonzero(whole.array("interactions/object")[:] >= 0)
    assert len(aimed)
    for when in ("before", "after"):
        of_all, of_one = (whole.array(f"interactions/{what}_{when}")[aimed] for what in ("objects", "pose"))
        place = (whole.array("interactions/object")[:] - first)[aimed]
        np.testing.assert_array_equal(of_all[np.arange(len(aimed)), place], of_one)


def test_joints_lead_to_the_tip_by_forward_kinematics(logged):
    """Of the whole arm as PyBullet's own file has it, in a simulator of its own."""
    client = pybullet.connect(pybullet.DIRECT)
    file = str(Path(pybullet_data.getDataPath()) / "franka_panda" / "panda.urdf")
    arm = pybullet.loadURDF(file, Panda.BASE_M, useFixedBase=True, physicsClientId=client)
    for act in trajectories(logged["panda"]):
        for joints, tip in zip(act["joint_position"].tolist(), act["tip_pose"], strict=True):
            for joint, angle in zip([*range(7), 9, 10], joints, strict=True):
                pybullet.resetJointState(arm, joint, angle, physicsClientId=client)
            hand = pybullet.getLinkState(arm, 8, computeForwardKinematics=1, physicsClientId=client)
            pose = matrices_of(hand[4], hand[5])[0]
            wanted = matrices_of(tip[:3], tip[3:])[0]
            np.testing.assert_allclose(pose[:3, 3] + pose[:3, 2] * 0.1034, wanted[:3, 3], atol=1e-5)
            np.testing.assert_allclose(pose[:3, :3], wanted[:3, :3], atol=1e-5)
    pybullet.disconnect(client)


def test_the_tip_moves_as_fast_as_it_says_and_where_it_is_told(logged):
    for body in BODIES:
        for act in trajectories(logged[body]):
            tip, told, moved = act["tip_pose"][:, :3], act["action"][:, :3], act["tip_velocity"][:, :3]
            lag = np.linalg.norm(tip[1:] - told[:-1], axis=1)
            assert np.median(lag) < 0.012, body
            mean = (moved[1:] + moved[:-1]) / 2
            steady = np.linalg.norm(moved[1:] - moved[:-1], axis=1) < 0.02
            np.testing.assert_allclose(np.diff(tip, axis=0)[steady] * 20, mean[steady], atol=0.02)


@pytest.mark.parametrize("body", BODIES)
def test_the_tip_is_projected_onto_the_gripper(body):
    """A place within the round finger, by the logged pose, extrinsics and intrinsics: the mask there is the robot's."""
    env = PokeEnv(body=body, trajectory=True, instance=True, clutter=1, scene={"image_size": 128}, cameras=("scene",))
    env.reset(seed=2)
    steps = env.step(env.action_of(90, 40))[4]["steps"]
    camera = Camera(128, 128, env.describe()["intrinsics_scene"])
    for step in steps:
        pose = matrices_of(step["tip_pose"][:3], step["tip_pose"][3:])[0]
        inside = pose[:3, 3] - 0.012 * pose[:3, 2]
        (u, v), ahead = camera.project(inside, step["extrinsics/scene"])
        assert ahead > 0
        assert step["instance/scene"][round(v), round(u)] == 255
        robot = (step["instance/scene"] == 255).mean()
        assert (0.001 if body == "floating" else 0.02) < robot < 0.4
    env.close()


@pytest.mark.parametrize("body", BODIES)
def test_the_page_draws_the_way_of_the_gripper_where_the_image_shows_it(logged, body):
    """By what is logged alone: within a pixel and a half of the robot's mask; mirrored it is not."""
    dataset = Dataset.open(logged[body])
    away, mirrored, swapped = [], [], []
    for act in trajectories(logged[body]):
        found = ways(dataset, act)
        assert set(found) == {"before", "scene"}  # the camera on the hand moves
        camera = Camera(48, 48, dataset.camera["intrinsics_scene"])
        np.testing.assert_allclose(
            found["scene"][:, :2], camera.project(act["tip_pose"][:, :3], act["extrinsics/scene"][0])[0], atol=1e-3
        )
        for mask, (u, v, *ends) in zip(act["instance/scene"], found["scene"], strict=True):
            to_robot = cv2.distanceTransform((mask != 255).astype(np.uint8), cv2.DIST_L2, 5)
            for x, y in np.reshape([u, v, *ends], (3, 2)).round().astype(int):
                away.append(to_robot[y, x])
                mirrored.append(to_robot[y, 47 - x])
                swapped.append(to_robot[x, y])
    assert np.percentile(away, 90) < 1.5
    assert min(np.mean(mirrored), np.mean(swapped)) > 5 > 4 * np.mean(away)


@pytest.mark.parametrize("body", BODIES)
def test_the_page_of_trajectories_shows_every_camera_and_what_was_logged(logged, body):
    dataset = Dataset.open(logged[body])
    shown = acts(Interactions.sample(dataset), budget=10**7)
    assert sorted(act["number"] for act in shown["episodes"]) == list(range(len(dataset)))
    assert shown["about"] == ""
    small = acts(Interactions.sample(dataset), budget=0)
    assert (len(small["episodes"]), small["about"]) == (1, f"1 of {len(dataset)} interactions, of every outcome alike.")
    assert [camera["name"] for camera in shown["cameras"]] == ["scene", "wrist"]
    for act in shown["episodes"]:
        logs = dataset.trajectory(act["number"])
        assert set(act["sheets"]) == {f"{layer}/{name}" for layer in LAYERS for name in dataset.cameras}
        assert set(act["stills"]) == {f"{layer}_{when}" for layer in LAYERS for when in ("before", "after")}
        drawn = panels(dataset, logs)
        names = [signal.name for panel in drawn for signal in panel.signals]
        values = dict(zip([(p.title, s.name) for p in drawn for s in p.signals], act["values"], strict=True))
        assert len(values) == len(names)  # none stands there twice
        np.testing.assert_allclose(values["Gripper width", ""], logs["width"], atol=1e-6)
        for finger, force in enumerate(np.linalg.norm(logs["contact_force"], axis=2).T):
            np.testing.assert_allclose(values["Contact force", f"finger {finger + 1}"], force, atol=1e-5)
        joints = [value for (title, _), value in values.items() if title.endswith("position")]
        np.testing.assert_allclose(np.transpose(joints), logs["joint_position"], atol=1e-6)
        units = {panel.title: panel.unit for panel in drawn}
        turning = {"Joint position": "rad", "Joint velocity": "rad/s", "Joint torque": "N·m"}
        sliding = {"Joint position": "m", "Joint velocity": "m/s", "Joint force": "N"}
        expected = sliding if body == "floating" else {**turning, "Finger position": "m", "Finger force": "N"}
        assert expected.items() <= units.items()


def test_the_camera_on_the_hand_sees_both_fingers_and_what_is_between_them(logged):
    for act in trajectories(logged["panda"]):
        robot = act["instance/wrist"][0] == 255
        assert robot[-16:, :32].any()
        assert robot[-16:, 32:].any()
        tip, camera = matrices_of(act["tip_pose"][0, :3], act["tip_pose"][0, 3:])[0], act["extrinsics/wrist"][0]
        np.testing.assert_allclose(np.linalg.inv(tip) @ camera, Wrist().pose(np.eye(4)), atol=1e-5)


@pytest.mark.parametrize("body", BODIES)
def test_fingers_feel_the_weight_of_what_they_lift_and_their_own_grip(body):
    """A sample for each step: over a lift the force is mass · (gravity + change of speed / time), downwards."""
    env = alone(GraspEnv(body=body, trajectory=True, rate=240.0, cameras=()), "wood", (0.04, 0.04, 0.06))
    info = env.step(env.action_of(middle(env), middle(env), 0.0))[4]
    assert info["record"]["success"]
    height = np.array([step["tip_pose"][2] for step in info["steps"]])
    speed = np.array([step["tip_velocity"][2] for step in info["steps"]])
    force = np.array([step["contact_force"] for step in info["steps"]])  # [P, 2, 3]
    rising = np.flatnonzero(np.diff(height) > 1e-3)
    start, end = rising[0] + 6, rising[-1]
    lifting, change = force[start + 1 : end + 1], (speed[end] - speed[start]) / ((end - start) / 240)
    assert lifting.sum(axis=1)[:, 2].mean() == pytest.approx(-0.2 * (9.81 + change), rel=0.02)
    squeeze = lifting[:, :, 0].mean(axis=0)
    np.testing.assert_allclose(np.sort(squeeze), [-GRIP_N, GRIP_N], atol=0.2)
    env.close()


def test_interrupted_and_by_two_workers_the_bytes_are_the_same(logged, tmp_path):
    folder = tmp_path / "again"
    shutil.copytree(logged["panda"], folder)
    (folder / "shard-00001.h5").unlink()
    kind = Dataset.open(logged["panda"]).kind
    collect(kind, folder, body="panda", progress=False, **LOGGED)
    assert hashes(folder) == hashes(logged["panda"])
    collect(kind, tmp_path / "two", body="panda", progress=False, workers=2, **LOGGED)
    assert hashes(tmp_path / "two") == hashes(logged["panda"])


def test_data_sets_from_before_there_were_trajectories_are_what_they_were():
    settings = make_spec("grasp", size=32)[0].env
    assert not settings.keys() & {*GraspEnv.ADDED}
    assert make_spec("grasp", size=32, wrist={"field_of_view": 1.2})[0].env["wrist"]["field_of_view"] == 1.2


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"cameras": ("scene", "wirst")}, "wrist"),
        ({"rate": 50.0}, "whole number of steps"),
        ({"scene": {"position": (0, 0, 1), "target": (0, 0, 0)}}, "coincide"),
        ({"wrist": {"fov": 1.0}}, "field_of_view"),
        ({"base": (0, 0, 0)}, "no arm"),
    ],
)
def test_settings_that_are_none_are_refused(settings, said):
    with pytest.raises((DataError, ValueError), match=said):
        GraspEnv(trajectory=True, **settings)


def test_a_base_elsewhere_reaches_the_same_places_and_is_drawn_there():
    env = GraspEnv(body="panda", base=(0.0, -0.55, 0.0), table_height=0.5, size=32, render_mode="rgb_array_list")
    env.reset(seed=0)
    client, body = env.world.client, env.gripper.body
    assert pybullet.getBasePositionAndOrientation(body, physicsClientId=client)[0][1] == pytest.approx(-0.55, abs=0.1)
    env.gripper.place([0.1, 0.05, 0.2], 0.3, 0.04)
    np.testing.assert_allclose(env.gripper.tip(), [0.1, 0.05, 0.2], atol=1e-3)
    shown = env.world.render(View(image_size=64).camera, View().pose(np.eye(4)), robot=True)
    usual = env.world.render(View(image_size=64).camera, View().pose(np.eye(4)))
    assert (shown.instance == 255).sum() > 100
    assert not (usual.instance == 255).any()
    env.close()


@pytest.mark.parametrize("body", BODIES)
def test_an_act_is_rendered_whole_or_as_it_ends(body):
    films = {}
    for mode in ("rgb_array", "rgb_array_list"):
        env = gymnasium.make("embodied_ssl/Push-v0", size=16, body=body, render_mode=mode)
        env.reset(seed=1)
        env.action_space.seed(1)
        env.step(env.action_space.sample())
        films[mode] = env.render()
        env.close()
    assert films["rgb_array"].shape == (64, 64, 3)
    film = np.array(films["rgb_array_list"])
    assert film.shape[1:] == (64, 64, 3)
    assert len(film) > 5
    assert (film[1:] != film[:-1]).any(axis=(1, 2, 3)).mean() > 0.7  # the robot moves


def test_the_floating_gripper_is_drawn_where_it_is():
    """The lowest point of its mask from the side is the end of the fingers."""
    env = GraspEnv(trajectory=True, clutter=1)
    env.reset(seed=0)
    assert isinstance(env.gripper, FloatingGripper)
    env.gripper.place([0.0, 0.0, 0.2], 0.4, 0.06)
    view = View(position=(0.0, -0.8, 0.2), target=(0.0, 0.0, 0.2), image_size=200, field_of_view=0.6)
    frame = env.world.render(view.camera, view.pose(np.eye(4)), robot=True)
    rows, columns = np.nonzero(frame.instance == 255)
    u, v = columns[rows.argmax()], rows.max()
    place = view.camera.unproject([u, v + 0.5], frame.depth[v, u], view.pose(np.eye(4)))
    assert place[2] == pytest.approx(0.2, abs=0.003)
    assert np.hypot(*place[:2]) == pytest.approx(0.03 + FINGER_M[0] / 2, abs=0.012)
    env.close()


WINDOW = """
import numpy as np
from embodied_ssl.envs.push import PushEnv
rewards = []
for gui in (True, False):
    env = PushEnv(size=16, body="panda", gui=gui)
    env.reset(seed=3)
    rewards.append(env.step(env.action_of(8, 8, 0.5, 0.1))[1])
    env.close()
print(rewards[0] == rewards[1])
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("xvfb-run") is None, reason="needs xvfb-run")
def test_a_window_shows_what_happens_without_one_as_well():
    process = subprocess.run(
        ["xvfb-run", "-a", sys.executable, "-c", WINDOW], capture_output=True, text=True, env=os.environ, timeout=300
    )
    assert process.returncode == 0, process.stderr
    assert process.stdout.split()[-1] == "True"


def test_without_a_display_there_is_one_clear_error(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(ValueError, match="no display"):
        GraspEnv(gui=True)
