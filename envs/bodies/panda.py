"""The Franka Panda arm."""

from pathlib import Path

import numpy as np

from embodied_ssl.envs.bodies.arm import Arm, Model, add_flat, add_round, bare


class Panda(Arm):
    """Franka's Panda arm, through inverse kinematics; its hand carries the same two fingers as the floating gripper."""

    BASE_M = (-0.52, 0.0, 0.0)
    REST = (0.0, 0.2, 0.0, -2.2, 0.0, 2.4, np.pi / 4)
    HAND, finger_links = 8, (9, 10)
    TIP_BELOW_HAND_M = 0.1034
    _END_M = 0.045  # of its fingers, in their own frames

    def model(self, round_finger: bool) -> Model:
        import pybullet_data

        model = bare(Path(pybullet_data.getDataPath()) / "franka_panda" / "panda.urdf")
        if round_finger:
            add_round(model, "panda_hand", self.TIP_BELOW_HAND_M)
        else:
            add_flat(model, "panda_leftfinger", 1, self._END_M)
            add_flat(model, "panda_rightfinger", -1, self._END_M)
        return model
