"""Embodied self-supervised learning: bodies in worlds, their data, representations learned from them, their measure."""

from importlib.util import find_spec as _find_spec
from pathlib import Path as _Path

__version__ = "0.1.0"

# In a checkout the subpackages `envs` and `datasets` lie beside this folder, not in it.
if not (_Path(__file__).parent / "envs").is_dir():
    __path__.append(str(_Path(__file__).parent.parent))

if _find_spec("gymnasium") is not None:
    from embodied_ssl.envs import register as _register

    _register()
