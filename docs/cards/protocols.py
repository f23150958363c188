"""What encoders are measured by: the protocols, from their docstrings, and their settings."""

import inspect
from dataclasses import fields

from cards.markdown import code, settings
from embodied_ssl.evaluation.protocols import protocol_class, protocol_names, usual_protocols
from embodied_ssl.evaluation.settings import Settings


def pages() -> dict[str, str | bytes]:
    """The page of protocols."""
    usual = usual_protocols()
    names = [*usual, *(name for name in protocol_names() if name not in usual)]
    return {"protocols.md": "\n\n".join([_INDEX, *map(_section, names), "## Settings of all", settings(Settings)])}


_INDEX = """# Protocols

What an encoder has learned is measured on images that it has not seen: other rooms, other objects. Every number comes
with its row, set, seed and settings, how many images were trained, validated and tested on, and which share of these
the run has learned from. Beside each run stand the rows `raw pixels` and `random`, the same encoder before any
training.

```sh
embodied-ssl evaluate runs/rotation-0 --on held_out/roam --protocol knn,retrieval --out measured
```"""


def _section(name: str) -> str:
    kind = protocol_class(name)
    of = "" if kind.usual else "By name only, since it takes long."
    better = "Lower is better." if kind.lower_is_better else ""
    own = settings(kind) if fields(kind) else ""
    about = inspect.cleandoc(kind.__doc__ or "")
    return "\n\n".join(each for each in (f"## {code(name)}", of, about, better, own) if each)
