"""What has a memory bank: losses re-derived in numpy, assignments by brute force, and what the bank holds after."""

import itertools

import numpy as np
import pytest
import torch

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.read.batches import Frames
from embodied_ssl.method import Step
from embodied_ssl.methods import make_method
from embodied_ssl.methods.instdisc import mean_exponential
from embodied_ssl.methods.local_agg import k_means

SIZE, COUNT, IMAGES, DIM = 32, 6, 20, 8
BANKED = ("instdisc", "local_agg", "nat", "pirl")


def made(name, **settings):
    return make_method(name, "conv4", SIZE, seed=0, images=IMAGES, dim=DIM, **settings)


def frames(*index):
    images = np.random.default_rng(0).integers(0, 256, (IMAGES, 3, 40, 40), dtype=np.uint8)
    index = torch.tensor(index or (3, 7, 0, 19, 4, 11))
    return Frames(torch.from_numpy(images)[index], index)


def step(progress=0.5, seed=0):
    return Step(progress, torch.Generator().manual_seed(seed))


def watched(method, name="codes"):
    """What a method of a method gives from now on."""
    given, found = getattr(method, name), []
    setattr(method, name, lambda *inputs: (found.append(given(*inputs)), found[-1])[1])
    return found


def numbers(tensor):
    return tensor.detach().double().numpy()


@pytest.mark.parametrize("proximal", [0.0, 3.0])
def test_instance_discrimination_is_a_softmax_over_all_entries(proximal):
    method = made("instdisc", temperature=0.3, proximal=proximal)
    codes, bank = watched(method), numbers(method.bank.codes)
    found = method.loss(frames(), step())["loss"].item()
    code, index = numbers(codes[0]), frames().index.numpy()
    likely = np.exp(code @ bank.T / 0.3)
    likely /= likely.sum(1, keepdims=True)
    apart = np.square(code - bank[index]).sum(1)
    assert found == pytest.approx(np.mean(-np.log(likely[range(COUNT), index]) + proximal * apart), rel=1e-4)


def test_noise_contrastive_estimation_is_that_of_the_paper():
    """Posteriors of data against m entries drawn evenly from n, with the constant Z of a random bank."""
    method = made("instdisc", temperature=0.3, negatives=50)
    codes, bank = watched(method), numbers(method.bank.codes)
    rng = step().rng
    method.augmented(frames().images, Step(0.5, rng))
    drawn = torch.randint(IMAGES, (50,), generator=rng).numpy()
    found = method.loss(frames(), step())["loss"].item()
    sphere = np.random.default_rng(1).normal(size=(400_000, DIM))
    cosine = sphere[:, 0] / np.linalg.norm(sphere, axis=1)
    constant = IMAGES * np.exp(cosine / 0.3).mean()  # Z, by chance
    likely = np.exp(numbers(codes[0]) @ bank.T / 0.3) / constant
    h = likely / (likely + 50 / IMAGES)
    terms = -np.log(h[range(COUNT), frames().index.numpy()]) - np.log(1 - h[:, drawn]).sum(1)
    assert found == pytest.approx(terms.mean(), rel=2e-3)
    assert mean_exponential(DIM, 0.3) == pytest.approx(constant / IMAGES, rel=1e-2)


@pytest.mark.parametrize("pretext", ["jigsaw", "rotation"])
def test_pirls_loss_is_that_of_the_image_and_of_what_was_made_of_it(pretext):
    method = made("pirl", pretext=pretext, pretext_weight=0.3, temperature=0.5, negatives=30)
    image, transformed, bank = watched(method), watched(method, "transformed_codes"), numbers(method.bank.codes)
    draws, draw = [], torch.randint
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(torch, "randint", lambda *args, **more: (draws.append(draw(*args, **more)), draws[-1])[1])
        found = method.loss(frames(), step())["loss"].item()
    drawn = draws[-1].numpy()
    expected = 0.0
    for weight, codes in ((0.7, image[0]), (0.3, transformed[0])):
        for code, own in zip(numbers(codes), frames().index.numpy(), strict=True):
            others = np.exp(bank[drawn[drawn != own]] @ code / 0.5)
            total = others.sum() + np.exp(bank[own] @ code / 0.5)
            p = np.append(np.exp(bank[own] @ code / 0.5), others) / total
            expected += weight * -(np.log(p[0]) + np.log(1 - p[1:]).sum()) / COUNT
    assert found == pytest.approx(expected, rel=1e-4)


def test_local_aggregation_is_the_share_of_close_neighbours_among_the_nearest():
    method = made("local_agg", temperature=0.5, background=7, clusterings=2)
    rng = np.random.default_rng(0)
    clusters = rng.integers(0, 5, (2, IMAGES))
    method.clusters.copy_(torch.from_numpy(clusters))
    method.clustered_at.fill_(0)
    codes, bank = watched(method), numbers(method.bank.codes)
    found = method.loss(frames(), step())
    losses, counts = [], []
    for code, own in zip(numbers(codes[0]), frames().index.numpy(), strict=True):
        similarity = bank @ code
        similarity[own] = np.inf
        nearest = set(np.argsort(-similarity)[:7])
        close = {j for j in nearest if any(each[j] == each[own] for each in clusters)}
        p = np.exp(bank @ code / 0.5)
        losses.append(-np.log(sum(p[j] for j in close) / sum(p[j] for j in nearest)))
        counts.append(len(close))
    assert 1 < np.mean(counts) < 7
    assert found["loss"].item() == pytest.approx(np.mean(losses), rel=1e-4)
    assert found["close"].item() == pytest.approx(np.mean(counts))


