"""Two views of an object: made by augmentation, given by the body, or both.

All methods that compare views take them from here. `augmentation` makes two views of one image. `body` takes what a
body gives: two frames along a path (time-contrastive, after Sermanet et al. 2018), two views of one object that the
body turns or walks around, one object on two tables or before and after an interaction. `both` augments what the body
gives.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.read.batches import FramePairs, Frames, ObjectPairs
from embodied_ssl.datasets.read.streams import Stream
from embodied_ssl.limits import Count, Positive, SomeShare, hold_fields
from embodied_ssl.method import StreamSpec
from embodied_ssl.parts.augmentation import Augmentation, augment
from embodied_ssl.parts.heads import drawn_anew
from embodied_ssl.parts.motions import sample_motions, standard_deviation
from embodied_ssl.parts.views import crop_at, to_float

ImagePair = tuple[Tensor, Tensor]
"""What the two views of each sample are made of, uint8 [B, 3, H, W] both; of augmentation the same image twice."""

_ODD = -7046029254386353131  # 2⁶⁴ / golden ratio


@dataclass(frozen=True)
class Positives:
    """Two views of each sample, and how the body moved from the first to the second."""

    first: Tensor  # float [B, 3, size, size]
    second: Tensor  # float [B, 3, size, size]
    motion: Tensor  # float32 [B, A]: 0 where it is not known; A is 0 where no motion is
    motion_known: Tensor  # bool [B]
    identity: Tensor  # int64 [B]: a number of the image, or of the object: what has the same is a positive, too


@dataclass(frozen=True)
class Views:
    """What makes the two views of an object that a method compares."""

    source: Literal["augmentation", "body", "both"] = "augmentation"
    """`augmentation` of one of the `frames`; the `body`, in `pairs` of frames and of `objects`; or `both`, augmentation
    of what the body gives."""
    least_crop: SomeShare = 0.2
    """Smallest share of an image that a random crop keeps; 0.08 in SimCLR's paper. 1: none is made, the image stays as
    it is, neither stretched nor mirrored, and colours and blur alone change."""
    condition: bool = True
    """Whether the code of a second frame is predicted from that of the first one and the motion between them, and the
    prediction compared with it."""
    max_gap_s: Positive = 1.0
    """Longest time between the frames of a pair, s."""
    across: Literal["tables", "interaction", "scenes", "episodes"] = "tables"
    """What lies between two images of an object: other `tables`, or the `interaction` done to it; of a video that
    follows an object nothing but time (`tables`), other `scenes`, or other `episodes`."""
    together: Count = 1
    """Pairs of an object in a batch, across scenes: all of its views, each in a scene of its own, are positives of each
    other."""
    crop: SomeShare = 0.3
    """Side of the patch about an object, as a share of the image; 1 for orbits."""
    background: Literal["kept", "masked"] = "kept"
    """Of images of an object: as it is, or grey, by the simulator's masks: views then share nothing but the object."""

    def __post_init__(self) -> None:
        hold_fields(self)

    @property
    def augments(self) -> bool:
        """Whether colours change and crops are made."""
        return self.source != "body"

    def input_streams(self, streams: dict[str, StreamSpec]) -> dict[str, StreamSpec]:
        """Those streams of a loss that these views are made of."""
        if self.source == "augmentation":
            return {"frames": StreamSpec(Frames, required=True)}
        return {name: spec for name, spec in streams.items() if name != "frames"}

    def stream_options(self) -> dict[str, dict[str, Any]]:
        """How the streams `pairs` and `objects` are taken out of their data sets."""
        if self.source == "augmentation":
            return {}
        objects = {"across": self.across, "together": self.together, "background": self.background}
        return {"pairs": {"max_gap_s": self.max_gap_s}, "objects": objects}

    def positives(
        self,
        rng: torch.Generator,
        size: int,
        augmentations: tuple[Augmentation, Augmentation],
        frames: Frames | None = None,
        pairs: FramePairs | None = None,
        objects: ObjectPairs | None = None,
    ) -> Positives:
        """The two views of every sample of the batches given.

        Args:
            rng: of the augmentation.
            size: of the views, px.
            augmentations: of the first views and of the second ones; their scale is that of `least_crop`.
            frames: for `augmentation`.
            pairs: for `body` and `both`.
            objects: for `body` and `both`.

        Raises DataError where no batch is given.
        """
        batches = self._given(frames, pairs, objects)
        motor_size = 0 if pairs is None else pairs.motion.shape[1]
        found = [self._of_one(batch, rng, size, augmentations, motor_size) for batch in batches]
        if len(found) == 1:
            return found[0]
        return Positives(*(torch.cat([getattr(one, name) for one in found]) for name in vars(found[0])))

    def source_images(
        self, frames: Frames | None = None, pairs: FramePairs | None = None, objects: ObjectPairs | None = None
    ) -> list[ImagePair]:
        """What `positives` makes the two views of, of each batch given. Raises DataError where none is."""
        return [self._source_images(batch) for batch in self._given(frames, pairs, objects)]

    def _given(self, *batches: Frames | FramePairs | ObjectPairs | None) -> list[Frames | FramePairs | ObjectPairs]:
        given = [batch for batch in batches if batch is not None]
        if not given:
            raise DataError(f"views '{self.source}' were given no data; name a data set for one of pairs, objects")
        return given

    def _of_one(
        self,
        batch: Frames | FramePairs | ObjectPairs,
        rng: torch.Generator,
        size: int,
        augmentations: tuple[Augmentation, Augmentation],
        motor_size: int,
    ) -> Positives:
        """The views of one batch."""
        sources = self._source_images(batch)
        if self.augments:
            first, second = (
                augment(images, rng, size, replace(settings, scale=(self.least_crop, 1.0)))
                for images, settings in zip(sources, augmentations, strict=True)
            )
        else:
            first, second = (to_float(images, size) for images in sources)
        known = isinstance(batch, FramePairs)
        first_images = batch.images if isinstance(batch, Frames) else batch.first
        return Positives(
            first,
            second,
            motion=batch.motion if isinstance(batch, FramePairs) else first.new_zeros(len(first), motor_size),
            motion_known=torch.full((len(first),), known, device=first.device),
            identity=batch.object if isinstance(batch, ObjectPairs) else digest(first_images),
        )

    def _source_images(self, batch: Frames | FramePairs | ObjectPairs) -> ImagePair:
        """What the two views of a batch are made of."""
        if isinstance(batch, Frames):
            return batch.images, batch.images
        if isinstance(batch, FramePairs):
            return batch.first, batch.second
        side = round(self.crop * batch.first.shape[-1])
        return _patch(batch.first, batch.first_pixel, side), _patch(batch.second, batch.second_pixel, side)


