"""Encoders that studies have learned, in the package: `load_encoder("zoo/NAME")`.

NAME.safetensors    the encoder's tensors
NAME.json           its card: command, settings, data with the hashes of their shards, scores
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embodied_ssl.datasets.errors import unknown_name

if TYPE_CHECKING:
    from embodied_ssl.encoders import Encoder

PREFIX = "zoo/"
FOLDER = Path(__file__).parent
MOST_BYTES = 8_000_000
"""Of all weights together."""


def zoo_names() -> list[str]:
    """The names of all encoders that are there, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.safetensors"))


def is_of_zoo(path: Path | str) -> bool:
    """Whether a name is meant, `zoo/NAME`, and no folder of one's own."""
    return str(path).startswith(PREFIX) and not Path(path).exists()


def zoo_card(name: str) -> dict[str, Any]:
    """What is known of an encoder. Raises DataError for an unknown one."""
    return dict(json.loads(weights_of(name).with_suffix(".json").read_text(encoding="utf-8")))


def weights_of(name: str) -> Path:
    """The file of an encoder's tensors, of its name with `zoo/` or without. Raises DataError for an unknown one."""
    plain = name.removeprefix(PREFIX)
    if plain not in zoo_names():
        raise unknown_name("encoder of the zoo", plain, zoo_names())
    return FOLDER / f"{plain}.safetensors"


def load_from_zoo(name: str) -> "Encoder":
    """An encoder in evaluation mode. Raises DataError for an unknown one."""
    from embodied_ssl.encoders import make_encoder
    from embodied_ssl.training.runs.checkpoint import load_weights

    encoder = make_encoder(**zoo_card(name)["run"]["encoder"])
    load_weights(encoder, weights_of(name))
    return encoder.eval()
