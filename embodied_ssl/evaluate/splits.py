"""Training, validation and test parts that share no object and no room."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.images import ImageSet

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """Rows of an image set."""

    train: Rows
    validation: Rows
    test: Rows


def split(images: ImageSet, seed: int, shares: tuple[float, float] = (0.5, 0.2), most: int = 20_000) -> Split:
    """Divide a set by groups: of each class, `shares` of the groups go to training and validation, the rest to test.

    Where the source says what is training and what is test, that holds, and validation is taken from training. At
    most `most` pictures of each part are taken. Raises DataError where a class has fewer than three groups.
    """
    rng = np.random.default_rng([seed, 0])
    part = np.full(len(images), 2)
    official = (images.part == "train").any() and (images.part == "test").any()
    usable = images.part == "train" if official else np.ones(len(images), bool)
    bounds = (1 - shares[1], 1.0) if official else (shares[0], shares[0] + shares[1])
    for label in range(len(images.classes)):
        groups = np.unique(images.group[usable & (images.label == label)])
        if len(groups) < 3:
            raise DataError(
                f"{images.name}: class {images.classes[label]} has {len(groups)} objects or rooms, and a split into "
                "training, validation and test takes 3; collect more episodes, or fewer categories"
            )
        groups, count = rng.permutation(groups), len(groups)
        last = count if official else count - 1  # where training and validation end: test has at least one group
        first_end = min(max(round(bounds[0] * count), 1), last - 1)
        second_end = min(max(round(bounds[1] * count), first_end + 1), last)
        mine = usable & (images.label == label)
        part[mine & np.isin(images.group, groups[:first_end])] = 0
        part[mine & np.isin(images.group, groups[first_end:second_end])] = 1
    parts = [np.flatnonzero(part == which) for which in range(3)]
    return Split(*(np.sort(rng.permutation(rows)[:most]) for rows in parts))
