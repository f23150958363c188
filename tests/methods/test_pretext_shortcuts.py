"""The known ways around a pretext task are closed: who can see nothing else stays at chance, and would not unguarded.

Images are noise, in which there is nothing to learn: whatever is solved on them is solved by what the view adds.
"""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch.nn import functional
from torchvision.transforms.functional import rotate

from embodied_ssl.datasets.read.batches import Frames
from embodied_ssl.method import Step
from embodied_ssl.methods import make_method, relative_patch, rotation
from embodied_ssl.parts.tiles import lay
from embodied_ssl.parts.views import to_float, windows_at


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def noise(generator, count, height, width, grain=1):
    """Grey images of random grains of so many px, uint8: nothing in them but what a view adds."""
    field = torch.rand(count, 1, height // grain + 2, width // grain + 2, generator=generator)
    field = functional.interpolate(field, scale_factor=grain, mode="bicubic") if grain > 1 else field
    return (field[..., grain : grain + height, grain : grain + width] * 255).clamp(0, 255).byte().expand(-1, 3, -1, -1)


def accuracy_on(method, draw, steps, batch=64):
    """Train on endless images that `draw(generator, count)` makes; the accuracy on the last, all of them unseen."""
    torch.manual_seed(0)
    optimizer, generator, found = torch.optim.AdamW(method.parameters(), 2e-3), rng(), []
    for _ in range(steps):
        losses = method.loss(Frames(draw(generator, batch), torch.arange(batch)), Step(0.0, generator))
        optimizer.zero_grad()
        losses["loss"].backward()
        optimizer.step()
        found.append(losses["accuracy"].item())
    return float(np.mean(found[-steps // 4 :]))


@pytest.mark.slow
def test_what_a_view_adds_tells_nothing_of_a_rotation(monkeypatch):
    """On noise of 48×32 px; where it is squeezed into a square, the blur along the longer side gives turns away."""

    def draw(generator, count):
        return noise(generator, count, 32, 48)

    assert accuracy_on(make_method("rotation", "conv4", 32), draw, 60, 16) == pytest.approx(0.25, abs=0.06)
    monkeypatch.setattr(rotation, "random_square", lambda images, generator, size, scale: to_float(images, size))
    assert accuracy_on(make_method("rotation", "conv4", 32), draw, 60, 16) > 0.4


@pytest.mark.slow
def test_a_turn_leaves_no_corner_empty(monkeypatch):
    """Where an image of 48×32 px is turned by resampling, what is left empty gives turns away."""

    def draw(generator, count):
        return noise(generator, count, 32, 48)

    def resampled(views):
        turned = torch.cat([rotate(views, 90.0 * quarter) for quarter in range(4)])
        return turned, torch.arange(4).repeat_interleave(len(views))

    monkeypatch.setattr(rotation, "random_square", lambda images, generator, size, scale: to_float(images))
    monkeypatch.setattr(rotation, "rotations", resampled)
    assert accuracy_on(make_method("rotation", "conv4", 32), draw, 60, 16) > 0.4


def aberrated(generator, count, size=64):
    """Noise through a lens that draws green 6 % larger than red and blue, as chromatic aberration does."""
    images = noise(generator, count, size, size, 2)
    middle, side = torch.full((count, 1, 2), size / 2), torch.full((count,), size * 0.94)
    larger = (windows_at(images, middle, side, size)[:, 0] * 255).byte()
    return torch.stack([images[:, 0], larger[:, 1], images[:, 2]], 1)


@pytest.mark.slow
def test_chromatic_aberration_tells_no_place_where_colours_are_dropped():
    """Projected ones still tell something: of a displaced green they keep a ghost in grey."""

    def told(colors):
        return accuracy_on(make_method("relative_patch", "conv4", 64, colors=colors, coarse=0.0), aberrated, 60)

    seen = told("none")
    assert seen > 0.9
    assert told("project") < seen - 0.2
    assert told("drop") == pytest.approx(1 / 8, abs=0.04)


def facing(first, second):
    """How badly the right edge of `first` goes on in the left edge of `second`, [...], of tiles [..., 3, s, s]."""
    return (first[..., -1] - second[..., 0]).square().mean((-2, -1))


def test_no_line_goes_on_from_a_patch_to_its_neighbour():
    """The shortcut alone: how badly each edge and corner of a patch goes on in the opposite one of the other."""

    def told(**settings):
        method = make_method("relative_patch", "conv4", 64, **settings)
        patches, side = method.pairs(noise(rng(), 3000, 96, 96, 3), rng())
        first, second = patches.unbind(1)
        edge = {-1: slice(0, 1), 0: slice(None), 1: slice(-1, None)}
        gaps = torch.stack(
            [
                (first[..., edge[v], edge[u]] - second[..., edge[-v], edge[-u]]).square().mean((1, 2, 3))
                for u, v in relative_patch.SIDES
            ],
            1,
        )
        seen, answer = (gaps + 1e-4).log().numpy(), side.numpy()
        judge = make_pipeline(StandardScaler(), LogisticRegression(max_iter=10_000))  # standardised, some 30 suffice
        return judge.fit(seen[:2000], answer[:2000]).score(seen[2000:], answer[2000:])

    assert told(gap=0.0, jitter=0.0) > 0.6
    assert told() == pytest.approx(1 / 8, abs=0.04)


def test_no_line_goes_on_from_a_tile_to_the_next():
    """The shortcut alone: of 16 orders, the one whose facing edges fit best."""

    def solved(**settings):
        method = make_method("jigsaw", "conv4", 32, permutations=16, least_crop=1.0, **settings)
        tiles = method.cut(noise(rng(), 100, 96, 96, 2), rng())
        order = torch.arange(100) % 16
        laid = lay(tiles, method.orders[order])
        costs = []
        for tried in method.orders:
            grid = lay(laid, tried.argsort()[None].expand(100, 9)).unflatten(1, (3, 3))
            down = grid.transpose(-1, -2)
            rows, columns = facing(grid[:, :, :-1], grid[:, :, 1:]), facing(down[:, :-1], down[:, 1:])
            costs.append(rows.mean((1, 2)) + columns.mean((1, 2)))
        return (torch.stack(costs).argmin(0) == order).float().mean().item()

    assert solved(tile_share=1.0) > 0.9
    assert solved() == pytest.approx(1 / 16, abs=0.08)


@pytest.mark.slow
def test_the_brightness_of_a_tile_does_not_tell_its_place():
    shade = torch.linspace(-40, 40, 48) + torch.linspace(-24, 24, 48)[:, None]

    def draw(generator, count):
        return (noise(generator, count, 48, 48) * 0.5 + 64 + shade).clamp(0, 255).byte()

    seen, guarded = (
        make_method("jigsaw", "conv4", 32, permutations=8, jitter=0.0, normalise=normalise)
        for normalise in (False, True)
    )
    assert accuracy_on(seen, draw, 40, 32) > 0.6
    assert accuracy_on(guarded, draw, 40, 32) == pytest.approx(1 / 8, abs=0.07)
