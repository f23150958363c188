"""Losses and targets against lightly's, where it is installed; closed forms of the same are in the tests beside."""

import warnings

import pytest
import torch

from embodied_ssl.methods import make_method
from embodied_ssl.methods.dino import distillation
from embodied_ssl.parts.losses import nt_xent

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    loss = pytest.importorskip("lightly.loss")
    utils = pytest.importorskip("lightly.models.utils")


def drawn(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def test_nt_xent_is_lightlys():
    first, second = drawn(2, 9, 16)
    expected = loss.NTXentLoss(temperature=0.3)(first, second)
    torch.testing.assert_close(nt_xent(first, second, 0.3), expected)


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
