"""A fully convolutional network on an encoder, trained as a whole to name the class of each pixel.

Long, Shelhamer & Darrell, CVPR 2015: a score layer on the deepest map (FCN-32s), then on finer ones, whose scores are
added to those of the coarser, interpolated (16s, 8s).
"""

import copy
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from embodied_ssl.datasets.images.scenes import UNASKED, Scenes
from embodied_ssl.encoders import Encoder
from embodied_ssl.evaluation.estimators.fine_tuning import descend
from embodied_ssl.evaluation.estimators.labelling import confusion_of
from embodied_ssl.evaluation.pixels import BATCH, Pictures, Rows, side_for, upsampled
from embodied_ssl.evaluation.strongest import strongest
from embodied_ssl.parts.views import to_float, windows_at

TRAINED_BATCH = 16
"""Images in each update."""
LEVELS = 3
LEAST_SHARE = 0.5
"""Of a side: of the windows of images that are trained on."""


class FullyConvolutional(nn.Module):
    """Score layers on the deepest maps of an encoder, of up to three resolutions."""

    def __init__(self, encoder: Encoder, classes: int, side: int):
        """side: of the images that the encoder sees, px."""
        super().__init__()
        self.encoder, self.side = encoder, side
        self.taken = deepest_of_each_size(encoder, side)[-LEVELS:]
        self.norms = nn.ModuleList(nn.BatchNorm2d(encoder.channels[name], affine=False) for name in self.taken)
        self.scores = nn.ModuleList(nn.Conv2d(encoder.channels[name], classes, 1) for name in self.taken)

    def forward(self, images: Tensor) -> Tensor:
        """Scores [B, K, h, w] on the finest of the maps, of images float [B, 3, H, H]."""
        stages = self.encoder.stages(images)
        found: Tensor | None = None
        layers = [*zip(self.taken, self.norms, self.scores, strict=True)]
        for name, norm, score in reversed(layers):  # from the coarsest to the finest
            own = score(norm(stages[name].float()))
            found = own if found is None else own + upsampled(found, own.shape[-1])
        assert found is not None, "every encoder has a map"
        return found

    @torch.no_grad()
    def predicted(self, scenes: Scenes, rows: Rows, device: str) -> Iterable[tuple[Rows, Tensor]]:
        """Classes of the pixels of images, [B, H, H], at rest."""
        self.eval()
        for first in range(0, len(rows), BATCH):
            own = rows[first : first + BATCH]
            images = torch.from_numpy(scenes.images[own]).movedim(-1, -3).to(device)
            yield own, strongest(self(to_float(images, self.side)).movedim(1, -1), scenes.side)


def deepest_of_each_size(encoder: Encoder, side: int) -> list[str]:
    """The deepest stage of each resolution, from the finest to the coarsest."""
    by_size = {size: name for name, size in sizes_of(encoder, side).items()}
    return [by_size[size] for size in sorted(by_size, reverse=True)]


def sizes_of(encoder: Encoder, side: int) -> dict[str, int]:
    """How many places the maps of each stage have along a side; those of one place alone are left out, if others are
    there."""
    training = encoder.training
    device = next(encoder.parameters(), torch.empty(0)).device
    with torch.no_grad():
        stages = encoder.eval().stages(torch.zeros(1, 3, side, side, device=device))
    encoder.train(training)
    sizes = {name: maps.shape[-1] for name, maps in stages.items()}
    return {name: size for name, size in sizes.items() if size > 1} or sizes


def best_network(
    encoder: Encoder, pictures: Pictures, rates: Sequence[float], updates: int, device: str
) -> tuple[FullyConvolutional, dict[str, Any]]:
    """The network of the learning rate that is best on validation images, and what results say of it."""
    scenes, parts = pictures.held_out, pictures.parts
    assert scenes.labels is not None, "`takes_images` has looked"
    best: tuple[float, float, FullyConvolutional] | None = None
    for rate in rates:
        network = train_network(encoder, pictures.scenes, parts.train, rate, updates, pictures.seed, device)
        score = confusion_of(network.predicted(scenes, parts.validation, device), scenes, scenes.labels).mean_iou()
        if best is None or score > best[0]:
            best = score, rate, network
    assert best is not None, "there is a rate"
    score, rate, network = best
    return network, {
        "learning_rate": rate, "rates": list(rates), "updates": updates, "batch_size": TRAINED_BATCH,
        "validation_mIoU": score, "levels": network.taken,
    }  # fmt: skip


def train_network(
    encoder: Encoder, scenes: Scenes, rows: Rows, rate: float, updates: int, seed: int, device: str
) -> FullyConvolutional:
    """A copy of an encoder with score layers, trained as a whole on windows of images, mirrored or not; at rest."""
    side = side_for(encoder, scenes.side)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = FullyConvolutional(copy.deepcopy(encoder), len(scenes.classes), side).to(device)
    rng = np.random.default_rng([seed, 16])
    network.train()

    def loss() -> Tensor:
        images, labels = _windows(scenes, rng.choice(rows, TRAINED_BATCH), side, rng, device)
        scores = upsampled(network(images), side)
        return functional.cross_entropy(scores, labels, ignore_index=UNASKED).nan_to_num()

    descend([*network.parameters()], rate, updates, loss)
    return network.eval()


def _windows(scenes: Scenes, rows: Rows, side: int, rng: np.random.Generator, device: str) -> tuple[Tensor, Tensor]:
    """Square windows of images, float [B, 3, side, side], some of them mirrored, and the classes of their pixels."""
    assert scenes.labels is not None, "`takes_images` has looked"
    shown = torch.from_numpy(scenes.images[rows]).movedim(-1, -3).to(device)
    truth = torch.from_numpy(scenes.labels(rows)).to(device)
    width = torch.from_numpy(rng.uniform(LEAST_SHARE, 1.0, len(rows)).astype("f4")).to(device) ** 0.5 * scenes.side
    place = torch.from_numpy(rng.uniform(size=(len(rows), 1, 2)).astype("f4")).to(device)
    middle = width[:, None, None] / 2 + place * (scenes.side - width)[:, None, None]  # [B, 1, 2]: u, v
    images = windows_at(shown, middle, width, side)[:, 0]
    steps = (torch.arange(side, device=device) + 0.5) / side - 0.5
    at = (middle + width[:, None, None] * steps[:, None]).long().clamp(0, scenes.side - 1)  # [B, side, 2]
    batch = torch.arange(len(rows), device=device)[:, None, None]
    labels = truth[batch, at[:, :, None, 1], at[:, None, :, 0]].long()
    mirrored = torch.from_numpy(rng.random(len(rows)) < 0.5).to(device)
    images = torch.where(mirrored[:, None, None, None], images.flip(3), images)
    return images, torch.where(mirrored[:, None, None], labels.flip(2), labels)
