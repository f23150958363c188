"""Pushing: a fingertip pushes through the clutter on a table (Pinto, Gandhi, Han, Park & Gupta, ECCV 2016)."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.kinds.base import Figures, InteractionPage, Kind, Rows, table_fields
from embodied_ssl.datasets.schema import FAR_M, Field

if TYPE_CHECKING:
    from markupsafe import Markup

    from embodied_ssl.datasets.gallery.interactions import Interactions
    from embodied_ssl.datasets.read.captions import Facts
    from embodied_ssl.datasets.read.readers import Dataset

MOVED_M = 0.002
"""Smaller displacements are noise."""
_SAID_M = 0.005  # and smaller ones than this are not worth a word


def facts(dataset: "Dataset", rows: Rows, images: NDArray[np.uint8]) -> "list[Facts]":
    """The object that moved most, or was aimed at, and which way it went in the image."""
    from embodied_ssl.datasets.read.captions import facts_of_interactions

    before, after = (dataset.array(f"interactions/pose_{when}")[rows][:, :3] for when in ("before", "after"))
    moved = dataset.project(after) - dataset.project(before)
    right, away = moved[:, 0], -moved[:, 1]
    ways = np.where(
        np.abs(right) > np.abs(away), np.where(right > 0, "right", "left"), np.where(away > 0, "away", "near")
    )
    stayed = np.linalg.norm(after - before, axis=1) < _SAID_M
    outcomes = np.where(stayed, "pushed , it stayed", np.char.add("pushed ", ways)).tolist()
    return facts_of_interactions(dataset, rows, images, outcomes)


def outcome(interactions: "Interactions", i: int) -> str:
    """Whether anything moved."""
    return "moved" if interactions.moved[i] > MOVED_M else "missed"


def draw(interactions: "Interactions", i: int) -> "tuple[Markup, Markup, str]":
    """The way of the fingertip, and that of what moved."""
    from markupsafe import Markup

    from embodied_ssl.datasets.gallery.interactions import arrow, project

    values = interactions.values
    start, end = values["start_pixel"][i].astype("f8"), values["end_pixel"][i].astype("f8")
    pushed = float(np.linalg.norm(values["end"][i] - values["start"][i]))
    drawing, moved = arrow(start, end, "motion"), float(interactions.moved[i])
    after = Markup("")
    if moved > MOVED_M:
        poses = np.stack([values["pose_before"][i][:3], values["pose_after"][i][:3]])
        here, there = project(interactions.dataset, poses)
        after = arrow(here, there, "effect")
    came = f"moved {100 * moved:.1f} cm" if moved > MOVED_M else "nothing moved"
    return drawing, after, f"pushed {100 * pushed:.1f} cm, {came}"


def summary(interactions: "Interactions") -> list[tuple[str, str]]:
    """How often something moved, and how far."""
    from embodied_ssl.datasets.gallery.results import share_of

    moved = interactions.moved[interactions.moved > MOVED_M]
    middle = f"{100 * float(np.median(moved)):.1f} cm" if len(moved) else "–"
    return [("moved an object", f"{share_of(interactions, 'moved'):.0%}"), ("median displacement", middle)]


def figures(interactions: "Interactions") -> Figures:
    """How far objects went, where to, and which ones."""
    from embodied_ssl.datasets.gallery.results import direction_chart, displacement_chart, yield_chart

    return [
        (
            "Displacement by length",
            displacement_chart(interactions),
            "Each dot is a push; its colour is the material of the object that moved most. On the line an object "
            "moves as far as the finger does; below it, the finger reached it late or slid past.",
        ),
        (
            "Displacement by direction",
            direction_chart(interactions, MOVED_M),
            "Where objects went, seen along the push: upwards is ahead. To the sides: hit off centre.",
        ),
        (
            "Displacement by material",
            yield_chart(interactions),
            "How far an object went for each centimetre of push: the median, the middle half, and how many. "
            "More than 1: it rolled or slid on.",
        ),
    ]


KIND = Kind(
    name="push",
    env_id="embodied_ssl/Push-v0",
    env="embodied_ssl.envs.push:PushEnv",
    policies={
        "through": "embodied_ssl.envs.policies.table:PushThrough",
        "random": "embodied_ssl.envs.policies.exploration:RandomActions",
    },
    rows="interactions",
    fields=table_fields(
        Field("interactions/start", "f4", ("N", 3), "m", "where the fingertip starts, world", -FAR_M, FAR_M),
        Field("interactions/end", "f4", ("N", 3), "m", "where the fingertip ends, world", -FAR_M, FAR_M),
        Field("interactions/start_pixel", "f4", ("N", 2), "px", "(u, v) of start", -FAR_M, FAR_M),
        Field("interactions/end_pixel", "f4", ("N", 2), "px", "(u, v) of end", -FAR_M, FAR_M),
    ),
    batch="embodied_ssl.datasets.read.batches:Pushes",
    facts=facts,
    page=InteractionPage(
        about="A fingertip pushes through the clutter on a table in a straight line; objects move.",
        caption='Before, <span class="swatch" style="background:#ffd23f"></span>: the way of the fingertip. '
        'After, <span class="swatch" style="background:#5fd4ff"></span>: the way of the object that moved most.',
        outcomes=("moved", "missed"),
        outcome=outcome,
        draw=draw,
        summary=summary,
        figures=figures,
    ),
)
