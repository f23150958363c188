"""Policies cloned on frozen features: what they can know at most, and what features add."""

import numpy as np
import pytest
import torch

from embodied_ssl.datasets.collect.collection import collect
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.read.readers import Dataset
from embodied_ssl.encoders import Encoder
from embodied_ssl.evaluation import cloning
from embodied_ssl.evaluation.cloning import Tables
from embodied_ssl.evaluation.evaluate import plan
from embodied_ssl.evaluation.protocol import EncodedSet
from embodied_ssl.evaluation.protocols.imitation import Imitation

pytestmark = pytest.mark.simulator


class Constant(Encoder):
    """Features that say nothing of an image."""

    def __init__(self) -> None:
        super().__init__()
        self.name, self.image_size, self.dim, self.channels = "constant", 16, 4, {"map": 3}

    def stages(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"map": torch.zeros_like(images)}

    def pool(self, stages: dict[str, torch.Tensor]) -> torch.Tensor:
        return torch.ones(len(stages["map"]), 4)


@pytest.fixture(scope="module")
def demonstrations(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demonstrations") / "reach"
    settings = {"trajectory": True, "cameras": ("scene",), "size": 16, "scene": {"image_size": 16}}
    collect("reach", folder, 40, progress=False, **settings)
    return folder


def measured(folder, protocol: Imitation, encoder: Encoder) -> dict[str, float]:
    (made,) = plan([folder], [protocol])
    made.prepare([0])
    encoded = EncodedSet(
        images=made.images,
        dataset=made.dataset,
        features_of=lambda rows: np.empty(0),
        encoder=encoder,
        prepared=made.prepared[0, 0],
    )
    return {one.metric: one.value for one in protocol.measure(encoded)}


@pytest.mark.slow
def test_reaching_is_cloned_from_the_goal_and_what_the_body_feels(demonstrations):
    """Which is all that reaching needs: features that say nothing do as well as the simulator's state."""
    protocol = Imitation(demonstrations=(40,), episodes=12, told_goal=True)
    found = measured(demonstrations, protocol, Constant())
    assert found["success of the expert"] == 1
    assert found["success@40"] >= 0.6
    assert found["success@40"] == pytest.approx(found["success by state@40"], abs=0.25)
    few = Imitation(demonstrations=(4,), episodes=2, updates=50, told_goal=True)
    assert measured(demonstrations, few, Constant()) == measured(demonstrations, few, Constant())


def test_episodes_that_are_played_side_by_side_end_as_they_do_alone(monkeypatch):
    """Some of them reach the goal, by a policy that is asked every third step and goes only to what is near."""

    def act(observations, which):
        ways = np.array([each["desired_goal"] - each["achieved_goal"] for each in observations]) / 0.1
        near = np.abs(ways).max(1) < 1.2
        return np.repeat((near[:, None] * ways)[:, None], 3, 1)

    settings = {"size": 16, "cameras": ("scene",), "scene": {"image_size": 8}, "length": 30}
    found = Tables("reach", settings, range(6)).play(act)
    monkeypatch.setattr(cloning, "AT_ONCE", 2)
    assert Tables("reach", settings, range(6)).play(act) == found
    assert 0 < sum(found) < 6
    assert all(Tables("reach", settings, range(3)).play_expert())


def test_more_is_not_carried_out_than_was_said(demonstrations):
    with pytest.raises(DataError, match="carried_out: 5, of a chunk of 4"):
        measured(demonstrations, Imitation(chunk=4, carried_out=5), Constant())


def test_more_demonstrations_than_there_are_are_not_measured(demonstrations):
    with pytest.raises(DataError, match="40 demonstrations"):
        measured(demonstrations, Imitation(demonstrations=(50,)), Constant())


def test_only_demonstrations_with_cameras_are_taken(demonstrations, tmp_path):
    collect("reach", tmp_path / "blind", 1, progress=False, size=16, trajectory=True, cameras=())
    assert not Imitation().takes(Dataset.open(tmp_path / "blind"))
    assert Imitation().takes(Dataset.open(demonstrations))
    assert not Imitation().takes(None)
