"""MP4 files of images, by PyAV."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_KEY_EVERY = 2  # a frame that stands alone, so that any one is soon decoded
_QUALITY = 18  # of H.264: what nobody tells from the original
_MOST_RATE = 1000  # the largest denominator of a rate


def film(path: Path, images: Iterable[NDArray[np.uint8]], rate: float, height: int, width: int, lossless: bool) -> None:
    """Write images, uint8 [height, width, 3] each, as H.264; lossless: every value of every pixel is kept."""
    import av

    codec, quality = ("libx264rgb", {"qp": "0"}) if lossless else ("libx264", {"crf": str(_QUALITY)})
    options = {**quality, "g": str(_KEY_EVERY), "bf": "0", "threads": "1"}  # one: the same bytes on any machine
    with av.open(str(path), "w", format="mp4") as container:
        stream: Any = container.add_stream(codec, Fraction(rate).limit_denominator(_MOST_RATE), options=options)
        stream.height, stream.width, stream.pix_fmt = height, width, pixel_format(height, width, lossless)
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")))
        container.mux(stream.encode())


def pixel_format(height: int, width: int, lossless: bool) -> str:
    """How colours are stored: half as many of them each way where sides are even."""
    if lossless:
        return "rgb24"
    return "yuv444p" if height % 2 or width % 2 else "yuv420p"
