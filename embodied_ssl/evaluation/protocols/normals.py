"""Normals: how surfaces are turned at each pixel, by a linear layer on frozen stages."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.images.image_set import ImageSet
from embodied_ssl.datasets.images.scenes import Scenes
from embodied_ssl.evaluation.drawing import Tiles, beside, normal_map, shown_of
from embodied_ssl.evaluation.estimators.geometry import normals_of, predicted_numbers
from embodied_ssl.evaluation.pixels import Rows, asked_pixels, pictures_of, usual
from embodied_ssl.evaluation.protocol import EncodedSet, EvaluationSet, Protocol
from embodied_ssl.evaluation.results import Measure
from embodied_ssl.limits import Count

WITHIN = (11.25, 22.5, 30.0)
"""Degrees, as since Fouhey, Gupta & Hebert 2013."""

Reals = NDArray[np.floating]


@dataclass(frozen=True)
class Normals(Protocol):
    """Surface normals from frozen features: the mean angle to the truth, and shares within 11.25, 22.5 and 30 degrees.

    The truth is that of the simulator's depth and camera: a plane through each 3×3 pixels; where these are of several
    surfaces none is asked for. A 1×1 layer on all stages of the frozen encoder, brought to one grid of 4 px, and on
    their means over the image, is fitted by ridge regression, in closed form, to how far unit normals are from what
    they are at this place in the mean of training; the sum is brought to length 1. Beside it stands what looks at no
    picture, `blind`: that mean alone.

    Half of the images train, a fifth validates, the others test; they share no room, table or held object. Takes data
    sets that were collected with `--depth`.
    """

    usual = False
    divides = False
    wants = "depth: data sets collected with --depth true"

    pictures: Count = 1000
    """Images at most, of all parts."""
    pixels: Count = 64
    """Of each image that the layer is fitted to."""

    def takes_images(self, images: ImageSet) -> bool:
        if images.scenes is None:
            return False
        scenes = images.scenes()
        return scenes.depth is not None and scenes.intrinsics is not None

    def prepare(self, on: EvaluationSet) -> Any:
        pictures = pictures_of(on, self.pictures)
        rng = np.random.default_rng([on.seed, 18])
        parts, truth = pictures.parts, _truth(pictures.scenes)
        train, validation = (
            asked_pixels(pictures.scenes, rows, truth, self.pixels, rng) for rows in (parts.train, parts.validation)
        )
        return pictures, train, validation, usual(pictures.scenes, parts.train, truth)[0]

    def measure(self, encoded: EncodedSet) -> list[Measure]:
        pictures, train, validation, everywhere = encoded.prepared
        truth, rows = _truth(pictures.scenes), pictures.parts.test
        predicted, ridge = predicted_numbers(encoded.encoder, train, validation, everywhere, rows, encoded.device)
        shown: tuple[Tiles, ...] = ()
        own: list[Reals] = []
        blind: list[Reals] = []
        for batch, said in predicted:
            normals, asked = truth(batch)
            if (few := np.isin(batch, shown_of(rows))).any():
                each = said[few].movedim(1, -1)
                shown += beside(pictures.scenes.images[batch[few]], each, normal_map, normals[few], "normals")
            own.append(angles(said.movedim(1, -1).cpu().numpy()[asked], normals[asked]))
            blind.append(angles(np.broadcast_to(everywhere, normals.shape)[asked], normals[asked]))
        tested = pictures.tested(encoded.images)
        about = {"pixels": self.pixels, "seed": pictures.seed, **pictures.parts.counts()}
        first, *others = _measures(np.concatenate(own), "", about | {"ridge": ridge}, tested)
        return [
            replace(first, shown=shown),
            *others,
            *_measures(np.concatenate(blind), "blind ", about, tested),
        ]


def angles(said: Reals, normals: Reals) -> Reals:
    """Between vectors of any length and unit vectors, [N, 3] both, in degrees [N]."""
    unit = said / np.maximum(np.linalg.norm(said, axis=-1, keepdims=True), 1e-12)
    return np.degrees(np.arccos((unit * normals).sum(-1).clip(-1, 1)))


def _measures(found: Reals, of: str, about: dict[str, Any], tested: Rows) -> list[Measure]:
    mean = Measure(f"{of}mean angle", float(found.mean()), about, tested, lower_is_better=True, unit="°")
    shares = [Measure(f"{of}within {most:g}°", float((found < most).mean()), about, tested) for most in WITHIN]
    return [mean, *shares]


def _truth(scenes: Scenes) -> Any:
    def truth(rows: Rows) -> tuple[Reals, NDArray[np.bool_]]:
        assert scenes.depth is not None, "`takes_images` has looked"
        assert scenes.intrinsics is not None, "`takes_images` has looked"
        each = [normals_of(depth, scenes.intrinsics) for depth in scenes.depth(rows)]
        return np.stack([normals for normals, _ in each]), np.stack([flat for _, flat in each])

    return truth
