"""Charts as SVG text for a page: light, sharp at any size, coloured by the page's style sheet.

A chart has axes in data units; its marks are added one kind at a time and `svg()` gives the text:

    chart = Chart(Axis("push (cm)", 0, 12), Axis("object moved (cm)", 0, 12))
    chart.points([1, 2], [0.5, 2.2], colour="#2f7fd6")
    chart.svg("How far objects move")
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import ArrayLike, NDArray

WIDTH, HEIGHT = 420, 290
NAME_PX = 13
"""What a name at a curve's end takes of the height."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 50, 16, 14, 44
_LETTER = 6.2  # px, at most
_MOST_LETTERS = 26  # of the names of lying bars

COLOURS = (
    "#2f7fd6", "#e2570c", "#0f9f92", "#d6569b", "#d69a00", "#7a5bd0", "#5c9e31", "#a0692f", "#c8321f", "#0e9bc4",
)  # fmt: skip
"""Of what stands side by side in a chart: told from each other in light and dark."""


@dataclass(frozen=True)
class Axis:
    """An axis from `low` to `high` in its own units; `log` spaces it evenly in the logarithm (then low > 0)."""

    label: str
    low: float
    high: float
    log: bool = False
    ticks: tuple[tuple[float, str], ...] | None = None

    def share(self, values: ArrayLike) -> NDArray[np.float64]:
        """Where values lie: 0 at `low`, 1 at `high`."""
        values = np.asarray(values, "f8")
        if self.log:
            return np.log(np.maximum(values, 1e-300) / self.low) / math.log(self.high / self.low)
        return (values - self.low) / (self.high - self.low)

    def marks(self) -> list[tuple[float, str]]:
        """Round values on the axis with their labels."""
        if self.ticks is not None:
            return list(self.ticks)
        if self.log:
            first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
            return [(10.0**power, number(10.0**power)) for power in range(first, last + 1)]
        low, high = sorted((self.low, self.high))
        step = round_step((high - low) / 5)
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        return [(index * step, _tick(index * step, step)) for index in range(first, last + 1)]


