"""VICReg: two views agree, each component of the codes varies over the batch, and no two of them vary together."""

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from embodied_ssl.datasets.read.streams import Stream
from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import Count, NonNegative, Share
from embodied_ssl.method import Step
from embodied_ssl.parts.augmentation import Augmentation, asymmetric
from embodied_ssl.parts.gradient_cache import in_chunks
from embodied_ssl.parts.heads import drawn_anew, mlp, plain_mlp
from embodied_ssl.parts.losses import covariance, mean_where, variance_hinge
from embodied_ssl.parts.motions import MOTOR_SIZE
from embodied_ssl.parts.positives import ActionPredictor, Positives, Views
from embodied_ssl.parts.two_views import TwoViews
from embodied_ssl.recipe import Preset, Recipe, updates
from embodied_ssl.training.devices.distributed import gather


class VICReg(TwoViews):
    """VICReg: variance-invariance-covariance regularization for self-supervised learning. Bardes, Ponce & LeCun,
    ICLR 2022.

    Idea: Codes of two views of an image are the same, and two terms on the codes of each batch keep them from being the
    same for all images. Each component has at least a standard deviation of 1, so that it says something, and the
    components are not correlated, so that each says something else. With `inverse_weight` a small network also predicts
    from the codes of two frames how the body moved between them: what moves slowly and can be predicted is not all that
    is kept then, but also what the body itself changes.

    Loss: `λ s(Z, Z') + μ [v(Z) + v(Z')]/2 + ν [c(Z) + c(Z')]`, with s the mean squared difference, v the mean over
    components of `max(0, 1 − √(Var + ε))`, and c the sum of the squared covariances of different components over their
    number; and with `inverse_weight` ω `+ ω mean ‖ŷ(z, z') − y‖²`, y the standardised motion.

    Differs: The weights of the terms are those of the authors' code, which halves v, and takes the mean over components
    in s, where equation 6 has sums. Scaled for 32 to 96 px and short runs: codes of 512 for 8,192, batches of 256 for
    2,048, AdamW. Views can also come from the body (`views`); the inverse dynamics are not this paper's, but of world
    models that plan (Pathak et al. 2017; Sobal et al. 2025), and see pairs of frames alone.
    """

    recipe = Recipe(learning_rate=1e-3, weight_decay=1e-4, batch_size=256, steps=2000)
    whole_batch = True
    presets: ClassVar = {
        "paper": Preset(
            "torchvision/resnet50",
            224,
            Recipe(
                optimizer="lars", learning_rate=0.2, reference_batch=256, weight_decay=1e-6, batch_size=2048,
                steps=updates(1000, 2048), warmup=10 / 1000, final_share=0.001,
            ),
            {"views": {"least_crop": 0.08}, "dim": 8192},
            "Bardes, Ponce & LeCun 2022; main_vicreg.py of facebookresearch/vicreg",
            "Views are those of BYOL, where the authors blur and solarise both alike.",
        ),
    }  # fmt: skip

    def __init__(
        self,
        encoder: Encoder,
        views: Views = Views(),  # noqa: B008 (it is frozen)
        invariance_weight: NonNegative = 25.0,
        variance_weight: NonNegative = 25.0,
        covariance_weight: NonNegative = 1.0,
        inverse_weight: NonNegative = 0.0,
        dim: Count = 512,
        strength: NonNegative = 0.5,
        grey: Share = 0.2,
        motor_size: Count | None = None,
    ):
        """An expander of three layers on the encoder.

        Args:
            encoder: what is learned.
            views: what makes two views of an object.
            invariance_weight: λ.
            variance_weight: μ.
            covariance_weight: ν.
            inverse_weight: ω, of the inverse dynamics, where the body gives pairs of frames; crops hide motions: take
                them from `body`, or whole (`least_crop` 1).
            dim: of the codes, and of the hidden layers before them.
            strength: of the change of colours; 0.5 in the paper.
            grey: probability that a view loses its colours.
            motor_size: numbers of a motion; None: as many as the data have.
        """
        super().__init__(encoder)
        self.expander = mlp((encoder.dim, dim, dim, dim), last_bias=False)
        self.action_predictor = ActionPredictor(dim, motor_size or MOTOR_SIZE)
        if inverse_weight:
            self._predict_motions_of(motor_size or MOTOR_SIZE)

    def infer_shapes(self, streams: dict[str, Stream], rng: np.random.Generator) -> None:
        """The numbers of a motion, where the body gives views."""
        before = len(self.action_predictor.motion_std)
        super().infer_shapes(streams, rng)
        size = len(self.action_predictor.motion_std)
        if self.inverse_weight and size != before:
            drawn_anew(lambda: self._predict_motions_of(size), rng)

    def _predict_motions_of(self, size: int) -> nn.Module:
        """The inverse dynamics predict so many numbers."""
        self.inverse = plain_mlp((2 * self.encoder.dim, 256, size))
        return self.inverse

    def augmentations(self) -> tuple[Augmentation, Augmentation]:
        return asymmetric(self.strength, self.grey)

    def loss_of(self, positives: Positives, step: Step) -> dict[str, Tensor]:
        features = self.features(positives, step)  # [B, D] each
        first, second = (self.expander(each).float() for each in features)  # [B, dim]
        moved = self.moved(first, positives)  # [B, dim]
        first, second, moved = gather(first), gather(second), gather(moved)  # [world · B, dim]

        invariance = functional.mse_loss(moved, second)
        variance = (variance_hinge(first) + variance_hinge(second)) / 2
        redundancy = covariance(first) + covariance(second)
        loss = (  # eq. 6
            self.invariance_weight * invariance + self.variance_weight * variance + self.covariance_weight * redundancy
        )
        found = {"invariance": invariance.detach(), "variance": variance.detach(), "covariance": redundancy.detach()}
        if self.inverse_weight and positives.motion.shape[1]:
            error = self.inverse_error(*features, positives)
            return {"loss": loss + self.inverse_weight * error, **found, "inverse": error.detach()}
        return {"loss": loss, **found}

    def inverse_error(self, first: Tensor, second: Tensor, positives: Positives) -> Tensor:
        """The squared error of the motion as it is predicted from features [B, D] of two frames; 1 for no idea."""
        predicted = self.inverse(torch.cat([first, second], 1)).float()  # [B, A]
        error = (predicted - self.action_predictor.standardised(positives.motion)).square()  # [B, A]
        return mean_where(error.mean(1), positives.motion_known)

    def codes(self, positives: Positives, step: Step) -> tuple[Tensor, Tensor]:
        """Codes of both views; those of the first moved to the second."""
        first, second = (self.expander(each).float() for each in self.features(positives, step))
        return self.moved(first, positives), second

    def features(self, positives: Positives, step: Step) -> tuple[Tensor, Tensor]:
        """Those of the encoder of both views, [B, D] each."""
        first, second = (
            in_chunks((self.encoder,), images, step.loss_chunks) for images in (positives.first, positives.second)
        )
        return first, second
