"""Figures that answer a question: bars of one measure over rows, or a curve for each row; also as their own files."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

from markupsafe import Markup, escape

from embodied_ssl.datasets.gallery.charts import HEIGHT, NAME_PX, WIDTH, Axis, Chart, number, shortened, words
from embodied_ssl.datasets.gallery.template import Figure
from embodied_ssl.evaluation.results import Result
from embodied_ssl.report.tables import Cell, cells, row_order

STYLE = (
    "text{font:12px sans-serif;fill:#444}.tick,.label{text-anchor:middle}.tick.y{text-anchor:end}.tick.start"
    "{text-anchor:start}.grid{stroke:#ddd;fill:none}.rule{stroke:#333;fill:none}.whisker{stroke:#333;fill:none;"
    "stroke-opacity:.5}.curve{fill:none;stroke-width:2}.again{stroke-dasharray:5 3}.leader{fill:none;"
    "stroke-opacity:.6}.heading{font-weight:bold;text-anchor:middle}"
)
"""Of charts in a file of their own, on white."""
_ROW, _LETTER = 22, 6.7  # px of a chart of bars: a row, and a letter of its names and numbers at most
_MOST_LETTERS = 30  # of the name of a row
_GREY = "#7d838d"


def bars(title: str, results: Sequence[Result], colours: Mapping[str, str], caption: str = "") -> Figure:
    """The mean of one measure for each row, with its interval and the numbers beside it."""
    found = _one_measure(results)
    rows = sorted((row for row in found if math.isfinite(found[row].mean)), key=row_order)
    ends = [_ends(found[row]) for row in rows]
    low, high = min([0.0, *(low for low, _ in ends)]), max([1e-9, *(high for _, high in ends)])
    names, numbers = shortened(rows, _MOST_LETTERS), [f"{found[row].text} {found[row].interval}" for row in rows]
    left, right = (14 + _LETTER * max(map(len, texts), default=0) for texts in (names, numbers))
    width = WIDTH - left - right

    def across(value: float) -> float:
        return left + width * (value - low) / (high - low)

    parts = []
    for i, row in enumerate(rows):
        cell, top = found[row], i * _ROW
        start, end = sorted((across(0.0), across(cell.mean)))
        parts.append(
            f'<text class="tick y" x="{left - 8:.0f}" y="{top + 15}">{escape(names[i])}</text>'
            f'<rect class="own" fill="{colours.get(row, _GREY)}" x="{start:.1f}" y="{top + 3}" '
            f'width="{max(end - start, 0.5):.1f}" height="{_ROW - 6}"><title>{escape(row)}</title></rect>'
        )
        if math.isfinite(cell.half):
            first, last = (across(value) for value in _ends(cell))
            middle = top + _ROW / 2
            parts.append(
                f'<path class="whisker" d="M{first:.1f} {middle - 3}v6M{first:.1f} {middle}H{last:.1f}'
                f'M{last:.1f} {middle - 3}v6"/>'
            )
        parts.append(f'<text class="tick start" x="{WIDTH - right + 6:.0f}" y="{top + 15}">{numbers[i]}</text>')
    height = len(rows) * _ROW + 26
    label = _label(results)
    parts.append(f'<text class="label" x="{left + width / 2:.0f}" y="{height - 7}">{escape(label)}</text>')
    head = f'<svg class="chart" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">'
    return Figure(title, Markup(f"{head}{''.join(parts)}</svg>"), caption)


def curves(title: str, results: Sequence[Result], over: str, colours: Mapping[str, str], caption: str = "") -> Figure:
    """A curve for each row, with intervals; places are those of `place_of`."""
    points = _by_place(results, over)
    places = sorted({place for own in points.values() for place in own})
    ends = [end for own in points.values() for cell in own.values() for end in _ends(cell)]
    low, high = min(ends, default=0.0), max(ends, default=1.0)
    margin = 0.06 * (high - low) or 0.05
    log = len(places) > 1 and min(places) > 0 and max(places) / min(places) > 8
    x_ends = (places[0] * 0.88, places[-1] * 1.14) if log else _widened(places)
    ticks = tuple((place, number(place)) for place in _apart(places, log))
    axis = Axis(f"{words(over)}{' (logarithmic)' if log else ''}", *x_ends, log=log, ticks=ticks)
    rows = sorted(points, key=row_order)
    short = dict(zip(rows, shortened(rows, _MOST_LETTERS), strict=True))
    chart = Chart(
        axis, Axis(_label(results), max(0.0, low - margin) if low >= 0 else low - margin, high + margin),
        height=max(HEIGHT, NAME_PX * len(rows) + 60), right=42 + math.ceil(_LETTER * max(map(len, short.values()))),
    )  # fmt: skip
    used: set[str] = set()
    for row in rows:
        own, colour = points[row], colours.get(row, _GREY)
        xs, means = sorted(own), [own[place].mean for place in sorted(own)]
        told = [place for place in xs if math.isfinite(own[place].half)]
        chart.whiskers(told, [_ends(own[place])[0] for place in told], [_ends(own[place])[1] for place in told])
        chart.lines([(xs, means)], colour, "curve again" if colour in used else "curve")
        chart.points(
            xs, means, colour, [f"{row}, {number(place)}: {own[place].text} {own[place].interval}" for place in xs]
        )
        used.add(colour)
    ends_of = {row: points[row][max(points[row])].mean for row in rows}
    chart.names(places[-1], [(short[row], ends_of[row], colours.get(row, _GREY)) for row in rows])
    return Figure(title, chart.svg(title), caption)


def place_of(result: Result, over: str) -> float | None:
    """Where a number stands on a curve: the number after `@` in its metric, or its setting of the name of the axis."""
    _, at, end = result.metric.partition("@")
    told = end.split()[0] if at else result.settings.get(over)  # `accuracy@5 objects`
    try:
        return None if told is None or isinstance(told, bool) else float(told)
    except (TypeError, ValueError):
        return None


def as_file(figure: Figure) -> str:
    """A figure as an SVG file of its own, with its title above."""
    height = float(str(figure.chart).split('viewBox="0 0 ')[1].split('"')[0].split()[1])
    inner = str(figure.chart).replace('<svg class="chart"', f'<svg y="22" width="{WIDTH}" height="{height:g}"', 1)
    wide = 1.25 * _LETTER * len(figure.title) > WIDTH - 8
    fit = f' textLength="{WIDTH - 8}" lengthAdjust="spacingAndGlyphs"' if wide else ""
    whole = height + 30
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{whole:g}"><style>{STYLE}</style>'
        f'<rect width="{WIDTH}" height="{whole:g}" fill="#fff"/>'
        f'<text class="heading" x="{WIDTH // 2}" y="15"{fit}>{escape(figure.title)}</text>{inner}</svg>\n'
    )


def _one_measure(results: Sequence[Result]) -> dict[str, Cell]:
    """The cell of each row; where a measure has several columns, the first."""
    return {row: next(iter(own.values())) for row, own in cells(results).items()}


def _by_place(results: Sequence[Result], over: str) -> dict[str, dict[float, Cell]]:
    places: dict[float, list[Result]] = {}
    for result in results:
        if (place := place_of(result, over)) is not None and math.isfinite(result.value):
            places.setdefault(place, []).append(result)
    found: dict[str, dict[float, Cell]] = {}
    for place, own in places.items():
        for row, cell in _one_measure(own).items():
            found.setdefault(row, {})[place] = cell
    return found


def _ends(cell: Cell) -> tuple[float, float]:
    half = cell.half if math.isfinite(cell.half) else 0.0
    return cell.mean - half, cell.mean + half


def _label(results: Sequence[Result]) -> str:
    first = results[0]
    unit = f" [{first.unit}]" if first.unit else ""
    better = ", lower is better" if first.lower_is_better else ""
    return f"{words(first.protocol)}: {words(first.metric.partition('@')[0])}{unit}{better}"


def _widened(places: Sequence[float]) -> tuple[float, float]:
    low, high = (places[0], places[-1]) if places else (0.0, 1.0)
    margin = 0.05 * (high - low) or 1.0
    return low - margin, high + margin


def _apart(places: Sequence[float], log: bool) -> list[float]:
    """Those that leave room for their labels."""
    if len(places) < 2:
        return list(places)
    scale = [math.log(place) if log else place for place in places]
    least, kept = 0.07 * (scale[-1] - scale[0]), [0]
    for _, at in pairwise(range(len(places))):
        if scale[at] - scale[kept[-1]] >= least:
            kept.append(at)
    return [places[at] for at in kept]
