"""Pieces of Markdown, and what a signature and its docstring say."""

import dataclasses
import inspect
import re
import types
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import docstring_parser

from embodied_ssl.limits import Limits


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; cells are one line each."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(str(cell)) for cell in line) + " |" for line in lines) + "\n"


def code(text: object) -> str:
    """As code, in a cell of a table or in a line."""
    return f"`{text}`" if "`" not in str(text) else f"`` {text} ``"


def paragraphs(docstring: str | None) -> str:
    """A docstring without its first paragraph and without sections such as `Args:`."""
    parsed = inspect.cleandoc(docstring or "").split("\n\n")
    return "\n\n".join(part for part in parsed[1:] if not re.match(r"(Args|Returns|Raises|Attributes)\b", part))


def first_paragraph(docstring: str | None) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join(inspect.cleandoc(docstring or "").split("\n\n")[0].split())


def settings(function: Callable[..., Any], skip: Iterable[str] = ()) -> str:
    """A table of the parameters of a function or class; those that are data classes are taken apart, `views.crop`."""
    rows = list(_settings(function, {"self", *skip}))
    return table(["setting", "default", "values", "what it is"], rows) if rows else "None.\n"


def _settings(function: Any, skip: set[str], prefix: str = "", given: Any = None) -> Iterable[list[str]]:
    """given: the default of a data class as a whole, whose values are the defaults."""
    called = function.__init__ if inspect.isclass(function) else function
    hints = get_type_hints(function if dataclasses.is_dataclass(function) else inspect.unwrap(called), None, None, True)
    said = _said(function)
    for name, parameter in inspect.signature(called).parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD and inspect.isclass(function):  # the settings of what it extends
            base = next(each for each in function.__mro__[1:] if "__init__" in vars(each))
            yield from _settings(base, {*skip, *inspect.signature(called).parameters}, prefix)
        if name in skip or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        hint, default = hints.get(name, parameter.annotation), getattr(given, name, parameter.default)
        if isinstance(hint, type) and dataclasses.is_dataclass(hint):
            yield from _settings(hint, {"self"}, f"{prefix}{name}.", default)
            continue
        value = "" if default is inspect.Parameter.empty else code(_value(default))
        yield [code(prefix + name), value, _values(hint), said.get(name, "")]


def _said(function: Callable[..., Any]) -> dict[str, str]:
    """What the docstrings say of each parameter; of a data class, the docstring below each field."""
    sources = [function] if not inspect.isclass(function) else [function.__init__, function]
    found: dict[str, str] = {}
    for source in sources:
        if dataclasses.is_dataclass(source):  # what it does not say anew, that which it extends has said
            parsed = [docstring_parser.parse_from_object(each) for each in source.__mro__[-2::-1]]
        else:
            parsed = [docstring_parser.parse(inspect.getdoc(source) or "", docstring_parser.DocstringStyle.GOOGLE)]
        for each in (parameter for one in parsed for parameter in one.params if parameter.description):
            found[each.arg_name] = " ".join(each.description.split())
    return found


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple) and len(value) > 4:
        return f"{len(value)} of them"
    return repr(value)


def _values(hint: Any) -> str:
    """A type in words: limits of an annotation, choices of a literal."""
    origin, options = get_origin(hint), get_args(hint)
    if origin is Annotated:
        limits = [str(each) for each in options[1:] if isinstance(each, Limits)]
        return ", ".join([_values(options[0]), *limits])
    if origin is Literal:
        return ", ".join(code(value) for value in options)
    if origin in (Union, types.UnionType):
        return " or ".join(_values(option) for option in options)
    if origin is dict:
        return "values by name"
    if origin is not None:
        return f"{origin.__name__} of {', '.join(_values(each) for each in options if each is not ...)}"
    return "none" if hint is type(None) else getattr(hint, "__name__", str(hint))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
