"""What came of interactions: the charts and figures of a page."""

import math
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from embodied_ssl.datasets.gallery.charts import Axis, Chart, number, rows_chart, wilson
from embodied_ssl.datasets.gallery.interactions import NOTHING, Interactions
from embodied_ssl.datasets.kinds.base import Figures

_MOST_LINES = 25  # force profiles of each material
_ANGLE_BINS = 18
_PERCENT = tuple((value / 100, f"{value}%") for value in range(0, 101, 20))


def success_figures(interactions: Interactions, word: str = "success", of: str = "Of the object aimed at") -> Figures:
    """How often the first outcome came, by material and category. word: for it; of: whose material it is."""
    return [
        ("Success by material", rate_chart(interactions, "material", word), f"{of}."),
        (
            "Success by category",
            rate_chart(interactions, "category", word),
            f"{of}: the most common categories, the easiest first.",
        ),
    ]


def success_rate(interactions: Interactions, word: str = "success") -> list[tuple[str, str]]:
    """The share of interactions that had the first outcome, with its interval, as figures of a page."""
    good = int(_succeeded(interactions).sum())
    low, high = wilson(good, len(interactions.rows))
    return [
        (word, f"{good / len(interactions.rows):.1%}"),
        ("95% interval", f"{100 * low:.0f}–{100 * high:.0f}%"),
    ]


def share_of(interactions: Interactions, outcome: str) -> float:
    """The share of interactions that had an outcome."""
    return float(np.mean([interactions.outcome(i) == outcome for i in range(len(interactions.rows))]))


def _succeeded(interactions: Interactions) -> NDArray[np.bool_]:
    good = interactions.page.outcomes[0]
    return np.array([interactions.outcome(i) == good for i in range(len(interactions.rows))], bool)


