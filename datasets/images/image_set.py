"""Labelled images to learn from and to measure on, whatever they come from."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.images.digests import Digests, digests_of
from embodied_ssl.datasets.images.encoded import EncodedImages

if TYPE_CHECKING:
    from embodied_ssl.datasets.images.scenes import Scenes
    from embodied_ssl.datasets.read.batches import Frames, LabelledFrames

Index = NDArray[np.int64]

PART_TYPE = "U10"
"""The type of the names of parts."""


@dataclass(frozen=True)
class ImageSet:
    """Images with labels. N images in C classes."""

    name: str
    images: Any  # `images[rows]` gives uint8 [B, H, W, 3] for int64 rows [B]
    label: Index  # [N], rows of classes
    classes: tuple[str, ...]
    group: Index  # [N]; what may not be split between training and test: an object, a room
    part: NDArray[np.str_]  # [N] `train`, `validation` or `test` where the source says so, else empty
    fingerprint: str  # SHA-256 of what it holds, and of the side of squares that were made of it
    find_digests: Callable[[], Digests] | None = None  # None: those of the pixels of `images`
    side: int | None = None  # px, of the squares that were made of images of any size; None: they are as they were
    told: str = ""  # what was taken for what, in a line
    scenes: "Callable[[], Scenes] | None" = None  # the same images with truth of pixels or boxes, where there is any

    def __len__(self) -> int:
        return len(self.label)

    def __repr__(self) -> str:
        return f"ImageSet({self.name!r}: {len(self):,} images of {len(self.classes)} classes)"

    def _repr_html_(self) -> str:
        """What a notebook shows: how many images of which class, and one of each."""
        from embodied_ssl.datasets.gallery.cards import image_set_card

        return image_set_card(self)

    @cached_property
    def digests(self) -> Digests:
        """The digest of each image's content, uint64 [N], found when first asked for: see `digest_of`.

        Of a patch about an object on a table it is that of the image that the patch was cut from.
        """
        return self.find_digests() if self.find_digests is not None else digests_of(self.images)

    def at(self, rows: Index) -> "ImageSet":
        """The set of these images only; none is read before it is asked for."""
        return replace(
            self,
            images=Chosen(self.images, rows),
            label=self.label[rows],
            group=self.group[rows],
            part=self.part[rows],
            fingerprint=hashlib.sha256(self.fingerprint.encode() + rows.tobytes()).hexdigest(),
            find_digests=partial(_digests_at, self, rows),
            scenes=None,
        )

    def damaged(self) -> list[str]:
        """The names of files that were found damaged since, and replaced by others of their class."""
        images = self.images
        while isinstance(images, Chosen):
            images = images.images
        return images.damaged() if isinstance(images, EncodedImages) else []

    def showing(self, digests: Digests) -> Index:
        """The rows whose images have one of these digests."""
        return np.flatnonzero(np.isin(self.digests, digests))

    def only(self, part: str) -> "ImageSet":
        """The images of one part, where the source has parts, else all: `train` is what may be learned from.

        Raises DataError where there are parts, but not this one.
        """
        if not (self.part != "").any():
            return self
        rows = np.flatnonzero(self.part == part)
        if len(rows) == 0:
            parts = ", ".join(sorted({str(each) for each in self.part} - {""}))
            why = " to learn from" if part == "train" else ""
            raise DataError(f"{self.name}: has the parts {parts}, but no part {part}{why}")
        return self.at(rows)

    def few(self, per_class: int, seed: int) -> "ImageSet":
        """So many images of each class, drawn by `seed`; all of a class that has fewer."""
        rng = np.random.default_rng([seed, per_class])
        drawn = [rng.permutation(np.flatnonzero(self.label == one))[:per_class] for one in range(len(self.classes))]
        return self.at(np.sort(np.concatenate(drawn)))

    def frames(self, part: str = "train") -> "FrameStream":
        """What may be learned from, as a stream of `Frames`, or another part: see `only`."""
        return FrameStream(self.only(part))

    def labelled(self, part: str = "train") -> "LabelledStream":
        """What may be learned from, as a stream of `LabelledFrames`, or another part: see `only`."""
        return LabelledStream(self.only(part))


@dataclass(frozen=True)
class Chosen:
    """Some rows of images, read when they are asked for."""

    images: Any
    rows: Index

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, places: Any) -> NDArray[np.uint8]:
        return self.images[self.rows[places]]

    @property
    def shape(self) -> tuple[int, ...]:
        """[N, H, W, 3]."""
        return (len(self.rows), *self.images.shape[1:])


@dataclass(frozen=True)
class FrameStream:
    """The images of a set, as `Frames`."""

    images: ImageSet

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, index: Index, rng: np.random.Generator) -> "Frames":
        import torch

        from embodied_ssl.datasets.read.batches import Frames

        images = torch.from_numpy(self.images.images[index]).movedim(-1, -3)
        return Frames(images=images, index=torch.from_numpy(index))


@dataclass(frozen=True)
class LabelledStream:
    """The images of a set and their classes, as `LabelledFrames`."""

    images: ImageSet

    def __len__(self) -> int:
        return len(self.images)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes that `label` counts."""
        return self.images.classes

    def batch(self, index: Index, rng: np.random.Generator) -> "LabelledFrames":
        import torch

        from embodied_ssl.datasets.read.batches import LabelledFrames

        images = torch.from_numpy(self.images.images[index]).movedim(-1, -3)
        labels = torch.from_numpy(self.images.label[index])
        return LabelledFrames(images=images, label=labels, index=torch.from_numpy(index))


def _digests_at(images: ImageSet, rows: Index) -> Digests:
    return images.digests[rows]
