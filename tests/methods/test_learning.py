"""The contrastive and later methods learn: images of one kind come together in their features."""

import functools
import sys

import numpy as np
import pytest
import torch

from embodied_ssl.datasets.read.batches import CaptionedFrames, Clips, FramePairs, Frames, Tracks
from embodied_ssl.datasets.read.captions import LENGTH
from embodied_ssl.datasets.read.streams import Batches
from embodied_ssl.encoders import random_encoder
from embodied_ssl.evaluation.estimators.neighbours import voting_accuracy
from embodied_ssl.method import Step
from embodied_ssl.methods import make_method
from embodied_ssl.parts.patches import take_patches
from embodied_ssl.parts.positives import Views
from embodied_ssl.plugins import VARIABLE

SIZE, KINDS, BATCH = 32, 5, 64


def pictures(kind, rng):
    """Stripes, of one slope for each kind, to either side; width, place, colours and light are of no account."""
    return glimpses(kind, np.zeros((len(kind), 1, 2)), rng)[:, 0]


def glimpses(kind, places, rng):
    """The same stripes from places [N, T, 2], px, each time in other colours: uint8 [N, T, 3, SIZE, SIZE]."""
    count, seen = places.shape[:2]
    v, u = np.mgrid[:SIZE, :SIZE]
    slope = np.pi / 2 * (kind + rng.uniform(-0.2, 0.2, count)) / (KINDS - 1)
    across, down = (each[:, None, None, None] for each in (np.cos(slope) * rng.choice([-1, 1], count), np.sin(slope)))
    width, phase = (rng.uniform(*each, (count, 1, 1, 1)) for each in ((0.5, 1.2), (0, 6.3)))
    right, below = places[..., None, None].transpose(2, 0, 1, 3, 4)
    wave = np.sin(((u + right) * across + (v + below) * down) * width + phase)
    one, other = rng.uniform(0, 255, (2, count, seen, 3, 1, 1))
    share = (wave[:, :, None] + 1) / 2
    noise = rng.normal(0, 10, (count, seen, 3, SIZE, SIZE))
    return torch.from_numpy((one * share + other * (1 - share) + noise).clip(0, 255).astype(np.uint8))


@torch.no_grad()
def knn_of(encoder):
    rng = np.random.default_rng(1)
    kind = rng.integers(0, KINDS, 800)
    features = encoder.eval()(pictures(kind, rng).float() / 255).numpy()
    return voting_accuracy(features, kind, np.arange(400), np.arange(400, 800))


@functools.cache
def before(encoder):
    return max(knn_of(random_encoder(encoder, SIZE, seed)) for seed in range(3))


def a_batch(name, settings, rng):
    """What a method is given to learn from; never the kind itself."""
    kind = torch.from_numpy(rng.integers(0, KINDS, BATCH))
    images = pictures(kind.numpy(), rng)
    if settings.get("views") == BODY or name in MOVING:  # that shows an object of the same kind twice
        other = pictures(kind.numpy(), rng)
        return {"pairs": FramePairs(images, other, torch.zeros(BATCH, 2), kind, torch.zeros(BATCH))}
    if name == "tracking":  # or follows it
        middle = torch.full((BATCH, 2), SIZE / 2)
        return {"tracks": Tracks(images, pictures(kind.numpy(), rng), middle, middle, torch.arange(BATCH))}
    if name == "seq_jepa":  # or moves over it in three steps
        return {"clips": clips(kind.numpy(), rng)}
    if name == "clip":  # a word of the kind, after one of no account
        words = torch.zeros(BATCH, LENGTH, dtype=torch.int64)
        words[:, 0], words[:, 1] = torch.from_numpy(rng.integers(2 + KINDS, 40, BATCH)), 2 + kind
        return {"captions": CaptionedFrames(images, words, kind)}
    return {"frames": Frames(images, kind)}


def clips(kind, rng):
    motion = rng.uniform(-3, 3, (len(kind), 3, 2))  # px
    places = np.pad(motion.cumsum(1), ((0, 0), (1, 0), (0, 0)))  # [N, 4, 2]
    seconds = torch.zeros(len(kind), 4)
    return Clips(glimpses(kind, places, rng), torch.from_numpy(motion).float(), seconds, seconds[:, 1:])


class Few:
    """A data set of some pictures, which come again and again; for methods that remember each."""

    def __init__(self, count):
        rng = np.random.default_rng(0)
        self.images = pictures(rng.integers(0, KINDS, count), rng)

    def __len__(self):
        return len(self.images)

    def batch(self, index, rng):
        return Frames(self.images[index], torch.from_numpy(index))


