"""The Franka Panda arm."""

from pathlib import Path

import numpy as np

from embodied_ssl.envs.bodies.arm import Arm, Build, Place
from embodied_ssl.envs.bodies.fingers import Slides
from embodied_ssl.envs.bodies.model import Model, add_flat, add_round, bare


class Panda(Arm):
    """Franka's Panda arm, through inverse kinematics; its hand carries the same two fingers as the floating gripper."""

    BASE_M = (-0.52, 0.0, 0.0)
    TIP_BELOW_HAND_M = 0.1034
    _REST = (0.0, 0.2, 0.0, -2.2, 0.0, 2.4, np.pi / 4)
    _END_M = 0.045  # of its fingers, in their own frames

    def __init__(self, round_finger: bool = False, base: Place | None = None):
        fingers = (9, 10)
        build = Build(
            model=self._model(round_finger),
            joints=tuple(range(7)),
            rest=self._REST,
            base=base or self.BASE_M,
            hand=8,
            tip_below_hand=self.TIP_BELOW_HAND_M,
            torques=(87.0,) * 7,
            fingers=Slides(fingers),
            finger_links=fingers,
        )
        super().__init__(build, round_finger)

    def _model(self, round_finger: bool) -> Model:
        import pybullet_data

        model = bare(Path(pybullet_data.getDataPath()) / "franka_panda" / "panda.urdf")
        if round_finger:
            add_round(model, "panda_hand", self.TIP_BELOW_HAND_M)
        else:
            add_flat(model, "panda_leftfinger", 1, self._END_M)
            add_flat(model, "panda_rightfinger", -1, self._END_M)
        return model
