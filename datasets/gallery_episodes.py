"""What a page shows of a video data set: a wall of frames, episodes to scrub through, how the body moved."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

from embodied_ssl.datasets import pictures
from embodied_ssl.datasets.charts import Axis, Chart, number, round_step, rows_chart, words
from embodied_ssl.datasets.motion import azimuth, elevation, heading
from embodied_ssl.datasets.readers import Dataset
from embodied_ssl.datasets.schema import MOTOR_SIGNALS

WALL_TILES = 24
MOST_EPISODES = 12  # to scrub through
_MOST_FRAMES = 120  # of an episode to scrub through; longer ones are thinned evenly
_MOST_ROWS = 300_000  # that the charts count
_SIDE_PX = 160
_COLUMNS = 12
_BINS = 41


@dataclass(frozen=True)
class Tile:
    """Two frames of an episode on the wall: data URLs, and what to write below."""

    first: str
    middle: str
    label: str
    episode: int


def episode_labels(dataset: Dataset) -> list[str]:
    """What each episode shows: its scene type, or for an orbit the category of its object."""
    if dataset.kind == "roam":
        return [words(dataset.scenes[scene]) for scene in dataset.episodes["scene"]]
    category, start = dataset.objects["category"], dataset.episodes["objects_start"]
    counts = dataset.episodes["objects_count"]
    return [words(category[first]) if count else "nothing" for first, count in zip(start, counts, strict=True)]


def spread(labels: list[str], seed: int = 0) -> NDArray[np.int64]:
    """An order of all places in which the first ones have as many different labels as there are, drawn by seed."""
    order = np.random.default_rng(seed).permutation(len(labels))
    seen: dict[str, int] = {}
    turn = []
    for place in order:
        turn.append(seen.get(labels[place], 0))
        seen[labels[place]] = turn[-1] + 1
    return order[np.argsort(turn, kind="stable")]


def wall(dataset: Dataset, labels: list[str], tiles: int = WALL_TILES) -> list[Tile]:
    """First and middle frames of some episodes, of as many kinds as there are."""
    chosen = np.sort(spread(labels)[:tiles])
    start, length = dataset.episodes["start"][chosen], dataset.episodes["length"][chosen]
    rgb = dataset.array("frames/rgb")
    first = pictures.shrink(rgb[start], _SIDE_PX)
    middle = pictures.shrink(rgb[start + length // 2], _SIDE_PX)
    order = sorted(range(len(chosen)), key=lambda i: labels[chosen[i]])
    return [Tile(pictures.embed(first[i]), pictures.embed(middle[i]), labels[chosen[i]], int(chosen[i])) for i in order]


def scrubber(dataset: Dataset, labels: list[str], budget: int) -> dict[str, Any]:
    """Episodes with all their pictures, places and motions, as the page's script wants them; about `budget` bytes."""
    chosen = spread(labels)[:MOST_EPISODES].tolist()
    looks = _Looks.of(dataset, chosen)
    episodes: list[dict[str, Any]] = []
    used = 0
    for index in chosen:
        episode = _episode(dataset, index, labels[index], looks)
        size = sum(map(len, episode["sheets"].values()))
        if episodes and used + size > budget:
            break
        used += size
        episodes.append(episode)
    return {
        "signals": [_signal(name) for name, _ in zip(MOTOR_SIGNALS[dataset.kind], range(2), strict=True)],
        "layers": list(episodes[0]["sheets"]),
        "legends": looks.legends(),
        "episodes": episodes,
    }


