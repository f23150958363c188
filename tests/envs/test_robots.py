"""Arms from URDF files: they go where they are told, close as their linkage does, and are known by their content."""

import shutil
import warnings
from pathlib import Path

import numpy as np
import pybullet
import pybullet_data
import pytest

from embodied_ssl.cli.main import main
from embodied_ssl.datasets.collect.collection import make_spec
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.datasets.store.check import check
from embodied_ssl.envs.bodies.catalogue import make_gripper
from embodied_ssl.envs.grasp import GraspEnv
from embodied_ssl.envs.push import PushEnv
from embodied_ssl.envs.world.assets import Asset
from embodied_ssl.envs.world.geometry.mesh import box
from embodied_ssl.envs.world.materials import MATERIALS
from embodied_ssl.envs.world.physics import World

ROOT, URDFS = Path(__file__).parent.parent.parent, Path(pybullet_data.getDataPath())
ARMS = {name: str(ROOT / "examples" / f"{name}.toml") for name in ("kuka", "xarm6")}
BARE = "pybullet_data:xarm/xarm6_robot.urdf"


@pytest.fixture(scope="module", params=ARMS)
def arm(request):
    """An arm with fingers in a world of its own."""
    world, gripper = World(), make_gripper(ARMS[request.param])
    gripper.load(world)
    yield gripper
    world.close()


def angles(arm) -> np.ndarray:
    states = pybullet.getJointStates(arm.body, arm.build.joints, physicsClientId=arm.world.client)
    return np.array([state[0] for state in states])


def apart(arm) -> float:
    """The distance of the fingers, as PyBullet's collision detection has it, m."""
    left, right = arm.finger_links
    pybullet.performCollisionDetection(physicsClientId=arm.world.client)
    points = pybullet.getClosestPoints(arm.body, arm.body, 0.2, left, right, physicsClientId=arm.world.client)
    return min(point[8] for point in points)


def test_an_arm_goes_where_it_is_told_within_its_limits(arm):
    limits = [pybullet.getJointInfo(arm.body, j, physicsClientId=arm.world.client)[8:10] for j in arm.build.joints]
    low, high = np.transpose(limits)
    for x, y, yaw in ((0.0, 0.0, 0.3), (0.15, -0.2, 1.6), (-0.1, 0.2, 2.8), (0.2, 0.2, 0.0)):
        arm.place((x, y, 0.12), yaw, 0.08)
        assert np.abs(arm.tip() - [x, y, 0.12]).max() < 1e-3
        assert ((low <= angles(arm)) & (angles(arm) <= high)).all()
        arm.move((x, y, 0.02), 0.3)
        assert np.abs(arm.tip() - [x, y, 0.02]).max() < 6e-3
        pose = arm.tip_pose()
        assert pose[2, 2] < -0.999, "it points down"
        off = np.arctan2(pose[1, 1], pose[0, 1]) - yaw
        assert abs((off + np.pi / 2) % np.pi - np.pi / 2) < 0.02  # which finger is on which side is all one


def test_the_tip_is_where_the_fingers_end_and_the_width_is_their_distance(arm):
    """Against the collision detection, for every opening."""
    for opening in (0.07, 0.05, 0.03, 0.01):
        arm.place((0.0, 0.0, 0.1), 0.4, opening)
        assert arm.width() == pytest.approx(opening, abs=1e-4)
        assert apart(arm) == pytest.approx(opening, abs=2.5e-3)
        ends = [pybullet.getAABB(arm.body, link, physicsClientId=arm.world.client)[0][2] for link in arm.finger_links]
        assert 0.09 < min(ends) < 0.125, "fingers on a linkage are drawn back a little as they open"
    assert min(ends) == pytest.approx(0.1, abs=5e-3)


def test_a_linkage_stays_one_while_it_holds_something():
    """The six joints of the xArm's gripper, of which one is driven and five mimic it, all by 1."""
    world, arm = World(), make_gripper(ARMS["xarm6"])
    block = Asset("block", 0, MATERIALS["wood"], (), (box((0.04, 0.04, 0.08)).vertices,), 0.2)
    world.add(Asset("table", 0, MATERIALS["wood"], (), (box((1, 1, 0.5), (0, 0, -0.25)).vertices,)), structure=True)
    held = world.add(block, (0, 0, 0.041))
    arm.load(world)
    arm.place((0.0, 0.0, 0.02), 0.0, 0.08)
    arm.grip(0.0, 90)
    assert arm.width() == pytest.approx(0.04, abs=6e-3)
    values = arm.joints().position[-6:]
    assert np.ptp(values) < 0.06
    felt = [
        sum(c[9] for c in pybullet.getContactPoints(arm.body, world.body(held), link, physicsClientId=world.client))
        for link in arm.finger_links
    ]
    assert felt == pytest.approx([25, 25], rel=0.3)
    arm.move((0.0, 0.0, 0.12), 0.3)
    assert world.pose(held)[0][2] > 0.12
    world.close()


