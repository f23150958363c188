"""Protocols by name: each file here holds one, and is called as it is; others come from outside (`plugins`)."""

from dataclasses import MISSING, fields
from typing import Any

from embodied_ssl import plugins
from embodied_ssl.evaluation.protocol import Protocol
from embodied_ssl.registry import Registry, check_settings

_PROTOCOLS = Registry(__name__, Protocol, "protocol")


def protocol_names() -> list[str]:
    """The names of all protocols, sorted: those of the files here, and those that were added (`plugins`)."""
    return _PROTOCOLS.names()


def usual_protocols() -> list[str]:
    """The names of those that are taken where none is named."""
    return [name for name in protocol_names() if protocol_class(name).usual]


def protocol_class(name: str) -> type[Protocol]:
    """The protocol of a name, or of `module:Name`.

    Raises DataError for an unknown name, where it offers the near one, and for what is no protocol.
    """
    return _PROTOCOLS.named(name)


def make_protocol(name: str, **settings: Any) -> Protocol:
    """A protocol with settings of its own. Raises DataError for an unknown name, and for settings it does not have."""
    kind = protocol_class(name)
    needed = [field.name for field in fields(kind) if field.default is field.default_factory is MISSING]
    check_settings(name, settings, [field.name for field in fields(kind)], needed)
    return kind(**settings)


def protocol_name(protocol: Protocol) -> str:
    """The name of a protocol: that of its file here, or the one that it was added by."""
    return _PROTOCOLS.name_of(type(protocol))


def name_to_make(protocol: Protocol) -> str:
    """What `make_protocol` makes its like of, in another process as well: its name, or `module:Name` from outside."""
    name = protocol_name(protocol)
    return name if name in _PROTOCOLS.built_in() else plugins.origin_of(type(protocol))
