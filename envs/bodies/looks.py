"""How a robot looks: the meshes of its links, coarsened, for images that show it."""

import xml.etree.ElementTree as ElementTree
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.envs.world.assets import Asset, Part
from embodied_ssl.envs.world.geometry.mesh import Mesh
from embodied_ssl.envs.world.geometry.mesh_files import SUFFIXES, flat_texture
from embodied_ssl.envs.world.geometry.urdf import corners_of, mesh_path
from embodied_ssl.envs.world.kept import kept
from embodied_ssl.envs.world.materials import MATERIALS
from embodied_ssl.envs.world.objects.files import coarsened, mesh_of

MOST_TRIANGLES = 300  # of a link: an arm is drawn twice for each sample of a trajectory
WHITE, DARK = (225, 227, 230), (58, 60, 64)
Colour = tuple[int, int, int]


def part_of_robot(mesh: Mesh, colour: Colour = WHITE) -> Asset:
    """A mesh in one colour."""
    return Asset("robot", 0, MATERIALS["plastic"], (Part(mesh, flat_texture(colour), 0.1),), ())


def looks_of(
    tree: "ElementTree.ElementTree[ElementTree.Element]", file: Path, colour: Colour | None
) -> dict[str, Asset]:
    """How each link of a URDF looks, by its name.

    file: where it lies. colour: of all of it, which is drawn by its collision meshes, which are simple, or else by what
    it shows; None: what it shows, each link in the colour of its first shape.
    """
    found, named = {}, {each.get("name"): _colour(each) for each in tree.getroot().findall("material")}
    for link in tree.getroot().iter("link"):
        shown, touched = link.findall("visual"), link.findall("collision")
        shapes = touched or shown if colour else _readable(shown) or touched
        if shapes:
            text = "".join(ElementTree.tostring(shape, "unicode") for shape in shapes)
            material = shown[0].find("material") if shown else None
            own = None if material is None else _colour(material) or named.get(material.get("name"))
            found[str(link.get("name"))] = _look(text, file, colour or own or WHITE)
    return found


def _readable(shapes: "list[ElementTree.Element]") -> "list[ElementTree.Element]":
    """The shapes, or none of them where one is a mesh of a format that cannot be read."""
    names = [mesh.get("filename") or "" for shape in shapes for mesh in shape.iter("mesh")]
    return shapes if all(name.lower().endswith(SUFFIXES) for name in names) else []


def _colour(material: ElementTree.Element) -> Colour | None:
    """uint8 sRGB of a <material>; None where it only has a name."""
    colour = material.find("color")
    if colour is None:
        return None
    red, green, blue, *_ = (round(255 * float(word)) for word in (colour.get("rgba") or "").split())
    return red, green, blue


@lru_cache(maxsize=256)
def _look(shapes: str, file: Path, colour: Colour) -> Asset:
    """Of elements of a URDF as text: a link is read and coarsened once, and kept on disk."""
    each = list(ElementTree.fromstring(f"<all>{shapes}</all>"))
    meshes = [mesh_path(file, mesh.get("filename") or "") for shape in each for mesh in shape.iter("mesh")]

    def few() -> dict[str, NDArray[Any]]:
        corners = np.concatenate([corners_of(file, shape) for shape in each])
        return {"corners": coarsened(corners, MOST_TRIANGLES)[0]}

    made_of: list[bytes | str] = [f"1 {MOST_TRIANGLES} {shapes}", *(path.read_bytes() for path in meshes)]
    return part_of_robot(mesh_of(kept("looks", made_of, few)["corners"]), colour)
