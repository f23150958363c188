"""An encoder split into two halves: one sees the lightness of an image, the other its colours."""

import torch
from torch import Tensor

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.encoders.base import DEVIATION, MEAN, Encoder
from embodied_ssl.encoders.convolutional import alexnet, conv4, resnet8
from embodied_ssl.parts.colors import rgb_to_lab

_HALVES = {"conv4": conv4, "resnet8": resnet8, "alexnet": alexnet}


class SplitEncoder(Encoder):
    """Two encoders of half the channels, of which one sees the lightness of an image and the other its colours.

    Their maps and features lie side by side, the lightness's first. Zhang, Isola & Efros, CVPR 2017, section 3.1.
    """

    def __init__(self, half: str, image_size: int):
        """half: the kind of encoder of either half. Raises DataError for one that cannot be halved."""
        super().__init__()
        if half not in _HALVES:
            *others, last = _HALVES
            raise DataError(f"'{half}' has no halves for lightness and colours; take {', '.join(others)} or {last}")
        self.lightness = _HALVES[half](image_size, 0.5)
        self.color = _HALVES[half](image_size, 0.5)
        self.name = f"split/{half}"
        self.image_size = image_size
        self.channels = {name: 2 * count for name, count in self.lightness.channels.items()}
        self.dim = 2 * self.lightness.dim

    def stages(self, images: Tensor) -> dict[str, Tensor]:
        lightness, color = split_colors(rgb_to_lab(images))  # [B, 3, H, W] each
        first = self.lightness.stages(lightness)
        second = self.color.stages(color)
        return {name: torch.cat([first[name], second[name]], 1) for name in first}

    def pool(self, stages: dict[str, Tensor]) -> Tensor:
        halves = {name: maps.chunk(2, 1) for name, maps in stages.items()}
        own = [{name: parts[i] for name, parts in halves.items()} for i in range(2)]
        return torch.cat([self.lightness.pool(own[0]), self.color.pool(own[1])], 1)


def split_colors(lab: Tensor) -> tuple[Tensor, Tensor]:
    """What the halves of a SplitEncoder see of images in CIE Lab: lightness as grey, and (a, b) as two colours."""
    lightness = lab[:, :1] / 100  # [B, 1, H, W]
    ab = MEAN + lab[:, 1:] * (DEVIATION / 20)  # [B, 2, H, W]
    color = torch.cat([ab, torch.full_like(lightness, MEAN)], 1)  # [B, 3, H, W]
    return lightness.expand(-1, 3, -1, -1), color
