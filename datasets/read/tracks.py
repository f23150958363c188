"""Tracks through videos: an object, or a point, in one frame and where it is some frames later."""

from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.read.streams import Index, followed, image_tensor, tensor

if TYPE_CHECKING:
    from embodied_ssl.datasets.read import batches
    from embodied_ssl.datasets.read.readers import Dataset

Points = NDArray[np.float32]
"""Pixels (u, v), [..., 2]."""

LEAST_SEEN = 0.01
"""Share of a frame that an object has to fill at both ends of a track."""
WINDOW = (15, 15)
"""That the flow of Lucas and Kanade is constant in, px."""


class Tracks:
    """Both ends of tracks, as `Tracks`; every frame with one near enough behind it is where one begins.

    By the instance masks, where they are stored: an object that is in sight as long as `max_gap_s` later, and the
    middle of what is seen of it. Where there is none in sight, or there are no masks, by optical flow: a corner of the
    image (Shi & Tomasi 1994), followed from frame to frame by the flow that was logged, else by that of Lucas & Kanade
    1981. Such a track ends earlier where its point is lost or leaves the image.
    """

    def __init__(self, dataset: "Dataset", max_gap_s: float = 1.0):
        self._dataset = dataset
        self._first, most = followed(dataset, "tracks", max_gap_s)
        self._last = self._first + most
        self._rgb = dataset.array("frames/rgb")
        self._masks, self._flow = (
            dataset.array(f"frames/{name}") if f"frames/{name}" in dataset.fields else None
            for name in ("instance", "flow")
        )

    def __len__(self) -> int:
        return len(self._first)

    @property
    def episodes(self) -> int:
        """How many episodes they are of."""
        return len(self._dataset.episodes["start"])

    def batch(self, index: Index, rng: np.random.Generator) -> "batches.Tracks":
        from embodied_ssl.datasets.read.batches import Tracks

        first, last = self._first[index], self._last[index]
        chance = rng.random(len(index))
        pixels = self._by_masks(first, last, chance)  # [2, B, 2]
        lost = np.flatnonzero(np.isnan(pixels).any((0, 2)))
        if len(lost):
            pixels[0, lost] = [self._corner(row, share) for row, share in zip(first[lost], chance[lost], strict=True)]
            pixels[1, lost], last[lost] = self._by_flow(first[lost], last[lost], pixels[0, lost])
        images = self._rgb[np.stack([first, last])]
        return Tracks(
            first=image_tensor(images[0]),
            second=image_tensor(images[1]),
            first_pixel=tensor(pixels[0]),
            second_pixel=tensor(pixels[1]),
            episode=tensor(np.searchsorted(self._dataset.episodes["start"], first, side="right") - 1),
        )

    def _by_masks(self, first: Index, last: Index, chance: NDArray[np.float64]) -> Points:
        """The middles of an object in both frames, [2, B, 2], drawn by numbers in [0, 1); NaN where there is none."""
        if self._masks is None:
            return np.full((2, len(first), 2), np.nan, np.float32)
        masks = self._masks[np.stack([first, last])]  # [2, B, H, W]
        sizes, middles = _regions(masks)
        seen = sizes.min(0) >= max(1.0, LEAST_SEEN * masks[0, 0].size)  # [B, 256]
        seen[:, 0] = False  # the background
        place = seen.cumsum(1) - 1 == (chance * seen.sum(1)).astype(int)[:, None]
        which = (seen & place).argmax(1)  # one of those seen, or the background
        found = middles[:, np.arange(len(first)), which]
        return np.where(which[:, None] > 0, found, np.nan).astype(np.float32)

    def _corner(self, row: int, share: float) -> Points:
        """One of the corners of a frame whose surroundings lie within it, drawn by a number in [0, 1)."""
        grey = self._grey(row)
        height, width = grey.shape
        inner = np.zeros_like(grey)
        inner[height // 4 : height - height // 4, width // 4 : width - width // 4] = 1
        corners = cv2.goodFeaturesToTrack(grey, 32, 0.1, 3, mask=inner)
        if corners is None:  # a blank wall
            return np.array([width - 1, height - 1], np.float32) / 2
        return corners[int(share * len(corners)), 0]

    def _by_flow(self, first: Index, last: Index, point: Points) -> tuple[Points, Index]:
        """Where points [B, 2] of the first frames are led by the flow, and the rows of the frames where that is."""
        extent = np.array(self._rgb.shape[2:0:-1])  # (width, height)
        row, point = first.copy(), point.copy()
        going = row < last
        while going.any():
            moved = point[going] + self._flow_at(row[going], point[going])
            kept = ((moved >= 0) & (moved <= extent - 1)).all(1)  # not where it is NaN
            goes = np.flatnonzero(going)
            point[goes[kept]] = moved[kept]
            row[goes[kept]] += 1
            going[goes[~kept]] = False
            going &= row < last
        return point, row

    def _flow_at(self, rows: Index, points: Points) -> Points:
        """How points [B, 2] move to the next frame, px; NaN where that can't be told."""
        if self._flow is not None:
            u, v = points.round().astype(int).T
            return self._flow[rows][np.arange(len(rows)), v, u].astype(np.float32)
        moves = np.full_like(points, np.nan)
        for i, (row, point) in enumerate(zip(rows.tolist(), points, strict=True)):
            before, after = self._grey(row), self._grey(row + 1)
            moved, found, _ = cv2.calcOpticalFlowPyrLK(before, after, point[None], None, winSize=WINDOW)  # type: ignore[call-overload]
            if found[0, 0]:
                moves[i] = moved[0] - point
        return moves

    def _grey(self, row: int) -> NDArray[np.uint8]:
        return np.asarray(cv2.cvtColor(self._rgb[row], cv2.COLOR_RGB2GRAY), np.uint8)


def _regions(masks: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Pixels of each value of masks [..., H, W], int64 [..., 256], and the middle of them, (u, v), [..., 256, 2]."""
    *front, height, width = masks.shape
    count = int(np.prod(front))
    number = (masks.reshape(count, -1) + 256 * np.arange(count)[:, None]).ravel()
    v, u = (each.ravel() for each in np.mgrid[:height, :width])
    sizes = np.bincount(number, minlength=256 * count)
    sums = [np.bincount(number, np.tile(each, count), minlength=256 * count) for each in (u, v)]
    middles = np.stack(sums, 1) / np.maximum(sizes, 1)[:, None]
    return sizes.reshape(*front, 256), middles.reshape(*front, 256, 2)
