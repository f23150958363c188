"""What methods that learn from class labels have in common: a linear classifier, and how many labels there are."""

from typing import Any

import numpy as np
from torch import Tensor, nn

from embodied_ssl.datasets.read.batches import LabelledFrames
from embodied_ssl.datasets.read.streams import Stream
from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import Count, Positive
from embodied_ssl.method import Method, Panel, Step
from embodied_ssl.parts.heads import count_classes, linear_classifier
from embodied_ssl.parts.panels import ROWS, bars_chart
from embodied_ssl.parts.views import to_float


class ClassifierMethod(Method):
    """A method whose `labelled` stream teaches a linear classifier on the pooled features; a subclass has the loss."""

    classes: int | None

    def __init__(self, encoder: Encoder, classes: Count | None = None, per_class: Count | None = None):
        """Softmax on the pooled features.

        Args:
            encoder: what is learned.
            classes: of the images; None: as many as the data have.
            per_class: labelled images of each class that it is given, drawn by the seed of the run; None: all.
        """
        super().__init__(encoder)
        self.classifier = nn.Linear(encoder.dim, classes or 1)  # see `infer_shapes`

    def stream_options(self) -> dict[str, dict[str, Any]]:
        return {"labelled": {"per_class": self.per_class}} if self.per_class else {}

    def infer_shapes(self, streams: dict[str, Stream], rng: np.random.Generator) -> None:
        """The number of classes."""
        classes = count_classes(streams["labelled"], self.classes)
        if self.classes is None:
            self.classifier = linear_classifier(self.encoder.dim, classes, rng)
        self.classes = classes

    def logits(self, images: Tensor) -> Tensor:
        """images: float [B, 3, s, s] → [B, classes]."""
        found: Tensor = self.classifier(self.encoder(images)).float()
        return found

    def show(self, labelled: LabelledFrames, step: Step, **others: Any) -> list[list[Panel]]:
        """Each image with the class that is predicted, and how likely every class is held to be."""
        images = to_float(labelled.images, self.encoder.image_size)[:ROWS]
        likely = self.logits(images).softmax(1)
        return [
            [
                Panel(image, f"class {answer}" + ("" if answer == true else f", is {true}"), answer == true),
                Panel(bars_chart(each, true), "how likely each class is"),
            ]
            for image, each, answer, true in zip(
                images, likely, likely.argmax(1).tolist(), labelled.label.tolist(), strict=False
            )
        ]


class SemiSupervisedMethod(ClassifierMethod):
    """A method whose stream `frames` has images without labels beside those with them."""

    unlabelled: float

    def __init__(self, encoder: Encoder, unlabelled: Positive = 1.0, **labels: Any):
        """Softmax on the pooled features.

        Args:
            encoder: what is learned.
            unlabelled: images without labels for each with one, in an update; a batch has its size of the former.
        """
        super().__init__(encoder, **labels)

    def batch_shares(self) -> dict[str, float]:
        return {"labelled": 1 / self.unlabelled}
