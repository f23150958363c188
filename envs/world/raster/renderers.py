"""The renderers of a world: `raster`, our own and the default, and `tiny`, PyBullet's TinyRenderer, its reference."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from embodied_ssl.envs.world import exact
from embodied_ssl.envs.world.assets import Asset, Light, Texture
from embodied_ssl.envs.world.camera import Camera
from embodied_ssl.envs.world.engine import Scratch, pybullet
from embodied_ssl.envs.world.raster.atlas import Atlas, MeshStore
from embodied_ssl.envs.world.raster.shading import LANES, NEARNESS, SUNWARD, draw_view, room_for_fragments
from embodied_ssl.envs.world.raster.visibility import HIGHEST, Samples, Stage, Sun, scan_shadows, scan_view


@dataclass(frozen=True, eq=False)
class Frame:
    """An image. rgb: uint8 [H, W, 3], sRGB. depth: float32 [H, W], m along the optical axis, 0 = nothing there.

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
    """Draws items at poses. `load` is called once per world, `draw` once per image."""

    def load(self, items: Sequence[Item], light: Light) -> None:
        """Take over what is to be drawn from now on."""

    def draw(self, camera: Camera, pose: NDArray[np.float64], poses: NDArray[np.float64]) -> Frame:
        """Draw from a camera at `pose` [4, 4] with the items at `poses` [N, 4, 4], item to world."""

    def close(self) -> None:
        """Give back what the renderer holds."""


class RasterRenderer:
    """Our rasteriser behind the renderer's interface: packs what stands in the world, keeps the shadow map fresh."""

    SHADOW_SIDE = 512  # texels of the shadow map at most
    SHADOW_TEXEL_M = 0.002  # finer than this serves nobody

    def __init__(self, shadows: bool = True, antialias: int = 2):
        if not 1 <= antialias <= 8:
            raise ValueError(f"antialias is the samples per pixel and axis, 1 to 8, not {antialias}")
        self.shadows, self.antialias = shadows, antialias
        self._samples: Samples | None = None
        self._fragments = room_for_fragments(0)
        self._map_keys, self._heights = np.empty(0, np.int64), np.empty((0, 0), np.int32)
        self._sun: Sun | None = None
        self._sun_poses = b""
        self._atlas, self._meshes = Atlas(), MeshStore()

    def load(self, items: Sequence[Item], light: Light) -> None:
        self._stage = _pack(items, light, self._atlas, self._meshes)
        self._sun, self._sun_poses = None, b""
        if self._samples is not None and (
            len(self._samples.slots) <= _triangles_of(self._stage)
            or len(self._samples.corners) < _most_vertices(self._stage)
        ):
            self._samples = None

    def draw(self, camera: Camera, pose: NDArray[np.float64], poses: NDArray[np.float64]) -> Frame:
        height, width, spacing = camera.height, camera.width, self.antialias
        size = height * width * spacing**2
        if self._samples is None or len(self._samples.spans) != size:
            self._samples = _room_to_work(self._stage, size)
        if len(self._fragments.depth) != size:
            self._fragments = room_for_fragments(size)
        still = poses.tobytes()
        if self._sun is None or (self.shadows and still != self._sun_poses):
            self._sun, self._sun_poses = self._scan_sun(poses, self._samples), still
        rgb, depth = np.empty((height, width, 3), np.uint8), np.empty((height, width), np.float32)
        instance = np.empty((height, width), np.uint8)
        view = self._stage, self._samples
        counts = scan_view(*view, poses, pose, camera.intrinsics, spacing, width, height)
        draw_view(
            *view, counts, self._fragments, self._sun, poses, pose, camera.intrinsics, spacing, rgb, depth, instance
        )
        return Frame(rgb, depth, instance)

    def _scan_sun(self, poses: NDArray[np.float64], samples: Samples) -> Sun:
        """The view from the sun on everything that casts a shadow. samples: room to work in."""
        stage = self._stage
        if not self.shadows or not stage.casts.any():
            return Sun(np.zeros((3, 4)), np.zeros((2, 2), np.int32), 0.0, 0.0)
        sunward = stage.light[SUNWARD].astype(float)
        right = np.cross(sunward, np.eye(3)[np.argmin(np.abs(sunward))])
        right /= exact.length(right)
        axes = np.stack([right, np.cross(right, sunward), sunward])  # column, row (right × down = away), height
        turned = poses[stage.item[stage.casts]]
        centers = exact.moved(turned, stage.spheres[stage.casts, :3])
        radii = stage.spheres[stage.casts, 3:]
        places = exact.product(centers, axes.T)
        low, high = (places - radii).min(axis=0), (places + radii).max(axis=0)
        extent = max(high[0] - low[0], high[1] - low[1])
        side = int(min(self.SHADOW_SIDE, np.ceil(extent / self.SHADOW_TEXEL_M) + 4))
        texel = extent / (side - 4)  # a margin all round: beyond the map all is lit
        unit = (high[2] - low[2]) / (HIGHEST - 2)
        scale = np.array([1 / texel, 1 / texel, 1 / unit])
        view = np.column_stack([axes * scale[:, None], [1.5, 1.5, 1.0] - low * scale])  # height 0 is none
        if len(self._heights) != side:
            self._map_keys, self._heights = np.empty(side * side + 15, np.int64), np.empty((side, side), np.int32)
        sun = Sun(view, self._heights, 1.5 * texel, 1.5 * texel / unit)
        scan_shadows(stage, samples._replace(keys=self._map_keys), sun, poses)
        return sun

    def close(self) -> None:
        self._samples = None


