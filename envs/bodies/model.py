"""An arm's URDF as the physics has it: without looks, and without collisions but those of what touches."""

import copy
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.envs.bodies.gripper import FINGER_M, OPENING_M, ROUND_M
from embodied_ssl.envs.world.engine import Scratch, pybullet
from embodied_ssl.envs.world.geometry.urdf import mesh_path, read_urdf

Tree = ElementTree.ElementTree
SLIGHT_KG = 0.001  # of a link that has no mass of its own
TOOL_KG = 0.1  # of a hand that is added: a lighter one is thrown about where it touches


@dataclass(frozen=True, eq=False)
class Model:
    """A URDF as the physics has it.

    file: of the whole of it. tree: without what is left out. hulls: meshes that `tree` names, as text, by file name.
    """

    file: Path
    tree: "Tree[ElementTree.Element]"
    hulls: dict[str, str] = field(default_factory=dict)

    def write(self, folder: Path, visible: bool = False) -> str:
        """Write it for PyBullet, and return its file. visible: with its looks, for a window."""
        tree = copy.deepcopy(self.tree)
        links = {link.get("name"): link for link in tree.getroot().iter("link")}
        for link in ElementTree.parse(self.file).getroot().iter("link") if visible else ():
            for visual in link.findall("visual"):
                for mesh in visual.iter("mesh"):
                    mesh.set("filename", str(mesh_path(self.file, mesh.get("filename") or "")))
                links[link.get("name")].append(visual)
        for name, text in self.hulls.items():
            (folder / name).write_text(text)
        tree.write(folder / "arm.urdf")
        return str(folder / "arm.urdf")

    def text(self) -> str:
        """All of it that is not seen, as text."""
        return ElementTree.tostring(self.tree.getroot(), "unicode") + "".join(self.hulls.values())

    def attached(self) -> "Tree[ElementTree.Element]":
        """What was added to it that is seen: simple shapes, be they touched or not."""
        tree = copy.deepcopy(self.tree)
        for link in tree.getroot().iter("link"):
            for shape in link.findall("collision"):
                if next(shape.iter("mesh"), None) is not None:
                    link.remove(shape)
                shape.tag = "visual"
        return tree


def bare(file: Path | str) -> Model:
    """A URDF without looks and without collisions. Raises ValueError where it is none."""
    tree = read_urdf(Path(file))
    for link in tree.getroot().iter("link"):
        for element in [child for child in link if child.tag in ("visual", "collision")]:
            link.remove(element)
    return Model(Path(file), tree)


def add_flat(model: Model, link: str, outward: int, end_m: float) -> None:
    """Let a finger's link touch as a flat finger does.

    outward: 1 where its joint opens along y, −1 where it opens the other way. end_m: of the finger, along z.
    """
    geometry = _shape(model, link, "collision", (0.0, outward * FINGER_M[0] / 2, end_m - FINGER_M[2] / 2))
    ElementTree.SubElement(geometry, "box", size=f"{FINGER_M[1]} {FINGER_M[0]} {FINGER_M[2]}")


def add_round(model: Model, link: str, end_m: float) -> None:
    """Let the hand's link touch with the end of one round finger, whose end is at `end_m` along z."""
    geometry = _shape(model, link, "collision", (0.0, 0.0, end_m - FINGER_M[2] / 2))
    ElementTree.SubElement(geometry, "capsule", radius=f"{ROUND_M}", length=f"{FINGER_M[2] - 2 * ROUND_M}")


def add_seen(model: Model, link: str, size: Sequence[float], start_m: float) -> None:
    """Add a box that is only seen to a link, from `start_m` along its z axis. size: [3], m."""
    geometry = _shape(model, link, "visual", (0.0, 0.0, start_m + size[2] / 2))
    ElementTree.SubElement(geometry, "box", size=" ".join(map(str, size)))


