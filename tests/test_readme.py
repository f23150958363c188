"""The README and the guides are a path: their commands and their Python run from top to bottom, page after page.

They run as they stand, made small by one rule: counts of episodes and pixels are cut, one process does the work,
every method's recipe has two updates, and what is measured of every pixel is measured on few pictures. Lines that
install or make (`pip`, `make`) are left out.
"""

import re
import shlex
from dataclasses import fields, replace
from pathlib import Path

import pytest

from embodied_ssl.cli.main import main
from embodied_ssl.evaluation.protocols import protocol_class
from embodied_ssl.methods import method_class, method_names

ROOT = Path(__file__).parent.parent
PATHS = [[ROOT / "README.md"], [ROOT / f"docs/guide/{name}.md" for name in ("collect", "learn", "measure")]]
WRITTEN = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LARGEST = {"episodes": 12, "size": 24, "image_size": 32, "workers": 1, "steps": 2, "seeds": 1, "batch_size": 16}
NUMBER = re.compile(rf"\b({'|'.join(LARGEST)})([ =])(\d+)")


def blocks(page):
    """Language and text of each fenced block of commands or Python."""
    return re.findall(r"^```(sh|python)\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def small(text):
    return NUMBER.sub(lambda found: f"{found[1]}{found[2]}{min(LARGEST[found[1]], int(found[3]))}", text)


def commands(text):
    """The commands of a block, as lists of arguments, without those that install or make."""
    lines = text.replace("\\\n", " ").splitlines()
    found = [shlex.split(small(line), comments=True) for line in lines]
    return [words for words in found if words and words[0] not in ("make", "pip")]


def fewer(arguments):
    """What makes a command small that its words do not say."""
    if arguments[0] == "compare":
        return ["--steps", "2", "--seeds", "1", "--protocol", "knn"]
    if "--protocol" not in arguments:
        return []
    named = arguments[arguments.index("--protocol") + 1].split(",")
    pictured = [name for name in named if "pictures" in {field.name for field in fields(protocol_class(name))}]
    return [f"--{name}.pictures=30" for name in pictured]


def exit_code(arguments):
    try:
        return main(arguments)
    except SystemExit as stop:  # of --help
        return stop.code


@pytest.mark.slow
@pytest.mark.simulator
@pytest.mark.parametrize("pages", PATHS, ids=["readme", "guides"])
def test_the_readme_and_the_guides_run_from_top_to_bottom(tmp_path, monkeypatch, pages):
    monkeypatch.chdir(tmp_path)
    for name in method_names():
        kind = method_class(name)
        monkeypatch.setattr(kind, "recipe", replace(kind.recipe, steps=2, batch_size=16))
    for page in pages:
        names = {}
        for language, text in blocks(page):
            if language == "python":
                exec(compile(small(text), str(page), "exec"), names)
                continue
            for program, *arguments in commands(text):
                assert program == "embodied-ssl", f"{page.name} runs {program}, which this test does not know"
                assert exit_code([*arguments, *fewer(arguments)]) == 0, arguments


def test_the_readme_names_no_file_that_is_not_there():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (ROOT / target).is_file(), target


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: page.name)
def test_pages_name_no_test_and_no_benchmark_that_is_not_there(page):
    text = page.read_text(encoding="utf-8")
    for file in re.findall(r"`python (benchmarks/\w+\.py)", text):
        assert (ROOT / file).is_file(), file
    for file, name in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text):
        assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8"), f"{file}::{name}"
