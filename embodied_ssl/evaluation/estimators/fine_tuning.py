"""Fine-tuning: train an encoder on, all of it or what lies behind its first stages, on few labels of each class."""

import copy
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from embodied_ssl.datasets.images.sources import ImageSet
from embodied_ssl.encoders import Encoder
from embodied_ssl.evaluation.features import answers
from embodied_ssl.evaluation.protocol import EncodedSet
from embodied_ssl.evaluation.results import Measure
from embodied_ssl.evaluation.splits import Rows, draw_rows
from embodied_ssl.parts.views import random_square

LABELS = (20, 100, 400)
"""Labelled images of each class, where there are as many; of 20, 100, 400, 1,000, 5,000 in Gidaris et al. 2018."""
UPDATES = 1000
RATES = (3e-4, 1e-3, 3e-3)
BATCH = 64
"""Images in each update."""

Trained = tuple[Encoder, nn.Module]


def accuracy_curve(
    encoded: EncodedSet, frozen: int, per_class: Sequence[int], updates: int, rates: Sequence[float]
) -> list[Measure]:
    """Accuracy with n labels per class, for each n of which there are as many.

    The learning rate is chosen on as many validation images, by every row alike. frozen: stages that stay as they are.
    """
    images, seed, parts, device = encoded.images, encoded.seed, encoded.split, encoded.device
    fewest = int(np.unique(images.label[parts.train], return_counts=True)[1].min())
    found = []
    for n in [n for n in per_class if n <= fewest] or [fewest]:
        rng = np.random.default_rng([seed, n])
        rows, validation = (draw_rows(images.label, part, n, rng) for part in (parts.train, parts.validation))
        tried = [train_on(encoded.encoder, images, rows, seed, device, frozen, rate, updates) for rate in rates]
        scores = [_accuracy(trained, images, validation, device) for trained in tried]
        best = int(np.argmax(scores))
        about = {
            "frozen_stages": frozen, "updates": updates, "batch_size": BATCH, "rates": list(rates),
            "learning_rate": rates[best], "validation_accuracy": scores[best], "split_seed": seed,
            **parts.counts(train=len(rows), validation=len(validation)),
        }  # fmt: skip
        value = _accuracy(tried[best], images, parts.test, device)
        found.append(Measure(f"accuracy@{n}", value, about, parts.test))
    return found


def train_on(
    encoder: Encoder, images: ImageSet, rows: Rows, seed: int, device: str, frozen: int, rate: float, updates: int
) -> Trained:
    """A copy of an encoder that was trained on the labels of `rows`, and its linear layer, both at rest.

    frozen: how many of the stages, from the shallowest, keep their weights, and their batch norms their statistics.
    rate: the peak of the learning rate, after a tenth of the updates.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = nn.Sequential(nn.BatchNorm1d(encoder.dim, affine=False), nn.Linear(encoder.dim, len(images.classes)))
    learner, head = copy.deepcopy(encoder).to(device), head.to(device)
    frozen_parameters = parameters_of(learner, frozen)
    for parameter in learner.parameters():
        parameter.requires_grad_(all(parameter is not other for other in frozen_parameters))
    learned = [p for p in (*learner.parameters(), *head.parameters()) if p.requires_grad]
    rng, generator = np.random.default_rng([seed, 1]), torch.Generator(device).manual_seed(seed)
    learner.train()
    for module in learner.modules():
        own = list(module.parameters())
        if own and not any(parameter.requires_grad for parameter in own):
            module.eval()

    def loss() -> Tensor:
        chosen = rng.choice(rows, BATCH)
        batch = torch.from_numpy(images.images[chosen]).movedim(-1, -3).to(device)
        views = random_square(batch, generator, learner.image_size)
        label = torch.from_numpy(images.label[chosen]).to(device)
        return nn.functional.cross_entropy(head(learner(views)), label)

    descend(learned, rate, updates, loss)
    return learner.eval(), head.eval()


def descend(
    parameters: Sequence[Tensor], rate: float, updates: int, loss: Callable[[], Tensor], clip: float | None = None
) -> None:
    """Minimise a loss, drawn anew in each update, by AdamW.

    rate: the peak of the learning rate, after a tenth of the updates. clip: largest norm of the gradient.
    """
    optimizer = torch.optim.AdamW(parameters, rate, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, updates, pct_start=0.1)
    for _ in range(updates):
        loss().backward()
        if clip is not None:
            nn.utils.clip_grad_norm_(parameters, clip)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)


def parameters_of(encoder: Encoder, stages: int) -> list[Tensor]:
    """The parameters on which the maps of the first `stages` stages depend, whatever the encoder is built of."""
    parameters = list(encoder.parameters())
    if stages == 0:
        return []
    size, device = encoder.image_size, parameters[0].device
    training = encoder.training
    maps = encoder.eval().stages(torch.rand(1, 3, size, size, device=device))
    gradients = torch.autograd.grad(maps[list(encoder.channels)[stages - 1]].sum(), parameters, allow_unused=True)
    encoder.train(training)
    return [parameter for parameter, gradient in zip(parameters, gradients, strict=True) if gradient is not None]


def _accuracy(trained: Trained, images: ImageSet, rows: Rows, device: str) -> float:
    encoder, head = trained
    said = answers(lambda shown: head(encoder(shown)), images.images, rows, encoder.image_size, device)
    return float((np.concatenate([*said]).argmax(1) == images.label[rows]).mean())
