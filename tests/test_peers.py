"""Losses and targets against lightly's, where it is installed; closed forms of the same are in the tests beside."""

import warnings

import pytest
import torch

from embodied_ssl.method import Step
from embodied_ssl.methods import make_method
from embodied_ssl.methods.lejepa import sigreg
from embodied_ssl.parts.losses import distillation, nt_xent, sinkhorn
from embodied_ssl.parts.positives import Positives

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    loss = pytest.importorskip("lightly.loss")
    lejepa = pytest.importorskip("lightly.loss.lejepa_loss")
    utils = pytest.importorskip("lightly.models.utils")


def drawn(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def test_nt_xent_is_lightlys():
    first, second = drawn(2, 9, 16)
    expected = loss.NTXentLoss(temperature=0.3)(first, second)
    torch.testing.assert_close(nt_xent(first, second, 0.3), expected)


def test_losses_of_two_views_are_lightlys():
    first, second = drawn(2, 9, 16)
    criteria = {"barlow_twins": loss.BarlowTwinsLoss(), "vicreg": loss.VICRegLoss()}
    for name, criterion in criteria.items():
        method = codes_given(make_method(name, "conv4", 32, dim=16), first, second)
        torch.testing.assert_close(
            method.loss(Step(0.5, torch.Generator()))["loss"], criterion(first, second), rtol=1e-4, atol=1e-4
        )


def test_swavs_loss_is_lightlys():
    similarity = drawn(4, 7, 12).clamp(-1, 1)
    assigned = torch.stack([sinkhorn(each / 0.05) for each in similarity[:2]])
    expected = loss.SwaVLoss()(list(similarity[:2]), list(similarity[2:]))
    torch.testing.assert_close(distillation(assigned, similarity / 0.1), expected[0])


def test_lejepas_terms_are_lightlys(monkeypatch):
    directions = torch.nn.functional.normalize(drawn(16, 30), dim=0)
    criterion = lejepa.SIGReg()
    monkeypatch.setattr(criterion, "_generate_unit_vectors", lambda *_: directions)
    torch.testing.assert_close(sigreg(drawn(4, 9, 16), directions), criterion(drawn(4, 9, 16)))


def test_ibots_patch_loss_is_lightlys():
    criterion = loss.IBOTPatchLoss(output_dim=12, teacher_temp=0.05, student_temp=0.1)
    teacher, student = drawn(6, 12), drawn(9, 12)[3:]
    masked = torch.tensor([[[True, True], [False, True]], [[True, False], [True, True]]])  # as many of each image
    expected = criterion(teacher, student, masked)
    assigned = (teacher / 0.05).softmax(1)
    torch.testing.assert_close(torch.nn.functional.cross_entropy(student / 0.1, assigned), expected)


def codes_given(method, first, second):
    """The method with these codes of its two views."""
    nothing = torch.zeros(9, 0)
    method.positives = lambda *_: Positives(first, second, nothing, nothing, nothing)
    method.encoder = torch.nn.Identity()
    for head in ("projection", "expander"):
        if hasattr(method, head):
            setattr(method, head, torch.nn.Identity())
    return method


def test_dinos_loss_and_centre_are_lightlys():
    criterion = loss.DINOLoss(output_dim=12, teacher_temp=0.05, student_temp=0.1, center_momentum=0.9)
    teacher, student = drawn(2, 7, 12), drawn(5, 7, 12)
    for _ in range(2):  # the second time about a centre
        centre = criterion.center.flatten().clone()
        expected = criterion(list(teacher), list(student))
        torch.testing.assert_close(distillation(((teacher - centre) / 0.05).softmax(2), student / 0.1), expected)
    torch.testing.assert_close(criterion.center.flatten(), centre.lerp(teacher.mean((0, 1)), 0.1))


def test_maes_targets_are_lightlys():
    images = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    expected = utils.normalize_mean_var(utils.patchify(images, 4))
    ours = make_method("mae", None, 32).targets(images)  # by channel, row, column; theirs by row, column, channel
    torch.testing.assert_close(ours.unflatten(2, (3, 16)).transpose(2, 3).flatten(2), expected, rtol=1e-4, atol=1e-4)
