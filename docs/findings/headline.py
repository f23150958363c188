"""The README's figure: four things that a body adds, each as bars."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from markupsafe import escape

from embodied_ssl.datasets.gallery.charts import WIDTH
from embodied_ssl.datasets.gallery.template import Figure
from embodied_ssl.evaluation.results import Result
from embodied_ssl.report.answers import STYLE
from findings.committed import PIXELS, UNTRAINED, Measured, committed
from findings.drawing import bars

GAP, TITLE, MARGIN = 24, 40, 10  # px
MOVED = ("equivariance", "continuous", "ego-motion", "view prediction")
"""Methods of the carousel that learn from motor signals."""


def svg() -> str:
    """All four, two by two, as a file. Raises NotThere where the results of one are not committed."""
    panels = {
        "Holding objects: what is this?": held(),
        "Moving about: what comes next?": moved(),
        "Grasping: will it hold?": grasped(),
        "Holding objects: where are they?": looked(),
    }
    heights = [_height(figure) + TITLE for figure in panels.values()]
    tops = [MARGIN, MARGIN + max(heights[:2]) + GAP]
    width, height = 2 * WIDTH + GAP + 2 * MARGIN, tops[1] + max(heights[2:]) + MARGIN
    parts = []
    for i, (title, figure) in enumerate(panels.items()):
        x, y = MARGIN + i % 2 * (WIDTH + GAP), tops[i // 2]
        inner = str(figure.chart).replace(
            '<svg class="chart"', f'<svg x="{x}" y="{y + TITLE}" width="{WIDTH}" height="{_height(figure):g}"', 1
        )
        parts.append(
            f'<text class="title" x="{x}" y="{y + 16}">{escape(title)}</text>'
            f'<text x="{x}" y="{y + 33}">{escape(figure.title)}</text>{inner}'
        )
    style = f"{STYLE}.title{{font:bold 15px sans-serif;fill:#222}}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height:g}" '
        f'viewBox="0 0 {width} {height:g}"><style>{style}</style>'
        f'<rect width="{width}" height="{height:g}" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


def held() -> Figure:
    """Two views of an object."""
    found, hand = committed("positives"), "simclr: hold, across scenes"
    rows = {"simclr: augmentation": "two crops of an image", hand: "two views of a held object", "labels": "labels"}
    probe = found.measure("linear_probe", "accuracy", "yardstick")
    return _bars("Category of objects never seen, one of 40", probe, found.untrained(hand), rows, rows[hand])


def moved() -> Figure:
    """Whose motor signals: the mean of the methods that use them."""
    found = committed("carousel")
    measured = found.measure("relative_motion", "MRR", "roam_test")
    rows = {motor: [f"{method}, {motor}" for method in MOVED] for motor in ("own", "yoked")}
    base = found.untrained(f"{MOVED[0]}, own")
    own = {"yoked": "another body's motor signals", "own": "its own motor signals"}
    means = [one for motor in own for one in _mean(measured, rows[motor], motor)]
    every = Measured((*measured.results, *means))
    return _bars("The image after a motion, in rooms never seen", every, base, own, own["own"])


def grasped() -> Figure:
    """Grasps that are carried out."""
    found, metric = committed("touch"), "success@1000"
    measured = found.measure("grasping", metric, "tables_test")
    state = found.measure("grasping", "success by state", "tables_test").results
    told = "the simulator's state"
    blind = [replace(one, row=told, metric=metric) for one in state if one.row == "all senses"]
    rows = {told: told, "grasping alone": "what it felt when grasping"}
    every = Measured((*measured.results, *blind))
    return _bars("Grasps carried out on tables never seen", every, found.untrained("all senses"), rows,
                 rows["grasping alone"])  # fmt: skip


def looked() -> Figure:
    """Where a transformer looks."""
    found, row, metric = committed("attention"), "dino: hold, across scenes", "Jaccard"
    measured = found.measure("attention", metric, "tables_test")
    middle = found.measure("attention", "Jaccard of a disc in the middle", "tables_test").results
    disc = "a disc in the middle"
    blind = [replace(one, row=disc, metric=metric) for one in middle if one.row == row]
    rows = {disc: disc, "dino: augmentation": "crops of an image", row: "views of a held object"}
    every = Measured((*(one for one in measured.results if one.row != PIXELS), *blind))
    return _bars("Attention on tables never seen, without labels", every, found.untrained(row), rows, rows[row])


def _bars(title: str, measured: Measured, untrained: str, rows: Mapping[str, str], ours: str) -> Figure:
    names = {PIXELS: PIXELS, untrained: UNTRAINED, **rows}
    shown = [replace(one, row=names[row]) for row in names for one in measured.results if one.row == row]
    return bars(title, Measured(tuple(shown)), ours)


def _mean(measured: Measured, rows: list[str], name: str) -> list[Result]:
    """The mean of rows, for each seed."""
    own = [one for one in measured.results if one.row in rows]
    seeds = sorted({one.seed for one in own})
    return [
        replace(own[0], row=name, seed=seed, value=float(np.mean([one.value for one in own if one.seed == seed])))
        for seed in seeds
    ]


def _height(figure: Figure) -> float:
    return float(str(figure.chart).split('viewBox="0 0 ')[1].split('"')[0].split()[1])
