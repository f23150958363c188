"""Learning to see by moving: tell from two frames how the body moved between them."""

import numpy as np
import torch
from torch import Tensor

from embodied_ssl.datasets.read.batches import FramePairs
from embodied_ssl.datasets.read.streams import Stream
from embodied_ssl.encoders import Encoder, FlatEncoder
from embodied_ssl.limits import Count, NonNegative
from embodied_ssl.method import Method, Recipe, Step
from embodied_ssl.parts.heads import Tower, mlp
from embodied_ssl.parts.losses import cross_entropy
from embodied_ssl.parts.motions import sample_motions
from embodied_ssl.parts.views import frame_pair


class Egomotion(Method):
    """Learning to see by moving. Agrawal, Carreira & Malik, ICCV 2015, section 3."""

    recipe = Recipe(learning_rate=1e-3, batch_size=128, steps=2000)

    def __init__(self, encoder: Encoder, bins: Count = 20, max_gap: Count = 7, jitter: NonNegative = 0.4):
        """A Siamese stack; each component of the motion is classified in bins.

        Args:
            encoder: what is learned.
            bins: of each component of the motion, equally populous.
            max_gap: most frames between the two.
            jitter: of the colours of each frame.
        """
        super().__init__(encoder)
        self.bins, self.max_gap, self.jitter = bins, max_gap, jitter
        # An average over the last maps forgets where objects are, which tells the motion: then the head sees the maps.
        self._flat = isinstance(encoder, FlatEncoder)
        self.head = (
            mlp((2 * encoder.dim, 256, 2 * bins))
            if self._flat
            else Tower(2 * list(encoder.channels.values())[-1], 2 * bins)
        )
        self.edges: Tensor
        self.register_buffer("edges", torch.zeros(2, bins - 1))

    def cuts(self) -> dict[str, dict[str, int]]:
        return {"pairs": {"max_gap": self.max_gap}}

    def prepare(self, streams: dict[str, Stream], rng: np.random.Generator) -> None:
        """The edges of the bins: quantiles of the motions."""
        motions = sample_motions(streams["pairs"], 5000, rng)
        edges = np.quantile(motions, np.linspace(0, 1, self.bins + 1)[1:-1], axis=0).T
        self.edges.copy_(torch.from_numpy(np.ascontiguousarray(edges)))

    def loss(self, pairs: FramePairs, step: Step) -> dict[str, Tensor]:
        images = frame_pair(pairs.first, pairs.second, self.encoder.image_size, step.rng, self.jitter)
        found = self.encoder(images) if self._flat else list(self.encoder.stages(images).values())[-1]
        logits = self.head(torch.cat(found.chunk(2), 1)).unflatten(1, (2, self.bins))  # [B, 2, bins]
        target = torch.searchsorted(self.edges, pairs.motion.T.contiguous()).T  # [B, 2]
        loss = cross_entropy(logits.flatten(0, 1), target.flatten()) * 2  # summed over the components
        return {"loss": loss, "accuracy": (logits.argmax(2) == target).float().mean()}
