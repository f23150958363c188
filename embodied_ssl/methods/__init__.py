"""Methods by name: each file here holds one, and is called as it is; others come from outside (`plugins`)."""

from pathlib import Path
from typing import Any

import torch

from embodied_ssl.encoders import make_encoder
from embodied_ssl.limits import Count, Seed, within_limits
from embodied_ssl.method import Method, settings_of
from embodied_ssl.registry import Registry, check_settings

_METHODS = Registry(__name__, Method, "method")


def method_names() -> list[str]:
    """The names of all methods, sorted: those of the files here, and those that were added (`plugins`)."""
    return _METHODS.names()


def method_class(name: str) -> type[Method]:
    """The method of a name, or of `module:Name`.

    Raises DataError for an unknown name, where it offers the near one, and for what is no method.
    """
    return _METHODS.named(name)


def method_name(method: Method | type[Method]) -> str:
    """The name of a method: that of its file here, or the one that it was added by."""
    return _METHODS.name_of(method if isinstance(method, type) else type(method))


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
    check_settings(name, settings, settings_of(kind))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return kind(make_encoder(encoder or kind.usual_encoder, image_size, init), **settings)
