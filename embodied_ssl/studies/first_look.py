"""First look: eight kinds of objects in a hand, rooms, and a table; what is learned of them in a minute.

Small enough for a lecture, and for `embodied-ssl demo`: every kind of learner once, on objects and rooms never seen.
"""

from embodied_ssl.evaluation.protocols.few_labels import FewLabels
from embodied_ssl.evaluation.protocols.knn import KNN
from embodied_ssl.evaluation.protocols.linear_probe import LinearProbe
from embodied_ssl.studies.data import TABLES, TEST, TRAINING, StandardData
from embodied_ssl.studies.study import Figure, On, Row, Size, Study

CATEGORIES = "mug,book,bottle,ball,duck,star,banana,lamp"


def _held(minute: int, hour: int, day: int, seed: int, instances: tuple[int, int]) -> StandardData:
    settings = {"length": 8, "visits": 4, "size": 48, "hand": False, "categories": CATEGORIES, "instances": instances}
    return StandardData("hold", {"minute": minute, "hour": hour, "day": day}, seed, settings)


STUDY = Study(
    question="Eight kinds of objects in a hand: what is seen of them, and what is learned of it in a minute?",
    data={"held": _held(1500, 4000, 16000, 11, TRAINING), "held_new": _held(600, 800, 1600, 1011, TEST)},
    rows=(
        Row(
            "views of the hand",
            "simclr --source both --across scenes --together 2 --crop 1 --least_crop 1.0 --temperature 0.1 --grey 0.5 "
            "--lr 3e-3 --bs 128",
            {"objects": "held"},
            samples=2.0,
        ),
        Row("augmentation", "simclr --lr 3e-3 --bs 128", {"frames": "held"}, samples=2.0),
        Row("equivariance", "equivariance", {"pairs": "roam"}, samples=0.5),
        Row("curious robot", "curious_robot --bs 32", TABLES, samples=0.125),
        Row("labels", "labels --lr 3e-3 --bs 128", {"labelled": "held"}),
    ),
    on=(
        On("held_new", (LinearProbe(), KNN(), FewLabels()), splits=3),
        On("roam_test", (KNN(),)),
        On("poke_test", (KNN(),), label="material"),
    ),
    sizes={
        "minute": Size(samples=65_536, seeds=1, precision="bf16"),
        "hour": Size(samples=262_144, seeds=3, precision="bf16"),
        "day": Size(samples=2_097_152, seeds=5, precision="bf16"),
    },
    figures=(
        Figure("What it is: objects never seen", "knn", "accuracy", "held_new"),
        Figure("With few labels", "few_labels", "accuracy", "held_new", over="labelled images of each class"),
        Figure("Which room", "knn", "accuracy", "roam_test"),
        Figure("What it is made of", "knn", "accuracy", "poke_test"),
    ),
    encoder="resnet8",
    batch_size=64,
)
