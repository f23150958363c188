"""Figures of the pages: those of reports in colours that say what is what, dots of several series, and a matrix."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from markupsafe import Markup, escape

from embodied_ssl.datasets.gallery.charts import COLOURS, WIDTH, Axis, Chart
from embodied_ssl.datasets.gallery.template import Figure
from embodied_ssl.report import answers
from embodied_ssl.report.tables import Cell, row_order
from findings.committed import PIXELS, RESCALED, UNTRAINED, Measured, plain
from findings.words import number

BLUE, ORANGE, GREEN = COLOURS[:3]
LIGHT, GREY = "#a9adb5", "#7d838d"
_ROW, _GROUP_GAP, _LETTER = 15, 12, 6.7  # px of a chart of dots: a series, between groups, a letter at most


def bars(title: str, measured: Measured, *ours: str, caption: str = "") -> Figure:
    """A bar for each row: `ours`, in orange, are what the figure is about."""
    colours = _colours(measured, ours) | dict.fromkeys(map(plain, ours), ORANGE)
    return answers.bars(title, measured.results, colours, caption)


def curves(title: str, measured: Measured, over: str, *ours: str, caption: str = "") -> Figure:
    """A curve for each row."""
    return answers.curves(title, measured.results, over, _colours(measured, ours), caption)


def beside(title: str, paper: Measured, measured: Measured, over: str, rows: Mapping[str, str], row: str) -> Figure:
    """Curves of ours and, dashed, those of a paper on one scale. rows: ours by the paper's names."""
    first = measured.results[0]
    metric = first.metric.partition("@")[0]
    theirs = [
        replace(one, row=f"{one.row}, paper", protocol=first.protocol, metric=f"{metric}@{place}")
        for one in paper.results
        for place in [one.metric.partition("@")[2]]
    ]
    ours = _colours(measured, (row,))
    colours = ours | {f"{name}, paper": ours[own] for name, own in rows.items()}
    return answers.curves(title, [*measured.results, *theirs], over, colours)


def dots(
    title: str,
    groups: Mapping[str, Mapping[str, Cell]],
    label: str,
    colours: Mapping[str, str],
    caption: str = "",
    rules: Mapping[str, float] | None = None,
    beside: Sequence[Mapping[str, Mapping[str, Cell]]] = (),
) -> Figure:
    """Groups of rows, one below the other, with a dot and an interval for each series, and a number beside it.

    groups: by name, the cells of each series. rules: upright lines, by what they say. beside: groups of other figures
    that have the same scale.
    """
    alike = [own for each in (groups, *beside) for own in each.values()]
    every = [cell for own in alike for cell in own.values() if math.isfinite(cell.mean)]
    ends = [end for cell in every for end in _ends(cell)] + list((rules or {}).values())
    margin = 0.05 * (max(ends) - min(ends)) or 0.1
    height = sum(_ROW * len(own) + _GROUP_GAP for own in groups.values()) + 58
    left = math.ceil(14 + 1.1 * _LETTER * max(map(len, groups)))
    axis = Axis(label, min(ends) - margin, max(ends) + margin)
    rows = Axis("", height - 58, 0, ticks=())
    chart = Chart(axis, rows, height=height, left=left, right=104)
    for value in (rules or {}).values():
        chart.rule(x=value, css="rule mean")
    top = _GROUP_GAP / 2
    for group, own in groups.items():
        middle = float(chart.down(top + _ROW * len(own) / 2))
        chart.mark(f'<text class="tick y" x="{left - 8}" y="{middle + 4:.1f}">{escape(group)}</text>')
        for series, cell in own.items():
            down, colour = top + _ROW / 2, colours.get(series, GREY)
            _interval(chart, cell, down, colour)
            chart.points([cell.mean], [down], colour, [f"{group}, {series}: {number(cell)}"])
            place = float(chart.down(down)) + 4
            chart.mark(f'<text class="tick start" x="{WIDTH - 98}" y="{place:.1f}">{escape(number(cell))}</text>')
            top += _ROW
        top += _GROUP_GAP
    series = dict.fromkeys(name for own in groups.values() for name in own)
    key = [(colours.get(name, GREY), name) for name in series]
    said = "".join(f" Dashed: {what}." for what in rules or {})
    return Figure(title, chart.svg(title), caption + said, key)


