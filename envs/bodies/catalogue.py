"""Grippers by name: ours, and those that others add."""

import inspect
from typing import Any

from embodied_ssl.envs.bodies.arm import Arm
from embodied_ssl.envs.bodies.floating import FloatingGripper
from embodied_ssl.envs.bodies.gripper import Gripper
from embodied_ssl.envs.bodies.panda import Panda
from embodied_ssl.envs.world.textures.families import nearest
from embodied_ssl.plugins import NoPlugin, added, member

GRIPPERS: dict[str, type[Gripper]] = {"floating": FloatingGripper, "panda": Panda}
_ASKED = [name for name, each in vars(Gripper).items() if inspect.isfunction(each) and not name.startswith("_")]


def make_gripper(name: str, round_finger: bool = False, base: tuple[float, float, float] | None = None) -> Gripper:
    """A gripper by name, or that of a `module:Class`. base: where its arm stands, m; None: where it usually does.

    Raises ValueError, which names the near one, and for a base of what has no arm.
    """
    gripper: Gripper = gripper_class(name)(round_finger)
    if base is not None:
        if not isinstance(gripper, Arm):
            raise ValueError(f"base: the body {name} has no arm that could stand elsewhere; leave it out")
        gripper.BASE_M = base
    return gripper


def gripper_class(name: str) -> Any:
    """The class of a gripper; it is called with whether it has one round finger. Raises ValueError."""
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
