"""What the contrastive methods, DINO, MAE and CLIP learn, and what positives of the body add to augmentation.

OPENBLAS_NUM_THREADS=1 python benchmarks/contrast.py --cifar10 cifar10.zip --fashion /usr/share/datasets/fashion-mnist

The data, the encoder and the budget of `pretext.py`, so that the tables can be read side by side. Trains every row with
three seeds, measures all rows alike by a linear probe and k-NN on rooms, things and pictures never trained on, and
writes OUT/contrast.md and a report for each part. A run that was interrupted goes on.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pretext import BATCH, SIZE, UNKNOWN, across_sets, prepare

from embodied_ssl.comparison import compare
from embodied_ssl.datasets.collect import collect
from embodied_ssl.evaluate.results import Result

PICTURES = ("simclr", "moco --version 1", "moco --version 2", "moco --version 3", "dino", "mae --encoder vit_tiny")
VIEWS = ("simclr", "simclr --views body", "simclr --views both", "moco", "moco --views body", "moco --views both")
OF_BODY = tuple(f"{name} --views {views}" for name in ("simclr", "moco") for views in ("body", "both"))


@dataclass(frozen=True)
class Part:
    """Rows that learn from the same data."""

    title: str
    rows: tuple[str, ...]
    data: tuple[str, ...]
    on: tuple[str, ...]
    scale: int  # how many times the updates of the first part


def part_of_body(title: str, data: str, on: str, settings: str = "") -> Part:
    """Positives by augmentation, by the body, and by both."""
    return Part(title, tuple(f"{row}{settings if 'views' in row else ''}" for row in VIEWS), (data,), (on,), 3)


HELD_OUT = ("new_rooms", "new_orbits", "new_things", "cifar10", "fashion_mnist")
PARTS = {
    "bodies": Part(
        "Learned from a body's data", (*PICTURES, *OF_BODY, "clip"), ("roam", "grasp", "push", "poke"), HELD_OUT, 1
    ),
    "cifar10": Part("Learned from CIFAR-10 without labels", PICTURES, ("cifar10",), ("cifar10", "fashion_mnist"), 3),
    "path": part_of_body("Neighbouring frames along a path", "roam", "new_rooms"),
    "orbit": part_of_body("Views around an orbit", "orbit", "new_orbits", " --crop 1"),
    "act": part_of_body("An object before and after a push", "push", "new_things", " --across act"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("contrast"))
    parser.add_argument("--cifar10", type=Path, required=True)
    parser.add_argument("--fashion", type=Path, required=True)
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=150, help="updates in the first part; thrice in the others")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    data = prepare(given.out / "data", given.cifar10, given.fashion, given.workers)
    data["orbit"] = given.out / "data" / "orbit"
    known = (0, UNKNOWN[0])
    collect("orbit", data["orbit"], episodes=400, length=12, size=48, instances=known, workers=given.workers)
    text = ["# Contrastive and later methods", f"`python benchmarks/contrast.py --steps {given.steps}`: {given.seeds} "
            f"seeds, encoder conv4 at {SIZE} px where no other is named, {BATCH} samples of each stream in an update; "
            "mean ± 95 % interval. Views of the body may take two streams, `pairs` of frames and `objects`. `labels` "
            "is the same encoder trained with all labels of the first set that is learned from."]  # fmt: skip
    for name in given.parts:
        part = PARTS[name]
        results = compare(
            part.rows, given.out / name, [data[each] for each in part.data], [data[each] for each in part.on],
            seeds=given.seeds, image_size=SIZE, steps=part.scale * given.steps, batch_size=BATCH, workers=given.workers,
            protocols=("linear_probe", "knn"), device="cpu",
        )  # fmt: skip
        text += tables(f"{part.title}, {part.scale * given.steps} updates", results)
        (given.out / "contrast.md").write_text("\n\n".join(text) + "\n", encoding="utf-8")
    print((given.out / "contrast.md").read_text(encoding="utf-8"))


def tables(title: str, results: Sequence[Result]) -> list[str]:
    """A part as Markdown: one table for each protocol."""
    text = [f"## {title}"]
    for protocol in ("linear_probe", "knn"):
        text += [f"Accuracy, {protocol.replace('_', ' ')}:", across_sets(results, protocol)]
    return text


if __name__ == "__main__":
    main()