def _patch(images: Tensor, pixel: Tensor, side: int) -> Tensor:
    """Square patches about given pixels, uint8 [B, 3, side, side]."""
    return crop_at(images, pixel, side, side).mul_(255).round_().byte()


class ActionPredictor(nn.Module):
    """Predicts the code of a second view from that of the first one and the motor signal between them.

    It adds to the code what a small network makes of code and motion; at first that is nothing, and where the motion
    is not known it stays so.
    """

    def __init__(self, dim: int, motor_size: int, width: int = 128):
        super().__init__()
        self.dim, self.width = dim, width
        first = nn.Linear(dim + motor_size, width)
        last = nn.Linear(width, dim)
        self.change = nn.Sequential(first, nn.ReLU(inplace=True), last)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.motion_mean: Tensor
        self.motion_std: Tensor
        self.register_buffer("motion_mean", torch.zeros(motor_size))
        self.register_buffer("motion_std", torch.ones(motor_size))

    def of_motions(self, size: int, rng: np.random.Generator) -> "ActionPredictor":
        """One for motions of so many numbers: itself, or another drawn from `rng`."""
        if size == len(self.motion_std):
            return self
        return drawn_anew(lambda: ActionPredictor(self.dim, size, self.width), rng)

    def measure(self, pairs: Stream, rng: np.random.Generator) -> None:
        """Mean and standard deviation of the motions, by which they are standardised."""
        motions = sample_motions(pairs, 5000, rng)
        self.motion_mean.copy_(torch.from_numpy(motions.mean(0)))
        self.motion_std.copy_(torch.from_numpy(standard_deviation(motions)))

    def forward(self, code: Tensor, motion: Tensor, known: Tensor) -> Tensor:
        """code [B, D], motion [B, A], known bool [B] → [B, D]."""
        change = self.change(torch.cat([code, self.standardised(motion)], 1))  # [B, D]
        return code + change * known[:, None]

    def standardised(self, motion: Tensor) -> Tensor:
        """Motions [B, A] of mean 0 and standard deviation 1."""
        return (motion - self.motion_mean) / self.motion_std


def digest(images: Tensor) -> Tensor:
    """A number of each image that tells it from all others, by its content: uint8 [B, 3, H, W] → int64 [B].

    The same on any device: sums of integers, modulo 2⁶⁴.
    """
    content = images.movedim(1, -1).flatten(1)  # in the order of memory
    if rest := -content.shape[1] % 8:
        content = functional.pad(content, (0, rest))
    words = content.contiguous().view(torch.int64)
    places = torch.arange(1, words.shape[1] + 1, device=images.device)
    mixed = (words ^ (words >> 29)) * _ODD  # all bits of a word come into play
    return ((mixed ^ (mixed >> 31)) * (2 * places * _ODD + 1)).sum(1)
