"""The reference: PyBullet's TinyRenderer behind the renderer's interface."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from embodied_ssl.envs.world.assets import Light, Texture
from embodied_ssl.envs.world.camera import Camera
from embodied_ssl.envs.world.engine import Scratch, pybullet
from embodied_ssl.envs.world.poses import quaternion_of
from embodied_ssl.envs.world.raster.frames import Frame, Item


class TinyRenderer:
    """PyBullet's software renderer, on a client of its own. Slow; kept as the reference for ours."""

    NEAR_M, FAR_M = 0.02, 100.0

    def __init__(self, shadows: bool = True):
        self.shadows = shadows
        self.light = Light()
        self.client = pybullet.connect(pybullet.DIRECT)
        self._bodies: list[list[int]] = []
        self._instance_of_body = np.zeros(1, np.uint8)
        self._scratch = Scratch()

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
        path = self._scratch.path / f"{number}.png"
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
            viewMatrix=_view_of(pose).T.ravel().tolist(),
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
        """The OpenGL projection [4, 4] of the intrinsics. TinyRenderer samples a pixel at its lower left corner."""
        (fx, _, cx), (_, fy, cy), _ = camera.intrinsics
        near, far = self.NEAR_M, self.FAR_M
        return np.array(
            [
                [2 * fx / camera.width, 0, 1 - 2 * cx / camera.width, 0],
                [0, 2 * fy / camera.height, (2 * cy + 2) / camera.height - 1, 0],
                [0, 0, -(far + near) / (far - near), -2 * far * near / (far - near)],
                [0, 0, -1, 0],
            ]
        )

    def close(self) -> None:
        if self.client >= 0:
            pybullet.disconnect(self.client)
            self.client = -1
            self._scratch.drop()


def _view_of(pose: NDArray[np.float64]) -> NDArray[np.float64]:
    """World to an OpenGL camera's frame [4, 4], of a camera-to-world pose."""
    view = np.eye(4)
    view[:3, :3] = pose[:3, :3].T * np.array([[1], [-1], [-1]])
    view[:3, 3] = -(view[:3, :3] * pose[:3, 3]).sum(axis=1)
    return view
