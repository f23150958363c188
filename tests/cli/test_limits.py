"""Settings hold to the limits that their annotations state, wherever they are given; else there is one clear line."""

import inspect
import math
from dataclasses import dataclass, fields
from typing import Annotated, Literal, get_args, get_origin, get_type_hints

import numpy as np
import pytest

from embodied_ssl.cli.main import main
from embodied_ssl.comparison import compare
from embodied_ssl.datasets.collect.collection import make_spec
from embodied_ssl.datasets.collect.settings import environment_class
from embodied_ssl.datasets.collect.slurm import Slurm
from embodied_ssl.datasets.errors import DataError
from embodied_ssl.datasets.kinds import collected_kinds
from embodied_ssl.evaluation.settings import Settings
from embodied_ssl.limits import Count, Limits, NonNegative, Positive, Share, within_limits
from embodied_ssl.method import Method, Recipe, input_streams_of
from embodied_ssl.methods import make_method, method_class, method_names
from embodied_ssl.training.settings import Hardware, TrainingSettings


def numbers(hint):
    """The kind of number and the limits of each numeric part of an annotation; no limits: None."""
    if hint in (int, float):
        return [(hint, None)]
    if get_origin(hint) is Annotated:
        kind, limits, *_ = get_args(hint)
        return [(kind, limits)]
    return [found for part in get_args(hint) if get_origin(hint) is not Literal for found in numbers(part)]


OWNERS = {
    **{name: (method_class(name).__init__, [object()], {}) for name in method_names()},
    "recipe": (Recipe, [], {}),
    "settings": (Settings, [], {}),
    "training": (TrainingSettings, [], {}),
    "hardware": (Hardware, [], {}),
    "slurm": (Slurm, [], {}),
    "make_spec": (make_spec, ["orbit"], {}),
    "compare": (compare, [["drlim"], "out", [], []], {}),
    "make_method": (make_method, ["drlim"], {}),
}
SETTINGS = [
    (owner, setting, kind, limits)
    for owner, (function, _, _) in OWNERS.items()
    for setting, hint in get_type_hints(function, include_extras=True).items()
    for kind, limits in numbers(hint)
    if setting != "return"
]


@pytest.mark.parametrize(("owner", "setting", "kind", "limits"), SETTINGS, ids=lambda value: str(value))
def test_every_number_has_limits_and_holds_to_them(owner, setting, kind, limits):
    assert isinstance(limits, Limits), "annotate it with one of embodied_ssl.limits"
    function, given, _ = OWNERS[owner]
    given = [None, *given] if owner in method_names() else given  # where `self` would be
    wrong = [value for value in (-1, 0, 1.5, 1 << 64) if kind is float or isinstance(value, int)]
    refused = [value for value in wrong if value not in limits] + [math.nan, math.inf, -math.inf, "3", True]
    refused += [1.5] if kind is int else []
    assert refused[0] == -1, "negative numbers mean nothing to any of them"
    for value in refused:
        several = [value] if setting in ("loss_weights", "rates", "milestones") else value
        with pytest.raises(DataError, match=rf"^{setting}: .*; give "):
            function(*given, **{setting: several})


@pytest.mark.simulator
@pytest.mark.parametrize("kind", collected_kinds())
def test_every_number_of_an_environment_has_limits_and_holds_to_them(kind):
    env = environment_class(kind)
    hints = get_type_hints(env.__init__, include_extras=True)
    found = {
        name: each
        for name, hint in hints.items()
        if name not in ("instances", "distances", "base")
        for each in numbers(hint)
    }  # ranges, a place
    assert {"size", "antialias"} < found.keys()
    for setting, (_, limits) in found.items():
        assert isinstance(limits, Limits), setting
        with pytest.raises(DataError, match=rf"^{setting}: .*; give "):
            env(**{setting: limits.least - 1})


def test_fields_of_a_recipe_are_all_held():
    assert {name for owner, name, _, _ in SETTINGS if owner == "recipe"} == {
        field.name for field in fields(Recipe) if not field.name.startswith(("optimizer", "schedule", "nesterov"))
    }


