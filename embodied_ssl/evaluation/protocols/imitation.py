"""Imitation: a policy on frozen features is cloned from few demonstrations, and acts."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from embodied_ssl.datasets.collect.policies import resolve_policy
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.encoders import Encoder
from embodied_ssl.environments import make_env, settings_of
from embodied_ssl.evaluation.estimators.regression import Network, fit_longer
from embodied_ssl.evaluation.features import encode
from embodied_ssl.evaluation.protocol import EncodedSet, EvaluationSet, Protocol
from embodied_ssl.evaluation.results import Measure
from embodied_ssl.evaluation.splits import Rows
from embodied_ssl.limits import Count

Reals = NDArray[np.float64]
Act = Callable[[dict[str, Any]], NDArray[Any]]
"""From an observation of the environment to its action [A]."""


@dataclass(frozen=True)
class Imitation(Protocol):
    """How often a policy achieves its goal that was cloned from n demonstrations on frozen features.

    The setting of R3M, VC-1 and CortexBench (Nair et al. 2022, section 4.1): a network of two layers learns by squared
    error which action the expert takes, from the features of what each camera sees and from what the body feels of
    itself. What is pooled hardly says where things are: beside the pooled features stand the means of the deepest map
    over `cells` × `cells` of it (VC-1 keeps its map as well, Majumdar et al. 2023). The policy then acts 20 times in a
    second, on new tables with objects that no demonstration shows; an episode counts where the goal is achieved.
    Nothing of the policy is tuned. Tables are the same for every encoder.

    Beside it stands the same policy on the simulator's state, which features hardly do better than, and, where actions
    move the tip, the scripted expert.

    Takes demonstrations of tasks of control that were collected with `--trajectory` and cameras.
    """

    usual = False
    divides = False

    demonstrations: tuple[Count, ...] = (50,)
    """n: demonstrations that the policy is cloned from; more than there are are not measured."""
    episodes: Count = 100
    """In which the policy acts."""
    updates: Count = 5000
    """Of a policy, by 64 steps each."""
    cells: Count = 3
    """On a side of the deepest map that is at least as large, over which it is averaged."""
    told_goal: bool = False
    """Whether the policy is told the goal in numbers; else it has to see it."""
    instances: tuple[int, int] | None = None
    """Which instances of each category are on the new tables, [first, last); None: the thousand after those of the
    demonstrations."""

    def takes(self, dataset: Dataset | None) -> bool:
        return dataset is not None and dataset.declaration.closed_loop and bool(dataset.spec["env"]["cameras"])

    def prepare(self, on: EvaluationSet) -> "Task":
        dataset = on.dataset
        assert dataset is not None, "`takes` has looked"
        made_of = settings_of(dataset)
        succeeded = np.flatnonzero(dataset.array("interactions/success")[:])
        order = np.random.default_rng([on.seed, 12]).permutation(succeeded)
        sizes = [count for count in self.demonstrations if count <= len(order)]
        if not sizes:
            raise DataError(
                f"{dataset.path}: {len(order):,} demonstrations that achieved their goal, of "
                f"{min(self.demonstrations):,} to clone; collect more --episodes, or give fewer "
                "--imitation.demonstrations"
            )
        last = dataset.spec["env"]["instances"][1]
        made_of |= {"instances": self.instances or (last, last + 1000)}
        return Task(dataset, made_of, order, sizes, self, on.seed)

    def measure(self, encoded: EncodedSet) -> list[Measure]:
        task: Task = encoded.prepared
        encoder = Spatial(encoded.encoder, self.cells)
        shown = task.seen_by(encoder, encoded.device)
        found = []
        for count in task.sizes:
            policy = task.clone(shown, count, encoded.device)

            def act(observation: dict[str, Any], policy: Network = policy) -> Reals:
                images = [observation[name][None] for name in task.cameras]
                features = [encode(encoder, image, np.arange(1), encoded.device) for image in images]
                return policy(np.concatenate([*features, task.felt_now(observation)], 1).astype("f8"))[0]

            found.append(task.measured(f"success@{count}", task.play(act), train=count))
        return [*found, *task.bounds]


class Spatial(Encoder):
    """An encoder's pooled features, and beside them the means of its deepest large enough map over cells of it."""

    def __init__(self, encoder: Encoder, cells: int):
        super().__init__()
        self.encoder, self.cells = encoder, cells
        self.name, self.image_size, self.channels = encoder.name, encoder.image_size, encoder.channels
        training = encoder.training
        device = next(encoder.parameters(), torch.empty(0)).device
        with torch.no_grad():
            shown = encoder.eval().stages(torch.zeros(1, 3, self.image_size, self.image_size, device=device))
        self.train(training)
        large = [name for name, maps in shown.items() if maps.shape[-1] >= cells]
        self._from = large[-1] if large else next(reversed(shown))
        self.dim = encoder.dim + shown[self._from].shape[1] * cells**2

    def stages(self, images: Tensor) -> dict[str, Tensor]:
        return self.encoder.stages(images)

    def pool(self, stages: dict[str, Tensor]) -> Tensor:
        cells = functional.adaptive_avg_pool2d(stages[self._from], self.cells)  # [B, channels, cells, cells]
        return torch.cat([self.encoder.pool(stages), cells.flatten(1)], 1)


