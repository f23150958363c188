"""HoldEnv: a body that turns an object in its hand before its eye while it walks through furnished scenes.

What two views of an object share is the object alone: another side of it, before another background, in another light.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from embodied_ssl.envs.bodies.hand import TONES, make_hand
from embodied_ssl.envs.bodies.wheeled import HEIGHT_M, RADIUS_M, Wheels, eye_pose, wrapped
from embodied_ssl.envs.observation import (
    checked_action,
    checked_instances,
    describe_objects,
    observation_space,
    observe,
)
from embodied_ssl.envs.simulated import SimulatedEnv
from embodied_ssl.envs.world import exact
from embodied_ssl.envs.world.camera import Camera, optical_flow
from embodied_ssl.envs.world.engine import pybullet
from embodied_ssl.envs.world.floor import Floor
from embodied_ssl.envs.world.objects.sets import object_set
from embodied_ssl.envs.world.physics import World
from embodied_ssl.envs.world.poses import matrices_of
from embodied_ssl.envs.world.raster.frames import Frame
from embodied_ssl.envs.world.scenes.types import SCENE_TYPES, checked_types, make_scene
from embodied_ssl.limits import Angle, Count, NonNegative, Positive, Share, Turn, within_limits

HELD = 1  # its value in instance masks
LEAN = 0.3  # how far to the left or the right an object leans when it is taken up, rad
ABOVE_FLOOR_M = 0.05  # what is held is kept at least so far above it
REACH_M = 0.45  # the body keeps at most this far from everything
STOCK = 64  # instances of a category that lie about: a scene whose objects are all new takes six times as long to make


class HoldEnv(SimulatedEnv):
    """A wheeled body holds an object before its eye, turns it in its hand, and drives through several scenes.

    Action, float32 [5]: the turn of the object until the next frame, a rotation vector in the eye's frame (x along its
    gaze, y left, z up; rad, each at most 0.6 either way), forward distance (m, at most 0.25) and yaw (rad, left
    positive, at most 0.5); it turns, then drives. What happens is the command with slip and motor noise; `motor`, in
    the observation, is what the joints and the odometry measured of it.
    An episode is one object and several scenes: after each `length / visits` frames the body stands in another scene,
    in another light, holding the same object, which it has taken up anew: a little turned, at another distance, in
    another hand, and looks down at it more or less. Of that one step the motor signals are 0.
    Observation: `rgb` uint8 [S, S, 3]; `motor` float32 [5] (rad, rad, rad, m, rad) of the motion that led here, zeros
    at the start; if asked for, `depth` float32 [S, S] (m, 0 = nothing) and `instance` uint8 [S, S], 1 = the object.
    Reward: the angle by which the object was turned, rad. Episodes end (truncated) after `length` frames, the one of
    `reset` included.
    info: `pose` float32 [4, 4], camera-to-world; `object_pose` float32 [4, 4], object-to-world; `visit`, the number of
    the scene within the episode, and `scene`, its type; `time`, s; `command` float32 [5]; with flow=True also `flow`
    float32 [S, S, 2], px from the frame before to this one (NaN where the scene has changed).
    """

    SIMULATED = frozenset({"world", "floor", "wheels", "objects", "_carriers"})

    @within_limits
    def __init__(
        self,
        scenes: Sequence[str] | str = tuple(SCENE_TYPES),
        size: Count = 96,
        depth: bool = False,
        instance: bool = False,
        flow: bool = False,
        length: Count = 100,
        visits: Count = 3,
        hand: bool = True,
        gaze: Turn = 1.2,
        turned: Turn = 0.3,
        distances: tuple[float, float] = (0.95, 1.4),
        aside: NonNegative = 0.15,
        categories: Sequence[str] | str = "",
        camera_height: Positive = 0.8,
        field_of_view: Angle = 0.9,
        slip: Share = 0.05,
        motor_noise: Share = 0.02,
        encoder_noise: Share = 0.01,
        objects: str = "household",
        instances: tuple[int, int] = (0, 64),
        textures: str = "",
        renderer: str = "raster",
        shadows: bool = True,
        antialias: Count = 2,
        render_mode: str | None = None,
    ):
        """Set up a body, its eye and its hand; object and scene come with `reset`.

        Args:
            scenes: types to draw from, a sequence or separated by commas.
            size: of the square image, px.
            depth: observe metric depth.
            instance: observe the mask of the object held.
            flow: give optical flow in info.
            length: frames of an episode.
            visits: scenes of an episode, each for as many frames; fewer where there are fewer frames.
            hand: whether a hand is seen, which hides a part of the object.
            gaze: how far down the eye looks at most at what is held, rad; 0: straight ahead, so that all are seen from
                the side. Less where something large would be in the floor.
            turned: how far an object is turned about its upright axis from scene to scene, and looked at from higher
                or lower, to either side of what is usual in its episode, rad; π: any way.
            distances: at which an object is held, in those at which its sphere would fill the picture, [least, most].
            aside: how far from the middle of the picture it is held at most, along each axis, in its radii.
            categories: of objects to draw from, a sequence or separated by commas; empty: all.
            camera_height: above the floor, m.
            field_of_view: rad, in (0, π).
            slip: mean share of the commanded driving that is lost.
            motor_noise: relative standard deviation of what the motors do.
            encoder_noise: relative standard deviation of what joints and odometry measure.
            objects: household (generated), random_urdfs (PyBullet's), or a folder of mesh and .urdf files.
            instances: which instances of a category to draw from, [first, last); the small objects that lie about in
                the scenes are of the first 64 of them.
            textures: a folder of images that everything wears instead of the generated textures; empty: none.
            renderer: raster (fast) or tiny (PyBullet's, for reference).
            shadows: draw shadows.
            antialias: samples per pixel and axis.
            render_mode: None or rgb_array.

        Raises ValueError for a setting that is none.
        """
        self.scenes = checked_types(scenes)
        self.length, self.visits = length, visits
        self.flow, self.hand, self.gaze, self.turned = flow, hand, gaze, turned
        self.camera_height, self.slip = camera_height, slip
        self.motor_noise, self.encoder_noise = motor_noise, encoder_noise
        self.distances, self.aside = _checked_distances(distances), aside
        self.instances = checked_instances(instances)
        self.camera = Camera.from_fov(size, size, field_of_view)
        self.render_mode = render_mode
        self._depth, self._instance = depth, instance
        look = {"renderer": renderer, "shadows": shadows, "antialias": antialias, "textures": textures}
        super().__init__({"objects": objects, "categories": categories, "world": look})
        most = np.array([0.6, 0.6, 0.6, 0.25, 0.5], np.float32)
        self.action_space = gymnasium.spaces.Box(-most, most)
        self.observation_space = observation_space(size, depth, instance, motor_size=5)

    def _connect(self) -> None:
        self.objects = object_set(self._settings["objects"], self._settings["categories"])
        self.world = World(**self._settings["world"])

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """A new object and its first scene. options: `category` and `instance` (a number) fix the object."""
        self._begin(seed, options)
        self._steps = 0
        self._look()
        return self._observe(np.zeros(5)), self._info(np.full(5, np.nan))

    def _set_up(self, options: dict[str, Any] | None) -> None:
        rng = self.np_random
        category = self.objects.categories[rng.integers(len(self.objects.categories))]
        instance = int(rng.integers(*self.instances))
        if options:
            category, instance = options.get("category", category), options.get("instance", instance)
        self._held = self.objects.make(category, instance)
        low, high = self._held.bounds
        self._middle, self.object_radius = (low + high) / 2, exact.length(high - low) / 2  # of its sphere
        # How it is held in this episode, about its upright axis, and looked down at, rad
        self._around, self._down = rng.uniform(-np.pi, np.pi), rng.uniform(0, self.gaze)
        self._scene_seeds = rng.integers(2**62, size=self.visits)
        self._enter(0)

    def _enter(self, visit: int) -> None:
        """Stand in a scene of its own, holding the object."""
        rng = np.random.default_rng(int(self._scene_seeds[visit]))
        self.visit, self.scene_type = visit, self.scenes[rng.integers(len(self.scenes))]
        first, last = self.instances
        scene = make_scene(self.scene_type, rng, (first, min(last, first + STOCK)))
        self.world.reset()
        self._take_up(rng)
        self.world.add_scene(scene, structure=True)  # what stands around is background: masks show the object alone
        self.floor = Floor(scene, HEIGHT_M)
        reach = min(self._before_eye[0] + self.object_radius, REACH_M)
        room = float(self.floor.grid.max()) - 0.1
        self.wheels = Wheels(self.world, self.floor, max(RADIUS_M, min(reach, room)))
        self.position, self.heading = self.wheels.start(rng)

    def _take_up(self, rng: np.random.Generator) -> None:
        """Hold the object elsewhere, in another hand: else its place or the hand would give it away."""
        half_view = exact.arctan2(self.camera.height / 2, float(self.camera.intrinsics[1, 1]))
        ahead = self.object_radius * rng.uniform(*self.distances) / exact.sin(half_view)
        left, up = rng.uniform(-self.aside, self.aside, 2) * self.object_radius
        self._before_eye = np.array([ahead, left, up])  # in the eye's frame
        room = (self.camera_height - self.object_radius * (1 + self.aside) - ABOVE_FLOOR_M) / ahead
        steepest = min(self.gaze, exact.arcsin(min(max(room, 0.0), 1.0)))
        higher, further = rng.uniform(-self.turned, self.turned, 2).tolist()
        self.down = min(max(self._down + higher, 0.0), steepest)  # how far the eye looks down in this scene, rad
        around, lean = self._around + further, rng.uniform(-LEAN, LEAN)
        turns = [[0.0, 0.0, around], [lean, 0.0, 0.0], [0.0, -self.down, 0.0]]
        first, second, third = (quaternion_of(np.array(turn)) for turn in turns)
        self.turn = times(third, times(second, first))  # of the object in the eye's frame, (x, y, z, w)
        self._carriers = [self._carry(self._held)]
        if self.hand:
            self._carriers.append(self._carry(make_hand(self.object_radius, int(rng.integers(len(TONES))))))

    def _carry(self, asset: Any) -> int:
        """The body that an asset follows; nothing touches it."""
        body = pybullet.createMultiBody(0, -1, -1, physicsClientId=self.world.client)
        # So near the eye a shadow map of the room is too coarse; and it stays the same while what is held moves.
        parts = tuple(replace(part, casts_shadow=False) for part in asset.parts)
        self.world.follow(replace(asset, parts=parts), body)
        return body

    def _interact(self, interaction: NDArray[np.float64]) -> None:
        self._enter(int(interaction[0]))

    def step(self, action: NDArray[np.float32]) -> tuple[dict[str, NDArray[Any]], float, bool, bool, dict[str, Any]]:
        command = checked_action(action, self.action_space)
        noise, measures = self.np_random.normal(size=7), 1 + self.encoder_noise * self.np_random.normal(size=5)
        before = self._frame, self.pose, self._places
        self._steps += 1
        visit = self._steps * self.visits // self.length
        moves_on = visit != self.visit
        moved = self._move_on(visit) if moves_on else self._turn_and_drive(command, noise)
        self._look()
        info = self._info(command)
        if self.flow:
            info["flow"] = np.full((*self._frame.depth.shape, 2), np.nan) if moves_on else self._flow(*before)
        observation, ended = self._observe(moved * measures), self._steps >= self.length - 1
        return observation, exact.length(moved[:3]), False, ended, info

    def _move_on(self, visit: int) -> NDArray[np.float64]:
        self._past.append(np.array([visit], float))  # it changes the world: a copy has to do so as well
        self._enter(visit)
        return np.zeros(5)

    def _turn_and_drive(self, command: NDArray[np.float64], noise: NDArray[np.float64]) -> NDArray[np.float64]:
        """How the object was turned (rotation vector, rad), and how the body moved (m, rad)."""
        turned = command[:3] * (1 + self.motor_noise * noise[:3])
        self.turn = exact.unit(times(quaternion_of(turned), self.turn))
        return np.array([*turned, *self._drive(command[3:], noise[3:])])

    def _drive(self, command: NDArray[np.float64], noise: NDArray[np.float64]) -> tuple[float, float]:
        """Turn, then drive: the distance driven (m) and the yaw (rad)."""
        lost = 1 - self.slip * np.abs(noise[:2]) + self.motor_noise * noise[2:]
        forward, yaw = (command * lost).tolist()
        self.heading = wrapped(self.heading + yaw)
        self.position, driven = self.wheels.drive(self.position, self.heading, forward)
        return driven, yaw

    def _look(self) -> None:
        """Put object and hand before the eye, and take the image."""
        self._put_before_the_eye()
        self._frame = self.world.render(self.camera, self.pose)

    def _assume(self, state: dict[str, Any]) -> None:
        super()._assume(state)
        if self._start is not None:  # where things are in the simulator is no part of the state
            self._put_before_the_eye()

    def _put_before_the_eye(self) -> None:
        self.pose = eye_pose(self.position, self.heading, self.camera_height, -self.down)
        body, down = (quaternion_of(np.array(turn)) for turn in ([0.0, 0.0, self.heading], [0.0, self.down, 0.0]))
        eye = times(body, down)
        middle = self.pose[:3, 3] + rotated(eye, self._before_eye)
        turn = times(eye, self.turn)
        places = [(middle - rotated(turn, self._middle), turn), (middle, eye)][: len(self._carriers)]
        for carrier, (position, quaternion) in zip(self._carriers, places, strict=True):
            pybullet.resetBasePositionAndOrientation(
                carrier, position.tolist(), quaternion.tolist(), physicsClientId=self.world.client
            )
        self._places = matrices_of(*zip(*places, strict=True))  # [1 or 2, 4, 4], of the object and the hand
        self.object_pose = self._places[0]

    def _flow(self, frame: Frame, pose: NDArray[np.float64], places: Any) -> NDArray[np.float32]:
        """Optical flow from the frame before: the scene rests, and what is held moves with the body and the hand."""
        motions = [motion_between(then, now) for then, now in zip(places, self._places, strict=True)]
        moved = np.stack([np.eye(4), *motions])  # by what a mask shows: the scene, the object, the hand
        return optical_flow(self.camera, frame.depth, pose, self.pose, moved[frame.instance])

    def _observe(self, motor: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
        observation = observe(self._frame, self._depth, self._instance, motor)
        if self._instance:
            observation["instance"] = (observation["instance"] == HELD).astype(np.uint8)  # without the hand
        return observation

    def _info(self, command: NDArray[np.float64]) -> dict[str, Any]:
        return {
            "pose": self.pose.astype(np.float32),
            "object_pose": self.object_pose.astype(np.float32),
            "visit": self.visit,
            "scene": self.scene_type,
            "time": self._steps / self.metadata["render_fps"],
            "command": command.astype(np.float32),
        }

    def describe(self) -> dict[str, Any]:
        """What the episode shows: its first `scene`, `intrinsics` float64 [3, 3], and a row for the one held."""
        held = [row for row in describe_objects(self.world) if row["index"] == HELD]
        return {"scene": self.scene_type, "intrinsics": self.camera.intrinsics, "objects": held}

    def render(self) -> NDArray[np.uint8] | None:
        """What the eye sees, four times as large: uint8 [4·S, 4·S, 3]."""
        if self.render_mode is None:
            return None
        return self.world.render(self.camera.enlarged(4), self.pose).rgb


def _checked_distances(distances: Sequence[float]) -> tuple[float, float]:
    """A range of distances, [least, most]; ValueError where it is none."""
    least, most = map(float, distances) if len(distances) == 2 else (0.0, 0.0)
    if not 0.5 <= least <= most < np.inf:
        raise ValueError(f"distances is a range [least, most] with 0.5 ≤ least ≤ most, not {distances!r}")
    return least, most


def quaternion_of(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    """The quaternion (x, y, z, w) of a rotation vector [3], rad."""
    angle = exact.length(vector)
    axis = vector / angle if angle > 0 else np.zeros(3)
    return np.append(axis * exact.sin(angle / 2), exact.cos(angle / 2))


def times(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rotation b and then a, as quaternions (x, y, z, w)."""
    (ax, ay, az, aw), (bx, by, bz, bw) = a.tolist(), b.tolist()
    return np.array(
        [
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
            aw * bw - ax * bx - ay * by - az * bz,
        ]
    )


def rotated(turn: NDArray[np.float64], point: NDArray[np.float64]) -> NDArray[np.float64]:
    """A point [3] turned by a quaternion (x, y, z, w)."""
    (x, y, z, w), (px, py, pz) = turn.tolist(), point.tolist()
    tx, ty, tz = 2 * (y * pz - z * py), 2 * (z * px - x * pz), 2 * (x * py - y * px)
    return np.array([px + w * tx + y * tz - z * ty, py + w * ty + z * tx - x * tz, pz + w * tz + x * ty - y * tx])


def motion_between(then: NDArray[np.float64], now: NDArray[np.float64]) -> NDArray[np.float64]:
    """The motion [4, 4] of the world that brings one pose [4, 4] to another."""
    motion = np.eye(4)
    motion[:3, :3] = exact.product(now[:3, :3], then[:3, :3].T)
    motion[:3, 3] = now[:3, 3] - exact.product(then[:3, 3], motion[:3, :3].T)
    return motion
