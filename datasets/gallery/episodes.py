"""What a page shows of a video data set: a wall of frames, episodes to scrub through, how the body moved."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.gallery import thumbnails
from embodied_ssl.datasets.gallery.charts import words
from embodied_ssl.datasets.gallery.maps import strip
from embodied_ssl.datasets.kinds.base import VideoPage
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.datasets.read.tables import Table

WALL_TILES = 24
MOST_EPISODES = 12  # to scrub through
_MOST_FRAMES = 120  # of an episode to scrub through; longer ones are thinned evenly
_SIDE_PX = 160
_COLUMNS = 12


@dataclass(frozen=True)
class Tile:
    """Two frames of an episode on the wall: data URLs, and what to write below."""

    first: str
    middle: str
    label: str
    episode: int


def episode_labels(dataset: Dataset) -> list[str]:
    """What each episode shows: its scene type, or the category of its object, as images are labelled by."""
    if dataset.declaration.labels[0] == "scene":
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
    first = thumbnails.embed_small(rgb[start], _SIDE_PX)
    middle = thumbnails.embed_small(rgb[start + length // 2], _SIDE_PX)
    order = sorted(range(len(chosen)), key=lambda i: labels[chosen[i]])
    return [Tile(first[i], middle[i], labels[chosen[i]], int(chosen[i])) for i in order]


def scrubber(dataset: Dataset, labels: list[str], budget: int) -> dict[str, Any]:
    """Episodes with all their images, places and motions, as the page's script wants them; about `budget` bytes."""
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
        "signals": [_signal(name) for name in dataset.motor_signals],
        "commands": "frames/command" in dataset.fields,
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
        near, far = thumbnails.depth_range(dataset.array("frames/depth")[rows]) if "depth" in layers else (0.1, 1.0)
        longest = thumbnails.flow_range(dataset.array("frames/flow")[rows]) if "flow" in layers else 1.0
        return cls(layers, near, far, longest)

    def encode(self, layer: str, values: NDArray[Any]) -> str:
        """A contact sheet of one layer of an episode, as a data URL."""
        if layer == "rgb":
            return thumbnails.embed(thumbnails.sheet(thumbnails.shrink(values, _SIDE_PX), _COLUMNS))
        if layer == "depth":
            colours = thumbnails.depth_colours(values, self.near, self.far)
        elif layer == "instance":
            step = -(-max(values.shape[1:3]) // _SIDE_PX)  # whole steps: colours of objects never mix
            return thumbnails.embed_exactly(
                thumbnails.sheet(thumbnails.instance_colours(values[:, ::step, ::step]), _COLUMNS)
            )
        else:
            colours = thumbnails.flow_colours(values, self.longest)
        return thumbnails.embed(thumbnails.sheet(thumbnails.shrink(colours, _SIDE_PX), _COLUMNS))

    def legends(self) -> dict[str, Any]:
        """What the colours of each layer mean."""
        known = {
            "rgb": {"title": "what the camera saw"},
            "depth": {
                "title": "depth",
                "image": thumbnails.embed_exactly(thumbnails.depth_bar()),
                "low": f"{self.near:.2g} m",
                "high": f"{self.far:.2g} m",
            },
            "instance": {"title": "instance mask, a colour for each object"},
            "flow": {
                "title": f"flow to the next frame; full colour: {self.longest:.2g} px",
                "wheel": thumbnails.embed_exactly(thumbnails.flow_wheel()),
            },
        }
        return {layer: known[layer] for layer in self.layers}


def _episode(dataset: Dataset, index: int, label: str, looks: _Looks) -> dict[str, Any]:
    start, length = int(dataset.episodes["start"][index]), int(dataset.episodes["length"][index])
    frames = np.arange(0, length, -(-length // _MOST_FRAMES))
    rows, whole = start + frames, start + np.arange(length)
    motor = dataset.array("frames/motor")[whole]
    asked = dataset.array("frames/command")[whole] if "frames/command" in dataset.fields else motor[:0]
    layers = {layer: dataset.array(f"frames/{layer}")[rows] for layer in looks.layers}
    objects, page = _objects(dataset, index), page_of(dataset)
    return {
        "number": index,
        "label": f"{label}, episode {index}",
        "columns": _COLUMNS,
        "frame": frames.tolist(),
        "frames": length,
        "time": _rounded(dataset.array("frames/time")[rows], 3),
        "motor": _rounded(motor[frames], 4),
        "place": _rounded(page.places(dataset, whole)[frames], 4),
        "map": page.map(dataset, whole, objects),
        "strips": [strip(motor[:, signal], asked[:, signal]) for signal in range(motor.shape[1])],
        "note": page.note(objects),
        "sheets": {layer: looks.encode(layer, values) for layer, values in layers.items()},
    }


def page_of(dataset: Dataset) -> VideoPage:
    """What the page of a video data set shows besides its frames."""
    page = dataset.declaration.page
    if not isinstance(page, VideoPage):
        raise DataError(f"{dataset.path}: the kind {dataset.kind} is of videos, and its page is not: give a VideoPage")
    return page


def _objects(dataset: Dataset, episode: int) -> Table:
    first, count = dataset.episodes["objects_start"][episode], dataset.episodes["objects_count"][episode]
    return dataset.objects.at(slice(first, first + count))


def _signal(name: str) -> dict[str, str]:
    text, _, unit = name.partition(" (")
    return {"name": text, "unit": unit.rstrip(")")}


def _rounded(values: NDArray[np.floating], digits: int) -> list[Any]:
    """Nested lists of short numbers; NaN becomes None."""
    if values.ndim > 1:
        return [_rounded(row, digits) for row in values]
    return [round(float(value), digits) if np.isfinite(value) else None for value in values]
