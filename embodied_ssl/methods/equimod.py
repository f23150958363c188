"""EquiMod: SimCLR, and beside it a module that predicts the code of the second frame from the motion between."""

import torch
from torch import Tensor, nn

from embodied_ssl.datasets.read.batches import FramePairs
from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import Count, NonNegative, Positive
from embodied_ssl.method import Panel, Recipe, Step
from embodied_ssl.parts.augmentation import frame_pair
from embodied_ssl.parts.gradient_cache import in_chunks
from embodied_ssl.parts.heads import mlp
from embodied_ssl.parts.losses import nt_xent
from embodied_ssl.parts.moving import Moving
from embodied_ssl.parts.panels import nearest_frames
from embodied_ssl.parts.positives import digest
from embodied_ssl.parts.views import to_float


class EquiMod(Moving):
    """EquiMod: an equivariance module to improve visual instance discrimination. Devillers & Lefort, ICLR 2023.

    Idea: Invariance alone throws away all that a transformation changes. A module beside SimCLR therefore predicts how
    the transformation moves an image in a second space of codes: from the code of the image before and the parameters
    of the transformation, that of the image after, which has to be told from the codes of all others. Here the
    transformation is a motion of the body.

    Loss: `L(z₁, z₂) + λ L(u(y₁, g), y₂)`, with L the NT-Xent of SimCLR, z the codes of one head and y those of another,
    and u the predictor of the module with the motion g.

    Differs: The paper's transformations are crops and colours of one image, with that image as it is for the code
    before; here they are motions between two frames. Scaled for 32 to 96 px and short runs: heads 256 wide for 2,048,
    τ 0.2, AdamW.
    """

    recipe = Recipe(learning_rate=1e-3, weight_decay=1e-4, batch_size=256, steps=2000)
    whole_batch = True

    def __init__(
        self,
        encoder: Encoder,
        equivariance_weight: NonNegative = 1.0,
        temperature: Positive = 0.2,
        width: Count = 256,
        dim: Count = 128,
        max_gap_s: Positive = 1.0,
        jitter: NonNegative = 0.4,
        motor_size: Count | None = None,
    ):
        """A head for invariance, another for equivariance, and a predictor on this one.

        Args:
            encoder: what is learned.
            equivariance_weight: λ.
            temperature: τ, of both terms.
            width: of the hidden layers of the heads.
            dim: of the codes.
            max_gap_s: longest time between the frames of a pair, s.
            jitter: of the colours of each frame.
            motor_size: numbers of a motion; None: as many as the data have.
        """
        super().__init__(encoder)
        self.invariant_head = mlp((encoder.dim, width, dim))
        self.equivariant_head = mlp((encoder.dim, width, width, dim), last_bias=False, last_norm=True)
        self.predictor = mlp((2 * dim, dim), last_bias=False, last_norm=True)

    def take_motions_of(self, size: int) -> nn.Module:
        """What makes of a motion as many numbers as a code has."""
        self.motion_head = nn.Sequential(nn.Linear(size, self.dim, bias=False), nn.BatchNorm1d(self.dim))
        return self.motion_head

    def stream_options(self) -> dict[str, dict[str, float]]:
        return {"pairs": {"max_gap_s": self.max_gap_s}}

    def loss(self, pairs: FramePairs, step: Step) -> dict[str, Tensor]:
        images = frame_pair(pairs.first, pairs.second, self.encoder.image_size, step.rng, self.jitter)
        features = in_chunks((self.encoder,), images, step.loss_chunks)  # [2 B, D]
        identity = digest(pairs.first)  # [B]

        z1, z2 = self.invariant_head(features).float().chunk(2)  # [B, dim] each
        invariance = nt_xent(z1, z2, self.temperature, identity)

        y1, y2 = self.equivariant_head(features).float().chunk(2)  # [B, dim] each
        equivariance = nt_xent(self.predict(y1, pairs.motion), y2, self.temperature, identity)
        return {
            "loss": invariance + self.equivariance_weight * equivariance,
            "invariance": invariance.detach(),
            "equivariance": equivariance.detach(),
        }

    def predict(self, codes: Tensor, motion: Tensor) -> Tensor:
        """Equivariant codes [B, dim] after motions [B, A], [B, dim]."""
        return self.predictor(torch.cat([codes, self.motion_head(self.standardised(motion))], 1)).float()

    def show(self, pairs: FramePairs, step: Step) -> list[list[Panel]]:
        """Pairs of frames, and the second frames of the batch nearest to what is predicted from the motion."""
        size = self.encoder.image_size
        before, after = (
            self.equivariant_head(self.encoder(to_float(each, size))).float() for each in (pairs.first, pairs.second)
        )
        unit = nn.functional.normalize
        return nearest_frames(pairs, size, unit(self.predict(before, pairs.motion)), unit(after))
