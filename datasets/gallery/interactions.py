"""What a page shows of interactions: images with the interaction drawn on them, and what came of it."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import ArrayLike, NDArray

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.gallery import thumbnails
from embodied_ssl.datasets.gallery.charts import words
from embodied_ssl.datasets.kinds.base import InteractionPage
from embodied_ssl.datasets.read.readers import Dataset

MOST_CARDS = 72
_MOST_ROWS = 20_000  # that the charts count
_SIDE_PX = 192
_SLOWER = 2.0  # acts last a second

_COLOURS = {  # from soft to hard
    "plush": "#d6569b",
    "foam": "#d69a00",
    "rubber": "#7a5bd0",
    "cardboard": "#a0692f",
    "plastic": "#0f9f92",
    "wood": "#5c9e31",
    "ceramic": "#2f7fd6",
    "metal": "#64748b",
    "nothing": "#9a9a94",
}
_OTHER_COLOURS = ("#c2410c", "#0e7490", "#86198f", "#4d7c0f", "#b91c1c", "#1d4ed8")
NOTHING = "nothing"


@dataclass(frozen=True)
class Card:
    """One interaction: two data URLs, what to draw on each (SVG), words, and what the filters ask for."""

    before: str
    after: str
    drawn_before: Markup
    drawn_after: Markup
    title: str
    text: str
    outcome: str
    material: str
    film: str = ""  # of its trajectory, as a data URL


@dataclass(frozen=True)
class Interactions:
    """Some interactions of a data set, with what was aimed at, in the order in which they are shown."""

    dataset: Dataset
    rows: NDArray[np.int64]
    values: dict[str, NDArray[Any]]  # every field but the images
    category: list[str]
    material: list[str]
    grams: list[str]  # the mass of each object aimed at, in words

    @classmethod
    def sample(cls, dataset: Dataset, most: int = _MOST_ROWS, seed: int = 0) -> "Interactions":
        """At most `most` interactions, drawn by seed without regard to anything."""
        rows = np.random.default_rng(seed).permutation(len(dataset))[:most]
        values = {
            field.name: dataset.array(path)[rows]
            for path, field in dataset.fields.items()
            if field.table == "interactions" and not field.image
        }
        objects = dataset.objects
        category, material = (
            [words(objects[name][row]) if row >= 0 else NOTHING for row in values["object"]]
            for name in ("category", "material")
        )
        grams = [f"{1000 * objects['mass'][row]:.0f} g" if row >= 0 else "" for row in values["object"]]
        return cls(dataset, rows, values, category, material, grams)

    @property
    def materials(self) -> list[str]:
        """The materials that occur, from soft to hard."""
        known = [name for name in _COLOURS if name in self.material]
        return known + sorted(set(self.material) - set(known))

    def colour(self, material: str) -> str:
        """The colour that stands for a material all over the page."""
        others = [name for name in self.materials if name not in _COLOURS]
        return _COLOURS.get(material) or _OTHER_COLOURS[others.index(material) % len(_OTHER_COLOURS)]

    def where(self, material: str) -> NDArray[np.intp]:
        """The places of the interactions on objects of a material."""
        return np.flatnonzero(np.array(self.material) == material)

    def stiffness_of(self, material: str) -> float:
        """What physics has for a contact with a material, N/m."""
        first = self.where(material)[0]
        return float(self.dataset.objects["stiffness"][self.values["object"][first]])

    @property
    def moved(self) -> NDArray[np.float64]:
        """How far each object went, m; NaN where there is none."""
        step = self.values["pose_after"][:, :3].astype("f8") - self.values["pose_before"][:, :3]
        return np.linalg.norm(step, axis=1)

    def title(self, i: int) -> str:
        """What an interaction was with, in words."""
        if self.category[i] == NOTHING:
            return "bare table"
        return f"{self.category[i]}, {self.material[i]}, {self.grams[i]}"

    def outcome(self, i: int) -> str:
        """What came of an interaction, in a word that the page can filter by."""
        return self.page.outcome(self, i)

    @property
    def page(self) -> InteractionPage:
        """What the page of this kind shows besides images."""
        page = self.dataset.declaration.page
        if not isinstance(page, InteractionPage):
            kind = self.dataset.kind
            raise DataError(f"{self.dataset.path}: the kind {kind} is of interactions: its page is an InteractionPage")
        return page


def cards(interactions: Interactions, budget: int) -> list[Card]:
    """Images before and after with what was done drawn on them: the first ones, about `budget` bytes of them."""
    out: list[Card] = []
    used = 0
    for i in range(min(MOST_CARDS, len(interactions.rows))):
        row = interactions.rows[i]
        before, after = (
            thumbnails.embed_small(interactions.dataset.array(f"interactions/{name}")[[row]], _SIDE_PX)[0]
            for name in ("rgb_before", "rgb_after")
        )
        film = _film(interactions.dataset, int(row))
        used += len(before) + len(after) + len(film)
        if out and used > budget:
            break
        on_before, on_after, text = interactions.page.draw(interactions, i)
        title = interactions.title(i)
        outcome, material = interactions.outcome(i), interactions.material[i]
        out.append(Card(before, after, on_before, on_after, title, text, outcome, material, film))
    return out


def _film(dataset: Dataset, row: int) -> str:
    """What the camera beside the table, or else the first one, saw of an interaction; nothing without a trajectory."""
    if not dataset.cameras:
        return ""
    camera = "scene" if "scene" in dataset.cameras else dataset.cameras[0]
    images = dataset.trajectory(row)[f"images/{camera}"]
    return thumbnails.embed_film(images, float(dataset.spec["env"]["rate"]) / _SLOWER, _SIDE_PX)


def closing_line(pixel: ArrayLike, angle: float, length: float) -> NDArray[np.float64]:
    """Where the two fingers stand in the image: ends [2, 2] (px) of a line of `length` px about `pixel`.

    The angle (rad) turns from the image's u axis (right) towards its v axis (down).
    """
    half = 0.5 * length * np.array([math.cos(angle), math.sin(angle)])
    return np.stack([np.asarray(pixel, "f8") - half, np.asarray(pixel, "f8") + half])


def pixels_per_metre(dataset: Dataset) -> float:
    """The scale of the image at the height of the table."""
    return float(dataset.camera["intrinsics"][0, 0] / max(float(dataset.camera["pose"][2, 3]), 1e-3))


def project(dataset: Dataset, places: ArrayLike) -> NDArray[np.float64]:
    """World places [K, 3] (m) in the overhead image, [K, 2] (u, v) px."""
    pose = dataset.camera["pose"].astype("f8")
    seen = (np.asarray(places, "f8") - pose[:3, 3]) @ pose[:3, :3]
    image = seen @ dataset.camera["intrinsics"].T
    return image[:, :2] / image[:, 2:]


def ring(interactions: Interactions, i: int) -> Markup:
    """A ring at the point of an interaction, in the colour of the material there."""
    u, v = interactions.values["pixel"][i]
    radius = 0.04 * interactions.dataset.array("interactions/rgb_before").shape[2]
    circle = f'cx="{u:.2f}" cy="{v:.2f}" r="{radius:.2f}"'
    colour = interactions.colour(interactions.material[i])
    return Markup(f'<circle class="casing" {circle}/><circle class="ring" {circle} stroke="{colour}"/>')


def arrow(start: NDArray[np.float64], end: NDArray[np.float64], css: str) -> Markup:
    """An arrow between two points of an image (px), of a class of the style sheet."""
    length = float(np.linalg.norm(end - start))
    if length < 1e-6:
        return Markup("")
    along = (end - start) / length
    head = min(0.45 * length, 7.0)
    across = np.array([-along[1], along[0]]) * 0.6 * head
    back = end - head * along
    path = f"M{at(start)}L{at(end)}M{at(back + across)}L{at(end)}L{at(back - across)}"
    return stroke(path, css)


def stroke(path: str, css: str, dashed: bool = False) -> Markup:
    """A path with a dark casing, so that it shows on any image."""
    dash = " dashed" if dashed else ""
    return Markup(f'<path class="casing" d="{path}"/><path class="{css}{dash}" d="{path}"/>')


def at(place: NDArray[np.float64]) -> str:
    """A point of an image as a path has it."""
    return f"{place[0]:.2f} {place[1]:.2f}"
