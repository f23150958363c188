"""Attention: whether a transformer that learned without labels looks at the objects.

The [CLS] token of one small transformer, taught by DINO, SimCLR and MoCo, by augmentation and by views of held objects
in several scenes, and by labels; objects are held anywhere in the picture. Its attention is compared with the
simulator's masks, on pictures whose object is not in the middle: of objects held, and on tables, which none of the rows
has seen. A centred disc, the whole picture and the untrained network are what has to be beaten.
"""

from embodied_ssl.evaluation.protocols.attention import Attention
from embodied_ssl.evaluation.protocols.knn import KNN
from embodied_ssl.evaluation.protocols.linear_probe import LinearProbe
from embodied_ssl.studies.data import TRAINING, StandardData
from embodied_ssl.studies.study import Figure, On, Row, Size, Study

# What is always in the middle is found without looking: so objects are held anywhere in the picture.
HELD = StandardData(
    "hold",
    {"minute": 60, "hour": 6000, "day": 20000},
    seed=13,
    settings={
        "length": 8, "visits": 4, "size": 48, "hand": False, "distances": (1.3, 2.2), "aside": 1.0,
        "instances": TRAINING,
    },
)  # fmt: skip
FRAMES, OBJECTS = {"frames": "held_aside"}, {"objects": "held_aside"}
ACROSS = "--source both --across scenes --crop 1 --least_crop 1.0"
DINO = "dino --local_crops 0"  # what small crops show is most often the background alone
CAPTION = (
    "Jaccard index of 60 % of the [CLS] token's attention with the masks of the objects; each picture is a window with "
    "its object off the middle. "
)

IN_AN_HOUR = ("dino: augmentation", "dino: hold, across scenes", "labels")

STUDY = Study(
    question="Does a transformer that learns without labels look at the objects?",
    rows=(
        Row("dino: augmentation", f"{DINO} --least_crop 0.25", FRAMES),
        Row("dino: hold, across scenes", f"{DINO} {ACROSS}", OBJECTS),
        Row("simclr: augmentation", "simclr", FRAMES),
        Row("simclr: hold, across scenes", f"simclr {ACROSS} --together 2", OBJECTS),
        Row("moco: augmentation", "moco", FRAMES),
        Row("labels", "labels", {"labelled": "held_aside"}),
    ),
    on=(
        On("hold_test", (Attention(),)),
        On("tables_test", (Attention(),)),
        On("yardstick", (LinearProbe(), KNN()), splits=5),
    ),
    data={"held_aside": HELD},
    encoder="vit_micro",
    batch_size=64,  # many updates of few samples: none of the rows needs a large batch
    sizes={
        "minute": Size(samples=512, seeds=1),
        "hour": Size(samples=64_000, seeds=5, precision="bf16", rows=IN_AN_HOUR),
        "day": Size(samples=600_000, seeds=5, precision="bf16"),
        "gpu": Size(samples=3_000_000, seeds=3, precision="bf16"),
    },
    figures=(
        Figure(
            "Where it looks: one head", "attention", "Jaccard",
            caption=CAPTION + "The head is chosen on objects that are not tested on.",
        ),
        Figure(
            "Where it looks: the best head of each picture", "attention", "Jaccard, best head of each picture",
            caption=CAPTION + "The head is that which fits the mask best: an upper bound.",
        ),
        Figure("Category of objects never seen", "linear_probe", "accuracy", "yardstick"),
    ),
)  # fmt: skip
