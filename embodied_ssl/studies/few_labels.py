"""Few labels: what was learned in simulation alone, on real photographs of which few are labelled."""

from embodied_ssl.evaluation.protocols.few_labels import FewLabels
from embodied_ssl.evaluation.protocols.linear_probe import LinearProbe
from embodied_ssl.studies.study import Figure, On, Row, Size, Study

SIMCLR = "simclr --temperature 0.1 --grey 0.5 --lr 3e-3"
HELD = "--source both --across scenes --together 2 --crop 1 --least_crop 1.0"
PERCENT = FewLabels(per_class=(10, 50, 500), draws=5)
"""1 % of CIFAR-10's training images are 50 of each class, 10 % are 500."""

STUDY = Study(
    question="How much does a body's experience of a simulated world save in labels of real photographs?",
    rows=(
        Row("simclr: augmentation", SIMCLR, {"frames": "roam"}),
        Row("simclr: path", f"{SIMCLR} --source both", {"pairs": "roam"}),
        Row("simclr: hold", f"{SIMCLR} {HELD}", {"objects": "hold"}),
        Row("simclr: hold and path", f"{SIMCLR} {HELD}", {"objects": "hold", "pairs": "roam"}),
        Row("rotation", "rotation", {"frames": "roam"}),
        Row("equivariance", "equivariance", {"pairs": "roam"}),
        Row("labels of simulated objects", "labels", {"labelled": "hold"}),
    ),
    on=(
        On("cifar10", (PERCENT, LinearProbe())),
        On("fashion_mnist", (PERCENT, LinearProbe())),
    ),
    encoder="resnet8",
    image_size=32,
    batch_size=128,
    sizes={
        "minute": Size(samples=2048, seeds=1),
        "hour": Size(samples=48_000, seeds=3, precision="bf16"),
        "day": Size(samples=2_000_000, seeds=3, precision="bf16"),
        "gpu": Size(samples=8_000_000, seeds=3, precision="bf16"),
    },
    figures=(
        Figure("Real photographs", "few_labels", "accuracy", "cifar10", over="labelled images of each class"),
        Figure("Pictures of clothes", "few_labels", "accuracy", "fashion_mnist", over="labelled images of each class"),
    ),
)
