"""Detection: average precision against pycocotools and by hand, and detectors on encoders of every family."""

import contextlib
import io
from dataclasses import replace
from itertools import islice

import cv2
import numpy as np
import pytest
import torch

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.images.image_set import ImageSet
from embodied_ssl.datasets.images.scenes import Boxes, Scenes
from embodied_ssl.datasets.images.sources import image_set
from embodied_ssl.encoders import random_encoder
from embodied_ssl.evaluation.estimators import average_precision as counting
from embodied_ssl.evaluation.estimators.average_precision import Found, average_precision
from embodied_ssl.evaluation.estimators.c4 import C4, Recipe, descent
from embodied_ssl.evaluation.estimators.detector import Detector, found_by, levels_of, moco_detector, train_detector
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
    encoded = EncodedSet(
        images=images, features_of=lambda rows: features, encoder=encoder, prepared=protocol.prepare(on)
    )
    return {each.metric: each for each in protocol.measure(encoded)}


def test_a_detector_learns_where_things_are_and_chooses_its_rate_on_validation():
    protocol = Detection(by=("frozen",), kinds=False, pictures=36, updates=60, rates=(1e-8, 3e-3))
    result = measured(protocol, random_encoder("conv4", SIDE, 0), squares())
    assert result["frozen AP50"].settings["learning_rate"] == 3e-3
    assert result["frozen AP50"].value > 0.35  # 0.49 to 0.6 by processor; without a rate to speak of 0
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


@pytest.mark.parametrize("name", ["conv4", "resnet8", "kitti_net", "torchvision/resnet18", "torchvision/squeezenet1_1"])
def test_an_encoder_in_two_is_the_same_encoder(name):
    encoder = random_encoder(name, 64, 0).eval()
    trunk, deepest = encoder.in_two()
    images = torch.rand(2, 3, 64, 96)
    with torch.no_grad():
        torch.testing.assert_close(deepest(trunk(images)), encoder.last_maps(images))
    assert {id(each) for each in (*trunk.parameters(), *deepest.parameters())} <= set(map(id, encoder.parameters()))


def test_mocos_recipe_has_the_numbers_of_its_configuration():
    """pascal_voc_R_50_C4_24k_moco.yaml and its bases; sides are those of squares about images of 4:3."""
    recipe = Recipe()
    assert (recipe.batch, recipe.updates, recipe.rate, recipe.momentum, recipe.decay) == (16, 24_000, 0.02, 0.9, 1e-4)
    factors = [recipe.factor(update) for update in (0, 50, 100, 17_999, 18_000, 21_999, 22_000, 23_999)]
    assert factors == pytest.approx([1e-3, 0.5005, 1, 1, 0.1, 0.1, 0.01, 0.01])
    assert [round(side * 3 / 4) for side in recipe.sides] == list(range(480, 801, 32))
    detector = C4(random_encoder("torchvision/resnet50", 224, 0), 20, recipe)
    network = detector.network
    assert network.roi_heads.box_roi_pool.scale == 1 / 16
    assert network.rpn.anchor_generator.sizes == ((32, 64, 128, 256, 512),)
    assert network.rpn.head.cls_logits.out_channels == 15
    assert (network.backbone.out_channels, network.roi_heads.box_predictor.cls_score.in_features) == (1024, 2048)
    assert network.roi_heads.box_predictor.cls_score.out_features == 21
    assert network.roi_heads.box_head.norm.num_features == 2048
    assert network.roi_heads.fg_bg_sampler.batch_size_per_image == 512
    assert all(parameter.requires_grad for parameter in detector.parameters())
    others, norms = descent(detector, recipe)[0].param_groups
    assert (others["weight_decay"], norms["weight_decay"]) == (1e-4, 0)
    assert len(norms["params"]) == 2 * (53 + 1)  # of ResNet-50, and the one that MoCo adds
    assert len(others["params"]) + len(norms["params"]) == len([*detector.parameters()])


def voc(folder):
    """Bright squares on dark noise, in the layout of VOC."""
    rng = np.random.default_rng(0)
    for name in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (folder / name).mkdir(parents=True)
    for i in range(12):
        image = rng.integers(0, 60, (36, 48, 3)).astype(np.uint8)
        left, top = (int(each) for each in rng.integers(2, 16, 2))
        image[top : top + 16, left : left + 16] = 250
        cv2.imwrite(str(folder / f"JPEGImages/{i:06d}.png"), image)
        box = f"<xmin>{left + 1}</xmin><ymin>{top + 1}</ymin><xmax>{left + 16}</xmax><ymax>{top + 16}</ymax>"
        (folder / f"Annotations/{i:06d}.xml").write_text(
            f"<annotation><object><name>dog</name><bndbox>{box}</bndbox></object></annotation>"
        )
    for part, rows in (("trainval", range(9)), ("test", range(9, 12))):
        (folder / f"ImageSets/Main/{part}.txt").write_text("".join(f"{i:06d}\n" for i in rows))
    return folder


def test_mocos_recipe_trains_on_voc(tmp_path):
    images = image_set(f"voc:{voc(tmp_path / 'voc')}")
    pictures = Detection(recipe="moco").prepare(EvaluationSet(images=images))
    assert pictures.scenes.side == pictures.held_out.side == 1067
    assert sorted([*pictures.parts.train, *pictures.parts.validation]) == list(range(9))
    scenes = pictures.scenes.resized(96)
    np.testing.assert_allclose(scenes.boxes(3).corners, pictures.scenes.boxes(3).corners * 96 / 1067, rtol=1e-5)
    small = replace(pictures, scenes=scenes, held_out=scenes)
    recipe = Recipe(batch=3, updates=6, warmup=2, sides=(80, 96), anchors=(16, 32), regions=16, statistics=3)
    encoder = random_encoder("conv4", 48, 0)
    before = {key: tensor.clone() for key, tensor in encoder.state_dict().items()}
    detector, about = moco_detector(encoder, small, recipe, False, "cpu")
    assert all(torch.equal(tensor, before[key]) for key, tensor in encoder.state_dict().items())
    assert (about["recipe"], about["updates"]) == ("moco", 6)
    learned = detector.state_dict()
    pairs = [(learned[key], tensor) for key, tensor in C4(encoder, 20, recipe).state_dict().items() if "weight" in key]
    assert len(pairs) > 10
    assert not any(torch.equal(now, then) for now, then in islice(pairs, 4))  # the trunk as well
    tracked = [tensor for key, tensor in learned.items() if key.endswith("num_batches_tracked")]
    assert {int(each) for each in tracked} == {3}  # statistics are those of the end alone
    said = found_by(detector.network, 96, scenes, small.parts.test, "cpu", 1)
    assert all(np.isfinite(each.corners).all() and each.corners.max(initial=0) <= 96 for each in said)
    with pytest.raises(DataError, match="its deepest stage does not stand alone"):
        moco_detector(random_encoder("vit_micro", 48, 0), small, recipe, False, "cpu")


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(counting, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"pip install 'embodied-ssl\[detection\]'"):
        Detection().prepare(EvaluationSet(images=squares(8)))
