"""What describes a robot arm of one's own: a URDF, and a small TOML file beside it where the URDF does not say enough.

urdf = "xarm6_with_gripper.urdf"
tip = "link6"
fingers = ["left_finger", "right_finger"]
"""

import importlib.util
import re
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Literal

from embodied_ssl.envs.world.geometry.urdf import mesh_files_of
from embodied_ssl.envs.world.textures.families import nearest
from embodied_ssl.limits import Limits, NonNegative, Positive, hold_fields

SUFFIXES = (".toml", ".urdf")


@dataclass(frozen=True)
class Robot:
    """A robot arm: the fields of its TOML file. All but the first may be left out."""

    urdf: str
    """its file: relative to the TOML file, or PACKAGE:FILE, in the folder of an installed Python package"""
    tip: str = ""
    """the link that carries the fingers or the tool; empty: the only one that no other link hangs from"""
    joints: tuple[str, ...] = ()
    """the joints of the arm; none: all that move between the base and the tip link"""
    approach: Literal["x", "y", "z", "-x", "-y", "-z"] = "z"
    """the axis of the tip link along which it reaches"""
    fingers: tuple[str, ...] = ()
    """the two links that touch; none: an arm that pushes and pokes, with a round rod at its tip link"""
    closing: tuple[str, ...] = ()
    """the joints that move the fingers; none: all below the tip link that mimic no other. Those that do follow them"""
    attach_fingers: bool = False
    """carry the two fingers that other bodies have, for an arm without any"""
    flange: NonNegative | None = None
    """how far from the tip link's origin such fingers or a rod begin, m; None: where its meshes end"""
    base: tuple[float, ...] = ()
    """where it stands, x y z, m; the origin is the middle of the table's top. None: as near as it can"""
    rest: tuple[float, ...] = ()
    """angles of its joints when it points down over the table, rad; none: they are looked for"""
    torque: Positive | None = None
    """of each joint at most, N·m; None: what the URDF says"""
    grip: Annotated[float, Limits(1, 1000)] = 25.0
    """force of each finger, N"""

    def __post_init__(self) -> None:
        """Raise ValueError for what is no description of a robot."""
        hold_fields(self)
        for name, counts in (("fingers", (0, 2)), ("base", (0, 3))):
            if len(getattr(self, name)) not in counts:
                raise ValueError(f"{name}: {list(getattr(self, name))}; give {counts[1]}, or none")
        if self.fingers and self.attach_fingers:
            raise ValueError("attach_fingers: it has fingers of its own; leave one of both out")


def is_robot(body: str) -> bool:
    """Whether a body's name is that of a file."""
    return body.lower().endswith(SUFFIXES)


def read_robot(body: str) -> tuple[Robot, Path]:
    """The robot of a .toml or .urdf file, and its URDF. Raises ValueError naming the file."""
    path = _found(body, Path())
    if path.suffix.lower() == ".urdf":
        return Robot(urdf=body), path
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read as TOML: {error}") from error
    known = [each.name for each in fields(Robot)]
    for name in said:
        if name not in known:
            raise ValueError(f"{path}: unknown setting {name!r}{nearest(name, known)}")
    if not isinstance(said.get("urdf"), str):
        raise ValueError(f'{path}: it names no URDF; give urdf = "FILE.urdf"')
    try:
        return Robot(**said), _found(said["urdf"], path.parent)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def files_of(body: str) -> list[Path]:
    """All files that a robot is made of: its description, its URDF, its meshes. Raises ValueError for one missing."""
    path, (_, urdf) = _found(body, Path()), read_robot(body)
    return list(dict.fromkeys([path, urdf, *mesh_files_of(urdf)]))


def _found(name: str, folder: Path) -> Path:
    """The file of a name: PACKAGE:FILE, or a path, relative to a folder."""
    package = re.fullmatch(r"([A-Za-z_][\w.]+):(?!//)(.+)", name)
    path = folder / Path(name).expanduser()
    if package and not path.is_file():
        try:
            found = importlib.util.find_spec(package[1])
        except ImportError:
            found = None
        if found is None or not found.submodule_search_locations:
            raise ValueError(f"{name}: there is no package {package[1]} installed")
        path = Path(next(iter(found.submodule_search_locations))) / package[2]
    if not path.is_file():
        raise ValueError(f"{path} does not exist")
    return path
