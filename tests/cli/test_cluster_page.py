"""The page on clusters: every command on it is one, with options that exist and what they are given."""

import re
import shlex
from pathlib import Path

import pytest

from embodied_ssl.cli.learning import evaluate_parser, train_parser

PAGE = (Path(__file__).parents[2] / "docs" / "cluster.md").read_text(encoding="utf-8")


def commands():
    """The commands of the page from their names on; variables of SLURM are numbers."""
    for block in re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE):
        for line in block.replace("\\\n", " ").splitlines():
            found = re.search(r"(?:embodied-ssl|-m embodied_ssl\.cli) (.*)", line)
            if found:
                yield shlex.split(re.sub(r"\$SLURM_\w+", "3", found[1]))


@pytest.mark.parametrize("command", list(commands()), ids=" ".join)
def test_every_command_is_understood(command):
    if command[0] == "train":
        given = train_parser(command[1], command[2:]).values(command[2:])
        assert given["data"]["frames"] == ["data/roam"]
        assert given["optimizer"]["batch_size"] % (given["hardware"]["nodes"] * given["hardware"]["devices"]) == 0
    else:
        assert command[0] == "evaluate"
        assert len(evaluate_parser().values(command[1:])["runs"]) == 3


def test_every_option_in_the_text_is_one_of_training_or_of_slurm():
    ours = re.findall(r"option_strings=\['(--[\w.-]+)'", repr(train_parser("simclr", [])._actions))
    ours = {f"--{option.rpartition('.')[2].lstrip('-')}" for option in ours}
    slurm = {"--requeue", "--signal", "--ntasks-per-node", "--pty"}
    text = re.sub(r"^```sh\n.*?^```", "", PAGE, flags=re.DOTALL | re.MULTILINE)
    named = set(re.findall(r"(--[a-z_-]+)", text))
    assert len(named & ours) > 5
    assert named <= ours | slurm
