"""Maps of an encoder at the pixels of images: what linear layers on frozen stages are fitted to and read out from."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.images.image_set import ImageSet
from embodied_ssl.datasets.images.scenes import Scenes
from embodied_ssl.encoders import Encoder
from embodied_ssl.evaluation.protocol import EvaluationSet
from embodied_ssl.evaluation.splits import TEST, TRAINING, UNUSED, VALIDATION, Rows, Split, divide_groups
from embodied_ssl.parts.views import to_float

Truth = Callable[[Rows], tuple[NDArray[np.generic], NDArray[np.bool_]]]
Weights = Callable[[NDArray[np.generic]], NDArray[np.floating]]

STRIDE = 4
"""Of the grid that all stages are brought to, px."""
BATCH = 32
PATCH = 32
"""No encoder has patches larger than this, px."""


@dataclass(frozen=True)
class Pictures:
    """Images with truth that train, validate and test, the same for every encoder."""

    scenes: Scenes
    """As training has it."""
    held_out: Scenes
    """As validation and test have it: objects that training shows are not asked about."""
    parts: Split
    seed: int

    def tested(self, images: ImageSet) -> Rows:
        """The rows of an image set that show what is tested on."""
        return images.showing(self.scenes.find_digests(self.parts.test))


def pictures_of(on: EvaluationSet, most: int, masked: bool = False) -> Pictures:
    """At most so many images: half of them train, a fifth validates, the rest tests. masked: those with labels alone.

    Parts share no room, table or held object; where the source says what is training and what is test, that holds.
    Raises DataError where a part has none.
    """
    assert on.images.scenes is not None, "`takes_images` has looked"
    scenes = on.images.scenes()
    rng = np.random.default_rng([on.seed, 14])
    there = scenes.masked if masked and scenes.masked is not None else np.ones(len(scenes), bool)
    part = _parts(scenes, there, rng)
    rows = []
    for name, which, share in (("train", TRAINING, 0.5), ("validation", VALIDATION, 0.2), ("test", TEST, 0.3)):
        own = np.sort(rng.permutation(np.flatnonzero(part == which))[: max(1, round(share * most))])
        if len(own) == 0:
            raise DataError(
                f"{on.images.name}: its part {name} has no images; name a set of more rooms, tables, objects or images"
            )
        rows.append(own)
    parts = Split(rows[0], rows[1], rows[2], {})
    return Pictures(scenes, scenes.without(parts.train) if scenes.without else scenes, parts, on.seed)


def _parts(scenes: Scenes, there: NDArray[np.bool_], rng: np.random.Generator) -> Rows:
    """The part of each image of those that are there; of others `UNUSED`."""
    official = {name: there & (scenes.part == name) for name in ("train", "validation", "test")}
    if not (official["train"].any() and official["test"].any()):
        return np.where(there, divide_groups(scenes.group, rng), UNUSED)
    which = [official["train"], official["validation"], official["test"]]
    part = np.select(which, [TRAINING, VALIDATION, TEST], UNUSED)
    if not official["validation"].any():
        groups = rng.permutation(np.unique(scenes.group[official["train"]]))
        part[official["train"] & np.isin(scenes.group, groups[: max(1, len(groups) // 5)])] = VALIDATION
    return part


def side_for(encoder: Encoder, side: int) -> int:
    """The side of images as an encoder sees them, px: theirs, or its own where that is larger.

    Of one that takes whole patches alone it is a little less, and of one that takes images of one size that size.
    """
    wanted = max(side, encoder.image_size)
    training = encoder.training
    device = next(encoder.parameters(), torch.empty(0)).device
    encoder.eval()
    try:
        for found in range(wanted, max(wanted - PATCH, encoder.image_size), -1):
            with suppress(RuntimeError, ValueError, AssertionError), torch.no_grad():
                encoder.stages(torch.zeros(1, 3, found, found, device=device))
                return found
        return encoder.image_size
    finally:
        encoder.train(training)


@torch.no_grad()
def stages_of(
    encoder: Encoder, scenes: Scenes, rows: Rows, device: str, batch: int = BATCH
) -> Iterator[tuple[Rows, dict[str, Tensor], int]]:
    """Rows of images in batches, with all stages of an encoder at rest, and how many cells of 4 px a side has."""
    training = encoder.training
    encoder.eval().to(device)
    side = side_for(encoder, scenes.side)
    try:
        for first in range(0, len(rows), batch):
            own = rows[first : first + batch]
            images = torch.from_numpy(scenes.images[own]).movedim(-1, -3).to(device)  # [B, 3, H, H]
            yield own, encoder.stages(to_float(images, side)), side // STRIDE
    finally:  # also where not all of them were asked for
        encoder.train(training)


def joined(stages: dict[str, Tensor], cells: int) -> Tensor:
    """The maps of stages side by side on one grid, float32 [B, D, cells, cells].

    Finer maps are averaged over its cells, coarser ones interpolated.
    """
    found = []
    for maps in stages.values():
        if maps.shape[-1] > cells:
            found.append(functional.adaptive_avg_pool2d(maps.float(), cells))
        else:
            found.append(upsampled(maps.float(), cells))
    return torch.cat(found, 1)


def with_means(maps: Tensor) -> Tensor:
    """Maps [B, D, g, g], and behind them their means over the image, [B, 2 D, g, g].

    As linear layers for dense tasks are given a [CLS] beside each patch (Oquab et al. 2023).
    """
    return torch.cat([maps, maps.mean((2, 3), keepdim=True).expand_as(maps)], 1)


def linear_scores(stages: dict[str, Tensor], cells: int, weight: Tensor, bias: Tensor) -> Tensor:
    """A linear layer, weight [2 D, K] and bias [K], on `with_means(joined(stages, cells))`: [B, cells, cells, K].

    Interpolation is linear as well, so that each stage is scored as it is, and its few scores are brought to the grid.
    """
    found: Tensor | None = None
    means, first = [], 0
    for maps in stages.values():
        maps = maps.float()
        if maps.shape[-1] > cells:
            maps = functional.adaptive_avg_pool2d(maps, cells)
        means.append(_mean_on(maps, cells))
        own = maps.movedim(1, -1) @ weight[first : first + maps.shape[1]]  # [B, h, w, K]
        if maps.shape[-1] < cells:
            own = upsampled(own.movedim(-1, 1), cells).movedim(1, -1)
        found = own if found is None else found.add_(own)
        first += maps.shape[1]
    assert found is not None, "every encoder has a stage"
    return found.add_((torch.cat(means, 1) @ weight[first:] + bias)[:, None, None])


def _mean_on(maps: Tensor, cells: int) -> Tensor:
    """The mean over the image of maps [B, C, h, h], brought to a grid that is not coarser: [B, C]."""
    one = torch.eye(maps.shape[-1], device=maps.device)[None]
    share = functional.interpolate(one, cells, mode="linear")[0].mean(-1)  # [h]
    return (maps * share[:, None] * share).sum((2, 3))


def upsampled(maps: Tensor, side: int) -> Tensor:
    """Maps [B, C, g, g] at each pixel of images, [B, C, side, side], bilinear."""
    return functional.interpolate(maps, (side, side), mode="bilinear")


def at_pixels(maps: Tensor, places: NDArray[np.int64], side: int) -> NDArray[np.float32]:
    """What `upsampled` has at some pixels (row, column), [B, P, 2] of images of a side: [B, P, C]."""
    at = (torch.from_numpy(places).to(maps.device).float() + 0.5) / side * 2 - 1
    found = functional.grid_sample(
        maps, at.flip(-1)[:, None], mode="bilinear", padding_mode="border", align_corners=False
    )
    return found[:, :, 0].mT.cpu().numpy()


@dataclass(frozen=True)
class Asked:
    """Pixels of images, and what is true there: what linear layers are fitted to and chosen on. n images, P pixels."""

    scenes: Scenes
    rows: Rows  # [n]
    places: NDArray[np.int64]  # [n, P, 2]: row, column
    truth: NDArray[np.generic]  # [n, P, ...]

    @property
    def flat(self) -> NDArray[np.generic]:
        """What is true, [n · P, ...]."""
        return self.truth.reshape(-1, *self.truth.shape[2:])

    def at_places(self, everywhere: NDArray[np.floating]) -> NDArray[np.floating]:
        """What is said of each place of an image, [H, H, ...], at the pixels that are asked about, [n · P, ...]."""
        return everywhere[self.places[..., 0], self.places[..., 1]].reshape(-1, *everywhere.shape[2:])

    def features(self, encoder: Encoder, device: str) -> NDArray[np.float32]:
        """All stages of an encoder there, [n · P, D]."""
        found, first = [], 0
        for rows, stages, cells in stages_of(encoder, self.scenes, self.rows, device):
            maps = with_means(joined(stages, cells))
            found.append(at_pixels(maps, self.places[first : first + len(rows)], self.scenes.side))
            first += len(rows)
        return np.concatenate(found).reshape(-1, found[0].shape[-1])


def asked_pixels(
    scenes: Scenes, rows: Rows, truth: Truth, count: int, rng: np.random.Generator, weights: Weights | None = None
) -> Asked:
    """So many pixels of each image, of those that are asked about; images that have none are left out.

    truth: of rows, what is true at each pixel, [B, H, H, ...], and whether it is asked about, [B, H, H].
    weights: of the pixels of an image, by what is true there; None: all alike.
    """
    kept, places, found = [], [], []
    for row in rows.tolist():
        (values,), (asked,) = truth(np.array([row]))
        there = np.flatnonzero(asked)
        if len(there) == 0:
            continue
        chances = None
        if weights is not None:
            chances = weights(values.reshape(-1, *values.shape[2:])[there])
            chances = chances / chances.sum()
        chosen = rng.choice(there, count, p=chances)
        at = np.stack(np.divmod(chosen, asked.shape[1]), 1)  # [P, 2]
        kept.append(row)
        places.append(at)
        found.append(values[at[:, 0], at[:, 1]])
    if not kept:
        raise DataError(f"{scenes.name}: no pixel of {len(rows):,} images can be asked about")
    return Asked(scenes, np.array(kept), np.stack(places), np.stack(found))


def usual(scenes: Scenes, rows: Rows, truth: Truth) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The mean of what is true at each place, [H, H, ...], and of how many images: what looks at no picture."""
    total: NDArray[np.float64] | None = None
    count = np.zeros((scenes.side, scenes.side), np.int64)
    for first in range(0, len(rows), BATCH):
        values, asked = truth(rows[first : first + BATCH])
        own = np.where(asked.reshape(*asked.shape, *[1] * (values.ndim - 3)), values, 0).astype("f8").sum(0)
        total = own if total is None else total + own
        count += asked.sum(0)
    assert total is not None, "a part has images"
    return total / np.maximum(count, 1).reshape(*count.shape, *[1] * (total.ndim - 2)), count
