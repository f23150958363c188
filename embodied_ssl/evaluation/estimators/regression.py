"""Regression on frozen features: by ridge, in closed form, and by a small network; both chosen on validation rows."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import solve
from torch import Tensor, nn
from torch.nn import functional

from embodied_ssl.parts.heads import plain_mlp

RIDGES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0)
"""Strengths of the ridge, of which validation chooses, as multiples of the number of rows."""
AXES = 24
"""Principal axes of features along which products are taken."""
PATIENCE, MOST_EPOCHS, BATCH, RATE = 5, 50, 128, 1e-3
"""Of the network: epochs without a better validation, epochs in all, rows of an update, Adam's rate."""

Reals = NDArray[np.float64]
Sample = tuple[Reals, Reals]  # inputs [N, D] and targets [N, K]


@dataclass(frozen=True)
class Standard:
    """What brings each column to mean 0 and deviation 1; a column that does not vary stays 0."""

    mean: Reals  # [D]
    deviation: Reals  # [D]

    @classmethod
    def of(cls, rows: Reals) -> "Standard":
        """That of rows [N, D]."""
        return cls(rows.mean(0), rows.std(0))

    def __call__(self, rows: Reals) -> Reals:
        return (rows - self.mean) * self.scale

    @property
    def scale(self) -> Reals:
        """What each column is multiplied by, [D]."""
        varies = self.deviation > 1e-6 * max(1.0, float(np.abs(self.mean).max()))
        return np.where(varies, 1 / np.where(varies, self.deviation, 1.0), 0.0)


@dataclass(frozen=True)
class Ridge:
    """A linear map from inputs to targets."""

    standard: Standard
    weight: Reals  # [D, K], of standardised inputs
    mean: Reals  # [K], of the targets
    strength: float

    def __call__(self, inputs: Reals) -> Reals:
        """inputs [N, D] → targets [N, K]."""
        return self.standard(inputs) @ self.weight + self.mean

    @property
    def layer(self) -> tuple[Reals, Reals]:
        """The same of inputs as they are: weight [D, K] and bias [K]."""
        weight = self.standard.scale[:, None] * self.weight
        return weight, self.mean - self.standard.mean @ weight


def fit_ridge(train: Sample, validation: Sample) -> Ridge:
    """The ridge of standardised inputs whose strength has the least squared error on validation rows."""
    tried = ridges(train)
    errors = [float(np.square(one(validation[0]) - validation[1]).mean()) for one in tried]
    return tried[int(np.argmin(errors))]


def ridges(train: Sample) -> list[Ridge]:
    """The ridge of standardised inputs of each strength."""
    (x, y), standard = train, Standard.of(train[0])
    x, mean = standard(x), y.mean(0)
    dual = len(x) < x.shape[1]  # the smaller of the two systems
    gram, right = (x @ x.T, y - mean) if dual else (x.T @ x, x.T @ (y - mean))
    tried = []
    for strength in RIDGES:
        found = solve(gram + strength * len(x) * np.eye(len(gram)), right, assume_a="pos")
        tried.append(Ridge(standard, x.T @ found if dual else found, mean, strength))
    return tried


@dataclass(frozen=True)
class Products:
    """Products of two inputs along the principal axes of each, so that what is linear in them can depend on both."""

    means: tuple[Reals, Reals]
    axes: tuple[Reals, Reals]  # [D, P], scaled to deviation 1

    @classmethod
    def of(cls, first: Reals, second: Reals, most: int) -> "Products":
        """Along at most `most` axes of each of two inputs [N, D]."""
        return cls((first.mean(0), second.mean(0)), (_axes(first, most), _axes(second, most)))

    def __call__(self, first: Reals, second: Reals) -> Reals:
        """Both inputs and their products, [N, D + D' + P·P']."""
        along = [(rows - mean) @ axes for rows, mean, axes in zip((first, second), self.means, self.axes, strict=True)]
        products = along[0][:, :, None] * along[1][:, None]  # [N, P, P']
        return np.concatenate([first, second, products.reshape(len(first), -1)], 1)


def _axes(rows: Reals, most: int) -> Reals:
    """The principal axes of rows [N, D] along which they vary most, [D, P]."""
    centred = rows - rows.mean(0)
    values, axes = np.linalg.eigh(centred.T @ centred / len(rows))
    kept = np.flatnonzero(values > 1e-9 * max(float(values[-1]), 1e-12))[::-1][:most]
    return axes[:, kept] / np.sqrt(values[kept])


@dataclass(frozen=True)
class Network:
    """A multi-layer perceptron from inputs to targets."""

    standard: Standard
    of_targets: Standard
    layers: nn.Module
    epochs: int = 0
    """After which validation was best; 0: there was none."""

    @torch.no_grad()
    def __call__(self, inputs: Reals) -> Reals:
        """inputs [N, D] → targets [N, K]."""
        device = next(self.layers.parameters()).device
        rows = torch.from_numpy(self.standard(inputs).astype("f4")).to(device)
        return self.layers(rows).cpu().numpy().astype("f8") * self.of_targets.deviation + self.of_targets.mean


def fit_network(
    train: Sample, validation: Sample, seed: int, device: str = "cpu", hidden: tuple[int, ...] = (1024, 1024)
) -> Network:
    """An MLP by squared error of standardised targets; the epoch with the least error on validation rows is kept."""
    standard, of_targets = Standard.of(train[0]), Standard.of(train[1])
    (inputs, targets), (given, wanted) = (
        (torch.from_numpy(rows.astype("f4")).to(device) for rows in (standard(x), of_targets(y)))
        for x, y in (train, validation)
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers = plain_mlp((train[0].shape[1], *hidden, train[1].shape[1])).to(device)
    optimizer = torch.optim.Adam(layers.parameters(), RATE)
    best, kept, since, epochs = float("inf"), copy.deepcopy(layers), 0, 0
    rng = np.random.default_rng(seed)
    for epoch in range(1, MOST_EPOCHS + 1):
        for x, y in _shuffled(inputs, targets, rng):
            functional.mse_loss(layers(x), y).backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        with torch.no_grad():
            error = float(functional.mse_loss(layers(given), wanted))
        since = 0 if error < best else since + 1
        if since == 0:
            best, kept, epochs = error, copy.deepcopy(layers), epoch
        if since == PATIENCE:
            break
    return Network(standard, of_targets, kept, epochs)


def _shuffled(x: Tensor, y: Tensor, rng: np.random.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    """An epoch's updates."""
    order = torch.from_numpy(rng.permutation(len(x))).to(x.device)
    for rows in order.split(BATCH):
        yield x[rows], y[rows]


def r2(predicted: Reals, truth: Reals) -> Reals:
    """The coefficient of determination of each column, about its own mean, [K]; NaN where it does not vary."""
    with np.errstate(divide="ignore", invalid="ignore"):
        left = np.square(truth - predicted).sum(0)
        return np.where((spread := np.square(truth - truth.mean(0)).sum(0)) > 0, 1 - left / spread, np.nan)


def pooled_r2(predicted: Reals, truth: Reals) -> float:
    """That of all columns together, about one mean of all their numbers, as 3DIEBench's code has it."""
    spread = float(np.square(truth - truth.mean()).sum())
    return 1 - float(np.square(truth - predicted).sum()) / spread if spread > 0 else float("nan")
