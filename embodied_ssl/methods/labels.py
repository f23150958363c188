"""Class labels only: what every method without labels is measured against."""

from typing import Any

from torch import Tensor

from embodied_ssl.datasets.read.batches import LabelledFrames
from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import SomeShare
from embodied_ssl.method import Recipe, Step
from embodied_ssl.parts.augmentation import color_jitter
from embodied_ssl.parts.classification import ClassifierMethod
from embodied_ssl.parts.losses import cross_entropy
from embodied_ssl.parts.views import random_resized_crop


class Labels(ClassifierMethod):
    """Supervised classification with cross-entropy.

    Idea: The encoder and a linear classifier learn the classes of labelled images. It is the bound that methods without
    labels are compared with.

    Loss: `−log softmax(W z)[class]`, cross-entropy.

    Differs: It is the row `clsnet` of Jayaraman & Grauman 2015, with random crops and a little colour jitter.
    """

    recipe = Recipe(learning_rate=1e-3, batch_size=128, steps=2000)

    def __init__(self, encoder: Encoder, least_crop: SomeShare = 0.5, **labels: Any):
        """Softmax on the pooled features.

        Args:
            encoder: what is learned.
            least_crop: smallest share of an image that a random crop keeps.
        """
        super().__init__(encoder, **labels)

    def loss(self, labelled: LabelledFrames, step: Step) -> dict[str, Tensor]:
        images = random_resized_crop(labelled.images, step.rng, self.encoder.image_size, (self.least_crop, 1.0))
        images = color_jitter(images, step.rng, 0.2, 0.2, 0.2, 0.0)
        logits = self.logits(images)  # [B, classes]
        accuracy = (logits.argmax(1) == labelled.label).float().mean()
        return {"loss": cross_entropy(logits, labelled.label), "accuracy": accuracy}
