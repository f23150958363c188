"""Furniture and furnished places: geometry, packing, free floor, determinism, and types that can be told apart."""

import hashlib
import subprocess
import sys
from collections import Counter
from functools import lru_cache

import numpy as np
import pytest
from scipy import ndimage

from embodied_ssl.envs.world.assets import Scene
from embodied_ssl.envs.world.furniture.catalogue import FURNITURE, make_furniture
from embodied_ssl.envs.world.objects.categories import CATEGORIES
from embodied_ssl.envs.world.scenes.types import SCENE_TYPES, make_scene

SEEDS = range(3)
BODY_RADIUS_M, BODY_HEIGHT_M = 0.25, 0.6


@lru_cache
def scene_of(type: str, seed: int) -> Scene:
    return make_scene(type, np.random.default_rng([seed, 11]), (0, 2))


def placed_hulls(scene: Scene, structure: bool) -> list[tuple[int, np.ndarray]]:
    """(placement, hull in the world [K, 3]) of all hulls."""
    found = []
    for k, placement in enumerate(scene.placements):
        if placement.structure == structure:
            _, _, sine, cosine = placement.quaternion
            angle = 2 * np.arctan2(sine, cosine)
            turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
            found += [(k, hull @ turn.T + placement.position) for hull in placement.asset.hulls]
    return found


def penetration(first: np.ndarray, second: np.ndarray) -> float:
    """How deep two upright boxes overlap, m: the smallest overlap over their axes (separating axis theorem)."""
    depth = min(first[:, 2].max(), second[:, 2].max()) - max(first[:, 2].min(), second[:, 2].min())
    for box in (first, second):
        for corner in (4, 2):  # the neighbours of corner 0 along x and along y
            axis = box[corner, :2] - box[0, :2]
            axis = axis / np.linalg.norm(axis)
            a, b = first[:, :2] @ axis, second[:, :2] @ axis
            depth = min(depth, min(a.max(), b.max()) - max(a.min(), b.min()))
    return float(depth)


def free_floor(scene: Scene, step: float = 0.1) -> np.ndarray:
    """bool grid: where a cylinder of the body's radius can stand."""
    x0, y0, x1, y1 = scene.bounds
    xs, ys = np.meshgrid(np.arange(x0, x1, step), np.arange(y0, y1, step), indexing="ij")
    free = np.minimum(np.minimum(xs - x0, x1 - xs), np.minimum(ys - y0, y1 - ys)) >= BODY_RADIUS_M
    for _, hull in placed_hulls(scene, False) + placed_hulls(scene, True):
        if hull[:, 2].min() > BODY_HEIGHT_M or hull[:, 2].max() < 0.03:
            continue
        along, across = hull[4, :2] - hull[0, :2], hull[2, :2] - hull[0, :2]
        middle = hull[:, :2].mean(axis=0)
        gaps = []
        for side in (along, across):
            length = np.linalg.norm(side)
            axis = side / length
            gaps.append(np.maximum(np.abs((xs - middle[0]) * axis[0] + (ys - middle[1]) * axis[1]) - length / 2, 0))
        free &= np.hypot(*gaps) >= BODY_RADIUS_M
    return free


@pytest.mark.parametrize("kind", FURNITURE)
def test_furniture_is_sound(kind: str) -> None:
    pieces = [make_furniture(kind, instance) for instance in range(3)]
    assert make_furniture(kind, 0) is pieces[0]
    for piece in pieces:
        asset = piece.asset
        assert asset.category == kind
        assert asset.mass == 0
        assert 2 <= piece.triangles <= 550
        assert piece.triangles == sum(len(part.mesh.triangles) for part in asset.parts)
        assert len(asset.hulls) <= 4
        for part in asset.parts:
            mesh = part.mesh
            assert np.isfinite(mesh.vertices).all()
            assert np.isfinite(mesh.uv).all()
            assert np.allclose(np.linalg.norm(mesh.normals, axis=1), 1, atol=1e-3)
            corners = mesh.vertices[mesh.triangles].astype(float)
            facing = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
            assert (np.sum(facing * mesh.normals[mesh.triangles].sum(axis=1), axis=1) > -1e-9).all()
        low, high = asset.bounds
        for hull in asset.hulls:
            assert (hull.min(axis=0) >= low - 0.07).all()
            assert (hull.max(axis=0) <= high + 0.15).all()


@pytest.mark.parametrize("kind", ["table", "chair", "sofa", "bed", "bookshelf", "parked_car", "desk"])
def test_instances_of_furniture_differ(kind: str) -> None:
    looks = set()
    for instance in range(8):
        parts = make_furniture(kind, instance).asset.parts
        digest = hashlib.sha256()
        for part in parts:
            digest.update(part.mesh.vertices.tobytes() + part.texture.image.tobytes())
        looks.add(digest.hexdigest())
    assert len(looks) >= 7


