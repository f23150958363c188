"""Files of settings: what --print_config prints, --config reads, for every method, kind of data and command."""

import json
from importlib import import_module
from typing import Literal, get_args, get_origin

import numpy as np
import pytest

from embodied_ssl.cli.learning import train_parser
from embodied_ssl.cli.main import COMMANDS, main
from embodied_ssl.cli.words import elements, is_list
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.kinds import collected_kinds
from embodied_ssl.methods import method_names

CALLS = [
    *(["train", name] for name in method_names()),
    *(["collect", kind] for kind in collected_kinds()),
    *([name] for name, command in COMMANDS.items() if not command.what),
]
simulated = pytest.mark.simulator


def parser_of(call, arguments=()):
    """What reads the options of a command."""
    name, *subject = call
    make = getattr(import_module(f"embodied_ssl.cli.{COMMANDS[name].module}"), f"{name}_parser")
    return make(*subject, arguments) if subject else make()


def printed(parser, arguments, capsys, tmp_path):
    """The file that --print_config prints."""
    with pytest.raises(SystemExit) as stop:
        parser.values([*arguments, "--print_config"])
    assert stop.value.code == 0
    (tmp_path / "settings.yaml").write_text(capsys.readouterr().out)
    return str(tmp_path / "settings.yaml")


def plain(values):
    """Values of which tuples and lists are one."""
    return json.loads(json.dumps(values, default=str))


def another(hint, default):
    """A value of a type that is not the default, as text."""
    inner = elements(hint)
    if Literal in inner:
        choices = hint if get_origin(hint) is Literal else next(each for each in get_args(hint) if get_args(each))
        usual = (default, *np.atleast_1d(default))
        return next((str(each) for each in get_args(choices) if each not in usual), str(usual[-1]))  # of all, one
    if bool in inner:
        return str(not default).lower()
    number = 0.25 if float in inner else 7 if int in inner else None
    if dict in {get_origin(each) for each in (hint, *get_args(hint))}:
        return "{one: {two: 3}}"
    word = number if number is not None else "null and #void: 'ρ', [x]".replace(", ", " ; ")
    if not is_list(hint) or number is None:
        return str(word)
    fixed = next((get_args(each) for each in (hint, *get_args(hint)) if get_origin(each) is tuple), (..., ...))
    return ",".join([str(word)] * (2 if Ellipsis in fixed else len(fixed)))


@pytest.mark.parametrize("call", CALLS, ids=" ".join)
def test_what_is_printed_is_read_as_the_same_settings(call, capsys, tmp_path):
    if call[0] in ("collect", "envs"):
        pytest.importorskip("pybullet")
    parser = parser_of(call)
    options = {name: each for name, each in parser.names().items() if hasattr(each, "_typehint") and name != "plugin"}
    given = [f"--{name}={another(each._typehint, each.default)}" for name, each in options.items()]
    given = [
        each for each in given if not each.startswith(("--method.methods=", "--method.method_settings="))
    ]  # see joint
    file = printed(parser, given, capsys, tmp_path)
    assert plain(parser.values(["--config", file])) == plain(parser.values(given))


def test_options_count_before_files_wherever_they_stand(capsys, tmp_path):
    parser = train_parser("moco", [])
    file = printed(parser, ["--lr", "0.5", "--wd", "0.25", "--views", "body"], capsys, tmp_path)
    for arguments in (["--config", file, "--lr", "2"], ["--lr", "2", "--config", file]):
        given = parser.values([*arguments, "--out", "run"])
        assert (given["optimizer"]["learning_rate"], given["optimizer"]["weight_decay"]) == (2.0, 0.25)


def test_later_files_count_before_earlier_ones(tmp_path):
    for number in (1, 2):
        (tmp_path / f"{number}.yaml").write_text(
            json.dumps({"optimizer": {"steps": number}, "out": f"run{3 - number}"})
        )
    files = ["--config", str(tmp_path / "1.yaml"), "--config", str(tmp_path / "2.yaml")]
    given = train_parser("simclr", files).values(files)
    assert (given["optimizer"]["steps"], str(given["out"])) == (2, "run1")


