"""SimCLR: two views of an image agree, and differ from those of all other images of the batch."""

from typing import ClassVar

import torch
from torch import Tensor

from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import Count, NonNegative, Positive, Share
from embodied_ssl.method import Step
from embodied_ssl.parts.augmentation import Augmentation
from embodied_ssl.parts.gradient_cache import in_chunks
from embodied_ssl.parts.heads import mlp
from embodied_ssl.parts.losses import nt_xent
from embodied_ssl.parts.motions import MOTOR_SIZE
from embodied_ssl.parts.positives import ActionPredictor, Positives, Views
from embodied_ssl.parts.two_views import TwoViews
from embodied_ssl.recipe import CIFAR, Preset, Recipe, updates


class SimCLR(TwoViews):
    """A simple framework for contrastive learning of visual representations. Chen et al., ICML 2020.

    Idea: Each image of a batch is augmented twice. An encoder and a projection head map both views to a code, and the
    code of one view has to be more similar to that of the other than to those of all other images. What augmentation
    changes, such as colours and framing, is thereby left out of the features, and what distinguishes images stays.

    Loss: `mean over views i with other view j of −log [exp(sim(z_i, z_j)/τ) / Σ_{k≠i} exp(sim(z_i, z_k)/τ)]`, with
    sim the cosine similarity and k all other views of the batch, on all devices.

    Differs: Scaled for 32 to 96 px and small encoders: crops of at least a fifth of the image, τ 0.2, AdamW with
    batches of 256; the paper's LARS is `--optimizer lars --learning_rate 0.3 --weight_decay 1e-6`. Views can also come
    from the body (`views`): two frames of its way, or two images of an object, also several pairs of each in a batch.
    All views of an image or of an object in a batch are positives of each other.
    """

    recipe = Recipe(learning_rate=1e-3, weight_decay=1e-4, batch_size=256, steps=2000)
    whole_batch = True
    presets: ClassVar = {
        "paper": Preset(
            "torchvision/resnet50",
            224,
            Recipe(
                optimizer="lars", learning_rate=0.3, reference_batch=256, weight_decay=1e-6, batch_size=4096,
                steps=updates(100, 4096), warmup=10 / 100,
            ),
            {"views": {"least_crop": 0.08}, "temperature": 0.1, "width": 2048, "strength": 1.0},
            "Chen et al. 2020; README of google-research/simclr",
            "Strides of ResNet-50 are those of torchvision, in the 3×3 convolutions.",
        ),
        "cifar": Preset(
            "resnet18_small",
            32,
            Recipe(
                optimizer="lars", learning_rate=1.0, reference_batch=256, weight_decay=1e-6, batch_size=512,
                steps=updates(1000, 512, CIFAR), warmup=10 / 1000,
            ),
            {"views": {"least_crop": 0.08}, "temperature": 0.5, "width": 512, "blur": 0.0},
            "README of google-research/simclr, CIFAR-10",
        ),
    }  # fmt: skip

    def __init__(
        self,
        encoder: Encoder,
        views: Views = Views(),  # noqa: B008 (it is frozen)
        temperature: Positive = 0.2,
        width: Count = 256,
        dim: Count = 128,
        strength: NonNegative = 0.5,
        grey: Share = 0.2,
        blur: Share = 0.5,
        motor_size: Count | None = None,
    ):
        """A projection head on the encoder.

        Args:
            encoder: what is learned.
            views: what makes two views of an object.
            temperature: τ; 0.1 for ImageNet and 0.5 for CIFAR in the paper.
            width: of the hidden layer of the projection.
            dim: of the codes that are compared.
            strength: of the change of colours; 1 for ImageNet and 0.5 for CIFAR in the paper.
            grey: probability that a view loses its colours.
            blur: probability that a view is blurred; 0 for CIFAR in the paper.
            motor_size: numbers of a motion; None: as many as the data have.
        """
        super().__init__(encoder)
        self.projection = mlp((encoder.dim, width, dim))
        self.action_predictor = ActionPredictor(dim, motor_size or MOTOR_SIZE)

    def augmentations(self) -> tuple[Augmentation, Augmentation]:
        both = Augmentation(strength=self.strength, grey=self.grey, blurred=self.blur)
        return both, both

    def codes(self, positives: Positives, step: Step) -> tuple[Tensor, Tensor]:
        images = torch.cat([positives.first, positives.second])  # [2 B, 3, s, s]
        codes = in_chunks((self.encoder, self.projection), images, step.loss_chunks).float()  # [2 B, dim]
        first, second = codes.chunk(2)
        return self.moved(first, positives), second

    def loss_of(self, positives: Positives, step: Step) -> dict[str, Tensor]:
        first, second = self.codes(positives, step)  # [B, dim]
        loss = nt_xent(first, second, self.temperature, positives.identity)  # eq. 1
        return {"loss": loss, "agreement": torch.cosine_similarity(first, second).mean().detach()}
