"""A task of one's own, and the data that it gives: an arm puts one object on another.

    embodied-ssl collect pile --plugin examples.pile --out data/pile --episodes 100
    embodied-ssl check data/pile --plugin examples.pile
    embodied-ssl view data/pile --plugin examples.pile
    embodied-ssl train simclr --frames data/pile --plugin examples.pile --out runs/pile

An environment says what happens, a policy what is tried, and one `Kind` all else: what is logged, told and shown.
"""

import numpy as np

from embodied_ssl.datasets.kinds.base import InteractionPage, Kind, table_fields
from embodied_ssl.datasets.schema import Field
from embodied_ssl.envs.grasp import LIFT_M, GraspEnv
from embodied_ssl.envs.policies.table import OnObjects
from embodied_ssl.envs.table import pose_of
from embodied_ssl.envs.world.engine import pybullet

CARRY_MPS = 0.3
LET_GO_M = 0.004  # so far above what is below


class PileEnv(GraspEnv):
    """Grasp at an image point, and put what is held down elsewhere on the table, or on what stands there.

    Interaction: image point (u, v) in px, closing direction in rad, and the place (x, y) in m where to put it.
    Reward: 1 where the object then rests on nothing but other objects, else 0.
    """

    LOW, HIGH = (0.0, -0.25, -0.25), (np.pi, 0.25, 0.25)

    def __init__(self, body: str = "panda", clutter: int = 4, categories: str = "box,book,can", **settings):
        """Set up a table and an arm.

        Args:
            body: panda, or module:Class of another arm.
            clutter: objects on the table.
            categories: of objects to draw from, separated by commas; empty: all.
        """
        if body == "floating":
            raise ValueError("body: the floating gripper moves along one line; stacking takes an arm, such as panda")
        super().__init__(body=body, clutter=clutter, categories=categories, **settings)

    def _interact(self, interaction):
        u, v, angle, x, y = interaction
        pixel, place = np.array([u, v]), np.array([x, y, 0.0])
        aimed, before = self.object_at(pixel), self.poses()
        self.close_on(self.point_at(pixel), -float(angle))
        low = self.gripper.tip()[2]  # from the lower side of what is held to the tip
        held = self.lift(before)
        if held:
            self._put_down(place, low)
        self.finish()
        stacked = held > 0 and self._rests_on_others(held)
        named = held or aimed
        record = {
            "pixel": pixel.astype(np.float32),
            "object": named,
            "pose_before": pose_of(named, before),
            "pose_after": pose_of(named, self.poses()),
            "angle": np.float32(angle % np.pi),
            "target_pixel": self.camera.project(place, self.camera_pose)[0].astype(np.float32),
            "success": stacked,
        }
        return float(stacked), record

    def _put_down(self, place, low):
        top, (x, y, _) = self.height_around(place, 0.03), self.gripper.tip()
        above, down = low + top + LIFT_M, low + top + LET_GO_M
        for way in ([x, y, above], [*place[:2], above], [*place[:2], down]):
            self.gripper.move(way, CARRY_MPS)
        self.gripper.grip(0.08, 12)

    def _rests_on_others(self, instance):
        body, client = self.world.body(instance), self.world.client
        touched = {contact[2] for contact in pybullet.getContactPoints(body, physicsClientId=client)}
        return bool(touched) and touched <= {self.world.body(other) for other in self.world.assets if other != instance}


class PutOn(OnObjects):
    """Grasps an object across its narrow side, and puts it on the middle of a wider one."""

    def __call__(self, observation):
        upper, *_, lower = sorted((self.pick().astype(float) for _ in range(4)), key=len)
        spread = np.linalg.eigh(np.cov((upper - upper.mean(0)).T))[1]  # its first axis is the narrow one
        u, v = upper.mean(0) + self.rng.normal(size=2)
        x, y, _ = self.env.point_at(lower.mean(0))
        return self.env.action_of(u, v, np.arctan2(spread[1, 0], spread[0, 0]) % np.pi, x, y)


def facts(dataset, rows, images):
    """What captions say of it."""
    from embodied_ssl.datasets.read.captions import facts_of_interactions

    stacked = dataset.array("interactions/success")[rows]
    return facts_of_interactions(dataset, rows, images, np.where(stacked, "stacked", "dropped").tolist())


def draw(interactions, i):
    """An arrow from where it was grasped to where it was put."""
    from embodied_ssl.datasets.gallery.interactions import arrow

    values, outcome = interactions.values, interactions.outcome(i)
    return arrow(values["pixel"][i].astype(float), values["target_pixel"][i].astype(float), "act"), "", outcome


KIND = Kind(
    name="pile",
    env_id="examples/Pile-v0",
    env="examples.pile:PileEnv",
    policies={"put_on": "examples.pile:PutOn", "random": "embodied_ssl.envs.policies.exploration:RandomActions"},
    rows="interactions",
    fields=table_fields(
        Field("interactions/angle", "f4", ("N",), "rad", "closing direction in the image", 0, np.pi),
        Field("interactions/target_pixel", "f4", ("N", 2), "px", "(u, v) of where it was put", -1e4, 1e4),
        Field("interactions/success", "?", ("N",), "1", "it rests on nothing but other objects"),
    ),
    facts=facts,
    words=("stacked", "dropped"),
    page=InteractionPage(
        about="An arm grasps an object and puts it on another one.",
        caption="The arrow leads from where it was grasped to where it was put.",
        outcomes=("stacked", "dropped"),
        outcome=lambda interactions, i: "stacked" if interactions.values["success"][i] else "dropped",
        draw=draw,
    ),
)
