"""Imitation: what a learned representation is worth to a robot that is shown fifty times what to do.

Policies are cloned on frozen features, of a button to press and of objects to pick and place, and then act.
"""

from embodied_ssl.evaluation.protocols.imitation import Imitation
from embodied_ssl.studies.data import TEST, StandardData
from embodied_ssl.studies.study import Figure, On, Row, Size, Study

SIMCLR = "simclr --temperature 0.1 --grey 0.5 --lr 3e-3"
ACROSS = "--source both --across scenes --together 2 --crop 1 --least_crop 1.0"
TABLES = {"grasps": "grasp", "pushes": "push", "pokes": "poke", "pairs": "grasp"}


def _shown(kind: str, seed: int) -> StandardData:
    """Demonstrations of a task, seen from beside the table and from the hand."""
    settings = {"trajectory": True, "cameras": ("scene", "wrist"), "size": 48, "instances": TEST}
    return StandardData(kind, {"minute": 6, "hour": 60, "day": 120}, seed, settings)


STUDY = Study(
    question="What is a representation worth to a robot that is shown fifty times what to do?",
    data={"press_shown": _shown("press", 21), "pick_place_shown": _shown("pick_place", 22)},
    rows=(
        Row("simclr: augmentation", SIMCLR, {"frames": "hold"}),
        Row("simclr: hold", f"{SIMCLR} {ACROSS}", {"objects": "hold"}),
        Row("simclr: two tables", f"{SIMCLR} --source both", {"objects": "grasp"}),
        Row("curious robot", "curious_robot --bs 32", TABLES, samples=0.25),
        Row("equivariance", "equivariance", {"pairs": "roam"}),
        Row("labels", "labels --lr 3e-3", {"labelled": "hold"}),
    ),
    on=(
        On("press_shown", (Imitation(demonstrations=(5, 50)),)),
        On("pick_place_shown", (Imitation(demonstrations=(5, 50), told_goal=True),)),
    ),
    encoder="resnet8",
    batch_size=128,
    sizes={
        "minute": Size(samples=1024, seeds=1),
        "hour": Size(samples=64_000, seeds=3, precision="bf16"),
        "day": Size(samples=512_000, seeds=5, precision="bf16"),
        "gpu": Size(samples=2_000_000, seeds=5, precision="bf16"),
    },
    figures=(
        Figure("Pressing a button", "imitation", "success", "press_shown", over="demonstrations"),
        Figure("Picking and placing", "imitation", "success", "pick_place_shown", over="demonstrations"),
    ),
)
