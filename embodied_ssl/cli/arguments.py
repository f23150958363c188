"""What was given to a command: options by their full names, and files of settings, looked at before they are parsed."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml
from jsonargparse import ArgumentError, ArgumentParser

from embodied_ssl.cli.words import elements, is_list, type_in_words
from embodied_ssl.datasets.errors import DataError

if TYPE_CHECKING:
    from embodied_ssl.cli.parser import Parser

CONFIG, PRINT = "config", "print_config"
_BOOLEANS = ("true", "false", "yes", "no")


class Given(NamedTuple):
    """An option with its full name, and the text of its value."""

    name: str
    value: str

    @property
    def token(self) -> str:
        """As jsonargparse takes it."""
        return f"--{self.name}" if self.name == PRINT and not self.value else f"--{self.name}={self.value}"


def read_arguments(parser: "Parser", arguments: Sequence[str], strict: bool = True) -> list[Given]:
    """The options in arguments, of lists with all their values. Raises DataError for unknown ones, unless lax."""
    left, found = list(arguments), []
    several: dict[str, list[str]] = {}
    while left:
        word = left.pop(0)
        if not word.startswith("--"):
            if strict and not parser.positional:
                raise parser.refusal(f"'{word}' is no option: --NAME VALUE")
            several.setdefault(parser.positional, []).append(word)
            continue
        option, equals, value = word.partition("=")
        name, negated = _name(parser, option, strict)
        hint = parser.hints().get(name)
        following = [value] if equals else _values(left)
        if is_list(hint) or not name:
            several.setdefault(name, []).extend(following)  # given twice, all count: none is dropped silently
        else:
            following = following[: 1 if equals else _wanted(parser, name, hint, following, negated)]
            found.append(Given(name, _value(parser, option, hint, following, negated)))
        left = left if equals else left[len(following) :]
    return found + [Given(name, _joined(parser, name, values)) for name, values in several.items() if name]


def check_arguments(parser: "Parser", given: Sequence[Given]) -> None:
    """Raise DataError for the first value that is none of its type, and for options that are missing."""
    hints, there = parser.hints(), {each.name for each in given}
    for name, value in given:
        if name == CONFIG:
            there |= _check_config(parser, value)
        elif name in hints and not _fits(hints[name], value):
            raise parser.refusal(f"{parser.shown(name)}: '{value}' is not {type_in_words(hints[name])}")
    missing = [name for name, action in parser.names().items() if action.required and name not in there]
    if missing and PRINT not in there:
        shown = [each.upper() if each == parser.positional else parser.shown(each) for each in missing]
        raise parser.refusal(f"required: {', '.join(shown)}")


def read_config(file: str) -> dict[str, Any]:
    """A file of settings. Raises DataError where it is none."""
    try:
        found = yaml.safe_load(Path(file).expanduser().read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"--config {file}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
    except yaml.YAMLError as error:
        raise DataError(f"--config {file}: not YAML or JSON ({' '.join(str(error).split())})") from error
    if not isinstance(found, dict):
        raise DataError(f"--config {file}: no settings in it; --print_config prints a file of them")
    return found


def told_by_config(file: str, whole: Iterable[str] = ()) -> list[Given]:
    """The settings of a file. whole: names of those whose values are taken as they are, mappings as well."""
    return [
        Given(name, str(value) if isinstance(value, str | date) else json.dumps(value, default=str))
        for name, value in flat(read_config(file), {*whole}).items()
    ]


def flat(settings: Mapping[str, Any], whole: Iterable[str] = (), above: str = "") -> dict[str, Any]:
    """Settings by full name, `method.temperature`. whole: names of those that are mappings themselves."""
    found: dict[str, Any] = {}
    for key, value in settings.items():
        name = f"{above}{key}"
        nested = isinstance(value, Mapping) and name not in whole
        found |= flat(value, whole, f"{name}.") if nested else {name: value}
    return found


def near(name: str, names: Iterable[str], before: str = "") -> str:
    """What to say of a name that is none of `names`: `, did you mean 'x'?`, or nothing."""
    close = get_close_matches(name.removeprefix(before), list(names), n=1, cutoff=0.5)
    return f", did you mean '{before}{close[0]}'?" if close else ""


def _name(parser: "Parser", option: str, strict: bool) -> tuple[str, bool]:
    """The full name of an option, and whether it is `--no-NAME`; no name for an unknown one, if lax."""
    plain = option[2:].replace("-", "_")
    if plain == PRINT:
        return PRINT, False
    try:
        return parser.full_name(option), False
    except DataError:
        if plain.startswith("no_") and parser.hints().get(positive := _known(parser, plain[3:])) is bool:
            return positive, True
        if strict:
            raise
        return "", False


def _known(parser: "Parser", option: str) -> str:
    try:
        return parser.full_name(option)
    except DataError:
        return ""


def _wanted(parser: "Parser", name: str, hint: Any, following: Sequence[str], negated: bool) -> int:
    """How many of the following words are the value of an option: a switch needs none."""
    if name == PRINT or negated:
        return 0
    for_others = hint is bool and parser.positional and following and following[0].lower() not in _BOOLEANS
    return 0 if for_others else 1


def _value(parser: "Parser", option: str, hint: Any, following: Sequence[str], negated: bool) -> str:
    if following:
        return "null" if following[0] == "None" and type(None) in elements(hint) else following[0]
    if hint is not bool and option[2:].replace("-", "_") != PRINT:
        raise parser.refusal(f"{option}: give {type_in_words(hint) if hint else 'a file'}")
    return "" if hint is not bool else "false" if negated else "true"


def _joined(parser: "Parser", name: str, values: list[str]) -> str:
    """Values of a list as one value in JSON: `[0,64]` of `0 64` and of `0,64`."""
    if len(values) == 1 and values[0].startswith("["):
        return values[0]
    inner = elements(parser.hints()[name])
    whole = {value for value in values if Path in inner or Path(value).expanduser().exists()}  # with commas in its name
    apart = [each for value in values for each in ([value] if value in whole else value.split(","))]
    return json.dumps(apart) if {str, Path} & inner else f"[{','.join(apart)}]"


def _check_config(parser: "Parser", file: str) -> set[str]:
    """The settings that a file has values for. Raises DataError for unknown ones, and for values of other types."""
    hints, there = parser.hints(), set()
    for name, value in told_by_config(file, hints):
        if name == "plugin":
            continue  # they are used already, one as well as several
        if name not in hints:
            raise parser.refusal(f"--config {file}: unknown setting {name}{near(name, hints)}")
        if value == "null" and parser.names()[name].required:
            continue  # as --print_config has it
        if not _fits(hints[name], value):
            raise parser.refusal(f"--config {file}: {name}: '{value}' is not {type_in_words(hints[name])}")
        there.add(name)
    return there


def _values(words: Sequence[str]) -> list[str]:
    """Those before the next option."""
    options = [place for place, word in enumerate(words) if word.startswith("--")]
    return list(words[: options[0] if options else None])


def _fits(hint: Any, value: str) -> bool:
    """Whether a text is a value of a type."""
    one = ArgumentParser(exit_on_error=False)
    one.add_argument("--value", type=hint)
    try:
        one.parse_args([f"--value={value}"])
    except ArgumentError:
        return False
    return True
