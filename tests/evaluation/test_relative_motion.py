"""The relative motion against closed forms, scikit-learn, and features that know nothing."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.images.sources import image_set
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.evaluation.estimators.regression import RIDGES, Products, fit_network, fit_ridge, pooled_r2, r2
from embodied_ssl.evaluation.protocol import EvaluationSet
from embodied_ssl.evaluation.protocols.relative_motion import (
    Pairs,
    RelativeMotion,
    ViewPairs,
    ranks,
    relative_motion,
    rotation_angle,
    view_pairs,
)

RNG = np.random.default_rng(0)


def made(objects=45, views=12, most=0.5):
    """Objects seen from random places, the places [N, 2], and pairs of views of objects of all parts."""
    rng = np.random.default_rng(0)
    place = rng.uniform(-1, 1, (objects * views, 2))
    first = np.repeat(np.arange(len(place)), 4)
    second = first - first % views + (first % views + rng.integers(1, views, len(first))) % views
    motion = place[second] - place[first]
    near, part = np.linalg.norm(motion, axis=1) <= most, first // views % 3

    def some(chosen):
        rows = np.flatnonzero(chosen)
        return Pairs(first[rows], second[rows], motion[rows])

    tests = {"": some((part == 2) & near), ", beyond": some((part == 2) & ~near)}
    segments = np.arange(objects) * views, np.full(objects, views)
    parts = some((part == 0) & near), some((part == 1) & near)
    return place, ViewPairs(*parts, tests, segments, ("around (rad)", "up (rad)"), motion.std(0), {}, seed=0)


def values(features, pairs):
    return {measure.metric: measure for measure in relative_motion(features.astype("f4"), pairs)}


def test_features_that_are_the_place_tell_all_and_shuffled_ones_nothing():
    """Whatever the axes and the origin of the place are: five features are a linear map of it."""
    place, pairs = made()
    features = place @ RNG.normal(size=(2, 5)) + 3
    knows = values(features, pairs)
    for metric in ("R² ridge", "R² ridge, pooled", "R² ridge, beyond", "R² ridge of up (rad)", "H@5, beyond"):
        assert knows[metric].value > 0.999, metric
    for metric in ("MRR", "H@1", "H@5", "MRR, beyond"):
        assert knows[metric].value > 0.98, metric
    assert knows["R² MLP"].value > 0.97
    shuffled = values(RNG.permutation(features), pairs)
    for metric in ("R² ridge", "R² MLP", "R² ridge, pooled"):
        assert -0.2 < shuffled[metric].value < 0.05, metric
    chance = shuffled["MRR"].settings["by_chance"]
    assert chance == pytest.approx(np.mean(1 / np.arange(1, 13)))
    assert shuffled["MRR"].value == pytest.approx(chance, abs=0.07)
    assert shuffled["H@5"].value == pytest.approx(5 / 12, abs=0.1)
    collapsed = values(np.ones_like(features), pairs)
    assert collapsed["H@1"].value == 0
    assert collapsed["MRR"].value == pytest.approx(1 / 6.5)  # the middle of twelve that are alike


def test_the_rank_is_that_of_brute_force():
    z, predicted = RNG.normal(size=(20, 3)), RNG.normal(size=(6, 3))
    second, segments = np.array([0, 4, 7, 8, 12, 19]), (np.array([0, 5, 12]), np.array([5, 7, 8]))
    found, views = ranks(predicted, z, second, segments)
    for guess, true, rank, count in zip(predicted, second, found, views, strict=True):
        start = max(first for first in segments[0] if first <= true)
        own = z[start : start + count]
        cosine = own @ guess / np.linalg.norm(own, axis=1)
        assert rank == 1 + (cosine > cosine[true - start]).sum()


@pytest.mark.parametrize(("rows", "columns"), [(80, 6), (20, 40)])
def test_the_ridge_is_that_of_scikit_learn(rows, columns):
    """Fewer rows than columns are solved by the other of two systems."""
    x, noise = RNG.normal(size=(rows, columns)) * 5 + 2, RNG.normal(size=(rows, 2))
    y = x[:, :2] + noise
    ridge = fit_ridge((x, y), (x[::-1] + 0.1, y[::-1]))
    assert ridge.strength in RIDGES
    scaled = (x - x.mean(0)) / x.std(0)
    peer = Ridge(alpha=ridge.strength * rows).fit(scaled, y)
    np.testing.assert_allclose(ridge(x), peer.predict(scaled), rtol=1e-6)
    np.testing.assert_allclose(r2(ridge(x), y), r2_score(y, ridge(x), multioutput="raw_values"))
    assert pooled_r2(ridge(x), y) == pytest.approx(r2_score(y.ravel(), ridge(x).ravel()))


def test_validation_chooses_the_strength():
    """The targets of training are noise: the stronger the ridge, the better on rows of their own."""
    x, y = RNG.normal(size=(2, 60, 30))
    noise, signal = fit_ridge((x, y), (y, x)), fit_ridge((x, x[:, :2]), (y, y[:, :2]))
    assert noise.strength >= 10
    assert signal.strength == min(RIDGES)


def test_products_make_a_turned_motion_linear_and_constant_columns_do_no_harm():
    """How far ahead a point lies is linear in products of a heading and a step, and in neither."""
    angle, step = RNG.uniform(-np.pi, np.pi, 900), RNG.normal(size=(900, 2))
    heading = np.stack([np.cos(angle), np.sin(angle), np.ones(900)], 1)
    ahead = (heading[:, :2] * step).sum(1, keepdims=True)
    products = Products.of(heading[:500], step[:500], 8)
    both, plain = products(heading, step), np.concatenate([heading, step], 1)
    for inputs, low, high in ((both, 0.999, 1.0), (plain, -0.2, 0.1)):
        parts = [(inputs[rows], ahead[rows]) for rows in (slice(0, 500), slice(500, 700), slice(700, 900))]
        assert low < float(r2(fit_ridge(*parts[:2])(parts[2][0]), parts[2][1])[0]) <= high


def test_a_network_is_the_same_for_a_seed_and_leaves_the_generator():
    import torch

    x = RNG.normal(size=(800, 4))
    y = np.sin(x[:, :1] * 2)
    state = torch.random.get_rng_state()
    found = [fit_network((x, y), (x[:200], y[:200]), seed, hidden=(256, 64)) for seed in (0, 0, 1)]
    assert torch.equal(torch.random.get_rng_state(), state)
    np.testing.assert_array_equal(found[0](x), found[1](x))
    assert (found[0](x) != found[2](x)).any()
    assert float(r2(found[0](x), y)[0]) > 0.9


def test_pairs_of_a_data_set_share_no_object_and_only_the_far_ones_turn_further(data):
    names = Dataset.open(data["roam"]).declaration.motor_signals
    motion = RNG.normal(size=(5, len(names)))
    np.testing.assert_allclose(rotation_angle(motion, names), np.abs(motion[:, 1]))  # forward is in m
    few = EvaluationSet(images=image_set(data["roam"]), dataset=Dataset.open(data["roam"]))
    for seen in (1.0, 0.7):
        pairs = view_pairs(few, seen=seen, fewest=1)
        parts = [pairs.train, pairs.validation, *pairs.tests.values()]
        groups, turned = zip(
            *[(set(few.images.group[p.rows]), rotation_angle(p.motion, names)) for p in parts], strict=True
        )
        assert not groups[0] & groups[1]
        assert not (groups[0] | groups[1]) & set.union(*groups[2:])
        most = pairs.about["largest_rotation"]
        assert max(angle.max() for angle in turned[:3]) <= most + 1e-3
        assert all(angle.min() > most - 1e-3 for angle in turned[3:])
        assert len(parts) == 4
    with pytest.raises(DataError, match=r"pairs of views to .*collect more episodes, or leave out the protocol"):
        view_pairs(few, fewest=1000)
    assert not RelativeMotion().takes(Dataset.open(data["grasp"]))
