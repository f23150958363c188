"""Transfer: what is learned is asked for boxes, classes of pixels, depth, normals, and what is in an image.

The lecture's tables of transfer, on what the simulator knows exactly: tables, rooms and a hand's objects that nothing
was learned from. Each method learns from the data that it is made for. Beside them stand raw pixels, the network as it
was drawn, and that rescaled by images that are learned from (Krähenbühl et al. 2016).
"""

from embodied_ssl.evaluation.protocols.depth import Depth
from embodied_ssl.evaluation.protocols.detection import Detection
from embodied_ssl.evaluation.protocols.multi_label import MultiLabel
from embodied_ssl.evaluation.protocols.normals import Normals
from embodied_ssl.evaluation.protocols.segmentation import Segmentation
from embodied_ssl.studies.data import TABLES, TEST, StandardData
from embodied_ssl.studies.study import Figure, On, Row, Size, Study

HELD = "--source both --across scenes --together 2 --crop 1 --least_crop 1.0"
KNOWN = {"instances": TEST, "instance": True, "depth": True}
"""What stands at each pixel, and how far away."""

FOUND = Detection(by=("frozen",), kinds=False, pictures=600, updates=160, rates=(1e-3,))
WHERE = Segmentation(by=("linear",), kinds=False, pictures=500)
"""Things against floor, wall or table: of fifty kinds, few of each, all rows know next to nothing."""
FAR, TURNED = Depth(pictures=500), Normals(pictures=500)
NAMED = MultiLabel(by=("linear", "whole"), updates=100, rates=(1e-3,))
"""Of the linear layer alone, and of all layers."""

STUDY = Study(
    question="How far does what is learned carry: to finding, naming and measuring what stands where?",
    data={
        "rooms_known": StandardData(
            "roam", {"minute": 90, "hour": 1000, "day": 3000}, 1100, {"length": 2, "size": 96, **KNOWN}
        ),
        "tables_known": StandardData(
            "grasp", {"minute": 90, "hour": 1000, "day": 3000}, 1104, {"size": 128, "interactions": 1, **KNOWN}
        ),
        "held_known": StandardData(
            "hold", {"minute": 90, "hour": 1000, "day": 3000}, 1103, {"length": 2, "size": 48, **KNOWN}
        ),
    },
    rows=(
        Row("rotation", "rotation", {"frames": "roam"}),
        Row("colorization", "colorization", {"frames": "roam"}),
        Row("egomotion", "egomotion", {"pairs": "roam"}),
        Row("equivariance", "equivariance", {"pairs": "roam"}),
        Row("simclr: augmentation", "simclr", {"frames": "roam"}),
        Row("moco v2", "moco --version 2", {"frames": "roam"}),
        Row("simclr: views of a hand", f"simclr {HELD}", {"objects": "hold"}),
        Row("curious robot", "curious_robot", TABLES, samples=0.25),  # four streams
        Row("labels", "labels", {"labelled": "hold"}),
    ),
    on=(
        On("tables_known", (FOUND, WHERE, FAR, TURNED, NAMED)),
        On("rooms_known", (WHERE, FAR, TURNED)),
        On("held_known", (Segmentation(by=("linear", "fcn"), kinds=False, updates=200, rates=(1e-3,)), FAR, TURNED)),
    ),
    encoder="resnet8",
    rescaled=True,
    sizes={
        "minute": Size(samples=1024, seeds=1),
        "hour": Size(samples=24_000, seeds=3, precision="bf16"),
        "day": Size(samples=1_000_000, seeds=3, precision="bf16"),
        "gpu": Size(samples=4_000_000, seeds=3, precision="bf16"),
    },
    figures=(
        Figure("Boxes on tables", "detection", "frozen AP50", "tables_known"),
        Figure("Where things are in rooms", "segmentation", "linear mIoU", "rooms_known"),
        Figure("Where things are on tables", "segmentation", "linear mIoU", "tables_known"),
        Figure("Where the thing in a hand is", "segmentation", "linear mIoU", "held_known"),
        Figure("Where the thing in a hand is, all layers", "segmentation", "fcn mIoU", "held_known"),
        Figure("How far it is in rooms", "depth", "δ1", "rooms_known"),
        Figure("How surfaces are turned in rooms", "normals", "mean angle", "rooms_known"),
        Figure("What is on the table, a linear layer", "multi_label", "linear mAP", "tables_known"),
        Figure("What is on the table, all layers", "multi_label", "whole mAP", "tables_known"),
    ),
)
