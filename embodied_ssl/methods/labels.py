"""Class labels only: what every method without labels is measured against."""

from typing import Any, ClassVar

from torch import Tensor

from embodied_ssl.datasets.read.batches import LabelledFrames
from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import SomeShare
from embodied_ssl.method import Step
from embodied_ssl.parts.augmentation import color_jitter
from embodied_ssl.parts.classification import ClassifierMethod
from embodied_ssl.parts.losses import cross_entropy
from embodied_ssl.parts.views import random_resized_crop
from embodied_ssl.recipe import Preset, Recipe, updates


class Labels(ClassifierMethod):
    """Supervised classification with cross-entropy.

    Idea: The encoder and a linear classifier learn the classes of labelled images. It is the bound that methods without
    labels are compared with.

    Loss: `−log softmax(W z)[class]`, cross-entropy.

    Differs: It is the row `clsnet` of Jayaraman & Grauman 2015, with random crops and a little colour jitter.
    """

    recipe = Recipe(learning_rate=1e-3, batch_size=128, steps=2000)
    presets: ClassVar = {
        "paper": Preset(
            "torchvision/resnet50",
            224,
            Recipe(
                "sgd", learning_rate=0.1, reference_batch=256, weight_decay=1e-4, nesterov=True, batch_size=256,
                steps=updates(90, 256), warmup=0.0, schedule="step", milestones=(30 / 90, 60 / 90, 80 / 90),
            ),
            {"least_crop": 0.08},
            "ResNet-50 of Goyal et al. 2017, section 5.1",
            "Scales of the last norm of each block begin at 1 instead of 0; colours change a little.",
        ),
        "cifar": Preset(
            "resnet18_small",
            32,
            Recipe(
                "sgd", learning_rate=0.1, weight_decay=1e-4, batch_size=128, steps=64_000, warmup=0.0,
                schedule="step", milestones=(0.5, 0.75),
            ),
            {},
            "He et al. 2016, section 4.2",
            "ResNet-18 for ResNet-20 to 110; crops for shifts.",
        ),
    }  # fmt: skip

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
