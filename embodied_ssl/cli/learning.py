"""Commands that learn from data and measure what was learned."""

import argparse
import inspect
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embodied_ssl.cli.options import Several, add_settings, first_line, make_parser, parse, shorten

if TYPE_CHECKING:
    from embodied_ssl.method import Method, Need

METHOD_HELP = """usage: embodied-ssl train METHOD --STREAM DIR ... --out RUN [settings]

Learn an encoder from data. METHOD is one of

{methods}

`embodied-ssl train METHOD --help` explains its data and every setting; `embodied-ssl methods` tells its paper."""


_WEIGHTS = (
    "what it begins with: `pretrained`, what timm or torchvision downloads for it; the directory of a run; or a file, "
    ".safetensors or .pth, in the naming of the library or of ours; None: drawn at random by the seed"
)
_OUT = (
    "the run directory; made if need be. One of another configuration, or of a run that began from other first "
    "weights, is refused"
)


def train_command(arguments: list[str]) -> int:
    """`embodied-ssl train`."""
    from embodied_ssl.methods import make_method, method_class, method_names

    if not arguments or arguments[0] in ("-h", "--help"):
        print(METHOD_HELP.format(methods="\n".join(f"  {name}" for name in method_names())))
        return 0
    name, *rest = arguments
    kind = method_class(name)
    parser = train_parser(name, kind, _needs(name, kind, rest))
    given = parse(parser, rest)
    from embodied_ssl.method import Recipe
    from embodied_ssl.training.settings import Hardware, TrainingSettings
    from embodied_ssl.training.train import train

    training = dict(vars(given.training))
    out = training.pop("out")
    recipe, how, where = Recipe(**given.recipe), TrainingSettings(**training), Hardware(**given.hardware)
    settings = vars(given.method) if "method" in given else {}
    encoder = given.encoder
    method = make_method(name, encoder.name, encoder.image_size, how.seed, encoder.weights, **settings)
    print(train(method, out, _streams(parser, given), recipe, how, where))
    return 0


def methods_command(arguments: list[str]) -> int:
    """`embodied-ssl methods`."""
    from embodied_ssl.data import origin
    from embodied_ssl.method import needs_of
    from embodied_ssl.methods import method_class, method_names

    parse(make_parser("methods", "List the methods, their papers, and what each learns from."), arguments)
    for name in method_names():
        method = method_class(name)
        about = " ".join((method.__doc__ or "").strip().split("\n\n")[0].split())
        streams = [
            f"--{stream}{'' if need.required else '?'}  {origin(need.batch)}"
            for stream, need in needs_of(method).items()
        ]
        print(f"{name}\n    {about}")
        print("".join(f"      {stream}\n" for stream in streams or ["what its methods learn from"]))
    print("? can be left out; `embodied-ssl train METHOD --help` explains each, and every setting")
    return 0


def encoders_command(arguments: list[str]) -> int:
    """`embodied-ssl encoders`."""
    from embodied_ssl.encoders import ENCODERS

    parse(make_parser("encoders", "List the encoders by name."), arguments)
    for name, make in ENCODERS.items():
        print(f"{name:24}{first_line(make)}")
    print("timm/NAME               A backbone of timm, or NAME.TAG; untrained, or with --weights.")
    print("torchvision/NAME        A backbone of torchvision; untrained, or with --weights.")
    print("split/NAME              conv4 or alexnet in two halves, for lightness and colours.")
    return 0


def evaluate_command(arguments: list[str]) -> int:
    """`embodied-ssl evaluate`."""
    from embodied_ssl.datasets.store.directory import claim
    from embodied_ssl.evaluation.evaluate import evaluate
    from embodied_ssl.evaluation.panels import present
    from embodied_ssl.report.text import print_tables

    parser = make_parser("evaluate", first_line(evaluate))
    parser.add_argument("runs", nargs="+", type=Path, help="run directories")
    parser.add_argument("--on", nargs="+", type=Path, required=True, help="sets of images to measure on")
    parser.add_argument(
        "--out", type=Path | None, default=None,
        help="a folder for results.json, results.csv and report.html; those of an earlier evaluation are replaced",
    )  # fmt: skip
    _add_protocols(parser)
    parser.add_function_arguments(evaluate, skip={"runs", "on", "protocols", "settings"})
    given = _measuring(parser, arguments)
    out, runs = given.pop("out"), given["runs"]
    with nullcontext() if out is None else claim(out):  # before any work: it may not be writable, or held by another
        results = evaluate(**given)
        if out is not None:
            page = present(out, results, runs, dict.fromkeys(runs, given["on"]))
    print_tables(results)  # last: whoever reads it may have gone
    if out is not None:
        print(page)
    return 0


def compare_command(arguments: list[str]) -> int:
    """`embodied-ssl compare`."""
    from embodied_ssl.comparison import compare
    from embodied_ssl.report.text import print_tables

    parser = make_parser("compare", first_line(compare))
    parser.add_argument("methods", nargs="+", help="by name")
    parser.add_argument("--data", nargs="+", type=Path, required=True, help="data sets to learn from")
    parser.add_argument("--on", nargs="+", type=Path, required=True, help="held-out sets to measure on")
    _add_protocols(parser)
    parser.add_function_arguments(compare, skip={"methods", "data", "on", "protocols", "settings"})
    given = _measuring(parser, arguments)
    print_tables(compare(**given))
    print(given["out"] / "report.html")
    return 0


