"""Every method on the same data, encoder and budget, and what its features are worth on what was never trained on.

OPENBLAS_NUM_THREADS=1 python benchmarks/methods.py --cifar10 cifar10.zip --fashion /usr/share/datasets/fashion-mnist

Collects its data, trains every row with three seeds, measures all rows alike by a linear probe and k-NN on rooms,
objects and images never trained on, and writes OUT/methods.md and a report for each part. A run that was interrupted
goes on. CIFAR-10 is an archive of `train/CLASS/*` and `test/CLASS/*`, Fashion-MNIST the folder of Debian's package.
Takes some hours on two cores.
"""

import gzip
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from timing import existing, options

from embodied_ssl.comparison import compare
from embodied_ssl.datasets.collect.collection import collect
from embodied_ssl.datasets.images.idx import FILES, read_idx
from embodied_ssl.datasets.store.files import write_atomically
from embodied_ssl.evaluation.results import Result
from embodied_ssl.report.text import markdown_table

KNOWN, UNKNOWN = (0, 64), (64, 96)  # instances of each category: those learned from, and those measured on
LEARN: dict[str, tuple[str, dict[str, Any]]] = {
    "roam": ("roam", {"episodes": 150, "length": 40, "size": 48, "flow": True}),
    "grasp": ("grasp", {"episodes": 600, "instance": True, "instances": KNOWN}),
    "push": ("push", {"episodes": 400, "instance": True, "instances": KNOWN}),
    "poke": ("poke", {"episodes": 400, "instance": True, "instances": KNOWN}),
    "orbit": ("orbit", {"episodes": 400, "length": 12, "size": 48, "instances": KNOWN}),
}
MEASURE: dict[str, tuple[str, dict[str, Any]]] = {
    "new_rooms": ("roam", {"episodes": 400, "length": 12, "size": 48, "seed": 1000}),
    "new_orbits": ("orbit", {"episodes": 640, "length": 3, "size": 48, "instances": UNKNOWN, "seed": 1000}),
    "new_things": ("poke", {"episodes": 400, "instance": True, "instances": UNKNOWN, "seed": 1000}),
}
PRETEXT = ("rotation", "relative_patch", "jigsaw", "context_encoder", "colorization", "split_brain")
CONTRAST = ("simclr", "moco --version 1", "moco --version 2", "moco --version 3", "dino", "mae --encoder vit_tiny")
VIDEO = ("temporal_order", "temporal_order --sample_by energy", "temporal_order --sample_by ego")
EQUIVARIANCE = ("equivariance", "continuous_equivariance")
EMBODIED = ("temporal_coherence", "drlim", "egomotion", *EQUIVARIANCE, "curious_robot")
BODY = tuple(f"{name} --views {views}" for name in ("simclr", "moco") for views in ("body", "both"))
SIZE, BATCH = 32, 64  # px; samples of each stream in an update
TRAIN, MORE, TEST = 400, 1000, 100  # images of each class of CIFAR-10 and Fashion-MNIST; MORE: for curves over labels


@dataclass(frozen=True)
class Part:
    """Rows that learn from the same data."""

    title: str
    rows: tuple[str, ...]
    data: tuple[str, ...]
    on: tuple[str, ...]


def views_of(title: str, data: str, on: str, settings: str = "") -> Part:
    """Positives by augmentation, by the body, and by both, on the one kind of data that has the body's."""
    return Part(title, ("simclr", "moco", *(f"{row}{settings}" for row in BODY)), (data,), (on,))


