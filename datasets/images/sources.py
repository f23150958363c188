"""Labelled images to measure features on: out of our data sets, folders and archives of class folders."""

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.errors import DataError, unknown_name
from embodied_ssl.datasets.images.annotated import annotated_set, layout_of, split_layout
from embodied_ssl.datasets.images.archives import ENDINGS, Store, listed, open_store
from embodied_ssl.datasets.images.digests import Digests, digests_of
from embodied_ssl.datasets.images.encoded import EncodedImages, damage
from embodied_ssl.datasets.images.folders import arrange, described
from embodied_ssl.datasets.images.idx import FILES, is_idx, read_idx
from embodied_ssl.datasets.images.image_set import PART_TYPE, Chosen, ImageSet
from embodied_ssl.datasets.images.scanning import scan
from embodied_ssl.datasets.images.scenes import scenes_of
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.datasets.store.manifest import MANIFEST

Index = NDArray[np.int64]

CROP_SHARE = 0.3
"""Side of the patch about an object on the table, as a share of the image."""
LABELS = ("category", "material")
SIDE = 256
"""Of the squares that are made of images of any size, px; squares of up to this are left as they are."""


def image_set(
    source: Path | str,
    label: str | None = None,
    side: int | None = None,
    skip_damaged: bool = False,
    usual_side: int = SIDE,
) -> ImageSet:
    """The labelled images of a data set of ours, or of a folder, zip or tar archive of images.

    Files are hashed and their headers read before this returns; they are decoded when they are asked for, as
    `decoding.py` says. Squares of one size, up to 256 px, stay as they are; of images of any other sizes the square
    in the middle is taken and resized to 256 px, or to the largest shorter side if all are smaller.

    Args:
        source: roam: every frame, by scene, in groups of a room. orbit: every frame, by category, in groups of an
            object. grasp, push, poke: a patch about each object on the table before an episode's first interaction.
            A folder or archive has class folders, and above them folders of parts if there are any: see `folders.py`.
            A folder with the four files of MNIST or Fashion-MNIST serves as well; and one with boxes or masks, laid
            out as VOC, COCO, or images beside masks (`annotated.py`), of which `voc:PATH` says what it has to be.
        label: of orbit and table: `category` (default) or `material`; others have but one.
        side: of squares to make of files whatever their sizes, px; None: as said above.
        skip_damaged: whether to leave out files that are damaged, instead of refusing them all.
        usual_side: in the place of 256 px where they have to be resized.

    Raises DataError where there are no images, damaged ones, or an unknown label.
    """
    path = split_layout(source)[1].expanduser()
    if label not in (None, *LABELS):
        raise unknown_name("label", str(label), LABELS)
    try:
        if layout_of(path) is not None:
            return annotated_set(path, side or usual_side, skip_damaged)
        if (store := _store_of(path)) is not None:
            return _of_files(store, side, usual_side, skip_damaged)
        return _of_arrays(path, label)
    except OSError as error:
        raise DataError(f"{error.filename or path}: cannot be read ({error.strerror or error})") from error


def _store_of(path: Path) -> Store | None:
    """The files of a folder or an archive; None where it is a set of another kind."""
    if (path / MANIFEST).is_file() or is_idx(path):
        return None
    if (store := open_store(path)) is not None:
        return store
    remedy = "apt-get install dataset-fashion-mnist" if "fashion-mnist" in path.name else "is the path right?"
    raise DataError(f"{path}: no data set, folder, zip or tar archive of images; {remedy}")


def _of_arrays(path: Path, label: str | None) -> ImageSet:
    if is_idx(path):
        return _of_idx(path)
    dataset = Dataset.open(path)
    labels = dataset.declaration.labels
    chosen = label if label in labels else labels[0]
    return _of_video(dataset, chosen) if dataset.declaration.is_video else _of_table(dataset, chosen)


def _of_video(dataset: Dataset, label: str) -> ImageSet:
    episodes = dataset.episodes
    rows = np.repeat(np.arange(len(episodes["start"])), episodes["length"])  # the episode of each frame
    if label == "scene":
        names, group = dataset.scenes[episodes["scene"]], dataset.worlds
    else:
        first = episodes["objects_start"]
        names, group = dataset.objects[label][first], dataset.object_numbers[first]
    classes, of_episode = np.unique(names, return_inverse=True)
    return _ours(dataset, label, dataset.array("frames/rgb"), of_episode[rows], classes, group[rows], dataset.digests)


def _of_table(dataset: Dataset, label: str) -> ImageSet:
    """Patches about the objects as they lay at the start of each episode, projected by the overhead camera."""
    objects, episodes = dataset.objects, dataset.episodes
    pixel = dataset.project(objects["position"])
    size = dataset.array("interactions/rgb_before").shape[1]
    half = round(CROP_SHARE * size / 2)
    inside = np.flatnonzero((np.abs(pixel - (size - 1) / 2) < (size - 1) / 2).all(1))
    patches = np.empty((len(inside), 2 * half, 2 * half, 3), np.uint8)
    before = dataset.array("interactions/rgb_before")
    rows = episodes["start"][objects["episode"][inside]]  # the image that each is cut from
    for place, (instance, row_of_image) in enumerate(zip(inside, rows.tolist(), strict=True)):
        image = before[row_of_image]
        column, row = np.round(pixel[instance]).astype(int)
        padded = np.pad(image, ((half, half), (half, half), (0, 0)), "edge")
        patches[place] = padded[row : row + 2 * half, column : column + 2 * half]
    classes, labels = np.unique(objects[label], return_inverse=True)
    find_digests = partial(_digests_of_rows, before, rows)
    return _ours(dataset, label, patches, labels[inside], classes, dataset.object_numbers[inside], find_digests)


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
        classes=tuple(classes.tolist()),
        group=group.astype("i8"),
        part=np.full(len(labels), "", PART_TYPE),
        fingerprint=hashlib.sha256((dataset.path / MANIFEST).read_bytes() + label.encode()).hexdigest(),
        find_digests=find_digests,
        scenes=partial(scenes_of, dataset, label) if _knows_pixels(dataset) else None,
    )


