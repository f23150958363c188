"""Grippers by name."""

from embodied_ssl.envs.bodies.floating import FloatingGripper
from embodied_ssl.envs.bodies.gripper import Gripper
from embodied_ssl.envs.bodies.panda import Panda
from embodied_ssl.envs.world.textures.families import nearest

GRIPPERS: dict[str, type[FloatingGripper] | type[Panda]] = {"floating": FloatingGripper, "panda": Panda}


def make_gripper(name: str, round_finger: bool = False) -> Gripper:
    """A gripper by name: `floating` or `panda`. Raises ValueError, which names the near one."""
    if name not in GRIPPERS:
        raise ValueError(f"unknown body {name!r}{nearest(name, GRIPPERS)}")
    return GRIPPERS[name](round_finger)
