"""Features extracted in a second, reading and converting of images included, against the bare forward pass.

OPENBLAS_NUM_THREADS=1 python benchmarks/features.py [--images 100000] [--data DATA]

On one core, interleaved, by processor time. Bare: the encoder on float images that lie ready in memory. Of DATA, a data
set, as many images; without, noise in memory, once of the encoder's size and once larger, so that it is scaled down.
Takes about five minutes for 100,000 images of one encoder a round.
"""

import time

import numpy as np
import torch
from numpy.typing import NDArray
from timing import existing, interleaved, options, table

from embodied_ssl.datasets.images.sources import image_set
from embodied_ssl.encoders import random_encoder
from embodied_ssl.evaluation.features import encode

SIZE, BATCH = 48, 256


def main() -> None:
    """Print the rates."""
    parser = options(__doc__)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--data", type=existing)
    parser.add_argument("--encoders", nargs="+", default=["conv4", "resnet8", "vit_micro"])
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(1)
    noise = np.random.default_rng(0)
    shown = {f"{side} px": noise.integers(0, 256, (2048, side, side, 3), np.uint8) for side in (SIZE, 64)}
    if given.data:
        images = image_set(given.data)
        shown = {images.name: images.images}
    rows: NDArray[np.int64] = np.arange(given.images)
    for name in given.encoders:
        encoder, ready = random_encoder(name, SIZE, 0).eval(), torch.rand(BATCH, 3, SIZE, SIZE)

        def bare() -> int:
            with torch.no_grad():
                for _ in range(0, len(rows), BATCH):
                    encoder(ready)  # noqa: B023
            return -(-len(rows) // BATCH) * BATCH

        def extracted(images: object) -> int:
            encode(encoder, images, rows % len(images))  # type: ignore[arg-type]  # noqa: B023
            return len(rows)

        sides = {"bare": bare} | {source: lambda own=own: extracted(own) for source, own in shown.items()}
        table(name, interleaved(sides, given.rounds, time.process_time), "images/s", "bare")


if __name__ == "__main__":
    main()
