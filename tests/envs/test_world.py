"""One client, nothing left over: physics and pixels depend on the seed alone, and memory stays flat."""

import functools
import hashlib
import os
import subprocess
import sys
import tempfile

import cv2
import numpy as np
import psutil
import pytest

from embodied_ssl.envs.roam import RoamEnv
from embodied_ssl.envs.world.assets import Asset, Material, Part, Placement, Scene
from embodied_ssl.envs.world.camera import Camera, look_at
from embodied_ssl.envs.world.engine import pybullet
from embodied_ssl.envs.world.geometry.mesh import box, quad, sphere
from embodied_ssl.envs.world.objects.categories import CATEGORIES, make_object
from embodied_ssl.envs.world.physics import MOST_INSTANCES, World
from embodied_ssl.envs.world.raster import atlas
from embodied_ssl.envs.world.textures.families import texture

MATTER = Material("matter", (), 1000, 0.5, 0.1, 1e4, 10, 0.0)


def ground() -> Asset:
    surface = quad((-2, -2, 0), (4, 0, 0), (0, 4, 0))
    return Asset("ground", 0, MATTER, (Part(surface, texture("planks", 0)),), (box((4, 4, 1), (0, 0, -0.5)).vertices,))


def tumble(world: World, seed: int) -> str:
    """Drop objects, let them fall, and take an image: one hash of all of it."""
    rng = np.random.default_rng(seed)
    world.reset()
    world.add(ground(), structure=True)
    names = list(CATEGORIES)
    things = []
    for _ in range(6):
        asset = make_object(names[rng.integers(len(names))], int(rng.integers(20)))
        turn = rng.normal(size=4)
        things.append(world.add(asset, rng.uniform([-0.2, -0.2, 0.2], [0.2, 0.2, 0.8]), turn / np.linalg.norm(turn)))
    world.step(120)
    frame = world.render(Camera.from_fov(48, 48, 0.8), look_at([1, 0, 1], [0, 0, 0]))
    poses = np.concatenate([np.concatenate(world.pose(thing)) for thing in things])
    return hashlib.sha256(poses.tobytes() + frame.rgb.tobytes() + frame.depth.tobytes()).hexdigest()


def test_a_seed_gives_the_same_bytes_after_others_in_any_order_and_in_another_process():
    world = World()
    first = {seed: tumble(world, seed) for seed in (0, 1, 2)}
    assert {seed: tumble(world, seed) for seed in (2, 0, 1)} == first
    assert len(set(first.values())) == 3
    code = "from tests.envs.test_world import World, tumble; print(tumble(World(), 1))"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert process.stdout.split()[-1] == first[1]
    world.close()


def test_nothing_is_printed_by_the_engine():
    code = "from embodied_ssl.envs.poke import PokeEnv; PokeEnv(size=16).reset(seed=0)"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert process.stdout == ""
    assert process.stderr == ""


