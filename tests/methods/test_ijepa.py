"""I-JEPA's blocks, its prediction from the context alone, its loss and its target encoder."""

import numpy as np
import pytest
import torch

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.read.batches import Frames
from embodied_ssl.method import Step
from embodied_ssl.methods import make_method

SIZE, COUNT = 32, 6


def frames():
    images = np.random.default_rng(0).integers(0, 256, (COUNT, 3, 40, 40), dtype=np.uint8)
    return Frames(torch.from_numpy(images), torch.arange(COUNT))


def step(seed=0, progress=0.5):
    return Step(progress, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("encoder", ["vit_micro", "timm/test_vit"])
def test_targets_are_blocks_and_the_context_is_what_is_left_of_a_large_one(encoder):
    method = make_method("ijepa", encoder, SIZE if encoder == "vit_micro" else 160)
    side = method.side
    sizes = set()
    for seed in range(20):
        context, targets = method.blocks(COUNT, torch.Generator().manual_seed(seed))
        sizes.add(targets.shape[2])
        for own, blocks in zip(context.tolist(), targets.tolist(), strict=True):
            assert len({*own}) == len(own) >= 1
            rows, columns = (np.array(own) // side, np.array(own) % side)
            assert max(np.ptp(rows), np.ptp(columns)) < side - 1 or side > 8
            for block in blocks:
                assert not {*own} & {*block}
                rows, columns = ({each // side for each in block}, {each % side for each in block})
                assert len(rows) * len(columns) == len(block)
                assert max(rows) - min(rows) < len(rows)
                assert max(columns) - min(columns) < len(columns)
        assert 0.1 * side**2 < targets.shape[2] < 0.25 * side**2  # 0.15 to 0.2, in whole patches
    assert len(sizes) > 1


def test_a_prediction_knows_of_the_context_alone():
    method = make_method("ijepa", "vit_micro", SIZE).eval()
    images = torch.rand(2, 3, SIZE, SIZE)
    context, targets = method.blocks(2, step().rng)
    hidden = torch.ones(2, 64, dtype=torch.bool).scatter(1, context, torch.zeros_like(context, dtype=torch.bool))
    pixels = hidden.view(2, 1, 8, 8).repeat_interleave(4, 2).repeat_interleave(4, 3)
    changed = torch.where(pixels, torch.rand(images.shape), images)
    before = method.predict(images, context, targets)
    torch.testing.assert_close(method.predict(changed, context, targets), before)
    assert not torch.allclose(method.predict(torch.rand(images.shape), context, targets), before)
    # Where a patch is said to be matters, not in which order the targets are asked for.
    torch.testing.assert_close(method.predict(images, context, targets.flip(1)), before.flip(1), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(method.predict(images, context, targets.flip(2)), before.flip(2), rtol=1e-4, atol=1e-4)


def test_the_loss_is_the_squared_error_of_normalised_features():
    method = make_method("ijepa", "vit_micro", SIZE).eval()
    seen = {}
    predict, tokens = method.predict, method.target_encoder.tokens
    method.predict = lambda *given: seen.setdefault("predicted", (given, predict(*given)))[1]
    method.target_encoder.tokens = lambda images: seen.setdefault("tokens", tokens(images))
    loss = method.loss(frames(), step())["loss"]
    (_, _, targets), predicted = seen["predicted"]
    wanted = seen["tokens"].double().numpy()
    wanted = (wanted - wanted.mean(2, keepdims=True)) / np.sqrt(wanted.var(2, keepdims=True) + 1e-5)
    terms = [
        np.square(predicted[b, k].detach().numpy() - wanted[b, targets[b, k]]) for b in range(COUNT) for k in range(4)
    ]
    assert loss.item() == pytest.approx(np.mean(terms), rel=1e-4)
    loss.backward()
    assert all(each.grad is None for each in method.target_encoder.parameters())
    assert method.encoder.patch_projection.proj.weight.grad.abs().sum() > 0


def test_the_target_encoder_follows_with_a_momentum_that_rises_linearly_and_is_what_a_run_leaves():
    method = make_method("ijepa", "vit_micro", SIZE, momentum=0.9)
    before = [each.clone() for each in method.target_encoder.parameters()]
    with torch.no_grad():
        for each in method.encoder.parameters():
            each.add_(1)
    method.after_step(step(progress=0.25))
    for old, new in zip(before, method.target_encoder.parameters(), strict=True):
        torch.testing.assert_close(new, old + 0.075, rtol=1e-4, atol=1e-5)
    assert method.output_encoder is method.target_encoder


def test_an_encoder_without_patches_is_refused():
    with pytest.raises(DataError, match="ijepa: conv4 has no patches to leave out; take --encoder vit_tiny"):
        make_method("ijepa", "conv4", SIZE)
