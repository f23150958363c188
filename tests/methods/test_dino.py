"""DINO's loss, centre, temperatures and teacher, re-derived."""

import math

import numpy as np
import pytest
import torch

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.read.batches import FramePairs, Frames, ObjectPairs
from embodied_ssl.method import Step
from embodied_ssl.methods import make_method
from embodied_ssl.parts.losses import distillation, sinkhorn

SIZE, COUNT = 32, 6


def frames():
    images = np.random.default_rng(0).integers(0, 256, (COUNT, 3, 40, 40), dtype=np.uint8)
    return Frames(torch.from_numpy(images), torch.arange(COUNT))


def step(seed=0, progress=0.5):
    return Step(progress, torch.Generator().manual_seed(seed))


def test_the_loss_is_equation_3():
    """Every view of the student with every other large crop of the teacher, image by image."""
    rng = np.random.default_rng(1)
    teacher, student = rng.dirichlet(np.ones(7), (2, 3)), rng.normal(size=(5, 3, 7))
    terms = []
    for g in range(2):
        for v in range(5):
            if v != g:
                for b in range(3):
                    q = np.exp(student[v, b]) / np.exp(student[v, b]).sum()
                    terms.append(-(teacher[g, b] * np.log(q)).sum())
    found = distillation(torch.from_numpy(teacher), torch.from_numpy(student))
    assert found.item() == pytest.approx(np.mean(terms))


@pytest.mark.parametrize("encoder", ["conv4", "vit_tiny_cls"])
def test_a_step_is_that_of_the_paper(encoder):
    temperatures = {"warmup_teacher_temperature": 0.04, "teacher_temperature": 0.07, "momentum": 0.99}
    settings = {"prototypes": 50, "local_crops": 3, "balance": "centre", **temperatures}
    method = make_method("dino", encoder, SIZE, **settings).eval()
    method.centre.normal_(std=0.1)
    seen = {}
    for name in ("head", "teacher_head"):
        getattr(method, name).register_forward_hook(
            lambda module, inputs, output, name=name: seen.__setitem__(name, output.detach())
        )
    losses = method.loss(step(progress=0.05), frames())
    student, teacher = seen["head"].reshape(5, COUNT, 50), seen["teacher_head"].reshape(2, COUNT, 50)
    says = torch.softmax((teacher - method.centre) / 0.055, 2)  # half way from 0.04 to 0.07
    assert losses["loss"].item() == pytest.approx(distillation(says, student / 0.1).item(), rel=1e-5)
    centre, before = method.centre.clone(), {k: v.clone() for k, v in method.teacher.named_parameters()}
    with torch.no_grad():
        for parameter in method.encoder.parameters():
            parameter.add_(1)
    method.after_step(step(progress=0.5))
    torch.testing.assert_close(method.centre, 0.9 * centre + 0.1 * teacher.mean((0, 1)))
    m = 1 - (1 - 0.99) * (math.cos(math.pi * 0.5) + 1) / 2
    for name, parameter in method.teacher.named_parameters():
        torch.testing.assert_close(parameter, before[name] + (1 - m), rtol=1e-4, atol=1e-5)
    assert method.output_encoder is method.teacher


def test_the_balance_is_sinkhorns_and_knopps():
    """The one matrix a_i exp(x_ij / τ) b_j whose rows have the sum 1 and whose columns are equal, found otherwise."""
    outputs = np.random.default_rng(2).normal(size=(12, 5))
    kernel = np.exp(outputs)
    rows, columns = np.ones(12), np.ones(5)
    for _ in range(200):
        rows = 1 / (kernel @ columns)
        columns = 12 / 5 / (kernel.T @ rows)
    found = sinkhorn(torch.from_numpy(outputs), rounds=200).numpy()
    np.testing.assert_allclose(found, rows[:, None] * kernel * columns, rtol=1e-6)
    np.testing.assert_allclose(sinkhorn(torch.from_numpy(outputs)).sum(0), 12 / 5, rtol=0.05)


def test_the_teacher_is_balanced_over_the_batch_without_a_centre():
    method, alone = (make_method("dino", "conv4", SIZE, prototypes=4, balance=name) for name in ("sinkhorn", "centre"))
    losses = [method.loss(step(seed), frames()) for seed in range(8)]
    missing = [math.log(4) - each["mean_entropy"].item() for each in losses]  # three rounds get near
    unbalanced = [math.log(4) - alone.loss(step(seed), frames())["mean_entropy"].item() for seed in range(8)]
    assert np.mean(missing) < 0.1
    assert np.mean(missing) < np.mean(unbalanced) / 2
    assert all(each["teacher_entropy"].item() < math.log(4) - 0.1 for each in losses)
    method.after_step(step())
    assert not method.centre.any()
    with pytest.raises(DataError, match=r"unknown balance .none.: .*valid are centre, sinkhorn"):
        make_method("dino", "conv4", SIZE, balance="none")


