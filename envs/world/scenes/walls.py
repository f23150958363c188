"""Walls as one sees them from inside: what they wear, and the panels that make them."""

from dataclasses import dataclass

from embodied_ssl.envs.world import exact
from embodied_ssl.envs.world.geometry.joinery import Skin, tiled
from embodied_ssl.envs.world.geometry.mesh import Mesh

SKIRTING_M = 0.09
Point = tuple[float, float]


@dataclass(frozen=True, eq=False)
class WallFinish:
    """What walls wear. height, split: m.

    lower: their covering up to `split`, such as tiles, in place of a skirting board; None = the same all over.
    """

    wall: Skin
    height: float
    skirting: Skin | None = None
    lower: Skin | None = None
    split: float = 1.2


def raise_wall(panels: dict[Skin, list[Mesh]], start: Point, end: Point, finish: WallFinish) -> None:
    """Add the panels of one wall, from left to right as seen from inside (m)."""
    along = (end[0] - start[0], end[1] - start[1], 0.0)
    split = finish.split if finish.lower is not None else 0.0
    wall, lower, skirting = finish.wall, finish.lower, finish.skirting
    panels.setdefault(wall, []).append(tiled((*start, split), along, (0, 0, finish.height - split), wall.tile))
    if lower is not None:
        panels.setdefault(lower, []).append(tiled((*start, 0), along, (0, 0, split), lower.tile))
    elif skirting is not None:
        out = 0.012 / exact.hypot(*along)
        foot = (start[0] + out * along[1], start[1] - out * along[0], 0.0)
        panels.setdefault(skirting, []).append(tiled(foot, along, (0, 0, SKIRTING_M), 1.0))
