"""What methods share that compare crops: two large ones of each sample, and several small ones."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from embodied_ssl.datasets.read.batches import FramePairs, Frames, ObjectPairs
from embodied_ssl.encoders import Encoder
from embodied_ssl.method import Method, Panel, Step, StreamSpec, input_streams_of
from embodied_ssl.parts.augmentation import Augmentation, augment
from embodied_ssl.parts.fitting import check_size
from embodied_ssl.parts.gradient_cache import in_chunks
from embodied_ssl.parts.panels import columns
from embodied_ssl.parts.positives import ImagePair, Views
from embodied_ssl.parts.views import to_float

Column = tuple[Tensor, str]


class MultiCrop(Method):
    """A method that compares crops of a sample: two large ones, made as `views` says, and several small ones.

    A subclass has the settings that stand here, and the two methods that say how crops are augmented, and what they
    cost. Caron et al. 2020 (SwAV), section 3.3.
    """

    views: Views
    local_crops: int
    local_size: int | None
    local_least: float
    local_most: float

    def __init__(self, encoder: Encoder):
        super().__init__(encoder)
        self.local_crop_size = self.local_size or encoder.image_size // 2
        advice = f"choose --local_size {encoder.image_size}"
        check_size(type(self).__name__, encoder, encoder, self.local_crop_size, advice)

    def augmentations(self) -> tuple[Augmentation, Augmentation, Augmentation]:
        """Of the first large crops, of the second ones, and of the small ones."""
        raise NotImplementedError

    def loss_of(self, crops: list[Tensor], step: Step) -> dict[str, Tensor]:
        """The scalars of one step: of large crops [2 B, 3, s, s] and, if there are any, small ones [L B, 3, t, t].

        The first crops of all samples come first, then their second ones.
        """
        raise NotImplementedError

    def loss(
        self,
        step: Step,
        frames: Frames | None = None,
        pairs: FramePairs | None = None,
        objects: ObjectPairs | None = None,
    ) -> dict[str, Tensor]:
        crops = [self._large_crops(step, frames, pairs, objects)]
        if self.local_crops:
            crops.append(self._small_crops(step, self.views.source_images(frames, pairs, objects)))
        return self.loss_of(crops, step)

    def features(self, crops: list[Tensor], step: Step) -> Tensor:
        """The encoder's features of all crops, those of one size at a time: [V B, D] of V crops of a sample."""
        return torch.cat([in_chunks((self.encoder,), each, step.loss_chunks) for each in crops])

    def show(
        self,
        step: Step,
        frames: Frames | None = None,
        pairs: FramePairs | None = None,
        objects: ObjectPairs | None = None,
    ) -> list[list[Panel]]:
        """Each image, its two large crops and a small one."""
        return columns(*self.images_and_crops(step, frames, pairs, objects))

    def images_and_crops(
        self, step: Step, frames: Frames | None, pairs: FramePairs | None, objects: ObjectPairs | None
    ) -> list[Column]:
        """Columns of panels: the images, their two large crops, and a small one."""
        sources = self.views.source_images(frames, pairs, objects)
        images = torch.cat([to_float(first, self.encoder.image_size) for first, _ in sources])
        first, second = self._large_crops(step, frames, pairs, objects).chunk(2)
        small = [(self._small_crops(step, sources)[: len(images)], "small crop")] if self.local_crops else []
        return [(images, "image"), (first, "large crop"), (second, "large crop"), *small]

    def input_streams(self) -> dict[str, StreamSpec]:
        return self.views.input_streams(input_streams_of(type(self)))

    def stream_options(self) -> dict[str, dict[str, Any]]:
        return self.views.stream_options()

    def _large_crops(
        self, step: Step, frames: Frames | None, pairs: FramePairs | None, objects: ObjectPairs | None
    ) -> Tensor:
        size, (first, second, _) = self.encoder.image_size, self.augmentations()
        found = self.views.positives(step.rng, size, (first, second), frames, pairs, objects)
        return torch.cat([found.first, found.second])

    def _small_crops(self, step: Step, sources: list[ImagePair]) -> Tensor:
        """Of two images of an object, every second crop is of the second one."""
        still = Augmentation(strength=0, grey=0, blurred=0)
        colours = self.augmentations()[2] if self.views.augments else still
        settings = replace(colours, scale=(self.local_least, self.local_most))
        found = []
        for pair in sources:
            images = torch.cat([pair[number % 2] for number in range(self.local_crops)])  # [L B, 3, H, W]
            crops = augment(images, step.rng, self.local_crop_size, settings)
            found.append(crops.unflatten(0, (self.local_crops, -1)))
        return torch.cat(found, 1).flatten(0, 1)
