"""Each export is loaded by the library that it is for, without this package where that can be, and gives the same."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub import ModelCard
from PIL import Image

import embodied_ssl as es
from embodied_ssl.cli.main import main
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.encoders import make_encoder
from embodied_ssl.evaluation.panels import present
from embodied_ssl.exporting.export import CARD
from embodied_ssl.method import Recipe
from embodied_ssl.methods import make_method
from embodied_ssl.training.runs.checkpoint import load_encoder
from embodied_ssl.training.train import train

FORMATS = {
    "conv4": ["onnx", "torch_export", "huggingface"],
    "split/conv4": ["torch_export"],
    "vit_tiny_cls": ["timm", "onnx"],
    "timm/resnet10t": ["huggingface", "torch_export"],
    "timm/vit_tiny_patch16_224": ["timm"],
    "sine/vit_wee_patch16_reg1_gap_256": ["timm"],
    "torchvision/mobilenet_v3_small": ["huggingface"],
}
QUICK = {("conv4", "onnx"), ("conv4", "torch_export"), ("conv4", "huggingface"), ("vit_tiny_cls", "timm")}
CASES = [
    pytest.param(name, each, marks=[] if (name, each) in QUICK else pytest.mark.slow)
    for name, own in FORMATS.items()
    for each in own
]
BY_PACKAGE = [(name, "huggingface") for name in FORMATS if not name.startswith(("vit", "timm"))]


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Labelled images of noise, in class folders."""
    folder, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    for i in range(18):
        (folder / f"class{i % 2}").mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8)).save(folder / f"class{i % 2}" / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def runs(images, tmp_path_factory):
    """A run of each encoder; its batch norms have seen images, so that they are not the identity."""
    folder, found = tmp_path_factory.mktemp("runs"), {}

    def run(name: str) -> Path:
        if name not in found:
            method = make_method("rotation", name, 32)
            out = folder / f"{name.replace('/', '_')}-0"
            found[name] = train(method, out, {"frames": images}, Recipe(steps=2, batch_size=4))
        return found[name]

    return run


@pytest.mark.parametrize(("name", "format"), CASES)
def test_what_is_exported_gives_the_same_in_the_library_that_it_is_for(name, format, runs, tmp_path):
    """By the very code that the card shows, in a process that has no embodied_ssl, but for what needs it."""
    run = runs(name)
    out = es.export(run, tmp_path / "out", format)
    (code,) = re.findall(r"```python\n(.*?)```", (out / CARD).read_text(), re.DOTALL)
    code = code.replace("PATH_OF_THIS_FOLDER", str(out))
    expected = load_encoder(run)
    for count in (1, 5):  # any number of images
        given = torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(count))
        np.save(tmp_path / f"{count}.npy", given.numpy())
        with torch.no_grad():
            np.save(tmp_path / f"{count}-expected.npy", expected(given).numpy())
    hidden = "" if (name, format) in BY_PACKAGE else "import sys; sys.modules['embodied_ssl'] = None\n"
    given = "images" if format == "onnx" else "torch.from_numpy(images)"
    text = f"""{hidden}import numpy as np, torch
torch.set_grad_enabled(False)
for count in (1, 5):
    images = np.load(f"{tmp_path}/{{count}}.npy")
    images = {given}
    {code.strip().replace(chr(10), chr(10) + "    ")}
    expected = np.load(f"{tmp_path}/{{count}}-expected.npy")
    np.testing.assert_allclose(np.asarray(features), expected, rtol=1e-5, atol=1e-5)
"""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    subprocess.run([sys.executable, "-c", text], check=True, cwd=out, env=environment)


def test_the_card_says_what_it_is_and_how_it_came_to_be(runs, images, tmp_path, capsys):
    run = runs("vit_tiny_cls")
    results = es.evaluate([run], [images], ["knn", "retrieval"], device="cpu", progress=False)
    present(tmp_path / "measured", results, [run], {})
    given = ["export", str(run), "--to", "huggingface", "--out", str(tmp_path / "hub"), "--license", "cc-by-4.0"]
    assert main([*given, "--results", str(tmp_path / "measured" / "results.json")]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "hub" / CARD)
    card = ModelCard.load(tmp_path / "hub" / CARD)
    assert (card.data.library_name, card.data.license) == ("timm", "cc-by-4.0")
    told = json.loads((run / "run.json").read_text())
    own = [each for each in results if each.row == "vit_tiny_cls"]
    assert own
    for each in own:
        assert f"| {each.metric} | {each.value:.4g} |" in card.text
    for word in ("Gidaris", "ICLR 2018", told["data"]["frames"]["sha256"][:16], "32 px", "cc-by-4.0", "| seed | 0 |"):
        assert word in card.text
    assert str(images.parent) not in card.text  # where data lie is nobody's business
    others = [each for each in results if each.row != "vit_tiny_cls" and each.value not in {one.value for one in own}]
    assert not [each for each in others if f"| {each.metric} | {each.value:.4g} |" in card.text]


def test_what_a_format_can_not_say_is_refused_before_anything_is_written(runs, tmp_path):
    for name, message in (("conv4", "conv4 is no network of timm"), ("split/conv4", "take --to torch_export")):
        with pytest.raises(DataError, match=message):
            es.export(runs(name), tmp_path / "out", "timm")
        assert not (tmp_path / "out").exists()
    with pytest.raises(DataError, match="unknown format 'onx': did you mean 'onnx'"):
        es.export(runs("conv4"), tmp_path / "out", "onx")
    with pytest.raises(DataError, match="no run of embodied-ssl train"):
        es.export(tmp_path, tmp_path / "out", "onnx")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("years of work")
    with pytest.raises(DataError, match="full: holds something else"):
        es.export(runs("conv4"), tmp_path / "full", "torch_export")
    own = tmp_path / "project"  # which has a README as well
    own.mkdir()
    (own / CARD).write_text("three years of notes, by embodied-ssl")
    with pytest.raises(DataError, match="project: holds something else"):
        es.export(runs("conv4"), own, "torch_export")
    assert [path.name for path in own.iterdir()] == [CARD]
    assert (own / CARD).read_text() == "three years of notes, by embodied-ssl"


def test_an_export_is_whole_or_not_there_and_takes_the_place_of_an_earlier_one(runs, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(DataError, match=r"typo\.json"):
        es.export(runs("conv4"), out, "torch_export", results=[tmp_path / "typo.json"])
    assert not out.exists()
    es.export(runs("conv4"), out, "torch_export")
    card = (out / CARD).read_bytes()
    with pytest.raises(DataError, match=r"typo\.json"):
        es.export(runs("conv4"), out, "torch_export", results=[tmp_path / "typo.json"])
    assert {path.name for path in out.iterdir()} == {CARD, "encoder.pt2"}
    es.export(runs("conv4"), out, "torch_export", license="mit")
    assert (out / CARD).read_bytes() != card
    (out / "thesis.tex").touch()
    with pytest.raises(DataError, match="out: holds something else"):
        es.export(runs("conv4"), out, "torch_export")


@pytest.mark.parametrize("name", [name for name, formats in FORMATS.items() if "timm" in formats])
def test_the_first_weights_of_a_timm_run_can_be_an_export(name, runs, tmp_path):
    """What timm is given has timm's names: it is taken back as any file of timm's."""
    out = es.export(runs(name), tmp_path / "out", "timm")
    again = make_encoder(name, 32, out / "model.safetensors").eval()
    given = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(again(given), load_encoder(runs(name))(given))
