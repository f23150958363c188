"""SIE, EquiMod, AA-SimCLR and seq-JEPA: losses re-derived from codes, and what the motion is used for."""

import numpy as np
import pytest
import torch

from embodied_ssl.datasets.read.batches import Clips, FramePairs
from embodied_ssl.method import Step
from embodied_ssl.methods import make_method

SIZE, COUNT = 32, 8
SMALL = {
    "sie": {"dim": 12},
    "equimod": {"width": 16, "dim": 12, "temperature": 0.3},
    "aa_simclr": {"width": 16, "dim": 12, "temperature": 0.3},
    "seq_jepa": {"width": 16, "action_dim": 8, "layers": 1, "jitter": 0.0},
}


def pictures(seed, *shape):
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (*shape, 3, 40, 40), dtype=np.uint8))


def pairs():
    motion = torch.from_numpy(np.random.default_rng(2).normal(1, 3, (COUNT, 2)).astype("f4"))
    counts = torch.ones(COUNT, dtype=torch.int64)
    return FramePairs(pictures(0, COUNT), pictures(1, COUNT), motion, counts, torch.ones(COUNT))


def clips(length=4):
    motion = torch.from_numpy(np.random.default_rng(2).normal(size=(COUNT, length - 1, 2)).astype("f4"))
    return Clips(pictures(0, COUNT, length), motion, torch.zeros(COUNT, length), torch.zeros(COUNT, length - 1))


def step():
    return Step(0.5, torch.Generator().manual_seed(0))


def made(name):
    method = make_method(name, "conv4", SIZE, **SMALL[name])
    method.motion_mean.fill_(1.0)
    method.motion_std.fill_(3.0)
    return method


def outputs_of(module):
    found = []
    module.register_forward_hook(lambda module, inputs, output: found.append(output.detach().double().numpy()))
    return found


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def contrast(query, key, temperature):
    """Cross-entropy of each query's own key among all of them."""
    scores = unit(query) @ unit(key).T / temperature
    return (np.log(np.exp(scores).sum(1)) - np.diag(scores)).mean()


def nt_xent(first, second, temperature):
    """Equation 1 of SimCLR, view by view."""
    views = unit(np.concatenate([first, second]))
    scores = views @ views.T / temperature
    np.fill_diagonal(scores, -np.inf)
    own = np.roll(np.arange(len(views)), len(first))
    return (np.log(np.exp(scores).sum(1)) - scores[np.arange(len(views)), own]).mean()


def test_sies_loss_is_that_of_both_parts_and_the_map_of_the_motion():
    method = made("sie")
    torch.nn.init.normal_(method.hypernetwork.weight, std=0.1)
    same, moving = outputs_of(method.invariant_expander), outputs_of(method.equivariant_expander)
    found = method.loss(pairs(), step())["loss"].item()
    weight, bias = (each.detach().double().numpy() for each in method.hypernetwork.parameters())
    maps = (((pairs().motion.double().numpy() - 1) / 3) @ weight.T + bias).reshape(COUNT, 12, 12)
    predicted = np.stack([matrix @ code for matrix, code in zip(maps, moving[0], strict=True)])
    hinge = lambda codes: np.maximum(0, 1 - np.sqrt(codes.var(0, ddof=1) + 1e-4)).mean()  # noqa: E731
    expected = 10 * np.square(same[0] - same[1]).mean() + 4.5 * np.square(predicted - moving[1]).mean()
    expected += 5 * hinge(predicted)
    for codes in (np.concatenate(each, 1) for each in zip(same, moving, strict=True)):
        matrix = np.cov(codes.T)
        expected += 5 * hinge(codes) + np.square(matrix[~np.eye(24, dtype=bool)]).sum() / 24
    assert found == pytest.approx(expected, rel=1e-3)


def test_sie_begins_with_standing_still():
    method = make_method("sie", "conv4", SIZE, dim=12)
    codes = torch.randn(3, 12)
    torch.testing.assert_close(method.predict(codes, torch.zeros(3, 2)), codes)
    assert not torch.allclose(method.predict(codes, torch.ones(3, 2)), codes)


def test_equimods_loss_is_two_contrasts():
    method = made("equimod")
    invariant, equivariant = outputs_of(method.invariant_head), outputs_of(method.equivariant_head)
    predicted = outputs_of(method.predictor)
    found = method.loss(pairs(), step())
    z, y = (each[0].reshape(2, COUNT, 12) for each in (invariant, equivariant))
    assert found["invariance"].item() == pytest.approx(nt_xent(*z, 0.3), rel=1e-4)
    assert found["equivariance"].item() == pytest.approx(nt_xent(predicted[0], y[1], 0.3), rel=1e-4)
    assert found["loss"].item() == pytest.approx(found["invariance"].item() + found["equivariance"].item(), rel=1e-5)


def test_aa_simclrs_loss_is_that_of_frames_and_that_of_actions():
    method = made("aa_simclr")
    codes, joint, action = (
        outputs_of(each) for each in (method.projection, method.joint_projection, method.action_projection)
    )
    found = method.loss(pairs(), step())
    assert found["contrast"].item() == pytest.approx(nt_xent(*codes[0].reshape(2, COUNT, 12), 0.3), rel=1e-4)
    aligned = (contrast(joint[0], action[0], 0.3) + contrast(action[0], joint[0], 0.3)) / 2
    assert found["action"].item() == pytest.approx(aligned, rel=1e-4)
    assert found["loss"].item() == pytest.approx(found["contrast"].item() + aligned, rel=1e-4)


def test_seq_jepas_loss_is_the_cosine_with_the_next_glimpse_and_its_target_gets_no_gradient():
    method = made("seq_jepa")
    predicted, target = outputs_of(method.predictor), outputs_of(method.target_norm)
    loss = method.loss(clips(), step())["loss"]
    assert loss.item() == pytest.approx(1 - (unit(predicted[0]) * unit(target[0])).sum(1).mean(), rel=1e-4)
    loss.backward()
    assert all(each.grad is None for each in method.target_encoder.parameters())
    assert all(each.grad is not None for each in method.encoder.parameters())
    before = [each.clone() for each in method.target_encoder.parameters()]
    with torch.no_grad():
        for each in method.encoder.parameters():
            each.add_(1)
    method.after_step(step())
    for old, new in zip(before, method.target_encoder.parameters(), strict=True):
        torch.testing.assert_close(new, old + 0.005, rtol=1e-4, atol=1e-5)


def test_a_next_glimpse_is_predicted_from_the_others_and_every_motion():
    method = made("seq_jepa").eval()
    images, motion = torch.rand(2, 4, 3, SIZE, SIZE), torch.randn(2, 3, 2)
    before, target = method.next_glimpse(images, motion)
    for number in range(4):
        other = images.clone()
        other[:, number] = torch.rand(2, 3, SIZE, SIZE)
        predicted, seen = method.next_glimpse(other, motion)
        assert torch.allclose(predicted, before) == (number == 3)
        assert torch.allclose(seen, target) == (number < 3)
    for number in range(3):
        other = motion.clone()
        other[:, number] += 1
        assert not torch.allclose(method.next_glimpse(images, other)[0], before)


@pytest.mark.parametrize("name", ["sie", "equimod", "aa_simclr"])
def test_the_motion_counts(name):
    method = made(name)
    losses = []
    for motion in (pairs().motion, pairs().motion.roll(1, 0)):
        given = FramePairs(pairs().first, pairs().second, motion, pairs().gap, pairs().gap_s)
        losses.append(method.loss(given, step())["loss"].item())
    assert losses[0] != pytest.approx(losses[1], rel=1e-6)
