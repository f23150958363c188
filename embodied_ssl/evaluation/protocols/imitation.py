"""Imitation: a policy on frozen features is cloned from few demonstrations, and acts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.encoders import Encoder
from embodied_ssl.environments import settings_of
from embodied_ssl.evaluation.cloning import Actor, Clone, Demonstrations, Observation, Tables, state_from_hand
from embodied_ssl.evaluation.estimators.regression import Reals
from embodied_ssl.evaluation.features import encode
from embodied_ssl.evaluation.protocol import EncodedSet, EvaluationSet, Protocol
from embodied_ssl.evaluation.results import Measure
from embodied_ssl.limits import Count

_BOUNDS: dict[tuple[str, "Imitation", int], list[Measure]] = {}
"""What was measured without any encoder, by set, settings and seed: a process that measures many does it once."""
See = Callable[[Sequence[Observation]], list[Reals]]
"""From observations of some episodes to blocks of inputs [episodes, D]."""


@dataclass(frozen=True)
class Imitation(Protocol):
    """How often a policy achieves its goal that was cloned from n demonstrations on frozen features.

    The setting of R3M, VC-1 and CortexBench (Nair et al. 2022, section 4.1): a network of two layers learns by squared
    error which actions the expert takes, from the features of what each camera sees and from what the body feels of
    itself; each of these counts alike, however many numbers it has. It says `chunk` actions at once, of which
    `carried_out` are done before it looks again (Zhao et al. 2023). What is pooled hardly says where things are:
    beside the pooled features stand the places where each channel of a map answers most (a spatial softmax, Finn et
    al. 2016). The policy then acts 20 times in a second, on new tables with objects that no demonstration shows; an
    episode counts where the goal is achieved. Nothing of the policy is tuned. Tables are the same for every encoder.

    Demonstrations that are left over tell how much of the expert's actions is foreseen: R² of actions. Beside it stands
    the same policy on the simulator's state, which features hardly do better than, and, where actions move the tip, the
    scripted expert.

    Takes demonstrations of tasks of control that were collected with `--trajectory` and cameras.
    """

    usual = False
    divides = False
    wants = "demonstrations: data sets of tasks of control, with cameras"

    demonstrations: tuple[Count, ...] = (50,)
    """n: demonstrations that the policy is cloned from; more than there are are not measured."""
    episodes: Count = 100
    """In which the policy acts."""
    chunk: Count = 8
    """Steps for which the policy says at once what to do."""
    carried_out: Count = 4
    """Of them, before it looks again."""
    updates: Count = 3000
    """Of a policy, by 64 steps each."""
    cells: Count = 6
    """On a side of the deepest map that is at least as large, in which channels are looked for."""
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
        if self.carried_out > self.chunk:
            raise DataError(f"carried_out: {self.carried_out}, of a chunk of {self.chunk}; give at most as many")
        succeeded = np.flatnonzero(dataset.array("interactions/success")[:])
        order = np.random.default_rng([on.seed, 12]).permutation(succeeded)
        sizes = [count for count in self.demonstrations if count <= len(order)]
        if not sizes:
            raise DataError(
                f"{dataset.path}: {len(order):,} demonstrations that achieved their goal, of "
                f"{min(self.demonstrations):,} to clone; collect more --episodes, or give fewer "
                "--imitation.demonstrations"
            )
        return Task(dataset, Demonstrations(dataset, order), sizes, self, on.seed)

    def measure(self, encoded: EncodedSet) -> list[Measure]:
        task: Task = encoded.prepared
        encoder = Placed(encoded.encoder, self.cells)

        def seen(images: Any, rows: Any) -> Reals:
            return encode(encoder, images, rows, encoded.device).astype("f8")

        shown = [seen(task.dataset.array(f"steps/images/{name}"), task.shown.steps) for name in task.cameras]

        def see(observations: Sequence[Observation]) -> list[Reals]:
            images = [np.stack([each[name] for each in observations]) for name in task.cameras]
            return [seen(each, np.arange(len(each))) for each in images]

        own = (encoded.images.fingerprint, self, encoded.seed)
        if own not in _BOUNDS:
            _BOUNDS[own] = task.bounds()
        return [*task.measured("", [*shown, task.felt], see, encoded.device), *_BOUNDS[own]]


class Placed(Encoder):
    """An encoder's pooled features, and beside them where each channel of its deepest large enough map answers most."""

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
        self.dim = encoder.dim + 2 * shown[self._from].shape[1]

    def stages(self, images: Tensor) -> dict[str, Tensor]:
        return self.encoder.stages(images)

    def pool(self, stages: dict[str, Tensor]) -> Tensor:
        return torch.cat([self.encoder.pool(stages), places(stages[self._from])], 1)


