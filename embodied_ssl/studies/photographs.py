"""Photographs: what methods that see single images learn from CIFAR-10's training images, as the papers have it.

The curve is that of RotNet: half of the stages stay as they were learned without labels, the rest is trained on few
labelled images of each class; beside it the same network, trained whole on the same labels alone.
"""

from embodied_ssl.evaluation.protocols.few_labels import FewLabels
from embodied_ssl.evaluation.protocols.linear_probe import LinearProbe
from embodied_ssl.evaluation.protocols.semi_supervised import SemiSupervised
from embodied_ssl.studies.study import Figure, On, Row, Size, Study


def _row(name: str, method: str = "") -> Row:
    return Row(name, method or name, {"frames": "cifar10"})


STUDY = Study(
    question="How much is learned from photographs without a label, and how many labels does it save?",
    rows=(
        _row("rotation"),
        _row("context_encoder"),
        _row("colorization"),
        _row("split_brain"),
        _row("simclr", "simclr --lr 3e-3"),
        _row("moco v2", "moco --version 2 --lr 3e-3"),
        _row("byol"),
        _row("vicreg"),
        Row("labels", "labels", {"labelled": "cifar10"}),
    ),
    on=(On("cifar10", (SemiSupervised(), FewLabels(per_class=(10, 50, 500), draws=3), LinearProbe())),),
    encoder="resnet8",
    image_size=32,
    batch_size=128,
    sizes={
        "minute": Size(samples=2048, seeds=1),
        "hour": Size(samples=128_000, seeds=3, precision="bf16", rows=("rotation", "simclr", "labels")),
        "day": Size(samples=2_000_000, seeds=3, precision="bf16"),
        "gpu": Size(samples=8_000_000, seeds=3, precision="bf16"),
    },
    figures=(
        Figure(
            "Trained on from half-way", "semi_supervised", "accuracy", over="labelled images of each class",
            caption="The untrained network is trained whole, on the labels alone.",
        ),
        Figure("Frozen features", "few_labels", "accuracy", over="labelled images of each class"),
    ),
)  # fmt: skip
