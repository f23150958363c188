"""Where a body was in an episode: drawings (SVG) that the page's script brings to life.

A map holds a `body` to be placed and a `trail` to be drawn up to it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from markupsafe import escape
from numpy.typing import ArrayLike, NDArray

from embodied_ssl.datasets.gallery.charts import number, round_step, words
from embodied_ssl.datasets.read.motion import azimuth, elevation, heading

_FAR_M = 30.0  # objects farther away are not on the map


def floor_places(poses: NDArray[np.float64]) -> NDArray[np.float64]:
    """x, y (m) and heading (degrees) of each frame, [T, 3]."""
    return np.stack([poses[:, 0, 3], poses[:, 1, 3], np.degrees(heading(poses))], axis=1)


def sphere_places(poses: NDArray[np.float64]) -> NDArray[np.float64]:
    """The viewing sphere from above: x, y with the zenith at 0 and the horizon at 1, and azimuth (degrees), [T, 3]."""
    around, radius = azimuth(poses), 1 - elevation(poses) / (np.pi / 2)
    return np.stack([radius * np.cos(around), radius * np.sin(around), np.degrees(around)], axis=1)


def floor_map(poses: NDArray[np.float64], objects: dict[str, NDArray[Any]]) -> str:
    """The floor from above in metres, x to the right and y upwards: objects as boxes, the way of the body."""
    way = poses[:, :2, 3]
    columns = (objects[name] for name in ("position", "quaternion", "size"))
    corners = [footprint(*each) for each in zip(*columns, strict=True)]
    near = [box for box in corners if np.abs(box - way.mean(0)).max() < _FAR_M]
    every = np.concatenate([way, *near])
    low, high = every.min(axis=0) - 0.4, every.max(axis=0) + 0.4
    span = high - low
    order = sorted(range(len(corners)), key=lambda i: -float(np.prod(objects["size"][i][:2])))
    boxes = "".join(
        f'<polygon class="object" points="{_points(corners[i])}"><title>{escape(words(objects["category"][i]))}, '
        f"{escape(words(objects['material'][i]))}</title></polygon>"
        for i in order
    )
    bar = round_step(float(span.max()) / 8)
    x, y = low + 0.02 * span.max()
    scale = (
        f'<path class="scale" d="M{x:.3f} {y:.3f}h{bar:g}"/><text class="scale-text" transform="translate('
        f'{x + bar / 2:.3f} {y + 0.015 * span.max():.3f}) scale(1 -1)" font-size="{0.035 * span.max():.3f}">'
        f"{number(bar)} m</text>"
    )
    reach = 0.09 * float(span.max())
    body = (
        f'<g class="body"><path class="view" d="M0 0L{reach:.3f} {0.68 * reach:.3f}V{-0.68 * reach:.3f}Z"/>'
        f'<circle r="{0.022 * span.max():.3f}"/></g>'
    )
    return (
        f'<svg viewBox="{low[0]:.3f} {-high[1]:.3f} {span[0]:.3f} {span[1]:.3f}" role="img" '
        f'aria-label="the floor from above"><g transform="scale(1 -1)">{boxes}{_way(way)}{scale}{body}</g></svg>'
    )


def sphere_map(poses: NDArray[np.float64]) -> str:
    """The viewing sphere from above: rings of elevation, spokes of azimuth, the way of the camera."""
    marks = {degrees: 1 - degrees / 90 for degrees in (0, 30, 60)}
    return disc_map(sphere_places(poses)[:, :2], marks, "the viewing sphere from above")


def signal_places(travelled: NDArray[np.float64]) -> NDArray[np.float64]:
    """What the first two of A signals had come to, each from 0 to 1, and no angle, [T, 3]; of one, over time."""
    place = travelled[:, :2]
    if travelled.shape[1] == 1:
        place = np.column_stack([np.arange(len(travelled)), travelled[:, 0]])
    low, span = place.min(axis=0), np.maximum(np.ptp(place, axis=0), 1e-12)
    return np.concatenate([(place - low) / span, np.zeros((len(place), 1))], axis=1)


def signal_map(travelled: NDArray[np.float64], signals: Sequence[str]) -> str:
    """The way of the first two of A signals [T, A], each over its own range; of one signal, over time."""
    across, up = signals[:2] if len(signals) > 1 else ("time", signals[0])
    title = escape(f"{across} to the right, {up} upwards")
    body = '<g class="body"><circle r="0.02"/></g>'
    return (
        f'<svg viewBox="-0.06 -1.06 1.12 1.12" role="img" aria-label="{title}"><g transform="scale(1 -1)">'
        f"<title>{title}</title>{_way(signal_places(travelled)[:, :2])}{body}</g></svg>"
    )


def disc_map(way: NDArray[np.float64], marks: dict[int, float], title: str) -> str:
    """A way [T, 2] over a disc: spokes of azimuth, and rings at some degrees of elevation, by their radius."""
    rings = "".join(f'<circle class="sphere" r="{radius:.4f}"/>' for radius in marks.values())
    spokes = "".join(
        f'<path class="sphere" d="M0 0L{np.cos(a):.4f} {np.sin(a):.4f}"/>' for a in np.radians(np.arange(0, 360, 30))
    )
    texts = "".join(
        f'<text class="scale-text" font-size="0.07" transform="translate({radius * np.cos(1.31):.3f} '
        f'{radius * np.sin(1.31) + 0.015:.3f}) scale(1 -1)">{f"{degrees}°".replace("-", "−")}</text>'
        for degrees, radius in marks.items()
    )
    around = "".join(
        f'<text class="scale-text" font-size="0.075" transform="translate({1.1 * np.cos(np.radians(degrees)):.3f} '
        f'{1.1 * np.sin(np.radians(degrees)) - 0.025:.3f}) scale(1 -1)">{degrees}°</text>'
        for degrees in (0, 90, 180, 270)
    )
    body = '<g class="body"><circle r="0.045"/></g>'
    return (
        f'<svg viewBox="-1.24 -1.2 2.48 2.4" role="img" aria-label="{title}">'
        f'<g transform="scale(1 -1)">{rings}{spokes}{texts}{around}{_way(way)}{body}</g></svg>'
    )


def footprint(position: ArrayLike, quaternion: ArrayLike, size: ArrayLike) -> NDArray[np.float64]:
    """The corners of an object's box on the floor, [4, 2] m, from its yaw."""
    x, y, z, w = (float(value) for value in np.asarray(quaternion))
    yaw = np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))
    c, s = np.cos(yaw), np.sin(yaw)
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * np.asarray(size, "f8")[:2] / 2
    return corners @ np.array([[c, s], [-s, c]]) + np.asarray(position, "f8")[:2]


def _way(places: NDArray[np.float64]) -> str:
    return f'<polyline class="way" points="{_points(places)}"/><polyline class="trail" points=""/>'


def _points(places: NDArray[np.float64]) -> str:
    return " ".join(f"{x:.3f},{y:.3f}" for x, y in places)
