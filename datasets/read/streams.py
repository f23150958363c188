"""Streams: what a data set can be cut into, by number, and the batches made of it.

A stream has a length and `batch(index, rng)`: the batch of its elements number `index`. What is random in a batch
(the gap of a pair) comes from `rng`. `Batches` turns a stream into a sequence of batches by step.
"""

from dataclasses import dataclass, fields
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.errors import DataError, unknown_name
from embodied_ssl.datasets.kinds import having
from embodied_ssl.datasets.read.motor import OWN, Motions, MotorSignals
from embodied_ssl.datasets.read.sampling import generator, rows

if TYPE_CHECKING:
    from torch import Tensor

    from embodied_ssl.datasets.read import batches
    from embodied_ssl.datasets.read.readers import Dataset

Index = NDArray[np.int64]
_WHEN = ("before", "after")
_OF_VIDEOS = ("scenes", "episodes")
ACROSS = ("tables", "interaction", *_OF_VIDEOS)
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
            return Frames(images=_images(self._arrays[0].read(index)), index=_tensor(index))
        images = self._arrays[0].room(len(index))
        first = 0
        for array in self._arrays:
            mine = (index >= first) & (index < first + len(array))
            images[mine] = array[index[mine] - first]
            first += len(array)
        return Frames(images=_images(images), index=_tensor(index))


