"""What is measured on: which labels of a set, and how much of it. How a protocol measures, its own fields say."""

from dataclasses import dataclass
from typing import Annotated

import torch

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.limits import Count, Limits, hold_fields


@dataclass(frozen=True)
class Settings:
    """What of a set of images is measured on, by all protocols alike."""

    label: str | None = None
    """Of sets of objects, orbits and tables: `category` (None: this) or `material`."""
    most: Count | None = None
    """Images of each part of a set (training, validation, test) that a protocol takes at most, drawn by seed; of
    retrieval images in all, of the equivariance error pairs of frames. None: all."""
    skip_damaged: bool = False
    """Whether to leave out damaged files of a folder or an archive, and count them, instead of refusing them all. What
    `compare` trains on as well."""
    least_groups: Annotated[int, Limits(3)] = 3
    """A class with fewer objects, rooms or, where each stands for itself, images is left out, with a word."""

    def __post_init__(self) -> None:
        hold_fields(self)


USUAL = Settings()


def found_device(device: str) -> str:
    """The device of this name, `auto` the best there is. Raises DataError where there is none such."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise DataError(f"no device '{device}' to measure on ({str(error).splitlines()[0]})") from None
    return device
