"""The protocol `attention`: its masks, its pictures of objects off the middle, and what looks at no picture."""

import numpy as np
import pytest
import torch

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.images.sources import image_set
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.encoders import random_encoder
from embodied_ssl.evaluation.features import Pixels
from embodied_ssl.evaluation.protocol import EncodedSet
from embodied_ssl.evaluation.protocols.attention import (
    Attention,
    Pictures,
    disc,
    jaccard,
    kept,
    pictures_of,
    scores,
    window_about,
)


def test_what_is_kept_is_the_smallest_set_of_patches_with_the_mass():
    attention = torch.from_numpy(np.random.default_rng(0).dirichlet(np.ones(9), (4, 2))).reshape(4, 2, 3, 3)
    for mask, shares in zip(kept(attention, 0.6).flatten(0, 1), attention.flatten(0, 1), strict=True):
        order = sorted(shares.flatten().tolist(), reverse=True)
        fewest = next(count for count in range(1, 10) if sum(order[:count]) >= 0.6)
        assert mask.sum() == fewest
        assert shares[mask].min() >= shares[~mask].max()


def test_the_index_is_that_of_jaccard_pixel_by_pixel():
    rng = np.random.default_rng(1)
    patches, masks = rng.random((5, 2, 3, 3)) < 0.5, rng.random((5, 12, 12)) < 0.3
    found = jaccard(torch.from_numpy(patches), torch.from_numpy(masks))
    for i in range(5):
        for head in range(2):
            seen = np.repeat(np.repeat(patches[i, head], 4, 0), 4, 1)
            assert found[i, head] == pytest.approx((seen & masks[i]).sum() / (seen | masks[i]).sum())


@pytest.mark.parametrize("at", [(3, 20), (18, 18), (30, 5)])
def test_a_window_holds_its_object_off_its_middle(at):
    """The share that it covers, where it stands in it, and that the window is a part of the image."""
    mask = np.zeros((40, 40), bool)
    mask[at[0] : at[0] + 6, at[1] : at[1] + 4] = True
    rng, centre = np.random.default_rng(2), np.array([at[1] + 2, at[0] + 3])
    for _ in range(20):
        middle, side = window_about(mask, 0.2, 0.15, rng)
        assert 24 / side**2 == pytest.approx(0.2)
        assert (middle >= side / 2).all()
        assert (middle <= 40 - side / 2).all()
        off = np.abs(centre - middle) / side
        assert 0.15 <= off.max() <= 0.5
    assert window_about(np.ones((40, 40), bool), 0.2, 0.15, rng) is None  # it fills the image: nowhere to go
    assert window_about(np.zeros((40, 40), bool), 0.2, 0.15, rng) is None


def test_who_attends_to_the_object_alone_finds_its_mask():
    """White squares on black, of which pixels have all the energy; and the windows are those of the masks."""
    images, masks = np.zeros((8, 3, 16, 16), np.uint8), np.zeros((8, 16, 16), bool)
    for i in range(8):
        masks[i, i : i + 8, 4:12] = True
        images[i, :, masks[i]] = 255
    whole = Pictures(
        torch.from_numpy(images), torch.full((8, 1, 2), 8.0), torch.full((8,), 16.0), torch.from_numpy(masks),
        np.arange(8) < 4, np.arange(8, dtype=np.uint64),
    )  # fmt: skip
    found, of = scores(Pixels(), whole, 0.9999, "cpu")
    assert of == "energy of the features"
    np.testing.assert_allclose(found, 1)


def test_pictures_show_the_masks_of_all_objects_and_share_no_object(data):
    dataset = Dataset.open(data["grasp"])
    pictures = pictures_of(dataset, np.random.default_rng(0), 30, 0.2, 0.15)
    assert 10 < len(pictures.masks) <= 30
    sources = image_set(data["grasp"]).digests
    assert set(pictures.digests.tolist()) <= set(sources.tolist())
    assert 0 < pictures.validates.sum() < len(pictures.masks)
    assert 0.1 < pictures.masks.float().mean() < 0.5  # one object fills a fifth, others stand about
    edges = np.stack(
        [pictures.middle[:, 0] - pictures.side[:, None] / 2, pictures.middle[:, 0] + pictures.side[:, None] / 2]
    )
    assert edges.min() > -1e-4
    assert edges.max() < 32 + 1e-4
    with pytest.raises(DataError, match="0 objects that could be seen aside of the middle of a picture"):
        pictures_of(dataset, np.random.default_rng(0), 30, 0.2, 0.99)


@pytest.mark.parametrize("kind", ["hold", "grasp"])
def test_what_looks_at_no_picture_is_measured_beside_it(data, kind):
    """The disc whose radius is best on objects that validate; the whole picture, whose index is the mask's share."""
    dataset, images, encoder = Dataset.open(data[kind]), image_set(data[kind]), random_encoder("vit_micro", 32, 0)
    features = np.zeros((len(images), encoder.dim), np.float32)
    on = EncodedSet(images=images, dataset=dataset, features_of=lambda rows: features, encoder=encoder)
    protocol = Attention(pictures=40)
    pictures = protocol.prepare(on)
    found = {m.metric: m for m in protocol.measure(EncodedSet(**{**vars(on), "prepared": pictures}))}
    masks, tests = pictures.masks.numpy(), ~pictures.validates
    assert found["Jaccard of the whole picture"].value == pytest.approx(masks[tests].mean())
    best = found["Jaccard of a disc in the middle"]
    discs = {r: jaccard(disc(r, masks.shape[-1]), pictures.masks)[:, 0] for r in np.linspace(0.05, 0.75, 15)}
    radius = max(discs, key=lambda r: discs[r][~tests].mean())
    assert best.settings["radius"] == pytest.approx(radius, abs=0.01)
    assert best.value == pytest.approx(discs[radius][tests].mean())
    own, of = scores(encoder, pictures, 0.6, "cpu")
    assert of == "attention"
    assert own.shape == (len(masks), 3)
    one = found["Jaccard"]
    assert one.value == pytest.approx(own[tests][:, own[~tests].mean(0).argmax()].mean())
    assert found["Jaccard, best head of each picture"].value == pytest.approx(own[tests].max(1).mean())
    assert one.settings["validation"] + one.settings["test"] == len(masks)
    assert set(images.digests[one.tested]) == set(pictures.digests[tests])
    assert encoder.training


def test_rooms_and_sets_without_masks_are_not_asked(data):
    assert not Attention().takes(Dataset.open(data["roam"]))
    assert not Attention().takes(Dataset.open(data["poke"]))  # collected without `--instance`
    assert not Attention().takes(None)
