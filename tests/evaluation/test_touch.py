"""Senses and grasping: against scikit-learn, against environments of one's own, and against what is known."""

from functools import partial
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from embodied_ssl.datasets.collect.collection import collect
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.images.digests import digests_of
from embodied_ssl.datasets.images.sources import image_set
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.encoders import Encoder, random_encoder
from embodied_ssl.envs.grasp import GraspEnv
from embodied_ssl.evaluation.features import Pixels
from embodied_ssl.evaluation.interactions import Places, area_under_curve, parts_of, patch_features
from embodied_ssl.evaluation.protocol import EncodedSet, EvaluationSet, Protocol
from embodied_ssl.evaluation.protocols.grasping import Grasping
from embodied_ssl.evaluation.protocols.physics import Physics
from embodied_ssl.evaluation.protocols.senses import Senses
from embodied_ssl.evaluation.results import Measure
from embodied_ssl.parts.views import crop_at

KINDS = ("grasp", "push", "poke")


@pytest.fixture(scope="module")
def touched(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A few interactions of each sense with many objects."""
    root = tmp_path_factory.mktemp("touched")
    for kind in KINDS:
        collect(kind, root / kind, episodes=12, size=32, interactions=4, clutter=4, instances=(0, 900), progress=False)
    return {kind: root / kind for kind in KINDS}


def measured(protocol: Protocol, folder: Path, encoder: Encoder, seed: int = 0) -> list[Measure]:
    on = EvaluationSet(images=image_set(folder), dataset=Dataset.open(folder), seed=seed)
    made = partial(EncodedSet, features_of=not_read, encoder=encoder, prepared=protocol.prepare(on))
    return protocol.measure(made(images=on.images, dataset=on.dataset, seed=seed))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("protocol", [Senses(), Physics()])
def test_what_is_tested_are_tables_of_the_test(touched, kind, protocol):
    """By which it is told whether a run has learned from them."""
    dataset, images = Dataset.open(touched[kind]), image_set(touched[kind])
    found = measured(protocol, touched[kind], Pixels())
    assert found
    before, first = dataset.array("interactions/rgb_before"), dataset.episodes["start"]
    of_image = dict(zip(digests_of(before[first]).tolist(), range(len(first)), strict=True))
    table = np.array([of_image[digest] for digest in images.digests.tolist()])
    whole = protocol.prepare(EvaluationSet(images=images, dataset=dataset))
    if kind == "grasp" and isinstance(protocol, Senses):
        (touches,) = whole
        tested = set(dataset.array("interactions/episode")[:][touches.parts.test].tolist())
        assert {*table[found[0].tested].tolist()} <= tested
    for measure in found:
        assert 0 < len(measure.tested) < len(images)


def not_read(rows: object) -> NoReturn:
    raise AssertionError("features of whole images were read")


def test_the_area_under_the_curve_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    scores, positive = rng.integers(0, 20, 200).astype("f8"), rng.random(200) < 0.3  # with ties
    assert area_under_curve(scores, positive) == pytest.approx(roc_auc_score(positive, scores))


@pytest.mark.parametrize("kind", KINDS)
def test_parts_share_no_table_and_no_object_that_was_touched(touched, kind):
    dataset = Dataset.open(touched[kind])
    parts = parts_of(dataset, 1)
    rows = [parts.train, parts.validation, parts.test]
    episode, thing = (dataset.array(f"interactions/{name}")[:] for name in ("episode", "object"))
    for of_rows in (episode, np.where(thing >= 0, dataset.object_numbers[thing], -1 - np.arange(len(thing)))):
        sets = [set(of_rows[own]) for own in rows]
        assert sum(len(own) for own in sets) == len(set.union(*sets))
    assert [each.tolist() for each in rows] == [
        each.tolist()
        for each in (parts_of(dataset, 1).train, parts_of(dataset, 1).validation, parts_of(dataset, 1).test)
    ]
    assert parts_of(dataset, 2).train.tolist() != parts.train.tolist()
    assert len(parts_of(dataset, 1, most=2).train) == 2


def test_a_patch_is_seen_as_it_is_cut_alone():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (3, 20, 20, 3), dtype=np.uint8)
    places = Places(rng.integers(0, 3, 11), rng.uniform(0, 19, (11, 2)), rng.uniform(-4, 4, 11))
    encoder = random_encoder("conv4", 32, 0)
    found = patch_features(encoder, images, places, 0.4, batch_size=4)
    assert encoder.training
    for row, (image, pixel, turn) in enumerate(zip(places.image, places.pixel, places.turn, strict=True)):
        shown = torch.from_numpy(images[image]).movedim(-1, 0)[None]
        at, turned = (torch.tensor(each, dtype=torch.float32)[None] for each in (pixel, turn))
        with torch.no_grad():
            alone = encoder.eval()(crop_at(shown, at, 8.0, 32, turned))
        encoder.train()
        np.testing.assert_allclose(found[row], alone[0], atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_sense_knows_what_features_tell_and_nothing_else(touched, kind):
    """The outcome itself, and noise, in the place of what an encoder sees."""
    protocol = Senses()
    on = EvaluationSet(images=image_set(touched[kind]), dataset=Dataset.open(touched[kind]))
    rng = np.random.default_rng(0)
    for touches in protocol.prepare(on):
        noise = rng.normal(size=(len(touches.outcome), 3)).astype("f4")
        knowing = np.concatenate([np.nan_to_num(touches.outcome).astype("f4"), 0.01 * noise], 1)
        assert all(value > 0.95 for _, value, _ in touches.judge(knowing, touches, "cpu"))
        limit = 0.85 if kind == "grasp" else 0.3
        for _, value, about in touches.judge(noise, touches, "cpu"):
            assert value < limit + about.get("without_image", 0.0)
    found = measured(protocol, touched[kind], Pixels())
    assert found == measured(protocol, touched[kind], Pixels())
    assert all(np.isfinite(each.value) for each in found)


def test_the_grasp_that_a_head_chooses_is_carried_out(touched):
    """The head is scikit-learn's here, and the tables are those of an environment of our own."""
    protocol = Grasping(grasps=(15, 1000), tables=4, candidates=20)
    dataset = Dataset.open(touched["grasp"])
    encoder = Pixels()
    found = {each.metric: each for each in measured(protocol, touched["grasp"], encoder)}
    assert [name for name in found if "@" in name] == ["success@15"]
    again = {each.metric: each for each in measured(protocol, touched["grasp"], encoder)}
    assert {name: each.value for name, each in found.items()} == {name: each.value for name, each in again.items()}
    task = protocol.prepare(EvaluationSet(images=image_set(touched["grasp"]), dataset=dataset))
    train = task.order[:15]
    pixel, angle = (dataset.array(f"interactions/{name}")[:] for name in ("pixel", "angle"))
    known = Places(np.arange(len(dataset)), pixel, angle)
    features = patch_features(encoder, dataset.array("interactions/rgb_before"), known, 0.3)
    mean, spread = features[train].mean(0), features[train].std(0) + 1e-9
    peer = LogisticRegression(C=2 * found["success@15"].settings["inverse_regularisation"], max_iter=10_000)
    peer.fit((features[train] - mean) / spread, dataset.array("interactions/success")[:][train])
    offered = patch_features(encoder, task.tables.images, task.tables.places, 0.3)
    chosen = peer.decision_function((offered - mean) / spread).reshape(4, 20).argmax(1)
    env = GraspEnv(**dataset.spec["env"] | {"instances": (900, 1900), "interactions": 1})
    held, at_random = [], []
    for table, seed in enumerate(np.random.SeedSequence([0, 7]).generate_state(4).tolist()):
        image = env.reset(seed=seed)[0]["rgb"]
        np.testing.assert_array_equal(image, task.tables.images[table])
        for candidate, outcomes in ((chosen[table], held), (0, at_random)):
            env.reset(seed=seed)
            row = 20 * table + candidate
            outcomes.append(env.step(env.action_of(*task.tables.places.pixel[row], task.tables.places.turn[row]))[1])
    env.close()
    assert found["success@15"].value == np.mean(held)
    assert found["success at random"].value == np.mean(at_random)


def test_what_is_too_little_to_learn_grasping_from_is_refused(touched, data):
    on = EvaluationSet(images=image_set(touched["grasp"]), dataset=Dataset.open(touched["grasp"]))
    with pytest.raises(DataError, match=r"has 24 grasps, too few for a head on 100; collect more --episodes"):
        Grasping().prepare(on)
    for kind, taken in (("grasp", True), ("push", False), ("orbit", False)):
        assert Grasping().takes(Dataset.open(data[kind])) is taken
        assert Senses().takes(Dataset.open(data[kind])) is (kind != "orbit")
    assert not Senses().takes(None)
