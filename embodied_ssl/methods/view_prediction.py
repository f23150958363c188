"""View prediction: from a frame and a motion, the frame after it."""

import numpy as np
import torch
from torch import Tensor, nn

from embodied_ssl.datasets.read.batches import FramePairs
from embodied_ssl.datasets.read.streams import Stream
from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import Count, Positive
from embodied_ssl.method import Method, Panel, Recipe, Step
from embodied_ssl.parts.heads import Decoder, drawn_anew
from embodied_ssl.parts.motions import MOTOR_SIZE, motor_size_of, sample_motions, standard_deviation
from embodied_ssl.parts.panels import columns, signed
from embodied_ssl.parts.views import to_float


class ViewPrediction(Method):
    """View prediction, as the idea is commonly introduced.

    Idea: From the features of one frame and the motion of the body, a decoder draws the frame that the body sees after
    the motion. To know what comes into view and how it moves, the features have to hold what is where.

    Loss: `mean over pixels of |x̂_j − x_j|` with `x̂_j = decoder(z(x_i), y_ij)`, the features of the first frame and
    the motion.

    Differs: There is no one paper of it; ours is the plainest form, ℓ1 on a small image without an adversary.
    """

    motor_size: int | None
    recipe = Recipe(learning_rate=1e-3, batch_size=128, steps=2000)

    def __init__(self, encoder: Encoder, max_gap_s: Positive = 0.5, size: Count = 32, motor_size: Count | None = None):
        """A convolutional decoder of features and motion.

        Args:
            encoder: what is learned.
            max_gap_s: longest time between the frames of a pair, s.
            size: of the image that is predicted, px.
            motor_size: numbers of a motion; None: as many as the data have.
        """
        super().__init__(encoder)
        self._take_motions_of(motor_size or MOTOR_SIZE)

    def stream_options(self) -> dict[str, dict[str, float]]:
        return {"pairs": {"max_gap_s": self.max_gap_s}}

    def infer_shapes(self, streams: dict[str, Stream], rng: np.random.Generator) -> None:
        """The numbers of a motion."""
        found = motor_size_of(streams["pairs"], self.motor_size)
        if found != len(self.motion_std):
            drawn_anew(lambda: self._take_motions_of(found), rng)
        self.motor_size = found

    def _take_motions_of(self, size: int) -> nn.Module:
        """The decoder takes motions of so many numbers."""
        self.decoder = Decoder(self.encoder.dim + size, self.size)
        self.register_buffer("motion_std", torch.ones(size))
        return self.decoder

    def prepare(self, streams: dict[str, Stream], rng: np.random.Generator) -> None:
        """The standard deviation of the motions, to bring them to the scale of the features."""
        motions = sample_motions(streams["pairs"], 5000, rng)
        self.motion_std.copy_(torch.from_numpy(standard_deviation(motions)))

    def loss(self, pairs: FramePairs, step: Step) -> dict[str, Tensor]:
        predicted = self.predict(pairs.first, pairs.motion).float()  # [B, 3, size, size]
        target = to_float(pairs.second, self.size)  # [B, 3, size, size]
        return {"loss": nn.functional.l1_loss(predicted, target)}

    def predict(self, images: Tensor, motion: Tensor) -> Tensor:
        """What uint8 images [B, 3, H, W] will look like after motions [B, A]: float [B, 3, size, size]."""
        features = self.encoder(to_float(images, self.encoder.image_size))  # [B, D]
        scaled = (motion / self.motion_std).to(features.dtype)  # [B, A]
        return self.decoder(torch.cat([features, scaled], 1))

    def show(self, pairs: FramePairs, step: Step) -> list[list[Panel]]:
        """The first frame of each pair, what is predicted for its motion, and the second frame."""
        first, second = (to_float(frames, self.encoder.image_size) for frames in (pairs.first, pairs.second))
        predicted = self.predict(pairs.first, pairs.motion).float()
        motions = [f"predicted after {signed(motion)}" for motion in pairs.motion.tolist()]
        return columns((first, "before"), (predicted, motions), (second, "after"))
