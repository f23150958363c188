"""What the papers of the lecture report, as results that are drawn as ours are: shares instead of percentages."""

from collections.abc import Mapping

from embodied_ssl.evaluation.results import Result
from findings.committed import UNTRAINED, Measured


def reported(what: str, metric: str, values: Mapping[str, float]) -> Measured:
    """Numbers of a paper, by row. what: the data, as the axis says it."""
    return Measured(tuple(Result(row, 0, "paper", what, metric, value) for row, value in values.items()))


def over(what: str, metric: str, places: tuple[int, ...], values: Mapping[str, tuple[float, ...]]) -> Measured:
    """Curves of a paper, by row."""
    return Measured(
        tuple(
            Result(row, 0, "paper", what, f"{metric}@{place}", value)
            for row, own in values.items()
            for place, value in zip(places, own, strict=True)
        )
    )


IMAGENET = "ImageNet labels"

ROTATION = {
    "classification": reported(
        "VOC 2007 classification", "mAP", {UNTRAINED: 0.533, "rotation": 0.7297, IMAGENET: 0.799}
    ),
    "detection": reported("VOC 2007 detection", "mAP", {UNTRAINED: 0.434, "rotation": 0.544, IMAGENET: 0.568}),
    "segmentation": reported("VOC 2012 segmentation", "mIoU", {UNTRAINED: 0.198, "rotation": 0.391, IMAGENET: 0.480}),
}
"""Gidaris, Singh & Komodakis, ICLR 2018, its table of transfer."""

ORDER = {
    "UCF101": reported("UCF101 actions", "accuracy", {UNTRAINED: 0.386, "temporal order": 0.502}),
    "HMDB51": reported("HMDB51 actions", "accuracy", {UNTRAINED: 0.133, "temporal order": 0.181}),
}
"""Misra, Zitnick & Hebert, ECCV 2016: fine-tuned from random weights and from tuple verification."""

ROBOT = {
    "household": reported("household objects", "accuracy", {UNTRAINED: 0.250, "robot": 0.354, IMAGENET: 0.625}),
    "UW RGB-D": reported("UW RGB-D", "accuracy", {UNTRAINED: 0.468, "robot": 0.693, IMAGENET: 0.820}),
    "Caltech-256": reported("Caltech-256", "accuracy", {UNTRAINED: 0.242, "robot": 0.317, IMAGENET: 0.656}),
}
"""Pinto, Gandhi, Han, Park & Gupta, ECCV 2016: a linear classifier on what the robot learned."""

RECALL = {
    "instance": over(
        "UW RGB-D retrieval", "instance recall", (1, 5, 10, 20),
        {
            UNTRAINED: (0.062, 0.219, 0.331, 0.475), "robot": (0.720, 0.831, 0.875, 0.909),
            IMAGENET: (0.686, 0.857, 0.903, 0.941),
        },
    ),
    "category": over(
        "UW RGB-D retrieval", "category recall", (1, 5, 10, 20),
        {
            UNTRAINED: (0.150, 0.466, 0.652, 0.800), "robot": (0.833, 0.918, 0.946, 0.966),
            IMAGENET: (0.854, 0.953, 0.969, 0.982),
        },
    ),
}  # fmt: skip
"""The same paper: whether the images nearest to an image show the same object, or one of its category."""

TRANSFER = reported(
    "VOC 2007+12 detection", "AP50",
    {"relative patch": 0.7970, "rotation": 0.7967, "simclr": 0.7938, "moco v2": 0.8106, "ImageNet labels": 0.813},
)  # fmt: skip
"""One protocol for all, Faster R-CNN R50-C4 for 24,000 iterations: MMSelfSup's tables; labels by He et al. 2020."""

ATTENTION = reported("VOC 2012 masks", "Jaccard", {"labels": 0.273, "dino": 0.459})
"""Caron et al. 2021, ViT-S/16, the best head of each image."""

MASKED = reported("ImageNet, ViT-B", "accuracy", {"from scratch": 0.823, "mae": 0.836})
"""He et al. 2022, fine-tuned with all labels."""

FEW_PERCENT = reported(
    "ImageNet, 10 % of labels", "accuracy", {"labels": 0.5636, "pseudo-label": 0.6024, "VAT": 0.6087, "S4L": 0.6137}
)
"""Zhai, Oliver, Kolesnikov & Beyer, ICCV 2019, top-1."""
