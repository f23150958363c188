"""PressEnv: press a button."""

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.envs.control.env import PROPRIOCEPTION, ControlEnv
from embodied_ssl.envs.control.expert import Expert, Observation
from embodied_ssl.envs.control.sensed import Sensed
from embodied_ssl.envs.world import exact
from embodied_ssl.envs.world.assets import Asset, Part
from embodied_ssl.envs.world.engine import pybullet
from embodied_ssl.envs.world.geometry.mesh import box, cylinder
from embodied_ssl.envs.world.geometry.mesh_files import flat_texture
from embodied_ssl.envs.world.materials import MATERIALS
from embodied_ssl.envs.world.textures.families import texture

HOUSING_M = (0.08, 0.08, 0.03)
CAP_M = (0.018, 0.026)  # radius, at least and at most
TRAVEL_M = 0.02
SPRING_N = (3.0, 8.0)  # that the cap resists with, at least and at most
COLOURS = ((200, 40, 40), (230, 180, 40), (50, 90, 200), (240, 240, 235), (60, 60, 65), (150, 60, 150))


class PressEnv(ControlEnv):
    """Press a button to the end with closed fingers.

    A goal is where the tip is and how far the cap is pressed. The state is the middle of the cap's top, and how far it
    is pressed (m) and how fast (m/s).
    """

    FINGERS = False
    GOAL = ("x of the tip (m)", "y (m)", "z (m)", "how far the cap is pressed (m)")
    TOLERANCE = 0.01
    MARKER_M = 0.0
    STATE = 5

    def _arrange(self, rng: np.random.Generator) -> NDArray[np.float64]:
        (x, y), turn = rng.uniform(-0.15, 0.15, 2), rng.uniform(-np.pi, np.pi)
        radius, spring = rng.uniform(*CAP_M), rng.uniform(*SPRING_N)
        colour, family, variant = rng.integers(len(COLOURS)), rng.integers(2), rng.integers(16)
        client = self.world.client
        half = [side / 2 for side in HOUSING_M]
        top = HOUSING_M[2]
        self._button = pybullet.createMultiBody(
            0,
            pybullet.createCollisionShape(pybullet.GEOM_BOX, halfExtents=half, physicsClientId=client),
            basePosition=(x, y, half[2]),
            baseOrientation=(0, 0, exact.sin(turn / 2), exact.cos(turn / 2)),
            linkMasses=[0.02],
            linkCollisionShapeIndices=[
                pybullet.createCollisionShape(
                    pybullet.GEOM_CYLINDER, radius=radius, height=2 * TRAVEL_M, physicsClientId=client
                )
            ],
            linkVisualShapeIndices=[-1],
            linkPositions=[[0, 0, half[2]]],
            linkOrientations=[[0, 0, 0, 1]],
            linkInertialFramePositions=[[0, 0, 0]],
            linkInertialFrameOrientations=[[0, 0, 0, 1]],
            linkParentIndices=[0],
            linkJointTypes=[pybullet.JOINT_PRISMATIC],
            linkJointAxis=[[0, 0, 1]],
            physicsClientId=client,
        )
        pybullet.changeDynamics(
            self._button, 0, jointLowerLimit=-TRAVEL_M, jointUpperLimit=0.0, linearDamping=0.5, physicsClientId=client
        )
        pybullet.setJointMotorControl2(
            self._button, 0, pybullet.POSITION_CONTROL, targetPosition=0.0, force=spring, maxVelocity=0.3,
            physicsClientId=client)  # fmt: skip
        cap = Part(cylinder(radius, TRAVEL_M), flat_texture(COLOURS[colour]), gloss=0.3)
        housing = Part(box(HOUSING_M, tile=0.1), texture(("plastic", "brushed")[family], int(variant)))
        plastic = MATERIALS["plastic"]
        self.world.follow(Asset("button", int(variant), plastic, (cap,), (), 0.02), self._button, 0)
        self.world.follow(Asset("housing", 0, plastic, (housing,), ()), self._button, structure=True)
        self._cap = (x, y, top + TRAVEL_M)
        return np.array([x, y, top, TRAVEL_M])

    def _pressed(self) -> tuple[float, float]:
        """How far the cap is pressed (m), and how fast (m/s)."""
        position, velocity, *_ = pybullet.getJointState(self._button, 0, physicsClientId=self.world.client)
        return -position, -velocity

    def _state_of_objects(self) -> list[float]:
        pressed, speed = self._pressed()
        x, y, z = self._cap
        return [x, y, z - pressed, pressed, speed]

    def _achieved(self, sensed: Sensed) -> NDArray[np.float64]:
        return np.array([*sensed.tip, self._pressed()[0]])


class PressExpert(Expert):
    """Goes over the button, and down."""

    def __call__(self, observation: Observation) -> NDArray[np.float32]:
        seen = observation["observation"].astype(float)
        tip, cap = seen[:3], seen[PROPRIOCEPTION : PROPRIOCEPTION + 3]
        over = exact.length(tip[:2] - cap[:2]) < 0.01
        place = [*cap[:2], observation["desired_goal"][2] - 0.005] if over else [*cap[:2], cap[2] + 0.03]
        return self.toward(tip, place, 0.5 if over else 1.0).astype(np.float32)
