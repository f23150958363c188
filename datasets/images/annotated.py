"""Folders of images with boxes or masks: in the layout of PASCAL VOC, of COCO, or of images beside masks.

voc: `JPEGImages/ID.jpg`, `Annotations/ID.xml`, `ImageSets/Main/{train,val,test}.txt`, `SegmentationClass/ID.png`.
coco: `annotations/instances_PART.json`, and the images in a folder `PART`, `images/PART` or `images`.
masks: `images/NAME.jpg` and `masks/NAME.png`, whose values are classes, 255 void; beside them, if there are boxes to be
made, `instances/NAME.png`, whose values are instances, 0 none; and `classes.txt`, a name for each value. All may lie in
folders of parts: `images/train/NAME.jpg`.

Images are not cropped: the longer side is resized, and the square filled up with black at the right or below, which
nobody is asked about. Where no part is called test, that which is called val is. Images in which nothing is marked are
of the class `nothing`.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import cv2
import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.images.archives import listed, reason
from embodied_ssl.datasets.images.decoding import read_header
from embodied_ssl.datasets.images.digests import Digests, digest_of
from embodied_ssl.datasets.images.encoded import damage
from embodied_ssl.datasets.images.image_set import PART_TYPE, ImageSet, Index
from embodied_ssl.datasets.images.scenes import UNASKED, Boxes, Labels, Scenes

VOC = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog",
    "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
"""In the order of the values of its masks, from 1 on."""
NOTHING = "nothing"
_SUBPIXELS = 8  # along each side of a pixel, by which polygons are filled
_ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
_PARTS = {"train": "train", "trainval": "train", "val": "validation", "valid": "validation", "test": "test"}


@dataclass(frozen=True)
class Thing:
    """What is said to be in an image."""

    name: str
    corners: tuple[float, float, float, float]  # left, top, right, bottom, px of the file
    area: float
    unasked: bool = False
    outline: Any = None  # of COCO: polygons, or runs


@dataclass(frozen=True)
class Annotated:
    """An image file, and what is known of it."""

    image: Path
    part: str = ""
    things: Sequence[Thing] = ()
    mask: Path | None = None
    """Of classes."""
    instances: Path | None = None


def layout_of(path: Path) -> str | None:
    """`voc`, `coco` or `masks`, by what lies in a folder; None: it is none of these."""
    if (path / "JPEGImages").is_dir() and (path / "Annotations").is_dir():
        return "voc"
    if any((path / "annotations").glob("*.json")):
        return "coco"
    return "masks" if (path / "images").is_dir() and (path / "masks").is_dir() else None


def split_layout(source: Path | str) -> tuple[str | None, Path]:
    """The layout and the folder of `voc:PATH`; of any other source none. Raises DataError where it is laid out else."""
    layout, separator, rest = str(source).partition(":")
    if not separator or layout not in _READERS:
        return None, Path(source)
    if layout_of(Path(rest).expanduser()) != layout:
        raise DataError(f"{rest}: is not laid out as {layout}: {_READERS[layout].__doc__}")
    return layout, Path(rest)


def annotated_set(path: Path, side: int, skip_damaged: bool = False) -> ImageSet:
    """The images of such a folder in squares of a side, px: each of the class of which there is most in it.

    Raises DataError where it holds no images, they or what is said of them cannot be read, or, unless they are to be
    skipped, where images are damaged.
    """
    layout = layout_of(path)
    assert layout is not None, "the caller has looked"
    names, found, absent = _READERS[layout](path)
    damaged = {str(one.image.relative_to(path)): why for one in found if (why := _damage(one.image))}
    if damaged and not skip_damaged:
        raise damage(path, damaged)
    found = [one for one in found if str(one.image.relative_to(path)) not in damaged]
    if not found:
        raise DataError(f"{path}: no annotated images in it, as {layout} has them")
    folder = _Folder(path, found, names, side)
    empty = int((folder.label == len(names)).sum())
    notes = [f"{path.name}: {len(found):,} images laid out as {layout}, whole, in squares of {side} px"]
    notes += [f"{empty:,} of them, in which nothing is marked, are of the class {NOTHING}"] if empty else []
    notes += [f"{len(damaged):,} damaged skipped: {listed(sorted(damaged))}"] if damaged else []
    notes += [f"{len(absent):,} annotated images are not there: {listed(absent)}"] if absent else []
    test = "test" if any(each.part == "test" for each in found) else "validation"
    part = np.array(["test" if each.part == test else each.part for each in found], PART_TYPE)
    return ImageSet(
        name=path.name, images=folder, label=folder.label, classes=(*names, NOTHING) if empty else names,
        group=np.arange(len(found)), part=part,
        fingerprint=folder.fingerprint, find_digests=lambda: folder.digests(np.arange(len(found))), side=side,
        told="; ".join(notes),
        scenes=lambda: folder.scenes(part),
    )  # fmt: skip


@dataclass(frozen=True)
class _Folder:
    """Annotated images in squares. `folder[rows]` gives uint8 [B, side, side, 3]."""

    path: Path
    found: Sequence[Annotated]
    names: tuple[str, ...]
    side: int
    _sizes: dict[int, tuple[int, int]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.found)

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.found), self.side, self.side, 3)

    def __getitem__(self, rows: Any) -> NDArray[np.uint8]:
        wanted = np.arange(len(self))[rows]
        images = [self._image(row) for row in np.ravel(wanted).tolist()]
        return np.array(images, np.uint8).reshape(*np.shape(wanted), self.side, self.side, 3)

    def _image(self, row: int) -> NDArray[np.uint8]:
        how = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION  # boxes are of the file as it lies there
        image = cv2.imdecode(np.fromfile(self.found[row].image, np.uint8), how)
        if image is None:
            raise DataError(f"{self.found[row].image}: cannot be decoded; mend or remove it")
        how = cv2.INTER_AREA if max(image.shape) > self.side else cv2.INTER_LINEAR
        return self._square(np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8), how, 0)

    def _square(self, image: NDArray[np.uint8], how: int, rest: int) -> NDArray[np.uint8]:
        height, width = image.shape[:2]
        scale = self.side / max(height, width)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        found = np.full((self.side, self.side, *image.shape[2:]), rest, np.uint8)
        found[: size[1], : size[0]] = cv2.resize(image, size, interpolation=how)
        return found

    def _size(self, row: int) -> tuple[int, int]:
        """Height and width of the file, px."""
        if row not in self._sizes:
            header = read_header(self.found[row].image.read_bytes())
            self._sizes[row] = header.height, header.width
        return self._sizes[row]

    @cached_property
    def label(self) -> Index:
        """Of each image the class of which there is most, by boxes or else by its mask; behind all: there is none."""
        found = np.full(len(self), len(self.names), np.int64)
        for row, one in enumerate(self.found):
            if one.things:
                found[row] = np.bincount([self.names.index(each.name) for each in one.things], _areas(one)).argmax()
            elif one.mask is not None:
                values = _values(one.mask)
                counted = np.bincount(values[(values > 0) & (values < UNASKED)])
                found[row] = counted.argmax() - 1 if len(counted) else len(self.names)
        return found

    @cached_property
    def fingerprint(self) -> str:
        """Of what it holds."""
        digest = hashlib.sha256(f"{self.names} {self.side}".encode())
        for one in self.found:
            digest.update(f"{one.image.relative_to(self.path)} {one.part} {one.things}".encode())
            for path in (one.image, one.mask, one.instances):
                digest.update(b"" if path is None else hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()

    def digests(self, rows: Index) -> Digests:
        """As a folder of these files has them."""
        return np.array([digest_of(self.found[row].image.read_bytes()) for row in rows.tolist()], np.uint64)

    @property
    def _has_boxes(self) -> bool:
        return any(one.things or one.instances is not None for one in self.found)

    @property
    def _outlined(self) -> bool:
        return any(thing.outline is not None for one in self.found for thing in one.things)

    def scenes(self, part: NDArray[np.str_]) -> Scenes:
        """The same with what is known of pixels and boxes."""
        masked = np.array([one.mask is not None or self._outlined for one in self.found])
        return Scenes(
            name=self.path.name, images=self, group=np.arange(len(self)), part=part, find_digests=self.digests,
            classes=("background", *self.names), things=self.names,
            labels=(lambda rows: np.stack([self._labels(row) for row in rows.tolist()])) if masked.any() else None,
            boxes=self._boxes if self._has_boxes else None, masked=masked,
            resized=lambda side: replace(self, side=side).scenes(part),
        )  # fmt: skip

    def _labels(self, row: int) -> Labels:
        one = self.found[row]
        if one.mask is not None:
            return self._square(_values(one.mask).astype(np.uint8), cv2.INTER_NEAREST, UNASKED)
        height, width = self._size(row)
        found = np.zeros((height, width), np.uint8)
        for thing in sorted(one.things, key=lambda each: -each.area):  # what is smaller lies before what is larger
            value = UNASKED if thing.unasked else self.names.index(thing.name) + 1
            found[_filled(thing.outline, height, width, str(one.image))] = value
        return self._square(found, cv2.INTER_NEAREST, UNASKED)

    def _boxes(self, row: int) -> Boxes:
        one = self.found[row]
        scale = self.side / max(self._size(row))
        things = one.things or (_things_of(one, self.names) if one.instances is not None else ())
        corners = np.array([thing.corners for thing in things], "f4").reshape(-1, 4) * np.float32(scale)
        label = np.array([self.names.index(thing.name) for thing in things], np.int64)
        area = np.array([thing.area for thing in things], "f4") * np.float32(scale**2)
        return Boxes(corners, label, area, np.array([thing.unasked for thing in things], bool))


Read = tuple[tuple[str, ...], list[Annotated], list[str]]
"""Names of classes, annotated images, and the names of those that are not there."""


def _damage(image: Path) -> str | None:
    """Why an image cannot be used; None: it can, as far as its first bytes tell."""
    try:
        read_header(image.read_bytes())
    except (OSError, ValueError) as error:
        return reason(error)
    return None


@contextmanager
def _reading(annotations: Path) -> Iterator[None]:
    """Whatever is wrong with a file of annotations is told with its name."""
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError, ElementTree.ParseError) as error:
        why = f"{type(error).__name__}: {' '.join(str(error).split())[:100]}"
        raise DataError(f"{annotations}: its annotations cannot be read ({why}); mend or remove it") from error


def _voc(path: Path) -> Read:
    """JPEGImages, Annotations, ImageSets/Main"""
    parts: dict[str, str] = {}
    for file in sorted((path / "ImageSets" / "Main").glob("*.txt"), key=lambda each: each.stem == "trainval"):
        if file.stem in _PARTS:
            for line in file.read_text(encoding="utf-8").split("\n"):
                if line.strip():
                    parts.setdefault(line.split()[0], _PARTS[file.stem])
    found, absent = [], []
    for file in sorted((path / "Annotations").glob("*.xml")):
        if parts and file.stem not in parts:
            continue
        images = [path / "JPEGImages" / f"{file.stem}{ending}" for ending in _ENDINGS]
        image = next((each for each in images if each.is_file()), None)
        if image is None:
            absent.append(file.stem)
            continue
        mask = path / "SegmentationClass" / f"{file.stem}.png"
        with _reading(file):
            things = tuple(_voc_thing(each) for each in ElementTree.parse(file).iter("object"))
        found.append(Annotated(image, parts.get(file.stem, ""), things, mask if mask.is_file() else None))
    names = {thing.name for one in found for thing in one.things}
    return VOC if names <= set(VOC) else tuple(sorted(names)), found, absent


def _voc_thing(node: ElementTree.Element) -> Thing:
    left, top, right, bottom = (
        float(node.findtext(f"bndbox/{name}", "0")) for name in ("xmin", "ymin", "xmax", "ymax")
    )
    corners = (left - 1, top - 1, right, bottom)  # pixels count from 1, both ends are in
    area = (corners[2] - corners[0]) * (corners[3] - corners[1])
    return Thing(node.findtext("name", ""), corners, area, node.findtext("difficult", "0").strip() == "1")


def _coco(path: Path) -> Read:
    """annotations/instances_PART.json, and the images in PART, images/PART or images"""
    names: dict[int, str] = {}
    found, absent = [], []
    for file in sorted((path / "annotations").glob("*.json")):
        with _reading(file):
            told = json.loads(file.read_text(encoding="utf-8"))
            if not isinstance(told, dict) or "annotations" not in told or "categories" not in told:
                continue  # captions, or what else there is
            names |= {each["id"]: each["name"] for each in told["categories"]}
            things: dict[int, list[Thing]] = {}
            for each in told["annotations"]:
                if "bbox" in each:
                    things.setdefault(each["image_id"], []).append(_coco_thing(each, names))
            listed_images = [(each["file_name"], tuple(things.get(each["id"], ()))) for each in told["images"]]
        folder = file.stem.removeprefix("instances_")
        part = next((part for start, part in _PARTS.items() if folder.startswith(start)), "")
        places = (path / folder, path / "images" / folder, path / "images", path)
        for name, own in listed_images:
            image = next((at / name for at in places if (at / name).is_file()), None)
            if image is None:
                absent.append(name)
            else:
                found.append(Annotated(image, part, own))
    return tuple(names[number] for number in sorted(names)), found, absent


def _coco_thing(told: dict[str, Any], names: dict[int, str]) -> Thing:
    left, top, width, height = told["bbox"]
    return Thing(
        names[told["category_id"]], (left, top, left + width, top + height), told.get("area", width * height),
        bool(told.get("iscrowd", 0)), told.get("segmentation") or None,
    )  # fmt: skip


def _masks(path: Path) -> Read:
    """images/NAME and masks/NAME.png, in folders of parts or not"""
    found = []
    for image in sorted(each for each in (path / "images").rglob("*") if each.suffix.lower() in _ENDINGS):
        below = image.relative_to(path / "images").with_suffix(".png")
        mask, instances = path / "masks" / below, path / "instances" / below
        if mask.is_file():
            part = _PARTS.get(below.parts[0].lower(), "") if len(below.parts) > 1 else ""
            found.append(Annotated(image, part, (), mask, instances if instances.is_file() else None))
    told = path / "classes.txt"
    if told.is_file():
        names = tuple(line.strip() for line in told.read_text(encoding="utf-8").splitlines() if line.strip())
        return names[1:], found, []
    most = max(
        (int(values[values < UNASKED].max(initial=0)) for values in (_values(one.mask) for one in found)), default=0
    )
    return tuple(f"class {value}" for value in range(1, most + 1)), found, []


_READERS: dict[str, Callable[[Path], Read]] = {
    "voc": _voc,
    "coco": _coco,
    "masks": _masks,
}


def _areas(one: Annotated) -> list[float]:
    return [thing.area for thing in one.things]


def _values(mask: Path | None) -> NDArray[np.integer]:
    """Those of a mask, [H, W]: of a palette its indices."""
    from PIL import Image

    assert mask is not None
    with Image.open(mask) as image:
        values = np.asarray(image)
    if values.ndim != 2:
        raise DataError(f"{mask}: has {values.ndim} axes; a mask has one value for each pixel")
    return values


def _things_of(one: Annotated, names: tuple[str, ...]) -> tuple[Thing, ...]:
    """Instances of masks, each of the class that most of its pixels have."""
    values, classes = _values(one.instances), _values(one.mask)
    found = []
    for value in np.unique(values[values > 0]).tolist():
        v, u = np.nonzero(values == value)
        own = classes[v, u]
        counted = np.bincount(own[(own > 0) & (own < UNASKED)], minlength=1)
        if counted.any():
            corners = (float(u.min()), float(v.min()), float(u.max() + 1), float(v.max() + 1))
            found.append(Thing(names[int(counted.argmax()) - 1], corners, float(len(u))))
    return tuple(found)


def _filled(outline: Any, height: int, width: int, where: str) -> NDArray[np.bool_]:
    """The pixels of polygons [[u0, v0, u1, ...], ...], or of runs {counts, size}, column by column; [H, W]."""
    found = np.zeros((height, width), np.uint8)
    if isinstance(outline, dict):
        counts = outline["counts"]
        if isinstance(counts, str):
            raise DataError(f"{where}: its mask is packed as a string; unpack it to polygons or lists of runs")
        runs = np.repeat(np.arange(len(counts)) % 2, counts).astype(bool)
        return runs.reshape(outline["size"][::-1]).T
    for each in outline:
        _fill(found, np.array(each, float).reshape(-1, 2))
    return found.astype(bool)


def _fill(mask: NDArray[np.uint8], polygon: NDArray[np.float64]) -> None:
    """Set the pixels of a mask [H, W] of which a polygon [P, 2] (u, v, px) covers half or more."""
    height, width = mask.shape
    low = np.clip(np.floor(polygon.min(0)).astype(int), 0, (width - 1, height - 1))
    high = np.clip(np.ceil(polygon.max(0)).astype(int), low + 1, (width, height))
    (w, h), n = high - low, _SUBPIXELS
    fine = np.zeros((n * h, n * w), np.uint8)
    cv2.fillPoly(fine, [np.round((polygon - low) * n - 0.5).astype(np.int32)], 1)
    covered = fine.reshape(h, n, w, n).sum((1, 3))
    mask[low[1] : high[1], low[0] : high[0]] |= (2 * covered >= n * n).astype(np.uint8)
