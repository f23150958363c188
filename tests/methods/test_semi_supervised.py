"""Semi-supervised methods: their losses against the formulas of their papers, written out on the same answers."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional
from torchvision.transforms.v2 import functional as reference

from embodied_ssl.datasets.read.batches import Frames, LabelledFrames
from embodied_ssl.method import Step
from embodied_ssl.methods import make_method
from embodied_ssl.methods.uda import annealed
from embodied_ssl.parts.adversarial import virtual_adversarial
from embodied_ssl.parts.random_augment import OPERATIONS, random_augment
from embodied_ssl.parts.views import flip_and_shift, random_square, rotations, to_float

CLASSES, FEW, MANY, SIZE = 3, 6, 10, 16
NAMES = ("pseudo_label", "vat", "uda", "fixmatch", "s4l")


def rng():
    return torch.Generator().manual_seed(0)


def pictures(count: int, seed: int) -> torch.Tensor:
    return torch.randint(0, 256, (count, 3, SIZE, SIZE), generator=torch.Generator().manual_seed(seed)).byte()


def batches():
    label = torch.arange(FEW) % CLASSES
    return {
        "labelled": LabelledFrames(pictures(FEW, 1), label, torch.arange(FEW)),
        "frames": Frames(pictures(MANY, 2), torch.arange(MANY)),
    }


def the_method(name: str, **settings):
    """With answers of which some are sure and others are not; at rest, where answers don't depend on other images."""
    method = make_method(name, "conv4", SIZE, seed=0, classes=CLASSES, **settings).eval()
    with torch.no_grad():
        logits = method.logits(to_float(pictures(64, 0)))
        method.classifier.weight.div_(logits.std(0)[:, None])
        method.classifier.bias.copy_((method.classifier.bias - logits.mean(0)) / logits.std(0))
    return method


def loss(method, progress: float = 0.5) -> dict[str, float]:
    return {name: value.item() for name, value in method.loss(**batches(), step=Step(progress, rng())).items()}


def answers(method, images) -> np.ndarray:
    """Probabilities, float64 [B, classes]."""
    with torch.no_grad():
        return method.classifier(method.encoder(images)).double().softmax(1).numpy()


def of_label(p: np.ndarray) -> float:
    return float(-np.log(p[np.arange(len(p)), np.arange(len(p)) % CLASSES]).mean())


@pytest.mark.parametrize(("progress", "share"), [(0.0, 0.0), (0.2, 0.5), (0.4, 1.0), (0.9, 1.0)])
def test_pseudo_label(progress, share):
    method, generator = the_method("pseudo_label", threshold=0.8, weight=2.0), rng()
    known = answers(method, flip_and_shift(batches()["labelled"].images, generator, SIZE))
    p = answers(method, flip_and_shift(batches()["frames"].images, generator, SIZE))
    sure = p.max(1) > 0.8
    assert 0 < sure.sum() < MANY
    expected = of_label(known) + 2 * share * np.where(sure, -np.log(p.max(1)), 0).mean()
    assert loss(method, progress)["loss"] == pytest.approx(expected, rel=1e-4)


def seen_twice(method):
    generator, given = rng(), batches()
    weak = flip_and_shift(torch.cat([given["labelled"].images, given["frames"].images]), generator, SIZE)
    strong = random_augment(flip_and_shift(given["frames"].images, generator, SIZE), generator)  # a view of its own
    return answers(method, weak[:FEW]), answers(method, weak[FEW:]), answers(method, strong)


def test_fixmatch():
    method = the_method("fixmatch", threshold=0.8, weight=0.5)
    known, weak, strong = seen_twice(method)
    sure, guess = weak.max(1) > 0.8, weak.argmax(1)
    assert 0 < sure.sum() < MANY
    expected = of_label(known) + 0.5 * np.where(sure, -np.log(strong[np.arange(MANY), guess]), 0).mean()
    found = loss(method)
    assert found["loss"] == pytest.approx(expected, rel=1e-4)
    assert found["sure"] == pytest.approx(sure.mean())


def test_uda():
    method = the_method("uda", threshold=0.8, temperature=0.4, annealing="linear")
    known, weak, strong = seen_twice(method)
    sharp = weak ** (1 / 0.4)
    sharp /= sharp.sum(1, keepdims=True)
    consistent = np.where(weak.max(1) > 0.8, -(sharp * np.log(strong)).sum(1), 0).mean()
    own = known[np.arange(FEW), np.arange(FEW) % CLASSES]
    counted = own < 0.5 * (1 - 1 / CLASSES) + 1 / CLASSES
    assert 0 < counted.sum() < FEW
    assert loss(method)["loss"] == pytest.approx(np.where(counted, -np.log(own), 0).mean() + consistent, rel=1e-4)


