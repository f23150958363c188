"""What every encoder is: named stages, and features pooled from the last of them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

MEAN, DEVIATION = 0.45, 0.225
"""What images in [0, 1] are normalised with, all channels alike."""


class Encoder(nn.Module):
    """What maps images to features.

    Every encoder takes float images [B, 3, H, W] in [0, 1], of `image_size` (convolutional ones take any), and
    normalises them itself.
    """

    name: str
    """As `make_encoder` takes it."""
    image_size: int
    """Side of the square images that it is made for, px. Views and evaluations resize to it."""
    channels: dict[str, int]
    """Channels of each stage, from the shallowest to the deepest, by name."""
    dim: int
    """Of the pooled features."""
    init: str | None = None
    """Where its first weights are from, as `make_encoder` was given it; None: drawn at random."""

    def stages(self, images: Tensor) -> dict[str, Tensor]:
        """The maps after each stage, by name, [B, channels, h, w], from the shallowest to the deepest."""
        raise NotImplementedError

    def pool(self, stages: dict[str, Tensor]) -> Tensor:
        """The pooled features [B, dim] of what `stages` gave. Only the deepest of the stages counts."""
        return stages[next(reversed(stages))].mean(dim=(2, 3))

    def forward(self, images: Tensor) -> Tensor:
        """The pooled features [B, dim] of images."""
        return self.pool(self.stages(images))

    def last_maps(self, images: Tensor) -> Tensor:
        """The maps after the deepest stage, [B, channels, h, w]."""
        return list(self.stages(images).values())[-1]

    def in_two(self) -> tuple[nn.Module, nn.Module] | None:
        """All stages but the deepest as a module of images, and the deepest as one of the maps that it gives.

        They share this encoder's weights. None: it cannot be taken apart.
        """
        return None

    @property
    def width(self) -> int:
        """Channels of the deepest stage."""
        return list(self.channels.values())[-1]

    @property
    def patch_projection(self) -> nn.Module | None:
        """What makes tokens of patches, in a plain transformer; None in all others."""
        return None

    def adapt(self, state: dict[str, Tensor]) -> tuple[nn.Module, dict[str, Tensor]]:
        """A module of this encoder and its weights, of a state that another file holds: `read_weights` has read it.

        The module's own names and shapes are checked afterwards.
        """
        return self, state

    @property
    def settings(self) -> dict[str, Any]:
        """What `make_encoder` needs to make one like it."""
        return {"name": self.name, "image_size": self.image_size}


class Normalised(nn.Module):
    """Images as layers behind it take them."""

    def __init__(self, mean: Tensor | float, deviation: Tensor | float):
        super().__init__()
        self.mean: Tensor
        self.deviation: Tensor
        self.register_buffer("mean", torch.as_tensor(mean))
        self.register_buffer("deviation", torch.as_tensor(deviation))

    def forward(self, images: Tensor) -> Tensor:
        return (images - self.mean) / self.deviation


class Normalisation(NamedTuple):
    """What is subtracted from each channel of images in [0, 1], and what they are divided by."""

    mean: Sequence[float]
    deviation: Sequence[float]


class Backbone(Encoder):
    """A network of another library, in its own naming, for images normalised as its own configuration says."""

    def __init__(self, name: str, image_size: int, network: Any, normalisation: Normalisation):
        super().__init__()
        self.name = name
        self.image_size = image_size
        self.network = network
        self.mean: Tensor
        self.deviation: Tensor
        # Kept with the weights, which hold for images in these units alone.
        self.register_buffer("mean", torch.tensor(normalisation.mean)[:, None, None])
        self.register_buffer("deviation", torch.tensor(normalisation.deviation)[:, None, None])

    def normalised(self, images: Tensor) -> Tensor:
        return (images - self.mean) / self.deviation

    def sample(self) -> Tensor:
        """An image of noise of the usual size, normalised, by which the layout of the network is found out."""
        generator = torch.Generator().manual_seed(0)
        return self.normalised(torch.rand(1, 3, self.image_size, self.image_size, generator=generator))
