"""Encoders by name, all with one interface: named stages, pooled features, patch tokens where they exist."""

from pathlib import Path

import torch

from embodied_ssl.datasets.errors import DataError, unknown_name
from embodied_ssl.encoders.base import DEVIATION, MEAN, Backbone, Encoder
from embodied_ssl.encoders.convolutional import (
    ConvolutionalEncoder,
    FlatEncoder,
    alexnet,
    conv4,
    kitti_net,
    resnet18_small,
)
from embodied_ssl.encoders.of_timm import TransformerEncoder, timm_encoder, vit_tiny, vit_tiny_cls
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
    "SplitEncoder",
    "TransformerEncoder",
    "make_encoder",
    "random_encoder",
    "split_colors",
]

PRETRAINED = "pretrained"
LIBRARIES = {"timm": timm_encoder, "torchvision": torchvision_encoder}
ENCODERS = {
    "conv4": conv4,
    "resnet18_small": resnet18_small,
    "alexnet": alexnet,
    "kitti_net": kitti_net,
    "vit_tiny": vit_tiny,
    "vit_tiny_cls": vit_tiny_cls,
}


def make_encoder(name: str, image_size: int = 64, weights: Path | str | None = None) -> Encoder:
    """An encoder, its weights drawn at random or taken from elsewhere.

    name: one of ENCODERS, `timm/NAME` or `torchvision/NAME` for a backbone of theirs, or `split/NAME` for
    conv4 or alexnet in two halves.
    weights: what it begins with: `pretrained`, what the library of a backbone downloads for it; the directory of a run;
    or a file, .safetensors or .pth, in the naming of that library or of ours. None: at random.

    Raises DataError for an unknown name, where it offers the near one, and for weights that can't be had or are of
    another network.
    """
    library, _, backbone = name.rpartition("/")
    pretrained = str(weights) == PRETRAINED
    if library in LIBRARIES:
        encoder: Encoder = LIBRARIES[library](backbone, image_size, pretrained)
    elif library == "split":
        encoder = SplitEncoder(backbone, image_size)
    elif name in ENCODERS:
        encoder = ENCODERS[name](image_size)
    else:
        raise unknown_name("encoder", name, ENCODERS)
    if pretrained and library not in LIBRARIES:
        raise DataError(f"{name} has no pretrained weights; give the directory of a run or a file, or timm/NAME")
    if weights is not None:
        encoder.weights = str(weights)
        if not pretrained:
            start_from(encoder, weights)
    return encoder


def random_encoder(name: str, image_size: int, seed: int) -> Encoder:
    """A randomly initialised encoder that depends on `seed` alone, not on torch's global generator."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make_encoder(name, image_size)
