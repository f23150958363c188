"""Contrastive losses against closed forms, NumPy, and the mutual information of Gaussian pairs."""

import itertools
import math

import numpy as np
import pytest
import torch

from embodied_ssl.parts.losses import info_nce, mean_where, nt_xent, symmetric_info_nce


def test_info_nce_of_scores_that_tell_nothing_is_log_n():
    assert info_nce(torch.zeros(5, 7), torch.arange(5)).item() == pytest.approx(math.log(7))


def test_info_nce_of_one_score_above_the_others_has_a_closed_form():
    above, others = 2.5, 9
    scores = torch.zeros(others + 1, others + 1).fill_diagonal_(above)
    assert info_nce(scores).item() == pytest.approx(math.log(1 + others * math.exp(-above)))


def pairs(count, dims, correlation, rng):
    """Gaussian pairs, float [count, dims] each, with the critic of all against all that is best for them."""
    x = rng.normal(size=(count, dims))
    y = correlation * x + math.sqrt(1 - correlation**2) * rng.normal(size=(count, dims))
    away = ((y[None] - correlation * x[:, None]) ** 2).sum(-1) / (1 - correlation**2)  # of p(y | x) to p(y)
    return torch.from_numpy((y[None] ** 2).sum(-1) / 2 - away / 2)


def test_the_bound_approaches_the_mutual_information_from_below_as_candidates_grow():
    dims, correlation = 4, 0.8
    truth = -dims / 2 * math.log(1 - correlation**2)
    rng = np.random.default_rng(0)
    bounds = []
    for count in (2, 8, 32, 128, 512):
        values = [
            math.log(count) - info_nce(pairs(count, dims, correlation, rng)).item() for _ in range(20_000 // count)
        ]
        error = np.std(values) / math.sqrt(len(values))
        assert np.mean(values) < min(truth, math.log(count)) + 3 * error
        bounds.append(np.mean(values))
    assert bounds == sorted(bounds)
    assert truth - bounds[0] > 1.3
    assert bounds[-1] == pytest.approx(truth, rel=0.03)


def test_nt_xent_is_equation_1():
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=(2, 5, 8))
    codes = np.concatenate([first, second])
    codes /= np.linalg.norm(codes, axis=1, keepdims=True)
    terms = []
    for i in range(10):
        others = [math.exp(codes[i] @ codes[k] / 0.3) for k in range(10) if k != i]
        terms.append(-math.log(math.exp(codes[i] @ codes[(i + 5) % 10] / 0.3) / sum(others)))
    found = nt_xent(torch.from_numpy(first), torch.from_numpy(second), 0.3)
    assert found.item() == pytest.approx(np.mean(terms), rel=1e-5)


def test_all_views_of_a_sample_are_positives_of_each_other_and_none_is_a_negative():
    """Of a batch with a sample in it twice, by loops."""
    rng = np.random.default_rng(3)
    first, second = rng.normal(size=(2, 5, 8))
    identity = np.array([7, 3, 7, 1, 2])
    one, other = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (first, second))

    def terms(queries, keys, of_queries, of_keys, own):
        for i, k in itertools.product(range(len(queries)), range(len(keys))):
            if of_queries[i] != of_keys[k] or (own and i == k):
                continue
            scores = np.exp(queries[i] @ keys.T / 0.3)
            yield -math.log(scores[k] / (scores[k] + scores[of_keys != of_queries[i]].sum()))

    tensors, number = [torch.from_numpy(each) for each in (first, second)], np.tile(identity, 2)
    found = nt_xent(*tensors, 0.3, torch.from_numpy(identity))
    codes = np.concatenate([one, other])
    assert found.item() == pytest.approx(np.mean(list(terms(codes, codes, number, number, True))), rel=1e-5)
    found = symmetric_info_nce(*tensors, 0.3, torch.from_numpy(identity))
    there, back = (list(terms(*each, identity, identity, False)) for each in ((one, other), (other, one)))
    assert found.item() == pytest.approx((np.mean(there) + np.mean(back)) / 2, rel=1e-5)


def test_a_batch_of_one_sample_has_nothing_to_tell_apart():
    codes = torch.randn(4, 8, requires_grad=True)
    loss = nt_xent(codes[:2], codes[2:], 0.3, torch.zeros(2, dtype=torch.int64))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(codes.grad, torch.zeros_like(codes))


def test_a_mean_over_nothing_is_nothing():
    values = torch.tensor([1.0, 2.0, 4.0])
    assert mean_where(values, torch.tensor([True, False, True])).item() == 2.5
    assert mean_where(values, torch.zeros(3, dtype=torch.bool)).item() == 0


def test_clips_loss_is_its_figure_3():
    rng = np.random.default_rng(2)
    first, second = rng.normal(size=(2, 6, 4))
    units = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in (first, second)]
    scores = np.exp(units[0] @ units[1].T / 0.2)
    rows, columns = (-np.log(np.diag(scores) / scores.sum(axis)) for axis in (1, 0))
    found = symmetric_info_nce(torch.from_numpy(first), torch.from_numpy(second), 0.2)
    assert found.item() == pytest.approx((rows.mean() + columns.mean()) / 2, rel=1e-5)
