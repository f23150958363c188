"""Colours of rows and classes: each keeps its own all over a page, and is told from the others in light and dark."""

from collections.abc import Iterable, Sequence

from embodied_ssl.datasets.gallery.charts import COLOURS
from embodied_ssl.report.tables import row_order

_OF_BASELINES = {row_order(row): colour for row, colour in (
    ("raw pixels", "#a9adb5"), ("random", "#7d838d"), ("imagenet", "#857a12"),
)}  # fmt: skip


def row_colours(rows: Iterable[str]) -> dict[str, str]:
    """A colour for each row: greys for raw pixels and random features."""
    found: dict[str, str] = {}
    for row in dict.fromkeys(rows):
        used = sum(colour in COLOURS for colour in found.values())
        found[row] = _OF_BASELINES.get(row_order(row)) or COLOURS[used % len(COLOURS)]
    return found


def class_colours(classes: Sequence[str]) -> list[str]:
    """A colour for each class, by place: hues a golden ratio apart where there are many."""
    if len(classes) <= len(COLOURS):
        return list(COLOURS[: len(classes)])
    return [f"hsl({i * 222.492 % 360:.0f} {62 - 14 * (i % 2)}% {44 + 8 * (i % 3)}%)" for i in range(len(classes))]
