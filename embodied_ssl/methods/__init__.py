"""Methods by name: each file here holds one, and is called as it is; others come from outside (`plugins`)."""

import pkgutil
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from embodied_ssl import plugins
from embodied_ssl.datasets.errors import DataError, unknown_name
from embodied_ssl.encoders import make_encoder
from embodied_ssl.limits import Count, Seed, within_limits
from embodied_ssl.method import Method, settings_of


def method_names() -> list[str]:
    """The names of all methods, sorted: those of the files here, and those that were added (`plugins`)."""
    return sorted([*_built_in(), *_added()])


def method_class(name: str) -> type[Method]:
    """The method of a name, or of `module:Name`.

    Raises DataError for an unknown name, where it offers the near one, and for what is no method.
    """
    if ":" in name:
        return _from_outside(name)
    if name in (others := _added()):
        return others[name]
    if name not in _built_in():
        raise unknown_name("method", name, method_names())
    module = import_module(f"{__name__}.{name}")
    found = [kind for kind in vars(module).values() if _is_method(kind) and kind.__module__ == module.__name__]
    (kind,) = found  # one method per file; a test holds it
    return kind


def method_name(method: Method | type[Method]) -> str:
    """The name of a method: that of its file here, or the one that it was added by."""
    kind = method if isinstance(method, type) else type(method)
    package, _, file = kind.__module__.rpartition(".")
    if package == __name__:
        return file
    return next((name for name, other in _added().items() if other is kind), plugins.name_of(kind))


@within_limits
def make_method(
    name: str,
    encoder: str | None = None,
    image_size: Count = 64,
    seed: Seed = 0,
    init: Path | str | None = None,
    **settings: Any,
) -> Method:
    """A method with an encoder of its own, initialised from `seed`.

    Args:
        name: as `embodied-ssl methods` lists them, or `module:Name`.
        encoder: as `embodied-ssl encoders` lists them, or `module:Name`; None: the method's usual one.
        image_size: side of the images that the encoder sees, px.
        seed: of the first weights, as far as they are drawn.
        init: what the encoder begins with: `pretrained`, a run, a file; None: at random. See `make_encoder`.
        settings: parameters of the method.

    Raises DataError for an unknown name, and for settings that the method does not have.
    """
    kind = method_class(name)
    own = settings_of(kind)
    for setting in settings:
        if setting not in own:
            raise unknown_name(f"setting of {name}", setting, own) if own else DataError(f"{name} has no settings")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return kind(make_encoder(encoder or kind.usual_encoder, image_size, init), **settings)


def _built_in() -> list[str]:
    return [module.name for module in pkgutil.iter_modules(__path__)]


def _added() -> dict[str, type[Method]]:
    return plugins.added("methods", _is_method, _built_in())


def _from_outside(name: str) -> type[Method]:
    """The class that `module:Name` stands for, which counts as added from now on."""
    kind = plugins.member(name)
    if not _is_method(kind):
        raise DataError(f"{name} is no method; name a class that extends embodied_ssl.method.Method")
    plugins.use(name)
    return kind


def _is_method(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Method) and kind is not Method