class Chart:
    """One pair of axes and what is drawn between them."""

    def __init__(self, x: Axis, y: Axis, height: int = HEIGHT, left: int = 0, grid: bool = True, right: int = _RIGHT):
        """left: px beside the drawing; 0: what the numbers there take, beside the name of the axis."""
        self.x, self.y, self.height, self.grid, self.right = x, y, height, grid, right
        longest = max((len(label) for _, label in y.marks()), default=0)
        self.left = left or max(_LEFT, math.ceil(28 + _LETTER * longest))
        self._marks: list[str] = []

    def across(self, values: ArrayLike) -> NDArray[np.float64]:
        """Places of x values, in px of the drawing."""
        return self.left + self.x.share(values) * (WIDTH - self.left - self.right)

    def down(self, values: ArrayLike) -> NDArray[np.float64]:
        """Places of y values, in px of the drawing."""
        return self.height - _BOTTOM - self.y.share(values) * (self.height - _BOTTOM - _TOP)

    def bars(self, edges: ArrayLike, heights: ArrayLike, titles: Sequence[str], css: str = "bar") -> None:
        """Upright bars from the bottom, between neighbouring edges."""
        left, right = self.across(np.asarray(edges)[:-1]), self.across(np.asarray(edges)[1:])
        bottom = float(self.down(self.y.low))
        for x0, x1, top, title in zip(left, right, self.down(heights), titles, strict=True):
            self._marks.append(
                f'<rect class="{css}" x="{x0 + 1:.1f}" y="{top:.1f}" width="{max(x1 - x0 - 2, 0.5):.1f}" '
                f'height="{max(bottom - top, 0):.1f}"><title>{escape(title)}</title></rect>'
            )

    def whiskers(self, x: ArrayLike, low: ArrayLike, high: ArrayLike) -> None:
        """Upright intervals."""
        for across, top, bottom in zip(self.across(x), self.down(high), self.down(low), strict=True):
            self._marks.append(
                f'<path class="whisker" d="M{across - 3:.1f} {top:.1f}h6M{across:.1f} {top:.1f}V{bottom:.1f}'
                f'M{across - 3:.1f} {bottom:.1f}h6"/>'
            )

    def points(self, x: ArrayLike, y: ArrayLike, colour: str, titles: Sequence[str] = (), group: str = "") -> None:
        """Dots; `group` is a name that the page's filters know."""
        dots = []
        for i, (across, down) in enumerate(zip(self.across(x), self.down(y), strict=True)):
            title = f"<title>{escape(titles[i])}</title>" if i < len(titles) else ""
            dots.append(f'<circle cx="{across:.1f}" cy="{down:.1f}" r="3">{title}</circle>')
        self._marks.append(f'<g class="dots" fill="{colour}"{_group(group)}>{"".join(dots)}</g>')

    def lines(self, curves: Sequence[tuple[ArrayLike, ArrayLike]], colour: str, css: str, group: str = "") -> None:
        """Curves, each of x and y; places that are not finite break them."""
        paths = [self._path(self.across(x), self.down(y)) for x, y in curves]
        self._marks.append(f'<path class="{css}" d="{"".join(paths)}" stroke="{colour}"{_group(group)}/>')

    def heat(self, x_edges: NDArray[np.float64], y_edges: NDArray[np.float64], counts: NDArray[np.float64]) -> None:
        """How often: counts [x, y] as cells, of fuller colour where more (in the logarithm)."""
        left, top = self.across(x_edges), self.down(y_edges)
        most = max(counts.max(initial=0), 1)
        for i, j in zip(*np.nonzero(counts), strict=True):
            strength = 0.12 + 0.88 * math.log1p(counts[i, j]) / math.log1p(most)
            self._marks.append(
                f'<rect class="heat" x="{left[i]:.1f}" y="{top[j + 1]:.1f}" width="{left[i + 1] - left[i] + 0.2:.1f}" '
                f'height="{top[j] - top[j + 1] + 0.2:.1f}" fill-opacity="{strength:.2f}">'
                f"<title>{int(counts[i, j]):,}</title></rect>"
            )

    def names(self, x: float, ends: Sequence[tuple[str, float, str]]) -> None:
        """Names at the right, each led to from where its curve ends: name, y there and colour of each curve.

        None covers another, as long as all have room: `NAME_PX` of the chart's height each.
        """
        ends = sorted(ends, key=lambda end: -end[1])
        wanted = self.down([y for _, y, _ in ends])
        start, edge = float(self.across(x)), WIDTH - self.right
        for (name, _, colour), at, place in zip(
            ends, wanted, _spread(wanted, _TOP, self.height - _BOTTOM), strict=True
        ):
            self._marks.append(
                f'<path class="leader" stroke="{colour}" d="M{start:.1f} {at:.1f}L{edge + 14} {place:.1f}h5"/>'
                f'<text class="tick start" x="{edge + 22}" y="{place + 4:.1f}">{escape(name)}</text>'
            )

    def rule(self, x: float | None = None, y: float | None = None, css: str = "rule") -> None:
        """A line across the whole drawing, upright at `x` or level at `y`."""
        if x is not None:
            self._marks.append(f'<path class="{css}" d="M{float(self.across(x)):.1f} {_TOP}V{self.height - _BOTTOM}"/>')
        if y is not None:
            self._marks.append(f'<path class="{css}" d="M{self.left} {float(self.down(y)):.1f}H{WIDTH - self.right}"/>')

    def slope(self, x0: float, y0: float, x1: float, y1: float) -> None:
        """A thin line for reference, between two points in data units."""
        xs, ys = self.across([x0, x1]), self.down([y0, y1])
        self._marks.append(f'<path class="rule" d="M{xs[0]:.1f} {ys[0]:.1f}L{xs[1]:.1f} {ys[1]:.1f}"/>')

    def cursor(self) -> None:
        """An upright line at x = 0 of the drawing, which a page's script moves to `across` of a value."""
        self._marks.append(f'<path class="cursor" d="M0 {_TOP}V{self.height - _BOTTOM}"/>')

    def mark(self, text: str) -> None:
        """Any other mark, as SVG text in px of the drawing: `across` and `down` say where values lie."""
        self._marks.append(text)

    def svg(self, title: str) -> Markup:
        """The drawing; `title` is for those who cannot see it."""
        return Markup(
            f'<svg class="chart" viewBox="0 0 {WIDTH} {self.height}" role="img" aria-label="{escape(title)}">'
            f"{self._axes()}{''.join(self._marks)}</svg>"
        )

    def _axes(self) -> str:
        bottom, parts = self.height - _BOTTOM, []
        for value, label in self.x.marks():
            across = float(self.across(value))
            grid = f'<path class="grid" d="M{across:.1f} {_TOP}V{bottom}"/>' if self.grid else ""
            parts.append(f'{grid}<text class="tick" x="{across:.1f}" y="{bottom + 16}">{escape(label)}</text>')
        for value, label in self.y.marks():
            down = float(self.down(value))
            grid = f'<path class="grid" d="M{self.left} {down:.1f}H{WIDTH - self.right}"/>' if self.grid else ""
            parts.append(f'{grid}<text class="tick y" x="{self.left - 6}" y="{down + 4:.1f}">{escape(label)}</text>')
        middle = max((self.left + WIDTH - self.right) / 2, 3.4 * len(self.x.label))  # no letter left of the drawing
        parts.append(f'<text class="label" x="{middle:.0f}" y="{self.height - 8}">{escape(self.x.label)}</text>')
        middle = (_TOP + bottom) / 2
        parts.append(
            f'<text class="label" transform="translate(13 {middle:.0f}) rotate(-90)">{escape(self.y.label)}</text>'
        )
        return "".join(parts)

    @staticmethod
    def _path(across: NDArray[np.float64], down: NDArray[np.float64]) -> str:
        """The path of a curve; what has no neighbour is a dash."""
        out: list[str] = []
        places = zip(across.tolist(), down.tolist(), strict=True)
        for finite, piece in groupby(places, lambda place: math.isfinite(place[0]) and math.isfinite(place[1])):
            points = [f"{x:.1f} {y:.1f}" for x, y in piece] if finite else []
            if points:
                out.append(f"M{'L'.join(points)}" + ("m-1.5 0h3" if len(points) == 1 else ""))
        return "".join(out)


