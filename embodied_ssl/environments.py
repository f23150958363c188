"""Environments by the name of their kind of data, or by Gymnasium's id."""

import json
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.collect.places import settings_again
from embodied_ssl.datasets.collect.settings import env_settings
from embodied_ssl.datasets.errors import DataError, unknown_name
from embodied_ssl.datasets.kinds import collected_kinds, kind_of, register

if TYPE_CHECKING:
    from embodied_ssl.datasets.read.readers import Dataset

Observation = dict[str, NDArray[np.generic]]
Action = NDArray[np.float32]


def make_env(name: str, *, render_mode: str | None = None, **settings: Any) -> gymnasium.Env[Observation, Action]:
    """An environment, as `gymnasium.make` gives it.

        env = make_env("roam", size=64, depth=True)
        observation, info = env.reset(seed=0)

    Args:
        name: of a kind of data, as `embodied-ssl envs` lists them (`roam`), an id (`embodied_ssl/Roam-v0`), or the
            `module:Name` of a kind of your own.
        render_mode: `rgb_array`: `render` gives what the camera sees; `human`: a window shows it.
        settings: of the environment: `embodied-ssl collect KIND --help` explains them all.

    Raises DataError for an unknown name or setting, and where the simulator is not installed.
    """
    ids = {kind.env_id: kind.name for kind in collected_kinds().values()}
    if "/" in name and name not in ids:
        raise unknown_name("environment", name, ids)
    kind = kind_of(ids.get(name, name))
    env_settings(kind.name, settings)
    try:
        return gymnasium.make(register(kind), render_mode=render_mode, **settings)
    except ValueError as error:  # a setting that is out of range
        raise DataError(str(error)) from error


def lent_envs(kind: str, settings: dict[str, Any], count: int = 1) -> list[Any]:
    """Environments to be acted in, unwrapped: the same as were lent before, to be reset by whoever begins with them.

    Making one anew takes memory that PyBullet does not give back, so that a process which measures many encoders would
    run out of it. Those of the last two kinds and settings are kept. Raises DataError as `make_env` does.
    """
    key = json.dumps([kind, settings], sort_keys=True, default=str)
    kept = _LENT.pop(key, [])
    kept += [make_env(kind, **settings).unwrapped for _ in range(count - len(kept))]
    _LENT[key] = kept  # now the last
    for old in [*_LENT][:-2]:
        for env in _LENT.pop(old):
            env.close()
    return kept[:count]


_LENT: dict[str, list[Any]] = {}


def settings_of(dataset: "Dataset") -> dict[str, Any]:
    """The settings of the environment that made a data set, for `make_env`.

    Raises DataError where files that it was made with (objects, textures, a robot) are not there any more, or are
    others now: which, what was expected, and what to do.
    """
    return settings_again(dataset.path, dataset.spec["env"])
