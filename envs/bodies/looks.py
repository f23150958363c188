"""How a robot looks: the meshes of its links, coarsened, for images that show it."""

import xml.etree.ElementTree as ElementTree
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.envs.world import exact
from embodied_ssl.envs.world.assets import Asset, Part
from embodied_ssl.envs.world.geometry.mesh import Mesh
from embodied_ssl.envs.world.geometry.mesh_files import flat_texture
from embodied_ssl.envs.world.materials import MATERIALS
from embodied_ssl.envs.world.objects.files import coarsened, mesh_of, origin_of, triangles_of

MOST_TRIANGLES = 300  # of a link: an arm is drawn twice for each sample of a trajectory
WHITE, DARK = (225, 227, 230), (58, 60, 64)
Colour = tuple[int, int, int]


def part_of_robot(mesh: Mesh, colour: Colour = WHITE) -> Asset:
    """A mesh in one colour."""
    return Asset("robot", 0, MATERIALS["plastic"], (Part(mesh, flat_texture(colour), 0.1),), ())


def looks_of(tree: "ElementTree.ElementTree[ElementTree.Element]", folder: Path, colour: Colour) -> dict[str, Asset]:
    """How each link of a URDF looks, by its name: its collision meshes, which are simple, or else what it shows.

    folder: where the files are that it names. colour: of all of it.
    """
    found = {}
    for link in tree.getroot().iter("link"):
        shapes = link.findall("collision") or link.findall("visual")
        if shapes:
            text = "".join(ElementTree.tostring(shape, "unicode") for shape in shapes)
            found[str(link.get("name"))] = _look(text, folder, colour)
    return found


@lru_cache(maxsize=256)
def _look(shapes: str, folder: Path, colour: Colour) -> Asset:
    """Of elements of a URDF as text: so that a link is read and coarsened once."""
    corners = [_corners(shape, folder) for shape in ElementTree.fromstring(f"<all>{shapes}</all>")]
    few, _ = coarsened(np.concatenate(corners), MOST_TRIANGLES)
    return part_of_robot(mesh_of(few), colour)


def _corners(shape: ElementTree.Element, folder: Path) -> NDArray[np.float64]:
    """The triangles [T, 3, 3] of a <visual> or <collision> in the frame of its link, m."""
    file = folder / "robot.urdf"
    matrix = origin_of(file, shape)
    return exact.product(triangles_of(file, shape).corners, matrix[:3, :3].T) + matrix[:3, 3]
