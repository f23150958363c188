"""Where an encoder looks: the attention of its [CLS] token as a mask of the objects that a simulator knows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.images.digests import digests_of
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.encoders import Encoder
from embodied_ssl.evaluation.protocol import EncodedSet, EvaluationSet, Protocol
from embodied_ssl.evaluation.results import Measure
from embodied_ssl.limits import Count, Share, SomeShare
from embodied_ssl.parts.panels import saliency
from embodied_ssl.parts.views import windows_at

Rows = NDArray[np.int64]

LEAST_SHARE = 0.003
"""Of an image: objects of which less is seen are not asked for."""
RADII = np.linspace(0.05, 0.75, 15)
"""Of the disc, as shares of a picture's side."""


@dataclass(frozen=True)
class Attention(Protocol):
    """Jaccard index of where an encoder attends with the objects there. Caron et al. 2021, figures 4 and 8.

    The patches that hold `mass` of the attention of the last block's [CLS] token, the most attended first, against the
    simulator's masks: `Jaccard` of one head, which validation objects choose, and of the best head of each picture. An
    encoder without such a token is asked where its deepest maps have most energy, as one head (`of` says which it was).

    An object in the middle is found without looking. So each picture is a window of an image in which one object fills
    the share `fills`, at a random place of those where the object's centre is at least `aside` off the picture's. All
    objects that are seen count, not this one alone. What looks at no picture is measured beside it: a disc in the
    middle, its radius chosen on validation objects, and the whole picture.

    Takes data sets of objects (no rooms) that were collected with `--instance`.
    """

    divides = False
    wants = "masks of objects with categories: data sets collected with --instance true"

    mass: SomeShare = 0.6
    """Share of the attention that is kept."""
    pictures: Count = 1000
    """At most so many; those of half of the objects validate, the others test."""
    fills: SomeShare = 0.2
    """Share of a picture that its object covers; more where the image about it ends."""
    aside: Share = 0.25
    """How far from the middle of a picture the centre of its object is at least, along one axis or both, as a share
    of the side."""

    def takes(self, dataset: Dataset | None) -> bool:
        if dataset is None or "category" not in dataset.declaration.labels:
            return False
        return dataset.declaration.mask_path in dataset.fields

    def prepare(self, on: EvaluationSet) -> "Pictures":
        assert on.dataset is not None, "`takes` has looked"
        return pictures_of(on.dataset, np.random.default_rng([on.seed, 4]), self.pictures, self.fills, self.aside)

    def measure(self, encoded: EncodedSet) -> list[Measure]:
        pictures: Pictures = encoded.prepared
        found, of = scores(encoded.encoder, pictures, self.mass, encoded.device)  # [P, heads]
        discs = np.stack([jaccard(disc(radius, pictures.masks.shape[-1]), pictures.masks)[:, 0] for radius in RADII], 1)
        validating, testing = pictures.validates, ~pictures.validates
        head, radius = (int(each[validating].mean(0).argmax()) for each in (found, discs))
        about = {
            "of": of, "mass": self.mass, "fills": self.fills, "aside": self.aside, "seed": encoded.seed,
            "validation": int(validating.sum()), "test": int(testing.sum()),
        }  # fmt: skip
        heads = {**about, "heads": found.shape[1]}
        whole = jaccard(torch.ones(1, 1, 1, 1, dtype=torch.bool), pictures.masks)[:, 0]
        values = [
            ("Jaccard", found[:, head], {**heads, "head": head + 1}),
            ("Jaccard, best head of each picture", found.max(1), heads),
            ("Jaccard of a disc in the middle", discs[:, radius], {**about, "radius": round(RADII[radius], 2)}),
            ("Jaccard of the whole picture", whole, about),
        ]
        tested = encoded.images.showing(pictures.digests[testing])
        return [Measure(name, float(each[testing].mean()), own, tested) for name, each, own in values]


@dataclass(frozen=True)
class Pictures:
    """Windows of images about objects that are not in the middle, the same for every encoder. P pictures."""

    images: Tensor  # uint8 [P, 3, H, W], whole
    middle: Tensor  # float [P, 1, 2], of the windows, px
    side: Tensor  # float [P], px
    masks: Tensor  # bool [P, H, H], of all objects within the windows
    validates: NDArray[np.bool_]  # [P]
    digests: NDArray[np.uint64]  # [P], of the images

    def at(self, size: int, rows: slice) -> Tensor:
        """Some of the pictures, float [B, 3, size, size]."""
        return windows_at(self.images[rows], self.middle[rows], self.side[rows], size)[:, 0]


