"""The nine tiles that an image is cut into for a puzzle."""

import torch
from torch import Tensor, nn

from embodied_ssl.parts.views import uniform, windows_at

TILES = 9


def cut_tiles(images: Tensor, rng: torch.Generator, tile: int, share: float, least_crop: float) -> Tensor:
    """The tiles of a random square of each image, row by row, float [B, 9, 3, tile, tile].

    A tile lies at a random place in its cell, a ninth of the square, and each of its colours is displaced by up to a
    pixel. images: uint8 [B, 3, H, W]. tile: side of the tiles that are returned, px. share: of the side of a cell.
    least_crop: smallest share of the square image that a puzzle covers.
    """
    count, (height, width) = len(images), images.shape[-2:]

    # A random square, with a rim by which colours are displaced, as a share of its side.
    rim = share / 3 / tile
    square = uniform(count, least_crop, 1.0, rng).sqrt() * min(height, width) / (1 + 2 * rim)  # [B], px
    free = images.new_tensor([width, height], dtype=torch.float32) - (1 + 2 * rim) * square[:, None]  # [B, 2]
    corner = torch.stack([uniform(count, 0, 1, rng), uniform(count, 0, 1, rng)], 1) * free + rim * square[:, None]

    # Its nine cells, and a tile at a random place in each.
    cell = square / 3  # [B]
    side = cell * share  # [B]
    places = torch.cartesian_prod(*(torch.arange(3, device=images.device),) * 2).flip(1) + 0.5  # [9, 2] (u, v)
    jitter = torch.rand((count, TILES, 2), generator=rng, device=rng.device) - 0.5  # [B, 9, 2]
    middle = corner[:, None] + places * cell[:, None, None] + jitter * (cell - side)[:, None, None]  # [B, 9, 2]
    shift = torch.randint(-1, 2, (count, 3, TILES, 2), generator=rng, device=rng.device)  # px of the tile
    return windows_at(images, middle, side, tile, shift * (side / tile)[:, None, None, None])


def lay(tiles: Tensor, order: Tensor) -> Tensor:
    """Tiles [B, 9, ...] in the orders [B, 9]: place i gets tile order[i]."""
    return tiles[torch.arange(len(tiles), device=tiles.device)[:, None], order]


def mosaic(tiles: Tensor) -> Tensor:
    """Nine tiles [9, 3, t, t] side by side, with white joints, [3, 3 t + 4, 3 t + 4]."""
    framed = nn.functional.pad(tiles, (0, 2, 0, 2), value=1.0)
    rows = framed.unflatten(0, (3, 3)).permute(2, 0, 3, 1, 4)  # colour, row, v, column, u
    return rows.flatten(3).flatten(1, 2)[:, :-2, :-2]
