"""Commands that learn from data and measure what was learned."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embodied_ssl.cli.parser import Parser, built
from embodied_ssl.cli.words import first_line, first_paragraph

if TYPE_CHECKING:
    from embodied_ssl.method import Method, StreamSpec

_INIT = (
    "what it begins with: `pretrained`, what timm or torchvision downloads for it; the directory of a run; or a file, "
    ".safetensors or .pth, in the naming of the library or of ours; None: drawn at random by the seed"
)
_OUT = "the run directory; made if need be. One of another configuration, or of other first weights, is refused"


def train_names() -> dict[str, str]:
    """The methods, and what each is."""
    from embodied_ssl.methods import method_class, method_names

    return {name: first_line(method_class(name)) for name in method_names()}


def train_parser(name: str, arguments: Sequence[str]) -> Parser:
    """`embodied-ssl train METHOD`. arguments: those that follow, where the streams of the method depend on them."""
    from embodied_ssl.methods import method_class

    return parser_of_training(name, method_class(name), arguments)


def parser_of_training(name: str, kind: "type[Method]", arguments: Sequence[str] = ()) -> Parser:
    """The options of training a method, in groups by their owner."""
    from embodied_ssl.data import origin
    from embodied_ssl.limits import Count
    from embodied_ssl.method import Recipe
    from embodied_ssl.training.settings import Hardware, TrainingSettings

    specs = _input_streams(name, kind, arguments)
    wanted = " ".join(f"--{stream} DIR" if spec.required else f"[--{stream} DIR]" for stream, spec in specs.items())
    first = next(iter(specs), "frames")
    parser = Parser(
        f"train {name}",
        first_paragraph(kind),
        f"{wanted} --out RUN [settings]",
        [
            f"embodied-ssl train {name} --{first} data/roam --out runs/{name}-0",
            f"embodied-ssl train {name} --{first} data/roam --out runs/{name}-1 --seed 1 --lr 3e-4 --steps 5000",
            f"embodied-ssl train {name} --{first} data/roam --print_config > {name}.yaml",
            f"embodied-ssl train {name} --config {name}.yaml --out runs/{name}-0",
        ],
    )
    streams = parser.add_argument_group("What it learns from, in full --data.NAME, and where the run goes")
    for stream, spec in specs.items():
        streams.add_argument(
            f"--data.{stream}", type=list[str] | None, default=None, metavar="DIR ...",
            help=f"{origin(spec.batch)}, or several sets" + ("" if spec.required else "; can be left out"),
        )  # fmt: skip
    streams.add_argument("--out", type=Path, required=True, help=_OUT)
    parser.settings(f"Settings of {name}, in full --method.NAME", kind, "method", {"encoder"})
    encoder = parser.add_argument_group("What is learned, in full --encoder.NAME")
    encoder.add_argument(
        "--encoder.name", type=str, default=kind.usual_encoder, help="as `embodied-ssl encoders` lists them"
    )
    encoder.add_argument("--encoder.init", type=str | None, default=None, help=_INIT)
    encoder.add_argument("--encoder.image_size", type=Count, default=64, help="side of the images that it sees, px")
    parser.settings("Optimiser and schedule, in full --optimizer.NAME", Recipe, "optimizer")
    parser.set_defaults({f"optimizer.{field}": value for field, value in asdict(kind.recipe).items()})
    parser.settings("How it is trained and watched, in full --training.NAME", TrainingSettings, "training")
    parser.settings("Where it runs, in full --hardware.NAME", Hardware, "hardware")
    parser.for_all()
    return parser


def train_command(name: str, given: Mapping[str, Any]) -> int:
    """`embodied-ssl train METHOD`."""
    from embodied_ssl.method import Recipe
    from embodied_ssl.methods import make_method, method_class
    from embodied_ssl.training.distributed import rank
    from embodied_ssl.training.settings import Hardware, TrainingSettings
    from embodied_ssl.training.train import train

    encoder, training = given["encoder"], TrainingSettings(**given["training"])
    settings = built(method_class(name), given.get("method", {}))
    method = make_method(name, encoder["name"], encoder["image_size"], training.seed, encoder["init"], **settings)
    data = {stream: sources for stream, sources in _streams(given["data"]).items() if sources is not None}
    recipe, hardware = Recipe(**given["optimizer"]), Hardware(**given["hardware"])
    run = train(method, given["out"], data, recipe, training, hardware)
    if rank() == 0:  # of the processes that trained together one tells
        print(run)
    return 0


def evaluate_parser() -> Parser:
    """`embodied-ssl evaluate`."""
    from embodied_ssl.evaluation.evaluate import evaluate

    parser = Parser(
        "evaluate",
        first_line(evaluate),
        "RUN ... --on SET ... [settings]",
        [
            "embodied-ssl evaluate runs/simclr-0 runs/simclr-1 --on data/held_out --out measured",
            "embodied-ssl evaluate runs/simclr-0 --on pictures.zip --protocol knn few_labels",
        ],
    )
    parser.positional = "runs"
    parser.add_argument(
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

    own = built(evaluate, _with_protocols(given))
    out, runs = own.pop("out"), own["runs"]
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


def export_parser() -> Parser:
    """`embodied-ssl export`."""
    from embodied_ssl.exporting.export import export

    parser = Parser(
        "export",
        first_line(export),
        "RUN --format FORMAT --out DIR [settings]",
        [
            "embodied-ssl export runs/simclr-0 --format onnx --out exported/simclr",
            "embodied-ssl export runs/simclr-0 --format huggingface --out hub/simclr --results measured/results.json",
        ],
    )
    parser.positional = "run"
    parser.add_argument("--run", type=list[Path], required=True, help="directory of a run that has ended")
    parser.settings("What is exported, and where", export, skip={"run"})
    parser.for_all()
    return parser


def export_command(given: Mapping[str, Any]) -> int:
    """`embodied-ssl export`."""
    from embodied_ssl.datasets.errors import DataError
    from embodied_ssl.exporting.export import CARD, export

    if len(given["run"]) > 1:
        raise DataError(f"export: {' '.join(map(str, given['run']))}; name one run at a time")
    print(export(**{**given, "run": given["run"][0]}) / CARD)
    return 0


def demo_parser() -> Parser:
    """`embodied-ssl demo`."""
    from embodied_ssl.cli.demo import demo

    parser = Parser("demo", first_line(demo), "[settings]", ["embodied-ssl demo --out demo --scale 2"])
    parser.settings("The demonstration", demo)
    parser.for_all()
    return parser


def demo_command(given: Mapping[str, Any]) -> int:
    """`embodied-ssl demo`."""
    from embodied_ssl.cli.demo import demo

    return demo(**given)


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
    from embodied_ssl.evaluation.protocols import make_protocol, protocol_names

    settings = {name: given.get(name, {}) for name in protocol_names()}
    made = [make_protocol(name, **settings.get(name, {})) for name in given["protocols"]]
    return {**{name: value for name, value in given.items() if name not in settings}, "protocols": made}


def _streams(data: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Data sets by name of the stream; that of a part of `joint` is `METHOD.STREAM`."""
    found: dict[str, Any] = {}
    for name, value in data.items():
        found |= _streams(value, f"{above}{name}.") if isinstance(value, dict) else {f"{above}{name}": value}
    return found


def _input_streams(name: str, kind: "type[Method]", arguments: Sequence[str]) -> "Mapping[str, StreamSpec]":
    """The streams of a method; where its signature does not tell, those of one made with the settings given."""
    from embodied_ssl.method import input_streams_of
    from embodied_ssl.methods import make_method

    if specs := input_streams_of(kind):
        return specs
    parser = Parser(f"train {name}")
    parser.settings("", kind, "method", {"encoder"})
    parser.for_all()
    settings = built(kind, parser.known_values(arguments)["method"])
    return make_method(name, "conv4", 32, 0, **settings).input_streams()
