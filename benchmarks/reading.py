"""Random reads of frames: the mapped store against a plain memcpy of as many bytes, and against gzip chunks in h5py.

OPENBLAS_NUM_THREADS=1 python benchmarks/reading.py

Reading into memory that is used again is held against copying into memory that is used again, and reading into
fresh memory against copying into fresh memory. Rates are by processor time, from the page cache. Takes about a minute.
"""

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
from timing import interleaved, options, table

from embodied_ssl.datasets.collect.collection import collect
from embodied_ssl.datasets.read.readers import Array, Dataset

EPISODES, BATCH, BATCHES = 48, 256, 8


def made(folder: Path, shards: int, compression: str = "none") -> Array:
    """The frames of a data set of 4,800 frames of 96 px in so many shards."""
    name = folder / f"{compression}-{shards}"
    settings = {"size": 96, "length": 100, "shard_episodes": EPISODES // shards}
    collect("orbit", name, EPISODES, progress=False, compression=compression, **settings)  # type: ignore[arg-type]
    return Dataset.open(name).array("frames/rgb")


def main() -> None:
    options(__doc__).parse_args()
    folder = Path(tempfile.mkdtemp())
    try:
        stores = {shards: made(folder, shards) for shards in (1, 4, 16)}
        packed = made(folder, 4, "lz4")
        frames = stores[1][:]
        rng = np.random.default_rng(0)
        batches = [rng.integers(len(frames), size=BATCH) for _ in range(BATCHES)]
        slices = [slice(first, first + BATCH) for first in rng.integers(len(frames) - BATCH, size=BATCHES).tolist()]
        chunked = []
        with h5py.File(folder / "gzip.h5", "w") as file:
            for chunk in (1, 16):
                stored = {"compression": "gzip", "chunks": (chunk, *frames.shape[1:])}
                file.create_dataset(f"chunks of {chunk}", data=frames, **stored)
        file = h5py.File(folder / "gzip.h5")
        chunked = {chunk: file[f"chunks of {chunk}"] for chunk in (1, 16)}
        room = stores[1].room(BATCH)

        def each(read: Callable, chosen: list = batches) -> Callable[[], int]:
            def work() -> int:
                for rows in chosen:
                    read(rows)
                return len(chosen) * BATCH

            return work

        def into_room(store: Array) -> Callable:
            return lambda rows: store.read(rows, room)

        copy = "memcpy of as many bytes"
        sides = {copy: each(lambda rows: np.copyto(room, frames[rows]), slices)}
        sides |= {f"mapped store, {n} shards": each(into_room(store)) for n, store in stores.items()}
        title = f"96 px frames, batches of {BATCH} random rows, into"
        table(f"{title} memory that is used again", interleaved(sides, 15, time.process_time), "frames/s", copy)
        sides = {copy: each(lambda rows: frames[rows].copy(), slices)}
        sides |= {f"mapped store, {n} shards": each(store.__getitem__) for n, store in stores.items()}
        sides["array in memory"] = each(frames.__getitem__)
        table(f"{title} fresh memory", interleaved(sides, 15, time.process_time), "frames/s", copy)
        sides = {
            f"h5py, gzip chunks of {n}": each(lambda rows, s=s: s[np.unique(rows)], batches[:1])
            for n, s in chunked.items()
        }
        sides["lz4 store, 4 shards"] = each(packed.__getitem__)
        sides["mapped store, 4 shards"] = each(stores[4].__getitem__)
        table(f"{title} fresh memory", interleaved(sides, 5, time.process_time), "frames/s", "h5py, gzip chunks of 1")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
