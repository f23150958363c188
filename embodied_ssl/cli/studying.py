"""Commands that run studies, and make again what they have left behind."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from embodied_ssl.cli.parser import Parser, built
from embodied_ssl.cli.words import first_line


def study_names() -> dict[str, str]:
    """The studies, and what each asks."""
    from embodied_ssl.studies import study_named, study_names

    return {name: study_named(name).question for name in study_names()}


def study_parser(name: str, arguments: Sequence[str]) -> Parser:
    """`embodied-ssl study NAME`."""
    from embodied_ssl.studies import study_named
    from embodied_ssl.studies.run import study

    asked = study_named(name)
    parser = Parser(
        f"study {name}",
        _about(asked),
        "--size SIZE --out DIR [settings]",
        [
            f"embodied-ssl study {name} --size minute --out studies/{name}",
            f"embodied-ssl study {name} --size day --workers 2 --out studies/{name}-day",
        ],
    )
    parser.settings("How much of it, and where", study, skip={"name", "sets"})
    parser.add_argument_group("Sets of images that nobody can collect").add_argument(
        "--sets", type=list[str], default=[], metavar="NAME=PATH ...",
        help="folders or archives of images that it measures on, by the names that the study has for them",
    )  # fmt: skip
    parser.for_all()
    return parser


def study_command(name: str, given: Mapping[str, Any]) -> int:
    """`embodied-ssl study NAME`."""
    from embodied_ssl.report.text import print_tables
    from embodied_ssl.studies import study_named
    from embodied_ssl.studies.run import study
    from embodied_ssl.studies.write import PAGE, TABLES

    own = built(study, {each: value for each, value in given.items() if each != "sets"})
    print_tables(study(study_named(name), sets=_sets(given["sets"]), **own))
    for file in (TABLES, PAGE):
        print(Path(given["out"]) / file)
    return 0


def verify_parser() -> Parser:
    """`embodied-ssl verify`."""
    from embodied_ssl.studies.verify import verify

    parser = Parser(
        "verify",
        f"{first_line(verify)} Exit code 1 if anything departs.",
        "DIR [settings]",
        [
            "embodied-ssl verify studies/positives --row 'simclr: orbit' --workers 2",
            "embodied-ssl verify runs/simclr-0 --scratch again",
        ],
    )
    parser.positional = "path"
    group = parser.add_argument_group("What is made again")
    group.add_argument("--path", type=list[Path], required=True, help="the folder of a study, a comparison or a run")
    group.add_argument("--rows", type=list[str], default=[], metavar="ROW ...", help="of a study, only these")
    parser.settings("How much of it, and where", verify, skip={"path", "rows"})
    parser.for_all()
    return parser


def verify_command(given: Mapping[str, Any]) -> int:
    """`embodied-ssl verify`."""
    from embodied_ssl.datasets.errors import DataError
    from embodied_ssl.studies.verify import verify

    if len(given["path"]) > 1:
        raise DataError(f"verify: {' '.join(map(str, given['path']))}; name one folder at a time")
    found = verify(**{**given, "path": given["path"][0]})
    for finding in found:
        print(finding)
    departing = sum(bool(finding.departs) for finding in found)
    print(f"{len(found) - departing} of {len(found)} are equal")
    return int(departing > 0)


def _sets(given: Sequence[str]) -> dict[str, Path]:
    """Paths by name. Raises DataError for what is no NAME=PATH."""
    from embodied_ssl.datasets.errors import DataError

    found = {}
    for each in given:
        name, equals, path = each.partition("=")
        if not (name and equals and path):
            raise DataError(f"--sets {each}: give NAME=PATH, as cifar10=cifar10.zip")
        found[name] = Path(path).expanduser()
    return found


def _about(study: Any) -> str:
    """What a study asks, of which rows, on what."""
    rows = "".join(f"\n  {row.name}: {row.method}" for row in study.rows)
    return f"{study.question}\n  sizes: {', '.join(study.sizes)}\n{rows}"
