"""What scripted experts share. They act on observations alone, those of actions that move the tip."""

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import ArrayLike, NDArray

from embodied_ssl.envs.control.env import SPEED_MPS, ControlEnv

Observation = dict[str, NDArray[Any]]


class Expert:
    """A policy that does a task from what `observation` says, `rate` times in a second."""

    rate: float
    """Of the environment, Hz."""

    def reset(self, env: gymnasium.Env[Any, Any], rng: np.random.Generator) -> None:
        """Begin an episode. Raises ValueError for an environment whose actions are of other things than the tip."""
        plain = env.unwrapped
        if not isinstance(plain, ControlEnv) or plain.control != "tip":
            raise ValueError("control: an expert moves the tip; give control='tip', or another policy, as 'random'")
        self.rate = plain.metadata["render_fps"]

    def __call__(self, observation: Observation) -> NDArray[np.float32]:
        raise NotImplementedError

    def toward(self, here: ArrayLike, there: ArrayLike, most: float = 1.0) -> NDArray[np.float64]:
        """The first three numbers of an action that brings the tip from one place [3] (m) to another by the next step.

        most: of the speed, as a share of the fastest.
        """
        stride = SPEED_MPS / self.rate
        way: NDArray[np.float64] = (np.asarray(there, float) - np.asarray(here, float)) / stride
        return way * min(1.0, most / max(float(np.abs(way).max()), 1e-9))
