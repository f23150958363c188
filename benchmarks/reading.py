"""Random reads of frames: the mapped store against a plain memcpy of the same bytes, and against gzip chunks in h5py.

OPENBLAS_NUM_THREADS=1 python benchmarks/reading.py
"""

import shutil
import tempfile
from pathlib import Path

import h5py
import numpy as np
from timing import interleaved, table

from embodied_ssl.datasets.collect import collect
from embodied_ssl.datasets.readers import Dataset

BATCH, BATCHES = 256, 8


def main() -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        collect("orbit", folder / "plain", episodes=40, size=96, length=100, progress=False)
        collect("orbit", folder / "lz4", episodes=40, size=96, length=100, progress=False, compression="lz4")
        plain = Dataset.open(folder / "plain").array("frames/rgb")
        packed = Dataset.open(folder / "lz4").array("frames/rgb")
        frames = plain[:]
        with h5py.File(folder / "gzip.h5", "w") as file:
            file.create_dataset("rgb", data=frames, compression="gzip", chunks=(16, *frames.shape[1:]))
        gzip = h5py.File(folder / "gzip.h5")["rgb"]
        rng = np.random.default_rng(0)
        batches = [rng.integers(len(frames), size=BATCH) for _ in range(BATCHES)]
        source, target = frames[:BATCH].copy(), np.empty((BATCH, *frames.shape[1:]), np.uint8)

        def each(read, chosen=batches) -> int:
            for rows in chosen:
                read(rows)
            return len(chosen) * BATCH

        sides = {
            "memcpy of the same bytes": lambda: each(lambda rows: np.copyto(target, source)),
            "mapped store, random rows": lambda: each(lambda rows: plain[rows]),
            "array in memory, random rows": lambda: each(lambda rows: frames[rows]),
            "lz4 store, random rows": lambda: each(lambda rows: packed[rows]),
            "h5py, gzip chunks of 16, random rows": lambda: each(lambda rows: gzip[np.unique(rows)], batches[:1]),
        }
        table(f"96 px frames, batches of {BATCH}", interleaved(sides), "frames/s", "memcpy of the same bytes")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
