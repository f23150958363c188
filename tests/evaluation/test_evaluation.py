"""Protocols against brute force, scikit-learn and closed forms."""

import math
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from embodied_ssl.datasets.collect.collection import collect
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.images.sources import ImageSet, image_set
from embodied_ssl.datasets.read.motion import azimuth, elevation
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.encoders import random_encoder
from embodied_ssl.evaluation import imagenet
from embodied_ssl.evaluation.estimators import logistic, neighbours
from embodied_ssl.evaluation.estimators.affine_maps import error, fits
from embodied_ssl.evaluation.estimators.collapse import feature_deviation, rank_me
from embodied_ssl.evaluation.evaluate import evaluate
from embodied_ssl.evaluation.features import FeaturesOf, Pixels, extract
from embodied_ssl.evaluation.protocol import EncodedSet, EvaluationSet, Protocol
from embodied_ssl.evaluation.protocols import few_labels as few_labels_module
from embodied_ssl.evaluation.protocols import make_protocol, protocol_class, protocol_names, usual_protocols
from embodied_ssl.evaluation.protocols.equivariance import equivariance_error, motion_pairs
from embodied_ssl.evaluation.protocols.few_labels import FewLabels
from embodied_ssl.evaluation.protocols.knn import KNN
from embodied_ssl.evaluation.protocols.linear_probe import LinearProbe
from embodied_ssl.evaluation.protocols.next_best_view import next_best_view, view_pairs
from embodied_ssl.evaluation.protocols.retrieval import Retrieval
from embodied_ssl.evaluation.results import Result, read_results, write_results
from embodied_ssl.evaluation.settings import USUAL, Settings
from embodied_ssl.evaluation.splits import draw_rows, split


def labelled(label, group=None, size=8):
    label = np.asarray(label)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (len(label), size, size, 3), dtype=np.uint8)
    group = np.arange(len(label)) if group is None else np.asarray(group)
    names = tuple(f"class {i}" for i in range(label.max() + 1))
    return ImageSet("made", images, label, names, group, np.full(len(label), "", "U5"), "0")


def clusters(classes=4, groups=10, each=6, spread=0.5, dim=16, seed=0):
    """Features of classes about random middles: every class has groups, every group images."""
    rng = np.random.default_rng(seed)
    label = np.repeat(np.arange(classes), groups * each)
    group = np.repeat(np.arange(classes * groups), each)
    middles = rng.normal(size=(classes, dim))
    features = middles[label] + spread * rng.normal(size=(classes * groups, dim))[group]
    features += 0.1 * rng.normal(size=(len(label), dim))
    return features.astype("f4"), labelled(label, group)


def measured(protocol: Protocol, features, images, given=USUAL, seed=0):
    """What a protocol finds in features, whatever encoder they are of."""
    prepared = protocol.prepare(EvaluationSet(images=images, seed=seed, settings=given))
    encoded = EncodedSet(
        images=images, seed=seed, features_of=lambda rows: features, encoder=Pixels(), settings=given, prepared=prepared
    )
    return protocol.measure(encoded)


def evaluation_set(folder, **given):
    return EvaluationSet(images=image_set(folder), dataset=Dataset.open(folder), **given)


@settings(max_examples=30)
@given(classes=st.integers(2, 5), groups=st.integers(3, 9), each=st.integers(1, 4), seed=st.integers(0, 99))
def test_parts_share_no_group_and_hold_every_class(classes, groups, each, seed):
    _, images = clusters(classes, groups, each)
    parts = split(images, seed)
    found = [set(images.group[rows]) for rows in (parts.train, parts.validation, parts.test)]
    assert sum(len(each) for each in found) == classes * groups
    assert set().union(*found) == set(images.group)
    for rows in (parts.train, parts.validation, parts.test):
        assert set(images.label[rows]) == set(range(classes))


