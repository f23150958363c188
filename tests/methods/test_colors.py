"""Colours against OpenCV and closed forms; classes of colours against plain re-derivations."""

import cv2
import numpy as np
import pytest
import torch

from embodied_ssl.encoders import make_encoder, split_colors
from embodied_ssl.methods.colorization import class_weights
from embodied_ssl.parts.colors import (
    annealed_mean,
    color_classes,
    lab_to_rgb,
    rgb_to_lab,
    soft_classes,
    soft_cross_entropy,
)


def colors(count=500, seed=0):
    """sRGB colours with the corners of the cube among them, float [1, 3, N]."""
    corners = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 3)
    drawn = torch.rand(count, 3, generator=torch.Generator().manual_seed(seed))
    return torch.cat([corners, drawn, drawn / 30]).T[None]


def test_lab_is_that_of_opencv():
    rgb = colors()
    expected = cv2.cvtColor(rgb[0].T[None].numpy().copy(), cv2.COLOR_RGB2LAB)[0]
    np.testing.assert_allclose(rgb_to_lab(rgb)[0].T.numpy(), expected, atol=0.35)  # it looks gamma up in a table


def test_lab_is_the_formula_of_the_cie():
    rgb = colors(100)
    got = rgb_to_lab(rgb)[0].T.tolist()
    for color, lab in zip(rgb[0].T.double().numpy(), got, strict=True):
        r, g, b = (((c + 0.055) / 1.055) ** 2.4 if c > 0.04045 else c / 12.92 for c in color)
        x = (0.412453 * r + 0.357580 * g + 0.180423 * b) / 0.950456
        y = 0.212671 * r + 0.715160 * g + 0.072169 * b
        z = (0.019334 * r + 0.119193 * g + 0.950227 * b) / 1.088754
        x, y, z = (t ** (1 / 3) if t > 216 / 24389 else (24389 / 27 * t + 16) / 116 for t in (x, y, z))
        np.testing.assert_allclose(lab, [116 * y - 16, 500 * (x - y), 200 * (y - z)], atol=2e-3)


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [
        ((1, 1, 1), (100, 0, 0)),
        ((1, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 1, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 1), (32.30, 79.19, -107.86)),
        ((0, 0, 0), (0, 0, 0)),
    ],
)
def test_lab_of_the_primaries_is_that_of_the_tables(rgb, lab):
    got = rgb_to_lab(torch.tensor(rgb, dtype=torch.float32)[None, :, None])
    np.testing.assert_allclose(got.flatten(), lab, atol=0.05)


def test_colours_come_back():
    torch.testing.assert_close(lab_to_rgb(rgb_to_lab(colors())), colors(), atol=1e-4, rtol=0)


def test_every_colour_lies_in_a_class():
    classes = torch.from_numpy(color_classes())
    assert len(classes) == 261
    ab = rgb_to_lab(colors(5000))[0, 1:].T
    assert (ab[:, None] - classes).abs().amax(2).amin(1).max() <= 5.01
    used = (rgb_to_lab(torch.rand(1, 3, 400_000))[0, 1:].T / 10).round().unique(dim=0)
    assert len(used) > 0.9 * len(classes)  # and hardly a class is empty


def test_a_colour_is_spread_over_its_five_nearest_classes():
    classes = torch.from_numpy(color_classes())
    ab = torch.tensor([[3.2, -7.4], [50.7, 21.9]])
    weights, nearest = soft_classes(ab)
    for color, w, n in zip(ab.numpy(), weights.numpy(), nearest.numpy(), strict=True):
        distance = np.linalg.norm(classes.numpy() - color, axis=1)
        order = np.argsort(distance)[:5]
        assert set(n) == set(order)
        density = np.exp(-(distance[n] ** 2) / 50)
        np.testing.assert_allclose(w, density / density.sum(), rtol=1e-4)


