"""BYOL: from one view of an image, predict what a slowly following network makes of the other; without negatives."""

import copy
from typing import ClassVar

import torch
from torch import Tensor

from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import Count, NonNegative, Share
from embodied_ssl.method import Step
from embodied_ssl.parts.augmentation import Augmentation, asymmetric
from embodied_ssl.parts.heads import mlp
from embodied_ssl.parts.losses import spread
from embodied_ssl.parts.motions import MOTOR_SIZE
from embodied_ssl.parts.positives import ActionPredictor, Positives, Views
from embodied_ssl.parts.two_views import TwoViews
from embodied_ssl.recipe import Preset, Recipe, updates
from embodied_ssl.training.optimization import follow, rising


class BYOL(TwoViews):
    """Bootstrap your own latent: a new approach to self-supervised learning. Grill et al., NeurIPS 2020.

    Idea: An online network predicts from one view of an image what a target network makes of the other view. The target
    is a slow moving average of the online network and gets no gradient. Nothing pushes images apart; that all of them
    do not become alike is owed to the predictor, which the target lacks, and to the slowness of the target.

    Loss: `2 − 2 cos(q(z₁), z'₂) + 2 − 2 cos(q(z₂), z'₁)`, with z the projections of the online network, q its predictor
    and z' the projections of the target.

    Differs: Scaled for 32 to 96 px and short runs: heads 512 wide for 4,096 with projections of 128 for 256, a target
    momentum of 0.99 for 0.996, and a batch norm without scale and shift after the projection (`paper_heads`), without
    which the network first learns to predict what the codes of all images share. AdamW; the paper's LARS is
    `--optimizer lars --learning_rate 0.2 --weight_decay 1.5e-6`. Views can also come from the body (`views`).
    """

    recipe = Recipe(learning_rate=1e-3, weight_decay=1e-4, batch_size=256, steps=2000)
    presets: ClassVar = {
        "paper": Preset(
            "torchvision/resnet50",
            224,
            Recipe(
                optimizer="lars", learning_rate=0.2, reference_batch=256, weight_decay=1.5e-6, batch_size=4096,
                steps=updates(1000, 4096), warmup=10 / 1000,
            ),
            {"views": {"least_crop": 0.08}, "momentum": 0.996, "width": 4096, "dim": 256, "paper_heads": True},
            "Grill et al. 2020, section 3.3 and appendix J; presets of deepmind-research/byol",
        ),
    }  # fmt: skip

    def __init__(
        self,
        encoder: Encoder,
        views: Views = Views(),  # noqa: B008 (it is frozen)
        momentum: Share = 0.99,
        width: Count = 512,
        dim: Count = 128,
        strength: NonNegative = 0.5,
        grey: Share = 0.2,
        paper_heads: bool = False,
        motor_size: Count | None = None,
    ):
        """An online and a target network.

        Args:
            encoder: what is learned.
            views: what makes two views of an object.
            momentum: τ, with which the target follows at first; it rises to 1.
            width: of the hidden layers of projection and predictor.
            dim: of the projections.
            strength: of the change of colours; 0.5 in the paper.
            grey: probability that a view loses its colours.
            paper_heads: whether the projection ends without a batch norm, as in the paper.
            motor_size: numbers of a motion; None: as many as the data have.
        """
        super().__init__(encoder)
        self.projection = mlp((encoder.dim, width, dim), last_bias=paper_heads, last_norm=not paper_heads)
        self.predictor = mlp((dim, width, dim))
        self.target_encoder = copy.deepcopy(encoder).requires_grad_(False)
        self.target_projection = copy.deepcopy(self.projection).requires_grad_(False)
        self.action_predictor = ActionPredictor(dim, motor_size or MOTOR_SIZE)

    def augmentations(self) -> tuple[Augmentation, Augmentation]:
        return asymmetric(self.strength, self.grey)

    def loss_of(self, positives: Positives, step: Step) -> dict[str, Tensor]:
        first, second = self.codes(positives, step)  # [B, dim]
        there = torch.cosine_similarity(first, second)
        back = torch.cosine_similarity(self.predicted(positives.second), self.target(positives.first))
        loss = (2 - 2 * there).mean() + (2 - 2 * back).mean()  # eq. 2, symmetric
        return {"loss": loss, "agreement": there.mean().detach(), "spread": spread(second)}

    def codes(self, positives: Positives, step: Step) -> tuple[Tensor, Tensor]:
        """Predictions from the first views, and the targets of the second ones."""
        return self.moved(self.predicted(positives.first), positives), self.target(positives.second)

    def predicted(self, images: Tensor) -> Tensor:
        """What the online network predicts from views [B, 3, s, s]: [B, dim]."""
        return self.predictor(self.projection(self.encoder(images))).float()

    @torch.no_grad()
    def target(self, images: Tensor) -> Tensor:
        """What the target network makes of views [B, 3, s, s]: [B, dim]."""
        return self.target_projection(self.target_encoder(images)).float()

    def after_step(self, step: Step) -> None:
        """The target follows (section 3.1)."""
        decay = rising(self.momentum, step.progress)
        follow(self.target_encoder, self.encoder, decay, buffers=False)
        follow(self.target_projection, self.projection, decay, buffers=False)
