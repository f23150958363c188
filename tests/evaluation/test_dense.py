"""Segmentation, depth and normals: truths, measures and layers against closed forms and brute force."""

from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest
import torch

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.images.image_set import ImageSet
from embodied_ssl.datasets.images.scenes import UNASKED, Scenes
from embodied_ssl.datasets.images.sources import image_set
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.encoders import random_encoder
from embodied_ssl.evaluation.estimators.fully_convolutional import FullyConvolutional, deepest_of_each_size
from embodied_ssl.evaluation.estimators.geometry import normals_of
from embodied_ssl.evaluation.estimators.labelling import Confusion
from embodied_ssl.evaluation.evaluate import plan
from embodied_ssl.evaluation.features import Pixels
from embodied_ssl.evaluation.pixels import at_pixels, joined, linear_scores, pictures_of, upsampled, with_means
from embodied_ssl.evaluation.protocol import EncodedSet, EvaluationSet
from embodied_ssl.evaluation.protocols.depth import Depth
from embodied_ssl.evaluation.protocols.normals import Normals, angles
from embodied_ssl.evaluation.protocols.segmentation import Segmentation, asked_often
from embodied_ssl.evaluation.shown import read_shown, write_shown
from embodied_ssl.evaluation.strongest import strongest
from embodied_ssl.report.figures import Predictions, Tile

SIDE = 32
FEW = MappingProxyType({"pictures": 30, "pixels": 8})


def squares(count=40, seed=0):
    """Squares of two colours on grey, which are the classes; the darker, the farther: of known depth."""
    rng = np.random.default_rng(seed)
    images = rng.integers(118, 138, (count, SIDE, SIDE, 3)).astype(np.uint8)
    labels = np.zeros((count, SIDE, SIDE), np.uint8)
    for i in range(count):
        for kind in (1, 2):
            top, left = rng.integers(0, SIDE - 12, 2)
            labels[i, top : top + 12, left : left + 12] = kind
            images[i, top : top + 12, left : left + 12] = (220, 40, 40) if kind == 1 else (40, 40, 220)
    labels[:, 0] = UNASKED
    depth = np.choose(labels % UNASKED, [2.0, 1.0, 1.5]).astype("f4")
    scenes = Scenes(
        "squares", images, np.arange(count), np.full(count, "", "U10"), lambda rows: rows.astype(np.uint64),
        ("ground", "red", "blue"), lambda rows: labels[rows], ("red", "blue"), None, lambda rows: depth[rows],
        np.array([[30.0, 0, 15.5], [0, 30.0, 15.5], [0, 0, 1]]),
    )  # fmt: skip
    return ImageSet(
        "squares", images, np.arange(count) % 2, ("a", "b"), np.arange(count), np.full(count, "", "U10"), "x",
        lambda: np.arange(count, dtype=np.uint64), scenes=lambda: scenes,
    )  # fmt: skip


def measured(protocol, encoder, images, **given):
    on = EvaluationSet(images=images, **given)
    assert protocol.takes_images(images)
    features = np.zeros((len(images), encoder.dim), np.float32)
    encoded = EncodedSet(
        images=images, features_of=lambda rows: features, encoder=encoder, prepared=protocol.prepare(on), **given
    )
    return {each.metric: each for each in protocol.measure(encoded)}


def test_what_was_measured_is_shown_beside_what_is_true():
    """Rows of an image, its truth and its prediction: the truth in the colours of its classes."""
    shown = {}
    for protocol in (Segmentation(by=("linear",), **FEW), Depth(**FEW), Normals(**FEW)):
        images = squares()
        for each in measured(protocol, Pixels(), images).values():
            if each.shown:
                shown[each.metric] = each
    assert shown.keys() == {"linear mIoU", "δ1", "mean angle"}
    tested = np.sort(shown["linear mIoU"].tested)[[0, 3, 5, 8]]  # from all over the nine
    truth = images.scenes().labels(tested)
    for one in shown.values():
        assert [len(row) for row in one.shown] == [3] * 4
        for place, row in enumerate(one.shown):
            np.testing.assert_array_equal(row[0].image, images.images[tested[place]])
            colours = {tuple(each) for each in row[1].image[truth[place] == 1].tolist()}
            assert len(colours) == 1 or one.metric == "mean angle"
    near = [np.abs(row[1].image.astype(int) - row[2].image).mean() for row in shown["linear mIoU"].shown]
    assert np.mean(near) < 25


