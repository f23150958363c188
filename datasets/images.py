"""Pictures that are not ours, from a folder of images."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.errors import DataError

if TYPE_CHECKING:
    from embodied_ssl.datasets.batches import Frames, LabelledFrames

_ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".webp")


class ImageSet:
    """Pictures in class folders, `FOLDER/CLASS/*.png`, all of one size; decoded once and kept in memory."""

    def __init__(self, folder: Path | str):
        """Read a folder. Raises DataError where it holds no pictures, a damaged one, or pictures of several sizes."""
        self.name = Path(folder).name
        paths = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in _ENDINGS)
        if not paths:
            raise DataError(f"{folder}: no data set of ours and no pictures in it; name a folder of class folders")
        self.images = np.stack(_alike([_read(path) for path in paths], paths))  # uint8 [N, H, W, 3]
        self.classes = tuple(sorted({path.parent.name for path in paths}))
        self.label: NDArray[np.int64] = np.array([self.classes.index(path.parent.name) for path in paths])
        self.group: NDArray[np.int64] = np.arange(len(paths))  # every picture stands for itself
        self.fingerprint = hashlib.sha256(self.images.tobytes() + self.label.tobytes()).hexdigest()

    def frames(self) -> "ImageFrames":
        """As a stream of `Frames`."""
        return ImageFrames(self)

    def labelled(self) -> "LabelledImages":
        """As a stream of `LabelledFrames`."""
        return LabelledImages(self)


class ImageFrames:
    """The pictures of a set, as `Frames`."""

    def __init__(self, images: ImageSet):
        self._images = images

    def __len__(self) -> int:
        return len(self._images.images)

    def batch(self, index: NDArray[np.int64], rng: np.random.Generator) -> "Frames":
        import torch

        from embodied_ssl.datasets.batches import Frames

        pictures = torch.from_numpy(self._images.images[index]).movedim(-1, -3)
        return Frames(images=pictures, index=torch.from_numpy(index))


class LabelledImages:
    """The pictures of a set and their classes, as `LabelledFrames`."""

    def __init__(self, images: ImageSet):
        self._images = images

    def __len__(self) -> int:
        return len(self._images.images)

    def batch(self, index: NDArray[np.int64], rng: np.random.Generator) -> "LabelledFrames":
        import torch

        from embodied_ssl.datasets.batches import LabelledFrames

        pictures = torch.from_numpy(self._images.images[index]).movedim(-1, -3)
        labels = torch.from_numpy(self._images.label[index])
        return LabelledFrames(images=pictures, label=labels, index=torch.from_numpy(index))


def image_set(source: Path | str) -> ImageSet:
    """The pictures of a folder of class folders. Raises DataError as `ImageSet` does."""
    return ImageSet(source)


def _read(path: Path) -> NDArray[np.uint8]:
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise DataError(f"{path}: damaged or not a picture; delete it")
    return np.ascontiguousarray(picture[..., ::-1]).astype(np.uint8)


def _alike(pictures: list[NDArray[np.uint8]], paths: list[Path]) -> list[NDArray[np.uint8]]:
    for picture, path in zip(pictures, paths, strict=True):
        if picture.shape != pictures[0].shape:
            raise DataError(f"{path}: {picture.shape[1]} × {picture.shape[0]} px, others differ; resize them alike")
    return pictures
