"""MAE: what is masked is never seen, the loss is that of the masked patches, and images come back in their places."""

import numpy as np
import pytest
import torch

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.read.batches import Frames
from embodied_ssl.encoders import random_encoder
from embodied_ssl.method import Step
from embodied_ssl.methods import make_method
from embodied_ssl.parts.patches import to_patches
from embodied_ssl.parts.views import random_resized_crop

SIZE, COUNT = 64, 5


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def test_tokens_of_all_patches_are_those_of_the_whole_picture():
    encoder = random_encoder("vit_tiny", SIZE, 0).eval()
    images = torch.rand(2, 3, SIZE, SIZE)
    order = torch.stack([torch.randperm(64, generator=rng(seed)) for seed in range(2)])
    found = encoder.visible_tokens(images, order)
    expected = encoder.tokens(images).gather(1, order[..., None].expand(-1, -1, 192))
    torch.testing.assert_close(found[:, 1:], expected, rtol=1e-4, atol=1e-5)


PLAIN = ["timm/test_vit", "timm/test_vit3", "timm/deit_tiny_distilled_patch16_224", "timm/vit_tiny_patch16_224"]


@pytest.mark.parametrize("name", PLAIN)
def test_a_plain_transformer_of_timm_leaves_patches_out(name):
    """With no, one, two tokens before those of the patches."""
    encoder = random_encoder(name, SIZE, 0).eval()
    images = torch.rand(2, 3, SIZE, SIZE)
    order = torch.stack([torch.randperm(16, generator=rng(seed)) for seed in range(2)])
    found = encoder.visible_tokens(images, order)[:, encoder.prefix :]
    expected = encoder.tokens(images).gather(1, order[..., None].expand(-1, -1, encoder.tokens(images).shape[2]))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    method = make_method("mae", name, SIZE, class_token=True)
    frames = Frames(torch.randint(0, 256, (4, 3, SIZE, SIZE), dtype=torch.uint8), torch.arange(4))
    method.loss(frames, Step(0.5, rng()))["loss"].backward()
    assert method.encoder.network.patch_embed.proj.weight.grad.abs().sum() > 0
    others = method.encoder.network.blocks[0].register_forward_pre_hook(
        lambda module, inputs: lengths.append(inputs[0].shape[1])
    )
    lengths = []
    method.loss(frames, Step(0.5, rng()))
    others.remove()
    assert lengths == [encoder.prefix + 4]


def test_what_is_hidden_is_not_seen():
    method = make_method("mae", None, SIZE).eval()
    images = torch.rand(COUNT, 3, SIZE, SIZE)
    visible, masked = method.random_masking(COUNT, rng())
    assert visible.shape == (COUNT, 16)
    assert torch.equal(torch.cat([visible, masked], 1).sort(1).values, torch.arange(64).expand(COUNT, -1))
    lengths = []
    method.encoder.network.blocks[0].register_forward_pre_hook(
        lambda module, inputs: lengths.append(inputs[0].shape[1])
    )
    told = method.reconstruct(images, visible, masked)
    assert lengths == [17]  # [CLS] and a quarter of the patches: the others are skipped, not zeroed
    patches = to_patches(images, 8)
    changed = patches.scatter(1, masked[..., None].expand(-1, -1, 192), torch.rand(COUNT, 48, 192))
    back = changed.reshape(COUNT, 8, 8, 3, 8, 8).permute(0, 3, 1, 4, 2, 5).reshape(COUNT, 3, SIZE, SIZE)
    torch.testing.assert_close(method.reconstruct(back, visible, masked), told)


def test_the_loss_is_the_squared_error_of_hidden_patches_about_their_mean():
    method = make_method("mae", None, SIZE, least_crop=1.0).eval()
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (COUNT, 3, SIZE, SIZE), dtype=np.uint8))
    seen = []
    method.encoder.network.patch_embed.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    loss = method.loss(Frames(images, torch.arange(COUNT)), Step(0.5, rng(3)))["loss"].item()
    views = (seen[0] * 0.225 + 0.45).numpy()
    repeated = rng(3)  # the order of patches is the last draw of the step: repeat those before it
    random_resized_crop(images, repeated, SIZE, (1.0, 1.0))
    visible, masked = method.random_masking(COUNT, repeated)
    told = method.reconstruct(torch.from_numpy(views), visible, masked).detach().numpy()
    errors = []
    for b in range(COUNT):
        for place, number in enumerate(masked[b].tolist()):
            row, column = divmod(number, 8)
            patch = views[b, :, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8].ravel()
            truth = (patch - patch.mean()) / np.sqrt(patch.var(ddof=1) + 1e-6)
            errors.append(np.square(told[b, place] - truth).mean())
    assert loss == pytest.approx(np.mean(errors), rel=1e-3)


def test_a_perfect_answer_gives_the_picture_back():
    method = make_method("mae", None, SIZE).eval()
    images = torch.rand(COUNT, 3, SIZE, SIZE)
    targets = method.targets(images)
    method.reconstruct = lambda images, visible, masked: targets.gather(1, masked[..., None].expand(-1, -1, 192))
    masked, whole = method.visualize(images, rng())
    torch.testing.assert_close(whole, images, rtol=0, atol=1e-3)
    grey = (masked == 0.5).all(1).float().mean()
    assert grey == pytest.approx(0.75, abs=0.01)


@pytest.mark.parametrize("class_token", [True, False])
def test_the_decoder_sees_the_class_token_where_it_is_asked_to(class_token):
    method = make_method("mae", None, SIZE, class_token=class_token).eval()
    images, (visible, masked) = torch.rand(2, 3, SIZE, SIZE), method.random_masking(2, rng())
    lengths, grown = [], []
    method.decoder[0].register_forward_pre_hook(lambda module, inputs: lengths.append(inputs[0].shape[1]))
    encoded = method.encoder.visible_tokens
    method.encoder.visible_tokens = lambda *given: grown.append(encoded(*given).detach().requires_grad_()) or grown[0]
    told = method.reconstruct(images, visible, masked)
    told.sum().backward()
    assert lengths == [64 + class_token]
    assert told.shape == (2, 48, 192)
    assert grown[0].grad[:, 0].any() == class_token
    assert grown[0].grad[:, 1:].any()


def test_only_a_transformer_can_leave_patches_out():
    with pytest.raises(DataError, match="take --encoder vit_tiny"):
        make_method("mae", "conv4", SIZE)
    with pytest.raises(DataError, match="nothing is left"):
        make_method("mae", None, SIZE, mask_ratio=0.995)
