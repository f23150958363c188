"""Tracking's ranking loss re-derived, the choice of its negatives, and what its patches show."""

import numpy as np
import pytest
import torch

from embodied_ssl.datasets.read.batches import Tracks
from embodied_ssl.method import Step
from embodied_ssl.methods import make_method

SIZE, COUNT = 32, 9


def tracks(episode=None):
    rng = np.random.default_rng(0)
    first, second = torch.from_numpy(rng.integers(0, 256, (2, COUNT, 3, 40, 40), dtype=np.uint8))
    places = torch.from_numpy(rng.uniform(10, 30, (2, COUNT, 2)).astype("f4"))
    return Tracks(first, second, *places, torch.arange(COUNT) // 2 if episode is None else episode)


def step(progress=0.5):
    return Step(progress, torch.Generator().manual_seed(0))


def made(**settings):
    """A method whose codes have nothing in common, as those of a trained one."""
    method = make_method("tracking", "conv4", SIZE, jitter=0.0, **settings).eval()
    method.head.register_forward_hook(lambda head, inputs, codes: codes - codes.mean(0))
    return method


def distances(method, given):
    """Cosine distances of the first patches from all last ones, [B, B], by NumPy."""
    with torch.no_grad():
        codes = method.head(method.encoder(method.patches(given))).double().numpy()
    codes /= np.linalg.norm(codes, axis=1, keepdims=True)
    return 1 - codes[:COUNT] @ codes[COUNT:].T


@pytest.mark.parametrize("count", [3, 20])
def test_the_loss_is_the_mean_hinge_on_the_hardest_of_other_videos(count):
    method = made(negatives=count, hard=1.0)
    given = tracks()
    apart, expected = distances(method, given), []
    for i in range(COUNT):
        others = [j for j in range(COUNT) if given.episode[j] != given.episode[i]]
        hinges = sorted(max(0.0, apart[i, i] - apart[i, j] + 0.5) for j in others)
        expected.append(np.mean(hinges[-count:]))
    found = method.loss(given, step())
    assert found["loss"].item() == pytest.approx(np.mean(expected), rel=1e-4)
    assert found["near"].item() == pytest.approx(np.diag(apart).mean(), rel=1e-4)


def test_negatives_are_random_at_first_and_half_of_them_hard_then():
    method = made()
    given = tracks()
    apart = torch.from_numpy(distances(method, given)).float()
    near, other = apart.diagonal(), given.episode[:, None] != given.episode
    hinge = (near[:, None] - apart + 0.5).clamp(min=0).masked_fill(~other, 0)
    means = []
    for seed in range(400):
        at = [Step(progress, torch.Generator().manual_seed(seed)) for progress in (0.05, 0.5)]
        means.append([method.ranking(near, apart, other, each).item() for each in at])
    every = (hinge.sum(1) / other.sum(1)).mean()
    hardest = hinge.topk(2).values.mean()
    early, later = np.mean(means, axis=0)
    assert early == pytest.approx(every.item(), rel=0.02)
    assert later == pytest.approx(((hardest + every) / 2).item(), rel=0.02)
    assert hardest > 1.2 * every


def test_tracks_of_one_video_are_no_negatives_of_each_other():
    method = make_method("tracking", "conv4", SIZE)
    assert method.loss(tracks(torch.zeros(COUNT)), step())["loss"] == 0


def test_patches_lie_about_both_ends():
    """A white spot at either end is in the middle of its patch, and magnified."""
    method = make_method("tracking", "conv4", SIZE, crop=0.4)
    images = torch.zeros(2, 2, 3, 40, 40, dtype=torch.uint8)
    places = torch.tensor([[[12.0, 20], [25, 9]], [[30, 18], [20, 28]]])
    for end in range(2):
        for i in range(2):
            u, v = places[end, i].long().tolist()
            images[end, i, :, v, u] = 255
    patches = method.patches(Tracks(*images, *places, torch.arange(2))).mean(1)
    assert len(patches) == 4
    for patch in patches:
        ink, place = patch / patch.sum(), torch.arange(SIZE) - (SIZE - 1) / 2
        assert (ink.sum(0) @ place).abs() < 0.1
        assert (ink.sum(1) @ place).abs() < 0.1
        assert patch.sum() == pytest.approx((SIZE / 16) ** 2, rel=0.05)