def test_the_search_of_vat_finds_as_much_in_16_bits():
    """Of a network that is sure of its answers: the gradients that the search follows are far below what fp16 holds."""
    method, given = make_method("vat", "resnet8", 32, seed=0, classes=10), rng()
    images = 0.2 * torch.rand(32, 3, 32, 32, generator=given) + 0.8 * torch.rand(32, 3, 1, 1, generator=given)
    optimizer = torch.optim.AdamW(method.parameters(), 1e-3)
    for _ in range(20):
        functional.cross_entropy(method.logits(images), torch.arange(32) % 10).backward()
        optimizer.step()
        optimizer.zero_grad()
    found = []
    for half in (False, True):
        with torch.autocast("cpu", torch.float16, enabled=half), torch.no_grad():
            found.append(virtual_adversarial(method.logits, images, 0.03, 0.01, rng(), [method])[0].item())
    assert found[1] == pytest.approx(found[0], rel=0.1)


@pytest.mark.parametrize("name", NAMES)
def test_of_many_images_few_have_labels(name):
    """As FixMatch's μ says; of a joint method, its own streams."""
    assert the_method(name).batch_shares() == {"labelled": 1.0}
    assert the_method(name, unlabelled=4).batch_shares() == {"labelled": 0.25}
    joint = make_method("joint", "conv4", SIZE, methods=("simclr", name), method_settings={name: {"unlabelled": 4}})
    assert joint.batch_shares() == {f"{name}.labelled": 0.25}


def test_training_signal_annealing_rises_from_chance_to_one():
    for schedule in ("linear", "log", "exp"):
        rising = [annealed(schedule, progress, 10) for progress in np.linspace(0, 1, 11)]
        assert rising == sorted(rising)
        assert rising[0] == pytest.approx(0.1, abs=0.01)
        assert rising[-1] == pytest.approx(1.0, abs=0.01)
    assert annealed("log", 0.5, 10) > annealed("linear", 0.5, 10) > annealed("exp", 0.5, 10)


def test_s4l():
    method, given = the_method("s4l", rotation=0.7), batches()
    views = random_square(torch.cat([given["labelled"].images, given["frames"].images]), rng(), SIZE)
    turned, quarters = rotations(views)
    with torch.no_grad():
        angles = method.angles(method.encoder.last_maps(turned)).double().log_softmax(1).numpy()
    rotation = -angles[np.arange(len(angles)), quarters].mean()
    classes = [of_label(answers(method, torch.rot90(views[:FEW], quarter, (2, 3)))) for quarter in range(4)]
    assert loss(method)["loss"] == pytest.approx(np.mean(classes) + 0.7 * rotation, rel=1e-4)


def test_the_adversarial_direction_changes_the_answer_most():
    """Of a linear softmax: within the ball, no direction of many raises the divergence above the one that is found."""
    torch.manual_seed(0)
    layer = torch.nn.Linear(3 * 16, 2).double()
    images = torch.rand(4, 3, 4, 4, dtype=torch.double)

    def logits(x):
        return layer(x.flatten(1))

    found, clean = virtual_adversarial(logits, images, 0.05, 1e-4, rng(), (layer,))
    target = clean.detach().log_softmax(1)
    # of two classes the answer depends on one direction alone, the difference of the two rows of weights
    best = (layer.weight[0] - layer.weight[1]).view(1, 3, 4, 4)
    best = 0.05 * best / best.square().mean().sqrt()
    # the sign is not told by the curvature at 0: either of the two ends is the one
    ends = [
        functional.kl_div(logits(images + way * best).log_softmax(1), target, reduction="none", log_target=True).sum(1)
        for way in (1, -1)
    ]
    assert torch.minimum(*ends).mean() - 1e-9 <= found <= torch.maximum(*ends).mean() + 1e-9


def test_vat_is_the_sum_of_its_terms():
    method, generator, given = the_method("vat", weight=0.3, entropy=0.06), rng(), batches()
    known = answers(method, flip_and_shift(given["labelled"].images, generator, SIZE))
    images = flip_and_shift(given["frames"].images, generator, SIZE)
    p = answers(method, images)
    divergence, _ = virtual_adversarial(method.logits, images, method.epsilon, method.xi, generator, (method.encoder,))
    expected = of_label(known) + 0.3 * divergence.item() - 0.06 * (p * np.log(p)).sum(1).mean()
    assert loss(method)["loss"] == pytest.approx(expected, rel=1e-3)
    assert divergence > 0


def test_what_is_guessed_gets_no_gradient():
    """FixMatch's guesses, from the weak view, are labels: with a threshold that none reaches only labels teach."""
    grads = []
    for weight in (0.0, 5.0):
        method = the_method("fixmatch", threshold=1.0, weight=weight)
        method.loss(**batches(), step=Step(0.5, rng()))["loss"].backward()
        grads.append(torch.cat([each.grad.flatten() for each in method.parameters()]))
    torch.testing.assert_close(*grads)


