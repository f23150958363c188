"""Streams: what a data set can be cut into, by number, and the batches made of it.

A stream has a length and `batch(index, rng)`: the batch of its elements number `index`. What is random in a batch
(the gap of a pair) comes from `rng`. `Batches` turns a stream into a sequence of batches by step.
"""

import sys
from dataclasses import dataclass, fields
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.kinds import having
from embodied_ssl.datasets.read.motor import OWN, Motions, MotorSignals
from embodied_ssl.datasets.read.sampling import generator, rows

if TYPE_CHECKING:
    from torch import Tensor

    from embodied_ssl.datasets.read import batches
    from embodied_ssl.datasets.read.readers import Dataset

Index = NDArray[np.int64]
_SLACK_S = 1e-6  # times are sums
_IMAGES = {"images": "rgb_before", "before": "rgb_before", "after": "rgb_after"}


class Stream(Protocol):
    """Elements that can be drawn by number."""

    def __len__(self) -> int:
        """How many elements there are."""

    def batch(self, index: Index, rng: np.random.Generator) -> "batches.Batch":
        """The batch of the elements number `index`, int64 [B]."""


@dataclass(frozen=True)
class Batches:
    """The batches of a training run by step: a pure function of (seed, step, rank), without replacement in an epoch.

    It is a map-style data set for `torch.utils.data.DataLoader(Batches(...), batch_size=None, sampler=range(a, b))`,
    with any number of workers; a run that stopped at step a goes on with the same batches.
    """

    stream: Stream
    batch_size: int
    seed: int = 0
    rank: int = 0
    world_size: int = 1

    def __getitem__(self, step: int) -> "batches.Batch":
        index = rows(self.seed, step, self.rank, self.world_size, self.batch_size, len(self.stream))
        return self.stream.batch(index, generator(self.seed, step, self.rank))

    @property
    def steps_per_epoch(self) -> int:
        """Steps until every element has come once."""
        return -(-len(self.stream) // (self.batch_size * self.world_size))


class Images:
    """Every image, as `Frames`."""

    def __init__(self, dataset: "Dataset"):
        self._arrays = [dataset.array(path) for path in dataset.declaration.image_paths]

    def __len__(self) -> int:
        return sum(len(array) for array in self._arrays)

    def batch(self, index: Index, rng: np.random.Generator) -> "batches.Frames":
        from embodied_ssl.datasets.read.batches import Frames

        if len(self._arrays) == 1:
            return Frames(images=image_tensor(self._arrays[0].read(index)), index=tensor(index))
        images = self._arrays[0].room(len(index))
        first = 0
        for array in self._arrays:
            mine = (index >= first) & (index < first + len(array))
            images[mine] = array[index[mine] - first]
            first += len(array)
        return Frames(images=image_tensor(images), index=tensor(index))


class Runs:
    """Runs of `span` + 1 successive frames of one episode, within a visit if it has several, by number."""

    def __init__(self, dataset: "Dataset", span: int, what: str):
        if not dataset.declaration.is_video:
            raise DataError(f"{dataset.path}: a {dataset.kind} data set has no {what}; take {having('pairs')}")
        self.dataset = dataset
        self._start, length = dataset.segments
        self._end = self._start + length
        self._first = np.concatenate([[0], np.cumsum(np.maximum(length - span, 0))])  # number of each episode's first
        if self._first[-1] == 0:
            raise DataError(f"{dataset.path}: its episodes are too short for {what}; collect longer ones")

    def __len__(self) -> int:
        return int(self._first[-1])

    def locate(self, index: Index) -> tuple[Index, Index]:
        """First row of each run, and the row behind the end of its episode."""
        episode = np.searchsorted(self._first, index, side="right") - 1
        return self._start[episode] + index - self._first[episode], self._end[episode]


class Pairs:
    """Two frames of one episode, as `FramePairs`: every frame with one near enough behind it is a first one.

    The gap is drawn evenly, in frames.
    """

    def __init__(
        self,
        dataset: "Dataset",
        max_gap: int | None = None,
        max_gap_s: float | None = None,
        motor: MotorSignals = OWN,
        seed: int = 0,
    ):
        self._dataset = dataset
        self._motions = Motions(dataset, motor, seed)
        if max_gap is None and max_gap_s is not None:
            self._first, self._most = followed(dataset, "pairs", max_gap_s)
        elif max_gap is not None and max_gap_s is None:
            self._first, self._most = followed(dataset, "pairs", max_gap=max_gap)
        else:
            raise DataError("pairs: give either max_gap (frames) or max_gap_s (seconds)")

    def __len__(self) -> int:
        return len(self._first)

    def draw(self, index: Index, rng: np.random.Generator) -> tuple[Index, Index]:
        """Rows of the first and the second frames of pairs, int64 [B] each."""
        first = self._first[index]
        return first, first + rng.integers(1, self._most[index], endpoint=True)

    def motion(self, first: Index, second: Index) -> NDArray[np.float32]:
        """What the motor signals say that the body did between the frames at these rows, [B, A]."""
        return self._motions.between(first, second)

    def batch(self, index: Index, rng: np.random.Generator) -> "batches.FramePairs":
        from embodied_ssl.datasets.read.batches import FramePairs

        first, second = self.draw(index, rng)
        images = self._dataset.array("frames/rgb")[np.stack([first, second])]
        time = self._dataset.array("frames/time")
        return FramePairs(
            first=image_tensor(images[0]),
            second=image_tensor(images[1]),
            motion=tensor(self.motion(first, second)),
            gap=tensor(second - first),
            gap_s=tensor((time[second] - time[first]).astype(np.float32)),
        )


class Clips:
    """Evenly spaced frames of one episode, as `Clips`: every frame with enough behind it starts one."""

    def __init__(
        self,
        dataset: "Dataset",
        length: int,
        stride: int = 1,
        flow: bool = False,
        motor: MotorSignals = OWN,
        seed: int = 0,
    ):
        if length < 1 or stride < 1:
            raise DataError(f"clips: length {length} and stride {stride}; give at least 1")
        self._dataset = dataset
        self._offsets = np.arange(length) * stride
        self._runs = Runs(dataset, (length - 1) * stride, f"clips of {length} frames with stride {stride}")
        self._motions = Motions(dataset, motor, seed)
        self._flow = dataset.array("frames/flow") if flow and "frames/flow" in dataset.fields else None

    def __len__(self) -> int:
        return len(self._runs)

    def batch(self, index: Index, rng: np.random.Generator) -> "batches.Clips":
        from embodied_ssl.datasets.read import batches

        taken = self._runs.locate(index)[0][:, None] + self._offsets  # [B, T]
        rgb, time = (self._dataset.array(f"frames/{name}")[taken] for name in ("rgb", "time"))
        return batches.Clips(
            images=image_tensor(rgb),
            motion=tensor(self._motions.between(taken[:, :-1], taken[:, 1:])),
            time_s=tensor((time - time[:, :1]).astype(np.float32)),
            flow=tensor(self._flow_lengths(taken[:, :-1])),
        )

    def _flow_lengths(self, rows: Index) -> NDArray[np.float32]:
        """Mean length of the flow of the frames at `rows`, px; NaN where it is not read."""
        if self._flow is None:
            return np.full(rows.shape, np.nan, np.float32)
        field = self._flow[rows].astype(np.float32)
        return np.hypot(field[..., 0], field[..., 1]).mean((-2, -1))


class Interactions:
    """Interactions on a table, as batches of the kind's own class, such as `Grasps`.

    Of its fields `images` and `before` are the images before, `after` those after; every other one is read by its name.
    """

    def __init__(self, dataset: "Dataset"):
        if dataset.declaration.batch is None:
            raise DataError(f"{dataset.path}: a {dataset.kind} data set has no interactions; take {having('trials')}")
        self._dataset = dataset

    def __len__(self) -> int:
        return len(self._dataset)

    @property
    def objects(self) -> int:
        """How many rows the data set's objects have."""
        return self._dataset.manifest.count("objects")

    def batch(self, index: Index, rng: np.random.Generator) -> "batches.Batch":
        kind = batch_class(str(self._dataset.declaration.batch))
        return kind(**{field.name: self._values(field.name, index) for field in fields(kind)})

    def _values(self, name: str, index: Index) -> "Tensor":
        path = f"interactions/{_IMAGES.get(name, name)}"
        values = self._dataset.array(path)[index]
        if name in _IMAGES:
            return image_tensor(values)
        return tensor(values.astype(np.int64) if self._dataset.fields[path].refers_to else values)


def batch_class(name: str) -> "type[batches.Batch]":
    """The class of batches that `module:Class` names."""
    module, _, own = name.partition(":")
    return getattr(import_module(module), own)


def followed(
    dataset: "Dataset", what: str, max_gap_s: float | None = None, max_gap: int = sys.maxsize
) -> tuple[Index, Index]:
    """The rows of all frames that others follow within so many seconds and frames, and how many; int64 [n] each.

    Those that follow are of the same episode, and of the same visit if it has several. What is asked for by seconds
    holds of every frame, whatever the rate of each recording. Raises DataError where no frame is followed.
    """
    Runs(dataset, 1, what)
    start, length = dataset.segments
    segment = np.repeat(np.arange(len(start)), length)
    number = np.arange(len(segment)) - (np.cumsum(length) - length)[segment]  # within its segment
    rows, most = start[segment] + number, np.minimum(length[segment] - 1 - number, max_gap)
    if max_gap_s is not None:
        time = dataset.array("frames/time")[:]
        since = time[rows] - time[start[segment]]
        ascending = since + segment * (since.max() + max_gap_s + 1)  # no segment reaches into the next
        near = np.searchsorted(ascending, ascending + max_gap_s + _SLACK_S, side="right") - 1
        most = np.minimum(most, near - np.arange(len(near)))
    if not (most > 0).any():
        least = f"no two frames are within {max_gap_s:g} s" if max_gap_s is not None else "it is less than one frame"
        raise DataError(f"{what}: the largest gap is too short, {least}; give a longer one")
    return rows[most > 0], most[most > 0]


def image_tensor(images: NDArray[np.uint8]) -> "Tensor":
    """uint8 [..., H, W, 3] as a tensor [..., 3, H, W] over the same memory."""
    return tensor(images).movedim(-1, -3)


def tensor(values: NDArray[Any]) -> "Tensor":
    """Values as a tensor over the same memory."""
    import torch

    return torch.from_numpy(values)
