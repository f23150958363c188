"""Grippers by name: ours, and those that others add."""

import inspect
from typing import Any

from embodied_ssl.envs.bodies.arm import Arm
from embodied_ssl.envs.bodies.described import DescribedArm
from embodied_ssl.envs.bodies.floating import FloatingGripper
from embodied_ssl.envs.bodies.gripper import Gripper
from embodied_ssl.envs.bodies.panda import Panda
from embodied_ssl.envs.bodies.robot import is_robot
from embodied_ssl.envs.world.textures.families import nearest
from embodied_ssl.plugins import NoPlugin, added, member

GRIPPERS: dict[str, type[Gripper]] = {"floating": FloatingGripper, "panda": Panda}
_ASKED = [name for name, each in vars(Gripper).items() if inspect.isfunction(each) and not name.startswith("_")]


def make_gripper(
    name: str, round_finger: bool = False, base: tuple[float, float, float] | None = None, grips: bool = True
) -> Gripper:
    """A gripper by name, that of a `module:Class`, or the arm that a .toml or .urdf file describes.

    round_finger: instead of two that grip. base: where its arm stands, m; None: where it usually does. grips: whether
    what it is for needs two fingers. Raises ValueError, which names the near one, for a base of what has no arm, and
    where fingers are missing.
    """
    kind = gripper_class(name)
    gripper: Gripper
    if is_robot(name):
        gripper = kind(name, round_finger, base)
    elif issubclass(kind, Arm):
        gripper = kind(round_finger, base)
    elif base is not None:
        raise ValueError(f"base: the body {name} has no arm that could stand elsewhere; leave it out")
    else:
        gripper = kind(round_finger)
    if grips and not round_finger and not gripper.finger_links:
        raise ValueError(
            f"body: {name} has no fingers, so it only pushes and pokes; a .toml file gives it some, with "
            'fingers = ["LEFT LINK", "RIGHT LINK"] or attach_fingers = true'
        )
    return gripper


def gripper_class(name: str) -> Any:
    """The class of a gripper; it is called with whether it has one round finger. Raises ValueError."""
    if is_robot(name):
        return DescribedArm
    try:
        known = GRIPPERS | added("grippers", lambda each: inspect.isclass(each) and not _missing(each))
        if ":" not in name and name not in known:
            raise ValueError(f"unknown body {name!r}{nearest(name, known)}")
        found = known[name] if name in known else member(name)
    except NoPlugin as error:
        raise ValueError(f"body {error}") from error
    if missing := _missing(found):
        raise ValueError(f"body {name}: no gripper, for it has no {' and no '.join(missing)}; see bodies/gripper.py")
    return found


def _missing(found: Any) -> list[str]:
    """What the protocol asks for and something has not."""
    return [name for name in _ASKED if not callable(getattr(found, name, None))]
