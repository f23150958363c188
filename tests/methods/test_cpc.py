"""CPC v2: what is cut, what a prediction knows of, and its loss by brute force."""

import numpy as np
import pytest
import torch

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.read.batches import Frames
from embodied_ssl.method import Step
from embodied_ssl.methods import make_method

SIZE, COUNT = 32, 3


def frames():
    images = np.random.default_rng(0).integers(0, 256, (COUNT, 3, 40, 40), dtype=np.uint8)
    return Frames(torch.from_numpy(images), torch.arange(COUNT))


def step():
    return Step(0.5, torch.Generator().manual_seed(0))


def made(**settings):
    torch.manual_seed(0)
    return make_method("cpc", None, SIZE, **settings)


def test_patches_overlap_by_half():
    method = made()
    images = torch.rand(2, 3, 30, 30)
    patches = method.cut(images).unflatten(0, (2, 5, 5))
    for i in range(5):
        for j in range(5):
            torch.testing.assert_close(patches[:, i, j], images[:, :, 5 * i : 5 * i + 10, 5 * j : 5 * j + 10])


@pytest.mark.parametrize("turn", range(4))
def test_a_prediction_knows_of_the_rows_down_to_its_own(turn):
    predictors = made().predictors
    latents = torch.randn(1, 256, 5, 5)
    row = 2
    with torch.no_grad():
        before = predictors(latents)[turn, :, 0, :, row]
        changes = []
        for other in range(5):
            turned = torch.rot90(latents, turn, (2, 3)).clone()
            turned[:, :, other] += 1
            after = predictors(torch.rot90(turned, -turn, (2, 3)))[turn, :, 0, :, row]
            changes.append((after - before).abs().max().item() > 1e-6)
    assert changes == [True, True, True, False, False]


def test_the_loss_finds_each_patch_among_all_of_the_batch():
    method = made(scale=3.0).eval()
    seen, codes = {}, method.codes
    method.codes = lambda *given: seen.setdefault("codes", codes(*given))
    found = method.loss(frames(), step())
    targets, predicted = (each.detach().double().numpy() for each in seen["codes"])
    everyone = targets.transpose(0, 2, 3, 1).reshape(-1, 64)
    places = [(i, j) for i in range(5) for j in range(5)]
    means, right = [], []
    for turn in range(4):
        grid = np.rot90(np.arange(25).reshape(5, 5), turn)
        for k, below in enumerate((2, 3, 4)):
            terms = []
            for b in range(COUNT):
                for i, j in places:
                    if i + below < 5:
                        scores = 3 * everyone @ predicted[turn, k, b, :, i, j]
                        own = 25 * b + grid[i + below, j]
                        terms.append((np.log(np.exp(scores).sum()) - scores[own], scores.argmax() == own))
            means.append(np.mean([loss for loss, _ in terms]))
            right.append(np.mean([hit for _, hit in terms]))
    assert found["loss"].item() == pytest.approx(np.mean(means), rel=1e-4)
    assert found["accuracy"].item() == pytest.approx(np.mean(right), abs=1e-6)
    with torch.no_grad():
        np.testing.assert_allclose(np.abs(targets).max(), seen["codes"][0].abs().max(), rtol=1e-6)


def test_the_code_of_a_patch_is_its_own_while_the_encoder_learns():
    encoder = made().encoder.train()
    patches = torch.rand(6, 3, 10, 10)
    others = torch.cat([patches[:2], torch.rand(4, 3, 10, 10) * 0.2])
    with torch.no_grad():
        torch.testing.assert_close(encoder(patches)[:2], encoder(others)[:2])


def test_a_patch_keeps_one_of_its_colours():
    method = made(jitter=0.0, drop=0.5)
    patches = torch.rand(400, 3, 4, 4)
    changed = method.augmented(patches, step().rng)
    grey = (changed == changed[:, :1]).all(dim=(1, 2, 3))
    assert 150 < grey.sum() < 250
    assert torch.equal(changed[~grey], patches[~grey])
    kept = (changed == patches).all(dim=(2, 3))[grey]
    assert (kept.sum(1) == 1).all()
    assert kept.sum(0).min() > 40


def test_what_does_not_fit_is_refused():
    with pytest.raises(DataError, match="rows 2 to 4 below: a grid of 4 has none; give a larger --grid"):
        made(grid=4)
    with pytest.raises(DataError, match="cpc: vit_tiny takes no images of 10 px; choose a smaller --grid"):
        make_method("cpc", "vit_tiny", SIZE)


def stripes(rng, count=16):
    """Grey stripes of any slope and width, in one light."""
    v, u = np.mgrid[:SIZE, :SIZE]
    slope, width, place = rng.uniform((0, 0.5, 0), (3.1, 1.2, 6.3), (count, 3)).T[..., None, None]
    wave = np.sin((u * np.cos(slope) + v * np.sin(slope)) * width + place)[:, None]
    images = 128 + 100 * wave + rng.normal(0, 10, (count, 3, SIZE, SIZE))
    return Frames(torch.from_numpy(images.clip(0, 255).astype(np.uint8)), torch.arange(count))


@pytest.mark.slow
def test_patches_of_pictures_never_seen_are_found_far_above_chance():
    """Every batch is of new pictures; their patches have nothing in common but how their stripes run."""
    method, rng = made(drop=0.0, jitter=0.0, least_crop=1.0), np.random.default_rng(0)
    optimizer, found = torch.optim.AdamW(method.parameters(), 1e-3), []
    for _ in range(25):
        found.append(method.loss(stripes(rng), step()))
        optimizer.zero_grad()
        found[-1]["loss"].backward()
        optimizer.step()
    candidates = 16 * 25
    assert found[0]["loss"].item() == pytest.approx(np.log(candidates), rel=0.05)
    assert np.mean([each["loss"].item() for each in found[-5:]]) < np.log(candidates) - 0.8
    assert np.mean([each["accuracy"].item() for each in found[-5:]]) > 4 / candidates
