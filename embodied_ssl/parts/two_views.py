"""What methods share that compare two views of each sample: where views come from, and the motions between them."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from embodied_ssl.datasets.read.batches import FramePairs, Frames, ObjectPairs
from embodied_ssl.datasets.read.streams import Stream
from embodied_ssl.method import Method, Panel, Step, StreamSpec, input_streams_of
from embodied_ssl.parts.augmentation import Augmentation
from embodied_ssl.parts.motions import motor_size_of
from embodied_ssl.parts.panels import columns, with_nearest
from embodied_ssl.parts.positives import ActionPredictor, Positives, Views


class TwoViews(Method):
    """A method that compares two views of each sample; `views` says what makes them.

    A subclass has the settings `views` and `motor_size`, an `action_predictor` for codes of its size, and the three
    methods that say how views are augmented, what their codes are, and what these cost.
    """

    views: Views
    motor_size: int | None
    action_predictor: ActionPredictor

    def augmentations(self) -> tuple[Augmentation, Augmentation]:
        """Of the first views and of the second ones."""
        raise NotImplementedError

    def codes(self, positives: Positives, step: Step) -> tuple[Tensor, Tensor]:
        """What is compared of the first views and of the second ones, [B, dim] each."""
        raise NotImplementedError

    def loss_of(self, positives: Positives, step: Step) -> dict[str, Tensor]:
        """The scalars of one step, of two views of each sample."""
        raise NotImplementedError

    def loss(
        self,
        step: Step,
        frames: Frames | None = None,
        pairs: FramePairs | None = None,
        objects: ObjectPairs | None = None,
    ) -> dict[str, Tensor]:
        return self.loss_of(self.positives(step, frames, pairs, objects), step)

    def show(
        self,
        step: Step,
        frames: Frames | None = None,
        pairs: FramePairs | None = None,
        objects: ObjectPairs | None = None,
    ) -> list[list[Panel]]:
        """Both views of each sample, and the second views of the batch that are nearest to the first one."""
        positives = self.positives(step, frames, pairs, objects)
        first, second = self.codes(positives, step)
        similarity = torch.cosine_similarity(first[:, None], second, dim=2)  # [B, B]
        right = positives.identity[:, None] == positives.identity
        rows = columns((positives.first, "a view"), (positives.second, "its other view"))
        return with_nearest(rows, positives.second, similarity, right)

    def positives(
        self, step: Step, frames: Frames | None, pairs: FramePairs | None, objects: ObjectPairs | None
    ) -> Positives:
        """The two views of every sample of the batches given."""
        size = self.encoder.image_size
        return self.views.positives(step.rng, size, self.augmentations(), frames, pairs, objects)

    def moved(self, codes: Tensor, positives: Positives) -> Tensor:
        """Codes [B, dim] of first views, as those of the second ones are predicted from them and the motions between.

        They stay as they are where no motion is known, or none is to be used (`views.condition`).
        """
        if not self.views.condition or not positives.motion.shape[1]:
            return codes
        return self.action_predictor(codes, positives.motion, positives.motion_known)

    def input_streams(self) -> dict[str, StreamSpec]:
        return self.views.input_streams(input_streams_of(type(self)))

    def stream_options(self) -> dict[str, dict[str, Any]]:
        return self.views.stream_options()

    def infer_shapes(self, streams: dict[str, Stream], rng: np.random.Generator) -> None:
        """The numbers of a motion, where the body gives views."""
        if "pairs" in streams:
            self.motor_size = motor_size_of(streams["pairs"], self.motor_size)
            self.action_predictor = self.action_predictor.of_motions(self.motor_size, rng)

    def prepare(self, streams: dict[str, Stream], rng: np.random.Generator) -> None:
        """Mean and standard deviation of the motions."""
        if "pairs" in streams:
            self.action_predictor.measure(streams["pairs"], rng)
