"""Images of every format and mode, against the arrays that they were written from."""

import io
import struct
import zlib
from contextlib import suppress

import cv2
import numpy as np
import pytest
from PIL import Image

from embodied_ssl.datasets.images.decoding import MOST_PIXELS, decode, read_header

SIDE = 48


def smooth(channels, size=(SIDE, SIDE), seed=0):
    """Soft colours over the whole range, which lossy formats keep."""
    rng = np.random.default_rng(seed)
    picture = cv2.GaussianBlur(rng.random((*size, channels)).astype("f4"), (0, 0), 6)
    picture = picture.reshape(*size, channels)
    return np.rint((picture - picture.min()) / np.ptp(picture) * 255).astype(np.uint8)


RGB, GREY = smooth(3), smooth(1)[..., 0]
ALPHA = smooth(1, seed=1)[..., 0]
FLAT = (np.indices((SIDE, SIDE)).sum(0) // 8 % 4 * 80).astype(np.uint8)  # few levels: palettes keep them exactly
THREE = np.stack([FLAT, FLAT[::-1], FLAT.T], -1)


def written(picture, kind, **settings):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **settings)
    return buffer.getvalue()


def on_white(colours, alpha):
    share = alpha[..., None] / 255
    return colours * share + 255 * (1 - share)


def threefold(grey):
    return np.repeat(grey[..., None], 3, axis=2)


def with_alpha(colours, alpha):
    return Image.fromarray(np.dstack([colours, alpha]))


def palette(transparent=None):
    picture = Image.fromarray((FLAT // 80).astype(np.uint8)).convert("P")
    picture.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255])
    if transparent is not None:
        picture.info["transparency"] = transparent
    return picture


def raw(mode, values):
    return Image.frombytes(mode, (SIDE, SIDE), values.tobytes())


