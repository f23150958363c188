"""Commands that measure what was learned, and compare methods."""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import fields
from pathlib import Path
from typing import Any

from embodied_ssl.cli.parser import Parser, built
from embodied_ssl.cli.words import first_line


def evaluate_parser() -> Parser:
    """`embodied-ssl evaluate`."""
    from embodied_ssl.evaluation.evaluate import evaluate

    parser = Parser(
        "evaluate",
        first_line(evaluate),
        "RUN ... --on SET ... [settings]",
        [
            "embodied-ssl evaluate runs/simclr-0 runs/simclr-1 --on data/held_out --out measured",
            "embodied-ssl evaluate runs/simclr-0 zoo/hold_and_path --on images.zip --protocol knn few_labels",
        ],
    )
    parser.positional = "runs"
    parser.add_argument_group("Where results go").add_argument(
        "--out", type=Path | None, default=None,
        help="a folder for results.json, results.csv and report.html; those of an earlier evaluation are replaced",
    )  # fmt: skip
    parser.settings("What is measured", evaluate, skip={"protocols"})
    _add_protocols(parser)
    parser.for_all()
    return parser


def evaluate_command(given: Mapping[str, Any]) -> int:
    """`embodied-ssl evaluate`."""
    from embodied_ssl.datasets.store.directory import claim
    from embodied_ssl.evaluation.evaluate import evaluate
    from embodied_ssl.evaluation.panels import present
    from embodied_ssl.report.text import print_tables
    from embodied_ssl.training.runs.checkpoint import read_configuration
    from embodied_ssl.training.runs.outside import check_outside
    from embodied_ssl.zoo import run_folder

    own = built(evaluate, _with_protocols(given))
    out, runs = own.pop("out"), [run_folder(run) for run in own["runs"]]
    if out is not None:  # its page shows what the heads of runs say, which code from outside may have made
        for run in runs:
            check_outside(run, read_configuration(run))
    with nullcontext() if out is None else claim(out):  # before any work: it may not be writable, or held by another
        results = evaluate(**own)
        if out is not None:
            page = present(out, results, runs, dict.fromkeys(runs, own["on"]))
    print_tables(results)  # last: whoever reads it may have gone
    if out is not None:
        print(page)
    return 0


def compare_parser() -> Parser:
    """`embodied-ssl compare`."""
    from embodied_ssl.comparison import compare

    parser = Parser(
        "compare",
        first_line(compare),
        "METHOD ... --data DIR ... --on SET ... --out DIR [settings]",
        [
            "embodied-ssl compare simclr drlim --data data/roam --on data/held_out --out compared --steps 2000",
            "embodied-ssl compare simclr 'simclr --views both' --data data/roam --on data/held_out --out compared",
        ],
    )
    parser.positional = "methods"
    parser.settings("What is compared", compare, skip={"protocols"})
    _add_protocols(parser)
    parser.for_all()
    return parser


def compare_command(given: Mapping[str, Any]) -> int:
    """`embodied-ssl compare`."""
    from embodied_ssl.comparison import compare
    from embodied_ssl.report.text import print_tables

    print_tables(compare(**built(compare, _with_protocols(given))))
    print(given["out"] / "report.html")
    return 0


def _add_protocols(parser: Parser) -> None:
    """What to measure by, and the settings of each protocol."""
    from embodied_ssl.evaluation.protocols import protocol_class, protocol_names, usual_protocols

    usual = usual_protocols()
    longer = ", ".join(name for name in protocol_names() if name not in usual)
    group = parser.add_argument_group("What it is measured by")
    group.add_argument(
        "--protocols", type=list[str], default=usual, metavar="NAME ...",
        help=f"as `embodied-ssl protocols` lists them, or module:Name; by name only, since they take long: {longer}",
    )  # fmt: skip
    for name in protocol_names():
        if fields(kind := protocol_class(name)):
            parser.settings(f"Settings of {name}, in full --{name}.NAME", kind, name)


def _with_protocols(given: Mapping[str, Any]) -> dict[str, Any]:
    """What was given, with the protocols in the place of their names and settings."""
    from embodied_ssl.evaluation.protocols import make_protocol, protocol_class, protocol_names

    settings = {name: given.get(name, {}) for name in protocol_names()}
    own = {protocol_class(name): values for name, values in settings.items()}  # so that `module:Name` finds its own
    made = [make_protocol(name, **own.get(protocol_class(name), {})) for name in given["protocols"]]
    return {**{name: value for name, value in given.items() if name not in settings}, "protocols": made}
