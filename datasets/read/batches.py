"""Batches: what a method sees. Frozen dataclasses of tensors; no files, no randomness.

Images are uint8 [B, 3, H, W] (in memory channels come last, as they are stored) until a view makes floats of them.
Every batch moves with `.to(device)`, and `len` is B.
"""

from dataclasses import dataclass, fields, replace
from typing import Any, Self

import torch
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """What all batches share."""

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Self:
        """The same batch on `device`."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> Self:
        """The same batch in page-locked memory; a DataLoader calls it."""
        return self._each(lambda tensor: tensor.pin_memory())

    def __len__(self) -> int:
        return len(getattr(self, fields(self)[0].name))

    def _each(self, change: Any) -> Self:
        return replace(self, **{field.name: change(getattr(self, field.name)) for field in fields(self)})


@dataclass(frozen=True)
class Frames(Batch):
    """Images, whatever they come from."""

    images: Tensor  # uint8 [B, 3, H, W]
    index: Tensor  # int64 [B]: which images of the data set they are


@dataclass(frozen=True)
class FramePairs(Batch):
    """Two frames of one episode and the motion between them."""

    first: Tensor  # uint8 [B, 3, H, W]
    second: Tensor  # uint8 [B, 3, H, W]
    motion: Tensor  # float32 [B, A]: from first to second, in the kind's motor signals, such as forward m and yaw rad
    gap: Tensor  # int64 [B]: frames between them, at least 1
    gap_s: Tensor  # float32 [B]: seconds between them


@dataclass(frozen=True)
class Clips(Batch):
    """T frames of one episode, evenly spaced, and the motion from each to the next."""

    images: Tensor  # uint8 [B, T, 3, H, W]
    motion: Tensor  # float32 [B, T - 1, A]
    time_s: Tensor  # float32 [B, T]: since the first frame of the clip
    flow: Tensor  # float32 [B, T - 1], px: mean length of the optical flow from each frame to the one logged after it
    # (NaN: not logged, or not asked for)


@dataclass(frozen=True)
class Grasps(Batch):
    """Grasps seen from above, and whether they held."""

    images: Tensor  # uint8 [B, 3, H, W], before
    pixel: Tensor  # float32 [B, 2]: (u, v) of the grasp
    angle: Tensor  # float32 [B]: closing direction in the image, rad in [0, π)
    success: Tensor  # bool [B]
    object: Tensor  # int64 [B]: row of the data set's objects, -1 = none


@dataclass(frozen=True)
class Pushes(Batch):
    """Pushes seen from above, before and after."""

    before: Tensor  # uint8 [B, 3, H, W]
    after: Tensor  # uint8 [B, 3, H, W]
    start_pixel: Tensor  # float32 [B, 2]: (u, v) of the fingertip
    end_pixel: Tensor  # float32 [B, 2]
    start: Tensor  # float32 [B, 3]: of the fingertip, m, world
    end: Tensor  # float32 [B, 3]
    object: Tensor  # int64 [B]: row of the data set's objects, -1 = none


@dataclass(frozen=True)
class Pokes(Batch):
    """Pokes seen from above, and the force that they met."""

    images: Tensor  # uint8 [B, 3, H, W], before
    pixel: Tensor  # float32 [B, 2]: (u, v) of the contact
    force: Tensor  # float32 [B, T], N
    depth_travelled: Tensor  # float32 [B, T], m since first contact
    object: Tensor  # int64 [B]: row of the data set's objects, -1 = none


@dataclass(frozen=True)
class Demonstrations(Batch):
    """Episodes of control: what was seen from above before, what was to be achieved, and whether it was."""

    images: Tensor  # uint8 [B, 3, H, W], before
    goal: Tensor  # float32 [B, G]
    success: Tensor  # bool [B]
    object: Tensor  # int64 [B]: row of the data set's objects, -1 = none


@dataclass(frozen=True)
class ObjectPairs(Batch):
    """Two images of one object in different poses, and where it is in each."""

    first: Tensor  # uint8 [B, 3, H, W]
    second: Tensor  # uint8 [B, 3, H, W]
    first_pixel: Tensor  # float32 [B, 2]: (u, v) of the object's position
    second_pixel: Tensor  # float32 [B, 2]
    object: Tensor  # int64 [B]: a number of the object, the same in every episode


@dataclass(frozen=True)
class Tracks(Batch):
    """Two frames of one episode, and where the same object or point is in each."""

    first: Tensor  # uint8 [B, 3, H, W]
    second: Tensor  # uint8 [B, 3, H, W]: the later one
    first_pixel: Tensor  # float32 [B, 2]: (u, v)
    second_pixel: Tensor  # float32 [B, 2]
    episode: Tensor  # int64 [B]: row of the stream's episodes


@dataclass(frozen=True)
class CaptionedFrames(Batch):
    """Images and what a caption says of them."""

    images: Tensor  # uint8 [B, 3, H, W]
    words: Tensor  # int64 [B, L]: rows of the stream's vocabulary, 0 where there is none
    index: Tensor  # int64 [B]: which images of the stream they are


@dataclass(frozen=True)
class LabelledFrames(Batch):
    """Images and what they show."""

    images: Tensor  # uint8 [B, 3, H, W]
    label: Tensor  # int64 [B]: row of the classes
    index: Tensor  # int64 [B]: which images of the set they are
