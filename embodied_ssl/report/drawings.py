"""Figures as charts and rows of images: SVG coloured by the page's style sheet, and images inside of it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

from embodied_ssl.datasets.gallery import thumbnails
from embodied_ssl.datasets.gallery.charts import Axis, Chart, ends, number
from embodied_ssl.report.colours import class_colours
from embodied_ssl.report.figures import (
    Equivariance,
    FeatureMap,
    MotionClusters,
    Tile,
)

Key = list[tuple[str, str]]
"""Colours and what they stand for."""

_SIDE_PX = 192  # of images on the page, at most
_THUMBNAIL_PX = 48
_MOST_POINTS = 1500


@dataclass(frozen=True)
class Shown:
    """An image with a caption; `right` says how it is framed."""

    url: str
    text: str
    right: bool | None


def tiles(rows: Sequence[Sequence[Tile]]) -> list[list[Shown]]:
    """Rows of images with captions, framed by whether what they show is right."""
    return [[Shown(_url(tile.image), tile.text, tile.right) for tile in row] for row in rows]


def clusters_chart(figure: MotionClusters) -> tuple[Markup, Key]:
    """The first two motor signals as dots, coloured by their pattern; of one signal alone, a line for each pattern."""
    motion = np.asarray(figure.motion, "f8")
    finite = np.isfinite(motion).all(axis=1)
    if motion.shape[1] == 1:
        motion = np.column_stack([motion, figure.cluster + 1])
    signals = [*figure.signals, "pattern"]
    axes = [Axis(signals[i], *ends(motion[finite, i])) for i in range(2)]
    chart = Chart(axes[0], axes[1], height=330)
    for across, low, high in ((True, axes[0].low, axes[0].high), (False, axes[1].low, axes[1].high)):
        if low < 0 < high:
            chart.rule(x=0.0) if across else chart.rule(y=0.0)
    colours, key = class_colours(figure.names), []
    for g, (name, colour) in enumerate(zip(figure.names, colours, strict=True)):
        mine = np.flatnonzero(finite & (figure.cluster == g))
        every = max(1, -(-len(mine) * len(figure.names) // _MOST_POINTS))
        chart.points(motion[mine[::every], 0], motion[mine[::every], 1], colour)
        key.append((colour, f"{name} ({len(mine):,})"))
    return chart.svg("motor signals by pattern"), key


def equivariance_chart(figure: Equivariance, colours: Mapping[str, str]) -> tuple[Markup, Key]:
    """A group of bars for each motion, one for each row; 1 is a line."""
    count, rows = len(figure.motions), len(figure.rows)
    finite = figure.rho[np.isfinite(figure.rho)]
    ticks = tuple((g + 0.5, name) for g, name in enumerate(_numbers(figure)))
    most = max(1.1, 1.1 * float(finite.max(initial=0)))
    chart = Chart(Axis("motion", 0, count, ticks=ticks), Axis("equivariance error ρ", 0, most), height=300)
    for r, row in enumerate(figure.rows):
        for g in np.flatnonzero(np.isfinite(figure.rho[r])).tolist():
            rho, half = float(figure.rho[r, g]), float(figure.half[r, g])
            left = g + 0.1 + 0.8 * r / rows
            x0, x1 = chart.across([left, left + 0.8 / rows]).tolist()
            top, bottom = float(chart.down(rho)), float(chart.down(0))
            title = f"{row}, {figure.motions[g]}: {number(rho)}"
            chart.mark(
                f'<rect class="own" fill="{colours.get(row, "#7d838d")}" x="{x0 + 0.5:.1f}" y="{top:.1f}" '
                f'width="{x1 - x0 - 1:.1f}" height="{bottom - top:.1f}"><title>{escape(title)}</title></rect>'
            )
            if math.isfinite(half):
                chart.whiskers([left + 0.4 / rows], [max(rho - half, 0)], [min(rho + half, most)])
    chart.rule(y=1.0, css="rule mean")
    return chart.svg("equivariance error by motion"), [(colours.get(row, "#7d838d"), row) for row in figure.rows]


def motion_names(figure: Equivariance) -> str:
    """What the numbers under the bars stand for."""
    return "; ".join(f"{number}: {name}" for number, name in zip(_numbers(figure), figure.motions, strict=True))


def _numbers(figure: Equivariance) -> list[str]:
    return [str(g + 1) if seen else f"{g + 1} *" for g, seen in enumerate(figure.seen.tolist())]


def map_chart(figure: FeatureMap) -> tuple[Markup, Key]:
    """Features as dots coloured by class; thumbnails lie on some of them, framed in the colour."""
    point = np.asarray(figure.point, "f8")
    finite = np.isfinite(point).all(axis=1)
    axes = [Axis("", *ends(point[finite, i]), ticks=()) for i in range(2)]
    chart = Chart(axes[0], axes[1], height=420, left=16)
    colours = class_colours(figure.classes)
    for c, (name, colour) in enumerate(zip(figure.classes, colours, strict=True)):
        mine = np.flatnonzero(finite & (figure.label == c))
        chart.points(point[mine, 0], point[mine, 1], colour, [name] * len(mine))
    small = thumbnails.embed_small(figure.thumbnail, _THUMBNAIL_PX)
    for url, i in zip(small, figure.shown.tolist(), strict=True):
        if finite[i]:
            x, y = float(chart.across(point[i, 0])), float(chart.down(point[i, 1]))
            label = int(figure.label[i])
            chart.mark(
                f'<g class="thumb"><image href="{url}" x="{x - 9:.1f}" y="{y - 9:.1f}" width="18" height="18"/>'
                f'<rect x="{x - 9:.1f}" y="{y - 9:.1f}" width="18" height="18" stroke="{colours[label]}"/>'
                f"<title>{escape(figure.classes[label])}</title></g>"
            )
    return chart.svg(f"features in two dimensions, {figure.method}"), list(zip(colours, figure.classes, strict=True))


def _url(image: NDArray[np.uint8]) -> str:
    """An image, uint8 [H, W, 3], for the page; the pixels of a small one stay visible."""
    (small,) = thumbnails.shrink(image[None], _SIDE_PX)
    times = max(1, _SIDE_PX // 2 // max(small.shape))
    return thumbnails.embed(small.repeat(times, axis=0).repeat(times, axis=1))
