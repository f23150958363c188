"""Training, validation and test parts that share no object and no room."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.images.sources import ImageSet
from embodied_ssl.evaluation.settings import USUAL, Settings

Rows = NDArray[np.int64]

TRAINING, VALIDATION, TEST, UNUSED = 0, 1, 2, -1


@dataclass(frozen=True)
class Split:
    """Rows of an image set."""

    train: Rows
    validation: Rows
    test: Rows
    left_out: dict[str, int]
    """Classes that had too few groups (objects, rooms) to be divided, and how many they had."""

    def counts(self, **changed: int) -> dict[str, Any]:
        """What results say of it: how many images of each part, and which classes are not among them."""
        found: dict[str, Any] = {"train": len(self.train), "validation": len(self.validation), "test": len(self.test)}
        found |= changed
        return found | ({"left_out": sorted(self.left_out)} if self.left_out else {})


def split(images: ImageSet, seed: int, settings: Settings = USUAL, shares: tuple[float, float] = (0.5, 0.2)) -> Split:
    """Divide a set by groups: of each class, `shares` of the groups go to training and validation, the rest to test.

    Where the source says what is training and what is test, that holds; validation is what it says, or else taken from
    training. Of each part at most `settings.most` images are taken, and classes with fewer than `settings.least_groups`
    groups to divide are left out. Raises DataError where fewer than two classes remain, or a part has none of them.
    """
    rng = np.random.default_rng([seed, 0])
    official = {name: bool((images.part == name).any()) for name in ("train", "validation", "test")}
    stated = official["train"] and official["test"]
    dividing = images.part == "train" if stated else np.ones(len(images), bool)
    left_out = _rare(images, dividing, settings.least_groups)
    usable = ~np.isin(images.label, list(left_out))
    part = np.full(len(images), UNUSED)
    if stated:
        part[images.part == "test"] = TEST
    if stated and official["validation"]:
        part[images.part == "validation"], part[dividing] = VALIDATION, TRAINING
    else:
        ends = (1 - shares[1], 1.0) if stated else (shares[0], sum(shares))
        chosen = np.flatnonzero(dividing & usable)
        part[chosen] = _divide(images.label[chosen], images.group[chosen], ends, rng)
    part[~usable] = UNUSED
    rows = [np.flatnonzero(part == which) for which in (TRAINING, VALIDATION, TEST)]
    for name, own in zip(("train", "validation", "test"), rows, strict=True):
        if len(own) == 0:
            raise DataError(f"{images.name}: its part {name} has no images of the classes that train has enough of")
    train, validation, test = (np.sort(rng.permutation(own)[: settings.most]) for own in rows)
    return Split(train, validation, test, {images.classes[label]: count for label, count in left_out.items()})


def draw_rows(label: Rows, rows: Rows, k: int, rng: np.random.Generator, group: Rows | None = None) -> Rows:
    """k of the rows of each class, or all where there are fewer; with groups, all rows of k groups of each class."""
    number = rows if group is None else group[rows]  # of what is drawn
    drawn = [
        rows[mine][np.isin(number[mine], rng.permutation(_distinct(number[mine]))[:k])]
        for mine in (label[rows] == each for each in np.unique(label[rows]))
    ]
    return np.concatenate(drawn)


def _distinct(values: Rows) -> Rows:
    """Each value once, in the order of its first."""
    return values[np.sort(np.unique(values, return_index=True)[1])]


def divide_groups(group: Rows, rng: np.random.Generator) -> Rows:
    """The part of each row, by its group (object, room): half of these train, a fifth validates, the rest tests."""
    groups, of_row = np.unique(group, return_inverse=True)
    share = rng.permutation(len(groups))[of_row] / len(groups)
    return np.select([share < 0.5, share < 0.7], [TRAINING, VALIDATION], TEST)


def _rare(images: ImageSet, dividing: NDArray[np.bool_], least: int) -> dict[int, int]:
    """Classes with fewer than `least` groups, and how many they have.

    Raises DataError where fewer than two others remain.
    """
    of_group = _groups(images.label[dividing], images.group[dividing])[0]
    groups = np.bincount(of_group, minlength=len(images.classes))
    enough = int((groups >= least).sum())
    if enough < 2:
        counted = ", ".join(f"{name}: {count}" for name, count in zip(images.classes[:10], groups, strict=False))
        raise DataError(
            f"{images.name}: {enough} of its classes {'has' if enough == 1 else 'have'} at least {least} objects or "
            f"rooms ({counted}{', …' if len(groups) > 10 else ''}), and telling classes apart takes two such; collect "
            "more episodes, or fewer categories"
        )
    return {label: int(groups[label]) for label in np.flatnonzero(groups < least).tolist()}


def _divide(label: Rows, group: Rows, ends: tuple[float, float], rng: np.random.Generator) -> Rows:
    """The part of each image: of the groups of each class the first share trains, up to the second end validates.

    Every part gets at least one group; the test gets none where the second end is 1.
    """
    of_group, of_image = _groups(label, group)
    part = np.full(len(of_group), TEST)
    for first, end in pairwise([*np.unique(of_group, return_index=True)[1], len(of_group)]):
        mine, count = first + rng.permutation(end - first), end - first
        last = count - (ends[1] < 1)
        first_end = min(max(round(ends[0] * count), 1), last - 1)
        second_end = min(max(round(ends[1] * count), first_end + 1), last)
        part[mine[:first_end]], part[mine[first_end:second_end]] = TRAINING, VALIDATION
    return part[of_image]


def _groups(label: Rows, group: Rows) -> tuple[Rows, Rows]:
    """The class of each group, in order, and the place of each image's group among them."""
    span = int(group.max(initial=0)) + 1
    found, of_image = np.unique(label * span + group, return_inverse=True)
    return found // span, of_image
