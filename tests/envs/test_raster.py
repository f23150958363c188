"""The rasteriser against TinyRenderer, closed forms, and the rule that adjoining triangles tile the image."""

import numpy as np
import pytest

from embodied_ssl.envs.world.assets import Asset, Light, Material, Part, Texture
from embodied_ssl.envs.world.camera import Camera, look_at
from embodied_ssl.envs.world.geometry.mesh import Mesh, box, cylinder, make_mesh, quad, sphere, sweep
from embodied_ssl.envs.world.physics import World

MATTER = Material("matter", (), 1000, 0.5, 0.1, 1e4, 10, 0.0)
WHITE = Texture(np.full((4, 4, 3), 255, np.uint8))
FLAT = Light(sun=(0, 0, 0), sky=(1, 1, 1), ground=(1, 1, 1), horizon=(0, 0, 0), zenith=(0, 0, 0))


def asset(mesh: Mesh, texture: Texture = WHITE, **looks) -> Asset:
    return Asset("asset", 0, MATTER, (Part(mesh, texture, **looks),), ())


def checkered(side: int = 128, squares: int = 8) -> Texture:
    dark = np.kron(np.indices((squares, squares)).sum(axis=0) % 2, np.ones((side // squares,) * 2))
    return Texture((dark[..., None] * [120, 160, 90] + 60).astype(np.uint8))


def clutter(world: World, seed: int) -> tuple[Camera, np.ndarray]:
    rng = np.random.default_rng(seed)
    world.add(asset(quad([-3, -3, 0], [6, 0, 0], [0, 6, 0]), checkered()), structure=True)
    shapes = [
        sphere(0.3, 24),
        box([0.5, 0.2, 0.4]),
        cylinder(0.2, 0.7),
        sweep([[0, 0, 0], [0, 0.5, 0], [0.5, 0.5, 0.3]], 0.1),
    ]
    for number in range(20):
        turn = rng.normal(size=4)
        world.add(asset(shapes[number % 4]), rng.uniform([-1.5, -1.5, 0.3], [1.5, 1.5, 1]), turn / np.linalg.norm(turn))
    return Camera.from_fov(192, 192, 1.0), look_at(rng.uniform([1, -3, 0.3], [3, -2, 2]), [0, 0, 0.3])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("antialias", [1, 2, 3])
def test_masks_and_depth_agree_with_tinyrenderer(seed, antialias):
    frames = []
    for renderer in ("raster", "tiny"):
        world = World(renderer, antialias=antialias)
        frames.append(world.render(*clutter(world, seed)))
        world.close()
    ours, reference = frames
    for instance in range(1, 21):
        a, b = ours.instance == instance, reference.instance == instance
        if b.sum() > 100:
            assert (a & b).sum() / (a | b).sum() >= (0.95 if b.sum() > 200 else 0.9), (instance, b.sum())
    alike = (ours.instance == reference.instance) & (ours.depth > 0) & (reference.depth > 0)
    assert alike.mean() > 0.5
    error = np.abs(ours.depth - reference.depth)[alike] / reference.depth[alike]
    assert np.median(error) < 1e-5
    assert np.quantile(error, 0.999) < 0.01


def test_depth_of_a_plane_is_exact():
    world = World("raster")
    world.add(asset(quad([-50, -50, 0], [100, 0, 0], [0, 100, 0])))
    camera, pose = Camera.from_fov(64, 48, 1.0), look_at([0, 0, 2], [3, 1, 0])
    frame = world.render(camera, pose)
    columns, rows = np.meshgrid(np.arange(64), np.arange(48))
    rays = camera.unproject(np.stack([columns, rows], axis=-1), np.ones((48, 64)), pose) - pose[:3, 3]
    expected = -2 / rays[..., 2]
    near = (rays[..., 2] < 0) & (expected < 20)
    np.testing.assert_allclose(frame.depth[near], expected[near], rtol=1e-4)
    assert (frame.instance[near] == 1).all()


def test_a_sphere_has_its_silhouette():
    world, radius, distance = World("raster"), 0.5, 3.0
    world.add(asset(sphere(radius, 96)))
    frame = world.render(Camera.from_fov(256, 256, 0.6), look_at([distance, 0, 0], [0, 0, 0]))
    focal = 128 / np.tan(0.3)
    expected = np.pi * (focal * radius / np.sqrt(distance**2 - radius**2)) ** 2
    assert (frame.instance == 1).sum() == pytest.approx(expected, rel=0.01)
    assert frame.depth[128, 128] == pytest.approx(distance - radius, rel=2e-3)


def test_texture_lands_where_projection_puts_it():
    """A ground of one-metre squares: the colour at a square's middle is that square's."""
    world = World("raster", shadows=False)
    world.reset(FLAT)
    world.add(asset(quad([-8, -8, 0], [16, 0, 0], [0, 16, 0], tile=8.0), checkered(squares=8)))
    camera, pose = Camera.from_fov(256, 256, 0.8), look_at([0.3, -5, 4], [0, 0, 0])
    frame = world.render(camera, pose)
    for x in np.arange(-1.5, 2):
        for y in np.arange(-1.5, 2):
            (u, v), _ = camera.project([x, y, 0], pose)
            dark = (int(np.floor(x)) + int(np.floor(y))) % 2 == 0
            expected = [60, 60, 60] if dark else [180, 220, 150]
            np.testing.assert_allclose(frame.rgb[round(float(v)), round(float(u))], expected, atol=6)


def test_far_texture_is_its_mean():
    world = World("raster", shadows=False)
    world.reset(FLAT)
    world.add(asset(quad([-500, -500, 0], [1000, 0, 0], [0, 1000, 0], tile=0.2), checkered()))
    frame = world.render(Camera.from_fov(32, 32, 0.3), look_at([0, 0, 200], [0, 1, 0]))
    np.testing.assert_allclose(frame.rgb.reshape(-1, 3).mean(axis=0), [120, 140, 105], atol=3)
    assert frame.rgb.std(axis=(0, 1)).max() < 2


@pytest.mark.parametrize("seed", range(6))
def test_adjoining_triangles_leave_no_crack_and_share_no_sample(seed):
    """A fan of slivers over the whole image: all of it is covered, and each sample by exactly one triangle."""
    rng = np.random.default_rng(seed)
    count = 40
    angles = np.sort(rng.uniform(0, 2 * np.pi, count))
    rim = np.stack([20 * np.cos(angles), 20 * np.sin(angles), np.zeros(count)], axis=1)
    hub = np.append(rng.uniform(-0.5, 0.5, 2), 0.0)
    camera, pose = Camera.from_fov(200, 200, 1.0), look_at([0, 0, 5], rng.uniform(-0.5, 0.5, 3) * [1, 1, 0], [0, 1, 0])
    counts = np.zeros((200, 200), int)
    whole = World("raster", antialias=1)
    for number in range(count):
        corners = np.stack([hub, rim[number], rim[(number + 1) % count]])
        if np.diff([angles[number], angles[(number + 1) % count]])[0] % (2 * np.pi) > np.pi:
            pytest.skip("the fan has a gap")
        triangle = make_mesh(corners, np.tile([0, 0, 1], (3, 1)), np.zeros((3, 2)), [[0, 1, 2]])
        whole.add(asset(triangle))
        alone = World("raster", antialias=1)
        alone.add(asset(triangle))
        counts += alone.render(camera, pose).instance
        alone.close()
    assert (whole.render(camera, pose).instance > 0).all()
    assert (counts == 1).all()


def test_a_floor_through_the_camera_plane_needs_no_clipping():
    world = World("raster")
    world.add(asset(quad([-5, -5, 0], [10, 0, 0], [0, 10, 0])))
    frame = world.render(Camera.from_fov(64, 64, 1.5), look_at([0, 0, 0.3], [1, 0, 0.3]))
    assert (frame.instance[34:] == 1).all()
    assert (frame.instance[:32] == 0).all()
    assert (np.diff(frame.depth[36:, 32]) < 0).all()  # nearer towards the bottom


def test_shadows_fall_away_from_the_sun_and_can_be_switched_off():
    frames = {}
    for shadows in (True, False):
        world = World("raster", shadows=shadows)
        world.reset(Light(direction=(1, 0, 1), sun=(0.8, 0.8, 0.8), sky=(0.2, 0.2, 0.2), ground=(0.2, 0.2, 0.2)))
        world.add(asset(quad([-3, -3, 0], [6, 0, 0], [0, 6, 0])), structure=True)
        world.add(asset(box([0.4, 0.4, 0.4])), [0, 0, 1.0])
        camera, pose = Camera.from_fov(128, 128, 1.0), look_at([0, 0, 6], [0, 0.001, 0])
        frame = world.render(camera, pose)
        shade, lit = (camera.project([x, 0, 0], pose)[0].round().astype(int) for x in (-1.0, 1.0))
        frames[shadows] = frame.rgb[shade[1], shade[0], 0], frame.rgb[lit[1], lit[0], 0]
    assert frames[True][0] < 0.7 * frames[True][1]
    assert frames[False][0] == frames[False][1]


def test_the_shadow_of_an_object_high_above_the_ground_is_the_only_one():
    """The ground, which casts none, lies 6 m lower than all that does; the shadow lies where the sun's rays put it."""
    frames = {}
    for shadows in (True, False):
        world = World("raster", shadows=shadows, antialias=1)
        world.add(asset(quad((-9, -9, -6), (18, 0, 0), (0, 18, 0)), casts_shadow=False), structure=True)
        world.add(asset(box((0.8, 0.8, 0.8))))
        camera, pose = Camera.from_fov(96, 96, 1.0), look_at([0, -2, 8], [0, 0, -6])
        frames[shadows] = world.render(camera, pose)
        sunward = np.array(world.light.direction)
        world.close()
    darker = (frames[True].rgb < frames[False].rgb).any(axis=-1) & (frames[True].instance == 0)
    rows, columns = np.nonzero(darker)
    middle = camera.project(-6 * sunward / sunward[2], pose)[0]
    np.testing.assert_allclose([columns.mean(), rows.mean()], middle, atol=1.0)
    focal, distance = camera.intrinsics[0, 0], 14.0
    assert 0.8 < darker.sum() / (0.8 * focal / distance) ** 2 < 3  # of a cube's silhouette, cast aslant


def test_brightness_follows_lamberts_law():
    """A white quad under a sun alone: linear brightness is the cosine of its tilt."""
    for tilt in (0.0, 0.4, 0.8, 1.2):
        world = World("raster", shadows=False)
        world.reset(Light(direction=(0, np.sin(tilt), np.cos(tilt)), sun=(1, 1, 1), sky=(0, 0, 0), ground=(0, 0, 0)))
        world.add(asset(quad([-1, -1, 0], [2, 0, 0], [0, 2, 0])))
        value = world.render(Camera.from_fov(16, 16, 0.5), look_at([0, 0, 3], [0, 0.001, 0])).rgb[8, 8, 0]
        assert (value / 255) ** 2 == pytest.approx(np.cos(tilt), abs=0.01)


def test_a_highlight_is_blinn_and_phongs():
    """A black glossy quad under a sun alone shows cos³² of the angle between its normal and the halfway vector."""
    world = World("raster", shadows=False, antialias=1)
    sunward = np.array([0.3, 0.2, 1.0]) / np.linalg.norm([0.3, 0.2, 1.0])
    world.reset(Light(direction=tuple(sunward), sun=(1, 1, 1), sky=(0, 0, 0), ground=(0, 0, 0)))
    black = Texture(np.zeros((4, 4, 3), np.uint8))
    world.add(asset(quad([-2, -2, 0], [4, 0, 0], [0, 4, 0]), black, gloss=0.8))
    camera, pose = Camera.from_fov(32, 32, 1.0), look_at([0, 0, 2], [0, 0.001, 0])
    found = (world.render(camera, pose).rgb[..., 0] / 255.0) ** 2
    v, u = np.mgrid[:32, :32]
    rays = np.stack([u, v, np.ones_like(u)], -1) @ np.linalg.inv(camera.intrinsics).T @ pose[:3, :3].T
    half = sunward - rays / np.linalg.norm(rays, axis=-1, keepdims=True)
    cosine = half[..., 2] / np.linalg.norm(half, axis=-1)
    assert found == pytest.approx(0.8 * cosine**32, abs=0.01)
    assert found.max() > 0.5


def test_the_sky_rises_from_the_horizon_to_the_zenith_also_where_a_scene_was_before():
    """Its colour follows the root of the elevation's sine; what a renderer drew before leaves no trace in it."""
    light = Light(horizon=(0.1, 0.2, 0.3), zenith=(0.9, 0.6, 0.4))
    world = World("raster", antialias=1)
    world.reset()
    world.render(*clutter(world, 0))
    camera, pose = Camera.from_fov(192, 192, 1.2), look_at([0, 0, 0], [1, 0, 0.5])
    v, u = np.mgrid[:192, :192]
    rays = np.stack([u, v, np.ones_like(u)], -1) @ np.linalg.inv(camera.intrinsics).T @ pose[:3, :3].T
    rise = np.sqrt(np.maximum(rays[..., 2] / np.linalg.norm(rays, axis=-1), 0))[..., None]
    world.reset(light)
    frame = world.render(camera, pose)
    assert (frame.rgb / 255.0) ** 2 == pytest.approx(
        light.horizon + rise * np.subtract(light.zenith, light.horizon), abs=0.005
    )
    assert not frame.depth.any()
    assert not frame.instance.any()


def test_antialiasing_is_the_mean_of_finer_images():
    """An edge pixel's linear colour is near the area that a much finer image gives it."""

    def brightness(size: int, antialias: int) -> np.ndarray:
        world = World("raster", shadows=False, antialias=antialias)
        world.reset(FLAT)
        world.add(asset(box([1, 1, 1])), quaternion=[0.1, 0.2, 0.3, np.sqrt(1 - 0.14)])
        return (world.render(Camera.from_fov(size, size, 0.6), look_at([3, 1, 1], [0, 0, 0])).rgb[..., 0] / 255.0) ** 2

    fine = brightness(512, 1).reshape(64, 8, 64, 8).mean(axis=(1, 3))
    errors = {n: np.abs(brightness(64, n) - fine).mean() for n in (1, 2, 4)}
    assert errors[4] < errors[2] < errors[1]
    assert errors[2] < 0.5 * errors[1]


def test_images_are_the_same_whatever_was_drawn_before():
    world = World("raster")
    first = world.render(*clutter(world, 0))
    world.reset()
    world.render(*clutter(world, 1))
    world.reset()
    again = world.render(*clutter(world, 0))
    assert first.rgb.tobytes() == again.rgb.tobytes()
    assert first.depth.tobytes() == again.depth.tobytes()


def test_what_moves_leaves_no_shadow_behind_and_images_of_one_moment_are_those_one_by_one():
    """The map of shadows grows and shrinks with what casts them; a world that is new has one of the right size."""
    places = [(0.3, 0.0, 0.2), (2.0, 1.0, 0.2), (-0.2, 0.4, 0.6), (0.3, 0.0, 0.2)]
    cameras = [(Camera.from_fov(size, size, 0.9), look_at([2, -2, 2], [0.5, 0, 0])) for size in (32, 48)]
    ball = Asset("ball", 0, MATTER, (Part(sphere(0.2, 12), WHITE),), (sphere(0.2, 4).vertices,), 1.0)

    def world_with(place) -> World:
        world = World("raster")
        world.add(asset(quad([-3, -3, 0], [6, 0, 0], [0, 6, 0]), checkered()), structure=True)
        world.add(asset(box([0.2, 0.2, 0.2]), casts_shadow=True), (0, 0, 0.5))
        world.add(ball, place)
        return world

    moving, shown = world_with(places[0]), set()
    for place in places:
        moving.set_pose(2, place, (0, 0, 0, 1))
        together, alone = moving.render_all(cameras), world_with(place)
        for frame, view in zip(together, cameras, strict=True):
            assert frame.rgb.tobytes() == alone.render(*view).rgb.tobytes() == moving.render(*view).rgb.tobytes()
        shown.add(together[0].rgb.tobytes())
        alone.close()
    assert len(shown) == 3


@pytest.mark.parametrize("antialias", [0, -1, 9])
def test_impossible_antialiasing_is_refused(antialias):
    with pytest.raises(ValueError, match="antialias"):
        World("raster", antialias=antialias)


def test_unknown_renderers_are_refused():
    with pytest.raises(ValueError, match="raster, tiny"):
        World("rasta")
