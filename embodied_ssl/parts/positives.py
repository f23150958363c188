"""Two views of an object for contrastive methods: made by augmentation, given by the body, or both.

SimCLR and MoCo take their positives from here. `augmentation` makes two views of one image. `body` takes what a body
gives: two frames along a path (time-contrastive, after Sermanet et al. 2018), two views around an orbit, one object
on two tables or before and after an interaction. `both` augments what the body gives.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from embodied_ssl.datasets.errors import DataError, unknown_name
from embodied_ssl.datasets.read.batches import FramePairs, Frames, ObjectPairs
from embodied_ssl.datasets.read.streams import Stream
from embodied_ssl.method import Need
from embodied_ssl.parts.motions import sample_motions, spread
from embodied_ssl.parts.views import augment, crop_at, to_float

Views = Literal["augmentation", "body", "both"]
_ODD = -7046029254386353131  # 2⁶⁴ / golden ratio
VIEWS = ("augmentation", "body", "both")


@dataclass(frozen=True)
class Positives:
    """Two views of each sample, and how the body moved from the first to the second."""

    first: Tensor  # float [B, 3, size, size]
    second: Tensor  # float [B, 3, size, size]
    motion: Tensor  # float32 [B, 2]: 0 where it is not known
    moved: Tensor  # bool [B]: whether it is
    identity: Tensor  # int64 [B]: a number of the sample, of which no key may be a negative of its query


def needs_of_views(views: Views, needs: dict[str, Need]) -> dict[str, Need]:
    """Those streams of a loss that its views are made of. Raises DataError for unknown views."""
    if views not in VIEWS:
        raise unknown_name("views", views, VIEWS)
    if views == "augmentation":
        return {"frames": Need(Frames, required=True)}
    return {name: need for name, need in needs.items() if name != "frames"}


def cuts_of_views(max_gap_s: float, across: str) -> dict[str, dict[str, Any]]:
    """How the streams `pairs` and `objects` are cut."""
    return {"pairs": {"max_gap_s": max_gap_s}, "objects": {"across": across}}


def positives(
    views: Views, rng: torch.Generator, size: int, crop: float, settings: Sequence[dict[str, Any]],
    frames: Frames | None, pairs: FramePairs | None, objects: ObjectPairs | None,
) -> Positives:  # fmt: skip
    """The two views of every sample of the batches given.

    Args:
        views: what makes them.
        rng: of the augmentation.
        size: of the views, px.
        crop: side of the patch about an object, as a share of the image.
        settings: of `augment`, for the first views and for the second ones.
        frames: for `augmentation`.
        pairs: for `body` and `both`.
        objects: for `body` and `both`.
    """
    made: list[tuple[Tensor, Tensor]] = []
    motion: list[Tensor] = []
    moved: list[Tensor] = []
    identity: list[Tensor] = []
    for batch in (frames, pairs, objects):
        if batch is None:
            continue
        sources = _pictures(batch, crop)
        if views == "body":
            first, second = (to_float(each, size) for each in sources)
        else:
            first, second = (augment(each, rng, size, **own) for each, own in zip(sources, settings, strict=True))
        made.append((first, second))
        known = isinstance(batch, FramePairs)
        motion.append(batch.motion if isinstance(batch, FramePairs) else first.new_zeros(len(first), 2))
        moved.append(torch.full((len(first),), known, device=first.device))
        thing = batch.object if isinstance(batch, ObjectPairs) else 0  # of which an image may show several
        identity.append(digest(first_of(batch)) + thing)
    if not made:
        raise DataError(f"views '{views}' were given no data; name a data set for one of pairs, objects")
    firsts, seconds = zip(*made, strict=True)
    return Positives(torch.cat(firsts), torch.cat(seconds), torch.cat(motion), torch.cat(moved), torch.cat(identity))


def first_of(batch: Frames | FramePairs | ObjectPairs) -> Tensor:
    """The first image of each sample, uint8 [B, 3, H, W]."""
    return batch.images if isinstance(batch, Frames) else batch.first


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


def _pictures(batch: Frames | FramePairs | ObjectPairs, crop: float) -> tuple[Tensor, Tensor]:
    """The images that the two views are made of, uint8 [B, 3, H, W]."""
    if isinstance(batch, Frames):
        return batch.images, batch.images
    if isinstance(batch, FramePairs):
        return batch.first, batch.second
    side = round(crop * batch.first.shape[-1])
    both = ((batch.first, batch.first_pixel), (batch.second, batch.second_pixel))
    first, second = ((crop_at(images, pixel, side, side) * 255).round_().byte() for images, pixel in both)
    return first, second


class Lead(nn.Module):
    """Takes the code of a first view to where the second one should be, by the motor signal between them.

    It adds to the code what a small network makes of code and motion; at first that is nothing, and where the motion
    is not known it stays so.
    """

    def __init__(self, dim: int, width: int = 128):
        super().__init__()
        self.change = nn.Sequential(nn.Linear(dim + 2, width), nn.ReLU(inplace=True), nn.Linear(width, dim))
        last = self.change[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.middle: Tensor
        self.scale: Tensor
        self.register_buffer("middle", torch.zeros(2))
        self.register_buffer("scale", torch.ones(2))

    def measure(self, pairs: Stream, rng: np.random.Generator) -> None:
        """Mean and spread of the motions, to bring them to one scale."""
        motions = sample_motions(pairs, 5000, rng)
        self.middle.copy_(torch.from_numpy(motions.mean(0)))
        self.scale.copy_(torch.from_numpy(spread(motions)))

    def forward(self, code: Tensor, motion: Tensor, moved: Tensor) -> Tensor:
        """code [B, D], motion [B, 2], moved bool [B] → [B, D]."""
        change = self.change(torch.cat([code, (motion - self.middle) / self.scale], 1))
        return code + change * moved[:, None]
