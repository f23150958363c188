"""View prediction: from a frame and a motion, the frame after it."""

import numpy as np
import torch
from torch import Tensor, nn

from embodied_ssl.datasets.read.batches import FramePairs
from embodied_ssl.datasets.read.streams import Stream
from embodied_ssl.encoders import Encoder
from embodied_ssl.limits import Count, Positive
from embodied_ssl.method import Method, Panel, Recipe, Step
from embodied_ssl.parts.heads import Decoder
from embodied_ssl.parts.motions import sample_motions, spread
from embodied_ssl.parts.panels import columns, signed
from embodied_ssl.parts.views import to_float


class ViewPrediction(Method):
    """Decode what the body will see after a motion, as the idea is commonly introduced; ℓ1 on pixels."""

    recipe = Recipe(learning_rate=1e-3, batch_size=128, steps=2000)

    def __init__(self, encoder: Encoder, max_gap_s: Positive = 0.5, size: Count = 32):
        """The motion joins the code, and a convolutional decoder draws the image.

        Args:
            encoder: what is learned.
            max_gap_s: longest time between the frames of a pair, s.
            size: of the image that is predicted, px.
        """
        super().__init__(encoder)
        self.decoder = Decoder(encoder.dim + 2, size)
        self.register_buffer("scale", torch.ones(2))

    def stream_options(self) -> dict[str, dict[str, float]]:
        return {"pairs": {"max_gap_s": self.max_gap_s}}

    def prepare(self, streams: dict[str, Stream], rng: np.random.Generator) -> None:
        """The spread of the motions, to bring them to the scale of the code."""
        self.scale.copy_(torch.from_numpy(spread(sample_motions(streams["pairs"], 5000, rng))))

    def loss(self, pairs: FramePairs, step: Step) -> dict[str, Tensor]:
        predicted = self.predict(pairs.first, pairs.motion).float()
        target = to_float(pairs.second, self.size)
        return {"loss": nn.functional.l1_loss(predicted, target)}

    def predict(self, images: Tensor, motion: Tensor) -> Tensor:
        """What uint8 images [B, 3, H, W] will look like after motions [B, 2]: float [B, 3, size, size]."""
        code = self.encoder(to_float(images, self.encoder.image_size))
        return self.decoder(torch.cat([code, (motion / self.scale).to(code.dtype)], 1))

    def show(self, pairs: FramePairs, step: Step) -> list[list[Panel]]:
        """The first frame of each pair, what is predicted for its motion, and the second frame."""
        first, second = (to_float(frames, self.encoder.image_size) for frames in (pairs.first, pairs.second))
        predicted = self.predict(pairs.first, pairs.motion).float()
        motions = [f"predicted after {signed(motion)}" for motion in pairs.motion.tolist()]
        return columns((first, "before"), (predicted, motions), (second, "after"))
