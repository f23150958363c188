"""Barlow Twins: each component of a code agrees between two views, and with no other component."""

from typing import ClassVar

from torch import Tensor
from torch.nn import functional

from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import Count, NonNegative, Positive, Share
from embodied_ssl.method import Step
from embodied_ssl.parts.augmentation import Augmentation, asymmetric
from embodied_ssl.parts.gradient_cache import in_chunks
from embodied_ssl.parts.heads import mlp
from embodied_ssl.parts.motions import MOTOR_SIZE
from embodied_ssl.parts.positives import ActionPredictor, Positives, Views
from embodied_ssl.parts.precision import in_float32
from embodied_ssl.parts.two_views import TwoViews
from embodied_ssl.recipe import Preset, Recipe, updates
from embodied_ssl.training.devices.distributed import gather


class BarlowTwins(TwoViews):
    """Self-supervised learning via redundancy reduction. Zbontar et al., ICML 2021.

    Idea: Over the images of a batch, each component of the code of one view is correlated with each component of that
    of the other. The matrix of these correlations shall be the identity: a component is the same in both views, and
    says what no other component says. Codes that are alike for all images have no correlations to speak of, so there
    are neither negatives nor a second network.

    Loss: `Σ_i (1 − C_ii)² + λ Σ_i Σ_{j≠i} C_ij²`, with C_ij the correlation of component i of the first views with
    component j of the second ones over the batch.

    Differs: Scaled for 32 to 96 px and short runs: codes of 512 for 8,192, batches of 256 for 2,048, AdamW; the paper's
    LARS is `--optimizer lars --learning_rate 0.2 --weight_decay 1.5e-6`. Views can also come from the body (`views`).
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
            {"views": {"least_crop": 0.08}, "redundancy_weight": 0.0051, "dim": 8192},
            "Zbontar et al. 2021; main.py of facebookresearch/barlowtwins",
            "Biases and norms learn at the rate of the weights, 0.2 per 256, for 0.0048.",
        ),
    }  # fmt: skip

    def __init__(
        self,
        encoder: Encoder,
        views: Views = Views(),  # noqa: B008 (it is frozen)
        redundancy_weight: Positive = 0.005,
        dim: Count = 512,
        strength: NonNegative = 0.5,
        grey: Share = 0.2,
        motor_size: Count | None = None,
    ):
        """A projection of three layers on the encoder.

        Args:
            encoder: what is learned.
            views: what makes two views of an object.
            redundancy_weight: λ.
            dim: of the codes, and of the hidden layers before them.
            strength: of the change of colours; 0.5 in the paper.
            grey: probability that a view loses its colours.
            motor_size: numbers of a motion; None: as many as the data have.
        """
        super().__init__(encoder)
        self.projection = mlp((encoder.dim, dim, dim, dim), last_bias=False)
        self.action_predictor = ActionPredictor(dim, motor_size or MOTOR_SIZE)

    def augmentations(self) -> tuple[Augmentation, Augmentation]:
        return asymmetric(self.strength, self.grey)

    def loss_of(self, positives: Positives, step: Step) -> dict[str, Tensor]:
        correlation = cross_correlation(*(gather(each) for each in self.codes(positives, step)))  # [dim, dim]
        agreement = correlation.diagonal()  # [dim]
        invariance = (1 - agreement).square().sum()
        redundancy = correlation.square().sum() - agreement.square().sum()
        return {
            "loss": invariance + self.redundancy_weight * redundancy,  # eq. 1
            "invariance": invariance.detach(),
            "redundancy": redundancy.detach(),
        }

    def codes(self, positives: Positives, step: Step) -> tuple[Tensor, Tensor]:
        """Projections of both views; those of the first moved to the second."""
        layers = (self.encoder, self.projection)
        first, second = (
            in_chunks(layers, images, step.loss_chunks).float() for images in (positives.first, positives.second)
        )
        return self.moved(first, positives), second


@in_float32
def cross_correlation(first: Tensor, second: Tensor) -> Tensor:
    """The correlation of each component of the first with each of the second over a batch, [D, D]; eq. 2.

    first, second: float [B, D]. A component that does not vary has no correlation.
    """
    first, second = (functional.batch_norm(each, None, None, training=True) for each in (first, second))
    return first.T @ second / len(first)
