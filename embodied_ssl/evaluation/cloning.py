"""Demonstrations of control as what a policy is cloned from, and many episodes at once in which it acts."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from embodied_ssl.datasets.collect.policies import resolve_policy
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.environments import lent_envs
from embodied_ssl.evaluation.estimators.block_network import fit_block_network
from embodied_ssl.evaluation.estimators.regression import Reals
from embodied_ssl.evaluation.splits import Rows

AT_ONCE = 25
"""Episodes that are played side by side, so that images of all are encoded together."""
OF_AN_OBJECT = 16
"""Numbers of the state of each object: position, quaternion, velocity, turning and size."""

Observation = dict[str, NDArray[Any]]
Actor = Callable[[Sequence[Observation], Sequence[int]], Reals]
"""From observations of some episodes, and which of those played at once they are, to what each does in the next steps,
[episodes, steps, A]: it is asked again when these are over."""


class Demonstrations:
    """The steps of some demonstrations, one after the other."""

    def __init__(self, dataset: Dataset, which: Rows):
        """Read them. which: rows of demonstrations."""
        start, length = (dataset.array(f"interactions/steps_{what}")[:] for what in ("start", "length"))
        # The last sample of each is of its end, when nothing is done any more.
        spans = [np.arange(start[row], start[row] + length[row] - 1) for row in which]
        self.steps: Rows = np.concatenate(spans)
        self.number: Rows = np.repeat(np.arange(len(spans)), [len(span) for span in spans])
        """Which of the demonstrations each step is of."""
        self._last = np.cumsum([len(span) for span in spans])[self.number] - 1
        self.observation: Reals = dataset.array("steps/observation")[self.steps].astype("f8")
        self.goal: Reals = dataset.array("interactions/goal")[which].astype("f8")[self.number]
        self.action: Reals = dataset.array("steps/control")[self.steps].astype("f8")

    def chunks(self, length: int) -> Reals:
        """What is done at each step and in the next ones, [steps, length, A]; at the end the last goes on."""
        ahead = np.arange(len(self.steps))[:, None] + np.arange(length)
        found: Reals = self.action[np.minimum(ahead, self._last[:, None])]
        return found

    def before(self, count: int) -> NDArray[np.bool_]:
        """Which steps are of the first so many demonstrations."""
        return self.number < count


class Clone:
    """A policy that does what demonstrations did: a network of two layers (Nair et al. 2022, section 4.1).

    It says what to do in several steps at once (Zhao et al. 2023, section 4.1), so that a pause, as of closing fingers,
    is one decision and not ten. A number of actions that has two values in all demonstrations, as of fingers that open
    or close, takes the nearer of them.
    """

    def __init__(
        self,
        blocks: Sequence[Reals],
        shown: Demonstrations,
        count: int,
        chunk: int,
        seed: int = 0,
        updates: int = 3000,
        device: str = "cpu",
    ):
        """Learn it.

        Args:
            blocks: of inputs [steps, D] of all demonstrations.
            shown: the demonstrations.
            count: of them, the first so many are cloned.
            chunk: steps that it says at once.
            seed: of its first weights and of the order in which it learns.
            updates: by which it learns.
            device: to learn on.
        """
        own = shown.before(count)
        chunks = shown.chunks(chunk)[own]  # [steps, chunk, A]
        self._shape = chunks.shape[1:]
        self._of_two = {}
        for number, values in enumerate(map(np.unique, chunks.reshape(-1, chunks.shape[2]).T)):
            if len(values) == 2:
                self._of_two[number] = values
        targets = chunks.reshape(len(chunks), -1)
        self._network = fit_block_network([each[own] for each in blocks], targets, seed, updates, device)

    def __call__(self, blocks: Sequence[Reals]) -> Reals:
        """Blocks of inputs [N, D] → actions [N, chunk, A]."""
        actions = self.expected(blocks)
        for number, (low, high) in self._of_two.items():
            actions[:, :, number] = np.where(actions[:, :, number] > (low + high) / 2, high, low)
        return actions

    def expected(self, blocks: Sequence[Reals]) -> Reals:
        """What demonstrations do in the mean, [N, chunk, A]."""
        return self._network(blocks).reshape(-1, *self._shape)


class Tables:
    """New tables, by seed, on which policies act."""

    def __init__(self, kind: str, settings: dict[str, Any], seeds: Sequence[int]):
        """settings: of the environments. seeds: of the episodes."""
        self._kind, self._seeds = kind, list(seeds)
        self._envs = lent_envs(kind, settings, len(self._seeds[:AT_ONCE]))
        self.felt: int = cast(Any, self._envs[0]).observation_space["proprioception"].shape[0]
        """Numbers of what the body feels of itself."""

    def play(self, act: Actor, begin: Callable[[list[Any]], None] = lambda envs: None) -> list[bool]:
        """Whether each episode achieves its goal. begin: is given the environments when their episodes begin."""
        groups = [self._seeds[first : first + AT_ONCE] for first in range(0, len(self._seeds), AT_ONCE)]
        return [achieved for seeds in groups for achieved in self._played(act, begin, seeds)]

    def _played(self, act: Actor, begin: Callable[[list[Any]], None], seeds: Sequence[int]) -> list[bool]:
        observations = [env.reset(seed=seed)[0] for env, seed in zip(self._envs, seeds, strict=False)]
        begin(self._envs)
        going, achieved = list(range(len(seeds))), [False] * len(seeds)
        plans: dict[int, list[Reals]] = {}
        while going:
            if not plans.get(going[0]):  # all began together, so that all have as many steps left
                told = act([observations[which] for which in going], going)
                plans = {which: list(plan) for which, plan in zip(going, told, strict=True)}
            for which in list(going):
                action = np.clip(plans[which].pop(0), -1, 1).astype("f4")
                observations[which], _, achieved[which], over, _ = self._envs[which].step(action)
                if achieved[which] or over:
                    going.remove(which)
        return achieved

    def play_expert(self) -> list[bool]:
        """Whether the scripted expert achieves the goal of each episode."""
        experts: list[Any] = [resolve_policy(self._kind, "expert") for _ in self._envs]

        def begin(envs: list[Any]) -> None:
            for expert, env in zip(experts, envs, strict=True):
                expert.reset(env, np.random.default_rng(0))

        def act(observations: Sequence[Observation], which: Sequence[int]) -> Reals:
            acts = [experts[number](observation) for number, observation in zip(which, observations, strict=True)]
            return np.array(acts, float)[:, None]

        return self.play(act, begin)


def state_from_hand(observation: Reals, goal: Reals, felt: int) -> Reals:
    """The simulator's state as the hand has it: what is on the table, [N, D], where it is from the tip and the goal.

    Of objects that have a turn, also how far the hand would have to turn to close across the narrow side.

    Args:
        observation: [N, D], what the body feels, then the state.
        goal: [N, G], whose first three numbers are a place.
        felt: numbers that the body feels.
    """
    tip, state, place = observation[:, :3], observation[:, felt:], goal[:, :3]
    found = [state, goal, place - tip]
    turned = state.shape[1] and state.shape[1] % OF_AN_OBJECT == 0
    for one in np.split(state, state.shape[1] // OF_AN_OBJECT, 1) if turned else [state] * bool(state.shape[1]):
        found += [one[:, :3] - tip, place - one[:, :3]]
        found += [_turn(one, observation[:, 6:8])] if turned else []
    return np.concatenate(found, 1)


def _turn(state: Reals, twice: Reals) -> Reals:
    """How far (rad) a hand has to turn, [N, 1]. twice: sine and cosine of twice its yaw, [N, 2]."""
    x, y, z, w = state[:, 3:7].T
    along = np.arctan2(2 * (x * y + z * w), 1 - 2 * (y * y + z * z))
    narrow = along + np.where(state[:, 13] <= state[:, 14], 0.0, np.pi / 2)
    turn = narrow - np.arctan2(*twice.T) / 2
    return ((turn + np.pi / 2) % np.pi - np.pi / 2)[:, None]