@pytest.mark.parametrize(
    ("kind", "axis", "low", "high"),
    [("table", 2, 0.7, 0.78), ("door", 2, 2.0, 2.3), ("bed", 1, 2.0, 2.25), ("parked_car", 1, 3.6, 4.7)],
)
def test_furniture_has_its_real_size(kind: str, axis: int, low: float, high: float) -> None:
    for instance in range(8):
        bounds = make_furniture(kind, instance).asset.bounds
        assert low <= bounds[1, axis] - bounds[0, axis] <= high


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("type", SCENE_TYPES)
def test_scene_is_furnished_within_limits(type: str, seed: int) -> None:
    scene = scene_of(type, seed)
    things = [placement for placement in scene.placements if not placement.structure]
    assert 25 <= len(things) <= 200
    triangles = sum(len(part.mesh.triangles) for placement in scene.placements for part in placement.asset.parts)
    assert 2500 <= triangles <= 9000
    x0, y0, x1, y1 = scene.bounds
    assert all(placement.asset.mass == 0 for placement in scene.placements)
    for placement in things:
        low, _high = placement.asset.bounds
        x, y, z = placement.position
        assert np.isfinite(placement.position).all()
        assert np.linalg.norm(placement.quaternion) == pytest.approx(1)
        assert x0 - 1e-6 <= x <= x1 + 1e-6
        assert y0 - 1e-6 <= y <= y1 + 1e-6
        assert z + low[2] > -0.08
    for _, hull in placed_hulls(scene, False):
        assert (hull[:, :2].min(axis=0) > (x0 - 0.05, y0 - 0.05)).all()
        assert (hull[:, :2].max(axis=0) < (x1 + 0.05, y1 + 0.05)).all()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("type", SCENE_TYPES)
def test_furniture_does_not_interpenetrate(type: str, seed: int) -> None:
    scene = scene_of(type, seed)
    hulls = placed_hulls(scene, False)
    spans = np.array([[*hull.min(axis=0), *hull.max(axis=0)] for _, hull in hulls])
    for i, (first, a) in enumerate(hulls):
        near = ((spans[:, :3] < spans[i, 3:]) & (spans[i, :3] < spans[:, 3:])).all(axis=1)
        for k in np.flatnonzero(near):
            second, b = hulls[k]
            if second > first:
                names = [scene.placements[n].asset.category for n in (first, second)]
                assert penetration(a, b) < 0.12, names


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("type", SCENE_TYPES)
def test_a_body_can_roam_a_good_part(type: str, seed: int) -> None:
    free = free_floor(scene_of(type, seed))
    assert free.mean() > 0.14
    regions, count = ndimage.label(free)
    largest = np.bincount(regions.ravel())[1:].max() / free.sum()
    assert largest > 0.6, f"{count} regions"


@pytest.mark.parametrize("type", SCENE_TYPES)
def test_seeds_give_different_places(type: str) -> None:
    plans = {scene_of(type, seed).bounds for seed in SEEDS}
    assert len(plans) == len(SEEDS)


def test_types_differ_in_their_furniture() -> None:
    """A nearest centroid on counts of furniture alone, small objects left out, tells the types apart."""
    kinds = {kind: k for k, kind in enumerate(FURNITURE)}

    def counts(type: str, seed: int) -> np.ndarray:
        found = Counter(p.asset.category for p in scene_of(type, seed).placements if not p.structure)
        vector = np.zeros(len(kinds))
        for name, count in found.items():
            if name in kinds:
                vector[kinds[name]] = np.sqrt(count)
        return vector

    centroids = np.array([np.mean([counts(type, seed) for seed in (0, 1)], axis=0) for type in SCENE_TYPES])
    right = 0
    for k, type in enumerate(SCENE_TYPES):
        distance = np.linalg.norm(centroids - counts(type, 2), axis=1)
        right += int(np.argmin(distance) == k)
    assert right >= len(SCENE_TYPES) - 1


def test_floors_and_walls_are_shared_over_types() -> None:
    """No texture of a building gives its type away: each indoor floor appears in several types."""
    owners: dict[int, set[str]] = {}
    for type in SCENE_TYPES:
        for seed in SEEDS:
            for placement in scene_of(type, seed).placements:
                if placement.structure and placement.asset.category == "wall":
                    owners.setdefault(id(placement.asset.parts[0].texture), set()).add(type)
    assert max(len(types) for types in owners.values()) >= 3


def test_names_of_furniture_and_objects_do_not_collide() -> None:
    assert not set(FURNITURE) & set(CATEGORIES)


def digest_of(type: str, seed: int) -> str:
    digest = hashlib.sha256()
    scene = make_scene(type, np.random.default_rng(seed), (0, 2))
    digest.update(np.array([*scene.bounds, *scene.light.direction, *scene.light.sun]).tobytes())
    for placement in scene.placements:
        digest.update(np.array([*placement.position, *placement.quaternion]).tobytes())
        digest.update(placement.asset.category.encode())
        for part in placement.asset.parts:
            digest.update(part.mesh.vertices.tobytes() + part.mesh.uv.tobytes() + part.texture.image.tobytes())
    return digest.hexdigest()


def test_the_same_seed_gives_the_same_bytes_in_another_process() -> None:
    here = [digest_of("office", 5), digest_of("street", 6)]
    code = "from test_scenes import digest_of; print(digest_of('street', 6)); print(digest_of('office', 5))"
    there = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=__file__.rsplit("/", 1)[0]
    ).stdout.split()
    assert there[::-1] == here
    assert digest_of("office", 7) != here[0]


def test_what_has_no_scene_is_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="kitchen"):
        make_scene("kichen", rng)
    with pytest.raises(ValueError, match="range"):
        make_scene("kitchen", rng, (3, 3))
    with pytest.raises(ValueError, match="armchair"):
        make_furniture("armchai", 0)
    with pytest.raises(ValueError, match="0 or more"):
        make_furniture("chair", -1)
