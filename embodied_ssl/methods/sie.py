"""SIE: one half of the features stays as the body moves, the other is moved by a map that the motion makes."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from embodied_ssl.datasets.read.batches import FramePairs
from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import Count, NonNegative, Positive, ShareButAll
from embodied_ssl.method import Panel, Recipe, Step
from embodied_ssl.parts.augmentation import frame_pair
from embodied_ssl.parts.gradient_cache import in_chunks
from embodied_ssl.parts.heads import mlp
from embodied_ssl.parts.losses import covariance, variance_hinge
from embodied_ssl.parts.moving import Moving
from embodied_ssl.parts.panels import nearest_frames
from embodied_ssl.parts.views import to_float
from embodied_ssl.training.devices.distributed import gather


class SIE(Moving):
    """Self-supervised learning of split invariant equivariant representations. Garrido, Najman & LeCun, ICML 2023.

    Idea: The features are split in two. From one part codes are made that are the same in two frames; those of the
    other part are to be predicted from the first frame by a linear map, which a hypernetwork makes of the motion
    between the frames. Variance and covariance terms, as VICReg has them, act on both parts together, so that neither
    collapses and neither says what the other says.

    Loss: `λ [s(Z_inv, Z'_inv) + κ s(ρ(g) Z_eq, Z'_eq)] + μ [v(Z) + v(Z') + v(ρ(g) Z_eq)]/2 + ν [c(Z) + c(Z')]`, with s
    the mean squared difference, v and c the variance and covariance terms of VICReg, and ρ(g) the map of the motion g.

    Differs: Frames of a way or an orbit take the place of renderings of an object, and motor signals that of rotations
    as quaternions. Of these a linear hypernetwork makes the identity for no motion; here its bias does, which begins
    there. Scaled for 32 to 96 px and short runs: codes of 256 in each part for 1,024, batches of 256 for 1,024, AdamW.
    """

    recipe = Recipe(learning_rate=1e-3, weight_decay=1e-4, batch_size=256, steps=2000)
    whole_batch = True

    def __init__(
        self,
        encoder: Encoder,
        equivariant_share: ShareButAll = 0.5,
        invariance_weight: NonNegative = 10.0,
        equivariance_factor: NonNegative = 0.45,
        variance_weight: NonNegative = 10.0,
        covariance_weight: NonNegative = 1.0,
        dim: Count = 256,
        max_gap_s: Positive = 1.0,
        jitter: NonNegative = 0.4,
        motor_size: Count | None = None,
    ):
        """Two expanders of three layers, each on its part of the features, and a map for each motion.

        Args:
            encoder: what is learned.
            equivariant_share: of the features, the last of them.
            invariance_weight: λ.
            equivariance_factor: κ, in units of λ.
            variance_weight: μ.
            covariance_weight: ν.
            dim: of the codes of either part, and of the hidden layers before them.
            max_gap_s: longest time between the frames of a pair, s.
            jitter: of the colours of each frame.
            motor_size: numbers of a motion; None: as many as the data have.
        """
        super().__init__(encoder)
        equivariant = max(1, round(equivariant_share * encoder.dim))
        self.split = (max(1, encoder.dim - equivariant), equivariant)
        self.invariant_expander = mlp((self.split[0], dim, dim, dim), last_bias=False)
        self.equivariant_expander = mlp((self.split[1], dim, dim, dim), last_bias=False)

    def take_motions_of(self, size: int) -> nn.Module:
        """The hypernetwork, whose outputs are the matrix ρ(g) of a motion g."""
        self.hypernetwork = nn.Linear(size, self.dim**2)
        with torch.no_grad():
            self.hypernetwork.weight.div_(self.dim**0.5)  # each motion changes a code by about its length
            self.hypernetwork.bias.copy_(torch.eye(self.dim).flatten())
        return self.hypernetwork

    def stream_options(self) -> dict[str, dict[str, float]]:
        return {"pairs": {"max_gap_s": self.max_gap_s}}

    def loss(self, pairs: FramePairs, step: Step) -> dict[str, Tensor]:
        images = frame_pair(pairs.first, pairs.second, self.encoder.image_size, step.rng, self.jitter)
        features = in_chunks((self.encoder,), images, step.loss_chunks)  # [2 B, D]
        (same1, moving1), (same2, moving2) = (self.codes(each) for each in features.chunk(2))  # [B, dim] each
        predicted = gather(self.predict(moving1, pairs.motion))  # [world · B, dim]
        first, second = (gather(torch.cat(each, 1)) for each in ((same1, moving1), (same2, moving2)))

        invariance = functional.mse_loss(first[:, : self.dim], second[:, : self.dim])
        equivariance = functional.mse_loss(predicted, second[:, self.dim :])
        variance = (variance_hinge(first) + variance_hinge(second) + variance_hinge(predicted)) / 2
        redundancy = covariance(first) + covariance(second)
        loss = (
            self.invariance_weight * (invariance + self.equivariance_factor * equivariance)
            + self.variance_weight * variance
            + self.covariance_weight * redundancy
        )
        still = functional.mse_loss(moving1, moving2)  # what no map at all would leave
        found = {"invariance": invariance, "equivariance": equivariance, "variance": variance, "still": still}
        return {"loss": loss, **{name: value.detach() for name, value in found.items()}}

    def codes(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """The codes of the invariant and of the equivariant part of features [B, D], [B, dim] each."""
        same, moving = features.split(self.split, 1)
        return self.invariant_expander(same).float(), self.equivariant_expander(moving).float()

    def predict(self, codes: Tensor, motion: Tensor) -> Tensor:
        """Equivariant codes [B, dim] after motions [B, A], [B, dim]: ρ(g) z."""
        maps = self.hypernetwork(self.standardised(motion)).float().unflatten(1, (self.dim, self.dim))
        return torch.einsum("bde,be->bd", maps, codes)

    def show(self, pairs: FramePairs, step: Step) -> list[list[Panel]]:
        """Pairs of frames, and the second frames of the batch nearest to what the map of the motion predicts."""
        size = self.encoder.image_size
        before, after = (self.codes(self.encoder(to_float(each, size)))[1] for each in (pairs.first, pairs.second))
        return nearest_frames(pairs, size, self.predict(before, pairs.motion), after)
