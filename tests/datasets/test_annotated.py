"""Images with boxes and masks in the layouts of others: VOC, COCO, folders of masks, on a few generated ones."""

import json

import cv2
import numpy as np
import pytest
from PIL import Image

from embodied_ssl.comparison import _place
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.images.annotated import VOC, _filled, layout_of, split_layout
from embodied_ssl.datasets.images.scenes import UNASKED
from embodied_ssl.datasets.images.sources import image_set
from embodied_ssl.encoders import random_encoder
from embodied_ssl.evaluation.features import Pixels
from embodied_ssl.evaluation.protocol import EncodedSet, EvaluationSet
from embodied_ssl.evaluation.protocols.detection import Detection
from embodied_ssl.evaluation.protocols.multi_label import MultiLabel, mean_average_precision
from embodied_ssl.evaluation.protocols.segmentation import Segmentation

HEIGHT, WIDTH, SIDE = 40, 60, 30
COUNT = 24
NAMES = ("cat", "dog")
COLOURS = ((250, 40, 40), (40, 40, 250))


def drawn(i):
    """An image of noise with a rectangle of one class or of both: image, values of classes, boxes by class."""
    rng = np.random.default_rng(i)
    image = rng.integers(110, 140, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    values = np.zeros((HEIGHT, WIDTH), np.uint8)
    boxes = []
    for kind in [0, 1, (0, 1)][i % 3] if i % 3 == 2 else ([0, 1][i % 3],):
        top, left = int(rng.integers(0, 20)), int(rng.integers(0, 12)) + 30 * kind
        image[top : top + 16, left : left + 18] = COLOURS[kind]
        values[top : top + 16, left : left + 18] = kind + 1
        boxes.append((kind, (left, top, left + 18, top + 16)))
    return image, values, boxes


def part_of(i):
    return "train" if i < 14 else "val"


def save(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image[..., ::-1] if image.ndim == 3 else image)


def voc(folder):
    for i in range(COUNT):
        image, values, boxes = drawn(i)
        save(folder / f"JPEGImages/{i:06d}.png", image)
        if i % 2 == 0:  # half of them alone have masks, with a palette
            mask = Image.fromarray(np.choose(values, [0, VOC.index("cat") + 1, VOC.index("dog") + 1]).astype(np.uint8))
            mask.putpalette(np.random.default_rng(0).integers(0, 255, 768, dtype=np.uint8).tobytes())
            (folder / "SegmentationClass").mkdir(exist_ok=True)
            mask.save(folder / f"SegmentationClass/{i:06d}.png")
        objects = "".join(
            f"<object><name>{NAMES[kind]}</name><difficult>{int(i == 3)}</difficult><bndbox><xmin>{u0 + 1}</xmin>"
            f"<ymin>{v0 + 1}</ymin><xmax>{u1}</xmax><ymax>{v1}</ymax></bndbox></object>"
            for kind, (u0, v0, u1, v1) in boxes
        )
        (folder / "Annotations").mkdir(exist_ok=True)
        (folder / f"Annotations/{i:06d}.xml").write_text(f"<annotation>{objects}</annotation>")
    sets = folder / "ImageSets/Main"
    sets.mkdir(parents=True)
    for part in ("train", "val"):
        (sets / f"{part}.txt").write_text("".join(f"{i:06d}\n" for i in range(COUNT) if part_of(i) == part))
    (sets / "cat_train.txt").write_text("000000 1\n")  # of one class, which says nothing of parts


def coco(folder):
    for part in ("train", "val"):
        mine = [i for i in range(COUNT) if part_of(i) == part]
        annotations = []
        for i in mine:
            image, values, boxes = drawn(i)
            save(folder / f"{part}2017/{i:012d}.png", image)
            for kind, (u0, v0, u1, v1) in boxes:
                outline = [[u0, v0, u1, v0, u1, v1, u0, v1]]
                if i == 3:
                    runs = np.diff(np.flatnonzero(np.diff(np.pad((values == kind + 1).T.ravel(), 1)))).tolist()
                    first = int(np.argmax((values == kind + 1).T.ravel()))
                    outline = {"counts": [first, *runs, HEIGHT * WIDTH - first - sum(runs)], "size": [HEIGHT, WIDTH]}
                annotations.append({
                    "id": len(annotations), "image_id": i, "category_id": 17 + kind, "iscrowd": int(i == 3),
                    "bbox": [u0, v0, u1 - u0, v1 - v0], "area": (u1 - u0) * (v1 - v0), "segmentation": outline,
                })  # fmt: skip
        told = {
            "images": [{"id": i, "file_name": f"{i:012d}.png", "height": HEIGHT, "width": WIDTH} for i in mine],
            "categories": [{"id": 17 + kind, "name": name} for kind, name in enumerate(NAMES)],
            "annotations": annotations,
        }
        (folder / "annotations").mkdir(exist_ok=True)
        (folder / f"annotations/instances_{part}2017.json").write_text(json.dumps(told))
        (folder / f"annotations/captions_{part}2017.json").write_text('{"annotations": [{"caption": "a cat"}]}')


def masks(folder):
    for i in range(COUNT):
        image, values, _ = drawn(i)
        name = f"{part_of(i)}/{i:03d}"
        save(folder / f"images/{name}.png", image)
        save(folder / f"masks/{name}.png", values)
        save(folder / f"instances/{name}.png", values * 7)
    (folder / "classes.txt").write_text("background\ncat\ndog\n")


LAYOUTS = {"voc": voc, "coco": coco, "masks": masks}


@pytest.fixture(params=LAYOUTS)
def laid_out(request, tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    LAYOUTS[request.param](folder)
    return request.param, folder


def test_boxes_masks_and_parts_are_those_that_were_written(laid_out):
    layout, folder = laid_out
    assert layout_of(folder) == layout
    images = image_set(f"{layout}:{folder}", side=SIDE)
    scenes = images.scenes()
    assert images.fingerprint == image_set(folder, side=SIDE).fingerprint
    assert (images.part == ["train"] * 14 + ["test"] * 10).all()  # what is called val is tested on
    assert images.images.shape == (COUNT, SIDE, SIDE, 3)
    for i in range(COUNT):
        image, values, expected = drawn(i)
        (shown,) = images.images[np.array([i])]
        np.testing.assert_array_equal(shown[:20], cv2.resize(image, (30, 20), interpolation=cv2.INTER_AREA))
        assert (shown[20:] == 0).all()
        boxes = scenes.boxes(i)
        assert [scenes.things[label] for label in boxes.label] == [NAMES[kind] for kind, _ in expected]
        np.testing.assert_allclose(boxes.corners, np.array([box for _, box in expected]) / 2, atol=1e-5)
        assert boxes.area == pytest.approx([16 * 18 / 4] * len(expected))
        assert boxes.unasked.all() == (i == 3 and layout != "masks")
        if layout == "voc" and i % 2:
            assert not scenes.masked[i]
            continue
        (labels,) = scenes.labels(np.array([i]))
        assert (labels[20:] == UNASKED).all()
        if not boxes.unasked.any():
            own = np.array([0, *(scenes.classes.index(name) for name in NAMES)])[values]
            near = labels[:20] == cv2.resize(own.astype(np.uint8), (30, 20), interpolation=cv2.INTER_NEAREST)
            assert near.mean() > (0.999)


def emptied(layout, folder):
    """The first image has nothing in it."""
    image = sorted(folder.glob("JPEGImages/*") if layout == "voc" else folder.glob("**/train*/*.png"))[0]
    if layout == "voc":
        (folder / "Annotations/000000.xml").write_text("<annotation/>")
        (folder / "SegmentationClass/000000.png").unlink()
    elif layout == "coco":
        place = folder / "annotations/instances_train2017.json"
        told = json.loads(place.read_text())
        told["annotations"] = [each for each in told["annotations"] if each["image_id"] != 0]
        place.write_text(json.dumps(told))
    else:
        for kind in ("masks", "instances"):
            save(folder / f"{kind}/train/000.png", np.zeros((HEIGHT, WIDTH), np.uint8))
    return image


def test_an_image_with_nothing_in_it_has_no_class_of_another(laid_out):
    layout, folder = laid_out
    before = image_set(folder, side=SIDE)
    assert "nothing" not in (*before.classes, before.told)
    emptied(layout, folder)
    images = image_set(folder, side=SIDE)
    assert images.classes == (*before.classes, "nothing")
    assert images.label.tolist() == [len(before.classes), *before.label[1:].tolist()]
    assert "1 of them, in which nothing is marked, are of the class nothing" in images.told
    assert (images.scenes().things, len(images.scenes().boxes(0).label)) == (before.scenes().things, 0)


def test_damage_is_told_with_its_name_or_skipped_and_what_is_not_there_is_counted(laid_out):
    layout, folder = laid_out
    images = sorted(folder.glob("JPEGImages/*") if layout == "voc" else folder.glob("**/train*/0*.png"))
    images = [path for path in images if "masks" not in path.parts and "instances" not in path.parts]
    images[0].write_bytes(b"")
    images[1].write_bytes(images[1].read_bytes()[:60])
    with pytest.raises(DataError, match=rf"{images[0].name} is empty; .*{images[1].name} .* skip them with --skip_dam"):
        image_set(folder, side=SIDE)
    found = image_set(folder, side=SIDE, skip_damaged=True)
    assert (len(found), len(found.images[:])) == (COUNT - 2, COUNT - 2)
    assert "2 damaged skipped" in found.told
    images[0].unlink()
    found = image_set(folder, side=SIDE, skip_damaged=True)
    assert ("1 annotated images are not there" in found.told) == (layout != "masks")
    if layout == "masks":
        return
    told = sorted((folder / ("Annotations" if layout == "voc" else "annotations")).iterdir())[-1]
    whole = told.read_text()
    for broken in (whole[:-9], whole.replace("name", "nome")) if layout == "coco" else (whole[:-9],):
        told.write_text(broken)
        with pytest.raises(DataError, match=rf"{told.name}: its annotations cannot be read \(.*; mend or remove it"):
            image_set(folder, side=SIDE, skip_damaged=True)


def test_protocols_measure_on_them_and_colours_tell_the_classes(laid_out):
    layout, folder = laid_out
    images, encoder = image_set(folder, side=SIDE), random_encoder("conv4", 32, 0)
    on = EvaluationSet(images=images)

    def measured(protocol, encoder):
        assert protocol.takes_images(images)
        features = np.zeros((COUNT, encoder.dim), np.float32)
        prepared = protocol.prepare(on)
        own = EncodedSet(images=images, features_of=lambda rows: features, encoder=encoder, prepared=prepared)
        return {one.metric: one for one in protocol.measure(own)}

    found = measured(Segmentation(by=("linear",), pictures=60), Pixels())
    assert found["linear object mIoU"].value > 0.5
    assert set(found["linear mIoU"].tested) <= set(np.flatnonzero(images.part == "test"))
    found = measured(MultiLabel(by=("linear", "whole"), updates=15, rates=(1e-3,)), encoder)
    assert found["linear mAP"].settings["test"] == 10
    assert 0 < found["whole mAP"].value <= 1
    assert measured(MultiLabel(), Pixels())["linear mAP"].value > 0.75
    if layout == "voc":
        found = measured(Detection(by=("whole",), updates=2, rates=(1e-3,), pictures=60), encoder)
        assert found["whole AP50"].settings["test"] == 10


def test_mean_average_precision_by_hand():
    """One class: right, wrong, right: (1 + 2/3) / 2. The other is right at once; one image is not asked about it."""
    scores = np.array([[0.9, 0.1], [0.8, 0.9], [0.7, 0.99], [0.1, 0.2]])
    truth = np.array([[1, 0], [0, 1], [1, np.nan], [0, 0]], float)
    assert mean_average_precision(scores, truth) == pytest.approx(((1 + 2 / 3) / 2 + 1) / 2)
    assert np.isnan(mean_average_precision(scores, np.zeros((4, 2))))


def test_a_folder_that_is_laid_out_else_is_refused(tmp_path):
    masks(tmp_path / "set")
    with pytest.raises(DataError, match="is not laid out as voc: JPEGImages, Annotations"):
        image_set(f"voc:{tmp_path / 'set'}")
    assert split_layout("a:b") == (None, type(tmp_path)("a:b"))
    assert _place(f"masks:{tmp_path / 'set'}") == f"masks:{tmp_path / 'set'}"
    (tmp_path / "empty/images").mkdir(parents=True)
    (tmp_path / "empty/masks").mkdir()
    with pytest.raises(DataError, match="no annotated images in it, as masks has them"):
        image_set(tmp_path / "empty")


def test_polygons_cover_what_is_inside_of_them():
    circle = np.stack([np.cos(np.linspace(0, 2 * np.pi, 200)), np.sin(np.linspace(0, 2 * np.pi, 200))], 1)
    square = np.array([[3, 5], [5, 5], [5, 7], [3, 7]], float)
    mask = _filled([square.ravel().tolist()], 12, 12, "here")
    assert np.argwhere(mask).tolist() == [[5, 3], [5, 4], [6, 3], [6, 4]]
    for radius in (5, 10, 20):
        found = _filled([(32.3 + radius * circle).ravel().tolist()], 64, 64, "here").sum()
        assert found == pytest.approx(np.pi * radius**2, rel=0.03)
    beyond = _filled([(np.array([[-9, 2], [99, 2], [99, 4], [-9, 4]])).ravel().tolist()], 12, 12, "here")
    assert (beyond.any(1).tolist(), beyond[2:4].all()) == ([i in (2, 3) for i in range(12)], True)
