"""Textures: they tile, vary, repeat, and tell materials apart by pattern rather than by colour."""

import subprocess
import sys
from itertools import pairwise

import cv2
import numpy as np
import pytest

from embodied_ssl.envs.world.assets import Texture
from embodied_ssl.envs.world.materials import MATERIALS, OBJECT_MATERIALS
from embodied_ssl.envs.world.textures.families import FAMILIES, image_textures, texture
from embodied_ssl.envs.world.textures.patterns import blocks, cells, noise

PICTURES = {"books", "book_cover", "page", "painting", "screen", "chalkboard", "cardboard", "plastic_print", "dial"}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_gives_distinct_variants(family):
    variants = [texture(family, variant).image for variant in range(4)]
    assert all(image.shape == (128, 128, 3) and image.dtype == np.uint8 for image in variants)
    for other in variants[1:]:
        assert np.abs(other.astype(float) - variants[0]).mean() > 2
    assert variants[0].std() > 0.5, "a texture is not one flat colour"


@pytest.mark.parametrize("family", sorted(set(FAMILIES) - PICTURES))
def test_the_border_is_no_rougher_than_the_inside(family):
    """The step across the border, against the strongest of the steps inside: joints may lie on the border."""
    for variant in range(5):
        image = texture(family, variant).image.astype(float)
        for axis in (0, 1):
            inside = np.abs(np.diff(image, axis=axis)).mean(axis=(1 - axis, 2))
            border = np.abs(np.take(image, 0, axis) - np.take(image, -1, axis)).mean()
            assert border <= 1.6 * inside.max() + 1, f"variant {variant}, axis {axis}"


@pytest.mark.parametrize("columns", [1, 3, 8, 100])
def test_noise_and_cells_are_periodic(columns):
    """Rolling by whole texels must leave no trace of where the border was."""
    fine = noise(np.random.default_rng(1), 512, columns)
    bend = np.abs(np.diff(np.concatenate([fine, fine[:, :2]], axis=1), 2, axis=1))
    assert bend[:, -2:].max() <= bend[:, :-2].max() + 1e-5
    near, _, owner = cells(np.random.default_rng(1), 256, max(3, columns), jitter=0.9)
    assert np.abs(near[:, 0] - near[:, -1]).max() <= max(3, columns) / 256 + 1e-5
    assert owner.max() < max(3, columns) ** 2


def test_noise_has_unit_variance():
    assert np.mean([noise(np.random.default_rng(k), 128, 20).std() for k in range(20)]) == pytest.approx(1, abs=0.05)


def test_blocks_number_each_block_once_and_measure_their_border():
    layout = blocks(64, 2, 4, 0.5)
    assert sorted(np.unique(layout.number)) == list(range(8))
    counts = np.bincount(layout.number.ravel())
    assert (counts == 64 * 64 // 8).all()
    assert layout.edge.max() == pytest.approx(1 / 8, abs=1 / 64)


def test_the_same_arguments_give_the_identical_texture():
    assert texture("brick", 3) is texture("brick", 3)
    assert texture("brick", 3) is not texture("brick", 4)


def test_another_resolution_shows_the_same_pattern():
    for family in ("brick", "fur_spots", "glaze_motifs", "hammered"):
        fine, coarse = texture(family, 2, 128).image, texture(family, 2, 64).image
        shrunk = cv2.resize(fine, (64, 64), interpolation=cv2.INTER_AREA).astype(float)
        agreement = np.corrcoef(shrunk.ravel(), coarse.ravel().astype(float))[0, 1]
        assert agreement > 0.85, family


def test_textures_repeat_in_another_process():
    program = (
        "import hashlib; from embodied_ssl.envs.world.textures.families import FAMILIES, texture;"
        "print(hashlib.sha256(b''.join(texture(f, 7).image.tobytes() for f in FAMILIES)).hexdigest())"
    )
    digests = {
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    }
    assert len(digests) == 1


def _pattern(image: np.ndarray) -> np.ndarray:
    """What is left of a texture without its colours: how its contrast spreads over frequency and direction."""
    gray = image.astype(float).mean(axis=2)
    contrast = gray.std() / gray.mean()
    spectrum = np.abs(np.fft.fft2((gray - gray.mean()) / (gray.std() + 1e-6))) ** 2
    frequency = np.fft.fftfreq(len(gray)) * len(gray)
    radius = np.hypot(frequency[:, None], frequency[None])
    upright = np.abs(frequency[:, None]) > np.abs(frequency[None])
    bands = [1, 2, 4, 8, 12, 16, 24, 32, 48, 64]
    rings = [(radius >= low) & (radius < high) for low, high in pairwise(bands)]
    energy = [spectrum[ring & side].sum() for ring in rings for side in (upright, ~upright)]
    return np.append(np.log(np.array(energy) / spectrum.sum() + 1e-4), 2 * np.log(contrast + 1e-3))


def _share_recognised(features: np.ndarray, labels: np.ndarray) -> float:
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    distance = np.linalg.norm(features[:, None] - features[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    return float((labels[distance.argmin(axis=1)] == labels).mean())


def test_the_pattern_tells_the_material_and_the_colour_does_not():
    images, labels = [], []
    for name in OBJECT_MATERIALS:
        for family in MATERIALS[name].textures:
            images += [texture(family, variant).image for variant in range(12)]
            labels += [name] * 12
    labels = np.array(labels)
    by_pattern = _share_recognised(np.array([_pattern(image) for image in images]), labels)
    by_color = _share_recognised(np.array([image.mean(axis=(0, 1)) for image in images]), labels)
    assert by_pattern > 0.8
    assert by_color < 0.4


def test_materials_wear_known_families_and_objects_share_none():
    for material in MATERIALS.values():
        assert material.textures
        assert set(material.textures) <= set(FAMILIES)
    worn = [family for name in OBJECT_MATERIALS for family in MATERIALS[name].textures]
    assert len(worn) == len(set(worn))


def test_materials_differ_clearly_in_stiffness():
    stiffness = np.sort([MATERIALS[name].stiffness for name in OBJECT_MATERIALS])
    assert (stiffness[1:] / stiffness[:-1] >= 2).all()


def test_unknown_names_are_refused_with_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'brick'"):
        texture("brik", 0)
    with pytest.raises(ValueError, match=r"there are .*marble"):
        texture("???", 0)
    with pytest.raises(ValueError, match="0 or more"):
        texture("brick", -1)
    with pytest.raises(ValueError, match="power of two"):
        texture("brick", 0, 100)


def test_a_folder_of_pictures_is_a_family(tmp_path):
    image = np.zeros((40, 60, 3), np.uint8)
    image[:20] = (0, 0, 255)  # the top half red, as OpenCV writes it
    assert cv2.imwrite(str(tmp_path / "b.png"), image)
    assert cv2.imwrite(str(tmp_path / "a.jpg"), np.full((8, 8, 3), 200, np.uint8))
    (tmp_path / "notes.txt").write_text("not an image")
    first, second = image_textures(tmp_path, 32)
    assert isinstance(first, Texture)
    assert first.image.shape == (32, 32, 3)
    assert (second.image[-1] == (255, 0, 0)).all(), "the picture's top is at v = 1"
    assert (second.image[0] == 0).all()


def test_bad_folders_of_pictures_are_named(tmp_path):
    with pytest.raises(ValueError, match="nowhere is not a folder"):
        image_textures(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="holds no image"):
        image_textures(tmp_path)
    (tmp_path / "broken.png").write_bytes(b"\x89PNG nonsense")
    with pytest.raises(ValueError, match=r"broken\.png"):
        image_textures(tmp_path, 64)
