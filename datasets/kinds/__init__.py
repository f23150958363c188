"""Kinds of data, one file each that ends in `KIND = …`: those of this folder, and what others add."""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from embodied_ssl.datasets.errors import DataError, unknown_name
from embodied_ssl.datasets.kinds.base import Kind
from embodied_ssl.plugins import NoPlugin, added, member, origin_of, use

__all__ = ["Kind", "built_in_kinds", "collected_kinds", "having", "kind_of", "kinds", "register"]


def kinds() -> dict[str, Kind]:
    """Every kind by its name: videos, then interactions, then those that others add.

    Raises DataError where one of others has the name of one of ours, or does not load.
    """
    ours = built_in_kinds()
    known = set(ours.values())  # a module of others may have imported one of them
    try:
        others = added("kinds", lambda each: isinstance(each, Kind) and each not in known)
    except NoPlugin as error:
        raise DataError(str(error)) from error
    if both := sorted(ours.keys() & {kind.name for kind in others.values()}):
        raise DataError(f"a plugin declares the kind {both[0]}, which is there already; give it another name")
    return ours | {kind.name: kind for kind in others.values()}


def collected_kinds() -> dict[str, Kind]:
    """Those that environments make; others are imported."""
    return {name: kind for name, kind in kinds().items() if kind.is_collected}


def kind_of(name: str) -> Kind:
    """The kind of a name, or the one that `module:Name` stands for. Raises DataError where there is none."""
    if ":" in name:
        return _member(name)
    if (kind := built_in_kinds().get(name)) is not None:
        return kind
    if name not in (known := kinds()):
        raise unknown_name("kind", name, known)
    return known[name]


def having(stream: str) -> str:
    """The kinds whose data sets can be cut into a stream, for a message: `grasp, poke or push`."""
    *others, last = [name for name, kind in kinds().items() if stream in kind.streams]
    return f"{', '.join(others)} or {last}" if others else last


def register(kind: Kind) -> str:
    """Make a kind's environment known to `gymnasium.make`, and return its id; doing it twice is harmless.

    Raises DataError where the id is of another environment.
    """
    import gymnasium

    if kind.env_id not in gymnasium.registry:
        gymnasium.register(kind.env_id, entry_point=kind.env)
    there = gymnasium.registry[kind.env_id].entry_point
    if (there := there if isinstance(there, str) else origin_of(there)) != kind.env:  # a class, where it was registered
        raise DataError(f"kind {kind.name}: {kind.env_id} is {there}, not {kind.env}; give it an env_id of its own")
    return kind.env_id


@cache
def built_in_kinds() -> dict[str, Kind]:
    """The kinds of this package by name."""
    modules = (import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__))
    declared = (module.KIND for module in modules if hasattr(module, "KIND"))  # others hold what several share
    found = sorted(declared, key=lambda kind: (kind.rows, kind.one_object, kind.closed_loop))
    return {kind.name: kind for kind in found}


def _member(name: str) -> Kind:
    try:
        use(name)  # so that other processes know it as well, by its own name
        kind = member(name)
    except NoPlugin as error:
        raise DataError(f"kind {name}: {error}") from error
    if not isinstance(kind, Kind):
        raise DataError(f"kind {name}: no Kind, but a {type(kind).__name__}; see embodied_ssl.datasets.kinds.base")
    return kind
