"""The command that hands on what was made: encoders of runs, and data sets."""

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from embodied_ssl.cli.parser import Parser
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.exports.exporting import DataFormat, export_data
from embodied_ssl.datasets.store.manifest import MANIFEST
from embodied_ssl.exporting.export import CARD, Format, export

SHARED = {"directory", "run", "out", "to"}


def export_parser() -> Parser:
    """`embodied-ssl export`."""
    parser = Parser(
        "export",
        "Write what a run has learned, or a data set, so that a library of others reads it.",
        "RUN|DIR --to FORMAT --out DIR [settings]",
        [
            "embodied-ssl export runs/simclr-0 --to onnx --out exported/simclr",
            "embodied-ssl export runs/simclr-0 --to huggingface --out hub/simclr --results measured/results.json",
            "embodied-ssl export data/grasp --to robomimic --out exported/grasp",
            "embodied-ssl export data/grasp --to lerobot --out exported/grasp-lerobot --workers 2",
        ],
    )
    parser.positional = "directory"
    group = parser.add_argument_group("What is exported, and where")
    group.add_argument(
        "--directory", type=list[Path], required=True, help="of a run that has ended, or of a data set that has steps"
    )
    group.add_argument(
        "--to", type=Literal[*get_args(Format), *get_args(DataFormat)], required=True,
        help=f"runs: {', '.join(get_args(Format))}; data sets: {', '.join(get_args(DataFormat))}",
    )  # fmt: skip
    group.add_argument(
        "--out", type=Path, required=True, help="a new or an empty directory, or that of the same export"
    )
    parser.settings("Of runs", export, skip=SHARED)
    parser.settings("Of data sets", export_data, skip=SHARED)
    parser.for_all()
    return parser


def export_command(given: Mapping[str, Any]) -> int:
    """`embodied-ssl export`."""
    if len(given["directory"]) > 1:
        raise DataError(f"export: {' '.join(map(str, given['directory']))}; name one at a time")
    directory, out, to = given["directory"][0], given["out"], given["to"]
    of_data = to in get_args(DataFormat)
    if not of_data and (directory / MANIFEST).exists():
        raise DataError(f"{directory}: a data set, which goes --to {', '.join(get_args(DataFormat))}")
    own, others = (export_data, export) if of_data else (export, export_data)
    for name, usual in _settings(others).items():
        if given[name] not in (usual, []):
            raise DataError(f"export --to {to}: has no setting {name}; leave it out")
    settings = {name: given[name] for name in _settings(own)}
    print(export_data(directory, out, to, **settings) if of_data else export(directory, out, to, **settings) / CARD)
    return 0


def _settings(function: Callable[..., Any]) -> dict[str, Any]:
    """The parameters of a function that are settings, and what they usually are."""
    found = inspect.signature(function).parameters
    return {name: each.default for name, each in found.items() if name not in SHARED}
