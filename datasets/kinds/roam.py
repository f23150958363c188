"""Roaming: a wheeled body drives through furnished scenes (Jayaraman & Grauman, ICCV 2015, on a body of ours)."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.kinds.base import Figures, Kind, Poses, Rows, VideoPage
from embodied_ssl.datasets.read.motion import heading, planar_step, wrap
from embodied_ssl.datasets.schema import FRAMES

if TYPE_CHECKING:
    from embodied_ssl.datasets.read.captions import Facts
    from embodied_ssl.datasets.read.readers import Dataset
    from embodied_ssl.datasets.read.tables import Table


def motion(first: Poses, second: Poses) -> NDArray[np.float32]:
    """How far the second place lies ahead of the first (m, in the first frame's body), and the yaw between (rad).

    Left is positive; angles are in [-π, π).
    """
    return _step(first, second, heading(first))


def measured(first: Poses, second: Poses) -> NDArray[np.float32]:
    """The same of one step: the body turns before it drives, so that its wheels measure along the new heading."""
    return _step(first, second, heading(second))


def _step(first: Poses, second: Poses, along: Poses) -> NDArray[np.float32]:
    yaw = wrap(heading(second) - heading(first))
    return np.stack([planar_step(first, second, along), yaw], axis=-1).astype(np.float32)


def facts(dataset: "Dataset", rows: Rows, images: NDArray[np.uint8]) -> "list[Facts]":
    """The room, and where masks are stored the object that is largest in sight."""
    from embodied_ssl.datasets.read.captions import facts_of_rooms

    return facts_of_rooms(dataset, rows)


def places(dataset: "Dataset", rows: Rows) -> NDArray[np.float64]:
    """Where it stands on the floor, and its heading."""
    from embodied_ssl.datasets.gallery.maps import floor_places

    return floor_places(dataset.states(rows))


def floor(dataset: "Dataset", rows: Rows, objects: "Table") -> str:
    """The floor from above."""
    from embodied_ssl.datasets.gallery.maps import floor_map

    return floor_map(dataset.states(rows), objects)


def figures(dataset: "Dataset", rows: Rows, episodes: Rows, labels: list[str]) -> Figures:
    """How it moved, how far, and where."""
    from embodied_ssl.datasets.gallery.motion import distance_chart, label_chart, motor_figure

    return [
        motor_figure(dataset, rows),
        (
            "Way of an episode",
            distance_chart(dataset, episodes),
            "Metres driven in each episode. Bars near zero are bodies that got stuck.",
        ),
        ("Scenes", label_chart(labels), "How many episodes each scene type has."),
    ]


KIND = Kind(
    name="roam",
    env_id="embodied_ssl/Roam-v0",
    env="embodied_ssl.envs.roam:RoamEnv",
    policies={
        "explore": "embodied_ssl.envs.policies.exploration:Explore",
        "random": "embodied_ssl.envs.policies.exploration:RandomActions",
    },
    rows="frames",
    fields=FRAMES,
    labels=("scene",),
    motor_signals=("forward (m)", "yaw (rad)"),
    motion=motion,
    measured=measured,
    walks=True,
    facts=facts,
    page=VideoPage(
        about="A wheeled body drives through furnished scenes and logs what its forward camera saw "
        "and its wheels felt.",
        map_caption="The floor from above: the body's way, and the objects that stand there "
        "(point at one for its name).",
        places=places,
        map=floor,
        note=lambda objects: f"{len(objects['category'])} objects",
        figures=figures,
    ),
)
