"""Views against torchvision and SciPy, and against what they must leave alone."""

import math

import cv2
import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as torchvision

from embodied_ssl.parts.augmentation import (
    Augmentation,
    augment,
    blur_,
    color_jitter,
    frame_pair,
    grayscale_,
    solarize_,
)
from embodied_ssl.parts.views import (
    crop_at,
    random_resized_crop,
    random_resolution,
    random_square,
    to_float,
    windows_at,
)


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def pictures(count=4, size=40, low=0, high=256):
    numbers = np.random.default_rng(0).integers(low, high, (count, 3, size, size), dtype=np.uint8)
    return torch.from_numpy(numbers)


def smooth(count=4, size=40, low=80, high=150):
    """Images without fine detail, so that two ways of sampling them agree."""
    coarse = pictures(count, 5, low, high).float()
    return torch.nn.functional.interpolate(coarse, (size, size), mode="bicubic").clamp(0, 255).byte()


def coordinates(count, size):
    """Images whose red is the column and whose green is the row: a crop of them tells where it was taken."""
    rows, columns = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    return torch.stack([columns, rows, torch.zeros_like(rows)]).byte().expand(count, 3, size, size)


@pytest.mark.parametrize("size", [40, 24, 64])
def test_a_picture_is_resized_as_torchvision_does(size):
    images = pictures()
    expected = torchvision.resize(images.float() / 255, [size, size], antialias=True)
    torch.testing.assert_close(to_float(images, size), expected.clamp(0, 1), rtol=0, atol=1e-5)


def test_an_upright_crop_is_a_window_of_the_picture():
    images = pictures()
    pixel = torch.tensor([[10.0, 20.0], [5.0, 5.0], [30.0, 8.0], [0.0, 39.0]])
    crops = crop_at(images, pixel, side=7, size=7) * 255
    padded = torch.nn.functional.pad(images.float(), (3, 3, 3, 3), mode="replicate")  # beyond it, its border goes on
    for crop, picture, (u, v) in zip(crops, padded, pixel.int().tolist(), strict=True):
        torch.testing.assert_close(crop, picture[:, v : v + 7, u : u + 7], rtol=0, atol=1e-3)


@pytest.mark.parametrize("degrees", [0.0, 30.0, 90.0, -135.0])
def test_a_turned_crop_is_the_turned_picture(degrees):
    """Turning the window by an angle from u towards v turns what is in it against the clock, as torchvision does."""
    images = smooth(size=41)
    angle = torch.full((4,), math.radians(degrees))
    crops = crop_at(images, torch.full((4, 2), 20.0), side=21, size=21, angle=angle)
    turned = torchvision.rotate(images.float() / 255, degrees, InterpolationMode.BILINEAR)
    torch.testing.assert_close(crops, turned[..., 10:31, 10:31], rtol=0, atol=2e-3)


def test_every_crop_has_a_place_shape_and_side_of_its_own_within_its_range():
    size, count = 16, 400
    crops = random_resized_crop(coordinates(count, 200), rng(), size, scale=(0.2, 0.5)) * 255
    column, row = crops[:, 0, 8], crops[:, 1, :, 8]  # [B, size] along a line through the middle
    wide = (column[:, -2] - column[:, 1]) * size / (size - 3)
    tall = (row[:, -2] - row[:, 1]) * size / (size - 3)
    area, ratio = wide.abs() * tall / 200**2, wide.abs() / tall
    assert 0.199 < area.min() < 0.21
    assert 0.49 < area.max() < 0.501
    assert area.mean() == pytest.approx(0.35, abs=0.015)
    assert 0.749 < ratio.min() < 0.77
    assert 1.3 < ratio.max() < 1.334
    assert (wide < 0).float().mean() == pytest.approx(0.5, abs=0.1)  # mirrored
    assert len(np.unique(column[:, 8].numpy())) > count / 2


def test_a_crop_is_the_picture_at_the_places_that_it_was_taken_from():
    """The same crops of coordinates tell the place of every sample; SciPy interpolates the image there."""
    images = smooth(8, 64)
    place = random_resized_crop(coordinates(8, 64), rng(3), 32, (0.1, 0.18)) * 255
    crops = random_resized_crop(images, rng(3), 32, (0.1, 0.18)) * 255
    for crop, picture, (column, row, _) in zip(crops.numpy(), images.numpy(), place.numpy(), strict=True):
        expected = [map_coordinates(channel.astype("f4"), [row, column], order=1) for channel in picture]
        np.testing.assert_allclose(crop, expected, atol=0.05)


