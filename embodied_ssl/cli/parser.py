"""Parsers of commands, made from signatures and docstrings: groups of settings, short names, files of settings.

jsonargparse makes options, help, `--config` and `--print_config` of signatures. Here names are made short, and what was
given is looked at before it parses, so that what is wrong is told in one line and in the names that the help shows.
"""

import json
from argparse import SUPPRESS
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import is_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from jsonargparse import ArgumentError, ArgumentParser, set_parsing_settings

from embodied_ssl.cli.words import Help, elements, is_list, parameters_of, type_in_words
from embodied_ssl.datasets.errors import DataError

ALIASES = {
    "lr": "learning_rate",
    "wd": "weight_decay",
    "bs": "batch_size",
    "protocol": "protocols",
    "encoder": "encoder.name",
}
"""What everybody calls some settings."""

PRINT = "print_config"


class Given(NamedTuple):
    """An option with its full name, and the text of its value."""

    name: str
    value: str


class Parser(ArgumentParser):
    """The options of a command.

    `--temperature`, `--learning-rate` and `--lr` stand for `--method.temperature` and `--optimizer.learning_rate`: the
    end of a full name is enough wherever there is but one of it, with hyphens or underscores.
    """

    def __init__(self, command: str = "", about: str = "", usage: str = "", examples: Sequence[str] = ()):
        """An empty one.

        Args:
            command: as it is called, `train moco`.
            about: the first paragraph of the help.
            usage: what follows the command in the first line of the help.
            examples: lines of shell that end the help.
        """
        called = f"embodied-ssl {command}".rstrip()
        super().__init__(
            prog=called, usage=f"{called} {usage}".rstrip(), description=about, formatter_class=Help,
            epilog="\n".join(["examples:", *(f"  {each}" for each in examples)]) if examples else None,
            exit_on_error=False, allow_abbrev=False,
        )  # fmt: skip
        set_parsing_settings(docstring_parse_attribute_docstrings=True)  # those of dataclasses
        self.called = called
        self.positional = ""  # the list that values without an option go to

    def for_all(self) -> None:
        """Add the options that every command has, as the last ones of the help."""
        self.add_argument(
            "--config", action="config", metavar="FILE",
            help="settings in YAML or JSON, as --print_config prints them; what is given as an option counts instead",
        )  # fmt: skip
        self.add_argument(
            "--plugin", type=list[str], default=[], metavar="MODULE ...",
            help="modules, or module:Name, with methods, encoders, environments and so on of your own",
        )  # fmt: skip
        self._optionals.title = "For every command"
        self._action_groups.append(self._action_groups.pop(self._action_groups.index(self._optionals)))

    def settings(
        self, title: str, source: type | Callable[..., Any], group: str | None = None, skip: Iterable[str] = ()
    ) -> None:
        """Add the parameters of a class or a function, under a title of the help; as `--GROUP.NAME` with a group.

        Those of a dataclass among them are a group of their own, `--GROUP.PARAMETER.NAME`.
        """
        before = len(self._action_groups)
        titled = self.add_argument_group(title)
        add = titled.add_class_arguments if isinstance(source, type) else titled.add_function_arguments
        add(source, group, as_group=False, skip={*skip})
        for own in self._action_groups[before + 1 :]:
            *_, last = own._group_actions
            name = last.dest.rpartition(".")[0]
            own.title = f"{own.title[:1].upper()}{own.title[1:]}, in full --{name}.NAME"
            self.names()[name].help = SUPPRESS  # a file of them; there is --config

    def values(self, arguments: Sequence[str], path: Sequence[str] = (), top: ArgumentParser | None = None) -> Any:
        """The values of all settings, nested by their groups. Raises DataError, in one line, with the near name.

        path, top: the sub-commands that led here, and the parser that has them.
        """
        if {"-h", "--help"} & {*arguments}:
            tokens = ["--help"]
        else:
            given = self._given(arguments)
            self._check(given)
            given = sorted(given, key=lambda each: each.name != "config")  # files first: options come before them
            tokens = [f"--{name}={value}" if value or name != PRINT else f"--{name}" for name, value in given]
        try:
            found = (top or self).parse_args([*path, *tokens])
        except ArgumentError as error:
            raise self.refusal(" ".join(str(error).split())) from error
        for each in path:
            found = found[each]
        own = found.as_dict()
        return at_home({name: value for name, value in own.items() if name not in ("config", "plugin")})

    def known_values(self, arguments: Sequence[str]) -> dict[str, Any]:
        """The values of the settings that there are up to now; all others are passed over."""
        given = self._given(arguments, strict=False)
        files = [each.value for each in given if each.name == "config"]
        told = [Given(name, as_text(value)) for file in files for name, value in flat(read_config(file)).items()]
        known = [each for each in [*told, *given] if each.name in self.names() and each.name != "config"]
        return dict(self.parse_args([f"--{name}={value}" for name, value in known]).as_dict())

    def names(self) -> dict[str, Any]:
        """The actions of all options, by full name without its hyphens."""
        unnamed = ("help", PRINT)
        return {each.dest: each for each in self._actions if each.option_strings and each.dest not in unnamed}

    def full_name(self, name: str) -> str:
        """The full name of an option, of any of its names. Raises DataError for none, and for one of several."""
        names, key = self.names(), name.removeprefix("--").replace("-", "_")
        found = _ending(names, key)
        if not found:
            group, dot, last = key.rpartition(".")
            found = _ending(names, group + dot + ALIASES.get(last, last))
        if len(found) > 1:
            raise self.refusal(f"{name} may be {' or '.join(f'--{each}' for each in found)}")
        if not found:
            raise self.refusal(f"unknown option {name}{near(name, self._all_names(), '--')}")
        return next((each for each in names if each.startswith(f"{found[0]}.")), found[0])  # the first of a group

    def shown(self, full: str) -> str:
        """The shortest name of an option, as the help has it."""
        names, parts = self.names(), full.split(".")
        if full in ALIASES.values() and "." in full:
            return next(f"--{alias}" for alias, meant in ALIASES.items() if meant == full)
        ends = [".".join(parts[start:]) for start in range(len(parts) - 1, 0, -1)]
        return f"--{next((end for end in ends if _ending(names, end) == [full]), full)}"

    def refusal(self, message: str) -> DataError:
        """What to raise for what was given."""
        return DataError(f"{message}; `{self.called} --help` explains every option")

    def _get_formatter(self) -> Any:
        formatter = super()._get_formatter()
        formatter.shown = self.shown  # type: ignore[attr-defined]
        return formatter

    def _all_names(self) -> set[str]:
        names = self.names()
        return {*names, *(self.shown(each)[2:] for each in names), *ALIASES, PRINT}

    def _given(self, arguments: Sequence[str], strict: bool = True) -> list[Given]:
        """The options in arguments; those of lists with all their values together. Unknown ones are no error if lax."""
        left, found = list(arguments), []
        several: dict[str, list[str]] = {}
        while left:
            option, equals, value = left.pop(0).partition("=")
            if not option.startswith("--"):
                if strict and not self.positional:
                    raise self.refusal(f"'{option}{equals}{value}' is no option: --NAME VALUE")
                several.setdefault(self.positional, []).append(f"{option}{equals}{value}")
                continue
            name = self._name(option, strict)
            hint = getattr(self.names().get(name), "_typehint", None)
            following = [value] if equals else _values(left)
            if is_list(hint) or not name:
                several[name] = following  # of the same option given twice the last counts, as of any
            elif hint is bool and not equals:
                following = [each for each in following[:1] if each.lower() in ("true", "false", "yes", "no")]
                found.append(Given(name, following[0] if following else "true"))
            elif following or name == PRINT:
                following = following[: bool(equals) or name != PRINT]
                found.append(Given(name, "".join(following)))
            else:
                raise self.refusal(f"{option}: give {type_in_words(hint) if hint else 'a value'}")
            left = left if equals else left[len(following) :]
        return found + [Given(name, self._joined(name, values)) for name, values in several.items() if name]

    def _name(self, option: str, strict: bool) -> str:
        """The full name of an option; nothing for an unknown one, if lax."""
        if option.replace("-", "_") == f"__{PRINT}":
            return PRINT
        try:
            return self.full_name(option)
        except DataError:
            if strict:
                raise
            return ""

    def _joined(self, name: str, values: list[str]) -> str:
        """Values of a list as one value in JSON: `[0,64]` of `0 64` and of `0,64`."""
        if len(values) == 1 and values[0].startswith("["):
            return values[0]
        inner = elements(self.names()[name]._typehint)
        apart = values if Path in inner else [each for value in values for each in value.split(",")]
        return json.dumps(apart) if {str, Path} & inner else f"[{','.join(apart)}]"

    def _check(self, given: Sequence[Given]) -> None:
        """Raise DataError for the first value that is none of its type, and for options that are missing."""
        names, there = self.names(), {each.name for each in given}
        for name, value in given:
            if name == "config":
                told = flat(read_config(value), {each for each in names if hasattr(names[each], "_typehint")})
                self._check_config(value, told)
                there |= {each for each, own in told.items() if own is not None}
            elif (hint := getattr(names.get(name), "_typehint", None)) is not None and not _fits(hint, value):
                raise self.refusal(f"{self.shown(name)}: '{value}' is not {type_in_words(hint)}")
        missing = [name for name, action in names.items() if action.required and name not in there]
        if missing and PRINT not in there:
            shown = [each.upper() if each == self.positional else self.shown(each) for each in missing]
            raise self.refusal(f"required: {', '.join(shown)}")

    def _check_config(self, file: str, told: Mapping[str, Any]) -> None:
        names = self.names()
        for name, value in told.items():
            if name not in names:
                raise self.refusal(f"{file}: unknown setting {name}{near(name, names)}")
            hint = getattr(names[name], "_typehint", None)
            if hint is not None and not (value is None and names[name].required) and not _fits(hint, as_text(value)):
                raise self.refusal(f"{file}: {name}: {value!r} is not {type_in_words(hint)}")