def test_local_aggregation_begins_with_instance_discrimination_and_then_clusters_every_epoch():
    method, discrimination = made("local_agg", temperature=0.3, cluster_size=5), made("instdisc", temperature=0.3)
    discrimination.load_state_dict(method.state_dict(), strict=False)
    discrimination.projection, discrimination.bank = method.projection, method.bank
    expected = discrimination.loss(frames(), step())["loss"]
    method.bank.renew(1.0)
    torch.testing.assert_close(method.loss(frames(), step())["loss"], expected)
    method.after_step(step(0.05))
    assert method.clustered_at < 0
    found = []
    for _ in range(6):
        method.loss(frames(), step())
        method.after_step(step(0.2))
        found.append(int(method.clustered_at))
    assert found == [epoch * COUNT // IMAGES for epoch in range(3, 9)]
    assert all(2 <= len(each.unique()) <= 4 for each in method.clusters)


def test_k_means_finds_groups_of_directions():
    rng = np.random.default_rng(0)
    group = rng.integers(0, 4, 200)
    points = torch.from_numpy(np.eye(4, DIM)[group] + rng.normal(0, 0.1, (200, DIM)))
    points = torch.nn.functional.normalize(points, dim=1)
    first = torch.from_numpy(np.array([np.flatnonzero(group == each)[0] for each in range(4)]))
    assert np.array_equal(k_means(points, first, chunk=64).numpy(), group)
    rest = torch.cat([first[:3], first[:1]])  # two means are one: the latter has no points at first, and stays finite
    assert (k_means(points, rest)[torch.from_numpy(group == 1)] == 1).all()


def test_noise_is_assigned_so_that_distances_are_least():
    method = made("nat")
    codes, points = watched(method), numbers(method.bank.codes)
    found = method.loss(frames(), step())["loss"].item()
    mine, code = points[frames().index.numpy()], numbers(codes[0])
    sums = {order: np.square(code - mine[[*order]]).sum(1).mean() for order in itertools.permutations(range(COUNT))}
    best = min(sums, key=sums.get)
    assert found == pytest.approx(sums[best], rel=1e-5)
    method.after_step(step())
    after = numbers(method.bank.codes)
    np.testing.assert_array_equal(after[frames().index.numpy()], mine[[*best]])
    assert {*map(tuple, after)} == {*map(tuple, points)}  # each image has a point of its own, as before


def test_an_image_that_comes_twice_has_one_point_still():
    method = made("nat")
    before = {*map(tuple, numbers(method.bank.codes))}
    method.loss(frames(3, 3, 7, 3, 0, 7), step())
    method.after_step(step())
    assert {*map(tuple, numbers(method.bank.codes))} == before


def test_noise_is_assigned_anew_in_one_of_some_epochs():
    method = made("nat", assign_every=2)
    changed = []
    for _ in range(2 * IMAGES // COUNT + 2):
        changed.append(method.loss(frames(), step())["changed"].item() > 0)
        torch.nn.init.normal_(method.projection[-1].weight)  # so that another assignment is best
        method.after_step(step())
    seen = [number * COUNT // IMAGES % 2 == 0 for number in range(len(changed))]
    assert changed == seen
    assert len({*seen}) == 2


@pytest.mark.parametrize("name", ["instdisc", "local_agg", "pirl"])
def test_entries_move_towards_the_last_code_of_their_image(name):
    method = made(name, momentum=0.25)
    codes, before = watched(method), numbers(method.bank.codes)
    method.loss(frames(3, 7, 3, 0), step())
    method.after_step(step())
    expected = before.copy()
    for place in (1, 2, 3):
        own = (3, 7, 3, 0)[place]
        moved = 0.25 * before[own] + 0.75 * numbers(codes[0])[place]
        expected[own] = moved / np.linalg.norm(moved)
    np.testing.assert_allclose(numbers(method.bank.codes), expected, atol=1e-6)
    assert (int(method.bank.seen), method.bank.epoch) == (4, 0)


@pytest.mark.parametrize("name", BANKED)
def test_a_bank_has_an_entry_for_each_image_of_the_data(name):
    method = make_method(name, "conv4", SIZE, dim=DIM)
    generator = torch.get_rng_state()
    method.infer_shapes({"frames": range(IMAGES)}, np.random.default_rng(0))
    assert torch.equal(generator, torch.get_rng_state())
    assert method.settings()["images"] == IMAGES == len(method.bank.codes)
    again = make_method(name, "conv4", SIZE, **method.settings())
    again.infer_shapes({"frames": range(IMAGES)}, np.random.default_rng(1))
    again.load_state_dict(method.state_dict())
    with pytest.raises(DataError, match="images: 20, but the data have 21; leave --images out"):
        method.infer_shapes({"frames": range(21)}, np.random.default_rng(0))
