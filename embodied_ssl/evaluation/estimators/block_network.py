"""A small network from several kinds of inputs, each of which counts alike, however many numbers it has."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from embodied_ssl.evaluation.estimators.regression import RATE, Reals, Standard
from embodied_ssl.parts.heads import plain_mlp

LENGTH = 6.0
"""Root of the mean square of each block of the network's inputs: as if each had 36 standardised numbers."""
HIDDEN, BATCH = (256, 256), 64


@dataclass(frozen=True)
class Blocks:
    """Inputs of several kinds side by side: columns are standardised, and rows of each kind get one length.

    So a thousand features count as much as nine numbers of the body.
    """

    standards: tuple[Standard, ...]
    lengths: tuple[float, ...]

    @classmethod
    def of(cls, blocks: Sequence[Reals]) -> "Blocks":
        """Those of blocks [N, D]."""
        standards = tuple(map(Standard.of, blocks))
        squares = [np.square(each(block)).sum(1).mean() for each, block in zip(standards, blocks, strict=True)]
        return cls(standards, tuple(float(np.sqrt(square)) if square > 0 else 1.0 for square in squares))

    def __call__(self, blocks: Sequence[Reals]) -> Reals:
        """Blocks [N, D] side by side."""
        parts = zip(self.standards, self.lengths, blocks, strict=True)
        return np.concatenate([LENGTH * standard(block) / length for standard, length, block in parts], 1)


@dataclass(frozen=True)
class BlockNetwork:
    """A multi-layer perceptron from blocks of inputs to targets."""

    blocks: Blocks
    of_targets: Standard
    layers: nn.Module

    @torch.no_grad()
    def __call__(self, blocks: Sequence[Reals]) -> Reals:
        """Blocks of inputs [N, D] → targets [N, K]."""
        device = next(self.layers.parameters()).device
        rows = torch.from_numpy(self.blocks(blocks).astype("f4")).to(device)
        return self.layers(rows).cpu().numpy().astype("f8") * self.of_targets.deviation + self.of_targets.mean


def fit_block_network(
    blocks: Sequence[Reals], targets: Reals, seed: int, updates: int, device: str = "cpu"
) -> BlockNetwork:
    """By squared error of standardised targets [N, K], without validation: AdamW's rate falls to 0 along a cosine."""
    scaled, of_targets = Blocks.of(blocks), Standard.of(targets)
    x = torch.from_numpy(scaled(blocks).astype("f4")).to(device)
    y = torch.from_numpy(of_targets(targets).astype("f4")).to(device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers = plain_mlp((x.shape[1], *HIDDEN, y.shape[1])).to(device)
    optimizer = torch.optim.AdamW(layers.parameters(), RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, updates)
    draws = torch.from_numpy(np.random.default_rng(seed).integers(len(x), size=(updates, BATCH))).to(device)
    for rows in draws:
        functional.mse_loss(layers(x[rows]), y[rows]).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        schedule.step()
    return BlockNetwork(scaled, of_targets, layers)
