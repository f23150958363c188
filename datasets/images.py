"""Labelled pictures to measure features on: out of our data sets, folders and zip archives of class folders."""

import hashlib
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.digests import Digests, digest_of, digests_of
from embodied_ssl.datasets.errors import DataError, unknown_name
from embodied_ssl.datasets.idx import FILES, is_idx, read_idx
from embodied_ssl.datasets.manifest import MANIFEST
from embodied_ssl.datasets.readers import Dataset
from embodied_ssl.datasets.schema import VIDEO_KINDS

if TYPE_CHECKING:
    from embodied_ssl.datasets.batches import Frames, LabelledFrames

Index = NDArray[np.int64]

CROP_SHARE = 0.3
"""Side of the patch about a thing on the table, as a share of the picture."""
LABELS = ("category", "material")
PART_TYPE = "U10"
"""The type of the names of parts."""
_ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
_MOST_BYTES = 64 << 20  # of one encoded picture in an archive


@dataclass(frozen=True)
class ImageSet:
    """Pictures with labels. N pictures in C classes."""

    name: str
    images: Any  # `images[rows]` gives uint8 [B, H, W, 3] for int64 rows [B]
    label: Index  # [N], rows of classes
    classes: tuple[str, ...]
    group: Index  # [N]; what may not be split between training and test: an object, a room
    part: NDArray[np.str_]  # [N] `train`, `validation` or `test` where the source says so, else empty
    fingerprint: str  # SHA-256 of what it holds
    find_digests: Callable[[], Digests] | None = None  # None: those of the pixels of `images`

    def __len__(self) -> int:
        return len(self.label)

    @cached_property
    def digests(self) -> Digests:
        """The digest of each picture's content, uint64 [N], found when first asked for: see `digest_of`.

        Of a patch about a thing on a table it is that of the picture that the patch was cut from.
        """
        return self.find_digests() if self.find_digests is not None else digests_of(self.images)

    def at(self, rows: Index) -> "ImageSet":
        """The set of these pictures only; none is read before it is asked for."""
        return replace(
            self,
            images=Chosen(self.images, rows),
            label=self.label[rows],
            group=self.group[rows],
            part=self.part[rows],
            fingerprint=hashlib.sha256(self.fingerprint.encode() + rows.tobytes()).hexdigest(),
            find_digests=partial(_digests_at, self, rows),
        )

    def training(self) -> "ImageSet":
        """What may be learned from: the part `train` alone where the source has parts, else all pictures.

        Raises DataError where there are parts, but no `train`.
        """
        if not (self.part != "").any():
            return self
        rows = np.flatnonzero(self.part == "train")
        if len(rows) == 0:
            parts = ", ".join(sorted({str(part) for part in self.part} - {""}))
            raise DataError(f"{self.name}: has the parts {parts}, but no part train to learn from")
        return self.at(rows)

    def frames(self) -> "FrameStream":
        """What may be learned from, as a stream of `Frames`: see `training`."""
        return FrameStream(self.training())

    def labelled(self) -> "LabelledStream":
        """What may be learned from, as a stream of `LabelledFrames`: see `training`."""
        return LabelledStream(self.training())


@dataclass(frozen=True)
class Chosen:
    """Some rows of pictures, read when they are asked for."""

    images: Any
    rows: Index

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, places: Any) -> NDArray[np.uint8]:
        return self.images[self.rows[places]]

    @property
    def shape(self) -> tuple[int, ...]:
        """[N, H, W, 3]."""
        return (len(self.rows), *self.images.shape[1:])


@dataclass(frozen=True)
class FrameStream:
    """The pictures of a set, as `Frames`."""

    images: ImageSet

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, index: Index, rng: np.random.Generator) -> "Frames":
        import torch

        from embodied_ssl.datasets.batches import Frames

        pictures = torch.from_numpy(self.images.images[index]).movedim(-1, -3)
        return Frames(images=pictures, index=torch.from_numpy(index))