def rows_chart(
    names: Sequence[str],
    values: Sequence[float],
    notes: Sequence[str],
    label: str,
    most: float | None = None,
    spans: Sequence[tuple[float, float]] = (),
) -> Markup:
    """Lying bars from 0, one for each name, with its note at the right.

    label: what the bars count. most: the value of a full bar, if not the largest. spans: an interval for each bar.
    """
    names = shortened(names, _MOST_LETTERS)
    row, left, right = 20, max(106, math.ceil(16 + _LETTER * max(map(len, names), default=0))), 88
    highest = most if most is not None else max([*values, 1e-9])
    scale = (WIDTH - left - right) / highest
    parts = []
    for i, (name, value, note) in enumerate(zip(names, values, notes, strict=True)):
        end = left + scale * min(value, highest)
        parts.append(
            f'<text class="tick y" x="{left - 8}" y="{i * row + 14}">{escape(name)}</text>'
            f'<rect class="bar" x="{left}" y="{i * row + 3}" width="{end - left:.1f}" height="{row - 6}"/>'
        )
        if i < len(spans):
            low, high = (left + scale * bound for bound in spans[i])
            y = i * row + row / 2
            parts.append(
                f'<path class="whisker" d="M{low:.1f} {y - 3}v6M{low:.1f} {y}H{high:.1f}M{high:.1f} {y - 3}v6"/>'
            )
            end = WIDTH - right
        parts.append(f'<text class="tick start" x="{end + 7:.1f}" y="{i * row + 14}">{escape(note)}</text>')
    height = len(names) * row + 24
    parts.append(f'<text class="label" x="{WIDTH / 2:.0f}" y="{height - 6}">{escape(label)}</text>')
    return Markup(
        f'<svg class="chart" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(label)}">'
        f"{''.join(parts)}</svg>"
    )


def wilson(successes: int, trials: int, z: float = 1.96) -> tuple[float, float]:
    """The interval of a success rate (by default 95 %), Wilson 1927: within [0, 1], right for few trials as well."""
    if trials == 0:
        return 0.0, 1.0
    rate, square = successes / trials, z * z
    middle = (rate + square / (2 * trials)) / (1 + square / trials)
    half = z / (1 + square / trials) * math.sqrt(rate * (1 - rate) / trials + square / (4 * trials * trials))
    return max(0.0, middle - half), min(1.0, middle + half)


def ends(values: NDArray[np.floating]) -> tuple[float, float]:
    """The ends of an axis for values: from the smallest to the largest, with a margin."""
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    margin = 0.04 * (high - low) or 0.1
    return low - margin, high + margin


def _spread(places: NDArray[np.float64], top: float, bottom: float) -> NDArray[np.float64]:
    """Places in rising order, moved up and down as far as it takes for each to be `NAME_PX` below the one before."""
    steps = NAME_PX * np.arange(len(places))
    down = np.maximum.accumulate(places - steps)
    up = np.minimum.accumulate((places - steps)[::-1])[::-1]
    lowest = max(bottom - NAME_PX * (len(places) - 1), top)
    return np.clip((down + up) / 2, top, lowest) + steps


def round_step(step: float) -> float:
    """The nearest of 1, 2, 5 × a power of ten that is no less than `step`."""
    power = 10.0 ** math.floor(math.log10(max(step, 1e-12)))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step * (1 - 1e-9))


def number(value: float) -> str:
    """A number as a person writes it: 3 digits that count, thousands apart, a true minus."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else "–"
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return text.replace("-", "−")


def signed(value: float) -> str:
    """The same with its sign: `+0.12`, `−0.05`."""
    return f"+{number(value)}" if value > 0 else number(value)


def shortened(names: Sequence[str], most: int) -> list[str]:
    """Names of at most so many letters, their middles left out; of more, where two would else be the same."""
    while True:
        found = [_cut(name, most) for name in names]
        if len(set(found)) == len(set(names)):
            return found
        most += 1


def _cut(name: str, most: int) -> str:
    return name if len(name) <= most else f"{name[: most // 2]}…{name[len(name) - (most - 1) // 2 :]}"


def _tick(value: float, step: float) -> str:
    """A round value of an axis, with as many decimals as its steps need."""
    decimals = -math.floor(math.log10(step) + 1e-9)
    if value == 0 or decimals > 4:
        return number(value)
    return f"{value:,.{max(decimals, 0)}f}".replace("-", "−")


def words(name: bytes | str) -> str:
    """A stored name as a person writes it: `living_room` as `living room`."""
    text = name if isinstance(name, str) else bytes(name).decode("utf-8", "replace")
    return text.replace("_", " ")


def _group(name: str) -> str:
    return f' data-group="{escape(name)}"' if name else ""
