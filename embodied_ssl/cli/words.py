"""What the help says of options: their shortest names, and their types in words."""

import inspect
import types
from argparse import SUPPRESS
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from textwrap import wrap
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from jsonargparse import ActionSubCommands, DefaultHelpFormatter

from embodied_ssl.limits import hints_of

_WORDS: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a text",
    Path: "a path",
    type(None): "None",
}
_METAVARS = {Path: "PATH", float: "X", int: "N", Mapping: "MAPPING", str: "NAME"}


class Help(DefaultHelpFormatter):
    """Options by their shortest names, with types and defaults; examples as they are written."""

    shown: Callable[[str], str]
    """The shortest name of an option, of its full one."""

    def _format_action(self, action: Any) -> str:
        if isinstance(action, ActionSubCommands):
            return "".join(map(self._format_action, action._get_subactions()))
        return super()._format_action(action)

    def _format_action_invocation(self, action: Any) -> str:
        if (hint := getattr(action, "_typehint", None)) is None:
            return super()._format_action_invocation(action)
        return f"{self.shown(action.dest)} {_own_metavar(action) or metavar(hint)}"

    def _get_help_string(self, action: Any) -> str:
        text = (action.help or "").rstrip(".")
        hint = getattr(action, "_typehint", None)
        if hint is None or getattr(action, "_jsonargparse_preexpanded_help", False):
            return text
        plain = get_origin(hint) is Literal or hint is bool or _own_metavar(action)  # which say it already
        told = [] if plain else [type_in_words(hint).removeprefix("a ")]
        if action.required:
            told.append("required")
        elif action.default not in (None, SUPPRESS, [], (), ""):
            told.append(f"default: {_shown_default(action.default)}")
        return f"{text} ({'; '.join(told)})".strip() if told else text

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        """Lines that begin with two spaces are left as they are."""
        lines = text.splitlines()
        if any(line.startswith("  ") for line in lines):
            return "\n".join(indent + line for line in lines)
        return "\n".join(wrap(" ".join(lines), width, initial_indent=indent, subsequent_indent=indent))


def type_in_words(hint: Any) -> str:
    """What values of a type are: `a number of more than 0 or None`, `'sgd' or 'adamw'`."""
    origin, options = get_origin(hint), get_args(hint)
    if origin is Literal:
        return _either([repr(option) for option in options])
    if origin in (Union, types.UnionType):
        return _either([type_in_words(option) for option in options if option is not str or Path not in options])
    if origin is Annotated:
        return f"{type_in_words(options[0])} of {' and '.join(map(str, options[1:]))}"
    if is_list(hint):
        words = type_in_words(next((option for option in options if option is not ...), str))
        if words.startswith("'"):
            return f"names of {words}"
        count = f"{len(options)} " if origin is tuple and ... not in options else ""
        return count + words.replace("a ", "", 1).replace("number", "numbers").replace("path", "paths").replace(
            "text", "names"
        )
    if Mapping in elements(hint):
        return "a mapping, {name: value}"
    return _WORDS.get(hint, getattr(hint, "__name__", str(hint)))


def metavar(hint: Any) -> str:
    """What stands for a value in the help: `N`, `{sgd,adamw}`, `PATH ...`."""
    if get_origin(hint) is Literal:
        return f"{{{','.join(map(str, get_args(hint)))}}}"
    if hint is bool:
        return "[true|false]"
    inner = elements(hint)
    one = next((name for kind, name in _METAVARS.items() if kind in inner), "NAME")
    return f"{one} ..." if is_list(hint) else one


def is_list(hint: Any) -> bool:
    """Whether values of this type are several ones, and nothing else; None beside them does not count."""
    if get_origin(hint) in (Union, types.UnionType):
        own = [option for option in get_args(hint) if option is not type(None)]
        return len(own) == 1 and is_list(own[0])
    origin = get_origin(hint)
    return isinstance(origin, type) and issubclass(origin, Iterable) and not issubclass(origin, Mapping)


def elements(hint: Any) -> set[Any]:
    """The types in a list's type."""
    origin = get_origin(hint)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {Mapping}
    if origin is Literal:
        return {Literal}
    options = get_args(hint)[:1] if origin is Annotated else get_args(hint)
    return {hint} if not options else set().union(*map(elements, options))


def parameters_of(source: type | Callable[..., Any]) -> dict[str, Any]:
    """The types of the parameters of a class or a function, by name."""
    hints = hints_of(source.__init__ if inspect.isclass(source) else source)
    return {name: hint for name, hint in hints.items() if name != "return"}


def first_line(of: object) -> str:
    """The first line of its docstring; nothing under `python -OO`, which drops them."""
    return own_docstring(of).partition("\n")[0]


def first_paragraph(of: object) -> str:
    """The first paragraph of its docstring, as one line."""
    return " ".join(own_docstring(of).partition("\n\n")[0].split())


def own_docstring(of: object) -> str:
    """What it says of itself; nothing where only what it extends says something."""
    return inspect.cleandoc(of.__doc__ or "")


def _own_metavar(action: Any) -> str:
    """The one that was given, `DIR ...`; nothing for one that jsonargparse made of the type, `[ITEM,...]`."""
    return action.metavar if (action.metavar or "[")[0].isalpha() else ""


def _shown_default(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _either(words: list[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last
