"""Options of commands, made from signatures and docstrings."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, get_origin


def make_parser(command: str, description: str) -> Any:
    """A parser of a command that raises what is wrong instead of printing its whole usage."""
    from jsonargparse import ArgumentParser, DefaultHelpFormatter, set_parsing_settings

    class Formatter(DefaultHelpFormatter):
        def _get_type_str(self, action: Any) -> str | None:
            shown = super()._get_type_str(action)
            return _plain(shown) if shown else shown

    set_parsing_settings(docstring_parse_attribute_docstrings=True)  # those of a recipe's fields
    return ArgumentParser(
        prog=f"embodied-ssl {command}",
        description=description,
        exit_on_error=False,
        allow_abbrev=False,  # `--episode` must not be taken for `--episodes`
        formatter_class=Formatter,
    )


def parse(parser: Any, arguments: list[str]) -> Any:
    """The values of `arguments`. Raises DataError, in one line, with the near name of a mistyped option."""
    from argparse import ArgumentError

    from embodied_ssl.datasets.errors import DataError

    try:
        return parser.parse_args(_spelled_out(parser, arguments))
    except ArgumentError as error:
        message = " ".join(str(error).split())
        message = re.sub(r'Parser key "(\w+)": Expected an? (.*)\. Got value: (.*)', _mismatch, message)
        unknown = re.search(r"unrecognized arguments: (--?[\w.-]+)", message, re.IGNORECASE)
        hint = near(unknown[1], parser._option_string_actions) if unknown else ""
        raise DataError(f"{message}{hint}; `{parser.prog} --help` explains every option") from error


def _mismatch(found: re.Match[str]) -> str:
    option, wanted, given = found.groups()
    return f"--{option}: '{given}' is no {_plain(wanted)}"


def _plain(type_name: str) -> str:
    """`Path` for `<class 'pathlib.Path'>`."""
    return re.sub(r"<class '(?:\w+\.)*(\w+)'>", r"\1", type_name).replace("typing.", "")


def _spelled_out(parser: Any, arguments: list[str]) -> list[str]:
    """Arguments as the parser wants them: `--depth` is short for `--depth=true`, and `0,64` for the list `[0,64]`."""
    hints = {
        option: getattr(action, "_typehint", None) for action in parser._actions for option in action.option_strings
    }
    following = [*arguments, "--"][1:]
    found = []
    before = ""
    for argument, after in zip(arguments, following, strict=True):
        option, equals, value = argument.partition("=")
        if hints.get(argument) is bool and after.lower() not in ("true", "false", "yes", "no"):
            argument = f"{argument}=true"
        elif equals and _is_list(hints.get(option)):
            argument = f"{option}={_bracketed(value)}"
        elif _is_list(hints.get(before)):
            argument = _bracketed(argument)
        found.append(argument)
        before = argument
    return found


def _is_list(hint: Any) -> bool:
    """Whether values of this type are several ones, and nothing else."""
    return (
        isinstance(origin := get_origin(hint), type) and issubclass(origin, Iterable) and not issubclass(origin, dict)
    )


def _bracketed(values: str) -> str:
    return values if values.startswith("[") else f"[{values}]"


def near(name: str, names: Iterable[str]) -> str:
    """What to say of a name that is none of `names`: `, did you mean 'x'?`, or nothing."""
    close = get_close_matches(name, list(names), n=1, cutoff=0.5)
    return f", did you mean '{close[0]}'?" if close else ""
