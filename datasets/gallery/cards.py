"""Cards: what a notebook shows of a data set or of a set of images, in itself and at a glance."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.gallery import thumbnails
from embodied_ssl.datasets.gallery.charts import number, words
from embodied_ssl.datasets.gallery.template import render

if TYPE_CHECKING:
    from embodied_ssl.datasets.images.image_set import ImageSet
    from embodied_ssl.datasets.read.readers import Dataset

MOST_IMAGES = 12
_SIDE_PX = 96


def dataset_card(dataset: "Dataset") -> str:
    """A data set: how much it holds, images from all over it, its fields, and how it was collected."""
    images = dataset.array(dataset.declaration.image_paths[0])
    rows = spread(len(images), MOST_IMAGES)
    fields = [(path, _described(dataset, path)) for path, field in dataset.fields.items() if field.table != "camera"]
    return render(
        "card.html.j2",
        title=dataset.path.resolve().name,
        kind=dataset.kind,
        counts=counts_of(dataset),
        images=list(zip(thumbnails.embed_small(images[rows], _SIDE_PX), [f"row {row}" for row in rows], strict=True)),
        details=[("Fields", fields), ("How it was collected", settings_of(dataset))],
    )


def image_set_card(images: "ImageSet") -> str:
    """A set of labelled images: how many of which class and part, and one of each class."""
    count = np.bincount(images.label, minlength=len(images.classes))
    there = np.flatnonzero(count)
    some = there[spread(len(there), MOST_IMAGES)]
    shown = np.array([np.argmax(images.label == each) for each in some], np.int64)
    names = [words(images.classes[each]) for each in some]
    parts = [(part or "no part", f"{(images.part == part).sum():,}") for part in np.unique(images.part).tolist()]
    height, width = images.images.shape[1:3]
    return render(
        "card.html.j2",
        title=words(images.name),
        kind=images.told,
        counts=[
            ("images", f"{len(images):,}"), ("size", f"{width} × {height} px"), ("classes", f"{len(images.classes)}"),
            ("groups", f"{len(np.unique(images.group)):,}"), *(parts if len(parts) > 1 else []),
        ],
        images=list(zip(thumbnails.embed_small(images.images[shown], _SIDE_PX), names, strict=True)),
        details=[("Classes", [(words(images.classes[each]), f"{count[each]:,} images") for each in there])],
    )  # fmt: skip


def counts_of(dataset: "Dataset") -> list[tuple[str, str]]:
    """How much a data set of any kind holds: (what, value)."""
    height, width = dataset.array(dataset.declaration.image_paths[0]).shape[1:3]
    return [
        (dataset.declaration.rows, f"{len(dataset):,}"),
        ("episodes", f"{dataset.manifest.count('episodes'):,}"),
        ("image", f"{width} × {height} px"),
        ("objects placed", f"{dataset.manifest.count('objects'):,}"),
        ("on disk", f"{number(dataset.manifest.count('size') / 1e6)} MB"),
    ]


def settings_of(dataset: "Dataset") -> list[tuple[str, str]]:
    """How a data set was collected, as name and value."""
    spec = dict(dataset.spec)
    settings = spec.pop("env", {})
    for name in ("policy_code", "added_code"):
        if isinstance(spec.get(name), dict):  # digests, of which a page has no use
            del spec[name]
    every = {**spec, **(settings if isinstance(settings, dict) else {})}
    for name, value in list(every.items()):
        if isinstance(value, dict):
            del every[name]
            every |= {f"{name} {key}": each for key, each in value.items()}
    every["package version"] = dataset.manifest.package_version
    return [(words(name), _plain(value)) for name, value in every.items() if value not in ("", None)]


def spread(count: int, most: int) -> NDArray[np.int64]:
    """Up to `most` of the numbers below `count`, evenly spread."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))


def _described(dataset: "Dataset", path: str) -> str:
    """The type, shape, unit and meaning of a field: `float64 [640], s: since the start of the episode`."""
    array, field = dataset.array(path), dataset.fields[path]
    kind = f"{str(array.dtype).removeprefix('|')} {list(array.shape)}"
    return f"{kind}{', ' + field.unit if field.unit else ''}: {field.description}"


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return number(value)
    return ", ".join(map(_plain, value)) if isinstance(value, list | tuple) else words(str(value))
