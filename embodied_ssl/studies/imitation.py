"""Imitation: what a learned representation is worth to a robot that is shown fifty times what to do.

Policies are cloned on frozen features, of a button to press and of boxes to pick and place, and then act.
"""

from embodied_ssl.evaluation.protocols.imitation import Imitation
from embodied_ssl.studies.data import TABLES, TEST, StandardData
from embodied_ssl.studies.study import Figure, On, Row, Size, Study

SIMCLR = "simclr --temperature 0.1 --grey 0.5 --lr 3e-3"
ACROSS = "--source both --across scenes --together 2 --crop 1 --least_crop 1.0"
TOUCH = "curious_robot --bs 32"
SCENE = {"position": (0.5, -0.45, 0.45), "target": (0.0, 0.0, 0.04), "field_of_view": 0.62}
WRIST = {"position": (0.11, 0.0, -0.06), "target": (0.02, 0.0, 0.06), "field_of_view": 1.1}


def _shown(kind: str, seed: int, hour: int, day: int, **settings: object) -> StandardData:
    """Demonstrations of a task, seen from close beside the table and from the hand."""
    seen = {"trajectory": True, "cameras": ("scene", "wrist"), "size": 48, "instances": TEST}
    views = {"scene": SCENE, "wrist": WRIST}
    return StandardData(kind, {"minute": 60, "hour": hour, "day": day}, seed, {**seen, **views, **settings})


IN_AN_HOUR = ("touch: grasping", "touch: all senses", "touch: seeing again", "simclr: hold", "labels")

STUDY = Study(
    question="What is a representation worth to a robot that is shown fifty times what to do?",
    data={
        "press_shown": _shown("press", 21, 260, 260, length=30),
        "pick_place_shown": _shown("pick_place", 22, 80, 260, length=80, categories="box"),
    },
    rows=(
        Row("touch: grasping", TOUCH, {"grasps": "grasp"}),
        Row("touch: all senses", TOUCH, TABLES),
        Row("touch: seeing again", TOUCH, {"pairs": "grasp"}),
        Row("simclr: augmentation", SIMCLR, {"frames": "hold"}),
        Row("simclr: hold", f"{SIMCLR} {ACROSS}", {"objects": "hold"}),
        Row("equivariance", "equivariance", {"pairs": "roam"}),
        Row("labels", "labels --bs 32", {"labelled": "poke"}),
    ),
    on=(
        On("press_shown", (Imitation(demonstrations=(50, 200), chunk=4, carried_out=2),)),
        On("pick_place_shown", (Imitation(demonstrations=(50, 200), told_goal=True),)),
    ),
    sizes={
        "minute": Size(samples=1024, seeds=1),
        "hour": Size(samples=48_000, seeds=5, rows=IN_AN_HOUR),
        "day": Size(samples=512_000, seeds=5),
        "gpu": Size(samples=2_000_000, seeds=5),
    },
    figures=(
        Figure("Pressing a button", "imitation", "success", "press_shown", over="demonstrations"),
        Figure("Picking and placing", "imitation", "success", "pick_place_shown", over="demonstrations"),
    ),
    batch_size=128,
    learned=("zoo/hold_and_path", "zoo/dino_hold"),
)
