"""Every method keeps the contract of its family; losses agree with plain re-derivations."""

import inspect

import numpy as np
import pytest
import torch
from torch.nn import functional

from embodied_ssl import plugins
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.gallery.results import stiffness
from embodied_ssl.datasets.read import batches
from embodied_ssl.encoders import random_encoder
from embodied_ssl.method import Step, input_streams_of, settings_of
from embodied_ssl.methods import make_method, method_class, method_names
from embodied_ssl.parts.interactions import angle_bin, poke_target, push_target
from embodied_ssl.parts.motions import cluster_motions, standard_deviation
from embodied_ssl.parts.views import crop_at, to_float

SIZE, COUNT = 32, 6


def pictures(rng, *shape):
    return torch.from_numpy(rng.integers(0, 256, (*shape, 3, 40, 40), dtype=np.uint8))


def batch(kind, rng):
    """A batch of any kind with plausible contents."""
    number = lambda low, high, *shape: torch.from_numpy(rng.uniform(low, high, (COUNT, *shape)).astype("f4"))  # noqa: E731
    pixel, thing = number(8, 32, 2), torch.arange(COUNT) % 4
    made = {
        batches.Frames: lambda: batches.Frames(pictures(rng, COUNT), thing),
        batches.LabelledFrames: lambda: batches.LabelledFrames(pictures(rng, COUNT), thing, thing),
        batches.CaptionedFrames: lambda: batches.CaptionedFrames(
            pictures(rng, COUNT), torch.from_numpy(rng.integers(0, 9, (COUNT, 20))), thing
        ),
        batches.FramePairs: lambda: batches.FramePairs(
            pictures(rng, COUNT), pictures(rng, COUNT), number(-1, 1, 2), thing + 1, number(0, 1)
        ),
        batches.Clips: lambda: batches.Clips(
            pictures(rng, COUNT, 12), number(-1, 1, 11, 2), number(0, 1, 12), number(0, 3, 11)
        ),
        batches.Grasps: lambda: batches.Grasps(pictures(rng, COUNT), pixel, number(0, 3.1), number(0, 1) > 0.5, thing),
        batches.Pushes: lambda: batches.Pushes(
            pictures(rng, COUNT), pictures(rng, COUNT), pixel, number(8, 32, 2), number(0, 1, 3), number(0, 1, 3), thing
        ),
        batches.Pokes: lambda: batches.Pokes(
            pictures(rng, COUNT), pixel, number(0, 20, 16), number(-0.01, 0.01, 16), thing
        ),
        batches.ObjectPairs: lambda: batches.ObjectPairs(
            pictures(rng, COUNT), pictures(rng, COUNT), pixel, number(8, 32, 2), thing
        ),
        batches.Tracks: lambda: batches.Tracks(
            pictures(rng, COUNT), pictures(rng, COUNT), pixel, number(8, 32, 2), thing
        ),
    }
    return made[kind]()


class Same:
    """A stream that gives random batches of one kind."""

    classes = ("a", "b", "c", "d")

    def __init__(self, kind):
        self.kind = kind

    def __len__(self):
        return COUNT

    def batch(self, index, rng):
        return batch(self.kind, np.random.default_rng(0))


def ready(name):
    method = make_method(name, None, SIZE, seed=0)
    streams = {stream: Same(spec.batch) for stream, spec in method.input_streams().items()}
    method.infer_shapes(streams, np.random.default_rng(0))
    method.prepare(streams, np.random.default_rng(0))
    return method


def given(method, seed=0):
    rng = np.random.default_rng(seed)
    return {name: batch(spec.batch, rng) for name, spec in method.input_streams().items()}


