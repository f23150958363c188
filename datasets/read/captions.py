"""Captions of what an image shows, from what the simulator knows: objects, materials, places, outcomes.

A stream of `CaptionedFrames`: each time an image is drawn, its caption says another part of what is known, such as
"a soft red plush ball on the left , poked" or "a ball , poked".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.images.sources import CROP_SHARE

if TYPE_CHECKING:
    from embodied_ssl.datasets.read.batches import CaptionedFrames
    from embodied_ssl.datasets.read.readers import Dataset

Index = NDArray[np.int64]

LENGTH = 20
"""Most words of a caption."""
PADDING, UNKNOWN = "", "?"
COLOURS = ("black", "grey", "white", "brown", "red", "orange", "yellow", "green", "cyan", "blue", "purple", "pink")
FEELS = ("soft", "firm", "hard")
_GRAMMAR = (
    "a a room with on in the left right middle seen from above side , and poked grasped held slipped pushed "
    "away near stayed it"
)
_SAID = 0.7  # the probability of each fact that can be left out


@dataclass(frozen=True)
class Facts:
    """What is known of an image; what is empty is not."""

    name: str
    """The category of the object or, of a room, the type."""
    feel: str = ""
    colour: str = ""
    material: str = ""
    place: str = ""
    """Such as `on the left`."""
    interaction: str = ""
    """What was done and what came of it, such as `grasped and held`."""


def compose(facts: Facts, rng: np.random.Generator, said: float = _SAID) -> str:
    """A caption that names the object, and each other fact with the probability `said`; its words apart by spaces."""
    tell = [part if part and rng.random() < said else "" for part in (facts.feel, facts.colour, facts.material)]
    place, done = (part if part and rng.random() < said else "" for part in (facts.place, facts.interaction))
    parts = ["a", *tell, facts.name, place, f", {done}" if done else ""]
    return " ".join(part for part in parts if part)


def words_of(names: Sequence[str]) -> tuple[str, ...]:
    """The vocabulary of captions about what has these names, such as objects; its first two are no words."""
    known = {word for name in names for word in name.split()} | set(_GRAMMAR.split()) | {*COLOURS, *FEELS}
    return (PADDING, UNKNOWN, *sorted(known))


def tokenise(captions: Sequence[str], vocabulary: Sequence[str]) -> Index:
    """The words of captions as rows of a vocabulary, int64 [B, LENGTH], padded with 0; 1 for what is not in it."""
    place = {word: number for number, word in enumerate(vocabulary)}
    tokens = np.zeros((len(captions), LENGTH), np.int64)
    for row, caption in zip(tokens, captions, strict=True):
        words = caption.split()[:LENGTH]
        row[: len(words)] = [place.get(word, 1) for word in words]
    return tokens


def colour_of(patches: NDArray[np.uint8]) -> list[str]:
    """The name of the colour in the middle third of images, uint8 [B, H, W, 3]."""
    height, width = patches.shape[1:3]
    middle = patches[:, height // 3 : height - height // 3, width // 3 : width - width // 3]
    rgb = np.median(middle.reshape(len(patches), -1, 3), axis=1).astype(np.uint8)
    hue, saturation, value = cv2.cvtColor(rgb[None], cv2.COLOR_RGB2HSV)[0].astype(int).T
    names = np.select(
        [value < 50, (saturation < 50) & (value > 185), saturation < 50],
        ["black", "white", "grey"],
        np.array(["red", "orange", "yellow", "green", "cyan", "blue", "purple", "pink", "red"])[
            np.searchsorted([8, 21, 35, 80, 100, 130, 150, 172], hue)
        ],
    )
    brown = (names == "orange") & (value < 170)
    return np.where(brown, "brown", names).tolist()


class Captions:
    """Images with captions: frames of a video; of interactions a patch about the object aimed at, before."""

    def __init__(self, dataset: "Dataset", vocabulary: Sequence[str] | None = None):
        """vocabulary: the words that are numbered, of a model that has learned them; None: those of the data set."""
        self._dataset = dataset
        objects = dataset.objects
        labels = (said(np.unique(objects[name])) for name in ("category", "material"))
        names = [*chain(*labels), *said(dataset.scenes), *dataset.declaration.words]
        self.vocabulary = words_of(names) if vocabulary is None else tuple(vocabulary)
        if dataset.declaration.is_video:
            self._rows = np.arange(len(dataset))
        else:
            self._find_interactions()
        if len(self._rows) == 0:
            raise DataError(f"{dataset.path}: no interaction aimed at an object in sight; collect more episodes")

    def __len__(self) -> int:
        return len(self._rows)

    def batch(self, index: Index, rng: np.random.Generator) -> "CaptionedFrames":
        import torch

        from embodied_ssl.datasets.read.batches import CaptionedFrames

        images = self._images(index)
        captions = [compose(facts, rng) for facts in self._facts(index, images)]
        words = torch.from_numpy(tokenise(captions, self.vocabulary))
        return CaptionedFrames(torch.from_numpy(images).movedim(-1, -3), words, torch.from_numpy(index))

    def captions(self, index: Index, rng: np.random.Generator) -> list[str]:
        """Captions of the images number `index`, drawn anew."""
        return [compose(facts, rng) for facts in self._facts(index, self._images(index))]

    def _find_interactions(self) -> None:
        dataset = self._dataset
        aimed = np.flatnonzero(dataset.array("interactions/object")[:] >= 0)
        self._size = dataset.array("interactions/rgb_before").shape[1]
        pixel = dataset.project(dataset.array("interactions/pose_before")[aimed][:, :3])
        inside = (np.abs(pixel - (self._size - 1) / 2) < (self._size - 1) / 2).all(1)
        self._rows, self._pixel = aimed[inside], np.round(pixel[inside]).astype(int)
        self._half = round(CROP_SHARE * self._size / 2)

    def _images(self, index: Index) -> NDArray[np.uint8]:
        rows = self._rows[index]
        if self._dataset.declaration.is_video:
            return self._dataset.array("frames/rgb").read(rows)
        span = np.arange(-self._half, self._half)
        across, down = (np.clip(self._pixel[index, axis, None] + span, 0, self._size - 1) for axis in (0, 1))
        whole = self._dataset.array("interactions/rgb_before").read(rows)
        return whole[np.arange(len(rows))[:, None, None], down[:, :, None], across[:, None]]

    def _facts(self, index: Index, images: NDArray[np.uint8]) -> list[Facts]:
        return self._dataset.declaration.facts(self._dataset, self._rows[index], images)


def facts_of_rooms(dataset: "Dataset", rows: Index) -> list[Facts]:
    """The room of each frame, and where masks are stored the object that is largest in sight, with its side."""
    episodes = dataset.episodes
    episode = np.searchsorted(episodes["start"], rows, side="right") - 1
    rooms = [said(dataset.scenes)[scene] for scene in episodes["scene"][episode]]
    if "frames/instance" not in dataset.fields:
        return [Facts(room) for room in rooms]
    masks = dataset.array("frames/instance")[rows]
    return [_in_room(dataset, room, e, mask) for room, e, mask in zip(rooms, episode, masks, strict=True)]


def _in_room(dataset: "Dataset", room: str, episode: int, mask: NDArray[np.uint8]) -> Facts:
    shares = np.bincount(mask.ravel(), minlength=256)[1:]
    first = dataset.episodes["objects_start"][episode]
    own = slice(first, first + dataset.episodes["objects_count"][episode])
    largest = int(shares.argmax()) + 1
    found = np.flatnonzero(dataset.objects["index"][own] == largest)
    if shares[largest - 1] * 20 < mask.size or not len(found):
        return Facts(room)
    (side,) = _sides(np.flatnonzero((mask == largest).any(0)).mean(keepdims=True) / (mask.shape[1] - 1))
    material, category = (said(dataset.objects[name][own][found])[0] for name in ("material", "category"))
    return Facts(room, place=f"with a {material} {category} {side}")


def facts_of_views(dataset: "Dataset", rows: Index, images: NDArray[np.uint8], places: Sequence[str]) -> list[Facts]:
    """The one object that each frame shows, its colour, and from where it is seen."""
    episode = np.searchsorted(dataset.episodes["start"], rows, side="right") - 1
    shown = dataset.episodes["objects_start"][episode]
    known = zip(*_names(dataset, shown), colour_of(images), places, strict=True)
    return [Facts(category, "", colour, material, place) for category, material, colour, place in known]


def facts_of_interactions(
    dataset: "Dataset",
    rows: Index,
    images: NDArray[np.uint8],
    outcomes: Sequence[str],
    feels: Sequence[str] | None = None,
) -> list[Facts]:
    """The object aimed at, its colour, its side of the table, what was done to it, and how it felt if that is known."""
    aimed = dataset.array("interactions/object")[rows]
    size = dataset.array("interactions/rgb_before").shape[1]
    pixel = dataset.project(dataset.array("interactions/pose_before")[rows][:, :3])
    places = _sides(np.round(pixel[:, 0]).astype(int) / (size - 1))
    known = zip(*_names(dataset, aimed), colour_of(images), places, outcomes, feels or [""] * len(rows), strict=True)
    return [
        Facts(category, feel, colour, material, place, outcome)
        for category, material, colour, place, outcome, feel in known
    ]


def _names(dataset: "Dataset", objects: Index) -> tuple[list[str], list[str]]:
    """Category and material of some rows of objects."""
    return said(dataset.objects["category"][objects]), said(dataset.objects["material"][objects])


def _sides(share: NDArray[np.floating]) -> list[str]:
    """Where an object is in an image, by its column as a share of the width."""
    return np.select([share < 1 / 3, share > 2 / 3], ["on the left", "on the right"], "in the middle").tolist()


def said(names: NDArray[np.str_]) -> list[str]:
    """Names as words: `chess piece` of `chess_piece`."""
    return [name.replace("_", " ") for name in names.tolist()]
