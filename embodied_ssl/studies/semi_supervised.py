"""Semi-supervised: what images without labels add to a few labelled ones, of photographs and of rooms.

The lecture's table of 1 % and 10 % of the labels: each method learns from the same few labelled images, and from all
others without their labels; what is measured is the classifier that it learned, on images never seen. `labels` learned
from the same few alone.
"""

from embodied_ssl.evaluation.protocols.classifier import Classifier
from embodied_ssl.evaluation.protocols.linear_probe import LinearProbe
from embodied_ssl.studies.study import Figure, On, Row, Size, Study

METHODS = {
    "labels": "labels",
    "pseudo-label": "pseudo_label",
    "VAT": "vat",
    "UDA": "uda --annealing linear",
    "S4L": "s4l",
    "FixMatch": "fixmatch",
}
PER_CLASS = {"1 %": 50, "10 %": 500}
"""Of CIFAR-10's 5,000 training images of a class."""


def _row(name: str, percent: str) -> Row:
    streams = ("labelled",) if name == "labels" else ("labelled", "frames")
    method = f"{METHODS[name]} --per_class {PER_CLASS[percent]}"
    return Row(f"{name}, {percent}", method, dict.fromkeys(streams, "cifar10"))


STUDY = Study(
    question="What do images without labels add where one or ten of a hundred are labelled?",
    rows=tuple(_row(name, percent) for percent in PER_CLASS for name in METHODS),
    on=(On("cifar10", (Classifier(), LinearProbe())),),
    encoder="resnet8",
    image_size=32,
    batch_size=128,
    sizes={
        "minute": Size(samples=2048, seeds=1),
        "hour": Size(samples=64_000, seeds=3, precision="bf16"),
        "day": Size(samples=1_000_000, seeds=3, precision="bf16"),
        "gpu": Size(samples=10_000_000, seeds=5, precision="bf16"),
    },
    figures=(Figure("The classifier that each has learned", "classifier", "accuracy", "cifar10"),),
)
