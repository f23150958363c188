"""Backbones of timm and torchvision: features are the library's own, stages fall, freezing freezes, weights come in."""

import copy

import pytest
import timm
import torch
from torch import nn
from torchvision import models

from embodied_ssl.encoders import make_encoder, random_encoder
from embodied_ssl.evaluation.estimators.fine_tuning import parameters_of
from embodied_ssl.training.runs.checkpoint import load_weights, save_weights

OF_TIMM = {  # one of each kind of layout and head, and how many pixels of an image a place of each stage has
    "test_resnet": [2, 4, 8, 16, 32],
    "test_nfnet": [2, 4, 8, 16, 32],
    "test_convnext": [4, 8, 16, 32],
    "test_efficientnet": [2, 4, 8, 16, 32],  # a convolution before its pool
    "mobilenetv3_small_050": [2, 4, 8, 16, 32],  # a convolution after its pool
    "test_coatnet": [2, 4, 8, 16, 32],
    "test_mambaout": [4, 8, 16, 32],  # channels last, and a layer after its pool
    "swin_tiny_patch4_window7_224": [4, 8, 16, 32],  # channels last
    "levit_128s": [16, 32, 64],  # tokens without places
    "pit_ti_224": [9, 16, 32, 64],  # a [CLS] token alone reaches the head
    "xcit_nano_12_p8_224": [8] * 12 + [64],
    "test_vit": [16] * 6 + [64],  # a [CLS] token
    "deit_tiny_distilled_patch16_224": [16] * 12 + [64],  # two of them
    "test_vit_relpos": [16] * 9,  # the mean of its patches
    "vit_tiny_patch16_dinov3_qkvb": [16] * 12,  # the mean, with five tokens beside
}
OF_TIMM_SLOWLY = {
    "sequencer2d_s": [7, 16, 16, 16],
    "hgnetv2_b0": [4, 8, 16, 32],
    "mvitv2_tiny": [4, 8, 16, 32],
    "coat_tiny": [4, 8, 16, 32, 64],  # several sequences of tokens
}
OF_TORCHVISION = {
    "mobilenet_v3_small": [2, 4, 8, 16, 32],
    "squeezenet1_1": [2, 4, 9, 21],
    "shufflenet_v2_x0_5": [4, 8, 16, 32],
    "mnasnet0_5": [2, 4, 8, 16, 32],
    "resnet18": [2, 4, 8, 16, 32],
}
OF_TORCHVISION_SLOWLY = {
    "regnet_x_400mf": [2, 4, 8, 16, 32],
    "densenet121": [2, 4, 8, 16, 32],
    "googlenet": [2, 4, 8, 16, 32],
    "swin_t": [4, 8, 16, 32],
    "alexnet": [4, 9, 64],
    "convnext_tiny": [4, 8, 16, 32],
    "vit_b_32": [32] * 12 + [64],
}
STRIDES = {f"timm/{name}": strides for name, strides in (OF_TIMM | OF_TIMM_SLOWLY).items()}
STRIDES |= {f"torchvision/{name}": strides for name, strides in (OF_TORCHVISION | OF_TORCHVISION_SLOWLY).items()}
SLOW = [f"timm/{name}" for name in OF_TIMM_SLOWLY] + [f"torchvision/{name}" for name in OF_TORCHVISION_SLOWLY]
NAMES = [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in STRIDES]
SIZE = 64


