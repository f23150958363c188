"""Encoders by name, all with one interface: named stages, pooled features, patch tokens where they exist."""

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from embodied_ssl.datasets.errors import DataError, unknown_name
from embodied_ssl.views_color import rgb_to_lab

MEAN, DEVIATION = 0.45, 0.225
"""What pictures in [0, 1] are normalised with, all channels alike."""


class Encoder(nn.Module):
    """A picture's features.

    Every encoder takes float pictures [B, 3, H, W] in [0, 1], of `image_size` (convolutional ones take any), and
    normalises them itself.
    """

    name: str
    """As `make_encoder` takes it."""
    image_size: int
    """Side of the square pictures that it is made for, px. Views and evaluations resize to it."""
    channels: dict[str, int]
    """Channels of each stage, from the shallowest to the deepest, by name."""
    dim: int
    """Of the pooled features."""

    def stages(self, images: Tensor) -> dict[str, Tensor]:
        """The maps after each stage, by name, [B, channels, h, w], from the shallowest to the deepest."""
        raise NotImplementedError

    def pool(self, stages: dict[str, Tensor]) -> Tensor:
        """The pooled features [B, dim] of what `stages` gave."""
        return stages[next(reversed(stages))].mean(dim=(2, 3))

    def forward(self, images: Tensor) -> Tensor:
        """The pooled features [B, dim] of pictures."""
        return self.pool(self.stages(images))

    def last_maps(self, images: Tensor) -> Tensor:
        """The maps after the deepest stage, [B, channels, h, w]."""
        return list(self.stages(images).values())[-1]

    @property
    def width(self) -> int:
        """Channels of the deepest stage."""
        return list(self.channels.values())[-1]

    @property
    def settings(self) -> dict[str, Any]:
        """What `make_encoder` needs to make one like it."""
        return {"name": self.name, "image_size": self.image_size}


class ConvolutionalEncoder(Encoder):
    """Blocks one after the other; their outputs are the stages."""

    def __init__(self, name: str, image_size: int, blocks: dict[str, nn.Module], channels: dict[str, int]):
        super().__init__()
        self.name, self.image_size, self.channels = name, image_size, channels
        self.dim = channels[next(reversed(channels))]
        self.blocks = nn.ModuleDict(blocks).to(memory_format=torch.channels_last)  # 1.5 times as fast on a CPU

    def stages(self, images: Tensor) -> dict[str, Tensor]:
        maps = ((images - MEAN) / DEVIATION).contiguous(memory_format=torch.channels_last)
        found = {}
        for name, block in self.blocks.items():
            found[name] = maps = block(maps)
        return found


def make_encoder(name: str, image_size: int = 64) -> Encoder:
    """A randomly initialised encoder.

    name: one of ENCODERS, `timm/NAME` or `torchvision/NAME` for a backbone of theirs, or `split/NAME` for
    conv4 or alexnet in two halves. Raises DataError for an unknown name; it offers the near one.
    """
    library, _, backbone = name.rpartition("/")
    if library in LIBRARIES:
        return LIBRARIES[library](backbone, image_size)
    if name not in ENCODERS:
        raise unknown_name("encoder", name, ENCODERS)
    return ENCODERS[name](image_size)


def _conv4(image_size: int, share: float = 1.0) -> Encoder:
    """Four blocks of convolution, batch norm, ReLU and pooling: 32, 64, 128, 256 channels, for 32 to 96 px."""
    widths = (3, *(round(share * width) for width in (32, 64, 128, 256)))
    blocks: dict[str, nn.Module] = {}
    for i, (before, after) in enumerate(pairwise(widths)):
        # The first convolution takes every other pixel, which leaves a quarter of the work; the last map is not pooled.
        convolution = nn.Conv2d(before, after, 5 if i == 0 else 3, 2 if i == 0 else 1, 2 if i == 0 else 1, bias=False)
        layers = [convolution, nn.BatchNorm2d(after), nn.ReLU(inplace=True)]
        blocks[f"block{i + 1}"] = nn.Sequential(*layers, *([nn.MaxPool2d(2)] if i < 3 else []))
    return ConvolutionalEncoder("conv4", image_size, blocks, {f"block{i + 1}": widths[i + 1] for i in range(4)})


