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
RIGHT, WRONG = (31, 138, 76), (200, 44, 44)
"""Colours of frames."""


def png_of(rows: Sequence[Sequence[Panel]], title: str = "") -> bytes:
    """Rows of panels as a PNG: each image at 128 px with its text below, framed by whether it is right.

    Rows may differ in length.
    """
    width = GAP + max(len(row) for row in rows) * (SIDE + GAP)
    height = TEXT + GAP + len(rows) * (SIDE + TEXT + GAP)
    sheet = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(sheet)
    pen.text((GAP, GAP // 2), title, fill="black", font=_font())
    for r, row in enumerate(rows):
        for c, panel in enumerate(row):
            _draw(sheet, pen, panel, GAP + c * (SIDE + GAP), TEXT + GAP + r * (SIDE + TEXT + GAP))
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
    pen.text((x, y + SIDE + GAP // 2), _fitting(panel.text), fill="black", font=_font())


def _fitting(text: str) -> str:
    """As much of a text as there is room for below an image."""
    text = text.replace("−", "-")  # which the font does not have
    if _font().getlength(text) <= SIDE:
        return text
    while text and _font().getlength(f"{text}…") > SIDE:
        text = text[:-1]
    return f"{text}…"


@cache
def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(12)
