"""Semi-supervised: what images without labels add to a few labelled ones, of photographs and of rooms.

The lecture's table of 1 % and 10 % of the labels: each method learns from the same few labelled images, and from all
others without their labels; what is measured is the classifier that it learned, on images never seen. `labels` learned
from the same few alone: by crops and changed colours, and by flips and shifts, which is how the methods see labelled
images. Each begins with weights that were drawn, and with those of our best encoder, which a body taught in simulation.
"""

from embodied_ssl.evaluation.protocols.classifier import Classifier
from embodied_ssl.evaluation.protocols.linear_probe import LinearProbe
from embodied_ssl.studies.study import Figure, On, Row, Size, Study

METHODS = {
    "labels": "labels",
    "labels, flips and shifts": "pseudo_label --weight 0",
    "pseudo-label": "pseudo_label",
    "VAT": "vat",
    "UDA": "uda --annealing linear",
    "S4L": "s4l",
    "FixMatch": "fixmatch",
}
SETS = {"cifar10": ("cifar10", 50, ""), "roam": ("roam_test", 37, " of rooms")}
"""By what is learned from: what is measured on, how many images of a class are 1 %, and what is added to names."""
BEST = "zoo/hold_and_path"


def _row(name: str, data: str, percent: int, init: str) -> Row:
    on, per_class, of = SETS[data]
    streams = ("labelled",) if name == "labels" else ("labelled", "frames")
    method = f"{METHODS[name]} --per_class {per_class * percent}" + (f" --init {init}" if init else "")
    return Row(
        f"{name}, {percent} %{of}" + (", from the zoo" if init else ""), method,
        dict.fromkeys(streams, data), samples=0.5 if name == "S4L" else 1.0, on=(on,),  # four turns of each image
    )  # fmt: skip


ROWS = tuple(
    _row(name, data, percent, init) for data in SETS for percent in (1, 10) for init in ("", BEST) for name in METHODS
)

STUDY = Study(
    question="What do images without labels add where one or ten of a hundred are labelled?",
    rows=ROWS,
    on=(On("cifar10", (Classifier(), LinearProbe())), On("roam_test", (Classifier(), LinearProbe()))),
    encoder="resnet8",
    image_size=32,
    batch_size=128,
    sizes={
        "minute": Size(samples=512, seeds=1),
        "hour": Size(samples=128_000, seeds=3, precision="bf16"),
        "day": Size(samples=1_000_000, seeds=3, precision="bf16"),
        "gpu": Size(samples=10_000_000, seeds=5, precision="bf16"),
    },
    figures=(Figure("The classifier that each has learned", "classifier", "accuracy"),),
)