def test_a_class_of_too_few_objects_is_left_out_and_one_class_is_refused():
    label = np.repeat([0, 1, 2, 3], [2, 3, 4, 5])
    parts = split(labelled(label), 0)
    assert parts.left_out == {"class 0": 2}
    for rows in (parts.train, parts.validation, parts.test):
        assert set(label[rows]) == {1, 2, 3}
    assert parts.counts()["left_out"] == ["class 0"]
    assert split(labelled(label), 0, Settings(least_groups=4)).left_out == {"class 0": 2, "class 1": 3}
    with pytest.raises(DataError, match=r"1 of its classes has at least 5 .*class 0: 2, class 1: 3, class 2: 4"):
        split(labelled(label), 0, Settings(least_groups=5))
    with pytest.raises(DataError, match="0 of its classes have at least 3"):
        split(labelled([0, 0, 1, 1]), 0)


@pytest.mark.parametrize("names", [("train", "test"), ("train", "validation", "test")])
def test_parts_of_the_source_hold(names):
    """A class that is in the test part alone can't be learned, and images of no part stay out."""
    label = np.tile([0, 1, 2], 40)
    part = np.array(["", *np.random.default_rng(0).choice(names, 119)], "U10")
    part[(label == 2) & (part != "test")] = ""
    images = replace(labelled(label), part=part)
    parts = split(images, 0)
    assert parts.left_out == {"class 2": 0}
    assert set(part[parts.train]) == {"train"}
    assert set(part[parts.test]) == {"test"}
    assert set(part[parts.validation]) == {names[1] if len(names) == 3 else "train"}
    assert not set(parts.train) & set(parts.validation)
    known = (label != 2) & np.isin(part, names)
    assert len(parts.train) + len(parts.validation) + len(parts.test) == known.sum()


