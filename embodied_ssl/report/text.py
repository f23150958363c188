"""Tables of results for a terminal."""

from collections.abc import Sequence

from embodied_ssl.evaluation.results import Result
from embodied_ssl.report.tables import Table, tables


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
        heads += [f"{column.protocol.replace('_', ' ')}: {column.label}" for column in table.columns]
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
        columns = table.columns[first : first + 5]
        heads = [f"{column.protocol.replace('_', ' ')}" for column in columns]
        lines.append(" " * width + "".join(f"  {head[:18]:>18}" for head in heads))
        lines.append(" " * width + "".join(f"  {column.label[:18]:>18}" for column in columns))
        for row, cells in table.rows:
            shown = [f"{c.text} {c.interval}{'*' if c.best else ' '}" if c else "" for c in cells[first : first + 5]]
            lines.append(f"{marked[row]:{width}}" + "".join(f"  {text:>18}" for text in shown))
    return lines + [f"⚠ {row}: {warning}" for row, warning in table.warnings.items()]
