"""What the objects table says of mass, contact and colour is what the simulator works with."""

from dataclasses import replace

import cv2
import numpy as np
import pybullet
import pytest

from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.environments import make_env
from embodied_ssl.envs.observation import describe_objects
from embodied_ssl.envs.world.assets import Asset, Part, Texture
from embodied_ssl.envs.world.geometry.mesh import box, sphere
from embodied_ssl.envs.world.materials import MATERIALS
from embodied_ssl.envs.world.objects.categories import CATEGORIES, make_object
from embodied_ssl.envs.world.objects.sets import object_set
from embodied_ssl.envs.world.physics import World


@pytest.mark.parametrize("objects", ["household", "random_urdfs"])
@pytest.mark.parametrize("kind", ["grasp", "push", "poke"])
def test_a_table_says_of_its_objects_what_pybullet_says(kind, objects):
    env = make_env(kind, size=16, objects=objects, clutter=4).unwrapped
    env.reset(seed=1)
    rows = env.describe()["objects"]
    for row in rows:
        told = pybullet.getDynamicsInfo(env.world.body(row["index"]), -1, physicsClientId=env.world.client)
        assert (row["mass"], row["friction"]) == (pytest.approx(told[0], rel=1e-12), told[1])
    assert len({row["mass"] for row in rows}) > 1
    env.close()


@pytest.mark.parametrize("material", ["plush", "plastic", "rubber"])
def test_what_falls_bounces_as_the_table_says(material):
    """PyBullet does not say the restitution of a rigid body; on ground that keeps all speed it is the share kept."""
    world, height = World(time_step=1 / 960), 0.5
    perfect = replace(MATERIALS["wood"], restitution=1.0)
    world.add(Asset("ground", 0, perfect, (), (box((4, 4, 1), (0, 0, -0.5)).vertices,)), structure=True)
    solid = sphere(0.02)
    ball = Asset("ball", 0, MATERIALS[material], (Part(solid, plain([RED] * 2, [RED] * 2)),), (solid.vertices,), 0.2)
    instance = world.add(ball, (0, 0, height + 0.02))
    heights = []
    for _ in range(900):
        world.step()
        heights.append(world.pose(instance)[0][2] - 0.02)
    kept = (max(heights[np.argmin(heights[:400]) :]) / height) ** 0.5
    assert kept == pytest.approx(describe_objects(world)[0]["restitution"], abs=0.07)
    world.close()


def test_the_finger_feels_the_stiffness_and_damping_of_the_table(monkeypatch):
    env = make_env("poke", size=64, clutter=3).unwrapped
    env.reset(seed=2)
    row = env.describe()["objects"][0]
    felt = []
    feel = env.gripper.feel
    monkeypatch.setattr(env.gripper, "feel", lambda material, share: (felt.append(material), feel(material, share)))
    (u, v), _ = env.camera.project(row["position"], env.camera_pose)
    record = env.step(env.action_of(u, v))[-1]["record"]
    assert record["object"] == row["index"]
    assert {(each.stiffness, each.damping) for each in felt} == {(row["stiffness"], row["damping"])}
    env.close()


@pytest.mark.parametrize("kind", ["orbit", "hold", "grasp"])
def test_an_object_has_the_same_physics_in_every_kind(data, kind):
    objects = Dataset.open(data[kind]).objects
    for name in ("mass", "density"):
        made = [make_object(*each) for each in zip(objects["category"], objects["instance"].tolist(), strict=True)]
        expected = [each.mass if name == "mass" else each.material.density for each in made]
        np.testing.assert_array_equal(objects[name], np.float32(expected))


def test_what_never_moves_has_no_mass(data):
    objects = Dataset.open(data["roam"]).objects
    assert (objects["mass"] == 0).all()
    assert (objects["density"] > 0).all()


def test_a_sphere_weighs_what_its_volume_and_material_say():
    """The radius of a ball is half its size, whatever it is made of."""
    seen = 0
    for instance in range(40):
        ball = make_object("ball", instance)
        radius = float(np.diff(ball.bounds, axis=0).mean() / 2)
        solid = ball.material.density * 4 / 3 * np.pi * radius**3
        if 0.035 < ball.mass < 1.4:  # others are clipped
            assert ball.mass <= solid * 1.001  # of the volume of an inscribed mesh, some of them hollow
            assert ball.mass > 0.05 * solid
            seen += 1
    assert seen > 5


RED, BLUE = (200, 30, 40), (20, 40, 220)


def plain(*rows) -> Texture:
    return Texture(np.array(rows, np.uint8))


@pytest.mark.parametrize(("red_side", "colour"), [(0.3, RED), (0.1, BLUE)])
def test_the_dominant_colour_is_that_of_the_largest_surface(red_side, colour):
    parts = [Part(box((side,) * 3), plain([each] * 2, [each] * 2)) for side, each in ((red_side, RED), (0.2, BLUE))]
    assert parts[1].mesh.area == pytest.approx(6 * 0.2**2)
    asset = Asset("two", 0, MATERIALS["wood"], tuple(parts), ())
    assert asset.colour.tolist() == list(colour)


def test_stripes_do_not_mix_but_noise_does():
    striped = Part(box((0.1, 0.1, 0.1)), plain([BLUE, BLUE, BLUE, RED], *[[BLUE, RED, BLUE, RED]] * 3))  # 9 : 7
    assert Asset("a", 0, MATERIALS["wood"], (striped,), ()).colour.tolist() == list(BLUE)
    texels = np.random.default_rng(0).integers(90, 150, (64, 64, 3)).astype(np.uint8)  # over the borders of ranges
    noisy = Asset("b", 0, MATERIALS["wood"], (Part(box((0.1, 0.1, 0.1)), Texture(texels)),), ())
    assert np.abs(noisy.colour.astype(int) - 120).max() < 5


def test_the_dominant_colour_is_seen(data):
    """Of diffuse, unlit-alike objects: the colour's hue is near that of the median pixel under the mask."""
    dataset = Dataset.open(data["orbit"])
    episodes, objects = dataset.episodes, dataset.objects
    for episode in range(len(episodes["start"])):
        rows = np.arange(episodes["length"][episode]) + episodes["start"][episode]
        images, masks = dataset.array("frames/rgb")[rows], dataset.array("frames/instance")[rows]
        colour = objects["colour"][episode].astype(float)
        seen = images[masks > 0].astype(float)  # [K, 3]
        unit = colour / np.linalg.norm(colour)
        along = (seen @ unit) / np.linalg.norm(seen, axis=1)
        assert np.median(along) > 0.95


def test_images_of_a_folder_give_their_colour(tmp_path):
    cv2.imwrite(str(tmp_path / "green.png"), np.full((8, 8, 3), (10, 180, 20), np.uint8))
    env = make_env("orbit", size=16, textures=str(tmp_path)).unwrapped
    env.reset(seed=0)
    assert env.describe()["objects"][0]["colour"].tolist() == [20, 180, 10]
    env.close()


def test_every_category_and_file_has_numbers_in_the_ranges_of_the_schema(data):
    world = World()
    for category in CATEGORIES:
        world.add(make_object(category, 7))
    for shape in object_set("random_urdfs").categories[:12]:
        world.add(object_set("random_urdfs").make(shape, 3))
    fields = Dataset.open(data["grasp"]).fields
    for row in describe_objects(world):
        for name in ("mass", "density", "friction", "restitution", "stiffness", "damping"):
            field = fields[f"objects/{name}"]
            assert field.low < row[name] <= field.high, (row["category"], name)
        assert row["colour"].dtype == np.uint8
    world.close()