COLOURS = np.array([[0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255]])
PALETTE = COLOURS[FLAT // 80]
CLEAR = np.where((FLAT == 80)[..., None], 255, PALETTE)  # where the second colour is transparent
INKS = smooth(4, seed=2)
FOUR = (255 - INKS[..., :3].astype(int)) * (255 - INKS[..., 3:].astype(int)) / 255
SIXTEEN = (GREY.astype(np.uint16) * 257)[::-1] ^ np.uint16(77)


def sixteen_colours(ending):
    return cv2.imencode(ending, (RGB.astype(np.uint16) * 257)[..., ::-1])[1].tobytes()


def turned(kind, orientation, picture=None, **settings):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return written(picture or Image.fromarray(RGB), kind, exif=exif, **settings)


def gif(first, second):
    return written(first, "GIF", save_all=True, append_images=[second], duration=100)


# Content, the array it was made of, and how far a value may be off.
CASES = {
    "jpeg": (written(Image.fromarray(RGB), "JPEG", quality=95), RGB, 8),
    "jpeg progressive": (written(Image.fromarray(RGB), "JPEG", quality=95, progressive=True), RGB, 8),
    "jpeg grey": (written(Image.fromarray(GREY), "JPEG", quality=95), threefold(GREY), 6),
    "jpeg cmyk": (written(raw("CMYK", INKS), "JPEG", quality=97, subsampling=0), FOUR, 12),
    "png": (written(Image.fromarray(RGB), "PNG"), RGB, 0),
    "png grey": (written(Image.fromarray(GREY), "PNG"), threefold(GREY), 0),
    "png rgba": (written(with_alpha(RGB, ALPHA), "PNG"), on_white(RGB, ALPHA), 1),
    "png grey and alpha": (
        written(raw("LA", np.dstack([GREY, ALPHA])), "PNG"), on_white(threefold(GREY), ALPHA), 1
    ),
    "png palette": (written(palette(), "PNG"), PALETTE, 0),
    "png palette and clear": (written(palette(1), "PNG", transparency=1), CLEAR, 0),
    "png colour that is clear": (
        written(Image.fromarray(PALETTE.astype(np.uint8)), "PNG", transparency=(255, 0, 0)), CLEAR, 0
    ),
    "png 1 bit": (written(Image.fromarray(FLAT > 80), "PNG"), threefold((FLAT > 80) * 255), 0),
    "png 16 bits": (written(Image.fromarray(SIXTEEN), "PNG"), threefold(SIXTEEN / 257), 0.51),
    "png 16 bits in colour": (sixteen_colours(".png"), RGB, 0),
    "tiff": (written(Image.fromarray(RGB), "TIFF"), RGB, 0),
    "tiff packed": (written(Image.fromarray(RGB), "TIFF", compression="tiff_lzw"), RGB, 0),
    "tiff rgba": (written(with_alpha(RGB, ALPHA), "TIFF"), on_white(RGB, ALPHA), 1),
    "tiff cmyk": (written(raw("CMYK", INKS), "TIFF"), FOUR, 1),
    "tiff 16 bits": (written(Image.fromarray(SIXTEEN), "TIFF"), threefold(SIXTEEN / 257), 0.51),
    "tiff 16 bits in colour": (sixteen_colours(".tiff"), RGB, 0),
    "tiff float": (written(Image.fromarray(GREY.astype("f4") / 100), "TIFF"), threefold(GREY), 1),
    "bmp": (written(Image.fromarray(RGB), "BMP"), RGB, 0),
    "bmp grey": (written(Image.fromarray(GREY), "BMP"), threefold(GREY), 0),
    "bmp palette": (written(palette(), "BMP"), PALETTE, 0),
    "webp": (written(Image.fromarray(RGB), "WEBP", quality=95), RGB, 12),
    "webp lossless": (written(Image.fromarray(RGB), "WEBP", lossless=True), RGB, 0),
    "webp rgba": (written(with_alpha(RGB, ALPHA), "WEBP", lossless=True, exact=True), on_white(RGB, ALPHA), 1),
    "gif": (written(palette(), "GIF"), PALETTE, 0),
    "gif grey": (written(Image.fromarray(GREY), "GIF"), threefold(GREY), 0),
    "gif clear": (written(palette(), "GIF", transparency=1), CLEAR, 0),
    "gif of two": (gif(palette(), Image.fromarray(GREY)), PALETTE, 0),
    "avif": (written(Image.fromarray(RGB), "AVIF", quality=95), RGB, 12),
    "avif rgba": (written(with_alpha(RGB, ALPHA), "AVIF", quality=98), on_white(RGB, ALPHA), 14),
    "ppm": (written(Image.fromarray(RGB), "PPM"), RGB, 0),
    "pgm 16 bits": (written(Image.fromarray(SIXTEEN), "PPM"), threefold(SIXTEEN / 257), 0.51),
    "jpeg on its side": (turned("JPEG", 6, quality=95), np.rot90(RGB, -1), 8),
    "jpeg mirrored": (turned("JPEG", 2, quality=95), RGB[:, ::-1], 8),
    "png upside down": (turned("PNG", 3), RGB[::-1, ::-1], 0),
    "webp on its side": (turned("WEBP", 8, lossless=True), np.rot90(RGB), 0),
    "tiff on its side": (turned("TIFF", 6), np.rot90(RGB, -1), 0),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_every_format_and_mode(case):
    content, expected, tolerance = CASES[case]
    assert read_header(content)[:2] == (SIDE, SIDE)
    found = decode(content, SIDE)
    assert found.shape == (SIDE, SIDE, 3)
    assert found.dtype == np.uint8
    assert np.abs(found - np.asarray(expected, float)).max() <= tolerance


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "AVIF"])
@pytest.mark.parametrize("size", [(60, 100), (100, 60), (48, 48), (20, 31), (500, 700)])
def test_any_size_becomes_the_square_in_its_middle(kind, size):
    """Against Pillow's own averaging of the whole image."""
    picture = Image.fromarray(smooth(3, size))
    if kind == "GIF":
        picture = picture.convert("L")
    whole = min(size)
    left, top = (size[1] - whole) // 2, (size[0] - whole) // 2
    square = picture.convert("RGB").crop((left, top, left + whole, top + whole))
    expected = np.asarray(
        square.resize((SIDE, SIDE), Image.Resampling.BOX if whole > SIDE else Image.Resampling.BILINEAR)
    )
    found = decode(written(picture, kind, **({} if kind in ("PNG", "GIF", "TIFF") else {"quality": 95})), SIDE)
    assert found.shape == (SIDE, SIDE, 3)
    assert np.abs(found.astype(int) - expected).mean() < 2
    assert np.abs(found.astype(int) - expected).max() < 24


