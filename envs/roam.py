"""RoamEnv: a wheeled body with a forward camera in a furnished scene."""

import math
from collections.abc import Sequence
from typing import Annotated, Any

import gymnasium
import numpy as np
from numpy.typing import ArrayLike, NDArray

from embodied_ssl.envs.bodies.wheeled import HEIGHT_M, Wheels, eye_pose, wrapped
from embodied_ssl.envs.observation import (
    checked_action,
    checked_instances,
    describe_objects,
    observation_space,
    observe,
)
from embodied_ssl.envs.simulated import SimulatedEnv
from embodied_ssl.envs.world.camera import Camera, optical_flow
from embodied_ssl.envs.world.floor import Floor
from embodied_ssl.envs.world.physics import World
from embodied_ssl.envs.world.scenes.types import SCENE_TYPES, checked_types, make_scene
from embodied_ssl.limits import Angle, Count, Limits, Positive, Share, within_limits


class RoamEnv(SimulatedEnv):
    """A wheeled body that looks ahead while it drives through a scene, and stops at obstacles.

    Action, float32 [2]: forward distance (m, at most 0.25 either way) and yaw (rad, left positive, at most 0.5) until
    the next frame; it turns, then drives. What happens is the command with slip and motor noise; `motor`, in the
    observation, is what odometry measured of it, to a percent or so.
    Observation: `rgb` uint8 [S, S, 3]; `motor` float32 [2] (m, rad) of the motion that led here, zeros at the start;
    if asked for, `depth` float32 [S, S] (m, 0 = nothing) and `instance` uint8 [S, S].
    Reward: the distance driven, in m. Episodes end (truncated) after `length` frames, the one of `reset` included.
    info: `pose` float32 [4, 4], camera-to-world; `time`, s; `command` float32 [2]; with flow=True also `flow` float32
    [S, S, 2], px from the frame before to this one.
    """

    SIMULATED = frozenset({"world", "scene", "floor", "wheels"})

    @within_limits
    def __init__(
        self,
        scenes: Sequence[str] | str = tuple(SCENE_TYPES),
        size: Count = 96,
        depth: bool = False,
        instance: bool = False,
        flow: bool = False,
        length: Count = 100,
        camera_height: Positive = 0.6,
        camera_pitch: Annotated[float, Limits(-math.pi / 2, math.pi / 2)] = 0.0,
        field_of_view: Angle = 1.2,
        slip: Share = 0.05,
        motor_noise: Share = 0.02,
        odometry_noise: Share = 0.01,
        instances: tuple[int, int] = (0, 64),
        textures: str = "",
        renderer: str = "raster",
        shadows: bool = True,
        antialias: Count = 2,
        render_mode: str | None = None,
    ):
        """Set up a body and its camera; the scene comes with `reset`.

        Args:
            scenes: types to draw from, a sequence or separated by commas.
            size: of the square image, px.
            depth: observe metric depth.
            instance: observe instance masks.
            flow: give optical flow in info.
            length: frames of an episode.
            camera_height: above the floor, m.
            camera_pitch: rad, up positive.
            field_of_view: rad, in (0, π).
            slip: mean share of the commanded motion that is lost.
            motor_noise: relative standard deviation of what the motors do.
            odometry_noise: relative standard deviation of what the odometry measures.
            instances: which instances of the small objects to draw from, [first, last).
            textures: a folder of images that everything wears instead of the generated textures; empty: none.
            renderer: raster (fast) or tiny (PyBullet's, for reference).
            shadows: draw shadows.
            antialias: samples per pixel and axis.
            render_mode: None or rgb_array.

        Raises ValueError for a setting that is none.
        """
        self.scenes = checked_types(scenes)
        self.length, self.flow = length, flow
        self.camera_height, self.camera_pitch = camera_height, camera_pitch
        self.slip, self.motor_noise, self.odometry_noise = slip, motor_noise, odometry_noise
        self.instances = checked_instances(instances)
        self.camera = Camera.from_fov(size, size, field_of_view)
        self.render_mode = render_mode
        self._depth, self._instance = depth, instance
        super().__init__({"renderer": renderer, "shadows": shadows, "antialias": antialias, "textures": textures})
        self.action_space = gymnasium.spaces.Box(np.array([-0.25, -0.5], np.float32), np.array([0.25, 0.5], np.float32))
        self.observation_space = observation_space(size, depth, instance, motor_size=2)

    def _connect(self) -> None:
        self.world = World(**self._settings)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """A new scene of a type drawn by seed, and a place in it. options: {"scene": a scene type} fixes the type."""
        self._begin(seed, options)
        self._steps = 0
        self._look()
        return self._observe((0.0, 0.0)), self._info(np.full(2, np.nan))

    def _set_up(self, options: dict[str, Any] | None) -> None:
        rng = self.np_random
        types = checked_types(options["scene"]) if options and "scene" in options else self.scenes
        self.scene = make_scene(types[rng.integers(len(types))], rng, self.instances)
        self.world.reset()
        self.world.add_scene(self.scene)
        self.floor = Floor(self.scene, HEIGHT_M)
        self.wheels = Wheels(self.world, self.floor)
        self.position, self.heading = self.wheels.start(rng)

    def step(self, action: NDArray[np.float32]) -> tuple[dict[str, NDArray[Any]], float, bool, bool, dict[str, Any]]:
        command = checked_action(action, self.action_space)
        before, pose_before = self._frame, self.pose
        driven, yaw = self._move(command)
        noise = self.np_random.normal(size=2).tolist()
        measured = driven * (1 + self.odometry_noise * noise[0]), yaw * (1 + self.odometry_noise * noise[1])
        self._steps += 1
        self._look()
        info = self._info(command)
        if self.flow:
            info["flow"] = optical_flow(self.camera, before.depth, pose_before, self.pose)
        return self._observe(measured), abs(driven), False, self._steps >= self.length - 1, info

    def _move(self, command: NDArray[np.float64]) -> tuple[float, float]:
        """Turn, then drive, with slip and noise: the distance driven (m) and the yaw (rad)."""
        (forward, yaw), noise = command.tolist(), self.np_random.normal(size=4).tolist()
        forward *= 1 - self.slip * abs(noise[0]) + self.motor_noise * noise[2]
        yaw *= 1 - self.slip * abs(noise[1]) + self.motor_noise * noise[3]
        self.heading = wrapped(self.heading + yaw)
        self.position, driven = self.wheels.drive(self.position, self.heading, forward)
        return driven, yaw

    def stand(self, position: ArrayLike, heading: float) -> None:
        """Put the body at a place [2] (m) of the scene, with a heading (rad); nothing else of the episode changes."""
        self.position, self.heading = np.array(position, float), wrapped(float(heading))

    def walk(self, turn: float, forward: float, then: float = 0.0) -> None:
        """Turn (rad), drive (m), and turn again, each in as many steps as actions allow, with their slip and noise."""
        most_forward, most_yaw = self.action_space.high.tolist()
        for distance, angle in ((0.0, turn), (forward, 0.0), (0.0, then)):
            steps = math.ceil(max(abs(distance) / most_forward, abs(angle) / most_yaw))
            for _ in range(steps):
                self._move(np.array([distance, angle]) / steps)

    def see(self) -> NDArray[np.uint8]:
        """What is seen from where the body stands, uint8 [S, S, 3]."""
        self._look()
        return self._frame.rgb

    def _look(self) -> None:
        """Take the image from where the body stands."""
        self.pose = eye_pose(self.position, self.heading, self.camera_height, self.camera_pitch)
        self._frame = self.world.render(self.camera, self.pose)

    def _observe(self, motor: ArrayLike) -> dict[str, NDArray[Any]]:
        return observe(self._frame, self._depth, self._instance, motor)

    def _info(self, command: NDArray[np.float64]) -> dict[str, Any]:
        return {
            "pose": self.pose.astype(np.float32),
            "time": self._steps / self.metadata["render_fps"],
            "command": command.astype(np.float32),
        }

    def describe(self) -> dict[str, Any]:
        """What the episode shows: `scene` type, `intrinsics` float64 [3, 3], and a row for each of its `objects`."""
        return {
            "scene": self.scene.type,
            "intrinsics": self.camera.intrinsics,
            "objects": describe_objects(self.world),
        }

    def render(self) -> NDArray[np.uint8] | None:
        """What the camera sees, four times as large: uint8 [4·S, 4·S, 3]."""
        if self.render_mode is None:
            return None
        return self.world.render(self.camera.enlarged(4), self.pose).rgb
