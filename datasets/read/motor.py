"""Whose motor signals go with the images of a stream: the body's own, or others, to see what they are worth.

The images, and the order and the times in which they come, are the same whatever the motor signals are; a method that
learns from them is told nothing.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.limits import Positive, hold_fields

if TYPE_CHECKING:
    from embodied_ssl.datasets.read.readers import Dataset

Index = NDArray[np.int64]
_YOKED = 0x79  # what its generator draws is drawn for nothing else


@dataclass(frozen=True)
class MotorSignals:
    """Whose motor signals a stream of pairs or clips gives with its images."""

    motor: Literal["own", "yoked", "delayed", "none"] = "own"
    """The body's `own`; those of another one, to which it is `yoked`: of another episode at the same time of it, each
    always with the same other; its own `delayed`, before the first of which all are 0; or `none`, all 0. A kitten that
    is carried sees what the one that walks sees, and moves otherwise (Held & Hein 1963)."""
    delay_s: Positive = 0.3
    """How much earlier those are that are `delayed`, s."""

    def __post_init__(self) -> None:
        hold_fields(self)

    def __str__(self) -> str:
        return f"delayed by {self.delay_s:g} s" if self.motor == "delayed" else self.motor


OWN = MotorSignals()


class Motions:
    """The motions between frames of a video that a stream tells, by the motor signals asked for."""

    def __init__(self, dataset: "Dataset", signals: MotorSignals = OWN, seed: int = 0):
        """signals: whose. seed: of who is yoked to whom. Raises DataError where there are none such."""
        self._dataset, self._signals = dataset, signals
        self._start, self._length = dataset.segments
        if signals.motor == "yoked":
            self._other = _yoked(dataset, seed)
        elif signals.motor == "delayed":
            self._delay = self._frames_of(signals.delay_s)

    def between(self, first: Index, second: Index) -> NDArray[np.float32]:
        """From the frames at some rows [...] to those at others of the same segment, float32 [..., A]."""
        if self._signals.motor == "none":
            return np.zeros((*first.shape, len(self._dataset.motor_signals)), np.float32)
        if self._signals.motor == "yoked":
            return self._own(*self._elsewhere(first, second))
        if self._signals.motor == "delayed":
            felt = first - self._delay >= self._start[self._segment(first)]
            shift = np.where(felt, self._delay, 0)
            return np.where(felt[..., None], self._own(first - shift, second - shift), np.float32(0))
        return self._own(first, second)

    def _own(self, first: Index, second: Index) -> NDArray[np.float32]:
        dataset = self._dataset
        return dataset.declaration.between(dataset.states(first), dataset.states(second))

    def _elsewhere(self, first: Index, second: Index) -> tuple[Index, Index]:
        """The rows at the same time of the other segment; as late as can be where that is shorter."""
        segment = self._segment(first)
        start, length = self._start[self._other[segment]], self._length[self._other[segment]]
        gap = np.minimum(second - first, length - 1)
        at = start + np.minimum(first - self._start[segment], length - 1 - gap)
        return at, at + gap

    def _segment(self, rows: Index) -> Index:
        return np.searchsorted(self._start, rows, side="right") - 1

    def _frames_of(self, delay_s: float) -> int:
        """A delay in frames. Raises DataError where no motion is so late that another lies before it."""
        time = self._dataset.array("frames/time")
        longest = int(self._length.argmax())
        most = int(self._length[longest])
        here = self._start[longest] + np.arange(most)
        delay = round(delay_s / max(float(np.diff(time[here[:2]]).sum()), 1e-9)) if most > 1 else most
        if not 1 <= delay < most - 1:
            raise DataError(
                f"{self._dataset.path}: motor signals can't be delayed by {delay_s:g} s, which is {delay} frames: what "
                f"goes on without a break is at most {most} frames; give another --delay_s"
            )
        return delay


def _yoked(dataset: "Dataset", seed: int) -> Index:
    """For each segment one of another episode, int64 [S].

    Those that lie at the same time of episodes, and are as long, are in a circle drawn by the seed; what is like no
    other goes with one that is drawn of those that are long enough. Raises DataError where there is but one episode.
    """
    start, length = dataset.segments
    episode = np.searchsorted(dataset.episodes["start"], start, side="right") - 1
    if episode[-1] == 0:
        raise DataError(f"{dataset.path}: motor signals of another episode need a second one; collect more episodes")
    rng = np.random.default_rng([seed, _YOKED])
    when = start - dataset.episodes["start"][episode]
    _, alike = np.unique(np.stack([when, length]), axis=1, return_inverse=True)
    alike = alike.reshape(-1)
    order = rng.permutation(len(start))
    order = order[np.argsort(alike[order], kind="stable")]  # those that are alike side by side, in any order
    begin = np.searchsorted(alike[order], alike[order])
    last = np.searchsorted(alike[order], alike[order], side="right") - 1
    place = np.arange(len(order))
    other = np.empty_like(order)
    other[order] = order[np.where(place == last, begin, place + 1)]
    for alone in np.flatnonzero(other == np.arange(len(other))):
        elsewhere = np.flatnonzero(episode != episode[alone])
        longest = min(int(length[alone]), int(length[elsewhere].max()))
        other[alone] = rng.choice(elsewhere[length[elsewhere] >= longest])
    return other
