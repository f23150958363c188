"""Lamps, rugs and plants."""

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.envs.world.assets import Material
from embodied_ssl.envs.world.geometry.joinery import Joiner, Maker, turned
from embodied_ssl.envs.world.geometry.mesh import Mesh, lathe, make_mesh, merge
from embodied_ssl.envs.world.materials import MATERIALS
from embodied_ssl.envs.world.textures.finishes import (
    family,
    lacquer,
    lamp_shade,
    plain,
    print_of,
    steel,
)

WOOD, METAL, FABRIC = MATERIALS["wood"], MATERIALS["metal"], MATERIALS["fabric"]
CORNERS = ((-1, -1), (1, -1), (1, 1), (-1, 1))


def _floor_lamp(joiner: Joiner, rng: np.random.Generator) -> Material:
    from_floor, pole = rng.uniform(1.35, 1.6), steel(rng)
    joiner.round(pole, (0, 0), 0.14, 0, 0.025, 8)
    joiner.round(pole, (0, 0), 0.014, 0.025, from_floor, 4)
    return _shade(joiner, rng, from_floor - 0.05, 0.18)


def _table_lamp(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A lamp for a nightstand or a desk; its origin is under its foot."""
    body = lacquer(rng, 0.4)
    joiner.add(body, lathe([[0, 0], [0.07, 0], [0.09, 0.08], [0.03, 0.2], [0.012, 0.22], [0.012, 0.3]], 8))
    return _shade(joiner, rng, 0.27, 0.13)


def _shade(joiner: Joiner, rng: np.random.Generator, z: float, radius: float) -> Material:
    skin = lamp_shade(rng)
    joiner.add(skin, lathe([[radius, z], [0.65 * radius, z + 1.2 * radius]], 10))
    joiner.add(skin, lathe([[0.65 * radius, z + 1.2 * radius], [radius, z]], 10))
    if z > 1:
        joiner.hull((-0.1, -0.1, 0), (0.1, 0.1, 1.4))
    return METAL


def _rug(joiner: Joiner, rng: np.random.Generator) -> Material:
    width, depth = rng.uniform(1.4, 2.2), rng.uniform(1.0, 1.5)
    joiner.block(plain(90, 80, 70, gloss=0.0), (-width / 2, -depth / 2, 0), (width / 2, depth / 2, 0.01), "bottom top")
    skin = family("rug", rng, gloss=0.0)
    joiner.panel(skin, (-width / 2, -depth / 2, 0.01), (width, 0, 0), (0, depth, 0), (0, 0, int(rng.integers(1, 3)), 1))
    return FABRIC


def _plant(joiner: Joiner, rng: np.random.Generator) -> Material:
    """A pot with a bush of crossed leaves."""
    height, pot = rng.uniform(0.7, 1.5), lacquer(rng, 0.3)
    joiner.add(pot, lathe([[0, 0], [0.13, 0], [0.18, 0.3], [0.16, 0.3], [0.15, 0.26], [0, 0.26]], 10))
    leaves = print_of("leaves", rng, 0.4)
    style = rng.integers(2)
    if style == 0:  # a crown of three stacked tufts
        joiner.tube(family("bark", rng, 0.3), [(0, 0, 0.26), (0.01, 0.02, height - 0.2)], 0.02, 4)
        for z, radius in ((0.5, 0.2), (0.72, 0.26), (0.95, 0.18)):
            center = height * z
            joiner.add(leaves, lathe([[0, center - radius], [radius, center], [0, center + 0.9 * radius]], 7, 0.4, 2.0))
    else:  # arching blades
        for k in range(11):
            angle, reach, top = 2.4 * k, rng.uniform(0.18, 0.42), rng.uniform(0.55, 1.0) * height
            bend = np.array([(0, 0, 0.25), (0.45 * reach, 0, 0.85 * top), (reach, 0, top * rng.uniform(0.75, 1.0))])
            joiner.add(leaves, turned(_blade(bend, 0.05), angle))
    joiner.hull((-0.15, -0.15, 0), (0.15, 0.15, max(0.5, 0.8 * height)))
    return MATERIALS["plastic"]


def _blade(path: NDArray[np.float64], width: float) -> Mesh:
    """A leaf seen from both sides: strips along a path, pointed at the end."""
    (x0, _, z0), (x1, _, z1), (x2, _, z2) = path
    corners = [(x0, -0.01, z0), (x0, 0.01, z0), (x1, -width, z1), (x1, width, z1), (x2, 0, z2)]
    normal = np.tile([-0.5, 0, 0.87], (5, 1))
    uv = np.array(corners)[:, [1, 2]] * 2.5
    faces = np.array([(0, 1, 3), (0, 3, 2), (2, 3, 4)])
    return merge([make_mesh(corners, normal, uv, faces[:, ::-1]), make_mesh(corners, -normal, uv, faces)])


DECOR: dict[str, Maker] = {
    "floor_lamp": _floor_lamp,
    "table_lamp": _table_lamp,
    "rug": _rug,
    "potted_plant": _plant,
}
