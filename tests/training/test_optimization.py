"""Schedules, optimisers and averages, against closed forms."""

import math

import pytest
import torch

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.method import Recipe
from embodied_ssl.methods import make_method
from embodied_ssl.training.optimization import (
    clip_each,
    follow,
    learning_rate,
    make_optimizer,
    set_schedules,
    weight_decay,
)
from embodied_ssl.training.stochastic_depth import skip_blocks


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


def test_the_rate_falls_in_steps():
    recipe = Recipe(learning_rate=0.8, steps=200, warmup=0.0, schedule="step", milestones=(0.6, 0.8), gamma=0.1)
    at = {step: learning_rate(recipe, step) for step in (0, 119, 120, 159, 160, 199)}
    assert at == pytest.approx({0: 0.8, 119: 0.8, 120: 0.08, 159: 0.08, 160: 0.008, 199: 0.008})


def test_a_rate_for_256_is_that_of_larger_batches_in_proportion_between_its_first_and_its_last_share():
    recipe = Recipe(
        learning_rate=0.2, reference_batch=256, batch_size=1024, steps=100, warmup=0.2, initial_share=0.25,
        final_share=0.01,
    )  # fmt: skip
    values = [learning_rate(recipe, step) for step in range(101)]
    assert values[0] == pytest.approx(0.2 + 0.6 / 20)
    assert values[19] == pytest.approx(0.8)
    assert values[60] == pytest.approx((0.8 + 0.008) / 2)
    assert values[100] == pytest.approx(0.008)


def test_the_weight_decay_rises_by_half_a_cosine_and_only_where_there_is_one():
    module = torch.nn.Linear(2, 2)
    recipe = Recipe(weight_decay=0.04, final_weight_decay=0.4, steps=100)
    optimizer = make_optimizer(module, recipe)
    for step, expected in ((0, 0.04), (25, 0.4 - 0.36 * (1 + math.sqrt(0.5)) / 2), (50, 0.22), (100, 0.4)):
        set_schedules(optimizer, recipe, step)
        assert weight_decay(recipe, step) == pytest.approx(expected)
        assert [group["weight_decay"] for group in optimizer.param_groups] == pytest.approx([expected, 0.0])


def test_nesterov_without_momentum_is_refused():
    with pytest.raises(DataError, match=r"nesterov: .* give a momentum"):
        Recipe(optimizer="sgd", nesterov=True, momentum=0.0)


@pytest.mark.parametrize("name", ["sgd", "lars"])
def test_nesterovs_momentum_follows_its_recursion(name):
    """Of biases, which LARS leaves as they are: w ← w − lr (g + m v), v ← m v + g (Sutskever et al. 2013)."""
    module = torch.nn.LayerNorm(1, elementwise_affine=True, bias=False)
    recipe = Recipe(optimizer=name, learning_rate=0.1, momentum=0.9, nesterov=True, schedule="constant", warmup=0.0)
    optimizer = make_optimizer(module, recipe)
    expected, velocity = 1.0, 0.0
    for _ in range(4):
        optimizer.zero_grad()
        (module.weight**2).sum().backward()
        optimizer.step()
        gradient = 2 * expected
        velocity = 0.9 * velocity + gradient
        expected -= 0.1 * (gradient + 0.9 * velocity)
    assert module.weight.item() == pytest.approx(expected, rel=1e-5)


def test_rates_of_layers_are_those_of_timm():
    from timm.models.vision_transformer import VisionTransformer
    from timm.optim import param_groups_layer_decay

    method = make_method("labels", "vit_micro", 32, classes=3)
    recipe = Recipe(learning_rate=1.0, weight_decay=0.05, layer_decay=0.65, warmup=0.0)
    optimizer = make_optimizer(method, recipe)
    set_schedules(optimizer, recipe, 0)
    found = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    with_head = VisionTransformer(img_size=32, patch_size=4, embed_dim=96, depth=4, num_heads=3, num_classes=3)
    names = {id(p): name for name, p in with_head.named_parameters()}
    theirs = {
        names[id(p)]: group["lr_scale"]
        for group in param_groups_layer_decay(with_head, layer_decay=0.65)
        for p in group["params"]
    }
    ours = {name: found[id(p)] for name, p in method.encoder.network.named_parameters()}
    assert ours | {f"head.{name}": found[id(p)] for name, p in method.classifier.named_parameters()} == (
        pytest.approx(theirs)
    )
    assert ours["patch_embed.proj.weight"] == pytest.approx(0.65**5)  # He et al. 2022: below four blocks and the head
    decays = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    assert {decays[id(p)] for p in method.parameters() if p.ndim < 2} == {0.0}


def test_layers_in_no_order_have_no_rates_of_their_own():
    with pytest.raises(DataError, match=r"^layer_decay: 0.5; the encoder has no layers in an order, take timm/NAME"):
        make_optimizer(make_method("labels", "conv4", 32, classes=3), Recipe(layer_decay=0.5))


def test_each_gradient_is_clipped_by_its_own_norm():
    long, short, none = (torch.nn.Parameter(torch.zeros(2)) for _ in range(3))
    long.grad, short.grad = torch.tensor([3.0, 4.0]), torch.tensor([0.3, 0.4])
    clip_each([long, short, none], 2.0)
    torch.testing.assert_close(long.grad, torch.tensor([1.2, 1.6]))
    torch.testing.assert_close(short.grad, torch.tensor([0.3, 0.4]))


def test_later_blocks_are_skipped_more_often_and_none_in_evaluation():
    encoder = make_method("labels", "vit_micro", 32, classes=3).encoder.eval()
    images = torch.rand(2, 3, 32, 32)
    before = encoder(images)
    skip_blocks(encoder, 0.3)
    assert torch.equal(encoder(images), before)
    rates = [block.drop_path2.drop_prob for block in encoder.network.blocks]
    assert rates == pytest.approx([0.0, 0.1, 0.2, 0.3])
    ones = torch.ones(20_000, 1)
    kept = encoder.network.blocks[3].drop_path1.train()(ones)
    assert (kept == 0).float().mean().item() == pytest.approx(0.3, abs=0.02)
    assert kept.max().item() == pytest.approx(1 / 0.7)


def test_blocks_are_skipped_of_transformers_alone():
    with pytest.raises(DataError, match=r"^stochastic_depth: 0.1; conv4 has no blocks to skip"):
        skip_blocks(make_method("labels", "conv4", 32, classes=3).encoder, 0.1)


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
    recipe = Recipe(optimizer="sgd", learning_rate=0.5, momentum=0.9, weight_decay=0.0, steps=50, warmup=0.1)
    optimizer = make_optimizer(weight, recipe)
    expected, velocity = 1.0, 0.0
    for step in range(5):
        set_schedules(optimizer, recipe, step)
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
