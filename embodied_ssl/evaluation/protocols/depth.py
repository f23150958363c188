"""Depth: how far away each pixel is, by a linear layer on frozen stages."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.images.image_set import ImageSet
from embodied_ssl.datasets.images.scenes import Scenes
from embodied_ssl.evaluation.drawing import Tiles, beside, depth_map, shown_of
from embodied_ssl.evaluation.estimators.geometry import predicted_numbers
from embodied_ssl.evaluation.pixels import Rows, asked_pixels, pictures_of, usual
from embodied_ssl.evaluation.protocol import EncodedSet, EvaluationSet, Protocol
from embodied_ssl.evaluation.results import Measure
from embodied_ssl.limits import Count

Reals = NDArray[np.floating]


@dataclass(frozen=True)
class Depth(Protocol):
    """Metric depth of each pixel from frozen features: δ1, and the root of the mean squared error (RMSE).

    A 1×1 layer on all stages of the frozen encoder, brought to one grid of 4 px, and on their means over the image, is
    fitted by ridge regression, in closed form, to how far the logarithm of depth is from what it is at this place in
    the mean of training. δ1 is the share of pixels whose depth and its prediction differ by less than a
    factor of 1.25 (Eigen, Puhrsch & Fergus 2014); higher is better. Of the RMSE, in metres, lower is better. Beside
    them stands what looks at no picture, `blind`: the mean of the logarithm at each place, over images of training.

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
        return images.scenes is not None and images.scenes().depth is not None

    def prepare(self, on: EvaluationSet) -> Any:
        pictures = pictures_of(on, self.pictures)
        rng = np.random.default_rng([on.seed, 17])
        scenes, parts = pictures.scenes, pictures.parts
        train, validation = (
            asked_pixels(scenes, rows, _log_depth(scenes), self.pixels, rng) for rows in (parts.train, parts.validation)
        )
        return pictures, train, validation, usual(scenes, parts.train, _log_depth(scenes))[0]

    def measure(self, encoded: EncodedSet) -> list[Measure]:
        pictures, train, validation, everywhere = encoded.prepared
        scenes, rows = pictures.scenes, pictures.parts.test
        predicted, ridge = predicted_numbers(encoded.encoder, train, validation, everywhere, rows, encoded.device)
        lowest, highest = train.truth.min(), train.truth.max()  # of what may be said
        own, blind = Errors(), Errors()
        shown: tuple[Tiles, ...] = ()
        nearest, farthest = np.exp(np.percentile(train.truth, (2, 98))).tolist()
        draw = partial(depth_map, nearest=nearest, farthest=farthest)
        for batch, logs in predicted:
            truth = scenes.depth(batch)
            own.add(np.exp(logs[:, 0].cpu().numpy().clip(lowest, highest)), truth)
            if (few := np.isin(batch, shown_of(rows))).any():
                shown += beside(scenes.images[batch[few]], logs[few, 0].exp(), draw, truth[few], "depth")
            blind.add(np.broadcast_to(np.exp(everywhere[..., 0]), truth.shape), truth)
        tested = pictures.tested(encoded.images)
        about = {"pixels": self.pixels, "seed": pictures.seed, **pictures.parts.counts()}
        first, *others = own.measures("", about | {"ridge": ridge}, tested)
        return [
            replace(first, shown=shown),
            *others,
            *blind.measures("blind ", about, tested),
        ]


class Errors:
    """How far predictions of depth, m, are from the truth, over pixels of which there is one."""

    def __init__(self) -> None:
        self.near, self.squared, self.count = 0, 0.0, 0

    def add(self, predicted: Reals, truth: Reals) -> None:
        """Count pixels; where nothing is, the truth is 0."""
        there = truth > 0
        given, true = predicted[there].astype("f8"), truth[there].astype("f8")
        self.near += int(np.count_nonzero(np.maximum(given / true, true / given) < 1.25))
        self.squared += float(np.square(given - true).sum())
        self.count += len(true)

    def measures(self, of: str, about: dict[str, Any], tested: Rows) -> list[Measure]:
        """Its numbers."""
        rmse = float(np.sqrt(self.squared / max(self.count, 1)))
        return [
            Measure(f"{of}δ1", self.near / max(self.count, 1), about, tested),
            Measure(f"{of}RMSE", rmse, about, tested, lower_is_better=True, unit="m"),
        ]


def _log_depth(scenes: Scenes) -> Any:
    def truth(rows: Rows) -> tuple[Reals, NDArray[np.bool_]]:
        assert scenes.depth is not None, "`takes_images` has looked"
        depth = scenes.depth(rows)
        return np.log(np.where(depth > 0, depth, 1.0))[..., None], depth > 0

    return truth
