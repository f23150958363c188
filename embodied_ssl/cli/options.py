"""Options of commands, made from signatures and docstrings."""

import argparse
import inspect
import re
import types
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from os.path import expanduser
from typing import Annotated, Any, Literal, Union, get_args, get_origin


def make_parser(command: str, description: str, usage: str = "") -> Any:
    """A parser of a command that raises what is wrong instead of printing its whole usage.

    usage: what the help shows after the command; nothing: every option.
    """
    from jsonargparse import ArgumentParser, DefaultHelpFormatter, set_parsing_settings

    short: dict[str, str] = {}  # `--NAME` for `--GROUP.NAME`, see `shorten`

    class Formatter(DefaultHelpFormatter):
        def _format_action_invocation(self, action: Any) -> str:
            shown = super()._format_action_invocation(action)
            names = [name for name, full in short.items() if full in action.option_strings]
            return shown.replace(short[names[0]], names[0], 1) if names else shown

        def _get_type_str(self, action: Any) -> str | None:
            hint = getattr(action, "_typehint", None)
            return type_in_words(hint) if hint is not None else super()._get_type_str(action)

    set_parsing_settings(docstring_parse_attribute_docstrings=True)  # those of a recipe's fields
    parser = ArgumentParser(
        prog=f"embodied-ssl {command}",
        usage=f"embodied-ssl {command} {usage}" if usage else None,
        description=description,
        exit_on_error=False,
        allow_abbrev=False,  # `--episode` must not be taken for `--episodes`
        formatter_class=Formatter,
    )
    parser.short_names = short  # type: ignore[attr-defined]
    return parser


class Several(argparse.Action):
    """Values of an option: those of `--a X Y` and of `--a X --a Y` are the same."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        namespace[self.dest] = [*(namespace.get(self.dest) or []), *values]


def add_settings(
    parser: Any, title: str, group: str, source: type | Callable[..., Any], skip: Iterable[str] = ()
) -> None:
    """Add the parameters of a class or a function as `--GROUP.NAME`, under a title of the help."""
    titled = parser.add_argument_group(title)
    add = titled.add_class_arguments if isinstance(source, type) else titled.add_function_arguments
    add(source, group, as_group=False, skip=set(skip))


def shorten(parser: Any, groups: Iterable[str]) -> None:
    """Let `--NAME` stand for `--GROUP.NAME`: of several groups that have the name, for that of the first."""
    options = parser._option_string_actions
    for group in groups:
        for full in [option for option in options if option.startswith(f"--{group}.")]:
            short = f"--{full.removeprefix(f'--{group}.')}"
            if short not in options:
                parser.short_names.setdefault(short, full)


def first_line(of: object) -> str:
    """The first line of its docstring; nothing under `python -OO`, which drops them."""
    return (inspect.getdoc(of) or "").partition("\n")[0]


def parse(parser: Any, arguments: list[str]) -> Any:
    """The values of `arguments`. Raises DataError, in one line, with the near name of a mistyped option."""
    from argparse import ArgumentError

    from embodied_ssl.datasets.errors import DataError

    try:
        return parser.parse_args(_spelled_out(parser, arguments))
    except ArgumentError as error:
        raise DataError(f"{_message(parser, str(error))}; `{parser.prog} --help` explains every option") from error


def _message(parser: Any, error: str) -> str:
    """What jsonargparse says, in one line, and in the names that the help shows."""
    message = " ".join(error.split())
    if unknown := re.search(r"unrecognized arguments: (--?[\w.-]+)", message, re.IGNORECASE):
        return message + near(unknown[1], _known(parser))
    if mismatch := re.match(r'Parser key "([\w.]+)": .*?(?:Got|Given) value: (.*)$', message):
        dest, given = mismatch.groups()
        (action,) = [action for action in parser._actions if action.dest == dest]
        return f"{_shown(parser, f'--{dest}')}: '{given}' is no {type_in_words(action._typehint)}"
    for full in parser.short_names.values():
        message = re.sub(rf"(?:--)?{full[2:]}\b", _shown(parser, full), message)
    return message


def _known(parser: Any) -> dict[str, Any]:
    """The actions of all options by name, those of short ones as well."""
    full = parser._option_string_actions
    return {**{short: full[option] for short, option in parser.short_names.items()}, **full}


def _shown(parser: Any, option: str) -> str:
    """The name of an option that the help shows."""
    return next((short for short, full in parser.short_names.items() if full == option), option)


def type_in_words(hint: Any) -> str:
    """What values of a type are: `float or null`, `'sgd' or 'adamw'`."""
    origin, options = get_origin(hint), get_args(hint)
    if origin is Literal:
        return _either([repr(option) for option in options])
    if origin in (Union, types.UnionType):
        return _either([type_in_words(option) for option in options])
    if origin is Annotated:
        return f"{type_in_words(options[0])} of {' and '.join(map(str, options[1:]))}"
    if hint is type(None):
        return "null"
    if isinstance(hint, type) and not options:
        return hint.__name__
    name = getattr(origin, "__name__", str(hint))
    return f"{name} of {', '.join(type_in_words(option) for option in options if option is not ...)}"


def _either(words: list[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


def _spelled_out(parser: Any, arguments: list[str]) -> list[str]:
    """Arguments as the parser wants them: options by their full names, with underscores.

    `--depth` is short for `--depth=true`, `0,64` for the list `[0,64]`, and `~` for the home of the user.
    """
    known = _known(parser)
    following = [*arguments, "--"][1:]
    found = []
    before = None  # the type of the option just before
    for argument, after in zip(arguments, following, strict=True):
        argument = expanduser(argument)
        option, equals, value = argument.partition("=")
        value = expanduser(value)
        if option.startswith("--") and option not in known and (spelled := _underscored(option)) in known:
            option = spelled
        hint = getattr(known.get(option), "_typehint", None)
        option = parser.short_names.get(option, option)
        if hint is bool and not equals and after.lower() not in ("true", "false", "yes", "no"):
            equals, value = "=", "true"
        elif equals and _is_list(hint):
            value = _bracketed(value)
        if _is_list(before):
            found.append(_bracketed(argument))
        else:
            found.append(f"{option}{equals}{value}")
        before = hint if not equals else None
    return found


def _underscored(option: str) -> str:
    return "--" + option[2:].replace("-", "_")


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
