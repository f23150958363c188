"""The lecture: every method of a lecture on self-supervised learning, on the same data and budget, measured alike."""

from embodied_ssl.evaluation.protocols.few_labels import FewLabels
from embodied_ssl.evaluation.protocols.knn import KNN
from embodied_ssl.evaluation.protocols.linear_probe import LinearProbe
from embodied_ssl.evaluation.protocols.zero_shot import ZeroShot
from embodied_ssl.studies.data import TABLES
from embodied_ssl.studies.study import Figure, On, Row, Size, Study

VIT = "--encoder vit_micro"


def _image(name: str, method: str = "") -> Row:
    """A row that learns from single images."""
    return Row(name, method or name, {"frames": "roam"})


def _motion(name: str) -> Row:
    """A row that learns from pairs of frames, and most from the motion between them."""
    return Row(name, name, {"pairs": "roam"})


STUDY = Study(
    question="What does each method of the lecture learn from a body's video, on the same images and the same budget?",
    rows=(
        *map(_image, ("rotation", "relative_patch", "jigsaw", "context_encoder", "colorization", "split_brain")),
        Row("temporal_order", "temporal_order", {"clips": "roam"}),
        *map(_motion, ("temporal_coherence", "drlim", "egomotion", "equivariance", "continuous_equivariance")),
        _motion("view_prediction"),
        Row("curious_robot", "curious_robot", TABLES),
        _image("simclr"),
        _image("moco v2", "moco --version 2"),
        _image("moco v3", "moco --version 3"),
        _image("byol"),
        _image("vicreg"),
        _image("dino", f"dino {VIT} --local_crops 0"),  # small crops would make it six views of each image
        _image("mae", f"mae {VIT}"),
        _image("ijepa", f"ijepa {VIT}"),
        Row("seq_jepa", "seq_jepa", {"clips": "roam"}),
        Row("clip", "clip", {"captions": "hold"}),
        Row("labels", "labels", {"labelled": "roam"}),
    ),
    on=(
        On("roam_test", (LinearProbe(), KNN(), FewLabels())),
        On("yardstick", (LinearProbe(), KNN()), splits=5),
        On("yardstick", (ZeroShot(),)),
        On("poke_test", (LinearProbe(), KNN()), label="material"),
        On("cifar10", (FewLabels(per_class=(10, 50, 500), draws=3),)),
        On("fashion_mnist", (FewLabels(per_class=(10, 50, 500), draws=3),)),
    ),
    encoder="resnet8",
    batch_size=64,  # of an hour's samples larger ones make too few updates
    sizes={
        "minute": Size(samples=1024, seeds=1),
        "hour": Size(samples=40_000, seeds=3, precision="bf16"),
        "day": Size(samples=1_000_000, seeds=3, precision="bf16"),
        "gpu": Size(samples=1_000_000, seeds=3, precision="bf16"),
    },
    figures=(
        Figure("Rooms never seen", "linear_probe", "accuracy", "roam_test"),
        Figure("Objects never seen", "linear_probe", "accuracy", "yardstick"),
        Figure("With few labels", "few_labels", "accuracy", "roam_test", over="labelled images of each class"),
    ),
)
