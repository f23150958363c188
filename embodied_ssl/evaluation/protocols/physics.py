"""Physics from pixels: what an object weighs, how it gives way and slides, and what it is made of, from its image."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.images.digests import digests_of
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.evaluation.estimators.logistic import STRENGTHS, fit, tell_unconverged
from embodied_ssl.evaluation.estimators.regression import fit_ridge, r2
from embodied_ssl.evaluation.features import Features
from embodied_ssl.evaluation.interactions import Places, patch_features
from embodied_ssl.evaluation.protocol import EncodedSet, EvaluationSet, Protocol
from embodied_ssl.evaluation.results import Measure
from embodied_ssl.evaluation.splits import TEST, TRAINING, UNUSED, VALIDATION, Rows, Split, divide_groups
from embodied_ssl.limits import SomeShare

Reals = NDArray[np.float64]


@dataclass(frozen=True)
class Physics(Protocol):
    """What linear probes of frozen features know of the physics of objects that they were not fitted to.

    Ridge regression of the logarithms of mass (kg) and contact stiffness (N/m), and of friction: R², 0 for the mean of
    the objects that are tested; logistic regression of the material: accuracy. The truth is what the simulator works
    with. Of a table each object that lies in the image before the first act is seen in a patch about it; of a video
    that follows one object, each whole frame.

    Half of the objects train the probes, a fifth chooses their regularisation, the rest tests.
    """

    usual = False
    divides = False
    wants = "what objects are made of: data sets of orbit, hold, grasp, push and poke"

    crop: SomeShare = 0.3
    """Side of the patch about an object on a table, as a share of the image."""

    def takes(self, dataset: Dataset | None) -> bool:
        if dataset is None or not {"objects/mass", "objects/stiffness", "objects/friction"} <= set(dataset.fields):
            return False
        return dataset.declaration.one_object or "interactions/rgb_before" in dataset.fields

    def prepare(self, on: EvaluationSet) -> "Things":
        assert on.dataset is not None, "`takes` has looked"
        things = _things(on.dataset, on.seed, on.settings.most)
        if things.places is None:
            return replace(things, tested=things.parts.test)
        seen = np.unique(things.places.image[things.parts.test])
        return replace(things, tested=on.images.showing(digests_of(on.dataset.array("interactions/rgb_before")[seen])))

    def measure(self, encoded: EncodedSet) -> list[Measure]:
        things: Things = encoded.prepared
        assert encoded.dataset is not None, "`takes` has looked"
        about: dict[str, Any] = {"seed": encoded.seed, "objects": things.objects, **things.parts.counts()}
        if things.places is None:
            features = encoded.features
        else:
            images = encoded.dataset.array("interactions/rgb_before")
            features = patch_features(encoded.encoder, images, things.places, self.crop, encoded.device)
            about = {"crop": self.crop, **about}
        found = [_regressed(features, name, things, about) for name in things.numbers]
        return [*found, _classified(features, things, about, encoded.device)]


@dataclass(frozen=True)
class Things:
    """Objects as they are seen, N views of them, and what is true of each."""

    places: Places | None
    """Where in the images of a table; None: each is a whole frame, in order."""
    numbers: dict[str, Reals]
    """[N] each, by name."""
    material: Rows
    """[N]"""
    objects: int
    """How many are of a part."""
    parts: Split
    tested: Rows = field(default_factory=lambda: np.empty(0, np.int64))
    """The rows of the image set that show what is tested."""


def _things(dataset: Dataset, seed: int, most: int | None) -> Things:
    """The views of a data set, divided by objects. Raises DataError where a part has objects of one material alone."""
    places, row = (None, _followed(dataset)) if dataset.declaration.is_video else _lying(dataset)
    truth, rng = dataset.objects, np.random.default_rng([seed, 7])
    part = divide_groups(dataset.object_numbers[row], rng)
    part[(truth["mass"][row] <= 0) | (truth["stiffness"][row] <= 0)] = UNUSED  # of what never moves nothing is known
    rows = [np.sort(rng.permutation(np.flatnonzero(part == which))[:most]) for which in (TRAINING, VALIDATION, TEST)]
    material = np.unique(truth["material"], return_inverse=True)[1].astype(np.int64)[row]
    for name, own in zip(("training", "validation", "test"), rows, strict=True):
        if len(np.unique(material[own])) < 2:
            raise DataError(
                f"{dataset.path}: its {name} part has no objects of two materials; collect more --episodes, or more "
                "--instances"
            )
    with np.errstate(divide="ignore"):
        numbers = {
            "log mass": np.log(truth["mass"][row].astype("f8")),
            "log stiffness": np.log(truth["stiffness"][row].astype("f8")),
            "friction": truth["friction"][row].astype("f8"),
        }
    objects = len(np.unique(dataset.object_numbers[row[np.concatenate(rows)]]))
    train, validation, test = rows
    return Things(places, numbers, material, objects, Split(train, validation, test, left_out={}))


def _followed(dataset: Dataset) -> Rows:
    """The row of objects that each frame of a video shows."""
    episodes = dataset.episodes
    episode = np.searchsorted(episodes["start"], np.arange(len(dataset)), side="right") - 1
    return episodes["objects_start"][episode]


def _lying(dataset: Dataset) -> tuple[Places, Rows]:
    """Where objects lie in the first image of each table, and their rows; without those whose middle is not in it."""
    objects, size = dataset.objects, dataset.array("interactions/rgb_before").shape[1]
    pixel = dataset.project(objects["position"])
    row = np.flatnonzero((np.abs(pixel - (size - 1) / 2) < (size - 1) / 2).all(1))
    image = dataset.episodes["start"][objects["episode"][row]]
    return Places(image, pixel[row], np.zeros(len(row), np.float32)), row


def _regressed(features: Features, name: str, things: Things, about: dict[str, Any]) -> Measure:
    """R² of a number, on test rows."""
    parts, truth = things.parts, things.numbers[name][:, None]
    in_order = (parts.train, parts.validation, parts.test)
    train, validation, test = ((features[own].astype("f8"), truth[own]) for own in in_order)
    head = fit_ridge(train, validation)
    value = float(r2(head(test[0]), test[1])[0])
    return Measure(f"R² {name}", value, {**about, "ridge": head.strength}, things.tested)


def _classified(features: Features, things: Things, about: dict[str, Any], device: str) -> Measure:
    """The accuracy of the material, on test rows."""
    parts, label = things.parts, things.material
    tried = fit(features, label, parts.train, STRENGTHS, device)
    scores = [each.accuracy(features, label, parts.validation) for each in tried]
    best = tried[int(np.argmax(scores))]
    about = {
        **about,
        "inverse_regularisation": best.strength,
        "validation_accuracy": max(scores),
        "converged": tell_unconverged(tried, "physics"),
        "most_frequent": float(np.bincount(label[parts.test]).max() / len(parts.test)),
    }
    return Measure("material accuracy", best.accuracy(features, label, parts.test), about, things.tested)
