"""What kinds of closed-loop control share: an interaction is a whole episode, logged step by step."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.kinds.base import InteractionPage, Kind, Rows, table_fields
from embodied_ssl.datasets.schema import FAR_M, Field

if TYPE_CHECKING:
    from embodied_ssl.datasets.read.captions import Facts
    from embodied_ssl.datasets.read.readers import Dataset

FIELDS = table_fields(
    Field("interactions/success", "?", ("N",), "1", "the goal was achieved"),
    Field("interactions/goal", "f4", ("N", "G"), "m or 1", "that was desired", -FAR_M, FAR_M),
    *(
        Field(f"steps/{name}", "f4", ("P", *shape), unit, description, option="trajectory")
        for name, shape, unit, description in (
            ("observation", ("D",), "m, m/s, 1", "the environment's `observation`: what the body feels of itself, and "
             "the state of the objects"),
            ("achieved_goal", ("G",), "m or 1", "what is achieved so far"),
            ("control", ("U",), "1", "the action that the environment is given, in [-1, 1]; at the end: 0"),
            ("reward", (), "1", "of the step that led here; at the start: 0"),
        )
    ),
)  # fmt: skip


def facts(dataset: "Dataset", rows: Rows, images: NDArray[np.uint8]) -> "list[Facts]":
    """The object that it is about, and whether the goal was achieved."""
    from embodied_ssl.datasets.read.captions import facts_of_interactions

    done = dataset.array("interactions/success")[rows]
    return facts_of_interactions(dataset, rows, images, np.where(done, "achieved", "missed").tolist())


def demonstrations(name: str, task: str, about: str) -> Kind:
    """The kind of a task.

    Args:
        name: of the kind, and of its environment's module.
        task: the name of its classes: `TaskEnv` and `TaskExpert`.
        about: a sentence on what is done.
    """
    module = f"embodied_ssl.envs.control.{name}"
    return Kind(
        name=name,
        env_id=f"embodied_ssl/{task}-v0",
        env=f"{module}:{task}Env",
        policies={
            "expert": f"{module}:{task}Expert",
            "random": "embodied_ssl.envs.policies.exploration:RandomActions",
        },
        rows="interactions",
        fields=FIELDS,
        words=("achieved", "missed"),
        closed_loop=True,
        collected={"trajectory": True, "cameras": ("scene", "wrist")},
        batch="embodied_ssl.datasets.read.batches:Demonstrations",
        facts=facts,
        page=InteractionPage(
            about=about,
            caption="The ring is the object that it is about or, where there is none, the goal; the green ball or disc "
            "in the images is the goal.",
        ),
    )
