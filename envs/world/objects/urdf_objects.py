"""What a URDF says of an object: what it shows and touches with, its mass, its middle, how its surface is."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
from numpy.typing import NDArray

from embodied_ssl.envs.world import exact
from embodied_ssl.envs.world.geometry.mesh_files import Triangles, joined
from embodied_ssl.envs.world.geometry.urdf import mesh_path, numbers, origin_of, read_urdf, triangles_of

_CONTACT = {  # of <contact>, as PyBullet has it: the name in `Material`
    "lateral_friction": "friction",
    "restitution": "restitution",
    "stiffness": "stiffness",
    "damping": "damping",
}


@dataclass(frozen=True, eq=False)
class Described:
    """What a URDF says of an object, its joints at zero, m.

    touched: triangles [T, 3, 3] of each collision shape, or else of each that it shows. mass: kg, and its centre [3];
    None where a link lacks one. surface: friction, restitution, stiffness (N/m), damping (N·s/m), those that it says.
    """

    shown: Triangles
    touched: tuple[NDArray[np.float64], ...]
    mass: float | None
    centre: NDArray[np.float64] | None
    surface: dict[str, float]


def read_object(path: Path) -> Described:
    """A URDF. Raises ValueError naming the file where it shows nothing, or is none."""
    robot = read_urdf(path).getroot()
    colours = {each.get("name"): each for each in robot.findall("material")}
    shown, touched, masses = [], [], []
    surface: dict[str, float] = {}
    for link, pose in _links(path, robot):
        for visual in link.findall("visual"):
            found = _coloured(path, visual, colours)
            shown.append(replace(found, corners=_moved(found.corners, exact.product(pose, origin_of(path, visual)))))
        for shape in link.findall("collision"):
            touched.append(_moved(triangles_of(path, shape).corners, exact.product(pose, origin_of(path, shape))))
        masses.append(_mass(path, link, pose))
        surface |= _surface(path, link)
    if not shown:
        raise ValueError(f"{path} shows nothing: no link has a visual")
    has_mass = all(mass > 0 for mass, _ in masses)
    total = sum(mass for mass, _ in masses)
    centre = np.sum([mass * place for mass, place in masses], axis=0) / total if has_mass else None
    touched = touched or [each.corners for each in shown]
    whole = replace(joined(shown), metres_per_unit=1.0)
    return Described(whole, tuple(touched), total if has_mass else None, centre, surface)


def _links(path: Path, robot: ElementTree.Element) -> Iterator[tuple[ElementTree.Element, NDArray[np.float64]]]:
    """Each link, and its pose [4, 4]."""
    joints = {}
    for joint in robot.findall("joint"):
        parent, child = joint.find("parent"), joint.find("child")
        if parent is None or child is None:
            raise ValueError(f"{path}: joint {joint.get('name')!r} lacks a parent or a child")
        joints[child.get("link")] = (parent.get("link"), origin_of(path, joint))
    for link in robot.findall("link"):
        pose: NDArray[np.float64] = np.eye(4)
        name = link.get("name")
        for _ in range(len(joints) + 1):
            if name not in joints:
                break
            name, step = joints[name]
            pose = exact.product(step, pose)
        else:
            raise ValueError(f"{path}: the joints above link {link.get('name')!r} run in a circle")
        yield link, pose


def _moved(corners: NDArray[np.float64], pose: NDArray[np.float64]) -> NDArray[np.float64]:
    return exact.product(corners, pose[:3, :3].T) + pose[:3, 3]


def _coloured(path: Path, visual: ElementTree.Element, named: dict[str | None, ElementTree.Element]) -> Triangles:
    """What a visual shows, in its <material> where its mesh has neither image nor colours."""
    found, material = triangles_of(path, visual), visual.find("material")
    if material is None or found.coloured.any() or (found.image >= 0).any():
        return found
    if material.find("color") is None and material.find("texture") is None:
        material = named.get(material.get("name"), material)
    worn, colour = material.find("texture"), material.find("color")
    if worn is not None and np.ptp(found.uv) > 0:
        image = cv2.imread(str(mesh_path(path, worn.get("filename") or "")), cv2.IMREAD_COLOR)
        if image is None:
            raise ValueError(f"{path}: {worn.get('filename')} is not an image that can be read")
        return replace(found, image=np.zeros(len(found.corners), np.int64), images=(image[..., ::-1].astype(np.uint8),))
    if colour is None:
        return found
    shade = np.array([round(255 * part) for part in numbers(path, colour, "rgba", 4)[:3]], np.uint8)
    return replace(found, colours=np.tile(shade, (len(found.corners), 1)), coloured=np.ones(len(found.corners), bool))


def _mass(path: Path, link: ElementTree.Element, pose: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    """Of a link, kg (0 where it does not say), and where its middle is."""
    inertial = link.find("inertial")
    mass = None if inertial is None else inertial.find("mass")
    if inertial is None or mass is None:
        return 0.0, np.zeros(3)
    return float(numbers(path, mass, "value", 1)[0]), exact.product(pose, origin_of(path, inertial))[:3, 3]


def _surface(path: Path, link: ElementTree.Element) -> dict[str, float]:
    contact = link.find("contact")
    said = {} if contact is None else {child.tag: child for child in contact}
    return {_CONTACT[tag]: float(numbers(path, said[tag], "value", 1)[0]) for tag in _CONTACT.keys() & said.keys()}
