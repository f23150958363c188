"""How the fingers of a URDF close: tried out joint by joint, for any linkage."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.envs.bodies.fingers import Course
from embodied_ssl.envs.bodies.links import Joint, Links
from embodied_ssl.envs.bodies.model import Model, loaded
from embodied_ssl.envs.world import exact
from embodied_ssl.envs.world.engine import pybullet
from embodied_ssl.envs.world.poses import matrices_of

SAMPLES = 33  # from one end of the joints to the other
Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Grasp:
    """How two fingers close, in the frame of the tip link, m.

    closing: the direction in which they do, [3]. middle: between them, [3], where the tip's line begins. tip_below:
    from there to where they reach at most. gaps [K] between them, decreasing, with the values [K, J] of the joints, and
    the change of the gap with each joint and those that follow it, [J].
    """

    closing: Vector
    middle: Vector
    tip_below: float
    gaps: Vector
    values: Vector
    levers: Vector

    def course(self) -> Course:
        """From closed to open."""
        return Course(self.gaps[::-1], self.values[::-1], self.levers)


def grasp_of(
    model: Model,
    links: Links,
    tip: str,
    fingers: Sequence[str],
    hulls: Sequence[Sequence[NDArray[np.float32]]],
    closing: Sequence[Joint],
    following: Sequence[Joint],
    approach: Vector,
) -> Grasp:
    """Try out how two fingers close.

    hulls: of each finger, in its frame, m. closing, following: the joints that are driven, and those that mimic them.
    approach: [3], the direction along which they reach. Raises ValueError where they do not close, or reach elsewhere.
    """
    joints = [*closing, *following]
    points = [np.concatenate(several).astype(float) for several in hulls]

    def values(shares: Sequence[float]) -> Vector:
        led = {
            joint.name: joint.lower + share * (joint.upper - joint.lower)
            for joint, share in zip(closing, shares, strict=True)
        }
        return np.array([led[j.name] if j.name in led else j.ratio * led[j.mimics] + j.offset for j in joints])

    with loaded(model) as (body, client):
        number = {
            pybullet.getJointInfo(body, each, physicsClientId=client)[12].decode(): each
            for each in range(pybullet.getNumJoints(body, physicsClientId=client))
        }

        def placed(now: Vector) -> list[Vector]:
            """The corners of each finger in the frame of the tip link."""
            for joint, value in zip(joints, now, strict=True):
                pybullet.resetJointState(body, number[joint.child], float(value), physicsClientId=client)
            states = pybullet.getLinkStates(
                body, [number[tip], *(number[name] for name in fingers)], computeForwardKinematics=1,
                physicsClientId=client)  # fmt: skip
            poses = matrices_of([state[4] for state in states], [state[5] for state in states])
            turn, place = poses[0, :3, :3], poses[0, :3, 3]
            return [
                exact.product(exact.moved(pose[None], each[None])[0] - place, turn)
                for pose, each in zip(poses[1:], points, strict=True)
            ]

        course = np.array([values([share] * len(closing)) for share in np.linspace(0, 1, SAMPLES)])
        seen = [placed(now) for now in course]
        apart = np.array([left.mean(axis=0) - right.mean(axis=0) for left, right in seen])
        apart -= (apart * approach).sum(axis=1)[:, None] * approach
        across = apart[-1] - apart[0]
        if exact.length(across) < 1e-4:
            raise ValueError(
                f"{links.file}: the fingers {' and '.join(fingers)} do not close; name the joints that move them"
            )
        across = across / exact.length(across)
        across = across * (1.0 if (apart * across).sum() > 0 else -1.0)

        def gap(sides: list[Vector]) -> float:
            left, right = ((side * across).sum(axis=1) for side in sides)
            return float(left.min() - right.max())

        gaps = np.array([gap(sides) for sides in seen])
        if gaps[-1] > gaps[0]:  # from open to closed
            gaps, course, seen = gaps[::-1], course[::-1], seen[::-1]
        levers = _levers(gap, placed, values, closing, len(joints))
    use = [0]
    for k in range(1, SAMPLES):
        if 0 <= gaps[k] < gaps[use[-1]]:
            use.append(k)
    if len(use) < 2:
        raise ValueError(f"{links.file}: the fingers {' and '.join(fingers)} do not come apart within their limits")
    everything = np.concatenate([side for sides in seen for side in sides])
    reach = (everything * approach).sum(axis=1)
    low, high = np.concatenate(seen[0]).min(axis=0), np.concatenate(seen[0]).max(axis=0)
    middle = (low + high) / 2
    middle = middle - (middle * approach).sum() * approach
    if reach.max() <= 0:
        raise ValueError(f"{links.file}: the fingers do not reach along the axis that `approach` says, from {tip}")
    return Grasp(across, middle, float(reach.max()), gaps[use], course[use], levers)


def _levers(
    gap: Callable[[list[Vector]], float],
    placed: Callable[[Vector], list[Vector]],
    values: Callable[[Sequence[float]], Vector],
    closing: Sequence[Joint],
    count: int,
) -> Vector:
    """By how much the gap changes with each driven joint alone, in the middle of its way; 0 for those that follow."""
    found = np.zeros(count)
    for place, joint in enumerate(closing):
        shares = [[0.5 + step * (other == place) for other in range(len(closing))] for step in (-0.05, 0.05)]
        less, more = (gap(placed(values(each))) for each in shares)
        found[place] = abs(more - less) / (0.1 * (joint.upper - joint.lower))
    return found