@pytest.mark.parametrize("name", ["pseudo_label", "vat"])
def test_running_statistics_are_of_labelled_images_alone(name):
    method = make_method(name, "conv4", SIZE, seed=0, classes=CLASSES).train()
    other = make_method("labels", "conv4", SIZE, seed=0, classes=CLASSES).train()
    given = batches()
    method.loss(**given, step=Step(0.5, rng()))
    other.logits(flip_and_shift(given["labelled"].images, rng(), SIZE))
    for one, two in zip(method.encoder.buffers(), other.encoder.buffers(), strict=True):
        torch.testing.assert_close(one, two)


ALIKE = {
    "autocontrast": (lambda image, amount: reference.autocontrast(image), 0.5),
    "brightness": (reference.adjust_brightness, 0.4),
    "color": (reference.adjust_saturation, 0.4),
    "contrast": (reference.adjust_contrast, 0.4),
    "sharpness": (reference.adjust_sharpness, 0.4),
    "solarize": (reference.solarize, 0.4),
    "rotate": (lambda image, angle: reference.rotate(
        image, math.degrees(angle), reference.InterpolationMode.BILINEAR, fill=[0.5] * 3), 0.4),
    "translate_x": (lambda image, share: reference.affine(
        image, 0.0, [-round(share * SIZE), 0], 1.0, [0.0, 0.0], fill=[0.5] * 3), 0.25),
    "translate_y": (lambda image, share: reference.affine(
        image, 0.0, [0, -round(share * SIZE)], 1.0, [0.0, 0.0], fill=[0.5] * 3), 0.25),
    "shear_x": (lambda image, share: reference.affine(
        image, 0.0, [0, 0], 1.0, [math.degrees(math.atan(share)), 0.0], reference.InterpolationMode.BILINEAR,
        fill=[0.5] * 3), 0.3),
    "shear_y": (lambda image, share: reference.affine(
        image, 0.0, [0, 0], 1.0, [0.0, math.degrees(math.atan(share))], reference.InterpolationMode.BILINEAR,
        fill=[0.5] * 3), 0.3),
}  # fmt: skip


@pytest.mark.parametrize("name", ALIKE)
def test_operations_are_those_of_torchvision(name):
    alike, amount = ALIKE[name]
    images = functional.interpolate(torch.rand(3, 3, 5, 5, generator=rng()), (SIZE, SIZE), mode="bilinear")
    found = OPERATIONS[name][0](images, torch.full((3,), amount))
    inside = (..., slice(4, -4), slice(4, -4))  # where neither has to do with what comes in from beyond the border
    torch.testing.assert_close(found[inside], alike(images, amount)[inside], atol=1e-3, rtol=0)


@pytest.mark.parametrize(("name", "amount"), [("equalize", 0.5), ("posterize", 4.0)])
def test_operations_on_levels_are_those_of_torchvision(name, amount):
    levels = (pictures(3, 5).float() * 0.6).byte()
    alike = reference.equalize(levels) if name == "equalize" else reference.posterize(levels, int(amount))
    found = OPERATIONS[name][0](levels.float() / 255, torch.full((3,), amount))
    assert torch.equal((found * 255).round().byte(), alike)


def test_augmentation_is_of_each_sample_alone():
    """In [0, 1], other for other samples, the same again for the same generator; nothing leaks between samples."""
    images = pictures(1, 3).float().expand(200, -1, -1, -1) / 255
    found = random_augment(images, rng())
    assert torch.equal(found, random_augment(images, rng()))
    assert found.min() >= 0
    assert found.max() <= 1
    assert len(found.flatten(1).unique(dim=0)) > 150
    other = images.clone()
    other[7] = 0
    changed = (random_augment(other, rng()) != found).flatten(1).any(1)
    assert changed.nonzero().flatten().tolist() == [7]


def test_weak_views_are_whole_images_moved_by_an_eighth():
    images = pictures(1, 4)
    assert torch.allclose(flip_and_shift(images, rng(), SIZE, 0.0, 0.0), to_float(images), atol=1e-6)
    mirrored = flip_and_shift(images, rng(), SIZE, 0.0, 1.0)
    assert torch.allclose(mirrored, to_float(images).flip(3), atol=1e-6)
    slope = torch.arange(SIZE).mul(8).byte().expand(400, 3, SIZE, SIZE)
    moved = flip_and_shift(slope, rng(), SIZE, flip=0.0)[:, 0, 0, SIZE // 2] * 255 / 8 - SIZE // 2  # px
    assert -SIZE / 8 <= moved.min() < -SIZE / 8 + 0.1
    assert SIZE / 8 - 0.1 < moved.max() <= SIZE / 8
