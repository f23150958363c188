"""DrLIM: neighbours in time together, others a margin apart."""

import torch
from torch import Tensor

from embodied_ssl.datasets.batches import FramePairs
from embodied_ssl.encoders import Encoder
from embodied_ssl.losses import euclidean
from embodied_ssl.method import Method, Recipe, Step
from embodied_ssl.views import frame_pair


class DrLIM(Method):
    """Dimensionality reduction by an invariant mapping. Hadsell, Chopra & LeCun, CVPR 2006, on neighbours in time."""

    recipe = Recipe(learning_rate=1e-3, batch_size=128, steps=2000)

    def __init__(self, encoder: Encoder, margin: float = 1.0, max_gap_s: float = 0.3, jitter: float = 0.4):
        """Each frame of the batch is a negative of every other pair.

        Args:
            encoder: what is learned.
            margin: features of unit length of frames from different pairs are pushed this far apart.
            max_gap_s: longest time between the frames of a pair, s.
            jitter: of the colours of each frame.
        """
        super().__init__(encoder)
        self.margin, self.max_gap_s, self.jitter = margin, max_gap_s, jitter

    def cuts(self) -> dict[str, dict[str, float]]:
        return {"pairs": {"max_gap_s": self.max_gap_s}}

    def loss(self, pairs: FramePairs, step: Step) -> dict[str, Tensor]:
        images = frame_pair(pairs.first, pairs.second, self.encoder.image_size, step.rng, self.jitter)
        before, after = torch.nn.functional.normalize(self.encoder(images).float(), dim=1).chunk(2)
        near = euclidean(before, after).mean()
        distance = (2 - 2 * before @ after.T).clamp(min=1e-12).sqrt()  # between features of unit length, [B, B]
        others = ~torch.eye(len(before), dtype=torch.bool, device=before.device)
        far = (self.margin - distance[others]).clamp(min=0).mean()
        return {"loss": near + far, "near": near.detach(), "far": far.detach()}
