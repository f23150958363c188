"""Training an encoder on: what is frozen stays, what is not learns, and labels help."""

import numpy as np
import pytest
import torch

from embodied_ssl.datasets.images.sources import ImageSet
from embodied_ssl.encoders import MEAN, make_encoder, random_encoder
from embodied_ssl.evaluation.estimators import fine_tuning
from embodied_ssl.evaluation.estimators.fine_tuning import parameters_of, train_on
from embodied_ssl.evaluation.features import extract
from embodied_ssl.evaluation.protocol import EncodedSet
from embodied_ssl.evaluation.protocols.fine_tune import FineTune
from embodied_ssl.evaluation.protocols.semi_supervised import SemiSupervised
from embodied_ssl.evaluation.protocols.stage_probe import StageProbe, stage_features
from embodied_ssl.evaluation.splits import split


def encoded(encoder, images, **given):
    """A set as an encoder sees it."""
    return EncodedSet(images=images, features_of=lambda rows: extract(encoder, images), encoder=encoder, **given)


def stripes(count=240, size=16):
    """Images of noise with stripes across or along, which are the classes."""
    rng = np.random.default_rng(0)
    label = np.arange(count) % 2
    wave = np.where(np.arange(size) % 4 < 2, 40, -40)
    pattern = np.where(label[:, None, None] == 1, wave[:, None], wave[None])
    images = (128 + pattern[..., None] + rng.normal(0, 40, (count, size, size, 1))).clip(0, 255)
    images = images.astype(np.uint8).repeat(3, 3)
    return ImageSet("stripes", images, label, ("along", "across"), np.arange(count), np.full(count, "", "U5"), "x")


@pytest.mark.parametrize("name", ["conv4", "resnet18_small", "vit_tiny", "split/conv4"])
def test_the_parameters_of_the_first_stages_are_those_that_their_maps_depend_on(name):
    encoder = make_encoder(name, 32).eval()
    half = len(encoder.channels) // 2
    kept = parameters_of(encoder, half)
    assert 0 < len(kept) < len(list(encoder.parameters()))
    images = torch.rand(2, 3, 32, 32)
    stage = list(encoder.channels)[half - 1]
    with torch.no_grad():
        before = encoder.stages(images)[stage].clone()
        for parameter in encoder.parameters():
            if all(parameter is not one for one in kept):
                parameter.add_(1.0)
        torch.testing.assert_close(encoder.stages(images)[stage], before)
        kept[0].add_(1.0)
        assert not torch.equal(encoder.stages(images)[stage], before)
    assert parameters_of(encoder, 0) == []


def test_what_is_frozen_stays_and_the_encoder_given_is_left_alone():
    encoder, images = random_encoder("conv4", 16, 0), stripes()
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    trained, _ = train_on(encoder, images, np.arange(100), 0, "cpu", frozen=2, rate=1e-3, updates=5)
    assert all(torch.equal(tensor, before[name]) for name, tensor in encoder.state_dict().items())
    for name, tensor in trained.state_dict().items():
        if name.startswith(("blocks.block1", "blocks.block2")):
            assert torch.equal(tensor, before[name]), name
        elif "num_batches" not in name:
            assert not torch.equal(tensor, before[name]), name
    again, _ = train_on(encoder, images, np.arange(100), 0, "cpu", frozen=2, rate=1e-3, updates=5)
    assert all(torch.equal(a, b) for a, b in zip(trained.parameters(), again.parameters(), strict=True))


def test_labels_are_learned_from():
    encoder, images = random_encoder("conv4", 16, 0), stripes()
    given = {"per_class": (4, 30, 5000), "updates": 40, "rates": (1e-3,)}
    whole, half = (tune(**given).measure(encoded(encoder, images)) for tune in (FineTune, SemiSupervised))
    assert [measure.metric for measure in whole] == ["accuracy@4", "accuracy@30"]  # as many as there are
    assert whole[1].value > 0.9
    assert [measure.settings["frozen_stages"] for measure in (whole[0], half[0])] == [0, 2]
    supervised = SemiSupervised(**given).measure(encoded(encoder, images, untrained=True))
    assert [each.value for each in supervised] == [each.value for each in whole]


def test_the_rate_is_chosen_on_validation_alike_for_every_row(monkeypatch):
    """A rate that moves nothing and one that learns: the second is taken, by what validation says, for either row."""
    asked, accuracy = [], fine_tuning._accuracy
    monkeypatch.setattr(fine_tuning, "_accuracy", lambda *given: asked.append(given[2]) or accuracy(*given))
    images, protocol = stripes(), FineTune(per_class=(20,), updates=30, rates=(1e-9, 3e-3))
    for untrained in (False, True):
        asked.clear()
        (measure,) = protocol.measure(encoded(random_encoder("conv4", 16, 0), images, untrained=untrained))
        assert (measure.settings["learning_rate"], measure.settings["rates"]) == (3e-3, [1e-9, 3e-3])
        *chosen_on, tested_on = asked
        test = split(images, 0).test
        assert np.array_equal(tested_on, test)
        assert all(len(rows) == 40 and not set(rows) & set(test) for rows in chosen_on)
        assert (measure.settings["train"], measure.settings["validation"], measure.settings["test"]) == (
            40,
            40,
            len(test),
        )


def test_every_stage_is_probed_at_about_the_same_length():
    encoder, images = random_encoder("conv4", 32, 0), stripes(size=32)
    features = stage_features(encoder, images, "cpu")
    assert {name: each.shape for name, each in features.items()} == {
        "block1": (240, 128), "block2": (240, 256), "block3": (240, 128), "block4": (240, 256),
    }  # fmt: skip
    pictures = torch.from_numpy(images.images).movedim(-1, 1).float() / 255
    with torch.no_grad():
        maps = encoder.eval().blocks["block1"]((pictures - MEAN) / 0.225)
    expected = maps.unflatten(3, (2, 4)).unflatten(2, (2, 4)).mean((3, 5)).flatten(1)
    np.testing.assert_allclose(features["block1"], expected, atol=1e-4)
    measures = StageProbe().measure(encoded(encoder, images))
    assert [measure.metric for measure in measures] == [f"accuracy of block{i}" for i in range(1, 5)]
    assert max(measure.value for measure in measures) > 0.9
