"""What all tasks of closed-loop control share: the table, the body, observations, goals, rewards, the log."""

import math
from dataclasses import replace
from functools import cache
from typing import Annotated, Any, ClassVar, Literal

import gymnasium
import numpy as np
from numpy.typing import ArrayLike, NDArray

from embodied_ssl.envs.bodies.gripper import GRIP_N, OPENING_M
from embodied_ssl.envs.control.driven import make_driven
from embodied_ssl.envs.control.sensed import Place, Sensed
from embodied_ssl.envs.observation import checked_action, checked_instances, describe_objects, observe
from embodied_ssl.envs.simulated import SimulatedEnv
from embodied_ssl.envs.tabletop import (
    FIELD_OF_VIEW_RAD,
    VIEW_M,
    draw_light,
    draw_top,
    floor,
    put_around,
    settle,
    slab,
    table_top,
)
from embodied_ssl.envs.trajectory import Trajectory, steps_between
from embodied_ssl.envs.views import OVERHEAD, SCENE, WRIST, Overhead, Vector, View, Wrist, known_cameras, vector
from embodied_ssl.envs.world import exact
from embodied_ssl.envs.world.assets import Asset, Part
from embodied_ssl.envs.world.camera import Camera, look_at
from embodied_ssl.envs.world.engine import pybullet
from embodied_ssl.envs.world.geometry.mesh import cylinder, sphere
from embodied_ssl.envs.world.geometry.mesh_files import flat_texture
from embodied_ssl.envs.world.materials import MATERIALS
from embodied_ssl.envs.world.objects.sets import object_set
from embodied_ssl.envs.world.physics import World
from embodied_ssl.limits import Count, Limits, Positive, within_limits

LOW, HIGH = (-0.2, -0.2, 0.004, 0.0), (0.2, 0.2, 0.3, np.pi)
"""Where the tip can be sent (x, y, z, m), and the yaw (rad)."""
SPEED_MPS, TURN_RADPS = 0.6, 2.0  # of the tip at most
_SPEEDS = (SPEED_MPS, SPEED_MPS, SPEED_MPS, TURN_RADPS)
START: Place = (0.0, 0.0, 0.2)
START_YAW = np.pi / 2
WIDEST_M, SHARE_OF_GRIP = 0.068, 0.6  # of objects that the fingers hold; more weight slips when it is moved
MOST_DRAWS = 1000  # for one of them
DROP_M = 0.0002  # objects are let go this far above the table
PROPRIOCEPTION = 9  # numbers that a body feels of itself
FAR = 1e6  # no number of a state is larger


