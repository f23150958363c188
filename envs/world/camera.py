"""A pinhole camera: intrinsics, pose, projection.

Pixels follow OpenCV: the centre of the pixel in row r, column c is (u, v) = (c, r). Camera axes: x right, y down,
z forward. A pose is camera-to-world, [4, 4], metres.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from embodied_ssl.envs.world import exact

Doubles = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Camera:
    """width, height: pixels. intrinsics: float64 [3, 3], pixels."""

    width: int
    height: int
    intrinsics: Doubles

    @classmethod
    def from_fov(cls, width: int, height: int, fov_rad: float) -> "Camera":
        """Square pixels, the axis through the image's middle, a vertical field of view in (0, π) rad."""
        if not 0 < fov_rad < np.pi:
            raise ValueError(f"the vertical field of view must lie in (0, π) rad, not {fov_rad}")
        if width < 1 or height < 1:
            raise ValueError(f"an image needs at least one pixel each way, not {width} × {height}")
        focal = height / 2 / exact.tan(fov_rad / 2)
        return cls(width, height, np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]]))

    def enlarged(self, factor: int) -> "Camera":
        """The same view in `factor` times as many pixels each way."""
        intrinsics = self.intrinsics * factor
        intrinsics[:2, 2] += (factor - 1) / 2  # pixel centres: the image's edge stays where it is
        intrinsics[2, 2] = 1
        return Camera(self.width * factor, self.height * factor, intrinsics)

    def project(self, points: ArrayLike, pose: ArrayLike) -> tuple[Doubles, Doubles]:
        """World points [..., 3] to pixels [..., 2] and depths [...] along the optical axis (m; ≤ 0 is behind)."""
        camera_to_world = np.asarray(pose, float)
        local = exact.product(np.asarray(points, float) - camera_to_world[:3, 3], camera_to_world[:3, :3])
        depth = local[..., 2]
        image = exact.product(local, self.intrinsics.T)
        with np.errstate(divide="ignore", invalid="ignore"):
            return image[..., :2] / depth[..., None], depth

    def unproject(self, pixels: ArrayLike, depth: ArrayLike, pose: ArrayLike) -> Doubles:
        """Pixels [..., 2] at depths [...] (m, along the optical axis) to world points [..., 3]."""
        uv, z = np.asarray(pixels, float), np.asarray(depth, float)
        focal = np.array([self.intrinsics[0, 0], self.intrinsics[1, 1]])
        local = (uv - self.intrinsics[:2, 2]) / focal * z[..., None]
        camera_to_world = np.asarray(pose, float)
        points = np.concatenate([local, z[..., None]], axis=-1)
        return exact.product(points, camera_to_world[:3, :3].T) + camera_to_world[:3, 3]


def look_at(eye: ArrayLike, target: ArrayLike, up: ArrayLike = (0, 0, 1)) -> Doubles:
    """The pose [4, 4] of a camera at `eye` [3] that looks at `target` [3] (m) with `up` [3] upwards in the image."""
    position = np.asarray(eye, float)
    forward = np.asarray(target, float) - position
    distance = exact.length(forward)
    right = exact.cross(forward, np.asarray(up, float))
    width = exact.length(right)
    if distance == 0 or width < 1e-9 * distance:
        raise ValueError(f"cannot look from {eye!r} at {target!r} with {up!r} upwards: the directions coincide")
    forward, right = forward / distance, right / width
    pose = np.eye(4)
    pose[:3, :4] = np.array([right, exact.cross(forward, right), forward, position]).T
    return pose


def optical_flow(
    camera: Camera, depth: ArrayLike, pose: ArrayLike, next_pose: ArrayLike, motions: ArrayLike | None = None
) -> NDArray[np.float32]:
    """Exact optical flow [H, W, 2] (px) from a frame to the next, from geometry.

    depth: [H, W], m, 0 where nothing was hit (there the flow is that of a point at infinity). pose, next_pose: [4, 4]
    of the camera. motions: [H, W, 4, 4] world motion of what each pixel shows, where objects move; None = all at rest.
    Pixels that end behind the next camera have flow NaN.
    """
    z = np.asarray(depth, float)
    columns, rows = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    pixels = np.stack([columns, rows], axis=-1).astype(float)
    points = camera.unproject(pixels, np.where(z > 0, z, 1e6), pose)
    if motions is not None:
        turned = np.asarray(motions, float)
        points = exact.moved(turned, points)
    target, ahead = camera.project(points, next_pose)
    return np.where(ahead[..., None] > 0, target - pixels, np.nan).astype(np.float32)
