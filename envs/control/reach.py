"""ReachEnv: bring the tip to a place above the table."""

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.envs.control.env import ControlEnv
from embodied_ssl.envs.control.expert import Expert, Observation
from embodied_ssl.envs.control.sensed import Sensed


class ReachEnv(ControlEnv):
    """Reach a place above the table with the tip; the fingers stay closed."""

    FINGERS = False
    STEP_S = 1 / 20  # nothing is touched

    def _arrange(self, rng: np.random.Generator) -> NDArray[np.float64]:
        return rng.uniform((-0.18, -0.18, 0.03), (0.18, 0.18, 0.28))

    def _achieved(self, sensed: Sensed) -> NDArray[np.float64]:
        return np.array(sensed.tip)


class ReachExpert(Expert):
    """Goes straight there."""

    def __call__(self, observation: Observation) -> NDArray[np.float32]:
        return self.toward(observation["achieved_goal"], observation["desired_goal"]).astype(np.float32)
