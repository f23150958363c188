"""Settings of environments and collections: every default filled in, as plain values, in range."""

import importlib
import inspect
from dataclasses import asdict, is_dataclass
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import gymnasium
import numpy as np

from embodied_ssl.datasets.collect.folder_identity import files_digest, folder_digest
from embodied_ssl.datasets.errors import DataError, unknown_name
from embodied_ssl.datasets.kinds import kind_of
from embodied_ssl.limits import Count, Limits, hold

MOST_PIXELS = 4096  # on a side


def environment_class(kind: str) -> type[gymnasium.Env[Any, Any]]:
    """The class of a kind's environment; its constructor's signature is the list of settings. Else DataError."""
    if not (declared := kind_of(kind)).is_collected:
        raise DataError(
            f"{declared.name}: no environment makes it; recordings of others are brought in by embodied-ssl import"
        )
    return named(declared.env)


def named(name: str) -> Any:
    """What `module:Name` of a declaration stands for. Raises DataError where it, or what it needs, is not there."""
    module, _, attribute = name.partition(":")
    try:
        return getattr(simulation(module), attribute)
    except AttributeError:
        raise DataError(f"{name}: the module {module} has no {attribute}") from None


def simulation(module: str) -> ModuleType:
    """A module of the simulation. Raises DataError where what it needs is not installed."""
    try:
        importlib.import_module("embodied_ssl.envs.world")  # which tells what is missing
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("embodied_ssl"):
            raise
        raise DataError(str(error)) from error


def env_settings(kind: str, given: dict[str, Any]) -> dict[str, Any]:
    """Every setting of the environment: those given, and the defaults of collecting and of its constructor.

    Raises DataError.
    """
    parameters, declared = _constructor_parameters(environment_class(kind)), kind_of(kind)
    parameters.pop("render_mode", None)
    for name, usual in declared.collected.items():
        if name not in parameters:
            raise unknown_name(f"setting of {kind}, which its `collected` names", name, parameters)
        parameters[name] = parameters[name].replace(default=usual)
    if required := [name for name, each in parameters.items() if each.default is each.empty]:
        raise DataError(f"{kind}: its setting {required[0]} has no default; give the constructor of {declared.env} one")
    for name in given:
        if name not in parameters:
            raise unknown_name(f"setting of {kind}", name, parameters)
    for name, value in given.items():
        if is_dataclass(kept := parameters[name].default):  # given in part
            given = {**given, name: hold({name: type(kept)}, {name: value})[name]}
    settings = {name: plain(name, given.get(name, each.default)) for name, each in parameters.items()}
    numbers = _numbers(environment_class(kind))  # 40 is 40.0 where a float is asked for: not another collection
    return hold({**numbers, "size": Annotated[int, Limits(8, MOST_PIXELS)], declared.rows_setting: Count}, settings)


def _numbers(environment: type) -> dict[str, Any]:
    """The settings of a constructor that are floats or booleans, with their annotations."""
    hints: dict[str, Any] = {}
    for each in reversed(environment.__mro__):
        if "__init__" in vars(each):
            hints |= get_type_hints(vars(each)["__init__"], include_extras=True)
    kinds = {name: get_args(hint)[0] if get_origin(hint) is Annotated else hint for name, hint in hints.items()}
    return {name: hints[name] for name, kind in kinds.items() if kind in (float, bool)}


def named_settings(kind: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Settings as a specification names them: those that its environment calls `ADDED` only where they say something.

    So that data sets from before there were such settings are still what they were.
    """
    added = {*getattr(environment_class(kind), "ADDED", ())}
    usual = env_settings(kind, {})
    says = any(settings[name] != usual[name] for name in added & settings.keys())
    return {name: value for name, value in settings.items() if says or name not in added}


def contents(settings: dict[str, Any]) -> dict[str, str]:
    """The digest of what each setting that names files says: a folder of objects or textures, a robot.

    Raises DataError for files that are not there.
    """
    sets, robots = (simulation(f"embodied_ssl.envs.{module}") for module in ("world.objects.sets", "bodies.robot"))
    named = {name: Path(str(settings[name])).expanduser() for name in ("objects", "textures") if settings.get(name)}
    try:
        if "objects" in named and not sets.is_folder(settings["objects"]):
            del named["objects"]
        found = {name: folder_digest(folder) for name, folder in named.items() if folder.is_dir()}
        if robots.is_robot(body := str(settings.get("body", ""))):
            found["body"] = files_digest(robots.files_of(body))
    except ValueError as error:  # what `module:Name` stands for is no set of objects, or not there
        raise DataError(str(error)) from error
    return found


def plain(name: str, value: Any) -> Any:
    """A value as JSON has it: NumPy's numbers and arrays, paths and tuples as plain numbers, texts and lists."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Path):
        value = str(value)
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, dict):
        return {key: plain(f"{name}.{key}", each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(name, each) for each in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise DataError(f"{name}: a setting is numbers, texts and lists of them, not a {type(value).__name__}")


def _constructor_parameters(owner: type) -> dict[str, inspect.Parameter]:
    """The named parameters of a constructor, and of those of its bases that it passes `**settings` on to."""
    found: dict[str, inspect.Parameter] = {}
    for each in owner.__mro__:
        if "__init__" not in vars(each):
            continue
        own = list(inspect.signature(each.__init__).parameters.values())[1:]  # type: ignore[misc]
        variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        found = {parameter.name: parameter for parameter in own if parameter.kind not in variadic} | found
        if all(parameter.kind is not inspect.Parameter.VAR_KEYWORD for parameter in own):
            break
    return found