@pytest.mark.parametrize("name", ARMS)
def test_arms_grasp_and_poke_with_trajectories_and_are_drawn(tmp_path, name):
    common = ["--body", ARMS[name], "--size", 32, "--clutter", 5, "--trajectory", "true", "--instance", "true",
              "--cameras", "scene", "--episodes", 5, "--progress", "false"]  # fmt: skip
    for kind, policy in (("grasp", "antipodal"), ("poke", "random")):
        command = ["collect", kind, "--policy", policy, "--out", tmp_path / kind, *common]
        assert main([str(word) for word in command]) == 0
        assert check(tmp_path / kind) == []
        data = Dataset.open(tmp_path / kind)
        assert data.spec["env"]["body"].startswith("sha256:")
        masks, joints = data.array("steps/instance/scene")[:], data.array("steps/joint_position")[:]
        assert ((masks == 255).mean(axis=(1, 2)) > 0.01).all(), "the arm is in view"
        assert np.ptp(joints, axis=0)[:3].min() > 0.01, "its joints move"
    assert Dataset.open(tmp_path / "grasp").array("interactions/success")[:].mean() >= 0.5
    force = Dataset.open(tmp_path / "poke").array("interactions/force")[:]
    assert (force.max(axis=1) > 1).mean() >= 0.25


def test_an_arm_without_fingers_pushes_and_refuses_to_grasp_before_it_begins(tmp_path):
    env, ways = PushEnv(body=BARE, size=32, clutter=5, trajectory=True, cameras=()), []
    for seed in range(4):
        env.reset(seed=seed)
        pixel = env.camera.project(env.poses()[1][:3], env.camera_pose)[0] - [5, 0]
        record, steps = env.step(env.action_of(*pixel, 0.0, 0.1))[4].values()
        ways.append(np.linalg.norm(record["end"] - record["start"]))
        assert steps[0]["contact_force"].shape == (1, 3)
        assert record["pose_after"][0] - record["pose_before"][0] > 0.01
    assert ways == pytest.approx([0.1] * 4, abs=0.01)
    env.close()
    with pytest.raises(ValueError, match="no fingers, so it only pushes and pokes"):
        GraspEnv(body=BARE)
    assert main(["collect", "grasp", "--body", BARE, "--out", str(tmp_path / "out")]) != 0
    assert not (tmp_path / "out").exists()


def copied(folder: Path) -> Path:
    """The bare xArm6 in a folder."""
    shutil.copytree(URDFS / "xarm", folder)
    return folder / "xarm6_robot.urdf"


def test_a_robot_is_known_by_its_content(tmp_path):
    def identity(body: Path) -> str:
        return make_spec("push", body=str(body))[0].contents["body"]

    one, other = copied(tmp_path / "one"), copied(tmp_path / "other")
    assert identity(one) == identity(other)
    renamed = one.rename(one.with_name("mine.urdf"))
    assert identity(renamed) == identity(other)
    mesh = next(other.parent.rglob("visual/link3.stl"))
    mesh.write_bytes(mesh.read_bytes() + b" ")
    assert identity(renamed) != identity(other)


def test_meshes_of_ros_packages_are_found_above_the_urdf(tmp_path):
    urdf = copied(tmp_path / "src")
    (tmp_path / "src" / "xarm_description" / "urdf").mkdir()
    urdf = urdf.rename(tmp_path / "src" / "xarm_description" / "urdf" / "robot.urdf")
    assert make_gripper(str(urdf), True).build.joints == make_gripper(BARE, True).build.joints
    shutil.rmtree(tmp_path / "src" / "xarm_description" / "meshes")
    with pytest.raises(DataError, match=r"base\.stl does not exist"):
        make_spec("poke", body=str(urdf))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("tip = 'link6'", "names no URDF"),
        ("urdf = 'nowhere.urdf'", r"nowhere\.urdf does not exist"),
        ("urdf = 'no_such_package:a.urdf'", "no package no_such_package"),
        ("urdf = ", "cannot be read as TOML"),
        ("urdf = 'X'\nfinger = []", "unknown setting 'finger'.*did you mean 'fingers'"),
        ("urdf = 'X'\ntip = 'link9'", "the link 'link9' is not there.*link6"),
        ("urdf = 'X'\njoints = ['joint7']", "the joint 'joint7' is not there; did you mean 'joint6'"),
        ("urdf = 'X'\nfingers = ['link6']", "give 2, or none"),
        ("urdf = 'X'\nfingers = ['link5', 'link6']", "the link 'link5' does not hang from 'link6'"),
        ("urdf = 'G'", "several links are the last"),
        ("urdf = 'G'\ntip = 'link6'\nfingers = ['left_finger', 'link_5']", "the finger 'link_5' is not there"),
        ("urdf = 'G'\ntip = 'link6'\nfingers = ['left_finger', 'left_inner_knuckle']", "come apart"),
        ("urdf = 'X'\napproach = 'w'", "approach"),
        ("urdf = 'X'\nrest = [0, 1]", "an angle for each of joint1, joint2"),
        ("urdf = 'X'\nbase = [-3, 0, 0]", "reaches 0% of the table"),
        ("urdf = 'X'\ngrip = -1", "grip: -1"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_description_is_said(tmp_path, text, complaint):
    text = text.replace("'X'", f"'{BARE}'").replace("'G'", "'pybullet_data:xarm/xarm6_with_gripper.urdf'")
    (tmp_path / "arm.toml").write_text(text)
    with pytest.raises(ValueError, match=complaint):
        make_gripper(str(tmp_path / "arm.toml"))


def test_a_base_that_does_not_reach_everything_is_said_once(tmp_path):
    (tmp_path / "arm.toml").write_text(
        "urdf = 'pybullet_data:kuka_iiwa/model.urdf'\nrest = [0, 0.6, 0, -1.7, 0, 0.8, 0]"
    )
    with pytest.warns(UserWarning, match=r"the arm stands at .* where it reaches \d\d% of the table"):
        stands = make_gripper(str(tmp_path / "arm.toml"), grips=False).base
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make_gripper(str(tmp_path / "arm.toml"), base=stands, grips=False)
