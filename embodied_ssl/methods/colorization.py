"""Colorization: predict the colours of an image from its lightness."""

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.read.batches import Frames
from embodied_ssl.datasets.read.streams import Stream
from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import Positive, Share, SomeShare
from embodied_ssl.method import Method, Panel, Step
from embodied_ssl.parts.colors import (
    annealed_mean,
    cell_colors,
    color_classes,
    lab_to_rgb,
    rgb_to_lab,
    soft_cross_entropy,
)
from embodied_ssl.parts.heads import CellClassifier
from embodied_ssl.parts.panels import columns
from embodied_ssl.parts.views import random_square
from embodied_ssl.recipe import Preset, Recipe


class Colorization(Method):
    """Colorful image colorization. Zhang, Isola & Efros, ECCV 2016.

    Idea: From the lightness of an image a network predicts its colours. To know that grass is green and a lemon yellow,
    its features have to hold what is seen. Colours are classes, not numbers, since an object may have several and
    their mean would be grey; rare colours weigh more, or all images would come out dull.

    Loss: `−mean over cells of v(q*) Σ_q Z_q log Ẑ_q` (equation 2), with Z the soft assignment of a cell's colour to its
    five nearest classes, Ẑ the prediction, and v the weight of the nearest class q* (equation 4).

    Differs: The classes are those of a grid that hold a colour of sRGB, 261 for the paper's 313, which has a margin
    about them. The lightness goes into all three channels of the encoder. Larsson et al. 2017 (ColorProxy in tables of
    rivals) learn the same task by histograms of hue and chroma, from features of all layers: no method of its own here.
    """

    recipe = Recipe(learning_rate=1e-3, batch_size=64, steps=2000)
    presets: ClassVar = {
        "paper": Preset(
            "alexnet",
            224,
            Recipe(
                learning_rate=3e-5, weight_decay=1e-3, momentum=0.9, second_beta=0.999, batch_size=40, steps=400_000,
                warmup=0.0, schedule="step", milestones=(240_000 / 400_000, 300_000 / 400_000), gamma=10**-0.5,
            ),
            {},
            "Zhang, Isola & Efros 2016; train_alexnet/solver0.prototxt of richzhang/colorization",
            "Rates fall to 1e-5 and 3e-6, by √10 each; what follows 400,000 updates at 1e-6 is left out. The weight "
            "decay is AdamW's for Adam's. 261 classes for 313.",
        ),
    }  # fmt: skip

    def __init__(
        self,
        encoder: Encoder,
        step_ab: Positive = 10.0,
        rebalance: Share = 0.5,
        temperature: Positive = 0.38,
        least_crop: SomeShare = 0.5,
    ):
        """A classifier of colours for cells of 4×4 px.

        Args:
            encoder: what is learned.
            step_ab: side of the classes in the plane of (a, b).
            rebalance: λ, the share of even frequencies that is mixed into those of the data before classes are weighted
                by their inverse; 1: all classes weigh the same.
            temperature: of the annealed mean that makes a colour of a distribution (equation 5).
            least_crop: smallest share of the square image that a view keeps.
        """
        super().__init__(encoder)
        self.cells = max(1, encoder.image_size // 4)
        classes = torch.from_numpy(color_classes(step_ab))
        self.head = CellClassifier(encoder.width, len(classes), self.cells)
        self.register_buffer("classes", classes)  # [Q, 2], (a, b)
        self.register_buffer("weights", torch.ones(len(classes)))

    def prepare(self, streams: dict[str, Stream], rng: np.random.Generator) -> None:
        """Weights of the classes, from how often each occurs (section 2.2). Raises DataError for grey images."""
        frequency = class_frequencies(streams["frames"], self.classes, rng)
        if frequency.max() > 0.99:
            raise DataError("colorization: the images have no colours to learn from; take others")
        self.weights.copy_(class_weights(smoothed(frequency, self.classes), self.rebalance))

    def loss(self, frames: Frames, step: Step) -> dict[str, Tensor]:
        images = random_square(frames.images, step.rng, self.encoder.image_size, (self.least_crop, 1.0))
        lab = rgb_to_lab(images)  # [B, 3, s, s]
        logits = self.classify(lab[:, :1])  # [B, Q, n, n]
        colors = cell_colors(lab, self.cells)  # [B, 2, n, n]
        loss, accuracy = soft_cross_entropy(logits, colors, self.step_ab, self.weights)  # eq. 2
        return {"loss": loss, "accuracy": accuracy}

    def classify(self, lightness: Tensor) -> Tensor:
        """Logits [B, Q, n, n] of the colours of cells, from the lightness [B, 1, s, s] in [0, 100] alone."""
        return self.head(self.encoder.last_maps((lightness / 100).expand(-1, 3, -1, -1)))

    def show(self, frames: Frames, step: Step) -> list[list[Panel]]:
        """Each image grey, coloured, and as it was."""
        images = random_square(frames.images, step.rng, self.encoder.image_size, (1.0, 1.0), flip=0.0)
        lightness = rgb_to_lab(images)[:, :1]
        ab = annealed_mean(self.classify(lightness), self.classes, self.temperature)
        ab = functional.interpolate(ab, images.shape[-2:], mode="bilinear")
        colored = lab_to_rgb(torch.cat([lightness, ab], 1))
        grey = (lightness / 100).expand(-1, 3, -1, -1)
        return columns((grey, "seen"), (colored, "coloured"), (images, "as it was"))


def class_weights(frequency: Tensor, rebalance: float) -> Tensor:
    """Weights of classes of such frequencies [Q], inversely to them; their mean over the data is 1. Equation 4."""
    mixed = 1 / ((1 - rebalance) * frequency + rebalance / len(frequency))
    return mixed / (frequency * mixed).sum()


def class_frequencies(frames: Stream, classes: Tensor, rng: np.random.Generator, most: int = 2000) -> Tensor:
    """How often each colour class [Q, 2] occurs in up to `most` images: float [Q], of sum 1."""
    index = rng.permutation(len(frames))[:most]
    count = torch.zeros(len(classes))
    for part in np.array_split(index, -(-len(index) // 100)):
        batch = frames.batch(part, rng)
        assert isinstance(batch, Frames)
        small = functional.interpolate(batch.images.float() / 255, (16, 16), mode="area")
        ab = rgb_to_lab(small)[:, 1:].permute(0, 2, 3, 1).flatten(0, 2)
        count += torch.bincount(torch.cdist(ab, classes).argmin(1), minlength=len(classes))
    return count / count.sum()


def smoothed(frequency: Tensor, classes: Tensor, sigma: float = 5.0) -> Tensor:
    """Frequencies [Q] spread over near classes [Q, 2] by a Gaussian."""
    kernel = torch.exp(-0.5 * (torch.cdist(classes, classes) / sigma) ** 2)
    return (kernel / kernel.sum(0)) @ frequency
