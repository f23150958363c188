"""Compiling what a method calls: its encoders by every way into them, those that follow them, and its heads."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from embodied_ssl.encoders import Encoder
from embodied_ssl.method import Method

ENTRANCES = ("forward", "stages", "pool", "visible_tokens", "features_and_tokens")
"""The functions of encoders by which methods have their weights at work; all others go through one of these."""
HEADS = ("forward", "codes")
"""Those of heads."""


@contextmanager
def compiled(method: Method, compile: Callable[[Any], Any] = torch.compile) -> Iterator[None]:
    """Within it, all functions of a method's modules that have weights at work are compiled ones.

    Each is compiled when it is called first, and again for another shape or mode. (`nn.Module.compile` would change
    `forward` alone, which most methods never call: they take the maps of an encoder's stages.) compile: what makes a
    compiled function of one.
    """
    changed = [(module, name) for module, names in _entrances(method) for name in names]
    for module, name in changed:
        setattr(module, name, compile(getattr(module, name)))
    try:
        yield
    finally:
        for module, name in changed:
            delattr(module, name)  # that of its class is there again


def _entrances(module: nn.Module) -> Iterator[tuple[nn.Module, list[str]]]:
    """The modules that a method calls, each once, and the functions by which it does."""
    encoders = [each for each in module.modules() if isinstance(each, Encoder)]
    for encoder in encoders:
        yield encoder, [name for name in ENTRANCES if hasattr(encoder, name)]
    for part in (each for each in module.modules() if isinstance(each, Method)):
        for head in part.children():
            called = not isinstance(head, Encoder | Method | nn.ModuleDict)
            if called and any(True for _ in head.parameters()):
                yield head, [name for name in HEADS if hasattr(head, name)]
