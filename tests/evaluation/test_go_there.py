"""Going to a goal image: the state always arrives, features that know nothing do not, in the rooms of the data."""

from dataclasses import replace

import numpy as np
import pytest

from embodied_ssl.datasets.collect.collection import collect
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.images.sources import image_set
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.environments import make_env
from embodied_ssl.evaluation.features import Pixels, extract
from embodied_ssl.evaluation.protocol import EncodedSet, EvaluationSet
from embodied_ssl.evaluation.protocols.go_there import GoThere, Way, make_task, near, steps_of, way_between

SMALL = GoThere(pairs=(50, 120), walks=8, looks=3)


@pytest.fixture(scope="module")
def rooms(tmp_path_factory):
    """Rooms of two kinds, so that some are left to test."""
    folder = tmp_path_factory.mktemp("rooms") / "roam"
    collect("roam", folder, episodes=12, size=24, length=24, scenes="corridor,garage", progress=False)
    return EvaluationSet(images=image_set(folder), dataset=Dataset.open(folder))


def test_ways_lead_to_where_they_were_measured():
    """Turning, driving and turning as told ends at the second place, also where it lies behind."""
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 200, 3))
    for start, goal, way in zip(first, second, way_between(first, second), strict=True):
        turn, forward, then = steps_of(way)
        assert abs(turn) <= np.pi / 2
        if np.hypot(*way[:2]) <= 2:
            end = start + [forward * np.cos(start[2] + turn), forward * np.sin(start[2] + turn), turn + then]
            assert near(end, goal)
            np.testing.assert_allclose(end[:2], goal[:2], atol=1e-9)
    assert steps_of(np.array([0.0, 0.0, 0.3])) == pytest.approx((0.0, 0.0, 0.3))
    assert abs(steps_of(np.array([30.0, 40.0, 0.0]))[1]) == 2.0
    places = np.array([[0, 0, np.pi - 0.05], [0.2, 0.1, 0.1 - np.pi], [0.2, 0.2, np.pi], [0, 0, 2.9]])
    assert near(places[0], places).tolist() == [True, True, False, False]


def test_the_state_arrives_in_rooms_made_anew_and_shuffled_features_do_not(rooms):
    task = SMALL.prepare(rooms)
    group = rooms.images.group
    fitted = set(group[np.concatenate([*task.train, *task.validation])])
    assert not fitted & set(group[np.concatenate([task.start, task.goal])])
    assert not near(task.places[task.start], task.places[task.goal]).any()
    shown = []
    ends = task.walk([lambda places, seen, goal: shown.append(seen) or np.zeros((len(goal), 3))])[0]
    np.testing.assert_allclose(ends, np.broadcast_to(task.places[task.start], ends.shape))  # who stands still stays
    seen = np.concatenate([*shown[::3]])  # room by room; the images of the data set, but for the last bit of poses
    stored = rooms.dataset.array("frames/rgb")[task.start[np.argsort(task.room, kind="stable")]]
    assert (np.abs(seen.astype(int) - stored) <= 2).mean() > 0.99

    found = {measure.metric: measure for measure in walked(rooms, task, extract(Pixels(), rooms.images))}
    assert list(found) == ["success@50", "success@120", "success by the state"]
    assert found["success by the state"].value == 1.0
    assert found["success@50"].settings["train"] == 50
    shuffled = np.random.default_rng(0).permutation(extract(Pixels(), rooms.images))
    assert walked(rooms, task, shuffled)[1].value <= 0.25
    again = SMALL.prepare(rooms)
    assert walked(rooms, again, shuffled) == walked(rooms, task, shuffled)


def walked(rooms, task, features):
    return SMALL.measure(
        EncodedSet(
            images=rooms.images, dataset=rooms.dataset, features_of=lambda rows: features,
            encoder=Pixels(), prepared=task,
        )
    )  # fmt: skip


def test_features_that_are_the_place_predict_the_way(rooms):
    """In the axes of the world and of the body: what lies ahead is a product of both, which no linear map makes."""
    task = make_task(rooms, GoThere(pairs=(50,), walks=8))
    rng = np.random.default_rng(0)
    places = np.stack([*rng.uniform(-1, 1, (2, 800)), rng.uniform(-0.5, 0.5, 800)], 1)
    x, y, c, s = *places[:, :2].T, np.cos(places[:, 2]), np.sin(places[:, 2])
    z = np.stack([x, y, c, s, c * x + s * y, c * y - s * x], 1)
    rows = rng.permutation(800).reshape(4, 200)
    task = replace(task, places=places, train=(rows[0], rows[1]), validation=(rows[2], rows[3]))
    back = rows[2], rows[1]
    error = np.abs(Way.fit(z, task, 200)(z[back[0]], z[back[1]]) - task.way(back))
    assert np.median(error) < 0.02


def test_walks_are_those_of_steps_within_the_limits_of_actions():
    """Without noise a body ends where the single actions lead, whatever is in the way."""
    env = make_env("roam", size=16, scenes="corridor", slip=0.0, motor_noise=0.0).unwrapped
    env.reset(seed=3)
    place, heading = env.position.copy(), env.heading
    for action in ([0, 0.4], [0, 0.4], [0.2, 0], [0.2, 0], [0.2, 0], [0, -0.3]):
        env.step(np.array(action, np.float32))
    driven = env.position.copy(), env.heading
    image = env.see()
    env.stand(place, heading)
    np.testing.assert_array_equal(env.position, place)
    env.walk(0.8, 0.6, -0.3)
    np.testing.assert_allclose(env.position, driven[0], atol=1e-6)
    assert env.heading == pytest.approx(driven[1], abs=1e-6)
    assert np.abs(env.see().astype(int) - image).mean() < 1
    env.close()


def test_too_few_rooms_are_refused_and_other_kinds_are_not_taken(rooms, data):
    for protocol in (GoThere(pairs=(10**6,)), GoThere(pairs=(50,), walks=10**6)):
        with pytest.raises(DataError, match="collect more episodes, or give fewer --go_there"):
            protocol.prepare(rooms)
    assert [kind for kind in data if GoThere().takes(Dataset.open(data[kind]))] == ["roam"]
