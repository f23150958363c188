"""What is computed in 32 bits whatever the precision, and what a device is made for."""

import logging

import pytest
import torch

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.methods import method_names
from embodied_ssl.parts import precision
from embodied_ssl.parts.colors import cell_colors, rgb_to_lab, soft_classes
from embodied_ssl.parts.precision import resolved, slowness
from embodied_ssl.training.devices.compilation import compiled
from embodied_ssl.training.devices.fabric import launch
from embodied_ssl.training.settings import Hardware
from tests.methods.test_methods import given, ready, step


def seen(method, bf16):
    """The loss, and what reaches the encoders of a method."""
    inputs = []

    def noted(function):
        owner, name = function.__self__, function.__name__

        def call(*args, **kwargs):
            if name != "pool" and owner in encoders:
                inputs.append(args[0])
            return function(*args, **kwargs)

        return call

    encoders = [module for module in method.modules() if module is method.encoder or hasattr(module, "image_size")]
    with compiled(method, noted), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        return method.loss(**given(method), step=step()), inputs


@pytest.mark.parametrize("name", sorted({*method_names()} - {"vat"}))  # whose network itself says what it sees
def test_views_and_losses_have_32_bits(name):
    """What an encoder sees under autocast is, bit for bit, what it sees without."""
    (_, expected), (losses, found) = (seen(ready(name), bf16) for bf16 in (False, True))
    assert len(expected) == len(found) > 0
    for one, other in zip(expected, found, strict=True):
        assert other.dtype == one.dtype == torch.float32
        assert torch.equal(one, other)
    assert {value.dtype for value in losses.values()} == {torch.float32}


def test_classes_of_colours_are_the_same_in_any_precision():
    images = torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))

    def classes():
        weights, which = soft_classes(cell_colors(rgb_to_lab(images), 16).permute(0, 2, 3, 1).flatten(0, 2))
        return which[weights.argmax(1)], weights

    exact = classes()
    with torch.autocast("cpu", torch.bfloat16):
        for one, other in zip(exact, classes(), strict=True):
            assert torch.equal(one, other)


@pytest.mark.parametrize("units", [True, False])
def test_auto_is_what_the_processor_has_units_for(monkeypatch, units):
    for test in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, test, lambda: units, raising=False)
    assert resolved("auto", "cpu") == ("bf16" if units else "32")
    assert (slowness("bf16", "cpu") is None) == units
    assert slowness("32", "cpu") is None
    assert resolved("32", "cpu") == "32"
    assert resolved("bf16", "cpu") == "bf16"
    assert resolved("auto", "mps") == "32"


def test_what_a_precision_may_be():
    with pytest.raises(DataError, match="unknown precision '8'; valid are 32, bf16, 16, auto"):
        resolved("8", "cpu")
    with pytest.raises(DataError, match="16 takes a GPU"):
        resolved("16", "cpu")
    assert "ten times as long" in (slowness("bf16", "mps") or "")
    assert precision.has_bf16("mps") is False


def test_the_screen_hears_nothing_of_the_precision_that_was_asked_for(caplog):
    logger = logging.getLogger("lightning_fabric")
    logger.setLevel(logging.INFO)  # as importing it does
    logger.addHandler(caplog.handler)
    launch(Hardware(), "cpu", "bf16")
    logger.removeHandler(caplog.handler)
    assert not caplog.messages
