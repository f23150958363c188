"""What a study ends with: `results.csv`, `tables.md`, figures, and one page."""

import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from embodied_ssl import plugins
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.gallery.template import Figure as Drawn
from embodied_ssl.datasets.store.files import write_atomically
from embodied_ssl.evaluation.panels import equivariance_figures, figures_of
from embodied_ssl.evaluation.results import Result, Results, write_results
from embodied_ssl.report.answers import as_file, bars, curves, place_of
from embodied_ssl.report.colours import row_colours
from embodied_ssl.report.page import write_report
from embodied_ssl.report.tables import row_order
from embodied_ssl.report.text import markdown_table
from embodied_ssl.studies import built_in_studies
from embodied_ssl.studies.cells import Learning, Measuring, best_of, read_progress
from embodied_ssl.studies.experiment import Experiment
from embodied_ssl.studies.record import keep, known_data
from embodied_ssl.studies.study import Figure, file_name
from embodied_ssl.training.runs.checkpoint import is_finished, read_configuration
from embodied_ssl.zoo import run_folder

PAGE, TABLES, FIGURES = "report.html", "tables.md", "figures"


def write_study(experiment: Experiment, page: bool = True) -> Results:
    """Write everything that was found so far, from the files of its cells alone; without a page the numbers only.

    Raises DataError where nothing has been measured.
    """
    measured = [cell for cell in experiment.measuring() if cell.is_done()]
    found = Results(one for cell in measured for one in cell.results())
    if not found:
        raise DataError(f"{experiment.out}: nothing was measured yet")
    keep(experiment)
    write_results(found, experiment.out / "results.json")
    if page:
        _write_page(experiment, found, measured)
    return found


def _write_page(experiment: Experiment, found: Results, measured: Sequence[Measuring]) -> None:
    """Tables, figures as files, and one page of both with what the runs of the first seed make of held-out data."""
    answers = [drawn for figure in experiment.study.figures for drawn in draw(figure, found)]
    (experiment.out / FIGURES).mkdir(exist_ok=True)
    files = [f"{FIGURES}/{number + 1}_{file_name(answer.title)}.svg" for number, answer in enumerate(answers)]
    for file, answer in zip(files, answers, strict=True):
        write_atomically(experiment.out / file, [as_file(answer).encode()])
    for path in (experiment.out / FIGURES).glob("*.svg"):  # of a declaration that has changed since
        if f"{FIGURES}/{path.name}" not in files:
            path.unlink()
    images = [f"![{answer.title}]({file})" for file, answer in zip(files, answers, strict=True)]
    about = _about(experiment, measured)
    write_atomically(experiment.out / TABLES, [tables(experiment, found, about, images).encode()])
    runs = [each for each in experiment.learning() if each.seed == 0 and is_finished(each.run)]
    places = [experiment.place(name) for name in dict.fromkeys(on.data for on in experiment.on)]
    shown: dict[str, list[Any]] = {}
    for cell in measured:
        if cell.seed == 0 and (pictures := cell.shown()):
            shown.setdefault(cell.row, []).extend(pictures)
    for each in runs:
        shown.setdefault(each.row, []).extend(figures_of(each.run, places, most=1))
    write_report(
        experiment.out / PAGE,
        found,
        [each.run for each in runs],
        {**equivariance_figures(found), **shown},
        experiment.study.question,
        answers,
        about,
        {each.run: each.row for each in runs},
        "compare" if experiment.asked else f"study {experiment.study.name}",
    )


def draw(figure: Figure, results: Sequence[Result]) -> Iterator[Drawn]:
    """A figure of a study for each set that it was measured on; none where nothing was."""
    colours = row_colours(sorted(dict.fromkeys(result.row for result in results), key=row_order))
    own = [result for result in results if _is_shown(figure, result)]
    sets = list(dict.fromkeys(result.set for result in own))
    for name in sets:
        title = figure.title if len(sets) == 1 else f"{figure.title}: {name}"
        here = [result for result in own if result.set == name]
        if figure.over:
            yield curves(title, here, figure.over, colours, figure.caption)
        else:
            yield bars(title, here, colours, figure.caption)


def _is_shown(figure: Figure, result: Result) -> bool:
    name, _, label = result.set.partition(" by ")
    metric = result.metric.partition("@")[0] if figure.over else result.metric
    return (
        (result.protocol, metric) == (figure.protocol, figure.metric)
        and figure.on in ("", name)
        and figure.label in (None, label)
        and (not figure.rows or result.row in figure.rows)
        and (not figure.over or place_of(result, figure.over) is not None)
    )


def tables(experiment: Experiment, found: Results, about: str, images: Sequence[str] = ()) -> str:
    """The tables in Markdown, after a line about them and the images given, with what they rest on."""
    study = experiment.study
    plugin = "" if study.name in built_in_studies() else "".join(f" --plugin {each}" for each in plugins.given())
    command = f"```sh\n{study.command(study.name, experiment.size_name)}{plugin}\n```"
    parts = [
        f"# {study.question}",
        about,
        *([] if experiment.asked else [command]),
        *images,
        "Mean and 95 % interval over seeds; bold: the best without labels, if its interval is apart from all others.",
        markdown_table(found),
        "## Data",
        _data(experiment),
        "## Rows",
        _rows(experiment),
    ]
    return "\n\n".join(parts) + "\n"


def _about(experiment: Experiment, measured: Sequence[Measuring]) -> str:
    study, size = experiment.study, experiment.size
    runs = [*experiment.learning(), *(one.learning for one in experiment.tries())]
    seconds = [read_progress(each.run)[1] for each in runs]
    seconds += [each.seconds() for each in measured]
    return (
        f"Study {study.name}, size {experiment.size_name}: {size.seeds} seeds, {size.samples:,} samples a stream; "
        f"{study.encoder} at {study.image_size} px where a row says nothing else; {sum(seconds) / 3600:.2f} core hours."
    )


def _data(experiment: Experiment) -> str:
    lines = ["| data | kind | episodes | sha256 |", "|---|---|---|---|"]
    known = known_data(experiment)
    for name in experiment.needed:
        if told := known.get(name):
            lines.append(f"| {name} | {told['kind']} | {told['episodes']:,} | `{told['sha256'][:16]}` |")
        else:
            lines.append(f"| {name} | given | | |")
    return "\n".join(lines)


def _rows(experiment: Experiment) -> str:
    lines = ["| row | samples seen | core hours a run | command |", "|---|---|---|---|"]
    for row in experiment.rows:
        own = [each for each in experiment.learning() if each.row == row.name and each.is_done()]
        if not own:
            continue
        hours = sum(read_progress(each.run)[1] for each in own) / 3600 / len(own)
        chosen = best_of(own[0].tries)
        told = f" (`{chosen}` is the best of {len(row.choices)})" if chosen else ""
        lines.append(f"| {row.name} | {own[0].samples:,} | {hours:.2f} | `{command_of(experiment, own[0])}`{told} |")
    for name in experiment.study.learned:
        recipe = read_configuration(run_folder(name))["recipe"]
        lines.append(f"| {name} | {recipe['steps'] * recipe['batch_size']:,} | | has learned before |")
    return "\n".join(lines)


def command_of(experiment: Experiment, learning: Learning) -> str:
    """The command of a run, as in a folder that has the data sets in `data` and everything else beside it."""
    words = shlex.join(["embodied-ssl", "train", *learning.command, *shlex.split(best_of(learning.tries))])
    for place in experiment.sets.values():
        words = words.replace(shlex.quote(str(place)), shlex.quote(place.name))
    return words.replace(f"{experiment.data}/", "data/").replace(f"{experiment.out}/", "")