@dataclass(frozen=True)
class LabelledStream:
    """The pictures of a set and their classes, as `LabelledFrames`."""

    images: ImageSet

    @property
    def classes(self) -> tuple[str, ...]:
        """What the numbers of the labels stand for."""
        return self.images.classes

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, index: Index, rng: np.random.Generator) -> "LabelledFrames":
        import torch

        from embodied_ssl.datasets.batches import LabelledFrames

        pictures = torch.from_numpy(self.images.images[index]).movedim(-1, -3)
        labels = torch.from_numpy(self.images.label[index])
        return LabelledFrames(images=pictures, label=labels, index=torch.from_numpy(index))


def image_set(source: Path | str, label: str | None = None) -> ImageSet:
    """The labelled pictures of a data set of ours, or of a folder or zip archive of class folders.

    Args:
        source: roam: every frame, by scene, in groups of a room. orbit: every frame, by category, in groups of an
            object. grasp, push, poke: a patch about each thing on the table before the first act of an episode.
            A folder or archive may have `train` and `test` above its class folders. A folder with the four files of
            MNIST or Fashion-MNIST serves as well.
        label: of orbit and table: `category` (default) or `material`; others have but one.

    Raises DataError where there are no pictures, a damaged one, or an unknown label.
    """
    path = Path(source)
    if (path / MANIFEST).is_file():
        dataset = Dataset.open(path)
        if label not in (None, *LABELS):
            raise unknown_name(f"label of {path}", str(label), LABELS)
        chosen = "scene" if dataset.kind == "roam" else label or LABELS[0]
        return _of_video(dataset, chosen) if dataset.kind in VIDEO_KINDS else _of_table(dataset, chosen)
    if is_idx(path):
        return _of_idx(path)
    if path.is_dir():
        files = sorted(each for each in path.rglob("*") if each.suffix.lower() in _ENDINGS)
        return _of_files(path, ((str(each.relative_to(path)), each.read_bytes()) for each in files))
    if path.is_file() and zipfile.is_zipfile(path):
        return _of_files(path, _members(path))
    remedy = "apt-get install dataset-fashion-mnist" if "fashion-mnist" in path.name else "is the path right?"
    raise DataError(f"{path}: no data set, folder or zip archive of pictures; {remedy}")


def _of_video(dataset: Dataset, label: str) -> ImageSet:
    episodes = dataset.episodes
    rows = np.repeat(np.arange(len(episodes["start"])), episodes["length"])  # the episode of each frame
    if label == "scene":
        names, group = dataset.scenes[episodes["scene"]], np.arange(len(episodes["start"]))
    else:
        first = episodes["objects_start"]
        names, group = dataset.objects[label][first], dataset.things[first]
    classes, of_episode = np.unique(names, return_inverse=True)
    return _ours(dataset, label, dataset.array("frames/rgb"), of_episode[rows], classes, group[rows], dataset.digests)


def _of_table(dataset: Dataset, label: str) -> ImageSet:
    """Patches about the things as they lay at the start of each episode, projected by the overhead camera."""
    objects, episodes = dataset.objects, dataset.episodes
    pixel = dataset.project(objects["position"])
    size = dataset.array("interactions/rgb_before").shape[1]
    half = round(CROP_SHARE * size / 2)
    inside = np.flatnonzero((np.abs(pixel - (size - 1) / 2) < (size - 1) / 2).all(1))
    patches = np.empty((len(inside), 2 * half, 2 * half, 3), np.uint8)
    before = dataset.array("interactions/rgb_before")
    rows = episodes["start"][objects["episode"][inside]]  # the picture that each is cut from
    for place, (thing, row_of_picture) in enumerate(zip(inside, rows.tolist(), strict=True)):
        picture = before[row_of_picture]
        column, row = np.round(pixel[thing]).astype(int)
        padded = np.pad(picture, ((half, half), (half, half), (0, 0)), "edge")
        patches[place] = padded[row : row + 2 * half, column : column + 2 * half]
    classes, labels = np.unique(objects[label], return_inverse=True)
    find_digests = partial(_digests_of_rows, before, rows)
    return _ours(dataset, label, patches, labels[inside], classes, dataset.things[inside], find_digests)


