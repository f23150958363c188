"""Options of commands, made from signatures and docstrings."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any


def make_parser(command: str, description: str) -> Any:
    """A parser of a command that raises what is wrong instead of printing its whole usage."""
    from jsonargparse import ArgumentParser

    return ArgumentParser(prog=f"embodied-ssl {command}", description=description, exit_on_error=False)


def parse(parser: Any, arguments: list[str]) -> Any:
    """The values of `arguments`. Raises DataError, in one line, with the near name of a mistyped option."""
    from argparse import ArgumentError

    from embodied_ssl.datasets.errors import DataError

    try:
        return parser.parse_args(_with_flags(parser, arguments))
    except ArgumentError as error:
        message = " ".join(str(error).split())
        unknown = re.search(r"unrecognized arguments: (--?[\w.-]+)", message, re.IGNORECASE)
        hint = near(unknown[1], parser._option_string_actions) if unknown else ""
        raise DataError(f"{message}{hint}; `{parser.prog} --help` explains every option") from error


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


def near(name: str, names: Iterable[str]) -> str:
    """What to say of a name that is none of `names`: `, did you mean 'x'?`, or nothing."""
    close = get_close_matches(name, list(names), n=1, cutoff=0.5)
    return f", did you mean '{close[0]}'?" if close else ""
