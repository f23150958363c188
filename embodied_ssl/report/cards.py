"""Cards: what a notebook shows of a run or of results."""

from collections.abc import Sequence
from pathlib import Path

from embodied_ssl.datasets.gallery.charts import number, words
from embodied_ssl.datasets.gallery.template import render
from embodied_ssl.evaluation.results import Result
from embodied_ssl.report.colours import row_colours
from embodied_ssl.report.curves import learning_curves
from embodied_ssl.report.tables import row_order, tables
from embodied_ssl.training.runs.run import Run

_MOST_CHARTS = 2


def run_card(run: Run) -> str:
    """A run: how far it is, the curves of its loss and of what watched it, its settings and data."""
    curves, _ = learning_curves([run], row_colours([run.method]))
    steps = run.metrics.get("loss", ([], []))[0]
    latest = [(words(name), number(values[-1])) for name, (_, values) in run.metrics.items() if "accuracy" in name]
    encoder = run.configuration.get("encoder", {})
    return render(
        "card.html.j2",
        title=run.name,
        kind=words(run.method),
        counts=[
            ("state", "finished" if run.is_finished else "not finished"),
            *([("last logged step", f"{steps[-1]:,.0f}")] if steps else []),
            *([("encoder", f"{encoder['name']}, {encoder['image_size']} px")] if encoder else []),
            *latest,
        ],
        charts=[curve.chart for curve in curves[:_MOST_CHARTS]],
        details=[("Settings and data", run.settings)],
    )


def results_card(results: Sequence[Result]) -> str:
    """Results: a table for each set, as in the report."""
    colours = row_colours(sorted(dict.fromkeys(result.row for result in results), key=row_order))
    return render(
        "results_card.html.j2",
        Path(__file__).parent,
        title="Results",
        kind="mean over seeds ± 95 % confidence interval; bold: the best of what saw no labels, if apart",
        tables=tables(results),
        colours=colours,
        styles=["table_style.html.j2"],
    )