def test_the_teacher_is_as_sharp_however_alike_its_outputs_are():
    """Else a teacher that tells images apart by little says the same of all, and its student learns to say so too."""
    method = make_method("dino", "conv4", SIZE, prototypes=20, bottleneck=16)
    outputs = torch.from_numpy(np.random.default_rng(3).normal(size=(12, 20)) / 4)  # as random codes of 16 numbers have
    expected = sinkhorn((outputs - outputs.mean(0)) / outputs.std(0).mean() / 4 / 0.02)
    for scale, common in ((1.0, 0.0), (1e-3, 0.9)):
        found = method.teacher_probabilities(outputs * scale + common, 0.02)
        torch.testing.assert_close(found, expected, rtol=1e-2, atol=1e-3)


def test_prototypes_begin_with_unit_length():
    """The step of an optimiser then turns them as much as it turns weights of a layer."""
    prototypes = make_method("dino", "conv4", SIZE).head.prototypes
    torch.testing.assert_close(prototypes.norm(dim=1), torch.ones(len(prototypes)))


def test_crops_have_their_shares_and_sizes():
    method = make_method("dino", "conv4", SIZE, local_crops=3)
    sizes = []
    method.encoder.register_forward_pre_hook(lambda module, inputs: sizes.append(tuple(inputs[0].shape)))
    method.loss(step(), frames())
    assert sizes == [(2 * COUNT, 3, 32, 32), (3 * COUNT, 3, 16, 16)]
    with pytest.raises(DataError, match="kitti_net takes no images of 16 px; choose --local_size 32"):
        make_method("dino", "kitti_net", SIZE)
    make_method("dino", "kitti_net", SIZE, local_size=SIZE).loss(step(), frames())


def plain(value, count=COUNT):
    return torch.full((count, 3, 40, 40), value, dtype=torch.uint8)


def pairs():
    return FramePairs(plain(10), plain(20), torch.zeros(COUNT, 2), torch.ones(COUNT), torch.ones(COUNT))


def objects():
    pixel = torch.full((4, 2), 20.0)
    return ObjectPairs(plain(30, 4), plain(40, 4), pixel, pixel, torch.arange(4))


@pytest.mark.parametrize("source", ["body", "both"])
def test_the_crops_are_of_both_images_that_the_body_gives(source):
    """Large ones of one image each, small ones in turn; each sample's crops are of its own images."""
    views = {"source": source}
    method = make_method("dino", "conv4", SIZE, local_crops=3, views=views).eval()
    assert set(method.input_streams()) == {"pairs", "objects"}
    seen = []
    method.encoder.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    loss = method.loss(step(), pairs=pairs(), objects=objects())["loss"]
    loss.backward()
    assert [len(crops) for crops in seen] == [2 * (COUNT + 4), 3 * (COUNT + 4)]
    if source == "body":  # colours are as they were
        first, second = [10] * COUNT + [30] * 4, [20] * COUNT + [40] * 4
        for crops, expected in zip(seen, (first + second, first + second + first), strict=True):
            torch.testing.assert_close(crops.mean((1, 2, 3)) * 255, torch.tensor(expected).float())
    with pytest.raises(DataError, match="name a data set for one of pairs, objects"):
        method.loss(step())


def test_prototypes_are_frozen_at_first():
    method = make_method("dino", "conv4", SIZE)
    method.loss(step(progress=0.0), frames())["loss"].backward()
    assert method.head.prototypes.grad is None
    method.loss(step(progress=0.5), frames())["loss"].backward()
    assert method.head.prototypes.grad.abs().sum() > 0
    assert all(p.grad is None for p in method.teacher.parameters())


def test_the_papers_head_has_no_batch_norm():
    """Linear and GELU in turn to a bottleneck of unit length, and its cosines with the prototypes."""
    method = make_method("dino", "conv4", SIZE, paper_head=True, width=16, bottleneck=8, prototypes=5)
    names = [type(layer).__name__ for layer in method.head.layers]
    assert names == ["Linear", "GELU", "Linear", "GELU", "Linear"]
    features = torch.randn(3, 256)
    found = features
    for layer in method.head.layers:
        found = found @ layer.weight.T + layer.bias if hasattr(layer, "weight") else torch.nn.functional.gelu(found)
    prototypes = method.head.prototypes
    expected = (found / found.norm(dim=1, keepdim=True)) @ (prototypes / prototypes.norm(dim=1, keepdim=True)).T
    torch.testing.assert_close(method.head(features), expected)
    assert method.head.layers[2].weight.std().item() == pytest.approx(0.02, rel=0.3)
    assert not method.head.layers[2].bias.any()


def test_without_centre_all_pictures_may_say_the_same_and_the_log_tells():
    """What the two logged entropies are for: of one answer for all, the mean's entropy is no more than the answers'."""
    method = make_method("dino", "conv4", SIZE, balance="centre")
    torch.nn.init.zeros_(method.teacher_head.layers[0].weight)
    torch.nn.init.normal_(method.teacher_head.layers[-1].bias)
    losses = method.loss(step(), frames())
    assert losses["mean_entropy"].item() == pytest.approx(losses["teacher_entropy"].item(), rel=1e-4)
