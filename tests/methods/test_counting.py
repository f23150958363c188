"""Counting: quarters are those of the image, and its loss is re-derived."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from embodied_ssl.datasets.read.batches import Frames
from embodied_ssl.method import Step
from embodied_ssl.methods import make_method
from embodied_ssl.methods.counting import shrunk

COUNT = 5


def frames(*same):
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (COUNT, 3, 40, 40), dtype=np.uint8))
    for one, other in same:
        images[one] = images[other]
    return Frames(images, torch.arange(COUNT))


def step():
    return Step(0.5, torch.Generator().manual_seed(0))


@pytest.mark.parametrize("same", [(), ((2, 1),)])
def test_quarters_add_up_and_others_differ(same):
    """Equation 3 pair by pair; images that are the same are not asked to differ."""
    method = make_method("counting", "conv4", 32, counts=12, margin=4.0, least_crop=1.0).eval()
    found = []
    method.head.register_forward_hook(lambda module, inputs, output: found.append(output.detach().double().numpy()))
    got = method.loss(frames(*same), step())["loss"].item()
    counts = np.maximum(found[0], 0)
    whole, parts = counts[:COUNT], sum(counts[COUNT:].reshape(4, COUNT, 12))
    losses = []
    for x in range(COUNT):
        y = (x + 1) % COUNT
        loss = np.square(whole[x] - parts[x]).sum()
        if not torch.equal(frames(*same).images[x], frames(*same).images[y]):
            loss += max(0, 4.0 - np.square(whole[y] - parts[x]).sum())
        losses.append(loss)
    assert got == pytest.approx(np.mean(losses), rel=1e-4)


def test_quarters_are_those_of_the_small_image():
    method = make_method("counting", "conv4", 32, tile=20, jitter=0.0, grey=0.0, least_crop=1.0)
    smooth = functional.interpolate(torch.rand(COUNT, 3, 3, 3), (40, 40), mode="bicubic").clamp(0, 1)
    small, tiles = method.views((smooth * 255).byte(), step())
    first, second, third, fourth = tiles.chunk(4)
    whole = torch.cat([torch.cat([first, second], 3), torch.cat([third, fourth], 3)], 2)  # or its mirror
    error = [(each - smooth).abs().amax((1, 2, 3)) for each in (whole, whole.flip(3))]
    assert torch.minimum(*error).max() < 0.01
    assert small.shape == (COUNT, 3, 20, 20)
    torch.testing.assert_close(functional.avg_pool2d(whole, 2), small, atol=0.06, rtol=0)


def test_images_are_made_smaller_in_different_ways():
    views = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0)).expand(60, -1, -1, -1)
    small = shrunk(views, 8, step().rng)
    ways = {tuple(each.flatten().tolist()) for each in small}
    assert len(ways) == 3
    torch.testing.assert_close(small.mean(), views.mean(), atol=0.05, rtol=0)
