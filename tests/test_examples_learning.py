"""A method, an encoder and a protocol from outside the package, by the command line as whoever wrote them would."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from embodied_ssl import plugins
from embodied_ssl.evaluation.results import read_results
from embodied_ssl.methods import make_method

ROOT = Path(__file__).parent.parent
SMALL = ["--image_size", "32", "--steps", "3", "--batch_size", "8", "--device", "cpu", "--progress", "false"]


DRIVER = """
import os, sys, json
from embodied_ssl import plugins
from embodied_ssl.cli.main import main
if __name__ == "__main__":
    for command in json.loads(sys.argv[1]):
        os.environ.pop(plugins.VARIABLE, None)  # each command stands alone
        code = main(command)
        print("", code, end=chr(0), flush=True)
        print("", end=chr(0), file=sys.stderr, flush=True)
"""


def run(*commands):
    """Exit code, output and messages of `embodied-ssl COMMAND` for each, from the folder of the examples.

    They share a process, which begins with nothing but what is installed.
    """
    told = json.dumps([[str(each) for each in command] for command in commands])
    environment = {name: value for name, value in os.environ.items() if name != plugins.VARIABLE}
    asked = [sys.executable, "-c", DRIVER, told]
    done = subprocess.run(asked, capture_output=True, text=True, cwd=ROOT, env=environment)
    assert done.returncode == 0, done.stderr
    out, errors = done.stdout.split(chr(0)), done.stderr.split(chr(0))
    found = [(int(text.rsplit(" ", 1)[1]), text, error) for text, error in zip(out[:-1], errors[:-1], strict=True)]
    assert len(found) == len(commands), done.stderr
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Images of stripes in noise, whose width and colour are an object's and whose direction is the class."""
    where, rng = tmp_path_factory.mktemp("stripes"), np.random.default_rng(0)
    for i in range(60):
        wave = 40.0 * np.sign(np.sin(np.arange(32) / (1 + rng.random()) + 6 * rng.random()))
        pattern = wave[:, None] if i % 2 else wave[None]
        image = 128 + pattern[..., None] * rng.uniform(0.3, 1, 3) + rng.normal(0, 30, (32, 32, 3))
        (where / f"class{i % 2}").mkdir(exist_ok=True)
        Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(where / f"class{i % 2}" / f"{i}.png")
    return where


def test_tico_is_trained_measured_loaded_again_and_compared(folder, tmp_path):
    tico, one, compared = ["--plugin", "examples.tico"], tmp_path / "tico-0", tmp_path / "compared"
    measured = ["evaluate", one, "--on", folder, "--protocol", "knn", "--device", "cpu", "--progress", "false"]
    rows = ["tico", "examples.tico:TiCo --method.momentum 0.9", "rotation"]
    data = ["--data", folder, "--on", folder, "--seeds", "1", "--labels", "false", "--protocol", "knn"]
    found = run(
        ["train", "tico", *tico, "--frames", folder, "--out", one, "--method.momentum", "0.9", *SMALL],
        [*measured, *tico, "--out", tmp_path / "measured"],
        [*measured, "--out", tmp_path / "other"],
        ["compare", *rows, *tico, *data, "--out", compared, *SMALL],
    )
    assert [code for code, _, _ in found] == [0, 0, 2, 0], found
    told = json.loads((one / "run.json").read_text())
    assert (told["method"], told["settings"]["momentum"]) == ("tico", 0.9)
    assert {each.row for each in read_results(tmp_path / "measured" / "results.json")} > {"tico", "random conv4"}
    # Its encoder is one of ours; the page needs the method as well, and says so.
    assert "its tico is code from outside" in found[2][2]
    assert "give --plugin examples.tico:TiCo" in found[2][2]
    measured_rows = {each.row for each in read_results(compared / "results.json")}
    assert {"tico", "rotation"} < measured_rows
    assert len([row for row in measured_rows if "tico" in row.lower()]) == 2
    assert (compared / "report.html").is_file()


