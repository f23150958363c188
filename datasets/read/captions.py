"""Captions of what an image shows, from what the simulator knows: objects, materials, colours, places, acts, outcomes.

A stream of `CaptionedFrames`: each time an image is drawn, its caption says another part of what is known, such as
"a soft red plush ball on the left , poked" or "a ball , poked".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.images.sources import CROP_SHARE
from embodied_ssl.datasets.read.motion import elevation
from embodied_ssl.datasets.schema import VIDEO_KINDS

if TYPE_CHECKING:
    from embodied_ssl.datasets.read.batches import CaptionedFrames
    from embodied_ssl.datasets.read.readers import Dataset

Index = NDArray[np.int64]

LENGTH = 20
"""Most words of a caption."""
PADDING, UNKNOWN = "", "?"
COLOURS = ("black", "grey", "white", "brown", "red", "orange", "yellow", "green", "cyan", "blue", "purple", "pink")
FEELS = ("soft", "firm", "hard")
_FELT_N = (6.0, 40.0)  # peak forces of a poke, below which an object is soft, and firm
_GRAMMAR = (
    "a a room with on in the left right middle seen from above side , and poked grasped held slipped pushed "
    "away near stayed it"
)
_SAID = 0.7  # the probability of each fact that can be left out
_MOVED_M = 0.005


@dataclass(frozen=True)
class Facts:
    """What is known of an image; what is empty is not."""

    thing: str
    """Its category or, of a room, the type."""
    feel: str = ""
    colour: str = ""
    material: str = ""
    place: str = ""
    """Such as `on the left`."""
    act: str = ""
    """What was done and what came of it, such as `grasped and held`."""


def compose(facts: Facts, rng: np.random.Generator, said: float = _SAID) -> str:
    """A caption that names the object, and each other fact with the probability `said`; its words apart by spaces."""
    tell = [part if part and rng.random() < said else "" for part in (facts.feel, facts.colour, facts.material)]
    place, act = (part if part and rng.random() < said else "" for part in (facts.place, facts.act))
    parts = ["a", *tell, facts.thing, place, f", {act}" if act else ""]
    return " ".join(part for part in parts if part)


def words_of(names: Sequence[str]) -> tuple[str, ...]:
    """The vocabulary of captions about objects, materials and scenes of these names; the first two are no words."""
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
        self._category, self._material = (_said(objects[name]) for name in ("category", "material"))
        self._scene = _said(dataset.scenes)
        names = [*set(self._category), *set(self._material), *self._scene]
        self.vocabulary = words_of(names) if vocabulary is None else tuple(vocabulary)
        if dataset.kind in VIDEO_KINDS:
            self._rows = np.arange(len(dataset))
        else:
            self._find_acts()
        if len(self._rows) == 0:
            raise DataError(f"{dataset.path}: no interaction aimed at an object in sight; collect more episodes")

    def __len__(self) -> int:
        return len(self._rows)

    def batch(self, index: Index, rng: np.random.Generator) -> "CaptionedFrames":
        import torch

        from embodied_ssl.datasets.read.batches import CaptionedFrames

        pictures = self._pictures(index)
        captions = [compose(facts, rng) for facts in self._facts(index, pictures)]
        words = torch.from_numpy(tokenise(captions, self.vocabulary))
        return CaptionedFrames(torch.from_numpy(pictures).movedim(-1, -3), words, torch.from_numpy(index))

    def captions(self, index: Index, rng: np.random.Generator) -> list[str]:
        """Captions of the images number `index`, drawn anew."""
        return [compose(facts, rng) for facts in self._facts(index, self._pictures(index))]

    def _find_acts(self) -> None:
        dataset = self._dataset
        aimed = np.flatnonzero(dataset.array("interactions/object")[:] >= 0)
        self._size = dataset.array("interactions/rgb_before").shape[1]
        pixel = dataset.project(dataset.array("interactions/pose_before")[aimed][:, :3])
        inside = (np.abs(pixel - (self._size - 1) / 2) < (self._size - 1) / 2).all(1)
        self._rows, self._pixel = aimed[inside], np.round(pixel[inside]).astype(int)
        self._half = round(CROP_SHARE * self._size / 2)

    def _pictures(self, index: Index) -> NDArray[np.uint8]:
        rows = self._rows[index]
        if self._dataset.kind in VIDEO_KINDS:
            return self._dataset.array("frames/rgb").read(rows)
        span = np.arange(-self._half, self._half)
        across, down = (np.clip(self._pixel[index, axis, None] + span, 0, self._size - 1) for axis in (0, 1))
        pictures = self._dataset.array("interactions/rgb_before").read(rows)
        return pictures[np.arange(len(rows))[:, None, None], down[:, :, None], across[:, None]]

    def _facts(self, index: Index, pictures: NDArray[np.uint8]) -> list[Facts]:
        rows, kind = self._rows[index], self._dataset.kind
        if kind == "roam":
            return self._of_rooms(rows)
        colours = colour_of(pictures)
        if kind == "orbit":
            episodes = self._dataset.episodes
            things = episodes["objects_start"][np.searchsorted(episodes["start"], rows, side="right") - 1]
            high = elevation(self._dataset.array("frames/pose")[rows])
            places = np.where(high > 0.6, "seen from above", "seen from the side").tolist()
            known = zip(things.tolist(), colours, places, strict=True)
            return [Facts(self._category[i], "", colour, self._material[i], place) for i, colour, place in known]
        things = self._dataset.array("interactions/object")[rows]
        places = _sides(self._pixel[index, 0] / (self._size - 1))
        known_acts = zip(things.tolist(), colours, places, self._feels(rows), self._acts(rows), strict=True)
        return [
            Facts(self._category[i], feel, colour, self._material[i], place, act)
            for i, colour, place, feel, act in known_acts
        ]

    def _of_rooms(self, rows: Index) -> list[Facts]:
        """The room, and where masks are stored the object that is largest in sight, with its side."""
        dataset, episodes = self._dataset, self._dataset.episodes
        episode = np.searchsorted(episodes["start"], rows, side="right") - 1
        rooms = [self._scene[scene] for scene in episodes["scene"][episode]]
        if "frames/instance" not in dataset.fields:
            return [Facts(room) for room in rooms]
        found = []
        for room, e, mask in zip(rooms, episode, dataset.array("frames/instance")[rows], strict=True):
            shares = np.bincount(mask.ravel(), minlength=256)[1:]
            first = episodes["objects_start"][e]
            own = slice(first, first + episodes["objects_count"][e])
            largest = int(shares.argmax()) + 1
            thing = np.flatnonzero(dataset.objects["index"][own] == largest)
            if shares[largest - 1] * 20 < mask.size or not len(thing):
                found.append(Facts(room))
                continue
            (side,) = _sides(np.flatnonzero((mask == largest).any(0)).mean(keepdims=True) / (mask.shape[1] - 1))
            i = int(first + thing[0])
            found.append(Facts(room, place=f"with a {self._material[i]} {self._category[i]} {side}"))
        return found

    def _feels(self, rows: Index) -> list[str]:
        if self._dataset.kind != "poke":
            return [""] * len(rows)
        peak = self._dataset.array("interactions/force")[rows].max(1)
        return np.array(FEELS)[np.searchsorted(_FELT_N, peak)].tolist()

    def _acts(self, rows: Index) -> list[str]:
        dataset = self._dataset
        if dataset.kind == "poke":
            return ["poked"] * len(rows)
        if dataset.kind == "grasp":
            held = dataset.array("interactions/success")[rows]
            return np.where(held, "grasped and held", "grasped , it slipped").tolist()
        before, after = (dataset.array(f"interactions/pose_{when}")[rows][:, :3] for when in ("before", "after"))
        moved = dataset.project(after) - dataset.project(before)
        right, away = moved[:, 0], -moved[:, 1]
        ways = np.where(
            np.abs(right) > np.abs(away), np.where(right > 0, "right", "left"), np.where(away > 0, "away", "near")
        )
        stayed = np.linalg.norm(after - before, axis=1) < _MOVED_M
        return np.where(stayed, "pushed , it stayed", np.char.add("pushed ", ways)).tolist()


def _sides(share: NDArray[np.floating]) -> list[str]:
    """Where an object is in an image, by its column as a share of the width."""
    return np.select([share < 1 / 3, share > 2 / 3], ["on the left", "on the right"], "in the middle").tolist()


def _said(names: NDArray[np.str_]) -> list[str]:
    return [name.replace("_", " ") for name in names.tolist()]