def angle_chart(interactions: Interactions) -> Markup:
    """Success rate by closing angle, in 18 bins, with 95% intervals."""
    edges = np.linspace(0, 180, _ANGLE_BINS + 1)
    place = np.minimum(np.degrees(interactions.values["angle"]) // (180 / _ANGLE_BINS), _ANGLE_BINS - 1).astype(int)
    trials = np.bincount(place, minlength=_ANGLE_BINS)
    held = np.bincount(place, weights=interactions.values["success"], minlength=_ANGLE_BINS).astype(int)
    rate = held / np.maximum(trials, 1)
    low, high = np.array([wilson(int(h), int(t)) for h, t in zip(held, trials, strict=True)]).T
    ticks = tuple((float(value), f"{value}°") for value in range(0, 181, 30))
    chart = Chart(Axis("closing angle in the image", 0, 180, ticks=ticks), Axis("held", 0, 1, ticks=_PERCENT))
    titles = [f"{a:.0f}° to {a + 10:.0f}°: {h} of {t}" for a, h, t in zip(edges, held, trials, strict=False)]
    chart.bars(edges, rate, titles)
    there = trials > 0
    middles = (edges[:-1] + edges[1:]) / 2
    chart.whiskers(middles[there], low[there], high[there])
    chart.rule(y=float(interactions.values["success"].mean()), css="rule mean")
    return chart.svg("share of grasps that held, by closing angle")


def rate_chart(interactions: Interactions, by: str, word: str = "success") -> Markup:
    """How often the first outcome came, by `category` or `material` of what was aimed at, the best first."""
    good = _succeeded(interactions)
    names = interactions.category if by == "category" else interactions.material
    held = {name: good[np.array(names) == name] for name in set(names)}
    common = sorted(held, key=lambda name: (-len(held[name]), name))[:18]
    order = sorted(common, key=lambda name: (-float(held[name].mean()), name))
    rates = [float(held[name].mean()) for name in order]
    notes = [f"{rate:.0%} of {len(held[name])}" for name, rate in zip(order, rates, strict=True)]
    spans = [wilson(int(held[name].sum()), len(held[name])) for name in order]
    return rows_chart(order, rates, notes, f"{word}, by {by}", most=1.0, spans=spans)


def displacement_chart(interactions: Interactions) -> Markup:
    """How far objects went against how far they were pushed."""
    pushed = 100 * np.linalg.norm(interactions.values["end"] - interactions.values["start"], axis=1)
    moved = 100 * np.nan_to_num(interactions.moved)
    chart = Chart(Axis("push (cm)", 0, 1.05 * _top(pushed)), Axis("object moved (cm)", 0, 1.05 * _top(moved)))
    end = min(chart.x.high, chart.y.high)
    chart.slope(0, 0, end, end)
    for material in interactions.materials:
        at = interactions.where(material)
        titles = [f"{interactions.category[i]}: pushed {pushed[i]:.1f} cm, moved {moved[i]:.1f} cm" for i in at]
        chart.points(pushed[at], moved[at], interactions.colour(material), titles, material)
    return chart.svg("how far objects moved against how far the finger pushed")


def direction_chart(interactions: Interactions, least_m: float) -> Markup:
    """Where objects that moved at least so far went, seen along the push: ahead, and to its left."""
    push = (interactions.values["end"] - interactions.values["start"])[:, :2].astype("f8")
    step = (interactions.values["pose_after"] - interactions.values["pose_before"])[:, :2].astype("f8")
    along = push / np.maximum(np.linalg.norm(push, axis=1, keepdims=True), 1e-9)
    ahead = 100 * (step * along).sum(axis=1)
    left = 100 * (along[:, 0] * step[:, 1] - along[:, 1] * step[:, 0])
    there = interactions.moved > least_m
    reach = 1.08 * _top(np.abs(np.concatenate([ahead[there], left[there]])))
    chart = Chart(
        Axis("moved to the left of the push (cm)", reach, -reach), Axis("moved ahead (cm)", -reach / 3, reach)
    )
    chart.rule(x=0.0)
    chart.rule(y=0.0)
    for material in interactions.materials:
        at = [i for i in interactions.where(material) if there[i]]
        chart.points(
            left[at], ahead[at], interactions.colour(material), [interactions.category[i] for i in at], material
        )
    return chart.svg("where objects went, seen along the push")


def yield_chart(interactions: Interactions) -> Markup:
    """How far an object of each material goes for each centimetre of push: medians."""
    pushed = np.linalg.norm(interactions.values["end"] - interactions.values["start"], axis=1)
    share = interactions.moved / np.maximum(pushed, 1e-9)
    known = {
        name: share[at]
        for name in interactions.materials
        if (at := interactions.where(name)).size and np.isfinite(share[at]).all()
    }
    order = sorted(known, key=lambda name: -float(np.median(known[name])))
    middles = [float(np.median(known[name])) for name in order]
    notes = [f"{middle:.2f} of {len(known[name])}" for name, middle in zip(order, middles, strict=True)]
    spans = [tuple(np.quantile(known[name], (0.25, 0.75)).tolist()) for name in order]
    most = max((high for _, high in spans), default=1.0)
    return rows_chart(order, middles, notes, "moved for each unit of push", most=1.05 * most, spans=spans)


def force_depth_chart(interactions: Interactions) -> Markup:
    """Each poke's force against its depth: the slope is the stiffness."""
    force, depth = interactions.values["force"], 1000 * interactions.values["depth_travelled"]
    chart = Chart(Axis("depth since first contact (mm)", 0, 1.03 * _top(depth)), Axis("force (N)", 0, _high(force)))
    for material in interactions.materials:
        curves = []
        for i in [i for i in interactions.where(material) if interactions.outcome(i) == "felt"][:_MOST_LINES]:
            last = int(np.argmax(depth[i])) + 1  # the way down; objects that yield may lift the finger again
            there = (depth[i, :last] >= 0) & (force[i, :last] <= chart.y.high)
            curves.append((np.where(there, depth[i, :last], np.nan), force[i, :last]))
        chart.lines(curves, interactions.colour(material), "profile", material)
    return chart.svg("force of each poke against its depth")


def force_time_chart(interactions: Interactions, least_n: float) -> Markup:
    """The median force of each material while the finger descends, from first contact."""
    force, scale = interactions.values["force"], 1000 / 240  # ms between samples, however long the steps of physics
    length = force.shape[1]
    chart = Chart(Axis("time since first contact (ms)", 0, scale * length), Axis("force (N)", 0, _high(force)))
    for material in interactions.materials:
        felt = [i for i in interactions.where(material) if interactions.outcome(i) == "felt"]
        if not felt:
            continue
        aligned = np.full((len(felt), length), np.nan)
        for row, i in enumerate(felt):
            first = int(np.argmax(force[i] > least_n))
            aligned[row, : length - first] = force[i, first:]
        known = np.isfinite(aligned).sum(axis=0) >= max(1, len(felt) // 2)
        middle = np.full(length, np.nan)
        middle[known] = np.nanmedian(aligned[:, known], axis=0)
        chart.lines([(scale * np.arange(length), middle)], interactions.colour(material), "median", material)
    return chart.svg("median force of each material over time")


def stiffness_chart(interactions: Interactions, least_n: float) -> Markup:
    """The stiffness of each poke, one row of dots for each material, with its median."""
    measured = {}
    for material in interactions.materials:
        at = [i for i in interactions.where(material) if interactions.outcome(i) == "felt"]
        found = [
            stiffness(interactions.values["force"][i], interactions.values["depth_travelled"][i], least_n) for i in at
        ]
        if known := [value / 1000 for value in found if math.isfinite(value) and value > 0]:  # else it gave way
            measured[material] = np.array(known)
    every = np.concatenate(list(measured.values())) if measured else np.array([0.1, 10.0])
    low, high = 10.0 ** math.floor(math.log10(every.min())), 10.0 ** math.ceil(math.log10(every.max()) + 1e-9)
    count = max(len(measured), 1)
    ticks = tuple((i + 0.5, material) for i, material in enumerate(measured))
    chart = Chart(
        Axis("stiffness (kN/m)", low, max(high, 10 * low), log=True),
        Axis("", count, 0, ticks=ticks),
        left=78,
        grid=True,
    )
    rng = np.random.default_rng(0)
    for i, (material, values) in enumerate(measured.items()):
        places = i + 0.5 + rng.uniform(-0.25, 0.25, len(values))
        chart.points(values, places, interactions.colour(material), [f"{number(v)} kN/m" for v in values], material)
        middle = float(np.median(values))
        chart.lines([([middle, middle], [i + 0.1, i + 0.9])], interactions.colour(material), "middle", material)
        if material != NOTHING:
            true = interactions.stiffness_of(material) / 1000
            chart.lines([([true, true], [i + 0.1, i + 0.9])], "currentColor", "true", material)
    return chart.svg("stiffness of each poke by material")


def stiffness(force: NDArray[np.floating], depth: NDArray[np.floating], least_n: float = 0.05) -> float:
    """How hard an object pushes back, N/m: slope of a line through the force from first contact to its largest.

    It does not go through the origin: a finger that moves feels the damping too. force, depth: [T], N and m; forces
    below `least_n` are noise. NaN where less than two samples lie between.
    """
    there = np.flatnonzero((depth > 0) & (force > least_n))
    rising = there[there <= int(np.argmax(force))]
    if len(rising) < 2:
        return math.nan
    return float(np.polyfit(np.asarray(depth[rising], "f8"), np.asarray(force[rising], "f8"), 1)[0])


def _top(values: NDArray[Any]) -> float:
    """The largest finite value, or a little more than nothing."""
    known = values[np.isfinite(values)]
    return max(float(known.max(initial=0)), 1e-3)


def _high(values: NDArray[Any]) -> float:
    """A little more than what nine rows in ten stay below: spikes of the rest do not flatten all others."""
    return 1.15 * max(float(np.percentile(values.max(axis=1), 90)), 1e-3)
