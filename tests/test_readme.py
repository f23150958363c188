"""The README is a path: its commands and its Python run from top to bottom, each on what those before have made.

They run as they stand, made small by one rule: counts of episodes and pixels are cut, one process does the work, and
every method's recipe has two updates. Lines that install or make (`pip`, `make`) are left out.
"""

import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from embodied_ssl.cli.main import main
from embodied_ssl.methods import method_class, method_names

README = Path(__file__).parent.parent / "README.md"
LARGEST = {"episodes": 12, "size": 24, "image_size": 32, "workers": 1, "steps": 2, "seeds": 1, "batch_size": 16}
NUMBER = re.compile(rf"\b({'|'.join(LARGEST)})([ =])(\d+)")


def blocks():
    """Language and text of each fenced block of commands or Python."""
    return re.findall(r"^```(sh|python)\n(.*?)^```", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def small(text):
    return NUMBER.sub(lambda found: f"{found[1]}{found[2]}{min(LARGEST[found[1]], int(found[3]))}", text)


def commands(text):
    """The commands of a block, as lists of arguments, without those that install or make."""
    lines = text.replace("\\\n", " ").splitlines()
    found = [shlex.split(small(line), comments=True) for line in lines]
    return [words for words in found if words and words[0] not in ("make", "pip")]


def exit_code(arguments):
    try:
        return main(arguments)
    except SystemExit as stop:  # of --help
        return stop.code


@pytest.mark.slow
@pytest.mark.simulator
def test_the_readme_runs_from_top_to_bottom(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in method_names():
        kind = method_class(name)
        monkeypatch.setattr(kind, "recipe", replace(kind.recipe, steps=2, batch_size=16))
    names = {}
    for language, text in blocks():
        if language == "python":
            exec(compile(small(text), str(README), "exec"), names)
            continue
        for program, *arguments in commands(text):
            assert program == "embodied-ssl", f"the README runs {program}, which this test does not know"
            extra = ["--steps", "2", "--seeds", "1"] if arguments[0] == "compare" else []
            assert exit_code([*arguments, *extra]) == 0, arguments


def test_the_readme_names_no_file_that_is_not_there():
    text = README.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)\)|`python (benchmarks/\w+\.py)", text):
        assert (README.parent / "".join(target)).is_file(), target
