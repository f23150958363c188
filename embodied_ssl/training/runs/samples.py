"""What a run has learned from: digests of all its images, by which a held-out set is told from it."""

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.data import Taken
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.images.digests import Digests, united
from embodied_ssl.datasets.images.image_set import ImageSet
from embodied_ssl.datasets.store.files import write_atomically
from embodied_ssl.training.runs.run import CONFIGURATION
from embodied_ssl.zoo import run_folder

SAMPLES = "samples.npy"
"""Beside `run.json`: the digests of all images that a run may learn from, uint64, sorted, each once; also of those
that the run had learned from whose weights it began with."""


def write_samples(run: Path, streams: Mapping[str, Taken], init: str | None = None) -> None:
    """Write RUN/samples.npy, unless it is there.

    init: where the first weights are from. What a run learned from whose weights they are counts as well; what
    a file of others has seen is not known. Raises DataError where such a run does not say it.
    """
    if (run / SAMPLES).is_file():
        return
    digests = [origin.find_digests() for taken in streams.values() for origin in taken.origins]
    if (earlier := _run_of(init)) is not None:
        digests.append(_samples_of(earlier))
    buffer = io.BytesIO()
    np.save(buffer, united(digests), allow_pickle=False)
    write_atomically(run / SAMPLES, [buffer.getbuffer()])


def learned_from(run: Path | str, images: ImageSet, rows: NDArray[np.integer]) -> int:
    """How many of these rows of a set show an image that the run may have learned from.

    Images are compared by content, whatever their names (`digest_of` says what counts as the same). Raises DataError
    where the run does not say what it learned from.
    """
    return int(np.isin(images.digests[rows], _samples_of(Path(run))).sum())


def _run_of(init: str | None) -> Path | None:
    """The run that first weights are from: its directory was given, or its file; None: they are of no run."""
    path = run_folder(init or "")
    folder = path if path.is_dir() else path.parent
    return folder if init is not None and (folder / CONFIGURATION).is_file() else None


def _samples_of(run: Path) -> Digests:
    path = run / SAMPLES
    try:
        return np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise DataError(
            f"{path}: missing, so what this run learned from is unknown; run the same embodied-ssl train again"
        ) from None
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path}: damaged ({error}); delete it and run the same embodied-ssl train again") from None
