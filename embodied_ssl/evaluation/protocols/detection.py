"""Detection: what stands where, by Faster R-CNN on an encoder that stays as it is, or is trained on."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from embodied_ssl.datasets.images.image_set import ImageSet
from embodied_ssl.evaluation.drawing import boxes_on, shown_of
from embodied_ssl.evaluation.estimators.average_precision import average_precision, check_installed
from embodied_ssl.evaluation.estimators.c4 import Recipe
from embodied_ssl.evaluation.estimators.detector import best_detector, found_by, moco_detector
from embodied_ssl.evaluation.pixels import Pictures, pictures_of
from embodied_ssl.evaluation.protocol import EncodedSet, EvaluationSet, Protocol
from embodied_ssl.evaluation.results import Measure
from embodied_ssl.limits import Count, Positive
from embodied_ssl.report.figures import Tile

UPDATES = 1000


@dataclass(frozen=True)
class Detection(Protocol):
    """Average precision of boxes (AP50, AP75, AP as COCO counts them) by Faster R-CNN on an encoder.

    torchvision's, on a feature pyramid over stages of strides 4 to 16, with settings for small images: anchors of a
    16th to a half of the side (8 to 64 px of 128). `frozen`: the encoder stays as it is; `whole`: it is trained with
    the rest. Validation chooses the learning rate by AP50, alike for every row; rows without weights, as raw pixels,
    have `frozen` alone. Boxes are those of the simulator's instance masks; things of which hardly anything is seen are
    neither asked for nor wrong.

    `--detection.recipe moco` is MoCo's transfer to VOC (He et al. 2020): R50-C4 with batch norms trained on, 24,000
    updates of 16 images at 640 to 1,067 px, as `--on voc:VOC0712 --detection.pictures 50000
    --detection.recipe moco` for an encoder such as torchvision/resnet50. Its numbers count in the place of `by`,
    `rates` and, where none are given, `updates`; it is trained on what validates as well.

    Half of the images train, a fifth validates, the others test; they share no room, table or held object, and objects
    that training shows are not asked about. Takes data sets that were collected with `--instance`, VOC, COCO, and
    folders of images and masks. Needs the extra `[detection]`.
    """

    usual = False
    divides = False
    wants = "boxes: data sets collected with --instance true, VOC, COCO, or folders of images and masks of instances"

    by: tuple[Literal["frozen", "whole"], ...] = ("frozen", "whole")
    """What is trained: the detector on frozen stages, or all."""
    kinds: bool = True
    """Whether things are told by their kind; else all are one: thing or no thing."""
    recipe: Literal["small", "moco"] = "small"
    """For small images, or as MoCo transfers to VOC."""
    pictures: Count = 1000
    """Images at most, of all parts."""
    updates: Count | None = None
    """For each learning rate. None: 1,000, of `moco` 24,000."""
    rates: tuple[Positive, ...] = (3e-4, 1e-3)
    """Learning rates, alike for every row, of which validation chooses."""

    def takes_images(self, images: ImageSet) -> bool:
        return images.scenes is not None and images.scenes().boxes is not None

    def prepare(self, on: EvaluationSet) -> Pictures:
        check_installed()
        pictures = pictures_of(on, self.pictures)
        if self.recipe == "moco" and pictures.scenes.resized is not None:
            scenes = pictures.scenes.resized(Recipe.sides[-1])
            return replace(pictures, scenes=scenes, held_out=scenes)
        return pictures

    def measure(self, encoded: EncodedSet) -> list[Measure]:
        pictures: Pictures = encoded.prepared
        scenes, rows, device = pictures.held_out, pictures.parts.test, encoded.device
        assert scenes.boxes is not None, "`takes_images` has looked"
        truth = [scenes.boxes(row) for row in rows.tolist()]
        trains = any(parameter.requires_grad for parameter in encoded.encoder.parameters())
        tested = pictures.tested(encoded.images)
        found: list[Measure] = []
        for by in self.by if self.recipe == "small" else ("whole",):
            if by == "whole" and not trains:
                continue
            if self.recipe == "moco":
                recipe = Recipe(updates=self.updates or Recipe.updates)
                detector, about = moco_detector(encoded.encoder, pictures, recipe, not self.kinds, device)
                said = found_by(detector.network, scenes.side, scenes, rows, device, 1)
            else:
                updates = self.updates or UPDATES
                frozen = by == "frozen"
                small, about = best_detector(
                    encoded.encoder, pictures, frozen, self.rates, updates, not self.kinds, device
                )
                said = small.found_in(scenes, rows, device)
            counted = average_precision(said, truth, len(scenes.things), not self.kinds)
            about |= {"kinds": self.kinds, "seed": encoded.seed, **pictures.parts.counts()}
            values = (("AP50", counted.ap50), ("AP75", counted.ap75), ("AP", counted.ap))
            places = shown_of(np.arange(len(rows)))
            measures = [Measure(f"{by} {name}", value, about, tested) for name, value in values]
            shown = tuple(
                (Tile(boxes_on(image, boxes), "there"), Tile(boxes_on(image, boxes, own), "found"))
                for image, boxes, own in ((scenes.images[rows[i]], truth[i], said[i]) for i in places.tolist())
            )
            found += [replace(measures[0], shown=shown), *measures[1:]]
        return found
