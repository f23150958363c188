"""Rows of panels drawn as one image."""

import io
from collections.abc import Sequence
from functools import cache

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from embodied_ssl.method import Panel

SIDE = 128
"""Of an image, px."""
TEXT = 18
"""Height of a line of text, px."""
GAP = 8
"""Between images, px; a frame takes a little less than half of it."""
LINES = 3
"""Most lines of a text below an image."""
RIGHT, WRONG = (31, 138, 76), (200, 44, 44)
"""Colours of frames."""


def png_of(rows: Sequence[Sequence[Panel]], title: str = "") -> bytes:
    """Rows of panels as a PNG: each image at 128 px with its text below, framed by whether it is right.

    Rows may differ in length. All have room for as many lines as the longest text needs, at most three.
    """
    width = GAP + max(len(row) for row in rows) * (SIDE + GAP)
    pitch = SIDE + TEXT * max(len(_lines(panel.text)) for row in rows for panel in row) + GAP
    height = TEXT + GAP + len(rows) * pitch
    sheet = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(sheet)
    pen.text((GAP, GAP // 2), title, fill="black", font=_font())
    for r, row in enumerate(rows):
        for c, panel in enumerate(row):
            _draw(sheet, pen, panel, GAP + c * (SIDE + GAP), TEXT + GAP + r * pitch)
    found = io.BytesIO()
    sheet.save(found, "PNG")
    return found.getvalue()


def _draw(sheet: Image.Image, pen: ImageDraw.ImageDraw, panel: Panel, x: int, y: int) -> None:
    """A panel, its upper left corner at (x, y)."""
    if panel.right is not None:
        frame = GAP // 2
        pen.rectangle(
            (x - frame, y - frame, x + SIDE + frame - 1, y + SIDE + frame - 1), RIGHT if panel.right else WRONG
        )
    pixels = (panel.image.detach().float().clamp(0, 1) * 255).round().to(torch.uint8)  # [3, h, w]
    image = Image.fromarray(np.ascontiguousarray(pixels.movedim(0, -1).cpu().numpy()))
    sheet.paste(image.resize((SIDE, SIDE), Image.Resampling.NEAREST), (x, y))
    for line, text in enumerate(_lines(panel.text)):
        pen.text((x, y + SIDE + GAP // 2 + line * TEXT), text, fill="black", font=_font())


def _lines(text: str) -> list[str]:
    """A text in lines that fit below an image; what is too long for them ends in an ellipsis."""
    lines = [""]
    for word in text.replace("−", "-").split():  # the font has no minus sign
        if lines[-1] and not _fits(f"{lines[-1]} {word}"):
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    if len(lines) > LINES:
        lines[LINES - 1 :] = [f"{lines[LINES - 1]}…"]
    return [_fitting(line) for line in lines]


def _fitting(line: str) -> str:
    """As much of a line as there is room for below an image."""
    if _fits(line):
        return line
    line = line.removesuffix("…")
    while line and not _fits(f"{line}…"):
        line = line[:-1]
    return f"{line}…"


def _fits(line: str) -> bool:
    return _font().getlength(line) <= SIDE


@cache
def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(12)