def test_a_square_is_square_inside_and_alike_along_both_axes():
    wide = coordinates(300, 200)[:, :, :120]
    squares = random_square(wide, rng(), 20, (0.25, 1.0)) * 255
    column, row = squares[:, 0, 10], squares[:, 1, :, 10]
    sides = [(line[:, -2] - line[:, 1]) * 20 / 17 for line in (column, row)]
    torch.testing.assert_close(sides[0].abs(), sides[1], rtol=0.02, atol=0.2)
    assert 0.25 <= (sides[1].min() / 120) ** 2 < 0.3
    assert 0.95 < (sides[1].max() / 120) ** 2 <= 1.01
    assert (sides[0] < 0).float().mean() == pytest.approx(0.5, abs=0.1)  # mirrored
    assert column.min() > -0.01
    assert column.max() < 199.01


def test_windows_are_the_crops_at_their_places():
    images, places = pictures(), torch.rand(4, 5, 2, generator=rng()) * 40
    side = torch.tensor([7.0, 9.0, 12.0, 5.0])
    windows = windows_at(images, places, side, 9)
    for number in range(5):
        for picture in range(4):
            one = slice(picture, picture + 1)
            expected = crop_at(images[one], places[one, number] - 0.5, float(side[picture]), 9)
            torch.testing.assert_close(windows[one, number], expected, rtol=0, atol=1e-4)
    shift = torch.zeros(4, 3, 5, 2)
    shift[:, 1] = 2.0
    shifted = windows_at(images, places, side, 9, shift)
    torch.testing.assert_close(shifted[:, :, 0], windows[:, :, 0], rtol=0, atol=1e-5)
    torch.testing.assert_close(shifted[:, :, 1], windows_at(images, places + 2, side, 9)[:, :, 1], rtol=0, atol=1e-5)


