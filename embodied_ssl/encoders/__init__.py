"""Encoders by name, all with one interface: named stages, pooled features, patch tokens where they exist."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from embodied_ssl import plugins
from embodied_ssl.datasets.errors import DataError, unknown_name
from embodied_ssl.encoders.base import DEVIATION, MEAN, Backbone, Encoder
from embodied_ssl.encoders.convolutional import (
    ConvolutionalEncoder,
    FlatEncoder,
    alexnet,
    conv4,
    kitti_net,
    resnet8,
    resnet8_ln,
    resnet18_small,
)
from embodied_ssl.encoders.from_outside import OutsideEncoder, added_encoders, make_outside, outside_encoder
from embodied_ssl.encoders.of_timm import (
    TransformerEncoder,
    timm_encoder,
    vit_micro,
    vit_tiny,
    vit_tiny_cls,
    with_sine_positions,
)
from embodied_ssl.encoders.of_torchvision import torchvision_encoder
from embodied_ssl.encoders.split import SplitEncoder, split_colors
from embodied_ssl.encoders.weights import start_from

__all__ = [
    "DEVIATION",
    "ENCODERS",
    "LIBRARIES",
    "MEAN",
    "PRETRAINED",
    "Backbone",
    "ConvolutionalEncoder",
    "Encoder",
    "FlatEncoder",
    "OutsideEncoder",
    "SplitEncoder",
    "TransformerEncoder",
    "encoder_maker",
    "encoder_names",
    "make_encoder",
    "random_encoder",
    "split_colors",
]

PRETRAINED = "pretrained"
LIBRARIES = {"timm": timm_encoder, "torchvision": torchvision_encoder}
ENCODERS: dict[str, Callable[..., nn.Module]] = {
    "conv4": conv4,
    "resnet8": resnet8,
    "resnet8_ln": resnet8_ln,
    "resnet18_small": resnet18_small,
    "alexnet": alexnet,
    "kitti_net": kitti_net,
    "vit_tiny": vit_tiny,
    "vit_tiny_cls": vit_tiny_cls,
    "vit_micro": vit_micro,
}


def encoder_names() -> list[str]:
    """The names of encoders that need no more than one: ours, and those that were added (`plugins`)."""
    return [*ENCODERS, *added_encoders(ENCODERS)]


def encoder_maker(name: str) -> Callable[..., nn.Module]:
    """The function or class that makes an encoder of `encoder_names`, or of `module:Name`. Raises DataError."""
    if ":" in name:
        return outside_encoder(name)
    if name not in (found := ENCODERS | added_encoders(ENCODERS)):
        raise unknown_name("encoder", name, found)
    return found[name]


def make_encoder(name: str, image_size: int = 64, init: Path | str | None = None) -> Encoder:
    """An encoder, its weights drawn at random or taken from elsewhere.

    name: one of `encoder_names`; `module:Name` for an nn.Module of one's own (see OutsideEncoder); `timm/NAME` or
    `torchvision/NAME` for a backbone of theirs; `sine/NAME` for a plain transformer of timm with positions that do not
    learn; or `split/NAME` for conv4, resnet8 or alexnet in two halves.
    init: what it begins with: `pretrained`, what the library of a backbone downloads for it; the directory of a run,
    or `zoo/NAME`; or a file, .safetensors or .pth, in the naming of that library or of ours. None: at random.

    Raises DataError for an unknown name, where it offers the near one, and for weights that can't be had or are of
    another network.
    """
    library, _, backbone = name.rpartition("/")
    pretrained = str(init) == PRETRAINED
    if library in LIBRARIES:
        encoder: Encoder = LIBRARIES[library](backbone, image_size, pretrained)
    elif library == "sine":
        encoder = with_sine_positions(backbone, image_size)
    elif library == "split":
        encoder = SplitEncoder(backbone, image_size)
    else:
        make = encoder_maker(name)
        encoder = make_outside(make, plugins.name_of(make) if ":" in name else name, image_size)
    if pretrained and library not in LIBRARIES:
        raise DataError(f"{name} has no pretrained weights; give the directory of a run or a file, or timm/NAME")
    if init is not None:
        encoder.init = str(init)
        if not pretrained:
            start_from(encoder, init)
    return encoder


def random_encoder(name: str, image_size: int, seed: int) -> Encoder:
    """A randomly initialised encoder that depends on `seed` alone, not on torch's global generator."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make_encoder(name, image_size)
