"""What protocols can be told: how much of a set they take, and how they measure."""

from dataclasses import dataclass
from typing import Annotated

import torch

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.limits import Count, Limits, Positive, hold_fields


@dataclass(frozen=True)
class Settings:
    """Settings of the protocols; those that a number depends on stand beside it in the results."""

    most: Count | None = None
    """Images of each part of a set (training, validation, test) that a protocol takes at most, drawn by seed; of
    retrieval images in all, of the equivariance error pairs of frames. None: all."""
    skip_damaged: bool = False
    """Whether to leave out damaged files of a folder or an archive, and count them, instead of refusing them all. What
    `compare` trains on as well."""
    least_groups: Annotated[int, Limits(3)] = 3
    """A class with fewer objects, rooms or, where each stands for itself, images is left out, with a word."""
    neighbours: Count = 20
    """k of k-NN, as DINO has it."""
    temperature: Positive = 0.07
    """Of k-NN's votes: a neighbour has the weight exp(cosine / temperature)."""
    centred: bool = False
    """Whether k-NN takes the mean of the training features from all features first; DINO does not."""
    updates: Count = 1000
    """Updates of `fine_tune` and `semi_supervised`, for each learning rate."""
    rates: tuple[Positive, ...] = (3e-4, 1e-3, 3e-3)
    """Learning rates of `fine_tune` and `semi_supervised`, alike for every row, of which validation chooses."""

    def __post_init__(self) -> None:
        hold_fields(self)
        if not self.rates:
            raise DataError("rates: none; give at least one learning rate")


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
