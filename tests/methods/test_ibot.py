"""iBOT's masks, its two losses re-derived, and its teacher."""

import numpy as np
import pytest
import torch

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.read.batches import Frames
from embodied_ssl.method import Step
from embodied_ssl.methods import make_method
from embodied_ssl.parts.losses import balanced, distillation
from embodied_ssl.parts.patches import to_patches

SIZE, COUNT = 32, 4
SMALL = {"prototypes": 10, "width": 16, "bottleneck": 8, "local_crops": 1}


def frames():
    images = np.random.default_rng(0).integers(0, 256, (COUNT, 3, 40, 40), dtype=np.uint8)
    return Frames(torch.from_numpy(images), torch.arange(COUNT))


def step():
    return Step(0.5, torch.Generator().manual_seed(0))


def test_a_block_is_of_neighbours_and_of_many_shapes():
    method = make_method("ibot", "vit_micro", SIZE, mask_ratio=0.3)
    blocks = method.block(200, step().rng)
    assert blocks.shape == (200, round(0.3 * 64))
    high, wide = [], []
    for own in blocks.tolist():
        rows, columns = np.array(own) // 8, np.array(own) % 8
        assert len({*own}) == len(own)
        high.append(np.ptp(rows) + 1)
        wide.append(np.ptp(columns) + 1)
        assert high[-1] * wide[-1] <= len(own) + max(high[-1], wide[-1])  # a rectangle, but for one side
    assert min(high) < 4 < 5 < max(high)
    assert min(wide) < 4 < 5 < max(wide)
    assert len(blocks.unique()) == 64


def test_a_masked_patch_is_not_seen_and_all_others_are():
    encoder = make_method("ibot", "vit_micro", SIZE).encoder.eval()
    images, token = torch.rand(2, 3, SIZE, SIZE), torch.randn(encoder.width)
    masked = torch.zeros(2, 64, dtype=torch.bool)
    masked[:, [3, 40]] = True
    before = encoder.features_and_tokens(images, masked, token)
    other = torch.rand(images.shape)
    where = to_patches(torch.ones(images.shape), 4) * masked[..., None]
    pixels = torch.nn.functional.fold(where.transpose(1, 2), SIZE, 4, stride=4).bool()
    for one, same in zip(
        encoder.features_and_tokens(torch.where(pixels, other, images), masked, token), before, strict=True
    ):
        torch.testing.assert_close(one, same)
    assert not torch.allclose(
        encoder.features_and_tokens(torch.where(pixels, images, other), masked, token)[0], before[0]
    )
    features, tokens = encoder.features_and_tokens(images)
    torch.testing.assert_close(features, encoder(images))
    torch.testing.assert_close(tokens, encoder.tokens(images))


def test_the_loss_is_that_of_crops_and_that_of_masked_patches():
    method = make_method("ibot", "vit_micro", SIZE, patch_weight=0.5, **SMALL)
    seen = {"head": [], "teacher_head": []}
    for name, outputs in seen.items():
        getattr(method, name).register_forward_hook(
            lambda module, inputs, output, own=outputs: own.append(output.detach())
        )
    found = method.loss(step(), frames())
    (crops, patches), (teacher_crops, teacher_patches) = seen["head"], seen["teacher_head"]
    assert (len(crops), len(teacher_crops)) == (3 * COUNT, 2 * COUNT)
    assert len(patches) == len(teacher_patches) == COUNT * 19
    wanted = balanced(teacher_crops, 0.02, 8).unflatten(0, (2, COUNT))
    between = distillation(wanted, crops.unflatten(0, (3, COUNT)) / 0.1).item()
    said = np.exp(patches.double().numpy() / 0.1)
    said /= said.sum(1, keepdims=True)
    within = -(balanced(teacher_patches, 0.02, 8).numpy() * np.log(said)).sum(1).mean()
    assert found["patches"].item() == pytest.approx(within, rel=1e-4)
    assert found["loss"].item() == pytest.approx(between + 0.5 * within, rel=1e-4)
    found["loss"].backward()
    assert all(each.grad is None for each in (*method.teacher.parameters(), *method.teacher_head.parameters()))
    assert method.mask_token.grad.abs().sum() > 0
    assert method.output_encoder is method.teacher


def test_an_encoder_without_patches_is_refused():
    with pytest.raises(DataError, match="ibot: conv4 has no patches to leave out"):
        make_method("ibot", "conv4", SIZE)
