"""Commands that learn from data."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embodied_ssl.cli.arguments import flat
from embodied_ssl.cli.parser import Parser, built
from embodied_ssl.cli.words import first_line, first_paragraph

if TYPE_CHECKING:
    from embodied_ssl.datasets.read.motor import MotorSignals
    from embodied_ssl.method import Method, StreamSpec
    from embodied_ssl.recipe import Preset

_INIT = (
    "what it begins with: `pretrained`, what timm or torchvision downloads for it; the directory of a run, or "
    "`zoo/NAME`; or a file, .safetensors or .pth, in the naming of the library or of ours; None: drawn by the seed"
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
    from embodied_ssl.data import WITH_MOTIONS, origin
    from embodied_ssl.datasets.read.motor import MotorSignals
    from embodied_ssl.limits import Count
    from embodied_ssl.method import Recipe
    from embodied_ssl.training.settings import Hardware, TrainingSettings

    specs, preset = _input_streams(name, kind, arguments), _preset(name, kind, arguments)
    wanted = " ".join(f"--{stream} DIR" if spec.required else f"[--{stream} DIR]" for stream, spec in specs.items())
    data = _example(specs)
    parser = Parser(
        f"train {name}",
        first_paragraph(kind),
        f"{wanted} --out RUN [settings]",
        [
            f"embodied-ssl train {name} {data} --out runs/{name}-0",
            f"embodied-ssl train {name} {data} --out runs/{name}-1 --seed 1 --lr 3e-4 --steps 5000",
            f"embodied-ssl train {name} {data} --print_config > {name}.yaml",
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
    _add_preset(streams, kind)
    for stream, spec in specs.items():
        if spec.batch in WITH_MOTIONS:
            title = f"Whose motor signals go with the images of {stream}, in full --streams.{stream}.NAME"
            parser.settings(title, MotorSignals, f"streams.{stream}")
    parser.settings(f"Settings of {name}, in full --method.NAME", kind, "method", {"encoder"})
    encoder = parser.add_argument_group("What is learned, in full --encoder.NAME")
    encoder.add_argument(
        "--encoder.name", type=str, default=preset.encoder, help="as `embodied-ssl encoders` lists them"
    )
    encoder.add_argument("--encoder.init", type=str | None, default=None, help=_INIT)
    encoder.add_argument(
        "--encoder.image_size", type=Count, default=preset.image_size, help="side of the images that it sees, px"
    )
    parser.settings("Optimiser and schedule, in full --optimizer.NAME", Recipe, "optimizer")
    parser.set_defaults({f"optimizer.{field}": value for field, value in asdict(preset.recipe).items()})
    parser.set_defaults({f"method.{setting}": value for setting, value in flat(preset.settings).items()})
    parser.settings("How it is trained and watched, in full --training.NAME", TrainingSettings, "training")
    parser.settings("Where it runs, in full --hardware.NAME", Hardware, "hardware")
    parser.for_all()
    return parser


def train_command(name: str, given: Mapping[str, Any]) -> int:
    """`embodied-ssl train METHOD`."""
    from embodied_ssl.training.devices.distributed import rank
    from embodied_ssl.training.train import train

    run = train(**arguments_of_train(name, given))
    if rank() == 0:  # of the processes that trained together one tells
        print(run)
    return 0


def arguments_of_train(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `train`, of the values of its command: the method made, and the rest as it takes it."""
    from embodied_ssl.method import Recipe
    from embodied_ssl.methods import make_method, method_class
    from embodied_ssl.training.settings import Hardware, TrainingSettings

    encoder, training = given["encoder"], TrainingSettings(**given["training"])
    settings = built(method_class(name), given.get("method", {}))
    return {
        "method": make_method(name, encoder["name"], encoder["image_size"], training.seed, encoder["init"], **settings),
        "out": given["out"],
        "data": {stream: source for stream, source in _streams(given["data"]).items() if source is not None},
        "recipe": Recipe(**given["optimizer"]),
        "settings": training,
        "hardware": Hardware(**given["hardware"]),
        "motor": _motor(given.get("streams", {})),
    }


def demo_parser() -> Parser:
    """`embodied-ssl demo`."""
    from embodied_ssl.cli.demo import demo

    parser = Parser("demo", first_line(demo), "[settings]", ["embodied-ssl demo --out demo --workers 4"])
    parser.settings("The demonstration", demo)
    parser.for_all()
    return parser


def demo_command(given: Mapping[str, Any]) -> int:
    """`embodied-ssl demo`."""
    from embodied_ssl.cli.demo import demo

    return demo(**given)


def _preset(name: str, kind: "type[Method]", arguments: Sequence[str]) -> "Preset":
    """The preset that the defaults of all options are of."""
    from embodied_ssl.methods import preset_of

    parser = Parser(f"train {name}")
    _add_preset(parser, kind)
    parser.for_all()
    return preset_of(name, kind, parser.known_values(arguments)["preset"])


def _add_preset(parser: Any, kind: "type[Method]") -> None:
    from embodied_ssl.method import presets_of

    told = (f"`{name}` ({each.source})" if each.source else f"`{name}`" for name, each in presets_of(kind).items())
    parser.add_argument(
        "--preset", type=str, default="small",
        help=f"encoder, settings and recipe where they are not given: {', '.join(told)}",
    )  # fmt: skip


def _example(specs: "Mapping[str, StreamSpec]") -> str:
    """Options that name data for a method: what it needs, or the first that it can take."""
    from embodied_ssl.data import kinds_with
    from embodied_ssl.datasets.kinds import kinds

    needed = [stream for stream, spec in specs.items() if spec.required] or list(specs)[:1]
    known = {stream: kinds_with(specs[stream].batch) or tuple(kinds()) for stream in needed}
    return " ".join(f"--{stream} data/{own[0]}" for stream, own in known.items())


def _streams(data: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Data sets by name of the stream; that of a part of `joint` is `METHOD.STREAM`."""
    found: dict[str, Any] = {}
    for name, value in data.items():
        found |= _streams(value, f"{above}{name}.") if isinstance(value, dict) else {f"{above}{name}": value}
    return found


def _motor(streams: Mapping[str, Any], above: str = "") -> "dict[str, MotorSignals]":
    """Whose motor signals streams are asked for, where it is not the body's own, by name of the stream."""
    from embodied_ssl.datasets.read.motor import OWN, MotorSignals

    found: dict[str, MotorSignals] = {}
    for name, value in streams.items():
        own = _motor(value, f"{above}{name}.") if "motor" not in value else {f"{above}{name}": MotorSignals(**value)}
        found |= {each: signals for each, signals in own.items() if signals != OWN}
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
    settings = built(kind, parser.known_values(arguments).get("method", {}))
    return make_method(name, "conv4", 32, 0, **settings).input_streams()
