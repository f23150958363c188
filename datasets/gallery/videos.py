"""An episode as a video file."""

import math
import os
import secrets
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.read.readers import Dataset, is_video

_SIDE_PX = 384  # images are enlarged by a whole number to at least this side
_LARGEST_PX = 4096  # of a side, to which players decode
_DEFAULT_RATE = 10.0
_BT601 = 6, 1  # FFmpeg's numbers for SMPTE 170M's matrix and for limited range
_ENCODERS = {  # of FFmpeg, the best known to players first; which of them it has depends on how it was built
    "libx264": {"crf": "18", "preset": "medium"},
    "libopenh264": {"rc_mode": "quality"},
    "libvpx-vp9": {"crf": "24", "b": "0"},
}


def video(directory: Path | str, episode: int, out: Path | str) -> Path:
    """Write an episode as an MP4 and return its path; of interactions their trajectories, as the cameras saw them.

    H.264 (VP9 where FFmpeg was built without it), 4:2:0, the index first: what every browser plays, from the first
    bytes on. Small images are enlarged by a whole number, so that they fill a player; the rate is that of the
    episode's time. The file is either there in full or not at all. Raises DataError for a data set without videos, an
    episode that it does not have, a name that is no .mp4, a missing folder, and where PyAV or its encoders are missing.
    """
    dataset, out = Dataset.open(directory), Path(out)
    if not is_video(dataset) and not dataset.cameras:
        raise DataError(
            f"{directory}: {dataset.kind} is single interactions and has no video; leave out --video to view them, or "
            "collect them with --trajectory"
        )
    lengths = dataset.episodes["length"]
    if not 0 <= episode < len(lengths):
        raise DataError(f"{directory}: no episode {episode}; it has 0 to {len(lengths) - 1}")
    if out.suffix.lower() != ".mp4":
        raise DataError(f"{out}: the video is an MP4; give a name that ends in .mp4")
    if not out.parent.is_dir():
        raise DataError(f"{out.parent}: no such directory; make it first")
    images, rate = _images_of(dataset, episode)
    temporary = out.with_name(f".{out.stem}.{os.getpid()}-{secrets.token_hex(4)}.part.mp4")
    try:
        _write(temporary, images, rate)
        os.replace(temporary, out)
    except OSError as error:
        raise DataError(f"{out}: cannot be written ({error.strerror})") from error
    finally:
        temporary.unlink(missing_ok=True)
    return out


def _images_of(dataset: Dataset, episode: int) -> tuple[NDArray[np.uint8], float]:
    """The images of an episode, [T, H, W, 3], and how many of them a second has.

    Of interactions one act after the other, as all cameras see them, side by side.
    """
    rows = dataset.episodes["start"][episode] + np.arange(dataset.episodes["length"][episode])
    if is_video(dataset):
        return dataset.array("frames/rgb")[rows], frame_rate(dataset.array("frames/time")[rows])
    acts = [dataset.trajectory(int(row)) for row in rows]
    tallest = max(acts[0][f"images/{name}"].shape[1] for name in dataset.cameras)
    images = [np.concatenate([_scaled(act[f"images/{name}"], tallest) for name in dataset.cameras], 2) for act in acts]
    return np.concatenate(images), float(dataset.spec["env"]["rate"])


def _scaled(images: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Square images [T, S, S, 3] with so many pixels on a side."""
    return np.stack([cv2.resize(image, (side, side), interpolation=cv2.INTER_NEAREST) for image in images])


def frame_rate(time_s: NDArray[np.float64]) -> float:
    """Frames per second of an episode from its times; 10 where they do not tell."""
    steps = np.diff(time_s)
    middle = float(np.median(steps)) if len(steps) else 0.0
    return 1 / middle if middle > 0 and math.isfinite(middle) else _DEFAULT_RATE


def enlarge(image: NDArray[np.uint8], side: int = _SIDE_PX) -> NDArray[np.uint8]:
    """An image, uint8 [H, W, 3], a whole number of times as large, its shorter side at least `side` pixels.

    A long and narrow one stays smaller, so that its longer side is within what players take. Odd sides get one more
    row or column, as encoders want even ones.
    """
    height, width = image.shape[:2]
    factor = max(1, min(math.ceil(side / min(height, width)), _LARGEST_PX // max(height, width)))
    if factor > 1:
        size = (width * factor, height * factor)
        image = cv2.resize(image, size, interpolation=cv2.INTER_LANCZOS4)  # type: ignore[assignment]
    odd = image.shape[0] % 2, image.shape[1] % 2
    return np.pad(image, ((0, odd[0]), (0, odd[1]), (0, 0)), mode="edge")


def _write(path: Path, images: NDArray[np.uint8], rate: float) -> None:
    """Encode images, uint8 [T, H, W, 3]; DataError where nothing can."""
    av = _pyav()
    path.touch()  # a folder that takes no files is told apart from what FFmpeg has to say
    encoder = _encoder(av)
    height, width = enlarge(images[0]).shape[:2]
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream(encoder, Fraction(rate).limit_denominator(1000), options=_ENCODERS[encoder])
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        context = stream.codec_context
        context.thread_count = 1  # the bytes depend on the number of threads
        context.colorspace, context.color_range = _BT601  # what the conversion from RGB does; unsaid, players guess
        for image in images:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(enlarge(image)), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _pyav() -> Any:
    try:
        import av
    except ImportError as error:
        raise DataError("videos are written by PyAV, which is not installed; pip install av") from error
    return av


def _encoder(av: Any) -> str:
    """The first of our encoders that this FFmpeg has."""
    for name in _ENCODERS:
        try:
            return str(av.Codec(name, "w").name)
        except av.codec.codec.UnknownCodecError:
            continue
    raise DataError(f"PyAV's FFmpeg has no encoder that browsers play ({', '.join(_ENCODERS)}); pip install av")
