"""Which image it is, by content: what tells whether one was learned from that is measured on."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Digests = NDArray[np.uint64]

_BATCH = 256


def digest_of(content: bytes | memoryview) -> int:
    """The first 8 bytes of the SHA-256 of an image's content, as a number.

    Of a file that is its bytes as they lie in a folder or archive, so that a folder and the archive of it agree. Of a
    image in HDF5 or IDX it is the pixels. The two are never equal: an image that was copied out of HDF5 into a PNG
    file, or saved anew in another format, counts as another one.
    """
    return int.from_bytes(hashlib.sha256(content).digest()[:8], "little")


def digests_of(images: Any) -> Digests:
    """The digest of each image, [N]; `images[rows]` gives uint8 [B, ...] for int64 rows [B]."""
    found = np.empty(len(images), np.uint64)
    for first in range(0, len(found), _BATCH):
        rows = np.arange(first, min(first + _BATCH, len(found)))
        found[rows] = [digest_of(np.ascontiguousarray(image).data) for image in images[rows]]
    return found


def united(parts: Sequence[Digests]) -> Digests:
    """All of several, each once, in order."""
    return np.unique(np.concatenate(parts)) if parts else np.empty(0, np.uint64)
