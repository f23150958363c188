"""Frames of video files, by number: exactly those, from wherever a reader begins."""

from collections.abc import Iterator
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.imports.source import Images

REMEDY = "make it anew, as with ffmpeg -i OLD -c:v libx264 NEW.mp4"


@lru_cache(maxsize=16)
def frame_times(path: Path) -> NDArray[np.float64]:
    """When each frame of a video is shown, s, [n], by its time stamp, ascending; nothing is decoded.

    Raises DataError.
    """
    stamps, base = _stamps(path)
    return np.multiply(stamps, base, dtype=np.float64)


@lru_cache(maxsize=16)
def start_of(path: Path) -> float:
    """The time stamp that a player begins at, s; of a part that was cut out of a stream it is not 0."""
    with _opened(path) as container:
        microseconds = container.start_time
    return float(frame_times(path)[0]) if microseconds is None else microseconds * 1e-6


@lru_cache(maxsize=16)
def _stamps(path: Path) -> tuple[NDArray[np.int64], float]:
    """The time stamps of all frames, ascending, in units of so many seconds."""
    with _opened(path) as container:
        stream = container.streams.video[0]
        found = [each.pts for each in container.demux(stream) if each.pts is not None and not each.is_discard]
        base = float(stream.time_base)
    stamps = np.unique(np.array(found, np.int64))
    if len(stamps) == 0 or len(stamps) != len(found):
        raise DataError(f"{path}: its frames have no times of their own; {REMEDY}")
    return stamps, base


def decoded(path: Path, rows: NDArray[np.int64]) -> Images:
    """The frames number `rows`, which ascend, uint8 [H, W, 3] each, upright where the file says how it was held.

    Raises DataError where one cannot be decoded.
    """
    stamps, base = _stamps(path)
    wanted = stamps[rows]
    with _opened(path) as container:
        frames = _from(container, int(wanted[0]), path)
        for stamp in wanted.tolist():
            frame = next((each for each in frames if each.pts is not None and each.pts >= stamp), None)
            if frame is None or frame.pts != stamp:
                raise DataError(f"{path}: its frame at {stamp * base:.3f} s cannot be decoded; {REMEDY}")
            image = frame.to_ndarray(format="rgb24")
            yield np.ascontiguousarray(np.rot90(image, quarters)) if (quarters := round(frame.rotation / 90)) else image


def _from(container: Any, stamp: int, path: Path) -> Iterator[Any]:
    """Decoded frames from one that is not later than a time stamp; of files whose index errs, from the first."""
    stream = container.streams.video[0]
    container.seek(stamp, stream=stream, backward=True)
    frames = _decoding(container, path)
    first = next(frames, None)
    if first is None or first.pts is None or first.pts > stamp:
        container.seek(0, stream=stream, backward=True)
        return _decoding(container, path)
    return chain([first], frames)


def _decoding(container: Any, path: Path) -> Iterator[Any]:
    import av

    try:
        yield from container.decode(container.streams.video[0])
    except av.error.FFmpegError as error:
        raise DataError(f"{path}: cannot be decoded ({error.strerror}); {REMEDY}") from error


def _opened(path: Path) -> Any:
    """A container with a video in it. Raises DataError."""
    import av

    try:
        container = av.open(str(path))
    except (av.error.FFmpegError, OSError) as error:
        raise DataError(f"{path}: cannot be opened as a video ({error.strerror}); is it whole?") from error
    if not container.streams.video:
        container.close()
        raise DataError(f"{path}: has no video in it")
    return container
