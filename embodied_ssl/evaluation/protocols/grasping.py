"""Grasping: a head on few labelled grasps chooses where to grasp on new tables, and the grasp is carried out."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.collect.policies import resolve_policy
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.environments import lent_envs, settings_of
from embodied_ssl.evaluation.interactions import Places, grasp_head, hold_both, parts_of, patch_features
from embodied_ssl.evaluation.protocol import EncodedSet, EvaluationSet, Protocol
from embodied_ssl.evaluation.results import Measure
from embodied_ssl.evaluation.splits import Rows, Split
from embodied_ssl.limits import Count, SomeShare

LEAST_PIXELS = 8
"""Of an object that shows fewer nothing is a candidate."""


@dataclass(frozen=True)
class Grasping(Protocol):
    """How often a grasp holds that a head on n labelled grasps has chosen: it is carried out in the simulator.

    The head is a logistic regression on the frozen features of the patch about a grasp, turned as the gripper closes;
    validation tables choose its regularisation. On new tables, with objects that no data set has shown, it scores
    candidates, each anywhere on an object at any angle, the same for every encoder, and the best one is tried. The same
    table is made anew for each try.

    Beside it stand a candidate at random, and the policy `antipodal`, which sees the simulator's mask of objects and
    closes where they are narrow.
    """

    usual = False
    divides = False
    wants = "grasps: data sets of grasp"

    grasps: tuple[Count, ...] = (100, 1000, 5000)
    """n: labelled grasps that the head is fitted to; more than the training part has are not measured."""
    tables: Count = 100
    """New tables, one grasp on each."""
    candidates: Count = 200
    """Grasps on each table to choose from."""
    instances: tuple[int, int] | None = None
    """Which instances of each category are on the new tables, [first, last); None: the thousand after those of the
    data set."""
    crop: SomeShare = 0.3
    """Side of the patch about a grasp, as a share of the image."""

    def takes(self, dataset: Dataset | None) -> bool:
        return dataset is not None and {"interactions/angle", "interactions/success"} <= dataset.fields.keys()

    def prepare(self, on: EvaluationSet) -> "Task":
        dataset = on.dataset
        assert dataset is not None, "`takes` has looked"
        made_of = settings_of(dataset)
        parts, held = parts_of(dataset, on.seed, on.settings.most), dataset.array("interactions/success")[:]
        hold_both(held, parts, str(dataset.path))
        order = np.random.default_rng([on.seed, 6]).permutation(parts.train)
        sizes = [count for count in self.grasps if count <= len(order) and len(np.unique(held[order[:count]])) == 2]
        if not sizes:
            raise DataError(
                f"{dataset.path}: its training part has {len(order):,} grasps, too few for a head on "
                f"{min(self.grasps):,}; collect more --episodes, or give fewer --grasping.grasps"
            )
        last = dataset.spec["env"]["instances"][1]
        made_of |= {"instances": self.instances or (last, last + 1000), "interactions": 1, "instance": True}
        return Task(parts, held, order, sizes, NewTables(dataset, made_of, self.tables, self.candidates, on.seed))

    def measure(self, encoded: EncodedSet) -> list[Measure]:
        task: Task = encoded.prepared
        dataset = encoded.dataset
        assert dataset is not None, "`takes` has looked"
        before, pixel, angle = (dataset.array(f"interactions/{name}") for name in ("rgb_before", "pixel", "angle"))
        known = Places(np.arange(len(dataset)), pixel[:], angle[:])
        features, offered = (
            patch_features(encoded.encoder, images, places, self.crop, encoded.device)
            for images, places in ((before, known), (task.tables.images, task.tables.places))
        )
        about = {"crop": self.crop, "tables": self.tables, "candidates": self.candidates, "seed": encoded.seed}
        found = []
        for count in task.sizes:
            train, validation = task.order[:count], task.parts.validation
            head, fitted = grasp_head(features, task.held, train, validation, encoded.device)
            chosen = head.log_odds(offered).reshape(self.tables, -1).argmax(1)  # [tables]
            share = float(np.mean([task.tables.holds(table, which) for table, which in enumerate(chosen.tolist())]))
            counts = {"train": count, "validation": len(validation)}
            found.append(Measure(f"success@{count}", share, {**about, **fitted, **counts}))
        return found + [Measure(name, value, about) for name, value in task.tables.bounds.items()]


@dataclass(frozen=True)
class Task:
    """What encoders are measured on."""

    parts: Split
    held: NDArray[np.bool_]
    """Whether each grasp of the data set held."""
    order: Rows
    """Rows of the training part, of which a head on n grasps takes the first n."""
    sizes: list[int]
    tables: "NewTables"


class NewTables:
    """Tables as the data set's environment makes them, and candidates for a grasp on each, by seed."""

    def __init__(self, dataset: Dataset, made_of: dict[str, Any], tables: int, candidates: int, seed: int):
        """made_of: the settings of the environment."""
        self._kind, self._candidates = dataset.kind, candidates
        (self._env,) = lent_envs(dataset.kind, made_of)
        self._seeds = np.random.SeedSequence([seed, 7]).generate_state(tables).tolist()
        self._held: dict[tuple[int, int], bool] = {}

    @property
    def images(self) -> NDArray[np.uint8]:
        """Each table from above, [tables, H, W, 3]."""
        return self._seen[0]

    @property
    def places(self) -> Places:
        """The candidates of all tables, [tables · candidates]."""
        return self._seen[1]

    @cached_property
    def _seen(self) -> tuple[NDArray[np.uint8], Places]:
        observations = [self._env.reset(seed=seed)[0] for seed in self._seeds]
        drawn = [
            _candidates(shown["instance"], self._candidates, np.random.default_rng(seed))
            for shown, seed in zip(observations, self._seeds, strict=True)
        ]
        u, v, angle = np.concatenate(drawn).T  # [tables · candidates] each
        table = np.repeat(np.arange(len(self._seeds)), self._candidates)
        return np.stack([shown["rgb"] for shown in observations]), Places(table, np.stack([u, v], 1), angle)

    def holds(self, table: int, candidate: int) -> bool:
        """Whether a candidate holds on a table made anew."""
        if (table, candidate) not in self._held:
            row = table * self._candidates + candidate
            self._env.reset(seed=self._seeds[table])
            action = self._env.action_of(*self.places.pixel[row], self.places.turn[row])
            self._held[table, candidate] = bool(self._env.step(action)[1] > 0)
        return self._held[table, candidate]

    @cached_property
    def bounds(self) -> dict[str, float]:
        """The shares of tables where a candidate at random holds, and the grasp of a policy that sees the state."""
        tables = range(len(self._seeds))
        return {
            "success at random": float(np.mean([self.holds(table, 0) for table in tables])),
            "success by state": float(np.mean([self._played(seed) for seed in self._seeds])),
        }

    def _played(self, seed: int) -> bool:
        """Whether the grasp of the scripted policy holds."""
        policy: Any = resolve_policy(self._kind, "antipodal")
        observation, _ = self._env.reset(seed=seed)
        policy.reset(self._env, np.random.default_rng(seed))
        return bool(self._env.step(policy(observation))[1] > 0)


def _candidates(instance: NDArray[np.uint8], count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Grasps (u, v, angle) anywhere on objects at any angle, [count, 3]; of an empty table anywhere."""
    objects, pixels = np.unique(instance[instance > 0], return_counts=True)
    objects = objects[pixels >= LEAST_PIXELS]
    found = np.empty((count, 3))
    for row in found:
        shown = instance == rng.choice(objects) if len(objects) else instance >= 0
        places = np.argwhere(shown)[:, ::-1]
        row[:2] = places[rng.integers(len(places))]
        row[2] = rng.uniform(0, np.pi)
    return found
