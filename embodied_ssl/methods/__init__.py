"""Methods by name: each file here holds one, and is called as it is; others come from outside (`plugins`)."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch

from embodied_ssl.datasets.errors import unknown_name
from embodied_ssl.encoders import make_encoder
from embodied_ssl.limits import Count, Seed, within_limits
from embodied_ssl.method import Method, presets_of, settings_of
from embodied_ssl.recipe import Preset
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
    image_size: Count | None = None,
    seed: Seed = 0,
    init: Path | str | None = None,
    preset: str = "small",
    **settings: Any,
) -> Method:
    """A method with an encoder of its own, initialised from `seed`.

    Args:
        name: as `embodied-ssl methods` lists them, or `module:Name`.
        encoder: as `embodied-ssl encoders` lists them, or `module:Name`; None: that of the preset.
        image_size: side of the images that the encoder sees, px; None: that of the preset, usually 64.
        seed: of the first weights, as far as they are drawn.
        init: what the encoder begins with: `pretrained`, a run, a file; None: at random. See `make_encoder`.
        preset: `small`, the usual one, or another of `presets_of(method_class(name))`, as `paper`: encoder, settings
            and recipe, where they are not given.
        settings: parameters of the method.

    Raises DataError for an unknown name, and for settings that the method does not have.
    """
    kind = method_class(name)
    chosen = preset_of(name, kind, preset)
    settings = {**chosen.settings, **settings}
    check_method_settings(name, kind, settings)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = make_encoder(encoder or chosen.encoder, image_size or chosen.image_size, init)
        method = kind(made, **settings)
    method.recipe = chosen.recipe
    return method


def check_method_settings(name: str, kind: type[Method], given: Collection[str]) -> None:
    """DataError for settings that the method of this name does not have, and for those that it needs besides."""
    own = settings_of(kind)
    check_settings(name, given, own, [setting for setting, each in own.items() if each.default is each.empty])


def preset_of(name: str, kind: type[Method], preset: str) -> Preset:
    """A preset of the method of this name. Raises DataError for an unknown one, where it offers the near one."""
    if preset not in (known := presets_of(kind)):
        raise unknown_name(f"preset of {name}", preset, known)
    return known[preset]
