"""Physics from pixels: against scikit-learn, and against features that know everything or nothing."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from embodied_ssl.datasets.collect.collection import collect
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.images.sources import image_set
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.encoders import Encoder
from embodied_ssl.evaluation.evaluate import evaluate
from embodied_ssl.evaluation.features import Pixels, extract
from embodied_ssl.evaluation.protocol import EncodedSet
from embodied_ssl.evaluation.protocols.physics import Physics
from embodied_ssl.methods import make_method
from embodied_ssl.training.settings import TrainingSettings
from embodied_ssl.training.train import train


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    out = tmp_path_factory.mktemp("physics")
    collect("orbit", out / "orbit", 150, size=16, length=2, progress=False, instances=(0, 1000))
    collect("grasp", out / "grasp", 24, size=48, interactions=2, instance=True, progress=False, instances=(0, 1000))
    return {kind: out / kind for kind in ("orbit", "grasp")}


def encoded(path, features=None, encoder: Encoder | None = None, seed=0) -> EncodedSet:
    encoder = encoder or Pixels()
    images, dataset = image_set(path), Dataset.open(path)
    features = extract(encoder, images) if features is None else features
    on = EncodedSet(images=images, dataset=dataset, seed=seed, features_of=lambda rows: features, encoder=encoder)
    return replace(on, prepared=Physics().prepare(on))


def measured(on: EncodedSet):
    return {measure.metric: measure for measure in Physics().measure(on)}


def test_the_truth_of_each_frame_is_that_of_its_object(sets):
    things = encoded(sets["orbit"]).prepared
    objects = Dataset.open(sets["orbit"]).objects
    np.testing.assert_allclose(np.exp(things.numbers["log mass"]), np.repeat(objects["mass"], 2))
    np.testing.assert_allclose(things.numbers["friction"], np.repeat(objects["friction"], 2))
    parts = things.parts
    numbers = np.repeat(Dataset.open(sets["orbit"]).object_numbers, 2)
    known = [set(numbers[rows]) for rows in (parts.train, parts.validation, parts.test)]
    assert not known[0] & known[1]
    assert not (known[0] | known[1]) & known[2]
    assert sum(map(len, (parts.train, parts.validation, parts.test))) == len(numbers)


def test_features_that_know_all_tell_all_and_those_that_know_nothing_nothing(sets):
    things = encoded(sets["orbit"]).prepared
    rng = np.random.default_rng(0)
    true = np.stack([*things.numbers.values(), *np.eye(things.material.max() + 1)[things.material].T], 1)
    mixed = (true @ rng.normal(size=(true.shape[1], 24))).astype("f4")
    best = measured(encoded(sets["orbit"], mixed))
    assert all(best[f"R² {name}"].value > 0.99 for name in things.numbers)
    assert best["material accuracy"].value > 0.97
    none = measured(encoded(sets["orbit"], rng.normal(size=(len(mixed), 24)).astype("f4")))
    assert all(abs(none[f"R² {name}"].value) < 0.25 for name in things.numbers)
    assert none["material accuracy"].value < 0.4


def test_r2_is_that_of_scikit_learn(sets):
    on = encoded(sets["orbit"])
    parts, features = on.prepared.parts, on.features.astype("f8")
    for name, truth in on.prepared.numbers.items():
        found = measured(on)[f"R² {name}"]
        scaler = StandardScaler().fit(features[parts.train])
        inputs = [scaler.transform(features[rows]) for rows in (parts.train, parts.test)]
        ridge = Ridge(alpha=found.settings["ridge"] * len(parts.train)).fit(inputs[0], truth[parts.train])
        assert found.value == pytest.approx(ridge.score(inputs[1], truth[parts.test]), abs=1e-6)


def test_of_a_table_the_patch_shows_the_object_that_the_truth_is_of(sets):
    dataset, things = Dataset.open(sets["grasp"]), encoded(sets["grasp"]).prepared
    masks = dataset.array("interactions/instance_before")[things.places.image]
    size = masks.shape[1]
    u, v = np.clip(np.round(things.places.pixel), 0, size - 1).astype(int).T
    seen = masks[np.arange(len(masks)), v, u]
    objects = dataset.objects
    agreeing, judged = 0, 0
    for number, shown in enumerate(seen):
        table = things.places.image[number] // 2  # of two interactions each
        row = np.flatnonzero((objects["episode"] == table) & (objects["index"] == shown))
        if len(row):
            judged += 1
            agreeing += np.isclose(np.log(objects["mass"][row[0]]), things.numbers["log mass"][number])
    assert judged > 0.6 * len(seen)
    assert agreeing > 0.95 * judged


def test_it_is_measured_by_name_with_pixels_and_untrained_rows(sets, tmp_path):
    method = make_method("rotation", "conv4", 32, 0)
    recipe = replace(method.recipe, steps=1, batch_size=4)
    run = train(method, tmp_path / "run", {"frames": sets["grasp"]}, recipe, TrainingSettings(progress=False))
    found = evaluate([run], [sets["grasp"]], ("physics",), device="cpu", progress=False)
    metrics = {each.metric for each in found}
    assert metrics == {"R² log mass", "R² log stiffness", "R² friction", "material accuracy"}
    assert len({each.row for each in found}) == 3
    assert all(np.isfinite(each.value) for each in found)


def test_it_takes_what_says_what_objects_weigh(sets, data):
    takes = {kind: Physics().takes(Dataset.open(data[kind])) for kind in data}
    assert takes == dict.fromkeys(data, True) | {"roam": False}
    assert not Physics().takes(None)


def test_too_few_objects_are_refused(data):
    with pytest.raises(DataError, match="no objects of two materials"):
        encoded(data["hold"])
