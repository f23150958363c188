"""A kind of data is one declaration: no other module knows its name, and those of others are as good as ours."""

import ast
from dataclasses import replace
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from embodied_ssl.datasets.collect.settings import environment_class, named
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.kinds import built_in_kinds, register
from embodied_ssl.datasets.kinds.base import InteractionPage, VideoPage
from embodied_ssl.datasets.read.streams import batch_class

ROOT = Path(__file__).parent.parent.parent
KINDS = built_in_kinds()
COLLECTED = {name: kind for name, kind in KINDS.items() if kind.is_collected}
FREE = {  # files in which such a word may stand: a kind's own, the demo of all, what a scene is called in the data
    *(f"datasets/kinds/{name}.py" for name in KINDS),
    "embodied_ssl/cli/demo.py",
    "embodied_ssl/cli/data.py",  # an option, --video
    "datasets/gallery/page.py",  # a function
    "datasets/imports/mp4.py",  # a column
    "datasets/imports/lerobot.py",  # a type of values
    "datasets/exports/lerobot.py",
    "envs/orbit.py",
}
ALSO = (  # folders of such
    "embodied_ssl/methods/",  # terms of losses are called `push` and `poke`
    "embodied_ssl/studies/",  # experiments name their data
)


def strings(path):
    """The text literals of a file that are no docstrings."""
    tree = ast.parse(path.read_text())
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation
    }


def test_no_other_module_knows_a_kind_by_its_name():
    knowing = {
        str(path.relative_to(ROOT)): found
        for folder in ("envs", "datasets", "embodied_ssl")
        for path in (ROOT / folder).rglob("*.py")
        if (found := strings(path) & KINDS.keys())
    }
    assert {path: found for path, found in knowing.items() if path not in FREE and not path.startswith(ALSO)} == {}
    assert all(f"datasets/kinds/{name}.py" in knowing for name in KINDS), "or this test sees nothing"


def test_gymnasium_knows_exactly_the_environments_that_kinds_declare():
    """By the import of the package, which comes before that of any part of it."""
    registered = {
        name: spec.entry_point for name, spec in gymnasium.registry.items() if spec.namespace == "embodied_ssl"
    }
    assert registered == {kind.env_id: kind.env for kind in COLLECTED.values()}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_declaration_is_complete(kind):
    if kind.is_collected:
        assert issubclass(environment_class(kind.name), gymnasium.Env)
        assert all(callable(named(place)()) for place in kind.policies.values())
    else:
        assert {kind.env_id, *kind.policies, *kind.motor_signals} == {""}
    assert kind.is_video == (kind.motion is not None) == (kind.batch is None)
    assert bool(kind.motor_signals) == (kind.is_video and kind.is_collected)
    assert isinstance(kind.page, VideoPage if kind.is_video else InteractionPage)
    assert all(path in kind.all_fields for path in (*kind.image_paths, *filter(None, [kind.mask_path])))
    assert {field.table for field in kind.fields} <= {kind.rows, "camera", "steps"}
    if kind.batch is not None:
        assert batch_class(kind.batch).__dataclass_fields__


@pytest.mark.parametrize("kind", [kind for kind in COLLECTED.values() if kind.is_video], ids=lambda kind: kind.name)
def test_a_motion_has_a_number_for_each_signal(kind):
    several = (len(kind.states),) if len(kind.states) > 1 else ()
    pose = np.broadcast_to(np.eye(4), (3, *several, 4, 4))
    for motion in (kind.between(pose, pose), kind.sensed(pose, pose)):
        assert motion.dtype == np.float32
        np.testing.assert_array_equal(motion, np.zeros((3, len(kind.motor_signals))))


def test_an_environment_of_ones_own_takes_an_id_of_its_own():
    """What is made of one of ours by `replace` has its id, by which `gymnasium.make` would give ours."""
    nudge = replace(KINDS["push"], name="nudge", env="my_task:NudgeEnv")
    register(KINDS["push"])
    with pytest.raises(DataError, match=r"kind nudge: embodied_ssl/Push-v0 is .*PushEnv, not my_task:NudgeEnv; give"):
        register(nudge)
    assert register(replace(nudge, env_id="mine/Nudge-v0")) == "mine/Nudge-v0"