def _ours(
    dataset: Dataset,
    label: str,
    images: Any,
    labels: Index,
    classes: NDArray[Any],
    group: Index,
    find_digests: Callable[[], Digests],
) -> ImageSet:
    return ImageSet(
        name=f"{dataset.path.name} by {label}",
        images=images,
        label=labels.astype("i8"),
        classes=tuple(name.decode() for name in classes.tolist()),
        group=group.astype("i8"),
        part=np.full(len(labels), "", PART_TYPE),
        fingerprint=hashlib.sha256((dataset.path / MANIFEST).read_bytes() + label.encode()).hexdigest(),
        find_digests=find_digests,
    )


def _digests_at(images: ImageSet, rows: Index) -> Digests:
    return images.digests[rows]


def _digests_of_rows(pictures: Any, rows: Index) -> Digests:
    """Those of the pictures at `rows`, some of which come several times."""
    each, which = np.unique(rows, return_inverse=True)
    return digests_of(Chosen(pictures, each))[which]


def _of_idx(path: Path) -> ImageSet:
    """MNIST's kin: grey pictures, by class number."""
    digest = hashlib.sha256()
    pictures, labels, parts = [], [], []
    for part, (images_name, labels_name) in FILES.items():
        images, numbers = read_idx(path / images_name, 3), read_idx(path / labels_name, 1)
        if len(images) != len(numbers):
            raise DataError(f"{path}: {len(images)} pictures and {len(numbers)} labels of {part}; fetch them again")
        digest.update(images.tobytes() + numbers.tobytes())
        pictures.append(np.repeat(images[..., None], 3, axis=3))
        labels.append(numbers.astype("i8"))
        parts.append(np.full(len(numbers), part, PART_TYPE))
    label = np.concatenate(labels)
    names = tuple(str(number) for number in range(int(label.max(initial=0)) + 1))
    group = np.arange(len(label))
    return ImageSet(path.name, np.concatenate(pictures), label, names, group, np.concatenate(parts), digest.hexdigest())


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in sorted(archive.infolist(), key=lambda entry: entry.filename):
                if entry.filename.lower().endswith(_ENDINGS):
                    if entry.file_size > _MOST_BYTES:
                        raise DataError(f"{path}: {entry.filename} has {entry.file_size:,} bytes; not a picture")
                    yield entry.filename, archive.read(entry)
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError) as error:
        raise DataError(f"{path}: damaged archive ({error}); fetch it again") from error


def _of_files(path: Path, files: Iterator[tuple[str, bytes]]) -> ImageSet:
    pictures: list[np.ndarray] = []
    places, digests, digest = [], [], hashlib.sha256()
    for name, content in files:
        picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) if content else None
        if picture is None:
            raise DataError(f"{path}: {name} is damaged or no picture; remove it")
        if pictures and picture.shape != pictures[0].shape:
            raise DataError(f"{path}: {name} is {picture.shape[1]} × {picture.shape[0]} px, others differ; resize them")
        pictures.append(picture[..., ::-1])
        places.append(Path(name).parts)
        digest.update(name.encode() + b"\0" + content)
        digests.append(digest_of(content))
    if not pictures:
        raise DataError(f"{path}: no pictures ({', '.join(_ENDINGS)}) in it; name a folder of class folders")
    names = [place[-2] if len(place) > 1 else "" for place in places]
    parts = np.array(
        [place[0] if place[0] in ("train", "test") and len(place) > 2 else "" for place in places], PART_TYPE
    )
    classes, labels = np.unique(names, return_inverse=True)
    group = np.arange(len(pictures))  # every picture stands for itself
    known = tuple(str(name) for name in classes)
    find_digests = partial(np.array, digests, np.uint64)
    return ImageSet(
        path.stem, np.stack(pictures), labels.astype("i8"), known, group, parts, digest.hexdigest(), find_digests
    )
