"""Classifier: how often the classifier that a run has learned by itself is right."""

from dataclasses import dataclass

import numpy as np

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.evaluation.features import answers
from embodied_ssl.evaluation.protocol import EncodedSet, Protocol
from embodied_ssl.evaluation.results import Measure
from embodied_ssl.parts.classification import ClassifierMethod
from embodied_ssl.training.runs.checkpoint import load_method, read_configuration


@dataclass(frozen=True)
class Classifier(Protocol):
    """Accuracy on test images of the classifier that a run has learned: of labels, and of semi-supervised methods.

    Nothing is fitted here: what a method makes of its few labels is what is measured, as the tables of semi-supervised
    learning do (Oliver et al., NeurIPS 2018). Rows without such a classifier are left out. The classes of the images
    are those that the run has learned, by their names; raises DataError where they are others.
    """

    usual = False
    needs_weights = True

    def measure(self, encoded: EncodedSet) -> list[Measure]:
        if encoded.run is None:
            return []
        method = load_method(encoded.run)
        if not isinstance(method, ClassifierMethod):
            return []
        told = read_configuration(encoded.run)["data"]["labelled"]
        number = {name: place for place, name in enumerate(told["classes"])}
        if unknown := [name for name in encoded.images.classes if name not in number]:
            raise DataError(
                f"{encoded.images.name}: {encoded.run.name} has learned {', '.join(list(number)[:4])} and others, but "
                f"no {unknown[0]}; measure its classifier on images of the classes that it has learned"
            )
        known = np.array([number[name] for name in encoded.images.classes])
        method, images, test = method.to(encoded.device), encoded.images, encoded.split.test
        said = answers(method.logits, images.images, test, method.encoder.image_size, encoded.device)
        value = float((np.concatenate([*said]).argmax(1) == known[images.label[test]]).mean())
        labelled = {"labelled_images": told["images"]}
        about = {**labelled, "split_seed": encoded.seed, "test": len(test)}
        return [Measure("accuracy", value, about, test)]
