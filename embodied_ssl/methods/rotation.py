"""Rotation: predict by which of four angles an image was rotated."""

from typing import ClassVar

from torch import Tensor

from embodied_ssl.datasets.read.batches import Frames
from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import SomeShare
from embodied_ssl.method import Method, Panel, Step
from embodied_ssl.parts.heads import Tower
from embodied_ssl.parts.losses import cross_entropy
from embodied_ssl.parts.panels import ROWS
from embodied_ssl.parts.views import random_square, rotations
from embodied_ssl.recipe import CIFAR, Preset, Recipe, updates


class Rotation(Method):
    """Unsupervised representation learning by predicting image rotations. Gidaris, Singh & Komodakis, ICLR 2018.

    Idea: An image is rotated by 0, 90, 180 and 270 degrees, and a network predicts by which. To do so it has to
    recognise objects and know which way up they are.

    Loss: `mean over the four rotations r of −log softmax(h(z(rot(x, r))))[r]`, cross-entropy, all four of each image in
    a batch.

    Differs: Views are square crops resized alike along both axes, since one that was squeezed gives its sides away; no
    other augmentation but a mirror. The head has layers of its own, as the paper takes its features from the blocks
    before the last.
    """

    recipe = Recipe(learning_rate=1e-3, batch_size=64, steps=2000)
    presets: ClassVar = {
        "paper": Preset(
            "alexnet",
            224,
            Recipe(
                "sgd", learning_rate=0.01, weight_decay=5e-4, nesterov=True, batch_size=192, steps=updates(50, 192),
                warmup=0.0, schedule="step", milestones=(15 / 50, 30 / 50, 45 / 50),
            ),
            {"least_crop": 0.08},
            "Gidaris, Singh & Komodakis 2018; config/ImageNet_RotNet_AlexNet.py of gidariss/FeatureLearningRotNet",
            "AlexNet has our strides; its head is a small convolution and two layers for three of 4,096. Crops are "
            "square.",
        ),
        "cifar": Preset(
            "resnet18_small",
            32,
            Recipe(
                "sgd", learning_rate=0.1, weight_decay=5e-4, nesterov=True, batch_size=128,
                steps=updates(200, 128, CIFAR), warmup=0.0, schedule="step",
                milestones=(60 / 200, 120 / 200, 160 / 200), gamma=0.2,
            ),
            {},
            "config/CIFAR10_RotNet_NIN4blocks.py of gidariss/FeatureLearningRotNet",
            "ResNet-18 for Network-in-Network.",
        ),
    }  # fmt: skip

    def __init__(self, encoder: Encoder, least_crop: SomeShare = 0.5):
        """A classifier of four angles on the deepest maps.

        Args:
            encoder: what is learned.
            least_crop: smallest share of the square image that a view keeps.
        """
        super().__init__(encoder)
        self.head = Tower(encoder.width, 4)

    def loss(self, frames: Frames, step: Step) -> dict[str, Tensor]:
        views = random_square(frames.images, step.rng, self.encoder.image_size, (self.least_crop, 1.0))
        turned, quarters = rotations(views)  # [4 B, 3, s, s], [4 B]
        logits = self.head(self.encoder.last_maps(turned))  # [4 B, 4]
        accuracy = (logits.argmax(1) == quarters).float().mean()
        return {"loss": cross_entropy(logits, quarters), "accuracy": accuracy}

    def show(self, frames: Frames, step: Step) -> list[list[Panel]]:
        """Each image in its four rotations, and the angle that was predicted for each."""
        views = random_square(frames.images, step.rng, self.encoder.image_size, (1.0, 1.0), flip=0.0)
        turned, quarters = rotations(views)
        predicted = self.head(self.encoder.last_maps(turned)).argmax(1)
        panels = [
            Panel(view, f"{90 * int(answer)}°", bool(answer == quarter))
            for view, answer, quarter in zip(turned, predicted, quarters, strict=True)
        ]
        return [panels[first :: len(views)] for first in range(min(ROWS, len(views)))]