class ControlEnv(SimulatedEnv):
    """A body at a table with a goal, told 20 times in a second what to do next.

    Observation: a Dict as Gymnasium-Robotics has it: `observation` float32 [D], what the body feels of itself (tip m,
    its velocity m/s, sine and cosine of twice the yaw, width between the fingers m: `PROPRIOCEPTION` numbers), then of
    each object position m, quaternion (x, y, z, w), velocity m/s, turning rad/s and size m; `achieved_goal` and
    `desired_goal` float32 [G]. With `cameras` also an image of each by its name, uint8 [S, S, 3], and
    `proprioception`, the first numbers of `observation`: what is left to act on when the objects are to be seen.
    Action: float32, each number in [−1, 1]: the velocity of the tip along x, y, z in units of 0.6 m/s and, where the
    task needs fingers, the rate of the yaw in units of 2 rad/s and the width between them (−1 closed, 1 open). With
    `control="joints"`, the rates of the joints in units of the fastest instead of those of tip and yaw.
    Reward: sparse: 0 where the goal is achieved, else −1; dense: the negative distance of the goals. `compute_reward`
    gives it for any two arrays of goals [..., G].
    An episode ends where the goal is achieved (`terminated`), or after `length` steps (`truncated`).
    info of a step: `is_success`. With `trajectory`, at the end of an episode also `record` (the fields
    `interactions/*` of the data schema that are no images), `views` (what the overhead camera saw before and after,
    the robot out of view) and `steps`, a list of samples, each a dictionary of the fields `steps/*`.
    """

    FINGERS: ClassVar[bool] = True
    """Whether actions turn and close the hand; else it stays closed."""
    GOAL: ClassVar[tuple[str, ...]] = ("x (m)", "y (m)", "z (m)")
    """The numbers of a goal."""
    TOLERANCE: ClassVar[float] = 0.02
    """The goal is achieved within this distance."""
    MARKER_M: ClassVar[float] = 0.012
    """Radius of the ball that shows the goal, or of the disc, where it is a place on the table; 0: none."""
    STATE: ClassVar[int] = 0
    """Numbers of the state of what is on the table: 16 of each object."""
    CATEGORIES: ClassVar[str] = ""
    """Of objects, where none are asked for."""
    STEP_S: ClassVar[float] = 1 / 240
    """Of the physics at most, where none is asked for and the body allows it; what fingers hold needs short ones."""
    ITERATIONS: ClassVar[int] = 50  # of the contact solver
    SIMULATED = frozenset({"world", "objects", "driven", "act"})
    metadata = {"render_modes": ["rgb_array", "rgb_array_list"], "render_fps": 20}  # noqa: RUF012

    @within_limits
    def __init__(
        self,
        size: Count = 128,
        depth: bool = False,
        instance: bool = False,
        length: Count = 100,
        body: str = "floating",
        control: Literal["tip", "joints"] = "tip",
        reward: Literal["sparse", "dense"] = "sparse",
        categories: str = "",
        objects: str = "household",
        instances: tuple[int, int] = (0, 64),
        time_step: Annotated[float, Limits(1e-4, 0.05)] | None = None,
        textures: str = "",
        renderer: str = "raster",
        shadows: bool = True,
        antialias: Count = 2,
        trajectory: bool = False,
        rate: Annotated[float, Limits(0.1, 1000)] = 20.0,
        cameras: tuple[str, ...] = (),
        overhead: Overhead = OVERHEAD,
        scene: View = SCENE,
        wrist: Wrist = WRIST,
        table_size: Annotated[float, Limits(0.6, 3.0)] = 1.0,
        table_height: Positive = 0.75,
        base: Vector | None = None,
        gui: bool = False,
        render_mode: str | None = None,
    ):
        """Set up a table and what acts on it; the task comes with `reset`.

        Args:
            size: of the overhead images before and after an episode that is logged, px.
            depth: log metric depth.
            instance: log instance masks.
            length: steps of an episode at most.
            body: floating (a gripper without an arm, fast), panda (Franka's arm), the .urdf or .toml file of another
                arm, or module:Class of your own.
            control: what actions move: the tip, or the joints.
            reward: sparse (0 where the goal is achieved, else −1) or dense (the negative distance to it).
            categories: of objects to draw from, separated by commas; empty: those that the task is made for.
            objects: household (generated), random_urdfs (PyBullet's), a folder of mesh and .urdf files, or module:Name.
            instances: which instances of a category to draw from, [first, last).
            time_step: of the physics, 0.0001 to 0.05 s; None: as long as the task and the body allow.
            textures: a folder of images that everything wears instead of the generated textures; empty: none.
            renderer: raster (fast) or tiny (PyBullet's, for reference).
            shadows: draw shadows.
            antialias: samples per pixel and axis.
            trajectory: log the whole of each episode: the body, what it is told, forces, images of the cameras.
            rate: of the steps, Hz; a time_step that is given needs to be a whole fraction of one.
            cameras: that are observed and logged: of overhead, scene and wrist.
            overhead: the camera of that name; that of the images before and after stays where it is.
            scene: a camera beside the table, with the robot in view; `render` shows what it sees.
            wrist: a camera on the hand.
            table_size: side of its square top, m.
            table_height: of its top above the floor, m; the origin is the middle of its top.
            base: where an arm stands, x y z, m; None: where it usually does.
            gui: show PyBullet's window, which has the arm and what collides.
            render_mode: None, rgb_array or, for all images since the last call, rgb_array_list.

        Raises ValueError for a setting that is none.
        """
        self.length, self.reward, self.control = length, reward, control
        self.instances = checked_instances(instances)
        self.camera = Camera.from_fov(size, size, FIELD_OF_VIEW_RAD)
        self.camera_pose = look_at((0, 0, VIEW_M / 2 / exact.tan(FIELD_OF_VIEW_RAD / 2)), (0, 0, 0), (0, 1, 0))
        self.render_mode = render_mode
        self._depth, self._instance, self._trajectory = depth, instance, trajectory
        self.metadata = {**self.metadata, "render_fps": rate}
        self._seconds = 1 / rate
        self._draws = trajectory or bool(cameras) or render_mode is not None
        views = {"overhead": overhead, "scene": scene, "wrist": wrist}
        look = {"renderer": renderer, "shadows": shadows, "antialias": antialias, "textures": textures}
        super().__init__(
            {
                "objects": objects,
                "categories": categories or (self.CATEGORIES if objects == "household" else ""),
                "body": body,
                "base": None if base is None else vector("base", base),
                "table": (table_size, table_height),
                "world": look | {"time_step": time_step, "gui": gui},
                "act": {
                    "rate": rate,
                    "views": {name: views[name] for name in known_cameras(cameras, views)},
                    "layers": ("rgb", *(["depth"] if depth else []), *(["instance"] if instance else [])),
                    "log": trajectory,
                    "filmed": None if render_mode is None else replace(scene, image_size=4 * size),
                    "whole_film": render_mode == "rgb_array_list",
                },
            }
        )
        joints = len(self.driven.speeds) if control == "joints" else 4 if self.FINGERS else 3
        self.action_space = gymnasium.spaces.Box(-1, 1, (joints + self.FINGERS,), np.float32)
        sizes = {"observation": PROPRIOCEPTION + self.STATE}
        sizes |= dict.fromkeys(("achieved_goal", "desired_goal"), len(self.GOAL))
        sizes |= {"proprioception": PROPRIOCEPTION} if cameras else {}
        spaces: dict[str, gymnasium.spaces.Space[Any]] = {
            name: gymnasium.spaces.Box(-FAR, FAR, (count,), np.float32) for name, count in sizes.items()
        }
        for name, camera in self.act.cameras.items():
            spaces[name] = gymnasium.spaces.Box(0, 255, (camera.height, camera.width, 3), np.uint8)
        self.observation_space = gymnasium.spaces.Dict(spaces)

    @property
    def numbers(self) -> list[str]:
        """What the numbers of an action are."""
        moves = [f"velocity of the tip along {axis} ({SPEED_MPS} m/s)" for axis in "xyz"]
        moves += [f"rate of the yaw ({TURN_RADPS} rad/s)"] if self.FINGERS else []
        if self.control == "joints":
            moves = [f"rate of joint {joint} ({speed:g} per s)" for joint, speed in enumerate(self.driven.speeds)]
        return [*moves, *(["width between the fingers: −1 closed, 1 open"] if self.FINGERS else [])]

    def _connect(self) -> None:
        self.objects = object_set(self._settings["objects"], self._settings["categories"])
        self.driven = make_driven(self._settings["body"], self._settings["base"])
        rate, world = self._settings["act"]["rate"], dict(self._settings["world"])
        if world["time_step"] is None:
            world["time_step"] = 1 / rate / math.ceil(1 / rate / min(self.STEP_S, self.driven.step_s) - 1e-6)
        self._substeps = steps_between(rate, world["time_step"])
        self.world = World(**world, iterations=self.ITERATIONS)
        gripper: Any = self.driven  # as far as a trajectory asks
        self.act = Trajectory(self.world, gripper, **self._settings["act"])

    def _arrange(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """Put what the task needs on the table, with `_put`; the goal [G]."""
        raise NotImplementedError

    def _achieved(self, sensed: Sensed) -> NDArray[np.float64]:
        """What has been achieved so far, [G]."""
        raise NotImplementedError

    def distance(self, achieved: NDArray[Any], desired: NDArray[Any]) -> Any:
        """How far goals [..., G] are from others."""
        return exact.length(achieved - desired)

    def compute_reward(self, achieved_goal: ArrayLike, desired_goal: ArrayLike, info: Any = None) -> Any:
        """The rewards [...] where goals [..., G] are achieved and others desired."""
        far = self.distance(np.asarray(achieved_goal), np.asarray(desired_goal))
        return -np.float32(far > self.TOLERANCE) if self.reward == "sparse" else -np.float32(far)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Another table, light, objects and goal."""
        self._begin(seed, options)
        if self._trajectory:
            self._before, self._poses_before = self._look(), self._poses()
        return self._observe(), {"is_success": False}

    def _set_up(self, options: dict[str, Any] | None) -> None:
        rng = self.np_random
        light, top = draw_light(rng), draw_top(rng)
        self.world.reset(light)
        side, height = self._settings["table"]
        self.world.add(slab(side), structure=True)
        self.world.add(floor(height), structure=True)
        if self._draws:
            self.world.add(table_top(top, side), structure=True)
        self._sizes: list[list[float]] = []
        self.driven.load(self.world)
        self.goal = self._arrange(rng).astype(np.float32)
        if self.act.draws:
            self.driven.show()
            put_around(self.world, getattr(self.driven, "arm", None), side, height)
        if self._draws and self.MARKER_M:
            self.world.add(_marker(self.MARKER_M, len(self.GOAL) < 3), (*self.goal.tolist(), 0.001)[:3], structure=True)
        self.driven.start(START, START_YAW, OPENING_M if self.FINGERS else 0.0)
        self._told, self._told_angles = [*START, START_YAW], self.driven.angles().tolist()
        settle(self.world, range(1, len(self._sizes) + 1), every=4, most=24)
        self.act.begin()

    def _put(self, asset: Asset, place: NDArray[np.float64], turn: float) -> int:
        """Stand an asset on the table: its instance id. place: [2], m. turn: about z, rad."""
        low, high = asset.bounds.tolist()
        self._sizes.append([b - a for a, b in zip(low, high, strict=True)])
        quaternion = (0.0, 0.0, exact.sin(turn / 2), exact.cos(turn / 2))
        return self.world.add(asset, (*place.tolist(), DROP_M - low[2]), quaternion)

    def _draw_object(self, rng: np.random.Generator, held: bool = False) -> Asset:
        """An object drawn at random. held: one that fits between the fingers, and that they can hold.

        Raises ValueError where there is none in many draws.
        """
        for _ in range(MOST_DRAWS):
            category = self.objects.categories[rng.integers(len(self.objects.categories))]
            asset = self.objects.make(category, int(rng.integers(*self.instances)))
            wide, deep, _ = (asset.bounds[1] - asset.bounds[0]).tolist()
            grip = 2 * GRIP_N * asset.material.friction  # N that the fingers hold
            if not held or (min(wide, deep) < WIDEST_M and 9.81 * asset.mass < SHARE_OF_GRIP * grip):
                return asset
        raise ValueError(f"categories: of {MOST_DRAWS} objects none is narrow and light enough for the fingers")

    def step(self, action: NDArray[np.float32]) -> tuple[dict[str, NDArray[Any]], float, bool, bool, dict[str, Any]]:
        told = checked_action(action, self.action_space)
        self._interact(told)
        self._past.append(told)
        observation = self._observe()
        far = self.distance(observation["achieved_goal"], observation["desired_goal"])
        success = bool(far <= self.TOLERANCE)
        reward = float(success) - 1.0 if self.reward == "sparse" else -float(far)
        truncated = len(self._past) >= self.length and not success
        info: dict[str, Any] = {"is_success": success}
        if success or truncated:
            self.act.end()
            if self._trajectory:
                info |= self._log(success, reward)
        return observation, reward, success, truncated, info

    def _interact(self, interaction: NDArray[np.float64]) -> None:
        """Do what an action says for the time of a step."""
        *moves, last = interaction.tolist() if self.FINGERS else (*interaction.tolist(), -1.0)
        width = 0.5 * (last + 1.0) * OPENING_M
        sensed, seconds = self.driven.sense(), self._seconds
        if self.control == "joints":
            angles, speeds = self.driven.angles().tolist(), self.driven.speeds.tolist()
            for joint, (move, now, speed) in enumerate(zip(moves, angles, speeds, strict=True)):
                self._told_angles[joint] = _ahead(
                    self._told_angles[joint], now, move * speed * seconds, speed * seconds
                )
            self.driven.turn(np.array(self._told_angles), width, seconds)
        else:
            here = (*sensed.tip, sensed.yaw)
            for axis, (move, now) in enumerate(zip(moves if self.FINGERS else (*moves, 0.0), here, strict=True)):
                most = _SPEEDS[axis] * seconds
                told = _ahead(self._told[axis], now, move * most, most)
                self._told[axis] = min(max(told, LOW[axis]), HIGH[axis])
            self.driven.go(np.array(self._told[:3]), self._told[3], width, seconds)
        state = self._task_state(sensed) if self._trajectory else {}
        self.world.step(self._substeps)
        if self._trajectory:
            self.act.samples[-1] |= state | {"control": interaction}

    def _task_state(self, sensed: Sensed) -> dict[str, Any]:
        """What the log says of the task at this moment."""
        achieved = self._achieved(sensed).astype(np.float32)
        reward = self.compute_reward(achieved, self.goal) if self.act.samples else 0.0
        return {"observation": self._felt(sensed), "achieved_goal": achieved, "reward": np.array(reward)}

    def _observe(self) -> dict[str, NDArray[Any]]:
        sensed = self.driven.sense()
        observation: dict[str, NDArray[Any]] = {
            "observation": self._felt(sensed),
            "achieved_goal": self._achieved(sensed).astype(np.float32),
            "desired_goal": self.goal.copy(),
        }
        if self.act.cameras:
            observation["proprioception"] = observation["observation"][:PROPRIOCEPTION].copy()
            observation |= self.act.images()
        return observation

    def _felt(self, sensed: Sensed) -> NDArray[np.float32]:
        """What the body feels of itself, and the state of the objects, [D]."""
        yaw = 2 * sensed.yaw
        felt = [*sensed.tip, *sensed.velocity, exact.sin(yaw), exact.cos(yaw), sensed.width]
        return np.array([*felt, *self._state_of_objects()], np.float32)

    def _state_of_objects(self) -> list[float]:
        """Position, quaternion, velocity, turning and size of each object that was `_put`, one after the other."""
        state: list[float] = []
        for instance, size in enumerate(self._sizes, 1):
            body, client = self.world.body(instance), self.world.client
            position, quaternion = pybullet.getBasePositionAndOrientation(body, physicsClientId=client)
            velocity, turning = pybullet.getBaseVelocity(body, physicsClientId=client)
            state += (*position, *quaternion, *velocity, *turning, *size)
        return state

    def _place_of(self, instance: int) -> Place:
        """Where the middle of an object is, m."""
        body = self.world.body(instance)
        place: Place = pybullet.getBasePositionAndOrientation(body, physicsClientId=self.world.client)[0]
        return place

    def _log(self, success: bool, reward: float) -> dict[str, Any]:
        """What the log of an episode holds, at its end."""
        self.act.samples[-1] |= self._task_state(self.driven.sense()) | {"control": np.zeros(self.action_space.shape)}
        aimed = int(bool(self.world.assets))
        before, after = self._poses_before, self._poses()
        blank = np.zeros(7, np.float32)
        (pixel,), _ = self.camera.project(
            (before[:1, :3] if aimed else np.array([(*self.goal, 0.0)[:3]])), self.camera_pose
        )
        record = {
            "pixel": pixel.astype(np.float32),
            "object": aimed or -1,
            "pose_before": before[0] if aimed else blank,
            "pose_after": after[0] if aimed else blank,
            "success": success,
            "goal": self.goal,
            "time": 0.0,
            "reward": reward,
            "objects_before": before,
            "objects_after": after,
        }
        return {"record": record, "views": (self._before, self._look()), "steps": self.act.samples}

    def _poses(self) -> NDArray[np.float32]:
        """Position and quaternion of every object, float32 [K, 7]; of none NaN."""
        poses = [np.concatenate(self.world.pose(instance)) for instance in self.world.assets]
        return np.array(poses or [np.full(7, np.nan)], np.float32)

    def _look(self) -> dict[str, NDArray[Any]]:
        """What the overhead camera sees."""
        return observe(self.world.render(self.camera, self.camera_pose), self._depth, self._instance)

    def describe(self) -> dict[str, Any]:
        """What the episode shows: `scene`, `intrinsics`, `camera_pose` [4, 4], a row for each of its `objects`.

        Also `intrinsics_NAME` [3, 3] of the cameras.
        """
        return {
            "scene": "table",
            "intrinsics": self.camera.intrinsics,
            "camera_pose": self.camera_pose.astype(np.float32),
            "objects": describe_objects(self.world),
            **{f"intrinsics_{name}": camera.intrinsics for name, camera in self.act.cameras.items()},
        }

    def render(self) -> NDArray[np.uint8] | list[NDArray[np.uint8]] | None:  # type: ignore[override]
        """What `scene` sees now, uint8 [4·S, 4·S, 3]; in the mode `rgb_array_list` all images since the last call."""
        if self.render_mode is None:
            return None
        if self.render_mode == "rgb_array":
            return self.act.image()
        film, self.act.film = self.act.film or [self.act.image()], []
        return film


def _ahead(told: float, now: float, way: float, most: float) -> float:
    """What to tell a body that is to go on from where it is now, and to stay where it was told if it is not to move.

    It is told no farther than `most` from where it is: what holds it up is not pressed ever harder.
    """
    return now + way if way else min(max(told, now - most), now + most)


@cache
def _marker(radius: float, flat: bool) -> Asset:
    """What shows a goal: a ball, or a disc on the table."""
    mesh = cylinder(radius, 0.001, 20) if flat else sphere(radius, 10)
    part = Part(mesh, flat_texture((40, 200, 80)), emission=0.5, casts_shadow=False)
    return Asset("goal", 0, MATERIALS["plastic"], (part,), ())