class Task:
    """What encoders are measured on: demonstrations, and new tables, by seed."""

    def __init__(
        self,
        dataset: Dataset,
        made_of: dict[str, Any],
        order: Rows,
        sizes: list[int],
        asked: Imitation,
        seed: int,
    ):
        """Make the environment.

        Args:
            dataset: of the demonstrations.
            made_of: settings of the environment.
            order: rows of the demonstrations, of which a policy from n of them takes the first n.
            sizes: n.
            asked: how it is measured.
            seed: of the division and of the episodes.
        """
        self.sizes, self.seed, self._asked = sizes, seed, asked
        self.cameras: list[str] = list(dataset.spec["env"]["cameras"])
        self._dataset = dataset
        self._order = order[: max(sizes)]
        start, length = (dataset.array(f"interactions/steps_{what}")[:] for what in ("start", "length"))
        # The last sample of each is of its end, when nothing is done any more.
        spans = [np.arange(start[row], start[row] + length[row] - 1) for row in self._order]
        self._steps = np.concatenate(spans)
        self._which = np.repeat(np.arange(len(spans)), [len(span) for span in spans])
        """Which of the demonstrations each step is of."""
        felt = dataset.array("steps/observation")[self._steps].astype("f8")
        goal = dataset.array("interactions/goal")[self._order].astype("f8")[self._which]
        plain = {"trajectory": False, "depth": False, "instance": False}
        self._env: Any = make_env(dataset.kind, **(made_of | plain)).unwrapped
        own = cast(Any, self._env).observation_space["proprioception"].shape[0]
        self._felt = np.concatenate([felt[:, :own], *([goal] if asked.told_goal else [])], 1)
        self._state = np.concatenate([felt, goal], 1)
        self._actions = dataset.array("steps/control")[self._steps].astype("f8")

    def seen_by(self, encoder: Encoder, device: str) -> Reals:
        """What a policy sees and feels at each step of the demonstrations, [steps, D]."""
        images = [self._dataset.array(f"steps/images/{name}") for name in self.cameras]
        features = [encode(encoder, each, self._steps, device) for each in images]
        return np.concatenate([*features, self._felt], 1).astype("f8")

    def felt_now(self, observation: dict[str, Any]) -> Reals:
        """What the body feels, and the goal where it is told, [1, D]."""
        told = [observation["desired_goal"]] if self._asked.told_goal else []
        return np.concatenate([observation["proprioception"], *told])[None].astype("f8")

    def clone(self, inputs: Reals, count: int, device: str) -> Network:
        """The policy from the first so many demonstrations. inputs: [steps, D]."""
        own = self._which < count
        return fit_longer((inputs[own], self._actions[own]), self.seed, self._asked.updates, device)

    def play(self, act: Act, begin: Callable[[], None] = lambda: None) -> list[bool]:
        """Whether each episode achieves its goal. begin: called at the start of each."""
        achieved = []
        for seed in np.random.SeedSequence([self.seed, 13]).generate_state(self._asked.episodes).tolist():
            observation, _ = self._env.reset(seed=seed)
            begin()
            done = over = False
            while not (done or over):
                action = np.clip(act(observation), -1, 1).astype("f4")
                observation, _, done, over, _ = self._env.step(action)
            achieved.append(bool(done))
        return achieved

    @cached_property
    def bounds(self) -> list[Measure]:
        """What no features can do much better than: the same policy on the simulator's state; and the expert."""
        found = []
        for count in self.sizes:
            policy = self.clone(self._state, count, "cpu")

            def act(observation: dict[str, Any], policy: Network = policy) -> Reals:
                state = np.concatenate([observation["observation"], observation["desired_goal"]])
                return policy(state[None].astype("f8"))[0]

            found.append(self.measured(f"success by state@{count}", self.play(act), train=count))
        if self._dataset.spec["env"]["control"] == "tip":  # which experts move
            found.append(self.measured("success of the expert", self._by_expert()))
        return found

    def _by_expert(self) -> list[bool]:
        """Whether the scripted expert achieves the goal of each episode."""
        policy: Any = resolve_policy(self._dataset.kind, "expert")

        def begin() -> None:
            policy.reset(self._env, np.random.default_rng(self.seed))

        return self.play(policy, begin)

    def measured(self, metric: str, achieved: list[bool], **about: int) -> Measure:
        """The share of episodes that achieved their goal."""
        return Measure(
            metric,
            float(np.mean(achieved)),
            {
                **about,
                "episodes": self._asked.episodes,
                "updates": self._asked.updates,
                "cells": self._asked.cells,
                "told_goal": self._asked.told_goal,
                "seed": self.seed,
            },
        )
