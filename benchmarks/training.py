"""Images a second of the trainer, loader, views, loss and optimiser included, against a bare forward and backward.

python benchmarks/training.py

One thread, by processor time; DrLIM on pairs of frames of 64 px, as many as its recipe takes for the two small
encoders, a quarter for the two large ones. What a run costs before its first update and after its last one is taken
off: the rate is that of the updates between a short run and a longer one. Takes some minutes.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from timing import options

from embodied_ssl.datasets.collect.collection import collect
from embodied_ssl.encoders import make_encoder
from embodied_ssl.methods import make_method
from embodied_ssl.parts.precision import Precision
from embodied_ssl.training.settings import Hardware, TrainingSettings
from embodied_ssl.training.train import train

PRECISIONS: tuple[Precision, ...] = ("32", "bf16")
SIZE = 64  # px
PAIRS = {"conv4": 128, "kitti_net": 128, "resnet18_small": 32, "vit_tiny": 32}  # in an update
LONG = {"conv4": 18, "kitti_net": 18, "resnet18_small": 6, "vit_tiny": 6}  # updates
SHORT, ROUNDS = 2, 5


def main() -> None:
    options(__doc__).parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        collect("orbit", folder / "data", 20, size=SIZE, length=50, progress=False)
        print("| encoder | precision | bare forward and backward | trainer | ratio |\n|---|---|---|---|---|")
        for encoder in LONG:
            for precision in PRECISIONS:
                rates: dict[str, list[float]] = {"bare": [], "trainer": []}
                for number in range(ROUNDS):  # side by side, so that both meet the same machine
                    rates["bare"].append(bare(encoder, precision))
                    rates["trainer"].append(trained(encoder, precision, folder, number))
                one, other = (statistics.median(found) for found in rates.values())
                print(f"| {encoder} | {precision} | {one:,.0f} /s | {other:,.0f} /s | {other / one:.2f} |", flush=True)


def bare(name: str, precision: str) -> float:
    """Images a second, forward and backward, of an encoder alone."""
    encoder, images = make_encoder(name, SIZE), torch.rand(2 * PAIRS[name], 3, SIZE, SIZE)
    images = images.contiguous(memory_format=torch.channels_last)

    def update() -> None:
        encoder.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            features = encoder(images)
        features.float().square().mean().backward()

    update()
    count = LONG[name] - SHORT
    return count * 2 * PAIRS[name] / _seconds(lambda: [update() for _ in range(count)])


def trained(name: str, precision: Precision, folder: Path, number: int) -> float:
    """Images a second of the trainer."""

    def run(steps: int) -> float:
        method = make_method("drlim", name, SIZE)
        recipe = replace(method.recipe, steps=steps, batch_size=PAIRS[name])
        out = folder / f"{name}-{precision}-{steps}-{number}"
        return _seconds(
            lambda: train(
                method,
                out,
                {"pairs": folder / "data"},
                recipe,
                TrainingSettings(progress=False),
                Hardware("cpu", precision=precision),
            )
        )

    return (LONG[name] - SHORT) * 2 * PAIRS[name] / (run(LONG[name]) - run(SHORT))


def _seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


if __name__ == "__main__":
    main()
