"""DrLIM: neighbours in time together, others a margin apart."""

import torch
from torch import Tensor
from torch.nn import functional

from embodied_ssl.datasets.read.batches import FramePairs
from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import NonNegative, Positive
from embodied_ssl.method import Method, Panel, Recipe, Step
from embodied_ssl.parts.augmentation import frame_pair
from embodied_ssl.parts.gradient_cache import in_chunks
from embodied_ssl.parts.losses import euclidean, mean_where
from embodied_ssl.parts.panels import nearest_frames
from embodied_ssl.parts.precision import in_float32
from embodied_ssl.parts.views import to_float
from embodied_ssl.training.devices.distributed import gather


class DrLIM(Method):
    """Dimensionality reduction by learning an invariant mapping. Hadsell, Chopra & LeCun, CVPR 2006.

    Idea: Pairs of similar inputs are mapped to near points, and pairs of dissimilar ones at least a margin apart. Here
    similar are two frames that a body sees within a moment, and dissimilar the frames of different pairs.

    Loss: `mean over pairs of d(z_i, z_j) + mean over frames of different pairs of max(0, δ − d(z_i, z_k))`, d the
    Euclidean distance of features of unit length.

    Differs: Distances are plain, as Jayaraman & Grauman 2015 have them in their rival of this name; the paper of 2006
    squares both terms.
    """

    recipe = Recipe(learning_rate=1e-3, batch_size=128, steps=2000)
    whole_batch = True

    def __init__(
        self, encoder: Encoder, margin: NonNegative = 1.0, max_gap_s: Positive = 0.3, jitter: NonNegative = 0.4
    ):
        """Each frame of the batch is a negative of every other pair.

        Args:
            encoder: what is learned.
            margin: δ, the least distance of features of different pairs.
            max_gap_s: longest time between the frames of a pair, s.
            jitter: of the colours of each frame.
        """
        super().__init__(encoder)

    def stream_options(self) -> dict[str, dict[str, float]]:
        return {"pairs": {"max_gap_s": self.max_gap_s}}

    def loss(self, pairs: FramePairs, step: Step) -> dict[str, Tensor]:
        images = frame_pair(pairs.first, pairs.second, self.encoder.image_size, step.rng, self.jitter)
        features = in_chunks((self.encoder,), images, step.loss_chunks).float()  # [2 B, D]
        before, after = (gather(functional.normalize(each, dim=1)) for each in features.chunk(2))  # [world · B, D]
        near, far = self._terms(before, after)
        return {"loss": near + far, "near": near.detach(), "far": far.detach()}

    def show(self, pairs: FramePairs, step: Step) -> list[list[Panel]]:
        """Pairs of frames, and the second frames of the batch whose features are nearest to those of the first."""
        size = self.encoder.image_size
        before, after = (
            functional.normalize(self.encoder(to_float(frames, size)).float(), dim=1)
            for frames in (pairs.first, pairs.second)
        )
        return nearest_frames(pairs, size, before, after)

    @in_float32
    def _terms(self, before: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
        """The mean distance within pairs, and the mean hinge on the distances between pairs."""
        near = euclidean(before, after).mean()
        distance = (2 - 2 * before @ after.T).clamp(min=1e-12).sqrt()  # [B, B], of features of unit length
        others = ~torch.eye(len(before), dtype=torch.bool, device=before.device)
        return near, mean_where((self.margin - distance).clamp(min=0), others)