@pytest.mark.parametrize("step", [10.0, 20.0])
def test_the_five_nearest_are_those_of_a_search_over_all(step):
    classes = torch.from_numpy(color_classes(step))
    pure = rgb_to_lab(colors(4000))[0, 1:].T
    mixed = (pure + pure[torch.randperm(len(pure), generator=torch.Generator().manual_seed(0))]) / 2  # as in a cell
    ab = torch.cat([pure, mixed])
    _, nearest = soft_classes(ab, step)
    distance = torch.cdist(ab, classes, compute_mode="donot_use_mm_for_euclid_dist").topk(5, largest=False).values
    torch.testing.assert_close((ab[:, None] - classes[nearest]).norm(dim=2), distance, atol=1e-3, rtol=1e-4)


def test_the_annealed_mean_goes_from_the_mean_to_the_mode():
    classes = torch.from_numpy(color_classes())
    logits = torch.randn(1, len(classes), 2, 2, generator=torch.Generator().manual_seed(0))
    mean = torch.einsum("bqhw,qc->bchw", logits.softmax(1), classes)
    torch.testing.assert_close(annealed_mean(logits, classes, 1.0), mean)
    mode = classes[logits.argmax(1)].permute(0, 3, 1, 2)
    torch.testing.assert_close(annealed_mean(logits, classes, 1e-3), mode, atol=0.1, rtol=0)


def test_the_loss_is_the_weighted_cross_entropy_of_dense_targets():
    rng = torch.Generator().manual_seed(0)
    classes = torch.from_numpy(color_classes(20.0))
    logits = torch.randn(2, len(classes), 3, 3, generator=rng)
    ab = torch.randn(2, 2, 3, 3, generator=rng) * 30
    weights = torch.rand(len(classes), generator=rng)
    got, accuracy = soft_cross_entropy(logits, ab, 20.0, weights)
    losses, hits = [], []
    for b in range(2):
        for v in range(3):
            for u in range(3):
                weight, nearest = soft_classes(ab[b, :, v, u][None], 20.0)
                dense = torch.zeros(len(classes)).scatter(0, nearest[0], weight[0])
                entropy = -(dense * logits[b, :, v, u].log_softmax(0)).sum()
                losses.append(float(weights[nearest[0, 0]] * entropy))
                hits.append(int(logits[b, :, v, u].argmax()) == int(nearest[0, 0]))
    assert got.item() == pytest.approx(np.mean(losses), rel=1e-4)
    assert accuracy.item() == pytest.approx(np.mean(hits))


def test_rare_colours_weigh_more_and_the_mean_weight_is_one():
    frequency = torch.tensor([0.7, 0.2, 0.1])
    weights = class_weights(frequency, 0.5)
    assert (weights * frequency).sum().item() == pytest.approx(1)
    assert weights.tolist() == sorted(weights.tolist())
    ratio = (0.35 + 1 / 6) / (0.05 + 1 / 6)
    assert (weights[2] / weights[0]).item() == pytest.approx(ratio, rel=1e-5)
    torch.testing.assert_close(class_weights(frequency, 1.0), torch.ones(3))


def test_each_half_of_a_split_encoder_sees_its_own_half_of_the_colours():
    rng = torch.Generator().manual_seed(0)
    lab = torch.stack([torch.full((4, 32, 32), 50.0), *(torch.rand(2, 4, 32, 32, generator=rng) * 20 - 10)], 1)
    other_colors, other_lightness = lab.clone(), lab.clone()
    other_colors[:, 1:] *= -1
    other_lightness[:, 0] += 10
    one, two, three = (lab_to_rgb(each) for each in (lab, other_colors, other_lightness))
    encoder = make_encoder("split/conv4", 32).eval()
    with torch.no_grad():
        first, second, third = (encoder(each) for each in (one, two, three))
    half = encoder.dim // 2
    torch.testing.assert_close(first[:, :half], second[:, :half], atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(first[:, half:], third[:, half:], atol=1e-3, rtol=1e-2)
    assert (first[:, half:] - second[:, half:]).norm() > 0.1 * first[:, half:].norm()
    assert (first[:, :half] - third[:, :half]).norm() > 0.1 * first[:, :half].norm()
    seen = split_colors(rgb_to_lab(one))
    assert torch.equal(seen[0][:, 0], seen[0][:, 2])
