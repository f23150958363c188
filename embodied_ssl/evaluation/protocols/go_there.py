"""Go there: from what is seen and a goal image the way is predicted, walked in the simulator, and predicted again."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.read.motion import heading, wrap
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.environments import lent_envs, settings_of
from embodied_ssl.evaluation.estimators.regression import AXES, Products, Reals, Ridge, fit_ridge
from embodied_ssl.evaluation.features import encode
from embodied_ssl.evaluation.protocol import EncodedSet, EvaluationSet, Protocol
from embodied_ssl.evaluation.results import Measure
from embodied_ssl.evaluation.splits import TEST, TRAINING, VALIDATION, Rows, divide_groups
from embodied_ssl.limits import Count, Positive

NEAR_M, NEAR_RAD = 0.25, math.radians(10)
FARTHEST_M = 2.0
"""No way is longer, whatever is predicted."""
NO_WAY_M = 0.02
"""Shorter ways are not driven: a body that has come to the place only turns."""
ROOMS = 20
"""That walks are in, where there are as many; to make one costs as much as to walk ten times."""
OF_EACH = 4
"""Pairs of which each frame is the first one, so that few frames make many."""
FEWEST, MOST_VALIDATION = 10, 1000
"""Pairs that are validated on."""


@dataclass(frozen=True)
class GoThere(Protocol):
    """The share of walks that end within 0.25 m and 10° of where a goal image was taken.

    A body stands in a room that nothing was fitted to, and is shown an image of the same room, taken a second's way or
    less from there, but not as near as it has to come. A ridge predicts from the features of what it sees and of the
    goal, and from their products along principal axes, how far ahead and to the left the goal lies and how it is
    turned; it is fitted on n pairs of frames of training rooms, and validation rooms choose its strength. The body
    turns, drives and turns as predicted, with the slip and the noise of its motors, stops where something stands in the
    way, looks again, and goes on; where it stands at the end counts. The rooms are those of the data set, made anew.

    Beside it stands the way that the simulator's own state tells, walked alike: what no features can do better than.
    """

    usual = False
    divides = False
    wants = "poses of a body that walks: data sets of roam"

    pairs: tuple[Count, ...] = (100, 1000, 5000)
    """n: pairs of frames that the ridge is fitted on; more than training rooms have are not measured."""
    walks: Count = 100
    """In 20 rooms, where there are as many."""
    looks: Count = 4
    """How often the way is predicted and walked."""
    max_gap_s: Positive = 1.0
    """Longest time between the frames of a pair, s; and between the first place and the goal."""

    def takes(self, dataset: Dataset | None) -> bool:
        return dataset is not None and dataset.declaration.walks

    def prepare(self, on: EvaluationSet) -> "Task":
        return make_task(on, self)

    def measure(self, encoded: EncodedSet) -> list[Measure]:
        task: Task = encoded.prepared
        z = encoded.features.astype("f8")
        ways = {count: Way.fit(z, task, count) for count in task.sizes}

        def of(way: Way) -> Predicted:
            def predicted(places: Reals, seen: NDArray[np.uint8], goal: Rows) -> Reals:
                now = encode(encoded.encoder, seen, np.arange(len(seen)), encoded.device)
                return way(now.astype("f8"), z[goal])

            return predicted

        ends = task.walk([of(way) for way in ways.values()])
        about = {"max_gap_s": self.max_gap_s, "axes": AXES, "validation": len(task.validation[0])}
        found = [
            arrived(f"success@{count}", end, task, about | {"ridge": ways[count].ridge.strength, "train": count})
            for count, end in zip(task.sizes, ends, strict=True)
        ]
        return [*found, arrived("success by the state", task.by_state, task, {"max_gap_s": self.max_gap_s})]


Predicted = Callable[[Reals, NDArray[np.uint8], Rows], Reals]
"""The ways [W, 3] from places [W, 3] and what is seen there, uint8 [W, S, S, 3], to the frames [W] that are goals."""


@dataclass(frozen=True, eq=False)
class Task:
    """What encoders are measured on: pairs of frames to fit on, and walks."""

    dataset: Dataset
    settings: dict[str, Any]
    """Of the environment that made it."""
    places: Reals
    """[frames, 3]: where each frame was taken, x, y (m) and heading (rad)."""
    train: tuple[Rows, Rows]
    """First and second frames, in the order in which n pairs are taken."""
    validation: tuple[Rows, Rows]
    start: Rows
    """[W]: the frames that walks begin at."""
    goal: Rows
    """[W]: the frames that they are to lead to."""
    room: Rows
    """[W]: the episode whose room each is in."""
    sizes: list[int]
    """n of the pairs that are fitted on."""
    looks: int
    seed: int

    def way(self, pairs: tuple[Rows, Rows]) -> Reals:
        """From first to second frames, [P, 3]."""
        return way_between(self.places[pairs[0]], self.places[pairs[1]])

    @cached_property
    def by_state(self) -> Reals:
        """Where walks end that know where they are and where the goal is, [looks, W, 3]."""
        return self.walk([lambda places, seen, goal: way_between(places, self.places[goal])])[0]

    def walk(self, predictors: Sequence[Predicted]) -> list[Reals]:
        """Where bodies are after each walk, [looks, W, 3], as each predictor sends them; room by room, made anew."""
        ends = [np.empty((self.looks, len(self.goal), 3)) for _ in predictors]
        plain = {"depth": False, "instance": False, "flow": False}
        (env,) = lent_envs(self.dataset.kind, self.settings | plain)
        for episode in np.unique(self.room):
            env.reset(seed=int(self.dataset.episodes["seed"][episode]))
            for predicted, end in zip(predictors, ends, strict=True):
                self._walk_in(env, np.flatnonzero(self.room == episode), predicted, end)
        return ends

    def _walk_in(self, env: Any, walks: Rows, predicted: Predicted, end: Reals) -> None:
        """The walks of one room, a body for each; their noise is the same for every predictor."""
        places = self.places[self.start[walks]]
        noise = [np.random.default_rng([self.seed, 8, walk]) for walk in walks.tolist()]
        for look in range(self.looks):
            seen = []
            for place in places:
                env.stand(place[:2], place[2])
                seen.append(env.see())
            ways = predicted(places, np.stack(seen), self.goal[walks])
            for place, way, own in zip(places, ways, noise, strict=True):
                env.stand(place[:2], place[2])
                env.np_random = own
                env.walk(*steps_of(way))
                place[:] = *env.position, env.heading
            end[look, walks] = places


def make_task(on: EvaluationSet, settings: GoThere) -> Task:
    """Pairs of frames and walks, the same for every encoder. Raises DataError where there are too few."""
    images, dataset = on.images, on.dataset
    assert dataset is not None, "`takes` has looked"
    made_of = settings_of(dataset)
    rng, pairs = np.random.default_rng([on.seed, 7]), dataset.pairs(max_gap_s=settings.max_gap_s)
    first, second = pairs.draw(rng.permutation(OF_EACH * len(pairs)) % len(pairs), rng)
    back = rng.random(len(first)) < 0.5  # a goal is as often behind as ahead, or a guess would be to drive on
    first, second = np.where(back, second, first), np.where(back, first, second)
    pose = dataset.array("frames/pose")[:].astype("f8")
    places = np.stack([pose[:, 0, 3], pose[:, 1, 3], heading(pose)], 1)
    part = divide_groups(images.group[first], rng)
    train, validation = ((first[part == which], second[part == which]) for which in (TRAINING, VALIDATION))
    far = np.flatnonzero((part == TEST) & ~near(places[first], places[second]))
    episode = np.searchsorted(dataset.episodes["start"], first[far], side="right") - 1
    some = np.isin(episode, rng.permutation(np.unique(episode))[:ROOMS])
    far, room = far[some][: settings.walks], episode[some][: settings.walks]
    sizes = [count for count in settings.pairs if count <= len(train[0])]
    if not sizes or len(validation[0]) < FEWEST or len(far) < settings.walks:
        raise DataError(
            f"{images.name}: {len(train[0]):,} pairs of frames to fit on, {len(validation[0]):,} to validate, and "
            f"{len(far):,} walks, of {min(settings.pairs):,}, {FEWEST} and {settings.walks:,}; collect more episodes, "
            "or give fewer --go_there.pairs and --go_there.walks"
        )
    validation = validation[0][:MOST_VALIDATION], validation[1][:MOST_VALIDATION]
    return Task(
        dataset, made_of, places, train, validation, first[far], second[far], room, sizes, settings.looks, on.seed
    )


@dataclass(frozen=True)
class Way:
    """Predicts the way from one image to another from their features."""

    products: Products
    unit: Reals  # [3]
    ridge: Ridge

    @classmethod
    def fit(cls, z: Reals, task: Task, count: int) -> "Way":
        """On the first so many pairs. z: features of every frame, [frames, D]."""
        train = task.train[0][:count], task.train[1][:count]
        products, unit = Products.of(z[train[0]], z[train[1]], AXES), task.way(train).std(0) + 1e-9
        samples = [(products(z[some[0]], z[some[1]]), task.way(some) / unit) for some in (train, task.validation)]
        return cls(products, unit, fit_ridge(*samples))

    def __call__(self, here: Reals, there: Reals) -> Reals:
        """The ways [W, 3] between features [W, D]."""
        return self.ridge(self.products(here, there)) * self.unit


def way_between(first: Reals, second: Reals) -> Reals:
    """How far ahead and to the left of first places the second ones lie, and how they are turned: [..., 3] of such."""
    x, y = (second[..., i] - first[..., i] for i in range(2))
    c, s = np.cos(first[..., 2]), np.sin(first[..., 2])
    return np.stack([c * x + s * y, c * y - s * x, wrap(second[..., 2] - first[..., 2])], -1)


def steps_of(way: Reals) -> tuple[float, float, float]:
    """A turn, a drive and a turn that make a way [3] (m ahead, m to the left, rad); what lies behind is backed to."""
    ahead, left, yaw = way.tolist()
    distance = min(math.hypot(ahead, left), FARTHEST_M)
    if distance < NO_WAY_M:
        return 0.0, 0.0, _wrapped(yaw)
    turn = math.atan2(left, ahead)
    if abs(turn) > math.pi / 2:
        turn, distance = _wrapped(turn + math.pi), -distance
    return turn, distance, _wrapped(yaw - turn)


def _wrapped(angle: float) -> float:
    """The same angle in [-π, π)."""
    return float(wrap(np.array(angle)))


def near(first: Reals, second: Reals) -> NDArray[np.bool_]:
    """Which of two places [..., 3] are within 0.25 m and 10° of each other."""
    away = np.hypot(*(second[..., i] - first[..., i] for i in range(2)))
    return (away <= NEAR_M) & (np.abs(wrap(second[..., 2] - first[..., 2])) <= NEAR_RAD)


def arrived(metric: str, ends: Reals, task: Task, about: dict[str, Any]) -> Measure:
    """The share of walks that end at their goals. ends: [looks, W, 3]."""
    goal = task.places[task.goal]
    away = np.hypot(*(ends[-1, :, i] - goal[:, i] for i in range(2)))
    turned = np.abs(wrap(ends[-1, :, 2] - goal[:, 2]))
    shares = near(ends, goal).mean(1).tolist()
    settings = about | {
        "walks": len(goal),
        "rooms": len(np.unique(task.room)),
        "looks": task.looks,
        "seed": task.seed,
        "after_each_look": shares,
        "median_m": round(float(np.median(away)), 3),
        "median_deg": round(float(np.degrees(np.median(turned))), 1),
    }
    return Measure(metric, shares[-1], settings, np.unique(np.concatenate([task.start, task.goal])))
