"""Poking: a finger descends on a point of a cluttered table (Pinto, Gandhi, Han, Park & Gupta, ECCV 2016)."""

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

FELT_N = 0.05
"""Smaller forces are noise."""
_SOFT_N, _HARD_N = 6.0, 40.0  # peak forces below and above which an object is called soft, and hard


def facts(dataset: "Dataset", rows: Rows, images: NDArray[np.uint8]) -> "list[Facts]":
    """The object aimed at, and how it felt."""
    from embodied_ssl.datasets.read.captions import FEELS, facts_of_interactions

    peak = dataset.array("interactions/force")[rows].max(1)
    feels = np.array(FEELS)[np.searchsorted((_SOFT_N, _HARD_N), peak)].tolist()
    return facts_of_interactions(dataset, rows, images, ["poked"] * len(rows), feels)


def outcome(interactions: "Interactions", i: int) -> str:
    """Whether the finger felt anything."""
    return "felt" if interactions.values["force"][i].max() > FELT_N else "missed"


def draw(interactions: "Interactions", i: int) -> "tuple[Markup, Markup, str]":
    """A ring where the finger came down."""
    from markupsafe import Markup

    from embodied_ssl.datasets.gallery.charts import number
    from embodied_ssl.datasets.gallery.interactions import ring

    peak = float(interactions.values["force"][i].max())
    return ring(interactions, i), Markup(""), f"at most {number(peak)} N" if peak > FELT_N else "no force"


def summary(interactions: "Interactions") -> list[tuple[str, str]]:
    """How often something was felt, and how much at most."""
    from embodied_ssl.datasets.gallery.charts import number
    from embodied_ssl.datasets.gallery.results import share_of

    peak = number(float(interactions.values["force"].max()))
    return [("felt a force", f"{share_of(interactions, 'felt'):.0%}"), ("largest force", f"{peak} N")]


def figures(interactions: "Interactions") -> Figures:
    """How the force rises, and how stiff what is poked is."""
    from embodied_ssl.datasets.gallery.results import force_depth_chart, force_time_chart, stiffness_chart

    return [
        (
            "Force against depth",
            force_depth_chart(interactions),
            "Each line is a poke on its way down, coloured by material: the steeper, the stiffer. Spikes beyond the "
            "axis are left out.",
        ),
        (
            "Force over time",
            force_time_chart(interactions, FELT_N),
            "The median of each material, from first contact, while the finger descends at constant speed. "
            "The plateau of hard objects: the finger stops at 60 N.",
        ),
        (
            "Stiffness by material",
            stiffness_chart(interactions, FELT_N),
            "Slope of the force over depth while it rises, a dot for each poke; bars: medians, dashed: the stiffness "
            "that the material has in physics. Where rows lie apart, touch tells materials apart.",
        ),
    ]


KIND = Kind(
    name="poke",
    env_id="embodied_ssl/Poke-v0",
    env="embodied_ssl.envs.poke:PokeEnv",
    policies={
        "things": "embodied_ssl.envs.policies.table:PokeObjects",
        "random": "embodied_ssl.envs.policies.exploration:RandomActions",
    },
    rows="interactions",
    fields=table_fields(
        Field(
            "interactions/force", "f4", ("N", "T"), "N",
            "normal force on the fingertip while it descends at constant speed, until it stops where 60 N are exceeded",
            -1e-3, 1e6,
        ),
        Field(
            "interactions/depth_travelled", "f4", ("N", "T"), "m",
            "depth of the fingertip below its first contact, negative before it", -FAR_M, FAR_M,
        ),
    ),
    batch="embodied_ssl.datasets.read.batches:Pokes",
    facts=facts,
    page=InteractionPage(
        about="A fingertip descends on a point of a cluttered table at constant speed and feels the force.",
        caption="The ring is where the finger came down; its colour is the material of the object below.",
        outcomes=("felt", "missed"),
        outcome=outcome,
        draw=draw,
        summary=summary,
        figures=figures,
    ),
)  # fmt: skip
