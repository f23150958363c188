"""SwAV and LeJEPA: losses re-derived, the queue, and what keeps codes apart."""

import numpy as np
import pytest
import torch

from embodied_ssl.datasets.read.batches import Frames
from embodied_ssl.method import Step
from embodied_ssl.methods import make_method
from embodied_ssl.methods.lejepa import _Characteristic, sigreg

SIZE, COUNT = 32, 6
SMALL = {"prototypes": 10, "width": 32, "dim": 16, "local_crops": 2}


def frames(seed=0):
    images = np.random.default_rng(seed).integers(0, 256, (COUNT, 3, 40, 40), dtype=np.uint8)
    return Frames(torch.from_numpy(images), torch.arange(COUNT))


def step(progress=0.5):
    return Step(progress, torch.Generator().manual_seed(0))


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def balanced(scores):
    """Three rounds of Sinkhorn and Knopp in the paper's own numbers: columns, then rows (listing in appendix A)."""
    shares = np.exp(scores)
    shares /= shares.sum()
    for _ in range(3):
        shares /= shares.sum(0) * shares.shape[1]
        shares /= shares.sum(1, keepdims=True) * len(shares)
    return shares * len(shares)


def codes_seen(method):
    found = []
    method.head.layers.register_forward_hook(
        lambda module, inputs, output: found.append(unit(output.detach().double().numpy()))
    )
    return found


def test_swavs_loss_is_the_swapped_prediction():
    """Equation 2 over all crops: from each other one, what a large crop is assigned to."""
    method = make_method("swav", "conv4", SIZE, **SMALL)
    seen = codes_seen(method)
    found = method.loss(step(), frames())["loss"].item()
    scores = (seen[0] @ unit(method.head.prototypes.detach().double().numpy()).T).reshape(4, COUNT, 10)
    log_likely = scores / 0.1 - np.log(np.exp(scores / 0.1).sum(2, keepdims=True))
    terms = [
        -(balanced(scores[large] / 0.05) * log_likely[crop]).sum(1).mean()
        for large in range(2)
        for crop in range(4)
        if crop != large
    ]
    assert found == pytest.approx(np.mean(terms), rel=1e-4)


def test_swavs_assignments_are_balanced_with_the_queue_and_get_no_gradient():
    method = make_method("swav", "conv4", SIZE, queue_length=8, queue_from=0.5, **SMALL)
    seen = codes_seen(method)
    method.loss(step(0.1), frames())["loss"].backward()
    method.after_step(step(0.1))
    assert int(method.queue_filled) == COUNT
    method.loss(step(0.1), frames(1))
    method.after_step(step(0.1))
    assert int(method.queue_filled) == 8
    for large in range(2):  # the latest come first
        rows = slice(large * COUNT, (large + 1) * COUNT)
        expected = np.concatenate([seen[1][rows], seen[0][rows][:2]])
        np.testing.assert_allclose(method.queue[large], expected, atol=1e-5)
    codes = torch.from_numpy(unit(np.random.default_rng(2).normal(size=(COUNT, 16)))).float()
    prototypes = unit(method.head.prototypes.detach().numpy())
    alone, together = (method.assignment(codes, 1, step(progress)) for progress in (0.4, 0.5))
    assert not together.requires_grad
    np.testing.assert_allclose(alone, balanced(codes.numpy() @ prototypes.T / 0.05), rtol=1e-3)
    everyone = np.concatenate([codes.numpy(), method.queue[1].numpy()])
    np.testing.assert_allclose(together, balanced(everyone @ prototypes.T / 0.05)[:COUNT], rtol=1e-3)


def epps_pulley(codes):
    """N ∫ |φ̂(t) − e^(−t²/2)|² e^(−t²/2) dt over all t, of codes [N], in closed form: the integrals are of normals."""
    apart = codes[:, None] - codes
    own = np.sqrt(2 * np.pi) * np.exp(-(apart**2) / 2).mean()
    both = np.sqrt(np.pi) * np.exp(-(codes**2) / 4).mean()
    return len(codes) * (own - 2 * both + np.sqrt(2 * np.pi / 3))


def test_sigreg_is_the_statistic_of_epps_and_pulley():
    rng = np.random.default_rng(0)
    codes, directions = rng.normal(0.3, 0.7, (9, 4)), unit(rng.normal(size=(5, 4)))
    expected = np.mean([epps_pulley(codes @ direction) for direction in directions])
    given = [torch.from_numpy(each.astype("f4")) for each in (codes, directions.T)]
    assert sigreg(*given, knots=400, furthest=9.0).item() == pytest.approx(expected, rel=1e-4)
    usual = sigreg(*given).item()  # 17 points up to 3
    assert usual == pytest.approx(expected, rel=0.05)


def test_the_gradient_of_sigreg_is_that_of_its_cosines_and_sines():
    values, t = torch.randn(2, 5, 3, dtype=torch.float64, requires_grad=True), torch.linspace(0, 3, 7).double()
    angles = values[..., None] * t  # [2, 5, 3, T]
    real, imaginary = _Characteristic.apply(values, t)
    torch.testing.assert_close(real, angles.cos().mean(-3))
    torch.testing.assert_close(imaginary, angles.sin().mean(-3))
    assert torch.autograd.gradcheck(lambda x: _Characteristic.apply(x, t), values)


def test_sigreg_is_small_for_normal_codes_alone():
    """Its guard against collapse: one code for all, one direction alone, or too wide a spread cost far more."""
    rng = torch.Generator().manual_seed(0)
    codes = torch.randn(512, 16, generator=rng)
    directions = torch.nn.functional.normalize(torch.randn(16, 256, generator=rng), dim=0)
    normal = sigreg(codes, directions)
    for other in (torch.zeros_like(codes), codes[:, :1].expand_as(codes), 2 * codes, codes + 1):
        assert sigreg(other, directions) > 10 * normal


def test_lejepas_loss_is_the_distance_from_the_mean_of_large_crops_and_sigreg():
    method = make_method("lejepa", "conv4", SIZE, width=32, dim=8, local_crops=3, sigreg_weight=0.2)
    seen = []
    method.projection.register_forward_hook(lambda module, inputs, output: seen.append(output.detach()))
    found = method.loss(step(), frames())
    codes = seen[0].double().numpy().reshape(5, COUNT, 8)
    prediction = np.mean([(crop - codes[:2].mean(0)) ** 2 for crop in codes])
    assert found["prediction"].item() == pytest.approx(prediction, rel=1e-4)
    assert found["loss"].item() == pytest.approx(0.8 * prediction + 0.2 * found["sigreg"].item(), rel=1e-4)


@pytest.mark.parametrize("name", ["swav", "lejepa"])
def test_all_crops_get_gradients(name):
    """There is no teacher: the network that learns makes what is predicted as well."""
    method = make_method(name, "conv4", SIZE)
    crops = [torch.rand(count * COUNT, 3, side, side, requires_grad=True) for count, side in ((2, 32), (4, 16))]
    method.loss_of(crops, step())["loss"].backward()
    assert all(each.grad.flatten(1).abs().sum(1).gt(0).all() for each in crops)
