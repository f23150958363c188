"""The command line: every option is a parameter of the function it calls, and its help is that function's docstring."""

import re
import sys
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

HELP = """usage: embodied-ssl COMMAND ...

Bodies in simulated worlds: collect interaction data, check it, look at it.

commands:
  collect KIND   simulate and log to HDF5; KIND is roam, orbit, grasp, push or poke
  check DIR      verify a data set: hashes, schema, ranges, poses, motors
  view DIR ...   write one page that shows data sets, or the video of an episode
  envs           list the environments
  demo           collect every kind, check it, and write a page that shows it

examples:
  embodied-ssl collect roam --out data/roam --episodes 100 --size 96 --depth --workers 2
  embodied-ssl collect grasp --out data/grasp --episodes 1000 --body panda
  embodied-ssl check data/roam
  embodied-ssl view data/roam --video roam.mp4 --episode 3

`embodied-ssl COMMAND --help` explains a command, `embodied-ssl collect KIND --help` every setting of its world."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0 done, 1 bad data, 2 a request that cannot be met, 130 interrupted."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] in ("-h", "--help"):
        print(HELP)
        return 0
    name, *rest = given
    if name == "--version":
        from embodied_ssl import __version__

        print(__version__)
        return 0
    if name not in COMMANDS:
        return _refuse(f"unknown command '{name}'{_near(name, COMMANDS)}; there are {', '.join(COMMANDS)}")
    from embodied_ssl.datasets.errors import DataError

    try:
        return COMMANDS[name](rest)
    except DataError as error:
        return _refuse(str(error))
    except KeyboardInterrupt as stop:
        print(f"\nembodied-ssl: {stop or 'interrupted'}", file=sys.stderr)
        return 130


def _collect(arguments: list[str]) -> int:
    from embodied_ssl.datasets.collect import collect, environment_class
    from embodied_ssl.datasets.schema import KINDS

    if not arguments or arguments[0] in ("-h", "--help"):
        print(f"usage: embodied-ssl collect KIND --out DIR [settings]\n\nKIND is one of {', '.join(KINDS)};")
        print("`embodied-ssl collect KIND --help` explains every setting.")
        return 0
    kind, *rest = arguments
    if kind not in KINDS:
        return _refuse(f"unknown kind '{kind}'{_near(kind, KINDS)}; there are {', '.join(KINDS)}")
    parser = _parser(f"collect {kind}", collect.__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_function_arguments(collect, skip={"kind", "env", "policy"})
    parser.add_argument("--policy", type=str | None, default=None, help="a built-in name, or module:name of your own")
    parser.add_class_arguments(environment_class(kind), skip={"render_mode"})
    sys.path.append(str(Path.cwd()))  # where the module of --policy may be
    settings = vars(_parse(parser, _with_flags(parser, rest)))
    print(collect(kind, **settings))
    return 0


def _parser(command: str, description: str) -> Any:
    """A parser of a command that raises what is wrong instead of printing its whole usage."""
    from jsonargparse import ArgumentParser

    return ArgumentParser(prog=f"embodied-ssl {command}", description=description, exit_on_error=False)


def _parse(parser: Any, arguments: list[str]) -> Any:
    """The values of `arguments`. Raises DataError, in one line, with the near name of a mistyped option."""
    from argparse import ArgumentError

    from embodied_ssl.datasets.errors import DataError

    try:
        return parser.parse_args(arguments)
    except ArgumentError as error:
        message = " ".join(str(error).split())
        unknown = re.search(r"unrecognized arguments: (--?[\w.-]+)", message, re.IGNORECASE)
        near = _near(unknown[1], parser._option_string_actions) if unknown else ""
        raise DataError(f"{message}{near}; `{parser.prog} --help` explains every option") from error


def _with_flags(parser: Any, arguments: list[str]) -> list[str]:
    """`--depth` is short for `--depth=true`: the parser wants a value for every bool."""
    flags = {
        option
        for action in parser._actions
        if getattr(action, "_typehint", None) is bool
        for option in action.option_strings
    }
    following = [*arguments, "--"][1:]
    return [
        f"{argument}=true" if argument in flags and after.lower() not in ("true", "false", "yes", "no") else argument
        for argument, after in zip(arguments, following, strict=True)
    ]


def _check(arguments: list[str]) -> int:
    from embodied_ssl.datasets.check import check
    from embodied_ssl.datasets.readers import Dataset

    parser = _parser("check", "Verify data sets; exit code 1 if one is bad.")
    parser.add_argument("directory", nargs="+", type=Path, help="of a data set")
    bad = 0
    for directory in _parse(parser, arguments).directory:
        problems = check(directory, progress=True)
        bad += bool(problems)
        for problem in problems:
            print(problem)
        print(f"{directory}: {len(problems)} problems" if problems else f"{Dataset.open(directory)}: sound")
    return int(bad > 0)


def _view(arguments: list[str]) -> int:
    from embodied_ssl.datasets.gallery import video, view

    parser = _parser("view", "Write one page that shows data sets.")
    parser.add_argument("directory", nargs="+", type=Path, help="of a data set")
    parser.add_argument(
        "--out", type=Path | None, default=None, help="the page; beside the first data set if not given"
    )
    parser.add_argument("--video", type=Path | None, default=None, help="write this MP4 of an episode, and no page")
    parser.add_argument("--episode", type=int, default=0, help="the episode of the video")
    given = _parse(parser, arguments)
    if given.video is not None:
        print(video(given.directory[0], given.episode, given.video))
    else:
        print(view(given.directory, given.out))
    return 0


def _envs(arguments: list[str]) -> int:
    from embodied_ssl.datasets.collect import built_in_policies, environment_class
    from embodied_ssl.datasets.schema import KINDS

    for kind in KINDS:
        name = f"embodied_ssl/{kind.capitalize()}-v0"
        about = (environment_class(kind).__doc__ or "").strip().splitlines()[0]
        print(f"{name:26}{about}\n{'':26}policies: {', '.join(built_in_policies(kind))}")
    print('\nmake one with gymnasium.make("embodied_ssl.envs:embodied_ssl/Roam-v0")')
    return 0


def _demo(arguments: list[str]) -> int:
    from embodied_ssl.demo import demo

    parser = _parser("demo", demo.__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_function_arguments(demo)
    return demo(**vars(_parse(parser, arguments)))


def _refuse(message: str) -> int:
    print(f"embodied-ssl: {message}", file=sys.stderr)
    return 2


def _near(name: str, names: Iterable[str]) -> str:
    near = get_close_matches(name, list(names), n=1, cutoff=0.5)
    return f", did you mean '{near[0]}'?" if near else ""


COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "collect": _collect,
    "check": _check,
    "view": _view,
    "envs": _envs,
    "demo": _demo,
}
