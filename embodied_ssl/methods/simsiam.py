"""SimSiam: one view predicts the other through one shared network, whose gradient is stopped on one side."""

from typing import ClassVar

import torch
from torch import Tensor

from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import Count, NonNegative, Share
from embodied_ssl.method import Step
from embodied_ssl.parts.augmentation import Augmentation
from embodied_ssl.parts.heads import mlp
from embodied_ssl.parts.losses import spread
from embodied_ssl.parts.motions import MOTOR_SIZE
from embodied_ssl.parts.positives import ActionPredictor, Positives, Views
from embodied_ssl.parts.two_views import TwoViews
from embodied_ssl.recipe import CIFAR, Preset, Recipe, updates


class SimSiam(TwoViews):
    """Exploring simple Siamese representation learning. Chen & He, CVPR 2021.

    Idea: The code of one view of an image predicts that of the other, and both are made by the same network. There are
    no negatives and no second network that follows; that not all images get the same code is owed to the gradient,
    which is stopped at the code that is predicted.

    Loss: `½ D(p₁, z₂) + ½ D(p₂, z₁)` with `D(p, z) = −cos(p, stop(z))`, z the projections and p what the predictor
    makes of them.

    Differs: Scaled for 32 to 96 px and short runs: heads 512 wide for 2,048, of which the predictor's hidden layer has
    a quarter as in the paper; AdamW, with a learning rate that falls for the predictor as well, where the paper keeps
    its own constant. The paper's SGD is `--optimizer sgd --learning_rate 0.05 --weight_decay 1e-4`. Views can also come
    from the body (`views`).
    """

    recipe = Recipe(learning_rate=1e-3, weight_decay=1e-4, batch_size=256, steps=2000)
    presets: ClassVar = {
        "paper": Preset(
            "torchvision/resnet50",
            224,
            Recipe(
                "sgd", learning_rate=0.05, reference_batch=256, weight_decay=1e-4, batch_size=512,
                steps=updates(100, 512), warmup=0.0,
            ),
            {"width": 2048},
            "Chen & He 2021; main_simsiam.py of facebookresearch/simsiam",
            "The predictor's rate falls as well (theirs: --fix-pred-lr).",
        ),
        "cifar": Preset(
            "resnet18_small",
            32,
            Recipe(
                "sgd", learning_rate=0.03, reference_batch=256, weight_decay=5e-4, batch_size=512,
                steps=updates(800, 512, CIFAR), warmup=0.0,
            ),
            {"width": 2048, "layers": 2, "blur": 0.0},
            "Chen & He 2021, appendix D",
            "The predictor's rate falls as well.",
        ),
    }  # fmt: skip

    def __init__(
        self,
        encoder: Encoder,
        views: Views = Views(),  # noqa: B008 (it is frozen)
        width: Count = 512,
        layers: Count = 3,
        strength: NonNegative = 0.5,
        grey: Share = 0.2,
        blur: Share = 0.5,
        motor_size: Count | None = None,
    ):
        """A projection and a predictor on the encoder.

        Args:
            encoder: what is learned.
            views: what makes two views of an object.
            width: of the layers of the projection, and of the codes; four times that of the predictor's hidden layer.
            layers: of the projection; 3 for ImageNet and 2 for CIFAR in the paper.
            strength: of the change of colours; 0.5 in the paper.
            grey: probability that a view loses its colours.
            blur: probability that a view is blurred; 0 for CIFAR in the paper.
            motor_size: numbers of a motion; None: as many as the data have.
        """
        super().__init__(encoder)
        self.projection = mlp((encoder.dim, *[width] * layers), last_bias=False, last_norm=True)
        self.predictor = mlp((width, max(1, width // 4), width))
        self.action_predictor = ActionPredictor(width, motor_size or MOTOR_SIZE)

    def augmentations(self) -> tuple[Augmentation, Augmentation]:
        both = Augmentation(strength=self.strength, grey=self.grey, blurred=self.blur)
        return both, both

    def loss_of(self, positives: Positives, step: Step) -> dict[str, Tensor]:
        z1, z2 = (self.projection(self.encoder(each)) for each in (positives.first, positives.second))  # [B, width]
        p1, p2 = self.moved(self.predictor(z1).float(), positives), self.predictor(z2).float()  # [B, width]

        # Algorithm 1: no gradient through what is predicted.
        there = torch.cosine_similarity(p1, z2.detach().float())
        back = torch.cosine_similarity(p2, z1.detach().float())
        loss = -(there.mean() + back.mean()) / 2
        return {"loss": loss, "agreement": there.mean().detach(), "spread": spread(z2)}

    def codes(self, positives: Positives, step: Step) -> tuple[Tensor, Tensor]:
        """Predictions from the first views, and the projections of the second ones."""
        z1, z2 = (self.projection(self.encoder(each)) for each in (positives.first, positives.second))
        return self.moved(self.predictor(z1).float(), positives), z2.float()
