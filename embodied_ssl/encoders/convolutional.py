"""Small convolutional encoders for images of 32 to 96 px."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn

from embodied_ssl.encoders.base import DEVIATION, MEAN, Encoder, Normalised


class ConvolutionalEncoder(Encoder):
    """Blocks one after the other; their outputs are the stages."""

    def __init__(self, name: str, image_size: int, blocks: dict[str, nn.Module], channels: dict[str, int]):
        super().__init__()
        self.name = name
        self.image_size = image_size
        self.channels = channels
        self.dim = channels[next(reversed(channels))]
        self.blocks = nn.ModuleDict(blocks).to(memory_format=torch.channels_last)  # 1.5 times as fast on a CPU

    def stages(self, images: Tensor) -> dict[str, Tensor]:
        maps = ((images - MEAN) / DEVIATION).contiguous(memory_format=torch.channels_last)  # [B, 3, H, W]
        found = {}
        for name, block in self.blocks.items():
            maps = block(maps)  # [B, channels of the stage, h, w]
            found[name] = maps
        return found

    def in_two(self) -> tuple[nn.Module, nn.Module]:
        *before, deepest = self.blocks.values()
        return nn.Sequential(Normalised(MEAN, DEVIATION), *before), deepest


def conv4(image_size: int, share: float = 1.0) -> Encoder:
    """Four blocks of convolution, batch norm, ReLU and pooling: 32, 64, 128, 256 channels, for 32 to 96 px."""
    widths = (3, *(round(share * width) for width in (32, 64, 128, 256)))
    blocks: dict[str, nn.Module] = {}
    for i, (before, after) in enumerate(pairwise(widths)):
        # The first convolution takes every other pixel, which leaves a quarter of the work; the last map is not pooled.
        convolution = nn.Conv2d(before, after, 5 if i == 0 else 3, 2 if i == 0 else 1, 2 if i == 0 else 1, bias=False)
        layers = [convolution, nn.BatchNorm2d(after), nn.ReLU(inplace=True)]
        blocks[f"block{i + 1}"] = nn.Sequential(*layers, *([nn.MaxPool2d(2)] if i < 3 else []))
    return ConvolutionalEncoder("conv4", image_size, blocks, {f"block{i + 1}": widths[i + 1] for i in range(4)})


def resnet8(image_size: int, share: float = 1.0) -> Encoder:
    """A first convolution with stride 2 and three basic blocks that halve the map (He et al. 2016), for 32 to 96 px.

    32, 64, 128, 256 channels, as many as `conv4` has.
    """
    return _resnet8("resnet8", image_size, share, nn.BatchNorm2d)


def resnet8_ln(image_size: int) -> Encoder:
    """`resnet8` with layer norm, by which the images of a batch know nothing of each other (`cpc`)."""
    return _resnet8("resnet8_ln", image_size, 1.0, partial(nn.GroupNorm, 1))


def _resnet8(name: str, image_size: int, share: float, norm: Callable[[int], nn.Module]) -> Encoder:
    from torchvision.models.resnet import BasicBlock

    widths = tuple(round(share * width) for width in (32, 64, 128, 256))
    first = nn.Conv2d(3, widths[0], 5, 2, 2, bias=False)
    blocks: dict[str, nn.Module] = {"stem": nn.Sequential(first, norm(widths[0]), nn.ReLU(inplace=True))}
    for i, (before, after) in enumerate(pairwise(widths)):
        shortcut = nn.Sequential(nn.Conv2d(before, after, 1, 2, bias=False), norm(after))
        blocks[f"layer{i + 1}"] = BasicBlock(before, after, 2, shortcut, norm_layer=norm)
    return ConvolutionalEncoder(name, image_size, blocks, dict(zip(blocks, widths, strict=True)))


def resnet18_small(image_size: int) -> Encoder:
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


def alexnet(image_size: int, share: float = 1.0) -> Encoder:
    """The five convolutions of AlexNet, as the Curious Robot's trunk has them, strides scaled to 64 to 96 px.

    Krizhevsky et al. 2012 with the widths of CaffeNet; batch norm instead of local response normalisation.
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
    """Blocks, then a linear layer on the last map, which keeps where objects are; its outputs are the features."""

    def __init__(self, name: str, image_size: int, blocks: dict[str, nn.Module], channels: dict[str, int], dim: int):
        super().__init__(name, image_size, blocks, channels)
        self.dim = dim
        with torch.no_grad():
            maps = list(self.eval().stages(torch.zeros(1, 3, image_size, image_size)).values())[-1]
        self.train()
        self.output = nn.Linear(maps.numel(), dim)

    def pool(self, stages: dict[str, Tensor]) -> Tensor:
        return self.output(stages[next(reversed(stages))].flatten(1))


def kitti_net(image_size: int) -> Encoder:
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