def test_a_window_that_shrinks_is_averaged_as_torchvision_does_whatever_else_is_in_the_batch():
    images, side = pictures(), torch.tensor([40.0, 40.0, 10.0, 24.0])
    whole = torch.full((4, 1, 2), 20.0)
    windows = windows_at(images, whole, side, 16)[:, 0]
    for window, picture, extent in zip(windows, images / 255, (40, 40, 10, 24), strict=True):
        inside = slice(20 - extent // 2, 20 + extent // 2)
        expected = torchvision.resize(picture[:, inside, inside], [16, 16], antialias=True)
        apart = slice(2, -2)  # the ends of a window look beyond it, where torchvision has nothing
        torch.testing.assert_close(window[:, apart, apart], expected[:, apart, apart], rtol=0, atol=1e-5)


def test_a_lower_resolution_is_that_of_opencv():
    images = to_float(pictures(size=32))
    coarse = random_resolution(images, rng(), (8,), 1.0)
    for picture, got in zip(images, coarse, strict=True):
        small = cv2.resize(picture.movedim(0, -1).numpy(), (8, 8), interpolation=cv2.INTER_AREA)
        expected = cv2.resize(small, (32, 32), interpolation=cv2.INTER_LINEAR)
        np.testing.assert_allclose(got.movedim(0, -1), expected, atol=1e-3)


@pytest.mark.parametrize(
    ("which", "peer"),
    [
        (0, torchvision.adjust_brightness),
        (1, torchvision.adjust_contrast),
        (2, torchvision.adjust_saturation),
    ],
)
def test_a_colour_is_changed_by_torchvisions_formula_with_a_factor_for_each_sample(which, peer):
    images = to_float(smooth(6))
    strengths = [0.0, 0.0, 0.0, 0.0]
    strengths[which] = 0.3
    factors = []
    for picture, changed in zip(images, color_jitter(images, rng(), *strengths), strict=True):
        none, whole = peer(picture, 1.0), peer(picture, 1.25)
        slope = (whole - none) / 0.25  # all three are linear in their factor as long as nothing is clamped
        factor = float(((changed - picture) * slope).sum() / slope.square().sum()) + 1
        torch.testing.assert_close(changed, peer(picture, factor), rtol=0, atol=1e-3)
        factors.append(factor)
    assert 0.699 < min(factors) < max(factors) < 1.301
    assert len({round(factor, 4) for factor in factors}) == 6


def test_a_turn_of_hue_leaves_brightness_and_grey_alone():
    images = to_float(smooth(6, low=110, high=140))
    turned = color_jitter(images, rng(), 0.0, 0.0, 0.0, 0.5)
    assert (turned - images).abs().amax(dim=(1, 2, 3)).min() > 0.005
    brightness = torchvision.rgb_to_grayscale
    torch.testing.assert_close(brightness(turned), brightness(images), rtol=0, atol=1e-3)
    grey = torchvision.rgb_to_grayscale(images, 3)
    torch.testing.assert_close(color_jitter(grey, rng(), 0.0, 0.0, 0.0, 0.5), grey, rtol=0, atol=1e-3)


def test_grey_and_blur_are_those_of_torchvision():
    images = to_float(pictures())
    grey = torchvision.rgb_to_grayscale(images, 3)
    torch.testing.assert_close(grayscale_(images.clone(), rng(), 1.0), grey, rtol=0, atol=1e-3)
    blurred = torchvision.gaussian_blur(images, [7, 7], [1.3, 1.3])
    torch.testing.assert_close(blur_(images, rng(), (1.3, 1.3), 7, 1.0), blurred, rtol=0, atol=1e-5)


def test_what_is_solarised_is_torchvisions():
    images = to_float(pictures())
    expected = torchvision.solarize(images, 0.5)
    torch.testing.assert_close(solarize_(images, rng(), 1.0), expected)


def test_views_without_colours_and_blur_are_crops():
    views = augment(pictures(), rng(5), 24, Augmentation((0.2, 1.0), strength=0, grey=0, blurred=0))
    torch.testing.assert_close(views, random_resized_crop(pictures(), rng(5), 24, (0.2, 1.0)), rtol=0, atol=0)


@pytest.mark.parametrize(
    "view",
    [
        lambda images, rng, p: color_jitter(images, rng, 0.4, 0.4, 0.4, 0.1, p),
        lambda images, rng, p: grayscale_(images, rng, p),
        lambda images, rng, p: solarize_(images, rng, p),
        lambda images, rng, p: blur_(images, rng, (0.5, 2.0), 5, p),
        lambda images, rng, p: random_resolution(images, rng, (2, 4), p),
    ],
)
def test_a_view_changes_the_share_of_samples_that_it_should(view):
    images = to_float(pictures(300, 8))
    changed = ((view(images.clone(), rng(), 0.3) - images).abs().amax(dim=(1, 2, 3)) > 1e-5).float().mean()
    assert changed == pytest.approx(0.3, abs=0.08)
    torch.testing.assert_close(view(images.clone(), rng(), 0.0), images, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "view",
    [
        lambda rng: random_resized_crop(pictures(), rng, 24),
        lambda rng: color_jitter(to_float(pictures()), rng, 0.4, 0.4, 0.4, 0.1, 0.8),
        lambda rng: blur_(to_float(pictures()), rng, (0.1, 2.0), 5, 0.5),
        lambda rng: augment(pictures(), rng, 24),
        lambda rng: random_square(pictures(), rng, 24),
        lambda rng: random_resolution(to_float(pictures()), rng, (4, 8), 0.5),
        lambda rng: frame_pair(pictures(), pictures(), 24, rng, 0.4),
    ],
)
def test_a_view_is_a_function_of_the_generator_that_is_passed_in(view):
    before = torch.get_rng_state()
    torch.testing.assert_close(view(rng(5)), view(rng(5)), rtol=0, atol=0)
    assert not torch.equal(view(rng(5)), view(rng(6)))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    "make",
    [
        lambda images: to_float(images),
        lambda images: crop_at(images, torch.full((len(images), 2), 9.0), 8, 8),
        lambda images: random_resized_crop(images, rng(), 8),
        lambda images: random_square(images, rng(), 8),
        lambda images: augment(images, rng(), 8),
    ],
)
def test_floats_are_not_taken_for_bytes(make):
    """Divided by 255 a second time they would be black, which nothing else would notice."""
    assert make(pictures()).max() > 0.2
    with pytest.raises(TypeError, match=r"uint8 images, not of torch\.float32"):
        make(pictures().float() / 255)
