"""The command line: every option is a parameter of the function it calls, and its help is that function's docstring."""

import io
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

HELP = """usage: embodied-ssl COMMAND ...

Bodies in simulated worlds: collect interaction data, look at them, learn from them.

data:
  collect KIND   simulate and log to HDF5; KIND is roam, orbit, grasp, push or poke
  check DIR      verify a data set: hashes, schema, ranges, poses, motors
  view DIR ...   write one page that shows data sets, or the video of an episode
  envs           list the environments

learning:
  train METHOD   learn an encoder from data
  methods        list the methods, their papers, what they learn from
  encoders       list the encoders
  evaluate RUN   measure encoders on held-out images
  compare        train and evaluate several methods on the same data and budget

  demo           all of it at small scale: collect, learn, measure, and write two pages that show it

examples:
  embodied-ssl collect roam --out data/roam --episodes 100 --size 96 --depth --workers 2
  embodied-ssl view data/roam --video roam.mp4 --episode 3
  embodied-ssl train equivariance --pairs data/roam --out runs/equivariance
  embodied-ssl evaluate runs/equivariance --on data/held_out

`embodied-ssl COMMAND --help` explains a command, `embodied-ssl collect KIND --help` every setting of its world,
`embodied-ssl train METHOD --help` every setting of a method."""


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
    if not given or given[0] in ("-h", "--help", "help"):
        print(HELP)
        return 0
    name, *rest = given
    if name == "--version":
        from embodied_ssl import __version__

        print(__version__)
        return 0
    if name not in COMMANDS:
        from embodied_ssl.cli.options import near

        return _refuse(f"unknown command '{name}'{near(name, COMMANDS)}; there are {', '.join(COMMANDS)}")
    from embodied_ssl.datasets.errors import DataError
    from embodied_ssl.datasets.interrupts import exit_code, terminable

    try:
        with terminable():
            return _command(name)(rest)
    except DataError as error:
        return _refuse(str(error))
    except KeyboardInterrupt as stop:
        print(f"\nembodied-ssl: {str(stop) or 'interrupted'}", file=sys.stderr)
        return exit_code(stop)


def _command(name: str) -> Callable[[list[str]], int]:
    """The function of a command, whose module is imported only now: help stays instant."""
    return getattr(import_module(f"embodied_ssl.cli.{COMMANDS[name]}"), f"{name}_command")


def _refuse(message: str) -> int:
    print(f"embodied-ssl: {message}", file=sys.stderr)
    return 2


COMMANDS: dict[str, str] = {  # and the module that has its function
    "collect": "data",
    "check": "data",
    "view": "data",
    "envs": "data",
    "train": "learning",
    "methods": "learning",
    "encoders": "learning",
    "evaluate": "learning",
    "compare": "learning",
    "demo": "learning",
}
