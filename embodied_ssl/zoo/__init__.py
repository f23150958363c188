"""Encoders that studies have learned, in the package: wherever a run is named, `zoo/NAME` names one of them.

Each is the folder of a run without the heads of its method:

NAME/run.json               what was asked for
NAME/encoder.safetensors    the encoder's tensors
NAME/samples.npy            digests of all images that it has learned from
NAME/card.json              the study, command, data with the hashes of their shards, scores
"""

import json
from pathlib import Path
from typing import Any

from embodied_ssl.datasets.errors import unknown_name

PREFIX = "zoo/"
CARD = "card.json"
FOLDER = Path(__file__).parent
MOST_BYTES = 10_000_000
"""Of all that is there."""


def zoo_names() -> list[str]:
    """The names of all encoders that are there, sorted."""
    return sorted(path.parent.name for path in FOLDER.glob(f"*/{CARD}"))


def is_of_zoo(run: Path | str) -> bool:
    """Whether a name is meant, `zoo/NAME`, and no folder of one's own."""
    return str(run).startswith(PREFIX) and not Path(run).exists()


def run_folder(run: Path | str) -> Path:
    """The directory of a run, or of an encoder of the zoo. Raises DataError for an unknown one."""
    if not is_of_zoo(run):
        return Path(run).expanduser()
    name = str(run).removeprefix(PREFIX)
    if name not in zoo_names():
        raise unknown_name("encoder of the zoo", name, zoo_names())
    return FOLDER / name


def zoo_card(run: Path | str) -> dict[str, Any]:
    """What is known of `zoo/NAME`, beside what its run was asked for. Raises DataError for an unknown one."""
    return dict(json.loads((run_folder(run) / CARD).read_text(encoding="utf-8")))
