"""Data-dependent first weights: unit variance within layers, equal rates between them, whatever the network."""

import copy

import pytest
import torch
from torch import nn

from embodied_ssl.encoders import random_encoder
from embodied_ssl.encoders.rescaling import change_rates, rescale

SIZE = 32
NAMES = ["conv4", "resnet8", "split/conv4", "vit_micro", "timm/test_convnext", "torchvision/squeezenet1_1"]


def pictures(seed, count=32):
    """Coarse noise: neighbouring pixels are alike, as in pictures."""
    coarse = torch.rand(count, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
    return nn.functional.interpolate(coarse, (SIZE, SIZE), mode="bilinear")


def seen(encoder, images, kinds):
    """What the modules of some kinds give, by name: [places, C], at rest."""
    found, hooks = {}, []

    def kept(name):
        def hook(module, inputs, output):
            axis = output.ndim - 1 if isinstance(module, nn.Linear) else 1
            # cloned: what follows may be a ReLU in place
            found[name] = output.detach().clone().movedim(axis, -1).flatten(0, -2)

        return hook

    for name, module in encoder.named_modules():
        if isinstance(module, kinds):
            hooks.append(module.register_forward_hook(kept(name)))
    with torch.no_grad():
        encoder.eval()(images)
    for hook in hooks:
        hook.remove()
    return found


@pytest.mark.parametrize("name", NAMES)
def test_channels_of_a_layer_vary_alike_and_layers_change_at_one_rate(name):
    encoder, images = random_encoder(name, SIZE, 0), pictures(1)
    drawn = copy.deepcopy(encoder.state_dict())
    rescale(encoder, images)
    assert encoder.training
    layers = (nn.Linear, nn.Conv2d)
    for layer, output in seen(encoder, images, layers).items():
        deviation = output.std(0, correction=0)  # of the layer's channels: one number for all of them
        if encoder.get_submodule(layer).weight.requires_grad and deviation.min() > 0:
            assert deviation.max() / deviation.min() == pytest.approx(1, abs=2e-2), layer
    for norm, output in seen(encoder, images, nn.BatchNorm2d).items():
        scale = encoder.get_submodule(norm).weight.abs()
        torch.testing.assert_close(output.std(0, correction=0), scale, atol=2e-2, rtol=0)
        torch.testing.assert_close(output.mean(0), torch.zeros(output.shape[1]), atol=1e-2, rtol=0)
    loss = torch.randn(32, encoder.dim, generator=torch.Generator().manual_seed(7))
    others = pictures(2)
    after = [*change_rates(encoder, others, loss).values()]
    before = [*change_rates(random_encoder(name, SIZE, 0).eval(), others, loss).values()]
    assert len(after) > 3
    spread, spread_before = (max(each) / min(each) for each in (after, before))
    assert spread < (5 if "vit" in name else 1.7)  # by other images and another loss than it was rescaled by
    assert spread_before > 1.7 * spread
    for key, tensor in encoder.state_dict().items():  # what was drawn keeps its direction, channel by channel
        if tensor.ndim == 4:
            own, theirs = tensor.flatten(1), drawn[key].flatten(1)
            torch.testing.assert_close(
                nn.functional.cosine_similarity(own, theirs), torch.ones(len(own)), atol=1e-4, rtol=0
            )


def test_it_depends_on_the_images_and_on_nothing_else():
    first, again, other = (random_encoder("resnet8", SIZE, 0) for _ in range(3))
    torch.manual_seed(5)
    rescale(first, pictures(1))
    torch.manual_seed(6)
    rescale(again, pictures(1))
    rescale(other, 0.2 * pictures(3))
    same = [torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True)]
    assert all(same)
    assert not torch.equal(first.blocks["stem"][0].weight, other.blocks["stem"][0].weight)
