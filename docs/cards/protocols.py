"""What encoders are measured by: the protocols, from their docstrings, and their settings."""

import inspect

from cards.markdown import code, settings
from embodied_ssl.evaluation.evaluate import OF_ENCODERS, OF_MOTIONS, PROTOCOLS
from embodied_ssl.evaluation.protocols.equivariance_error import equivariance_error
from embodied_ssl.evaluation.protocols.next_best_view import next_best_view
from embodied_ssl.evaluation.settings import Settings

_BY_MOTION = {"equivariance": equivariance_error, "next_best_view": next_best_view}


def pages() -> dict[str, str | bytes]:
    """The page of protocols."""
    usual = [_section(name, function.__doc__) for name, function in PROTOCOLS.items()]
    usual += [
        _section(name, _BY_MOTION[name].__doc__, f"Of {' and '.join(kinds)} data.")
        for name, (kinds, _) in OF_MOTIONS.items()
    ]
    longer = [
        _section(name, function.__doc__, "By name only, since it takes long.") for name, function in OF_ENCODERS.items()
    ]
    return {"protocols.md": "\n\n".join([_INDEX, *usual, *longer, "## Settings", settings(Settings)])}


_INDEX = """# Protocols

What an encoder has learned is measured on images that it has not seen: other rooms, other objects. Every number comes
with its row, set, seed and settings, how many images were trained, validated and tested on, and which share of these
the run has learned from. Beside each run stand the rows `raw pixels` and `random`, the same encoder before any
training.

```sh
embodied-ssl evaluate runs/rotation-0 --on held_out/roam --protocol knn,retrieval --out measured
```"""


def _section(name: str, docstring: str | None, of: str = "") -> str:
    return "\n\n".join(each for each in (f"## {code(name)}", of, inspect.cleandoc(docstring or "")) if each)
