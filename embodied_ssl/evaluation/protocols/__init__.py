"""Protocols by name: each file here holds one, and is called as it is; others come from outside (`plugins`)."""

import pkgutil
from dataclasses import fields
from importlib import import_module
from typing import Any

from embodied_ssl import plugins
from embodied_ssl.datasets.errors import DataError, unknown_name
from embodied_ssl.evaluation.protocol import Protocol


def protocol_names() -> list[str]:
    """The names of all protocols, sorted: those of the files here, and those that were added (`plugins`)."""
    return sorted([*_built_in(), *_added()])


def usual_protocols() -> list[str]:
    """The names of those that are taken where none is named."""
    return [name for name in protocol_names() if protocol_class(name).usual]


def protocol_class(name: str) -> type[Protocol]:
    """The protocol of a name, or of `module:Name`.

    Raises DataError for an unknown name, where it offers the near one, and for what is no protocol.
    """
    if ":" in name:
        return _from_outside(name)
    if name in (others := _added()):
        return others[name]
    if name not in _built_in():
        raise unknown_name("protocol", name, protocol_names())
    module = import_module(f"{__name__}.{name}")
    found = [kind for kind in vars(module).values() if _is_protocol(kind) and kind.__module__ == module.__name__]
    (kind,) = found  # one protocol per file; a test holds it
    return kind


def make_protocol(name: str, **settings: Any) -> Protocol:
    """A protocol with settings of its own. Raises DataError for an unknown name, and for settings it does not have."""
    kind = protocol_class(name)
    own = [field.name for field in fields(kind)]
    for setting in settings:
        if setting not in own:
            raise unknown_name(f"setting of {name}", setting, own) if own else DataError(f"{name} has no settings")
    return kind(**settings)


def protocol_name(protocol: Protocol) -> str:
    """The name of a protocol: that of its file here, or the one that it was added by."""
    kind = type(protocol)
    package, _, file = kind.__module__.rpartition(".")
    if package == __name__:
        return file
    return next((name for name, other in _added().items() if other is kind), plugins.name_of(kind))


def name_to_make(protocol: Protocol) -> str:
    """What `make_protocol` makes its like of, in another process as well: its name, or `module:Name` from outside."""
    name = protocol_name(protocol)
    return name if name in _built_in() else plugins.origin_of(type(protocol))


def _built_in() -> list[str]:
    return [module.name for module in pkgutil.iter_modules(__path__)]


def _added() -> dict[str, type[Protocol]]:
    return plugins.added("protocols", _is_protocol, _built_in())


def _from_outside(name: str) -> type[Protocol]:
    """The class that `module:Name` stands for, which counts as added from now on."""
    kind = plugins.member(name)
    if not _is_protocol(kind):
        raise DataError(f"{name} is no protocol; name a class that extends embodied_ssl.evaluation.protocol.Protocol")
    plugins.use(name)
    return kind


def _is_protocol(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Protocol) and kind is not Protocol
