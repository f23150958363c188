"""What protocols can be told: how much of a set they take, and how they measure."""

from dataclasses import asdict, dataclass

import torch

from embodied_ssl.datasets.errors import DataError


@dataclass(frozen=True)
class Settings:
    """Settings of the protocols; those that a number depends on stand beside it in the results."""

    most: int | None = None
    """Images of each part of a set (training, validation, test) that a protocol takes at most, drawn by seed; of
    retrieval images in all, of the equivariance error pairs of frames. None: all."""
    skip_damaged: bool = False
    """Whether to leave out damaged files of a folder or an archive, and count them, instead of refusing them all."""
    least_groups: int = 3
    """A class with fewer objects, rooms or, where each stands for itself, images is left out, with a word."""
    neighbours: int = 20
    """k of k-NN, as DINO has it."""
    temperature: float = 0.07
    """Of k-NN's votes: a neighbour has the weight exp(cosine / temperature)."""
    centred: bool = False
    """Whether k-NN takes the mean of the training features from all features first; DINO does not."""
    updates: int = 1000
    """Updates of `fine_tune` and `semi_supervised`, for each learning rate."""
    rates: tuple[float, ...] = (3e-4, 1e-3, 3e-3)
    """Learning rates of `fine_tune` and `semi_supervised`, alike for every row, of which validation chooses."""

    def check(self) -> None:
        """Raise DataError for a setting that nothing can be measured with."""
        least = {"most": 1, "least_groups": 3, "neighbours": 1, "updates": 1}
        for name, value in asdict(self).items():
            if name in least and value is not None and value < least[name]:
                raise DataError(f"{name}: {value}; give at least {least[name]}")
        if not self.temperature > 0:
            raise DataError(f"temperature: {self.temperature}; give a number above 0")
        if not self.rates or not all(rate > 0 for rate in self.rates):
            raise DataError(f"rates: {self.rates}; give learning rates above 0")


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
