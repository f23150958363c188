"""Methods by name: each file here holds one, and is called as it is."""

import inspect
import pkgutil
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from embodied_ssl.datasets.errors import DataError, unknown_name
from embodied_ssl.encoders import make_encoder
from embodied_ssl.limits import Count, Seed, within_limits
from embodied_ssl.method import Method


def method_names() -> list[str]:
    """The names of all methods, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def method_class(name: str) -> type[Method]:
    """The method of a name. Raises DataError for an unknown one; it offers the near name."""
    if name not in method_names():
        raise unknown_name("method", name, method_names())
    module = import_module(f"{__name__}.{name}")
    found = [kind for kind in vars(module).values() if _is_method(kind) and kind.__module__ == module.__name__]
    (kind,) = found  # one method per file; a test holds it
    return kind


@within_limits
def make_method(
    name: str,
    encoder: str | None = None,
    image_size: Count = 64,
    seed: Seed = 0,
    weights: Path | str | None = None,
    **settings: Any,
) -> Method:
    """A method with an encoder of its own, initialised from `seed`.

    Args:
        name: as `embodied-ssl methods` lists them.
        encoder: as `embodied-ssl encoders` lists them; None: the method's usual one.
        image_size: side of the images that the encoder sees, px.
        seed: of the first weights, as far as they are drawn.
        weights: what the encoder begins with: `pretrained`, a run, a file; None: at random. See `make_encoder`.
        settings: parameters of the method.

    Raises DataError for an unknown name, and for settings that the method does not have.
    """
    kind = method_class(name)
    own = list(inspect.signature(kind.__init__).parameters)[2:]
    for setting in settings:
        if setting not in own:
            raise unknown_name(f"setting of {name}", setting, own) if own else DataError(f"{name} has no settings")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return kind(make_encoder(encoder or kind.usual_encoder, image_size, weights), **settings)


def _is_method(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Method)
