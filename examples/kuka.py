"""A robot of one's own: KUKA's iiwa, whose URDF comes with PyBullet, grasps, pushes and pokes as the others do.

    embodied-ssl collect grasp --body examples.kuka:Kuka --out data/kuka --episodes 100
    embodied-ssl collect poke --body kuka --plugin examples.kuka --out data/kuka_pokes

Any arm whose URDF there is takes as few lines: where it stands, how it rests, which link is its hand. A gripper that
is no arm follows the protocol of `embodied_ssl.envs.bodies.gripper`.
"""

from pathlib import Path

import pybullet_data

from embodied_ssl.envs.bodies.arm import Arm, Model, add_flat, add_round, add_slides, bare


class Kuka(Arm):
    """KUKA's LBR iiwa with our two fingers at its flange."""

    BASE_M = (-0.5, 0.0, 0.2)  # on a pedestal
    REST = (0.0, 0.6, 0.0, -1.7, 0.0, 0.85, 0.0)  # the elbow up, the flange pointing down
    HAND, finger_links = 6, (7, 8)
    TIP_BELOW_HAND_M = 0.145  # the flange is 45 mm below the last joint
    TORQUE_NM = 300.0

    def model(self, round_finger: bool) -> Model:
        """The arm without its looks, and the fingers that touch."""
        model = bare(Path(pybullet_data.getDataPath()) / "kuka_iiwa" / "model.urdf")
        hand = "lbr_iiwa_link_7"
        left, right = add_slides(model, hand)
        if round_finger:
            add_round(model, hand, self.TIP_BELOW_HAND_M)
        else:
            add_flat(model, left, 1, self.TIP_BELOW_HAND_M)
            add_flat(model, right, -1, self.TIP_BELOW_HAND_M)
        return model
