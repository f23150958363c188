"""An episode as a video file."""

import math
import os
import secrets
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.readers import Dataset, is_video

_SIDE_PX = 384  # pictures are enlarged by a whole number to at least this side
_DEFAULT_RATE = 10.0


def video(directory: Path | str, episode: int, out: Path | str) -> Path:
    """Write an episode as an MP4 and return its path.

    Small pictures are enlarged by a whole number, so that they fill a player; the rate is that of the episode's time.
    The file is either there in full or not at all. Raises DataError for a data set without videos, an episode that
    it does not have, a name that is no .mp4, a missing folder, and where this OpenCV has no MPEG-4 encoder.
    """
    dataset, out = Dataset.open(directory), Path(out)
    if not is_video(dataset):
        raise DataError(f"{directory}: {dataset.kind} is single acts and has no video; leave out --video to view them")
    lengths = dataset.episodes["length"]
    if not 0 <= episode < len(lengths):
        raise DataError(f"{directory}: no episode {episode}; it has 0 to {len(lengths) - 1}")
    if out.suffix.lower() != ".mp4":
        raise DataError(f"{out}: the video is an MP4; give a name that ends in .mp4")
    if not out.parent.is_dir():
        raise DataError(f"{out.parent}: no such directory; make it first")
    rows = dataset.episodes["start"][episode] + np.arange(lengths[episode])
    rate = frame_rate(dataset.array("frames/time")[rows])
    temporary = out.with_name(f".{out.stem}.{os.getpid()}-{secrets.token_hex(4)}.part.mp4")
    try:
        _write(temporary, dataset.array("frames/rgb")[rows], rate)
        os.replace(temporary, out)
    except OSError as error:
        raise DataError(f"{out}: cannot be written ({error.strerror})") from error
    finally:
        temporary.unlink(missing_ok=True)
    return out


def frame_rate(time_s: NDArray[np.float64]) -> float:
    """Frames per second of an episode from its times; 10 where they do not tell."""
    steps = np.diff(time_s)
    middle = float(np.median(steps)) if len(steps) else 0.0
    return 1 / middle if middle > 0 and math.isfinite(middle) else _DEFAULT_RATE


def enlarge(picture: NDArray[np.uint8], side: int = _SIDE_PX) -> NDArray[np.uint8]:
    """A picture, uint8 [H, W, 3], a whole number of times as large, its shorter side at least `side` pixels.

    Odd sides get one more row or column, as encoders want even ones.
    """
    height, width = picture.shape[:2]
    factor = max(1, math.ceil(side / min(height, width)))
    if factor > 1:
        size = (width * factor, height * factor)
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_LANCZOS4)  # type: ignore[assignment]
    odd = picture.shape[0] % 2, picture.shape[1] % 2
    return np.pad(picture, ((0, odd[0]), (0, odd[1]), (0, 0)), mode="edge")


def _write(path: Path, pictures: NDArray[np.uint8], rate: float) -> None:
    """Encode pictures, uint8 [T, H, W, 3]; DataError where OpenCV does not."""
    path.touch()  # a folder that takes no files is told apart from a missing encoder
    height, width = enlarge(pictures[0]).shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), rate, (width, height))
    if not writer.isOpened():
        raise DataError(f"{path.parent}: this OpenCV has no MPEG-4 encoder; install opencv-python from a wheel")
    try:
        for picture in pictures:
            writer.write(np.ascontiguousarray(enlarge(picture)[..., ::-1]))
    finally:
        writer.release()
    if path.stat().st_size == 0:
        raise DataError(f"{path.parent}: the video came out empty; is the disk full?")
