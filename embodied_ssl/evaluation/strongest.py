"""The class whose score is highest at each pixel, of scores on a coarse grid, without interpolating all of them.

Between four cells a bilinear score is a weighted mean of their four. So where one class is the highest in all four, it
is the highest between them, and elsewhere a class can be so only if its highest score of the four is not below the
lowest of another. Few classes are left to compare at few pixels, and what is found is what `argmax` of interpolated
scores finds.
"""

from typing import NamedTuple

import torch
from torch import Tensor


def strongest(scores: Tensor, side: int) -> Tensor:
    """The class with the highest bilinear score at each pixel, int32 [B, side, side], of scores [B, g, g, K]."""
    scores = scores.contiguous()
    cells, count = scores.shape[1], scores.shape[-1]
    along = _along(cells, side, scores.device)
    top = scores.max(-1).indices.to(torch.int32)  # [B, g, g]
    corners = [top.index_select(1, i).index_select(2, j) for i in along.cells for j in along.cells]  # 4 × [B, g+1, g+1]
    mixed = (corners[0] != corners[1]) | (corners[0] != corners[2]) | (corners[0] != corners[3])
    most = along.share.shape[1]  # r
    found = corners[0][:, :, None, :, None].repeat(1, 1, most, 1, most)  # [B, g+1, r, g+1, r]
    image, row, column = mixed.nonzero(as_tuple=True)  # [n] each
    if len(image) > 0:
        flat = scores.view(-1, count)
        among = [
            flat.index_select(0, (image * cells + i[row]) * cells + j[column]) for i in along.cells for j in along.cells
        ]  # 4 × [n, K]
        found[image, row, :, column] = _highest(among, along.share[row], along.share[column]).to(torch.int32)
    return found.flatten(3).flatten(1, 2).index_select(1, along.place).index_select(2, along.place)


class _Along(NamedTuple):
    """Pixels along a side, by the gap between two cells of a grid that they are in; g + 1 gaps, at most r pixels each.

    Before the first cell and behind the last there is a gap as well, between that cell and itself.
    """

    cells: tuple[Tensor, Tensor]  # [g + 1]: on either side of a gap
    share: Tensor  # [g + 1, r]: what the second of them counts at each pixel of a gap
    place: Tensor  # [side]: of each pixel, in `share` flattened


def _along(cells: int, side: int, device: torch.device) -> _Along:
    at = (torch.arange(side, dtype=torch.float64) + 0.5) * cells / side - 0.5  # in cells
    gap = at.floor().long() + 1
    rank = _ranks(gap, cells + 1)
    share = torch.zeros(cells + 1, int(rank.max()) + 1)
    share[gap, rank] = (at - at.floor()).float()
    gaps = torch.arange(cells + 1)
    both = (gaps - 1).clamp(min=0).to(device), gaps.clamp(max=cells - 1).to(device)
    return _Along(both, share.to(device), (gap * share.shape[1] + rank).to(device))


def _highest(among: list[Tensor], down: Tensor, right: Tensor) -> Tensor:
    """The class with the highest score between four cells, [n, r, r].

    among: scores of the upper two and the lower two, [n, K] each. down, right: what the second of two counts, [n, r].
    """
    a, b, c, d = among
    n, count = a.shape
    highest = torch.maximum(torch.maximum(a, b), torch.maximum(c, d))
    lowest = torch.minimum(torch.minimum(a, b), torch.minimum(c, d))
    can = (highest >= lowest.amax(1, keepdim=True)).view(-1).nonzero()[:, 0]  # [p]
    place = can.div(count, rounding_mode="floor")
    a, b, c, d = (each.view(-1).index_select(0, can) for each in among)  # [p]
    shares = right.index_select(0, place)  # [p, r]
    upper, lower = torch.lerp(a[:, None], b[:, None], shares), torch.lerp(c[:, None], d[:, None], shares)
    own = torch.lerp(upper[:, None], lower[:, None], down.index_select(0, place)[:, :, None]).flatten(1)  # [p, r²]
    many = torch.bincount(place, minlength=n)
    best = torch.segment_reduce(own, "max", lengths=many)  # [n, r²]
    names = (can - place * count).to(own.dtype)[:, None]
    names = torch.where(own == best.index_select(0, place), names, torch.inf)
    found = torch.segment_reduce(names, "min", lengths=many).clamp(max=count - 1)  # what is NaN equals nothing
    return found.view(n, *down.shape[1:], -1)


def _ranks(place: Tensor, count: int) -> Tensor:
    """How many stand before each in the same of `count` places, which are in order."""
    many = torch.bincount(place, minlength=count)
    return torch.arange(len(place), device=place.device) - (many.cumsum(0) - many)[place]
