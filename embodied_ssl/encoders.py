"""Encoders by name, all with one interface: named stages, pooled features, patch tokens where they exist."""

from typing import Any

import torch
from torch import Tensor, nn

from embodied_ssl.datasets.errors import unknown_name

MEAN, DEVIATION = 0.45, 0.225
"""What pictures in [0, 1] are normalised with, all channels alike."""


class Encoder(nn.Module):
    """A picture's features.

    Every encoder takes float pictures [B, 3, H, W] in [0, 1], of `image_size` (convolutional ones take any), and
    normalises them itself.
    """

    name: str
    """As `make_encoder` takes it."""
    image_size: int
    """Side of the square pictures that it is made for, px. Views and evaluations resize to it."""
    channels: dict[str, int]
    """Channels of each stage, from the shallowest to the deepest, by name."""
    dim: int
    """Of the pooled features."""

    def stages(self, images: Tensor) -> dict[str, Tensor]:
        """The maps after each stage, by name, [B, channels, h, w], from the shallowest to the deepest."""
        raise NotImplementedError

    def pool(self, stages: dict[str, Tensor]) -> Tensor:
        """The pooled features [B, dim] of what `stages` gave."""
        return stages[next(reversed(stages))].mean(dim=(2, 3))

    def forward(self, images: Tensor) -> Tensor:
        """The pooled features [B, dim] of pictures."""
        return self.pool(self.stages(images))

    @property
    def settings(self) -> dict[str, Any]:
        """What `make_encoder` needs to make one like it."""
        return {"name": self.name, "image_size": self.image_size}


class ConvolutionalEncoder(Encoder):
    """Blocks one after the other; their outputs are the stages."""

    def __init__(self, name: str, image_size: int, blocks: dict[str, nn.Module], channels: dict[str, int]):
        super().__init__()
        self.name, self.image_size, self.channels = name, image_size, channels
        self.dim = channels[next(reversed(channels))]
        self.blocks = nn.ModuleDict(blocks)

    def stages(self, images: Tensor) -> dict[str, Tensor]:
        maps = (images - MEAN) / DEVIATION
        found = {}
        for name, block in self.blocks.items():
            found[name] = maps = block(maps)
        return found


def make_encoder(name: str, image_size: int = 64) -> Encoder:
    """A randomly initialised encoder. Raises DataError for an unknown name; it offers the near one."""
    if name not in ENCODERS:
        raise unknown_name("encoder", name, ENCODERS)
    return ENCODERS[name](image_size)


def _conv4(image_size: int) -> Encoder:
    """Four blocks of 3×3 convolution, batch norm, ReLU and 2×2 max pooling: 32, 64, 128, 256 channels."""
    widths = (3, 32, 64, 128, 256)
    blocks: dict[str, nn.Module] = {}
    for i in range(4):
        blocks[f"block{i + 1}"] = nn.Sequential(
            nn.Conv2d(widths[i], widths[i + 1], 3, padding=1, bias=False),
            nn.BatchNorm2d(widths[i + 1]),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
        )
    return ConvolutionalEncoder("conv4", image_size, blocks, {f"block{i + 1}": widths[i + 1] for i in range(4)})


ENCODERS = {"conv4": _conv4}


def freeze(encoder: Encoder) -> Encoder:
    """The same encoder for evaluation only: no gradients, batch norm and dropout at rest."""
    return encoder.eval().requires_grad_(False)


def random_encoder(name: str, image_size: int, seed: int) -> Encoder:
    """A randomly initialised encoder that depends on `seed` alone, not on torch's global generator."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make_encoder(name, image_size)
