"""Segmentation: what stands at each pixel, by a linear layer on frozen stages, and by a network that is trained on."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.images.image_set import ImageSet
from embodied_ssl.datasets.images.scenes import UNASKED, Scenes
from embodied_ssl.evaluation.drawing import Tiles, beside, class_map, shown_of
from embodied_ssl.evaluation.estimators.fine_tuning import RATES
from embodied_ssl.evaluation.estimators.fully_convolutional import best_network
from embodied_ssl.evaluation.estimators.labelling import Confusion, confusion_of, fit_layer, predicted_by
from embodied_ssl.evaluation.pixels import Asked, Pictures, Rows, asked_pixels, pictures_of, usual
from embodied_ssl.evaluation.protocol import EncodedSet, EvaluationSet, Protocol
from embodied_ssl.evaluation.results import Measure
from embodied_ssl.limits import Count, Positive, Share


@dataclass(frozen=True)
class Segmentation(Protocol):
    """Mean intersection over union (mIoU) of classes of pixels: objects and furniture, floor, wall.

    `linear`: a 1×1 layer on all stages of the frozen encoder, brought to one grid of 4 px, and on their means over the
    image: multinomial logistic regression to its optimum, so that no row is trained better than another.
    `fcn`: layers on the three deepest resolutions, from the coarse one to the fine one (FCN-32s, 16s, 8s; Long,
    Shelhamer & Darrell 2015), are trained with the whole encoder; validation chooses the learning rate. Rows without
    weights, as raw pixels, have the first alone.

    Beside them stands what looks at no picture, `blind`: the class that is most frequent at each place. `object mIoU`
    leaves out what is no object: floor, wall, table. `accuracy` is the share of pixels that are right.

    Half of the images train, a fifth validates, the others test; they share no room, table or held object, and objects
    that training shows are not asked about. Takes data sets that were collected with `--instance`, VOC, COCO, and
    folders of images and masks.
    """

    usual = False
    divides = False
    wants = "masks: data sets collected with --instance true, VOC, COCO, or folders of images and masks"

    by: tuple[Literal["linear", "fcn"], ...] = ("linear", "fcn")
    """What is fitted: a layer on frozen stages, a network trained on."""
    kinds: bool = True
    """Whether things are told by their kind; else all are one class: where there is a thing, and what the rest is."""
    pictures: Count = 1000
    """Images at most, of all parts."""
    pixels: Count = 16
    """Of each image that the layer is fitted to, as many of each class that is in it."""
    least_share: Share = 0.02
    """Classes that fewer of the training images show are not asked about: what nobody can learn tells no rows apart."""
    updates: Count = 400
    """Of the network, for each learning rate."""
    rates: tuple[Positive, ...] = RATES
    """Learning rates of the network, alike for every row, of which validation chooses."""

    def takes_images(self, images: ImageSet) -> bool:
        return images.scenes is not None and images.scenes().labels is not None

    def prepare(self, on: EvaluationSet) -> "Task":
        pictures = pictures_of(on, self.pictures, masked=True)
        return Task(asked_often(pictures if self.kinds else alike(pictures), self.least_share), self.pixels)

    def measure(self, encoded: EncodedSet) -> list[Measure]:
        task: Task = encoded.prepared
        encoder, device = encoded.encoder, encoded.device
        pictures, scenes = task.pictures, task.pictures.held_out
        tested = pictures.tested(encoded.images)
        found: list[Measure] = []
        for by in self.by:
            if by == "linear":
                layer = fit_layer(encoder, task.train, task.validation, task.shares, device)
                said, about = partial(predicted_by, encoder, layer, scenes, device=device), layer.about
            elif any(parameter.requires_grad for parameter in encoder.parameters()):
                network, about = best_network(encoder, pictures, self.rates, self.updates, device)
                said = partial(network.predicted, scenes, device=device)
            else:
                continue
            confusion = confusion_of(said(pictures.parts.test), scenes, task.labels)
            first, *others = task.measures(by, confusion, about | {"pixels": self.pixels}, tested)
            found += [replace(first, shown=task.shown(said(shown_of(pictures.parts.test)))), *others]
        return found + task.measures("blind", task.blind, {}, tested)


def asked_often(pictures: Pictures, least: float) -> Pictures:
    """Pictures without the classes that a smaller share of the training images shows: nobody is asked about them.

    Raises DataError where fewer than two classes are left.
    """
    scenes, rows = pictures.scenes, pictures.parts.train
    assert scenes.labels is not None, "`takes_images` has looked"
    shown = np.zeros(UNASKED + 1, np.int64)
    for row in rows.tolist():
        shown[np.unique(scenes.labels(np.array([row])))] += 1
    often = np.flatnonzero(shown[:UNASKED] >= max(1.0, least * len(rows)))
    if len(often) < 2:
        raise DataError(
            f"{scenes.name}: {len(often)} of its classes of pixels are in {least:g} of {len(rows):,} training images, "
            "and telling classes apart takes two; give a smaller --segmentation.least_share, or more images"
        )
    found = np.full(UNASKED + 1, UNASKED, np.uint8)
    found[often] = np.arange(len(often))
    return _renamed(pictures, found, tuple(scenes.classes[each] for each in often))


def alike(pictures: Pictures) -> Pictures:
    """Pictures in which all things are of one class."""
    scenes = pictures.scenes
    rest = [name for name in scenes.classes if name not in scenes.things]
    classes = (*rest, "thing")
    found = np.full(UNASKED + 1, UNASKED, np.uint8)
    found[: len(scenes.classes)] = [classes.index(name if name in rest else "thing") for name in scenes.classes]
    return _renamed(pictures, found, classes, ("thing",))


def _renamed(
    pictures: Pictures, found: NDArray[np.uint8], classes: tuple[str, ...], things: tuple[str, ...] | None = None
) -> Pictures:
    """Pictures with other classes. found: which of them each value of labels is, [256]."""

    def renamed(own: Scenes) -> Scenes:
        labels = own.labels
        assert labels is not None, "`takes_images` has looked"
        named = own.things if things is None else things
        return replace(own, labels=lambda rows: found.take(labels(rows)), classes=classes, things=named)

    return replace(pictures, scenes=renamed(pictures.scenes), held_out=renamed(pictures.held_out))


class Task:
    """Pixels that are asked about, and what is true of them, the same for every encoder."""

    def __init__(self, pictures: Pictures, pixels: int):
        self.pictures = pictures
        rng = np.random.default_rng([pictures.seed, 15])
        scenes, held_out, parts = pictures.scenes, pictures.held_out, pictures.parts
        self.train: Asked = asked_pixels(scenes, parts.train, _truth(scenes), pixels, rng, _alike)
        self.validation: Asked = asked_pixels(held_out, parts.validation, _truth(held_out), 16 * pixels, rng)
        self._first = next((i for i, name in enumerate(scenes.classes) if name in scenes.things), 0)
        classes = np.arange(len(scenes.classes))

        def of_each_class(rows: Rows) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
            labels = self._labels_of(scenes, rows)
            return labels[..., None] == classes, labels != UNASKED

        shares, count = usual(scenes, parts.train, of_each_class)  # [H, H, K]
        self.shares = (shares * count[..., None]).sum((0, 1)) / max(int(count.sum()), 1)
        """Of all pixels of training, [K]."""
        everywhere = torch.from_numpy(shares.argmax(-1))[None]
        self.blind: Confusion = confusion_of(
            ((parts.test[i : i + 1], everywhere) for i in range(len(parts.test))), held_out, self.labels
        )

    def labels(self, rows: Rows) -> NDArray[np.uint8]:
        """What is true of images that are held out."""
        return self._labels_of(self.pictures.held_out, rows)

    @staticmethod
    def _labels_of(scenes: Scenes, rows: Rows) -> NDArray[np.uint8]:
        assert scenes.labels is not None, "`takes_images` has looked"
        return scenes.labels(rows)

    def shown(self, said: Iterable[tuple[Rows, Tensor]]) -> tuple[Tiles, ...]:
        """Images of the test, what stands where, and what is said of it."""
        scenes = self.pictures.held_out
        draw = partial(class_map, things=[name in scenes.things for name in scenes.classes])
        rows, classes = next(iter(said))
        return beside(scenes.images[rows], classes, draw, self.labels(rows), "what stands where")

    def measures(self, by: str, confusion: Confusion, about: dict[str, Any], tested: Rows) -> list[Measure]:
        """The numbers of a confusion."""
        classes = self.pictures.scenes.classes
        each = {name: round(float(iou), 4) for name, iou in zip(classes, confusion.iou, strict=True) if iou == iou}
        about = {**about, "seed": self.pictures.seed, **self.pictures.parts.counts()}
        return [
            Measure(f"{by} mIoU", confusion.mean_iou(), {**about, "IoU": each}, tested),
            Measure(f"{by} object mIoU", confusion.mean_iou(self._first), about, tested),
            Measure(f"{by} accuracy", confusion.accuracy, about, tested),
        ]


def _truth(scenes: Scenes) -> Any:
    def truth(rows: Rows) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        labels = Task._labels_of(scenes, rows)
        return labels, labels != UNASKED

    return truth


def _alike(labels: NDArray[Any]) -> NDArray[np.float64]:
    """Weights by which every class of an image is as likely to be drawn."""
    _, which, count = np.unique(labels, return_inverse=True, return_counts=True)
    return 1 / count[which]
