"""Policies cloned from demonstrations: inputs, what is said at once, places of features, the state."""

import numpy as np
import pytest
import torch

from embodied_ssl.environments import lent_envs
from embodied_ssl.envs.control.picking import Picker
from embodied_ssl.evaluation.cloning import Clone, state_from_hand
from embodied_ssl.evaluation.estimators.block_network import Blocks
from embodied_ssl.evaluation.protocols.imitation import places


def test_each_block_counts_alike_whatever_its_size_and_unit():
    rng = np.random.default_rng(0)
    blocks = [rng.normal(size=(30, 400)), 1000 * rng.normal(size=(30, 2)) + 7, np.ones((30, 3))]
    wide, narrow, constant = np.split(Blocks.of(blocks)(blocks), (400, 402), 1)
    assert [np.square(each).sum(1).mean() for each in (wide, narrow)] == pytest.approx([36, 36])
    assert (constant == 0).all()


class Shown:
    """Two demonstrations of three steps and one of two: each moves as it feels, and closes its fingers at the end."""

    number = np.array([0, 0, 0, 1, 1, 1, 2, 2])
    feeling = np.array([0.0, 1.0, 2.0, 0.1, 1.1, 2.1, 9.0, 9.5])[:, None]

    def before(self, count):
        return self.number < count

    def chunks(self, length):
        action = np.concatenate([self.feeling, np.where(self.feeling % 9 >= 2, -1.0, 1.0)], 1)
        return np.repeat(action[:, None], length, 1)


def test_what_has_two_values_takes_the_nearer_and_only_those_cloned_count():
    shown = Shown()
    clone = Clone([shown.feeling], shown, 2, 3, updates=100)  # type: ignore[arg-type]
    said = clone([np.array([[0.05], [2.05]])])
    assert said.shape == (2, 3, 2)
    assert (said[:, :, 1] == [[1, 1, 1], [-1, -1, -1]]).all()
    assert (np.abs(clone.expected([np.array([[0.05], [2.05]])])[:, :, 1]) != 1).all()
    assert said[0, :, 0] == pytest.approx(0.05, abs=0.3)
    assert (said[:, :, 0] < 3).all(), "the third demonstration was not cloned"


def test_places_are_where_channels_answer_and_no_scale_matters():
    maps = torch.zeros(1, 3, 7, 5)
    maps[0, 0, 0, 4], maps[0, 1, 3, 2] = 50, 0.5
    found = places(maps)[0]
    (rows, columns), strength = found.view(2, 3), places(100 * maps)[0].view(2, 3)
    assert rows[0] < -0.8
    assert columns[0] > 0.8
    assert torch.allclose(torch.stack([rows, columns])[:, 1:], torch.zeros(2, 2), atol=1e-6)
    assert torch.allclose(torch.stack([rows, columns]), strength, atol=1e-3)


def test_the_state_from_the_hand_says_where_things_are_and_how_far_to_turn_as_the_expert_has_it():
    rng = np.random.default_rng(0)
    observation, goal = rng.normal(size=(20, 25)), rng.normal(size=(20, 3))
    observation[:, 12:16] = [[0, 0, np.sin(a / 2), np.cos(a / 2)] for a in rng.uniform(-np.pi, np.pi, 20)]
    found = state_from_hand(observation, goal, 9)
    assert found[:, 19:22] == pytest.approx(goal - observation[:, :3])
    assert found[:, 22:25] == pytest.approx(observation[:, 9:12] - observation[:, :3])
    assert found[:, 25:28] == pytest.approx(goal - observation[:, 9:12])
    turns = np.array([Picker._turn(seen, 9) for seen in observation])
    apart = (turns - found[:, 28] + np.pi / 2) % np.pi - np.pi / 2  # the expert stops 0.03 rad short of the end
    assert np.abs(apart).max() < 0.031
    assert state_from_hand(observation[:, :9], goal, 9).shape == (20, 6)
    assert state_from_hand(observation[:, :14], np.c_[goal, goal[:, :1]], 9).shape == (20, 5 + 4 + 3 + 6)


@pytest.mark.simulator
def test_environments_are_lent_again_and_closed_when_two_others_have_been():
    (first,) = lent_envs("press", {"size": 32})
    assert lent_envs("press", {"size": 32}, 2)[0] is first
    lent_envs("press", {"size": 40})
    assert lent_envs("press", {"size": 32})[0] is first
    lent_envs("press", {"size": 48})
    lent_envs("press", {"size": 40})
    assert lent_envs("press", {"size": 32})[0] is not first
