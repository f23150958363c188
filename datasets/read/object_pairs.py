"""Pairs of images of one object: on two tables, before and after an interaction, or two views of it in a video."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.errors import DataError, unknown_name
from embodied_ssl.datasets.kinds import having
from embodied_ssl.datasets.read.streams import Index, Runs, image_tensor, tensor

if TYPE_CHECKING:
    from embodied_ssl.datasets.read import batches
    from embodied_ssl.datasets.read.readers import Dataset

_WHEN = ("before", "after")
_OF_VIDEOS = ("scenes", "episodes")
ACROSS = ("tables", "interaction", *_OF_VIDEOS)
BACKGROUNDS = ("kept", "masked")
GREY = np.uint8(128)
"""What a background is where it is masked."""


class ObjectPairs:
    """Two images of one object, as `ObjectPairs`: on two tables, in other poses and company, or two views of it.

    Across `tables` every object that lies in the image before the first interaction of an episode, and in that of
    another, is a first one; its partner is of the other episodes. Across an `interaction` it is the object aimed
    at, before and after. (That can give the object away by the table that it lies on.)
    Of a video that follows an object every frame is a first one. Across `tables` its partner is a later frame of the
    same scene, across `scenes` one of the same episode in another scene, across `episodes` one of another episode that
    shows the same object: then the two share nothing but the object.
    together: how many pairs of an object stand side by side in a batch, across scenes: all of its images are then from
    different ones.
    background: `kept`, or `masked`: all but the object is grey, by the simulator's masks.
    """

    def __init__(self, dataset: "Dataset", across: str = "tables", together: int = 1, background: str = "kept"):
        if across not in ACROSS:
            raise unknown_name("across", across, ACROSS)
        if background not in BACKGROUNDS:
            raise unknown_name("background", background, BACKGROUNDS)
        kind = dataset.declaration
        self._masked = background == "masked"
        if self._masked:
            _check_masks(dataset, across)
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
            self._views = _Views(dataset, across, together)
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
                "scenes": f"is seen in {2 * together} scenes of an episode",
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
        shown = episodes["objects_start"][episode]
        images = self._images("frames/rgb", "frames/instance", np.stack([first, second]), shown)
        return ObjectPairs(
            first=image_tensor(images[0]),
            second=image_tensor(images[1]),
            first_pixel=tensor(self._middle(first)),
            second_pixel=tensor(self._middle(second)),
            object=tensor(self._dataset.object_numbers[shown]),
        )

    def _images(self, colors: str, masks: str, rows: Index, objects: Index) -> NDArray[np.uint8]:
        """Images at rows [..., B], uint8 [..., B, H, W, 3], of which the objects at these rows [B] may be all."""
        images = self._dataset.array(colors)[rows]
        if not self._masked:
            return images
        shown = self._dataset.array(masks)[rows] == self._dataset.objects["index"][objects][..., None, None]
        return np.where(shown[..., None], images, GREY)

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
        aimed = self._dataset.array("interactions/object")[rows]
        first, second = (
            image_tensor(self._images(f"interactions/rgb_{when}", f"interactions/instance_{when}", rows, aimed))
            for when in _WHEN
        )
        first_pixel, second_pixel = (tensor(pixel[index]) for pixel in self._pixels)
        number = tensor(self._dataset.object_numbers[aimed])
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
        placed = self._rows[np.stack([first, second])]  # [2, B], rows of objects
        interactions = episodes["start"][objects["episode"][placed]]
        images = self._images("interactions/rgb_before", "interactions/instance_before", interactions, placed)
        return ObjectPairs(
            first=image_tensor(images[0]),
            second=image_tensor(images[1]),
            first_pixel=tensor(self._pixel[first]),
            second_pixel=tensor(self._pixel[second]),
            object=tensor(self._object[first]),
        )


def _check_masks(dataset: "Dataset", across: str) -> None:
    """Raise DataError where a data set lacks masks of the images that are drawn."""
    when = _WHEN if across == "interaction" else _WHEN[:1]
    masks = ["frames/instance"] if dataset.declaration.is_video else [f"interactions/instance_{one}" for one in when]
    for one in masks:
        if one not in dataset.fields:
            options = "--instance true --trajectory true" if one.endswith("after") else "--instance true"
            raise DataError(f"{dataset.path}: has no {one} to mask backgrounds by; collect it with {options}")


class _Views:
    """Two frames of a video that show one object, by number of the first."""

    def __init__(self, dataset: "Dataset", across: str, together: int):
        self._across, self._together = across, together
        if together > 1 and across != "scenes":
            raise DataError(f"together {together}: several pairs of an object are drawn across scenes, not {across}")
        if across == "tables":  # the second one is later in the same scene
            self._runs = Runs(dataset, 1, "pairs of views")
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
        episode, _ = self._places(rows)
        if across == "scenes":
            self._first_scene = np.searchsorted(self._segment, self._start)  # [E]
            self._scenes = np.diff(self._first_scene, append=len(self._segment))
            self._firsts = rows[self._scenes[episode] >= 2 * together]
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
        episode, _ = self._places(first)
        if self._across == "episodes":  # another of those that show the object, then any frame of it
            place = self._rank[episode] - self._alike[episode] + rng.integers(1, self._count[episode])
            other = self._order[self._alike[episode] + place % self._count[episode]]
            return first, self._start[other] + rng.integers(0, self._length[other])
        return self._in_scenes(first, rng)

    def _in_scenes(self, first: Index, rng: np.random.Generator) -> tuple[Index, Index]:
        """Pairs of scenes of an episode, `together` of each, no scene twice: of every so many-th frame given."""
        leaders = first[:: self._together]  # [G]
        episode, segment = self._places(leaders)
        count, rows = self._scenes[episode][:, None], np.arange(len(leaders))
        place = rng.random((len(leaders), count.max()))  # in the order of scenes: its own first, then any
        place[np.arange(place.shape[1]) >= count] = 2.0
        place[rows, segment - self._first_scene[episode]] = -1.0
        scenes = self._first_scene[episode][:, None] + place.argsort(1)[:, : 2 * self._together]  # [G, 2 · together]
        frames = self._segment[scenes] + rng.integers(0, self._segment_length[scenes])
        frames[:, 0] = leaders
        return frames[:, 0::2].reshape(-1)[: len(first)], frames[:, 1::2].reshape(-1)[: len(first)]

    def _places(self, rows: Index) -> tuple[Index, Index]:
        """The episode and the segment of rows."""
        return tuple(np.searchsorted(start, rows, side="right") - 1 for start in (self._start, self._segment))  # type: ignore[return-value]
