"""Batch size: how many other objects SimCLR and MoCo compare an object with, in a batch or in a queue."""

from embodied_ssl.evaluation.protocols.knn import KNN
from embodied_ssl.evaluation.protocols.linear_probe import LinearProbe
from embodied_ssl.studies.study import Figure, On, Row, Size, Study

HELD = "--source both --across scenes --crop 1 --least_crop 1.0 --temperature 0.1 --grey 0.5"
RATES = ("--lr 1e-3", "--lr 3e-3", "--lr 1e-2")
"""What suits a batch of one size does not suit another: each row takes the best of these."""


def _simclr(batch: int) -> Row:
    return Row(f"simclr, batch of {batch}", f"simclr {HELD} --batch_size {batch}", {"objects": "hold"}, RATES)


def _moco(queue: int) -> Row:
    return Row(f"moco, queue of {queue}", f"moco {HELD} --queue_length {queue}", {"objects": "hold"}, RATES)


STUDY = Study(
    question="How many others does an object have to be told from: does a large batch help, and is a queue as good?",
    rows=(
        *map(_simclr, (32, 64, 128, 256, 512)),
        *map(_moco, (128, 512, 2048, 8192)),
        Row("labels", "labels", {"labelled": "hold"}, RATES),
    ),
    on=(On("yardstick", (LinearProbe(), KNN()), splits=5),),
    chosen_on=On("yardstick_choose", (LinearProbe(),)),
    encoder="resnet8",
    batch_size=128,
    sizes={
        "minute": Size(samples=1024, seeds=1, choosing=0.5),
        "hour": Size(samples=64_000, seeds=3, choosing=0.5, precision="bf16"),
        "day": Size(samples=1_000_000, seeds=3, choosing=0.125, precision="bf16"),
        "gpu": Size(samples=4_000_000, seeds=3, choosing=0.125, precision="bf16"),
    },
    figures=(
        Figure(
            "Category of objects never seen", "linear_probe", "accuracy",
            caption="All rows see the same number of samples, so that a small batch makes more updates; each has the "
            "best of three learning rates.",
        ),
    ),
)  # fmt: skip
