"""OrbitEnv: a camera on the viewing sphere of one object, the setting of NORB (LeCun, Huang & Bottou 2004)."""

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from embodied_ssl.envs.observation import (
    checked_action,
    checked_instances,
    describe_objects,
    observation_space,
    observe,
)
from embodied_ssl.envs.simulated import SimulatedEnv
from embodied_ssl.envs.world import exact
from embodied_ssl.envs.world.assets import Asset, Light, Part
from embodied_ssl.envs.world.camera import Camera, look_at, optical_flow
from embodied_ssl.envs.world.geometry.mesh import quad
from embodied_ssl.envs.world.materials import MATERIALS
from embodied_ssl.envs.world.objects.sets import object_set
from embodied_ssl.envs.world.physics import World
from embodied_ssl.envs.world.textures.families import texture
from embodied_ssl.limits import Angle, Count, Share, within_limits

ELEVATION_RAD = (0.1, 1.4)
GROUNDS = ("planks", "parquet", "tile", "marble", "terrazzo", "concrete", "carpet", "cloth", "plaster", "grass", "sand")
GROUND_SIDE_M = 6.0


class OrbitEnv(SimulatedEnv):
    """A camera that circles one object, which stands on a textured ground under a sun and a sky.

    Action, float32 [2]: change of azimuth and of elevation until the next frame, rad, at most 0.5 either way. What
    happens is the command with motor noise; elevation stays between 0.1 and 1.4 rad. `motor`, in the observation, is
    what the joints measured of it.
    Observation: `rgb` uint8 [S, S, 3]; `motor` float32 [2] (Δazimuth, Δelevation, rad) of the motion that led here,
    zeros at the start; if asked for, `depth` float32 [S, S] (m, 0 = nothing) and `instance` uint8 [S, S].
    Reward: the angle travelled, rad. Episodes end (truncated) after `length` frames, the one of `reset` included.
    info: `pose` float32 [4, 4], camera-to-world; `time`, s; `command` float32 [2]; with flow=True also `flow` float32
    [S, S, 2], px from the frame before to this one.
    """

    SIMULATED = frozenset({"world", "objects"})

    @within_limits
    def __init__(
        self,
        size: Count = 96,
        depth: bool = False,
        instance: bool = False,
        flow: bool = False,
        length: Count = 100,
        categories: Sequence[str] | str = "",
        field_of_view: Angle = 0.6,
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
        """Set up a camera; the object comes with `reset`.

        Args:
            size: of the square image, px.
            depth: observe metric depth.
            instance: observe instance masks.
            flow: give optical flow in info.
            length: frames of an episode.
            categories: of objects to draw from, a sequence or separated by commas; empty: all.
            field_of_view: rad, in (0, π).
            motor_noise: relative standard deviation of what the motors do.
            encoder_noise: relative standard deviation of what the joints measure.
            objects: household (generated), random_urdfs (PyBullet's), a folder of mesh and .urdf files, or module:Name.
            instances: which instances of a category to draw from, [first, last).
            textures: a folder of images that everything wears instead of the generated textures; empty: none.
            renderer: raster (fast) or tiny (PyBullet's, for reference).
            shadows: draw shadows.
            antialias: samples per pixel and axis.
            render_mode: None or rgb_array.

        Raises ValueError for a setting that is none.
        """
        self.length, self.flow = length, flow
        self.instances = checked_instances(instances)
        self.motor_noise, self.encoder_noise = motor_noise, encoder_noise
        self.camera = Camera.from_fov(size, size, field_of_view)
        self.render_mode = render_mode
        self._depth, self._instance = depth, instance
        look = {"renderer": renderer, "shadows": shadows, "antialias": antialias, "textures": textures}
        super().__init__({"objects": objects, "categories": categories, "world": look})
        self.action_space = gymnasium.spaces.Box(-0.5, 0.5, (2,), np.float32)
        self.observation_space = observation_space(size, depth, instance, motor_size=2)

    def _connect(self) -> None:
        self.objects = object_set(self._settings["objects"], self._settings["categories"])
        self.world = World(**self._settings["world"])

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """A new object, ground, light and first view. options: `category` and `instance` (a number) fix the object."""
        self._begin(seed, options)
        self._steps = 0
        self._look()
        return observe(self._frame, self._depth, self._instance, np.zeros(2)), self._info(np.full(2, np.nan))

    def _set_up(self, options: dict[str, Any] | None) -> None:
        rng = self.np_random
        category = self.objects.categories[rng.integers(len(self.objects.categories))]
        instance = int(rng.integers(*self.instances))
        if options:
            category, instance = options.get("category", category), options.get("instance", instance)
        asset = self.objects.make(category, instance)
        low, high = asset.bounds
        self.world.reset(_draw_light(rng))
        self.world.add(_ground(rng), structure=True)
        turn = rng.uniform(-np.pi, np.pi)
        self.world.add(asset, (0, 0, -float(low[2])), (0, 0, exact.sin(turn / 2), exact.cos(turn / 2)))
        self.target = np.array([0, 0, float(high[2] - low[2]) / 2])
        radius = exact.length(high - low) / 2
        self.distance = radius * rng.uniform(1.05, 1.35) / exact.sin(self._half_view())
        self.azimuth, self.elevation = float(rng.uniform(-np.pi, np.pi)), float(rng.uniform(0.2, 1.2))

    def step(self, action: NDArray[np.float32]) -> tuple[dict[str, NDArray[Any]], float, bool, bool, dict[str, Any]]:
        command = checked_action(action, self.action_space)
        before, pose_before = self._frame, self.pose
        turned = command * (1 + self.motor_noise * self.np_random.normal(size=2))
        elevation = float(np.clip(self.elevation + turned[1], *ELEVATION_RAD))
        turned[1] = elevation - self.elevation
        self.azimuth = float((self.azimuth + turned[0] + np.pi) % (2 * np.pi) - np.pi)
        self.elevation = elevation
        measured = turned * (1 + self.encoder_noise * self.np_random.normal(size=2))
        self._steps += 1
        self._look()
        info = self._info(command)
        if self.flow:
            info["flow"] = optical_flow(self.camera, before.depth, pose_before, self.pose)
        observation = observe(self._frame, self._depth, self._instance, measured)
        return observation, float(np.abs(turned).sum()), False, self._steps >= self.length - 1, info

    def _half_view(self) -> float:
        return exact.arctan2(self.camera.height / 2, float(self.camera.intrinsics[1, 1]))

    def _look(self) -> None:
        """Take the image from azimuth and elevation, towards the object's middle."""
        level = exact.cos(self.elevation)
        outward = np.array(
            [level * exact.cos(self.azimuth), level * exact.sin(self.azimuth), exact.sin(self.elevation)]
        )
        self.pose = look_at(self.target + self.distance * outward, self.target)
        self._frame = self.world.render(self.camera, self.pose)

    def _info(self, command: NDArray[np.float64]) -> dict[str, Any]:
        return {
            "pose": self.pose.astype(np.float32),
            "time": self._steps / self.metadata["render_fps"],
            "command": command.astype(np.float32),
        }

    def describe(self) -> dict[str, Any]:
        """What the episode shows: `scene`, `intrinsics` float64 [3, 3], and a row for its object in `objects`."""
        return {"scene": "orbit", "intrinsics": self.camera.intrinsics, "objects": describe_objects(self.world)}

    def render(self) -> NDArray[np.uint8] | None:
        """What the camera sees, four times as large: uint8 [4·S, 4·S, 3]."""
        if self.render_mode is None:
            return None
        return self.world.render(self.camera.enlarged(4), self.pose).rgb


def _draw_light(rng: np.random.Generator) -> Light:
    """A sun somewhere above, between warm and cold, and a sky of any pale colour."""
    azimuth, elevation = rng.uniform(-np.pi, np.pi), rng.uniform(0.6, 1.4)
    warmth, strength = rng.uniform(-0.08, 0.08), rng.uniform(0.45, 0.75)
    sky = rng.uniform(0.3, 0.5) * (1 + rng.uniform(-0.1, 0.1, 3))
    backdrop = rng.uniform(0.1, 0.9) * (1 + rng.uniform(-0.25, 0.25, 3))
    level = exact.cos(elevation)
    return Light(
        direction=(level * exact.cos(azimuth), level * exact.sin(azimuth), exact.sin(elevation)),
        sun=(strength * (1 + warmth), strength, strength * (1 - warmth)),
        sky=tuple(sky),
        ground=tuple(0.5 * sky),
        horizon=tuple(backdrop),
        zenith=tuple(0.6 * backdrop),
    )


def _ground(rng: np.random.Generator) -> Asset:
    family = GROUNDS[rng.integers(len(GROUNDS))]
    half, tile = GROUND_SIDE_M / 2, float(rng.uniform(0.3, 0.8))
    surface = quad((-half, -half, 0), (2 * half, 0, 0), (0, 2 * half, 0), tile)
    return Asset("ground", 0, MATERIALS["wood"], (Part(surface, texture(family, int(rng.integers(16)))),), ())
