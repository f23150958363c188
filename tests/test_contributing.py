"""CONTRIBUTING.md does what it says: its files are written, and its commands run, in the order of the page."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from embodied_ssl import plugins
from embodied_ssl.evaluation.results import read_results

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "CONTRIBUTING.md").read_text()
SET_UP, *REST = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.slow
@pytest.mark.simulator
def test_the_blocks_of_the_page_run_in_an_empty_folder(tmp_path):
    """All commands in one process after the other: each finds what those before it have left."""
    environment = {name: value for name, value in os.environ.items() if name != plugins.VARIABLE}
    commands = []
    for language, text in REST:
        if language == "python":
            name = text.partition("\n")[0].removeprefix("# ")
            (tmp_path / name).write_text(text)
        else:
            commands += [shlex.split(line)[1:] for line in text.splitlines() if line.startswith("embodied-ssl ")]
    assert len(commands) == 6
    code = f"""
from embodied_ssl.cli.main import main
if __name__ == "__main__":
    for command in {commands!r}:
        assert main(command) == 0, command
"""
    (tmp_path / "all.py").write_text(code)
    done = subprocess.run([sys.executable, "all.py"], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (value,) = {each.value for each in read_results(tmp_path / "measured" / "results.json") if each.row == "mine"}
    assert 1 <= value <= 256
    assert (tmp_path / "data" / "nudge.html").is_file() or list((tmp_path / "data").rglob("*.html"))


def test_each_block_of_code_is_short():
    for language, text in REST:
        lines = [line for line in text.splitlines() if line.strip() and not line.startswith(("from", "import", "#"))]
        assert language == "sh" or len(lines) <= 12, text


def test_what_setting_up_names_is_there():
    assert SET_UP[0] == "sh"
    for target in re.search(r"^make (\w+(?: \w+)*)$", SET_UP[1], re.MULTILINE)[1].split() + ["test"]:
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE), target
    assert '"dev": [' in (ROOT / "setup.py").read_text()
    assert (ROOT / ".pre-commit-config.yaml").is_file()
    for folder in ("embodied_ssl/methods", "embodied_ssl/evaluation/protocols", "datasets/kinds", "tests/methods"):
        assert f"`{folder}/`" in PAGE or folder in PAGE
        assert (ROOT / folder).is_dir()
