"""SimCLR, MoCo and what they share: positives of the body, gradient caching, queue and momentum."""

import numpy as np
import pytest
import torch

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.read.batches import FramePairs, Frames, ObjectPairs
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.method import Step
from embodied_ssl.methods import make_method
from embodied_ssl.parts.augmentation import Augmentation
from embodied_ssl.parts.gradient_cache import in_chunks
from embodied_ssl.parts.positives import ActionPredictor, Views, digest

SIZE, COUNT = 32, 12


def pictures(seed, count=COUNT):
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (count, 3, 40, 40), dtype=np.uint8))


def frames():
    return Frames(pictures(0), torch.arange(COUNT))


def pairs():
    motion = torch.from_numpy(np.random.default_rng(2).normal(size=(COUNT, 2)).astype("f4"))
    return FramePairs(pictures(0), pictures(1), motion, torch.ones(COUNT, dtype=torch.int64), torch.ones(COUNT))


def objects():
    pixel = torch.full((COUNT, 2), 20.0)
    return ObjectPairs(pictures(3), pictures(4), pixel, pixel, torch.arange(COUNT))


def step(seed=0, progress=0.5, parts=1):
    return Step(progress, torch.Generator().manual_seed(seed), parts)


def gradients(method):
    return {name: p.grad.clone() for name, p in method.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("name", ["simclr", "moco"])
@pytest.mark.parametrize("encoder", ["conv4", "vit_tiny"])
def test_a_batch_in_parts_has_the_loss_and_gradients_of_the_whole(name, encoder):
    """With batch norm at rest, whose statistics each part would take of itself."""
    settings = {"groups": 1} if name == "moco" else {}
    found = []
    for parts in (1, 3):
        method = make_method(name, encoder, SIZE, **settings).eval()
        losses = method.loss(step(parts=parts), frames())
        losses["loss"].backward()
        found.append((losses["loss"].detach(), gradients(method)))
    (whole, expected), (split, got) = found
    torch.testing.assert_close(split, whole, rtol=1e-4, atol=1e-5)
    assert got.keys() == expected.keys()
    for key in expected:
        torch.testing.assert_close(got[key], expected[key], rtol=2e-3, atol=1e-5)


def test_activations_that_are_made_again_do_not_count_twice():
    norm = torch.nn.BatchNorm1d(3)
    inputs = torch.randn(8, 3)
    in_chunks((norm,), inputs, 2).sum().backward()
    twice = torch.nn.BatchNorm1d(3)
    for part in inputs.chunk(2):
        twice(part)
    for name, value in twice.state_dict().items():
        torch.testing.assert_close(norm.state_dict()[name], value)
    assert norm.track_running_stats


@pytest.mark.parametrize("name", ["simclr", "moco"])
@pytest.mark.parametrize("source", ["body", "both"])
def test_the_body_gives_positives(name, source):
    method = make_method(name, "conv4", SIZE, views=Views(source))
    assert set(method.input_streams()) == {"pairs", "objects"}
    for given in ({"pairs": pairs()}, {"objects": objects()}, {"pairs": pairs(), "objects": objects()}):
        losses = method.loss(step(), **given)
        losses["loss"].backward()
        assert torch.isfinite(losses["loss"])
        assert ("pairs" in given) == (method.action_predictor.change[-1].weight.grad is not None)
        method.zero_grad()
    with pytest.raises(DataError, match="name a data set for one of pairs, objects"):
        method.loss(step())


def test_without_crops_images_stay_whole():
    """Neither cut, nor stretched, nor mirrored; and colours change as ever."""
    images = Frames(pictures(0), torch.arange(COUNT))
    rest, colours = Augmentation(strength=0.0, grey=0.0, blurred=0.0), Augmentation(strength=0.5)
    whole = Views(least_crop=1.0).positives(step().rng, 40, (rest, colours), images)
    torch.testing.assert_close(whole.first, images.images / 255)
    assert (whole.second - whole.first).abs().mean() > 0.02
    smaller = Views(least_crop=1.0).positives(step().rng, 20, (rest, rest), images)
    torch.testing.assert_close(smaller.first.mean((2, 3)), images.images.float().mean((2, 3)) / 255, atol=0.02, rtol=0)
    cropped = Views(least_crop=0.99).positives(step().rng, 40, (rest, rest), images)
    assert (cropped.first - whole.first).abs().mean() > 0.02


def test_views_are_checked():
    for settings, message in (
        ({"source": "bodies"}, r"unknown source 'bodies': did you mean 'body'\?"),
        ({"sources": "body"}, r"unknown setting of views 'sources': did you mean 'source'\?"),
        ({"crop": 0}, "crop: 0; give more than 0 and at most 1"),
        ("body", "views: 'body'; give a Views, or a dictionary of source, least_crop, condition"),
    ):
        with pytest.raises(DataError, match=message):
            make_method("simclr", "conv4", SIZE, views=settings)
    with pytest.raises(DataError, match="max_gap_s: inf; give a finite number"):
        Views(max_gap_s=np.inf)
    with pytest.raises(DataError, match="unknown version '4': valid are 1, 2, 3"):
        make_method("moco", "conv4", SIZE, version=4)


def test_the_action_predictor_learns_what_a_motion_does():
    """Where a motion shifts codes, it is found; where none is known, the code stays as it is."""
    torch.manual_seed(0)
    predictor = ActionPredictor(4, 2)
    code, motion, known = torch.randn(64, 4), torch.randn(64, 2), torch.ones(64, dtype=torch.bool)
    torch.testing.assert_close(predictor(code, motion, known), code)
    optimizer = torch.optim.Adam(predictor.parameters(), 1e-2)
    for _ in range(200):
        optimizer.zero_grad()
        after = code + torch.cat([motion, -motion], 1)
        (predictor(code, motion, known) - after).square().mean().backward()
        optimizer.step()
    assert (predictor(code, motion, known) - after).square().mean() < 0.05
    torch.testing.assert_close(predictor(code, motion, ~known), code)


def test_an_object_is_itself_before_and_after_an_act(data):
    dataset = Dataset.open(data["push"])
    pairs = dataset.object_pairs(across="interaction")
    batch = pairs.batch(np.arange(len(pairs)), np.random.default_rng(0))
    rows = [
        int(np.flatnonzero((dataset.array("interactions/rgb_before")[:] == first.numpy()).all((1, 2, 3)))[0])
        for first in batch.first.movedim(1, -1)
    ]
    after = dataset.array("interactions/rgb_after")[rows]
    np.testing.assert_array_equal(batch.second.movedim(1, -1).numpy(), after)
    where = dataset.project(dataset.array("interactions/pose_after")[rows][:, :3])
    np.testing.assert_allclose(batch.second_pixel.numpy(), where)
    with pytest.raises(DataError, match=r"unknown across 'interactions': did you mean 'interaction'\?"):
        dataset.object_pairs(across="interactions")


@pytest.mark.parametrize("version", [1, 2])
def test_a_query_is_told_from_the_queue(version):
    """Equation 1, re-derived from the codes, and what follows a step: equation 2 and the queue."""
    method = make_method("moco", "conv4", SIZE, version=version, queue_length=20).eval()
    tau = 0.07 if version == 1 else 0.2
    made = []
    for module in (method.projection, method.key_projection):
        module.register_forward_hook(lambda module, inputs, output: made.append(output.detach()))
    method.groups = 1
    method.loss(step(), frames())
    method.queue[COUNT:] = method._new_keys.pop()[0][: 20 - COUNT]  # some hard to tell, or the loss is next to nothing
    made.clear()
    loss = method.loss(step(), frames())["loss"].item()
    assert loss > 0.1
    query = torch.nn.functional.normalize(made[0], dim=1).double()
    key = method._new_keys[0][0].double()
    assert sorted(key.sum(1).tolist()) == pytest.approx(
        sorted(torch.nn.functional.normalize(made[1], dim=1).sum(1).tolist()), abs=1e-5
    )
    terms = []
    for q, k in zip(query, key, strict=True):
        others = torch.exp(method.queue.double() @ q / tau).sum()
        own = torch.exp(k @ q / tau)
        terms.append(-torch.log(own / (own + others)).item())
    assert loss == pytest.approx(np.mean(terms), rel=1e-4)
    before, queue = method.key_encoder.blocks["block1"][0].weight.clone(), method.queue.clone()
    with torch.no_grad():
        method.encoder.blocks["block1"][0].weight.add_(1)
    method.after_step(step())
    torch.testing.assert_close(method.key_encoder.blocks["block1"][0].weight, before + 0.01, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(method.queue[:COUNT], key.float())
    torch.testing.assert_close(method.queue[COUNT:], queue[COUNT:])
    method.loss(step(1), frames())
    fresh = method._new_keys[0][0].clone()
    method.after_step(step(1))
    torch.testing.assert_close(
        torch.cat([method.queue[COUNT:], method.queue[: 2 * COUNT - 20]]), fresh
    )  # round the end
    assert int(method.queue_pointer) == 2 * COUNT - 20


@pytest.mark.parametrize("parts", [1, 2, 5])
def test_no_group_has_a_single_sample(parts):
    """Nor has a part of one: batch norm would take away all that is particular about it."""
    method = make_method("moco", "conv4", SIZE, groups=4)
    sizes = {}
    for name in ("encoder", "key_encoder"):
        getattr(method, name).register_forward_pre_hook(
            lambda module, inputs, name=name: sizes.setdefault(name, []).append(len(inputs[0]))
        )
    with torch.no_grad():
        for count in range(2, 33):
            sizes.clear()
            method.loss(step(parts=parts), Frames(pictures(0, count), torch.arange(count)))
            assert sizes["encoder"] == sizes["key_encoder"]
            assert sum(sizes["encoder"]) == count
            assert min(sizes["encoder"]) >= 2
            assert len(sizes["encoder"]) >= min(4, count // 2)


def test_older_keys_of_a_picture_are_no_negatives_of_it():
    """An epoch as short as the queue: it holds the keys of the very images of the batch."""
    method = make_method("moco", "conv4", SIZE, queue_length=COUNT, temperature=0.5).eval()
    method.loss(step(), frames())
    method.after_step(step())
    made = []
    method.projection.register_forward_hook(lambda module, inputs, output: made.append(output.detach()))
    loss = method.loss(step(1), frames())["loss"].item()
    query = torch.nn.functional.normalize(torch.cat(made), dim=1)
    terms = []
    for i, (q, k) in enumerate(zip(query, method._new_keys[0][0], strict=True)):
        negatives = [torch.exp(method.queue[j] @ q / 0.5) for j in range(COUNT) if j != i]
        own = torch.exp(k @ q / 0.5)
        terms.append(-torch.log(own / (own + sum(negatives))).item())
    assert loss == pytest.approx(np.mean(terms), rel=1e-4)


def test_pictures_are_told_apart_by_their_content():
    images = pictures(0, 200)
    close = images.clone()
    close[:, 1, 7, 9] += 1
    swapped = images.clone()
    swapped[:, :, 0, [0, 8]] = images[:, :, 0, [8, 0]]
    numbers = torch.cat([digest(each) for each in (images, close, swapped)])
    assert len(numbers.unique()) == 600
    assert torch.equal(digest(images.contiguous(memory_format=torch.channels_last)), digest(images))
    assert torch.equal(digest(images[5:9]), digest(images)[5:9])


@pytest.mark.parametrize("encoder", ["conv4", "vit_tiny"])
def test_heads_and_views_are_those_of_the_papers(encoder):
    norms = lambda module: [layer for layer in module.modules() if isinstance(layer, torch.nn.BatchNorm1d)]  # noqa: E731
    heads = {
        version: make_method("moco", encoder, SIZE, version=version, paper_heads=True, width=32, dim=16)
        for version in (1, 2, 3)
    }
    assert isinstance(heads[1].projection, torch.nn.Linear)
    assert [type(layer).__name__ for layer in heads[2].projection] == ["Linear", "ReLU", "Linear"]
    transformer = encoder == "vit_tiny"
    linear = [layer for layer in heads[3].projection if isinstance(layer, torch.nn.Linear)]
    assert len(linear) == (3 if transformer else 2)
    assert all(layer.bias is None for layer in linear)
    assert [norm.affine for norm in norms(heads[3].projection)] == [True] * (len(linear) - 1) + [False]
    assert [norm.affine for norm in norms(heads[3].prediction)] == ([True, False] if transformer else [True])


def test_views_of_version_3_differ():
    """The first are always blurred, the second seldom, of which some are negatives."""
    method = make_method("moco", "conv4", SIZE, version=3, paper_views=True)
    first, second = method.augmentations()
    noise = Frames(pictures(0, 60), torch.arange(60))
    made = Views(least_crop=0.2).positives(step().rng, SIZE, (first, second), noise)
    rough = [(each[..., 1:] - each[..., :-1]).abs().mean((1, 2, 3)) for each in (made.first, made.second)]
    assert rough[0].mean() < 0.8 * rough[1].mean()
    grey = Frames(torch.full((200, 3, 40, 40), 250, dtype=torch.uint8), torch.arange(200))
    settings = (Augmentation(strength=0.0), Augmentation(strength=0.0, solarized=second.solarized))
    made = Views(least_crop=0.08).positives(step().rng, SIZE, settings, grey)
    assert (made.first > 0.9).all()
    assert 0.1 < (made.second < 0.1).all(3).all(2).all(1).float().mean() < 0.3


def test_keys_come_back_in_their_order():
    method = make_method("moco", "conv4", SIZE, groups=1).eval()
    images = torch.rand(COUNT, 3, SIZE, SIZE)
    expected = torch.nn.functional.normalize(method.key_projection(method.key_encoder(images)), dim=1)
    torch.testing.assert_close(method._keys(images, step()), expected, rtol=1e-3, atol=1e-5)


def test_batch_norm_of_keys_sees_other_company_than_that_of_queries():
    method = make_method("moco", "conv4", SIZE, groups=3)
    seen = {}
    for name in ("encoder", "key_encoder"):
        getattr(method, name).register_forward_pre_hook(
            lambda module, inputs, name=name: seen.setdefault(name, []).append(inputs[0].mean(dim=(1, 2, 3)))
        )
    method.views = Views("body")
    method.loss(step(), pairs=FramePairs(pictures(0), pictures(0), *(torch.zeros(COUNT, n) for n in (2, 1, 1))))
    assert [len(part) for part in seen["encoder"]] == [4, 4, 4] == [len(part) for part in seen["key_encoder"]]
    groups = [{frozenset(part.tolist()) for part in seen[name]} for name in ("encoder", "key_encoder")]
    assert set().union(*groups[0]) == set().union(*groups[1])  # the same images
    assert not groups[0] & groups[1]


def test_version_3_is_symmetric_and_leaves_the_patches_projection():
    method = make_method("moco", "vit_tiny", SIZE, version=3).eval()
    method.views = Views("body", condition=False)
    there = method.loss(step(), pairs=pairs())["loss"]
    swapped = FramePairs(pictures(1), pictures(0), *(torch.zeros(COUNT, n) for n in (2, 1, 1)))
    torch.testing.assert_close(method.loss(step(), pairs=swapped)["loss"], there, rtol=1e-4, atol=1e-5)
    there.backward()
    assert all(p.grad is None for p in method.encoder.patch_projection.parameters())
    assert method.encoder.network.blocks[0].attn.qkv.weight.grad is not None


@pytest.mark.parametrize(
    ("name", "projection"),
    [
        ("timm/test_vit", "patch_embed.proj"),
        ("timm/vit_tiny_patch16_dinov3_qkvb", "patch_embed.proj"),
        pytest.param("torchvision/vit_b_32", "conv_proj", marks=pytest.mark.slow),
        ("timm/pit_ti_224", None),
        ("timm/test_resnet", None),
    ],
)
def test_version_3_leaves_the_patches_projection_of_every_transformer(name, projection):
    method = make_method("moco", name, 64, version=3)
    left = {name for name, parameter in method.encoder.named_parameters() if not parameter.requires_grad}
    assert left == ({f"network.{projection}.weight", f"network.{projection}.bias"} if projection else set())


def test_two_images_of_one_object_are_no_negatives_of_each_other():
    images = torch.randint(0, 256, (4, 3, 16, 16), dtype=torch.uint8)
    pixel, number = torch.full((4, 2), 7.5), torch.tensor([5, 2, 5, 9])
    objects = ObjectPairs(images, images.flip(0), pixel, pixel, number)
    views = Views("body", crop=1.0)
    rng = torch.Generator().manual_seed(0)
    found = views.positives(rng, 16, (Augmentation(), Augmentation()), objects=objects)
    same = found.identity[:, None] == found.identity
    assert torch.equal(same, number[:, None] == number)
