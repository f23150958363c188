"""A table with clutter on it, an overhead camera, and a gripper: what grasping, pushing and poking share."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, ClassVar

import gymnasium
import numpy as np
from numpy.typing import ArrayLike, NDArray

from embodied_ssl.envs.bodies.catalogue import make_gripper
from embodied_ssl.envs.observation import (
    checked_action,
    checked_instances,
    describe_objects,
    observation_space,
    observe,
)
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
from embodied_ssl.envs.trajectory import Trajectory
from embodied_ssl.envs.views import OVERHEAD, SCENE, WRIST, Overhead, Vector, View, Wrist, known_cameras, vector
from embodied_ssl.envs.world import exact
from embodied_ssl.envs.world.camera import Camera, look_at
from embodied_ssl.envs.world.objects.sets import object_set
from embodied_ssl.envs.world.physics import World
from embodied_ssl.envs.world.raster.frames import Frame
from embodied_ssl.limits import Count, Limits, Positive, within_limits

WORK_M = 0.23  # half the side of the square where objects are put
MOST_WIDE_M = 0.22  # wider objects stay in the cupboard
MOST_TRIES = 100  # to find one object that is not
DROP_M = 0.0002  # objects are let go this far above the table
ABOVE_M = 0.015  # the gripper starts an interaction this far above what is highest below it
TRAVEL_MPS = 0.6

Outcome = tuple[float, dict[str, Any]]  # the reward of an interaction, and the record of it


class TableEnv(SimulatedEnv):
    """Clutter on a table under an overhead camera; a step is one interaction of a gripper.

    Observation: `rgb` uint8 [S, S, 3], the gripper out of view; if asked for, `depth` float32 [S, S] (m) and
    `instance` uint8 [S, S].
    An episode is a task of `interactions` interactions on one table, one if not said otherwise; the last one ends it:
    `terminated`, whatever their number, for nothing comes after it on this table. Nothing is ever `truncated`; a limit
    that is no part of the task is Gymnasium's TimeLimit.
    Action: float32, each number in [−1, 1], which stands for the range of one number of the interaction;
    `interaction_of` and `action_of` turn one into the other.
    info of a step: `record`, the fields `interactions/*` of the data schema that are no images; with `trajectory` also
    `steps`, a list of the samples of the act, each a dictionary of the fields `steps/*`.
    """

    LOW: ClassVar[tuple[float, ...]] = ()  # of the numbers of an interaction after its image point
    HIGH: ClassVar[tuple[float, ...]] = ()
    NUMBERS: ClassVar[tuple[str, ...]] = ()  # their names, with units
    ROUND_FINGER: ClassVar[bool] = False  # one finger that feels, instead of two that grip
    GRIPS: ClassVar[bool] = False  # whether two fingers are needed
    ITERATIONS: ClassVar[int] = 50  # of the contact solver
    SIMULATED = frozenset({"world", "objects", "gripper", "act"})
    ADDED: ClassVar[tuple[str, ...]] = (
        "trajectory", "rate", "cameras", "overhead", "scene", "wrist", "table_size", "table_height", "base", "gui",
    )  # fmt: skip
    """Settings that came later: where all have their defaults, a data set is what it was before, and names none."""
    metadata = {"render_modes": ["rgb_array", "rgb_array_list"], "render_fps": 20}  # noqa: RUF012

    @within_limits
    def __init__(
        self,
        size: Count = 128,
        depth: bool = False,
        instance: bool = False,
        interactions: Count = 1,
        clutter: Count = 8,
        body: str = "floating",
        categories: Sequence[str] | str = "",
        objects: str = "household",
        instances: tuple[int, int] = (0, 64),
        time_step: Annotated[float, Limits(1e-4, 0.05)] = 1 / 240,
        textures: str = "",
        renderer: str = "raster",
        shadows: bool = True,
        antialias: Count = 2,
        trajectory: bool = False,
        rate: Annotated[float, Limits(0.1, 1000)] = 20.0,
        cameras: tuple[str, ...] = ("scene", "wrist"),
        overhead: Overhead = OVERHEAD,
        scene: View = SCENE,
        wrist: Wrist = WRIST,
        table_size: Annotated[float, Limits(0.6, 3.0)] = 1.0,
        table_height: Positive = 0.75,
        base: Vector | None = None,
        gui: bool = False,
        render_mode: str | None = None,
    ):
        """Set up a table and what acts on it; the clutter comes with `reset`.

        Args:
            size: of the square images, px.
            depth: observe metric depth.
            instance: observe instance masks.
            interactions: interactions of an episode.
            clutter: objects on the table; fewer where no more find room.
            body: floating (a gripper without an arm, fast), panda (Franka's arm), the .urdf or .toml file of another
                arm, or module:Class of your own.
            categories: of objects to draw from, a sequence or separated by commas; empty: all.
            objects: household (generated), random_urdfs (PyBullet's), a folder of mesh and .urdf files, or module:Name.
            instances: which instances of a category to draw from, [first, last).
            time_step: of the physics, 0.0001 to 0.05 s.
            textures: a folder of images that everything wears instead of the generated textures; empty: none.
            renderer: raster (fast) or tiny (PyBullet's, for reference).
            shadows: draw shadows.
            antialias: samples per pixel and axis.
            trajectory: log the whole of each act: the body, what it is told, forces, images of the cameras.
            rate: of its samples, Hz; the physics needs a whole number of steps for each.
            cameras: whose images a trajectory has: of overhead, scene and wrist.
            overhead: the camera of that name in a trajectory; that of the images before and after stays where it is.
            scene: a camera beside the table, with the robot in view; `render` shows what it sees.
            wrist: a camera on the hand.
            table_size: side of its square top, m.
            table_height: of its top above the floor, m; the origin is the middle of its top.
            base: where an arm stands, x y z, m; None: where it usually does.
            gui: show PyBullet's window, which has the arm and what collides.
            render_mode: None, rgb_array or, for all images of an act, rgb_array_list.

        Raises ValueError for a setting that is none.
        """
        self.interactions, self.clutter = interactions, clutter
        self.instances = checked_instances(instances)
        self.camera = Camera.from_fov(size, size, FIELD_OF_VIEW_RAD)
        self.camera_height = VIEW_M / 2 / exact.tan(FIELD_OF_VIEW_RAD / 2)
        self.camera_pose = look_at((0, 0, self.camera_height), (0, 0, 0), (0, 1, 0))
        self.render_mode = render_mode
        self._depth, self._instance = depth, instance
        self.metadata = {**self.metadata, "render_fps": rate if render_mode == "rgb_array_list" else 1}
        self._trajectory, views = trajectory, {"overhead": overhead, "scene": scene, "wrist": wrist}
        filmed = None if render_mode is None else replace(scene, image_size=4 * size)
        look = {"renderer": renderer, "shadows": shadows, "antialias": antialias, "textures": textures}
        super().__init__(
            {
                "objects": objects,
                "categories": categories,
                "body": body,
                "base": None if base is None else vector("base", base),
                "table": (table_size, table_height),
                "world": look | {"time_step": time_step, "gui": gui},
                "act": {
                    "rate": rate,
                    "views": {name: views[name] for name in known_cameras(cameras, views) if trajectory},
                    "layers": ("rgb", *(["depth"] if depth else []), *(["instance"] if instance else [])),
                    "log": trajectory,
                    "filmed": filmed,
                    "whole_film": render_mode == "rgb_array_list",
                },
            }
        )
        self.observation_space = observation_space(size, depth, instance)
        self._low = np.array([0, 0, *self.LOW])
        self._span = np.array([size - 1, size - 1, *self.HIGH]) - self._low
        self.action_space = gymnasium.spaces.Box(-1, 1, self._low.shape, np.float32)

    def _connect(self) -> None:
        self.objects = object_set(self._settings["objects"], self._settings["categories"])
        self.gripper = make_gripper(self._settings["body"], self.ROUND_FINGER, self._settings["base"], self.GRIPS)
        self.world = World(**self._settings["world"], iterations=self.ITERATIONS)
        self.act = Trajectory(self.world, self.gripper, **self._settings["act"])

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Another table, light and clutter."""
        self._begin(seed, options)
        self.act.film.clear()
        return self._observe(), {}

    def _set_up(self, options: dict[str, Any] | None) -> None:
        rng = self.np_random
        self.world.reset(draw_light(rng))
        side, height = self._settings["table"]
        self.world.add(slab(side), structure=True)
        self.world.add(floor(height), structure=True)
        self.world.add(table_top(draw_top(rng), side), structure=True)
        self._put_clutter(rng)
        self.gripper.load(self.world)
        if self.act.draws:
            self.gripper.show()
            put_around(self.world, self.gripper, side, height)
        self.settle()
        self.frame = self.look()

    def step(self, action: NDArray[np.float32]) -> tuple[dict[str, NDArray[Any]], float, bool, bool, dict[str, Any]]:
        interaction = self.interaction_of(action)
        before, began = self._poses_of_all(), self.world.steps * self.world.time_step
        self.act.begin()
        reward, record = self._interact(interaction)
        self._past.append(interaction)
        info: dict[str, Any] = {"record": record}
        if self._trajectory:
            record |= {"time": began, "reward": reward, "objects_before": before, "objects_after": self._poses_of_all()}
            info["steps"] = self.act.samples
        return self._observe(), reward, len(self._past) >= self.interactions, False, info

    def _interact(self, interaction: NDArray[np.float64]) -> tuple[float, dict[str, Any]]:
        """Do an interaction, and finish it: the reward, and the record of it."""
        raise NotImplementedError

    def _put_clutter(self, rng: np.random.Generator) -> None:
        """Stand objects side by side; what finds no room in a few tries stays away, but for one.

        Raises ValueError where none of them fits.
        """
        taken: list[tuple[float, float, float]] = []
        tries = 0
        while len(taken) < self.clutter and (tries < 3 * self.clutter or not taken):
            tries += 1
            if tries > MOST_TRIES:
                raise ValueError(
                    f"objects: none of {MOST_TRIES} fits the table, where an object is at most "
                    f"{130 * MOST_WIDE_M:.0f} cm across; give smaller ones, or other categories"
                )
            category = self.objects.categories[rng.integers(len(self.objects.categories))]
            asset = self.objects.make(category, int(rng.integers(*self.instances)))
            low, high = asset.bounds
            radius = float(exact.hypot(*np.maximum(np.abs(low[:2]), np.abs(high[:2]))))
            places, turn = rng.uniform(-WORK_M, WORK_M, (12, 2)), rng.uniform(-np.pi, np.pi)
            if 2 * radius > 1.3 * MOST_WIDE_M:
                continue
            for x, y in places.tolist():
                if all(_square(x - u) + _square(y - v) > _square(radius + r + 0.004) for u, v, r in taken):
                    quaternion = (0, 0, exact.sin(turn / 2), exact.cos(turn / 2))
                    self.world.add(asset, (x, y, DROP_M - float(low[2])), quaternion)
                    taken.append((x, y, radius))
                    break

    def settle(self) -> None:
        """Step until everything has come to rest, or for 2 s."""
        settle(self.world, self.world.assets, every=12, most=480)

    def look(self) -> Frame:
        """The image from above."""
        return self.world.render(self.camera, self.camera_pose)

    def point_at(self, pixel: NDArray[np.float64]) -> NDArray[np.float64]:
        """The place [3] (m) that a pixel (u, v) of the last image shows."""
        last = self.camera.width - 1
        column, row = (int(value) for value in np.clip(np.round(pixel), 0, last))
        return self.camera.unproject(pixel, float(self.frame.depth[row, column]), self.camera_pose)

    def object_at(self, pixel: NDArray[np.float64]) -> int:
        """What a pixel (u, v) of the last image shows: an instance, −1 = none."""
        last = self.camera.width - 1
        column, row = (int(value) for value in np.clip(np.round(pixel), 0, last))
        return int(self.frame.instance[row, column]) or -1

    def height_around(self, place: NDArray[np.float64], radius: float) -> float:
        """The highest that anything stands within a square of half side `radius` (m) about a place, m."""
        (u, v), _ = self.camera.project(np.array([place[0], place[1], 0.05]), self.camera_pose)
        reach = radius / VIEW_M * self.camera.width + 2
        low, high = np.clip([v - reach, u - reach], 0, None).astype(int), np.array([v + reach, u + reach]).astype(int)
        window = self.frame.depth[low[0] : high[0] + 1, low[1] : high[1] + 1]
        return self.camera_height - float(window.min()) if window.size else 0.0

    def poses(self) -> dict[int, NDArray[np.float32]]:
        """Position and quaternion of every object, float32 [7]."""
        return {
            instance: np.concatenate(self.world.pose(instance)).astype(np.float32) for instance in self.world.assets
        }

    def _poses_of_all(self) -> NDArray[np.float32]:
        """Position and quaternion of every object, float32 [clutter, 7], in their order; beyond: NaN."""
        found = np.full((self.clutter, 7), np.nan, np.float32)
        for row, pose in enumerate(self.poses().values() if self._trajectory else ()):
            found[row] = pose
        return found

    def interaction_of(self, action: ArrayLike) -> NDArray[np.float64]:
        """The interaction that an action stands for: image point (u, v) in px, and what the class says besides."""
        return self._low + (checked_action(action, self.action_space) + 1) / 2 * self._span

    def action_of(self, *interaction: float) -> NDArray[np.float32]:
        """The action that stands for an interaction."""
        return np.clip((np.array(interaction) - self._low) / self._span * 2 - 1, -1, 1).astype(np.float32)

    def finish(self) -> None:
        """Take the gripper away, let objects come to rest, and take the image after."""
        self.act.end()
        self.gripper.leave()
        self.settle()
        self.frame = self.look()

    def _observe(self) -> dict[str, NDArray[Any]]:
        return observe(self.frame, self._depth, self._instance)

    def describe(self) -> dict[str, Any]:
        """What the episode shows: `scene`, `intrinsics`, `camera_pose` [4, 4], a row for each of its `objects`.

        With a trajectory also `intrinsics_NAME` [3, 3] of its cameras.
        """
        return {
            "scene": "table",
            "intrinsics": self.camera.intrinsics,
            "camera_pose": self.camera_pose.astype(np.float32),
            "objects": describe_objects(self.world),
            **{f"intrinsics_{name}": camera.intrinsics for name, camera in self.act.cameras.items()},
        }

    def _state(self) -> dict[str, Any]:
        return super()._state() | {"_film": list(self.act.film)}

    def _assume(self, state: dict[str, Any]) -> None:
        state = dict(state)
        film = state.pop("_film")
        super()._assume(state)
        self.act.film = film  # what was seen, not what is seen when the acts are done again

    def render(self) -> NDArray[np.uint8] | list[NDArray[np.uint8]] | None:  # type: ignore[override]
        """What `scene` sees at the end of the last act, the robot still there: uint8 [4·S, 4·S, 3].

        In the mode `rgb_array_list` all images of the act, as many in a second as `rate` says.
        """
        if self.render_mode is None:
            return None
        film = self.act.film or [self.act.image()]
        if self.render_mode == "rgb_array":
            return film[-1]
        self.act.film = []
        return film


def pose_of(instance: int, poses: dict[int, NDArray[np.float32]]) -> NDArray[np.float32]:
    """Position and quaternion of an object, float32 [7]; zeros where there is none."""
    return poses[instance].copy() if instance in poses else np.zeros(7, np.float32)


def _square(x: float) -> float:
    return x * x
