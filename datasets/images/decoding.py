"""Encoded images of any format to squares: JPEG, PNG, BMP, WebP, GIF, TIFF, AVIF, PNM.

OpenCV decodes what is common, twice as fast; Pillow the rest, and all that has transparency, 16 bits or four inks.

- Transparent images lie on white.
- 16 bits are scaled by their range: 65535 is white. Images of 32-bit numbers by the smallest and largest they hold.
- The turn that a camera noted (EXIF) is done. Of several frames it is the first.
"""

import io
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

MOST_PIXELS = 89_478_485
"""Of one image; from here on Pillow warns of an attack."""
_FORMATS = ("JPEG", "PNG", "BMP", "DIB", "WEBP", "GIF", "TIFF", "AVIF", "PPM")
_PNG = b"\x89PNG\r\n\x1a\n"
_REDUCED = {
    8: cv2.IMREAD_REDUCED_COLOR_8,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    1: cv2.IMREAD_COLOR,
}


class Header(NamedTuple):
    """What the first bytes of an image say of it."""

    width: int
    height: int
    common: bool
    """Whether OpenCV decodes it rightly."""


def read_header(content: bytes) -> Header:
    """The size of an image, without decoding it. Raises ValueError where it is none, is cut, or is far too large."""
    if not content:
        raise ValueError("is empty")
    if content[:2] == b"\xff\xd8":
        header = _jpeg(content)
    elif content[:8] == _PNG:
        header = _png(content)
    elif content[:4] == b"RIFF" and content[8:16] == b"WEBPVP8 ":
        header = _webp(content)
    elif content[:2] == b"BM" and content[28:34] == b"\x18\0\0\0\0\0" and content[14:18] == b"\x28\0\0\0":
        header = _bmp(content)
    else:
        header = _other(content)
    if header.width < 1 or header.height < 1:
        raise ValueError(f"is {header.width} × {header.height} px")
    if header.width * header.height > MOST_PIXELS:
        raise ValueError(
            f"is {header.width:,} × {header.height:,} px, more than {MOST_PIXELS / 1e6:.0f} million pixels"
        )
    return header


def decode(content: bytes, side: int) -> Picture:
    """The square in the middle of an image, its shorter side resized to `side`: uint8 [side, side, 3].

    It is averaged over areas where it shrinks. Raises ValueError where it cannot be decoded.
    """
    header = read_header(content)
    image = _by_opencv(content, header, side) if header.common else _by_pillow(content)
    height, width = image.shape[:2]
    whole = min(height, width)
    top, left = (height - whole) // 2, (width - whole) // 2
    square = image[top : top + whole, left : left + whole]
    if whole != side:
        how = cv2.INTER_AREA if whole > side else cv2.INTER_LINEAR
        square = np.asarray(cv2.resize(square, (side, side), interpolation=how), np.uint8)
    return np.ascontiguousarray(square[..., ::-1] if header.common else square)


def _by_opencv(content: bytes, header: Header, side: int) -> Picture:
    """BGR. JPEG is decoded at a half, quarter or eighth of its size where that still has pixels to average over."""
    shorter = min(header.width, header.height)
    share = next(d for d in _REDUCED if d == 1 or (content[:2] == b"\xff\xd8" and shorter >= 2 * d * side))
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), _REDUCED[share])
    except cv2.error as error:
        raise ValueError(f"cannot be decoded ({error.err})") from None
    if image is None:
        raise ValueError("cannot be decoded")
    return np.asarray(image, np.uint8)


def _by_pillow(content: bytes) -> Picture:
    """RGB."""
    from PIL import Image, ImageOps

    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            kind = image.format
            return _to_rgb(ImageOps.exif_transpose(image), kind)
    except Exception as error:  # whatever a broken file makes a decoder raise
        raise ValueError(f"cannot be decoded ({' '.join(str(error).split())[:100]})") from None


def _to_rgb(image: Any, kind: str | None) -> Picture:
    if image.mode.startswith(("I", "F")):
        values = np.nan_to_num(np.asarray(image).astype(np.float64), posinf=0, neginf=0)
        sixteen = image.mode.startswith("I;16") or kind in ("PNG", "PPM")  # Pillow reads 16 bits of these as 32
        low, high = (0.0, 65535.0) if sixteen else (float(values.min()), float(values.max()))
        grey = ((values - low) / max(high - low, 1e-12)).clip(0, 1) * 255
        return np.repeat(np.rint(grey).astype(np.uint8)[..., None], 3, axis=2)
    if not image.has_transparency_data:
        return np.asarray(image.convert("RGB"))
    rgba = np.asarray(image.convert("RGBA")).astype(np.uint16)
    opaque = rgba[..., 3:]
    return ((rgba[..., :3] * opaque + 255 * (255 - opaque) + 127) // 255).astype(np.uint8)


def _jpeg(content: bytes) -> Header:
    """Segment by segment to the frame's header; then the end must be there, since OpenCV pads a cut one with grey."""
    place, last = 2, len(content) - 10
    while place < last:
        if content[place] != 0xFF:
            raise ValueError("is damaged")
        marker = content[place + 1]
        if marker == 0xFF:  # fill
            place += 1
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            if content.rfind(b"\xff\xd9") < place:
                break
            height, width = (int.from_bytes(content[place + i : place + i + 2], "big") for i in (5, 7))
            return Header(width, height, content[place + 4] == 8 and content[place + 9] in (1, 3))
        place += 2 + int.from_bytes(content[place + 2 : place + 4], "big")
    raise ValueError("is cut")


def _png(content: bytes) -> Header:
    pixels = content.find(b"IDAT")
    if pixels < 0 or content.rfind(b"IEND") < pixels:
        raise ValueError("is cut")
    width, height = (int.from_bytes(content[i : i + 4], "big") for i in (16, 20))
    head, tail = content[33:pixels], content[-2048:]
    depth, colours = content[24], content[25]
    plain = not any(name in head for name in (b"tRNS", b"acTL", b"eXIf")) and b"eXIf" not in tail
    return Header(width, height, depth <= 8 and colours in (0, 2, 3) and plain)


def _webp(content: bytes) -> Header:
    if len(content) < 8 + int.from_bytes(content[4:8], "little"):
        raise ValueError("is cut")
    width, height = (int.from_bytes(content[i : i + 2], "little") & 0x3FFF for i in (26, 28))
    return Header(width, height, True)


def _bmp(content: bytes) -> Header:
    width, height = (int.from_bytes(content[i : i + 4], "little", signed=True) for i in (18, 22))
    if len(content) < int.from_bytes(content[10:14], "little") + abs(height) * ((3 * width + 3) // 4 * 4):
        raise ValueError("is cut")
    return Header(width, abs(height), True)


def _other(content: bytes) -> Header:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            return Header(*image.size, False)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(f"has too many pixels ({error})") from None
    except Exception:  # whatever a broken file makes a decoder raise
        raise ValueError("is damaged or no image") from None
