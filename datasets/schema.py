"""What a field of a data set is, and the fields that several kinds share, with dtype, shape, unit, range and meaning.

Shapes are symbolic: N rows (frames or interactions), E episodes, O objects, S scenes, H × W pixels, A motor signals,
T samples of a force profile; of trajectories P samples, J joints, F fingers, K objects of a table at most; of control G
numbers of a goal, D of a state, U of an action. A video has
its rows in `frames/`, interactions theirs in `interactions/`, the samples of their trajectories in `steps/`; what a
kind has besides stands in its own file in `kinds/`. Indices stored in a shard count within that shard; the readers turn
them into rows of the whole data set.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import numpy as np

SCHEMA_VERSION = 1
"""Raised when a reader of today could misread what a writer of tomorrow stores."""

NanRule = Literal["never", "last row of an episode", "last row of a visit", "no object", "beyond its objects"]


@dataclass(frozen=True)
class Field:
    """One array of a shard.

    `shape` starts with the table's length (N, E, O, S or P; the camera's arrays have none). `low` and `high` are the
    valid range, both included. `option` is the setting of the environment that turns an optional field on; of several,
    all are needed. `refers_to` names the table in which the values are rows (`rows`: that of the kind). `image` arrays
    are stored one chunk per row under `--compression`; the rest are always contiguous. `nan` says when a row may (and
    then must) be NaN.
    """

    path: str
    dtype: str
    shape: tuple[str | int, ...]
    unit: str
    description: str
    low: float = -math.inf
    high: float = math.inf
    option: str | None = None
    refers_to: str | None = None
    image: bool = False
    nan: NanRule = "never"

    @property
    def table(self) -> str:
        """The group that the field belongs to, such as `frames`."""
        return self.path.partition("/")[0]

    @property
    def name(self) -> str:
        """The name within its group, such as `rgb`."""
        return self.path.partition("/")[2]

    def is_on(self, options: Collection[str]) -> bool:
        """Whether it is stored when these settings are on."""
        return set((self.option or "").split()) <= set(options)

    def resolve(self, sizes: dict[str, int]) -> tuple[int, ...]:
        """The shape in numbers; `sizes` gives a value for every symbol used."""
        return tuple(sizes[axis] if isinstance(axis, str) else axis for axis in self.shape)

    def row_bytes(self, sizes: dict[str, int]) -> int:
        """Bytes of one row."""
        return math.prod(self.resolve({**sizes, str(self.shape[0]): 1})) * np.dtype(self.dtype).itemsize


FAR_M = 1e4  # no world is larger; a larger number is a mistake

FRAMES = (
    Field("frames/rgb", "u1", ("N", "H", "W", 3), "sRGB", "what the camera saw", 0, 255, image=True),
    Field(
        "frames/depth", "f2", ("N", "H", "W"), "m", "metric depth along the optical axis, 0 where nothing is",
        0, FAR_M, option="depth", image=True,
    ),
    Field(
        "frames/instance", "u1", ("N", "H", "W"), "1", "objects/index of the thing seen, 0 = background",
        0, 255, option="instance", image=True,
    ),
    Field(
        "frames/flow", "f2", ("N", "H", "W", 2), "px",
        "optical flow (right, down) from this frame to the next, exact, from geometry; last frame of an episode: NaN",
        option="flow", image=True, nan="last row of an episode",
    ),
    Field(
        "frames/pose", "f4", ("N", 4, 4), "m", "camera-to-world, OpenCV axes (x right, y down, z forward)",
        -FAR_M, FAR_M,
    ),
    Field("frames/time", "f8", ("N",), "s", "since the start of the episode", 0),
    Field(
        "frames/motor", "f4", ("N", "A"), "m or rad",
        "the body's own measurement of the motion from this frame to the next; last frame of an episode: NaN",
        -FAR_M, FAR_M, nan="last row of an episode",
    ),
    Field(
        "frames/command", "f4", ("N", "A"), "m or rad",
        "the motion that the policy asked for from this frame to the next; last frame of an episode: NaN",
        -FAR_M, FAR_M, nan="last row of an episode",
    ),
)  # fmt: skip

INTERACTIONS = (
    Field(
        "interactions/rgb_before", "u1", ("N", "H", "W", 3), "sRGB", "overhead camera before the act, arm out of view",
        0, 255, image=True,
    ),
    Field(
        "interactions/rgb_after", "u1", ("N", "H", "W", 3), "sRGB", "overhead camera after the act, arm out of view",
        0, 255, image=True,
    ),
    Field(
        "interactions/depth_before", "f2", ("N", "H", "W"), "m", "metric depth along the optical axis before the act",
        0, FAR_M, option="depth", image=True,
    ),
    Field(
        "interactions/instance_before", "u1", ("N", "H", "W"), "1",
        "objects/index of the thing seen before the act, 0 = background",
        0, 255, option="instance", image=True,
    ),
    Field(
        "interactions/pixel", "f4", ("N", 2), "px", "(u, v) of the contact point in the picture before",
        -FAR_M, FAR_M,
    ),
    Field("interactions/object", "i4", ("N",), "1", "row of objects aimed at, -1 = none", -1, refers_to="objects"),
    Field(
        "interactions/pose_before", "f4", ("N", 7), "m, 1",
        "position and quaternion (x, y, z, w) of that object before; no object: NaN", -FAR_M, FAR_M, nan="no object",
    ),
    Field(
        "interactions/pose_after", "f4", ("N", 7), "m, 1",
        "position and quaternion (x, y, z, w) of that object after; no object: NaN", -FAR_M, FAR_M, nan="no object",
    ),
    Field("interactions/episode", "i4", ("N",), "1", "row of episodes", 0, refers_to="episodes"),
)  # fmt: skip

TRAJECTORY = (
    Field(
        "interactions/depth_after", "f2", ("N", "H", "W"), "m", "metric depth along the optical axis after the act",
        0, FAR_M, option="trajectory depth", image=True,
    ),
    Field(
        "interactions/instance_after", "u1", ("N", "H", "W"), "1",
        "objects/index of the thing seen after the act, 0 = background",
        0, 255, option="trajectory instance", image=True,
    ),
    Field(
        "interactions/time", "f8", ("N",), "s", "when the act begins: of simulation, since the start of the episode",
        0, option="trajectory",
    ),
    Field(
        "interactions/reward", "f4", ("N",), "1", "of the environment: success, displacement in m, or touch",
        option="trajectory",
    ),
    *(
        Field(
            f"interactions/objects_{when}", "f4", ("N", "K", 7), "m, 1",
            f"position and quaternion (x, y, z, w) of each object of the episode {when} the act, in the order of "
            "objects; beyond them: NaN", -FAR_M, FAR_M, option="trajectory", nan="beyond its objects",
        )
        for when in ("before", "after")
    ),
    Field(
        "interactions/steps_start", "i8", ("N",), "1", "first row of the act in steps", 0, option="trajectory",
        refers_to="steps",
    ),
    Field("interactions/steps_length", "i8", ("N",), "1", "rows of the act in steps", 1, option="trajectory"),
    *(
        Field(f"steps/{name}", dtype, ("P", *shape), unit, description, low, high, option="trajectory")
        for name, dtype, shape, unit, description, low, high in (
            ("time", "f8", (), "s", "since the start of the act: a whole number of intervals of 1/rate", 0, FAR_M),
            ("joint_position", "f4", ("J",), "rad or m", "of the arm, then of the fingers' slides", -FAR_M, FAR_M),
            ("joint_velocity", "f4", ("J",), "rad/s or m/s", "of the same joints", -FAR_M, FAR_M),
            ("joint_torque", "f4", ("J",), "N·m or N", "of the same joints' motors in the last step of the physics; "
             "at the start of the act: 0", -1e6, 1e6),
            ("tip_pose", "f4", (7,), "m, 1", "position and quaternion (x, y, z, w) of the middle between the ends of "
             "the fingers, world; its y axis is the closing direction, its z axis points along the fingers",
             -FAR_M, FAR_M),
            ("tip_velocity", "f4", (6,), "m/s, rad/s", "of the tip, and its turning, about the world's axes",
             -FAR_M, FAR_M),
            ("width", "f4", (), "m", "between the fingers", -0.01, 1.0),
            ("action", "f4", (5,), "m, rad, m", "what the gripper is told for the next sample: x, y, z of the tip, yaw "
             "of its closing direction, width", -FAR_M, FAR_M),
            ("contact_force", "f4", ("F", 3), "N", "on each finger, world", -1e6, 1e6),
            ("contact_torque", "f4", ("F", 3), "N·m", "of the same forces about the tip, world", -1e6, 1e6),
        )
    ),
)  # fmt: skip


def camera_fields(name: str) -> tuple[Field, ...]:
    """What a named camera logs of a trajectory, of its own height and width."""
    size = (f"H of {name}", f"W of {name}")
    seen = f"by the camera {name}"
    return (
        Field(f"steps/images/{name}", "u1", ("P", *size, 3), "sRGB", f"seen {seen}, the robot in view", 0, 255,
              option="trajectory", image=True),
        Field(f"steps/depth/{name}", "f2", ("P", *size), "m", f"metric depth along the optical axis {seen}",
              0, FAR_M, option="trajectory depth", image=True),
        Field(f"steps/instance/{name}", "u1", ("P", *size), "1",
              f"objects/index of the thing seen {seen}, 255 = the robot, 0 = background",
              0, 255, option="trajectory instance", image=True),
        Field(f"steps/extrinsics/{name}", "f4", ("P", 4, 4), "m", f"camera-to-world of {name}, OpenCV axes",
              -FAR_M, FAR_M, option="trajectory"),
        Field(f"camera/intrinsics_{name}", "f8", (3, 3), "px", f"pinhole matrix of {name}", option="trajectory"),
    )  # fmt: skip


TABLES = (
    Field("episodes/start", "i8", ("E",), "1", "first row of the episode in this shard", 0, refers_to="rows"),
    Field("episodes/length", "i8", ("E",), "1", "rows of the episode", 1),
    Field(
        "episodes/seed",
        "i8",
        ("E",),
        "1",
        "seed given to the environment's reset",
        0,
    ),
    Field("episodes/scene", "i4", ("E",), "1", "row of scenes", 0, refers_to="scenes"),
    Field("episodes/objects_start", "i8", ("E",), "1", "first of its rows in objects", 0, refers_to="objects"),
    Field("episodes/objects_count", "i8", ("E",), "1", "rows of the episode in objects", 0, 255),
    Field("scenes/type", "S32", ("S",), "1", "name of the scene type"),
    Field("objects/episode", "i4", ("O",), "1", "row of episodes", 0, refers_to="episodes"),
    Field("objects/index", "u1", ("O",), "1", "the object's value in instance masks", 1, 255),
    Field("objects/category", "S32", ("O",), "1", "what it is"),
    Field("objects/instance", "i8", ("O",), "1", "which one of its category: the seed of its shape and looks", 0),
    Field("objects/material", "S32", ("O",), "1", "what it is made of"),
    Field("objects/position", "f4", ("O", 3), "m", "at the start of the episode, world", -FAR_M, FAR_M),
    Field("objects/quaternion", "f4", ("O", 4), "1", "(x, y, z, w) at the start of the episode, world", -1.001, 1.001),
    Field("objects/size", "f4", ("O", 3), "m", "sides of its bounding box in its own axes", 0, FAR_M),
    Field("objects/mass", "f4", ("O",), "kg", "as physics has it; 0: it never moves, as furniture does not", 0, 1e4),
    Field("objects/density", "f4", ("O",), "kg/m³", "of its material", 0, 3e4),
    Field("objects/friction", "f4", ("O",), "1", "lateral friction (Coulomb) of its material", 0, 10),
    Field("objects/restitution", "f4", ("O",), "1", "of its material: the share of a speed that a bounce keeps", 0, 1),
    Field("objects/stiffness", "f4", ("O",), "N/m", "of its material: force for each metre of indentation", 0, 1e9),
    Field("objects/damping", "f4", ("O",), "N·s/m", "of its material: force for each m/s of a contact", 0, 1e6),
    Field("objects/colour", "u1", ("O", 3), "sRGB", "the one that covers most of its surface", 0, 255),
    Field("camera/intrinsics", "f8", (3, 3), "px", "pinhole matrix; pixel (u, v) = (column, row) of its centre"),
)

TABLE_CAMERA = Field(
    "camera/pose", "f4", (4, 4), "m", "camera-to-world of the overhead camera, OpenCV axes", -FAR_M, FAR_M
)