def test_the_streams_of_joint_come_from_a_file_as_well(capsys, tmp_path):
    arguments = ["--methods", "drlim,egomotion", "--drlim.pairs", "a", "b", "--egomotion.pairs", "c"]
    with pytest.raises(SystemExit):
        main(["train", "joint", *arguments, "--print_config"])
    (tmp_path / "settings.yaml").write_text(capsys.readouterr().out)
    file = str(tmp_path / "settings.yaml")
    given = train_parser("joint", ["--config", file]).values(["--config", file, "--out", "run"])
    assert given["data"] == {"drlim": {"pairs": ["a", "b"]}, "egomotion": {"pairs": ["c"]}}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            "optimizer: {learning_rat: 1}",
            "unknown setting optimizer.learning_rat, did you mean 'optimizer.learning_rate'?",
        ),
        ("optimiser: {steps: 1}", "unknown setting optimiser.steps, did you mean 'optimizer.steps'?"),
        ("method: {temperature: hot}", "method.temperature: 'hot' is not a number of more than 0"),
        ("optimizer: {steps: [1]}", "optimizer.steps: '[1]' is not a whole number of at least 1"),
        ("encoder: conv4", "unknown setting encoder"),
        ("a: b: c", "not YAML or JSON"),
        ("just words", "no settings in it"),
        (None, "No such file"),
    ],
)
def test_a_wrong_file_is_one_clear_line(content, said, tmp_path, capsys):
    file = tmp_path / "settings.yaml"
    if content is not None:
        file.write_text(content)
    assert main(["train", "simclr", "--out", str(tmp_path / "run"), "--config", str(file)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert str(file) in line


def test_values_of_plain_yaml_are_what_they_say(tmp_path):
    file = tmp_path / "settings.yaml"
    file.write_text("out: 2024-05-01\nhardware: {precision: 32}\ndata: {frames: [x]}\n")
    given = train_parser("simclr", ["--config", str(file)]).values(["--config", str(file)])
    assert (str(given["out"]), given["hardware"]["precision"]) == ("2024-05-01", "32")


def test_a_path_with_a_comma_is_one_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a,b").mkdir()
    arguments = ["--frames", "a,b", "c,d", "--out", "run"]
    assert train_parser("simclr", arguments).values(arguments)["data"]["frames"] == ["a,b", "c", "d"]


def test_values_are_at_home_in_files_as_well(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "settings.yaml").write_text("out: ~/run\ndata: {frames: [~/rooms]}\n")
    given = train_parser("simclr", []).values(["--config", "~/settings.yaml"])
    assert (str(given["out"]), given["data"]["frames"]) == (str(tmp_path / "run"), [str(tmp_path / "rooms")])


def test_names_are_those_of_one_setting():
    parser = train_parser("simclr", [])
    for name in (
        "--temperature",
        "--method.temperature",
        "--learning_rate",
        "--learning-rate",
        "--lr",
        "--optimizer.lr",
    ):
        full = parser.full_name(name)
        assert full.endswith(("method.temperature", "optimizer.learning_rate"))
        assert parser.full_name(parser.shown(full)) == full
    assert all(
        parser.full_name(parser.shown(name)) == name
        for name, each in parser.names().items()
        if each.help != "==SUPPRESS=="
    )
    with pytest.raises(DataError, match="unknown option --temprature, did you mean '--temperature'"):
        parser.full_name("--temprature")


def test_switches_need_no_value_and_none_is_one():
    given = train_parser("moco", []).values(
        ["--out", "run", "--no-progress", "--paper-heads", "--no_condition", "--clip", "None", "--temperature", "0.5"]
    )
    assert (given["training"]["progress"], given["method"]["paper_heads"]) == (False, True)
    assert given["method"]["views"]["condition"] is False
    assert given["optimizer"]["clip"] is None
    for wrong in ("--no-steps", "--no-such"):
        with pytest.raises(DataError, match=f"unknown option {wrong}"):
            train_parser("moco", []).values([wrong])
