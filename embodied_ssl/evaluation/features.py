"""Features, extracted once per encoder and set of images, where a protocol asks for them."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from embodied_ssl.datasets.images.sources import ImageSet
from embodied_ssl.datasets.store.files import write_atomically
from embodied_ssl.encoders import Encoder
from embodied_ssl.parts.views import to_float

Features = NDArray[np.float32]


class Pixels(Encoder):
    """Raw pixels as features: the image at 16×16, flattened. The row that learning must beat."""

    def __init__(self) -> None:
        super().__init__()
        self.name, self.image_size, self.dim, self.channels = "pixels", 16, 768, {"pixels": 3}

    def stages(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"pixels": images}

    def pool(self, stages: dict[str, torch.Tensor]) -> torch.Tensor:
        return stages["pixels"].flatten(1)


class FeaturesOf:
    """The features of a set's images by one encoder: each is computed when it is first asked for, and kept."""

    def __init__(self, encoder: Encoder, images: ImageSet, device: str = "cpu", cache: Path | None = None):
        self._encoder, self._images, self._device, self._cache = encoder, images, device, cache
        self._known = np.zeros(len(images), bool)
        self._found = np.full((len(images), encoder.dim), np.nan, np.float32)

    def __call__(self, rows: NDArray[np.int64] | None = None) -> Features:
        """float32 [N, dim]: those of `rows` at their places (None: all), and nan where none has been asked for."""
        wanted = np.zeros_like(self._known)
        wanted[slice(None) if rows is None else rows] = True
        if len(missing := np.flatnonzero(wanted & ~self._known)):
            self._found[missing] = extract(self._encoder, self._images, missing, self._device, cache=self._cache)
            self._known[missing] = True
        return self._found


def extract(
    encoder: Encoder,
    images: ImageSet,
    rows: NDArray[np.int64] | None = None,
    device: str = "cpu",
    batch_size: int = 256,
    cache: Path | None = None,
) -> Features:
    """The pooled features of images, float32 [N, dim], by an encoder at rest; it is left as it was found.

    rows: which images; None: all. cache: a folder that keeps features by what the encoder and the set hold.
    """
    wanted = np.arange(len(images)) if rows is None else rows
    cached = None if cache is None else cache / f"{_fingerprint(encoder, images, wanted)}.npy"
    if cached is not None and cached.is_file():
        return np.load(cached, allow_pickle=False)
    found = encode(encoder, images.images, wanted, device, batch_size)
    if cached is not None:
        _write(cached, found)
    return found


def encode(
    encoder: Encoder, images: Any, rows: NDArray[np.int64], device: str = "cpu", batch_size: int = 256
) -> Features:
    """The pooled features of rows of images, uint8 [N, H, W, 3], by an encoder at rest: float32 [rows, dim]."""
    training = encoder.training
    encoder.eval().to(device)
    found, first = np.empty((len(rows), encoder.dim), np.float32), 0
    for part in answers(encoder, images, rows, encoder.image_size, device, batch_size):
        found[first : first + len(part)] = part
        first += len(part)
    encoder.train(training)
    return found


@torch.no_grad()
def answers(
    function: Callable[[torch.Tensor], torch.Tensor],
    images: Any,
    rows: NDArray[np.int64],
    size: int,
    device: str = "cpu",
    batch_size: int = 256,
) -> Iterator[Features]:
    """What a function says of rows of images, uint8 [N, H, W, 3], batch by batch: float32 [B, ...].

    function: of images float [B, 3, size, size] in [0, 1]; a network is to be at rest, on the device.
    """
    for first in range(0, len(rows), batch_size):
        batch = torch.from_numpy(images[rows[first : first + batch_size]]).movedim(-1, -3).to(device)
        yield function(to_float(batch, size)).float().cpu().numpy()


def _fingerprint(encoder: Encoder, images: ImageSet, rows: NDArray[np.int64]) -> str:
    about = f"{images.fingerprint} {encoder.name} {encoder.image_size} "  # weights alone do not tell how they are used
    digest = hashlib.sha256(about.encode() + rows.tobytes())
    for name, tensor in encoder.state_dict().items():
        digest.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _write(path: Path, features: Features) -> None:
    import io

    buffer = io.BytesIO()
    np.save(buffer, features, allow_pickle=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, [buffer.getbuffer()])
