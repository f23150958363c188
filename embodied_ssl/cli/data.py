"""Commands that make data and look at them."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from embodied_ssl.cli.parser import Parser, built
from embodied_ssl.cli.words import first_line


def collect_names() -> dict[str, str]:
    """The kinds of data, and what each holds."""
    from embodied_ssl.datasets.kinds import collected_kinds

    return {name: kind.page.about for name, kind in collected_kinds().items()}


def collect_parser(kind: str, arguments: Sequence[str]) -> Parser:
    """`embodied-ssl collect KIND`."""
    from embodied_ssl.datasets.collect.collection import collect
    from embodied_ssl.datasets.collect.settings import environment_class
    from embodied_ssl.datasets.kinds import kind_of

    kind = kind_of(kind).name
    parser = Parser(
        f"collect {kind}",
        first_line(environment_class(kind)),
        "--out DIR [settings]",
        [
            f"embodied-ssl collect {kind} --out data/{kind} --episodes 100 --workers 2",
            f"embodied-ssl collect {kind} --out data/{kind} --size 64 --policy my_module:MyPolicy",
        ],
    )
    parser.settings("The collection", collect, skip={"kind", "policy", "env"})
    parser.add_argument_group("Who acts").add_argument(
        "--policy", type=str | None, default=None, help="a built-in name, or module:name of your own; None: the usual"
    )
    parser.settings("The environment, in full --env.NAME", environment_class(kind), "env", {"render_mode"})
    parser.set_defaults({f"env.{name}": value for name, value in kind_of(kind).collected.items()})
    parser.for_all()
    return parser


def collect_command(kind: str, given: Mapping[str, Any]) -> int:
    """`embodied-ssl collect KIND`."""
    from embodied_ssl.datasets.collect.collection import collect
    from embodied_ssl.datasets.kinds import kind_of

    own = built(collect, {name: value for name, value in given.items() if name != "env"})
    print(collect(kind_of(kind).name, **own, **given["env"]))
    return 0


def import_names() -> dict[str, str]:
    """The formats that recordings are imported from."""
    from embodied_ssl.datasets.imports.formats import FORMATS, format_class

    return {name: first_line(format_class(name)) for name in FORMATS}


def import_parser(format: str, arguments: Sequence[str]) -> Parser:
    """`embodied-ssl import FORMAT`."""
    from embodied_ssl.datasets.imports.formats import format_class
    from embodied_ssl.datasets.imports.importing import import_recordings

    source = format_class(format)
    parser = Parser(
        f"import {format}",
        first_line(source),
        "SOURCE ... --out DIR [settings]",
        [f"embodied-ssl import {format} {source.example}"],
    )
    parser.positional = "sources"
    parser.settings("The recordings", source)
    parser.settings("The import", import_recordings, skip={"source"})
    parser.for_all()
    return parser


def import_command(format: str, given: Mapping[str, Any]) -> int:
    """`embodied-ssl import FORMAT`."""
    from embodied_ssl.datasets.imports.formats import format_class
    from embodied_ssl.datasets.imports.importing import import_recordings

    source_class = format_class(format)
    own = {each.name for each in fields(source_class)}
    source = source_class(**{name: value for name, value in given.items() if name in own})
    summary = import_recordings(source, **{name: value for name, value in given.items() if name not in own})
    for note in source.notes:
        print(f"note: {note}")
    print(summary)
    return 0


def check_parser() -> Parser:
    """`embodied-ssl check`."""
    parser = Parser(
        "check", "Verify data sets; exit code 1 if one is bad.", "DIR ...", ["embodied-ssl check data/roam"]
    )
    parser.positional = "directories"
    group = parser.add_argument_group("What is checked")
    group.add_argument("--directories", type=list[Path], required=True, help="of data sets")
    parser.for_all()
    return parser


def check_command(given: Mapping[str, Any]) -> int:
    """`embodied-ssl check`."""
    from embodied_ssl.datasets.read.readers import Dataset
    from embodied_ssl.datasets.store.check import check, remarks

    bad = 0
    for directory in given["directories"]:
        problems = check(directory, progress=True)
        bad += bool(problems)
        for problem in problems:
            print(problem)
        print(f"{directory}: {len(problems)} problems" if problems else f"{Dataset.open(directory)}: sound")
        for remark in remarks(directory):
            print(f"{directory}: {remark}")
    return int(bad > 0)


def view_parser() -> Parser:
    """`embodied-ssl view`."""
    parser = Parser(
        "view",
        "Write one page that shows data sets, or the video of an episode.",
        "DIR ... [--out PAGE] [--video FILE]",
        ["embodied-ssl view data/roam data/push --out data.html", "embodied-ssl view data/roam --video roam.mp4"],
    )
    parser.positional = "directories"
    group = parser.add_argument_group("What is shown, and where")
    group.add_argument("--directories", type=list[Path], required=True, help="of data sets")
    group.add_argument("--out", type=Path | None, help="the page; None: beside the first data set")
    group.add_argument("--video", type=Path | None, help="write this MP4 of an episode, or of its acts, and no page")
    group.add_argument("--episode", type=int, default=0, help="the episode of the video")
    parser.for_all()
    return parser


def view_command(given: Mapping[str, Any]) -> int:
    """`embodied-ssl view`."""
    from embodied_ssl.datasets.gallery.page import video, view
    from embodied_ssl.datasets.store.files import make_room

    if given["video"] is not None:
        make_room(given["video"])
        print(video(given["directories"][0], given["episode"], given["video"]))
    else:
        print(view(given["directories"], given["out"]))
    return 0