def learned_by_heart(name, steps, **settings):
    """A method with a memory bank that has learned from 512 pictures."""
    method = make_method(name, "conv4", SIZE, seed=0, **settings)
    frames = Few(512)
    method.infer_shapes({"frames": frames}, np.random.default_rng(0))
    batches = Batches(frames, BATCH)
    return trained(method, steps, 1e-3, lambda number: {"frames": batches[number]})


def learned(name, encoder, steps, rate, **settings):
    rng = np.random.default_rng(0)
    method = make_method(name, encoder, SIZE, seed=0, **settings)
    return trained(method, steps, rate, lambda number: a_batch(name, settings, rng))


def trained(method, steps, rate, batch):
    optimizer = torch.optim.AdamW([p for p in method.parameters() if p.requires_grad], rate)
    for number in range(steps):
        step = Step(number / steps, torch.Generator().manual_seed(number))
        loss = method.train().loss(**batch(number), step=step)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        method.after_step(step)
    return method


BODY = Views("body")
MOVING = ("sie", "equimod", "aa_simclr")
QUICK = {"queue_length": 256, "momentum": 0.9}  # a queue and a teacher for a run as short as this
CASES = [
    ("simclr", "conv4", 150, 1e-3, {}, 0.2),
    ("simclr", "conv4", 100, 1e-3, {"views": BODY}, 0.3),
    ("moco", "conv4", 150, 1e-3, {"version": 1, **QUICK}, 0.1),
    ("moco", "conv4", 250, 1e-3, {"version": 2, **QUICK}, 0.1),
    ("moco", "conv4", 150, 1e-3, {"version": 3, "momentum": 0.9, "views": BODY}, 0.3),
    ("dino", "conv4", 200, 2e-3, {"momentum": 0.9}, 0.15),
    ("barlow_twins", "conv4", 150, 1e-3, {"dim": 128, "views": BODY}, 0.2),
    ("vicreg", "conv4", 150, 1e-3, {"dim": 256, "views": BODY}, 0.2),
    ("swav", "conv4", 150, 1e-3, {"prototypes": 32, "local_crops": 2}, 0.1),
    ("lejepa", "conv4", 150, 1e-3, {"local_crops": 2}, 0.1),
    ("sie", "conv4", 100, 1e-3, {}, 0.2),
    ("equimod", "conv4", 100, 1e-3, {}, 0.2),
    ("aa_simclr", "conv4", 100, 1e-3, {}, 0.2),
    ("clip", "conv4", 100, 1e-3, {}, 0.4),
    ("tracking", "conv4", 100, 1e-3, {"crop": 1.0}, 0.2),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "encoder", "steps", "rate", "settings", "gain"), CASES)
def test_features_are_better_than_before_training(name, encoder, steps, rate, settings, gain, monkeypatch):
    monkeypatch.setenv(VARIABLE, "")  # what a method from outside is added by
    torch.manual_seed(0)
    assert knn_of(learned(name, encoder, steps, rate, **settings).output_encoder) > before(encoder) + gain


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "steps", "settings", "found"),
    [
        ("simsiam", 350, {"width": 256, "layers": 2}, 0.33),
        ("byol", 260, {"views": BODY, "width": 256, "dim": 64, "momentum": 0.8}, 0.3),
    ],
)
def test_what_has_no_negatives_begins_slowly_and_learns(name, steps, settings, found, monkeypatch):
    """On smaller pictures, of which more updates take the same time; an untrained encoder finds 0.23 of the kinds.

    When they begin is a matter of the first weights, and of how a processor rounds.
    """
    monkeypatch.setattr(sys.modules[__name__], "SIZE", 16)
    torch.manual_seed(0)
    assert knn_of(learned(name, "conv4", steps, 1e-3, **settings).output_encoder) > found


BANKED = [
    ("instdisc", 250, {}, 0.2),
    ("local_agg", 150, {"warmup": 0.4, "cluster_size": 10}, 0.2),
    ("pirl", 100, {}, 0.1),
    ("nat", 300, {"dim": 16}, 0.12),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "steps", "settings", "gain"), BANKED)
def test_what_remembers_every_image_learns(name, steps, settings, gain, monkeypatch):
    monkeypatch.setenv(VARIABLE, "")
    torch.manual_seed(0)
    assert knn_of(learned_by_heart(name, steps, **settings).output_encoder) > before("conv4") + gain


