"""What a driven body feels of itself."""

from typing import NamedTuple

Place = tuple[float, float, float]


class Sensed(NamedTuple):
    """The tip and the fingers of a body."""

    tip: Place
    """m"""
    velocity: Place
    """of the tip, m/s"""
    yaw: float
    """of the closing direction about z, rad"""
    width: float
    """between the fingers, m"""