@dataclass(frozen=True)
class _Looks:
    """The ranges of the colours, the same for all episodes of a page."""

    layers: tuple[str, ...]
    near: float
    far: float
    longest: float

    @classmethod
    def of(cls, dataset: Dataset, episodes: list[int]) -> "_Looks":
        layers = tuple(name for name in ("rgb", "depth", "instance", "flow") if f"frames/{name}" in dataset.fields)
        start, length = dataset.episodes["start"][episodes], dataset.episodes["length"][episodes]
        every = [np.arange(0, count, max(1, count // 5)) for count in length]
        rows = np.concatenate([first + frames for first, frames in zip(start, every, strict=True)])
        near, far = pictures.depth_range(dataset.array("frames/depth")[rows]) if "depth" in layers else (0.1, 1.0)
        longest = pictures.flow_range(dataset.array("frames/flow")[rows]) if "flow" in layers else 1.0
        return cls(layers, near, far, longest)

    def encode(self, layer: str, values: NDArray[Any]) -> str:
        """A contact sheet of one layer of an episode, as a data URL."""
        if layer == "rgb":
            return pictures.embed(pictures.sheet(pictures.shrink(values, _SIDE_PX), _COLUMNS))
        if layer == "depth":
            colours = pictures.depth_colours(values, self.near, self.far)
        elif layer == "instance":
            step = -(-max(values.shape[1:3]) // _SIDE_PX)  # whole steps: colours of things never mix
            return pictures.embed_exactly(
                pictures.sheet(pictures.instance_colours(values[:, ::step, ::step]), _COLUMNS)
            )
        else:
            colours = pictures.flow_colours(values, self.longest)
        return pictures.embed(pictures.sheet(pictures.shrink(colours, _SIDE_PX), _COLUMNS))

    def legends(self) -> dict[str, Any]:
        """What the colours of each layer mean."""
        known = {
            "rgb": {"title": "what the camera saw"},
            "depth": {
                "title": "depth",
                "picture": pictures.embed_exactly(pictures.depth_bar()),
                "low": f"{self.near:.2g} m",
                "high": f"{self.far:.2g} m",
            },
            "instance": {"title": "instance mask, a colour for each thing"},
            "flow": {
                "title": f"flow to the next frame; full colour: {self.longest:.2g} px",
                "wheel": pictures.embed_exactly(pictures.flow_wheel()),
            },
        }
        return {layer: known[layer] for layer in self.layers}


def _episode(dataset: Dataset, index: int, label: str, looks: _Looks) -> dict[str, Any]:
    start, length = int(dataset.episodes["start"][index]), int(dataset.episodes["length"][index])
    frames = np.arange(0, length, -(-length // _MOST_FRAMES))
    rows, whole = start + frames, start + np.arange(length)
    poses = dataset.array("frames/pose")[whole].astype("f8")
    motor, command = dataset.array("frames/motor")[whole], dataset.array("frames/command")[whole]
    layers = {layer: dataset.array(f"frames/{layer}")[rows] for layer in looks.layers}
    things = _things(dataset, index)
    roams = dataset.kind == "roam"
    return {
        "label": f"{label}, episode {index}",
        "columns": _COLUMNS,
        "frame": frames.tolist(),
        "frames": length,
        "time": _rounded(dataset.array("frames/time")[rows], 3),
        "motor": _rounded(motor[frames], 4),
        "place": _rounded((_floor_places(poses) if roams else _sphere_places(poses))[frames], 4),
        "map": _floor_map(poses, things) if roams else _sphere_map(poses),
        "strips": [_strip(motor[:, signal], command[:, signal]) for signal in range(motor.shape[1])],
        "note": f"{len(things['category'])} things" if roams else _thing_note(things),
        "sheets": {layer: looks.encode(layer, values) for layer, values in layers.items()},
    }


def _things(dataset: Dataset, episode: int) -> dict[str, NDArray[Any]]:
    first, count = dataset.episodes["objects_start"][episode], dataset.episodes["objects_count"][episode]
    return {name: values[first : first + count] for name, values in dataset.objects.items()}


def _floor_places(poses: NDArray[np.float64]) -> NDArray[np.float64]:
    """x, y (m) and heading (degrees) of each frame, [T, 3]."""
    return np.stack([poses[:, 0, 3], poses[:, 1, 3], np.degrees(heading(poses))], axis=1)


def _sphere_places(poses: NDArray[np.float64]) -> NDArray[np.float64]:
    """The viewing sphere from above: x, y with the zenith at 0 and the horizon at 1, and azimuth (degrees), [T, 3]."""
    around, radius = azimuth(poses), 1 - elevation(poses) / (np.pi / 2)
    return np.stack([radius * np.cos(around), radius * np.sin(around), np.degrees(around)], axis=1)


def _floor_map(poses: NDArray[np.float64], things: dict[str, NDArray[Any]]) -> str:
    """The floor from above in metres, x to the right and y upwards: things as boxes, the way of the body."""
    way = poses[:, :2, 3]
    columns = (things[name] for name in ("position", "quaternion", "size"))
    corners = [footprint(*thing) for thing in zip(*columns, strict=True)]
    near = [box for box in corners if np.abs(box - way.mean(0)).max() < 30]
    every = np.concatenate([way, *near])
    low, high = every.min(axis=0) - 0.4, every.max(axis=0) + 0.4
    span = high - low
    order = sorted(range(len(corners)), key=lambda i: -float(np.prod(things["size"][i][:2])))
    boxes = "".join(
        f'<polygon class="thing" points="{_points(corners[i])}"><title>{escape(words(things["category"][i]))}, '
        f"{escape(words(things['material'][i]))}</title></polygon>"
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


def _sphere_map(poses: NDArray[np.float64]) -> str:
    """The viewing sphere from above: rings of elevation, spokes of azimuth, the way of the camera."""
    rings = "".join(f'<circle class="sphere" r="{1 - degrees / 90:.4f}"/>' for degrees in (0, 30, 60))
    spokes = "".join(
        f'<path class="sphere" d="M0 0L{np.cos(a):.4f} {np.sin(a):.4f}"/>' for a in np.radians(np.arange(0, 360, 30))
    )
    texts = "".join(
        f'<text class="scale-text" font-size="0.07" transform="translate({(1 - degrees / 90) * np.cos(1.31):.3f} '
        f'{(1 - degrees / 90) * np.sin(1.31) + 0.015:.3f}) scale(1 -1)">{degrees}°</text>'
        for degrees in (0, 30, 60)
    )
    around = "".join(
        f'<text class="scale-text" font-size="0.075" transform="translate({1.1 * np.cos(np.radians(degrees)):.3f} '
        f'{1.1 * np.sin(np.radians(degrees)) - 0.025:.3f}) scale(1 -1)">{degrees}°</text>'
        for degrees in (0, 90, 180, 270)
    )
    body = '<g class="body"><circle r="0.045"/></g>'
    return (
        '<svg viewBox="-1.24 -1.2 2.48 2.4" role="img" aria-label="the viewing sphere from above">'
        f'<g transform="scale(1 -1)">{rings}{spokes}{texts}{around}{_way(_sphere_places(poses)[:, :2])}{body}</g></svg>'
    )


def footprint(
    position: NDArray[np.floating], quaternion: NDArray[np.floating], size: NDArray[np.floating]
) -> NDArray[np.float64]:
    """The corners of a thing's box on the floor, [4, 2] m, from its yaw."""
    x, y, z, w = (float(value) for value in quaternion)
    yaw = np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))
    c, s = np.cos(yaw), np.sin(yaw)
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * np.asarray(size[:2], "f8") / 2
    return corners @ np.array([[c, s], [-s, c]]) + np.asarray(position[:2], "f8")


def _strip(measured: NDArray[np.floating], asked: NDArray[np.floating]) -> str:
    """One motor signal over the frames of an episode: what was asked for below what was measured."""
    every = np.concatenate([measured, asked, [0.0]])
    low, high = float(np.nanmin(every)), float(np.nanmax(every))
    low, high = low - 0.05 * (high - low) - 1e-6, high + 0.05 * (high - low) + 1e-6
    last = max(len(measured) - 1, 1)

    def down(values: NDArray[np.floating] | float) -> NDArray[np.floating]:
        return np.asarray(1 - 2 * (values - low) / (high - low))

    def path(values: NDArray[np.floating]) -> str:
        there = np.flatnonzero(np.isfinite(values))
        return "M" + "L".join(f"{i} {down(values[i]):.3f}" for i in there) if len(there) else ""

    return (
        f'<svg viewBox="0 -1 {last} 2" preserveAspectRatio="none" aria-hidden="true">'
        f'<path class="zero" d="M0 {down(0.0):.3f}H{last}"/>'
        f'<path class="asked" d="{path(asked)}"/><path class="measured" d="{path(measured)}"/>'
        '<path class="cursor" d="M0 -1V1"/></svg>'
    )


def motor_chart(dataset: Dataset, rows: NDArray[np.int64]) -> Markup:
    """How often each motion was measured, as a density over both signals."""
    motor = dataset.array("frames/motor")[rows]
    motor = motor[np.isfinite(motor).all(axis=1)].astype("f8")
    names = MOTOR_SIGNALS[dataset.kind]
    axes = [Axis(name, *_ends(motor[:, i])) for i, name in enumerate(names)]
    counts, *edges = np.histogram2d(
        motor[:, 0], motor[:, 1], bins=_BINS, range=[(axis.low, axis.high) for axis in axes]
    )
    chart = Chart(*axes)
    chart.heat(edges[0], edges[1], counts)
    for axis, place in zip(axes, ("x", "y"), strict=True):
        if axis.low < 0 < axis.high:
            chart.rule(**{place: 0.0})
    return chart.svg(f"how often each motion: {names[0]} across, {names[1]} up")


def sphere_chart(dataset: Dataset, rows: NDArray[np.int64]) -> Markup:
    """How often the camera stood where, as a density over azimuth and elevation."""
    poses = dataset.array("frames/pose")[rows].astype("f8")
    across, up = np.degrees(azimuth(poses)), np.degrees(elevation(poses))
    ticks = tuple((float(value), f"{value}°".replace("-", "−")) for value in range(-180, 181, 90))
    x = Axis("azimuth", -180, 180, ticks=ticks)
    y = Axis("elevation", 0, 90, ticks=tuple((float(value), f"{value}°") for value in range(0, 91, 30)))
    counts, x_edges, y_edges = np.histogram2d(across, up, bins=(36, 18), range=[(-180, 180), (0, 90)])
    chart = Chart(x, y)
    chart.heat(x_edges, y_edges, counts)
    return chart.svg("how often the camera stood at each azimuth and elevation")


def distance_chart(dataset: Dataset, episodes: NDArray[np.int64]) -> Markup:
    """How far the body drove in each episode, as a histogram."""
    driven = np.array([_driven(dataset, episode) for episode in episodes])
    step = round_step(max(float(driven.max(initial=0)), 0.1) / 16)
    edges = np.arange(0, driven.max(initial=0) + step, step)
    edges = edges if len(edges) > 1 else np.array([0, step])
    counts, _ = np.histogram(driven, edges)
    chart = Chart(Axis("driven in an episode (m)", 0, float(edges[-1])), Axis("episodes", 0, 1.05 * counts.max()))
    titles = [f"{number(a)} to {number(b)} m: {c}" for a, b, c in zip(edges[:-1], edges[1:], counts, strict=True)]
    chart.bars(edges, counts, titles)
    return chart.svg("how far the body drove in each episode")


def label_chart(labels: list[str], unit: str = "episodes") -> Markup:
    """How many there are of each label, the most common first."""
    names, counts = np.unique(labels, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:20]
    return rows_chart([str(names[i]) for i in order], counts[order].tolist(), [f"{counts[i]:,}" for i in order], unit)


def sampled_episodes(dataset: Dataset) -> NDArray[np.int64]:
    """The episodes that the charts count: all, or evenly spaced ones of a large data set."""
    lengths = dataset.episodes["length"]
    step = max(1, -(-int(lengths.sum()) // _MOST_ROWS))
    return np.arange(0, len(lengths), step)


def duration(dataset: Dataset, episodes: NDArray[np.int64]) -> str:
    """How long the body lived in all, from the given episodes if not all are given."""
    start, length = dataset.episodes["start"][episodes], dataset.episodes["length"][episodes]
    seconds = float(dataset.array("frames/time")[start + length - 1].sum()) * len(dataset.episodes["start"])
    seconds /= max(len(episodes), 1)
    if seconds < 120:
        return f"{number(seconds)} s"
    return f"{number(seconds / 60)} min" if seconds < 7200 else f"{number(seconds / 3600)} h"


def rows_of(dataset: Dataset, episodes: NDArray[np.int64]) -> NDArray[np.int64]:
    """All rows of some episodes."""
    start, length = dataset.episodes["start"], dataset.episodes["length"]
    return np.concatenate([start[e] + np.arange(length[e]) for e in episodes])


def _driven(dataset: Dataset, episode: int) -> float:
    rows = rows_of(dataset, np.array([episode]))
    return float(np.nansum(np.abs(dataset.array("frames/motor")[rows][:, 0])))


def _ends(values: NDArray[np.float64]) -> tuple[float, float]:
    """From the smallest to the largest value, with a margin."""
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    margin = 0.03 * (high - low) or 0.1
    return low - margin, high + margin


def _way(places: NDArray[np.float64]) -> str:
    return f'<polyline class="way" points="{_points(places)}"/><polyline class="trail" points=""/>'


def _points(places: NDArray[np.float64]) -> str:
    return " ".join(f"{x:.3f},{y:.3f}" for x, y in places)


def _signal(name: str) -> dict[str, str]:
    text, _, unit = name.partition(" (")
    return {"name": text, "unit": unit.rstrip(")")}


def _thing_note(things: dict[str, NDArray[Any]]) -> str:
    if not len(things["category"]):
        return ""
    centimetres = " × ".join(f"{100 * side:.0f}" for side in things["size"][0])
    return f"{words(things['material'][0])}, {centimetres} cm"


def _rounded(values: NDArray[np.floating], digits: int) -> list[Any]:
    """Nested lists of short numbers; NaN becomes None."""
    if values.ndim > 1:
        return [_rounded(row, digits) for row in values]
    return [round(float(value), digits) if np.isfinite(value) else None for value in values]
