"""The command line: every option is a parameter of the function it calls, and its help is that function's docstring."""

import argparse
import io
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from typing import Any, NamedTuple

from embodied_ssl import __version__
from embodied_ssl.cli.arguments import read_config
from embodied_ssl.cli.parser import Parser
from embodied_ssl.datasets.errors import DataError, unknown_name
from embodied_ssl.plugins import NoPlugin, use


class Command(NamedTuple):
    """A command; its module has `NAME_parser`, `NAME_command` and, where it takes a name, `NAME_names`."""

    module: str
    about: str
    what: str = ""
    """What is named after it, if anything: `KIND` of data, `METHOD`."""


COMMANDS = {
    "collect": Command("data", "let a body act in simulated worlds, and log what it sees and feels to HDF5", "KIND"),
    "import": Command("data", "bring in recordings of others: images, times, and motor signals or poses", "FORMAT"),
    "check": Command("data", "verify data sets: hashes, schema, ranges, poses, motors"),
    "view": Command("data", "write one page that shows data sets, or the video of an episode"),
    "train": Command("learning", "learn an encoder from data", "METHOD"),
    "evaluate": Command("measuring", "measure encoders on held-out images"),
    "compare": Command("measuring", "train and evaluate several methods on the same data with the same budget"),
    "study": Command("studying", "run a study: collect, train, measure, and show what it answers", "NAME"),
    "verify": Command("studying", "make again what a study or a run has left behind, and say whether it is equal"),
    "export": Command("exporting", "write what a run has learned, or a data set, for the libraries of others"),
    "demo": Command("learning", "all of it at small scale, with two pages that show it"),
    "envs": Command("lists", "list the environments, and the policies that act in each"),
    "methods": Command("lists", "list the methods, their papers, and what each learns from"),
    "encoders": Command("lists", "list the encoders"),
    "studies": Command("lists", "list the studies, what each asks, and the sizes that it has"),
    "zoo": Command("lists", "list the encoders that come with the package, and their scores"),
    "protocols": Command("lists", "list the protocols that measure encoders"),
}
ABOUT = "Bodies in simulated worlds: collect interaction data, look at them, learn from them, measure what was learned."
EXAMPLES = (
    "embodied-ssl collect roam --out data/roam --episodes 100 --size 96 --depth --workers 2",
    "embodied-ssl view data/roam --video roam.mp4 --episode 3",
    "embodied-ssl train equivariance --pairs data/roam --out runs/equivariance-0",
    "embodied-ssl evaluate runs/equivariance-0 --on data/held_out",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0 done, 1 bad data, 2 what cannot be met, 130 Ctrl-C, 143 SIGTERM."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what its encoding has not, such as ρ in cp1252, is shown as ?
            stream.reconfigure(errors="replace")
    try:
        code = _run(list(sys.argv[1:] if arguments is None else arguments))
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # whoever reads, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _run(given: list[str]) -> int:
    from embodied_ssl.datasets.interrupts import exit_code, terminable

    try:
        with terminable():
            return _command(given)
    except (DataError, NoPlugin) as error:
        print(f"embodied-ssl: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        print(f"\nembodied-ssl: {str(stop) or 'interrupted'}", file=sys.stderr)
        return exit_code(stop)


def _command(given: list[str]) -> int:
    """Run what was asked for. Of all commands only that one has its options made, whose module is imported then."""
    top = Parser("", ABOUT, "COMMAND ...", EXAMPLES)
    top.add_argument("--version", action="version", version=__version__, help="show the version and exit")
    if not given or given[0] in ("-h", "--help", "help"):
        _add_commands(top, {name: each.about for name, each in COMMANDS.items()})
        top.print_help()
        return 0
    if given[0] == "--version":
        top.parse_args(given)
    for plugin in _plugins(given):
        use(plugin)
    name, *rest = given
    if name not in COMMANDS:
        raise unknown_name("command", name, COMMANDS)
    command = COMMANDS[name]
    module = import_module(f"embodied_ssl.cli.{command.module}")
    make, act = getattr(module, f"{name}_parser"), getattr(module, f"{name}_command")
    if not command.what:
        leaf = make()
        _add_commands(top, {name: command.about}, {name: leaf})
        return act(leaf.values(rest, [name], top))
    subject = rest[0] if rest and not rest[0].startswith("-") else None
    names = getattr(module, f"{name}_names")
    about = f"{command.about[0].upper()}{command.about[1:]}."
    middle = Parser(name, about, f"{command.what} [settings]", [f"embodied-ssl {name} {command.what} --help"])
    _add_commands(top, {name: command.about}, {name: middle})
    if subject is None:
        if rest and not {"-h", "--help"} & {*rest}:
            raise DataError(f"{name}: name a {command.what} first: {', '.join(names())}")
        _add_commands(middle, names())
        middle.print_help()
        return 0
    leaf = make(subject, rest[1:])
    key = subject.replace(".", "_")  # a dot would lead into a group of settings
    _add_commands(middle, {}, {key: leaf})
    return act(subject, leaf.values(rest[1:], [name, key], top))


def _add_commands(parser: Parser, about: Mapping[str, str], made: Mapping[str, Parser] | None = None) -> None:
    """Add sub-commands; those that were not made are for the list in the help only."""
    commands: Any = parser.add_subcommands(dest="command", title="commands", metavar="", description=None)
    for name in {**about, **(made or {})}:
        commands.add_subcommand(name, (made or {}).get(name, Parser()), help=about.get(name, ""))


def _plugins(arguments: Sequence[str]) -> Iterable[str]:
    """The plugins that options and files of settings name: they are used before any other name is looked up."""
    early = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    early.add_argument("--config", action="append", default=[])
    early.add_argument("--plugin", nargs="*", action="extend", default=[])
    given = early.parse_known_args(list(arguments))[0]
    told = [read_config(file).get("plugin") or [] for file in given.config]
    told = [[plugins] if isinstance(plugins, str) else plugins for plugins in told]
    if wrong := [one for one in told if not isinstance(one, list) or not all(isinstance(each, str) for each in one)]:
        raise DataError(f"--config: plugin: {wrong[0]}; give names of modules")
    return dict.fromkeys(each for plugins in [*told, given.plugin] for plugin in plugins for each in plugin.split(","))
