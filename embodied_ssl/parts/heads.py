"""Heads: what a method puts on an encoder for its loss, and what evaluations do without."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.read.streams import Stream

Layers = TypeVar("Layers", bound=nn.Module)


def mlp(widths: Sequence[int], dropout: float = 0.0, last_bias: bool = True, last_norm: bool = False) -> nn.Sequential:
    """Linear layers of these widths with batch norm and ReLU between them; the last one is linear.

    last_norm: a batch norm without scale and shift after the last one (the projections of Chen, Xie & He 2021).
    """
    layers: list[nn.Module] = []
    for i, (before, after) in enumerate(pairwise(widths)):
        last = i == len(widths) - 2
        layers.append(nn.Linear(before, after, bias=last and last_bias))
        if not last:
            layers += [nn.BatchNorm1d(after), nn.ReLU(inplace=True)]
            layers += [nn.Dropout(dropout)] if dropout else []
    layers += [nn.BatchNorm1d(widths[-1], affine=False)] if last_norm else []
    return nn.Sequential(*layers)


def plain_mlp(widths: Sequence[int], activation: type[nn.Module] = nn.ReLU) -> nn.Sequential:
    """Linear layers of these widths with nothing but an activation between them."""
    layers = [layer for before, after in pairwise(widths) for layer in (nn.Linear(before, after), activation())]
    return nn.Sequential(*layers[:-1])


def count_classes(labelled: Stream, expected: int | None) -> int:
    """The number of classes that a classifier is to have for a stream of labelled images.

    expected: as it was set; None: as many as the data have. Raises DataError where the data have more, or but one.
    """
    names = labelled.classes  # type: ignore[attr-defined]
    if len(names) < 2:
        raise DataError(f"labels: all images are of one class ({names[0]}); give images of two or more")
    if expected is not None and len(names) > expected:
        raise DataError(f"classes: {expected}, but the labelled images are of {len(names)}; leave --classes out")
    return expected or len(names)


def linear_classifier(dim: int, classes: int, rng: np.random.Generator) -> nn.Linear:
    """A layer for the logits of so many classes, drawn from `rng` as torch draws it."""
    layer = nn.Linear(dim, classes)
    bound = dim**-0.5
    numbers = (torch.from_numpy(rng.uniform(-bound, bound, each.shape)) for each in layer.parameters())
    layer.load_state_dict(dict(zip(("weight", "bias"), numbers, strict=True)))
    return layer


def drawn_anew(make: Callable[[], Layers], rng: np.random.Generator) -> Layers:
    """A module whose first weights are drawn from `rng`, as torch draws them; torch's own generator stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.integers(1 << 62)))
        return make()


class PrototypeHead(nn.Module):
    """An MLP to a bottleneck of unit length, and its cosine similarities with prototypes (Caron et al. 2021).

    The paper has GELU alone where this has batch norm and ReLU, which remove what the features of all images share:
    those of an untrained encoder share so much that they hardly differ otherwise. plain: as the paper has it.
    """

    def __init__(
        self, dim: int, width: int, bottleneck: int, prototypes: int, plain: bool = False, hidden_layers: int = 2
    ):
        super().__init__()
        widths = (dim, *[width] * hidden_layers, bottleneck)
        self.layers = plain_mlp(widths, nn.GELU) if plain else mlp(widths)
        if plain:
            for layer in self.layers:
                if isinstance(layer, nn.Linear):
                    nn.init.trunc_normal_(layer.weight, std=0.02)
                    nn.init.zeros_(layer.bias)
        # Of unit length: of longer ones an update would turn the direction, which alone counts, by less.
        self.prototypes = nn.Parameter(functional.normalize(torch.randn(prototypes, bottleneck), dim=1))

    def forward(self, features: Tensor, frozen: bool = False) -> Tensor:
        """features [B, D] → cosine similarities [B, prototypes]. frozen: the prototypes get no gradient."""
        return self.similarities(self.codes(features), frozen)

    def codes(self, features: Tensor) -> Tensor:
        """features [B, D] → codes of unit length [B, bottleneck]."""
        return functional.normalize(self.layers(features), dim=1)

    def similarities(self, codes: Tensor, frozen: bool = False) -> Tensor:
        """codes of unit length [B, bottleneck] → cosine similarities [B, prototypes]."""
        prototypes = self.prototypes.detach() if frozen else self.prototypes
        return codes @ functional.normalize(prototypes, dim=1).T


class Tower(nn.Module):
    """A task's own layers on the last map of a trunk: a 3×3 convolution, an average over 2×2 cells, an MLP."""

    def __init__(self, channels: int, outputs: int, width: int = 128, hidden: int = 128):
        super().__init__()
        self.convolution = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
        )
        self.output = mlp((4 * width, hidden, outputs))

    def forward(self, maps: Tensor) -> Tensor:
        """maps [B, channels, h, w] → [B, outputs]."""
        pooled = self.convolution(maps)  # [B, 4 · width]
        return self.output(pooled)


class Decoder(nn.Module):
    """A code to an image: from 4×4 up by nearest neighbour and convolution, [B, D] → float [B, 3, size, size]."""

    def __init__(self, dim: int, size: int, width: int = 128):
        super().__init__()
        self.start = nn.Linear(dim, width * 16)
        self.grow = growing(width, 4, size)

    def forward(self, code: Tensor) -> Tensor:
        """code [B, D] → images in [0, 1]."""
        maps = self.start(code).unflatten(1, (-1, 4, 4))  # [B, width, 4, 4]
        return self.grow(maps).sigmoid()


def growing(width: int, start: int, size: int) -> nn.Sequential:
    """Layers from maps [B, width, start, start] to images [B, 3, size, size], by upsampling and convolution in turn."""
    steps = max(1, (size // start - 1).bit_length())
    layers: list[nn.Module] = []
    for i in range(steps):
        after = max(width >> (i + 1), 16)
        layers += [nn.Upsample(scale_factor=2), nn.Conv2d(max(width >> i, 16), after, 3, padding=1, bias=False)]
        layers += [nn.BatchNorm2d(after), nn.ReLU(inplace=True)]
    layers += [nn.Conv2d(after, 3, 3, padding=1), nn.Upsample((size, size), mode="bilinear")]
    return nn.Sequential(*layers).to(memory_format=torch.channels_last)


class CellClassifier(nn.Module):
    """Classes for each cell of an image, from the maps of an encoder: [B, channels, h, w] → [B, classes, n, n]."""

    def __init__(self, channels: int, classes: int, cells: int, width: int = 128):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.Upsample((cells, cells), mode="bilinear"),
            nn.Conv2d(width, width // 2, 3, padding=1, bias=False),
            nn.BatchNorm2d(width // 2),
            nn.ReLU(inplace=True),
            nn.Conv2d(width // 2, classes, 1),
        ).to(memory_format=torch.channels_last)

    def forward(self, maps: Tensor) -> Tensor:
        """maps [B, channels, h, w] → logits [B, classes, n, n]."""
        return self.layers(maps)
