"""Every method and every command as a user starts them: help, names of settings, and a run."""

import inspect
import json
from dataclasses import asdict, fields, is_dataclass, replace

import pytest
import torch
from torch import Tensor

from embodied_ssl.cli.learning import parser_of_training
from embodied_ssl.cli.main import COMMANDS, main
from embodied_ssl.data import source_for
from embodied_ssl.datasets.collect.collection import collect
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.kinds import collected_kinds
from embodied_ssl.datasets.read.batches import Frames, LabelledFrames
from embodied_ssl.method import Method, Recipe, Step, input_streams_of, settings_of
from embodied_ssl.methods import make_method, method_class, method_names
from embodied_ssl.training.logs import read_metrics
from embodied_ssl.training.settings import Hardware, TrainingSettings


@pytest.fixture(scope="module")
def sets(data, tmp_path_factory):
    """A data set of each kind; rooms in episodes that are long enough for any clip."""
    rooms = tmp_path_factory.mktemp("data") / "rooms"
    collect("roam", rooms, episodes=2, size=24, length=14, progress=False)
    return [rooms, *(folder for kind, folder in data.items() if kind != "roam")]


def names_of_settings(kind):
    """Of a dataclass among them those of its fields."""
    parameters = settings_of(kind).values()
    nested = {each.name: fields(each.default) if is_dataclass(each.default) else (each,) for each in parameters}
    return [each.name for own in nested.values() for each in own]


def streams_of(name, sets):
    """The options that name a data set for each stream that the usual settings can take: labels of objects."""
    specs = make_method(name, None, 32).input_streams()
    where = {stream: sets[1:] if spec.batch is LabelledFrames else sets for stream, spec in specs.items()}
    return [f"--{stream}={source_for(spec.batch, where[stream])}" for stream, spec in specs.items()]


def chosen(settings):
    """Settings as JSON has them, without those that come from the data where nobody has set them."""
    found = {key: chosen(value) if isinstance(value, dict) else value for key, value in settings.items()}
    of_data = ("classes", "motor_size", "images")
    return json.loads(json.dumps({key: value for key, value in found.items() if key not in of_data}))


@pytest.mark.parametrize("name", method_names())
def test_every_method_trains_by_the_command_line(name, sets, tmp_path):
    run = tmp_path / "run"
    settings = ["--image_size", "32", "--steps", "2", "--batch_size", "8", "--device", "cpu", "--progress", "false"]
    assert main(["train", name, *streams_of(name, sets), "--out", str(run), *settings]) == 0
    told = json.loads((run / "run.json").read_text())
    assert told["method"] == name
    recipe = replace(method_class(name).recipe, steps=2, batch_size=8)
    assert told["recipe"] == json.loads(json.dumps(asdict(recipe)))
    assert chosen(told["settings"]) == chosen(make_method(name, None, 32).settings())
    assert (run / "encoder.safetensors").is_file()


@pytest.mark.parametrize("name", method_names())
def test_a_batch_of_one_is_trained_on_or_refused_before_work(name, sets, tmp_path, capsys):
    run = tmp_path / "run"
    settings = ["--image_size", "32", "--steps", "1", "--batch_size", "1", "--device", "cpu", "--progress", "false"]
    code = main(["train", name, *streams_of(name, sets), "--out", str(run), *settings])
    told = [line for line in capsys.readouterr().err.splitlines() if "collapsed" not in line]
    if code == 2:
        assert len(told) == 1
        assert told[0].startswith("embodied-ssl: batch_size: 1")
        assert not run.exists()
    else:
        assert not told
        assert read_metrics(run)[-1]["loss"] > 0  # where there is nothing to compare with it would be 0


@pytest.mark.parametrize("name", method_names())
def test_the_help_of_every_method_names_every_setting(name, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["train", name, "--help"])
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    groups = {
        "method": names_of_settings(method_class(name)),
        "data": list(input_streams_of(method_class(name))),
        "optimizer": [field.name for field in fields(Recipe)],
        "training": [field.name for field in fields(TrainingSettings)],
        "hardware": [field.name for field in fields(Hardware)],
    }
    for group, names in groups.items():
        for each in names:
            assert f" --{each} " in shown or f" --{group}.{each} " in shown, each


