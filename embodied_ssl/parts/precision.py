"""Numbers of 16 or 32 bits: which a device is made for, and what is never computed in fewer than 32."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Literal, ParamSpec, TypeVar

import torch
from torch import Tensor

from embodied_ssl.datasets.errors import DataError

Precision = Literal["32", "bf16", "16", "auto"]
PRECISIONS: tuple[Precision, ...] = ("32", "bf16", "16", "auto")

P = ParamSpec("P")
R = TypeVar("R")


def in_float32(function: Callable[P, R]) -> Callable[P, R]:
    """The same function without autocast: views, targets and what a loss compares keep the bits that they have.

    The device is that of its first tensor or generator.
    """

    @wraps(function)
    def exact(*args: P.args, **kwargs: P.kwargs) -> R:
        with torch.autocast(_device_of((*args, *kwargs.values())), enabled=False):
            return function(*args, **kwargs)

    return exact


def _device_of(values: tuple[Any, ...]) -> str:
    for value in values:
        if isinstance(value, Tensor | torch.Generator):
            return value.device.type
    return "cpu"


def resolved(precision: Precision, device: str) -> Literal["32", "bf16", "16"]:
    """The precision that is meant by `auto` on a device: `cpu`, `cuda` or `mps`; any other one as it is.

    `auto` is bf16 where the device has units for it; 16 on a GPU that has units for that alone; else 32. Raises
    DataError for an unknown precision, and for 16 on a CPU.
    """
    if precision not in PRECISIONS:
        raise DataError(f"unknown precision '{precision}'; valid are {', '.join(PRECISIONS)}")
    if precision == "16" and device == "cpu":  # Lightning would take bf16 in its place
        raise DataError("precision: 16 takes a GPU; on a CPU give --precision bf16, or auto")
    if precision != "auto":
        return precision
    if has_bf16(device):
        return "bf16"
    if device == "cuda" and torch.cuda.is_available() and torch.cuda.get_device_capability() >= (7, 0):
        return "16"  # tensor cores, from Volta on
    return "32"


def has_bf16(device: str) -> bool:
    """Whether a device multiplies bfloat16 in hardware; others convert each number there and back."""
    if device == "cuda" and torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device != "cpu":
        return False
    # Of torch's own tests of the processor, those that there are in this version of it.
    tests = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, test)() for test in tests if hasattr(torch.cpu, test))


def slowness(precision: str, device: str) -> str | None:
    """What to say before a run in a precision that its device is slow in; None where it is not."""
    if precision != "bf16" or has_bf16(device):
        return None
    return (
        f"precision: this {'processor' if device == 'cpu' else device} has no units for bf16: an update may take ten "
        "times as long as in 32 bits; --precision auto takes what is fast"
    )