def matrix(measures: Mapping[str, Measured], untrained: Mapping[str, str]) -> str:
    """A table of rows and measures, as HTML: what each has more than its own untrained encoder, with intervals.

    measures: by what the head of a column says. untrained: of each row.
    """
    rows = sorted(untrained, key=row_order)
    columns = {name: _leads(measured, untrained) for name, measured in measures.items()}
    scales = {name: _scale(own, rows) for name, own in columns.items()}
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = []
    for row in rows:
        cells = "".join(f"<td><div>{_lead(columns[name].get(row), *scales[name])}</div></td>" for name in columns)
        body.append(f"<tr><th>{escape(plain(row))}</th>{cells}</tr>")
    return (
        f'<div class="matrix"><table class="leads"><thead><tr><th></th>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def framed(figures: Sequence[Figure], pictures: Sequence[str] = ()) -> str:
    """Figures side by side where there is room, as HTML, and cards of pictures below."""
    return f'<div class="drawn">{"".join([*map(_card, figures), *pictures])}</div>'


def picture(file: str, title: str, caption: str) -> str:
    """A picture as a card, as wide as the page."""
    return (
        f'<figure class="card whole"><b>{escape(title)}</b><img src="../{file}" alt="{escape(title)}" loading="lazy">'
        f"{_caption(caption)}</figure>"
    )


Lead = tuple[Cell, Cell]
"""Of a row, and of its untrained encoder."""


def _leads(measured: Measured, untrained: Mapping[str, str]) -> dict[str, Lead]:
    own = measured.cells
    return {row: (own[row], own[base]) for row, base in untrained.items() if row in own and base in own}


def _scale(leads: Mapping[str, Lead], rows: Sequence[str]) -> tuple[float, float]:
    """The ends of a column: of the rows that saw no labels, which a row of labels may lie beyond."""
    fair = [leads[row] for row in rows if row in leads and row_order(row)[0] < 2]
    ends = [cell.mean - base.mean + sign * half for cell, base in fair for sign in (-1, 1) for half in _halves(cell)]
    return min([-0.02, *ends]), max([0.02, *ends])


def _lead(lead: Lead | None, low: float, high: float) -> str:
    if lead is None:
        return ""
    (cell, base), width = lead, 76
    more, half, around = cell.mean - base.mean, *_halves(cell), *_halves(base)

    def across(value: float) -> float:
        return 4 + (width - 8) * (min(max(value, low), high) - low) / (high - low)

    apart = abs(more) > half + around
    css = ("more" if more > 0 else "less") if apart else "unsure"
    title = f"{number(cell)}, untrained {number(base)}{': intervals apart' if apart else ''}"
    return (
        f'<svg viewBox="0 0 {width} 20" class="lead {css}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>"
        f'<rect class="around" x="{across(-around):.1f}" y="0" width="{across(around) - across(-around):.1f}" '
        f'height="20"/><path class="zero" d="M{across(0):.1f} 0V20"/>'
        f'<path class="span" d="M{across(more - half):.1f} 10H{across(more + half):.1f}"/>'
        f'<circle cx="{across(more):.1f}" cy="10" r="4"/></svg>'
        f"<span>{'+' if more > 0 else '−'}{abs(more):.3f}</span>"
    )


def _halves(cell: Cell) -> tuple[float]:
    return (cell.half if math.isfinite(cell.half) else 0.0,)


def _interval(chart: Chart, cell: Cell, down: float, colour: str) -> None:
    if math.isfinite(cell.half):
        low, high = (float(chart.across(end)) for end in _ends(cell))
        y = float(chart.down(down))
        chart.mark(f'<path class="span" stroke="{colour}" d="M{low:.1f} {y:.1f}H{high:.1f}"/>')


def _ends(cell: Cell) -> tuple[float, float]:
    [half] = _halves(cell)
    return cell.mean - half, cell.mean + half


def _colours(measured: Measured, ours: Sequence[str]) -> dict[str, str]:
    """Grey for what has learned nothing, green for labels, orange and others for what is asked about, else blue."""
    rows = list(dict.fromkeys(one.row for one in measured.results))
    fixed = {PIXELS: LIGHT, UNTRAINED: GREY, RESCALED: GREY}
    bright = [ORANGE, *COLOURS[3:]]
    found = {row: bright[i % len(bright)] for i, row in enumerate(map(plain, ours))}
    return {row: found.get(row) or fixed.get(row) or (GREEN if row_order(row)[0] == 2 else BLUE) for row in rows}


def _card(figure: Figure) -> str:
    below = _key(figure) + _caption(figure.caption)
    return f'<figure class="card"><b>{escape(figure.title)}</b>{figure.chart}{below}</figure>'


def _key(figure: Figure) -> Markup:
    entries = "".join(f'<span><i style="background:{colour}"></i>{escape(name)}</span>' for colour, name in figure.key)
    return Markup(f'<div class="legend">{entries}</div>' if entries else "")  # names in it are escaped


def _caption(text: str) -> Markup:
    return Markup(f"<figcaption>{escape(text)}</figcaption>" if text else "")
