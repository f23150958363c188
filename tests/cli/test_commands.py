"""The command line as a user meets it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import embodied_ssl
from embodied_ssl import plugins
from embodied_ssl.cli.main import COMMANDS, main
from embodied_ssl.datasets.read.readers import Dataset


def run(*arguments):
    command = [sys.executable, "-m", "embodied_ssl", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ)


def test_help_is_quick_and_names_every_command():
    before = os.times()
    done = run("--help")
    after = os.times()
    taken = after.children_user + after.children_system - before.children_user - before.children_system
    assert taken < 1.5  # of the processor's time, so that a shared machine matters less; it takes a quarter of a second
    assert done.returncode == 0
    assert all(name in done.stdout for name in COMMANDS)
    imported = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "embodied_ssl", "--help"], capture_output=True, text=True
    ).stderr
    assert not any(f" {name}\n" in imported for name in ("torch", "numba", "pybullet", "h5py", "scipy"))


@pytest.mark.parametrize("module", ["embodied_ssl", "embodied_ssl.cli"])
def test_it_runs_as_a_module_and_tells_its_version(module):
    done = subprocess.run([sys.executable, "-m", module, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"{embodied_ssl.__version__}\n"


@pytest.mark.parametrize(
    ("command", "plugin", "name"),
    [
        ("methods", "examples.tico", "tico"),
        ("encoders", "examples.own_encoder:Mixer", "mixer"),
        ("protocols", "examples.own_protocol", "geometry"),
        pytest.param("envs", "examples.pile", "pile", marks=pytest.mark.simulator),
    ],
)
def test_lists_have_what_plugins_add(command, plugin, name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(Path(__file__).parents[2])
    (tmp_path / "settings.yaml").write_text(f"plugin: [{plugin}]")
    for given in ([], ["--plugin", plugin], ["--config", str(tmp_path / "settings.yaml")]):
        monkeypatch.setenv(plugins.VARIABLE, "")
        assert main([command, *given]) == 0
        listed = {line.split()[0] for line in capsys.readouterr().out.splitlines() if line.strip()}
        assert (name in listed) == bool(given)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_plugin_that_is_not_there_is_one_line(command, capsys):
    assert main([command, "--plugin", "no_such_module"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "no_such_module" in line


@pytest.mark.parametrize(("given", "near"), [(["colect"], "collect"), (["collect", "roem"], "roam")])
def test_unknown_names_get_the_near_one(given, near, capsys):
    assert main(given) == 2
    assert f"'{near}'" in capsys.readouterr().err


@pytest.mark.simulator
def test_collect_then_check(tmp_path, capsys):
    out = tmp_path / "orbit"
    settings = ["--episodes", "2", "--size", "16", "--length", "3", "--instance", "--progress", "false"]
    assert main(["collect", "orbit", "--out", str(out), *settings]) == 0
    assert "6 in 2 episodes" in capsys.readouterr().out
    assert main(["check", str(out)]) == 0
    assert "sound" in capsys.readouterr().out
    shard = out / "shard-00000.h5"
    content = bytearray(shard.read_bytes())
    content[3000] ^= 255
    shard.write_bytes(content)
    assert main(["check", str(out)]) == 1
    assert str(shard) in capsys.readouterr().out


@pytest.mark.simulator
@pytest.mark.parametrize(
    "arguments",
    [
        ["collect", "roam", "--out", "x", "--episodes", "-1"],
        ["collect", "roam", "--out", "x", "--episodes", "many"],
        ["collect", "roam"],
        ["collect", "roam", "--out", "x", "--episods", "3"],
        ["collect", "roam", "--out", "x", "--episode", "3"],
        ["collect", "roam", "--out", "x", "--engine", "spark"],
        ["check", "nowhere"],
        ["view", "nowhere"],
    ],
)
def test_what_cannot_be_done_is_one_clear_message(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert not {"--episods", "--episode"} & set(arguments) or "'--episodes'" in said[0]
    assert "<class" not in said[0]
    assert not (tmp_path / "x").exists() or not list((tmp_path / "x").iterdir())


@pytest.mark.simulator
def test_every_setting_of_a_world_is_explained(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["collect", "roam", "--help"])
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    for text in ("--camera_height", "above the floor, m", "--workers", "--policy"):
        assert text in shown


@pytest.mark.simulator
def test_lists_are_separated_by_commas(tmp_path, capsys):
    out = tmp_path / "grasp"
    settings = ["--episodes", "1", "--size", "16", "--categories", "mug,bowl", "--progress", "false"]
    assert main(["collect", "grasp", "--out", str(out), "--instances", "3,7", *settings]) == 0
    assert (
        main(["collect", "grasp", "--out", str(out), "--instances=[3,7]", *settings]) == 0
    )  # the same, so nothing to do
    objects = Dataset.open(out).objects
    assert set(objects["instance"].tolist()) <= {3, 4, 5, 6}
    assert set(objects["category"].tolist()) <= {"mug", "bowl"}


def test_a_reader_who_has_seen_enough_is_no_error():
    command = f"{sys.executable} -m embodied_ssl envs | head -c 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


@pytest.mark.parametrize(
    "command",
    [
        *sorted({*COMMANDS} - {"collect", "import", "train", "study"}),
        "collect roam",
        "import mp4",
        "train simclr",
        "study positives",
    ],
)
def test_what_every_command_has_stands_by_itself(command, capsys):
    with pytest.raises(SystemExit):
        main([*command.split(), "--help"])
    shown = capsys.readouterr().out
    last = shown.partition("For every command:")[2].partition("examples:")[0]
    found = {line.split()[0].rstrip(",") for line in last.splitlines() if line.startswith("  -")}
    assert found == {"-h", "--config", "--print_config", "--plugin"}
    assert "default: )" not in shown


def test_the_near_name_is_one_that_there_is(tmp_path, capsys):
    """An alias of a setting that a command does not have is no help; a row of a comparison has it."""
    nothing = str(tmp_path)
    assert main(["compare", "simclr", "--lr", "1", "--data", nothing, "--on", nothing, "--out", nothing + "/out"]) == 2
    assert "did you mean '--lr'" not in capsys.readouterr().err
