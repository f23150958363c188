"""Where the simulator is not installed, as on platforms without PyBullet's wheels, all but simulating works."""

import subprocess
import sys

import cv2
import numpy as np
import pytest

HIDDEN = """
import sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("pybullet", "pybullet_data", "numba", "llvmlite", "trimesh"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Hidden())
from importlib import util
found = util.find_spec
util.find_spec = lambda name, *more: None if name in ("pybullet", "numba", "trimesh") else found(name, *more)
"""
READS = """
from embodied_ssl.cli.main import main
from embodied_ssl.datasets.read.readers import Dataset

data, folder, images = sys.argv[1:]
dataset = Dataset.open(data)
assert dataset.frames[[0, 3]]["rgb"].shape == (2, 24, 24, 3)
settings = ["--encoder", "conv4", "--image_size", "24", "--batch_size", "8", "--steps", "2", "--device", "cpu"]
for command in (
    ["methods"], ["encoders"], ["check", data], ["view", data, "--out", folder + "/page.html"],
    ["train", "equivariance", "--pairs", data, "--out", folder + "/pairs", *settings],
    ["train", "rotation", "--frames", images, "--out", folder + "/rotation", *settings],
    ["evaluate", folder + "/pairs", "--on", images, "--protocol", "knn", "--out", folder + "/measured"],
):
    assert main(command) == 0, command
"""
SIMULATES = """
import gymnasium
from embodied_ssl.cli.main import main
from embodied_ssl.datasets.collect.collection import collect
from embodied_ssl.datasets.errors import DataError

out = sys.argv[1]
for command in (["collect", "roam", "--out", out], ["collect", "grasp", "--help"], ["envs"], ["demo", "--out", out]):
    assert main(command) == 2, command
try:
    collect("poke", out, 1)
except DataError as error:
    print(error, file=sys.stderr)
try:
    gymnasium.make("embodied_ssl/Roam-v0")
except ModuleNotFoundError as error:
    print(error, file=sys.stderr)
"""


def run(code, *arguments):
    command = [sys.executable, "-W", "error::ImportWarning", "-c", HIDDEN + code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture
def pictures(tmp_path):
    """24 images of each of two classes: a light above, or below."""
    rng = np.random.default_rng(0)
    for name, half in (("above", slice(0, 12)), ("below", slice(12, 24))):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for number in range(24):
            picture = rng.integers(0, 100, (24, 24, 3), np.uint8)
            picture[half] += 100
            cv2.imwrite(str(tmp_path / "pictures" / name / f"{number}.png"), picture)
    return tmp_path / "pictures"


def test_reads_trains_and_evaluates_without_a_simulator(data, tmp_path, pictures):
    done = run(READS, data["roam"], tmp_path, pictures)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "measured" / "report.html").is_file()


def test_simulating_without_a_simulator_says_how_to_have_it(tmp_path):
    done = run(SIMULATES, tmp_path / "new")
    assert done.returncode == 0, done.stderr
    said = [line for line in done.stderr.splitlines() if "pip install 'embodied-ssl[sim]'" in line]
    assert len(said) == 6, done.stderr
    assert all("pybullet" in line for line in said)
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "new").exists()