def _resnet18_small(image_size: int) -> Encoder:
    """ResNet-18 with a 3×3 first convolution of stride 1 and no max pooling, for 32 to 96 px (He et al. 2016)."""
    from torchvision.models import resnet18

    network = resnet18(weights=None)
    network.conv1 = nn.Conv2d(3, 64, 3, 2 if image_size >= 64 else 1, 1, bias=False)
    blocks: dict[str, nn.Module] = {
        "stem": nn.Sequential(network.conv1, network.bn1, network.relu),
        "layer1": network.layer1,
        "layer2": network.layer2,
        "layer3": network.layer3,
        "layer4": network.layer4,
    }
    channels = {"stem": 64, "layer1": 64, "layer2": 128, "layer3": 256, "layer4": 512}
    return ConvolutionalEncoder("resnet18_small", image_size, blocks, channels)


def _alexnet(image_size: int, share: float = 1.0) -> Encoder:
    """The five convolutions of AlexNet, as the Curious Robot's trunk has them, strides scaled to 64 to 96 px.

    Krizhevsky et al. 2012 with the widths of CaffeNet; batch norm in the place of local response normalisation.
    """
    plan = {  # channels, kernel, stride, padding, pooled after it
        "conv1": (96, 7, 2, 3, True),
        "conv2": (256, 5, 1, 2, True),
        "conv3": (384, 3, 1, 1, False),
        "conv4": (384, 3, 1, 1, False),
        "conv5": (256, 3, 1, 1, True),
    }
    blocks: dict[str, nn.Module] = {}
    before = 3
    channels = {name: round(share * row[0]) for name, row in plan.items()}
    for name, (_, kernel, stride, padding, pooled) in plan.items():
        after = channels[name]
        layers = [nn.Conv2d(before, after, kernel, stride, padding, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        blocks[name] = nn.Sequential(*layers, *([nn.MaxPool2d(3, 2, 1)] if pooled else []))
        before = after
    return ConvolutionalEncoder("alexnet", image_size, blocks, channels)


class FlatEncoder(ConvolutionalEncoder):
    """Blocks, then a linear layer on the last map, which keeps where things are; its outputs are the features."""

    def __init__(self, name: str, image_size: int, blocks: dict[str, nn.Module], channels: dict[str, int], dim: int):
        super().__init__(name, image_size, blocks, channels)
        self.dim = dim
        with torch.no_grad():
            maps = list(self.eval().stages(torch.zeros(1, 3, image_size, image_size)).values())[-1]
        self.train()
        self.output = nn.Linear(maps.numel(), dim)

    def pool(self, stages: dict[str, Tensor]) -> Tensor:
        return self.output(stages[next(reversed(stages))].flatten(1))


def _kitti_net(image_size: int) -> Encoder:
    """Three 5×5 convolutions and a layer of 64 features: the network of Jayaraman & Grauman 2015 on KITTI and NORB.

    Batch norm is ours; the first convolution has stride 2 from 64 px on.
    """
    widths = (3, 32, 32, 64)
    blocks: dict[str, nn.Module] = {}
    for i, (before, after) in enumerate(pairwise(widths)):
        stride = 2 if i == 0 and image_size >= 64 else 1
        convolution = nn.Conv2d(before, after, 5, stride, 2, bias=False)
        pooled = nn.MaxPool2d(3, 2, 1) if i == 0 else nn.AvgPool2d(3, 2, 1)
        blocks[f"conv{i + 1}"] = nn.Sequential(convolution, nn.BatchNorm2d(after), nn.ReLU(inplace=True), pooled)
    return FlatEncoder("kitti_net", image_size, blocks, {f"conv{i + 1}": widths[i + 1] for i in range(3)}, dim=64)


class TransformerEncoder(Encoder):
    """A vision transformer; the maps of its blocks are the stages.

    Its features are the mean of its patch tokens, or its [CLS] token, which is then the last stage, a map of 1×1.
    """

    def __init__(self, name: str, image_size: int, network: Any, cls: bool = False):
        super().__init__()
        self.name, self.image_size, self.network, self.cls = name, image_size, network, cls
        self.dim = network.embed_dim
        self.patch = network.patch_embed.patch_size[0]
        """Side of a patch, px."""
        names = [f"block{i + 1}" for i in range(len(network.blocks))]
        self.channels = dict.fromkeys([*names, "cls"] if cls else names, self.dim)

    def stages(self, images: Tensor) -> dict[str, Tensor]:
        found = self.network.forward_intermediates(
            (images - MEAN) / DEVIATION, norm=True, output_fmt="NCHW", intermediates_only=True,
            return_prefix_tokens=self.cls,
        )  # fmt: skip
        if self.cls:
            maps, prefixes = zip(*found, strict=True)
            found = [*maps, prefixes[-1][:, 0, :, None, None]]
        return dict(zip(self.channels, found, strict=True))

    def tokens(self, images: Tensor) -> Tensor:
        """The patch tokens after the last block, [B, patches, dim], row by row."""
        return self.stages(images)[f"block{len(self.network.blocks)}"].flatten(2).transpose(1, 2)

    def visible_tokens(self, images: Tensor, kept: Tensor) -> Tensor:
        """[CLS] and those patches alone that are kept, after the last block; no work is done for the others.

        kept: int64 [B, n], numbers of patches, row by row. Returns [B, 1 + n, dim].
        """
        tokens = self._embed(images)
        rows = torch.cat([torch.zeros_like(kept[:, :1]), kept + 1], 1)
        tokens = tokens.gather(1, rows[..., None].expand(-1, -1, self.dim))
        return self.network.norm(self.network.blocks(tokens))

    def attention(self, images: Tensor) -> Tensor:
        """How the last block's [CLS] token attends to the patches, [B, heads, h, w]; with [CLS] itself it sums to 1."""
        tokens = self._embed(images)
        *blocks, last = self.network.blocks
        for block in blocks:
            tokens = block(tokens)
        mixer = last.attn
        joined = mixer.qkv(last.norm1(tokens)).unflatten(2, (3, mixer.num_heads, -1))
        query, key, _ = joined.permute(2, 0, 3, 1, 4)  # each [B, heads, 1 + patches, dim of a head]
        query, key = mixer.q_norm(query), mixer.k_norm(key)
        shares = (query[:, :, :1] @ key.mT * mixer.scale).softmax(-1)[:, :, 0, 1:]
        return shares.unflatten(2, (images.shape[2] // self.patch, images.shape[3] // self.patch))

    def _embed(self, images: Tensor) -> Tensor:
        """[CLS] and patches with their positions, [B, 1 + patches, dim]."""
        patches = self.network.patch_embed((images - MEAN) / DEVIATION)
        return self.network.norm_pre(self.network._pos_embed(patches))


class BackboneEncoder(Encoder):
    """A backbone of another library that gives its maps from the shallowest to the deepest."""

    def __init__(self, name: str, image_size: int, network: nn.Module):
        super().__init__()
        self.name, self.image_size, self.network = name, image_size, network
        with torch.no_grad():
            maps = network.eval()(torch.zeros(1, 3, image_size, image_size))
        network.train()
        self.channels = {f"stage{i + 1}": each.shape[1] for i, each in enumerate(maps)}
        self.dim = maps[-1].shape[1]

    def stages(self, images: Tensor) -> dict[str, Tensor]:
        maps = self.network((images - MEAN) / DEVIATION)
        return dict(zip(self.channels, maps, strict=True))


class _InTurn(nn.Sequential):
    """Layers one after the other, which gives the output of each."""

    def forward(self, maps: Tensor) -> list[Tensor]:
        found = []
        for layer in self:
            maps = layer(maps)
            found.append(maps)
        return found


def _vit_tiny(image_size: int) -> Encoder:
    """A vision transformer of 6 blocks, 192 wide, over 8×8 patches of a picture of 32 to 96 px (Dosovitskiy 2021)."""
    return _vit("vit_tiny", image_size, cls=False)


def _vit_tiny_cls(image_size: int) -> Encoder:
    """The same, with its [CLS] token for features, whose attention can be looked at (`dino`)."""
    return _vit("vit_tiny_cls", image_size, cls=True)


def _vit(name: str, image_size: int, cls: bool) -> Encoder:
    from timm.models.vision_transformer import VisionTransformer

    if image_size % 8:
        raise DataError(f"{name}: {image_size} px; give a multiple of 8, for as many patches on a side")
    patch = image_size // 8
    network = VisionTransformer(
        img_size=image_size, patch_size=patch, embed_dim=192, depth=6, num_heads=3, num_classes=0, dynamic_img_size=True
    )
    return TransformerEncoder(name, image_size, network, cls)


def _of_timm(name: str, image_size: int) -> Encoder:
    """A backbone of timm, untrained."""
    import timm

    if name not in timm.list_models():
        raise unknown_name("model of timm", name, timm.list_models())
    full = f"timm/{name}"
    try:
        network = timm.create_model(name, pretrained=False, features_only=True, img_size=image_size)
    except TypeError:  # most convolutional ones take any size
        network = timm.create_model(name, pretrained=False, features_only=True)
    return BackboneEncoder(full, image_size, network)


def _of_torchvision(name: str, image_size: int) -> Encoder:
    """A convolutional backbone of torchvision, untrained."""
    from torchvision import models

    known = models.list_models(module=models)
    if name not in known:
        raise unknown_name("model of torchvision", name, known)
    network = models.get_model(name, weights=None)
    if hasattr(network, "features"):
        return BackboneEncoder(f"torchvision/{name}", image_size, _InTurn(network.features))
    if hasattr(network, "layer4"):
        stem = nn.Sequential(network.conv1, network.bn1, network.relu, network.maxpool)
        layers = stem, network.layer1, network.layer2, network.layer3, network.layer4
        return BackboneEncoder(f"torchvision/{name}", image_size, _InTurn(*layers))
    raise DataError(f"torchvision's {name} has no maps of features in turn; take timm/NAME")


class SplitEncoder(Encoder):
    """Two encoders of half the channels, of which one sees the lightness of a picture and the other its colours.

    Their maps and features lie side by side, the lightness's first. Zhang, Isola & Efros, CVPR 2017, section 3.1.
    """

    def __init__(self, half: str, image_size: int):
        """half: the kind of encoder of either half. Raises DataError for one that cannot be halved."""
        super().__init__()
        if half not in _HALVES:
            raise DataError(f"'{half}' has no halves for lightness and colours; take {' or '.join(_HALVES)}")
        self.lightness, self.color = (_HALVES[half](image_size, 0.5) for _ in range(2))
        self.name, self.image_size = f"split/{half}", image_size
        self.channels = {name: 2 * count for name, count in self.lightness.channels.items()}
        self.dim = 2 * self.lightness.dim

    def stages(self, images: Tensor) -> dict[str, Tensor]:
        lightness, color = split_colors(rgb_to_lab(images))
        first, second = self.lightness.stages(lightness), self.color.stages(color)
        return {name: torch.cat([first[name], second[name]], 1) for name in first}

    def pool(self, stages: dict[str, Tensor]) -> Tensor:
        halves = {name: maps.chunk(2, 1) for name, maps in stages.items()}
        own = [{name: parts[i] for name, parts in halves.items()} for i in range(2)]
        return torch.cat([self.lightness.pool(own[0]), self.color.pool(own[1])], 1)


def split_colors(lab: Tensor) -> tuple[Tensor, Tensor]:
    """What the halves of a SplitEncoder see of pictures in CIE Lab: lightness as grey, and (a, b) as two colours."""
    lightness, ab = lab[:, :1] / 100, lab[:, 1:]
    color = torch.cat([MEAN + ab * (DEVIATION / 20), torch.full_like(lightness, MEAN)], 1)
    return lightness.expand(-1, 3, -1, -1), color


_HALVES = {"conv4": _conv4, "alexnet": _alexnet}
LIBRARIES = {"timm": _of_timm, "torchvision": _of_torchvision, "split": SplitEncoder}
ENCODERS = {
    "conv4": _conv4,
    "resnet18_small": _resnet18_small,
    "alexnet": _alexnet,
    "kitti_net": _kitti_net,
    "vit_tiny": _vit_tiny,
    "vit_tiny_cls": _vit_tiny_cls,
}


def random_encoder(name: str, image_size: int, seed: int) -> Encoder:
    """A randomly initialised encoder that depends on `seed` alone, not on torch's global generator."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make_encoder(name, image_size)
