"""Split-brain autoencoder: each half of a network predicts what the other half sees."""

import torch
from torch import Tensor
from torch.nn import functional

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.read.batches import Frames
from embodied_ssl.encoders import Encoder, SplitEncoder, split_colors
from embodied_ssl.limits import Count, Positive, SomeShare
from embodied_ssl.method import Method, Panel, Recipe, Step
from embodied_ssl.parts.colors import (
    annealed_mean,
    cell_colors,
    color_classes,
    lab_to_rgb,
    rgb_to_lab,
    soft_cross_entropy,
)
from embodied_ssl.parts.heads import CellClassifier
from embodied_ssl.parts.losses import cross_entropy
from embodied_ssl.parts.panels import columns
from embodied_ssl.parts.views import random_square


class SplitBrain(Method):
    """Split-brain autoencoders: unsupervised learning by cross-channel prediction. Zhang, Isola & Efros, CVPR 2017.

    Idea: A network is split into two halves. One sees the lightness of an image and predicts its colours, the other
    sees the colours and predicts the lightness. Together the halves have seen all of the image, and their features side
    by side are those of the whole.

    Loss: `CE(colours predicted from lightness) + CE(lightness predicted from colours)`, cross-entropies over classes,
    the mean over cells.

    Differs: Cells are of 4×4 px, the colour classes those of a grid that hold a colour of sRGB. An encoder that is
    given by name is made anew with two halves of half its channels, and a run leaves `split/NAME` behind.
    """

    recipe = Recipe(learning_rate=1e-3, batch_size=64, steps=2000)

    def __init__(self, encoder: Encoder, step_ab: Positive = 10.0, levels: Count = 100, least_crop: SomeShare = 0.5):
        """A classifier of cells of 4×4 px for each half.

        Args:
            encoder: what is learned; one that is not split yet is made anew with two halves.
            step_ab: side of the classes in the plane of (a, b).
            levels: classes of lightness.
            least_crop: smallest share of the square image that a view keeps.
        """
        if encoder.init is not None and not isinstance(encoder, SplitEncoder):
            raise DataError(
                f"split_brain: {encoder.name} is made anew with two halves, and its --init would be lost; give "
                f"those of --encoder split/{encoder.name}"
            )
        halves = encoder if isinstance(encoder, SplitEncoder) else SplitEncoder(encoder.name, encoder.image_size)
        super().__init__(halves)
        self.halves = (halves.lightness, halves.color)
        self.cells = max(1, encoder.image_size // 4)
        classes = torch.from_numpy(color_classes(step_ab))
        self.to_color = CellClassifier(halves.lightness.width, len(classes), self.cells)
        self.to_lightness = CellClassifier(halves.color.width, levels, self.cells)
        self.register_buffer("classes", classes)

    def loss(self, frames: Frames, step: Step) -> dict[str, Tensor]:
        images = random_square(frames.images, step.rng, self.encoder.image_size, (self.least_crop, 1.0))
        lab = rgb_to_lab(images)  # [B, 3, s, s]
        to_color, to_lightness = self.predict(lab)  # [B, Q, n, n], [B, levels, n, n]

        color, color_accuracy = soft_cross_entropy(to_color, cell_colors(lab, self.cells), self.step_ab)
        target = self.lightness_class(lab)  # [B, n, n]
        lightness = cross_entropy(to_lightness, target)
        within_5_percent = (to_lightness.argmax(1) - target).abs() <= self.levels // 20
        return {
            "loss": color + lightness,
            "color": color.detach(),
            "lightness": lightness.detach(),
            "color_accuracy": color_accuracy,
            "lightness_accuracy": within_5_percent.float().mean(),
        }

    def predict(self, lab: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the colours [B, Q, n, n] from lightness, and of the lightness [B, levels, n, n] from colours."""
        lightness, color = split_colors(lab)
        light_half, color_half = self.halves
        return self.to_color(light_half.last_maps(lightness)), self.to_lightness(color_half.last_maps(color))

    def lightness_class(self, lab: Tensor) -> Tensor:
        """The class of lightness of each cell, int64 [B, n, n]."""
        mean = functional.adaptive_avg_pool2d(lab[:, 0], self.cells)
        return (mean / 100 * self.levels).long().clamp(0, self.levels - 1)

    def show(self, frames: Frames, step: Step) -> list[list[Panel]]:
        """Each image, its lightness with predicted colours, and its colours with predicted lightness."""
        images = random_square(frames.images, step.rng, self.encoder.image_size, (1.0, 1.0), flip=0.0)
        lab = rgb_to_lab(images)
        to_color, to_lightness = self.predict(lab)
        level = (torch.arange(self.levels, device=images.device) + 0.5) / self.levels * 100
        ab = annealed_mean(to_color, self.classes)
        lightness = torch.einsum("blhw,l->bhw", to_lightness.float().softmax(1), level)[:, None]
        ab, lightness = (functional.interpolate(each, images.shape[-2:], mode="bilinear") for each in (ab, lightness))
        colored = lab_to_rgb(torch.cat([lab[:, :1], ab], 1))
        lit = lab_to_rgb(torch.cat([lightness, lab[:, 1:]], 1))
        return columns((images, "as it was"), (colored, "colours predicted"), (lit, "lightness predicted"))
