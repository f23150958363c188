"""The views of the pretext tasks against the per-image torchvision code that one would write.

OPENBLAS_NUM_THREADS=1 python benchmarks/views.py [views.md]

Both sides make batches of the same views of the same 64 images, uint8 of 96 px, on one core, interleaved, by
processor time. A rate counts images that go in: all four rotations are one. With a path, the table is written there.
Takes about a minute.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image
from timing import interleaved, options
from torch import Tensor
from torch.utils.data import default_collate
from torchvision import transforms

from embodied_ssl.encoders import split_colors
from embodied_ssl.methods import make_method
from embodied_ssl.methods.context_encoder import covered, random_blobs
from embodied_ssl.methods.relative_patch import SIDES
from embodied_ssl.parts.augmentation import color_jitter
from embodied_ssl.parts.colors import cell_colors, color_classes, rgb_to_lab, soft_classes
from embodied_ssl.parts.tiles import lay
from embodied_ssl.parts.views import random_square, rotations, to_float

SIZE, BATCH = 96, 64
PICTURES = torch.from_numpy(
    np.stack([cv2.resize(noise, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC) for noise in
              np.random.default_rng(0).integers(0, 256, (BATCH, 12, 12, 3), dtype=np.uint8)])
).movedim(-1, 1)  # fmt: skip
RNG = torch.Generator().manual_seed(0)
CLASSES = torch.from_numpy(color_classes())
METHODS = {"relative_patch": make_method("relative_patch", "conv4", SIZE, colors="drop"),
           "jigsaw": make_method("jigsaw", "conv4", SIZE)}  # fmt: skip


def ours_rotation() -> Any:
    return rotations(random_square(PICTURES, RNG, SIZE))


def ours_patches() -> Any:
    method: Any = METHODS["relative_patch"]
    patches, side = method.pairs(PICTURES, RNG)
    return method.guarded(patches, RNG), side


def ours_jigsaw() -> Any:
    method: Any = METHODS["jigsaw"]
    order = torch.randint(method.permutations, (BATCH,), generator=RNG)
    return lay(method.seen(method.cut(PICTURES, RNG), RNG), method.orders[order])


def ours_holes() -> Any:
    images = random_square(PICTURES, RNG, SIZE)
    return covered(images, random_blobs(BATCH, SIZE, (0.1, 0.25), RNG))


def ours_colors() -> Any:
    lab = rgb_to_lab(random_square(PICTURES, RNG, SIZE))
    return lab[:, :1] / 100, soft_classes(cell_colors(lab, SIZE // 4).permute(0, 2, 3, 1).flatten(0, 2))


def ours_halves() -> Any:
    lab = rgb_to_lab(random_square(PICTURES, RNG, SIZE))
    soft = soft_classes(cell_colors(lab, SIZE // 4).permute(0, 2, 3, 1).flatten(0, 2))
    return split_colors(lab), soft, (cell_colors(lab[:, [0, 0, 0]], SIZE // 4)[:, 0]).long()


def ours_frames() -> Any:
    return color_jitter(to_float(PICTURES, SIZE), RNG, 0.4, 0.4, 0.4, 0.1)


SQUARE = transforms.Compose([
    transforms.RandomResizedCrop(SIZE, scale=(0.5, 1.0), ratio=(1.0, 1.0)), transforms.RandomHorizontalFlip(),
])  # fmt: skip
JITTER = transforms.ColorJitter(0.4, 0.4, 0.4, 0.1)
TENSOR = transforms.ToTensor()
ARRAYS = [picture.movedim(0, -1).numpy() for picture in PICTURES]


def their_rotation(image: Any) -> Tensor:
    view = TENSOR(SQUARE(image))
    return torch.stack([torch.rot90(view, quarter, (1, 2)) for quarter in range(4)])


def their_patches(image: Any) -> Any:
    patch, gap = round(0.3 * SIZE), round(0.15 * SIZE)
    side = int(torch.randint(8, ()))
    u, v = (step * (patch + gap) for step in SIDES[side])
    left, top = (int(torch.randint(2, SIZE - abs(d) - patch - 1, ())) - min(d, 0) for d in (u, v))
    found = []
    for x, y in ((left, top), (left + u, top + v)):
        x, y = (int(torch.randint(-2, 3, ())) + each for each in (x, y))
        view = TENSOR(transforms.functional.resized_crop(image, y, x, patch, patch, [SIZE // 2, SIZE // 2]))
        if torch.rand(()) < 0.3:
            small = transforms.functional.resize(view, [14, 14], antialias=True)
            view = transforms.functional.resize(small, [SIZE // 2, SIZE // 2])
        keep = int(torch.randint(3, ()))
        noise = torch.randn(view.shape) * view[keep].std() / 100
        noise[keep] = view[keep]
        found.append(noise)
    return torch.stack(found), side


def their_jigsaw(image: Any) -> Tensor:
    view = transforms.RandomGrayscale(0.3)(JITTER(SQUARE(image)))
    tiles = []
    for row in range(3):
        for column in range(3):
            y, x = (int(torch.randint(0, 5, ())) + 32 * each for each in (row, column))
            tile = TENSOR(transforms.functional.resized_crop(view, y, x, 27, 27, [24, 24]))
            mean, deviation = tile.mean((1, 2)), tile.std((1, 2)) + 1e-2
            tiles.append(transforms.functional.normalize(tile, mean.tolist(), deviation.tolist()))
    return torch.stack([tiles[i] for i in torch.randperm(9)])


def their_holes(image: Any) -> Tensor:
    view = TENSOR(SQUARE(image))
    field = transforms.functional.resize(
        torch.randn(1, 6, 6), [SIZE, SIZE], transforms.InterpolationMode.BICUBIC, antialias=False
    )
    view[(field > torch.quantile(field, 1 - float(torch.empty(()).uniform_(0.1, 0.25)))).expand(3, -1, -1)] = 0.45
    return view


def their_lab(image: Any) -> Any:
    lab = cv2.cvtColor(np.asarray(SQUARE(image), np.float32) / 255, cv2.COLOR_RGB2LAB)
    ab = cv2.resize(lab[..., 1:], (SIZE // 4, SIZE // 4), interpolation=cv2.INTER_AREA).reshape(-1, 2)
    squares = ((ab[:, None] - CLASSES.numpy()) ** 2).sum(2)
    nearest = np.argpartition(squares, 5, axis=1)[:, :5]
    weights = np.exp(-np.take_along_axis(squares, nearest, 1) / 50)
    return lab, nearest, weights / weights.sum(1, keepdims=True)


def their_colors(image: Any) -> Any:
    lab, nearest, weights = their_lab(image)
    return torch.from_numpy(lab[None, ..., 0] / 100), torch.from_numpy(nearest), torch.from_numpy(weights)


def their_halves(image: Any) -> Any:
    lab, nearest, weights = their_lab(image)
    lightness = cv2.resize(lab[..., 0], (SIZE // 4, SIZE // 4), interpolation=cv2.INTER_AREA).astype(np.int64)
    return *(torch.from_numpy(each) for each in (lab[..., :1], lab[..., 1:], nearest, weights)), lightness


def their_frames(image: Any) -> Tensor:
    return TENSOR(JITTER(image))


SIDES_OF: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "rotation: a random square, four turns": (ours_rotation, their_rotation),
    "relative patch: two patches, guarded": (ours_patches, their_patches),
    "jigsaw: nine tiles, colours, normalised": (ours_jigsaw, their_jigsaw),
    "context encoder: a random square, a blob": (ours_holes, their_holes),
    "colorization: Lab, soft classes of 24×24 cells": (ours_colors, their_colors),
    "split-brain: Lab, both targets": (ours_halves, their_halves),
    "temporal order: a frame with colours of its own": (ours_frames, their_frames),
}


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("table", nargs="?", type=Path, help="a file for the table")
    given = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    rows = [f"| views of {SIZE} px | ours, images/s | torchvision, one by one | ratio |", "|---|---|---|---|"]
    for name, (ours, theirs) in SIDES_OF.items():

        def batched(work: Callable[[], Any] = ours) -> int:
            work()
            return BATCH

        def each(work: Callable[[Any], Any] = theirs) -> int:
            default_collate([work(Image.fromarray(array)) for array in ARRAYS])
            return BATCH

        rates = interleaved({"ours": batched, "theirs": each}, 7, time.process_time)
        rows.append(
            f"| {name} | {rates['ours']:,.0f} | {rates['theirs']:,.0f} | {rates['ours'] / rates['theirs']:.1f} |"
        )
        print(rows[-1], flush=True)
    if given.table is not None:
        head = "`OPENBLAS_NUM_THREADS=1 python benchmarks/views.py`: one core, processor time, both sides in one run."
        given.table.write_text("# Views\n\n" + head + "\n\n" + "\n".join(rows) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
