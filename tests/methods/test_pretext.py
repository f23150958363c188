"""The pretext tasks: what is cut and laid is what the papers say, and the known ways around a task are closed."""

import inspect

import numpy as np
import pytest
import torch
from torch.nn import functional

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.read.batches import CaptionedFrames, Clips, Frames, LabelledFrames
from embodied_ssl.datasets.read.captions import LENGTH
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.encoders import MEAN
from embodied_ssl.method import Step, input_streams_of
from embodied_ssl.methods import (
    jigsaw,
    make_method,
    method_class,
    method_names,
    relative_patch,
    temporal_order,
)  # fmt: skip
from embodied_ssl.methods.context_encoder import random_blobs
from embodied_ssl.parts import views
from embodied_ssl.parts.colors import lab_to_rgb, rgb_to_lab
from embodied_ssl.parts.tiles import lay, mosaic
from embodied_ssl.parts.views import rotations


def settings_of(name):
    return inspect.signature(method_class(name).__init__).parameters


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def noise(generator, count, height, width, grain=1):
    """Grey images of random grains of so many px, uint8: nothing in them but what a view adds."""
    field = torch.rand(count, 1, height // grain + 2, width // grain + 2, generator=generator)
    field = functional.interpolate(field, scale_factor=grain, mode="bicubic") if grain > 1 else field
    return (field[..., grain : grain + height, grain : grain + width] * 255).clamp(0, 255).byte().expand(-1, 3, -1, -1)


def test_rotations_are_exact_turns_of_all_pictures():
    views = torch.rand(3, 3, 8, 8, generator=rng())
    turned, quarters = rotations(views)
    assert quarters.tolist() == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3
    for view, quarter, source in zip(turned, quarters, views.repeat(4, 1, 1, 1), strict=True):
        np.testing.assert_array_equal(view, np.rot90(source.numpy(), int(quarter), (1, 2)))


def test_green_and_magenta_become_one():
    color = torch.rand(5, 3, 2, 2, generator=rng())
    other = color + 0.1 * torch.tensor([-1.0, 2.0, -1.0])[:, None, None]
    project = relative_patch.without_green_magenta
    torch.testing.assert_close(project(color), project(other))
    torch.testing.assert_close(project(project(color)), project(color))


def test_a_patch_that_does_not_fit_is_refused():
    largest = 1 / (2 + 0.5 + 2 * 0.07)
    with pytest.raises(DataError, match=r"patch 0\.4: two patches with a gap of 0\.5.*do not fit.*at most 0\.378"):
        make_method("relative_patch", "conv4", 64, patch=0.4)
    assert make_method("relative_patch", "conv4", 64, patch=0.378).patch < largest
    with pytest.raises(DataError, match="nothing of a hole would be hidden"):
        make_method("context_encoder", "conv4", 32, hole="centre", rim=0.25)
    with pytest.raises(DataError, match="takes no images of 2 px; choose a larger --tile, as 32"):
        make_method("jigsaw", "conv4", 32, tile=2)


@pytest.mark.parametrize("name", [name for name in method_names() if "least_crop" in settings_of(name)])
@pytest.mark.parametrize("value", [0.0, -0.5, 1.5])
def test_a_share_of_the_picture_is_one(name, value):
    with pytest.raises(DataError, match=f"least_crop: {value}; give more than 0 and at most 1"):
        make_method(name, None, 32, least_crop=value)


AS_LARGE_AS_FITS = {
    "relative_patch": {"patch": 0.378},
    **{name: {"least_crop": 1.0} for name in method_names() if "least_crop" in settings_of(name)},
    **{name: {"least_crop": 0.999} for name in ("instdisc", "local_agg", "nat")},  # at 1 nothing is cut
    "pirl": {"least_crop": 0.999, "least_puzzle": 1.0},
}


def learns_from_pictures(name):
    streams = input_streams_of(method_class(name))
    ours = {"frames", "labelled", "captions"}
    return bool(ours & streams.keys()) and all(each in ours for each, spec in streams.items() if spec.required)


SHIFTED = {"pseudo_label", "vat", "uda", "fixmatch"}  # as their papers say; and none of them asks where a view was


@pytest.mark.parametrize("name", sorted(filter(learns_from_pictures, {*method_names()} - SHIFTED)))
@pytest.mark.parametrize("largest", [False, True])
def test_views_lie_within_the_picture(monkeypatch, name, largest):
    """Beyond it, its border goes on, which tells where in the image a view was."""
    cut, outside = views._upright, []

    def watched(images, middle, sides, size):
        extent = torch.tensor([images.shape[3], images.shape[2]])
        reach = sides.abs()[:, None] / 2
        outside.append(max((reach - middle).max().item(), (middle + reach - extent).max().item()))
        return cut(images, middle, sides, size)

    monkeypatch.setattr(views, "_upright", watched)
    method = make_method(name, None, 32, **(AS_LARGE_AS_FITS.get(name, {}) if largest else {}))
    images, index = noise(rng(), 32, 40, 50), torch.arange(32)
    if hasattr(method, "bank"):
        method.infer_shapes({"frames": index}, np.random.default_rng(0))
    made = {
        "frames": Frames(images, index),
        "labelled": LabelledFrames(images, index * 0, index),
        "captions": CaptionedFrames(images, index[:, None].expand(-1, LENGTH), index),
    }
    data = {stream: made[stream] for stream, spec in method.input_streams().items() if stream in made and spec.required}
    with torch.no_grad():
        method.eval().loss(**data, step=Step(0.5, rng()))
    assert outside
    assert max(outside) < 1e-3


def test_dropped_colours_become_faint_noise():
    images = torch.rand(30, 2, 3, 16, 16, generator=rng())
    method = make_method("relative_patch", "conv4", 32, colors="drop", coarse=0.0)
    dropped, images = method.guarded(images, rng(1)), images.flatten(0, 1)
    same = (dropped == images).all(dim=(2, 3))
    assert (same.sum(1) == 1).all()
    assert same.sum(0).min() > 10
    rest = dropped[~same]
    assert rest.mean().item() == pytest.approx(MEAN, abs=1e-3)
    assert rest.std(dim=(1, 2)).max() < 0.005


def test_a_neighbour_lies_on_its_side_with_a_gap_and_within_the_picture():
    rows, columns = torch.meshgrid(torch.arange(100), torch.arange(100), indexing="ij")
    images = torch.stack([columns, rows, rows]).byte().expand(500, 3, 100, 100)
    method = make_method("relative_patch", "conv4", 64)
    patches, side = method.pairs(images, rng())
    place = patches.mean((3, 4))[:, :, :2] * 255  # [B, 2, (u, v)] of the middles
    apart = place[:, 1] - place[:, 0]
    expected = torch.tensor(relative_patch.SIDES)[side] * 45.0  # a patch of 30 and a gap of 15
    assert (apart - expected).abs().max() < 2 * 0.07 * 30 + 0.1
    assert (apart - expected).abs().max() > 0.07 * 30  # each is shaken
    assert place.min() > 15 - 0.6
    assert place.max() < 85 - 0.4
    assert side.bincount().min() > 40


def test_permutations_are_chosen_for_the_largest_distance_to_those_before():
    orders = jigsaw.distant_permutations(6, tiles=5)
    every = np.array(np.meshgrid(*[range(5)] * 5)).reshape(5, -1).T
    every = every[[len(set(row)) == 5 for row in every]]
    assert len(np.unique(orders, axis=0)) == 6
    for number in range(1, 6):
        before = orders[:number]
        left = [row for row in every if not (row == before).all(1).any()]
        sums = [(row != before).sum() for row in left]
        assert (orders[number] != before).sum() == max(sums)
    chosen = jigsaw.distant_permutations(64)
    distance = (chosen[:, None] != chosen).sum(2)[~np.eye(64, dtype=bool)]
    drawn = np.stack([np.random.default_rng(i).permutation(9) for i in range(64)])
    at_random = (drawn[:, None] != drawn).sum(2)[~np.eye(64, dtype=bool)]
    assert distance.mean() > at_random.mean()
    with pytest.raises(ValueError, match="there are 120"):
        jigsaw.distant_permutations(121, tiles=5)


def test_tiles_lie_within_their_cells_and_go_back_to_their_places():
    rows, columns = torch.meshgrid(torch.arange(90), torch.arange(90), indexing="ij")
    images = torch.stack([columns, rows, rows]).byte().expand(50, 3, 90, 90)
    method = make_method("jigsaw", "conv4", 32, least_crop=1.0)
    tiles = method.cut(images, rng())
    place = (tiles[:, :, :2].mean((3, 4)) * 255 + 0.5) / 30  # in cells of 30 px
    assert torch.equal(place[..., 0].floor().long(), (torch.arange(9) % 3).expand(50, 9))
    assert torch.equal(place[..., 1].floor().long(), (torch.arange(9) // 3).expand(50, 9))
    order = method.orders[torch.arange(50)]
    assert torch.equal(lay(lay(tiles, order), order.argsort(1)), tiles)
    assert mosaic(tiles[0]).shape == (3, 76, 76)
    assert torch.equal(mosaic(tiles[0])[:, :24, 26:50], tiles[0, 1])


def test_every_tile_has_the_same_mean_and_deviation():
    tiles = jigsaw.standardised(
        torch.rand(4, 9, 3, 24, 24, generator=rng()) * torch.rand(4, 9, 3, 1, 1, generator=rng())
    )
    assert tiles.mean((-2, -1)).std() < 1e-6
    torch.testing.assert_close(tiles.mean((-2, -1)), torch.full((4, 9, 3), MEAN))


def test_blobs_cover_their_share_and_differ():
    blobs = random_blobs(200, 40, (0.1, 0.25), rng())
    share = blobs.mean((1, 2, 3))
    assert 0.095 < share.min() < 0.115
    assert 0.235 < share.max() < 0.255
    assert len(torch.unique(blobs.flatten(1), dim=0)) == 200


@pytest.mark.parametrize("hole", ["centre", "random"])
def test_what_is_in_a_hole_is_not_seen(hole):
    method = make_method("context_encoder", "conv4", 32, hole=hole).eval()
    images = torch.rand(4, 3, 32, 32, generator=rng(), requires_grad=True)
    region, hidden = method.holes(images, rng())
    method.fill(images, hidden).sum().backward()
    assert images.grad.mul(hidden).abs().max() == 0
    assert images.grad.mul(1 - hidden).abs().max() > 0
    assert (hidden <= region).all()
    if hole == "centre":
        assert region.sum((1, 2, 3)).tolist() == [256] * 4
        assert hidden.sum((1, 2, 3)).tolist() == [14 * 14] * 4  # a rim of 1 px stays visible


def test_the_rim_of_a_hole_weighs_ten_times():
    method = make_method("context_encoder", "conv4", 32, hole="centre", adversarial=0.0, least_crop=1.0)
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (4, 3, 32, 32), dtype=np.uint8))
    seen = {}
    method.decode.register_forward_hook(lambda module, inputs, output: seen.update(out=output.sigmoid().detach()))
    loss = method.loss(Frames(images, torch.arange(4)), Step(0.0, rng()))["squared_error"].item()
    from embodied_ssl.parts.views import random_square

    whole = random_square(images, rng(), 32, (1.0, 1.0))
    error = ((seen["out"] - whole) ** 2).numpy()
    inner, outer = error[:, :, 9:23, 9:23].sum(), error[:, :, 8:24, 8:24].sum()
    expected = (inner + 10 * (outer - inner)) / (3 * 4 * (14 * 14 + 10 * (16 * 16 - 14 * 14)))
    assert loss == pytest.approx(expected, rel=1e-3)


def test_generator_and_discriminator_learn_from_their_own_terms_alone():
    method = make_method("context_encoder", "conv4", 32)
    fake = method.fill(torch.rand(4, 3, 32, 32, generator=rng()), torch.ones(4, 1, 32, 32))
    fooled, told = method._adversarial(torch.rand(4, 3, 32, 32, generator=rng()), fake)
    critic, others = list(method.discriminator.parameters()), list(method.decode.parameters())
    assert all(g is None for g in torch.autograd.grad(fooled, critic, retain_graph=True, allow_unused=True))
    assert any(g.abs().sum() > 0 for g in torch.autograd.grad(fooled, others, retain_graph=True))
    assert all(g is None for g in torch.autograd.grad(told, others, retain_graph=True, allow_unused=True))
    assert all(g.abs().sum() > 0 for g in torch.autograd.grad(told, critic))


@pytest.mark.parametrize("name", ["colorization", "split_brain"])
def test_no_colour_leaks_into_what_predicts_it(name):
    """Images of one lightness and other colours get the same prediction."""
    method = make_method(name, "conv4", 32).eval()
    lab = torch.stack([torch.full((3, 32, 32), 50.0), *(torch.rand(2, 3, 32, 32, generator=rng()) * 30 - 15)], 1)
    other = lab * torch.tensor([1.0, -1.0, -1.0])[:, None, None]
    images = [lab_to_rgb(each) for each in (lab, other)]
    with torch.no_grad():
        if name == "colorization":
            one, two = (method.classify(rgb_to_lab(each)[:, :1]) for each in images)
        else:
            one, two = (method.predict(rgb_to_lab(each))[0] for each in images)
            brighter = lab_to_rgb(lab + torch.tensor([10.0, 0.0, 0.0])[:, None, None])
            same, other = (method.predict(rgb_to_lab(each))[1] for each in (images[0], brighter))
            torch.testing.assert_close(same, other, atol=1e-2, rtol=1e-2)
    torch.testing.assert_close(one, two, atol=1e-3, rtol=1e-3)


def test_grey_pictures_have_no_colours_to_learn():
    class Grey:
        def __len__(self):
            return 20

        def batch(self, index, generator):
            return Frames(noise(rng(), len(index), 32, 32), torch.from_numpy(index))

    with pytest.raises(DataError, match="no colours"):
        make_method("colorization", "conv4", 32).prepare({"frames": Grey()}, np.random.default_rng(0))


def test_an_encoder_without_halves_is_refused():
    with pytest.raises(DataError, match="take conv4, resnet8 or alexnet"):
        make_method("split_brain", "vit_tiny", 32)
    with pytest.raises(DataError, match="--encoder split/conv4"):
        make_method("joint", "conv4", 32, methods=("rotation", "split_brain"))
    shared = make_method("joint", "split/conv4", 32, methods=("rotation", "split_brain"))
    assert shared.members["split_brain"].encoder is shared.members["rotation"].encoder


def test_tuples_are_in_order_once_and_out_of_it_three_times():
    tuples = temporal_order.order_tuples(300, rng())
    first, middle, last = tuples.unbind(2)
    assert (first + last == 4).all()
    assert first.unique().tolist() == [1, 3]
    ordered = ((middle > first) & (middle < last)) | ((middle < first) & (middle > last))
    assert torch.equal(ordered, torch.tensor([True, False, False, False]).expand(300, 4))
    assert middle[:, 1:].flatten().bincount().tolist()[0] > 300
    assert (first == 3).float().mean().item() == pytest.approx(0.5, abs=0.05)


def clips(count, generator, moving):
    """Twelve frames, of which only some clips change from frame to frame."""
    still = noise(generator, count, 16, 16).unsqueeze(1).repeat(1, 12, 1, 1, 1)
    other = noise(generator, count * 12, 16, 16).view(count, 12, 3, 16, 16)
    images = torch.where(moving[:, None, None, None, None], other, still)
    motion = moving.float()[:, None, None].expand(count, 11, 2)
    return Clips(images, motion, torch.zeros(count, 12), torch.full((count, 11), torch.nan))


@pytest.mark.parametrize("by", ["flow", "energy", "ego"])
def test_windows_come_from_where_there_is_motion(by):
    moving = torch.arange(40) % 4 == 0
    batch = clips(40, rng(), moving)
    method = make_method("temporal_order", "conv4", 32, sample_by=by)
    windows = method.sample_windows(batch, rng())
    assert windows.shape == (40, 5, 3, 16, 16)
    moved = (windows[:, 0] != windows[:, 1]).flatten(1).any(1)
    assert moved.sum() == 40  # ten clips of four windows each have all the motion
    for window in windows[:5]:
        clip = next(c for c in batch.images if (c[:, None] == window).flatten(2).all(2).any())
        rows = [next(t for t in range(12) if torch.equal(clip[t], frame)) for frame in window]
        assert np.diff(rows).tolist() == [2] * 4


def test_logged_flow_says_how_much_moves(data):
    dataset = Dataset.open(data["roam"])
    with_flow = dataset.clips(5, flow=True).batch(np.arange(4), np.random.default_rng(0))
    field = dataset.array("frames/flow")[0].astype("f4")
    assert with_flow.flow[0, 0].item() == pytest.approx(np.sqrt((field**2).sum(-1)).mean(), rel=1e-3)
    assert torch.isfinite(with_flow.flow).all()
    assert dataset.clips(5).batch(np.arange(4), np.random.default_rng(0)).flow.isnan().all()
    method = make_method("temporal_order", "conv4", 32)
    assert torch.equal(method.motion(with_flow), with_flow.flow)
