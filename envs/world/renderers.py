"""The two renderers of a world: `raster`, our own and the default, and `tiny`, PyBullet's TinyRenderer, its reference."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import pybullet
from numpy.typing import NDArray

from embodied_ssl.envs.world.assets import Asset, Light, Texture
from embodied_ssl.envs.world.camera import Camera


@dataclass(frozen=True, eq=False)
class Frame:
    """A picture. rgb: uint8 [H, W, 3], sRGB. depth: float32 [H, W], m along the optical axis, 0 = nothing there.

    instance: uint8 [H, W], the thing's id in its world, 0 = background. Depth and instance are those at pixel centres.
    """

    rgb: NDArray[np.uint8]
    depth: NDArray[np.float32]
    instance: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Item:
    """Something to draw: an asset under an instance id (0 = background)."""

    asset: Asset
    instance: int


class Renderer(Protocol):
    """Draws items at poses. `load` is called once per world, `draw` once per picture."""

    def load(self, items: Sequence[Item], light: Light) -> None:
        """Take over what is to be drawn from now on."""

    def draw(self, camera: Camera, pose: NDArray[np.float64], poses: NDArray[np.float64]) -> Frame:
        """Draw from a camera at `pose` [4, 4] with the items at `poses` [N, 4, 4], item to world."""

    def close(self) -> None:
        """Give back what the renderer holds."""


class TinyRenderer:
    """PyBullet's software renderer, on a client of its own. Slow; kept as the reference for ours."""

    NEAR_M, FAR_M = 0.02, 100.0

    def __init__(self, shadows: bool = True):
        self.shadows = shadows
        self.light = Light()
        self.client = pybullet.connect(pybullet.DIRECT)
        self._bodies: list[list[int]] = []
        self._instance_of_body = np.zeros(1, np.uint8)
        self._texture_folder = tempfile.TemporaryDirectory(prefix="embodied_ssl_textures_")

    def load(self, items: Sequence[Item], light: Light) -> None:
        pybullet.resetSimulation(physicsClientId=self.client)
        self.light = light
        textures: dict[int, int] = {}
        self._bodies = []
        instances: list[int] = []
        for item in items:
            bodies = []
            for part in item.asset.parts:
                shape = pybullet.createVisualShape(
                    pybullet.GEOM_MESH,
                    vertices=part.mesh.vertices.tolist(),
                    indices=part.mesh.triangles.ravel().tolist(),
                    uvs=part.mesh.uv.tolist(),
                    normals=part.mesh.normals.tolist(),
                    rgbaColor=[1, 1, 1, 1],
                    physicsClientId=self.client,
                )
                body = pybullet.createMultiBody(baseVisualShapeIndex=shape, physicsClientId=self.client)
                if id(part.texture) not in textures:
                    textures[id(part.texture)] = self._load_texture(part.texture, len(textures))
                pybullet.changeVisualShape(
                    body, -1, textureUniqueId=textures[id(part.texture)], physicsClientId=self.client
                )
                bodies.append(body)
                instances.append(item.instance)
            self._bodies.append(bodies)
        self._instance_of_body = np.array([*instances, 0], np.uint8)  # TinyRenderer marks the background −1

    def _load_texture(self, texture: Texture, number: int) -> int:
        path = Path(self._texture_folder.name) / f"{number}.png"
        cv2.imwrite(str(path), texture.image[::-1, :, ::-1])
        return pybullet.loadTexture(str(path), physicsClientId=self.client)

    def draw(self, camera: Camera, pose: NDArray[np.float64], poses: NDArray[np.float64]) -> Frame:
        for bodies, item_pose in zip(self._bodies, poses, strict=True):
            for body in bodies:
                pybullet.resetBasePositionAndOrientation(
                    body, item_pose[:3, 3], quaternion_of(item_pose[:3, :3]), physicsClientId=self.client
                )
        _, _, rgba, z_buffer, mask = pybullet.getCameraImage(
            camera.width,
            camera.height,
            viewMatrix=(np.diag([1.0, -1, -1, 1]) @ np.linalg.inv(pose)).T.ravel().tolist(),
            projectionMatrix=self._projection(camera).T.ravel().tolist(),
            lightDirection=self.light.direction,
            lightColor=[1, 1, 1],
            lightAmbientCoeff=0.55,
            lightDiffuseCoeff=0.45,
            lightSpecularCoeff=0.0,
            shadow=int(self.shadows),
            renderer=pybullet.ER_TINY_RENDERER,
            physicsClientId=self.client,
        )
        shape = camera.height, camera.width
        mask = np.asarray(mask).reshape(shape)
        z_buffer = np.asarray(z_buffer, np.float32).reshape(shape)
        near, far = self.NEAR_M, self.FAR_M
        depth = np.where(mask >= 0, far * near / (far - (far - near) * z_buffer), 0).astype(np.float32)
        rgb = np.ascontiguousarray(np.asarray(rgba, np.uint8).reshape(*shape, 4)[..., :3])
        return Frame(rgb, depth, self._instance_of_body[mask])

    def _projection(self, camera: Camera) -> NDArray[np.float64]:
        """The OpenGL projection [4, 4] of the camera's intrinsics; GL's pixel edges are our centres less a half."""
        (fx, _, cx), (_, fy, cy), _ = camera.intrinsics
        near, far = self.NEAR_M, self.FAR_M
        return np.array(
            [
                [2 * fx / camera.width, 0, 1 - (2 * cx + 1) / camera.width, 0],
                [0, 2 * fy / camera.height, (2 * cy + 1) / camera.height - 1, 0],
                [0, 0, -(far + near) / (far - near), -2 * far * near / (far - near)],
                [0, 0, -1, 0],
            ]
        )

    def close(self) -> None:
        if self.client >= 0:
            pybullet.disconnect(self.client)
            self.client = -1
            self._texture_folder.cleanup()


