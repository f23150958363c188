"""A memory bank: a code of every image of the data set, by its number, and what methods share that have one."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.read.batches import Frames
from embodied_ssl.datasets.read.streams import Stream
from embodied_ssl.method import Method, Panel, Step
from embodied_ssl.parts.augmentation import Augmentation, augment
from embodied_ssl.parts.gradient_cache import in_chunks
from embodied_ssl.parts.heads import drawn_anew
from embodied_ssl.parts.panels import columns, with_nearest
from embodied_ssl.training.devices.distributed import gather


class MemoryBank(nn.Module):
    """Codes of unit length of N images, at first at random; the checkpoint of a run holds them, 4 · N · dim bytes.

    What a loss finds waits (`remember`) until the update is made (`renew`): all parts of a batch, on all devices, are
    compared with one and the same bank.
    """

    def __init__(self, images: int, dim: int):
        super().__init__()
        self.codes: Tensor
        self.register_buffer("codes", functional.normalize(torch.randn(images, dim), dim=1))
        self.seen: Tensor
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))  # images, in all updates so far
        self._new: list[tuple[Tensor, Tensor]] = []  # numbers of images and their codes, of this step

    def of_images(self, images: int, rng: np.random.Generator) -> "MemoryBank":
        """One for so many images: itself, or another drawn from `rng`."""
        if images == len(self.codes):
            return self
        return drawn_anew(lambda: MemoryBank(images, self.codes.shape[1]), rng)

    @property
    def epoch(self) -> int:
        """How many times all images have been seen."""
        return int(self.seen) // len(self.codes)

    def remember(self, index: Tensor, codes: Tensor) -> None:
        """New codes, float [B, dim] of unit length, of the images number `index`, int64 [B]."""
        self._new.append((index, codes.detach()))

    @torch.no_grad()
    def renew(self, momentum: float) -> None:
        """The entries of this step's images move towards their new codes by 1 − momentum, and to unit length again.

        Of an image that came several times, in any process, the last code counts.
        """
        for index, codes in self._new:
            index, codes = gather(index), gather(codes)  # [world · B], [world · B, dim]
            if momentum:
                codes = functional.normalize(self.codes[index].lerp(codes, 1 - momentum), dim=1)
            self.codes[index] = codes[_last_of_each(index)]
            self.seen += len(index)
        self._new.clear()


class BankedMethod(Method):
    """A method with a `bank` of codes of the images of its stream `frames`, by a `projection` of their features.

    A subclass has the settings that stand here, and makes the two; before the data are known the bank is of one image,
    unless `images` says otherwise.
    """

    images: int | None
    least_crop: float
    strength: float
    grey: float
    projection: nn.Module
    bank: MemoryBank

    def infer_shapes(self, streams: dict[str, Stream], rng: np.random.Generator) -> None:
        """The number of images."""
        found = len(streams["frames"])
        if self.images not in (None, found):
            raise DataError(f"images: {self.images:,}, but the data have {found:,}; leave --images out")
        self.images = found
        self.bank = self.bank.of_images(found, rng)

    def augmented(self, images: Tensor, step: Step) -> Tensor:
        """A view of each image uint8 [B, 3, H, W]: float [B, 3, s, s]."""
        settings = Augmentation((self.least_crop, 1.0), self.strength, grey=self.grey, blurred=0.0)
        return augment(images, step.rng, self.encoder.image_size, settings)

    def codes(self, views: Tensor, step: Step) -> Tensor:
        """Codes of unit length of views [B, 3, s, s]: float32 [B, dim]."""
        return functional.normalize(in_chunks((self.encoder, self.projection), views, step.loss_chunks).float(), dim=1)

    def show(self, frames: Frames, step: Step) -> list[list[Panel]]:
        """Two views of each image, and the second views of the batch that are nearest to the first one."""
        first, second = (self.augmented(frames.images, step) for _ in range(2))
        similarity = self.codes(first, step) @ self.codes(second, step).T  # [B, B]
        rows = columns((first, "a view"), (second, "another one"))
        return with_nearest(rows, second, similarity, frames.index[:, None] == frames.index)


def _last_of_each(index: Tensor) -> Tensor:
    """For each of some numbers [B] the last place that has the same: int64 [B]; so that what is written is no race."""
    places = torch.arange(len(index), device=index.device)
    return ((index[:, None] == index) * places).amax(1)
