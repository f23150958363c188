"""Folders of JPEGs of mixed sizes: time and memory to the first update, and decoding against torchvision's ImageFolder.

OPENBLAS_NUM_THREADS=1 python benchmarks/images.py --images 100000 --workers 2

It makes its own JPEGs (26 kB each on average) in a temporary folder, which needs 2.6 GB for 100,000. Takes about
ten minutes for them on two cores. The rates are those of whole batches out of a DataLoader's worker processes, taken
in turn; the memory is the proportional set size of the training process and its workers, summed, at its peak.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from timing import interleaved, options, table

from embodied_ssl.datasets.images.encoded import begin_worker
from embodied_ssl.datasets.images.sources import image_set
from embodied_ssl.datasets.read.streams import Batches

CLASSES, DISTINCT, BATCH = 100, 300, 64


def make(folder: Path, count: int) -> None:
    """JPEGs of 160 to 640 px, of soft shapes with some grain, in class folders below `train` and `val`."""
    rng = np.random.default_rng(0)
    contents = []
    for _ in range(DISTINCT):
        height, width = rng.integers(160, 641, 2).tolist()
        coarse = cv2.resize(rng.random((height // 24, width // 24, 3), np.float32), (width, height))
        grain = rng.normal(0, 6, (height, width, 1))
        picture = np.clip(coarse * 255 + grain, 0, 255).astype(np.uint8)
        contents.append(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes())
    for number in range(count):
        place = folder / ("val" if number % 20 == 0 else "train") / f"{number // 20 % CLASSES:03}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number:07}.jpg").write_bytes(contents[number % DISTINCT])


def first_step(folder: Path, workers: int) -> tuple[float, float]:
    """Seconds from the start of the command to the end of its only update, and peak memory in GB."""
    import psutil

    out = Path(tempfile.mkdtemp())
    command = [
        sys.executable, "-m", "embodied_ssl", "train", "rotation", "--frames", str(folder), "--out", str(out / "run"),
        "--steps", "1", "--batch_size", str(BATCH), "--workers", str(workers),
    ]  # fmt: skip
    peak, started = 0.0, time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    ended = threading.Event()

    def watch() -> None:
        nonlocal peak
        main = psutil.Process(process.pid)
        while not ended.wait(0.1):
            try:
                family = [main, *main.children(recursive=True)]
                peak = max(peak, sum(each.memory_full_info().pss for each in family) / 1e9)
            except psutil.Error:
                continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    code = process.wait()
    took = time.perf_counter() - started
    ended.set()
    watcher.join()
    shutil.rmtree(out)
    if code:
        raise SystemExit(code)
    return took, peak


def endless(make_loader: Callable[[], Iterator]) -> Callable[[], int]:
    """Work that takes some batches from a loader, and begins anew where it ends."""
    loader = iter(make_loader())

    def work(batches: int = 12) -> int:
        nonlocal loader
        for _ in range(batches):
            try:
                next(loader)
            except StopIteration:
                loader = iter(make_loader())
        return batches * BATCH

    return work


def rates(folder: Path, side: int, workers: int, rounds: int) -> dict[str, float]:
    """Images/s of ours and of torchvision."""
    from torch.utils.data import DataLoader
    from torchvision.datasets import ImageFolder
    from torchvision.transforms import v2

    batches = Batches(image_set(folder, side=side).frames(), BATCH)
    transform = v2.Compose([v2.Resize(side), v2.CenterCrop(side), v2.PILToTensor()])
    theirs = ImageFolder(folder / "train", transform)

    def ours_loader() -> DataLoader:
        return DataLoader(
            batches, batch_size=None, sampler=range(10**6), num_workers=workers, worker_init_fn=begin_worker
        )  # type: ignore[arg-type]

    def their_loader() -> DataLoader:
        return DataLoader(theirs, BATCH, shuffle=True, num_workers=workers, drop_last=True)

    return interleaved(
        {"torchvision's ImageFolder": endless(their_loader), "embodied_ssl": endless(ours_loader)}, rounds
    )


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--images", type=int, default=20_000, help="how many JPEGs (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="processes that decode (default: %(default)s)")
    parser.add_argument("--side", type=int, nargs="+", default=[96, 256], help="px (default: 96 256)")
    parser.add_argument("--rounds", type=int, default=7, help="of the rates (default: %(default)s)")
    parser.add_argument("--folder", type=Path, default=None, help="where to make them (default: a temporary folder)")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(dir=given.folder))
    try:
        report(folder, given)
    finally:
        shutil.rmtree(folder)


def report(folder: Path, given: argparse.Namespace) -> None:
    for count in (DISTINCT, given.images):
        make(folder / str(count), count)
        took, peak = first_step(folder / str(count), given.workers)
        print(f"{count:9,} images: first update done after {took:.1f} s, at most {peak:.2f} GB", flush=True)
    for side in given.side:
        found = rates(folder / str(given.images), side, given.workers, given.rounds)
        title = f"Squares of {side} px, batches of {BATCH}, {given.workers} workers"
        table(title, found, "images/s", "torchvision's ImageFolder")


if __name__ == "__main__":
    main()
