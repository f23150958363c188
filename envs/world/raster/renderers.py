"""The renderers of a world by name: `raster`, our own and the default, and `tiny`, its reference."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.envs.world import exact
from embodied_ssl.envs.world.assets import Light
from embodied_ssl.envs.world.camera import Camera
from embodied_ssl.envs.world.raster.atlas import Atlas, MeshStore
from embodied_ssl.envs.world.raster.frames import Frame, Item, Renderer
from embodied_ssl.envs.world.raster.kernels.buffers import (
    HIGHEST,
    SUNWARD,
    Image,
    Samples,
    Stage,
    Sun,
    View,
    has_room,
    room_for_fragments,
    room_for_samples,
)
from embodied_ssl.envs.world.raster.kernels.drawing import draw_view
from embodied_ssl.envs.world.raster.kernels.visibility import casting_box, scan_shadows
from embodied_ssl.envs.world.raster.tiny import TinyRenderer


def make_renderer(name: str, shadows: bool, antialias: int) -> Renderer:
    """A renderer by name: `raster` or `tiny`."""
    if name == "raster":
        return RasterRenderer(shadows, antialias)
    if name == "tiny":
        return TinyRenderer(shadows)
    raise ValueError(f"unknown renderer {name!r}; there are: raster, tiny")


class RasterRenderer:
    """Our rasteriser behind the renderer's interface: packs what stands in the world, keeps the shadow map fresh."""

    SHADOW_SIDE = 512  # texels of the shadow map at most
    SHADOW_TEXEL_M = 0.002  # finer than this serves nobody

    def __init__(self, shadows: bool = True, antialias: int = 2):
        if not 1 <= antialias <= 8:
            raise ValueError(f"antialias is the samples per pixel and axis, 1 to 8, not {antialias}")
        self.shadows, self.antialias = shadows, antialias
        self._samples: Samples | None = None
        self._fragments = room_for_fragments(0, antialias)
        self._map_keys = np.empty(0, np.int64)
        self._heights = np.empty(0, np.int32)
        self._sun: Sun | None = None
        self._sun_poses = b""
        self._atlas = Atlas()
        self._meshes = MeshStore()

    def load(self, items: Sequence[Item], light: Light) -> None:
        self._stage = _pack(items, light, self._atlas, self._meshes)
        self._casting = np.unique(self._stage.item[self._stage.casts])
        self._sun_axes = _sun_axes(self._stage.light[SUNWARD].astype(float))
        self._sun = None
        if self._samples is not None and not has_room(self._samples, self._stage):
            self._samples = None

    def draw(self, camera: Camera, pose: NDArray[np.float64], poses: NDArray[np.float64]) -> Frame:
        height, width = camera.height, camera.width
        size = height * width * self.antialias**2
        if self._samples is None or len(self._samples.spans) != size:
            self._samples = room_for_samples(self._stage, size)
        if len(self._fragments.depth) != size:
            self._fragments = room_for_fragments(size, self.antialias)
        image = Image(
            rgb=np.empty((height, width, 3), np.uint8),
            depth=np.empty((height, width), np.float32),
            instance=np.empty((height, width), np.uint8),
        )
        sun = self._current_sun(poses, self._samples)
        view = View(pose, camera.intrinsics, self.antialias, width, height)
        draw_view(self._stage, self._samples, self._fragments, sun, poses, view, image)
        return Frame(*image)

    def _current_sun(self, poses: NDArray[np.float64], samples: Samples) -> Sun:
        """The sun's map of what stands here, made anew only if something that casts a shadow has moved."""
        now = poses[self._casting].tobytes()
        if self._sun is None or (self.shadows and now != self._sun_poses):
            self._sun = self._scan_sun(poses, samples)
            self._sun_poses = now
        return self._sun

    def _scan_sun(self, poses: NDArray[np.float64], samples: Samples) -> Sun:
        """The view from the sun on everything that casts a shadow. samples: room to work in."""
        stage = self._stage
        if not self.shadows or not stage.casts.any():
            return Sun(np.zeros((3, 4)), np.zeros((2, 2), np.int32), 0.0, 0.0)
        axes = self._sun_axes
        low, high = casting_box(stage.casts, stage.item, stage.spheres, axes, poses)
        extent = max(high[0] - low[0], high[1] - low[1])
        side = int(min(self.SHADOW_SIDE, np.ceil(extent / self.SHADOW_TEXEL_M) + 4))
        texel = extent / (side - 4)  # a margin all round: beyond the map all is lit
        unit = (high[2] - low[2]) / (HIGHEST - 2)
        scale = np.array([1 / texel, 1 / texel, 1 / unit])
        to_map = np.column_stack([axes * scale[:, None], [1.5, 1.5, 1.0] - low * scale])  # height 0 is none
        if not len(self._map_keys):  # room for the largest: what moves makes the map larger and smaller
            self._map_keys = np.zeros(self.SHADOW_SIDE**2 + 15, np.int64)
            self._heights = np.empty(self.SHADOW_SIDE**2, np.int32)
        heights = self._heights[: side * side].reshape(side, side)
        sun = Sun(to_map, heights, 1.5 * texel, 1.5 * texel / unit)
        scan_shadows(stage, samples._replace(keys=self._map_keys[: side * side + 15]), sun, poses)
        return sun

    def close(self) -> None:
        self._samples = None


def _sun_axes(sunward: NDArray[np.float64]) -> NDArray[np.float64]:
    """Column, row and height of the sun's view in the world, [3, 3]; right × down points away from the sun."""
    right = exact.cross(sunward, np.eye(3)[np.argmin(np.abs(sunward))])
    right /= exact.length(right)
    return np.array([right, exact.cross(right, sunward), sunward])


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
