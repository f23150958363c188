"""What a study ends with: `results.csv`, `tables.md`, figures, and one page."""

import json
import shlex

from embodied_ssl.datasets.store.files import write_atomically
from embodied_ssl.datasets.store.manifest import MANIFEST, data_sha256
from embodied_ssl.evaluation.results import Results, write_results
from embodied_ssl.report.page import write_report
from embodied_ssl.report.text import markdown_table
from embodied_ssl.studies.cells import Learning, best_of, read_progress
from embodied_ssl.studies.experiment import Experiment

PAGE, TABLES = "report.html", "tables.md"


def write_study(experiment: Experiment) -> Results:
    """Write everything that was found, from the files of its cells alone."""
    found = Results(one for cell in experiment.measuring() for one in cell.results())
    write_results(found, experiment.out / "results.json")
    write_atomically(experiment.out / TABLES, [tables(experiment, found).encode()])
    runs = [each.run for each in experiment.learning() if each.run.name.endswith("-0")]
    write_report(experiment.out / PAGE, found, runs, title=experiment.study.question)
    return found


def tables(experiment: Experiment, found: Results) -> str:
    """The tables in Markdown, with what they rest on."""
    study, size = experiment.study, experiment.size
    budget = f"{size.seeds} seeds, {size.samples:,} samples of each stream; {study.encoder} at {study.image_size} px"
    parts = [
        f"# {study.question}",
        f"Study `{study.name}`, size `{experiment.size_name}`: {budget} where a row says nothing else.",
        markdown_table(found),
        "## Data",
        _data(experiment),
        "## Rows",
        _rows(experiment),
    ]
    return "\n\n".join(parts) + "\n"


def _data(experiment: Experiment) -> str:
    lines = ["| data | kind | episodes | sha256 |", "|---|---|---|---|"]
    for name in experiment.needed:
        place = experiment.place(name)
        if (place / MANIFEST).is_file():
            told = json.loads((place / MANIFEST).read_text(encoding="utf-8"))
            lines.append(f"| {name} | {told['kind']} | {told['counts']['episodes']:,} | {data_sha256(place)[:16]} |")
        else:
            lines.append(f"| {name} | given | | |")
    return "\n".join(lines)


def _rows(experiment: Experiment) -> str:
    lines = ["| row | samples seen | core hours a run | command |", "|---|---|---|---|"]
    for row in experiment.rows:
        own = [each for each in experiment.learning() if each.row == row.name]
        hours = sum(read_progress(each.run)[1] for each in own) / 3600 / len(own)
        chosen = best_of(own[0].tries)
        told = (
            f" (chosen of {len(row.choices)} on {experiment.study.chosen_on.data})"
            if chosen and experiment.study.chosen_on
            else ""
        )
        lines.append(f"| {row.name} | {own[0].samples:,} | {hours:.2f} | `{_command(own[0], chosen)}`{told} |")
    return "\n".join(lines)


def _command(learning: Learning, chosen: str) -> str:
    return shlex.join(["embodied-ssl", "train", *learning.command, *shlex.split(chosen)])
