"""Temporal coherence: neighbouring frames have like features."""

from torch import Tensor
from torch.nn import functional

from embodied_ssl.datasets.read.batches import FramePairs
from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import NonNegative, Positive
from embodied_ssl.method import Method, Panel, Recipe, Step
from embodied_ssl.parts.augmentation import frame_pair
from embodied_ssl.parts.gradient_cache import in_chunks
from embodied_ssl.parts.panels import nearest_frames
from embodied_ssl.parts.views import to_float
from embodied_ssl.training.devices.distributed import gather


class TemporalCoherence(Method):
    """Features that change little in time. Mobahi, Collobert & Weston, ICML 2009.

    Idea: What a body sees changes slowly in meaning and quickly in pixels. Frames that are near in time are therefore
    pulled together in the space of features; frames of other places are pushed apart, without which all features could
    be the same.

    Loss: `mean over pairs of |z_i − z_j| + max(0, δ − |z_i − z_k|)`, z_k of the next pair of the batch, |·| the mean
    absolute difference of features of unit deviation.

    Differs: It is the row `temporal` of Jayaraman & Grauman 2015, on neighbouring frames of a moving body, without the
    supervised loss that the paper of 2009 trains beside it.
    """

    recipe = Recipe(learning_rate=1e-3, batch_size=128, steps=2000)
    whole_batch = True

    def __init__(
        self, encoder: Encoder, margin: NonNegative = 1.0, max_gap_s: Positive = 0.3, jitter: NonNegative = 0.4
    ):
        """No head: the features themselves are compared.

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
        scale = before.shape[1] ** 0.5  # of unit length, components differ by about 1 / √D
        near = scale * (before - after).abs().mean(1)  # [world · B]
        far = scale * (before - after.roll(1, 0)).abs().mean(1)
        hinge = (self.margin - far).clamp(min=0)
        return {"loss": (near + hinge).mean(), "near": near.detach().mean()}

    def show(self, pairs: FramePairs, step: Step) -> list[list[Panel]]:
        """Pairs of frames, and the second frames of the batch whose features are nearest to those of the first."""
        size = self.encoder.image_size
        before, after = (
            functional.normalize(self.encoder(to_float(frames, size)).float(), dim=1)
            for frames in (pairs.first, pairs.second)
        )
        return nearest_frames(pairs, size, before, after, p=1.0)
