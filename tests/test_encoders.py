"""Encoders: one interface, whatever is inside."""

import pytest
import torch

from embodied_ssl.checkpoint import load_encoder
from embodied_ssl.datasets.collect import collect
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.encoders import ENCODERS, make_encoder, random_encoder
from embodied_ssl.methods import make_method
from embodied_ssl.train import train

OF_OTHERS = ["timm/resnet10t", "timm/vit_tiny_patch16_224", "torchvision/resnet18", "torchvision/mobilenet_v3_small"]


@pytest.mark.parametrize("name", [*ENCODERS, *OF_OTHERS])
def test_an_encoder_keeps_the_interface(name):
    encoder = random_encoder(name, 64, seed=3).eval()
    images = torch.rand(2, 3, 64, 64, requires_grad=True)
    stages = encoder.stages(images)
    assert {stage: maps.shape[1] for stage, maps in stages.items()} == encoder.channels
    sides = [maps.shape[-1] for maps in stages.values()]
    assert sides == sorted(sides, reverse=True)
    features = encoder(images)
    assert features.shape == (2, encoder.dim)
    torch.testing.assert_close(encoder.pool(stages), features)
    (features * torch.linspace(-1, 1, encoder.dim)).sum().backward()  # of a layer norm the plain sum is constant
    assert images.grad.abs().sum() > 0
    again = random_encoder(name, 64, seed=3).eval()
    torch.testing.assert_close(again(images), features)  # the seed alone decides
    assert make_encoder(**encoder.settings).dim == encoder.dim


def test_tokens_are_the_patches_in_rows():
    encoder = random_encoder("vit_tiny", 32, seed=0).eval()
    images = torch.rand(2, 3, 32, 32)
    tokens = encoder.tokens(images)
    assert tokens.shape == (2, 64, 192)
    torch.testing.assert_close(tokens[:, 10], encoder.stages(images)["block6"][:, :, 1, 2])
    torch.testing.assert_close(tokens.mean(1), encoder(images))


@pytest.mark.parametrize("name", ["vit_tiny", "timm/resnet10t"])
def test_a_trained_encoder_comes_back_as_it_was(name, tmp_path):
    collect("roam", tmp_path / "roam", episodes=2, size=32, length=10, progress=False)
    method = make_method("drlim", name, 32, 0)
    from dataclasses import replace

    run = train(
        method, tmp_path / "run", {"pairs": tmp_path / "roam"}, replace(method.recipe, steps=2, batch_size=4),
        device="cpu", progress=False,
    )  # fmt: skip
    images = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(load_encoder(run).eval()(images), method.encoder.eval()(images))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("conv5", "did you mean 'conv4'"),
        ("timm/resnet18x", "unknown model of timm"),
        ("torchvision/resnet19", "did you mean"),
        ("torchvision/vit_b_16", "take timm/NAME"),
    ],
)
def test_what_is_not_there_is_said(name, message):
    with pytest.raises(DataError, match=message):
        make_encoder(name)


def test_attention_is_that_of_the_last_block():
    encoder = random_encoder("vit_tiny_cls", 32, seed=0).eval()
    images = torch.rand(2, 3, 32, 48)
    mixer = encoder.network.blocks[-1].attn
    mixer.fused_attn, seen = False, []
    mixer.attn_drop.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    encoder(images)
    shares = encoder.attention(images)
    assert shares.shape == (2, 3, 8, 12)
    torch.testing.assert_close(shares.flatten(2), seen[0][:, :, 0, 1:])


def test_a_transformer_names_the_sizes_that_it_takes():
    with pytest.raises(DataError, match="vit_tiny: 60 px; give a multiple of 8"):
        make_encoder("vit_tiny", 60)
