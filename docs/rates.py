"""Draws the README's figure of rates, from the tables of performance.md, so that the two cannot differ.

python docs/rates.py
"""

import re
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

HERE = Path(__file__).parent
SCALE, WIDTH, ROW, LEFT = 2, 872, 44, 430
INK, ORANGE, GREY = (32, 36, 42), (226, 87, 12), (120, 126, 134)
# What is compared; the row and the number in it of each side, ours first.
COMPARED = (
    ("a furnished room drawn, with shadows", "TinyRenderer", ("our rasteriser, 2×2", 0), ("TinyRenderer, shadows", 0)),
    ("a body roams, to disk", "a loop as one writes it", ("an ego-motion loop", 1), ("an ego-motion loop", 0)),
    ("an arm moves and is drawn", "panda-gym", ("panda-gym, 0.04 s", 2), ("panda-gym, 0.04 s", 0)),
    ("random frames read", "lz4", ("mapped store", 0), ("lz4", 0)),
)


def rate(text: str, row: str, number: int) -> float:
    """A number of the row that begins so; the numbers of its first cell do not count."""
    [line] = re.findall(rf"^\| {re.escape(row)}[^|]*\|(.*)$", text, re.MULTILINE)
    return float(re.findall(r"\d[\d,]*", line.replace(" sample", ""))[number].replace(",", ""))


def main() -> None:
    """Write rates.png beside this file."""
    text = (HERE / "performance.md").read_text(encoding="utf-8")
    pairs = [(what, peer, rate(text, *ours), rate(text, *theirs)) for what, peer, ours, theirs in COMPARED]
    most = max(ours / theirs for *_, ours, theirs in pairs)
    image = Image.new("RGB", (SCALE * WIDTH, SCALE * (ROW * len(pairs) + 14)), "white")
    pen, large, small = ImageDraw.Draw(image), ImageFont.load_default(SCALE * 15), ImageFont.load_default(SCALE * 13)
    for i, (what, peer, ours, theirs) in enumerate(pairs):
        x, y, unit = SCALE * LEFT, SCALE * (ROW * i + 8), SCALE * (WIDTH - LEFT - 130) / most
        beside, times = x - SCALE * 14, ours / theirs
        said = f"{peer}: {theirs:,.0f} /s, ours: {ours:,.0f} /s"
        pen.text((beside, y + SCALE * 8), what, INK, large, anchor="rm")
        pen.text((beside, y + SCALE * 26), said, GREY, small, anchor="rm")
        pen.rectangle((x, y, x + unit * times, y + SCALE * 16), fill=ORANGE)
        pen.rectangle((x, y + SCALE * 20, x + unit, y + SCALE * 32), fill=GREY)
        after = x + unit * times + SCALE * 8
        pen.text((after, y + SCALE * 8), f"{times:.1f} times", INK, large, anchor="lm")
    image.save(HERE / "rates.png", optimize=True)


if __name__ == "__main__":
    main()
