"""Schedules, optimisers and averages, against closed forms."""

import math

import pytest
import torch

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.method import Recipe
from embodied_ssl.training.optimization import follow, learning_rate, make_optimizer, set_learning_rate


def test_the_learning_rate_rises_and_falls():
    recipe = Recipe(learning_rate=2.0, steps=110, warmup=10 / 110)
    values = [learning_rate(recipe, step) for step in range(110)]
    assert values[:10] == pytest.approx([0.2 * (step + 1) for step in range(10)])
    assert values[10] == pytest.approx(2.0)
    assert values[60] == pytest.approx(1.0)  # half way down the cosine
    assert values[-1] == pytest.approx(1 + math.cos(math.pi * 99 / 100))
    assert max(values) == pytest.approx(2.0)


def test_a_constant_rate_stays():
    recipe = Recipe(learning_rate=0.5, steps=10, warmup=0.0, schedule="constant")
    assert {learning_rate(recipe, step) for step in range(10)} == {0.5}


def test_biases_and_scales_do_not_decay():
    module = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.BatchNorm1d(3))
    decays = {
        id(parameter): group["weight_decay"]
        for group in make_optimizer(module, Recipe(weight_decay=0.1)).param_groups
        for parameter in group["params"]
    }
    assert {name: decays[id(p)] for name, p in module.named_parameters()} == {
        "0.weight": 0.1, "0.bias": 0.0, "1.weight": 0.0, "1.bias": 0.0,
    }  # fmt: skip


def test_sgd_with_momentum_follows_its_recursion():
    weight = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(weight.weight, 1.0)
    optimizer = make_optimizer(weight, Recipe(optimizer="sgd", momentum=0.9, weight_decay=0.0))
    expected, velocity = 1.0, 0.0
    for step in range(5):
        set_learning_rate(optimizer, 0.1 * (step + 1))
        optimizer.zero_grad()
        (weight.weight**2).sum().backward()
        optimizer.step()
        velocity = 0.9 * velocity + 2 * expected
        expected -= 0.1 * (step + 1) * velocity
    assert weight.weight.item() == pytest.approx(expected, rel=1e-5)


def test_lars_takes_steps_in_proportion_to_the_weights():
    """The first step of LARS is lr · trust · ‖w‖ long, whatever the gradient's length (You et al. 2017, eq. 6)."""
    lengths = []
    for scale in (1.0, 1000.0):
        weight = torch.nn.Linear(4, 4, bias=False)
        torch.nn.init.eye_(weight.weight)
        optimizer = make_optimizer(weight, Recipe(optimizer="lars", learning_rate=1.0, weight_decay=1e-6))
        (scale * weight.weight.sum()).backward()
        before = weight.weight.detach().clone()
        optimizer.step()
        lengths.append((weight.weight - before).norm().item())
    assert lengths[0] == pytest.approx(lengths[1], rel=1e-3)


def test_a_step_of_lars_without_decay_has_its_closed_form():
    """w − lr · 0.001 · ‖w‖ / ‖g‖ · g, and after it with momentum; biases and scales take plain steps of SGD."""
    module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.LayerNorm(2))
    optimizer = make_optimizer(module, Recipe(optimizer="lars", learning_rate=0.3, weight_decay=0.0, momentum=0.9))
    expected = {name: parameter.detach().clone() for name, parameter in module.named_parameters()}
    velocity = dict.fromkeys(expected, 0.0)
    for number in range(3):
        optimizer.zero_grad()
        generator = torch.Generator().manual_seed(number)
        for name, parameter in module.named_parameters():
            parameter.grad = 100 * torch.rand(parameter.shape, generator=generator)
            trust = 0.001 * expected[name].norm() / parameter.grad.norm() if parameter.ndim > 1 else 1.0
            velocity[name] = 0.9 * velocity[name] + trust * parameter.grad
            expected[name] = expected[name] - 0.3 * velocity[name]
        optimizer.step()
    for name, parameter in module.named_parameters():
        torch.testing.assert_close(parameter.detach(), expected[name])


def test_an_average_follows_by_its_decay():
    module, average = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    start, target = average.weight.detach().clone(), module.weight.detach().clone()
    for _ in range(7):
        follow(average, module, decay=0.9)
    torch.testing.assert_close(average.weight, target + 0.9**7 * (start - target))


def test_an_unknown_optimiser_is_named():
    with pytest.raises(DataError, match=r"unknown optimizer 'adamv': did you mean 'adamw'\?"):
        make_optimizer(torch.nn.Linear(1, 1), Recipe(optimizer="adamv"))
