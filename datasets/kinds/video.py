"""Video with motor signals that others recorded: robots, cars, cameras; imported from files, made by no environment."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.kinds.base import Figures, Kind, Poses, Rows, VideoPage
from embodied_ssl.datasets.schema import FAR_M, Field

if TYPE_CHECKING:
    from embodied_ssl.datasets.read.captions import Facts
    from embodied_ssl.datasets.read.readers import Dataset
    from embodied_ssl.datasets.read.tables import Table

POSE = "frames/pose"

FIELDS = (
    Field("frames/rgb", "u1", ("N", "H", "W", 3), "sRGB", "what the camera saw", 0, 255, image=True),
    Field("frames/time", "f8", ("N",), "s", "since the start of the episode", 0),
    Field(
        "frames/motor", "f4", ("N", "A"), "as named",
        "what each motor signal came to from this frame to the next; last frame of an episode: NaN",
        nan="last row of an episode",
    ),
    Field(
        "frames/travelled", "f8", ("N", "A"), "as named",
        "what each motor signal has come to since the start of the episode",
    ),
    Field(
        POSE, "f4", ("N", 4, 4), "m", "camera-to-world, OpenCV axes (x right, y down, z forward)", -FAR_M, FAR_M,
        option="pose",
    ),
    Field(
        "camera/intrinsics", "f8", (3, 3), "px", "pinhole matrix; pixel (u, v) = (column, row) of its centre",
        option="intrinsics",
    ),
)  # fmt: skip


def motion(first: Poses, second: Poses) -> NDArray[np.float32]:
    """What each motor signal came to between two frames, of what it had come to at each, [..., A]."""
    return (second - first).astype(np.float32)


def facts(dataset: "Dataset", rows: Rows, images: NDArray[np.uint8]) -> "list[Facts]":
    """Where it was recorded, as far as the recording says."""
    from embodied_ssl.datasets.read.captions import facts_of_rooms

    return facts_of_rooms(dataset, rows)


def places(dataset: "Dataset", rows: Rows) -> NDArray[np.float64]:
    """Where the camera was on the floor; without poses, what the first two signals had come to."""
    from embodied_ssl.datasets.gallery.maps import floor_places, signal_places

    if POSE in dataset.fields:
        return floor_places(dataset.array(POSE)[rows].astype("f8"))
    return signal_places(dataset.states(rows))


def way(dataset: "Dataset", rows: Rows, objects: "Table") -> str:
    """The way of the camera from above; without poses, that of the first two signals."""
    from embodied_ssl.datasets.gallery.maps import floor_map, signal_map

    if POSE in dataset.fields:
        return floor_map(dataset.array(POSE)[rows].astype("f8"), objects)
    return signal_map(dataset.states(rows), dataset.motor_signals)


def figures(dataset: "Dataset", rows: Rows, episodes: Rows, labels: list[str]) -> Figures:
    """How it moved, and where."""
    from embodied_ssl.datasets.gallery.motion import label_chart, motor_figure, signal_figure

    several = len(dataset.motor_signals) > 1
    return [
        motor_figure(dataset, rows) if several else signal_figure(dataset, rows),
        ("Recordings", label_chart(labels), "How many episodes were recorded where."),
    ]


KIND = Kind(
    name="video",
    rows="frames",
    fields=FIELDS,
    labels=("scene",),
    states=("frames/travelled",),
    motion=motion,
    facts=facts,
    page=VideoPage(
        about="What a camera of others saw, and what was measured of its motion: imported from their files.",
        map_caption="The way from above where poses were recorded; else what the first two motor signals have come to.",
        places=places,
        map=way,
        note=lambda objects: "",
        figures=figures,
    ),
)
