"""Code from outside that a run is made of: `run.json` names it and has its digests; it is never imported by itself."""

import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from embodied_ssl.datasets.collect.code_identity import Unidentified, code_digests
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.encoders import Encoder, encoder_maker, encoder_names
from embodied_ssl.method import Method
from embodied_ssl.methods import method_class, method_name, method_names
from embodied_ssl.plugins import origin_of

CODE = "code"
PLUGINS = "plugins"


def outside_code(method: Method) -> dict[str, dict[str, str]]:
    """What `run.json` says of code from outside: nothing where all is of this package.

    `plugins` has the `module:Name` of each method and encoder of a run that is from outside, by its name; `code` a
    digest for each piece of code that they are made of. Raises DataError where these cannot be told from others, and
    where two of them have one name.
    """
    plugins: dict[str, str] = {}
    digests: dict[str, str] = {}
    for name, made in _made_of(method):
        if own := digests_of(made):
            if plugins.setdefault(name, origin_of(made)) != origin_of(made):
                both = f"{plugins[name]} and {origin_of(made)}"
                raise DataError(f"a method and an encoder are both called {name}: {both}; give one an attribute `name`")
            digests |= own
    return {PLUGINS: plugins, CODE: digests} if plugins else {}


def check_outside(run: Path | str, configuration: Mapping[str, Any], only: str | None = None) -> None:
    """Raise DataError where a run has a method or an encoder from outside that is not there, and say what is to do.

    Of code that has changed since the run was trained a line on stderr tells. only: the name of one of them.
    """
    for name, plugin in configuration.get(PLUGINS, {}).items():
        if only not in (None, name):
            continue
        if name not in [*method_names(), *encoder_names()]:
            raise DataError(
                f"{run}: its {name} is code from outside ({plugin}), which is imported only where you say so: give "
                f"--plugin {plugin}, or embodied_ssl.plugins.use({plugin!r}) in Python; if an entry point has called "
                f"it {name}, install its package"
            )
        now = digests_of(method_class(name) if name in method_names() else encoder_maker(name))
        if changed := changed_pieces(configuration[CODE], now):
            what = f"{', '.join(changed)} has changed since it was trained; what it gives may differ"
            _say_once(f"{run}: {what}")


def changed_pieces(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """The pieces of code that are others than before, or new."""
    return sorted(piece for piece, digest in now.items() if before.get(piece) != digest)


def digests_of(made: Any) -> dict[str, str]:
    """A digest for each piece of code from outside that something is made of; none of this package.

    Raises DataError where these cannot be told from others.
    """
    try:
        return code_digests(made)
    except Unidentified as error:
        what = f"{origin_of(made)} cannot be told from another by its content: it has {error}"
        raise DataError(f"{what}; write a function with a name") from None


def _made_of(method: Method) -> Iterator[tuple[str, Any]]:
    """The classes of all methods in a method, and what makes the encoders in it, each with its name."""
    known = encoder_names()
    for part in method.modules():
        if isinstance(part, Method):
            yield method_name(part), type(part)
        elif isinstance(part, Encoder):
            name = getattr(part, "name", "")
            yield name, encoder_maker(name) if name in known else type(part)


@cache
def _say_once(what: str) -> None:
    print(f"embodied-ssl: {what}", file=sys.stderr)