def test_the_target_of_tico_follows_and_gets_no_gradient():
    made = plugins.member("examples.tico:TiCo")(make_method("rotation", "conv4", 32).encoder)
    before = [each.clone() for each in made.target.parameters()]
    with torch.no_grad():
        for each in made.online.parameters():
            each.add_(1)
    from embodied_ssl.method import Step

    made.after_step(Step(0.0, torch.Generator()))
    for old, new in zip(before, made.target.parameters(), strict=True):
        torch.testing.assert_close(new, old + 0.01)
        assert not new.requires_grad
    made.after_step(Step(1.0, torch.Generator()))  # at the end it stands still
    for old, new in zip(before, made.target.parameters(), strict=True):
        torch.testing.assert_close(new, old + 0.01)


def test_an_own_module_is_an_encoder(folder, tmp_path):
    one, own = tmp_path / "mixer-0", "examples.own_encoder"
    measured = ["evaluate", one, "--on", folder, "--protocol", "knn,stage_probe", "--device", "cpu"]
    trained, refused, tables, listed = run(
        ["train", "simclr", "--encoder", f"{own}:Mixer", "--frames", folder, "--out", one, *SMALL],
        measured,
        [*measured, "--plugin", own, "--progress", "false"],
        ["encoders", "--plugin", own],
    )
    assert [trained[0], refused[0], tables[0], listed[0]] == [0, 2, 0, 0], (trained, tables)
    told = json.loads((one / "run.json").read_text())
    assert told["encoder"]["name"] == "mixer"
    assert "examples.own_encoder:mixing" in told["code"]
    assert "its mixer is code from outside (examples.own_encoder:Mixer)" in refused[2]
    assert "random mixer" in tables[1]
    assert "An MLP-Mixer of 4 blocks" in listed[1]


def test_the_numbers_of_an_own_protocol_come_into_table_file_and_page(folder, tmp_path):
    one, out, own = tmp_path / "rotation-0", tmp_path / "measured", ["--plugin", "examples.own_protocol"]
    trained, tables, listed = run(
        ["train", "rotation", "--frames", folder, "--out", one, *SMALL],
        ["evaluate", one, "--on", folder, "--device", "cpu", "--progress", "false", *own,
         "--protocol", "geometry", "knn", "--power", "1", "--out", out],
        ["protocols", *own],
    )  # fmt: skip
    assert [trained[0], tables[0], listed[0]] == [0, 0, 0], (trained, tables)
    results = [each for each in read_results(out / "results.json") if each.protocol == "geometry"]
    assert {each.metric for each in results} == {"alignment", "uniformity"}
    assert all(each.settings["power"] == 1.0 and each.lower_is_better for each in results)
    with (out / "results.csv").open() as file:
        in_file = [row["metric"] for row in csv.DictReader(file) if row["protocol"] == "geometry"]
    assert len(in_file) == len(results)
    page = (out / "report.html").read_text()
    for each in results:
        shown = f"{each.value:.3f}".replace("-", "−")
        assert shown in tables[1]
        assert shown in page
    assert "alignment ↓" in page
    assert "Wang" in listed[1]


def test_alignment_and_uniformity_are_those_of_their_closed_forms():
    """Features of an object alike: perfect alignment. Points on a circle: uniformity by Bessel's function I_0."""
    from scipy.special import ive

    from embodied_ssl.datasets.images.sources import ImageSet
    from embodied_ssl.evaluation.features import Pixels
    from embodied_ssl.evaluation.protocol import EncodedSet

    count = 1000
    angle = np.arange(count) * 2 * np.pi / count
    features = np.repeat(np.stack([np.cos(angle), np.sin(angle)], 1), 2, axis=0).astype("f4") * 3
    group = np.repeat(np.arange(count), 2)
    images = np.zeros((2 * count, 1, 1, 3), np.uint8)
    given = ImageSet("circle", images, group % 2, ("a", "b"), group, np.full(2 * count, ""), "0")
    protocol = plugins.member("examples.own_protocol:Geometry")()
    aligned, uniform = protocol.measure(EncodedSet(images=given, features_of=lambda rows: features, encoder=Pixels()))
    assert aligned.value == pytest.approx(0, abs=1e-6)
    # E exp(−t(2 − 2 cos θ)) over the circle is exp(−2t) I_0(2t)
    assert uniform.value == pytest.approx(float(np.log(ive(0, 4.0))), abs=2e-3)