def _room_to_work(stage: Stage, samples: int) -> Samples:
    triangles = _triangles_of(stage) * 5 // 4 + 1  # some more, for the next scene; the last one is the background's
    planes = np.zeros((triangles, 3, LANES), np.float32)
    planes[-1, 2, NEARNESS] = np.inf  # of depth 0
    return Samples(
        keys=np.empty(samples + 15, np.int64),
        slots=np.zeros((triangles, 3), np.int32),
        edges=np.zeros((triangles, 11)),
        shown=np.empty(triangles, np.int32),
        spans=np.empty((samples, 4), np.int32),
        places=np.empty((samples, 3), np.float32),
        planes=planes,
        density=np.empty(triangles, np.float32),
        corners=np.empty((_most_vertices(stage), 6)),
    )


def _triangles_of(stage: Stage) -> int:
    """Of all parts; a mesh that several share counts each time."""
    return int(np.sum(stage.ranges[:, 3] - stage.ranges[:, 2]))


def _most_vertices(stage: Stage) -> int:
    """Of a part."""
    return int(np.max(stage.ranges[:, 1] - stage.ranges[:, 0], initial=1))


def _pack(items: Sequence[Item], light: Light, atlas: Atlas, meshes: MeshStore) -> Stage:
    """All parts in flat buffers."""
    parts = [(row, item, part) for row, item in enumerate(items) for part in item.asset.parts]
    ranges, spheres = meshes.place([part.mesh for _, _, part in parts])
    texture_end, log_sides = atlas.place([part.texture for _, _, part in parts])
    sunward = np.asarray(light.direction, float)
    colors = [light.sun, light.sky, light.ground, light.horizon, light.zenith, sunward / exact.length(sunward)]
    return Stage(
        vertices=meshes.vertices,
        normals=meshes.normals,
        uv=meshes.uv,
        triangles=meshes.triangles,
        ranges=ranges,
        item=np.array([row for row, _, _ in parts], np.int32),
        instance=np.array([item.instance for _, item, _ in parts], np.uint8),
        spheres=spheres,
        surfaces=np.array([(part.gloss, part.emission) for _, _, part in parts], np.float32).reshape(-1, 2),
        casts=np.array([part.casts_shadow for _, _, part in parts], bool),
        texture_end=texture_end,
        texture_log_side=log_sides,
        texels=atlas.texels,
        light=np.array(colors, np.float32),
    )


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


def make_renderer(name: str, shadows: bool, antialias: int) -> Renderer:
    """A renderer by name: `raster` or `tiny`."""
    if name == "raster":
        return RasterRenderer(shadows, antialias)
    if name == "tiny":
        return TinyRenderer(shadows)
    raise ValueError(f"unknown renderer {name!r}; there are: raster, tiny")


def matrices_of(positions: ArrayLike, quaternions: ArrayLike) -> NDArray[np.float64]:
    """The poses [N, 4, 4] of positions [N, 3] (m) and unit quaternions [N, 4] (x, y, z, w)."""
    x, y, z, w = np.asarray(quaternions, float).reshape(-1, 4).T
    poses = np.zeros((len(x), 4, 4))
    poses[:, 0, 0], poses[:, 0, 1], poses[:, 0, 2] = 1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)
    poses[:, 1, 0], poses[:, 1, 1], poses[:, 1, 2] = 2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)
    poses[:, 2, 0], poses[:, 2, 1], poses[:, 2, 2] = 2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)
    poses[:, :3, 3] = np.asarray(positions, float).reshape(-1, 3)
    poses[:, 3, 3] = 1.0
    return poses


def quaternion_of(rotation: NDArray[np.float64]) -> NDArray[np.float64]:
    """The unit quaternion (x, y, z, w), w ≥ 0, of a rotation matrix [3, 3]."""
    (a, b, c), (d, e, f), (g, h, i) = rotation.tolist()
    squares = 1 + a - e - i, 1 - a + e - i, 1 - a - e + i, 1 + a + e + i
    row = (
        (squares[0], b + d, c + g, h - f),
        (b + d, squares[1], f + h, c - g),
        (c + g, f + h, squares[2], d - b),
        (h - f, c - g, d - b, squares[3]),
    )[squares.index(max(squares))]
    length = exact.hypot(*row) if row[3] >= 0 else -exact.hypot(*row)
    return np.array([number / length for number in row])
