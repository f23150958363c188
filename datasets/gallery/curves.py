"""Signals over time beside images: a chart for each, with a cursor that the page's script moves with the frames."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from markupsafe import escape
from numpy.typing import NDArray

from embodied_ssl.datasets.gallery.charts import COLOURS, Axis, Chart, ends

_HEIGHT, _LEFT = 168, 62  # px; more at the left where the numbers of one of the charts take it
_MOST_POINTS = 600  # of a curve; of longer ones the least and the most of each piece are drawn
_MOST_DIGITS = 6


@dataclass(frozen=True)
class Signal:
    """One curve of a chart."""

    name: str
    values: NDArray[np.floating]
    """[T]; where one is not finite the curve has a gap."""
    told: NDArray[np.floating] = field(default_factory=lambda: np.empty(0))
    """What was asked for, [T], drawn dashed; nothing where nothing was."""


@dataclass(frozen=True)
class Panel:
    """Signals of one unit, which share a chart."""

    title: str
    unit: str
    signals: Sequence[Signal]
    zero: bool = True
    """Whether its axis has zero in any case."""
    least: float = 0.0
    """That its axis spans, so that what is next to nothing looks so."""


def curves(panels: Sequence[Panel], time: NDArray[np.floating], shown: NDArray[np.int64]) -> dict[str, Any]:
    """What the page's script wants: the charts as HTML, where frames lie in them, and the values at each.

    Args:
        panels: what is drawn.
        time: of all T samples, s.
        shown: the samples that have an image.
    """
    axis = Axis("time (s)", float(time[0]), float(time[-1]) if time[-1] > time[0] else float(time[0]) + 1)
    signals = [signal for panel in panels for signal in panel.signals]
    numbers = iter(range(len(signals)))
    left = max([_LEFT, *(Chart(axis, Axis(panel.unit, *_range(panel))).left for panel in panels)])
    return {
        "curves": "".join(_figure(panel, axis, time, numbers, left) for panel in panels),
        "across": rounded(Chart(axis, axis, left=left).across(time[shown]), 1),
        "values": [rounded(signal.values[shown], _MOST_DIGITS + 1) for signal in signals],
    }


def rounded(values: NDArray[np.floating], digits: int) -> list[Any]:
    """Nested lists of short numbers; what is not finite becomes None."""
    if values.ndim > 1:
        return [rounded(row, digits) for row in values]
    return [round(float(value), digits) if np.isfinite(value) else None for value in values]


def _figure(panel: Panel, axis: Axis, time: NDArray[np.floating], numbers: Any, left: int) -> str:
    """A chart below the names of its signals, beside each a place for its value at the frame that is shown."""
    low, high = _range(panel)
    chart = Chart(axis, Axis(panel.unit, low, high), _HEIGHT, left)
    if low < 0 < high:
        chart.rule(y=0.0)
    alone = len(panel.signals) == 1 and " " not in panel.unit  # then the value has its unit beside it
    said = f' data-unit="{escape(panel.unit)}"' if alone else ""
    names, digits = [], int(np.clip(2 - np.floor(np.log10(high - low)), 0, _MOST_DIGITS))
    for place, signal in enumerate(panel.signals):
        colour = COLOURS[place % len(COLOURS)]
        if len(signal.told):
            chart.lines([_thinned(time, signal.told)], colour, "curve told")
        chart.lines([_thinned(time, signal.values)], colour, "curve")
        swatch = f'<i style="background:{colour}"></i>{escape(signal.name)} ' if signal.name else ""
        names.append(f'<span>{swatch}<b data-signal="{next(numbers)}" data-digits="{digits}"{said}></b></span>')
    chart.cursor()
    title = f"{panel.title} over time"
    return (
        f'<figure class="curve-panel"><h3>{escape(panel.title)}</h3><p class="legend">{"".join(names)}</p>'
        f"{chart.svg(title)}</figure>"
    )


def _range(panel: Panel) -> tuple[float, float]:
    every = np.concatenate([np.asarray(part, "f8") for each in panel.signals for part in (each.values, each.told)])
    every = every[np.isfinite(every)]
    low, high = ends(np.append(every, 0.0) if panel.zero or not len(every) else every)
    wider = max(panel.least - (high - low), 0.0) / 2
    return low - wider, high + wider


def _thinned(time: NDArray[np.floating], values: NDArray[np.floating]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The same curve to the eye from fewer points: of each piece the least and the most, in their order."""
    if len(values) <= _MOST_POINTS:
        return time, values
    rows: list[int] = []
    for piece in np.array_split(np.arange(len(values)), _MOST_POINTS // 2):
        there = piece[np.isfinite(values[piece])]
        if len(there):
            rows += sorted({int(there[values[there].argmin()]), int(there[values[there].argmax()])})
        else:
            rows.append(int(piece[0]))
    return time[rows], values[rows]
