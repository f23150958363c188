"""Mixup and cutmix: what is seen of two images is what the target says of their classes."""

import pytest
import torch

from embodied_ssl.parts.mixing import mixed


def batch(count):
    """Images of one brightness each, i / count, and their classes, i."""
    brightness = torch.arange(count) / count
    return brightness[:, None, None, None].expand(count, 3, 16, 16).clone(), torch.eye(count)


@pytest.mark.parametrize(("mixup", "cutmix"), [(0.8, 0.0), (0.0, 1.0), (0.8, 1.0)])
def test_the_mean_of_a_mixed_image_is_that_of_its_target(mixup, cutmix):
    images, target = batch(40)
    found, wanted = mixed(images, target, torch.Generator().manual_seed(0), mixup, cutmix)
    torch.testing.assert_close(wanted.sum(1), torch.ones(40))
    torch.testing.assert_close(found.mean((1, 2, 3)), wanted @ (torch.arange(40) / 40))
    assert ((wanted > 0).sum(1) <= 2).all()
    assert (wanted.diagonal() < 0.99).any()


def test_mixup_fades_and_cutmix_cuts():
    images, target = batch(40)
    faded, _ = mixed(images, target, torch.Generator().manual_seed(0), 0.8, 0.0)
    assert (faded == faded[..., :1, :1]).all()
    cut, _ = mixed(images, target, torch.Generator().manual_seed(0), 0.0, 1.0)
    assert ((cut == images) | (cut == images.flip(0))).all()


def test_shares_have_the_spread_of_a_beta_distribution():
    """Beta(α, α) has a variance of 1 / (4 (2 α + 1))."""
    images, target = torch.zeros(20_000, 1, 2, 2), torch.tensor([[1.0, 0.0]]).repeat(20_000, 1)
    target[10_000:] = torch.tensor([0.0, 1.0])
    _, wanted = mixed(images, target, torch.Generator().manual_seed(0), 0.8, 0.0)
    share = wanted[:10_000, 0]
    assert share.mean().item() == pytest.approx(0.5, abs=0.02)
    assert share.var().item() == pytest.approx(1 / (4 * 2.6), rel=0.05)
