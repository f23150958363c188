"""Whether settings fit each other: shares of an image, and images of a size that an encoder takes."""

from collections.abc import Callable

import torch
from torch import Tensor

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.encoders import Encoder


def check_at_most(method: str, name: str, value: float, largest: float, why: str) -> None:
    """Raise DataError for a setting that is larger than fits, saying the largest that does."""
    if not 0 < value <= largest:
        raise DataError(f"{method}: {name} {value}: {why}; give more than 0 and at most {int(largest * 1000) / 1000:g}")


@torch.no_grad()
def check_size(method: str, encoder: Encoder, call: Callable[[Tensor], Tensor], size: int, advice: str) -> None:
    """Raise DataError where `call`, a way into an encoder, takes no images of so many px."""
    training = encoder.training
    encoder.eval()
    try:
        found = call(next(encoder.parameters()).new_zeros(1, 3, size, size))
        fits = found.numel() > 0
    except (RuntimeError, AssertionError, ValueError, IndexError):
        fits = False
    finally:
        encoder.train(training)
    if not fits:
        raise DataError(f"{method}: {encoder.name} takes no images of {size} px; {advice}, or another encoder")
