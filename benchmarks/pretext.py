"""Pretext tasks beside the embodied learners: from a body's video, and those that take pictures from CIFAR-10.

OPENBLAS_NUM_THREADS=1 python benchmarks/pretext.py --cifar10 cifar10.zip --fashion /usr/share/datasets/fashion-mnist

Collects its data, trains every row with three seeds, measures all rows alike by a linear probe and k-NN on rooms,
things and pictures never trained on, and writes OUT/pretext.md and two reports. A run that was interrupted goes on.
CIFAR-10 is an archive of `train/CLASS/*` and `test/CLASS/*`, Fashion-MNIST the folder of Debian's package.
"""

import argparse
import gzip
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from embodied_ssl.comparison import compare
from embodied_ssl.datasets.collect import collect
from embodied_ssl.datasets.files import write_atomically
from embodied_ssl.datasets.idx import FILES, read_idx
from embodied_ssl.evaluate.results import Result
from embodied_ssl.report.text import markdown_table

KNOWN, UNKNOWN = (0, 64), (64, 96)  # instances of each category: those learned from, and those measured on
LEARN: dict[str, tuple[str, dict[str, Any]]] = {
    "roam": ("roam", {"episodes": 150, "length": 40, "size": 48}),
    "grasp": ("grasp", {"episodes": 600, "instance": True, "instances": KNOWN}),
    "push": ("push", {"episodes": 400, "instance": True, "instances": KNOWN}),
    "poke": ("poke", {"episodes": 400, "instance": True, "instances": KNOWN}),
}
MEASURE: dict[str, tuple[str, dict[str, Any]]] = {
    "new_rooms": ("roam", {"episodes": 200, "length": 13, "size": 48, "seed": 1000}),
    "new_orbits": ("orbit", {"episodes": 320, "length": 4, "size": 48, "instances": UNKNOWN, "seed": 1000}),
    "new_things": ("poke", {"episodes": 200, "instance": True, "instances": UNKNOWN, "seed": 1000}),
}
PICTURES = ("rotation", "relative_patch", "jigsaw", "context_encoder", "colorization", "split_brain")
EMBODIED = ("temporal_coherence", "drlim", "egomotion", "equivariance", "continuous_equivariance", "curious_robot")
SIZE, BATCH, TRAIN, TEST = 32, 64, 400, 100  # px; samples; pictures of each class of CIFAR-10 and Fashion-MNIST


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("pretext"))
    parser.add_argument("--cifar10", type=Path, required=True)
    parser.add_argument("--fashion", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=150, help="updates on the body's data; thrice as many on CIFAR-10")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    data = prepare(given.out / "data", given.cifar10, given.fashion, given.workers)
    pictures = [data["cifar10"], data["fashion_mnist"]]
    settings = {"seeds": given.seeds, "image_size": SIZE, "batch_size": BATCH, "workers": given.workers,
                "protocols": ("linear_probe", "knn"), "device": "cpu"}  # fmt: skip
    bodies = compare(
        (*PICTURES, "temporal_order", *EMBODIED), given.out / "bodies", [data[name] for name in LEARN],
        [*(data[name] for name in MEASURE), *pictures], steps=given.steps, **settings,
    )  # fmt: skip
    cifar = compare(PICTURES, given.out / "cifar10", pictures[:1], pictures, steps=3 * given.steps, **settings)
    write(given.out / "pretext.md", bodies, cifar, given.seeds, given.steps)


def prepare(folder: Path, cifar10: Path, fashion: Path, workers: int) -> dict[str, Path]:
    """All data sets by name: those collected, and a part of each of the two sets of pictures."""
    for name, (kind, settings) in (LEARN | MEASURE).items():
        collect(kind, folder / name, workers=workers, **settings)
    data = {name: folder / name for name in LEARN | MEASURE}
    data["cifar10"], data["fashion_mnist"] = folder / "cifar10.zip", folder / "fashion_mnist"
    if not data["cifar10"].is_file():
        part_of_archive(cifar10, data["cifar10"])
    if not data["fashion_mnist"].is_dir():
        part_of_idx(fashion, data["fashion_mnist"])
    return data


def part_of_archive(source: Path, out: Path) -> None:
    """The first pictures of each class of an archive."""
    with zipfile.ZipFile(source) as archive, zipfile.ZipFile(out, "w") as part:
        count: dict[tuple[str, ...], int] = {}
        for name in sorted(archive.namelist()):
            place = Path(name).parts[-3:-1]
            count[place] = count.get(place, 0) + (not name.endswith("/"))
            if not name.endswith("/") and count[place] <= (TRAIN if place[0] == "train" else TEST):
                part.writestr(name, archive.read(name))


def part_of_idx(source: Path, out: Path) -> None:
    """The first pictures of each class of a set in MNIST's format."""
    for part, (images_name, labels_name) in FILES.items():
        images, labels = read_idx(source / images_name, 3), read_idx(source / labels_name, 1)
        most = TRAIN if part == "train" else TEST
        rows = np.sort(np.concatenate([np.flatnonzero(labels == label)[:most] for label in range(10)]))
        out.mkdir(parents=True, exist_ok=True)
        for name, array in ((images_name, images[rows]), (labels_name, labels[rows])):
            header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes()
            write_atomically(out / name, [gzip.compress(header + array.tobytes(), mtime=0)])


def write(path: Path, bodies: Sequence[Result], cifar: Sequence[Result], seeds: int, steps: int) -> None:
    """The tables as Markdown."""
    text = ["# Pretext tasks and embodied learners", f"`python benchmarks/pretext.py --steps {steps}`: {seeds} seeds, "
            f"encoder conv4 at {SIZE} px, {BATCH} samples of each stream in an update; mean ± 95 % interval. "
            "`labels` is the same encoder trained with all labels of the first set that is learned from."]  # fmt: skip
    for title, results in (
        (f"Learned from a body's data, {steps} updates", bodies),
        (f"Learned from CIFAR-10 without labels, {3 * steps} updates", cifar),
    ):
        text.append(f"## {title}")
        for protocol in ("linear_probe", "knn"):
            text += [f"Accuracy, {protocol.replace('_', ' ')}:", across_sets(results, protocol)]
    path.write_text("\n\n".join(text) + "\n", encoding="utf-8")
    print(path.read_text())


def across_sets(results: Sequence[Result], protocol: str) -> str:
    """One protocol as a table with a column for each set."""
    own = [r for r in results if (r.protocol, r.metric) == (protocol, "accuracy")]
    table = markdown_table([Result(r.row, r.seed, "", r.set, r.metric, r.value, {}) for r in own])
    return table.split("\n\n", 1)[1]  # without the heading of a set


if __name__ == "__main__":
    main()
