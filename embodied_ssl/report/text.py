"""Tables of results for a terminal."""

import textwrap
from collections.abc import Sequence
from itertools import zip_longest

from embodied_ssl.datasets.gallery.charts import words
from embodied_ssl.evaluation.results import Result
from embodied_ssl.report.tables import Table, tables

_WIDE = 18  # letters of a column


def print_tables(results: Sequence[Result]) -> None:
    """Print what `plain_tables` gives."""
    print(f"\n{plain_tables(results)}")


def plain_tables(results: Sequence[Result]) -> str:
    """A table for each set: rows are methods; * marks the best of those that saw no labels, where the intervals tell.

    ⚠ marks rows that have learned from what they are measured on, which is said in words below.
    """
    return "\n\n".join("\n".join(_lines(table)) for table in tables(results))


def markdown_table(results: Sequence[Result]) -> str:
    """The same as a table in Markdown, a section for each set."""
    sections = []
    for table in tables(results):
        heads = ["samples seen"] if table.samples else []
        heads += [f"{words(column.protocol)}: {column.label}" for column in table.columns]
        lines = [f"## {table.title}", "", f"| | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
        for row, cells in table.rows:
            shown = [f"{table.samples[row]:,}"] if table.samples else []
            shown += [(f"**{c.text}**" if c.best else c.text) + f" {c.interval}" if c else "" for c in cells]
            marked = f"{row} ⚠ {table.warnings[row]}" if row in table.warnings else row
            lines.append(f"| {marked} | {' | '.join(text.strip() for text in shown)} |")
        sections.append("\n".join(lines))
    return "\n\n".join(sections)


def _lines(table: Table) -> list[str]:
    lines = [table.title]
    marked = {row: f"{row} ⚠" if row in table.warnings else row for row, _ in table.rows}
    width = max(map(len, marked.values()))
    # A measure a line would be hard to compare: measures are columns, in blocks that fit a terminal.
    for first in range(0, len(table.columns), 5):
        columns, first_line = table.columns[first : first + 5], len(lines)
        heads = [[*_wrapped(words(column.protocol)), *_wrapped(column.label)] for column in columns]
        for texts in zip_longest(*(head[::-1] for head in heads), fillvalue=""):
            lines.insert(first_line, " " * width + "".join(f"  {text:>{_WIDE}}" for text in texts))
        for row, cells in table.rows:
            shown = [f"{c.text} {c.interval}{'*' if c.best else ' '}" if c else "" for c in cells[first : first + 5]]
            lines.append(f"{marked[row]:{width}}" + "".join(f"  {text:>{_WIDE}}" for text in shown))
    return lines + [f"⚠ {row}: {warning}" for row, warning in table.warnings.items()]


def _wrapped(head: str) -> list[str]:
    """The head of a column over as many lines as it takes."""
    return textwrap.wrap(head, _WIDE)
