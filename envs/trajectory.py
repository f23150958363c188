"""The whole of an act at a fixed rate: what the body senses, what it is told, what cameras see, where objects are."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.envs.bodies.gripper import Gripper, contact_wrenches
from embodied_ssl.envs.views import View
from embodied_ssl.envs.world.physics import World
from embodied_ssl.envs.world.poses import quaternion_of
from embodied_ssl.envs.world.raster.frames import Frame

Sample = dict[str, NDArray[Any]]


class Trajectory:
    """The samples of one act after the other, and its film.

    The first sample of an act is of its start, at rest above where it goes down; then there is one every 1/rate seconds
    of simulated time until the gripper leaves.
    """

    def __init__(
        self,
        world: World,
        gripper: Gripper,
        rate: float,
        views: Mapping[str, View],
        layers: Sequence[str],
        log: bool,
        filmed: View | None,
        whole_film: bool,
    ):
        """Set up what is to be logged of acts.

        Args:
            world: where they happen.
            gripper: what acts.
            rate: of the samples, Hz.
            views: of the cameras, by name.
            layers: of their images: of rgb, depth and instance.
            log: whether to take samples.
            filmed: what the film is taken from; None: there is none.
            whole_film: an image with every sample, not just one of the end.

        Raises ValueError where the physics has not a whole number of steps for each sample.
        """
        self._world, self._gripper, self._views, self._layers = world, gripper, views, layers
        self._log, self._filmed, self._whole_film = log, filmed, whole_film
        self._rate = rate
        self._every = steps_between(rate, world.time_step) if log or whole_film else 1
        self.cameras = {name: view.camera for name, view in views.items()}
        self.samples: list[Sample] = []
        self.film: list[NDArray[np.uint8]] = []
        self._steps = 0  # of the physics since the act began
        self._frames: dict[str, tuple[Frame, NDArray[np.float64]]] = {}  # of the cameras, as they are
        self._frames_at = -1  # this step of the world

    @property
    def draws(self) -> bool:
        """Whether there are images that show the robot."""
        return bool(self._views) or self._filmed is not None

    def begin(self) -> None:
        """From now on an act is logged and filmed."""
        self.samples, self.film, self._steps, self._frames_at = [], [], 0, -1
        if self._log or self._whole_film:
            self._world.before_step = self._before_step

    def end(self) -> None:
        """The act is over, the gripper still there: where it is time for another sample, this is the last one."""
        if self._world.before_step is not None and self._steps % self._every == 0:
            self._take()
        self._world.before_step = None
        if self._filmed is not None and not self._whole_film:
            self.film.append(self.image())

    def image(self) -> NDArray[np.uint8]:
        """What the film shows at this moment."""
        assert self._filmed is not None
        return self._world.render(self._filmed.camera, self._filmed.pose(self._gripper.tip_pose()), robot=True).rgb

    def images(self) -> dict[str, NDArray[np.uint8]]:
        """What the cameras see at this moment, uint8 [S, S, 3] by name."""
        return {name: frame.rgb.copy() for name, (frame, _) in self._seen(self._gripper.tip_pose()).items()}

    def _before_step(self) -> None:
        if self._steps % self._every == 0:
            self._take()
        self._steps += 1

    def _take(self) -> None:
        if self._log:
            self.samples.append(self._sample())
        if self._whole_film:
            self.film.append(self.image())

    def _sample(self) -> Sample:
        gripper, joints, tip = self._gripper, self._gripper.joints(), self._gripper.tip_pose()
        told_s = (self._world.steps - gripper.command.since) * self._world.time_step
        felt = contact_wrenches(gripper, self._world)
        if not self._steps:  # what was felt last was felt elsewhere
            joints.torque[:], felt[:] = 0, 0
        sample: Sample = {
            "time": np.array(len(self.samples) / self._rate),
            "joint_position": joints.position,
            "joint_velocity": joints.velocity,
            "joint_torque": joints.torque,
            "tip_pose": np.array([*tip[:3, 3], *quaternion_of(tip[:3, :3])]),
            "tip_velocity": gripper.tip_velocity(),
            "width": np.array(gripper.width()),
            "action": gripper.command.after(told_s + 1 / self._rate),
            "contact_force": felt[:, :3],
            "contact_torque": felt[:, 3:],
        }
        kinds = {"rgb": "images", "depth": "depth", "instance": "instance"}
        for name, (frame, pose) in self._seen(tip).items():
            sample |= {f"{kinds[layer]}/{name}": getattr(frame, layer) for layer in self._layers}
            sample[f"extrinsics/{name}"] = pose
        return sample

    def _seen(self, tip: NDArray[np.float64]) -> dict[str, tuple[Frame, NDArray[np.float64]]]:
        """What each camera sees, and from where; drawn once where nothing has moved since."""
        if self._views and self._frames_at != self._world.steps:
            poses = [view.pose(tip) for view in self._views.values()]
            frames = self._world.render_all(list(zip(self.cameras.values(), poses, strict=True)), robot=True)
            self._frames = dict(zip(self._views, zip(frames, poses, strict=True), strict=True))
            self._frames_at = self._world.steps
        return self._frames


def steps_between(rate: float, time_step: float) -> int:
    """Steps of the physics from one sample to the next at a rate (Hz). Raises ValueError where they are not whole."""
    steps = round(1 / rate / time_step)
    if abs(steps * time_step * rate - 1) > 1e-6:
        raise ValueError(
            f"rate: {rate:g} Hz is not one sample for each whole number of steps of the physics, which has "
            f"{1 / time_step:g} in a second"
        )
    return steps