@pytest.mark.slow
def test_seq_jepa_learns_what_stays_as_the_body_moves(monkeypatch):
    """An untrained encoder finds 0.23 of the kinds."""
    monkeypatch.setattr(sys.modules[__name__], "SIZE", 16)
    torch.manual_seed(0)
    small = {"momentum": 0.9, "layers": 1, "action_dim": 16, "width": 256}
    assert knn_of(learned("seq_jepa", "conv4", 200, 4e-4, **small).output_encoder) > 0.37


@pytest.mark.slow
@torch.no_grad()
def test_mae_fills_in_pictures_never_seen():
    """Its features take longer; of hidden patches, each about its mean, the mean explains nothing."""
    with torch.enable_grad():
        method = learned("mae", "vit_tiny", 60, 1e-3).eval()
    rng = np.random.default_rng(1)
    batch = Frames(pictures(rng.integers(0, KINDS, 200), rng), torch.arange(200))
    assert method.loss(batch, Step(1.0, torch.Generator().manual_seed(0)))["explained"] > 0.3


@pytest.mark.slow
def test_ijepa_predicts_features_of_pictures_never_seen(monkeypatch):
    """Its features take longer; what all pictures share at a place explains nothing of how they differ there."""
    monkeypatch.setattr(sys.modules[__name__], "SIZE", 64)
    torch.manual_seed(0)
    method = learned("ijepa", "timm/test_vit", 80, 5e-4).eval()
    rng = np.random.default_rng(1)
    images = pictures(rng.integers(0, KINDS, 100), rng).float() / 255
    with torch.no_grad():
        context, targets = method.blocks(100, torch.Generator().manual_seed(0))
        features = method.target_encoder.tokens(images)
        features = (features - features.mean(2, keepdim=True)) / features.std(2, correction=0, keepdim=True)
        wanted = take_patches(features, targets.flatten(1)).view(*targets.shape, -1)
        error, misled = (
            (method.predict(each, context, targets) - wanted).square().mean() for each in (images, images.roll(1, 0))
        )
    differ = (features - features.mean(0)).square().mean()
    assert differ > 0.5  # the target encoder tells pictures apart
    assert error < 0.5 * differ < misled


@pytest.mark.slow
def test_ibot_assigns_hidden_patches_and_crops_of_pictures_never_seen(monkeypatch):
    """Its features take longer; by chance both losses are the logarithm of the number of prototypes."""
    monkeypatch.setattr(sys.modules[__name__], "SIZE", 64)
    torch.manual_seed(0)
    small = {"prototypes": 64, "width": 128, "momentum": 0.9, "local_crops": 0}
    method = learned("ibot", "timm/test_vit", 60, 5e-4, **small)
    rng = np.random.default_rng(1)
    batch = Frames(pictures(rng.integers(0, KINDS, 100), rng), torch.arange(100))
    with torch.no_grad():
        found = method.loss(frames=batch, step=Step(1.0, torch.Generator().manual_seed(0)))
    assert found["patches"] < np.log(64) - 0.9
    assert found["crops"] < np.log(64) - 0.15


SETTINGS = [
    ("simclr", {}),
    *(("moco", {"version": version, "queue_length": BATCH}) for version in (1, 2, 3)),
    *(("dino", {"balance": balance, "prototypes": 256}) for balance in ("sinkhorn", "centre")),
    ("mae", {}),
    ("clip", {}),
]


@pytest.mark.parametrize(("name", "settings"), SETTINGS)
def test_the_loss_of_a_batch_falls_in_16_bits(name, settings):
    torch.manual_seed(0)
    method = make_method(name, None, SIZE, seed=0, **settings)
    optimizer = torch.optim.AdamW([p for p in method.parameters() if p.requires_grad], 1e-3)
    rng, losses = np.random.default_rng(0), []
    other, batch = (a_batch(name, settings, rng) for _ in range(2))
    for number in range(8):
        with torch.autocast("cpu", torch.bfloat16):
            step = Step(0.5, torch.Generator().manual_seed(0))  # the same views again
            losses.append(method.train().loss(**(batch if number else other), step=step)["loss"])
        if number == 0:
            method.after_step(step)  # fills MoCo's queue
            continue
        optimizer.zero_grad()
        losses[-1].backward()
        optimizer.step()
    assert losses[1].dtype == torch.float32
    assert losses[-1] < 0.9 * losses[1]