@pytest.mark.parametrize(
    "command", [*([name] for name in COMMANDS), [], *(["collect", kind] for kind in collected_kinds())], ids=" ".join
)
def test_every_command_has_help(command, capsys):
    try:
        code = main([*command, "--help"])
    except SystemExit as stop:
        code = stop.code
    assert code == 0
    shown = capsys.readouterr()
    assert shown.out.startswith(f"usage: embodied-ssl {' '.join(command)}".rstrip())
    assert not shown.err


class Greedy(Method):
    """Has settings by the names of everything else, but for those that `make_method` takes."""

    recipe = Recipe(momentum=0.7)

    def __init__(
        self, encoder, momentum: float = 0.5, steps: int = 7, out: str = "in", frames: int = 3,
        method: int = 11, data: int = 12, optimizer: str = "13", config: str = "14",
    ):  # fmt: skip
        super().__init__(encoder)

    def loss(self, frames: Frames, step: Step) -> dict[str, Tensor]:
        return {"loss": torch.zeros(())}


def test_a_name_of_two_groups_is_refused_and_each_has_its_full_name():
    parser = parser_of_training("greedy", Greedy)
    own = names_of_settings(Greedy)
    for name in ("momentum", "steps", "frames", "optimizer"):
        with pytest.raises(DataError, match=rf"--{name} may be --.*{name} or --.*{name};"):
            parser.values([f"--{name}", "1"])
    full = [f"--method.{name}={number}" for number, name in enumerate(own)]
    full += ["--data.frames=folder", "--optimizer.momentum=0.1", "--optimizer.steps=2", "--out=run"]
    given = parser.values([*full, "--encoder.image_size=48", "--encoder", "vit_tiny", "--weight-decay", "0.3"])
    assert [given["method"][name] for name in own] == [0, 1, "2", 3, 4, 5, "6", "7"]
    assert given["data"]["frames"] == ["folder"]
    assert {key: given["optimizer"][key] for key in ("momentum", "steps", "weight_decay")} == {
        "momentum": 0.1, "steps": 2, "weight_decay": 0.3,
    }  # fmt: skip
    assert str(given["out"]) == "run"
    assert given["encoder"] == {"name": "vit_tiny", "image_size": 48, "init": None}
    usual = parser.values(["--out", "run", "--data.frames", "folder"])
    assert (usual["method"]["momentum"], usual["optimizer"]["momentum"]) == (0.5, 0.7)


def test_make_method_has_no_name_that_a_method_has():
    taken = set(inspect.signature(make_method).parameters) - {"settings"}
    assert not [name for name in method_names() if taken & set(names_of_settings(method_class(name)))]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--momentun", "1"], "unknown option --momentun, did you mean '--method.momentum'"),
        (["--optimizer.momentun", "1"], "did you mean '--optimizer.momentum'"),
        (["--image-sise", "1"], "did you mean '--image_size'"),
        (["--momentum", "1"], "--momentum may be --method.momentum or --optimizer.momentum"),
        (["--queue_length", "many"], "--queue_length: 'many' is not a whole number of at least 1;"),
        (["--temperature", "hot"], "--temperature: 'hot' is not a number of more than 0 or None;"),
        (["--optimizer", "adam"], "--optimizer: 'adam' is not 'sgd', 'adamw' or 'lars';"),
        (["--optimizer.momentum=much"], "--optimizer.momentum: 'much' is not a number of at least 0"),
        (["--lr"], "--lr: give a number of more than 0;"),
        (["--paper_heads", "perhaps"], "--paper_heads: 'perhaps' is not true or false;"),
        (["perhaps"], "'perhaps' is no option"),
        ([], "required: --out;"),
    ],
)
def test_what_is_wrong_with_an_option_is_said_in_its_name(given, said):
    with pytest.raises(DataError) as error:
        parser_of_training("moco", method_class("moco")).values(given)
    assert said in str(error.value)
    assert "\n" not in str(error.value)