@within_limits
def plays(count: Count, share: Share = 0.5, rate: Positive | None = None, word: Literal["a", "bc"] = "a", *, free=None):
    return count, share, rate, word, free


def test_numbers_come_in_as_python_has_them():
    found = plays(np.int64(3), np.float32(0.25), rate=np.float64(2), free=-1)
    assert found == (3, 0.25, 2.0, "a", -1)
    assert [type(value) for value in found[:3]] == [int, float, float]
    assert plays(1, 1)[1:3] == (1.0, None)
    assert inspect.signature(plays).parameters["rate"].default is None
    recipe = Recipe(steps=np.int32(7), clip=np.float64(1))
    assert (type(recipe.steps), type(recipe.clip)) == (int, float)


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (Count, "at least 1"),
        (Positive, "more than 0"),
        (NonNegative, "at least 0"),
        (Share, "at least 0 and at most 1"),
    ],
)
def test_limits_are_said_in_words(limits, said):
    assert str(get_args(limits)[1]) == said


@dataclass(frozen=True)
class Span:
    """A plain one: it does not hold its fields itself."""

    ends: tuple[float, Count] = (0.0, 1)


@within_limits
def spans(pair: tuple[float, Share] | None = None, span: Span = Span()):
    return pair, span


def test_tuples_of_a_fixed_length_come_back_from_json_as_they_were():
    assert spans([1, 0.5], {"ends": [2, 3]}) == ((1.0, 0.5), Span((2.0, 3)))
    for given, said in (
        ({"pair": [1, 2]}, "pair: 2; give at least 0 and at most 1"),
        ({"pair": [1]}, r"pair: \[1\]; give a list of 2"),
        ({"pair": 1}, "pair: 1; give a list"),
        ({"span": {"ends": [1, 0]}}, "ends: 0; give at least 1"),
    ):
        with pytest.raises(DataError, match=said):
            spans(**given)


def unknown_to_python(value: "Nowhere") -> None:  # noqa: F821
    """As of an import under TYPE_CHECKING."""


def test_types_that_only_a_type_checker_knows_are_named():
    with pytest.raises(DataError, match=r"unknown_to_python: Nowhere of its annotations .* outside of `if TYPE_CHECK"):
        within_limits(unknown_to_python)(1)
    with pytest.raises(DataError, match="unknown_to_python: Nowhere"):
        input_streams_of(type("Own", (Method,), {"loss": unknown_to_python}))


def test_choices_offer_the_near_one():
    with pytest.raises(DataError, match="unknown word 'bd': did you mean 'bc'"):
        plays(1, word="bd")
    with pytest.raises(DataError, match="unknown balance 'sinkhorm': did you mean 'sinkhorn'"):
        make_method("dino", balance="sinkhorm")
    with pytest.raises(DataError, match="unknown optimizer 'adam'"):
        Recipe(optimizer="adam")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("drlim --image_size 0", "image_size: 0; give at least 1"),
        ("drlim --learning_rate -1", "learning_rate: -1.0; give more than 0"),
        ("drlim --learning_rate nan", "--learning_rate: 'nan' is not a number of more than 0"),
        ("drlim --margin -1", "margin: -1.0; give at least 0"),
        ("drlim --steps 0", "steps: 0; give at least 1"),
        ("drlim --momentum 1.5", "momentum: 1.5; give at least 0 and less than 1"),
        ("drlim --seed -1", "seed: -1; give at least 0"),
        ("moco --queue_length 0", "queue_length: 0; give at least 1"),
        ("moco --temperature 0", "temperature: 0.0; give more than 0"),
        ("moco --method.momentum 1.5", "momentum: 1.5; give at least 0 and at most 1"),
        ("moco --optimizer.momentum -0.5", "momentum: -0.5; give at least 0"),
    ],
)
def test_a_senseless_number_is_one_clear_line(given, said, tmp_path, capsys):
    name, *settings = given.split()
    assert main(["train", name, *settings, "--out", str(tmp_path / "run")]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert said in lines[0]
    assert not (tmp_path / "run").exists()
