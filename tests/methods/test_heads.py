"""Heads: shapes, ranges, and that every weight learns."""

import pytest
import torch
from torch import nn

from embodied_ssl.parts.heads import Decoder, Tower, mlp


def every_weight_learns(head, *inputs):
    head(*inputs).square().mean().backward()
    return all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in head.parameters())


def test_a_perceptron_ends_in_a_linear_layer_with_a_bias():
    head = mlp((8, 16, 16, 3), dropout=0.5)
    assert [layer.out_features for layer in head if isinstance(layer, nn.Linear)] == [16, 16, 3]
    assert [layer.bias is None for layer in head if isinstance(layer, nn.Linear)] == [True, True, False]
    assert sum(isinstance(layer, nn.Dropout) for layer in head) == 2
    assert every_weight_learns(head.eval(), torch.randn(5, 8))
    assert isinstance(mlp((8, 3))[-1], nn.Linear)


@pytest.mark.parametrize("side", [1, 2, 5])
def test_a_tower_takes_maps_of_any_side(side):
    head = Tower(channels=6, outputs=4)
    maps = torch.randn(3, 6, side, side)
    assert head(maps).shape == (3, 4)
    assert every_weight_learns(head.eval(), maps)


@pytest.mark.parametrize("size", [8, 24, 32, 48, 64])
def test_a_decoder_draws_pictures_of_its_size(size):
    head = Decoder(dim=10, size=size)
    drawn = head(torch.randn(2, 10))
    assert drawn.shape == (2, 3, size, size)
    assert 0 <= drawn.min() < drawn.max() <= 1
    assert every_weight_learns(head.eval(), torch.randn(2, 10))
