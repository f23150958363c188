"""A card for each study, and the standard data sets, from their declarations."""

import inspect
import sys
from dataclasses import asdict

from cards.markdown import code, table
from embodied_ssl.evaluation.protocols import protocol_name
from embodied_ssl.studies import study_named, study_names
from embodied_ssl.studies.data import DATA, SIZES, committed_sha256
from embodied_ssl.studies.study import On, Row, Study


def pages() -> dict[str, str | bytes]:
    """A page for each study, one of the standard data, and an index."""
    studies = {name: study_named(name) for name in study_names()}
    index = table(["study", "what it asks"], ([f"[{name}]({name}.md)", s.question] for name, s in studies.items()))
    cards: dict[str, str | bytes] = {f"studies/{name}.md": _card(name, study) for name, study in studies.items()}
    return {"studies/index.md": f"{_INDEX}\n\n{index}", **cards, "studies/standard_data.md": _data()}


_INDEX = """# Studies

Experiments as declarations: `embodied-ssl study NAME --size hour --workers 2 --out DIR` does one. How they work, and
how to write one: [the guide](../guide/studies.md). What they learn from and are measured on:
[standard data](standard_data.md)."""


def _card(name: str, study: Study) -> str:
    module = sys.modules[f"embodied_ssl.studies.{name}"]
    about = "\n\n".join(inspect.cleandoc(module.__doc__ or "").split("\n\n")[1:])
    command = f"```sh\n{study.command(name, 'hour', workers=2)}\n```"
    usual = f"Encoder {code(study.encoder)} at {study.image_size} px, batches of {study.batch_size}"
    rows = table(
        ["row", "method", "learns from"],
        ([row.name, _method(row), _streams(row.data)] for row in study.rows),
    )
    chosen = f"What is tried is tried on {code(study.chosen_on.data)}.\n\n" if study.chosen_on else ""
    on = table(["set", "label", "divisions", "protocols"], map(_measured, study.on))
    sizes = table(
        ["size", "samples of each stream", "seeds", "rows"],
        ([name, f"{size.samples:,}", size.seeds, ", ".join(size.rows) or "all"] for name, size in study.sizes.items()),
    )
    parts = (f"# {name}", f"**{study.question}**", about, command, f"{usual}, where a row says nothing else.")
    parts += ("## Rows", rows, chosen, "## Measured on", on, "## Sizes", sizes)
    return "\n\n".join(part for part in parts if part)


def _streams(data: dict[str, str]) -> str:
    return ", ".join(f"{stream} of {code(name)}" for stream, name in data.items())


def _method(row: Row) -> str:
    """The method, and what is tried of it."""
    tried = ", or ".join(map(code, row.choices))
    return f"{code(row.method)} and the best of {tried}" if tried else code(row.method)


def _measured(on: On) -> list[object]:
    protocols = ", ".join(code(protocol_name(each)) + _given(each) for each in on.protocols)
    return [code(on.data), on.label or "", on.splits, protocols]


def _given(protocol: object) -> str:
    """What differs from a protocol's usual settings."""
    usual = asdict(type(protocol)())
    own = {name: value for name, value in asdict(protocol).items() if value != usual[name]}
    return f" ({', '.join(f'{name} {value}' for name, value in own.items())})" if own else ""


def _data() -> str:
    rows = []
    for name, data in DATA.items():
        episodes = ", ".join(f"{size} {count:,}" for size, count in data.episodes.items())
        hashes = {size: committed_sha256(name, size) for size in SIZES}
        known = ", ".join(f"{size} {code(sha256[:12])}" for size, sha256 in hashes.items() if sha256)
        rows.append([code(name), data.kind, episodes, code(data.command("hour", f"data/{name}")), known])
    about = inspect.cleandoc(sys.modules[DATA["roam"].__module__].__doc__ or "").split("\n\n")[1]
    head = ["name", "kind", "episodes", "collected by (hour)", "committed hashes"]
    return f"# Standard data\n\n{about}\n\n{table(head, rows)}"
