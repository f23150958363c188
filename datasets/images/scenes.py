"""Images of which it is known what stands at each pixel, how far away it is, or where things are."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.images.digests import Digests, digests_of
from embodied_ssl.datasets.images.image_set import PART_TYPE, Chosen, Index
from embodied_ssl.datasets.read.readers import Dataset

Labels = NDArray[np.uint8]

UNASKED = 255
"""Of pixels that nobody is asked about: void, borders, a robot, objects that were trained on."""
LEAST_SHARE, LEAST_PIXELS = 0.001, 9
"""Of an image: of things of which less is seen no box is asked for."""
FLOOR_M = 0.04
"""Rugs and thresholds lie on the floor up to this height."""


@dataclass(frozen=True)
class Boxes:
    """What is to be found in an image. K things."""

    corners: NDArray[np.float32]  # [K, 4]: left, top, right, bottom, px
    label: Index  # [K], rows of `Scenes.things`
    area: NDArray[np.float32]  # [K], px, of the mask where there is one, else of the box
    unasked: NDArray[np.bool_]  # [K]: crowds, difficult or hardly seen: neither to be found nor wrong


@dataclass(frozen=True)
class Scenes:
    """Images with truth of pixels or boxes, square and of one size. N images; what is not known is None."""

    name: str
    images: Any  # `images[rows]` gives uint8 [B, H, H, 3] for int64 rows [B]
    group: Index  # [N]; what may not be split between training and test: an object, a room, a table
    part: NDArray[np.str_]  # [N] `train`, `validation` or `test` where the source says so, else empty
    find_digests: Callable[[Index], Digests]
    """Those of rows, as the image set of the same source has them."""
    classes: tuple[str, ...] = ()
    """Of pixels."""
    labels: Callable[[Index], Labels] | None = None
    """Rows of `classes` at each pixel, uint8 [B, H, H], or `UNASKED`."""
    things: tuple[str, ...] = ()
    """Of boxes."""
    boxes: Callable[[int], Boxes] | None = None
    """Of one image."""
    depth: Callable[[Index], NDArray[np.float32]] | None = None
    """Metric depth along the optical axis, m, [B, H, H]; 0 where nothing is."""
    intrinsics: NDArray[np.float64] | None = None
    """[3, 3], px."""
    without: "Callable[[Index], Scenes] | None" = None
    """The same, where objects that are in these images are not asked about."""
    masked: NDArray[np.bool_] | None = None
    """[N]: which of the images have labels; None: all."""
    resized: "Callable[[int], Scenes] | None" = None
    """The same in squares of another side, px, where they are made of files."""

    def __len__(self) -> int:
        return len(self.group)

    @property
    def side(self) -> int:
        """Of the images, px."""
        return int(self.images.shape[1])


def scenes_of(dataset: Dataset, label: str = "category", known: Index | None = None) -> Scenes:
    """Those of a data set of ours: every frame, or each table as it was before an episode's first interaction.

    Classes of pixels are those of objects and furniture, by `label`. What is none of them is `table`; in videos, where
    depth is logged as well, `floor` up to 4 cm and `wall`, ceilings among them, else `background`.

    known: numbers of objects that are not asked about.
    """
    own = _Simulated(dataset, label, np.empty(0, np.int64) if known is None else known)
    masks, depth = own.masks is not None, own.distances is not None
    return Scenes(
        name=dataset.path.name,
        images=Chosen(dataset.array(own.image_path), own.rows),
        group=own.group,
        part=np.full(len(own.rows), "", PART_TYPE),
        find_digests=own.digests,
        classes=own.classes if masks else (),
        labels=own.labels if masks else None,
        things=own.names if masks else (),
        boxes=own.boxes if masks else None,
        depth=own.depth if depth else None,
        intrinsics=dataset.camera["intrinsics"],
        without=own.without if masks else None,
    )


@dataclass(frozen=True)
class _Simulated:
    """What the simulator knows of the images of a data set."""

    dataset: Dataset
    label: str
    known: Index

    @cached_property
    def rows(self) -> Index:
        """Of the data set, those of the images."""
        return np.arange(len(self.dataset)) if self._is_video else self.dataset.episodes["start"]

    @property
    def image_path(self) -> str:
        return self.dataset.declaration.image_paths[0]

    @property
    def masks(self) -> Any:
        path = self.dataset.declaration.mask_path
        return self.dataset.array(path) if path in self.dataset.fields else None

    @property
    def distances(self) -> Any:
        path = next((each.path for each in self.dataset.declaration.fields if each.option == "depth"), "")
        return self.dataset.array(path) if path in self.dataset.fields else None

    @property
    def _is_video(self) -> bool:
        return self.dataset.declaration.is_video

    @cached_property
    def _episode(self) -> Index:
        """Of each image."""
        episodes = self.dataset.episodes
        return np.repeat(np.arange(len(episodes["start"])), episodes["length"] if self._is_video else 1)

    @cached_property
    def group(self) -> Index:
        """The object that a video is of; else the world: a room, a table, a recording."""
        if not self.dataset.declaration.one_object:
            return self.dataset.worlds[self._episode]
        return self.dataset.object_numbers[self.dataset.episodes["objects_start"]][self._episode]

    @cached_property
    def _of_object(self) -> NDArray[np.str_]:
        objects = self.dataset.objects
        return objects[self.label] if self.label in objects else objects["category"]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Of things."""
        return tuple(np.unique(self._of_object).tolist())

    @property
    def _rest(self) -> tuple[str, ...]:
        """Names for what is no object."""
        if not self._is_video:
            return ("table",)
        return ("floor", "wall") if self.distances is not None else ("background",)

    @property
    def classes(self) -> tuple[str, ...]:
        return (*self._rest, *self.names)

    @cached_property
    def _class_of(self) -> Labels:
        """The class of each value of masks in each episode, [episodes, 256]."""
        objects, classes = self.dataset.objects, np.searchsorted(self.names, self._of_object) + len(self._rest)
        found = np.full((len(self.dataset.episodes["start"]), 256), UNASKED, np.uint8)
        found[:, 0] = 0
        asked = ~np.isin(self.dataset.object_numbers, self.known)
        found[objects["episode"], objects["index"]] = np.where(asked, classes, UNASKED)
        return found

    def labels(self, images: Index) -> Labels:
        seen = self.masks[self.rows[images]]  # [B, H, H]
        found = np.empty(seen.shape, np.uint8)
        for i, episode in enumerate(self._episode[images].tolist()):
            cv2.LUT(seen[i], self._class_of[episode], found[i])
        if self._rest == ("floor", "wall"):
            depth, bare = self.depth(images), seen == 0
            np.putmask(found, bare & (self._height(images, depth) > FLOOR_M), 1)
            np.putmask(found, bare & (depth <= 0), UNASKED)
        return found

    def _height(self, images: Index, depth: NDArray[np.float32]) -> NDArray[np.floating]:
        """Of what is seen above the floor, m, [B, H, H], by its depth."""
        pose = self.dataset.array("frames/pose")[self.rows[images]].astype("f8")  # [B, 4, 4]
        # What is at (u, v) lies along K⁻¹ (u, v, 1) in the camera's axes, of which the pose says how far up they point.
        u, v, one = (pose[:, 2, :3] @ np.linalg.inv(self.dataset.camera["intrinsics"])).T[:, :, None, None]
        places = np.arange(depth.shape[1])
        return depth * (u * places + (v * places[:, None] + one)) + pose[:, 2, 3, None, None]

    def boxes(self, image: int) -> Boxes:
        from scipy.ndimage import find_objects

        seen = self.masks[self.rows[image : image + 1]][0]
        classes = self._class_of[self._episode[image]]
        objects = self.dataset.objects
        there = {int(each) for each in objects["index"][objects["episode"] == self._episode[image]]}
        found = [(value, box) for value, box in enumerate(find_objects(seen), 1) if box is not None and value in there]
        corners = [(box[1].start, box[0].start, box[1].stop, box[0].stop) for _, box in found]
        area = np.array([np.count_nonzero(seen[box] == value) for value, box in found], "f4")
        label = np.array([classes[value] for value, _ in found], np.int64)
        hidden = area < max(LEAST_PIXELS, LEAST_SHARE * seen.size)
        unasked = (label == UNASKED) | hidden
        label = np.where(label == UNASKED, 0, label - len(self._rest))
        return Boxes(np.array(corners, "f4").reshape(-1, 4), label, area, unasked)

    def depth(self, images: Index) -> NDArray[np.float32]:
        return self.distances[self.rows[images]].astype("f4")

    def digests(self, images: Index) -> Digests:
        return digests_of(Chosen(self.dataset.array(self.image_path), self.rows[images]))

    def without(self, images: Index) -> Scenes:
        objects = self.dataset.objects
        seen = np.isin(objects["episode"], self._episode[images])
        if self.dataset.declaration.labels == ("scene",):  # furniture is told by kind, and every room has its own
            seen &= objects["mass"] > 0
        known = np.union1d(self.known, self.dataset.object_numbers[seen])
        return scenes_of(self.dataset, self.label, known)
