"""Learning to see by moving: predict from two frames how the body moved between them."""

import math

import numpy as np
import torch
from torch import Tensor, nn

from embodied_ssl.datasets.read.batches import FramePairs
from embodied_ssl.datasets.read.streams import Stream
from embodied_ssl.encoders import Encoder, FlatEncoder
from embodied_ssl.limits import Count, NonNegative
from embodied_ssl.method import Method, Panel, Recipe, Step
from embodied_ssl.parts.augmentation import frame_pair
from embodied_ssl.parts.heads import Tower, drawn_anew, mlp
from embodied_ssl.parts.losses import cross_entropy
from embodied_ssl.parts.motions import MOTOR_SIZE, motor_size_of, sample_motions
from embodied_ssl.parts.panels import bars_chart, frame_pairs
from embodied_ssl.parts.views import to_float


class Egomotion(Method):
    """Learning to see by moving. Agrawal, Carreira & Malik, ICCV 2015.

    Idea: A body that moves knows how it moved. From two frames a Siamese network predicts the motion between them; for
    that, its features have to find the same points in both, wherever they are seen from.

    Loss: `Σ over components c of the motion of −log softmax(h_c(z_i, z_j))[bin of y_c]`, cross-entropy over bins.

    Differs: Bins are equally populous instead of equally wide, since the motions of our bodies are far from uniform;
    there are as many components as the body has motor signals, three in the paper.
    """

    motor_size: int | None
    recipe = Recipe(learning_rate=1e-3, batch_size=128, steps=2000)

    def __init__(
        self,
        encoder: Encoder,
        bins: Count = 20,
        max_gap: Count = 7,
        jitter: NonNegative = 0.4,
        motor_size: Count | None = None,
    ):
        """A Siamese stack; each component of the motion is classified in bins.

        Args:
            encoder: what is learned.
            bins: of each component of the motion, equally populous.
            max_gap: most frames between the two.
            jitter: of the colours of each frame.
            motor_size: numbers of a motion; None: as many as the data have.
        """
        super().__init__(encoder)
        # Features that are an average over places do not hold where objects are; then the head sees the maps instead.
        self._flat = isinstance(encoder, FlatEncoder)
        self._take_motions_of(motor_size or MOTOR_SIZE)

    def stream_options(self) -> dict[str, dict[str, int]]:
        return {"pairs": {"max_gap": self.max_gap}}

    def infer_shapes(self, streams: dict[str, Stream], rng: np.random.Generator) -> None:
        """The components of the motion."""
        found = motor_size_of(streams["pairs"], self.motor_size)
        if found != len(self.bin_edges):
            drawn_anew(lambda: self._take_motions_of(found), rng)
        self.motor_size = found

    def _take_motions_of(self, size: int) -> nn.Module:
        """Motions of so many components are classified."""
        encoder, logits = self.encoder, size * self.bins
        self.head = mlp((2 * encoder.dim, 256, logits)) if self._flat else Tower(2 * encoder.width, logits)
        self.register_buffer("bin_edges", torch.zeros(size, self.bins - 1))
        return self.head

    def prepare(self, streams: dict[str, Stream], rng: np.random.Generator) -> None:
        """The edges of the bins: quantiles of the motions."""
        motions = sample_motions(streams["pairs"], 5000, rng)
        edges = np.quantile(motions, np.linspace(0, 1, self.bins + 1)[1:-1], axis=0).T
        self.bin_edges.copy_(torch.from_numpy(np.ascontiguousarray(edges)))

    def loss(self, pairs: FramePairs, step: Step) -> dict[str, Tensor]:
        images = frame_pair(pairs.first, pairs.second, self.encoder.image_size, step.rng, self.jitter)
        logits = self._classify(images)  # [B, A, bins]
        target = self.classes(pairs.motion)  # [B, A]
        loss = cross_entropy(logits.flatten(0, 1), target.flatten()) * target.shape[1]  # summed over the components
        return {"loss": loss, "accuracy": (logits.argmax(2) == target).float().mean()}

    def classes(self, motion: Tensor) -> Tensor:
        """The bins of the components of motions [B, A], int64 [B, A]."""
        return torch.searchsorted(self.bin_edges, motion.T.contiguous()).T

    def show(self, pairs: FramePairs, step: Step) -> list[list[Panel]]:
        """Both frames of each pair, and how likely each bin of each component of the motion is held to be."""
        images = to_float(torch.cat([pairs.first, pairs.second]), self.encoder.image_size)
        likely = self._classify(images).float().softmax(2)
        predicted, target = likely.argmax(2), self.classes(pairs.motion)
        rows = frame_pairs(pairs, self.encoder.image_size)
        for i, row in enumerate(rows):
            for part in range(target.shape[1]):
                bin_, true = int(predicted[i, part]), int(target[i, part])
                text = f"motion {part + 1} predicted: {_range(self.bin_edges[part].tolist(), bin_)}"
                row.append(Panel(bars_chart(likely[i, part], true), text, bin_ == true))
        return rows

    def _classify(self, images: Tensor) -> Tensor:
        """Logits of the bins, [B, A, bins], of first and then second frames [2 B, 3, s, s]."""
        features = self.encoder(images) if self._flat else self.encoder.last_maps(images)  # [2 B, D] or [2 B, D, h, w]
        both = torch.cat(features.chunk(2), 1)  # [B, 2 D] or [B, 2 D, h, w]
        return self.head(both).unflatten(1, (-1, self.bins))


def _range(edges: list[float], bin_: int) -> str:
    """Which motions a bin between edges has, in words."""
    low, high = (f"{edge:.2f}".replace("-", "−") for edge in [-math.inf, *edges, math.inf][bin_ : bin_ + 2])
    return f"{low} to {high}".replace("−inf to", "below").replace(" to inf", " and above")
