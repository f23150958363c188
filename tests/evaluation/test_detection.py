"""Detection: average precision against pycocotools and by hand, and detectors on encoders of every family."""

import contextlib
import io
from dataclasses import replace

import numpy as np
import pytest
import torch

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.images.image_set import ImageSet
from embodied_ssl.datasets.images.scenes import Boxes, Scenes
from embodied_ssl.encoders import random_encoder
from embodied_ssl.evaluation.estimators import average_precision as counting
from embodied_ssl.evaluation.estimators.average_precision import Found, average_precision
from embodied_ssl.evaluation.estimators.detector import Detector, levels_of, train_detector
from embodied_ssl.evaluation.features import Pixels
from embodied_ssl.evaluation.protocol import EncodedSet, EvaluationSet
from embodied_ssl.evaluation.protocols.detection import Detection

SIDE = 32


def boxes(*corners, label=None, unasked=None):
    found = np.array(corners, "f4").reshape(-1, 4)
    area = (found[:, 2] - found[:, 0]) * (found[:, 3] - found[:, 1])
    label = np.zeros(len(found), np.int64) if label is None else np.array(label)
    return Boxes(found, label, area, np.zeros(len(found), bool) if unasked is None else np.array(unasked))


def found(*corners, score, label=None):
    each = np.array(corners, "f4").reshape(-1, 4)
    return Found(each, np.zeros(len(each), np.int64) if label is None else np.array(label), np.array(score, "f4"))


def test_average_precision_by_hand():
    """Two things; the first is found well, one says there is one where there is none, the second is found badly.

    Ranked by score: right, wrong, right (IoU 0.6). At IoU 0.5 precision is 1 up to recall 0.5, then 2/3: of the 101
    recalls of COCO 51 have 1 and 50 have 2/3. From IoU 0.65 on only the first is right.
    """
    truth = [boxes((0, 0, 10, 10)), boxes((20, 20, 30, 30))]
    said = [
        found((0, 0, 10, 10), (50, 50, 60, 60), score=(0.9, 0.8)),
        found((20, 20, 30, 26), score=(0.7,)),
    ]
    counted = average_precision(said, truth, 1)
    at50, at75 = (51 + 50 * 2 / 3) / 101, 51 / 101
    assert counted.ap50 == pytest.approx(at50)
    assert counted.ap75 == pytest.approx(at75)
    assert counted.ap == pytest.approx((3 * at50 + 7 * at75) / 10)
    assert average_precision([found(score=()), found(score=())], truth, 1).ap == 0
    assert np.isnan(average_precision(said, [boxes(), boxes()], 1).ap)
    crowd = [boxes((0, 0, 10, 10)), boxes((20, 20, 30, 30), unasked=[True])]
    assert average_precision([said[0], said[1]], crowd, 1).ap == pytest.approx(1)  # what is in it is not wrong


def test_average_precision_is_that_of_pycocotools():
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    rng = np.random.default_rng(0)
    truth, said = [], []
    for _ in range(12):
        corner, size = rng.uniform(0, 60, (5, 2)), rng.uniform(8, 40, (5, 2))
        truth.append(
            boxes(*np.hstack([corner, corner + size]), label=rng.integers(0, 3, 5), unasked=rng.random(5) < 0.2)
        )
        near = np.hstack([corner, corner + size]) + rng.normal(0, 3, (5, 4))
        near[:, 2:] = np.maximum(near[:, 2:], near[:, :2] + 1)
        said.append(found(*near, score=rng.random(5), label=np.where(rng.random(5) < 0.8, truth[-1].label, 0)))
    ours = average_precision(said, truth, 3)
    known, numbered = COCO(), iter(range(1, 1000))
    known.dataset = {
        "images": [{"id": i + 1} for i in range(12)], "categories": [{"id": k + 1} for k in range(3)],
        "annotations": [
            {"id": next(numbered), "image_id": i + 1, "category_id": int(label) + 1, "iscrowd": int(unasked),
             "bbox": [*map(float, at[:2]), *map(float, at[2:] - at[:2])], "area": float(area)}
            for i, one in enumerate(truth)
            for at, label, area, unasked in zip(one.corners, one.label, one.area, one.unasked, strict=True)
        ],
    }  # fmt: skip
    detections = [
        {"image_id": i + 1, "category_id": int(label) + 1, "score": float(score),
         "bbox": [*map(float, at[:2]), *map(float, at[2:] - at[:2])]}
        for i, one in enumerate(said) for at, label, score in zip(one.corners, one.label, one.score, strict=True)
    ]  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        known.createIndex()
        theirs = COCOeval(known, known.loadRes(detections), "bbox")
        theirs.evaluate()
        theirs.accumulate()
        theirs.summarize()
    assert 0.05 < ours.ap < 0.9
    assert (ours.ap, ours.ap50, ours.ap75) == pytest.approx(tuple(theirs.stats[:3]), abs=1e-6)