def _add_protocols(parser: Any) -> None:
    """The option of what to measure by, of both commands that measure."""
    from embodied_ssl.evaluation.evaluate import OF_ENCODERS, OF_MOTIONS, PROTOCOLS

    usual = (*PROTOCOLS, *OF_MOTIONS)
    parser.add_argument(
        "--protocol", dest="protocols", type=Sequence[str], default=usual,
        help=f"to measure by, separated by commas: {', '.join(usual)}; by name only, since they take longer: "
        f"{', '.join(OF_ENCODERS)}",
    )  # fmt: skip


def _measuring(parser: Any, arguments: list[str]) -> dict[str, Any]:
    """The values of arguments of either command, with the settings of the protocols."""
    from embodied_ssl.evaluation.settings import Settings

    add_settings(parser, "Settings of the protocols, in full --settings.NAME", "settings", Settings)
    shorten(parser, ("settings",))
    given = dict(vars(parse(parser, arguments)))
    return given | {"settings": Settings(**vars(given["settings"]))}


def demo_command(arguments: list[str]) -> int:
    """`embodied-ssl demo`."""
    from embodied_ssl.cli.demo import demo

    parser = make_parser("demo", first_line(demo))
    parser.add_function_arguments(demo)
    return demo(**vars(parse(parser, arguments)))


def train_parser(name: str, kind: "type[Method]", needs: "Mapping[str, Need]") -> Any:
    """The options of training a method, in groups: a name that two groups have is that of the first."""
    from embodied_ssl.data import origin
    from embodied_ssl.limits import Count
    from embodied_ssl.method import Recipe
    from embodied_ssl.training.settings import Hardware, TrainingSettings

    wanted = " ".join(f"--{stream} DIR" if need.required else f"[--{stream} DIR]" for stream, need in needs.items())
    parser = make_parser(
        f"train {name}",
        " ".join((kind.__doc__ or "").strip().split("\n\n")[0].split()),
        f"{wanted} --out RUN [settings]",
    )
    streams = parser.add_argument_group("What it learns from")
    for stream, need in needs.items():
        streams.add_argument(
            f"--data.{stream}", type=str, nargs="+", action=Several, default=None, metavar="DIR",
            help=f"{origin(need.batch)}, or several sets" + ("" if need.required else "; can be left out"),
        )  # fmt: skip
    add_settings(parser, f"Settings of {name}, in full --method.NAME", "method", kind, skip={"encoder"})
    encoder = parser.add_argument_group("What is learned, in full --encoder.NAME")
    encoder.add_argument(
        "--encoder.name", type=str, default=kind.usual_encoder, help="as `embodied-ssl encoders` lists them"
    )
    encoder.add_argument("--encoder.weights", type=str | None, default=None, help=_WEIGHTS)
    encoder.add_argument("--encoder.image_size", type=Count, default=64, help="side of the images that it sees, px")
    add_settings(parser, "Optimiser and schedule, in full --recipe.NAME", "recipe", Recipe)
    parser.set_defaults({f"recipe.{field}": value for field, value in asdict(kind.recipe).items()})
    training = "How batches are drawn, and training is watched and saved, in full --training.NAME"
    add_settings(parser, training, "training", TrainingSettings)
    parser.add_argument("--training.out", type=Path, required=True, help=_OUT)
    add_settings(parser, "Where it runs, in full --hardware.NAME", "hardware", Hardware)
    parser.short_names["--encoder"] = "--encoder.name"
    shorten(parser, ("method", "data", "encoder", "recipe", "training", "hardware"))
    return parser


def _streams(parser: Any, given: Any) -> dict[str, list[str]]:
    """The data sets given, by name of the stream; that of a part of `joint` is `METHOD.STREAM`."""
    names = [action.dest.removeprefix("data.") for action in parser._actions if action.dest.startswith("data.")]
    return {name: given[f"data.{name}"] for name in names if given.get(f"data.{name}") is not None}


def _needs(name: str, kind: "type[Method]", arguments: list[str]) -> dict[str, "Need"]:
    """The streams of a method; where its signature does not tell, those of one made with the settings given."""
    from embodied_ssl.method import needs_of
    from embodied_ssl.methods import make_method

    if needs := needs_of(kind):
        return needs
    outer = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for setting in list(inspect.signature(kind.__init__).parameters)[2:]:
        outer.add_argument(f"--{setting}", f"--method.{setting}", dest=setting)
    found = vars(outer.parse_known_args(arguments)[0])
    inner = make_parser(f"train {name}", "")
    inner.add_class_arguments(kind, skip={"encoder"})
    settings = parse(inner, [f"--{key}={value}" for key, value in found.items() if value is not None])
    return make_method(name, "conv4", 32, 0, **vars(settings)).needs()
