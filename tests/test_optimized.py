"""`python -OO` drops docstrings and assertions: the same commands work, and data are the same bytes.

The package alone is compiled so; to compile all that it imports would take longer than the commands.
"""

import json
import subprocess
import sys

import pytest

from embodied_ssl.datasets.collect.collection import collect

COMMANDS = """
import sys
from importlib.machinery import SourceFileLoader

usual = SourceFileLoader.get_code


def get_code(loader, name):
    if name.partition(".")[0] != "embodied_ssl":
        return usual(loader, name)
    return compile(loader.get_data(loader.path), loader.path, "exec", dont_inherit=True, optimize=2)


SourceFileLoader.get_code = get_code

from embodied_ssl.cli.main import main

assert main.__doc__ is None, "docstrings are not dropped"
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
    done = subprocess.run([sys.executable, "-c", COMMANDS, str(out)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    collect("orbit", tmp_path / "usual", 2, size=16, length=4, instance=True, progress=False)
    hashes = [json.loads((root / "dataset.json").read_text())["shards"] for root in (out, tmp_path / "usual")]
    assert hashes[0] == hashes[1]
