"""Every command that a page or the help shows is one, with options that exist and values of their types."""

import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest

from embodied_ssl.cli.main import COMMANDS, EXAMPLES
from embodied_ssl.datasets.kinds import collected_kinds
from embodied_ssl.methods import method_names

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def parser_of(name, *subject):
    make = getattr(import_module(f"embodied_ssl.cli.{COMMANDS[name].module}"), f"{name}_parser")
    return make(*subject)


def understood(line):
    """Read a command as it would be, and do nothing."""
    name, *rest = shlex.split(line.partition(" > ")[0], comments=True)[1:]
    subject, given = ((rest[0], rest[1:]), rest[1:]) if COMMANDS[name].what else ((), rest)
    parser = parser_of(name, *subject)
    if not {"--help", "--print_config", "--config"} & {*given}:
        parser.values(given)


def shown():
    """Commands in blocks of pages; those with plugins are run by tests of examples and of CONTRIBUTING.md."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        text = re.sub(
            r"^srun (torchrun .* -m embodied_ssl\.cli|embodied-ssl)", "embodied-ssl", text, flags=re.MULTILINE
        )
        text = re.sub(r"\$SLURM_\w+", "3", text)  # numbers, all of them
        for line in re.findall(r"^(embodied-ssl \w+ .*)$", text, re.MULTILINE):
            if "--plugin" not in line:
                yield pytest.param(line, id=f"{page.name}: {line[:60]}")


@pytest.mark.simulator
@pytest.mark.parametrize("line", [*shown(), *EXAMPLES])
def test_commands_on_pages_are_understood(line):
    understood(line)


CALLS = [
    *(("train", name, []) for name in method_names()),
    *(("collect", kind, []) for kind in collected_kinds()),
    *((name,) for name, command in COMMANDS.items() if not command.what),
]


@pytest.mark.simulator
@pytest.mark.parametrize("call", CALLS, ids=lambda call: " ".join(call[:2]))
def test_examples_of_the_help_are_understood(call):
    parser = parser_of(*call)
    _, *lines = parser.epilog.splitlines()
    assert lines
    for line in lines:
        given = shlex.split(line.partition(" > ")[0])[len(parser.called.split()) :]
        if not {"--config", "--print_config", "--plugin"} & {*given}:
            parser.values(given)
