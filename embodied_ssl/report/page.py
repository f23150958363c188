"""The report: one HTML page with everything inside, written from result files.

    write_report(Path("report.html"), read_results("results.json"), runs=[Path("runs/equivariance")])

The same results give the same page. What is missing (no metrics, no figures, no results) is left out.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from embodied_ssl.datasets.gallery.charts import words
from embodied_ssl.datasets.gallery.template import Figure as Drawn
from embodied_ssl.datasets.gallery.template import render
from embodied_ssl.datasets.store.files import make_room, write_atomically
from embodied_ssl.evaluation.results import Result, told_apart
from embodied_ssl.report import drawings
from embodied_ssl.report.colours import row_colours
from embodied_ssl.report.curves import few_label_curves, is_few_label, learning_curves
from embodied_ssl.report.figures import (
    Equivariance,
    FeatureMap,
    Figure,
    MotionClusters,
    Predictions,
    RetrievalWall,
    TaskPanels,
)
from embodied_ssl.report.tables import Column, Table, row_order, tables
from embodied_ssl.training.runs.run import Run, load_run

_ORDER = (TaskPanels, Predictions, RetrievalWall, FeatureMap, MotionClusters, Equivariance)
_HEADINGS = {
    TaskPanels: (
        "tasks", "What each method was asked",
        "The task that a method sets itself, on held-out images, and what it answers. "
        "Drawn in blue: what was; in orange: what is predicted.",
        "tasks",
    ),
    Predictions: (
        "predictions", "Pixels and boxes",
        "Images of the test, what is true of them, and what is predicted from the features. "
        "Boxes that are there are drawn in blue, those that are found (score 0.5 or more) in orange.",
        "predictions",
    ),
    RetrievalWall: (
        "wall", "Nearest neighbours",
        "A query, then the images whose features are nearest to its own: of other objects or rooms, one of each.",
        "neighbours",
    ),
    FeatureMap: ("map", "Map of the features", "Each dot is an image; near dots have like features.", "map"),
    MotionClusters: (
        "motions", "Motion patterns", "What the body felt between two frames, grouped by k-means.", "motions",
    ),
    Equivariance: (
        "equivariance", "Equivariance by motion",
        "How far a linear map per motion misses the features of the next view, relative to how much they changed. "
        "At the dashed line (1) it is no better than standing still; lower is better. "
        "Motions are named by what the body measured; * marks those that no map was fitted to.",
        "equivariance",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Section:
    """One kind of figure: for each run that has it what the template shows, a chart or rows of images."""

    id: str
    title: str
    caption: str
    short: str
    parts: list[Any] = field(default_factory=list)


def write_report(
    out: Path | str,
    results: Iterable[Result] = (),
    runs: Sequence[Path | str] = (),
    figures: Mapping[str, Sequence[Figure]] | None = None,
    title: str = "What was learned",
    answers: Sequence[Drawn] = (),
    about: str = "",
    rows: Mapping[Path, str] | None = None,
    command: str = "evaluate",
) -> Path:
    """Write the page and return its path.

    Args:
        out: the page; its directory is made if need be.
        results: every measured number; the tables and the few-label curves are made of them.
        runs: run directories: learning curves from `metrics.csv`, and their settings.
        figures: by the name of what they show: a run, or a set.
        title: of the page.
        answers: charts that come before all others.
        about: a line or two under the title.
        rows: what runs are called in tables, where it is not by their methods.
        command: that made it, which its last line says.

    Raises DataError where a run is damaged, or the page cannot be written.
    """
    page, found = Path(out).expanduser(), told_apart(results)
    make_room(page)
    named = ((run, load_run(run)) for run in runs)
    read = [replace(one, row=(rows or {}).get(Path(run), "")) for run, one in named]
    read.sort(key=lambda run: row_order(run.label))
    shown = [(row, one) for row, own in (figures or {}).items() for one in own]
    names = [result.row for result in found] + [run.label for run in read]
    names += [row for _, one in shown if isinstance(one, Equivariance) for row in one.rows]
    colours = row_colours(sorted(names, key=row_order))
    content = _contents(found, read, shown, colours) | {"answers": answers, "about": about}
    text = render("report.html.j2", Path(__file__).parent, title=title, command=command, **content)
    write_atomically(page, [text.encode()])
    return page


def _contents(
    results: list[Result], runs: list[Run], shown: list[tuple[str, Figure]], colours: dict[str, str]
) -> dict[str, Any]:
    found = tables(results)
    curves, parts = learning_curves(runs, colours)
    trained = [row for row in colours if any(run.label == row for run in runs)]
    few = few_label_curves(results, colours)
    return {
        "tables": found,
        "tiles": _tiles(results, found, runs),
        "colours": colours,
        "few": few,
        "few_key": [(colours[row], row) for row in colours if any(is_few_label(r) and r.row == row for r in results)],
        "curves": curves,
        "parts": parts,
        "curve_key": [(colours[row], row) for row in trained],
        "sections": _sections(shown, colours),
        "runs": runs,
    }


def _tiles(results: list[Result], found: list[Table], runs: list[Run]) -> list[tuple[str, str, str]]:
    """Figures at the top: what, value, and a note. First the gain over random features on each set."""
    gains = [tile for table in found[:3] if (tile := _gain(table))]
    counts = [
        ("rows", len({result.row for result in results}), ""),
        ("seeds", len({result.seed for result in results}), ""),
        ("runs", len({(result.row, result.seed) for result in results if result.samples}) or len(runs), ""),
    ]
    return gains + [(what, f"{count:,}", note) for what, count, note in counts if count]


def _gain(table: Table) -> tuple[str, str, str] | None:
    """The best of what learned without labels, with 6 labels per class or on the first measure, against the best of
    the encoders with random weights."""
    if not table.columns:
        return None
    first = next((i for i, column in enumerate(table.columns) if column.metric == "accuracy@6"), 0)
    column, found = table.columns[first], {row: own[first] for row, own in table.rows}
    honest = {row: cell for row, cell in found.items() if cell and not cell.learned_from}
    means = {row: cell.mean for row, cell in honest.items() if math.isfinite(cell.mean)}
    learned = {row: mean for row, mean in means.items() if row_order(row)[0] == 1 and not honest[row].from_labels}
    better = min if column.lower_is_better else max
    random = better((mean for row, mean in means.items() if row_order(row) == row_order("random")), default=0.0)
    if not learned or random <= 0:
        return None
    best = better(learned, key=lambda row: learned[row])
    times = learned[best] / random
    return (
        f"{table.title}: {_measure(column)}",
        f"{times:.2f} × random{' ↓' if column.lower_is_better else ''}",
        f"{words(best)}, {learned[best]:.3f} against {random:.3f}",
    )


def _measure(column: Column) -> str:
    return f"{words(column.protocol)}, {column.label}"


def _sections(shown: list[tuple[str, Figure]], colours: dict[str, str]) -> list[Section]:
    found = []
    for kind in _ORDER:
        parts = [_shown(name, one, colours) for name, one in shown if isinstance(one, kind)]
        if parts:
            found.append(Section(*_HEADINGS[kind], parts=parts))
    return found


def _shown(name: str, figure: Figure, colours: dict[str, str]) -> Any:
    """What the template needs to show a figure."""
    match figure:
        case TaskPanels():
            return {"name": name, "rows": drawings.tiles(figure.rows)}
        case Predictions():
            return {"name": name, "note": words(figure.what), "rows": drawings.tiles(figure.rows)}
        case RetrievalWall():
            right = sum(bool(nearest.right) for _, nearest, *_ in figure.rows)
            note = f"{words(figure.set)}; the nearest is right for {right} of {len(figure.rows)}"
            return {"name": name, "note": note, "rows": drawings.tiles(figure.rows)}
        case FeatureMap():
            chart, key = drawings.map_chart(figure)
            return Drawn(name, chart, figure.method, key)
        case MotionClusters():
            chart, key = drawings.clusters_chart(figure)
            return Drawn(name, chart, key=key)
        case Equivariance():
            chart, key = drawings.equivariance_chart(figure, colours)
            return Drawn(name, chart, drawings.motion_names(figure), key)