def test_what_is_shown_is_kept_in_a_file(tmp_path):
    found = measured(Segmentation(by=("linear",), **FEW), Pixels(), squares())["linear mIoU"].shown
    figures = [Predictions("first", found), Predictions("second", ((Tile(found[0][0].image, "its", True),),))]
    write_shown(figures, tmp_path / "shown.npz")
    again = read_shown(tmp_path / "shown.npz")
    assert [each.what for each in again] == ["first", "second"]
    for one, other in zip(figures, again, strict=True):
        assert [len(row) for row in one.rows] == [len(row) for row in other.rows]
        for before, after in zip(sum(one.rows, ()), sum(other.rows, ()), strict=True):
            np.testing.assert_array_equal(before.image, after.image)
            assert (before.text, before.right) == (after.text, after.right)
    assert read_shown(tmp_path / "none.npz") == []


def test_classes_that_training_hardly_shows_are_not_asked_about():
    images = squares()
    labels = images.scenes().labels
    train = pictures_of(EvaluationSet(images=images), 30).parts.train

    def rare(rows):  # blue is in one of the 15 images that train
        found = labels(rows)
        return np.where((found == 2) & (rows != train[3])[:, None, None], 1, found).astype(np.uint8)

    own = replace(images, scenes=lambda: replace(images.scenes(), labels=rare))
    given = {"by": ("linear",), **FEW}
    asked = measured(Segmentation(least_share=0.1, **given), Pixels(), own)["linear mIoU"]
    assert asked.settings["IoU"].keys() == {"ground", "red"}
    pictures = asked_often(pictures_of(EvaluationSet(images=own), 30), 0.1)
    kept = pictures.scenes.labels(train)
    assert pictures.scenes.classes == pictures.held_out.classes == ("ground", "red")
    assert set(np.unique(kept)) == {0, 1, UNASKED}
    np.testing.assert_array_equal(kept == UNASKED, (rare(train) == 2) | (rare(train) == UNASKED))
    with pytest.raises(DataError, match="give a smaller"):
        asked_often(replace(pictures, scenes=replace(pictures.scenes, labels=lambda rows: 0 * labels(rows))), 0.1)


def test_things_may_be_one_class():
    images = squares()
    truth = images.scenes().labels(np.arange(4))
    given = {"by": ("linear", "fcn"), "updates": 2, "rates": (1e-3,), "kinds": False, **FEW}
    found = measured(Segmentation(**given), random_encoder("conv4", SIDE, 0), images)
    assert found["linear mIoU"].settings["IoU"].keys() == {"ground", "thing"}
    task = Segmentation(**given).prepare(EvaluationSet(images=images))
    assert task.pictures.scenes.classes == ("ground", "thing")
    np.testing.assert_array_equal(task.labels(np.arange(4)), np.where(truth == 2, 1, truth))


def test_what_hangs_on_the_place_is_no_loss_to_who_sees_the_colours():
    """Depth that falls from the top of an image to its bottom, and is half as large on what is red."""
    images = squares()
    labels, fall = images.scenes().labels, np.geomspace(8, 1, SIDE, dtype="f4")[:, None]
    scenes = replace(images.scenes(), depth=lambda rows: fall * np.where(labels(rows) == 1, 0.5, 1).astype("f4"))
    found = measured(Depth(**FEW), Pixels(), replace(images, scenes=lambda: scenes))
    assert found["δ1"].value > 0.9
    assert found["RMSE"].value < 0.75 * found["blind RMSE"].value


