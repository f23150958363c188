"""What an evaluation found: one number and all that is needed to find it again."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Result:
    """One measured number."""

    row: str  # of the table: a method, or `random`
    seed: int
    set: str  # of pictures
    protocol: str
    metric: str
    value: float
    settings: dict[str, Any] = field(default_factory=dict)  # k, temperature, splits: whatever the number depends on


@dataclass(frozen=True)
class Measure:
    """One number of a protocol, before it is known whose it is."""

    metric: str
    value: float
    settings: dict[str, Any] = field(default_factory=dict)
