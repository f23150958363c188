"""BYOL, SimSiam, Barlow Twins and VICReg: losses re-derived, where no gradient flows, and what keeps codes apart."""

import math

import numpy as np
import pytest
import torch

from embodied_ssl.datasets.read.batches import FramePairs, Frames
from embodied_ssl.method import Step
from embodied_ssl.methods import make_method
from embodied_ssl.methods.barlow_twins import cross_correlation
from embodied_ssl.parts.losses import covariance, spread, variance_hinge

SIZE, COUNT = 32, 12
NAMES = ("byol", "simsiam", "barlow_twins", "vicreg")
SMALL = {"byol": {"width": 32, "dim": 16}, "simsiam": {"width": 32}, "barlow_twins": {"dim": 16}, "vicreg": {"dim": 16}}


def pictures(seed):
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (COUNT, 3, 40, 40), dtype=np.uint8))


def frames():
    return Frames(pictures(0), torch.arange(COUNT))


def pairs():
    motion = torch.from_numpy(np.random.default_rng(2).normal(size=(COUNT, 2)).astype("f4"))
    return FramePairs(pictures(0), pictures(1), motion, torch.ones(COUNT, dtype=torch.int64), torch.ones(COUNT))


def step(progress=0.5):
    return Step(progress, torch.Generator().manual_seed(0))


def outputs_of(module):
    """What a module gives from now on, one entry for each call."""
    found = []
    module.register_forward_hook(lambda module, inputs, output: found.append(output.detach().double().numpy()))
    return found


def cosine(first, second):
    return (first * second).sum(1) / np.linalg.norm(first, axis=1) / np.linalg.norm(second, axis=1)


def test_byols_loss_is_equation_2_of_each_view_with_the_other():
    method = make_method("byol", "conv4", SIZE, **SMALL["byol"])
    predicted, targets = outputs_of(method.predictor), outputs_of(method.target_projection)
    found = method.loss(step(), frames())
    assert len(predicted) == len(targets) == 2
    first, second = targets[1], targets[0]  # of the first views, and of the second ones
    errors = [
        np.square(p / np.linalg.norm(p, axis=1)[:, None] - z / np.linalg.norm(z, axis=1)[:, None]).sum(1)
        for p, z in ((predicted[0], second), (predicted[1], first))
    ]
    assert found["loss"].item() == pytest.approx(np.mean(errors[0]) + np.mean(errors[1]), rel=1e-5)


def test_byols_target_gets_no_gradient_and_follows():
    method = make_method("byol", "conv4", SIZE, momentum=0.9, **SMALL["byol"])
    method.loss(step(), frames())["loss"].backward()
    targets = [*method.target_encoder.parameters(), *method.target_projection.parameters()]
    assert all(each.grad is None for each in targets)
    learned = [*method.encoder.parameters(), *method.projection.parameters(), *method.predictor.parameters()]
    assert all(each.grad is not None for each in learned)
    before = [each.clone() for each in targets]
    with torch.no_grad():
        for each in (*method.encoder.parameters(), *method.projection.parameters()):
            each.add_(1)
    method.after_step(step(0.25))
    share = 0.1 * (math.cos(math.pi * 0.25) + 1) / 2
    for each, old in zip(targets, before, strict=True):
        torch.testing.assert_close(each, old + share, rtol=1e-4, atol=1e-5)
    assert method.output_encoder is method.encoder


def test_simsiam_predicts_codes_that_are_held_still():
    """Loss and gradients are those of codes that are numbers instead of functions of the weights."""
    method = make_method("simsiam", "conv4", SIZE, **SMALL["simsiam"])
    codes, predicted = outputs_of(method.projection), outputs_of(method.predictor)
    found = method.loss(step(), frames())["loss"]
    expected = -(cosine(predicted[0], codes[1]).mean() + cosine(predicted[1], codes[0]).mean()) / 2
    assert found.item() == pytest.approx(expected, rel=1e-5)
    found.backward()
    got = {name: each.grad.clone() for name, each in method.named_parameters() if each.grad is not None}
    method.zero_grad()
    views = method.positives(step(), frames(), None, None)
    fixed = [torch.from_numpy(each).float() for each in codes[:2]]
    terms = [
        torch.cosine_similarity(method.predictor(method.projection(method.encoder(images))), code).mean()
        for images, code in zip((views.first, views.second), fixed[::-1], strict=True)
    ]
    (-(terms[0] + terms[1]) / 2).backward()
    for name, gradient in got.items():
        expected = method.get_parameter(name).grad
        assert (gradient - expected).norm() <= 1e-3 * expected.norm() + 1e-6, name