def test_the_iou_is_that_of_sets_of_pixels():
    rng = np.random.default_rng(0)
    truth, said = rng.integers(0, 4, (6, 9, 9)), rng.integers(0, 5, (6, 9, 9))
    truth[0, :3] = UNASKED
    confusion = Confusion.of(5)
    for i in range(6):
        confusion.add(truth[i], said[i])
    asked = truth != UNASKED
    for k in range(4):
        both, either = ((truth == k) & (said == k)).sum(), (((truth == k) | (said == k)) & asked).sum()
        assert confusion.iou[k] == pytest.approx(both / either)
    assert np.isnan(confusion.iou[4])  # said, but nowhere true
    assert confusion.mean_iou() == pytest.approx(np.nanmean(confusion.iou))
    assert confusion.accuracy == pytest.approx((truth == said)[asked].mean())


def test_normals_of_planes_are_exact_and_none_is_asked_for_at_edges():
    intrinsics = np.array([[40.0, 0, 15.5], [0, 44.0, 14.5], [0, 0, 1]])
    normal = np.array([0.3, -0.5, -0.8]) / np.linalg.norm([0.3, -0.5, -0.8])
    u, v = np.meshgrid(np.arange(32), np.arange(32))
    ways = np.stack([u, v, np.ones_like(u)], -1) @ np.linalg.inv(intrinsics).T
    depth = (-2.0 / (ways @ normal)).astype("f4")  # of the plane normal · X = -2
    found, flat = normals_of(depth, intrinsics)
    assert flat[1:-1, 1:-1].all()
    assert not flat[0].any()
    assert angles(found[flat], np.broadcast_to(normal, found[flat].shape)).max() < 0.05
    nearer = np.where(u < 16, depth, 0.8 * depth)
    _, flat = normals_of(nearer, intrinsics)
    assert not flat[1:-1, 15:17].any()
    assert flat[1:-1, 2:14].all()
    assert angles(np.eye(3), np.eye(3)[[0, 2, 2]]).tolist() == pytest.approx([0, 90, 0])


def test_pixels_are_read_as_maps_are_drawn():
    maps = torch.rand(2, 5, 8, 8, generator=torch.Generator().manual_seed(0))
    places = np.random.default_rng(0).integers(0, SIDE, (2, 7, 2))
    drawn = upsampled(maps, SIDE)
    expected = np.stack([drawn[i, :, places[i, :, 0], places[i, :, 1]].T.numpy() for i in range(2)])
    np.testing.assert_allclose(at_pixels(maps, places, SIDE), expected, atol=1e-5)
    side_by_side = joined({"fine": maps, "coarse": maps[..., :4, :4], "pooled": maps[..., :1, :1]}, 4)
    assert side_by_side.shape == (2, 15, 4, 4)
    torch.testing.assert_close(side_by_side[:, :5], maps.unflatten(3, (4, 2)).unflatten(2, (4, 2)).mean((3, 5)))


@pytest.mark.parametrize(("cells", "side"), [(8, 32), (12, 32), (7, 50), (5, 15), (6, 6), (9, 7), (1, 4)])
@pytest.mark.parametrize("smooth", [0, 4])
def test_the_strongest_class_is_that_of_interpolated_scores(cells, side, smooth):
    """Of scores that differ from cell to cell, and of some that hardly do, with ties in them."""
    scores = torch.randn(3, cells, cells, 30, generator=torch.Generator().manual_seed(cells))
    scores = scores + smooth * scores[:, :1, :1]
    scores[0, :, :, 7] = scores[0, :, :, 3]
    drawn = upsampled(scores.movedim(-1, 1), side)
    highest, expected = drawn.max(1)
    found = strongest(scores, side).long()
    torch.testing.assert_close(drawn.gather(1, found[:, None])[:, 0], highest, rtol=1e-5, atol=1e-5)
    assert (found == expected).float().mean() > 0.999
    assert strongest(torch.full_like(scores, torch.nan), side).max() < 30  # of a network that has diverged


