"""BiGAN: each part learns by its own objective alone, in one update."""

import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from embodied_ssl.datasets.read.batches import Frames
from embodied_ssl.method import Step
from embodied_ssl.methods import make_method

SIZE, COUNT = 32, 6


def frames():
    images = np.random.default_rng(0).integers(0, 256, (COUNT, 3, 40, 40), dtype=np.uint8)
    return Frames(torch.from_numpy(images), torch.arange(COUNT))


def step():
    return Step(0.5, torch.Generator().manual_seed(0))


def made():
    return make_method("bigan", "conv4", SIZE, seed=0, latent=7, width=32, hidden=16).eval()


def gradients(method):
    return {name: each.grad.clone() for name, each in method.named_parameters() if each.grad is not None}


def test_each_part_has_the_gradient_of_its_own_objective():
    """By the objectives as the paper has them, of labels, with the weights of the other part taken out of the graph."""
    method = made()
    seen = {}
    for name, part in (("images", method.encoder), ("latents", method.generator)):
        part.register_forward_pre_hook(lambda module, inputs, name=name: seen.update({name: inputs[0]}))
    found = method.loss(frames(), step())
    found["loss"].backward()
    ours = gradients(method)
    assert len(ours) == len([*method.parameters()])
    images, latents = seen["images"], seen["latents"]
    assert latents.shape == (COUNT, 7)
    assert latents.min() < -0.7 < 0.7 < latents.max()
    yes, no = torch.ones(COUNT), torch.zeros(COUNT)

    def objective(of_real, of_fake):
        real = method.discriminator(images, method.to_code(method.encoder(images)))
        fake = method.discriminator(method.generator(latents), latents)
        return binary_cross_entropy_with_logits(real, of_real) + binary_cross_entropy_with_logits(fake, of_fake)

    terms = {"discriminator": objective(yes, no), "encoder_and_generator": objective(no, yes)}
    for name, term in terms.items():
        assert found[name].item() == pytest.approx(term.item(), rel=1e-5)
        learning = {
            key: each for key, each in method.named_parameters() if ("discriminator" in key) == (name[0] == "d")
        }
        expected = torch.autograd.grad(term, list(learning.values()))
        for key, value in zip(learning, expected, strict=True):
            torch.testing.assert_close(ours[key], value, rtol=1e-4, atol=1e-6)


def test_random_codes_are_even_in_their_cube():
    latents = made().latents(4000, step().rng)
    np.testing.assert_allclose(latents.mean(0), 0, atol=0.05)
    np.testing.assert_allclose(latents.std(0), 1 / 3**0.5, atol=0.02)
    assert latents.abs().max() <= 1