PARTS = {
    "bodies": Part(
        "Learned from a body's data",
        (*PRETEXT, *VIDEO, *EMBODIED, *CONTRAST, *BODY, "clip"),
        ("roam", "grasp", "push", "poke"),
        (*MEASURE, "cifar10", "fashion_mnist"),
    ),
    "cifar10": Part(
        "Learned from CIFAR-10 without labels", (*PRETEXT, *CONTRAST), ("cifar10",), ("cifar10", "fashion_mnist")
    ),
    "path": views_of("Views: neighbouring frames along a path", "roam", "new_rooms"),
    "orbit": views_of("Views: around an orbit", "orbit", "new_orbits", " --crop 1"),
    "interaction": views_of("Views: an object before and after a push", "push", "new_things", " --across interaction"),
}


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--out", type=Path, default=Path("methods"))
    parser.add_argument("--cifar10", type=existing, required=True, help="archive of train/CLASS/* and test/CLASS/*")
    parser.add_argument("--fashion", type=existing, required=True, help="folder in MNIST's format")
    parser.add_argument("--parts", nargs="+", choices=[*PARTS, "labels"], default=[*PARTS, "labels"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=450, help="updates; thrice as many for the curves over labels")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    data = prepare(given.out / "data", given.cifar10, given.fashion, given.workers)
    same: dict[str, Any] = {"seeds": given.seeds, "image_size": SIZE, "batch_size": BATCH, "workers": given.workers,
                            "device": "cpu"}  # fmt: skip
    text = [
        f"# Every method under one budget\n\n`python benchmarks/methods.py`: {given.seeds} seeds, encoder conv4 at "
        f"{SIZE} px where no other is named, {BATCH} samples of each stream in an update; mean ± 95 % interval. A "
        "method takes the first of the data sets that has what it learns from: images and pairs are those of `roam`. "
        "`labels` is the same encoder trained with all labels of the first set."
    ]
    for name in given.parts:
        if name == "labels":
            text.append(few_labels(given.out / name, data["more_of_cifar10"], 3 * given.steps, same))
        else:
            part = PARTS[name]
            learn, on = [data[each] for each in part.data], [data[each] for each in part.on]
            results = compare(part.rows, given.out / name, learn, on, steps=given.steps,
                              protocols=("linear_probe", "knn"), **same)  # fmt: skip
            text.append(section(f"{part.title}, {given.steps} updates", results))
        write_atomically(given.out / "methods.md", [("\n\n".join(text) + "\n").encode()])


def prepare(folder: Path, cifar10: Path, fashion: Path, workers: int) -> dict[str, Path]:
    """All data sets by name: those collected, and a part of each of the two sets of images."""
    for name, (kind, settings) in (LEARN | MEASURE).items():
        collect(kind, folder / name, workers=workers, **settings)
    data = {name: folder / name for name in LEARN | MEASURE}
    data |= {name: folder / f"{name}.zip" for name in ("cifar10", "more_of_cifar10")}
    data["fashion_mnist"] = folder / "fashion_mnist"
    for name, count in (("cifar10", TRAIN), ("more_of_cifar10", MORE)):
        if not data[name].is_file():
            part_of_archive(cifar10, data[name], count)
    if not data["fashion_mnist"].is_dir():
        part_of_idx(fashion, data["fashion_mnist"])
    return data


def part_of_archive(source: Path, out: Path, most: int) -> None:
    """The first images of each class of an archive; `most` for training."""
    with zipfile.ZipFile(source) as archive, zipfile.ZipFile(out, "w") as part:
        count: dict[tuple[str, ...], int] = {}
        for name in sorted(archive.namelist()):
            place = Path(name).parts[-3:-1]
            count[place] = count.get(place, 0) + (not name.endswith("/"))
            if not name.endswith("/") and count[place] <= (most if place[0] == "train" else TEST):
                part.writestr(name, archive.read(name))


def part_of_idx(source: Path, out: Path) -> None:
    """The first images of each class of a set in MNIST's format."""
    for part, (images_name, labels_name) in FILES.items():
        images, labels = read_idx(source / images_name, 3), read_idx(source / labels_name, 1)
        most = TRAIN if part == "train" else TEST
        rows = np.sort(np.concatenate([np.flatnonzero(labels == label)[:most] for label in range(10)]))
        out.mkdir(parents=True, exist_ok=True)
        for name, array in ((images_name, images[rows]), (labels_name, labels[rows])):
            header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes()
            write_atomically(out / name, [gzip.compress(header + array.tobytes(), mtime=0)])


def few_labels(out: Path, pictures: Path, steps: int, same: dict[str, Any]) -> str:
    """Gidaris's curve: rotation's first blocks frozen and all of them tuned, beside labels alone."""
    measure = ("semi_supervised", "fine_tune")
    results = compare(("rotation",), out, [pictures], [pictures], steps=steps, protocols=measure, labels=False, **same)
    title = f"## CIFAR-10 with few labels, after {steps} updates of rotation"
    return f"{title}\n\n{without_heading(markdown_table(results))}"


def section(title: str, results: Sequence[Result]) -> str:
    """The accuracy by each protocol, and what a row has gained over the same encoder untrained."""
    text = [f"## {title}"]
    for protocol in ("linear_probe", "knn"):
        text += [f"Accuracy, {protocol.replace('_', ' ')}:", across_sets(results, protocol)]
    text += ["Linear probe, gained over the untrained encoder of the same seed, on the same split:"]
    return "\n\n".join([*text, across_sets(gains(results), "linear_probe")])


def gains(results: Sequence[Result]) -> list[Result]:
    """The differences of trained encoders to the untrained ones that they began as."""
    value = {(r.row, r.seed, r.set, r.protocol, r.metric): r.value for r in results}
    began = {"split_brain": "random split/conv4", "mae encoder vit_tiny": "random vit_tiny"}
    return [
        replace(r, value=r.value - value[began.get(r.row, "random conv4"), r.seed, r.set, r.protocol, r.metric])
        for r in results
        if r.row != "raw pixels" and not r.row.startswith("random")
    ]


def across_sets(results: Sequence[Result], protocol: str) -> str:
    """One protocol as a table with a column for each set."""
    own = [r for r in results if (r.protocol, r.metric) == (protocol, "accuracy")]
    return without_heading(markdown_table([replace(r, set="", protocol="accuracy", metric=r.set) for r in own]))


def without_heading(table: str) -> str:
    return table.split("\n\n", 1)[1]


if __name__ == "__main__":
    main()
