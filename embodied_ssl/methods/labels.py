"""Class labels only: what every method without labels is measured against."""

import numpy as np
from torch import Tensor, nn

from embodied_ssl.datasets.read.batches import LabelledFrames
from embodied_ssl.datasets.read.streams import Stream
from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import Count, SomeShare
from embodied_ssl.method import Method, Panel, Recipe, Step
from embodied_ssl.parts.augmentation import color_jitter
from embodied_ssl.parts.heads import count_classes, linear_classifier
from embodied_ssl.parts.losses import cross_entropy
from embodied_ssl.parts.panels import ROWS, bars_chart
from embodied_ssl.parts.views import random_resized_crop, to_float


class Labels(Method):
    """Supervised classification with cross-entropy.

    Idea: The encoder and a linear classifier learn the classes of labelled images. It is the bound that methods without
    labels are compared with.

    Loss: `−log softmax(W z)[class]`, cross-entropy.

    Differs: It is the row `clsnet` of Jayaraman & Grauman 2015, with random crops and a little colour jitter.
    """

    classes: int | None
    recipe = Recipe(learning_rate=1e-3, batch_size=128, steps=2000)

    def __init__(self, encoder: Encoder, classes: Count | None = None, least_crop: SomeShare = 0.5):
        """Softmax on the pooled features.

        Args:
            encoder: what is learned.
            classes: of the images; None: as many as the data have.
            least_crop: smallest share of an image that a random crop keeps.
        """
        super().__init__(encoder)
        self.classifier = nn.Linear(encoder.dim, classes or 1)  # see `infer_shapes`

    def infer_shapes(self, streams: dict[str, Stream], rng: np.random.Generator) -> None:
        """The number of classes."""
        classes = count_classes(streams["labelled"], self.classes)
        if self.classes is None:
            self.classifier = linear_classifier(self.encoder.dim, classes, rng)
        self.classes = classes

    def loss(self, labelled: LabelledFrames, step: Step) -> dict[str, Tensor]:
        images = random_resized_crop(labelled.images, step.rng, self.encoder.image_size, (self.least_crop, 1.0))
        images = color_jitter(images, step.rng, 0.2, 0.2, 0.2, 0.0)
        logits = self.classifier(self.encoder(images))  # [B, classes]
        accuracy = (logits.argmax(1) == labelled.label).float().mean()
        return {"loss": cross_entropy(logits, labelled.label), "accuracy": accuracy}

    def show(self, labelled: LabelledFrames, step: Step) -> list[list[Panel]]:
        """Each image with the class that is predicted, and how likely every class is held to be."""
        images = to_float(labelled.images, self.encoder.image_size)[:ROWS]
        likely = self.classifier(self.encoder(images)).float().softmax(1)
        return [
            [
                Panel(image, f"class {answer}" + ("" if answer == true else f", is {true}"), answer == true),
                Panel(bars_chart(each, true), "how likely each class is"),
            ]
            for image, each, answer, true in zip(
                images, likely, likely.argmax(1).tolist(), labelled.label.tolist(), strict=False
            )
        ]
