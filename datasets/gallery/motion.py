"""How the body of a video data set moved over all: the charts of a page."""

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from embodied_ssl.datasets.gallery.charts import Axis, Chart, ends, number, round_step, rows_chart
from embodied_ssl.datasets.read.motion import azimuth, elevation
from embodied_ssl.datasets.read.readers import Dataset

_MOST_ROWS = 300_000  # that the charts count
_MOST_LABELS = 20
_BINS = 41

Figure = tuple[str, Markup, str]
"""Title, drawing, caption."""


def motor_figure(dataset: Dataset, rows: NDArray[np.int64], signals: tuple[int, int] = (0, 1)) -> Figure:
    """How often each motion was measured, as a density over two signals, with title and caption."""
    return (
        "Motion from frame to frame",
        motor_chart(dataset, rows, signals),
        "What the body measured of itself, over all frames. The fuller the colour, the more often (its logarithm).",
    )


def motor_chart(dataset: Dataset, rows: NDArray[np.int64], signals: tuple[int, int] = (0, 1)) -> Markup:
    """How often each motion was measured, as a density over two signals."""
    motor = dataset.array("frames/motor")[rows][:, signals]
    motor = motor[np.isfinite(motor).all(axis=1)].astype("f8")
    names = [dataset.motor_signals[signal] for signal in signals]
    axes = [Axis(name, *ends(motor[:, i])) for i, name in enumerate(names)]
    counts, *edges = np.histogram2d(
        motor[:, 0], motor[:, 1], bins=_BINS, range=[(axis.low, axis.high) for axis in axes]
    )
    chart = Chart(axes[0], axes[1])
    chart.heat(edges[0], edges[1], counts)
    if axes[0].low < 0 < axes[0].high:
        chart.rule(x=0.0)
    if axes[1].low < 0 < axes[1].high:
        chart.rule(y=0.0)
    return chart.svg(f"how often each motion: {names[0]} across, {names[1]} up")


def signal_figure(dataset: Dataset, rows: NDArray[np.int64]) -> Figure:
    """How often the one motor signal came to what, as a histogram, with title and caption."""
    motor = dataset.array("frames/motor")[rows][:, 0].astype("f8")
    motor, name = motor[np.isfinite(motor)], dataset.motor_signals[0]
    low, high = ends(motor)
    counts, edges = np.histogram(motor, bins=_BINS, range=(low, high))
    chart = Chart(Axis(name, low, high), Axis("frames", 0, 1.05 * max(int(counts.max()), 1)))
    titles = [f"{number(a)} to {number(b)}: {c}" for a, b, c in zip(edges[:-1], edges[1:], counts, strict=True)]
    chart.bars(edges, counts, titles)
    return ("Motion from frame to frame", chart.svg(f"how often each {name}"), "What was measured, over all frames.")


def sphere_chart(dataset: Dataset, rows: NDArray[np.int64]) -> Markup:
    """How often the camera stood where, as a density over azimuth and elevation."""
    poses = dataset.states(rows)
    across, up = np.degrees(azimuth(poses)), np.degrees(elevation(poses))
    return density_chart(across, up, (0, 90), "how often the camera stood at each azimuth and elevation")


def density_chart(
    across: NDArray[np.float64], up: NDArray[np.float64], elevations: tuple[int, int], title: str
) -> Markup:
    """How often each direction was taken: azimuths [N] and elevations [N] in degrees, the latter within bounds."""
    low, high = elevations
    ticks = tuple((float(value), f"{value}°".replace("-", "−")) for value in range(-180, 181, 90))
    x = Axis("azimuth", -180, 180, ticks=ticks)
    levels = tuple((float(value), f"{value}°".replace("-", "−")) for value in range(low, high + 1, 30))
    y = Axis("elevation", low, high, ticks=levels)
    counts, x_edges, y_edges = np.histogram2d(across, up, bins=(36, 18), range=[(-180, 180), (low, high)])
    chart = Chart(x, y)
    chart.heat(x_edges, y_edges, counts)
    return chart.svg(title)


def distance_chart(dataset: Dataset, episodes: NDArray[np.int64]) -> Markup:
    """How far the body drove in each episode, as a histogram."""
    forward = np.abs(np.nan_to_num(dataset.array("frames/motor")[rows_of(dataset, episodes)][:, 0]))
    lengths = dataset.episodes["length"][episodes]
    driven = np.add.reduceat(forward.astype("f8"), np.cumsum(lengths) - lengths)
    step = round_step(max(float(driven.max(initial=0)), 0.1) / 16)
    edges = np.arange(0, driven.max(initial=0) + step, step)
    edges = edges if len(edges) > 1 else np.array([0, step])
    counts, _ = np.histogram(driven, edges)
    chart = Chart(Axis("driven in an episode (m)", 0, float(edges[-1])), Axis("episodes", 0, 1.05 * counts.max()))
    titles = [f"{number(a)} to {number(b)} m: {c}" for a, b, c in zip(edges[:-1], edges[1:], counts, strict=True)]
    chart.bars(edges, counts, titles)
    return chart.svg("how far the body drove in each episode")


def label_chart(labels: list[str], unit: str = "episodes") -> Markup:
    """How many there are of each label, the most common first."""
    names, counts = np.unique(labels, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:_MOST_LABELS]
    return rows_chart([str(names[i]) for i in order], counts[order].tolist(), [f"{counts[i]:,}" for i in order], unit)


def sampled_episodes(dataset: Dataset) -> NDArray[np.int64]:
    """The episodes that the charts count: all, or evenly spaced ones of a large data set."""
    lengths = dataset.episodes["length"]
    step = max(1, -(-int(lengths.sum()) // _MOST_ROWS))
    return np.arange(0, len(lengths), step)


def duration(dataset: Dataset, episodes: NDArray[np.int64]) -> str:
    """How long the body lived in all, from the given episodes if not all are given."""
    start, length = dataset.episodes["start"][episodes], dataset.episodes["length"][episodes]
    seconds = float(dataset.array("frames/time")[start + length - 1].sum()) * len(dataset.episodes["start"])
    seconds /= max(len(episodes), 1)
    if seconds < 120:
        return f"{number(seconds)} s"
    return f"{number(seconds / 60)} min" if seconds < 7200 else f"{number(seconds / 3600)} h"


def rows_of(dataset: Dataset, episodes: NDArray[np.int64]) -> NDArray[np.int64]:
    """All rows of some episodes."""
    start, length = dataset.episodes["start"], dataset.episodes["length"]
    return np.concatenate([start[e] + np.arange(length[e]) for e in episodes])