def test_what_a_killed_process_left_goes_and_what_a_living_one_needs_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    code = (
        "import sys\nfrom embodied_ssl.envs.push import PushEnv\n"
        "env = PushEnv(size=16, body='panda')\nenv.reset(seed=0)\nprint('ready', flush=True)\nsys.stdin.readline()"
    )
    start = functools.partial(
        subprocess.Popen, [sys.executable, "-c", code], env={**os.environ, "TMPDIR": str(tmp_path)},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # fmt: skip
    with start() as one, start() as other:
        for process in (one, other):
            assert process.stdout.readline() == "ready\n"
        assert len(list(tmp_path.iterdir())) == 4  # hulls and the arm, of each
        one.kill()
        one.wait()
        World().close()
        assert len(list(tmp_path.iterdir())) == 2
        other.communicate("\n")
    assert not list(tmp_path.iterdir())


def test_two_worlds_do_not_disturb_each_other():
    alone = tumble(World(), 3)
    a, b = World(), World()
    tumble(b, 4)
    assert tumble(a, 3) == alone
    a.close()
    assert tumble(b, 3) == alone
    b.close()


def test_a_ball_falls_as_galileo_says():
    world = World(time_step=1 / 240)
    solid = sphere(0.05)
    ball = world.add(Asset("ball", 0, MATTER, (Part(solid, texture("rubber", 0)),), (solid.vertices,), 0.2), (0, 0, 5))
    world.step(120)
    fallen = 5 - world.pose(ball)[0][2]
    assert fallen == pytest.approx(9.81 * 0.5**2 / 2, rel=0.02)


def test_things_with_many_hulls_are_hollow_to_others():
    """A ball dropped into a bowl comes to rest inside it, not on top of its convex hull."""
    world = World()
    world.add(ground(), structure=True)
    bowl = make_object("bowl", 3)
    world.add(bowl, (0, 0, -float(bowl.bounds[0][2])))
    solid = sphere(0.01, 12)
    ball = world.add(
        Asset("ball", 0, MATTER, (Part(solid, texture("rubber", 0)),), (solid.vertices,), 0.02), (0, 0, 0.3)
    )
    world.step(480)
    position, _ = world.pose(ball)
    rim = float(bowl.bounds[1][2] - bowl.bounds[0][2])
    assert position[2] < 0.7 * rim
    assert np.hypot(*position[:2]) < float(bowl.bounds[1][0])


def test_every_static_box_is_felt_where_it_stands():
    """Many more than PyBullet takes in one shape; turned, and off its own middle."""
    rng, world = np.random.default_rng(0), World()
    hull = box((0.2, 0.3, 0.4), (0.5, 0.1, 0.2)).vertices
    asset = Asset("box", 0, MATTER, (Part(box((0.2, 0.3, 0.4)), texture("planks", 0)),), (hull,))
    angles = rng.uniform(-np.pi, np.pi, 50)
    places = [(2.0 * (n % 10), 2.0 * (n // 10), 0.0) for n in range(50)]
    turns = [(0.0, 0.0, np.sin(a / 2), np.cos(a / 2)) for a in angles]
    world.add_scene(Scene("boxes", tuple(map(functools.partial(Placement, asset), places, turns)), (-1, -1, 20, 20)))
    ball = pybullet.createCollisionShape(pybullet.GEOM_SPHERE, radius=0.05, physicsClientId=world.client)
    for (x, y, _), angle in zip(places, angles, strict=True):
        middle = x + 0.5 * np.cos(angle) - 0.1 * np.sin(angle), y + 0.5 * np.sin(angle) + 0.1 * np.cos(angle)
        above = (*middle, 0.4 + 0.05 + 0.02)
        distances = [
            contact[8]
            for body in range(pybullet.getNumBodies(physicsClientId=world.client))
            for contact in pybullet.getClosestPoints(
                -1, body, 0.1, collisionShapeA=ball, collisionShapePositionA=above, physicsClientId=world.client
            )
        ]
        np.testing.assert_allclose(min(distances), 0.02, atol=2e-3)  # Bullet keeps a millimetre
    world.close()


def test_a_world_holds_255_things():
    world = World()
    cube = Asset("cube", 0, MATTER, (Part(box((0.1, 0.1, 0.1)), texture("rubber", 0)),), ())
    for _ in range(MOST_INSTANCES):
        world.add(cube)
    with pytest.raises(ValueError, match="at most 255"):
        world.add(cube)


@pytest.mark.slow
def test_memory_is_flat_over_4_000_resets():
    world = World()
    process = psutil.Process()
    camera, pose = Camera.from_fov(16, 16, 0.8), look_at([1, 0, 1], [0, 0, 0])
    assets = [make_object(name, 0) for name in ("cup", "box", "hammer", "ball")]

    def reset(count: int) -> None:
        for _ in range(count):
            world.reset()
            world.add(ground_asset, structure=True)
            for number, asset in enumerate(assets):
                world.add(asset, (0.2 * number, 0, 0.3))
            world.step(2)
            world.render(camera, pose)

    ground_asset = ground()
    reset(500)
    before = process.memory_info().rss
    reset(3500)
    grown = process.memory_info().rss - before
    assert grown < 8e6, f"{grown / 1e6:.1f} MB over 3,500 resets"


def test_a_folder_of_pictures_is_worn_instead(tmp_path):
    for number, colour in enumerate([(0, 0, 255), (0, 255, 0)]):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((32, 32, 3), colour, np.uint8))
    frames = [RoamEnv(scenes="kitchen", size=48, textures=str(tmp_path), shadows=False) for _ in range(2)]
    seen, again = (env.reset(seed=3)[0]["rgb"] for env in frames)
    np.testing.assert_array_equal(seen, again)
    assert seen[..., 2].max() <= seen[..., :2].max(-1).max() // 2  # red and green images leave little blue: highlights
    plain = RoamEnv(scenes="kitchen", size=48, shadows=False).reset(seed=3)[0]["rgb"]
    assert plain[..., 2].mean() > 3 * seen[..., 2].mean()
    with pytest.raises(ValueError, match="nowhere is not a folder"):
        RoamEnv(textures=str(tmp_path / "nowhere"))


def test_a_picture_does_not_depend_on_what_the_atlas_holds(monkeypatch):
    """It keeps textures and meshes from room to room; where it has too little room it begins anew with every one."""

    def pictures():
        env = RoamEnv(size=32)
        seen = [env.reset(seed=seed)[0]["rgb"] for seed in (0, 1, 0)]
        env.close()
        return np.stack(seen)

    usual = pictures()
    for name in ("USUAL_TEXELS", "USUAL_VERTICES", "USUAL_TRIANGLES"):
        monkeypatch.setattr(atlas, name, 1000)
    np.testing.assert_array_equal(pictures(), usual)
    np.testing.assert_array_equal(usual[0], usual[2])
    assert (usual[0] != usual[1]).any()
