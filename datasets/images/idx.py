"""The IDX format of MNIST and its kin, such as Debian's package dataset-fashion-mnist."""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.errors import DataError

FILES = {part: (f"{stem}-images-idx3-ubyte.gz", f"{stem}-labels-idx1-ubyte.gz")
         for part, stem in (("train", "train"), ("test", "t10k"))}  # fmt: skip


def is_idx(folder: Path) -> bool:
    """Whether a folder holds a set in this format."""
    return (folder / FILES["train"][0]).is_file()


def read_idx(path: Path, axes: int) -> NDArray[np.uint8]:
    """The array of a compressed file. Raises DataError where it is missing, damaged, or not of bytes in `axes` axes."""
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: missing or damaged ({error}); fetch it again") from error
    header = 4 + 4 * axes
    if len(content) < header or content[:4] != bytes([0, 0, 8, axes]):
        raise DataError(f"{path}: not an IDX file of bytes in {axes} axes; fetch it again")
    shape = [int(size) for size in np.frombuffer(content, ">u4", axes, 4)]
    if len(content) != header + math.prod(shape):
        raise DataError(f"{path}: {len(content) - header:,} bytes of {math.prod(shape):,}; fetch it again")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)
