"""Encoders: one interface, whatever is inside."""

import re
import urllib.error

import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file

from embodied_ssl.datasets.collect.collection import collect
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.encoders import ENCODERS, make_encoder, random_encoder
from embodied_ssl.methods import make_method
from embodied_ssl.training.runs.checkpoint import load_encoder, save_weights
from embodied_ssl.training.settings import Hardware, TrainingSettings
from embodied_ssl.training.train import train

OF_OTHERS = ["timm/resnet10t", "timm/vit_tiny_patch16_224", "torchvision/resnet18", "torchvision/mobilenet_v3_small"]


@pytest.mark.parametrize("name", [*ENCODERS, *OF_OTHERS])
def test_an_encoder_keeps_the_interface(name):
    encoder = random_encoder(name, 64, seed=3).eval()
    images = torch.rand(2, 3, 64, 64, requires_grad=True)
    stages = encoder.stages(images)
    assert {stage: maps.shape[1] for stage, maps in stages.items()} == encoder.channels
    sides = [maps.shape[-1] for maps in stages.values()]
    assert sides == sorted(sides, reverse=True)
    features = encoder(images)
    assert features.shape == (2, encoder.dim)
    torch.testing.assert_close(encoder.pool(stages), features)
    (features * torch.linspace(-1, 1, encoder.dim)).sum().backward()  # of a layer norm the plain sum is constant
    assert images.grad.abs().sum() > 0
    again = random_encoder(name, 64, seed=3).eval()
    torch.testing.assert_close(again(images), features)  # the seed alone decides
    assert make_encoder(**encoder.settings).dim == encoder.dim


def test_tokens_are_the_patches_in_rows():
    encoder = random_encoder("vit_tiny", 32, seed=0).eval()
    images = torch.rand(2, 3, 32, 32)
    tokens = encoder.tokens(images)
    assert tokens.shape == (2, 64, 192)
    torch.testing.assert_close(tokens[:, 10], encoder.stages(images)["block6"][:, :, 1, 2])
    torch.testing.assert_close(tokens.mean(1), encoder(images))


@pytest.mark.parametrize("name", ["vit_tiny", "timm/resnet10t"])
def test_a_trained_encoder_comes_back_as_it_was(name, tmp_path):
    collect("roam", tmp_path / "roam", episodes=2, size=32, length=10, progress=False)
    method = make_method("drlim", name, 32, 0)
    from dataclasses import replace

    recipe, quiet = replace(method.recipe, steps=2, batch_size=4), TrainingSettings(progress=False)
    run = train(method, tmp_path / "run", {"pairs": tmp_path / "roam"}, recipe, quiet, Hardware("cpu"))
    images = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(load_encoder(run).eval()(images), method.encoder.eval()(images))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("conv5", "did you mean 'conv4'"),
        ("timm/resnet18x", "unknown model of timm"),
        ("torchvision/resnet19", "did you mean"),
        pytest.param("timm/qwen3_vit_88m_enc", "no pooled features .*take timm/qwen3_vit_88m$", marks=pytest.mark.slow),
    ],
)
def test_what_is_not_there_is_said(name, message):
    with pytest.raises(DataError, match=message):
        make_encoder(name)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A small network of timm as it is saved by timm's and by others' scripts, with its classifier."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(5)
    network = timm.create_model("test_vit", img_size=64, num_classes=10).eval()
    state = network.state_dict()
    save_file(state, folder / "plain.safetensors")
    torch.save(state, folder / "plain.pth")
    torch.save({"epoch": 3, "state_dict": {f"module.{name}": each for name, each in state.items()}}, folder / "ddp.pth")
    return folder, network


@pytest.mark.parametrize("file", ["plain.safetensors", "plain.pth", "ddp.pth"])
def test_an_encoder_starts_from_a_file_in_the_naming_of_its_library(trained, file):
    folder, network = trained
    encoder = make_encoder("timm/test_vit", 64, folder / file).eval()
    images = torch.rand(2, 3, 64, 64)
    expected = network.forward_head(network.forward_features((images - 0.5) / 0.5), pre_logits=True)
    torch.testing.assert_close(encoder(images), expected)
    assert encoder.init == str(folder / file)
    wider = make_encoder("timm/test_vit", 96, folder / file)  # timm gives the positions more places
    assert wider(torch.rand(1, 3, 96, 96)).isfinite().all()


@pytest.mark.parametrize("name", ["conv4", "split/conv4", "timm/test_vit", "torchvision/mnasnet0_5"])
def test_an_encoder_starts_from_one_of_ours(name, tmp_path):
    first = random_encoder(name, 64, seed=5).eval()
    save_weights(first, tmp_path / "encoder.safetensors")
    images = torch.rand(2, 3, 64, 64)
    for source in (tmp_path, tmp_path / "encoder.safetensors"):
        torch.testing.assert_close(make_encoder(name, 64, source).eval()(images), first(images))


