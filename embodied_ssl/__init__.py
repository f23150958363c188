"""Embodied self-supervised learning: bodies in worlds, their data, representations learned from them, their measure.

import embodied_ssl as es

es.collect("roam", "data/roam", episodes=64, size=64)
es.train(es.make_method("equivariance", "conv4"), "runs/equivariance-0", {"pairs": "data/roam"})
encoder = es.load_encoder("runs/equivariance-0")  # a plain nn.Module
"""

from importlib import import_module as _import_module
from importlib.util import find_spec as _find_spec
from pathlib import Path as _Path
from typing import TYPE_CHECKING

__version__ = "0.1.0"

# In a checkout the subpackages `envs` and `datasets` lie beside this folder, not in it.
if not (_Path(__file__).parent / "envs").is_dir():
    __path__.append(str(_Path(__file__).parent.parent))

if _find_spec("gymnasium") is not None:
    from embodied_ssl.datasets.kinds import built_in_kinds as _built_in_kinds
    from embodied_ssl.datasets.kinds import register as _register

    for _kind in filter(lambda kind: kind.is_collected, _built_in_kinds().values()):
        _register(_kind)

if TYPE_CHECKING:  # what a type checker sees of the names below
    import embodied_ssl.studies as studies  # noqa: F401
    from embodied_ssl.comparison import compare as compare
    from embodied_ssl.datasets.collect.collection import collect as collect
    from embodied_ssl.datasets.read.readers import Dataset as _Dataset
    from embodied_ssl.environments import make_env as make_env
    from embodied_ssl.evaluation.evaluate import evaluate as evaluate
    from embodied_ssl.exporting.export import export as export
    from embodied_ssl.method import Recipe as Recipe
    from embodied_ssl.methods import make_method as make_method
    from embodied_ssl.studies.run import study as study
    from embodied_ssl.studies.verify import verify as verify
    from embodied_ssl.training.runs.checkpoint import load_encoder as load_encoder
    from embodied_ssl.training.runs.run import load_run as load_run
    from embodied_ssl.training.settings import Hardware as Hardware
    from embodied_ssl.training.settings import TrainingSettings as TrainingSettings
    from embodied_ssl.training.train import train as train

    open = _Dataset.open

_DOORS = {  # where each is; it is imported when it is asked for, since most import torch
    "collect": "datasets.collect.collection:collect",
    "open": "datasets.read.readers:Dataset.open",
    "make_env": "environments:make_env",
    "make_method": "methods:make_method",
    "train": "training.train:train",
    "Recipe": "method:Recipe",
    "TrainingSettings": "training.settings:TrainingSettings",
    "Hardware": "training.settings:Hardware",
    "load_encoder": "training.runs.checkpoint:load_encoder",
    "load_run": "training.runs.run:load_run",
    "evaluate": "evaluation.evaluate:evaluate",
    "compare": "comparison:compare",
    "study": "studies.run:study",
    "verify": "studies.verify:verify",
    "export": "exporting.export:export",
}

if not TYPE_CHECKING:

    def __getattr__(name):
        if name == "studies":  # a folder, with the declarations and the standard data
            return _import_module(f"{__name__}.studies")
        if name not in _DOORS:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module, _, path = _DOORS[name].partition(":")
        found = _import_module(f"{__name__}.{module}")
        for part in path.split("."):
            found = getattr(found, part)
        return found


def __dir__() -> list[str]:
    return [*globals(), *_DOORS]