class _Runs:
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
    """Two frames of one episode, as `FramePairs`: every frame but the last is a first one; the gap is drawn evenly."""

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
        self._runs = _Runs(dataset, 1, "pairs of frames")
        if (max_gap is None) == (max_gap_s is None):
            raise DataError("pairs: give either max_gap (frames) or max_gap_s (seconds)")
        self.max_gap = max_gap if max_gap is not None else int(max_gap_s / _period_s(self._runs) + 1e-6)  # type: ignore[operator]
        if self.max_gap < 1:
            raise DataError("pairs: the largest gap is shorter than one frame; give a longer one")

    def __len__(self) -> int:
        return len(self._runs)

    def draw(self, index: Index, rng: np.random.Generator) -> tuple[Index, Index]:
        """Rows of the first and the second frames of pairs, int64 [B] each."""
        first, end = self._runs.locate(index)
        return first, first + rng.integers(1, np.minimum(self.max_gap, end - 1 - first), endpoint=True)

    def motion(self, first: Index, second: Index) -> NDArray[np.float32]:
        """What the motor signals say that the body did between the frames at these rows, [B, A]."""
        return self._motions.between(first, second)

    def batch(self, index: Index, rng: np.random.Generator) -> "batches.FramePairs":
        from embodied_ssl.datasets.read.batches import FramePairs

        first, second = self.draw(index, rng)
        images = self._dataset.array("frames/rgb")[np.stack([first, second])]
        time = self._dataset.array("frames/time")
        return FramePairs(
            first=_images(images[0]),
            second=_images(images[1]),
            motion=_tensor(self.motion(first, second)),
            gap=_tensor(second - first),
            gap_s=_tensor((time[second] - time[first]).astype(np.float32)),
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
        self._runs = _Runs(dataset, (length - 1) * stride, f"clips of {length} frames with stride {stride}")
        self._motions = Motions(dataset, motor, seed)
        self._flow = dataset.array("frames/flow") if flow and "frames/flow" in dataset.fields else None

    def __len__(self) -> int:
        return len(self._runs)

    def batch(self, index: Index, rng: np.random.Generator) -> "batches.Clips":
        from embodied_ssl.datasets.read import batches

        taken = self._runs.locate(index)[0][:, None] + self._offsets  # [B, T]
        rgb, time = (self._dataset.array(f"frames/{name}")[taken] for name in ("rgb", "time"))
        return batches.Clips(
            images=_images(rgb),
            motion=_tensor(self._motions.between(taken[:, :-1], taken[:, 1:])),
            time_s=_tensor((time - time[:, :1]).astype(np.float32)),
            flow=_tensor(self._flow_lengths(taken[:, :-1])),
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
            return _images(values)
        return _tensor(values.astype(np.int64) if self._dataset.fields[path].refers_to else values)


class _Views:
    """Two frames of a video that show one object, by number of the first."""

    def __init__(self, dataset: "Dataset", across: str):
        self._across = across
        if across == "tables":  # the second one is later in the same scene
            self._runs = _Runs(dataset, 1, "pairs of views")
            self._firsts = np.arange(len(self._runs))
            return
        self._start, self._length = dataset.episodes["start"], dataset.episodes["length"]
        self._segment, self._segment_length = dataset.segments
        objects = dataset.object_numbers[dataset.episodes["objects_start"]]  # [E]
        self._order = np.argsort(objects, kind="stable")  # episodes that show the same object stand side by side
        self._rank = np.argsort(self._order, kind="stable")
        alike = np.searchsorted(objects[self._order], objects), np.searchsorted(objects[self._order], objects, "right")
        self._alike, self._count = alike[0], alike[1] - alike[0]
        rows = np.arange(len(dataset))
        episode, segment = self._places(rows)
        if across == "scenes":
            self._firsts = rows[self._length[episode] > self._segment_length[segment]]
        else:
            self._firsts = rows[self._count[episode] > 1]

    def __len__(self) -> int:
        return len(self._firsts)

    def draw(self, index: Index, rng: np.random.Generator) -> tuple[Index, Index]:
        """Rows of the first and the second frames of pairs, int64 [B] each."""
        if self._across == "tables":
            first, end = self._runs.locate(index)
            return first, rng.integers(first + 1, end)
        first = self._firsts[index]
        episode, segment = self._places(first)
        if self._across == "episodes":  # another of those that show the object, then any frame of it
            place = self._rank[episode] - self._alike[episode] + rng.integers(1, self._count[episode])
            other = self._order[self._alike[episode] + place % self._count[episode]]
            return first, self._start[other] + rng.integers(0, self._length[other])
        start, length = self._segment[segment], self._segment_length[segment]
        second = self._start[episode] + rng.integers(0, self._length[episode] - length)
        return first, np.where(second < start, second, second + length)  # past its own scene

    def _places(self, rows: Index) -> tuple[Index, Index]:
        """The episode and the segment of rows."""
        return tuple(np.searchsorted(start, rows, side="right") - 1 for start in (self._start, self._segment))  # type: ignore[return-value]


class ObjectPairs:
    """Two images of one object, as `ObjectPairs`: on two tables, in other poses and company, or two views of it.

    Across `tables` every object that lies in the image before the first interaction of an episode, and in that of
    another, is a first one; its partner is of the other episodes. Across an `interaction` it is the object aimed
    at, before and after. (That can give the object away by the table that it lies on.)
    Of a video that follows an object every frame is a first one. Across `tables` its partner is a later frame of the
    same scene, across `scenes` one of the same episode in another scene, across `episodes` one of another episode that
    shows the same object: then the two share nothing but the object.
    """

    def __init__(self, dataset: "Dataset", across: str = "tables"):
        if across not in ACROSS:
            raise unknown_name("across", across, ACROSS)
        kind = dataset.declaration
        if kind.is_video and not kind.one_object:
            raise DataError(
                f"{dataset.path}: a {dataset.kind} data set follows no object; take {having('object_pairs')}"
            )
        self._dataset, self._across, self._of_views = dataset, across, kind.is_video
        if self._of_views:
            if across == "interaction":
                raise DataError(
                    f"{dataset.path}: nothing is done to the object of {dataset.kind} data; take {having('trials')}"
                )
            self._views = _Views(dataset, across)
            self._length = len(self._views)
        elif across in _OF_VIDEOS:
            raise DataError(f"{dataset.path}: a {dataset.kind} data set has no views across {across}; take tables")
        elif across == "interaction":
            self._find_interactions(dataset)
            self._length = len(self._rows)
        else:
            self._place_objects(dataset)
            self._length = len(self._rows)
        if self._length == 0:
            missing = {
                "interaction": "stays in sight when something is done to it",
                "scenes": "is seen in two scenes of an episode",
                "episodes": "is seen in two episodes",
            }.get(across, "is on two tables")
            raise DataError(f"{dataset.path}: no object {missing}; collect more episodes, or fewer --instances")

    def __len__(self) -> int:
        return self._length

    @property
    def object_names(self) -> tuple[str, ...]:
        """The name of the object that each number in `object` stands for."""
        return self._dataset.object_names

    def batch(self, index: Index, rng: np.random.Generator) -> "batches.ObjectPairs":
        if self._of_views:
            return self._views_of_one(index, rng)
        return self._interaction(index) if self._across == "interaction" else self._table(index, rng)

    def _views_of_one(self, index: Index, rng: np.random.Generator) -> "batches.ObjectPairs":
        from embodied_ssl.datasets.read.batches import ObjectPairs

        first, second = self._views.draw(index, rng)
        episodes = self._dataset.episodes
        episode = np.searchsorted(episodes["start"], first, side="right") - 1
        images = self._dataset.array("frames/rgb")[np.stack([first, second])]
        return ObjectPairs(
            first=_images(images[0]),
            second=_images(images[1]),
            first_pixel=_tensor(self._middle(first)),
            second_pixel=_tensor(self._middle(second)),
            object=_tensor(self._dataset.object_numbers[episodes["objects_start"][episode]]),
        )

    def _middle(self, rows: Index) -> NDArray[np.float32]:
        """Where the object is in frames, pixels [B, 2]: at the principal point, unless its pose says where."""
        intrinsics, states = self._dataset.camera["intrinsics"], self._dataset.states(rows)
        if states.ndim == 3:
            return np.tile(intrinsics[:2, 2].astype(np.float32), (len(rows), 1))
        away = states[:, 1, :3, 3] - states[:, 0, :3, 3]  # [B, 3], from the eye
        seen = np.einsum("bji,bj->bi", states[:, 0, :3, :3], away) @ intrinsics.T
        return (seen[:, :2] / seen[:, 2:]).astype(np.float32)

    def _find_interactions(self, dataset: "Dataset") -> None:
        """The interactions that aimed at an object which lies in the image before and after, and where."""
        aimed = np.flatnonzero(dataset.array("interactions/object")[:] >= 0)
        size = dataset.array("interactions/rgb_before").shape[1]
        pixels = [dataset.project(dataset.array(f"interactions/pose_{when}")[aimed][:, :3]) for when in _WHEN]
        inside = np.all([(np.abs(pixel - (size - 1) / 2) < (size - 1) / 2).all(1) for pixel in pixels], axis=0)
        self._rows, self._pixels = aimed[inside], [pixel[inside] for pixel in pixels]

    def _interaction(self, index: Index) -> "batches.ObjectPairs":
        from embodied_ssl.datasets.read.batches import ObjectPairs

        rows = self._rows[index]
        first, second = (_images(self._dataset.array(f"interactions/rgb_{when}")[rows]) for when in _WHEN)
        first_pixel, second_pixel = (_tensor(pixel[index]) for pixel in self._pixels)
        number = _tensor(self._dataset.object_numbers[self._dataset.array("interactions/object")[rows]])
        return ObjectPairs(first, second, first_pixel, second_pixel, number)

    def _place_objects(self, dataset: "Dataset") -> None:
        """All placements of objects that occur in several episodes, those of one object side by side."""
        objects, size = dataset.objects, dataset.array("interactions/rgb_before").shape[1]
        pixel = dataset.project(objects["position"])
        inside = np.flatnonzero((np.abs(pixel - (size - 1) / 2) < (size - 1) / 2).all(1))
        # One placement of an object per table: two of the same object on one table would again share their background.
        tables = np.stack([dataset.object_numbers[inside], objects["episode"][inside]])
        inside = inside[np.unique(tables, axis=1, return_index=True)[1]]
        numbers = dataset.object_numbers[inside]
        _, where, counts = np.unique(numbers, return_inverse=True, return_counts=True)
        often = counts[where] > 1
        inside, numbers = inside[often], numbers[often]
        order = np.argsort(numbers, kind="stable")
        self._rows, self._pixel, self._object = inside[order], pixel[inside[order]], numbers[order]
        self._start = np.searchsorted(self._object, self._object)  # where the placements of the same object start
        self._count = np.searchsorted(self._object, self._object, side="right") - self._start

    def _table(self, first: Index, rng: np.random.Generator) -> "batches.ObjectPairs":
        from embodied_ssl.datasets.read.batches import ObjectPairs

        start, count = self._start[first], self._count[first]
        second = start + (first - start + rng.integers(1, count)) % count
        objects, episodes = self._dataset.objects, self._dataset.episodes
        interactions = episodes["start"][objects["episode"][self._rows[np.stack([first, second])]]]
        images = self._dataset.array("interactions/rgb_before")[interactions]
        return ObjectPairs(
            first=_images(images[0]),
            second=_images(images[1]),
            first_pixel=_tensor(self._pixel[first]),
            second_pixel=_tensor(self._pixel[second]),
            object=_tensor(self._object[first]),
        )


def batch_class(name: str) -> "type[batches.Batch]":
    """The class of batches that `module:Class` names."""
    module, _, own = name.partition(":")
    return getattr(import_module(module), own)


def _period_s(runs: _Runs) -> float:
    """Seconds from a frame to the next."""
    first = runs.locate(np.zeros(1, np.int64))[0][0]
    time = runs.dataset.array("frames/time")[[first, first + 1]]
    return float(time[1] - time[0])


def _images(images: NDArray[np.uint8]) -> "Tensor":
    """uint8 [..., H, W, 3] as a tensor [..., 3, H, W] over the same memory."""
    return _tensor(images).movedim(-1, -3)


def _tensor(values: NDArray[Any]) -> "Tensor":
    import torch

    return torch.from_numpy(values)
