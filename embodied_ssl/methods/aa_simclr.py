"""AA-SimCLR: SimCLR between two frames, and beside it the motion between them is told from the two."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from embodied_ssl.datasets.read.batches import FramePairs
from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import Count, NonNegative, Positive
from embodied_ssl.method import Panel, Recipe, Step
from embodied_ssl.parts.augmentation import frame_pair
from embodied_ssl.parts.gradient_cache import in_chunks
from embodied_ssl.parts.heads import mlp
from embodied_ssl.parts.losses import nt_xent, symmetric_info_nce
from embodied_ssl.parts.moving import Moving
from embodied_ssl.parts.panels import frame_pairs, signed, with_nearest
from embodied_ssl.parts.positives import digest
from embodied_ssl.parts.views import to_float


class AASimCLR(Moving):
    """Self-supervised visual learning from interactions with objects. Aubret, Teulière & Triesch, ECCV 2024.

    Idea: Two frames that are near in time are a positive pair of SimCLR (time-contrastive). Beside it the action that
    led from one to the other gets a code of its own, which is aligned with a code of the two images together, against
    the actions of all other pairs. What the action changes is thereby kept in the features, and images of different
    objects that the same action would change alike come together.

    Loss: `L(z₁, z₂) + λ ½ [N(c, a) + N(a, c)]`, with L the NT-Xent of SimCLR, c the code of the two images together, a
    that of the action, and N InfoNCE within the batch.

    Differs: Actions are motor signals of our bodies, where the paper has estimated turns of objects. Scaled for 32 to
    96 px and short runs: heads 256 wide, τ 0.2, AdamW.
    """

    recipe = Recipe(learning_rate=1e-3, weight_decay=1e-4, batch_size=256, steps=2000)
    whole_batch = True

    def __init__(
        self,
        encoder: Encoder,
        action_weight: NonNegative = 1.0,
        temperature: Positive = 0.2,
        width: Count = 256,
        dim: Count = 128,
        max_gap_s: Positive = 1.0,
        jitter: NonNegative = 0.4,
        motor_size: Count | None = None,
    ):
        """A projection of an image, one of two images together, and one of actions.

        Args:
            encoder: what is learned.
            action_weight: λ.
            temperature: τ, of both terms.
            width: of the hidden layers of the projections.
            dim: of the codes.
            max_gap_s: longest time between the frames of a pair, s.
            jitter: of the colours of each frame.
            motor_size: numbers of a motion; None: as many as the data have.
        """
        super().__init__(encoder)
        self.projection = mlp((encoder.dim, width, dim))
        self.joint_projection = mlp((2 * encoder.dim, width, dim))

    def take_motions_of(self, size: int) -> nn.Module:
        """The projection of actions."""
        self.action_projection = mlp((size, self.width, self.dim))
        return self.action_projection

    def stream_options(self) -> dict[str, dict[str, float]]:
        return {"pairs": {"max_gap_s": self.max_gap_s}}

    def loss(self, pairs: FramePairs, step: Step) -> dict[str, Tensor]:
        images = frame_pair(pairs.first, pairs.second, self.encoder.image_size, step.rng, self.jitter)
        features = in_chunks((self.encoder,), images, step.loss_chunks)  # [2 B, D]
        first, second = self.projection(features).float().chunk(2)  # [B, dim] each
        identity = digest(pairs.first)  # [B]
        contrast = nt_xent(first, second, self.temperature, identity)

        joint, action = self.action_codes(features, pairs.motion)  # [B, dim] each
        aligned = symmetric_info_nce(joint, action, self.temperature, identity)
        loss = contrast + self.action_weight * aligned
        return {"loss": loss, "contrast": contrast.detach(), "action": aligned.detach()}

    def action_codes(self, features: Tensor, motion: Tensor) -> tuple[Tensor, Tensor]:
        """Of first and then second features [2 B, D] the codes of both together, and of motions [B, A]; [B, dim]."""
        joint = self.joint_projection(torch.cat(features.chunk(2), 1))
        return joint.float(), self.action_projection(self.standardised(motion)).float()

    def show(self, pairs: FramePairs, step: Step) -> list[list[Panel]]:
        """Pairs of frames, and the actions of the batch that are nearest to what the two show: frames after them."""
        images = to_float(torch.cat([pairs.first, pairs.second]), self.encoder.image_size)
        joint, action = (
            functional.normalize(each, dim=1) for each in self.action_codes(self.encoder(images), pairs.motion)
        )
        identity = digest(pairs.second)
        texts = [f"action {signed(motion)}" for motion in pairs.motion.tolist()]
        rows = frame_pairs(pairs, self.encoder.image_size)
        return with_nearest(rows, images[len(pairs) :], joint @ action.T, identity[:, None] == identity, texts)
