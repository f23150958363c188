"""What the size of its batch does to SimCLR, within the memory of the smallest: gradients are cached in parts of 16.

OPENBLAS_NUM_THREADS=1 python benchmarks/batch_size.py --cifar10 cifar10.zip docs/batch_size.svg

Learns from 4,000 images of CIFAR-10 without labels: for as many updates with each size (which shows the larger more
images), and for as many images (which grants the smaller more updates). Linear probe on CIFAR-10, mean over seeds.
Takes about half an hour.
"""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from methods import part_of_archive
from timing import existing, figure, options

from embodied_ssl.datasets.gallery.charts import Axis, Chart
from embodied_ssl.evaluation.evaluate import evaluate
from embodied_ssl.methods import make_method
from embodied_ssl.training.settings import Hardware, TrainingSettings
from embodied_ssl.training.train import train

SIZES, PART, UPDATES, PICTURES, SEEDS = (16, 32, 64, 128, 256, 512), 16, 120, 120 * 128, 3


def learned(data: Path, out: Path, size: int, updates: int, seed: int) -> Path:
    method = make_method("simclr", "conv4", 32, seed, blur=0.0)
    rate = 1e-3 * (size / 128) ** 0.5  # the square root suits Adam, and is the paper's for small batches
    recipe = replace(method.recipe, steps=updates, batch_size=size, learning_rate=rate)
    run = out / f"{size} in {updates} updates-{seed}"
    how = TrainingSettings(seed=seed, accumulate=size // PART, monitor_every=10**6, progress=False)
    return train(method, run, {"frames": data}, recipe, how, Hardware("cpu"))


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--cifar10", type=existing, required=True, help="archive of train/CLASS/* and test/CLASS/*")
    parser.add_argument("figure", type=Path, help="the SVG that is written")
    given = parser.parse_args()
    torch.set_num_threads(1)
    ticks = tuple((float(size), str(size)) for size in SIZES)
    chart = Chart(Axis("batch", 12, 680, log=True, ticks=ticks), Axis("linear probe, CIFAR-10", 0.40, 0.50))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        part_of_archive(given.cifar10, folder / "cifar10.zip", 400)
        for budget, colour in (("updates", "#2f7fd6"), ("pictures", "#d67f2f")):
            means = []
            for size in SIZES:
                updates = UPDATES if budget == "updates" else PICTURES // size
                runs = [learned(folder / "cifar10.zip", folder, size, updates, seed) for seed in range(SEEDS)]
                found = evaluate(runs, [folder / "cifar10.zip"], ("linear_probe",), baselines=False, progress=False)
                values = [result.value for result in found if result.metric == "accuracy"]
                means.append(float(np.mean(values)))
                spread = np.std(values, ddof=1) / len(values) ** 0.5
                chart.whiskers([size], [means[-1] - spread], [means[-1] + spread])
                print(f"as many {budget}, batch {size}: {means[-1]:.3f} ± {spread:.3f}", flush=True)
            chart.lines([(SIZES, means)], colour, "line")
            chart.points(SIZES, means, colour)
    title = f"SimCLR; blue: {UPDATES} updates each; orange: {PICTURES:,} images each"
    given.figure.write_text(figure(chart, title), encoding="utf-8")


if __name__ == "__main__":
    main()