def pictures_of(dataset: Dataset, rng: np.random.Generator, most: int, fills: float, aside: float) -> Pictures:
    """At most so many pictures of objects, each object's on one side of validation and test.

    Of interactions only the first of each episode has masks that are asked for. Raises DataError where there are
    fewer than two objects that can be seen so.
    """
    masks = dataset.array(dataset.declaration.mask_path)
    rows = np.arange(len(dataset)) if dataset.declaration.is_video else dataset.episodes["start"]
    chosen: list[tuple[int, int, NDArray[Any], float]] = []  # row, number of the object, middle and side of a window
    for row in rng.permutation(rows).tolist():
        for value, object_row in _objects_at(dataset, row):
            window = window_about(masks[row] == value, fills, aside, rng)
            if window is not None:
                chosen.append((row, int(dataset.object_numbers[object_row]), *window))
        if len(chosen) >= most:
            break
    chosen = chosen[:most]
    numbers = np.array([number for _, number, _, _ in chosen], np.int64)
    objects = np.unique(numbers)
    if len(objects) < 2:
        raise DataError(
            f"{dataset.path}: {len(objects)} objects that could be seen aside of the middle of a picture; collect more "
            "episodes, or leave out the protocol attention"
        )
    validates = np.isin(numbers, rng.permutation(objects)[: len(objects) // 2])
    at = np.array([row for row, *_ in chosen], np.int64)
    images = dataset.array(dataset.declaration.image_paths[0])[at]  # [P, H, W, 3]
    middle = torch.from_numpy(np.stack([each for _, _, each, _ in chosen])).float()[:, None]  # [P, 1, 2]
    side = torch.tensor([each for *_, each in chosen], dtype=torch.float32)
    light = torch.from_numpy((masks[at] > 0).astype(np.uint8) * 255)[:, None].expand(-1, 3, -1, -1).contiguous()
    inside = windows_at(light, middle, side, light.shape[-1])[:, 0, 0] > 0.5
    return Pictures(torch.from_numpy(images).movedim(-1, 1), middle, side, inside, validates, digests_of(images))


def window_about(
    mask: NDArray[np.bool_], fills: float, aside: float, rng: np.random.Generator
) -> tuple[NDArray[np.float64], float] | None:
    """The middle (u, v) and the side, px, of a window of an image of which what `mask` [H, H] shows covers a share.

    It lies within the image, and what is shown has its centre within it, but off its middle. None: there is none such,
    or next to nothing is shown.
    """
    size = len(mask)
    if mask.mean() < LEAST_SHARE:
        return None
    side = min(float(np.sqrt(mask.sum() / fills)), float(size))
    centre = np.argwhere(mask).mean(0)[::-1] + 0.5  # (u, v)
    low, high = np.maximum(side / 2, centre - side / 2), np.minimum(size - side / 2, centre + side / 2)
    for middle in rng.uniform(low, high, (20, 2)):
        if np.abs(centre - middle).max() >= aside * side:
            return middle, side
    return None


@torch.no_grad()
def scores(
    encoder: Encoder, pictures: Pictures, mass: float, device: str, batch_size: int = 128
) -> tuple[NDArray[np.float32], str]:
    """The Jaccard index of each head on each picture, float32 [P, heads], and what the maps are of."""
    training = encoder.training
    encoder.eval().to(device)
    found: list[NDArray[np.float32]] = []
    for first in range(0, len(pictures.masks), batch_size):
        rows = slice(first, first + batch_size)
        maps, of = saliency(encoder, pictures.at(encoder.image_size, rows).to(device))  # [B, heads, h, w]
        found.append(jaccard(kept(maps.float().cpu(), mass), pictures.masks[rows]))
    encoder.train(training)
    return np.concatenate(found), of


def kept(attention: Tensor, mass: float) -> Tensor:
    """The patches that hold so much of the attention, the most attended first; bool, as attention [B, heads, h, w]."""
    flat = attention.flatten(2)
    shares, order = (flat / flat.sum(2, keepdim=True)).sort(dim=2, descending=True, stable=True)
    inside = shares.cumsum(2) - shares < mass
    return torch.zeros_like(inside).scatter(2, order, inside).view(attention.shape)


def jaccard(patches: Tensor, masks: Tensor) -> NDArray[np.float32]:
    """Share of the union that is in both: patches bool [B or 1, heads, h, w], masks bool [B, H, H]; [B, heads]."""
    found = functional.interpolate(patches.float(), masks.shape[1:], mode="nearest") > 0.5  # [B, heads, H, H]
    both = (found & masks[:, None]).sum((2, 3))
    either = (found | masks[:, None]).sum((2, 3))
    return (both / either.clamp(min=1)).numpy()


def disc(radius: float, size: int) -> Tensor:
    """A disc in the middle of a picture, its radius a share of the side: bool [1, 1, size, size]."""
    from_middle = (torch.arange(size) + 0.5) / size - 0.5
    return (torch.hypot(from_middle[:, None], from_middle) < radius)[None, None]


def _objects_at(dataset: Dataset, row: int) -> Sequence[tuple[int, int]]:
    """The objects of an episode: their values in masks, and their rows of `objects`."""
    episodes, objects = dataset.episodes, dataset.objects
    episode = int(np.searchsorted(episodes["start"], row, side="right")) - 1
    first, count = int(episodes["objects_start"][episode]), int(episodes["objects_count"][episode])
    return [(int(objects["index"][each]), each) for each in range(first, first + count)]