@pytest.fixture(scope="module", params=NAMES)
def backbone(request):
    encoder = random_encoder(request.param, SIZE, seed=0)
    norms = [module for module in encoder.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    for norm in norms:  # untrained ones would let the differences of images fade away
        norm.momentum = 1.0
    with torch.no_grad():
        encoder.train()(pictures(4)) if norms else None
        generator = torch.Generator().manual_seed(1)
        for parameter in encoder.parameters():  # a scale of 1 or 0 would hide a norm that is left out
            if parameter.ndim == 1:
                parameter.add_(0.1 * torch.rand(len(parameter), generator=generator))
    return encoder.eval()


def pictures(count=2):
    return torch.rand(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(2))


def theirs(encoder):
    """What the library makes of images with the same weights, before the last layer of its classifier."""
    library, _, name = encoder.name.partition("/")
    if library == "timm":
        try:
            network = timm.create_model(name, img_size=SIZE)
        except TypeError:
            network = timm.create_model(name)
        usual = timm.get_pretrained_cfg(name)
        mean, deviation = usual.mean, usual.std
    else:
        own = {"vit_b_32": {"image_size": SIZE}, "googlenet": {"aux_logits": False, "init_weights": False}}
        network = models.get_model(name, weights=None, **own.get(name, {}))
        usual = models.get_model_weights(name).DEFAULT.transforms()
        mean, deviation = usual.mean, usual.std
        if name == "googlenet":
            network.transform_input = True  # as its weights have it
    missing = network.load_state_dict(encoder.network.state_dict(), strict=False)
    assert not missing.unexpected_keys
    network.eval()
    mean, deviation = (torch.tensor(each)[:, None, None] for each in (mean, deviation))

    def features(images):
        images = (images - mean) / deviation
        if library == "timm":
            return network.forward_head(network.forward_features(images), pre_logits=True).flatten(1)
        seen = []
        layers = [layer for layer in network.modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
        layers[-1].register_forward_pre_hook(lambda layer, inputs: seen.append(inputs[0]))
        network(images)
        return seen[0].mean((2, 3)) if seen[0].ndim == 4 else seen[0]

    return features


@torch.no_grad()
def test_features_are_those_of_the_library(backbone):
    images = pictures()
    expected = theirs(backbone)(images)
    found = backbone(images)
    assert found.shape == (2, backbone.dim)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5 * expected.abs().max().item())
    assert (found[0] - found[1]).abs().max() > 1e-4 * found.abs().max()  # images are told apart at all


@torch.no_grad()
def test_stages_fall_and_the_last_is_what_is_pooled(backbone):
    images = pictures()
    stages = backbone.stages(images)
    assert {stage: maps.shape[1] for stage, maps in stages.items()} == backbone.channels
    assert all(maps.shape[2] == maps.shape[3] for maps in stages.values())
    strides = [SIZE // maps.shape[2] for maps in stages.values()]
    assert strides == STRIDES[backbone.name] == sorted(strides)
    last = next(reversed(stages))
    torch.testing.assert_close(backbone.pool({last: stages[last]}), backbone(images))


def test_what_is_frozen_stays_and_all_behind_it_learns(backbone):
    images, stages = pictures(), list(backbone.channels)
    first = len(stages) // 2
    kept = {id(parameter) for parameter in parameters_of(backbone, first)}
    before = copy.deepcopy(backbone.state_dict())
    with torch.no_grad():
        maps = backbone.stages(images)
    (backbone(images) * torch.linspace(-1, 1, backbone.dim)).sum().backward()
    try:
        with torch.no_grad():
            for parameter in backbone.parameters():
                if id(parameter) not in kept and parameter.grad is not None:
                    parameter.sub_(0.1 * parameter.grad / (parameter.grad.abs().max() + 1e-12))
            changed = backbone.stages(images)
        stayed = [torch.equal(parameter, before[name]) for name, parameter in backbone.named_parameters()]
        assert 0 < len(kept) <= sum(stayed) < len(stayed)
        assert [torch.equal(changed[stage], maps[stage]) for stage in stages] == [i < first for i in range(len(stages))]
    finally:
        backbone.load_state_dict(before)
        backbone.zero_grad()


@pytest.mark.parametrize("name", ["timm/test_resnet", "timm/test_vit", "torchvision/mnasnet0_5"])
def test_weights_come_back_from_a_file(name, tmp_path):
    encoder = random_encoder(name, SIZE, seed=0).eval()
    save_weights(encoder, tmp_path / "encoder.safetensors")
    again = make_encoder(**encoder.settings).eval()
    load_weights(again, tmp_path / "encoder.safetensors")
    with torch.no_grad():
        assert torch.equal(again(pictures()), encoder(pictures()))
