"""Pretext tasks beside the embodied learners, on a body's video and on CIFAR-10, and their worth with few labels.

OPENBLAS_NUM_THREADS=1 python benchmarks/pretext.py --cifar10 cifar10.zip --fashion /usr/share/datasets/fashion-mnist

Collects its data, trains every row with three seeds, measures all rows alike by a linear probe and k-NN on rooms,
things and pictures never trained on, and writes OUT/pretext.md and four reports. A run that was interrupted goes on.
CIFAR-10 is an archive of `train/CLASS/*` and `test/CLASS/*`, Fashion-MNIST the folder of Debian's package.
"""

import argparse
import gzip
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from embodied_ssl.comparison import compare
from embodied_ssl.datasets.collect import collect
from embodied_ssl.datasets.files import write_atomically
from embodied_ssl.datasets.idx import FILES, read_idx
from embodied_ssl.evaluate.evaluation import evaluate
from embodied_ssl.evaluate.results import Result
from embodied_ssl.methods import make_method
from embodied_ssl.portrait import present
from embodied_ssl.report.text import markdown_table
from embodied_ssl.train import train

KNOWN, UNKNOWN = (0, 64), (64, 96)  # instances of each category: those learned from, and those measured on
LEARN: dict[str, tuple[str, dict[str, Any]]] = {
    "roam": ("roam", {"episodes": 150, "length": 40, "size": 48, "flow": True}),
    "grasp": ("grasp", {"episodes": 600, "instance": True, "instances": KNOWN}),
    "push": ("push", {"episodes": 400, "instance": True, "instances": KNOWN}),
    "poke": ("poke", {"episodes": 400, "instance": True, "instances": KNOWN}),
}
MEASURE: dict[str, tuple[str, dict[str, Any]]] = {
    "new_rooms": ("roam", {"episodes": 400, "length": 12, "size": 48, "seed": 1000}),
    "new_orbits": ("orbit", {"episodes": 640, "length": 3, "size": 48, "instances": UNKNOWN, "seed": 1000}),
    "new_things": ("poke", {"episodes": 400, "instance": True, "instances": UNKNOWN, "seed": 1000}),
}
PICTURES = ("rotation", "relative_patch", "jigsaw", "context_encoder", "colorization", "split_brain")
EMBODIED = ("temporal_coherence", "drlim", "egomotion", "equivariance", "continuous_equivariance", "curious_robot")
MOTIONS = ("energy", "ego")  # by which temporal order draws its windows, besides flow
SIZE, BATCH = 32, 64  # px; samples of each stream in an update
TRAIN, MORE, TEST = 400, 1000, 100  # pictures of each class of CIFAR-10 and Fashion-MNIST; MORE: for curves over labels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("pretext"))
    parser.add_argument("--cifar10", type=Path, required=True)
    parser.add_argument("--fashion", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=450, help="updates; thrice as many for the curves over labels")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    out, seeds, steps = given.out, given.seeds, given.steps
    data = prepare(out / "data", given.cifar10, given.fashion, given.workers)
    on = [data[name] for name in (*MEASURE, "cifar10", "fashion_mnist")]
    same: dict[str, Any] = {"seeds": seeds, "image_size": SIZE, "batch_size": BATCH, "workers": given.workers,
                            "device": "cpu"}  # fmt: skip
    table: dict[str, Any] = {**same, "steps": steps, "protocols": ("linear_probe", "knn")}
    few: dict[str, Any] = {**same, "steps": 3 * steps, "protocols": ("semi_supervised", "fine_tune"), "labels": False}
    bodies = compare(
        (*PICTURES, "temporal_order", *EMBODIED), out / "bodies", [data[name] for name in LEARN], on, **table
    )
    cifar = compare(PICTURES, out / "cifar10", [data["cifar10"]], on, **table)
    curves = compare(("rotation",), out / "labels", [data["more_of_cifar10"]], [data["more_of_cifar10"]], **few)
    order = temporal_order(out / "order", data["roam"], on, seeds, steps)
    text = [
        f"# Pretext tasks and embodied learners\n\n`python benchmarks/pretext.py`: {seeds} seeds, encoder conv4 at "
        f"{SIZE} px, {BATCH} samples of each stream in an update; mean ± 95 % interval. `labels` is the same encoder "
        "trained with all labels of the first set that is learned from.",
        section(f"Learned from a body's data, {steps} updates", bodies),
        section(f"Learned from CIFAR-10 without labels, {steps} updates", cifar),
        f"## CIFAR-10 with few labels, after {3 * steps} updates of rotation",
        without_heading(markdown_table(curves)),
        section(f"Temporal order with windows drawn by other measures of motion, {steps} updates", order),
    ]
    write_atomically(out / "pretext.md", [("\n\n".join(text) + "\n").encode()])


def prepare(folder: Path, cifar10: Path, fashion: Path, workers: int) -> dict[str, Path]:
    """All data sets by name: those collected, and a part of each of the two sets of pictures."""
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
    """The first pictures of each class of an archive; `most` for training."""
    with zipfile.ZipFile(source) as archive, zipfile.ZipFile(out, "w") as part:
        count: dict[tuple[str, ...], int] = {}
        for name in sorted(archive.namelist()):
            place = Path(name).parts[-3:-1]
            count[place] = count.get(place, 0) + (not name.endswith("/"))
            if not name.endswith("/") and count[place] <= (most if place[0] == "train" else TEST):
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


def temporal_order(out: Path, roam: Path, on: Sequence[Path], seeds: int, steps: int) -> list[Result]:
    """What temporal order learns from windows that are drawn by each measure of motion."""
    runs = []
    for by in MOTIONS:
        for seed in range(seeds):
            method = make_method("temporal_order", "conv4", SIZE, seed, by=by)
            recipe = replace(method.recipe, steps=steps, batch_size=BATCH)
            runs.append(
                train(method, out / "runs" / f"by {by}-{seed}", {"clips": roam}, recipe, seed=seed, device="cpu")
            )
    results = evaluate(runs, on, ("linear_probe", "knn"), cache=out / "features")
    present(out, results, runs, {run: on[:1] for run in runs if run.name.endswith("-0")})
    return results


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
    found = []
    for r in results:
        start = "random split/conv4" if r.row == "split_brain" else "random conv4"
        if r.row != "raw pixels" and not r.row.startswith("random"):
            found.append(replace(r, value=r.value - value[start, r.seed, r.set, r.protocol, r.metric]))
    return found


def across_sets(results: Sequence[Result], protocol: str) -> str:
    """One protocol as a table with a column for each set."""
    own = [r for r in results if (r.protocol, r.metric) == (protocol, "accuracy")]
    return without_heading(markdown_table([replace(r, set="", protocol="accuracy", metric=r.set) for r in own]))


def without_heading(table: str) -> str:
    return table.split("\n\n", 1)[1]


if __name__ == "__main__":
    main()
