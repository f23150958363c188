"""An arm made from its description: any URDF, with the fingers that it has, with ours, or with a rod."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.envs.bodies.arm import Arm, Build, Place
from embodied_ssl.envs.bodies.fingers import Fingers, Linkage, NoFingers, Slides
from embodied_ssl.envs.bodies.gripper import FINGER_M
from embodied_ssl.envs.bodies.linkage import Grasp, grasp_of
from embodied_ssl.envs.bodies.links import Joint, Links
from embodied_ssl.envs.bodies.model import (
    Model,
    add_fixed,
    add_flat,
    add_hull,
    add_round,
    add_seen,
    add_slides,
    bare,
    hold_still,
    loaded,
)
from embodied_ssl.envs.bodies.posture import settled
from embodied_ssl.envs.bodies.robot import Robot, read_robot
from embodied_ssl.envs.world.engine import pybullet
from embodied_ssl.envs.world.geometry.urdf import corners_of, read_urdf
from embodied_ssl.envs.world.objects.files import few_corners
from embodied_ssl.envs.world.poses import quaternion_of

HAND = "embodied_ssl_hand"  # the link that is added where the fingers or the rod begin
PALM_M, ROD_M = (0.05, 0.13, 0.045), (0.024, 0.024, 0.045)  # what carries ours, and a round one
TORQUE_NM = 100.0  # of a joint of which the URDF does not say it


class DescribedArm(Arm):
    """An arm as a .toml or .urdf file describes it; see `embodied_ssl.envs.bodies.robot`."""

    def __init__(self, body: str, round_finger: bool = False, base: Place | None = None):
        """body: the file. base: where it stands, m; None: as its description says.

        Raises ValueError where something is wrong with it.
        """
        robot, urdf = read_robot(body)
        round_finger = round_finger or not (robot.fingers or robot.attach_fingers)
        links = Links(urdf, read_urdf(urdf))
        parts = _Parts(robot, links)
        model, hand, grasp = _modelled(robot, links, parts, round_finger)
        build = _built(robot, model, parts, hand, grasp)
        said = (robot.base[0], robot.base[1], robot.base[2]) if robot.base else None
        super().__init__(settled(build, base or said, robot.rest), round_finger)
        if not (robot.fingers or robot.attach_fingers):
            self.finger_links = ()


class _Parts:
    """Which link of a URDF is its tip, and which joints are those of its arm and of its fingers."""

    def __init__(self, robot: Robot, links: Links):
        self.tip = links.known("the link", robot.tip, links.names) if robot.tip else self._only_leaf(links)
        chain = [joint for joint in links.down_to(self.tip) if joint.moves]
        for name in robot.joints:
            links.known(f"between the base and {self.tip} the joint", name, [joint.name for joint in chain])
        self.arm = [joint for joint in chain if not robot.joints or joint.name in robot.joints]
        if not self.arm:
            raise ValueError(f"{links.file}: no joint moves between its base and the link {self.tip}")
        if robot.rest and len(robot.rest) != len(self.arm):
            names = ", ".join(joint.name for joint in self.arm)
            raise ValueError(f"rest: {list(robot.rest)}; give an angle for each of {names}")
        self.closing, self.following = self._fingers(robot, links) if robot.fingers else ([], [])

    def _fingers(self, robot: Robot, links: Links) -> tuple[list[Joint], list[Joint]]:
        for name in robot.fingers:
            links.down_to(links.known("the finger", name, links.names), self.tip)
        below = {joint.name: joint for joint in links.below(self.tip) if joint.moves}
        for name in robot.closing:
            links.known("below the tip the joint", name, below)
        closing = [joint for joint in below.values() if joint.name in robot.closing or not (
            robot.closing or joint.mimics)]  # fmt: skip
        leading = {joint.name for joint in closing}
        if not closing:
            raise ValueError(f"{links.file}: no joint moves the fingers {' and '.join(robot.fingers)}")
        for joint in closing:
            if not joint.lower < joint.upper:
                raise ValueError(
                    f"{links.file}: joint {joint.name!r} of the fingers has no limits between which it moves"
                )
        return closing, [joint for joint in below.values() if joint.mimics in leading and joint.name not in leading]

    @staticmethod
    def _only_leaf(links: Links) -> str:
        leaves = links.leaves()
        if len(leaves) != 1:
            raise ValueError(f'{links.file}: several links are the last: {", ".join(leaves)}; say which, tip = "LINK"')
        return leaves[0]


@dataclass(frozen=True, eq=False)
class _Hand:
    """Where fingers or a rod begin: name of the link, and where the tip is below it, m."""

    link: str
    tip_below: float
    slides: tuple[str, ...] = ()


def _modelled(robot: Robot, links: Links, parts: _Parts, round_finger: bool) -> tuple[Model, _Hand, Grasp | None]:
    """The model that the physics has, with what touches."""
    model = bare(links.file)
    hold_still(model, [joint.name for joint in (*parts.arm, *parts.closing, *parts.following)])
    approach = _axis(robot.approach)
    if robot.fingers:
        hulls = [_hulls(links, finger) for finger in robot.fingers]
        grasp = grasp_of(model, links, parts.tip, robot.fingers, hulls, parts.closing, parts.following, approach)
        hand = _Hand(HAND, grasp.tip_below)
        add_fixed(model, parts.tip, HAND, grasp.middle.tolist(), _rpy(grasp.closing, approach))
        for finger, several in zip(robot.fingers, hulls, strict=True):
            for hull in several if not round_finger else ():
                add_hull(model, finger, hull)
        if round_finger:
            add_round(model, HAND, hand.tip_below)
        return model, hand, grasp
    reach = robot.flange if robot.flange is not None else _reach(links, parts.tip, approach)
    carried = PALM_M if robot.attach_fingers else ROD_M
    hand = _Hand(HAND, carried[2] + FINGER_M[2])
    across = np.roll(np.abs(approach), -1)
    add_fixed(model, parts.tip, HAND, (reach * approach).tolist(), _rpy(across, approach))
    add_seen(model, HAND, carried, 0.0)
    if robot.attach_fingers:
        hand = replace(hand, slides=add_slides(model, HAND))
    if round_finger:
        add_round(model, HAND, hand.tip_below)
    else:
        for slide, outward in zip(hand.slides, (1, -1), strict=True):
            add_flat(model, slide, outward, hand.tip_below)
    return model, hand, None


def _built(robot: Robot, model: Model, parts: _Parts, hand: _Hand, grasp: Grasp | None) -> Build:
    """The arm that stands at the origin, with the numbers that PyBullet gives its links and joints."""
    number = numbers_of(model)
    fingers: Fingers = NoFingers()
    links: tuple[int, ...] = ()
    if grasp is not None:
        several = (*parts.closing, *parts.following)
        names = [joint.name for joint in several]
        leaders = [
            names.index(joint.mimics) if joint in parts.following else place for place, joint in enumerate(several)
        ]
        fingers = Linkage(tuple(number[joint.child] for joint in several), leaders, grasp.course(), robot.grip)
        links = tuple(number[name] for name in robot.fingers)
    elif hand.slides:
        links = tuple(number[name] for name in hand.slides)
        fingers = Slides(links)
    return Build(
        model=model,
        joints=tuple(number[joint.child] for joint in parts.arm),
        rest=(0.0,) * len(parts.arm),
        base=(0.0, 0.0, 0.0),
        hand=number[hand.link],
        tip_below_hand=hand.tip_below,
        torques=tuple(robot.torque or joint.effort or TORQUE_NM for joint in parts.arm),
        fingers=fingers,
        finger_links=links,
        painted=True,
    )


def numbers_of(model: Model) -> dict[str, int]:
    """The number that PyBullet gives each link of a model."""
    with loaded(model) as (body, client):
        joints = range(pybullet.getNumJoints(body, physicsClientId=client))
        return {pybullet.getJointInfo(body, joint, physicsClientId=client)[12].decode(): joint for joint in joints}


def _hulls(links: Links, name: str) -> list[NDArray[np.float32]]:
    """The convex hulls of what a link collides with, or else shows, in its frame, m."""
    link = next(each for each in read_urdf(links.file).getroot().iter("link") if each.get("name") == name)
    shapes = link.findall("collision") or link.findall("visual")
    if not shapes:
        raise ValueError(f"{links.file}: the finger {name!r} has no shape that could touch")
    return [few_corners(np.unique(corners_of(links.file, shape).reshape(-1, 3), axis=0)) for shape in shapes]


def _reach(links: Links, name: str, approach: NDArray[np.float64]) -> float:
    """How far the meshes of a link reach along an axis from its origin, m."""
    link = next(each for each in read_urdf(links.file).getroot().iter("link") if each.get("name") == name)
    shapes = link.findall("collision") or link.findall("visual")
    ends = [float((corners_of(links.file, shape).reshape(-1, 3) * approach).sum(axis=1).max()) for shape in shapes]
    return max([0.0, *ends])


def _axis(name: str) -> NDArray[np.float64]:
    return np.eye(3)["xyz".index(name[-1])] * (-1.0 if name[0] == "-" else 1.0)


def _rpy(closing: NDArray[np.float64], approach: NDArray[np.float64]) -> Sequence[float]:
    """The turn, as a URDF says it, after which z is the approach and y the closing direction."""
    turn = np.stack([np.cross(closing, approach), closing, approach], axis=1)
    return pybullet.getEulerFromQuaternion(quaternion_of(turn).tolist())  # type: ignore[no-any-return]