def test_stages_are_scored_as_their_maps_on_one_grid_are():
    generator = torch.Generator().manual_seed(0)
    stages = {f"{i}": torch.randn(2, 3 + i, n, n, generator=generator) for i, n in enumerate((16, 8, 5, 4, 1))}
    maps = with_means(joined(stages, 8))
    weight, bias = torch.randn(maps.shape[1], 6, generator=generator), torch.randn(6, generator=generator)
    found = linear_scores(stages, 8, weight, bias)
    torch.testing.assert_close(found, maps.movedim(1, -1) @ weight + bias, rtol=1e-4, atol=1e-4)


def test_who_sees_the_colours_tells_classes_and_depth_and_who_sees_nothing_does_not():
    images = squares()
    found = measured(Segmentation(by=("linear", "fcn"), **FEW), Pixels(), images)
    assert "fcn mIoU" not in found  # there is nothing to train
    assert found["linear mIoU"].value > 0.75  # but for borders, on a grid of 4 px
    assert found["blind mIoU"].value < 0.4
    assert found["linear mIoU"].settings["IoU"].keys() == {"ground", "red", "blue"}
    objects = [found["linear mIoU"].settings["IoU"][name] for name in ("red", "blue")]
    assert found["linear object mIoU"].value == pytest.approx(np.mean(objects), abs=1e-3)
    counts = found["linear mIoU"].settings
    assert len(found["linear mIoU"].tested) == counts["test"] == 9
    deep = measured(Depth(**FEW), Pixels(), images)
    assert deep["δ1"].value > 0.85
    assert deep["δ1"].value > deep["blind δ1"].value
    assert deep["RMSE"].value < 0.7 * deep["blind RMSE"].value
    assert (deep["RMSE"].lower_is_better, deep["RMSE"].unit, deep["δ1"].lower_is_better) == (True, "m", None)
    images.scenes().images[:] = 128  # all alike
    blank = measured(Segmentation(by=("linear",), **FEW), Pixels(), images)
    assert blank["linear mIoU"].value < 0.4
    assert measured(Depth(**FEW), Pixels(), images)["RMSE"].value > deep["RMSE"].value


@pytest.mark.parametrize("name", ["conv4", "vit_micro", "split/conv4", "timm/test_convnext", "torchvision/alexnet"])
def test_encoders_of_every_family_are_measured_and_left_alone(name):
    """All of them on the same pixels; what they have learned is not changed."""
    images, size = squares(24), 64 if "/a" in name else SIDE
    encoder = random_encoder(name, size, 0).train()
    before = {key: tensor.clone() for key, tensor in encoder.state_dict().items()}
    given = {"pictures": 20, "pixels": 4}
    found = measured(Segmentation(updates=2, rates=(1e-3,), **given), encoder, images)
    found |= measured(Depth(**given), encoder, images) | measured(Normals(**given), encoder, images)
    assert {"linear mIoU", "fcn mIoU", "δ1", "mean angle", "within 11.25°"} <= found.keys()
    assert all(np.isfinite(each.value) for each in found.values())
    assert encoder.training
    assert all(torch.equal(tensor, before[key]) for key, tensor in encoder.state_dict().items())
    levels = deepest_of_each_size(encoder, SIDE if size == SIDE else 64)
    assert found["fcn mIoU"].settings["levels"] == levels[-3:]


def test_a_network_that_is_trained_on_learns_classes():
    given = {"by": ("fcn",), "rates": (1e-8, 1e-2), "updates": 40, **FEW}
    found = measured(Segmentation(**given), random_encoder("conv4", SIDE, 0), squares())
    assert found["fcn mIoU"].settings["learning_rate"] == 1e-2
    assert found["fcn mIoU"].value > 0.6
    again = measured(Segmentation(**given), random_encoder("conv4", SIDE, 0), squares())
    assert again["fcn mIoU"].value == found["fcn mIoU"].value


