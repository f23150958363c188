"""What methods share whose layers take the motion between frames: how many numbers it has, and their scale."""

import numpy as np
import torch
from torch import Tensor, nn

from embodied_ssl.datasets.read.streams import Stream
from embodied_ssl.encoders import Encoder
from embodied_ssl.method import Method
from embodied_ssl.parts.heads import drawn_anew
from embodied_ssl.parts.motions import MOTOR_SIZE, motor_size_of, sample_motions, standard_deviation


class Moving(Method):
    """A method with layers for motions, of as many numbers as its data have, of `pairs` or of `clips`.

    A subclass has the setting `motor_size`, makes its other layers after `super().__init__`, and says which layers take
    motions.
    """

    motor_size: int | None

    def __init__(self, encoder: Encoder):
        super().__init__(encoder)
        self._begin_with(self.motor_size or MOTOR_SIZE)

    def take_motions_of(self, size: int) -> nn.Module:
        """The layers that take motions of so many numbers, which are kept: made again where the data have others."""
        raise NotImplementedError

    def infer_shapes(self, streams: dict[str, Stream], rng: np.random.Generator) -> None:
        """The numbers of a motion."""
        (stream,) = streams.values()
        found = motor_size_of(stream, self.motor_size)
        if found != len(self.motion_std):
            drawn_anew(lambda: self._begin_with(found), rng)
        self.motor_size = found

    def prepare(self, streams: dict[str, Stream], rng: np.random.Generator) -> None:
        """Mean and standard deviation of the motions, by which they are standardised."""
        (stream,) = streams.values()
        motions = sample_motions(stream, 5000, rng)
        self.motion_mean.copy_(torch.from_numpy(motions.mean(0)))
        self.motion_std.copy_(torch.from_numpy(standard_deviation(motions)))

    def standardised(self, motion: Tensor) -> Tensor:
        """Motions [..., A] of mean 0 and standard deviation 1."""
        return (motion - self.motion_mean) / self.motion_std

    def _begin_with(self, size: int) -> nn.Module:
        self.register_buffer("motion_mean", torch.zeros(size))
        self.register_buffer("motion_std", torch.ones(size))
        return self.take_motions_of(size)