def _knows_pixels(dataset: Dataset) -> bool:
    options = {field.option for field in dataset.fields.values()}
    return bool(options & {"instance", "depth"})


def _digests_of_rows(images: Any, rows: Index) -> Digests:
    """Those of the images at `rows`, some of which come several times."""
    each, which = np.unique(rows, return_inverse=True)
    return digests_of(Chosen(images, each))[which]


def _of_idx(path: Path) -> ImageSet:
    """MNIST's kin: grey images, by class number."""
    digest = hashlib.sha256()
    arrays, labels, parts = [], [], []
    for part, (images_name, labels_name) in FILES.items():
        images, numbers = read_idx(path / images_name, 3), read_idx(path / labels_name, 1)
        if len(images) != len(numbers):
            raise DataError(f"{path}: {len(images)} images and {len(numbers)} labels of {part}; fetch them again")
        digest.update(images.tobytes() + numbers.tobytes())
        arrays.append(np.repeat(images[..., None], 3, axis=3))
        labels.append(numbers.astype("i8"))
        parts.append(np.full(len(numbers), part, PART_TYPE))
    label = np.concatenate(labels)
    names = tuple(str(number) for number in range(int(label.max(initial=0)) + 1))
    group = np.arange(len(label))
    return ImageSet(path.name, np.concatenate(arrays), label, names, group, np.concatenate(parts), digest.hexdigest())


def _of_files(store: Store, side: int | None, usual_side: int, skip_damaged: bool) -> ImageSet:
    """Images in a folder or an archive."""
    found, scanned = arrange(store.names), scan(store)
    damaged = store.damaged | {store.names[row]: why for row, why in scanned.damaged.items()}
    if damaged and not skip_damaged:
        raise damage(store.path, damaged)
    sound = np.array([row not in scanned.damaged for row in found.rows], bool)
    if not sound.any():
        raise DataError(f"{store.path}: no images ({', '.join(ENDINGS)}) in it; name a folder of class folders")
    rows = np.array(found.rows, np.int64)[sound]
    part, labels = np.array(found.part, PART_TYPE)[sound], np.array(found.label)[sound]
    classes, label = np.unique(labels, return_inverse=True)
    squares, resized = _side_of(scanned.size[rows], side, usual_side)
    kinds = np.unique(np.char.add(np.char.add(part, "/"), labels), return_inverse=True)[1]
    notes = [f"{store.name}: {described(labels.tolist(), part.tolist(), found.notes)}"]
    notes += [f"of each the square in its middle, at {squares} px"] if resized else []
    notes += [f"{len(damaged):,} damaged skipped: {listed(sorted(damaged))}"] if damaged else []
    notes += [f"{len(store.others):,} other files: {listed(sorted(store.others))}"] if store.others else []
    names = [store.names[row].rpartition("/")[2] for row in rows]
    return ImageSet(
        name=store.name,
        images=EncodedImages(store, rows, squares, kinds.astype("i8"), skip_damaged),
        label=label.astype("i8"),
        classes=tuple(str(name) for name in classes),
        group=np.arange(len(rows)),  # every image stands for itself
        part=part,
        fingerprint=_fingerprint(
            part.tolist(), labels.tolist(), names, scanned.sha256[rows], squares if resized else 0
        ),
        find_digests=partial(_first_bytes, scanned.sha256[rows]),
        side=squares if resized else None,
        told="; ".join(notes),
    )


def _side_of(size: NDArray[np.int32], side: int | None, usual: int) -> tuple[int, bool]:
    """The side of the squares, px, and whether images of these sizes, [N, 2], have to be resized."""
    if (size == size[0, 0]).all() and size[0, 0] <= SIDE and side in (None, size[0, 0]):
        return int(size[0, 0]), False
    return side or min(usual, int(size.min(axis=1).max())), True


def _fingerprint(
    parts: Sequence[str], classes: Sequence[str], names: Sequence[str], sha256: NDArray[np.uint8], side: int
) -> str:
    """Of parts, classes, names of files and their content: a folder and an archive of it have the same.

    side: of the squares that are made of them; 0: none are.
    """
    digest = hashlib.sha256(f"squares of {side}".encode() if side else b"")
    for part, label, name, content in zip(parts, classes, names, sha256, strict=True):
        digest.update(f"{part}/{label}/{name}".encode(errors="surrogateescape") + b"\0" + content.tobytes())
    return digest.hexdigest()


def _first_bytes(sha256: NDArray[np.uint8]) -> Digests:
    """As `digest_of` has them."""
    return np.ascontiguousarray(sha256[:, :8]).view("<u8")[:, 0].astype(np.uint64)