def built(source: type | Callable[..., Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as the parameters of a class or a function have them: those of a dataclass as one of it."""
    hints = parameters_of(source)
    return {
        name: hints[name](**built(hints[name], value)) if is_dataclass(hints.get(name)) else value
        for name, value in values.items()
    }


def read_config(file: str) -> dict[str, Any]:
    """A file of settings. Raises DataError where it is none."""
    try:
        found = yaml.safe_load(Path(file).expanduser().read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"--config {file}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
    except yaml.YAMLError as error:
        raise DataError(f"--config {file}: not YAML or JSON ({' '.join(str(error).split())})") from error
    if not isinstance(found, dict):
        raise DataError(f"--config {file}: no settings in it; `--print_config` prints a file of them")
    return found


def flat(settings: Mapping[str, Any], whole: Iterable[str] = (), above: str = "") -> dict[str, Any]:
    """Settings by full name, `method.temperature`.

    whole: names whose values are taken as they are, mappings as well.
    """
    found: dict[str, Any] = {}
    for key, value in settings.items():
        name = f"{above}{key}"
        nested = isinstance(value, Mapping) and name not in whole
        found |= flat(value, whole, f"{name}.") if nested else {name: value}
    return found


def as_text(value: Any) -> str:
    """A value of a file as it is written after an option."""
    return value if isinstance(value, str) else json.dumps(value)


def at_home(value: Any) -> Any:
    """A value, or several, with `~` for the home of the user in the place of it."""
    if isinstance(value, dict):
        return {name: at_home(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(at_home(each) for each in value)
    if isinstance(value, Path) or (isinstance(value, str) and value.startswith("~/")):
        return type(value)(Path(value).expanduser())
    return value


def near(name: str, names: Iterable[str], before: str = "") -> str:
    """What to say of a name that is none of `names`: `, did you mean 'x'?`, or nothing."""
    close = get_close_matches(name.removeprefix(before), list(names), n=1, cutoff=0.5)
    return f", did you mean '{before}{close[0]}'?" if close else ""


def _ending(names: Iterable[str], key: str) -> list[str]:
    """The names that end in this one; itself alone where it is a full one."""
    every = list(names)
    return [key] if key in every else [each for each in every if each.endswith(f".{key}")]


def _values(arguments: Sequence[str]) -> list[str]:
    """The arguments before the next option."""
    options = [place for place, each in enumerate(arguments) if each.startswith("--")]
    return list(arguments[: options[0] if options else None])


def _fits(hint: Any, value: str) -> bool:
    """Whether a text is a value of a type."""
    one = ArgumentParser(exit_on_error=False)
    one.add_argument("--value", type=hint)
    try:
        one.parse_args([f"--value={value}"])
    except ArgumentError:
        return False
    return True