@pytest.mark.parametrize("size", [(400, 600), (1600, 1200)])
def test_a_picture_that_shrinks_has_no_aliases(size):
    """Stripes of one pixel become grey, also where JPEG is decoded at a part of its size."""
    stripes = threefold(np.indices(size)[1] % 2 * 255).astype(np.uint8)
    for content in (written(Image.fromarray(stripes), "PNG"), written(Image.fromarray(stripes), "JPEG", quality=95)):
        assert np.abs(decode(content, SIDE).astype(int) - 127).max() < 12


def bomb(kind):
    """The header of an image of 60,000 × 60,000 px."""
    side = 60_000
    if kind == "png":
        chunk = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
        head = struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
        return b"\x89PNG\r\n\x1a\n" + head + b"\0\0\0\0IDAT\0\0\0\0" + b"\0\0\0\0IEND\xaeB`\x82"
    if kind == "jpeg":
        content = bytearray(CASES["jpeg"][0])
        place = content.index(b"\xff\xc0")
        content[place + 5 : place + 9] = struct.pack(">HH", side, side)
        return bytes(content)
    if kind == "gif":
        return b"GIF89a" + struct.pack("<HH", side, side) + CASES["gif"][0][10:]
    content = bytearray(written(Image.fromarray(RGB), "TIFF"))
    for tag in (256, 257):  # width and height
        place = content.index(struct.pack("<HH", tag, 4) + struct.pack("<I", 1))
        content[place + 8 : place + 12] = struct.pack("<I", side)
    return bytes(content)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("kind", ["png", "jpeg", "gif", "tiff"])
def test_a_header_that_claims_too_much_is_refused_before_memory_is_taken(kind):
    with pytest.raises(ValueError, match="pixels"):
        read_header(bomb(kind))
    assert MOST_PIXELS < 60_000**2


@pytest.mark.parametrize(
    "case", ["jpeg", "jpeg progressive", "png", "bmp", "webp", "tiff", "gif", "avif", "ppm", "webp rgba"]
)
@pytest.mark.parametrize("share", [0.2, 0.5, 0.95])
def test_a_cut_file_is_noticed(case, share):
    content = CASES[case][0]
    with pytest.raises(ValueError, match=r"is cut|cannot be decoded|is damaged"):
        decode(content[: int(len(content) * share)], SIDE)


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"text", b"\0" * 5000, b"%!PS-Adobe\n"]
)
def test_what_is_no_picture_is_noticed(content):
    with pytest.raises(ValueError, match=r"is empty|is cut|is damaged"):
        read_header(content)


@pytest.mark.parametrize("case", CASES)
def test_random_damage_is_noticed_or_survived(case):
    """Never anything but an image or a ValueError."""
    content, _, _ = CASES[case]
    rng = np.random.default_rng(0)
    for _ in range(20):
        broken = bytearray(content)
        for place in rng.integers(0, len(broken), 3):
            broken[place] = rng.integers(256)
        with suppress(ValueError):
            assert decode(bytes(broken), SIDE).shape == (SIDE, SIDE, 3)
