"""What others add: methods, encoders, kinds of data, grippers, policies, object sets, protocols and studies, by name.

There are three ways to add one, and no file of this package changes for any of them:

- an installed package declares an entry point in the group `embodied_ssl.GROUP`, GROUP being one of `GROUPS`;
- `--plugin module`, or `--plugin module:Name`, names a module beside one's work (`use` does the same in Python);
- `module:Name` stands wherever a name is asked for.

This module knows nothing of the rest of the package, so that every part of it may ask here.
"""

import importlib
import inspect
import os
import re
import sys
from collections.abc import Callable, Iterable
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Any

GROUPS = ("methods", "encoders", "kinds", "grippers", "policies", "object_sets", "protocols", "studies")
VARIABLE = "EMBODIED_SSL_PLUGINS"
"""Environment variable with the plugins of this process, apart by commas; processes that it starts inherit them."""


class NoPlugin(ImportError):
    """A plugin is not there, or does not import; the message says which and why."""


def use(plugin: str) -> None:
    """Add what a module declares, or one member of it.

    Args:
        plugin: `module` or `module:Name`; the module is importable from the working directory as well.

    Raises NoPlugin.
    """
    member(plugin) if ":" in plugin else _module(plugin)
    if plugin not in given():
        os.environ[VARIABLE] = ",".join([*given(), plugin])


def member(name: str) -> Any:
    """What `module:Name` stands for. Raises NoPlugin."""
    module, _, within = name.partition(":")
    found: Any = _module(module)
    try:
        for attribute in within.split("."):  # of a class within a class
            found = getattr(found, attribute)
    except AttributeError:
        raise NoPlugin(f"{name}: the module {module} has no {within}") from None
    return found


def added(
    group: str,
    is_one: Callable[[Any], bool],
    built_in: Iterable[str] = (),
    declared: Callable[[Any], bool] | None = None,
) -> dict[str, Any]:
    """Everything that was added to a group, by name.

    Args:
        group: one of `GROUPS`.
        is_one: whether a member of a module of `use` belongs to the group.
        built_in: the names of the group that are taken.
        declared: whether what an entry point names belongs to it; None: as of members.

    A class or function of `use` is called by its own name in snake case, unless it has an attribute `name`. Raises
    NoPlugin for what does not import, and for a name that two of them have. An entry point of which that is true is
    left out, and a line on stderr says why: a package that is installed for something else may be broken.
    """
    found = _loaded(group, declared or is_one, built_in)
    for plugin in given():
        several = _public(_module(plugin)) if ":" not in plugin else [member(plugin)]
        for each in several:
            if is_one(each):
                _add(found, name_of(each), each, group)
    for name in set(built_in) & set(found):
        raise NoPlugin(f"{origin_of(found[name])}: {name} is built in; give yours an attribute `name`")
    return found


def given() -> list[str]:
    """The plugins of this process, as `use` takes them."""
    return [each for each in os.environ.get(VARIABLE, "").split(",") if each]


def origin_of(named: Any) -> str:
    """Where a class, a function or the class of an instance is from, as `use` takes it: `module:Name`."""
    owner = named if hasattr(named, "__qualname__") else type(named)
    return f"{owner.__module__}:{owner.__qualname__}"


def name_of(named: Any) -> str:
    """Its attribute `name`, or its own name in snake case: `BYOL` is `byol`, `MyMethod` is `my_method`."""
    name = getattr(named, "name", None)
    if isinstance(name, str):
        return name
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", named.__name__).lower()


def _check_name(name: str, named: Any) -> None:
    """Raises NoPlugin for a name that no option, file or part of a network could have."""
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
        raise NoPlugin(f"{origin_of(named)}: its name '{name}' has more than letters, digits, _ and -; take another")


def _add(found: dict[str, Any], name: str, named: Any, group: str) -> None:
    """Raises NoPlugin for what is no name, and where something else has it already."""
    _check_name(name, named)
    if found.setdefault(name, named) is not named:
        both = f"{origin_of(found[name])} and {origin_of(named)}"
        raise NoPlugin(f"two {group.replace('_', ' ')} are called {name}: {both}; give one an attribute `name`")


@cache
def _declared(group: str) -> dict[str, set[EntryPoint]]:
    """The entry points of a group by name."""
    found: dict[str, set[EntryPoint]] = {}
    for entry in entry_points(group=f"embodied_ssl.{group}"):
        found.setdefault(entry.name, set()).add(entry)
    return found


def _loaded(group: str, is_one: Callable[[Any], bool], built_in: Iterable[str]) -> dict[str, Any]:
    """What the entry points of a group name, without those that cannot be had."""
    found: dict[str, Any] = {}
    for name, (entry, *others) in _declared(group).items():
        try:
            if others:
                raise NoPlugin(f"{' and '.join(sorted(each.value for each in (entry, *others)))} are called so")
            if name in built_in:
                raise NoPlugin("a name that is built in")
            if not is_one(named := entry.load()):
                raise NoPlugin(f"{entry.value} is none of the {group.replace('_', ' ')}")
            _check_name(name, named)
            found[name] = named
        except (Exception, SystemExit) as error:  # whatever is wrong in it
            _say_once(f"the entry point {name} of embodied_ssl.{group} is left out: {_in_a_line(error)}")
    return found


@cache
def _say_once(what: str) -> None:
    print(f"embodied-ssl: {what}", file=sys.stderr)


def _in_a_line(error: BaseException) -> str:
    said = " ".join(str(error).split())
    return said if isinstance(error, NoPlugin) else f"{type(error).__name__}: {said}"


def _module(name: str) -> ModuleType:
    here = os.getcwd()
    if here not in sys.path:
        sys.path.append(here)
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise NoPlugin(f"{name}: {error}; a plugin is a module that is importable from here") from error
    except (Exception, SystemExit) as error:  # whatever is wrong in it
        raise NoPlugin(f"{name} does not import: {_in_a_line(error)}") from error


def _public(module: ModuleType) -> list[Any]:
    """The members of a module, without the classes and functions that it imported from outside of it."""
    return [
        each
        for name, each in vars(module).items()
        if not name.startswith("_")
        and (
            not (inspect.isclass(each) or inspect.isroutine(each))
            or f"{each.__module__}.".startswith(f"{module.__name__}.")
        )
    ]
