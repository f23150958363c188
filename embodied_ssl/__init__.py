"""Embodied self-supervised learning: bodies in worlds, their data, representations learned from them, their measure.

import embodied_ssl
from embodied_ssl.training.train import train

method = embodied_ssl.make_method("equivariance", "conv4")
train(method, "runs/equivariance-0", {"pairs": "data/roam"})
encoder = embodied_ssl.load_encoder("runs/equivariance-0")  # a plain nn.Module
"""

from importlib import import_module as _import_module
from importlib.util import find_spec as _find_spec
from pathlib import Path as _Path
from typing import Any as _Any

__version__ = "0.1.0"

# In a checkout the subpackages `envs` and `datasets` lie beside this folder, not in it.
if not (_Path(__file__).parent / "envs").is_dir():
    __path__.append(str(_Path(__file__).parent.parent))

if _find_spec("gymnasium") is not None:
    from embodied_ssl.envs import register as _register

    _register()

_LAZY = {
    "make_method": "methods",
    "load_encoder": "training.checkpoint",
}  # they import torch; `import embodied_ssl` does not


def __getattr__(name: str) -> _Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(_import_module(f"{__name__}.{_LAZY[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *_LAZY]
