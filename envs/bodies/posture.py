"""Where an arm stands and how it rests, so that it reaches the table within its limits: looked for, and kept."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.envs.bodies.arm import Build, Place, moving_joints
from embodied_ssl.envs.bodies.model import loaded
from embodied_ssl.envs.world.engine import pybullet
from embodied_ssl.envs.world.kept import kept
from embodied_ssl.envs.world.poses import matrices_of

VERSION = 1  # of the way it is looked for
ENDS_M = (-0.23, 0.0, 0.23)  # where it is tried, along either side of the table
HEIGHTS_OF_TIP_M = (0.14, 0.1, 0.05, 0.01)  # there, on its way down
YAWS = (0.01, 1.05, 2.1)  # from its first turn on
OFF_M = 1e-3  # it may be off by
DISTANCES_M = (0.5, 0.4, 0.6, 0.45, 0.55, 0.3, 0.7)  # from the middle of the table to its base
HEIGHTS_M = (0.0, 0.15, 0.3)  # of its base above the table
TRIES, ENOUGH = 24, 4  # rests that are tried from one base, and of those that reach everything
ABOVE_M = 0.03  # no joint is lower
FIRST_TURNS = (-np.pi, -np.pi / 2)
LEAST = 0.6  # of the places, it has to reach
PLACES = sorted(product(ENDS_M, ENDS_M), key=lambda place: 0.0 in place)  # the corners first, which fail first
ALL = len(PLACES) * len(YAWS) * len(HEIGHTS_OF_TIP_M)
MIDDLE = np.array([0.0, 0.0, HEIGHTS_OF_TIP_M[0]])

Found = tuple[int, float, Build]  # places that it misses, how near to a limit it comes, and the arm


def settled(build: Build, base: Place | None, rest: Sequence[float]) -> Build:
    """The same arm, standing and resting so that it reaches the table. base, rest: where they are said.

    Warns where a base that was looked for does not reach all of the table. Raises ValueError where they are too many.
    """
    with loaded(build.model) as (body, client):
        search = _Search(build, body, client)
        text = f"{VERSION} {base} {tuple(rest)} {build.joints} {build.hand} {build.tip_below_hand}"
        found = kept("postures", (text, build.model.text()), lambda: search.run(base, rest))
    reached, file = float(found["reached"]), build.model.file
    where = f"from {base}" if base else "from beside the table"
    if reached < LEAST:
        raise ValueError(
            f"{file}: {where} the arm reaches {reached:.0%} of the table pointing down, within the limits of its "
            "joints; give another base, rest, joints, tip or approach"
        )
    x, y, z = found["base"].tolist()
    if reached < 1 and not base:
        warnings.warn(
            f"{file}: the arm stands at {x}, {y}, {z}, where it reaches {reached:.0%} of the table within the limits "
            "of its joints, the most that was found; say base yourself, and this is not said again",
            stacklevel=2,
        )
    return replace(
        build,
        base=(x, y, z),
        rest=tuple(found["rest"].tolist()),
        first_turn=float(found["first_turn"]),
        away=tuple(found["away"].tolist()),
    )


class _Search:
    """An arm by itself, put into one posture after the other."""

    def __init__(self, build: Build, body: int, client: int):
        self._build, self._body, self._client = build, body, client
        self._damping = [0.01] * len(moving_joints(body, client))
        rows = [pybullet.getJointInfo(body, joint, physicsClientId=client)[8:10] for joint in build.joints]
        low, high = np.array(rows, float).T
        self._limited = low < high
        self._low, self._high = np.where(self._limited, low, -np.pi), np.where(self._limited, high, np.pi)

    def run(self, base: Place | None, rest: Sequence[float]) -> dict[str, NDArray[np.float64]]:
        best: Found = (ALL, 0.0, self._build)
        for height, distance in product(HEIGHTS_M, DISTANCES_M) if not base else [(0.0, 0.0)]:
            best = min(best, self._from(base or (-distance, 0.0, height), rest, best), key=lambda each: each[:2])
            if best[0] == 0:
                break
        missed, _, chosen = best
        return {
            "reached": np.array(1 - missed / ALL),
            "base": np.array(chosen.base),
            "rest": np.array(chosen.rest),
            "first_turn": np.array(chosen.first_turn),
            "away": np.array(self._away(chosen)),
        }

    def _from(self, base: Place, rest: Sequence[float], best: Found) -> Found:
        """The best from one base, or what was the best before."""
        whole = 0
        for tried in self._tried(base, rest):
            if (found := self._judged(tried, best[0])) is not None:
                best = min(best, found, key=lambda each: each[:2])
                whole += found[0] == 0
            if whole == ENOUGH:
                break
        return best

    def _tried(self, base: Place, rest: Sequence[float]) -> Iterator[Build]:
        """Rests that point down over the middle of the table, in the middle of the turns that follow."""
        rng, middle = np.random.default_rng(0), (self._low + self._high) / 2
        half = np.minimum((self._high - self._low) / 2, np.pi)
        for number in range(1 if rest else TRIES):
            for first_turn in FIRST_TURNS:
                start = np.array(rest) if rest else middle + half * rng.uniform(-0.6, 0.6, len(half)) * (number > 0)
                tried = replace(self._build, base=base, rest=tuple(start.tolist()), first_turn=first_turn)
                if not rest:
                    self._start(tried)
                    self._go(tried, MIDDLE, first_turn + np.pi / 2)
                    if self._strain(MIDDLE) is None:
                        continue
                    tried = replace(tried, rest=tuple(self._angles().round(3).tolist()))
                yield tried

    def _judged(self, tried: Build, most: int) -> Found | None:
        """How many places it misses, and how near to a limit any joint comes; None for more than `most` places."""
        missed, strained = 0, 0.0
        for (x, y), yaw in product(PLACES, YAWS):
            self._start(tried)
            for z in HEIGHTS_OF_TIP_M:
                self._go(tried, np.array([x, y, z]), tried.first_turn + yaw)
                strain = self._strain(np.array([x, y, z]))
                missed += strain is None
                strained = max(strained, strain or 0.0)
            if missed > most:
                return None
        return missed, strained, tried

    def _start(self, tried: Build) -> None:
        """Stand and rest."""
        place, turn = pybullet.getDynamicsInfo(self._body, -1, physicsClientId=self._client)[3:5]  # of the mass
        middle = np.add(tried.base, place).tolist()
        pybullet.resetBasePositionAndOrientation(self._body, middle, turn, physicsClientId=self._client)
        self._set(tried.rest)

    def _go(self, tried: Build, place: NDArray[np.float64], turn: float) -> None:
        """Go from the posture that it has to one in which its tip is at a place, pointing down."""
        hand, down = place + [0, 0, tried.tip_below_hand], pybullet.getQuaternionFromEuler((np.pi, 0, turn + np.pi / 2))
        for _ in range(2):
            found = pybullet.calculateInverseKinematics(
                self._body, tried.hand, hand.tolist(), down, jointDamping=self._damping, maxNumIterations=40,
                residualThreshold=1e-7, physicsClientId=self._client)  # fmt: skip
            self._set(found[: len(self._build.joints)])

    def _set(self, angles: Sequence[float]) -> None:
        for joint, angle in zip(self._build.joints, angles, strict=True):
            pybullet.resetJointState(self._body, joint, angle, physicsClientId=self._client)

    def _angles(self) -> NDArray[np.float64]:
        states = pybullet.getJointStates(self._body, self._build.joints, physicsClientId=self._client)
        return np.array([state[0] for state in states])

    def _strain(self, place: NDArray[np.float64]) -> float | None:
        """How near to its limit a joint is, 1 at it; None where the tip is not at a place, pointing down."""
        links = [self._build.hand, *self._build.joints[1:]]
        states = pybullet.getLinkStates(self._body, links, computeForwardKinematics=1, physicsClientId=self._client)
        pose = matrices_of([states[0][4]], [states[0][5]])[0]
        tip, angles = pose[:3, 3] + pose[:3, 2] * self._build.tip_below_hand, self._angles()
        strain = np.abs(2 * angles - self._low - self._high)[self._limited] / (self._high - self._low)[self._limited]
        if np.abs(tip - place).max() > OFF_M or pose[2, 2] > -0.999 or (strain > 1).any():
            return None
        return None if min(state[4][2] for state in states[1:]) < ABOVE_M else float(strain.max(initial=0.0))

    def _away(self, chosen: Build) -> Place:
        """Where its tip is out of the way: as high as it reaches, towards its base if it can."""
        for z, share in product((0.6, 0.5, 0.4, 0.3), (0.5, 0.25, 0.0)):
            x, y = share * chosen.base[0], share * chosen.base[1]
            self._start(chosen)
            self._go(chosen, np.array([x, y, z]), chosen.first_turn)
            if self._strain(np.array([x, y, z])) is not None:
                return x, y, z
        return 0.0, 0.0, HEIGHTS_OF_TIP_M[0]