def places(maps: Tensor) -> Tensor:
    """Where each channel of maps [B, C, h, w] answers most, [B, 2·C]: rows, then columns, from −1 to 1.

    The mean place under a softmax of what each channel has, standardised over places, so that no scale matters.
    """
    flat = maps.flatten(2)  # [B, C, h·w]
    deviation, mean = torch.std_mean(flat, 2, keepdim=True, correction=0)
    shares = ((flat - mean) / (deviation + 1e-6)).softmax(2).view(maps.shape)
    rows, columns = (torch.linspace(-1, 1, side, device=maps.device) for side in maps.shape[2:])
    return torch.cat([(shares.sum(3) * rows).sum(2), (shares.sum(2) * columns).sum(2)], 1)


class Task:
    """What encoders are measured on: demonstrations, and new tables, by seed."""

    def __init__(self, dataset: Dataset, shown: Demonstrations, sizes: list[int], asked: Imitation, seed: int):
        """Make the environments.

        Args:
            dataset: of the demonstrations.
            shown: all that can be cloned, of which a policy from n takes the first n.
            sizes: n.
            asked: how it is measured.
            seed: of the episodes.
        """
        self.dataset, self.shown, self._sizes, self._asked, self._seed = dataset, shown, sizes, asked, seed
        self.cameras: list[str] = list(dataset.spec["env"]["cameras"])
        last = dataset.spec["env"]["instances"][1]
        more: dict[str, Any] = {"instances": asked.instances or (last, last + 1000)}
        more |= {"trajectory": False, "depth": False, "instance": False}
        seeds = np.random.SeedSequence([seed, 13]).generate_state(asked.episodes).tolist()
        self._tables = Tables(dataset.kind, settings_of(dataset) | more, seeds)
        self.felt = self._felt(shown.observation, shown.goal)

    def _felt(self, observation: Reals, goal: Reals) -> Reals:
        """What the body feels, and the goal where it is told, [N, D]."""
        return np.concatenate([observation[:, : self._tables.felt], *([goal] if self._asked.told_goal else [])], 1)

    def measured(self, by: str, blocks: Sequence[Reals], see: See, device: str = "cpu") -> list[Measure]:
        """The numbers of a policy of what it sees and feels.

        Args:
            by: what from, ` by state`.
            blocks: of all that is shown, [steps, D]; the last is what the body feels.
            see: from observations to all blocks but the last.
            device: to learn the policy on.
        """
        found = []
        for count in self._sizes:
            clone = Clone(blocks, self.shown, count, self._asked.chunk, self._seed, self._asked.updates, device)
            left = ~self.shown.before(count)
            if left.any():
                expected = clone.expected([each[left] for each in blocks])
                share = _foreseen(expected, self.shown.chunks(self._asked.chunk)[left])
                found.append(self._measure(f"R² of actions{by}@{count}", share, train=count))
            success = float(np.mean(self._tables.play(self._actor(clone, see))))
            found.append(self._measure(f"success{by}@{count}", success, train=count))
        return found

    def _actor(self, clone: Clone, see: See) -> Actor:
        def act(observations: Sequence[Observation], which: Sequence[int]) -> Reals:
            felt = np.stack([each["observation"] for each in observations]).astype("f8")
            goal = np.stack([each["desired_goal"] for each in observations]).astype("f8")
            return clone([*see(observations), self._felt(felt, goal)])[:, : self._asked.carried_out]

        return act

    def bounds(self) -> list[Measure]:
        """What no features can do much better than: the same policy on the simulator's state; and the expert."""
        own = self._tables.felt

        def see(observations: Sequence[Observation]) -> list[Reals]:
            observation, goal = (
                np.stack([each[name] for each in observations]).astype("f8") for name in ("observation", "desired_goal")
            )
            return [state_from_hand(observation, goal, own)]

        state = state_from_hand(self.shown.observation, self.shown.goal, own)
        found = self.measured(" by state", [state, self.felt], see)
        if self.dataset.spec["env"]["control"] == "tip":  # which experts move
            found.append(self._measure("success of the expert", float(np.mean(self._tables.play_expert()))))
        return found

    def _measure(self, metric: str, value: float, **about: int) -> Measure:
        asked = self._asked
        names = ("episodes", "chunk", "carried_out", "updates", "cells", "told_goal")
        settings = {name: getattr(asked, name) for name in names}
        return Measure(metric, value, {**about, **settings, "seed": self._seed})


def _foreseen(expected: Reals, done: Reals) -> float:
    """The share of the variance of actions [steps, chunk, A] that is foreseen, of all their numbers together."""
    left = np.square(expected - done).sum()
    return float(1 - left / np.square(done - done.mean((0, 1))).sum())
