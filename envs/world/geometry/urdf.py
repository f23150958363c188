"""What URDF files say of shapes: where each is, and its triangles."""

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.envs.world import exact
from embodied_ssl.envs.world.geometry.mesh import box, capsule, cylinder, rotation_x, rotation_y, rotation_z, sphere
from embodied_ssl.envs.world.geometry.mesh_files import Triangles, mirrored, plain, read_triangles


def read_urdf(path: Path) -> "ElementTree.ElementTree[ElementTree.Element]":
    """A URDF as a tree. Raises ValueError naming the file where it is none."""
    try:
        return ElementTree.parse(path)
    except (ElementTree.ParseError, OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read as URDF: {error}") from error


def mesh_path(urdf: Path, name: str) -> Path:
    """The file that a `filename` of a URDF stands for.

    That of `package://PACKAGE/FILE` is looked for beside the URDF, and in PACKAGE at any folder above it. Raises
    ValueError where it is nowhere.
    """
    plain = name.removeprefix("file://").removeprefix("package://").removeprefix("model://")
    if not plain:
        raise ValueError(f"{urdf}: a mesh has no filename")
    package, _, inside = plain.partition("/")
    above = urdf.absolute().parents
    places = [urdf.parent / plain]
    if "://" in name and inside:
        places += [*(folder / plain for folder in above), *(folder / inside for folder in above)]
        places = [place for place in places if package in place.parts or place == places[0]]
    for place in places:
        if place.is_file():
            return place
    raise ValueError(f"{urdf} names a mesh that is not there: {places[0]} does not exist")


def mesh_files_of(urdf: Path) -> list[Path]:
    """The mesh files that a URDF names, each once, in the order of the file. Raises ValueError as `mesh_path`."""
    meshes = read_urdf(urdf).getroot().iter("mesh")
    return list(dict.fromkeys(mesh_path(urdf, mesh.get("filename") or "") for mesh in meshes))


def corners_of(urdf: Path, shape: ElementTree.Element) -> NDArray[np.float64]:
    """The triangles [T, 3, 3] of a <visual> or <collision> in the frame of its link, m."""
    matrix = origin_of(urdf, shape)
    return exact.product(triangles_of(urdf, shape).corners, matrix[:3, :3].T) + matrix[:3, 3]


def triangles_of(path: Path, visual: ElementTree.Element) -> Triangles:
    """What a <visual> or <collision> of a URDF is, in its own frame, m; only mesh files give colours."""
    geometry = visual.find("geometry")
    shape = next(iter(geometry), None) if geometry is not None else None
    if shape is None:
        raise ValueError(f"{path}: a visual has no geometry")
    if shape.tag == "mesh":
        found, scale = (
            read_triangles(mesh_path(path, shape.get("filename") or "")), numbers(path, shape, "scale", 3, (1, 1, 1))
        )  # fmt: skip
        scaled = replace(found, corners=found.corners * scale)
        return mirrored(scaled) if np.prod(scale) < 0 else scaled
    if shape.tag == "box":
        mesh = box(numbers(path, shape, "size", 3))
    elif shape.tag == "sphere":
        mesh = sphere(float(numbers(path, shape, "radius", 1)[0]))
    elif shape.tag in ("cylinder", "capsule"):
        radius, length = (float(numbers(path, shape, name, 1)[0]) for name in ("radius", "length"))
        round_ends = shape.tag == "capsule"
        mesh = capsule(radius, length) if round_ends else cylinder(radius, length).transformed((0, 0, -length / 2))
    else:
        raise ValueError(f"{path}: geometry <{shape.tag}> is not one of mesh, box, sphere, cylinder, capsule")
    return plain(mesh.vertices.astype(float)[mesh.triangles])


def origin_of(path: Path, element: ElementTree.Element) -> NDArray[np.float64]:
    """[4, 4] of an element's <origin>."""
    matrix, origin = np.eye(4), element.find("origin")
    if origin is not None:
        matrix[:3, :3] = _turned(*numbers(path, origin, "rpy", 3, (0, 0, 0)))
        matrix[:3, 3] = numbers(path, origin, "xyz", 3, (0, 0, 0))
    return matrix


def _turned(roll: float, pitch: float, yaw: float) -> NDArray[np.float64]:
    """[3, 3]: about x, then y, then z, all of them fixed (rad)."""
    return exact.product(rotation_z(yaw), exact.product(rotation_y(pitch), rotation_x(roll)))


def numbers(
    path: Path, element: ElementTree.Element, name: str, count: int, default: tuple[float, ...] | None = None
) -> NDArray[np.float64]:
    """The numbers [count] of an attribute of an element. Raises ValueError where they are not so many."""
    text = element.get(name)
    if text is None and default is not None:
        return np.array(default, float)
    try:
        values = np.array([float(word) for word in (text or "").split()])
    except ValueError:
        values = np.empty(0)
    if name == "scale" and len(values) == 1:
        values = np.repeat(values, 3)
    if len(values) != count:
        raise ValueError(f"{path}: <{element.tag} {name}={text!r}> is not {count} number{'s' if count > 1 else ''}")
    return values
