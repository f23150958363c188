"""Exhibits as charts and drawn-on images: SVG coloured by the page's style sheet, and images inside of it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape

from embodied_ssl.datasets.gallery import thumbnails
from embodied_ssl.datasets.gallery.charts import Axis, Chart, number
from embodied_ssl.report.colours import class_colours
from embodied_ssl.report.exhibits import (
    Equivariance,
    FeatureMap,
    ForceProfiles,
    GraspAngles,
    MotionClusters,
    RetrievalWall,
    TaskPanels,
)

Key = list[tuple[str, str]]
"""Colours and what they stand for."""

_SIDE_PX = 128  # of images on the page
_THUMBNAIL_PX = 48
_MOST_POINTS = 1500
_MOST_QUERIES, _MOST_CARDS = 12, 24
_TRUE, _PREDICTED = "var(--ink)", "#e2570c"


@dataclass(frozen=True)
class Shown:
    """An image with a caption; `right` says how it is framed, `drawn` is SVG upon it (a box of 1 × 1 about 0)."""

    url: str
    text: str
    right: bool | None = None
    drawn: str = ""
    note: str = ""


def wall(exhibit: RetrievalWall) -> list[tuple[Shown, list[Shown]]]:
    """Each query with its neighbours."""
    rows = []
    count = exhibit.right.shape[1]
    for i in range(min(len(exhibit.query), _MOST_QUERIES)):
        names = exhibit.neighbour_class[i * count : (i + 1) * count]
        near = zip(_urls(exhibit.neighbours[i]), names, exhibit.right[i].tolist(), strict=True)
        [query] = _urls(exhibit.query[i : i + 1])
        rows.append((Shown(query, exhibit.query_class[i]), [Shown(url, name, right) for url, name, right in near]))
    return rows


def task_rows(exhibit: TaskPanels) -> list[list[Shown]]:
    """Each row of images with captions, framed by whether what they show is right."""
    count = exhibit.right.shape[1]
    return [
        [
            Shown(url, text, None if right < 0 else bool(right))
            for url, text, right in zip(
                _urls(exhibit.picture[i]), exhibit.text[i * count : (i + 1) * count], exhibit.right[i], strict=True
            )
        ]
        for i in range(len(exhibit.picture))
    ]


def clusters_chart(exhibit: MotionClusters) -> tuple[Markup, Key]:
    """Motor signals as dots, coloured by their pattern."""
    motion = np.asarray(exhibit.motion, "f8")
    finite = np.isfinite(motion).all(axis=1)
    axes = [Axis(exhibit.signals[i], *_ends(motion[finite, i])) for i in range(2)]
    chart = Chart(axes[0], axes[1], height=330)
    for across, low, high in ((True, axes[0].low, axes[0].high), (False, axes[1].low, axes[1].high)):
        if low < 0 < high:
            chart.rule(x=0.0) if across else chart.rule(y=0.0)
    colours, key = class_colours(exhibit.names), []
    for g, (name, colour) in enumerate(zip(exhibit.names, colours, strict=True)):
        mine = np.flatnonzero(finite & (exhibit.cluster == g))
        every = max(1, -(-len(mine) * len(exhibit.names) // _MOST_POINTS))
        chart.points(motion[mine[::every], 0], motion[mine[::every], 1], colour)
        key.append((colour, f"{name} ({len(mine):,})"))
    return chart.svg("motor signals by pattern"), key


def equivariance_chart(exhibit: Equivariance, colours: Mapping[str, str]) -> tuple[Markup, Key]:
    """A group of bars for each motion, one for each row; 1 is a line."""
    count, rows = len(exhibit.motions), len(exhibit.rows)
    finite = exhibit.rho[np.isfinite(exhibit.rho)]
    ticks = tuple((g + 0.5, name) for g, name in enumerate(_numbers(exhibit)))
    most = max(1.1, 1.1 * float(finite.max(initial=0)))
    chart = Chart(Axis("motion", 0, count, ticks=ticks), Axis("equivariance error ρ", 0, most), height=300)
    for r, row in enumerate(exhibit.rows):
        for g in np.flatnonzero(np.isfinite(exhibit.rho[r])).tolist():
            rho, half = float(exhibit.rho[r, g]), float(exhibit.half[r, g])
            left = g + 0.1 + 0.8 * r / rows
            x0, x1 = chart.across([left, left + 0.8 / rows]).tolist()
            top, bottom = float(chart.down(rho)), float(chart.down(0))
            title = f"{row}, {exhibit.motions[g]}: {number(rho)}"
            chart.mark(
                f'<rect class="own" fill="{colours.get(row, "#7d838d")}" x="{x0 + 0.5:.1f}" y="{top:.1f}" '
                f'width="{x1 - x0 - 1:.1f}" height="{bottom - top:.1f}"><title>{escape(title)}</title></rect>'
            )
            if math.isfinite(half):
                chart.whiskers([left + 0.4 / rows], [max(rho - half, 0)], [min(rho + half, most)])
    chart.rule(y=1.0, css="rule mean")
    return chart.svg("equivariance error by motion"), [(colours.get(row, "#7d838d"), row) for row in exhibit.rows]


def motion_names(exhibit: Equivariance) -> str:
    """What the numbers under the bars stand for."""
    return "; ".join(f"{number}: {name}" for number, name in zip(_numbers(exhibit), exhibit.motions, strict=True))


def _numbers(exhibit: Equivariance) -> list[str]:
    return [str(g + 1) if seen else f"{g + 1} *" for g, seen in enumerate(exhibit.seen.tolist())]


def force_cards(exhibit: ForceProfiles) -> list[tuple[Shown, Markup]]:
    """Each poke: what was seen, and the true and the predicted force over depth on one scale for all."""
    shown = min(len(exhibit.true), _MOST_CARDS)
    both = np.concatenate([exhibit.true[:shown], exhibit.predicted[:shown]]).astype("f8")
    depth = 1000 * np.asarray(exhibit.depth[:shown], "f8")
    force = Axis("force (N)", *_ends(both[np.isfinite(both)]))
    along = Axis("depth (mm)", *_ends(depth[np.isfinite(depth)]))
    cards = []
    for i, url in enumerate(_urls(exhibit.patch[:shown])):
        chart = Chart(along, force, height=210)
        chart.lines([(depth[i], exhibit.true[i])], _TRUE, "curve")
        chart.lines([(depth[i], exhibit.predicted[i])], _PREDICTED, "curve predicted")
        cards.append((Shown(url, exhibit.name[i]), chart.svg(f"force over depth: {exhibit.name[i]}")))
    return cards


def grasp_cards(exhibit: GraspAngles) -> list[Shown]:
    """Each patch with a line per angle, the longer and fuller the likelier, and the tried one coloured by outcome."""
    cards = []
    for i, url in enumerate(_urls(exhibit.patch[:_MOST_CARDS])):
        probability = np.clip(np.nan_to_num(np.asarray(exhibit.probability[i], "f8")), 0, 1)
        tried, success = int(exhibit.tried[i]), bool(exhibit.success[i])
        lines = [
            _line(angle, len(probability), 0.1 + 0.36 * p, "angle", p) for angle, p in enumerate(probability.tolist())
        ]
        length = 0.1 + 0.36 * float(probability[tried])
        lines += [
            _line(tried, len(probability), length, css) for css in ("casing", "held" if success else "failed dashed")
        ]
        note = f"p = {probability[tried]:.2f} there, {probability.max():.2f} at best"
        cards.append(Shown(url, exhibit.name[i], success, Markup("".join(lines)), note))
    return cards


def map_chart(exhibit: FeatureMap) -> tuple[Markup, Key]:
    """Features as dots coloured by class; thumbnails lie on some of them, framed in the colour."""
    point = np.asarray(exhibit.point, "f8")
    finite = np.isfinite(point).all(axis=1)
    axes = [Axis("", *_ends(point[finite, i]), ticks=()) for i in range(2)]
    chart = Chart(axes[0], axes[1], height=420, left=16)
    colours = class_colours(exhibit.classes)
    for c, (name, colour) in enumerate(zip(exhibit.classes, colours, strict=True)):
        mine = np.flatnonzero(finite & (exhibit.label == c))
        chart.points(point[mine, 0], point[mine, 1], colour, [name] * len(mine))
    small = _urls(exhibit.thumbnail, _THUMBNAIL_PX)
    for url, i in zip(small, exhibit.shown.tolist(), strict=True):
        if finite[i]:
            x, y = float(chart.across(point[i, 0])), float(chart.down(point[i, 1]))
            label = int(exhibit.label[i])
            chart.mark(
                f'<g class="thumb"><image href="{url}" x="{x - 9:.1f}" y="{y - 9:.1f}" width="18" height="18"/>'
                f'<rect x="{x - 9:.1f}" y="{y - 9:.1f}" width="18" height="18" stroke="{colours[label]}"/>'
                f"<title>{escape(exhibit.classes[label])}</title></g>"
            )
    return chart.svg(f"features in two dimensions, {' '.join(exhibit.method)}"), list(
        zip(colours, exhibit.classes, strict=True)
    )


def _line(angle: int, angles: int, half: float, css: str, opacity: float = 1.0) -> str:
    """A line through the middle; the angle turns from right towards down."""
    radians = math.pi * angle / angles
    x, y = half * math.cos(radians), half * math.sin(radians)
    return f'<path class="{css}" d="M{-x:.3f} {-y:.3f}L{x:.3f} {y:.3f}" stroke-opacity="{0.15 + 0.85 * opacity:.2f}"/>'


def _urls(shown: np.ndarray, side: int = _SIDE_PX) -> list[str]:
    return [thumbnails.embed(picture) for picture in thumbnails.shrink(shown, side)] if len(shown) else []


def _ends(values: np.ndarray) -> tuple[float, float]:
    """From the smallest to the largest value, with a margin."""
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    margin = 0.05 * (high - low) or 0.1
    return low - margin, high + margin
