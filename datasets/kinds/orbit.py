"""Orbits: a camera moves over the viewing sphere of one object, as in NORB (LeCun, Huang & Bottou, CVPR 2004)."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.kinds.base import Figures, Kind, Poses, Rows, VideoPage
from embodied_ssl.datasets.read.motion import azimuth, elevation, wrap
from embodied_ssl.datasets.schema import FRAMES

if TYPE_CHECKING:
    from embodied_ssl.datasets.read.captions import Facts
    from embodied_ssl.datasets.read.readers import Dataset
    from embodied_ssl.datasets.read.tables import Table


def motion(first: Poses, second: Poses) -> NDArray[np.float32]:
    """Δazimuth and Δelevation, rad in [-π, π)."""
    around, up = azimuth(second) - azimuth(first), elevation(second) - elevation(first)
    return np.stack([wrap(around), wrap(up)], axis=-1).astype(np.float32)


def facts(dataset: "Dataset", rows: Rows, images: NDArray[np.uint8]) -> "list[Facts]":
    """The object, and whether it is seen from above or from the side."""
    from embodied_ssl.datasets.read.captions import facts_of_views

    high = elevation(dataset.array("frames/pose")[rows])
    sides = np.where(high > 0.6, "seen from above", "seen from the side").tolist()
    return facts_of_views(dataset, rows, images, sides)


def places(dataset: "Dataset", rows: Rows) -> NDArray[np.float64]:
    """Where the camera is, the viewing sphere seen from above."""
    from embodied_ssl.datasets.gallery.maps import sphere_places

    return sphere_places(dataset.states(rows))


def sphere(dataset: "Dataset", rows: Rows, objects: "Table") -> str:
    """The viewing sphere from above."""
    from embodied_ssl.datasets.gallery.maps import sphere_map

    return sphere_map(dataset.states(rows))


def note(objects: "Table") -> str:
    """What the object is made of, its size and its mass."""
    from embodied_ssl.datasets.gallery.charts import words

    if not len(objects["category"]):
        return ""
    centimetres = " × ".join(f"{100 * side:.0f}" for side in objects["size"][0])
    return f"{words(objects['material'][0])}, {centimetres} cm, {1000 * objects['mass'][0]:.0f} g"


def figures(dataset: "Dataset", rows: Rows, episodes: Rows, labels: list[str]) -> Figures:
    """How it moved, where it stood, and what it saw."""
    from embodied_ssl.datasets.gallery.charts import words
    from embodied_ssl.datasets.gallery.motion import label_chart, motor_figure, sphere_chart

    materials = [words(name) for name in dataset.objects["material"]]
    return [
        motor_figure(dataset, rows),
        (
            "Where the camera stood",
            sphere_chart(dataset, rows),
            "Azimuth and elevation over all frames. Even colour: the viewing sphere is covered evenly.",
        ),
        ("Materials", label_chart(materials, "objects"), "What the objects are made of."),
        ("Categories", label_chart(labels), "How many episodes show each category of object."),
    ]


KIND = Kind(
    name="orbit",
    env_id="embodied_ssl/Orbit-v0",
    env="embodied_ssl.envs.orbit:OrbitEnv",
    policies={
        "walk": "embodied_ssl.envs.policies.exploration:Walk",
        "random": "embodied_ssl.envs.policies.exploration:RandomActions",
    },
    rows="frames",
    fields=FRAMES,
    motor_signals=("Δazimuth (rad)", "Δelevation (rad)"),
    motion=motion,
    one_object=True,
    facts=facts,
    page=VideoPage(
        about="A camera moves over the viewing sphere of one object after another, as in NORB.",
        map_caption="The viewing sphere from above: the rim is the horizon, the middle is straight above the object.",
        places=places,
        map=sphere,
        note=note,
        figures=figures,
    ),
)
