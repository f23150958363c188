"""Holding: a body turns an object in its hand before its eye while it walks through several furnished scenes."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.kinds.base import Figures, Kind, Poses, Rows, VideoPage
from embodied_ssl.datasets.read.motion import heading, planar_step, wrap
from embodied_ssl.datasets.schema import FAR_M, FRAMES, Field

if TYPE_CHECKING:
    from embodied_ssl.datasets.read.captions import Facts
    from embodied_ssl.datasets.read.readers import Dataset
    from embodied_ssl.datasets.read.tables import Table

EYE = np.array([[0.0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
"""From the camera's axes (x right, y down, z ahead) to the eye's (x along its gaze, y left, z up)."""

HOLD_FIELDS = (
    *(replace(each, nan="last row of a visit") if each.nan != "never" else each for each in FRAMES),
    Field("frames/object_pose", "f4", ("N", 4, 4), "m", "object-to-world pose of the object held", -FAR_M, FAR_M),
    Field("frames/visit", "i4", ("N",), "1", "number of the scene within the episode, from 0", 0),
    Field("frames/scene", "i4", ("N",), "1", "row of scenes: where the body is", 0, refers_to="scenes"),
)  # fmt: skip


def motion(first: Poses, second: Poses) -> NDArray[np.float32]:
    """The rotation vector (rad) that turns the object between two frames, and how the body moved (m, rad).

    first, second: [..., 2, 4, 4]: poses of the camera and of the object. The rotation is seen from the eye: x along
    its gaze, y left, z up.
    """
    return _step(first, second, heading(first[..., 0, :, :]))


def measured(first: Poses, second: Poses) -> NDArray[np.float32]:
    """The same of one step: the body turns before it drives, so that its wheels measure along the new heading."""
    return _step(first, second, heading(second[..., 0, :, :]))


def _step(first: Poses, second: Poses, along: Poses) -> NDArray[np.float32]:
    before, after = first[..., 0, :, :], second[..., 0, :, :]  # of the camera
    yaw = wrap(heading(after) - heading(before))
    turned = rotation_vectors(seen(second) @ np.swapaxes(seen(first), -1, -2))  # [..., 3]
    return np.concatenate([turned, planar_step(before, after, along)[..., None], yaw[..., None]], -1).astype(np.float32)


def seen(poses: Poses) -> NDArray[np.float64]:
    """How the object is turned, seen from the eye, [..., 3, 3]."""
    camera, thing = poses[..., 0, :3, :3], poses[..., 1, :3, :3]
    return EYE[:3, :3] @ np.swapaxes(camera, -1, -2) @ thing


def rotation_vectors(rotations: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rotation vectors [..., 3] (rad) of rotation matrices [..., 3, 3]."""
    from scipy.spatial.transform import Rotation

    if not rotations.size:  # of which older versions of SciPy make nothing
        return np.zeros((*rotations.shape[:-2], 3))
    return Rotation.from_matrix(rotations.reshape(-1, 3, 3)).as_rotvec().reshape(*rotations.shape[:-2], 3)


def facts(dataset: "Dataset", rows: Rows, images: NDArray[np.uint8]) -> "list[Facts]":
    """The object that is held, and the room that it is in."""
    from embodied_ssl.datasets.read.captions import facts_of_views, said

    scenes = said(dataset.scene_names[dataset.array("frames/scene")[rows]])
    return facts_of_views(dataset, rows, images, [f"in a {scene}" for scene in scenes])


def sides(dataset: "Dataset", rows: Rows) -> NDArray[np.float64]:
    """From where the object is seen, as x, y within a disc and an angle (degrees), [T, 3]: its top is in the middle."""
    toward = _towards_eye(dataset.states(rows))
    around, up = np.arctan2(toward[:, 1], toward[:, 0]), np.arcsin(np.clip(toward[:, 2], -1, 1))
    radius = 0.5 - up / np.pi
    return np.stack([radius * np.cos(around), radius * np.sin(around), np.degrees(around)], axis=1)


def _towards_eye(poses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unit vectors [T, 3] from the object to the eye, in the object's axes."""
    eye = poses[:, 0, :3, 3] - poses[:, 1, :3, 3]
    inside = np.einsum("tji,tj->ti", poses[:, 1, :3, :3], eye)
    return inside / np.linalg.norm(inside, axis=1, keepdims=True)


def globe(dataset: "Dataset", rows: Rows, objects: "Table") -> str:
    """All sides of the object in a disc, and the way of the eye over them."""
    from embodied_ssl.datasets.gallery.maps import disc_map

    marks = {degrees: 0.5 - degrees / 180 for degrees in (-90, -45, 0, 45)}
    return disc_map(
        sides(dataset, rows)[:, :2], marks, "the sides from which the object is seen, its top in the middle"
    )


def note(objects: "Table") -> str:
    """What the object is made of, its size and its mass."""
    from embodied_ssl.datasets.kinds.orbit import note as of_one

    return of_one(objects)


def figures(dataset: "Dataset", rows: Rows, episodes: Rows, labels: list[str]) -> Figures:
    """How it was turned, from where it was seen, and what was held where."""
    from embodied_ssl.datasets.gallery.charts import words
    from embodied_ssl.datasets.gallery.motion import density_chart, label_chart, motor_figure

    toward = _towards_eye(dataset.states(rows))
    around, up = np.degrees(np.arctan2(toward[:, 1], toward[:, 0])), np.degrees(np.arcsin(toward[:, 2]))
    held = [words(name) for name in dataset.objects["category"][dataset.episodes["objects_start"][episodes]]]
    scenes = [words(name) for name in dataset.scene_names[dataset.array("frames/scene")[rows]]]
    return [
        motor_figure(dataset, rows),
        (
            "From where it was seen",
            density_chart(around, up, (-90, 90), "how often the object was seen from each side"),
            "Longitude and latitude on the object of the eye that looks at it. All over: it was turned to every side.",
        ),
        ("Categories", label_chart(held), "How many episodes hold each category of object."),
        ("Scenes", label_chart(scenes, "frames"), "Where it was held."),
    ]


KIND = Kind(
    name="hold",
    env_id="embodied_ssl/Hold-v0",
    env="embodied_ssl.envs.hold:HoldEnv",
    policies={
        "carry": "embodied_ssl.envs.policies.exploration:Carry",
        "random": "embodied_ssl.envs.policies.exploration:RandomActions",
    },
    rows="frames",
    fields=HOLD_FIELDS,
    motor_signals=("roll (rad)", "pitch (rad)", "turn (rad)", "forward (m)", "yaw (rad)"),
    states=("frames/pose", "frames/object_pose"),
    visits="frames/visit",
    motion=motion,
    measured=measured,
    one_object=True,
    facts=facts,
    words=("in",),
    page=VideoPage(
        about="A body holds an object before its eye and turns it to all sides, while it walks through several scenes.",
        map_caption="The sides from which the object is seen: its top is in the middle, the rim is its bottom.",
        places=sides,
        map=globe,
        note=note,
        figures=figures,
    ),
)
