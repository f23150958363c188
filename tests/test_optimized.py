"""`python -OO` drops docstrings and assertions: the same commands work, and data are the same bytes."""

import json
import subprocess
import sys

import pytest

from embodied_ssl.datasets.collect.collection import collect

COMMANDS = """
import sys
from embodied_ssl.cli.main import main

assert False, "assertions are not dropped"
out = sys.argv[1]
for command in (["--help"], ["methods"], ["encoders"], ["envs"], ["train", "joint", "--help"], ["evaluate", "--help"],
                ["compare", "--help"], ["demo", "--help"], ["collect", "roam", "--help"],
                ["collect", "orbit", "--out", out, "--episodes", "2", "--size", "16", "--length", "4", "--instance"],
                ["check", out],
                ["train", "rotation", "--frames", out, "--out", out + "-run", "--steps", "1", "--batch_size", "4",
                 "--image_size", "16", "--device", "cpu"]):
    try:
        code = main(command)
    except SystemExit as stop:
        code = stop.code
    if code:
        sys.exit(f"{command} ended with {code}")
"""


@pytest.mark.slow
def test_every_command_works_without_docstrings_and_assertions(tmp_path):
    out = tmp_path / "orbit"
    done = subprocess.run([sys.executable, "-OO", "-c", COMMANDS, str(out)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    collect("orbit", tmp_path / "usual", 2, size=16, length=4, instance=True, progress=False)
    hashes = [json.loads((root / "dataset.json").read_text())["shards"] for root in (out, tmp_path / "usual")]
    assert hashes[0] == hashes[1]
