"""BEiT's vocabulary, its masks, what is seen of a masked patch, and its loss re-derived."""

import numpy as np
import pytest
import torch
from test_learning import BATCH, KINDS, knn_of, pictures
from timm.models.vision_transformer import VisionTransformer
from torch import nn

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.read.batches import Frames
from embodied_ssl.encoders.of_timm import encoder_of
from embodied_ssl.method import Step
from embodied_ssl.methods import make_method, method_class

SIZE, COUNT = 32, 5


class Patterns:
    """Images of squares that each show one of four patterns, brighter or darker, fainter or stronger."""

    def __init__(self):
        rng = np.random.default_rng(0)
        self.patterns = rng.choice([-1.0, 1.0], (4, 3, 4, 4))
        self.which = rng.integers(0, 4, (COUNT, 8, 8))
        gain, light = rng.uniform(20, 50, (COUNT, 8, 8)), rng.uniform(80, 170, (COUNT, 8, 8))
        tiles = self.patterns[self.which] * gain[..., None, None, None] + light[..., None, None, None]
        images = tiles.transpose(0, 3, 1, 4, 2, 5).reshape(COUNT, 3, SIZE, SIZE)
        self.images = torch.from_numpy(images.round().astype(np.uint8))

    def __len__(self):
        return COUNT

    def batch(self, index, rng):
        return Frames(self.images[torch.from_numpy(index)], torch.from_numpy(index))


def prepared(**settings):
    method, stream = make_method("beit", "vit_micro", SIZE, **settings).eval(), Patterns()
    method.prepare({"frames": stream}, np.random.default_rng(0))
    return method, stream


def step(seed=0):
    return Step(0.5, torch.Generator().manual_seed(seed))


def test_words_are_the_patterns_of_patches_whatever_their_light():
    method, stream = prepared(words=4)
    words = method.tokenize(stream.images.float() / 255).view(COUNT, 8, 8).numpy()
    named = {number: set(words[stream.which == number]) for number in range(4)}
    assert sorted(map(sorted, named.values())) == [[0], [1], [2], [3]]


def test_masks_are_blocks_of_two_fifths_and_little_more():
    method, _ = prepared(words=4)
    masked = method.blocks(300, step().rng).view(300, 8, 8)
    share = masked.float().mean((1, 2))
    assert 0.4 <= share.min() < share.max() < 0.7
    assert share.mean() < 0.5
    assert masked.float().mean(0).min() > 0.05  # everywhere, most often in the middle
    beside = (masked[:, 1:] & masked[:, :-1]).float().mean() / masked[:, 1:].float().mean()
    assert beside > 0.75  # a neighbour of what is masked is, too; of single patches it would be 0.45
    assert torch.equal(masked.flatten(1), method.blocks(300, step().rng))


def test_a_masked_patch_is_not_seen():
    method, stream = prepared(words=4)
    images, masked = stream.images.float() / 255, method.blocks(COUNT, step().rng)
    pixels = masked.view(COUNT, 1, 8, 8).repeat_interleave(4, 2).repeat_interleave(4, 3)
    with torch.no_grad():
        before = method.predict(images, masked)
        torch.testing.assert_close(method.predict(torch.where(pixels, 1 - images, images), masked), before)
        assert not torch.allclose(method.predict(torch.where(pixels, images, 1 - images), masked), before)


def test_the_loss_is_the_cross_entropy_of_masked_words():
    method, stream = prepared(words=16)
    seen, predict = {}, method.predict
    method.predict = lambda *given: seen.setdefault("out", (given, predict(*given)))[1]
    found = method.loss(stream.batch(np.arange(COUNT), None), step())
    (images, masked), logits = seen["out"]
    tiles = images.numpy().astype("f8").reshape(COUNT, 3, 8, 4, 8, 4).transpose(0, 2, 4, 1, 3, 5).reshape(COUNT, 64, 48)
    tiles -= tiles.mean(2, keepdims=True)
    tiles /= np.sqrt(tiles.var(2, keepdims=True) + 0.02**2)
    distance = np.square(tiles[:, :, None] - method.vocabulary.numpy()).sum(3)  # [B, P, K]
    said = logits.detach().double().numpy()
    said -= np.log(np.exp(said).sum(2, keepdims=True))
    losses, right = [], []
    for b in range(COUNT):
        own = np.flatnonzero(masked[b].numpy())
        words = distance[b, own].argmin(1)
        losses.append(-said[b, own, words].mean())
        right.append((said[b, own].argmax(1) == words).mean())
    assert found["loss"].item() == pytest.approx(np.mean(losses), rel=1e-4)
    assert found["accuracy"].item() == pytest.approx(np.mean(right), abs=1e-6)


def test_what_does_not_fit_is_refused():
    with pytest.raises(DataError, match=r"beit: 400 words of \d+ different patches; give --words \d+"):
        prepared(words=400)
    with pytest.raises(DataError, match="beit: conv4 has no patches to leave out"):
        make_method("beit", "conv4", SIZE)
    with pytest.raises(DataError, match=r"with 1\.0 of 64 patches masked nothing is left to see"):
        make_method("beit", "vit_micro", SIZE, mask_ratio=1.0)


class Grey(nn.Module):
    def forward(self, images):
        return images.float().mean(1, keepdim=True).to(images.dtype).expand(-1, 3, -1, -1)


class Stripes:
    """A stream of grey stripes."""

    def __len__(self):
        return 600

    def batch(self, index, rng):
        return Frames(Grey()(pictures(rng.integers(0, KINDS, len(index)), rng)), torch.from_numpy(index))


@pytest.mark.slow
def test_which_word_is_masked_is_told_by_the_slope_of_the_stripes():
    """Features of a small transformer by it find nearest neighbours of the same slope."""
    torch.manual_seed(0)
    network = VisionTransformer(
        img_size=SIZE, patch_size=8, embed_dim=48, depth=2, num_heads=3, num_classes=0, global_pool="avg", fc_norm=False
    )
    network.pretrained_cfg = {"mean": (0.45,) * 3, "std": (0.225,) * 3}
    method = method_class("beit")(encoder_of("small", SIZE, network), words=32, least_crop=1.0, jitter=0.0)
    before, rng = knn_of(nn.Sequential(Grey(), method.encoder)), np.random.default_rng(0)
    method.prepare({"frames": Stripes()}, rng)
    optimizer = torch.optim.AdamW(method.parameters(), 2e-3)
    for number in range(100):
        losses = method.train().loss(Stripes().batch(np.arange(BATCH), rng), step(number))
        optimizer.zero_grad()
        losses["loss"].backward()
        optimizer.step()
    assert before < 0.45
    assert knn_of(nn.Sequential(Grey(), method.encoder)) > before + 0.25