def step(seed=0, progress=0.5):
    return Step(progress, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", method_names())
def test_a_method_keeps_the_contract(name):
    kind = method_class(name)
    assert kind.__doc__
    assert list(inspect.signature(kind.__init__).parameters)[1] == "encoder"
    assert all(each.default is not inspect.Parameter.empty for each in settings_of(kind).values())
    method = ready(name)
    assert set(method.settings()) == set(settings_of(kind))
    again = make_method(name, None, SIZE, seed=0, **method.settings())
    again.load_state_dict(method.state_dict())  # what is prepared has a fixed shape
    assert method.input_streams()
    assert method.stream_options().keys() <= method.input_streams().keys()
    losses = method.loss(**given(method), step=step())
    losses["loss"].backward()
    assert torch.isfinite(losses["loss"])
    gradients = [p.grad for p in method.encoder.parameters()]
    assert all(g is not None and torch.isfinite(g).all() for g in gradients)
    assert any(g.abs().sum() > 0 for g in gradients if g is not None)


@pytest.mark.parametrize("name", method_names())
def test_every_docstring_is_a_card(name):
    """What it is called and by whom, the idea, the loss as a formula, and what differs from the paper; see docs/."""
    title, *paragraphs = inspect.getdoc(method_class(name)).split("\n\n")
    assert title.endswith(".")
    assert [each.partition(": ")[0] for each in paragraphs] == ["Idea", "Loss", "Differs"]
    idea, loss, _ = paragraphs
    assert 2 <= idea.count(". ") + 1 <= 5
    assert loss.count("`") >= 2


@pytest.mark.parametrize("name", method_names())
def test_randomness_comes_from_the_step_alone(name):
    values = []
    for seed in (1, 1):
        method = ready(name)
        values.append(method.loss(**given(method), step=step(seed))["loss"].item())
        torch.rand(3)
    assert values[0] == values[1]


@pytest.mark.parametrize("name", method_names())
def test_half_precision_gives_nearly_the_same(name):
    method = ready(name)
    full = method.loss(**given(method), step=step())["loss"].item()
    with torch.autocast("cpu", torch.bfloat16):
        half = method.loss(**given(method), step=step())["loss"].item()
    assert half == pytest.approx(full, rel=0.1, abs=0.1)


def test_equivariance_is_equation_5():
    """Re-derived pair by pair: distance through the motion's own map, and the sum of a hinge through each other."""
    method = ready("equivariance")
    method.jitter = 0
    torch.nn.init.normal_(method.maps, std=0.1)
    pairs = given(method)["pairs"]
    got = method.loss(pairs, step())
    features = method.encoder(to_float(torch.cat([pairs.first, pairs.second]), SIZE)).detach().numpy()
    pull, push = [], []
    change = np.linalg.norm(features[:COUNT] - features[COUNT:], axis=1)
    for b in range(COUNT):
        away = ((pairs.motion[b] - method.centres) / method.motion_std).norm(dim=1)
        for g in range(method.motions):
            moved = method.maps[g].detach().numpy() @ features[b]
            distance = np.linalg.norm(moved - features[COUNT + b])
            pull.append(distance) if g == int(away.argmin()) else push.append(max(method.margin - distance, 0))
    assert got["pull"].item() == pytest.approx(np.mean(pull), rel=1e-3)
    assert got["push"].item() == pytest.approx(np.sum(push) / COUNT, rel=1e-3)
    assert got["equivariance"].item() == pytest.approx((np.sum(pull) + np.sum(push)) / COUNT, rel=1e-3)
    assert got["relative"].item() == pytest.approx(np.sum(pull) / np.sum(change), rel=1e-3)  # ρ, with these maps


DEGENERATE = {
    "alike": lambda tensor: tensor[:1].expand(tensor.shape).clone(),  # one object, one class, one motion
    "still": lambda tensor: torch.zeros_like(tensor),  # black images, no motion, no force
}


@pytest.mark.parametrize("name", method_names())
@pytest.mark.parametrize("how", DEGENERATE)
def test_degenerate_batches_have_finite_losses_and_gradients(name, how):
    method = ready(name)
    data = {stream: each._each(DEGENERATE[how]) for stream, each in given(method).items()}
    losses = method.loss(**data, step=step())
    losses["loss"].backward()
    assert all(torch.isfinite(value).all() for value in losses.values()), losses
    assert all(torch.isfinite(p.grad).all() for p in method.parameters() if p.grad is not None)


class Still(Same):
    """A stream of elements that are all alike."""

    def batch(self, index, rng):
        return super().batch(index, rng)._each(DEGENERATE["alike"])


@pytest.mark.parametrize(
    "name", ["equivariance", "continuous_equivariance", "view_prediction", "simclr", "curious_robot"]
)
def test_one_motion_and_one_act_are_enough(name):
    settings = {"motions": 1} if name == "equivariance" else {"views": {"source": "body"}} if name == "simclr" else {}
    method = make_method(name, "conv4", SIZE, **settings)
    streams = {stream: Still(spec.batch) for stream, spec in method.input_streams().items()}
    for take in (method.infer_shapes, method.prepare):
        take(streams, np.random.default_rng(0))
    losses = method.loss(**given(method), step=step())
    assert all(torch.isfinite(value).all() for value in losses.values()), losses
    assert losses["loss"] < 1e3  # nothing is blown up


def test_a_component_that_does_not_vary_is_not_blown_up():
    rng = np.random.default_rng(0)
    motions = np.stack([rng.normal(0, 0.2, 500), 0.1 + rng.normal(0, 1e-8, 500)], 1)
    np.testing.assert_allclose(standard_deviation(motions), [0.2, 1.0], rtol=0.1)
    with pytest.raises(DataError, match="6 patterns of 1 different motions; give --motions 1"):
        cluster_motions(np.full((100, 2), 0.3), 6, rng)
    assert cluster_motions(np.full((100, 2), 0.3), 1, rng) == pytest.approx(0.3)


def test_only_the_tried_angle_of_a_grasp_counts():
    method = ready("curious_robot")
    grasps = given(method)["grasps"]
    seen = []
    method.grasp.register_forward_hook(lambda module, inputs, output: (output.retain_grad(), seen.append(output))[1])
    method.loss(step=step(), grasps=grasps)["grasp"].backward()
    assert ((seen[0].grad != 0).sum(1) == 1).all()


def test_a_patch_turned_with_its_angle_is_the_same_grasp():
    angle, turn = torch.rand(100) * torch.pi, (torch.rand(100) - 0.5) * 20
    expected = torch.round(torch.remainder(angle - turn, torch.pi) / torch.pi * 18).long() % 18
    assert torch.equal(angle_bin(angle - turn), expected)


def test_the_stiffness_of_a_poke_is_the_slope_while_its_force_rises():
    """As a page draws it; and nothing that comes after the peak, when a finger stops or an object tips over, counts."""
    rng = np.random.default_rng(3)
    depth = np.tile(np.linspace(-0.005, 0.01, 40), (4, 1))
    force = np.clip(depth, 0, None) * (np.array([[200.0], [1500.0], [9000.0], [40.0]]) + rng.random((4, 40)))
    force[:3, 30:] = rng.random((3, 10))
    force[3, 15:] = 0.0  # it slipped off at once
    target = poke_target(*(torch.from_numpy(np.float32(each)) for each in (force, depth)))
    slopes = [stiffness(*each) for each in zip(force, depth, strict=True)]
    np.testing.assert_allclose(target[:, 0], np.log(slopes), rtol=1e-4)
    assert np.isnan(slopes).tolist() == [False, False, False, True]
    np.testing.assert_allclose(target[:, 1], np.log(np.maximum(force.max(1), 0.1)), rtol=1e-4)


def test_a_push_is_told_where_its_window_shows_it():
    """A white spot at the start, then one at the end: where they are in the windows."""
    middle, side, turn = torch.tensor([[30.0, 34.0], [40.0, 20.0]]), 40.0, torch.tensor([0.7, -2.0])
    start, end = torch.tensor([[24.0, 30.0], [44.0, 26.0]]), torch.tensor([[36.0, 40.0], [36.0, 14.0]])
    seen = []
    for spots in (start, end):
        images = torch.zeros(2, 3, 64, 64, dtype=torch.uint8)
        for image, (u, v) in zip(images, spots.long().tolist(), strict=True):
            image[:, v - 1 : v + 2, u - 1 : u + 2] = 255
        ink = crop_at(images, middle, side, 80, turn).mean(1)  # [2, 80, 80]
        places = (torch.arange(80) + 0.5) / 80 - 0.5
        weight = ink.sum((1, 2))
        seen.append(torch.stack([(ink.sum(1) * places).sum(1), (ink.sum(2) * places).sum(1)], 1) / weight[:, None])
    zeros = torch.zeros(2, 3)
    images = torch.zeros(2, 3, 64, 64, dtype=torch.uint8)
    pushes = batches.Pushes(images, images, start, end, zeros, zeros + torch.tensor([0.03, 0.04, 9.0]), torch.zeros(2))
    target = push_target(pushes, middle, side, turn)
    torch.testing.assert_close(target[:, :2], seen[0], atol=0.01, rtol=0)
    torch.testing.assert_close(target[:, 2:4], functional.normalize(seen[1] - seen[0], dim=1), atol=0.02, rtol=0)
    torch.testing.assert_close(target[:, 4], torch.full((2,), 0.05))


@pytest.mark.parametrize("left", ["grasps", "pushes", "pokes", "pairs"])
def test_the_robot_learns_from_any_subset(left):
    method = ready("curious_robot")
    data = given(method)
    alone = method.loss(step=step(), **{left: data[left]})
    assert torch.isfinite(alone["loss"])
    without = method.loss(step=step(), **{name: each for name, each in data.items() if name != left})
    assert torch.isfinite(without["loss"])
    with pytest.raises(DataError, match="was given no data"):
        method.loss(step=step())


def test_joint_takes_methods_from_outside_by_module_and_name(monkeypatch):
    monkeypatch.setenv(plugins.VARIABLE, "")
    joint = make_method("joint", "conv4", SIZE, methods=("examples.tico:TiCo", "drlim"), loss_weights=(1.0, 0.5))
    assert joint.input_streams().keys() == {"tico.frames", "drlim.pairs"}
    assert torch.isfinite(joint.loss(**given(joint), step=step())["loss"])
    again = make_method("joint", "conv4", SIZE, **joint.settings())
    assert again.settings() == joint.settings()
    with pytest.raises(DataError, match="each method once"):
        make_method("joint", "conv4", SIZE, methods=("examples.tico:TiCo", "tico"))


def test_joint_is_the_weighted_sum_of_its_parts():
    torch.manual_seed(0)
    still = {name: {"jitter": 0.0} for name in ("temporal_coherence", "drlim")}  # else each draws colours of its own
    joint = method_class("joint")(random_encoder("conv4", SIZE, 0), tuple(still), (1.0, 0.25), still)
    data = given(joint)
    total = joint.loss(**data, step=step())
    parts = [method_class(name)(joint.encoder, **still[name]) for name in joint.methods]
    values = [
        part.loss(data[f"{n}.pairs"], step())["loss"].item() for n, part in zip(joint.methods, parts, strict=True)
    ]
    assert total["loss"].item() == pytest.approx(values[0] + 0.25 * values[1], rel=1e-4)
    assert input_streams_of(method_class("drlim")).keys() == {"pairs"}


def test_joint_says_which_part_gave_no_losses(monkeypatch):
    joint = make_method("joint", "conv4", SIZE, methods=("drlim",))
    monkeypatch.setattr(method_class("drlim"), "loss", lambda self, **_: torch.zeros(()))
    with pytest.raises(DataError, match=r"DrLIM\.loss gave Tensor; return"):
        joint.loss(step=step())


def test_names_are_checked():
    with pytest.raises(DataError, match=r"unknown method 'equivarience': did you mean 'equivariance'\?"):
        make_method("equivarience")
    with pytest.raises(DataError, match=r"unknown setting of equivariance 'motion': did you mean 'motions'\?"):
        make_method("equivariance", motion=3)
    with pytest.raises(DataError, match=r"unknown encoder 'conv5': did you mean 'conv4'\?"):
        make_method("equivariance", encoder="conv5")


def test_one_network_learns_the_map_of_every_motion():
    """In a world where a yaw turns the features' planes, maps of yaws that were never trained on are found."""
    torch.manual_seed(0)
    method = ready("continuous_equivariance")
    half = method.encoder.dim // 2

    def world(count):
        features, motion = torch.randn(count, 2 * half) / half**0.5, torch.rand(count, 2) * 2 - 1
        x, y = features[:, :half], features[:, half:]
        cosine, sine = motion[:, 1:].cos(), motion[:, 1:].sin()
        return features, motion, torch.cat([cosine * x - sine * y, sine * x + cosine * y], 1)

    optimizer = torch.optim.Adam([*method.mixture.parameters(), method.matrices], 3e-3)
    for _ in range(300):
        features, motion, after = world(64)
        optimizer.zero_grad()
        (method.predict(features, motion) - after).norm(dim=1).mean().backward()
        optimizer.step()
    features, motion, after = world(200)
    error = (method.predict(features, motion) - after).norm(dim=1).sum() / (features - after).norm(dim=1).sum()
    assert error < 0.5


def test_a_contrast_over_motions_is_that_of_brute_force_and_cannot_be_met_without_the_motion():
    torch.manual_seed(0)
    method = ready("continuous_equivariance")
    before, after, motion = torch.randn(6, method.encoder.dim), torch.randn(6, method.encoder.dim), torch.randn(6, 2)
    identity = torch.tensor([0, 1, 2, 3, 0, 5])  # a frame is in the batch twice
    found = method._contrast(before, after, motion, identity)
    rolled = [(i, (i - step) % 6) for step in range(method.others + 1) for i in range(6)]  # frame and motion
    moved = torch.stack([method.predict(before[[i]], motion[[k]])[0] for i, k in rolled])
    query, key = (
        (c - c.mean(0)) / (c - c.mean(0)).norm(dim=1, keepdim=True) for c in map(method.contrast_head, (after, moved))
    )
    losses = []
    for j in range(6):
        score = query[j] @ key.T / 0.1
        kept = [
            n
            for n, (i, k) in enumerate(rolled)
            if n == j or identity[i] != identity[j] or (motion[j] - motion[k]).norm() > method.apart
        ]
        losses.append(score[kept].logsumexp(0) - score[j])
    torch.testing.assert_close(found, torch.stack(losses).mean())

    # A network that makes one map of all motions can at best tell frames apart: a guess among the motions is left.
    for parameter in method.mixture.parameters():
        torch.nn.init.zeros_(parameter)
    codes = 100 * torch.eye(6, method.encoder.dim)
    different = ((motion[:, None] - motion).norm(dim=2) > method.apart).float()
    others = torch.stack(
        [different[j, [(j - step) % 6 for step in range(1, method.others + 1)]].sum() for j in range(6)]
    )
    blind = method._contrast(codes, codes, motion, torch.arange(6))
    assert blind >= (1 + others).log().mean() - 1e-4
    assert others.sum() > 6