def add_hull(model: Model, link: str, corners: NDArray[np.float32]) -> None:
    """Let a link touch with a convex hull [K, 3], m."""
    name, last = f"hull_{len(model.hulls)}.obj", len(corners) - 1
    lines = [f"v {x:.9g} {y:.9g} {z:.9g}" for x, y, z in corners.tolist()]
    faces = [[min(first + corner, last) + 1 for corner in range(3)] for first in range(0, len(corners), 3)]
    model.hulls[name] = "\n".join([*lines, *("f {} {} {}".format(*face) for face in faces)]) + "\n"
    ElementTree.SubElement(_shape(model, link, "collision"), "mesh", filename=name)


def add_fixed(model: Model, parent: str, name: str, xyz: Iterable[float], rpy: Iterable[float]) -> None:
    """Add a link without shapes, fixed to another one. xyz: m; rpy: rad."""
    _add_link(model, name, TOOL_KG, SLIGHT_KG)
    joint = _add_joint(model, parent, name, "fixed")
    ElementTree.SubElement(joint, "origin", xyz=" ".join(map(repr, xyz)), rpy=" ".join(map(repr, rpy)))


def add_slides(model: Model, hand: str) -> tuple[str, str]:
    """Give a hand two links that slide along its y axis, for an arm whose model has none; their names."""
    names = f"{hand}_left", f"{hand}_right"
    for name, outward in zip(names, (1, -1), strict=True):
        _add_link(model, name, 0.1, 0.1)
        joint = _add_joint(model, hand, name, "prismatic")
        ElementTree.SubElement(joint, "axis", xyz=f"0 {outward} 0")
        ElementTree.SubElement(joint, "limit", lower="0", upper=f"{OPENING_M / 2}", effort="20", velocity="0.2")
    return names


def hold_still(model: Model, moving: Iterable[str]) -> None:
    """Fix all joints but some; leave out what only other simulators read, and give links without a mass a slight one.

    Else a torso or another arm would hang loose, and PyBullet takes a link without a mass for one of 1 kg.
    """
    names, root = set(moving), model.tree.getroot()
    for element in [child for child in root if child.tag not in ("link", "joint")]:
        root.remove(element)
    for joint in root.iter("joint"):
        for mimic in joint.findall("mimic"):
            joint.remove(mimic)
        if joint.get("name") not in names:
            joint.set("type", "fixed")
    for link in root.iter("link"):
        if link.find("inertial") is None:
            _add_inertial(link, SLIGHT_KG, SLIGHT_KG)


def _add_link(model: Model, name: str, mass: float, inertia: float) -> None:
    _add_inertial(ElementTree.SubElement(model.tree.getroot(), "link", name=name), mass, inertia)


def _add_inertial(link: ElementTree.Element, mass: float, inertia: float) -> None:
    inertial = ElementTree.SubElement(link, "inertial")
    ElementTree.SubElement(inertial, "mass", value=f"{mass}")
    still: dict[str, Any] = dict.fromkeys(("ixx", "iyy", "izz"), f"{inertia}") | dict.fromkeys(
        ("ixy", "ixz", "iyz"), "0"
    )
    ElementTree.SubElement(inertial, "inertia", **still)


def _add_joint(model: Model, parent: str, child: str, kind: str) -> ElementTree.Element:
    joint = ElementTree.SubElement(model.tree.getroot(), "joint", name=f"{child}_joint", type=kind)
    ElementTree.SubElement(joint, "parent", link=parent)
    ElementTree.SubElement(joint, "child", link=child)
    return joint


def _shape(model: Model, link: str, kind: str, place: Sequence[float] = (0.0, 0.0, 0.0)) -> ElementTree.Element:
    """The still empty geometry of a new shape of a link, its middle at a place, m."""
    owner = next(each for each in model.tree.getroot().iter("link") if each.get("name") == link)
    shape = ElementTree.SubElement(owner, kind)
    ElementTree.SubElement(shape, "origin", xyz=" ".join(map(str, place)), rpy="0 0 0")
    return ElementTree.SubElement(shape, "geometry")


@contextmanager
def loaded(model: Model) -> Iterator[tuple[int, int]]:
    """A model in a simulator of its own: the body, and the client."""
    scratch, client = Scratch(), pybullet.connect(pybullet.DIRECT)
    try:
        yield pybullet.loadURDF(model.write(scratch.path), useFixedBase=True, physicsClientId=client), client
    finally:
        pybullet.disconnect(client)
        scratch.drop()