def drawn(seed, count=9, dim=5):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(count, dim)))


def test_correlations_and_covariances_are_numpys():
    first, second = drawn(0), drawn(1)
    both = np.corrcoef(first.numpy().T, second.numpy().T)
    np.testing.assert_allclose(cross_correlation(first, second), both[:5, 5:], atol=1e-4)
    matrix = np.cov(first.numpy().T)
    off = matrix[~np.eye(5, dtype=bool)]
    assert covariance(first).item() == pytest.approx(np.square(off).sum() / 5)
    lacking = np.maximum(0, 1 - np.sqrt(np.diag(matrix) + 1e-4)).mean()
    assert variance_hinge(first).item() == pytest.approx(lacking)


def test_barlow_twins_loss_is_equation_1():
    method = make_method("barlow_twins", "conv4", SIZE, redundancy_weight=0.1, **SMALL["barlow_twins"])
    codes = outputs_of(method.projection)
    found = method.loss(step(), frames())["loss"].item()
    matrix = np.corrcoef(codes[0].T, codes[1].T)[:16, 16:]
    own = np.eye(16, dtype=bool)
    expected = np.square(1 - matrix[own]).sum() + 0.1 * np.square(matrix[~own]).sum()
    assert found == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("weight", [0.0, 2.0])
def test_vicregs_loss_is_equation_6_and_the_error_of_the_motion(weight):
    views = {"source": "body"}
    method = make_method("vicreg", "conv4", SIZE, views=views, inverse_weight=weight, **SMALL["vicreg"])
    method.action_predictor.motion_mean.fill_(0.5)
    method.action_predictor.motion_std.fill_(2.0)
    codes = outputs_of(method.expander)
    answers = outputs_of(method.inverse) if weight else [np.zeros((COUNT, 2))]
    found = method.loss(step(), pairs=pairs())["loss"].item()
    expected = 25 * np.square(codes[0] - codes[1]).mean()
    for code in codes:
        matrix = np.cov(code.T)
        expected += 25 / 2 * np.maximum(0, 1 - np.sqrt(np.diag(matrix) + 1e-4)).mean()
        expected += np.square(matrix[~np.eye(16, dtype=bool)]).sum() / 16
    expected += weight * np.square(answers[0] - (pairs().motion.numpy() - 0.5) / 2).mean()
    assert found == pytest.approx(expected, rel=1e-3)


def test_codes_that_are_all_alike_cost_most():
    """What keeps Barlow Twins and VICReg from collapse: the loss of one code for all, in closed form."""
    alike = torch.ones(64, 8)
    assert cross_correlation(alike, alike).abs().max() < 1e-3  # each component then costs 1
    assert variance_hinge(alike).item() == pytest.approx(1 - 0.01)
    apart = drawn(3, 4096, 8).float()
    torch.testing.assert_close(cross_correlation(apart, apart), torch.eye(8), atol=0.06, rtol=0)
    assert variance_hinge(apart) + covariance(apart) < 0.03
    assert (spread(alike), spread(apart)) == (0, pytest.approx(1, abs=0.01))


@pytest.mark.parametrize("name", NAMES)
def test_the_body_gives_views_and_its_motion_moves_their_codes(name):
    method = make_method(name, "conv4", SIZE, views={"source": "body"}, **SMALL[name])
    method.loss(step(), pairs=pairs())["loss"].backward()
    assert method.action_predictor.change[-1].weight.grad.abs().sum() > 0
    unmoved = make_method(name, "conv4", SIZE, views={"source": "body", "condition": False}, **SMALL[name])
    unmoved.loss(step(), pairs=pairs())["loss"].backward()
    assert unmoved.action_predictor.change[-1].weight.grad is None
