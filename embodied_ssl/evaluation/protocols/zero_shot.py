"""Zero-shot: which class an image shows, by the similarity of image and name, without any training for the classes."""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from embodied_ssl.evaluation.features import answers
from embodied_ssl.evaluation.protocol import EncodedSet, Protocol
from embodied_ssl.evaluation.results import Measure
from embodied_ssl.training.runs.checkpoint import load_method


@dataclass(frozen=True)
class ZeroShot(Protocol):
    """Accuracy on test images where each is given to the class whose name is most similar to it.

    Radford et al. 2021, section 3.1: the name of a class, in several prompts, is encoded as text; no image of these
    classes is labelled. Takes runs of methods with `embed_images`, `embed_classes` and a `vocabulary`, as `clip` has
    them; other rows are left out. Classes whose names hold a word that no caption had are counted in the settings
    (`unknown_names`), and hardly ever right.
    """

    usual = False
    needs_weights = True

    def measure(self, encoded: EncodedSet) -> list[Measure]:
        if encoded.run is None:
            return []
        method = load_method(encoded.run)
        if not hasattr(method, "embed_classes"):
            return []
        images, test = encoded.images, encoded.split.test
        method = method.to(encoded.device)
        named = method.embed_classes(images.classes)  # [C, dim]

        def similarities(shown: Tensor) -> Tensor:
            found: Tensor = method.embed_images(shown) @ named.T  # [B, C]
            return found

        said = answers(similarities, images.images, test, method.encoder.image_size, encoded.device)
        value = float((np.concatenate([*said]).argmax(1) == images.label[test]).mean())
        known = set(method.vocabulary())
        unknown = [name for name in images.classes if not known.issuperset(name.replace("_", " ").split())]
        about = {"unknown_names": len(unknown), "split_seed": encoded.seed, "test": len(test)}
        return [Measure("accuracy", value, about, test)]
