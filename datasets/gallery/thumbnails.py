"""Images for people to look at: colours for what is no colour, contact sheets, and encoding into a page."""

import base64
import io
import math

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]

_QUALITY = 92  # of WebP: the loss is not seen at the size at which pages show an image
_PAUSE_MS = 600  # before an animation begins anew
_NOTHING = (24, 26, 30)  # where there is no depth, and no object


def embed(image: Image) -> str:
    """An image, uint8 [H, W, 3] sRGB, as a data URL: WebP, with a little loss."""
    return _data_url(image, ".webp", [cv2.IMWRITE_WEBP_QUALITY, _QUALITY])


def embed_small(images: Image, side: int) -> list[str]:
    """Images uint8 [K, H, W, 3] as data URLs, their longer side at most `side` pixels."""
    return [embed(image) for image in shrink(images, side)] if len(images) else []


def embed_film(images: Image, rate: float, side: int) -> str:
    """Images uint8 [T, H, W, 3] as an animation that begins anew, so many a second: WebP, as a data URL."""
    import PIL.Image

    film = [PIL.Image.fromarray(image) for image in shrink(images, side)]
    encoded, lasts_ms = io.BytesIO(), round(1000 / rate)
    durations = [lasts_ms] * (len(film) - 1) + [lasts_ms + _PAUSE_MS]
    film[0].save(encoded, "WEBP", save_all=True, append_images=film[1:], duration=durations, loop=0, quality=_QUALITY)
    return f"data:image/webp;base64,{base64.b64encode(encoded.getvalue()).decode()}"


def embed_exactly(image: Image) -> str:
    """An image, uint8 [H, W, 3] sRGB, as a data URL: PNG, for flat colours."""
    return _data_url(image, ".png", [cv2.IMWRITE_PNG_COMPRESSION, 9])


def shrink(images: Image, side: int) -> Image:
    """Images uint8 [K, H, W, 3], their longer side at most `side` pixels; smaller ones stay as they are."""
    height, width = images.shape[1:3]
    scale = side / max(height, width)
    if scale >= 1:
        return images
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.stack([cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in images])


def sheet(images: Image, columns: int) -> Image:
    """Images uint8 [K, H, W, 3] side by side in rows of `columns`; unused places are black."""
    count, height, width = images.shape[:3]
    rows = math.ceil(count / columns)
    out = np.zeros((rows * columns, height, width, 3), np.uint8)
    out[:count] = images
    grid = out.reshape(rows, columns, height, width, 3)
    return grid.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, 3)


def depth_range(depth: NDArray[np.floating]) -> tuple[float, float]:
    """The nearest and farthest depth (m) worth a colour of their own: the 1st and 99th percentile of what there is."""
    there = np.asarray(depth[(depth > 0) & np.isfinite(depth)], "f4")
    if not len(there):
        return 0.1, 1.0
    near, far = (float(value) for value in np.percentile(there, (1, 99)))
    return near, max(far, 1.01 * near)


def depth_colours(depth: NDArray[np.floating], near: float, far: float) -> Image:
    """Depth [..., H, W] in m as uint8 [..., H, W, 3]: red at `near` to blue at `far`, evenly in its logarithm."""
    metres = np.nan_to_num(np.asarray(depth, "f4"))
    share = np.log(np.clip(metres, near, far) / near) / np.log(far / near)
    colours = _TURBO[np.round((1 - share) * 235 + 10).astype(np.uint8)]
    colours[metres <= 0] = _NOTHING
    return colours


def instance_colours(instance: NDArray[np.uint8]) -> Image:
    """A mask [..., H, W] as uint8 [..., H, W, 3]: a colour of its own for each object, near black for none."""
    return _INSTANCES[instance]


def flow_range(flow: NDArray[np.floating]) -> float:
    """The length of flow (px) to show at full colour: the 98th percentile, at least 1."""
    lengths = np.linalg.norm(np.nan_to_num(np.asarray(flow, "f4")), axis=-1)
    return max(1.0, float(np.percentile(lengths, 98)))


def flow_colours(flow: NDArray[np.floating], longest: float) -> Image:
    """Flow [..., H, W, 2] in px as uint8 [..., H, W, 3]: hue its direction, saturation its length; still: white."""
    right, down = np.moveaxis(np.nan_to_num(np.asarray(flow, "f4")), -1, 0)
    hsv = np.empty((*right.shape, 3), np.uint8)
    hsv[..., 0] = np.round(np.arctan2(down, right) % (2 * np.pi) * (180 / (2 * np.pi))).astype(np.int64) % 180
    hsv[..., 1] = np.round(255 * np.clip(np.hypot(right, down) / longest, 0, 1))
    hsv[..., 2] = 245
    flat = cv2.cvtColor(hsv.reshape(-1, 1, 3), cv2.COLOR_HSV2RGB)
    return flat.reshape(hsv.shape)  # type: ignore[return-value]


def flow_wheel(side: int = 64) -> Image:
    """The legend of `flow_colours`: uint8 [side, side, 3], dark outside of the wheel."""
    axis = np.linspace(-1, 1, side)
    flow = np.stack(np.meshgrid(axis, axis), axis=-1)
    wheel = flow_colours(flow, 1.0)
    wheel[np.hypot(flow[..., 0], flow[..., 1]) > 1] = _NOTHING
    return wheel


def depth_bar(width: int = 128) -> Image:
    """The legend of `depth_colours`, from near to far: uint8 [1, width, 3]."""
    return depth_colours(np.geomspace(1.0, 10.0, width)[None], 1.0, 10.0)


def _data_url(image: Image, extension: str, settings: list[int]) -> str:
    done, encoded = cv2.imencode(extension, np.ascontiguousarray(image[..., ::-1]), settings)
    if not done:
        raise RuntimeError(f"this OpenCV cannot encode {extension} images")
    return f"data:image/{extension[1:]};base64,{base64.b64encode(encoded.tobytes()).decode()}"


def _turbo() -> Image:
    ramp = np.arange(256, dtype=np.uint8)[:, None]
    return np.ascontiguousarray(cv2.applyColorMap(ramp, cv2.COLORMAP_TURBO)[:, 0, ::-1], np.uint8)


def _instance_palette() -> Image:
    """Hues a golden ratio apart: objects with neighbouring numbers never look alike."""
    number = np.arange(256)
    hsv = np.empty((256, 1, 3), np.uint8)
    hsv[:, 0, 0] = (number * 0.618034 % 1 * 180).astype(np.uint8)
    hsv[:, 0, 1] = 120 + number * 53 % 100
    hsv[:, 0, 2] = 170 + number * 37 % 80
    palette = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[:, 0]
    palette[0] = _NOTHING
    return palette  # type: ignore[return-value]


_TURBO = _turbo()
_INSTANCES = _instance_palette()
