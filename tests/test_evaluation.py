"""Protocols against brute force, scikit-learn and closed forms."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsClassifier

from embodied_ssl.datasets.collect import collect
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.images import ImageSet, image_set
from embodied_ssl.datasets.motion import azimuth, elevation
from embodied_ssl.datasets.readers import Dataset
from embodied_ssl.encoders import random_encoder
from embodied_ssl.evaluate import imagenet
from embodied_ssl.evaluate import knn as knn_module
from embodied_ssl.evaluate.collapse import feature_deviation, rank_me
from embodied_ssl.evaluate.equivariance_error import _error, _fit, equivariance_error
from embodied_ssl.evaluate.evaluation import evaluate
from embodied_ssl.evaluate.features import extract
from embodied_ssl.evaluate.few_labels import few_labels
from embodied_ssl.evaluate.knn import knn
from embodied_ssl.evaluate.linear_probe import linear_probe
from embodied_ssl.evaluate.next_best_view import next_best_view
from embodied_ssl.evaluate.results import Result, read_results, write_results
from embodied_ssl.evaluate.retrieval import retrieval
from embodied_ssl.evaluate.splits import split


def labelled(label, group=None, size=8):
    label = np.asarray(label)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (len(label), size, size, 3), dtype=np.uint8)
    group = np.arange(len(label)) if group is None else np.asarray(group)
    names = tuple(f"class {i}" for i in range(label.max() + 1))
    return ImageSet("made", images, label, names, group, np.full(len(label), "", "U5"), "0")


def clusters(classes=4, groups=10, each=6, spread=0.5, dim=16, seed=0):
    """Features of classes about random middles: every class has groups, every group pictures."""
    rng = np.random.default_rng(seed)
    label = np.repeat(np.arange(classes), groups * each)
    group = np.repeat(np.arange(classes * groups), each)
    middles = rng.normal(size=(classes, dim))
    features = middles[label] + spread * rng.normal(size=(classes * groups, dim))[group]
    features += 0.1 * rng.normal(size=(len(label), dim))
    return features.astype("f4"), labelled(label, group)


@settings(max_examples=30, deadline=None)
@given(classes=st.integers(1, 5), groups=st.integers(3, 9), each=st.integers(1, 4), seed=st.integers(0, 99))
def test_parts_share_no_group_and_hold_every_class(classes, groups, each, seed):
    _, images = clusters(classes, groups, each)
    parts = split(images, seed)
    found = [set(images.group[rows]) for rows in (parts.train, parts.validation, parts.test)]
    assert sum(len(each) for each in found) == classes * groups
    assert set().union(*found) == set(images.group)
    for rows in (parts.train, parts.validation, parts.test):
        assert set(images.label[rows]) == set(range(classes))


def test_a_class_of_two_objects_is_refused():
    with pytest.raises(DataError, match="class class 0 has 2 objects or rooms"):
        split(labelled([0, 0, 1, 1, 1]), 0)


def test_probes_find_what_is_there_and_nothing_else():
    features, images = clusters()
    noise = np.random.default_rng(1).normal(size=features.shape).astype("f4")
    for protocol in (linear_probe, few_labels, knn):
        assert protocol(features, images, 0)[-1].value > 0.95
        assert protocol(noise, images, 0)[-1].value < 0.5
        assert protocol(features, images, 0) == protocol(features, images, 0)


def test_one_neighbour_is_that_of_scikit_learn(monkeypatch):
    monkeypatch.setattr(knn_module, "NEIGHBOURS", 1)
    features, images = clusters(spread=2.0)
    parts = split(images, 0)
    centred = features - features[parts.train].mean(0)
    peer = KNeighborsClassifier(1, metric="cosine").fit(centred[parts.train], images.label[parts.train])
    expected = peer.score(centred[parts.test], images.label[parts.test])
    assert knn(features, images, 0)[0].value == pytest.approx(expected)


def test_recall_is_that_of_brute_force():
    features, images = clusters(spread=1.5, each=3)
    unit = features - features.mean(0)
    unit = unit / np.linalg.norm(unit, axis=1, keepdims=True)
    expected = {}
    for by in ("instance", "class"):
        hits = []
        for q in range(len(unit)):
            others = [
                i for i in range(len(unit)) if (i != q if by == "instance" else images.group[i] != images.group[q])
            ]
            nearest = sorted(others, key=lambda i: -float(unit[q] @ unit[i]))[:5]
            truth = images.group if by == "instance" else images.label
            hits.append(any(truth[i] == truth[q] for i in nearest))
        expected[f"{by} recall@5"] = np.mean(hits)
    found = {measure.metric: measure.value for measure in retrieval(features, images, 0)}
    for metric, value in expected.items():
        assert found[metric] == pytest.approx(value, abs=0.01)


def test_the_effective_rank_of_known_spectra():
    square = torch.linalg.qr(torch.randn(50, 50))[0]
    assert rank_me(square) == pytest.approx(50, rel=1e-3)
    assert rank_me(torch.ones(50, 20)) == pytest.approx(1, rel=1e-3)
    assert feature_deviation(torch.ones(50, 20)) == 0


def test_features_are_of_an_encoder_at_rest_and_leave_it_as_it_was():
    images = labelled(np.arange(20) % 4, size=40)
    encoder = random_encoder("conv4", 32, 0).train()
    whole = extract(encoder, images)
    assert encoder.training
    np.testing.assert_allclose(extract(encoder, images, batch_size=3), whole, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(extract(encoder, images, np.array([7, 2])).shape, (2, 256))


def test_features_are_kept_until_a_weight_changes(tmp_path):
    images = labelled(np.arange(8) % 2, size=32)
    encoder = random_encoder("conv4", 32, 0)
    first = extract(encoder, images, cache=tmp_path)
    np.testing.assert_array_equal(extract(encoder, images, cache=tmp_path), first)
    assert len(list(tmp_path.iterdir())) == 1
    with torch.no_grad():
        next(encoder.parameters()).add_(1)
    assert not np.array_equal(extract(encoder, images, cache=tmp_path), first)
    assert len(list(tmp_path.iterdir())) == 2


def test_results_survive_a_file(tmp_path):
    results = [Result("a", 0, "set", "knn", "accuracy", 0.5, {"k": 20}), Result("b", 1, "set", "knn", "accuracy", 0.25)]
    write_results(results, tmp_path / "results.json")
    assert read_results(tmp_path / "results.json") == results
    assert (tmp_path / "results.csv").read_text().splitlines()[1].startswith("a,0,set,knn,accuracy,0.5")
    (tmp_path / "results.json").write_text("{")
    with pytest.raises(DataError, match="no results"):
        read_results(tmp_path / "results.json")


def test_the_error_of_a_linear_world_is_nothing():
    """Where features turn by one matrix, refitting finds it; where they jump at random, it is no better than still."""
    rng = np.random.default_rng(0)
    before = rng.normal(size=(400, 6))
    turn = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    turned, jumped = before @ turn, rng.normal(size=(400, 6))
    assert _error(_fit(before[:200], turned[:200], 1e-4), before[200:], turned[200:]) < 0.02
    still = _error(_fit(before[:200], jumped[:200], 1e-4), before[200:], jumped[200:])
    assert 0.6 < still < 0.8  # the best guess of noise is its mean: 1/√2 of the distance of two draws


def test_the_equivariance_error_is_low_where_features_tell_the_way_and_not_where_they_are_noise(tmp_path):
    """On an orbit, where the camera looks from turns about the vertical axis; the untrained encoder is in between."""
    collect("orbit", tmp_path / "orbit", episodes=40, size=32, length=30, progress=False)
    dataset = Dataset.open(tmp_path / "orbit")
    pose = dataset.array("frames/pose")[:]
    angle = azimuth(pose)
    way = np.stack([np.cos(angle), np.sin(angle), elevation(pose)], 1).astype("f4")
    noise = np.random.default_rng(0).normal(size=(len(pose), 16)).astype("f4")
    untrained = extract(random_encoder("conv4", 32, 0), image_set(tmp_path / "orbit"))
    spaces = way, noise, untrained
    of_way, of_noise, of_untrained = (equivariance_error(each, dataset, 0, motions=16) for each in spaces)
    assert [measure.metric for measure in of_way[:3]] == ["ρ", "ρ composed", "ρ of motion 1"]
    assert of_way[0].value < 0.5
    assert of_way[1].value < 0.5
    assert 0.65 < of_noise[0].value < 1.0  # near 1/√2, as above, with few pairs for each motion
    assert of_way[0].value < of_untrained[0].value < 1.05
    assert of_untrained == equivariance_error(untrained, dataset, 0, motions=16)


def test_the_next_view_is_chosen_where_features_tell_from_where_it_is_clear(tmp_path):
    """Here the class shows the more, the higher the camera stands, and never sideways: one looks from above."""
    settings = {"size": 32, "length": 16, "categories": "mug,bottle,bowl,plate", "progress": False}
    collect("orbit", tmp_path / "orbit", episodes=80, **settings)
    dataset, images = Dataset.open(tmp_path / "orbit"), image_set(tmp_path / "orbit")
    height = np.exp(6 * elevation(dataset.array("frames/pose")[:]))[:, None]
    rng, classes = np.random.default_rng(0), len(images.classes)
    noise = rng.normal(size=(len(images), classes))
    plain, clear = np.eye(classes)[images.label], np.eye(classes)[images.label] * height + 30 * noise
    for features, low, high in ((plain, 0.99, 1.0), (noise, 0.1, 0.4)):
        for measure in next_best_view(features.astype("f4"), dataset, 0):
            assert low <= measure.value <= high
    one, random, chosen = (measure.value for measure in next_best_view(clear.astype("f4"), dataset, 0))
    assert one < random
    assert chosen > random + 0.03
    assert chosen == next_best_view(clear.astype("f4"), dataset, 0)[2].value


@pytest.mark.skipif(not imagenet.is_installed(), reason="the extra [imagenet] is not installed")
def test_the_features_of_imagenet_are_those_that_its_classifier_sees():
    encoder = imagenet.ImageNet()
    images = torch.rand(2, 3, 224, 224)
    with torch.no_grad():
        features = encoder(images)
        logits = encoder.network((images - 0.498) / 0.502)
    torch.testing.assert_close(encoder.network._fc(features), logits, rtol=1e-4, atol=1e-4)
    assert features.shape == (2, encoder.dim)


def test_names_are_checked_first(tmp_path):
    with pytest.raises(DataError, match=r"unknown protocol 'linear-probe': did you mean 'linear_probe'\?"):
        evaluate([tmp_path], [tmp_path], ["linear-probe"])
    with pytest.raises(DataError, match="no run of embodied-ssl train"):
        evaluate([tmp_path], [tmp_path])
