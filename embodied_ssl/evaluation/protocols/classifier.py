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
    learning do (Oliver et al., NeurIPS 2018). Rows without such a classifier are left out. Classes go by their names;
    an image of one that the run has not learned counts as an error. Raises DataError where it has learned none of them.
    """

    usual = False
    needs_weights = True

    def measure(self, encoded: EncodedSet) -> list[Measure]:
        if encoded.run is None:
            return []
        told = read_configuration(encoded.run)["data"].get("labelled")
        if told is None:
            return []
        method = load_method(encoded.run).to(encoded.device)
        if not isinstance(method, ClassifierMethod):
            return []
        number = {name: place for place, name in enumerate(told["classes"])}
        unknown = [name for name in encoded.images.classes if name not in number]
        if len(unknown) == len(encoded.images.classes):
            raise DataError(
                f"{encoded.images.name}: {encoded.run.name} has learned {', '.join(list(number)[:4])} and others, but "
                f"no {', '.join(unknown[:4])}; measure its classifier on images of the classes that it has learned"
            )
        known = np.array([number.get(name, -1) for name in encoded.images.classes])
        images, test = encoded.images, encoded.split.test
        said = answers(method.logits, images.images, test, method.encoder.image_size, encoded.device)
        value = float((np.concatenate([*said]).argmax(1) == known[images.label[test]]).mean())
        labelled = {"labelled_images": told["images"]}
        about = {**labelled, "not_learned": unknown, "split_seed": encoded.seed, "test": len(test)}
        return [Measure("accuracy", value, about, test)]