def test_scores_of_coarse_maps_are_added_to_those_of_finer_ones():
    network = FullyConvolutional(random_encoder("conv4", SIDE, 0), 3, SIDE).eval()
    images = torch.rand(2, 3, SIDE, SIDE)
    with torch.no_grad():
        stages = network.encoder.stages(images)
        own = [score(norm(stages[name])) for name, norm, score in zip(
            network.taken, network.norms, network.scores, strict=True)]  # fmt: skip
        assert [each.shape[-1] for each in own] == [8, 4, 2][-len(own) :]
        expected = own[0] + upsampled(own[1] + upsampled(own[2], own[1].shape[-1]), own[0].shape[-1])
        torch.testing.assert_close(network(images), expected)


@pytest.mark.parametrize("kind", ["roam", "hold", "grasp"])
def test_what_the_simulator_knows_of_pixels_and_boxes(data, kind):
    dataset, images = Dataset.open(data[kind]), image_set(data[kind])
    scenes, masks = images.scenes(), dataset.array(dataset.declaration.mask_path)
    row = len(scenes) - 1
    source = row if dataset.declaration.is_video else int(dataset.episodes["start"][row])
    episode = int(np.searchsorted(dataset.episodes["start"], source, side="right")) - 1
    np.testing.assert_array_equal(scenes.images[np.array([row])][0], dataset.array(images_of(dataset))[source])
    mine = dataset.objects["episode"] == episode
    kinds = dict(zip(dataset.objects["index"][mine].tolist(), dataset.objects["category"][mine], strict=True))
    (labels,) = scenes.labels(np.array([row]))
    boxes = scenes.boxes(row)
    seen = [value for value in np.unique(masks[source]).tolist() if value]
    assert len(boxes.label) == len(seen)
    for value, corners, label, area in zip(seen, boxes.corners, boxes.label, boxes.area, strict=True):
        where = masks[source] == value
        assert {scenes.classes[each] for each in np.unique(labels[where])} == {kinds[value]}
        assert scenes.things[label] == kinds[value]
        v, u = np.nonzero(where)
        assert corners.tolist() == [u.min(), v.min(), u.max() + 1, v.max() + 1]
        assert area == where.sum()
    rest = {"roam": {"floor", "wall"}, "hold": {"background"}, "grasp": {"table"}}[kind]
    assert {scenes.classes[each] for each in np.unique(labels[masks[source] == 0])} <= rest
    assert set(scenes.things) == set(scenes.classes) - rest
    if kind == "roam":  # from a wheeled body the floor lies below the walls
        heights = [np.nonzero(labels == which)[0].mean() for which in (0, 1)]
        assert heights[0] > heights[1]
    known = scenes.without(np.array([row]))
    if kind != "roam":
        assert known.boxes(row).unasked.all()
        assert (known.labels(np.array([row]))[0][masks[source] > 0] == UNASKED).all()
    if kind == "hold":  # of two objects, too few for three parts
        with pytest.raises(DataError, match="its part test has no images"):
            pictures_of(EvaluationSet(images=images), 12)
        return
    pictures = pictures_of(EvaluationSet(images=images), 12)
    groups = [
        set(scenes.group[rows]) for rows in (pictures.parts.train, pictures.parts.validation, pictures.parts.test)
    ]
    assert sum(map(len, groups)) == len(set().union(*groups))


def images_of(dataset):
    return dataset.declaration.image_paths[0]


def test_a_set_without_masks_or_depth_is_skipped_and_that_is_said(data, capsys):
    (whole,) = plan([data["orbit"]], (Segmentation(), Depth(), Normals()), device="cpu")
    whole.prepare([0])
    told = capsys.readouterr().err
    assert "depth is not measured on it; it takes depth: data sets collected with --depth true" in told
    assert "normals is not measured on it" in told
    assert "segmentation" not in told  # there are masks
    (whole,) = plan([data["poke"]], (Segmentation(),), device="cpu")
    whole.prepare([0])
    assert whole.prepared == {}
    assert (
        "segmentation is not measured on it; it takes masks: data sets collected with --instance"
        in capsys.readouterr().err
    )
