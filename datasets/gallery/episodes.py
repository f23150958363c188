"""What a page shows of a video data set: a wall of frames, episodes to scrub through, how the body moved."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.gallery import thumbnails
from embodied_ssl.datasets.gallery.charts import words
from embodied_ssl.datasets.gallery.curves import Panel, Signal, curves, rounded
from embodied_ssl.datasets.gallery.sheets import COLUMNS, Looks, frames_shown
from embodied_ssl.datasets.kinds.base import VideoPage
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.datasets.read.tables import Table

WALL_TILES = 24
MOST_EPISODES = 12  # to scrub through
MOST_SIGNALS = 24  # that have a chart
TRAVELLED = "frames/travelled"
_SIDE_PX = 160


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
    layers = tuple(name for name in ("rgb", "depth", "instance", "flow") if f"frames/{name}" in dataset.fields)
    looks = _looks(dataset, layers, chosen)
    episodes: list[dict[str, Any]] = []
    used = 0
    for index in chosen:
        episode = _episode(dataset, index, labels[index], layers, looks)
        size = len(episode["curves"]) + sum(map(len, episode["sheets"].values()))
        if episodes and used + size > budget:
            break
        used += size
        episodes.append(episode)
    return {
        "unit": "episode",
        "speed": 1.0,
        "commands": "frames/command" in dataset.fields,
        "layers": layers,
        "left_out": max(len(dataset.motor_signals) - MOST_SIGNALS, 0),
        "legends": looks.legends(),
        "episodes": episodes,
    }


def _looks(dataset: Dataset, layers: tuple[str, ...], episodes: list[int]) -> Looks:
    """Ranges of colours for some frames of some episodes."""
    start, length = dataset.episodes["start"][episodes], dataset.episodes["length"][episodes]
    every = [np.arange(0, count, max(1, count // 5)) for count in length]
    rows = np.concatenate([first + frames for first, frames in zip(start, every, strict=True)])
    depth, flow = ([dataset.array(f"frames/{name}")[rows]] if name in layers else [] for name in ("depth", "flow"))
    return Looks.of(depth, flow, _SIDE_PX)


def _episode(dataset: Dataset, index: int, label: str, layers: tuple[str, ...], looks: Looks) -> dict[str, Any]:
    start, length = int(dataset.episodes["start"][index]), int(dataset.episodes["length"][index])
    frames = frames_shown(length)
    rows, whole = start + frames, start + np.arange(length)
    time, objects, page = dataset.array("frames/time"), _objects(dataset, index), page_of(dataset)
    return {
        "number": index,
        "label": f"{label}, episode {index}",
        "columns": COLUMNS,
        "frame": frames.tolist(),
        "frames": length,
        "time": rounded(time[rows], 3),
        "place": rounded(page.places(dataset, whole)[frames], 4),
        "map": page.map(dataset, whole, objects),
        "note": page.note(objects),
        "sheets": {layer: looks.sheet(layer, dataset.array(f"frames/{layer}")[rows]) for layer in layers},
        **curves(_motion(dataset, whole), time[whole], frames),
    }


def _motion(dataset: Dataset, rows: NDArray[np.int64]) -> list[Panel]:
    """A chart for each motor signal, what was asked for beside what was measured; then for what each has come to."""
    motor = dataset.array("frames/motor")[rows]
    asked = dataset.array("frames/command")[rows] if "frames/command" in dataset.fields else motor[:0]
    shown = list(enumerate(map(_told, dataset.motor_signals[:MOST_SIGNALS])))
    panels = [Panel(name, unit, [Signal("", motor[:, k], asked[:, k])]) for k, (name, unit) in shown]
    if TRAVELLED in dataset.fields:
        travelled = dataset.array(TRAVELLED)[rows]
        panels += [Panel(f"{name}, since the start", unit, [Signal("", travelled[:, k])]) for k, (name, unit) in shown]
    return panels


def _told(signal: str) -> tuple[str, str]:
    """A signal's name and unit: of `forward (m)`."""
    name, _, unit = signal.partition(" (")
    return words(name), unit.rstrip(")") or "as recorded"


def page_of(dataset: Dataset) -> VideoPage:
    """What the page of a video data set shows besides its frames."""
    page = dataset.declaration.page
    if not isinstance(page, VideoPage):
        raise DataError(f"{dataset.path}: the kind {dataset.kind} is of videos, and its page is not: give a VideoPage")
    return page


def _objects(dataset: Dataset, episode: int) -> Table:
    first, count = dataset.episodes["objects_start"][episode], dataset.episodes["objects_count"][episode]
    return dataset.objects.at(slice(first, first + count))
