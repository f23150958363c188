"""Class labels only: what every method without labels is measured against."""

from typing import Any, ClassVar

from torch import Tensor
from torch.nn import functional

from embodied_ssl.datasets.read.batches import LabelledFrames
from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import NonNegative, ShareButAll, SomeShare, Whole
from embodied_ssl.method import Step
from embodied_ssl.parts.augmentation import color_jitter
from embodied_ssl.parts.classification import ClassifierMethod
from embodied_ssl.parts.mixing import mixed
from embodied_ssl.parts.random_augment import random_augment
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
        "finetune": Preset(
            "sine/vit_base_patch16_224",
            224,
            Recipe(
                learning_rate=5e-4, reference_batch=256, weight_decay=0.05, batch_size=1024, steps=updates(100, 1024),
                warmup=5 / 100, final_share=1e-6 / 2e-3, layer_decay=0.65, stochastic_depth=0.1,
            ),
            {"least_crop": 0.08, "augment": 2, "mixup": 0.8, "cutmix": 1.0, "smoothing": 0.1},
            "what MAE has learned, with --init RUN: FINETUNE.md of facebookresearch/mae",
            "Features are the [CLS] token for the mean of the patches; RandAugment draws its magnitudes evenly; each "
            "image is mixed by a share of its own; nothing is erased. Without --init it is a training from scratch.",
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

    def __init__(
        self,
        encoder: Encoder,
        least_crop: SomeShare = 0.5,
        augment: Whole = 0,
        mixup: NonNegative = 0.0,
        cutmix: NonNegative = 0.0,
        smoothing: ShareButAll = 0.0,
        **labels: Any,
    ):
        """Softmax on the pooled features.

        Args:
            encoder: what is learned.
            least_crop: smallest share of an image that a random crop keeps.
            augment: operations of RandAugment on each image, instead of a little colour jitter; 0: none.
            mixup: α of mixup, where images of a batch fade into each other; 0: none.
            cutmix: α of cutmix, where a rectangle is of another image; 0: none.
            smoothing: share of the target that all classes have alike.
        """
        super().__init__(encoder, **labels)

    def loss(self, labelled: LabelledFrames, step: Step) -> dict[str, Tensor]:
        images = random_resized_crop(labelled.images, step.rng, self.encoder.image_size, (self.least_crop, 1.0))
        if self.augment:
            images = random_augment(images, step.rng, self.augment, cut=0.0)
        else:
            images = color_jitter(images, step.rng, 0.2, 0.2, 0.2, 0.0)
        wanted = labelled.label  # [B], or probabilities [B, classes]
        if self.mixup or self.cutmix:
            of_classes = functional.one_hot(labelled.label, self.classifier.out_features).float()
            images, wanted = mixed(images, of_classes, step.rng, self.mixup, self.cutmix)
        logits = self.logits(images)  # [B, classes]
        accuracy = (logits.argmax(1) == labelled.label).float().mean()
        loss = functional.cross_entropy(logits, wanted, label_smoothing=self.smoothing)
        return {"loss": loss, "accuracy": accuracy}
