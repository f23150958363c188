"""Images a second of a method's update where freed memory is kept, against glibc's way of handing it back.

python benchmarks/memory.py

One thread, random images of 64 px, conv4, the recipe's own batch; each side in processes of its own, side by side.
Takes about five minutes.
"""

import statistics
import subprocess
import sys

from timing import options

UPDATES = """
import sys, time, resource
import torch
from embodied_ssl.datasets.read.batches import Frames
from embodied_ssl.training.devices.memory import keep_memory
from embodied_ssl.method import Step
from embodied_ssl.methods import make_method
from embodied_ssl.training.optimization import make_optimizer

if sys.argv[2] == "kept":
    keep_memory()
torch.set_num_threads(1)
method, rng = make_method(sys.argv[1], "conv4", 64), torch.Generator().manual_seed(0)
count, optimizer = method.recipe.batch_size, make_optimizer(method, method.recipe, fused=True)
frames = Frames(torch.randint(0, 256, (count, 3, 64, 64), dtype=torch.uint8, generator=rng), torch.arange(count))
times = []
for _ in range(12):
    started = time.perf_counter()
    optimizer.zero_grad()
    method.loss(frames=frames, step=Step(0.5, rng))["loss"].backward()
    optimizer.step()
    times.append(time.perf_counter() - started)
print(count / sorted(times[2:])[5], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def main() -> None:
    options(__doc__).parse_args()
    print("| method | handed back | kept | ratio | most memory |\n|---|---|---|---|---|")
    for name in ("simclr", "moco", "dino", "rotation", "jigsaw", "colorization"):
        found: dict[str, list[list[float]]] = {"handed back": [], "kept": []}
        for _ in range(3):
            for side, runs in found.items():
                command = [sys.executable, "-c", UPDATES, name, side]
                done = subprocess.run(command, capture_output=True, check=True, text=True)
                runs.append([float(number) for number in done.stdout.split()])
        (before, small), (after, large) = (
            (statistics.median(column) for column in zip(*runs, strict=True)) for runs in found.values()
        )
        print(
            f"| {name} | {before:,.0f} /s | {after:,.0f} /s | {after / before:.2f} | {small:,.0f} → {large:,.0f} MB |",
            flush=True,
        )


if __name__ == "__main__":
    main()
