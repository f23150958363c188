"""PickPlaceEnv: bring an object to a place on the table or above it."""

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.envs.control.env import PROPRIOCEPTION, ControlEnv
from embodied_ssl.envs.control.expert import Observation
from embodied_ssl.envs.control.picking import Picker
from embodied_ssl.envs.control.sensed import Sensed
from embodied_ssl.envs.world import exact

NEAREST_M = 0.08  # of the goal to the object at first
LIFTS = 0.5  # the share of goals above the table
HIGHEST_M = 0.2  # of them


class PickPlaceEnv(ControlEnv):
    """Pick an object and bring it to a place: every other time on the table, else in the air."""

    TOLERANCE = 0.03
    STATE = 16
    CATEGORIES = "cube,box,can,chess_piece,arch,torch"

    def _arrange(self, rng: np.random.Generator) -> NDArray[np.float64]:
        asset, turn = self._draw_object(rng, held=True), rng.uniform(-np.pi, np.pi)
        goal, place = rng.uniform(-0.13, 0.13, (2, 2))
        while exact.length(goal - place) < NEAREST_M:
            goal, place = rng.uniform(-0.13, 0.13, (2, 2))
        lift = rng.uniform(0.05, HIGHEST_M) if rng.uniform() < LIFTS else 0.0
        self._put(asset, place, turn)
        return np.array([*goal, lift - asset.bounds[0, 2]])

    def _achieved(self, sensed: Sensed) -> NDArray[np.float64]:
        return np.array(self._place_of(1))


class PickPlaceExpert(Picker):
    """Picks the object across its narrow side, and carries it to the goal."""

    def __call__(self, observation: Observation) -> NDArray[np.float32]:
        seen = observation["observation"].astype(float)
        picking = self.pick(seen, PROPRIOCEPTION)
        return self.carry(seen, PROPRIOCEPTION, observation["desired_goal"]) if picking is None else picking
