"""Average precision of detections, as COCO counts it, by `faster-coco-eval` (the extra `[detection]`)."""

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.images.scenes import Boxes


@dataclass(frozen=True)
class Found:
    """What was found in an image. D detections."""

    corners: NDArray[np.float32]  # [D, 4]: left, top, right, bottom, px
    label: NDArray[np.int64]  # [D], rows of `Scenes.things`
    score: NDArray[np.float32]  # [D]


@dataclass(frozen=True)
class Precision:
    """Average precision over classes, each from 0 to 1; NaN where there is nothing to be found."""

    ap: float
    """The mean over IoU 0.50, 0.55 ... 0.95."""
    ap50: float
    ap75: float


def check_installed() -> None:
    """Raises DataError where what counts average precision is not there."""
    if find_spec("faster_coco_eval") is None:
        raise DataError("detection: faster-coco-eval is not installed; pip install 'embodied-ssl[detection]'")


def average_precision(
    found: Sequence[Found], truth: Sequence[Boxes], classes: int, agnostic: bool = False
) -> Precision:
    """Of detections in images against what is there; boxes that nobody is asked about count as COCO's crowds.

    agnostic: whether the class does not count.
    """
    from faster_coco_eval import COCO, COCOeval_faster

    numbers = [0] if agnostic else range(classes)
    given = [(i, box) for i, boxes in enumerate(truth) for box in _annotations(i, boxes, agnostic)]
    if all(box["iscrowd"] for _, box in given):
        return Precision(float("nan"), float("nan"), float("nan"))
    said = [each for i, one in enumerate(found) for each in _detections(i, one, agnostic)]
    if not said:
        return Precision(0.0, 0.0, 0.0)
    with contextlib.redirect_stdout(io.StringIO()):
        known = COCO(
            {
                "info": {},
                "images": [{"id": i + 1} for i in range(len(truth))],
                "categories": [{"id": number + 1, "name": str(number)} for number in numbers],
                "annotations": [{"id": number + 1, **box} for number, (_, box) in enumerate(given)],
            }
        )
        counted = COCOeval_faster(known, known.loadRes(said), "bbox")
        counted.evaluate()
        counted.accumulate()
        counted.summarize()
    ap, ap50, ap75 = (float(value) for value in counted.stats[:3])
    return Precision(ap, ap50, ap75)


def _annotations(image: int, boxes: Boxes, agnostic: bool) -> list[dict[str, object]]:
    each = zip(boxes.corners, boxes.label, boxes.area, boxes.unasked, strict=True)
    return [
        {
            "image_id": image + 1, "category_id": 1 if agnostic else int(label) + 1, "bbox": _width_and_height(corners),
            "area": float(area), "iscrowd": int(unasked),
        }
        for corners, label, area, unasked in each
    ]  # fmt: skip


def _detections(image: int, found: Found, agnostic: bool) -> list[dict[str, object]]:
    each = zip(found.corners, found.label, found.score, strict=True)
    return [
        {
            "image_id": image + 1, "category_id": 1 if agnostic else int(label) + 1, "bbox": _width_and_height(corners),
            "score": float(score),
        }
        for corners, label, score in each
    ]  # fmt: skip


def _width_and_height(corners: NDArray[np.float32]) -> list[float]:
    left, top, right, bottom = corners.tolist()
    return [left, top, right - left, bottom - top]