def test_an_encoder_starts_from_a_file_of_torchvision(tmp_path):
    network = torchvision.models.densenet121(num_classes=3)
    state = {re.sub(r"(norm|conv)(\d)\.", r"\1.\2.", name): each for name, each in network.state_dict().items()}
    old = {name: each for name, each in state.items() if "denselayer" in name}  # as the published file has them
    rest = {name: each for name, each in network.state_dict().items() if "denselayer" not in name}
    assert len(old) + len(rest) == len(state)
    torch.save(old | rest, tmp_path / "densenet.pth")
    encoder = make_encoder("torchvision/densenet121", 64, tmp_path / "densenet.pth")
    for name, tensor in encoder.network.state_dict().items():
        assert torch.equal(tensor, network.state_dict()[name]), name


class Bomb:
    def __reduce__(self):
        return print, ("code of a file was executed",)


def test_weights_that_do_not_fit_are_refused(trained, tmp_path, capsys):
    folder, network = trained
    torch.save({"weights": Bomb()}, tmp_path / "bomb.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    (tmp_path / "cut.safetensors").write_bytes((folder / "plain.safetensors").read_bytes()[:1000])
    state = network.state_dict()
    del state["blocks.0.attn.qkv.weight"]
    save_file(state, tmp_path / "lacks.safetensors")
    save_file(network.state_dict() | {"more": torch.zeros(2)}, tmp_path / "more.safetensors")
    for name, file, message in [
        ("timm/test_vit", tmp_path / "bomb.pth", "damaged, or no file of weights"),
        ("timm/test_vit", tmp_path / "list.pth", "something else than tensors"),
        ("timm/test_vit", tmp_path / "cut.safetensors", "damaged, or no file of weights"),
        ("timm/test_vit", tmp_path / "lacks.safetensors", r"1 of \d+ tensors .*blocks.0.attn.qkv.weight"),
        ("timm/test_vit", tmp_path / "more.safetensors", r"0 of \d+ tensors .*more"),
        ("timm/test_vit", tmp_path / "absent.pth", "no weights there; give `pretrained`"),
        ("timm/test_vit", tmp_path, "no weights there"),
        ("timm/test_vit2", folder / "plain.pth", "weights of another network than timm/test_vit2"),
        ("conv4", folder / "plain.pth", "weights of another network than conv4"),
        ("conv4", "pretrained", "conv4 has no pretrained weights"),
    ]:
        with pytest.raises(DataError, match=message):
            make_encoder(name, 64, file)
    assert "executed" not in capsys.readouterr().out


def test_pretrained_weights_that_cannot_be_had_are_told_of(monkeypatch, tmp_path):
    """Whatever the library of the download raises; the home of both is empty, and there is no network."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("torch.hub.load_state_dict_from_url", unreachable)
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", unreachable)
    for name in ("timm/test_resnet", "torchvision/mnasnet0_5"):
        with pytest.raises(DataError, match=r"can't be downloaded here .*give --init FILE, or leave out --init"):
            make_encoder(name, 64, "pretrained")
    with pytest.raises(DataError, match="timm has no weights for it; take timm/"):
        make_encoder("timm/test_vit_relpos", 64, "pretrained")


def unreachable(*args, **kwargs):
    raise urllib.error.URLError("no name service")


def test_a_size_that_is_not_taken_is_told_of():
    with pytest.raises(DataError, match=r"takes no images of 60 px .*--image_size 160, which it is made for"):
        make_encoder("timm/test_vit", 60)
    with pytest.raises(DataError, match=r"takes no images of 60 px .*--image_size 224, which it is made for"):
        make_encoder("torchvision/vit_b_32", 60)


def test_attention_is_that_of_the_last_block():
    encoder = random_encoder("vit_tiny_cls", 32, seed=0).eval()
    images = torch.rand(2, 3, 32, 48)
    mixer = encoder.network.blocks[-1].attn
    mixer.fused_attn, seen = False, []
    mixer.attn_drop.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    encoder(images)
    shares = encoder.attention(images)
    assert shares.shape == (2, 3, 8, 12)
    torch.testing.assert_close(shares.flatten(2), seen[0][:, :, 0, 1:])


def test_a_transformer_names_the_sizes_that_it_takes():
    with pytest.raises(DataError, match="vit_tiny: 60 px; give a multiple of 8"):
        make_encoder("vit_tiny", 60)
