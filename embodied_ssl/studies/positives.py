"""Positives: what makes two views of an object, for methods that compare views.

Two crops of one image, two frames of a path, of an orbit, of a hand that turns the object, in one scene or in several;
an object on two tables, or before and after a push. Each with augmentation, whose crops are the best of three, searched
alike for augmentation alone; views of the hand in several scenes also by the body alone, and with the background
masked, where views share nothing but the object.
"""

from dataclasses import replace

from embodied_ssl.evaluation.protocols.few_labels import FewLabels
from embodied_ssl.evaluation.protocols.knn import KNN
from embodied_ssl.evaluation.protocols.linear_probe import LinearProbe
from embodied_ssl.studies.data import standard
from embodied_ssl.studies.study import Figure, On, Row, Size, Study

CROPS = ("--least_crop 0.2", "--least_crop 0.5", "--least_crop 1.0")
"""How much of an image augmentation keeps at least: searched alike for every row that augments."""
WHOLE = "--crop 1"  # the object is in the middle of the picture: there is no patch to cut out
SCENES = "--across scenes --together 2"  # all four scenes of an episode in one batch


def _rows(method: str) -> tuple[Row, ...]:
    """All kinds of views for one method that tells them from others by a temperature."""

    def row(name: str, options: str, data: dict[str, str], choices: tuple[str, ...] = ()) -> Row:
        return Row(f"{method}: {name}", f"{method} {options} --temperature 0.1 --grey 0.5 --lr 3e-3", data, choices)

    body, both = "--source body", "--source both"
    return (
        row("augmentation", "", {"frames": "hold"}, CROPS),
        row("path", both, {"pairs": "roam"}, CROPS),
        row("orbit", f"{both} {WHOLE}", {"objects": "orbit"}, CROPS),
        row("two tables", both, {"objects": "grasp"}, CROPS),
        row("before and after a push", f"{both} --across interaction", {"objects": "push"}, CROPS),
        row("hold, one scene", f"{both} {WHOLE}", {"objects": "hold"}, CROPS),
        row("hold, across scenes, body alone", f"{body} {WHOLE} {SCENES}", {"objects": "hold"}),
        row("hold, across scenes", f"{both} {WHOLE} {SCENES}", {"objects": "hold"}, CROPS),
        row(
            "hold, background masked", f"{both} {WHOLE} {SCENES} --background masked", {"objects": "hold_masks"}, CROPS
        ),
    )


def _two(name: str, method: str) -> tuple[Row, Row]:
    """Augmentation alone, and the views of a hand, for a method whose rate is not known: searched with the crops."""
    choices = tuple(f"{crop} --lr {rate}" for crop in CROPS for rate in ("1e-3", "3e-3"))
    return (
        Row(f"{name}: augmentation", method, {"frames": "hold"}, choices),
        Row(
            f"{name}: hold, across scenes", f"{method} --source both {WHOLE} --across scenes", {"objects": "hold"},
            choices,
        ),
    )  # fmt: skip


HOLD = standard("hold")
MASKS = replace(HOLD, settings={**HOLD.settings, "instance": True})  # the same pixels, and whose they are

IN_AN_HOUR = ("simclr: augmentation", "simclr: hold, across scenes", "labels")

STUDY = Study(
    question="What makes two views of an object? Augmentation of one image, or what a body sees of the object?",
    rows=(
        *_rows("simclr"),
        *(row for row in _rows("moco") if row.name.endswith(("augmentation", "across scenes"))),
        *_two("byol", "byol --grey 0.5"),
        *_two("vicreg", "vicreg --grey 0.5"),
        *_two("dino", "dino --encoder vit_micro --local_crops 0"),
        Row("labels", "labels --lr 3e-3", {"labelled": "hold"}),
    ),
    on=(
        On("yardstick", (LinearProbe(), KNN()), splits=5),
        On("yardstick", (FewLabels(per_class=(1, 5, 15), of="objects"),)),
    ),
    chosen_on=On("yardstick_choose", (LinearProbe(),)),
    data={"hold_masks": MASKS},
    encoder="resnet8",
    batch_size=128,
    sizes={
        "minute": Size(samples=1024, seeds=1, choosing=0.25),
        "hour": Size(samples=512_000, seeds=3, choosing=0.125, precision="bf16", rows=IN_AN_HOUR),
        "day": Size(samples=1_000_000, seeds=5, choosing=0.25, precision="bf16"),
        "gpu": Size(samples=4_000_000, seeds=3, choosing=0.25, precision="bf16"),
    },
    figures=(
        Figure(
            "Category of objects never seen", "linear_probe", "accuracy", "yardstick",
            caption="Linear probe on half of 1,500 objects with two pictures each, five divisions; no view of the test "
            "objects was learned from. Chance is 0.025.",
        ),
        Figure(
            "With few objects named", "few_labels", "accuracy", "yardstick", over="labelled objects of each class",
        ),
    ),
)  # fmt: skip