def make_renderer(name: str, shadows: bool, antialias: int) -> Renderer:
    """A renderer by name: `raster` or `tiny`."""
    if name == "tiny":
        return TinyRenderer(shadows)
    raise ValueError(f"unknown renderer {name!r}; there are: raster, tiny")


def matrix_of(position: Sequence[float], quaternion: Sequence[float]) -> NDArray[np.float64]:
    """The pose [4, 4] of a position [3] (m) and a unit quaternion (x, y, z, w)."""
    x, y, z, w = quaternion
    pose = np.eye(4)
    pose[0] = 1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w), position[0]
    pose[1] = 2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w), position[1]
    pose[2] = 2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y), position[2]
    return pose


def quaternion_of(rotation: NDArray[np.float64]) -> NDArray[np.float64]:
    """The unit quaternion (x, y, z, w), w ≥ 0, of a rotation matrix [3, 3]."""
    m = rotation
    scale = np.array([1 + m[0, 0] - m[1, 1] - m[2, 2], 1 - m[0, 0] + m[1, 1] - m[2, 2],
                      1 - m[0, 0] - m[1, 1] + m[2, 2], 1 + m[0, 0] + m[1, 1] + m[2, 2]])  # fmt: skip
    largest = int(np.argmax(scale))
    rows = [
        [scale[0], m[0, 1] + m[1, 0], m[0, 2] + m[2, 0], m[2, 1] - m[1, 2]],
        [m[0, 1] + m[1, 0], scale[1], m[1, 2] + m[2, 1], m[0, 2] - m[2, 0]],
        [m[0, 2] + m[2, 0], m[1, 2] + m[2, 1], scale[2], m[1, 0] - m[0, 1]],
        [m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1], scale[3]],
    ]
    quaternion = np.array(rows[largest])
    quaternion /= np.linalg.norm(quaternion)
    return quaternion if quaternion[3] >= 0 else -quaternion
