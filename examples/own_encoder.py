"""An encoder of one's own: any `nn.Module`, here of fully connected layers over patches (an MLP-Mixer).

    embodied-ssl train simclr --encoder examples.own_encoder:Mixer --frames data/roam --out runs/mixer-0
    embodied-ssl evaluate runs/mixer-0 --plugin examples.own_encoder --on data/held_out

It takes images [B, 3, H, W] in [0, 1], and gives features [B, D], a map [B, C, h, w], or several of these.
"""

import torch
from torch import Tensor, nn


def mixing(channels: int) -> nn.Sequential:
    """Two linear layers over the last dimension, as wide in between."""
    return nn.Sequential(
        nn.LayerNorm(channels), nn.Linear(channels, channels), nn.GELU(), nn.Linear(channels, channels)
    )


class Mixer(nn.Module):
    """An MLP-Mixer of 4 blocks, 96 wide, over 8×8 patches (Tolstikhin et al., NeurIPS 2021)."""

    def __init__(self, image_size: int, width: int = 96, depth: int = 4):
        super().__init__()
        self.patches = nn.Conv2d(3, width, image_size // 8, image_size // 8)
        self.over_patches = nn.ModuleList(mixing(64) for _ in range(depth))
        self.over_channels = nn.ModuleList(mixing(width) for _ in range(depth))
        self.norm = nn.LayerNorm(width)

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.patches(2 * images - 1).flatten(2).mT  # [B, 64, width]
        for over_patches, over_channels in zip(self.over_patches, self.over_channels, strict=True):
            tokens = tokens + over_patches(tokens.mT).mT
            tokens = tokens + over_channels(tokens)
        return torch.unflatten(self.norm(tokens).mT, 2, (8, 8))  # a map [B, width, 8, 8]
