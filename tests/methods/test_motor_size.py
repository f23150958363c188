"""Methods take motions of any length: each that reads any learns on hold, whose bodies have five motor signals."""

import numpy as np
import pytest
import torch

from embodied_ssl.cli.main import main
from embodied_ssl.data import open_streams
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.read.batches import Clips, FramePairs
from embodied_ssl.method import Step, input_streams_of
from embodied_ssl.methods import make_method, method_class, method_names
from embodied_ssl.training.runs.checkpoint import load_method, read_configuration

MOVING = {
    name: stream
    for name in method_names()
    for stream, spec in input_streams_of(method_class(name)).items()
    if spec.batch in (FramePairs, Clips)
}
OPTIONS = {  # such as the small set of these tests needs: three frames of a scene, and what makes motions count
    "equivariance": ["--motions", "2"],
    "temporal_order": ["--sample_by", "ego", "--spacing", "1"],
}
PLAIN = {"ibot": "vit_tiny"}  # what takes patches
LENGTHS = {"roam": 2, "orbit": 2, "hold": 5}


@pytest.fixture(scope="module")
def held(tmp_path_factory):
    """Two scenes of eight frames: long enough for windows of five."""
    out = tmp_path_factory.mktemp("held") / "hold"
    settings = ["--size", "24", "--length", "16", "--visits", "2", "--categories", "mug", "--instances", "0,2"]
    assert main(["collect", "hold", "--out", str(out), "--episodes", "3", *settings]) == 0
    return out


def options_of(name):
    body = ["--source", "body"] if hasattr(make_method(name, None, 32, 0), "views") else []
    return [*OPTIONS.get(name, []), *body]


@pytest.mark.parametrize("name", MOVING)
def test_every_method_that_takes_motions_learns_on_hold(name, held, tmp_path):
    run = tmp_path / "run"
    command = ["train", name, f"--{MOVING[name]}", str(held), "--out", str(run), "--steps", "2"]
    encoder = ["--encoder", PLAIN.get(name, "conv4")]
    small = [*encoder, "--batch_size", "8", "--image_size", "32", "--device", "cpu", "--no-progress"]
    assert main([*command, *small, *options_of(name)]) == 0
    settings, method = read_configuration(run)["settings"], load_method(run)
    assert settings.get("motor_size", 5) == 5
    streams = open_streams(method, {MOVING[name]: held})
    batches = {each: stream.batch(np.arange(4), np.random.default_rng(0)).to("cpu") for each, stream in streams.items()}
    assert method.loss(**batches, step=Step(0.5, torch.Generator().manual_seed(0)))["loss"].isfinite()


def test_what_does_not_depend_on_the_motion_begins_alike(data):
    """The encoder of a run on five motor signals has the first weights of one on two."""
    first = {}
    for kind in ("orbit", "hold"):
        method = make_method("egomotion", "conv4", 24, 3)
        method.infer_shapes(open_streams(method, {"pairs": data[kind]}), np.random.default_rng(0))
        first[kind] = {name: value for name, value in method.state_dict().items() if name.startswith("encoder.")}
        assert method.settings()["motor_size"] == LENGTHS[kind]
    assert all(torch.equal(value, first["hold"][name]) for name, value in first["orbit"].items())


def test_a_head_that_is_drawn_anew_follows_from_the_seed_alone(data):
    heads = []
    for disturbed in (0, 1):
        method = make_method("continuous_equivariance", "conv4", 24, 3)
        torch.manual_seed(disturbed)
        before = torch.random.get_rng_state()
        method.infer_shapes(open_streams(method, {"pairs": data["hold"]}), np.random.default_rng(7))
        assert torch.equal(before, torch.random.get_rng_state())
        heads.append(method.mixture[0].weight)
    assert heads[0].shape == (64, 5)
    assert torch.equal(*heads)


def test_another_length_than_the_data_have_is_refused(data):
    method = make_method("view_prediction", "conv4", 24, 0, motor_size=2)
    with pytest.raises(DataError, match=r"motor_size: 2, but a motion of the data has 5 numbers; leave --motor_size"):
        method.infer_shapes(open_streams(method, {"pairs": data["hold"]}), np.random.default_rng(0))
