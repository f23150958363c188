"""Curves: what was logged while learning, and accuracy over the number of labels."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.gallery.charts import Axis, Chart, number, words
from embodied_ssl.datasets.gallery.template import Figure
from embodied_ssl.report.tables import Cell, cells, row_order
from embodied_ssl.training.runs.run import Run

if TYPE_CHECKING:
    from embodied_ssl.evaluation.results import Result

_TITLES = {
    "loss": ("Loss", "What training minimises; each method has its own scale."),
    "probe_accuracy": ("Probe accuracy", "A linear classifier on the frozen features, held-out images."),
    "knn_accuracy": ("Nearest-neighbour accuracy", "Of the frozen features, held-out images."),
    "feature_rank": ("Effective rank", "RankMe: how many dimensions the features use. Near 1 they have collapsed."),
    "feature_deviation": ("Deviation of the features", "Mean standard deviation per dimension. Near 0: collapsed."),
}
_FROM_ZERO = ("accuracy", "rank", "deviation")
_SMOOTH_FROM = 60  # points; longer curves get a running mean over the raw one


def learning_curves(runs: Sequence[Run], colours: Mapping[str, str]) -> tuple[list[Figure], list[Figure]]:
    """A figure for each metric with a line per run: those that every method has, and the parts of their losses."""
    logged = dict.fromkeys(name for run in runs for name in run.metrics)
    shared = [name for name in _TITLES if name in logged]
    others = [name for name in logged if name not in _TITLES]
    main, parts = ([_curve(name, runs, colours) for name in names] for names in (shared, others))
    return [figure for figure in main if figure], [figure for figure in parts if figure]


def few_label_curves(results: Sequence["Result"], colours: Mapping[str, str]) -> list[Figure]:
    """Accuracy over labels per class with 95 % bands, a figure for each set and what is labelled (`@6 objects`).

    Sets with one number have none.
    """
    figures = []
    alike: dict[tuple[str, str, str], list[Result]] = {}
    for result in results:
        if is_few_label(result):
            of = result.metric.partition("@")[2].partition(" ")[2]
            alike.setdefault((result.set, result.protocol, of), []).append(result)
    for (place, protocol, of), own in alike.items():
        name = ", ".join([place, *([] if protocol == "few_labels" else [words(protocol)]), *([of] if of else [])])
        points = _by_labels(own)
        shown = sorted({labels for row in points.values() for labels in row})
        if len(shown) < 2:
            continue
        ends = [
            (cell.mean - _zero(cell.half), cell.mean + _zero(cell.half))
            for row in points.values()
            for cell in row.values()
        ]
        finite = [value for pair in ends for value in pair if math.isfinite(value)] or [0.0, 1.0]
        ticks = tuple((float(labels), number(labels)) for labels in shown)
        x = Axis("labels per class (logarithmic)", shown[0] * 0.88, shown[-1] * 1.14, log=True, ticks=ticks)
        chart = Chart(x, Axis("accuracy", max(0.0, min(finite) - 0.04), min(1.0, max(finite) + 0.04)))
        for row in sorted(points, key=row_order):
            _band(chart, points[row], row, colours.get(row, "#7d838d"))
        figures.append(Figure(name, chart.svg(f"accuracy over labels per class on {name}")))
    return figures


def is_few_label(result: "Result") -> bool:
    """Whether a result belongs to a few-label curve."""
    return "label" in result.protocol.lower() or result.protocol in ("semi_supervised", "fine_tune")


def _curve(name: str, runs: Sequence[Run], colours: Mapping[str, str]) -> Figure | None:
    logged = [(run, *run.metrics[name]) for run in runs if name in run.metrics]
    curves = [(run, np.array(steps), np.array(values)) for run, steps, values in logged]
    curves = [curve for curve in curves if np.isfinite(curve[2]).sum() > 1]
    if not curves:
        return None
    every = np.concatenate([values[np.isfinite(values)] for _, _, values in curves])
    low, high = float(every.min()), float(np.percentile(every, 99.5))
    low = min(low, 0.0) if any(word in name for word in _FROM_ZERO) else low
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 0.1
    last = max(float(steps[-1]) for _, steps, _ in curves)
    chart = Chart(Axis("step", 0, last), Axis(words(name), low if low == 0 else low - margin, high + margin))
    for run, steps, values in curves:
        colour = colours.get(run.label, "#7d838d")
        values = np.where(values > chart.y.high, chart.y.high, values)
        long = len(values) >= _SMOOTH_FROM
        chart.lines([(steps, values)], colour, "raw" if long else "curve")
        if long:
            chart.lines([(steps, _running_mean(values))], colour, "curve")
    title, caption = _TITLES.get(name, (words(name), ""))
    return Figure(title, chart.svg(f"{title} over training steps"), caption)


def _running_mean(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """The mean over a window of a 25th of the curve, which shrinks at its ends; values that are none stay out."""
    half = max(1, len(values) // 50)
    there = np.isfinite(values)
    total = np.concatenate([[0.0], np.cumsum(np.where(there, values, 0.0))])
    count = np.concatenate([[0], np.cumsum(there)])
    first = np.maximum(np.arange(len(values)) - half, 0)
    end = np.minimum(np.arange(len(values)) + half + 1, len(values))
    return np.where(there, (total[end] - total[first]) / np.maximum(count[end] - count[first], 1), np.nan)


def _by_labels(results: Sequence["Result"]) -> dict[str, dict[float, Cell]]:
    """Cells by row and labels per class: a setting that tells columns apart, or the number in `accuracy@6`."""
    found: dict[str, dict[float, Cell]] = {}
    for row, own in cells(results).items():
        for column, cell in own.items():
            numbers = [
                float(value) for name, value in column.settings if "label" in name and isinstance(value, int | float)
            ]
            numbers += [float(text) for text in re.findall(r"@(\d+)\b", column.metric)]
            if len(numbers) == 1 and "accuracy" in column.metric and numbers[0] > 0:
                found.setdefault(row, {})[numbers[0]] = cell
    return found


def _band(chart: Chart, points: Mapping[float, Cell], row: str, colour: str) -> None:
    """A row's curve, its interval as a band behind it, and a dot for each number."""
    shown = [(labels, points[labels]) for labels in sorted(points) if math.isfinite(points[labels].mean)]
    if not shown:
        return
    x = [labels for labels, _ in shown]
    mean = np.array([cell.mean for _, cell in shown])
    half = np.array([_zero(cell.half) for _, cell in shown])
    if half.any():
        across = chart.across(x).tolist()
        high, low = (chart.down(np.clip(mean + sign * half, chart.y.low, chart.y.high)).tolist() for sign in (1, -1))
        edge = [*zip(across, high, strict=True), *zip(across[::-1], low[::-1], strict=True)]
        chart.mark(f'<path class="band" fill="{colour}" d="M{"L".join(f"{a:.1f} {b:.1f}" for a, b in edge)}Z"/>')
    chart.lines([(x, mean)], colour, "curve")
    chart.points(x, mean, colour, [f"{row}, {number(n)} labels: {cell.text} {cell.interval}" for n, cell in shown])


def _zero(half: float) -> float:
    return half if math.isfinite(half) else 0.0
