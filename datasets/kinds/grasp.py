"""Grasping: a gripper closes on a point of a cluttered table (Pinto, Gandhi, Han, Park & Gupta, ECCV 2016)."""

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.kinds.base import Figures, InteractionPage, Kind, Rows, table_fields
from embodied_ssl.datasets.schema import Field

if TYPE_CHECKING:
    from markupsafe import Markup

    from embodied_ssl.datasets.gallery.interactions import Interactions
    from embodied_ssl.datasets.read.captions import Facts
    from embodied_ssl.datasets.read.readers import Dataset

_OPENING_M = 0.08  # of the gripper, as drawn


def facts(dataset: "Dataset", rows: Rows, images: NDArray[np.uint8]) -> "list[Facts]":
    """The object aimed at, and whether it was held."""
    from embodied_ssl.datasets.read.captions import facts_of_interactions

    held = dataset.array("interactions/success")[rows]
    outcomes = np.where(held, "grasped and held", "grasped , it slipped").tolist()
    return facts_of_interactions(dataset, rows, images, outcomes)


def draw(interactions: "Interactions", i: int) -> "tuple[Markup, Markup, str]":
    """The closing direction, with the two fingers at its ends."""
    from markupsafe import Markup

    from embodied_ssl.datasets.gallery.interactions import at, closing_line, pixels_per_metre, stroke

    values, held = interactions.values, bool(interactions.values["success"][i])
    angle = float(values["angle"][i])
    ends = closing_line(values["pixel"][i], angle, _OPENING_M * pixels_per_metre(interactions.dataset))
    finger = 0.125 * float(np.linalg.norm(ends[1] - ends[0]))
    across = finger * np.array([-math.sin(angle), math.cos(angle)])
    path = f"M{at(ends[0])}L{at(ends[1])}" + "".join(f"M{at(end - across)}L{at(end + across)}" for end in ends)
    drawing = stroke(path, "held" if held else "failed", dashed=not held)
    return drawing, Markup(""), f"{'held' if held else 'not held'}, closing at {math.degrees(angle):.0f}°"


def figures(interactions: "Interactions") -> Figures:
    """How often it held, by angle, material and category."""
    from embodied_ssl.datasets.gallery.results import angle_chart, success_figures

    by_angle = (
        "Success by angle",
        angle_chart(interactions),
        "Share of grasps that held, by closing direction in 18 bins (0°: to the right, 90°: down). "
        "Whiskers: 95% intervals. Dashed: over all angles.",
    )
    return [by_angle, *success_figures(interactions, "held", "Of the object held, or else aimed at")]


def summary(interactions: "Interactions") -> list[tuple[str, str]]:
    """The share of grasps that held."""
    from embodied_ssl.datasets.gallery.results import success_rate

    return success_rate(interactions, "held")


KIND = Kind(
    name="grasp",
    env_id="embodied_ssl/Grasp-v0",
    env="embodied_ssl.envs.grasp:GraspEnv",
    policies={
        "mixed": "embodied_ssl.envs.policies.table:Mixed",
        "antipodal": "embodied_ssl.envs.policies.table:Antipodal",
        "center": "embodied_ssl.envs.policies.table:Center",
        "random": "embodied_ssl.envs.policies.exploration:RandomActions",
    },
    rows="interactions",
    fields=table_fields(
        Field(
            "interactions/angle", "f4", ("N",), "rad", "closing direction of the gripper in the picture, in [0, π)",
            0, math.pi,
        ),
        Field("interactions/success", "?", ("N",), "1", "the object is between the fingers after the lift"),
    ),
    batch="embodied_ssl.datasets.read.batches:Grasps",
    facts=facts,
    page=InteractionPage(
        about="A gripper closes on a point of a cluttered table, lifts, and learns whether it holds something.",
        caption='The line is the closing direction, with the two fingers at its ends: <span class="word held">held'
        '</span>, <span class="word failed">not held (dashed)</span>.',
        draw=draw,
        summary=summary,
        figures=figures,
    ),
)  # fmt: skip