def squares(count=40):
    """A bright square on grey noise; some images have one more in another colour."""
    rng = np.random.default_rng(0)
    images = rng.integers(90, 150, (count, SIDE, SIDE, 3)).astype(np.uint8)
    truth = []
    for i in range(count):
        corners = []
        for kind in range(1 + i % 2):
            side = int(rng.integers(8, 13))
            top, left = rng.integers(0, SIDE // 2 - side // 2, 2) + (0, kind * SIDE // 2 - kind)
            left = min(int(left), SIDE - side)
            images[i, top : top + side, left : left + side] = ((255, 30, 30), (30, 30, 255))[kind]
            corners.append((left, top, left + side, top + side))
        truth.append(boxes(*corners, label=range(1 + i % 2)))
    scenes = Scenes(
        "squares", images, np.arange(count), np.full(count, "", "U10"), lambda rows: rows.astype(np.uint64),
        things=("red", "blue"), boxes=lambda row: truth[row],
    )  # fmt: skip
    return ImageSet(
        "squares", images, np.arange(count) % 2, ("a", "b"), np.arange(count), np.full(count, "", "U10"), "x",
        lambda: np.arange(count, dtype=np.uint64), scenes=lambda: scenes,
    )  # fmt: skip


def measured(protocol, encoder, images):
    on = EvaluationSet(images=images)
    features = np.zeros((len(images), encoder.dim), np.float32)
    encoded = EncodedSet(images=images, features=features, encoder=encoder, prepared=protocol.prepare(on))
    return {each.metric: each for each in protocol.measure(encoded)}


def test_a_detector_learns_where_things_are_and_chooses_its_rate_on_validation():
    protocol = Detection(by=("frozen",), kinds=False, pictures=36, updates=60, rates=(1e-8, 3e-3))
    result = measured(protocol, random_encoder("conv4", SIDE, 0), squares())
    assert result["frozen AP50"].settings["learning_rate"] == 3e-3
    assert result["frozen AP50"].value > 0.5
    assert result["frozen AP50"].value >= result["frozen AP"].value
    assert len(result["frozen AP"].tested) == result["frozen AP"].settings["test"]
    pixels = measured(replace(protocol, by=("frozen", "whole"), updates=1), Pixels(), squares())
    assert set(pixels) == {"frozen AP50", "frozen AP75", "frozen AP"}


@pytest.mark.parametrize(
    "name", ["conv4", "vit_micro", "split/conv4", "timm/test_convnext", "torchvision/squeezenet1_1"]
)
def test_frozen_encoders_of_every_family_stay_and_whole_ones_learn(name):
    images, encoder = squares(20), random_encoder(name, SIDE, 0).train()
    before = {key: tensor.clone() for key, tensor in encoder.state_dict().items()}
    pictures = Detection(pictures=20).prepare(EvaluationSet(images=images))
    for frozen in (True, False):
        detector = train_detector(encoder, pictures, frozen, 1e-3, 2, False, "cpu")
        own = detector.network.backbone.encoder.state_dict()
        same = [torch.equal(tensor, before[key]) for key, tensor in own.items()]
        assert all(same) if frozen else not all(same)
        assert len(detector.found_in(pictures.held_out, pictures.parts.test, "cpu")) == len(pictures.parts.test)
    assert all(torch.equal(tensor, before[key]) for key, tensor in encoder.state_dict().items())
    assert encoder.training
    strides = list(levels_of(encoder, detector.side).values())
    assert strides == sorted(set(strides))
    assert strides[0] >= 4


def test_anchors_of_small_images_are_of_8_to_64_px():
    detector = Detector(random_encoder("resnet8", 48, 0), 3, 128, frozen=True)
    sizes = [size for own in detector.network.rpn.anchor_generator.sizes for size in own]
    assert (min(sizes), max(sizes)) == (8, 64)
    assert levels_of(random_encoder("resnet8", 48, 0), 128) == {"layer1": 4, "layer2": 8, "layer3": 16}


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(counting, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"pip install 'embodied-ssl\[detection\]'"):
        Detection().prepare(EvaluationSet(images=squares(8)))
