"""Parsers of commands, made from signatures and docstrings: groups of settings, short names, files of settings.

jsonargparse makes options, help, `--config` and `--print_config` of signatures. Here names are made short; what was
given is looked at before it parses (`arguments.py`), so that what is wrong is told in one line and in those names.
"""

from argparse import SUPPRESS
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args

from jsonargparse import ArgumentError, ArgumentParser, set_parsing_settings

from embodied_ssl.cli.arguments import CONFIG, PRINT, Given, check_arguments, near, read_arguments, told_by_config
from embodied_ssl.cli.words import Help, parameters_of
from embodied_ssl.datasets.errors import DataError

ALIASES = {
    "lr": "learning_rate",
    "wd": "weight_decay",
    "bs": "batch_size",
    "protocol": "protocols",
    "encoder": "encoder.name",
    "row": "rows",
}
"""What everybody calls some settings."""


class Parser(ArgumentParser):
    """The options of a command.

    `--temperature`, `--learning-rate` and `--lr` stand for `--method.temperature` and `--optimizer.learning_rate`: the
    end of a full name is enough wherever there is but one of it, with hyphens or underscores.
    """

    def __init__(
        self, command: str = "", about: str = "", usage: str = "", examples: Sequence[str] = (), **options: Any
    ):
        """An empty one.

        Args:
            command: as it is called, `train moco`.
            about: the first paragraph of the help.
            usage: what follows the command in the first line of the help.
            examples: lines of shell that end the help.
            options: of jsonargparse, which makes others like this one for a dataclass that may be None.
        """
        called = f"embodied-ssl {command}".rstrip()
        super().__init__(
            prog=called, usage=f"{called} {usage}".rstrip(), description=about, formatter_class=Help,
            epilog="\n".join(["examples:", *(f"  {each}" for each in examples)]) if examples else None,
            **{"exit_on_error": False, "allow_abbrev": False} | options,
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
        groups: Any = self._action_groups
        groups.append(groups.pop(groups.index(self._optionals)))

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
            title = own.title or name
            own.title = f"{title[:1].upper()}{title[1:]}, in full --{name}.NAME"
            self.names()[name].help = SUPPRESS  # a file of them; there is --config

    def values(self, arguments: Sequence[str], path: Sequence[str] = (), top: ArgumentParser | None = None) -> Any:
        """The values of all settings, nested by their groups. Raises DataError, in one line, with the near name.

        path, top: the sub-commands that led here, and the parser that has them.
        """
        tokens = ["--help"]
        if not {"-h", "--help"} & {*arguments}:
            given = read_arguments(self, arguments)
            check_arguments(self, given)
            known = self.names()
            said = [each for each in self._in_files(given) if each.value != "null" or not known[each.name].required]
            tokens = [each.token for each in (*said, *given) if each.name != CONFIG]  # files first: options count
        try:
            found = (top or self).parse_args([*path, *tokens])
        except ArgumentError as error:
            raise self.refusal(" ".join(str(error).split())) from error
        for each in path:
            found = found[each]
        return at_home({name: value for name, value in found.as_dict().items() if name not in (CONFIG, "plugin")})

    def known_values(self, arguments: Sequence[str]) -> dict[str, Any]:
        """The values of the settings that there are up to now; all others are passed over."""
        given = read_arguments(self, arguments, strict=False)
        tokens = [each.token for each in [*self._in_files(given), *given] if each.name in self.hints()]
        return dict(self.parse_args(tokens).as_dict())

    def _in_files(self, given: Sequence[Given]) -> list[Given]:
        """What the files of settings among the options say, but for plugins, which are used already."""
        told = [each for one in given if one.name == CONFIG for each in told_by_config(one.value, self.hints())]
        return [each for each in told if each.name != "plugin"]

    def names(self) -> dict[str, Any]:
        """The actions of all options, by full name without its hyphens."""
        options = {each.dest: each for each in self._actions if each.option_strings}
        return {name: each for name, each in options.items() if name != PRINT and name.rpartition(".")[2] != "help"}

    def hints(self) -> dict[str, Any]:
        """The types of all settings, by full name."""
        return {name: each._typehint for name, each in self.names().items() if hasattr(each, "_typehint")}

    def full_name(self, name: str) -> str:
        """The full name of an option, of any of its names. Raises DataError for none, and for one of several."""
        names, key = self.names(), name.removeprefix("--").replace("-", "_")
        found = _ending(names, key)
        if not found:
            group, dot, last = key.rpartition(".")
            found = _ending(names, group + dot + ALIASES.get(last, last))
        if not found and dot and (whole := [each for each in _ending(names, group) if self._may_have(each, last)]):
            return f"{whole[0]}.{last}"
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

    def _may_have(self, name: str, field: str) -> bool:
        """Whether a setting is a dataclass with this field, or None."""
        kinds = filter(is_dataclass, get_args(self.hints().get(name)))
        return any(field == each.name for kind in kinds for each in fields(kind))

    def _get_formatter(self) -> Any:
        formatter = super()._get_formatter()
        formatter.shown = self.shown  # type: ignore[attr-defined]
        return formatter

    def _all_names(self) -> set[str]:
        names = self.names()
        aliases = (alias for alias, meant in ALIASES.items() if _ending(names, meant))
        return {*names, *(self.shown(each)[2:] for each in names), *aliases, PRINT}


def built(source: type | Callable[..., Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as the parameters of a class or a function have them: those of a dataclass as one of it."""
    hints = parameters_of(source)
    return {
        name: hints[name](**built(hints[name], value)) if is_dataclass(hints.get(name)) else value
        for name, value in values.items()
    }


def at_home(value: Any) -> Any:
    """A value, or several, with `~` for the home of the user in the place of it."""
    if isinstance(value, dict):
        return {name: at_home(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(at_home(each) for each in value)
    if isinstance(value, Path) or (isinstance(value, str) and value.startswith("~/")):
        return type(value)(Path(value).expanduser())
    return value


def _ending(names: Iterable[str], key: str) -> list[str]:
    """The names that end in this one; itself alone where it is a full one."""
    every = list(names)
    return [key] if key in every else [each for each in every if each.endswith(f".{key}")]