@pytest.mark.parametrize("bare", ["validation", "test"])
def test_a_part_without_any_of_the_classes_is_refused(bare):
    part = np.array(["train", "validation", "test"] * 40, "U10")
    label = np.where(part == bare, 2, np.arange(120) // 3 % 2)
    with pytest.raises(DataError, match=f"made: its part {bare} has no images of the classes"):
        split(replace(labelled(label), part=part), 0)


def test_probes_find_what_is_there_and_nothing_else():
    features, images = clusters()
    noise = np.random.default_rng(1).normal(size=features.shape).astype("f4")
    for protocol in (LinearProbe(), FewLabels(), KNN()):
        assert measured(protocol, features, images)[-1].value > 0.95
        assert measured(protocol, noise, images)[-1].value < 0.5
        assert measured(protocol, features, images) == measured(protocol, features, images)


@pytest.mark.parametrize(
    ("k", "temperature", "centred"), [(1, 0.07, False), (20, 0.07, False), (5, 0.5, True), (20, 0.002, False)]
)
def test_neighbours_vote_as_those_of_scikit_learn(monkeypatch, k, temperature, centred):
    monkeypatch.setattr(neighbours, "_KNOWN", 37)  # several chunks of either
    monkeypatch.setattr(neighbours, "_CHUNK", 37 * 11)
    features, images = clusters(spread=2.0)
    features += 1
    parts = split(images, 0)
    shown = features - centred * features[parts.train].mean(0)
    peer = KNeighborsClassifier(k, metric="cosine", weights=lambda away: np.exp((1 - away.astype("f8")) / temperature))
    expected = peer.fit(shown[parts.train], images.label[parts.train]).score(
        shown[parts.test], images.label[parts.test]
    )
    (measure,) = measured(KNN(k, temperature, centred), features, images)
    assert measure.value == pytest.approx(expected)
    told = {"k": k, "temperature": temperature, "centred": centred, "train": len(parts.train), "test": len(parts.test)}
    assert told.items() <= measure.settings.items()


@pytest.mark.parametrize(
    ("count", "dim", "chunk", "kept"), [(600, 40, 1 << 24, 1 << 30), (30, 64, 100, 1 << 30), (400, 12, 999, 0)]
)
def test_the_probe_is_the_logistic_regression_of_scikit_learn(monkeypatch, count, dim, chunk, kept):
    """With more rows than features and fewer, in one chunk and many, kept and read anew; one feature is constant."""
    monkeypatch.setattr(logistic, "_CHUNK", chunk)
    monkeypatch.setattr(logistic, "_KEPT", kept)
    rng = np.random.default_rng(0)
    label = rng.integers(0, 5, 2 * count)
    mixing = rng.normal(size=(dim, dim)) * np.geomspace(1, 1e-3, dim)
    features = (100 + rng.normal(size=(5, dim))[label] + rng.normal(size=(2 * count, dim)) @ mixing).astype("f4")
    features[:, 3] = 7
    train, test = np.arange(count), np.arange(count, 2 * count)
    mean, deviation = features[train].mean(0, dtype="f8"), features[train].std(0, dtype="f8")
    plain = (features - mean) / np.where(deviation > 1e-5, deviation, np.inf)
    found = logistic.fit(features, label, train, (1.0, 1e-3, 1e-1))
    assert [one.strength for one in found] == [1e-3, 1e-1, 1.0]
    for one in found:
        peer = LogisticRegression(C=one.strength, max_iter=10_000, tol=1e-6).fit(plain[train], label[train])
        right = peer.predict_log_proba(plain[train])[np.arange(count), label[train]]
        loss = -right.mean() + (peer.coef_**2).sum() / (2 * one.strength * count)
        assert one.converged
        assert one.loss == pytest.approx(loss, abs=1e-4)
        assert one.accuracy(features, label, test) == pytest.approx(peer.score(plain[test], label[test]), abs=0.002)


def test_a_probe_that_has_not_converged_says_so(monkeypatch, capsys):
    features, images = clusters(spread=2.0)
    assert measured(LinearProbe(), features, images)[0].settings["converged"]
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(logistic, "MOST_STEPS", 2)
    assert not measured(LinearProbe(), features, images)[0].settings["converged"]
    assert "C = 1 has not converged" in capsys.readouterr().err


def test_no_protocol_takes_less_than_all_unless_told_and_results_say_how_much():
    """Every protocol over features: 2,000 classes' worth of caps were hidden once (4,000, 8,000, 2,000)."""
    features, images = clusters(classes=2, groups=50, each=220, dim=3)
    whole, some = split(images, 0), Settings(most=300)
    assert len(whole.train) + len(whole.validation) + len(whole.test) == len(images) == 22_000
    for protocol in (LinearProbe(), KNN(), FewLabels()):
        assert measured(protocol, features, images)[0].settings["test"] == len(whole.test) > 6000
        assert measured(protocol, features, images, some)[0].settings["test"] == 300
    for protocol in (LinearProbe(), KNN()):
        assert measured(protocol, features, images)[0].settings["train"] == len(whole.train) > 10_000
        assert measured(protocol, features, images, some)[0].settings["train"] == 300
    assert measured(LinearProbe(), features, images)[0].settings["validation"] == len(whole.validation) > 4000
    assert measured(Retrieval(), features, images, some)[0].settings["searched"] == 300
    assert measured(Retrieval(), features[::4], images.at(np.arange(0, 22_000, 4)))[0].settings["searched"] == 5500


def test_few_labels_choose_on_as_few_and_never_on_what_any_draw_is_tested_on(monkeypatch):
    features, images = clusters(groups=30, spread=2.0)
    seen = {"fitted": set(), "asked": []}
    fit, accuracy = logistic.fit, logistic.Classifier.accuracy

    def fitting(features, label, train, *others):
        seen["fitted"] |= set(train.tolist())
        return fit(features, label, train, *others)

    def asking(self, features, label, rows):
        seen["asked"].append(rows)
        return accuracy(self, features, label, rows)

    monkeypatch.setattr(few_labels_module, "fit", fitting)
    monkeypatch.setattr(logistic.Classifier, "accuracy", asking)
    one, six, twenty = measured(FewLabels(), features, images)
    tested = set(twenty.tested.tolist())
    others = [set(rows.tolist()) for rows in seen["asked"] if set(rows.tolist()) != tested]
    assert sum(set(rows.tolist()) == tested for rows in seen["asked"]) == 3 * FewLabels().draws
    assert not seen["fitted"] & tested
    assert not set().union(*others) & (tested | seen["fitted"])
    assert [(m.settings["train"], m.settings["validation"]) for m in (one, six, twenty)] == [(4, 4), (24, 24), (80, 80)]


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
    found = {measure.metric: measure.value for measure in measured(Retrieval(), features, images)}
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


class Reading:
    """Images of which it is known which were read."""

    def __init__(self, images: ImageSet):
        self.pixels, self.read = images.images, []

    def __getitem__(self, rows):
        self.read += rows.tolist()
        return self.pixels[rows]


def test_an_image_is_encoded_once_and_only_where_a_protocol_asks_for_it():
    images = labelled(np.arange(600) % 3, size=16)
    reading = Reading(images)
    features = FeaturesOf(Pixels(), replace(images, images=reading))
    on = EncodedSet(images=images, features_of=features, encoder=Pixels())
    assert reading.read == []  # nobody has asked
    few = FewLabels(per_class=(2,), draws=3)
    alone = few.measure(on)
    assert len(reading.read) == len(set(reading.read)) <= len(on.split.test) + 3 * 3 * (2 + 2)
    whole = extract(Pixels(), images)
    np.testing.assert_array_equal(features()[reading.read], whole[reading.read])
    np.testing.assert_array_equal(on.features, whole)
    assert sorted(reading.read) == [*range(600)]
    assert few.measure(on) == few.measure(replace(on, features_of=lambda rows: whole))
    assert alone[0].value == few.measure(on)[0].value


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


@pytest.mark.parametrize(("one", "other"), [(("conv4", 32), ("conv4", 24)), (("vit_tiny", 32), ("vit_tiny_cls", 32))])
def test_the_same_weights_used_otherwise_have_features_of_their_own(tmp_path, one, other):
    images = labelled(np.arange(8) % 2, size=32)
    kept = [extract(random_encoder(*each, 0), images, cache=tmp_path) for each in (one, other)]
    for each, found in zip((one, other), kept, strict=True):
        np.testing.assert_array_equal(found, extract(random_encoder(*each, 0), images))
    assert not np.array_equal(*kept)


def test_results_survive_a_file(tmp_path):
    results = [Result("a", 0, "set", "knn", "accuracy", 0.5, {"k": 20}), Result("b", 1, "set", "knn", "accuracy", 0.25)]
    write_results(results, tmp_path / "results.json")
    assert read_results(tmp_path / "results.json") == results
    head, first, _ = (tmp_path / "results.csv").read_text().splitlines()
    assert head == (
        "row,seed,set,protocol,metric,value,set_sha256,row_sha256,learned_from,lower_is_better,unit,"
        "weights_sha256,samples,from_labels,settings"
    )
    assert first.startswith("a,0,set,knn,accuracy,0.5")
    (tmp_path / "results.json").write_text("{")
    with pytest.raises(DataError, match="no results"):
        read_results(tmp_path / "results.json")


def test_the_error_of_a_linear_world_is_nothing():
    """Where features turn by one matrix, refitting finds it; where they jump at random, it is no better than still."""
    rng = np.random.default_rng(0)
    before = rng.normal(size=(400, 6))
    turn = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    turned, jumped = before @ turn, rng.normal(size=(400, 6))
    (fitted,) = fits(before[:200], turned[:200], (1e-4,))
    assert error(fitted, before[200:], turned[200:]) < 0.02
    (fitted,) = fits(before[:200], jumped[:200], (1e-4,))
    assert 0.65 < error(fitted, before[200:], jumped[200:]) < 0.9  # the best guess of noise is its mean


def test_the_ridge_is_that_of_the_closed_form():
    rng = np.random.default_rng(0)
    before, after = rng.normal(size=(2, 50, 6)) + 3
    for ridge, found in zip((1e-3, 1.0), fits(before, after, (1e-3, 1.0)), strict=True):
        x, y = before - before.mean(0), after - before
        gram = x.T @ x
        change = np.linalg.solve(gram + ridge * np.trace(gram) * np.eye(6), x.T @ (y - y.mean(0)))
        np.testing.assert_allclose(found(before), before + x @ change + y.mean(0))


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
    pairs = motion_pairs(evaluation_set(tmp_path / "orbit"), motions=16)
    of_way, of_noise, of_untrained = (equivariance_error(each, pairs) for each in spaces)
    assert [measure.metric for measure in of_way[:2]] == ["ρ", "ρ composed"]
    assert [int(measure.metric.removeprefix("ρ of motion ")) - 1 for measure in of_way[2:]] == pairs.measured
    of_another_seed = motion_pairs(evaluation_set(tmp_path / "orbit", seed=1), motions=16)
    np.testing.assert_array_equal(of_another_seed.centres, pairs.centres)  # so that a motion is the same in all seeds
    assert not np.array_equal(of_another_seed.part, pairs.part)
    assert of_way[0].value < 0.6
    assert of_way[1].value < 0.7 < of_noise[1].value  # it divides by little where the second motion leads back
    assert 0.65 < of_noise[0].value < 1.0  # as above, with few pairs for each motion
    assert of_way[0].value < of_untrained[0].value < 1.2
    assert of_untrained == equivariance_error(untrained, motion_pairs(evaluation_set(tmp_path / "orbit"), motions=16))
    # Neither unit nor place of the features matters, nor does a body that a wall holds up; their length does.
    moved = equivariance_error(1000 * untrained + 50, pairs)
    assert moved[0].value == pytest.approx(of_untrained[0].value, rel=1e-3)
    long = equivariance_error(way * np.exp(2 * elevation(pose))[:, None], pairs)
    assert long[0].value != pytest.approx(of_way[0].value, rel=0.01)
    group = image_set(tmp_path / "orbit").group
    tested = np.unique(group[pairs.first[pairs.part == 2]])[0]
    held_up = way.copy()
    held_up[group == tested] = way[group == tested][0]
    stuck = equivariance_error(held_up, pairs)
    assert math.isfinite(stuck[0].value)
    assert of_way[0].settings["still"] == 0
    assert stuck[0].settings["still"] == (group[pairs.first] == tested).sum() > 0
    # No object is fitted to, validated and tested on at once, though several episodes show it.
    parts = [set(group[pairs.first[pairs.part == part]]) for part in range(3)]
    assert sum(len(part) for part in parts) == len(set().union(*parts))


def test_the_next_view_is_chosen_where_features_tell_from_where_it_is_clear(tmp_path):
    """Here the class shows the more, the higher the camera stands, and never sideways: one looks from above."""
    settings = {"size": 32, "length": 16, "categories": "mug,bottle,bowl,plate", "progress": False}
    collect("orbit", tmp_path / "orbit", episodes=80, **settings)
    dataset, images = Dataset.open(tmp_path / "orbit"), image_set(tmp_path / "orbit")
    height = np.exp(6 * elevation(dataset.array("frames/pose")[:]))[:, None]
    rng, classes = np.random.default_rng(0), len(images.classes)
    noise = rng.normal(size=(len(images), classes))
    plain, clear = np.eye(classes)[images.label], np.eye(classes)[images.label] * height + 30 * noise
    pairs = view_pairs(evaluation_set(tmp_path / "orbit"))
    for features, low, high in ((plain, 0.99, 1.0), (noise, 0.1, 0.4)):
        for measure in next_best_view(features.astype("f4"), pairs):
            assert low <= measure.value <= high
    one, random, chosen = (measure.value for measure in next_best_view(clear.astype("f4"), pairs))
    assert one < random
    assert chosen > random + 0.03
    assert chosen == next_best_view(clear.astype("f4"), view_pairs(evaluation_set(tmp_path / "orbit")))[2].value


@pytest.mark.skipif(not imagenet.is_installed(), reason="the extra [imagenet] is not installed")
def test_the_features_of_imagenet_are_those_that_its_classifier_sees():
    encoder = imagenet.ImageNet()
    images = torch.rand(2, 3, 224, 224)
    with torch.no_grad():
        features = encoder(images)
        logits = encoder.network((images - 0.498) / 0.502)
    torch.testing.assert_close(encoder.network._fc(features), logits, rtol=1e-4, atol=1e-4)
    assert features.shape == (2, encoder.dim)


def test_every_protocol_is_one_declaration_and_refuses_what_it_does_not_have():
    for name in protocol_names():
        kind = protocol_class(name)
        assert kind.__doc__, name
        assert all(field.default is not field.default_factory for field in fields(kind)), name
        assert make_protocol(name) == kind()
        with pytest.raises(DataError, match=f"unknown setting of {name}|{name} has no settings"):
            make_protocol(name, nothing_like_it=1)
    long = {
        "stage_probe",
        "semi_supervised",
        "fine_tune",
        "relative_motion",
        "go_there",
        "senses",
        "grasping",
        "physics",
    }
    assert long <= set(protocol_names()) - set(usual_protocols())
    assert {"knn", "linear_probe", "equivariance"} <= set(usual_protocols())
    for name, setting, value, told in (
        ("knn", "neighbours", 0, "neighbours: 0; give at least 1"),
        ("knn", "temperature", 0.0, "temperature: 0.0; give more than 0"),
        ("fine_tune", "rates", (), "rates: none; give at least one"),
    ):
        with pytest.raises(DataError, match=told):
            make_protocol(name, **{setting: value})
    with pytest.raises(DataError, match="unknown protocol 'knm': did you mean 'knn'"):
        make_protocol("knm")


def test_each_protocol_measures_what_it_says_it_takes(data):
    """Each on a set of ours, or on a folder's images: those that do not take the set are skipped, and say so first."""
    sets = {kind: Dataset.open(folder) for kind, folder in data.items()}
    of_ours = {name: {kind for kind, of in sets.items() if make_protocol(name).takes(of)} for name in protocol_names()}
    assert all(of_ours.values())
    assert of_ours["equivariance"] == of_ours["relative_motion"] == {"roam", "orbit", "hold"}
    assert of_ours["next_best_view"] == {"orbit", "hold"}
    of_folders = {name for name in protocol_names() if make_protocol(name).takes(None)}
    assert {"knn", "linear_probe"} <= of_folders
    assert not of_folders & {"equivariance", "next_best_view", "relative_motion", "senses", "grasping"}
    assert of_ours["senses"] == {"grasp", "push", "poke"}
    assert of_ours["grasping"] == {"grasp"}
    assert of_ours["physics"] == {"orbit", "hold", "grasp", "push", "poke", "push_goal"}
    assert of_ours["imitation"] == {"push_goal"}


def test_labels_that_are_not_there_are_not_learned_from(capsys):
    features, images = clusters(classes=3, groups=12, each=1, spread=2.0)
    most = int(np.unique(images.label[split(images, 0).train], return_counts=True)[1].min())
    found = measured(FewLabels(per_class=(1, most, most + 1, 20)), features, images)
    assert [m.metric for m in found] == ["accuracy@1", f"accuracy@{most}"]
    assert f"few_labels has no {most + 1} and 20 images of each class" in capsys.readouterr().err
    (only,) = measured(FewLabels(per_class=(20,)), features, images)
    assert (only.metric, only.settings["train"]) == (f"accuracy@{most}", 3 * most)


def test_a_protocol_that_was_asked_for_and_takes_no_such_set_says_so(tmp_path, capsys):
    for i in range(24):
        (tmp_path / f"class{i % 2}").mkdir(exist_ok=True)
        Image.fromarray(np.full((16, 16, 3), 10 * i, np.uint8)).save(tmp_path / f"class{i % 2}" / f"{i}.png")
    given = {"on": [tmp_path], "baselines": False, "progress": False}
    assert len(evaluate(["zoo/hold_and_path"], protocols=["knn", "attention"], **given)) == 1
    assert "attention is not measured on it; it takes masks" in capsys.readouterr().err
    with pytest.raises(DataError, match="none of these protocols measures on any of these sets"):
        evaluate(["zoo/hold_and_path"], protocols=["equivariance", "next_best_view"], **given)
    assert capsys.readouterr().err.count("is not measured on it; it takes motions") == 2


def test_labels_of_objects_are_labels_of_all_their_images():
    features, images = clusters(classes=3, groups=30, each=4, spread=2.0)
    found = measured(FewLabels(per_class=(1, 5), of="objects"), features, images)
    assert [m.metric for m in found] == ["accuracy@1 objects", "accuracy@5 objects"]
    assert [m.settings["train"] for m in found] == [3 * 4, 3 * 5 * 4]
    parts = split(images, 0)
    drawn = draw_rows(images.label, parts.train, 2, np.random.default_rng(0), images.group)
    assert set(drawn) <= set(parts.train)
    assert [len(np.unique(images.group[drawn[images.label[drawn] == each]])) for each in range(3)] == [2, 2, 2]
